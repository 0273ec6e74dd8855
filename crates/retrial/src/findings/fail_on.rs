//! `--fail-on`: which findings make the exit status 1.

use std::str::FromStr;

use retrial_replay::{Cause, Finding, FindingKind, FindingSeverity};

/// `KIND[/any][:SEVERITY]`
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Threshold {
    /// `None` for any.
    kind: Option<FindingKind>,
    severity: FindingSeverity,
    /// Whether differences count that no recorded change explains.
    any_cause: bool,
}

impl FromStr for Threshold {
    type Err = String;

    fn from_str(text: &str) -> Result<Threshold, String> {
        let (kind, severity) = match text.split_once(':') {
            Some((kind, severity)) => (kind, severity),
            None => (text, FindingSeverity::Information.name()),
        };
        let severity = FindingSeverity::of_name(severity).ok_or_else(|| {
            format!("no severity is called `{severity}`: high, medium, low, information")
        })?;
        let (kind, any_cause) = match kind.strip_suffix("/any") {
            Some(kind) => (kind, true),
            None => (kind, false),
        };
        let kind = match kind {
            "any" => None,
            name => Some(FindingKind::of_name(name).ok_or_else(|| unknown_kind(name))?),
        };
        Ok(Threshold {
            kind,
            severity,
            any_cause,
        })
    }
}

fn unknown_kind(name: &str) -> String {
    let names: Vec<&str> = FindingKind::ALL.iter().map(|kind| kind.name()).collect();
    format!(
        "no finding is of the kind `{name}`: any, {}",
        names.join(", ")
    )
}

impl Threshold {
    pub(crate) fn is_passed_by(&self, finding: &Finding) -> bool {
        self.kind.is_none_or(|kind| kind == finding.kind)
            && finding.severity <= self.severity
            && (self.any_cause || finding.cause != Some(Cause::Unexplained))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds() {
        let read = |text: &str| text.parse::<Threshold>();
        let would_be_denied = Threshold {
            kind: Some(FindingKind::WouldBeDenied),
            severity: FindingSeverity::Information,
            any_cause: false,
        };
        assert_eq!(read("would-be-denied"), Ok(would_be_denied));
        assert_eq!(read("WouldBeDenied"), Ok(would_be_denied));
        let any_cause = Threshold {
            any_cause: true,
            severity: FindingSeverity::High,
            ..would_be_denied
        };
        assert_eq!(read("would_be_denied/any:high"), Ok(any_cause));
        assert!(read("any:medium").is_ok());
        assert!(
            read("nonsense")
                .is_err_and(|text| text.starts_with("no finding is of the kind `nonsense`"))
        );
        assert!(read("any:worst").is_err());
    }
}
