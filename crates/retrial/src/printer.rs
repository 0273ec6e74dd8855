//! The only place that prints: data on standard output, talk on standard error.

use std::io::{self, Write};

/// Prints, and remembers that whoever read standard output has gone.
#[derive(Debug)]
pub(crate) struct Printer {
    quiet: bool,
}

impl Printer {
    pub(crate) fn new(quiet: bool) -> Self {
        Self { quiet }
    }

    /// Data for standard output. A reader that has gone (`| head`) is no error.
    pub(crate) fn data(&self, text: &str) -> io::Result<()> {
        let mut out = io::stdout().lock();
        match out.write_all(text.as_bytes()).and_then(|()| out.flush()) {
            Err(error) if error.kind() == io::ErrorKind::BrokenPipe => Ok(()),
            result => result,
        }
    }

    /// A summary for people on standard output, unless quiet.
    pub(crate) fn summary(&self, text: &str) -> io::Result<()> {
        if self.quiet { Ok(()) } else { self.data(text) }
    }

    /// A line on standard error, which `--quiet` does not silence.
    pub(crate) fn warning(&self, text: &str) {
        // Nothing is left to be done where standard error itself is gone.
        let _ = writeln!(io::stderr().lock(), "retrial: {}", printable(text));
    }
}

/// Text that others wrote, safe for a terminal and on one line: control characters and the ones that
/// turn the reading direction are written as escapes.
pub(crate) fn printable(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{2028}'
            | '\u{2029}' => out.extend(character.escape_unicode()),
            _ if character.is_control() => out.extend(character.escape_default()),
            _ => out.push(character),
        }
    }
    out
}

/// `1234567` as `1,234,567`.
pub(crate) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_record_says_cannot_drive_a_terminal() {
        assert_eq!(
            printable("a\u{1b}[31mb\nc\u{202e}d\té"),
            "a\\u{1b}[31mb\\nc\\u{202e}d\\té"
        );
    }

    #[test]
    fn thousands() {
        assert_eq!(
            [0, 999, 1000, 1_234_567].map(grouped),
            ["0", "999", "1,000", "1,234,567"]
        );
    }
}
