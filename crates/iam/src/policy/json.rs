//! A small JSON parser that keeps the place of every value.
//!
//! Policy documents are edited by hand; an error that only says "invalid" is useless there. It
//! reads what RFC 8259 allows, refuses an object that names a member twice (IAM does: "individual
//! elements must not contain multiple instances of the same key",
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>) and stops at
//! [`MAX_DEPTH`], so that hostile nesting ends in an error and not in a stack overflow.

use super::error::{After, Found, Inside, Of, PolicyError, PolicyErrorKind, Wanted};

/// A policy nests seven levels: document, statements, statement, condition, operator, values, value.
pub(crate) const MAX_DEPTH: usize = 16;

/// A value and where it begins.
#[derive(Debug)]
pub(crate) struct Node {
    /// In bytes.
    pub(crate) offset: usize,
    pub(crate) value: Value,
}

/// A JSON value.
#[derive(Debug)]
pub(crate) enum Value {
    Null,
    Bool(bool),
    /// As it is spelled.
    Number(String),
    String(String),
    Array(Vec<Node>),
    Object(Vec<Member>),
}

/// A member of an object.
#[derive(Debug)]
pub(crate) struct Member {
    /// Of the name, in bytes.
    pub(crate) offset: usize,
    pub(crate) name: String,
    pub(crate) node: Node,
}

impl Value {
    /// The type, as an error names it.
    pub(crate) fn type_name(&self) -> &'static str {
        match self {
            Self::Null => "null",
            Self::Bool(_) => "a boolean",
            Self::Number(_) => "a number",
            Self::String(_) => "a string",
            Self::Array(_) => "an array",
            Self::Object(_) => "an object",
        }
    }
}

/// The error `kind` at `offset`.
pub(crate) fn error_at(text: &str, offset: usize, kind: PolicyErrorKind) -> PolicyError {
    let before = text.get(..offset).unwrap_or(text);
    let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
    let line = before.bytes().filter(|byte| *byte == b'\n').count() + 1;
    let column = before.get(line_start..).unwrap_or_default().chars().count() + 1;
    PolicyError {
        line: u32::try_from(line).unwrap_or(u32::MAX),
        column: u32::try_from(column).unwrap_or(u32::MAX),
        kind,
    }
}

/// Parses a whole text.
pub(crate) fn parse(text: &str) -> Result<Node, PolicyError> {
    // Editors on Windows put a byte order mark before the text; it means nothing.
    let start = if text.starts_with('\u{feff}') {
        '\u{feff}'.len_utf8()
    } else {
        0
    };
    let mut parser = Parser {
        text,
        offset: start,
        depth: 0,
    };
    parser.skip_white_space();
    if parser.peek().is_none() {
        return Err(parser.error(PolicyErrorKind::Empty));
    }
    let node = parser.value(&Of::Other)?;
    parser.skip_white_space();
    match parser.peek() {
        None => Ok(node),
        Some(found) => Err(parser.error(PolicyErrorKind::ExpectedEnd {
            found: Found(found),
        })),
    }
}

struct Parser<'a> {
    text: &'a str,
    /// Invariant: at a character boundary of `text`, at most its length.
    offset: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn rest(&self) -> &'a str {
        self.text.get(self.offset..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn advance(&mut self, character: char) {
        self.offset += character.len_utf8();
    }

    /// Steps over `wanted`, if it is next.
    fn eat(&mut self, wanted: char) -> bool {
        let found = self.peek() == Some(wanted);
        if found {
            self.advance(wanted);
        }
        found
    }

    fn skip_white_space(&mut self) {
        let rest = self.rest();
        self.offset += rest.len() - rest.trim_start_matches([' ', '\t', '\n', '\r']).len();
    }

    fn error(&self, kind: PolicyErrorKind) -> PolicyError {
        error_at(self.text, self.offset, kind)
    }

    fn value(&mut self, of: &Of) -> Result<Node, PolicyError> {
        let offset = self.offset;
        let value = match self.peek() {
            Some('{') => Value::Object(self.nested(Self::object)?),
            Some('[') => Value::Array(self.nested(Self::array)?),
            Some('"') => Value::String(self.string()?),
            Some('-' | '0'..='9') => Value::Number(self.number()?),
            Some(found) => self.word().ok_or_else(|| {
                self.error(PolicyErrorKind::ExpectedValue {
                    of: of.clone(),
                    found: Found(found),
                })
            })?,
            None => {
                return Err(self.error(PolicyErrorKind::EndsInside {
                    inside: self.innermost(of),
                }));
            }
        };
        Ok(Node { offset, value })
    }

    /// Where a value is missing at the end of the text.
    fn innermost(&self, of: &Of) -> Inside {
        match of {
            Of::Member(_) => Inside::Object,
            Of::Other => Inside::Array,
        }
    }

    /// `true`, `false` or `null`.
    fn word(&mut self) -> Option<Value> {
        for (word, value) in [
            ("true", Value::Bool(true)),
            ("false", Value::Bool(false)),
            ("null", Value::Null),
        ] {
            if let Some(after) = self.rest().strip_prefix(word)
                && !after.starts_with(|next: char| next.is_alphanumeric())
            {
                self.offset += word.len();
                return Some(value);
            }
        }
        None
    }

    fn nested<T>(
        &mut self,
        read: fn(&mut Self) -> Result<T, PolicyError>,
    ) -> Result<T, PolicyError> {
        if self.depth == MAX_DEPTH {
            return Err(self.error(PolicyErrorKind::TooDeep { limit: MAX_DEPTH }));
        }
        self.depth += 1;
        let result = read(self);
        self.depth -= 1;
        result
    }

    fn object(&mut self) -> Result<Vec<Member>, PolicyError> {
        let mut members: Vec<Member> = Vec::new();
        self.advance('{');
        self.skip_white_space();
        if self.eat('}') {
            return Ok(members);
        }
        loop {
            let member = self.member()?;
            if members.iter().any(|other| other.name == member.name) {
                let kind = PolicyErrorKind::DuplicateName {
                    name: member.name.as_str().into(),
                };
                return Err(error_at(self.text, member.offset, kind));
            }
            let after = After::Value(member.name.as_str().into());
            members.push(member);
            if self.ends(Inside::Object, after)? {
                return Ok(members);
            }
        }
    }

    fn member(&mut self) -> Result<Member, PolicyError> {
        let offset = self.offset;
        let name = match self.peek() {
            Some('"') => self.string()?,
            Some(found) => {
                return Err(self.error(PolicyErrorKind::ExpectedName {
                    found: Found(found),
                }));
            }
            None => {
                return Err(self.error(PolicyErrorKind::EndsInside {
                    inside: Inside::Object,
                }));
            }
        };
        self.skip_white_space();
        if !self.eat(':') {
            return Err(match self.peek() {
                Some(found) => self.error(PolicyErrorKind::Expected {
                    wanted: Wanted::Colon,
                    after: After::Name(name.as_str().into()),
                    found: Found(found),
                }),
                None => self.error(PolicyErrorKind::EndsInside {
                    inside: Inside::Object,
                }),
            });
        }
        self.skip_white_space();
        let node = self.value(&Of::Member(name.as_str().into()))?;
        Ok(Member { offset, name, node })
    }

    fn array(&mut self) -> Result<Vec<Node>, PolicyError> {
        let mut elements = Vec::new();
        self.advance('[');
        self.skip_white_space();
        if self.eat(']') {
            return Ok(elements);
        }
        loop {
            elements.push(self.value(&Of::Other)?);
            if self.ends(Inside::Array, After::ArrayElement)? {
                return Ok(elements);
            }
        }
    }

    /// After a member or an element: `true` at the end of the object or array, `false` after a comma.
    fn ends(&mut self, inside: Inside, after: After) -> Result<bool, PolicyError> {
        let (close, wanted) = match inside {
            Inside::Array => (']', Wanted::CommaOrBracket),
            Inside::Object | Inside::String => ('}', Wanted::CommaOrBrace),
        };
        self.skip_white_space();
        if self.eat(close) {
            return Ok(true);
        }
        let comma = self.offset;
        if !self.eat(',') {
            return Err(match self.peek() {
                Some(found) => self.error(PolicyErrorKind::Expected {
                    wanted,
                    after,
                    found: Found(found),
                }),
                None => self.error(PolicyErrorKind::EndsInside { inside }),
            });
        }
        self.skip_white_space();
        match self.peek() {
            Some(found) if found == close => Err(error_at(
                self.text,
                comma,
                PolicyErrorKind::TrailingComma { close },
            )),
            Some(_) => Ok(false),
            None => Err(self.error(PolicyErrorKind::EndsInside { inside })),
        }
    }

    fn string(&mut self) -> Result<String, PolicyError> {
        let mut string = String::new();
        self.advance('"');
        loop {
            let rest = self.rest();
            let plain = rest
                .find(|next: char| next == '"' || next == '\\' || next < ' ')
                .unwrap_or(rest.len());
            string.push_str(rest.get(..plain).unwrap_or_default());
            self.offset += plain;
            match self.peek() {
                Some('"') => {
                    self.advance('"');
                    return Ok(string);
                }
                Some('\\') => string.push(self.escape()?),
                Some(_) => return Err(self.error(PolicyErrorKind::ControlCharacter)),
                None => {
                    return Err(self.error(PolicyErrorKind::EndsInside {
                        inside: Inside::String,
                    }));
                }
            }
        }
    }

    fn escape(&mut self) -> Result<char, PolicyError> {
        let start = self.offset;
        self.advance('\\');
        let Some(kind) = self.peek() else {
            return Err(self.error(PolicyErrorKind::EndsInside {
                inside: Inside::String,
            }));
        };
        self.advance(kind);
        match kind {
            '"' | '\\' | '/' => Ok(kind),
            'b' => Ok('\u{8}'),
            'f' => Ok('\u{c}'),
            'n' => Ok('\n'),
            'r' => Ok('\r'),
            't' => Ok('\t'),
            'u' => self
                .unicode()
                .ok_or_else(|| error_at(self.text, start, PolicyErrorKind::BadUnicodeEscape)),
            found => Err(error_at(
                self.text,
                start,
                PolicyErrorKind::BadEscape {
                    found: Found(found),
                },
            )),
        }
    }

    /// The character of `\uXXXX`, or of a surrogate pair, after the first `\u`.
    fn unicode(&mut self) -> Option<char> {
        let first = self.hexadecimal()?;
        if !(0xd800..0xdc00).contains(&first) {
            return char::from_u32(first);
        }
        if !self.eat('\\') || !self.eat('u') {
            return None;
        }
        let second = self.hexadecimal()?;
        if !(0xdc00..0xe000).contains(&second) {
            return None;
        }
        char::from_u32(0x10000 + ((first - 0xd800) << 10) + (second - 0xdc00))
    }

    fn hexadecimal(&mut self) -> Option<u32> {
        let digits = self.rest().get(..4)?;
        if !digits.bytes().all(|digit| digit.is_ascii_hexdigit()) {
            return None;
        }
        self.offset += 4;
        u32::from_str_radix(digits, 16).ok()
    }

    /// A number as it is spelled; its form is checked.
    fn number(&mut self) -> Result<String, PolicyError> {
        let rest = self.rest();
        let end = rest
            .find(|next: char| !matches!(next, '0'..='9' | '-' | '+' | '.' | 'e' | 'E'))
            .unwrap_or(rest.len());
        let spelled = rest.get(..end).unwrap_or_default();
        if !is_number(spelled) {
            return Err(self.error(PolicyErrorKind::BadNumber));
        }
        self.offset += end;
        Ok(spelled.to_owned())
    }
}

/// Whether `text` is a number by JSON's grammar.
fn is_number(text: &str) -> bool {
    let text = text.strip_prefix('-').unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (
            mantissa,
            Some(exponent.strip_prefix(['+', '-']).unwrap_or(exponent)),
        ),
        None => (text, None),
    };
    let (whole, fraction) = match mantissa.split_once('.') {
        Some((whole, fraction)) => (whole, Some(fraction)),
        None => (mantissa, None),
    };
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|digit| digit.is_ascii_digit());
    digits(whole)
        && (whole == "0" || !whole.starts_with('0'))
        && fraction.is_none_or(digits)
        && exponent.is_none_or(digits)
}
