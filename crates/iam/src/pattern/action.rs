//! `Action` and `NotAction`: names without regard to case, with `*` and `?`.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>

use std::cmp::Ordering;

/// The action of a request, split at its colon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActionName<'a> {
    pub(crate) service: &'a str,
    pub(crate) name: &'a str,
}

impl<'a> ActionName<'a> {
    /// A text without a colon is an action that only `*` matches.
    pub(crate) fn parse(action: &'a str) -> ActionName<'a> {
        let (service, name) = action.split_once(':').unwrap_or(("", action));
        ActionName { service, name }
    }

    /// Whether this is `service:name`; both in lower case.
    pub(crate) fn is(&self, service: &str, name: &str) -> bool {
        self.service.eq_ignore_ascii_case(service) && self.name.eq_ignore_ascii_case(name)
    }
}

/// A compiled `Action` or `NotAction`.
#[derive(Debug)]
pub(crate) struct ActionElement {
    negated: bool,
    /// One of the patterns is `*`.
    every_action: bool,
    /// Patterns whose service is spelled out, sorted by service.
    services: Box<[ServiceActions]>,
    /// Patterns with a wildcard in their service: (service, name).
    any_service: Box<[(NamePattern, NamePattern)]>,
    source: Box<[Box<str>]>,
}

/// The patterns of one service.
#[derive(Debug)]
struct ServiceActions {
    /// In lower case.
    service: Box<str>,
    /// Names without wildcards, in lower case, sorted: `ReadOnlyAccess` lists thousands.
    names: Box<[Box<str>]>,
    patterns: Box<[NamePattern]>,
}

impl ActionElement {
    pub(crate) fn new(negated: bool, source: &[String]) -> ActionElement {
        let mut every_action = false;
        let mut any_service = Vec::new();
        let mut split: Vec<(Box<str>, &str)> = Vec::new();
        for pattern in source {
            match pattern.split_once(':') {
                None => every_action = true,
                Some((service, name)) if has_wildcard(service) => any_service.push((NamePattern::new(service), NamePattern::new(name))),
                Some((service, name)) => split.push((service.to_ascii_lowercase().into_boxed_str(), name)),
            }
        }
        split.sort_by(|left, right| left.0.cmp(&right.0));
        let services = split.chunk_by(|left, right| left.0 == right.0).filter_map(ServiceActions::new).collect();
        ActionElement {
            negated,
            every_action,
            services,
            any_service: any_service.into_boxed_slice(),
            source: source.iter().map(|pattern| pattern.as_str().into()).collect(),
        }
    }

    pub(crate) fn is_negated(&self) -> bool {
        self.negated
    }

    /// The patterns as written.
    pub(crate) fn source(&self) -> &[Box<str>] {
        &self.source
    }

    /// The services, in lower case, that the element is limited to; `None` where it is not.
    pub(crate) fn services(&self) -> Option<impl Iterator<Item = &str>> {
        let limited = !self.negated && !self.every_action && self.any_service.is_empty();
        limited.then(|| self.services.iter().map(|entry| entry.service.as_ref()))
    }

    /// Whether the statement is about this action.
    pub(crate) fn matches(&self, action: ActionName<'_>) -> bool {
        self.lists(action) != self.negated
    }

    fn lists(&self, action: ActionName<'_>) -> bool {
        self.every_action
            || find_service(&self.services, action.service, |entry| &entry.service).is_some_and(|entry| entry.lists(action.name))
            || self.any_service.iter().any(|(service, name)| service.matches(action.service) && name.matches(action.name))
    }
}

impl ServiceActions {
    fn new(patterns: &[(Box<str>, &str)]) -> Option<ServiceActions> {
        let (service, _) = patterns.first()?;
        let mut names: Vec<Box<str>> = Vec::new();
        let mut wild = Vec::new();
        for (_, name) in patterns {
            if has_wildcard(name) {
                wild.push(NamePattern::new(name));
            } else {
                names.push(name.to_ascii_lowercase().into_boxed_str());
            }
        }
        names.sort_unstable();
        Some(ServiceActions { service: service.clone(), names: names.into_boxed_slice(), patterns: wild.into_boxed_slice() })
    }

    fn lists(&self, name: &str) -> bool {
        self.names.binary_search_by(|known| compare_ignoring_case(known, name)).is_ok()
            || self.patterns.iter().any(|pattern| pattern.matches(name))
    }
}

/// The entry of `service` in entries that are sorted by a service name in lower case.
pub(crate) fn find_service<'a, T>(entries: &'a [T], service: &str, name: impl Fn(&T) -> &str) -> Option<&'a T> {
    let index = entries.binary_search_by(|entry| compare_ignoring_case(name(entry), service)).ok()?;
    entries.get(index)
}

/// The order of `lower` and of `text` in lower case.
fn compare_ignoring_case(lower: &str, text: &str) -> Ordering {
    lower.bytes().cmp(text.bytes().map(|byte| byte.to_ascii_lowercase()))
}

fn has_wildcard(text: &str) -> bool {
    text.contains(['*', '?'])
}

/// A name with `*` and `?`, in lower case.
#[derive(Debug)]
enum NamePattern {
    Any,
    /// `Get*`
    Prefix(Box<[u8]>),
    Glob(Box<[u8]>),
}

impl NamePattern {
    fn new(pattern: &str) -> NamePattern {
        let lower = pattern.to_ascii_lowercase();
        match lower.strip_suffix('*') {
            Some("") => NamePattern::Any,
            Some(prefix) if !has_wildcard(prefix) => NamePattern::Prefix(prefix.as_bytes().into()),
            _ => NamePattern::Glob(lower.as_bytes().into()),
        }
    }

    fn matches(&self, name: &str) -> bool {
        match self {
            Self::Any => true,
            Self::Prefix(prefix) => name.as_bytes().get(..prefix.len()).is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
            Self::Glob(pattern) => glob_matches(pattern, name.as_bytes()),
        }
    }
}

/// Whether `text` matches a glob in lower case; goes back to the last `*` alone, so that it takes at
/// most pattern × text steps.
fn glob_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at_pattern, mut at_text) = (0, 0);
    let mut retry: Option<(usize, usize)> = None;
    while let Some(byte) = text.get(at_text) {
        match pattern.get(at_pattern) {
            Some(b'*') => {
                retry = Some((at_pattern, at_text));
                at_pattern += 1;
            }
            Some(wanted) if *wanted == b'?' || *wanted == byte.to_ascii_lowercase() => {
                at_pattern += 1;
                at_text += 1;
            }
            _ => match retry {
                Some((star, eaten)) => {
                    retry = Some((star, eaten + 1));
                    at_pattern = star + 1;
                    at_text = eaten + 1;
                }
                None => return false,
            },
        }
    }
    pattern.get(at_pattern..).unwrap_or_default().iter().all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(patterns: &[&str], action: &str, expect: bool) {
        let source: Vec<String> = patterns.iter().map(|pattern| (*pattern).to_owned()).collect();
        assert_eq!(ActionElement::new(false, &source).matches(ActionName::parse(action)), expect);
        assert_eq!(ActionElement::new(true, &source).matches(ActionName::parse(action)), !expect, "NotAction");
    }

    #[test]
    fn names_have_no_case() {
        check(&["S3:getobject"], "s3:GetObject", true);
        check(&["s3:GetObject"], "S3:GETOBJECT", true);
        check(&["s3:GETO*"], "s3:GetObject", true);
    }

    #[test]
    fn wildcards_match_any_text_and_one_character() {
        check(&["*"], "s3:GetObject", true);
        check(&["s3:*"], "s3:GetObject", true);
        check(&["s3:Get*"], "s3:GetObject", true);
        check(&["s3:Get*"], "s3:PutObject", false);
        check(&["s3:*Object"], "s3:GetObject", true);
        check(&["s3:?etObject"], "s3:GetObject", true);
        check(&["s3:?GetObject"], "s3:GetObject", false);
        check(&["iam:*AccessKey*"], "IAM:listaccesskeys", true);
        check(&["s3:*a*a*a*a*a*a*b"], "s3:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false);
    }

    #[test]
    fn the_colon_is_not_in_a_wildcard() {
        check(&["s*:Get*"], "s3:GetObject", true);
        check(&["*:GetObject"], "s3:GetObject", true);
        check(&["*:*"], "s3:GetObject", true);
        check(&["s3*:"], "s3:GetObject", false);
        check(&["s3:"], "s3:GetObject", false);
    }

    #[test]
    fn a_list_matches_where_one_does() {
        check(&["ec2:Run*", "s3:PutObject", "s3:GetObject", "s3:List*"], "s3:GetObject", true);
        check(&["ec2:Run*", "s3:PutObject", "s3:List*"], "s3:GetObject", false);
    }
}
