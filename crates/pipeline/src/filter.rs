//! Which records a run is asked to look at; the others are counted as filtered.

use std::collections::BTreeSet;

use retrial_cloudtrail::{Record, Timestamp};

/// What a run is limited to. An empty list limits nothing.
#[derive(Debug, Clone, Default)]
pub struct Filter {
    /// Accounts (`recipientAccountId`).
    pub accounts: Vec<String>,
    /// Regions (`awsRegion`).
    pub regions: Vec<String>,
    /// Principals: ARNs, in which `*` stands for any text.
    pub principals: Vec<String>,
    /// Services: `s3`, or `s3.amazonaws.com`.
    pub services: Vec<String>,
    /// Events from this moment on.
    pub since: Option<Timestamp>,
    /// Events before this moment.
    pub until: Option<Timestamp>,
}

impl Filter {
    /// What an output is limited to, as text; empty where nothing limits it. An output may grow, but not
    /// change what it is an output of.
    pub fn text(&self) -> String {
        let lists = [
            ("account", &self.accounts),
            ("region", &self.regions),
            ("principal", &self.principals),
            ("service", &self.services),
        ];
        let mut parts = Vec::new();
        for (name, list) in lists {
            let sorted: BTreeSet<&String> = list.iter().collect();
            parts.extend(sorted.into_iter().map(|item| format!("{name}={item}")));
        }
        // A log file counts as read, whatever of it is left out: under other times that would stay out.
        for (name, limit) in [("since", self.since), ("until", self.until)] {
            parts.extend(limit.map(|moment| format!("{name}={}", moment.to_iso())));
        }
        parts.join(" ")
    }

    /// Whether what has this [`Filter::text`] leaves out calls of its window. Times only bound the window;
    /// they come last in the text.
    pub(crate) fn leaves_out_calls(text: &str) -> bool {
        !text.is_empty() && !text.starts_with("since=") && !text.starts_with("until=")
    }

    /// Whether a record passes as far as its own fields tell.
    /// A record without the field that a limit looks at does not pass it.
    pub(crate) fn passes(&self, record: &Record<'_>) -> bool {
        is_listed(&self.regions, record.aws_region)
            && (self.services.is_empty()
                || record.event_source.is_some_and(|source| {
                    self.services
                        .iter()
                        .any(|service| is_service(service, source))
                }))
            && self
                .since
                .is_none_or(|since| record.event_time.is_some_and(|time| time >= since))
            && self
                .until
                .is_none_or(|until| record.event_time.is_some_and(|time| time < until))
    }

    /// Whether it passes by its account and by the principal that replay resolved.
    pub(crate) fn passes_caller(&self, account: Option<&str>, principal_arn: Option<&str>) -> bool {
        is_listed(&self.accounts, account)
            && (self.principals.is_empty()
                || principal_arn.is_some_and(|arn| {
                    self.principals
                        .iter()
                        .any(|pattern| matches_stars(pattern, arn))
                }))
    }
}

fn is_listed(list: &[String], value: Option<&str>) -> bool {
    list.is_empty() || value.is_some_and(|value| list.iter().any(|item| item == value))
}

fn is_service(service: &str, event_source: &str) -> bool {
    event_source == service || event_source.split('.').next() == Some(service)
}

/// Whether `text` has the form of `pattern`, in which `*` stands for any text.
fn matches_stars(pattern: &str, text: &str) -> bool {
    let Some((first, rest)) = pattern.split_once('*') else {
        return pattern == text;
    };
    let Some(mut text) = text.strip_prefix(first) else {
        return false;
    };
    let mut parts = rest.split('*').peekable();
    while let Some(part) = parts.next() {
        if parts.peek().is_none() {
            return text.ends_with(part);
        }
        let Some((_, behind)) = text.split_once(part) else {
            return false;
        };
        text = behind;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stars() {
        let check = |pattern, text, expect| {
            assert_eq!(matches_stars(pattern, text), expect, "{pattern} {text}")
        };
        check("arn:aws:iam::1:role/a", "arn:aws:iam::1:role/a", true);
        check("arn:aws:iam::1:role/a", "arn:aws:iam::1:role/ab", false);
        check("arn:*:role/*", "arn:aws:iam::1:role/a", true);
        check("arn:*:user/*", "arn:aws:iam::1:role/a", false);
        check("*", "", true);
        check("*a", "ba", true);
        check("*a", "ab", false);
        check("a*b*c", "axxbyyc", true);
        check("a*b*c", "axxcyyb", false);
        check("ab*ba", "aba", false);
    }

    #[test]
    fn services() {
        assert!(is_service("s3", "s3.amazonaws.com"));
        assert!(is_service("s3.amazonaws.com", "s3.amazonaws.com"));
        assert!(!is_service("s3", "s3express.amazonaws.com"));
    }
}
