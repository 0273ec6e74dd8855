//! What AWS recorded of a call: it succeeded, was denied, or failed before or after authorization.

use std::sync::LazyLock;

/// What AWS recorded of the call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Outcome {
    /// No error.
    Succeeded,
    /// Policies denied it.
    Denied,
    /// It was let in, then failed for another reason (nothing there, wrong state, a dry run).
    FailedAfterAuthorization,
    /// It failed in a way that says nothing of authorization: throttling, validation, a service error.
    Failed,
}

impl Outcome {
    /// All of them, in the order of reports.
    pub const ALL: [Outcome; 4] = [
        Self::Succeeded,
        Self::Denied,
        Self::FailedAfterAuthorization,
        Self::Failed,
    ];

    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Succeeded => "succeeded",
            Self::Denied => "denied",
            Self::FailedAfterAuthorization => "failed_after_authorization",
            Self::Failed => "failed",
        }
    }

    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Outcome> {
        Self::ALL.into_iter().find(|outcome| outcome.name() == name)
    }

    /// What a record's `errorCode` says; none is a success.
    pub fn of_error_code(error_code: Option<&str>) -> Outcome {
        let Some(code) = error_code.filter(|code| !code.is_empty()) else {
            return Self::Succeeded;
        };
        let code = code
            .strip_prefix("Client.")
            .or_else(|| code.strip_prefix("Server."))
            .unwrap_or(code);
        RULES
            .iter()
            .find(|rule| rule.matches(code))
            .map_or(Self::Failed, |rule| rule.outcome)
    }
}

/// The table itself is data: `data/outcomes.tsv`.
const TABLE: &str = include_str!("../data/outcomes.tsv");

static RULES: LazyLock<Vec<Rule>> =
    LazyLock::new(|| TABLE.lines().filter_map(Rule::read).collect());

struct Rule {
    form: Form,
    text: &'static str,
    outcome: Outcome,
}

enum Form {
    Exact,
    Prefix,
    Suffix,
}

impl Rule {
    /// A row; `None` for a comment. That every other row is one is held by a test.
    fn read(line: &'static str) -> Option<Rule> {
        let mut columns = line.split('\t');
        let form = match columns.next()? {
            "exact" => Form::Exact,
            "prefix" => Form::Prefix,
            "suffix" => Form::Suffix,
            _ => return None,
        };
        let text = columns.next()?;
        let name = columns.next()?;
        let outcome = Outcome::ALL
            .into_iter()
            .find(|outcome| outcome.name() == name)?;
        Some(Rule {
            form,
            text,
            outcome,
        })
    }

    fn matches(&self, code: &str) -> bool {
        match self.form {
            Form::Exact => code == self.text,
            Form::Prefix => code.starts_with(self.text),
            Form::Suffix => code.ends_with(self.text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_of_the_table_is_read() {
        let rows = TABLE
            .lines()
            .filter(|line| !line.is_empty() && !line.starts_with('#'))
            .count();
        assert_eq!(RULES.len(), rows);
    }

    #[test]
    fn codes() {
        let check = |code: Option<&str>, expect| {
            assert_eq!(Outcome::of_error_code(code), expect, "{code:?}")
        };
        check(None, Outcome::Succeeded);
        check(Some(""), Outcome::Succeeded);
        check(Some("AccessDenied"), Outcome::Denied);
        check(Some("Client.UnauthorizedOperation"), Outcome::Denied);
        check(
            Some("Client.DryRunOperation"),
            Outcome::FailedAfterAuthorization,
        );
        check(Some("NoSuchKey"), Outcome::FailedAfterAuthorization);
        check(
            Some("Client.InvalidInstanceID.NotFound"),
            Outcome::FailedAfterAuthorization,
        );
        check(Some("ThrottlingException"), Outcome::Failed);
        check(Some("ValidationException"), Outcome::Failed);
        check(Some("InternalFailure"), Outcome::Failed);
    }
}
