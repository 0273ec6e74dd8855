//! Placeholders: found, and filled in from definitions.
//!
//! AWS's own examples write them in three ways: `<account-id>`, a word in the place of an ARN's field
//! (`arn:aws:ecr:region:account-id:…`), and names that nobody gives (`DOC-EXAMPLE-BUCKET1`).

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Words that stand for a name in AWS's examples.
const WORDS: [&str; 21] = [
    "account-id",
    "accountid",
    "account_id",
    "your-account-id",
    "aws-account-id",
    "bucket-name",
    "bucketname",
    "bucket_name",
    "role-name",
    "rolename",
    "user-name",
    "modelname",
    "kms-key-id",
    "key-id",
    "function-name",
    "table-name",
    "queue-name",
    "topic-name",
    "instance-id",
    "resource-id",
    "repository-name",
];

/// Words that stand for a region or an account, but in a resource's name mean what they say.
const FIELD_WORDS: [&str; 3] = ["region", "aws-region", "account"];

/// What they begin with otherwise.
const PREFIXES: [&str; 4] = [
    "doc-example-bucket",
    "amzn-s3-demo-bucket",
    "your-",
    "your_",
];

/// The placeholders of a text, as `--define` names them.
pub(super) fn placeholders(text: &str) -> Vec<String> {
    let mut found: Vec<String> = Vec::new();
    let mut rest = text;
    while let Some((_, tail)) = rest.split_once('<') {
        let Some((name, tail)) = tail.split_once('>') else {
            break;
        };
        if !name.is_empty() {
            found.push(name.to_owned());
        }
        rest = tail;
    }
    if is_arn(text) {
        let outside = match text.contains(['<', '{']) {
            true => Cow::Owned(without_angles(text)),
            false => Cow::Borrowed(text),
        };
        let in_fields = outside.splitn(6, ':').skip(3).take(2);
        found.extend(
            in_fields
                .filter(|field| {
                    FIELD_WORDS
                        .iter()
                        .any(|word| word.eq_ignore_ascii_case(field))
                })
                .chain(words(&outside).filter(|word| is_placeholder_word(word)))
                .map(str::to_owned),
        );
    }
    found.dedup();
    found
}

/// The text with the defined placeholders filled in.
pub(super) fn fill(text: &str, definitions: &BTreeMap<String, String>) -> String {
    let mut filled = text.to_owned();
    for (name, value) in definitions {
        filled = filled.replace(&format!("<{name}>"), value);
        if is_arn(&filled) {
            filled = replace_word(&filled, name, value);
        }
    }
    filled
}

fn is_arn(text: &str) -> bool {
    text.starts_with("arn:")
}

fn is_placeholder_word(word: &str) -> bool {
    let begins_with = |prefix: &&str| {
        let begin = word.get(..prefix.len());
        begin.is_some_and(|begin| begin.eq_ignore_ascii_case(prefix))
    };
    let is_word = |known: &&str| known.eq_ignore_ascii_case(word);
    WORDS.iter().any(is_word) || PREFIXES.iter().any(begins_with)
}

fn is_word_character(character: char) -> bool {
    character.is_ascii_alphanumeric() || matches!(character, '-' | '_')
}

fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|character: char| !is_word_character(character))
}

/// `<…>` and `${…}` taken out.
fn without_angles(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut inside = None;
    for character in text.chars() {
        match (inside, character) {
            (None, '<') => inside = Some('>'),
            (None, '{') => inside = Some('}'),
            (Some(close), found) if close == found => {
                inside = None;
                out.push(' ');
            }
            (Some(_), _) => {}
            (None, other) => out.push(other),
        }
    }
    out
}

fn replace_word(text: &str, name: &str, value: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut word = String::new();
    for character in text.chars().map(Some).chain([None]) {
        if let Some(character) = character.filter(|character| is_word_character(*character)) {
            word.push(character);
            continue;
        }
        out.push_str(if word == name { value } else { &word });
        word.clear();
        out.extend(character);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: &[&str]) {
        assert_eq!(placeholders(text), expect, "{text}");
    }

    #[test]
    fn what_is_a_placeholder() {
        check(
            "arn:aws:machinelearning:<region>:<your-account-id>:mlmodel/m",
            &["region", "your-account-id"],
        );
        check(
            "arn:aws:kms:region:account-id:key/kms-key-id",
            &["region", "account-id", "kms-key-id"],
        );
        check(
            "arn:aws:s3:::DOC-EXAMPLE-BUCKET1/*",
            &["DOC-EXAMPLE-BUCKET1"],
        );
        check("<DATA_KMS_CMK_ARN>", &["DATA_KMS_CMK_ARN"]);
        check("arn:aws:s3:::${aws:PrincipalTag/account}/x", &[]);
        check("arn:aws:s3:::regional-logs/a", &[]);
        check("arn:aws:organizations::*:account/*", &[]);
        check("account", &[]);
    }

    #[test]
    fn what_is_defined_is_filled_in() {
        let definitions = BTreeMap::from([
            ("region".to_owned(), "eu-west-1".to_owned()),
            ("account-id".to_owned(), "111122223333".to_owned()),
        ]);
        assert_eq!(
            fill("arn:aws:kms:region:account-id:key/region-1", &definitions),
            "arn:aws:kms:eu-west-1:111122223333:key/region-1"
        );
        assert_eq!(
            fill("arn:aws:kms:<region>:*:key/*", &definitions),
            "arn:aws:kms:eu-west-1:*:key/*"
        );
        assert_eq!(fill("region", &definitions), "region");
    }
}
