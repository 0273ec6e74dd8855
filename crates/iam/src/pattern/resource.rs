//! `Resource` and `NotResource`, and ARN patterns in conditions: six parts, compared one by one.
//!
//! A wildcard stays inside its part, except in the sixth, which takes the rest with its colons and
//! slashes. Variables count only there. An ARN pattern with fewer parts is filled up with `*`.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>

use super::{Pattern, Syntax, Text};
use crate::context::Keys;
use crate::policy::Version;
use crate::request::Resource;
use crate::truth::Truth;

const PARTS: usize = 6;

/// An ARN pattern.
#[derive(Debug)]
pub(crate) struct ArnPattern {
    /// What every ARN that matches begins with: most patterns are told apart by it alone.
    prefix: Prefix,
    shape: Shape,
    /// How many parts were written.
    written: usize,
    /// Apart, so that a list of patterns is short to walk through.
    parts: Box<[Pattern; PARTS]>,
}

/// The beginning of a text.
#[derive(Debug)]
struct Prefix {
    text: Box<str>,
    /// `None` where it is too short to have one.
    end: Option<PrefixEnd>,
}

/// The last bytes of a prefix: ARNs begin alike, and differ there.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PrefixEnd {
    bytes: [u8; PrefixEnd::LENGTH],
    /// Where in the text they stand.
    start: usize,
}

/// What follows the prefix.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    /// Nothing.
    Literal,
    /// `*` in the sixth part.
    Prefix,
    /// Wildcards or variables that need a closer look.
    General,
    /// A variable before the fifth colon: the pattern names nothing.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>
    MisplacedVariable,
}

/// An ARN, split at its first five colons.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ArnText<'a> {
    parts: [&'a str; PARTS],
    /// All of it, where there are no holes.
    exact: Option<&'a str>,
}

/// One of the parts of an ARN, from 0; the sixth is the rest with its colons.
pub(crate) fn arn_part(arn: &str, number: usize) -> Option<&str> {
    let mut rest = arn;
    for _ in 0..number {
        rest = rest.get(colon(rest)? + 1..)?;
    }
    if number + 1 >= PARTS {
        return Some(rest);
    }
    match colon(rest) {
        Some(end) => rest.get(..end),
        None => Some(rest),
    }
}

/// The place of the first colon. Parts are short: a search by the word is not worth its set-up.
fn colon(text: &str) -> Option<usize> {
    text.bytes().position(|byte| byte == b':')
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
        let syntax = Syntax {
            wildcards: true,
            variables: version == Version::V2012,
        };
        let mut pieces = Pieces {
            rest: Some(source),
            cut: 0,
            syntax,
        };
        let parts: [Option<&str>; PARTS] = std::array::from_fn(|_| pieces.next());
        let written = parts.iter().flatten().count();
        let parts = parts.map(|part| Pattern::parse(part.unwrap_or("*"), syntax));
        let (prefix, shape) = prefix_and_shape(&parts);
        ArnPattern {
            prefix: Prefix::new(prefix),
            shape,
            written,
            parts: Box::new(parts),
        }
    }

    /// Whether all six parts were written.
    pub(crate) fn is_complete(&self) -> bool {
        self.written == PARTS
    }

    /// Whether it is `*`: everything, also what is no ARN.
    fn is_any(&self) -> bool {
        self.written == 1 && self.parts.iter().all(Pattern::is_any_text)
    }

    /// Whether the ARN matches; a pattern with a variable that has no value matches nothing.
    #[inline]
    pub(crate) fn test<'a>(&'a self, text: ArnText<'_>, keys: &Keys<'a>) -> Truth {
        match text.exact {
            Some(exact) if !self.prefix.begins(exact) => Truth::False,
            Some(exact) if self.shape == Shape::Literal => {
                Truth::from(exact.len() == self.prefix.text.len())
            }
            Some(_) if self.shape == Shape::Prefix => Truth::True,
            _ => self.test_parts(text, keys),
        }
    }

    fn test_parts<'a>(&'a self, text: ArnText<'_>, keys: &Keys<'a>) -> Truth {
        if self.shape == Shape::MisplacedVariable {
            return Truth::False;
        }
        let mut hit = Truth::True;
        // The sixth part tells the most.
        for (pattern, part) in self.parts.iter().zip(text.parts).rev() {
            let found = match (pattern.plain(part), text.exact) {
                (Some(found), Some(_)) => Truth::from(found),
                _ if pattern.is_any_text() => continue,
                (None, Some(_)) => pattern.test(Text::Exact(part), keys),
                (_, None) => pattern.test(Text::Holes(part), keys),
            };
            hit = hit.and(found);
            if hit == Truth::False {
                break;
            }
        }
        hit
    }

    /// Whether all variables have a value.
    fn resolved(&self, keys: &Keys<'_>) -> Truth {
        match self.shape {
            Shape::Literal | Shape::Prefix => Truth::True,
            Shape::MisplacedVariable => Truth::False,
            Shape::General => self
                .parts
                .iter()
                .fold(Truth::True, |all, part| all.and(part.resolved(keys))),
        }
    }

    /// The keys of its variables.
    pub(crate) fn variable_keys(&self) -> impl Iterator<Item = &str> {
        self.parts.iter().flat_map(Pattern::variable_keys)
    }

    pub(crate) fn has_wildcards(&self) -> bool {
        self.parts.iter().any(Pattern::has_wildcards)
    }

    /// Whether it is one ARN.
    pub(crate) fn is_fixed(&self) -> bool {
        self.shape == Shape::Literal && self.is_complete()
    }

    /// An ARN that matches, with `text` in place of each `*`; `None` where a variable has no known value.
    pub(crate) fn example(&self, text: &str, keys: &Keys<'_>) -> Option<String> {
        let parts: Option<Vec<String>> = self
            .parts
            .iter()
            .map(|part| part.example(text, keys))
            .collect();
        Some(parts?.join(":"))
    }

    /// The keys of its variables whose state is unknown.
    pub(crate) fn unknown_variables<'p>(&'p self, keys: Keys<'_>) -> impl Iterator<Item = &'p str> {
        self.parts
            .iter()
            .flat_map(move |part| part.unknown_variables(keys))
    }
}

impl Prefix {
    fn new(text: Box<str>) -> Prefix {
        let end = text.as_bytes().last_chunk().map(|bytes| PrefixEnd {
            bytes: *bytes,
            start: text.len() - PrefixEnd::LENGTH,
        });
        Prefix { text, end }
    }

    #[inline]
    fn begins(&self, text: &str) -> bool {
        self.end.is_none_or(|end| end.is_in(text)) && text.starts_with(self.text.as_ref())
    }
}

impl PrefixEnd {
    const LENGTH: usize = 8;

    /// Whether the bytes stand at their place: the rest of the prefix may still differ.
    #[inline]
    pub(crate) fn is_in(&self, text: &str) -> bool {
        let rest = text.as_bytes().get(self.start..).unwrap_or_default();
        rest.first_chunk() == Some(&self.bytes)
    }
}

fn prefix_and_shape(parts: &[Pattern; PARTS]) -> (Box<str>, Shape) {
    let mut prefix = String::new();
    for (index, part) in parts.iter().enumerate() {
        let (literal, is_whole) = part.leading_literal();
        prefix.push_str(literal);
        let is_last = index + 1 == PARTS;
        if !is_whole {
            let misplaced = parts.iter().take(PARTS - 1).any(Pattern::has_variables);
            let shape = match () {
                () if misplaced => Shape::MisplacedVariable,
                () if is_last && part.is_prefix() => Shape::Prefix,
                () => Shape::General,
            };
            return (prefix.into_boxed_str(), shape);
        }
        if !is_last {
            prefix.push(':');
        }
    }
    (prefix.into_boxed_str(), Shape::Literal)
}

/// The parts of a pattern of version `2012-10-17`.
pub(super) fn pieces(source: &str) -> impl Iterator<Item = &str> {
    let syntax = Syntax {
        wildcards: true,
        variables: true,
    };
    Pieces {
        rest: Some(source),
        cut: 0,
        syntax,
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
    pub(crate) fn split(text: &'a str) -> Option<ArnText<'a>> {
        let mut rest = text.strip_prefix("arn:")?;
        let mut parts = ["arn", "", "", "", "", ""];
        for part in parts.iter_mut().skip(1).take(PARTS - 2) {
            let end = colon(rest)?;
            *part = rest.get(..end)?;
            rest = rest.get(end + 1..)?;
        }
        if let Some(last) = parts.last_mut() {
            *last = rest;
        }
        Some(ArnText {
            parts,
            exact: Some(text),
        })
    }

    /// Splits an ARN in which each `*` is a hole; the last hole takes the parts that are missing.
    pub(crate) fn with_holes(text: &'a str) -> ArnText<'a> {
        ArnText {
            parts: std::array::from_fn(|number| arn_part(text, number).unwrap_or("*")),
            exact: None,
        }
    }

    /// The sixth part, with its colons.
    pub(crate) fn last(&self) -> &'a str {
        let [.., last] = self.parts;
        last
    }

    /// All of it, where there are no holes.
    pub(crate) fn exact(&self) -> Option<&'a str> {
        self.exact
    }

    /// The sixth part.
    pub(crate) fn resource(&self) -> &'a str {
        let [.., resource] = self.parts;
        resource
    }

    /// The account, where the ARN shows one: twelve digits.
    pub(crate) fn account(&self) -> Option<&'a str> {
        let [_, _, _, _, account, _] = self.parts;
        (account.len() == 12 && account.bytes().all(|digit| digit.is_ascii_digit()))
            .then_some(account)
    }
}

impl<'a> ResourceText<'a> {
    pub(crate) fn new(resource: Resource<'a>) -> ResourceText<'a> {
        match resource {
            Resource::Any => ResourceText::Any,
            Resource::Arn(arn) => {
                ArnText::split(arn).map_or(ResourceText::NoArn, ResourceText::Arn)
            }
            Resource::Unknown(arn) => ResourceText::Arn(ArnText::with_holes(arn)),
        }
    }

    /// What S3 compares for `ListAllMyBuckets`, which names no bucket: AWS's own example policies
    /// allow it on `arn:aws:s3:::*`.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/walkthrough1.html>
    pub(crate) fn all_buckets(partition: &str) -> ResourceText<'static> {
        let arn = match partition {
            "aws-cn" => "arn:aws-cn:s3:::*",
            "aws-us-gov" => "arn:aws-us-gov:s3:::*",
            _ => "arn:aws:s3:::*",
        };
        ArnText::split(arn).map_or(ResourceText::NoArn, ResourceText::Arn)
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
        let patterns: Box<[ArnPattern]> = source
            .iter()
            .map(|pattern| ArnPattern::new(pattern, version))
            .collect();
        ResourceElement {
            negated,
            every_resource: patterns.iter().any(ArnPattern::is_any),
            patterns,
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

    /// What each of the patterns needs an ARN to have; `None` where some ARN without any may match.
    pub(crate) fn prefix_ends(&self) -> Option<Vec<PrefixEnd>> {
        if self.negated {
            return None;
        }
        self.patterns
            .iter()
            .map(|pattern| pattern.prefix.end)
            .collect()
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
        let mut hit = Truth::False;
        for pattern in &self.patterns {
            hit = hit.or(pattern.test(text, keys));
            if hit == Truth::True {
                break;
            }
        }
        if self.negated && hit != Truth::True {
            let resolved = self
                .patterns
                .iter()
                .fold(Truth::True, |all, pattern| all.and(pattern.resolved(keys)));
            return (!hit).and(resolved);
        }
        if self.negated { Truth::False } else { hit }
    }

    /// The keys of its variables.
    pub(crate) fn variable_keys(&self) -> impl Iterator<Item = &str> {
        self.patterns.iter().flat_map(ArnPattern::variable_keys)
    }

    /// The keys of variables whose unknown state leaves the match open.
    pub(crate) fn unknown_variables<'p>(
        &'p self,
        resource: ResourceText<'_>,
        keys: Keys<'_>,
    ) -> impl Iterator<Item = &'p str> {
        let matters = move |pattern: &&ArnPattern| match resource {
            // Whether NotResource matches anything at all depends on each of its variables.
            ResourceText::Arn(text) => self.negated || pattern.test(text, &keys) == Truth::Unknown,
            ResourceText::Any | ResourceText::NoArn => false,
        };
        self.patterns
            .iter()
            .filter(matters)
            .flat_map(move |pattern| pattern.unknown_variables(keys))
    }

    /// Whether the resource's unknown part, and not only a variable, leaves the match open.
    pub(crate) fn leans_on_resource(&self, resource: ResourceText<'_>, keys: &Keys<'_>) -> bool {
        let text = match resource {
            ResourceText::Any => return false,
            ResourceText::NoArn => return true,
            ResourceText::Arn(text) => text,
        };
        text.exact.is_none()
            && self
                .patterns
                .iter()
                .any(|pattern| pattern.test(text, keys) == Truth::Unknown)
    }
}
