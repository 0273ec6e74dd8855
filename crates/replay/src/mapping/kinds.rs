//! Which of a service's resource types an ARN is of, answered as the catalogue does, only faster:
//! every recorded ARN is asked about.

use retrial_iam::Catalogue;

use crate::split_at_mark;

/// The ARN templates of a service's resource types, taken apart.
#[derive(Debug)]
pub(super) struct Kinds(Vec<(Gate, Kind)>);

/// What an ARN must have for a type to be asked whether it fits. A service has dozens of types, and next to
/// all of them are told by two numbers: to compare a text with each was a thirtieth of a run.
#[derive(Debug)]
struct Gate {
    /// Which parts are empty, and so must an ARN's be.
    empty: [bool; 4],
    service: Beginning,
    resource: Beginning,
}

/// What a text begins with, up to 8 bytes of it.
#[derive(Debug)]
struct Beginning {
    bytes: u64,
    mask: u64,
}

#[derive(Debug)]
struct Kind {
    name: &'static str,
    /// Service, region, account and resource.
    parts: [Part; 4],
    /// How many characters the template fixes: the most specific type wins.
    fixed: usize,
}

/// Fixed texts with variables between them.
#[derive(Debug, Default)]
struct Part {
    before: Box<str>,
    /// After each variable the text that follows it.
    after: Vec<Box<str>>,
}

impl Kinds {
    /// The types of the service with this IAM prefix.
    pub(super) fn of(service: &str, catalogue: &'static Catalogue) -> Self {
        let mut kinds = Vec::new();
        for action in catalogue.actions(service) {
            for taken in catalogue.resource_types(action) {
                let is_taken = |(_, kind): &(Gate, Kind)| kind.name == taken.name;
                if kinds.iter().any(is_taken) {
                    continue;
                }
                if let Some(kind) = catalogue.resource_type(service, taken.name) {
                    kinds.extend(
                        kind.arn
                            .split(", ")
                            .filter_map(|arn| Kind::parse(taken.name, arn)),
                    );
                }
            }
        }
        Self(kinds)
    }

    /// The type that an ARN has the form of.
    pub(super) fn of_arn(&self, arn: &str) -> Option<&'static str> {
        let (_, rest) = split_at_mark(arn, b':')?;
        let (_, rest) = split_at_mark(rest, b':')?;
        let (service, rest) = split_at_mark(rest, b':')?;
        let (region, rest) = split_at_mark(rest, b':')?;
        let (account, resource) = split_at_mark(rest, b':')?;
        let fields = [service, region, account, resource];
        let empty = fields.map(str::is_empty);
        let (service, begins) = (first_bytes(service), first_bytes(resource));
        let mut best: Option<&Kind> = None;
        for (gate, kind) in &self.0 {
            if gate.resource.is_of(begins)
                && gate.empty == empty
                && gate.service.is_of(service)
                && best.is_none_or(|best| kind.fixed > best.fixed)
                && kind
                    .parts
                    .iter()
                    .zip(fields)
                    // The resource's part, which comes last, tells most types apart.
                    .rev()
                    .all(|(part, field)| part.fits(field))
            {
                best = Some(kind);
            }
        }
        best.map(|kind| kind.name)
    }
}

impl Kind {
    fn parse(name: &'static str, arn: &str) -> Option<(Gate, Self)> {
        let mut fields = arn.splitn(6, ':').skip(2);
        let mut next = || fields.next().map(Part::parse);
        let parts = [next()?, next()?, next()?, next()?];
        let [service, _, _, resource] = &parts;
        let gate = Gate {
            empty: parts.each_ref().map(Part::is_empty),
            service: Beginning::of(&service.before),
            resource: Beginning::of(&resource.before),
        };
        let fixed = parts.iter().map(Part::fixed).sum();
        Some((gate, Self { name, parts, fixed }))
    }
}

impl Beginning {
    fn of(text: &str) -> Self {
        let unused = u64::BITS.saturating_sub(u8::BITS * text.len().min(8) as u32);
        Self {
            bytes: first_bytes(text),
            mask: u64::MAX.checked_shr(unused).unwrap_or(0),
        }
    }

    /// Whether a text with these [`first_bytes`] can begin so.
    fn is_of(&self, first_bytes: u64) -> bool {
        first_bytes & self.mask == self.bytes
    }
}

/// The first 8 bytes of a text as a number, the first of them the least; 0 for those that it has not.
fn first_bytes(text: &str) -> u64 {
    let bytes = text.as_bytes();
    if let Some(whole) = bytes.first_chunk() {
        return u64::from_le_bytes(*whole);
    }
    let mut first = [0; 8];
    for (place, byte) in first.iter_mut().zip(bytes) {
        *place = *byte;
    }
    u64::from_le_bytes(first)
}

impl Part {
    fn parse(text: &str) -> Self {
        let mut part = Self::default();
        let mut pieces = text.split("${");
        part.before = pieces.next().unwrap_or_default().into();
        part.after = pieces
            .map(|piece| {
                piece
                    .split_once('}')
                    .map_or(piece, |(_, after)| after)
                    .into()
            })
            .collect();
        part
    }

    /// Whether only the empty text has this form.
    fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }

    fn fixed(&self) -> usize {
        self.before.len() + self.after.iter().map(|after| after.len()).sum::<usize>()
    }

    /// Whether a text has this form; a variable stands for at least one character, of any kind.
    fn fits(&self, text: &str) -> bool {
        // To compare with an empty text of no place costs as much as a hundred comparisons: the processor
        // stumbles over its address.
        let mut rest = text;
        if !self.before.is_empty() {
            match text.strip_prefix(&*self.before) {
                Some(behind) => rest = behind,
                None => return false,
            }
        }
        let Some((last, middle)) = self.after.split_last() else {
            return rest.is_empty();
        };
        for literal in middle {
            let from = rest.chars().next().map_or(0, char::len_utf8);
            // The first place is right: what follows fits after it if it fits after any later one.
            let found = rest
                .get(from..)
                .filter(|_| from > 0)
                .and_then(|rest| behind(rest, literal));
            match found {
                Some(after) => rest = after,
                None => return false,
            }
        }
        rest.len() > last.len() && (last.is_empty() || rest.ends_with(&**last))
    }
}

/// What stands behind the first place of `literal`. Nearly every one is a single mark, for which a search
/// for words has too much to prepare.
fn behind<'t>(text: &'t str, literal: &str) -> Option<&'t str> {
    match literal.as_bytes() {
        [mark] => split_at_mark(text, *mark).map(|(_, behind)| behind),
        _ => text.split_once(literal).map(|(_, behind)| behind),
    }
}

#[cfg(test)]
mod tests {
    use retrial_iam::Catalogue;

    use super::Kinds;

    #[test]
    fn it_answers_as_the_catalogue_does() {
        let catalogue = Catalogue::bundled();
        let arns = [
            "arn:aws:s3:::bucket",
            "arn:aws:s3:::bucket/a/b:c",
            "arn:aws:s3:us-east-1:111122223333:accesspoint/ap",
            "arn:aws:s3:us-east-1:111122223333:accesspoint/ap/object/k/accesspoint/x",
            "arn:aws:s3::111122223333:accesspoint/x.mrap",
            "arn:aws:kms:us-east-1:111122223333:alias/app",
            "arn:aws:kms:us-east-1:111122223333:key/1234",
            "arn:aws:iam::111122223333:role/a/b/c",
            "arn:aws:iam::111122223333:root",
            "arn:aws:sagemaker:us-east-1:111122223333:pipeline/p/execution/e",
            "arn:aws:sagemaker:us-east-1:111122223333:pipeline/p",
            "arn:aws:sagemaker:us-east-1:111122223333:model-card/m/export-job/e",
            "arn:aws:ecr:us-east-1:111122223333:repository/a/b",
            "arn:aws:ecr:us-east-1::repository/a/b",
            "arn:aws:logs:us-east-1:111122223333:log-group:g:log-stream:s",
            "arn:aws:logs:us-east-1:111122223333:log-group:g:*",
            "arn:aws:rds:us-east-1:111122223333:cluster:c",
            "nothing",
            "arn:aws:s3:::",
        ];
        for service in ["s3", "kms", "iam", "sagemaker", "ecr", "logs", "rds", "sts"] {
            let kinds = Kinds::of(service, catalogue);
            for arn in arns {
                let expected = catalogue.type_of_arn(service, arn).map(|kind| kind.name);
                assert_eq!(kinds.of_arn(arn), expected, "{service} {arn}");
            }
        }
    }
}
