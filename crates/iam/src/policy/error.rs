//! Why a text is not a policy document, and where.

use std::fmt;

/// Why a text is not a policy document, and where.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{line}:{column}: {kind}")]
pub struct PolicyError {
    /// From 1.
    pub line: u32,
    /// From 1, in characters.
    pub column: u32,
    /// What is wrong there.
    pub kind: PolicyErrorKind,
}

/// What is wrong with a policy document.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PolicyErrorKind {
    /// There is nothing but white space.
    #[error("document is empty")]
    Empty,
    /// The text ends before what was opened is closed.
    #[error("document ends inside {inside}")]
    EndsInside {
        /// The innermost open thing.
        inside: Inside,
    },
    /// A comma with nothing after it.
    #[error("trailing comma before `{close}`")]
    TrailingComma {
        /// `}` or `]`.
        close: char,
    },
    /// Two members without a comma between them, or the like.
    #[error("expected {wanted} after {after}, found {found}")]
    Expected {
        /// What may stand here.
        wanted: Wanted,
        /// What stands before.
        after: After,
        /// What stands here.
        found: Found,
    },
    /// Something that begins no JSON value; most often a string without its quotes.
    #[error("expected a value{of}, found {found}")]
    ExpectedValue {
        /// Whose value.
        of: Of,
        /// What stands here.
        found: Found,
    },
    /// A member that does not begin with its name.
    #[error("expected a name in double quotes, found {found}")]
    ExpectedName {
        /// What stands here.
        found: Found,
    },
    /// Text after the end of the document.
    #[error("expected the end of the document, found {found}")]
    ExpectedEnd {
        /// What stands here.
        found: Found,
    },
    /// A line break, a tab or another control character inside a string.
    #[error("control character inside a string")]
    ControlCharacter,
    /// `\x` or the like.
    #[error("backslash before {found} is no escape sequence")]
    BadEscape {
        /// The character after the backslash.
        found: Found,
    },
    /// `\u` without four hexadecimal digits, or half of a surrogate pair.
    #[error("`\\u` is not followed by the four hexadecimal digits of a character")]
    BadUnicodeEscape,
    /// `01`, `1.`, `-` and the like.
    #[error("malformed number")]
    BadNumber,
    /// Nested deeper than any policy is.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The deepest level that is read.
        limit: usize,
    },
    /// Two members of one object with the same name.
    #[error("`{name}` stands twice in the same object")]
    DuplicateName {
        /// The name.
        name: Shown,
    },
    /// A value of the wrong JSON type.
    #[error("`{element}` must be {wanted}, not {found}")]
    WrongType {
        /// The element, condition operator or condition key.
        element: Shown,
        /// What it must be.
        wanted: &'static str,
        /// What it is.
        found: &'static str,
    },
    /// A document that is no JSON object.
    #[error("a policy document must be an object, not {found}")]
    NotAnObject {
        /// What it is.
        found: &'static str,
    },
    /// An element that IAM does not know at this place. Names are compared with their case.
    #[error("unknown element `{name}` in the {place}")]
    UnknownElement {
        /// Its name.
        name: Shown,
        /// `document`, `statement` or `principal`.
        place: &'static str,
    },
    /// A required element is missing.
    #[error("the {place} has no `{element}`")]
    MissingElement {
        /// Its name.
        element: &'static str,
        /// `document` or `statement`.
        place: &'static str,
    },
    /// Two elements that exclude each other.
    #[error("the statement has both `{element}` and `Not{element}`")]
    BothElements {
        /// `Action` or `Resource`.
        element: &'static str,
    },
    /// `Principal` or `NotPrincipal`, which an identity policy does not have: it is the principal's.
    #[error("`{element}` cannot stand in an identity policy")]
    PrincipalElement {
        /// `Principal` or `NotPrincipal`.
        element: &'static str,
    },
    /// Neither `2012-10-17` nor `2008-10-17`.
    #[error("unknown policy version `{value}`")]
    UnknownVersion {
        /// The value.
        value: Shown,
    },
    /// Neither `Allow` nor `Deny`; the case counts.
    #[error("`Effect` must be `Allow` or `Deny`, not `{value}`")]
    BadEffect {
        /// The value.
        value: Shown,
    },
    /// An array without a value.
    #[error("`{element}` is empty")]
    EmptyElement {
        /// The element.
        element: &'static str,
    },
    /// An action without `service:`.
    #[error("action `{value}` has no service prefix")]
    ActionWithoutService {
        /// The value.
        value: Shown,
    },
}

/// What a document ends inside of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Inside {
    /// An object.
    Object,
    /// An array.
    Array,
    /// A string.
    String,
}

impl fmt::Display for Inside {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Object => "an object",
            Self::Array => "an array",
            Self::String => "a string",
        })
    }
}

/// What the grammar wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Wanted {
    /// `:`
    Colon,
    /// `,` or `}`
    CommaOrBrace,
    /// `,` or `]`
    CommaOrBracket,
}

impl fmt::Display for Wanted {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Self::Colon => "`:`",
            Self::CommaOrBrace => "`,` or `}`",
            Self::CommaOrBracket => "`,` or `]`",
        })
    }
}

/// What stands before the place of an error.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum After {
    /// The name of a member.
    Name(Shown),
    /// The value of a member.
    Value(Shown),
    /// An element of an array.
    ArrayElement,
}

impl fmt::Display for After {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => write!(out, "`{name}`"),
            Self::Value(name) => write!(out, "the value of `{name}`"),
            Self::ArrayElement => out.write_str("an array element"),
        }
    }
}

/// Whose value is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Of {
    /// A member's.
    Member(Shown),
    /// An array's, or the document's.
    Other,
}

impl fmt::Display for Of {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Member(name) => write!(out, " for `{name}`"),
            Self::Other => Ok(()),
        }
    }
}

/// One character of the document, as an error shows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found(pub char);

impl fmt::Display for Found {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_control() {
            write!(out, "{}", self.0.escape_default())
        } else {
            write!(out, "`{}`", self.0)
        }
    }
}

/// A text of the document, as an error shows it: in one line, and not without end.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shown(pub String);

/// A message shows this many characters of a text: enough for the longest element or condition key.
const SHOWN_CHARACTERS: usize = 100;

impl fmt::Display for Shown {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, character) in self.0.chars().enumerate() {
            if index == SHOWN_CHARACTERS {
                return out.write_str("…");
            }
            if character.is_control() {
                write!(out, "{}", character.escape_default())?;
            } else {
                write!(out, "{character}")?;
            }
        }
        Ok(())
    }
}

impl From<&str> for Shown {
    fn from(text: &str) -> Shown {
        Shown(text.to_owned())
    }
}
