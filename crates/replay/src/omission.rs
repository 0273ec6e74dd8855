//! What CloudTrail leaves out of a record's request: a call whose resource or keys are unknown for it.

use retrial_cloudtrail::{Json, JsonKind, Parameters, Record};

/// What CloudTrail writes where it hides a value.
/// See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>.
const HIDDEN: [&str; 3] = [
    "HIDDEN_DUE_TO_SECURITY_REASONS",
    "Value hidden due to security reasons.",
    "***",
];

/// Whether a text is what CloudTrail writes in place of a value.
pub(crate) fn is_hidden(text: &str) -> bool {
    HIDDEN.contains(&text)
}

/// How deep, and after how many values, a request is searched no further.
const DEPTH: usize = 16;
const VALUES: usize = 10_000;

/// What a record does not show of its request. Requests that CloudTrail never logs, and those of
/// failed calls, are no omissions: nothing in the record says that something is missing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Omission {
    /// All of it: it was too large (`"omitted": true`).
    Omitted,
    /// All of it, for security reasons.
    Redacted,
    /// Some of its values, for security reasons.
    Values,
}

impl Omission {
    /// What a record leaves out; `None` where it says nothing of that.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        match record.request_parameters {
            Parameters::Omitted => Some(Self::Omitted),
            Parameters::Redacted => Some(Self::Redacted),
            Parameters::Object(parameters) => {
                hides(parameters, DEPTH, &mut VALUES.clone()).then_some(Self::Values)
            }
            Parameters::Missing | Parameters::Null => None,
        }
    }

    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Omitted => "omitted",
            Self::Redacted => "redacted",
            Self::Values => "values_redacted",
        }
    }
}

fn hides(value: Json<'_>, depth: usize, left: &mut usize) -> bool {
    let (Some(depth), Some(fewer)) = (depth.checked_sub(1), left.checked_sub(1)) else {
        return false;
    };
    *left = fewer;
    match value.kind() {
        JsonKind::String => value.as_str().is_some_and(is_hidden),
        JsonKind::Object => value
            .members()
            .any(|(_, member)| hides(member, depth, left)),
        JsonKind::Array => value.items().any(|item| hides(item, depth, left)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use retrial_cloudtrail::RecordParser;

    use super::*;

    #[track_caller]
    fn check(parameters: &str, expect: Option<Omission>) {
        let text = format!(r#"{{"eventName":"X","requestParameters":{parameters}}}"#);
        let found = RecordParser::new().parse(text.as_bytes(), Omission::of);
        assert_eq!(found.unwrap(), expect, "{parameters}");
    }

    #[test]
    fn what_is_left_out() {
        check("null", None);
        check(r#"{"a":"b"}"#, None);
        check(
            r#"{"omitted":true,"originalSize":104980,"reason":"requestParameters too large"}"#,
            Some(Omission::Omitted),
        );
        check(
            r#""HIDDEN_DUE_TO_SECURITY_REASONS""#,
            Some(Omission::Redacted),
        );
        check(
            r#"{"rDSData":{"databaseCredentials":{"password":"***"}}}"#,
            Some(Omission::Values),
        );
        check(
            r#"{"a":[{"b":"HIDDEN_DUE_TO_SECURITY_REASONS"}]}"#,
            Some(Omission::Values),
        );
        check(r#"{"a":"****"}"#, None);
    }

    #[test]
    fn depth_is_bounded() {
        let deep = format!("{}\"***\"{}", r#"{"a":"#.repeat(40), "}".repeat(40));
        check(&deep, None);
    }
}
