//! One JSON value inside a record, borrowed from the record's text.
//!
//! The parser behind it (simd-json's tape) is named here and in [`crate::parser`] only, so that it
//! can be exchanged.

use simd_json::prelude::*;
use simd_json::tape;

/// A borrowed JSON value. Copying it copies a pointer and a length.
#[derive(Debug, Clone, Copy)]
pub struct Json<'a>(tape::Value<'a, 'a>);

/// What a [`Json`] value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonKind {
    /// `null`
    Null,
    /// `true` or `false`
    Bool,
    /// any number
    Number,
    /// a string
    String,
    /// an array
    Array,
    /// an object
    Object,
}

impl<'a> Json<'a> {
    pub(crate) fn new(value: tape::Value<'a, 'a>) -> Self {
        Self(value)
    }

    /// What this value is.
    pub fn kind(self) -> JsonKind {
        match self.0.value_type() {
            ValueType::Bool => JsonKind::Bool,
            ValueType::I64
            | ValueType::I128
            | ValueType::U64
            | ValueType::U128
            | ValueType::F64 => JsonKind::Number,
            ValueType::String => JsonKind::String,
            ValueType::Array => JsonKind::Array,
            ValueType::Object => JsonKind::Object,
            // The tape holds no other types than JSON's own.
            ValueType::Null | ValueType::Extended(_) | ValueType::Custom(_) => JsonKind::Null,
        }
    }

    /// The member `key` of an object; the first, where a key occurs twice.
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        self.0.as_object()?.get(key).map(Json)
    }

    /// Follows `path` through objects: `["sessionContext", "sessionIssuer", "arn"]`.
    pub fn at(self, path: &[&str]) -> Option<Json<'a>> {
        let mut value = self;
        for key in path {
            value = value.get(key)?;
        }
        Some(value)
    }

    /// The text of a string; `None` for anything else.
    pub fn as_str(self) -> Option<&'a str> {
        self.0.into_string()
    }

    /// A JSON boolean, or the strings `"true"` and `"false"`, which CloudTrail mixes.
    pub fn as_bool(self) -> Option<bool> {
        match self.as_str() {
            Some("true") => Some(true),
            Some("false") => Some(false),
            Some(_) => None,
            None => self.0.as_bool(),
        }
    }

    /// A number's text in plain decimal form (`12`, `0.5`); `None` for anything else.
    ///
    /// Integers of up to 64 bits are exact. A fraction, or an integer beyond 64 bits, is the
    /// nearest double's shortest form.
    pub fn number_text(self) -> Option<String> {
        if let Some(integer) = self.0.as_i64() {
            return Some(integer.to_string());
        }
        if let Some(integer) = self.0.as_u64() {
            return Some(integer.to_string());
        }
        self.0.as_f64().map(|fraction| fraction.to_string())
    }

    /// The items of an array; empty for anything else.
    pub fn items(self) -> impl Iterator<Item = Json<'a>> + 'a {
        let array = self.0.as_array();
        array.into_iter().flat_map(|items| items.iter().map(Json))
    }

    /// The members of an object in their order; empty for anything else.
    pub fn members(self) -> impl Iterator<Item = (&'a str, Json<'a>)> + 'a {
        // Not `flat_map`, which asks at each step where it stands: every record's members pass here.
        let mut members = self.0.as_object().map(|object| object.iter());
        std::iter::from_fn(move || {
            let (key, value) = members.as_mut()?.next()?;
            Some((key, Json(value)))
        })
    }

    /// Whether this is `null`.
    pub fn is_null(self) -> bool {
        self.kind() == JsonKind::Null
    }

    /// This value as compact JSON text.
    pub fn to_text(self) -> String {
        self.0.encode()
    }
}
