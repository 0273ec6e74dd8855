//! Policy documents as they stand in snapshot files, compiled once per content.

use std::{borrow::Cow, collections::HashMap, sync::Arc};

use percent_encoding::percent_decode_str;
use serde_json::value::RawValue;

use crate::{CompiledPolicy, PolicyError};

/// Why a document cannot be used.
#[derive(Debug, Clone)]
pub(super) enum DocumentProblem {
    /// It is not a policy document; the place counts within the document.
    Malformed { error: PolicyError, encoded: bool },
    /// Its URL encoding does not give UTF-8.
    NotUtf8,
}

/// The documents of a snapshot by their text in the files, so that each content is decoded and
/// compiled once, however many principals have it.
///
/// # Memory
/// A compiled policy per distinct text; the texts themselves stay borrowed.
#[derive(Debug, Default)]
pub(super) struct Documents<'a> {
    // Not keyed by a fast hash: anyone who may write a policy chooses these texts.
    compiled: HashMap<Cow<'a, str>, Result<Arc<CompiledPolicy>, DocumentProblem>>,
    resource: HashMap<&'a str, Result<Arc<CompiledPolicy>, DocumentProblem>>,
    texts: HashMap<&'a str, Arc<str>>,
}

impl<'a> Documents<'a> {
    /// The document as an identity policy.
    pub(super) fn identity(
        &mut self,
        raw: &'a RawValue,
    ) -> Result<Arc<CompiledPolicy>, DocumentProblem> {
        self.compiled
            .entry(Cow::Borrowed(raw.get()))
            .or_insert_with(|| compile(raw, CompiledPolicy::identity))
            .clone()
    }

    /// The document as a policy that names its principals.
    pub(super) fn resource(
        &mut self,
        raw: &'a RawValue,
    ) -> Result<Arc<CompiledPolicy>, DocumentProblem> {
        self.resource
            .entry(raw.get())
            .or_insert_with(|| compile(raw, CompiledPolicy::resource))
            .clone()
    }

    /// A text that is not from a file, as an identity policy.
    pub(super) fn identity_of_text(
        &mut self,
        text: Cow<'a, str>,
    ) -> Result<Arc<CompiledPolicy>, DocumentProblem> {
        if let Some(found) = self.compiled.get(&text) {
            return found.clone();
        }
        let compiled = CompiledPolicy::identity(&text).map(Arc::new);
        let compiled = compiled.map_err(|error| DocumentProblem::Malformed {
            error,
            encoded: true,
        });
        self.compiled.insert(text, compiled.clone());
        compiled
    }

    /// All documents that could be compiled.
    pub(super) fn compiled(&self) -> impl Iterator<Item = &CompiledPolicy> {
        let compiled = self.compiled.values().chain(self.resource.values());
        compiled.flatten().map(Arc::as_ref)
    }

    /// The document's text, not compiled.
    pub(super) fn text(&mut self, raw: &'a RawValue) -> Arc<str> {
        // What cannot be decoded is kept as it is: whoever compiles it will say what is wrong with it.
        self.texts
            .entry(raw.get())
            .or_insert_with(|| decoded(raw).unwrap_or(Cow::Borrowed(raw.get())).into())
            .clone()
    }
}

impl DocumentProblem {
    /// What is wrong, with its place in a file in which the document begins at this place.
    pub(super) fn describe(&self, (line, column): (usize, usize)) -> String {
        match self {
            Self::NotUtf8 => format!("{line}:{column}: its URL encoding is not one of UTF-8"),
            Self::Malformed {
                error,
                encoded: true,
            } => format!("{line}:{column}: in the encoded document at {error}"),
            Self::Malformed {
                error,
                encoded: false,
            } => in_file(error, line, column).to_string(),
        }
    }
}

/// An error of a document that stands at this place of a file, with the place in the file.
fn in_file(error: &PolicyError, line: usize, column: usize) -> PolicyError {
    let shift = |start: usize, to: u32| {
        u32::try_from(start)
            .unwrap_or(u32::MAX)
            .saturating_add(to)
            .saturating_sub(1)
    };
    let mut error = error.clone();
    // Only the document's first line does not begin where the file's line does.
    if error.line <= 1 {
        error.column = shift(column, error.column);
    }
    error.line = shift(line, error.line);
    error
}

fn compile(
    raw: &RawValue,
    grammar: fn(&str) -> Result<CompiledPolicy, PolicyError>,
) -> Result<Arc<CompiledPolicy>, DocumentProblem> {
    let text = decoded(raw)?;
    let encoded = matches!(text, Cow::Owned(_));
    match grammar(&text) {
        Ok(policy) => Ok(Arc::new(policy)),
        Err(error) => Err(DocumentProblem::Malformed { error, encoded }),
    }
}

/// The document behind a JSON value: an object is one itself; a string holds one, URL-encoded
/// (RFC 3986) as the IAM API sends it, or plain. Only a text that was encoded is owned.
/// See <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>.
fn decoded(raw: &RawValue) -> Result<Cow<'_, str>, DocumentProblem> {
    if !raw.get().starts_with('"') {
        return Ok(Cow::Borrowed(raw.get()));
    }
    let Ok(text) = serde_json::from_str::<String>(raw.get()) else {
        // A string with half of a surrogate pair: as a document it is none either.
        return Ok(Cow::Borrowed(raw.get()));
    };
    if text.trim_start().starts_with('{') || !text.contains('%') {
        return Ok(Cow::Owned(text));
    }
    match percent_decode_str(&text).decode_utf8() {
        Ok(text) => Ok(Cow::Owned(text.into_owned())),
        Err(_) => Err(DocumentProblem::NotUtf8),
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(json: &str, expect: &str) {
        let raw: &RawValue = serde_json::from_str(json).unwrap();
        assert_eq!(decoded(raw).unwrap(), expect);
    }

    #[test]
    fn documents_in_all_their_forms() {
        check(
            r#"{"Version": "2012-10-17"}"#,
            r#"{"Version": "2012-10-17"}"#,
        );
        check(
            r#""{\"Version\": \"2012-10-17\"}""#,
            r#"{"Version": "2012-10-17"}"#,
        );
        check(r#""%7B%22Sid%22%3A%22a%2Bb+c%22%7D""#, r#"{"Sid":"a+b+c"}"#);
        // A percent sign in a plain document is part of it.
        check(r#""{\"Sid\": \"%41\"}""#, r#"{"Sid": "%41"}"#);
        check("null", "null");
        let raw: &RawValue = serde_json::from_str(r#""%7B%FF%7D""#).unwrap();
        assert!(matches!(decoded(raw), Err(DocumentProblem::NotUtf8)));
    }

    #[test]
    fn one_text_per_content() {
        let mut documents = Documents::default();
        let (left, right) = (
            r#"{"Statement":[]}"#.to_owned(),
            r#"{"Statement":[]}"#.to_owned(),
        );
        let left = documents.text(serde_json::from_str(&left).unwrap());
        let right = documents.text(serde_json::from_str(&right).unwrap());
        assert!(Arc::ptr_eq(&left, &right));
    }
}
