//! When AWS asks a request: `tags`, `!versionId`, `x-amz-acl != private | x-amz-grant-*`.

use super::path::{Path, Sent};
use super::view::View;

/// Alternatives of which one must hold; each a list of tests that must all hold.
#[derive(Debug, Clone)]
pub(super) struct Condition {
    /// As the data file writes it.
    text: Box<str>,
    alternatives: Vec<Vec<Test>>,
}

#[derive(Debug, Clone)]
enum Test {
    Sent(Path),
    NotSent(Path),
    Equals(Path, Box<str>),
    Differs(Path, Box<str>),
}

/// Whether a condition holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Holds {
    Yes,
    No,
    /// The record does not show it.
    Unknown,
}

impl Condition {
    /// Reads a condition; gives the part that has not its form.
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let alternative = |part: &str| {
            part.split('&')
                .map(|test| Test::parse(test.trim()))
                .collect()
        };
        Ok(Self {
            text: text.into(),
            alternatives: text.split('|').map(alternative).collect::<Result<_, _>>()?,
        })
    }

    /// As the data file writes it.
    pub(super) fn as_str(&self) -> &str {
        &self.text
    }

    /// Whether it holds for the record.
    pub(super) fn holds(&self, view: &View<'_, '_>) -> Holds {
        let mut answer = Holds::No;
        for tests in &self.alternatives {
            let mut all = Holds::Yes;
            for test in tests {
                match test.holds(view) {
                    Holds::No => {
                        all = Holds::No;
                        break;
                    }
                    Holds::Unknown => all = Holds::Unknown,
                    Holds::Yes => {}
                }
            }
            match all {
                Holds::Yes => return Holds::Yes,
                Holds::Unknown => answer = Holds::Unknown,
                Holds::No => {}
            }
        }
        answer
    }

    /// Whether it holds for a request that sends nothing: then its request is the usual one.
    pub(super) fn holds_for_nothing(&self) -> bool {
        self.alternatives
            .iter()
            .any(|tests| tests.iter().all(|test| matches!(test, Test::NotSent(_))))
    }
}

impl Test {
    fn parse(text: &str) -> Result<Self, String> {
        let path = |text: &str| Path::parse(text.trim()).ok_or_else(|| text.to_owned());
        if let Some((left, right)) = text.split_once("!=") {
            return Ok(Self::Differs(path(left)?, right.trim().into()));
        }
        if let Some((left, right)) = text.split_once('=') {
            return Ok(Self::Equals(path(left)?, right.trim().into()));
        }
        match text.strip_prefix('!') {
            Some(rest) => Ok(Self::NotSent(path(rest)?)),
            None => Ok(Self::Sent(path(text)?)),
        }
    }

    fn holds(&self, view: &View<'_, '_>) -> Holds {
        let (sent, equal) = match self {
            Self::Sent(path) | Self::NotSent(path) => (path.is_sent(view), false),
            Self::Equals(path, value) | Self::Differs(path, value) => {
                let mut texts = bumpalo::collections::Vec::new_in(view.arena);
                let sent = path.texts(view, &mut texts);
                (sent, texts.iter().any(|text| **text == **value))
            }
        };
        let yes = match (self, sent) {
            (_, Sent::Hidden) => return Holds::Unknown,
            (Self::Sent(_), sent) => sent == Sent::Yes,
            (Self::NotSent(_), sent) => sent == Sent::No,
            (Self::Equals(..), _) => equal,
            (Self::Differs(..), sent) => sent == Sent::Yes && !equal,
        };
        if yes { Holds::Yes } else { Holds::No }
    }
}
