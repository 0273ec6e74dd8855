//! Keys: how a file name, whatever bytes it has, becomes one printable, unique string and back.
//!
//! A key is relative to its root and `/`-separated. Within a name these bytes are written as `%` and
//! two upper-case hexadecimal digits: `%` itself, bytes that are not UTF-8, control characters
//! (newline, escape, delete, …), and characters that are invisible or turn the direction of writing
//! (a name may not repaint the terminal that prints it). All else stands as it is. The encoding is
//! lossless: two names never share a key, and [`decode_name`] gives the name back.

use std::borrow::Cow;
use std::ffi::{OsStr, OsString};

use crate::error::{KeyProblem, StorageError};

/// The key of a file or folder name (one component).
pub fn encode_name(name: &OsStr) -> String {
    encode_bytes(name.as_encoded_bytes())
}

/// [`encode_name`] for raw bytes, such as an object key's.
pub fn encode_bytes(mut bytes: &[u8]) -> String {
    let mut key = String::with_capacity(bytes.len());
    while !bytes.is_empty() {
        let (text, rest) = match std::str::from_utf8(bytes) {
            Ok(text) => (text, &[][..]),
            Err(error) => {
                let (valid, rest) = bytes.split_at(error.valid_up_to());
                (std::str::from_utf8(valid).unwrap_or_default(), rest)
            }
        };
        push_text(&mut key, text);
        // One byte of what is not UTF-8, then try again behind it.
        match rest.split_first() {
            Some((byte, rest)) => {
                push_escaped(&mut key, *byte);
                bytes = rest;
            }
            None => break,
        }
    }
    key
}

fn push_text(key: &mut String, text: &str) {
    for character in text.chars() {
        if needs_escape(character) {
            let mut buffer = [0; 4];
            for byte in character.encode_utf8(&mut buffer).bytes() {
                push_escaped(key, byte);
            }
        } else {
            key.push(character);
        }
    }
}

fn push_escaped(key: &mut String, byte: u8) {
    const DIGITS: &[u8; 16] = b"0123456789ABCDEF";
    key.push('%');
    for nibble in [byte >> 4, byte & 0xf] {
        let digit = DIGITS.get(usize::from(nibble)).copied().unwrap_or(b'0');
        key.push(char::from(digit));
    }
}

/// `%`, control characters, line and paragraph separators, zero-width and bidirectional controls.
fn needs_escape(character: char) -> bool {
    character == '%'
        || character.is_control()
        || matches!(
            character,
            '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{feff}'
        )
}

/// The name behind one component of a key; `None` where no name has it as its key.
pub fn decode_name(component: &str) -> Option<OsString> {
    let bytes = decode_bytes(component)?;
    if encode_bytes(&bytes) != component {
        return None;
    }
    os_string(bytes)
}

/// The bytes behind a key's text; `None` where a `%` is not followed by two hexadecimal digits.
pub fn decode_bytes(text: &str) -> Option<Cow<'_, [u8]>> {
    if !text.contains('%') {
        return Some(Cow::Borrowed(text.as_bytes()));
    }
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes().iter();
    while let Some(&byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let high = char::from(*rest.next()?).to_digit(16)?;
        let low = char::from(*rest.next()?).to_digit(16)?;
        bytes.push(u8::try_from(high * 16 + low).ok()?);
    }
    Some(Cow::Owned(bytes))
}

#[cfg(unix)]
fn os_string(bytes: Cow<'_, [u8]>) -> Option<OsString> {
    use std::os::unix::ffi::OsStringExt;
    Some(OsString::from_vec(bytes.into_owned()))
}

#[cfg(not(unix))]
fn os_string(bytes: Cow<'_, [u8]>) -> Option<OsString> {
    String::from_utf8(bytes.into_owned())
        .ok()
        .map(OsString::from)
}

/// Checks that `key` is the key of something below the root, and gives its components.
///
/// # Errors
/// [`StorageError::InvalidKey`] for an empty or absolute key, an empty component, `.` or `..` (also
/// behind an escape), and for text that [`encode_name`] would not have written.
pub(crate) fn components(key: &str) -> Result<Vec<OsString>, StorageError> {
    key.split('/')
        .map(|component| checked_name(component, key))
        .collect()
}

fn checked_name(component: &str, key: &str) -> Result<OsString, StorageError> {
    let invalid = |problem| StorageError::InvalidKey {
        key: encode_bytes(key.as_bytes()),
        problem,
    };
    match component {
        "" => return Err(invalid(KeyProblem::EmptyComponent)),
        "." | ".." => return Err(invalid(KeyProblem::RelativeComponent)),
        _ => {}
    }
    let name = decode_name(component).ok_or_else(|| invalid(KeyProblem::Encoding))?;
    // `%2F` and `%00` never come from a file name; `\` and `:` would leave the root on Windows.
    let escapes = |byte: &u8| matches!(byte, b'/' | 0) || (cfg!(windows) && b"\\:".contains(byte));
    if name.as_encoded_bytes().iter().any(escapes) {
        return Err(invalid(KeyProblem::Separator));
    }
    Ok(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(name: &[u8], key: &str) {
        assert_eq!(encode_bytes(name), key);
        let decoded = decode_name(key).unwrap();
        assert_eq!(decoded.as_encoded_bytes(), name);
    }

    #[test]
    fn names_become_keys_and_back() {
        check(
            b"111122223333_CloudTrail_x.json.gz",
            "111122223333_CloudTrail_x.json.gz",
        );
        check(b"a\nb\x1b[31m", "a%0Ab%1B[31m");
        check(b"100%", "100%25");
        check(b"100%25", "100%2525");
        check("é😀 ".as_bytes(), "é😀 ");
        check(b"\xff\xfe", "%FF%FE");
        check(b"a\xc3", "a%C3");
        check("\u{202e}gpj".as_bytes(), "%E2%80%AEgpj");
        check("\u{85}".as_bytes(), "%C2%85");
        check(b"..foo", "..foo");
    }

    #[test]
    fn text_that_no_name_encodes_to_is_refused() {
        for text in ["%", "%4", "%zz", "%41", "%2f", "%0a", "a\nb"] {
            assert_eq!(decode_name(text), None, "{text:?}");
        }
    }

    #[test]
    fn keys_cannot_leave_the_root() {
        for key in [
            "",
            "/",
            "/etc/passwd",
            "a//b",
            "a/",
            "..",
            "a/../b",
            "./a",
            "%2E%2E",
            "a%2Fb",
            "a%00",
            "a\nb",
        ] {
            let error = components(key).unwrap_err();
            assert!(!error.is_retryable());
            assert!(!error.to_string().contains('\n'));
        }
        assert_eq!(components("a/..b/c%0A").unwrap().len(), 3);
    }
}
