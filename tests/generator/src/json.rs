//! JSON by hand: CloudTrail's field order matters to the eye, and speed to the corpus.

use std::fmt::Write;

/// Appends `text` as a JSON string with its quotes.
pub(crate) fn quote(out: &mut String, text: &str) {
    out.push('"');
    let mut rest = text;
    // All that must be escaped is ASCII, so bytes are enough, and faster than characters.
    while let Some(at) = rest
        .bytes()
        .position(|byte| byte < b' ' || byte == b'"' || byte == b'\\')
    {
        out.push_str(&rest[..at]);
        match rest.as_bytes()[at] {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            b'\n' => out.push_str("\\n"),
            other => drop(write!(out, "\\u{other:04x}")),
        }
        rest = &rest[at + 1..];
    }
    out.push_str(rest);
    out.push('"');
}

/// An object under construction, members in the order given.
#[derive(Debug, Clone)]
pub(crate) struct Obj(String);

impl Obj {
    pub(crate) fn new() -> Obj {
        let mut text = String::with_capacity(256);
        text.push('{');
        Obj(text)
    }

    fn key(&mut self, key: &str) {
        if self.0.len() > 1 {
            self.0.push(',');
        }
        self.0.push('"');
        self.0.push_str(key);
        self.0.push_str("\":");
    }

    /// A string.
    pub(crate) fn s(mut self, key: &str, value: &str) -> Obj {
        self.key(key);
        quote(&mut self.0, value);
        self
    }

    /// A number.
    pub(crate) fn n(mut self, key: &str, value: u64) -> Obj {
        self.key(key);
        let _ = write!(self.0, "{value}");
        self
    }

    /// A Boolean.
    pub(crate) fn b(mut self, key: &str, value: bool) -> Obj {
        self.key(key);
        self.0.push_str(if value { "true" } else { "false" });
        self
    }

    /// JSON text as it is.
    pub(crate) fn raw(mut self, key: &str, value: &str) -> Obj {
        self.key(key);
        self.0.push_str(value);
        self
    }

    pub(crate) fn end(mut self) -> String {
        self.0.push('}');
        self.0
    }
}

/// A list of JSON texts.
pub(crate) fn list(items: &[String]) -> String {
    format!("[{}]", items.join(","))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects() {
        let text = Obj::new()
            .s("a", "\"\\\n\u{1}é")
            .n("b", 7)
            .b("c", true)
            .raw("d", "[]")
            .end();
        assert_eq!(text, r#"{"a":"\"\\\n\u0001é","b":7,"c":true,"d":[]}"#);
        assert_eq!(Obj::new().end(), "{}");
    }
}
