//! How patterns of policies lie to each other: whether one stands for nothing that another does not, and
//! whether two can stand for the same.
//!
//! Both answers err on one side: what is called *within* is within, and what is called apart is apart. A
//! policy variable is within the same variable and within `*`, and may be any text. Patterns are those of
//! a document of version `2012-10-17`; [`without_variables`] makes them of older ones.
//!
//! Each answer takes at most one step for each pair of characters, part by part.

use super::resource::pieces;

/// One piece of a pattern.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Piece {
    Character(char),
    /// `?`
    One,
    /// `*`
    Many,
    /// `${…}`, with what stands inside.
    Variable(Box<str>),
}

/// A pattern for the resources of a statement, in its six parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ResourcePattern {
    /// `*` alone: everything, also what is no ARN.
    is_any: bool,
    parts: Vec<Vec<Piece>>,
}

/// How many parts an ARN has.
const PARTS: usize = 6;

impl ResourcePattern {
    /// Reads a value of `Resource` or `NotResource`.
    pub fn new(text: &str) -> ResourcePattern {
        let mut parts: Vec<Vec<Piece>> = pieces(text).map(parse).collect();
        let is_any = parts.len() == 1 && parts.first().is_some_and(|part| *part == [Piece::Many]);
        parts.resize(PARTS, vec![Piece::Many]);
        ResourcePattern { is_any, parts }
    }

    /// Whether it stands for nothing that `outer` does not stand for too.
    pub fn is_within(&self, outer: &ResourcePattern) -> bool {
        if outer.is_any || self.is_any {
            return outer.is_any;
        }
        let mut parts = self.parts.iter().zip(&outer.parts);
        !outer.names_nothing() && parts.all(|(inner, outer)| is_within(inner, outer))
    }

    /// Whether there may be something that both stand for.
    pub fn may_overlap(&self, other: &ResourcePattern) -> bool {
        if self.is_any || other.is_any {
            return true;
        }
        let mut parts = self.parts.iter().zip(&other.parts);
        parts.all(|(one, other)| may_overlap(one, other))
    }

    /// Whether it has a policy variable.
    pub fn has_variables(&self) -> bool {
        self.parts.iter().any(|part| has_variables(part))
    }

    /// A variable before the fifth colon has no value there.
    fn names_nothing(&self) -> bool {
        let first = self.parts.iter().take(PARTS - 1);
        first.into_iter().any(|part| has_variables(part))
    }
}

/// A value of `Action` or `NotAction`, in its two parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ActionPattern {
    service: Vec<Piece>,
    name: Vec<Piece>,
}

impl ActionPattern {
    /// Reads a value of `Action` or `NotAction`, in any case.
    pub fn new(text: &str) -> ActionPattern {
        let text = text.to_ascii_lowercase();
        let (service, name) = text.split_once(':').unwrap_or((&text, "*"));
        // Actions know no variables.
        ActionPattern {
            service: parse_plain(service),
            name: parse_plain(name),
        }
    }

    /// Whether it stands for nothing that `outer` does not stand for too.
    pub fn is_within(&self, outer: &ActionPattern) -> bool {
        is_within(&self.service, &outer.service) && is_within(&self.name, &outer.name)
    }

    /// Whether there may be an action that both stand for.
    pub fn may_overlap(&self, other: &ActionPattern) -> bool {
        may_overlap(&self.service, &other.service) && may_overlap(&self.name, &other.name)
    }
}

/// The pattern that stands for this very text: `${*}`, `${?}` and `${$}` are the characters themselves.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-specialchars>
pub fn literal_pattern(text: &str) -> String {
    let mut pattern = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '*' | '?' => pattern.extend(["${", character.encode_utf8(&mut [0; 4]), "}"]),
            '$' if characters.peek() == Some(&'{') => pattern.push_str("${$}"),
            _ => pattern.push(character),
        }
    }
    pattern
}

/// What a text of a document older than `2012-10-17` says, for one of that version: there `${…}` is plain
/// text.
pub fn without_variables(text: &str) -> String {
    text.replace("${", "${$}{")
}

fn has_variables(part: &[Piece]) -> bool {
    let is_variable = |piece: &Piece| matches!(piece, Piece::Variable(_));
    part.iter().any(is_variable)
}

fn parse(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(text.len());
    let mut rest = text;
    while let Some(next) = rest.chars().next() {
        let variable = rest
            .strip_prefix("${")
            .and_then(|inner| inner.split_once('}'));
        if let Some((inner, tail)) = variable {
            pieces.push(match inner.trim() {
                "*" => Piece::Character('*'),
                "?" => Piece::Character('?'),
                "$" => Piece::Character('$'),
                name => Piece::Variable(name.into()),
            });
            rest = tail;
            continue;
        }
        push(&mut pieces, next);
        rest = rest.get(next.len_utf8()..).unwrap_or_default();
    }
    pieces
}

fn parse_plain(text: &str) -> Vec<Piece> {
    let mut pieces = Vec::with_capacity(text.len());
    text.chars().for_each(|next| push(&mut pieces, next));
    pieces
}

fn push(pieces: &mut Vec<Piece>, next: char) {
    match next {
        '*' if pieces.last() == Some(&Piece::Many) => {}
        '*' => pieces.push(Piece::Many),
        '?' => pieces.push(Piece::One),
        _ => pieces.push(Piece::Character(next)),
    }
}

/// Whether all texts of `inner` are texts of `outer`; where only a closer look would tell, `false`.
fn is_within(inner: &[Piece], outer: &[Piece]) -> bool {
    // `row[j]`: what is left of `inner` is within what is left of `outer` from the j-th piece on.
    let mut row = vec![false; outer.len() + 1];
    for (place, piece) in outer.iter().enumerate().rev() {
        let after = row.get(place + 1).copied().unwrap_or(true);
        let after = after || place + 1 == outer.len();
        if let Some(cell) = row.get_mut(place) {
            *cell = after && *piece == Piece::Many;
        }
    }
    if let Some(end) = row.last_mut() {
        *end = true;
    }
    for piece in inner.iter().rev() {
        let mut next = vec![false; outer.len() + 1];
        for (place, of_outer) in outer.iter().enumerate().rev() {
            let at = |row: &[bool], place: usize| row.get(place).copied().unwrap_or(false);
            let found = match (piece, of_outer) {
                (_, Piece::Many) => at(&next, place + 1) || at(&row, place),
                (Piece::Character(_) | Piece::One, Piece::One) => at(&row, place + 1),
                (Piece::Many, _) => false,
                (one, other) => one == other && at(&row, place + 1),
            };
            if let Some(cell) = next.get_mut(place) {
                *cell = found;
            }
        }
        row = next;
    }
    row.first().copied().unwrap_or(false)
}

/// Whether two patterns may have a text in common.
fn may_overlap(one: &[Piece], other: &[Piece]) -> bool {
    let is_gap = |piece: &Piece| matches!(piece, Piece::Many | Piece::Variable(_));
    let mut row = vec![false; other.len() + 1];
    if let Some(end) = row.last_mut() {
        *end = true;
    }
    for (place, piece) in other.iter().enumerate().rev() {
        let after = row.get(place + 1).copied().unwrap_or(false);
        if let Some(cell) = row.get_mut(place) {
            *cell = after && is_gap(piece);
        }
    }
    for piece in one.iter().rev() {
        let mut next = vec![false; other.len() + 1];
        let at = |row: &[bool], place: usize| row.get(place).copied().unwrap_or(false);
        if let Some(end) = next.last_mut() {
            *end = is_gap(piece) && at(&row, other.len());
        }
        for (place, of_other) in other.iter().enumerate().rev() {
            let found = match (piece, of_other) {
                (one, _) if is_gap(one) => at(&row, place) || at(&next, place + 1),
                (_, other) if is_gap(other) => at(&next, place + 1) || at(&row, place),
                (Piece::One, _) | (_, Piece::One) => at(&row, place + 1),
                (one, other) => one == other && at(&row, place + 1),
            };
            if let Some(cell) = next.get_mut(place) {
                *cell = found;
            }
        }
        row = next;
    }
    row.first().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(inner: &str, outer: &str, within: bool, overlap: bool) {
        let (one, other) = (ResourcePattern::new(inner), ResourcePattern::new(outer));
        assert_eq!(one.is_within(&other), within, "{inner} within {outer}");
        assert_eq!(one.may_overlap(&other), overlap, "{inner} and {outer}");
        assert_eq!(other.may_overlap(&one), overlap, "{outer} and {inner}");
        assert!(one.is_within(&one), "{inner} within itself");
    }

    #[test]
    fn resources() {
        check("*", "arn:aws:s3:::b/*", false, true);
        check("arn:aws:s3:::b/*", "*", true, true);
        check("arn:aws:s3:::b/a/*", "arn:aws:s3:::b/*", true, true);
        check("arn:aws:s3:::b/*", "arn:aws:s3:::b/a/*", false, true);
        check("arn:aws:s3:::b/k", "arn:aws:s3:::b/?", true, true);
        check("arn:aws:s3:::b/*", "arn:aws:s3:::b/?", false, true);
        check("arn:aws:s3:::b/?", "arn:aws:s3:::b/*", true, true);
        check("arn:aws:s3:::b/x*", "arn:aws:s3:::b/*y", false, true);
        check("arn:aws:s3:::b/x", "arn:aws:s3:::c/*", false, false);
        check("arn:aws:s3:::b", "arn:aws:s3:::b/*", false, false);
        check("arn:aws:s3:::b/a*c", "arn:aws:s3:::b/a*b*c", false, true);
        check("arn:aws:s3:::b/a*b*c", "arn:aws:s3:::b/a*c", true, true);
        check(
            "arn:aws:sqs:*:1:q",
            "arn:aws:sqs:eu-west-1:1:q",
            false,
            true,
        );
        check("arn:aws:sqs:eu-west-1:1:q", "arn:aws:sqs:*:1:q", true, true);
        // A wildcard stays inside its part.
        check("arn:aws:sqs:eu-west-1:1:q", "arn:aws:sqs:*:q", false, false);
        check("arn:aws:sqs:eu-west-1:1:q", "arn:aws:sqs", true, true);
    }

    #[test]
    fn variables_are_any_text_and_only_themselves() {
        let of_user = "arn:aws:s3:::b/${aws:username}/*";
        check(of_user, of_user, true, true);
        check("arn:aws:s3:::b/ana/*", of_user, false, true);
        check(of_user, "arn:aws:s3:::b/*", true, true);
        check(of_user, "arn:aws:s3:::b/${aws:userid}/*", false, true);
        check(of_user, "arn:aws:s3:::c/*", false, false);
    }

    #[test]
    fn texts_are_taken_as_they_are() {
        assert_eq!(literal_pattern("a*b?c${d}$"), "a${*}b${?}c${$}{d}$");
        let text = literal_pattern("arn:aws:s3:::b/a*");
        check(&text, "arn:aws:s3:::b/a*", true, true);
        check("arn:aws:s3:::b/ab", &text, false, false);
        assert_eq!(
            without_variables("b/${aws:username}"),
            "b/${$}{aws:username}"
        );
    }

    #[test]
    fn actions() {
        let within = |inner: &str, outer: &str| {
            ActionPattern::new(inner).is_within(&ActionPattern::new(outer))
        };
        assert!(within("S3:GetObject", "s3:get*"));
        assert!(within("s3:*", "*"));
        assert!(!within("*", "s3:*"));
        assert!(!within("s3:Get*", "s3:GetObject"));
        let overlap = |one: &str, other: &str| {
            ActionPattern::new(one).may_overlap(&ActionPattern::new(other))
        };
        assert!(overlap("s3:Get*", "s3:*Object"));
        assert!(!overlap("s3:Get*", "iam:*"));
        assert!(!overlap("s3:Get*", "s3:Put*"));
    }
}
