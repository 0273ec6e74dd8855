//! The templates of condition keys and ARNs in the Service Authorization Reference.

/// The fixed text before and after the variable of a key such as `aws:RequestTag/${TagKey}`,
/// `s3:RequestObjectTag/<key>` or `events:Metadata/${MetadataKey}/Matcher`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct KeyTemplate {
    before: usize,
    after: usize,
}

impl KeyTemplate {
    /// `None` for a key without a variable.
    pub(super) fn of(key: &str) -> Option<Self> {
        let (before, end) = match (key.find("${"), key.find('<')) {
            (Some(start), _) => (start, key.rfind('}')?),
            (None, Some(start)) => (start, key.rfind('>')?),
            (None, None) => return None,
        };
        Some(Self {
            before,
            after: key.len().checked_sub(end + 1)?,
        })
    }

    /// Whether `key` has this form, whatever the case, with at least one character for the variable.
    pub(super) fn matches(self, template: &str, key: &str) -> bool {
        let (template, key) = (template.as_bytes(), key.as_bytes());
        let same = |left: Option<&[u8]>, right: Option<&[u8]>| match (left, right) {
            (Some(left), Some(right)) => left.eq_ignore_ascii_case(right),
            _ => false,
        };
        key.len() > self.before + self.after
            && same(template.get(..self.before), key.get(..self.before))
            && same(
                template.get(template.len() - self.after..),
                key.get(key.len() - self.after..),
            )
    }
}

/// How many characters of `arn` an ARN template fixes, or `None` where the ARN has not its form.
///
/// The first five parts are compared one by one; in the last one a variable takes any text, also
/// with `/` and `:` in it, because AWS's own templates use one variable for names with a path
/// (`role/${RoleNameWithPath}`, `${BucketName}/${ObjectName}`).
pub(super) fn match_arn(template: &str, arn: &str) -> Option<usize> {
    let mut templates = template.splitn(6, ':');
    let mut parts = arn.splitn(6, ':');
    let mut fixed = 0;
    for _ in 0..6 {
        fixed += match_part(templates.next()?, parts.next()?)?;
    }
    Some(fixed)
}

/// One part of an ARN; a variable stands for at least one character, `*` for any number.
fn match_part(template: &str, text: &str) -> Option<usize> {
    let mut fixed = 0;
    let mut rest = text;
    // The least number of characters that the variables before the next fixed text stand for.
    let mut gap: Option<usize> = None;
    let mut template = template;
    while !template.is_empty() {
        let (token, tail) = next_token(template)?;
        template = tail;
        match token {
            Token::Variable => gap = Some(gap.unwrap_or(0) + 1),
            Token::Any => gap = gap.or(Some(0)),
            Token::Fixed(literal) => {
                fixed += literal.len();
                rest = match gap.take() {
                    None => rest.strip_prefix(literal)?,
                    Some(least) if tail.is_empty() => {
                        let variables = rest.strip_suffix(literal)?;
                        return skip_characters(variables, least).map(|_| fixed);
                    }
                    // The first place is right: what follows matches after it if after any later one.
                    Some(least) => skip_characters(rest, least)?.split_once(literal)?.1,
                };
            }
        }
    }
    match gap {
        None => rest.is_empty(),
        Some(least) => skip_characters(rest, least).is_some(),
    }
    .then_some(fixed)
}

/// What follows the first characters; `None` where there are fewer.
fn skip_characters(text: &str, count: usize) -> Option<&str> {
    let mut characters = text.chars();
    for _ in 0..count {
        characters.next()?;
    }
    Some(characters.as_str())
}

enum Token<'t> {
    Variable,
    Any,
    Fixed(&'t str),
}

fn next_token(template: &str) -> Option<(Token<'_>, &str)> {
    if let Some(variable) = template.strip_prefix("${") {
        return variable
            .split_once('}')
            .map(|(_, tail)| (Token::Variable, tail));
    }
    if let Some(tail) = template.strip_prefix('*') {
        return Some((Token::Any, tail));
    }
    let end = template
        .find("${")
        .into_iter()
        .chain(template.find('*'))
        .min()
        .unwrap_or(template.len());
    Some((Token::Fixed(template.get(..end)?), template.get(end..)?))
}

/// Whether a text is an ARN template that [`match_arn`] understands.
#[cfg(test)]
pub(super) fn is_arn_template(template: &str) -> bool {
    template.splitn(6, ':').count() == 6
        && template.starts_with("arn:")
        && template.splitn(6, ':').all(|part| {
            let mut rest = part;
            while !rest.is_empty() {
                match next_token(rest) {
                    Some((_, tail)) => rest = tail,
                    None => return false,
                }
            }
            true
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;

    #[test]
    fn key_templates() {
        let matches =
            |template: &str, key: &str| KeyTemplate::of(template).unwrap().matches(template, key);
        assert!(matches("aws:RequestTag/${TagKey}", "AWS:requesttag/Team"));
        assert!(!matches("aws:RequestTag/${TagKey}", "aws:RequestTag/"));
        assert!(!matches("aws:RequestTag/${TagKey}", "aws:RequestTag"));
        assert!(matches(
            "s3:RequestObjectTag/<key>",
            "s3:RequestObjectTag/a/b"
        ));
        assert!(matches(
            "kms:EncryptionContext:${EncryptionContextKey}",
            "kms:encryptioncontext:aws:s3:arn"
        ));
        assert!(matches(
            "events:Metadata/${MetadataKey}/Matcher",
            "events:Metadata/x/matcher"
        ));
        assert!(!matches(
            "events:Metadata/${MetadataKey}/Matcher",
            "events:Metadata/Matcher"
        ));
        assert_eq!(KeyTemplate::of("aws:TagKeys"), None);
    }

    #[track_caller]
    fn check_arn(template: &str, arn: &str, expect: bool) {
        assert_eq!(
            match_arn(template, arn).is_some(),
            expect,
            "{template} {arn}"
        );
    }

    #[test]
    fn arn_templates() {
        check_arn(
            "arn:${Partition}:s3:::${BucketName}",
            "arn:aws:s3:::logs",
            true,
        );
        check_arn(
            "arn:${Partition}:s3:::${BucketName}",
            "arn:aws:s3:us-east-1:111122223333:accesspoint/x",
            false,
        );
        check_arn(
            "arn:${Partition}:s3:::${BucketName}/${ObjectName}",
            "arn:aws:s3:::logs/a/b:c",
            true,
        );
        check_arn(
            "arn:${Partition}:s3:::${BucketName}/${ObjectName}",
            "arn:aws:s3:::logs/",
            false,
        );
        check_arn(
            "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}",
            "arn:aws-cn:iam::111122223333:role/a/b",
            true,
        );
        check_arn(
            "arn:${Partition}:iam::${Account}:role/${RoleNameWithPath}",
            "arn:aws:iam::111122223333:roles/b",
            false,
        );
        check_arn(
            "arn:${Partition}:dms:${Region}:${Account}:cert:*",
            "arn:aws:dms:eu-west-1:111122223333:cert:",
            true,
        );
        check_arn(
            "arn:${Partition}:x:::a/${One}/b/${Two}/c",
            "arn:aws:x:::a/1/b/2/b/3/c",
            true,
        );
        check_arn(
            "arn:${Partition}:x:::a/${One}/b/${Two}/c",
            "arn:aws:x:::a/1/b//c",
            false,
        );
        check_arn("arn:${Partition}:x:::${One}${Two}", "arn:aws:x:::1", false);
        check_arn("arn:${Partition}:x:::${One}é", "arn:aws:x:::éé", true);
        check_arn(
            "arn:${Partition}:x:::${One}-${Two}",
            "arn:aws:x:::é-é",
            true,
        );
        check_arn("arn:${Partition}:s3:::${BucketName}", "not an arn", false);
    }
}
