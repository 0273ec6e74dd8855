//! `Action` and `NotAction`: names without regard to case, with `*` and `?`.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_action.html>

use std::hash::BuildHasher;

use rustc_hash::FxBuildHasher;

/// The action of a request in lower case, split at its colon.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ActionName<'a> {
    pub(crate) service: &'a str,
    pub(crate) name: &'a str,
    /// Both, with the colon.
    pub(crate) text: &'a str,
    /// Of the text.
    pub(crate) hash: u64,
}

impl<'a> ActionName<'a> {
    /// Splits `action`, written in lower case into `buffer`. A text without a colon is an action that
    /// only `*` matches.
    pub(crate) fn fold(action: &str, buffer: &'a mut String) -> ActionName<'a> {
        buffer.clear();
        buffer.push_str(action);
        buffer.make_ascii_lowercase();
        Self::of_folded(buffer)
    }

    /// Of a text in lower case.
    pub(crate) fn of_folded(buffer: &'a str) -> ActionName<'a> {
        let colon = buffer.bytes().position(|byte| byte == b':');
        Self::split(buffer, colon, hash_of_action(buffer))
    }

    fn split(text: &'a str, colon: Option<usize>, hash: u64) -> ActionName<'a> {
        let (service, name) = colon
            .and_then(|colon| Some((text.get(..colon)?, text.get(colon + 1..)?)))
            .unwrap_or(("", text));
        ActionName {
            service,
            name,
            text,
            hash,
        }
    }

    /// Whether this is `service:name`; both in lower case.
    pub(crate) fn is(&self, service: &str, name: &str) -> bool {
        self.service == service && self.name == name
    }
}

/// An action in lower case, kept.
#[derive(Debug)]
pub(crate) struct FoldedAction {
    text: Box<str>,
    colon: Option<usize>,
    hash: u64,
}

impl FoldedAction {
    pub(crate) fn new(action: &str) -> FoldedAction {
        let mut text = String::new();
        let name = ActionName::fold(action, &mut text);
        let (colon, hash) = (name.text.find(':'), name.hash);
        FoldedAction {
            text: text.into(),
            colon,
            hash,
        }
    }

    /// As [`ActionName::fold`] gives it.
    pub(crate) fn name(&self) -> ActionName<'_> {
        ActionName::split(&self.text, self.colon, self.hash)
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
    /// The names without wildcards, in lower case, sorted: `ReadOnlyAccess` lists thousands of names.
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
                Some((service, name)) if has_wildcard(service) => {
                    any_service.push((NamePattern::new(service), NamePattern::new(name)))
                }
                Some((service, name)) => {
                    split.push((service.to_ascii_lowercase().into_boxed_str(), name))
                }
            }
        }
        split.sort_by(|left, right| left.0.cmp(&right.0));
        let services = split
            .chunk_by(|left, right| left.0 == right.0)
            .filter_map(ServiceActions::new)
            .collect();
        ActionElement {
            negated,
            every_action,
            services,
            any_service: any_service.into_boxed_slice(),
            source: source
                .iter()
                .map(|pattern| pattern.as_str().into())
                .collect(),
        }
    }

    pub(crate) fn is_negated(&self) -> bool {
        self.negated
    }

    /// The patterns as written.
    pub(crate) fn source(&self) -> &[Box<str>] {
        &self.source
    }

    /// The services, in lower case, that patterns spell out.
    pub(crate) fn services(&self) -> impl Iterator<Item = &str> {
        self.services.iter().map(|entry| entry.service.as_ref())
    }

    /// Whether the statement is about every action that there is.
    pub(crate) fn is_every_action(&self) -> bool {
        self.every_action && !self.negated
    }

    /// Whether the statement can only be about actions of [`Self::services`].
    pub(crate) fn is_limited_to_services(&self) -> bool {
        !self.negated && !self.every_action && self.any_service.is_empty()
    }

    /// Where the patterns of a service stand, to be given to [`Self::matches`].
    pub(crate) fn slot(&self, service: &str) -> Option<usize> {
        self.services
            .binary_search_by(|entry| entry.service.as_ref().cmp(service))
            .ok()
    }

    /// The names, in lower case, that the patterns of a slot spell out.
    pub(crate) fn names(&self, slot: usize) -> Option<impl Iterator<Item = &str>> {
        let service = self.services.get(slot)?;
        Some(service.names.iter().map(|name| &**name))
    }

    /// How many patterns with wildcards an action whose service has this slot is compared with.
    pub(crate) fn pattern_count(&self, slot: Option<usize>) -> usize {
        let of_service = slot.and_then(|slot| self.services.get(slot));
        self.any_service.len() + of_service.map_or(0, |service| service.patterns.len())
    }

    /// Whether the statement is about this action, whose service has this slot.
    pub(crate) fn matches(&self, action: ActionName<'_>, slot: Option<usize>) -> bool {
        self.lists(action, slot) != self.negated
    }

    /// Whether an element that is not negated spells the action out, without wildcards.
    pub(crate) fn spells(&self, action: ActionName<'_>, slot: Option<usize>) -> bool {
        let of_service = slot.and_then(|slot| self.services.get(slot));
        !self.negated && of_service.is_some_and(|entry| entry.spells(action))
    }

    fn lists(&self, action: ActionName<'_>, slot: Option<usize>) -> bool {
        self.every_action
            || slot
                .and_then(|slot| self.services.get(slot))
                .is_some_and(|entry| entry.lists(action))
            || self
                .any_service
                .iter()
                .any(|(service, name)| service.matches(action.service) && name.matches(action.name))
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
        Some(ServiceActions {
            service: service.clone(),
            names: names.into(),
            patterns: wild.into_boxed_slice(),
        })
    }

    fn spells(&self, action: ActionName<'_>) -> bool {
        self.names
            .binary_search_by(|name| name.as_ref().cmp(action.name))
            .is_ok()
    }

    fn lists(&self, action: ActionName<'_>) -> bool {
        self.spells(action)
            || self
                .patterns
                .iter()
                .any(|pattern| pattern.matches(action.name))
    }
}

/// The hash of [`ActionName::text`].
pub(crate) fn hash_of_action(text: &str) -> u64 {
    FxBuildHasher.hash_one(text)
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
            Self::Prefix(prefix) => name.as_bytes().starts_with(prefix),
            Self::Glob(pattern) => glob_matches(pattern, name.as_bytes()),
        }
    }
}

/// Whether `text` matches a glob; goes back to the last `*` alone, so that it takes at
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
            Some(wanted) if *wanted == b'?' || wanted == byte => {
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
    pattern
        .get(at_pattern..)
        .unwrap_or_default()
        .iter()
        .all(|byte| *byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(patterns: &[&str], action: &str, expect: bool) {
        let source: Vec<String> = patterns
            .iter()
            .map(|pattern| (*pattern).to_owned())
            .collect();
        let mut buffer = String::new();
        let action = ActionName::fold(action, &mut buffer);
        for negated in [false, true] {
            let element = ActionElement::new(negated, &source);
            assert_eq!(
                element.matches(action, element.slot(action.service)),
                expect != negated,
                "negated: {negated}"
            );
        }
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
        check(
            &["s3:*a*a*a*a*a*a*b"],
            "s3:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
            false,
        );
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
        check(
            &["ec2:Run*", "s3:PutObject", "s3:GetObject", "s3:List*"],
            "s3:GetObject",
            true,
        );
        check(
            &["ec2:Run*", "s3:PutObject", "s3:List*"],
            "s3:GetObject",
            false,
        );
    }
}
