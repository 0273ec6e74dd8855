//! Text patterns: literals, `*`, `?` and policy variables.
//!
//! `*` is any text, also none; `?` is exactly one character. There is no escape but the variables
//! `${*}`, `${?}` and `${$}`; what a variable stands for is always literal text. No match takes more
//! than pattern length × text length steps, and none allocates.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html>

mod action;
mod containment;
mod resource;
mod unknown;

pub use containment::{ActionPattern, ResourcePattern, literal_pattern, without_variables};

pub(crate) use action::{ActionElement, ActionName, FoldedAction, hash_of_action};
pub(crate) use resource::{
    ArnPattern, ArnText, PrefixEnd, ResourceElement, ResourceText, arn_part,
};

use crate::context::{KeyState, Keys, Values};
use crate::truth::Truth;

/// Which characters of a pattern's source mean something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Syntax {
    /// `*` and `?`.
    pub(crate) wildcards: bool,
    /// `${…}`, from version `2012-10-17` on.
    pub(crate) variables: bool,
}

/// A compiled pattern.
#[derive(Debug)]
pub(crate) struct Pattern {
    /// Invariant: no two literals and no two `AnyText` side by side, no empty literal.
    atoms: Box<[Atom]>,
    has_variables: bool,
}

#[derive(Debug)]
enum Atom {
    Literal(Box<str>),
    /// `?`
    AnyCharacter,
    /// `*`
    AnyText,
    Variable(Variable),
}

/// `${key}` or `${key, 'default'}`.
#[derive(Debug)]
pub(crate) struct Variable {
    key: Box<str>,
    default: Option<Box<str>>,
}

/// The text that a pattern is held against.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Text<'a> {
    /// This very text.
    Exact(&'a str),
    /// Each `*` stands for text that nobody recorded.
    Holes(&'a str),
}

/// What a variable stands for in a request.
enum VariableValue<'a> {
    Text(&'a str),
    /// Absent, or multivalued: only single-valued keys can be variables.
    None,
    Unknown,
}

impl Variable {
    fn parse(inner: &str) -> Variable {
        let (key, default) = match inner.split_once(',') {
            Some((key, default)) => {
                let default = default.trim();
                let default = default
                    .strip_prefix('\'')
                    .and_then(|text| text.strip_suffix('\''))
                    .unwrap_or(default);
                (key, Some(default.into()))
            }
            None => (inner, None),
        };
        Variable {
            key: key.trim().into(),
            default,
        }
    }

    fn value<'a>(&'a self, keys: &Keys<'a>) -> VariableValue<'a> {
        match keys.state(&self.key) {
            KeyState::Known(Values::One(text)) => VariableValue::Text(text),
            KeyState::Known(Values::Many(_)) | KeyState::Absent => match &self.default {
                Some(default) => VariableValue::Text(default),
                None => VariableValue::None,
            },
            KeyState::Unknown => VariableValue::Unknown,
        }
    }

    fn resolved(&self, keys: &Keys<'_>) -> Truth {
        match self.value(keys) {
            VariableValue::Text(_) => Truth::True,
            VariableValue::None => Truth::False,
            VariableValue::Unknown if self.default.is_some() => Truth::True,
            VariableValue::Unknown => Truth::Unknown,
        }
    }
}

impl Pattern {
    pub(crate) fn parse(source: &str, syntax: Syntax) -> Pattern {
        let mut atoms = Atoms::default();
        let mut rest = source;
        while let Some(character) = rest.chars().next() {
            if syntax.variables
                && let Some((inner, after)) = rest
                    .strip_prefix("${")
                    .and_then(|text| text.split_once('}'))
            {
                atoms.push_variable(inner);
                rest = after;
                continue;
            }
            match character {
                '*' if syntax.wildcards => atoms.push_any_text(),
                '?' if syntax.wildcards => atoms.push(Atom::AnyCharacter),
                _ => atoms.literal.push(character),
            }
            rest = rest.get(character.len_utf8()..).unwrap_or_default();
        }
        atoms.finish()
    }

    /// The literal text that it begins with, and whether that is all of it.
    fn leading_literal(&self) -> (&str, bool) {
        match self.atoms.as_ref() {
            [] => ("", true),
            [Atom::Literal(literal)] => (literal, true),
            [Atom::Literal(literal), ..] => (literal, false),
            _ => ("", false),
        }
    }

    /// Whether every text matches that begins with [`Self::leading_literal`].
    fn is_prefix(&self) -> bool {
        matches!(
            self.atoms.as_ref(),
            [Atom::AnyText] | [Atom::Literal(_), Atom::AnyText]
        )
    }

    /// Whether this very text matches, where that is told at a glance: most parts of ARNs.
    #[inline]
    fn plain(&self, text: &str) -> Option<bool> {
        match self.atoms.as_ref() {
            [] => Some(text.is_empty()),
            [Atom::AnyText] => Some(true),
            [Atom::Literal(literal)] => Some(text == literal.as_ref()),
            _ => None,
        }
    }

    fn is_any_text(&self) -> bool {
        matches!(self.atoms.as_ref(), [Atom::AnyText])
    }

    fn has_variables(&self) -> bool {
        self.has_variables
    }

    /// Whether the text matches; a pattern with a variable that has no value matches nothing.
    pub(crate) fn test<'a>(&'a self, text: Text<'_>, keys: &Keys<'a>) -> Truth {
        match (text, self.atoms.as_ref()) {
            (_, [Atom::AnyText]) => Truth::True,
            (Text::Exact(text), []) => Truth::from(text.is_empty()),
            (Text::Exact(text), [Atom::Literal(literal)]) => Truth::from(text == literal.as_ref()),
            (Text::Exact(text), [Atom::Literal(literal), rest @ ..])
                if !text.starts_with(literal.as_ref()) || matches!(rest, [Atom::AnyText]) =>
            {
                Truth::from(text.starts_with(literal.as_ref()))
            }
            (text, _) if self.has_variables => self.test_with_variables(text, keys),
            (Text::Exact(text), _) => Truth::from(self.matches(text, keys, false)),
            (Text::Holes(source), _) if self.matches(source, keys, true) => Truth::True,
            (text, _) if self.may_match(text, keys) => Truth::Unknown,
            _ => Truth::False,
        }
    }

    /// Whether all variables have a value.
    pub(crate) fn resolved(&self, keys: &Keys<'_>) -> Truth {
        self.variables().fold(Truth::True, |all, variable| {
            all.and(variable.resolved(keys))
        })
    }

    fn test_with_variables<'a>(&'a self, text: Text<'_>, keys: &Keys<'a>) -> Truth {
        let mut known = true;
        for variable in self.variables() {
            match variable.value(keys) {
                VariableValue::Text(_) => {}
                VariableValue::None => return Truth::False,
                VariableValue::Unknown => known = false,
            }
        }
        let (source, holes) = match text {
            Text::Exact(text) => (text, false),
            Text::Holes(text) => (text, true),
        };
        if known && self.matches(source, keys, holes) {
            Truth::True
        } else if (holes || !known) && self.may_match(text, keys) {
            Truth::Unknown
        } else {
            Truth::False
        }
    }

    fn variables(&self) -> impl Iterator<Item = &Variable> {
        self.atoms.iter().filter_map(|atom| match atom {
            Atom::Variable(variable) => Some(variable),
            _ => None,
        })
    }

    /// The keys of its variables.
    pub(crate) fn variable_keys(&self) -> impl Iterator<Item = &str> {
        self.variables().map(|variable| variable.key.as_ref())
    }

    pub(crate) fn has_wildcards(&self) -> bool {
        let is_wildcard = |atom: &Atom| matches!(atom, Atom::AnyText | Atom::AnyCharacter);
        self.atoms.iter().any(is_wildcard)
    }

    /// Whether it is one text.
    pub(crate) fn is_fixed(&self) -> bool {
        !self.has_wildcards() && !self.has_variables
    }

    /// A text that matches, with `text` in place of each `*`; `None` where a variable has no known value.
    pub(crate) fn example(&self, text: &str, keys: &Keys<'_>) -> Option<String> {
        let mut example = String::new();
        for atom in &self.atoms {
            match (atom, literal(atom, keys)) {
                (_, Some(literal)) => example.push_str(literal),
                (Atom::AnyCharacter, None) => example.push('x'),
                (Atom::AnyText, None) => example.push_str(text),
                (Atom::Literal(_) | Atom::Variable(_), None) => return None,
            }
        }
        Some(example)
    }

    /// The keys of its variables whose state is unknown.
    pub(crate) fn unknown_variables<'p>(&'p self, keys: Keys<'_>) -> impl Iterator<Item = &'p str> {
        self.variables()
            .filter(move |variable| matches!(variable.value(&keys), VariableValue::Unknown))
            .map(|variable| variable.key.as_ref())
    }

    /// Whether `text` matches; with `holes`, whether it matches whatever stands in its holes.
    /// All variables have a value.
    fn matches<'a>(&'a self, text: &str, keys: &Keys<'a>, holes: bool) -> bool {
        Matcher { keys, holes }.matches(&self.atoms, text)
    }

    /// Whether the pattern, taken literally, is `text` but for the case.
    pub(crate) fn equals_ignoring_case<'a>(&'a self, text: &str, keys: &Keys<'a>) -> bool {
        let pattern = self.atoms.iter().flat_map(|atom| {
            literal(atom, keys)
                .unwrap_or_default()
                .chars()
                .flat_map(char::to_lowercase)
        });
        pattern.eq(text.chars().flat_map(char::to_lowercase))
    }

    /// Whether some completion of the text's holes and the unknown variables matches. May say
    /// `true` where none does, never `false` where one does.
    fn may_match<'a>(&'a self, text: Text<'_>, keys: &Keys<'a>) -> bool {
        let mut overlap = match text {
            Text::Exact(text) => unknown::Overlap::new(text.as_bytes(), false),
            Text::Holes(text) => unknown::Overlap::new(text.as_bytes(), true),
        };
        for atom in &self.atoms {
            match (atom, literal(atom, keys)) {
                (_, Some(literal)) => overlap.literal(literal.as_bytes()),
                (Atom::AnyCharacter, None) => overlap.any_character(),
                (_, None) => overlap.any_text(),
            }
        }
        overlap.reaches_end()
    }
}

/// The literal text that an atom stands for, if it does.
fn literal<'a>(atom: &'a Atom, keys: &Keys<'a>) -> Option<&'a str> {
    match atom {
        Atom::Literal(literal) => Some(literal),
        Atom::Variable(variable) => match variable.value(keys) {
            VariableValue::Text(text) => Some(text),
            VariableValue::None | VariableValue::Unknown => None,
        },
        Atom::AnyCharacter | Atom::AnyText => None,
    }
}

/// Where `literal`, which is not empty, first stands in `text`. What patterns look for is a colon or a
/// slash with a short name: the standard library's search takes longer to set up than this to run.
fn place_of(literal: &str, text: &str) -> Option<usize> {
    let (literal, text) = (literal.as_bytes(), text.as_bytes());
    let first = literal.first()?;
    let mut start = 0;
    loop {
        let rest = text.get(start..)?;
        let place = rest.iter().position(|byte| byte == first)?;
        if rest.get(place..)?.starts_with(literal) {
            return Some(start + place);
        }
        start += place + 1;
    }
}

/// Collects atoms.
#[derive(Default)]
struct Atoms {
    atoms: Vec<Atom>,
    literal: String,
}

impl Atoms {
    fn push(&mut self, atom: Atom) {
        if !self.literal.is_empty() {
            self.atoms.push(Atom::Literal(
                std::mem::take(&mut self.literal).into_boxed_str(),
            ));
        }
        self.atoms.push(atom);
    }

    fn push_any_text(&mut self) {
        if !self.literal.is_empty() || !matches!(self.atoms.last(), Some(Atom::AnyText)) {
            self.push(Atom::AnyText);
        }
    }

    fn push_variable(&mut self, inner: &str) {
        match inner {
            "*" | "?" | "$" => self.literal.push_str(inner),
            _ => self.push(Atom::Variable(Variable::parse(inner))),
        }
    }

    fn finish(mut self) -> Pattern {
        if !self.literal.is_empty() {
            self.atoms
                .push(Atom::Literal(self.literal.into_boxed_str()));
        }
        let has_variables = self
            .atoms
            .iter()
            .any(|atom| matches!(atom, Atom::Variable(_)));
        Pattern {
            atoms: self.atoms.into_boxed_slice(),
            has_variables,
        }
    }
}

/// Matches atoms against a text: the piece before the first `*` at its start, the piece after the
/// last `*` at its end, and each piece between at its first place, from left to right.
struct Matcher<'k, 'a> {
    keys: &'k Keys<'a>,
    /// `*` in the text is a hole: only `*` in the pattern is sure to match it.
    holes: bool,
}

impl<'a> Matcher<'_, 'a> {
    fn matches(&self, atoms: &'a [Atom], text: &str) -> bool {
        let mut pieces = atoms.split(|atom| matches!(atom, Atom::AnyText));
        let Some(mut rest) = self.strip_prefix(pieces.next().unwrap_or_default(), text) else {
            return false;
        };
        let Some(last) = pieces.next_back() else {
            return rest.is_empty();
        };
        rest = match self.strip_suffix(last, rest) {
            Some(rest) => rest,
            None => return false,
        };
        for piece in pieces {
            rest = match self.find(piece, rest) {
                Some(rest) => rest,
                None => return false,
            };
        }
        true
    }

    /// What follows `piece` at the start of `text`.
    fn strip_prefix<'t>(&self, piece: &'a [Atom], text: &'t str) -> Option<&'t str> {
        let mut rest = text;
        for atom in piece {
            rest = match literal(atom, self.keys) {
                Some(literal) if self.is_sure(literal) => rest.strip_prefix(literal)?,
                Some(_) => return None,
                None => self.after_character(rest)?,
            };
        }
        Some(rest)
    }

    /// What precedes `piece` at the end of `text`.
    fn strip_suffix<'t>(&self, piece: &'a [Atom], text: &'t str) -> Option<&'t str> {
        let mut rest = text;
        for atom in piece.iter().rev() {
            rest = match literal(atom, self.keys) {
                Some(literal) if self.is_sure(literal) => rest.strip_suffix(literal)?,
                Some(_) => return None,
                None => {
                    let last = rest
                        .chars()
                        .next_back()
                        .filter(|last| !self.holes || *last != '*')?;
                    rest.get(..rest.len() - last.len_utf8())?
                }
            };
        }
        Some(rest)
    }

    /// What follows the first place of `piece` in `text`.
    fn find<'t>(&self, piece: &'a [Atom], text: &'t str) -> Option<&'t str> {
        let mut rest = text;
        loop {
            if let Some(Atom::Literal(literal)) = piece.first() {
                rest = rest.get(place_of(literal, rest)?..)?;
            }
            if let Some(after) = self.strip_prefix(piece, rest) {
                return Some(after);
            }
            let skipped = rest.chars().next()?;
            rest = rest.get(skipped.len_utf8()..)?;
        }
    }

    fn after_character<'t>(&self, text: &'t str) -> Option<&'t str> {
        let first = text
            .chars()
            .next()
            .filter(|first| !self.holes || *first != '*')?;
        text.get(first.len_utf8()..)
    }

    /// A literal `*` is not sure to be what stands in a hole.
    fn is_sure(&self, literal: &str) -> bool {
        !self.holes || !literal.contains('*')
    }
}

#[cfg(test)]
mod tests;
