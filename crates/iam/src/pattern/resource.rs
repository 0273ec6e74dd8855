//! `Resource` and `NotResource`, and ARN patterns in conditions: six parts, compared one by one.
//!
//! A wildcard stays inside its part, except in the sixth, which takes the rest with its colons and
//! slashes. Variables count only there. An ARN pattern with fewer parts is filled up with `*`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>

use super::{Pattern, PatternMatch, Syntax, Text};
use crate::context::Keys;
use crate::policy::Version;
use crate::request::Resource;
use crate::truth::Truth;

const PARTS: usize = 6;

/// An ARN pattern.
#[derive(Debug)]
pub(crate) struct ArnPattern {
    parts: [Pattern; PARTS],
    /// How many parts were written.
    written: usize,
}

/// An ARN, split at its first five colons.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArnText<'a> {
    pub(crate) parts: [&'a str; PARTS],
    holes: bool,
}

/// The resource of a request, made ready for many patterns.
#[derive(Debug, Clone, Copy)]
pub(crate) enum ResourceText<'a> {
    /// The text `*`.
    Any,
    /// A text that is no ARN: only `*` is sure to match it.
    NoArn,
    Arn(ArnText<'a>),
}

impl ArnPattern {
    pub(crate) fn new(source: &str, version: Version) -> ArnPattern {
        let syntax = Syntax { wildcards: true, variables: version == Version::V2012 };
        let mut pieces = Pieces { rest: Some(source), cut: 0, syntax };
        let parts: [Option<&str>; PARTS] = std::array::from_fn(|_| pieces.next());
        let written = parts.iter().flatten().count();
        ArnPattern { parts: parts.map(|part| Pattern::parse(part.unwrap_or("*"), syntax)), written }
    }

    /// Whether all six parts were written.
    pub(crate) fn is_complete(&self) -> bool {
        self.written == PARTS
    }

    /// Whether it is `*`: everything, also what is no ARN.
    fn is_any(&self) -> bool {
        self.written == 1 && self.parts.iter().all(Pattern::is_any_text)
    }

    pub(crate) fn test<'a>(&'a self, text: ArnText<'_>, keys: &Keys<'a>) -> PatternMatch {
        let mut result = PatternMatch::YES;
        for (index, (pattern, part)) in self.parts.iter().zip(text.parts).enumerate() {
            if pattern.has_variables() && index + 1 < PARTS {
                // "You can't use a variable before the fifth colon": the pattern names nothing.
                // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>
                return PatternMatch::UNRESOLVED;
            }
            let part = if text.holes { Text::Holes(part) } else { Text::Exact(part) };
            let part = pattern.test(part, keys);
            result = PatternMatch { hit: result.hit.and(part.hit), resolved: result.resolved.and(part.resolved) };
            if result.hit == Truth::False && !self.has_variables() {
                return PatternMatch::NO;
            }
        }
        result
    }

    fn has_variables(&self) -> bool {
        self.parts.iter().any(Pattern::has_variables)
    }

    /// The keys of its variables whose state is unknown.
    pub(crate) fn unknown_variables<'p>(&'p self, keys: Keys<'_>) -> impl Iterator<Item = &'p str> {
        self.parts.iter().flat_map(move |part| part.unknown_variables(keys))
    }
}

/// Splits a pattern at its first five colons; those inside `${…}` belong to a key.
struct Pieces<'a> {
    rest: Option<&'a str>,
    cut: usize,
    syntax: Syntax,
}

impl<'a> Iterator for Pieces<'a> {
    type Item = &'a str;

    fn next(&mut self) -> Option<&'a str> {
        let rest = self.rest.take()?;
        self.cut += 1;
        if self.cut == PARTS {
            return Some(rest);
        }
        let mut variable_end = 0;
        for (offset, character) in rest.char_indices() {
            if offset < variable_end {
                continue;
            }
            let tail = rest.get(offset..).unwrap_or_default();
            if self.syntax.variables
                && tail.starts_with("${")
                && let Some(end) = tail.find('}')
            {
                variable_end = offset + end;
            } else if character == ':' {
                self.rest = tail.get(1..);
                return rest.get(..offset);
            }
        }
        Some(rest)
    }
}

impl<'a> ArnText<'a> {
    /// Splits this very ARN; `None` where it is none.
    pub(crate) fn exact(text: &'a str) -> Option<ArnText<'a>> {
        let mut pieces = text.splitn(PARTS, ':');
        let mut parts = [""; PARTS];
        for part in &mut parts {
            *part = pieces.next()?;
        }
        (parts.first() == Some(&"arn")).then_some(ArnText { parts, holes: false })
    }

    /// Splits an ARN in which each `*` is a hole; the last hole takes the parts that are missing.
    pub(crate) fn with_holes(text: &'a str) -> ArnText<'a> {
        let mut pieces = text.splitn(PARTS, ':');
        ArnText { parts: std::array::from_fn(|_| pieces.next().unwrap_or("*")), holes: true }
    }

    /// The account, where the ARN shows one: twelve digits.
    pub(crate) fn account(&self) -> Option<&'a str> {
        let [_, _, _, _, account, _] = self.parts;
        (account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit())).then_some(account)
    }
}

impl<'a> ResourceText<'a> {
    pub(crate) fn new(resource: Resource<'a>) -> ResourceText<'a> {
        match resource {
            Resource::Any => ResourceText::Any,
            Resource::Arn(arn) => ArnText::exact(arn).map_or(ResourceText::NoArn, ResourceText::Arn),
            Resource::Unknown(arn) => ResourceText::Arn(ArnText::with_holes(arn)),
        }
    }

    /// What S3 compares for `ListAllMyBuckets`, which names no bucket: AWS's own example policies
    /// allow it on `arn:aws:s3:::*`.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/walkthrough1.html>
    pub(crate) fn all_buckets(partition: &'a str) -> ResourceText<'a> {
        ResourceText::Arn(ArnText { parts: ["arn", partition, "s3", "", "", "*"], holes: false })
    }
}

/// A compiled `Resource` or `NotResource`.
#[derive(Debug)]
pub(crate) struct ResourceElement {
    negated: bool,
    every_resource: bool,
    patterns: Box<[ArnPattern]>,
    source: Box<[Box<str>]>,
}

impl ResourceElement {
    pub(crate) fn new(negated: bool, source: &[String], version: Version) -> ResourceElement {
        let patterns: Box<[ArnPattern]> = source.iter().map(|pattern| ArnPattern::new(pattern, version)).collect();
        ResourceElement {
            negated,
            every_resource: patterns.iter().any(ArnPattern::is_any),
            patterns,
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

    /// Whether the statement is about this resource.
    ///
    /// A pattern of `NotResource` with a variable that has no value names nothing; the element then
    /// matches nothing either, since it must not turn into "everything but nothing".
    pub(crate) fn matches<'a>(&'a self, resource: ResourceText<'_>, keys: &Keys<'a>) -> Truth {
        if self.every_resource {
            return Truth::from(!self.negated);
        }
        let text = match resource {
            ResourceText::Any => return Truth::from(self.negated),
            ResourceText::NoArn => return Truth::Unknown,
            ResourceText::Arn(text) => text,
        };
        let (mut hit, mut resolved) = (Truth::False, Truth::True);
        for pattern in &self.patterns {
            let result = pattern.test(text, keys);
            hit = hit.or(result.hit);
            resolved = resolved.and(result.resolved);
            if hit == Truth::True {
                break;
            }
        }
        if self.negated { (!hit).and(resolved) } else { hit }
    }

    /// The keys of its variables whose state is unknown and could change the match.
    pub(crate) fn unknown_variables<'p>(&'p self, keys: Keys<'_>) -> impl Iterator<Item = &'p str> {
        self.patterns.iter().flat_map(move |pattern| pattern.unknown_variables(keys))
    }

    /// Whether the resource's unknown part, and not only a variable, leaves the match open.
    pub(crate) fn leans_on_resource(&self, resource: ResourceText<'_>, keys: &Keys<'_>) -> bool {
        let text = match resource {
            ResourceText::Any => return false,
            ResourceText::NoArn => return true,
            ResourceText::Arn(text) => text,
        };
        text.holes && self.patterns.iter().any(|pattern| pattern.test(text, keys).hit == Truth::Unknown)
    }
}
