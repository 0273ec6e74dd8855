//! The only place that prints: data on standard output, talk on standard error.

use std::io::{self, Write};

use crate::logs::LogFormat;

/// Prints, and remembers that whoever read standard output has gone.
#[derive(Debug)]
pub(crate) struct Printer {
    quiet: bool,
    format: LogFormat,
}

impl Printer {
    pub(crate) fn new(quiet: bool) -> Self {
        Self::with_logs(quiet, LogFormat::Text)
    }

    /// Where logs are JSON, warnings and errors are, too.
    pub(crate) fn with_logs(quiet: bool, format: LogFormat) -> Self {
        Self { quiet, format }
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
        if self.format == LogFormat::Json {
            // At this level since nothing silences it.
            return tracing::error!("{text}");
        }
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
            _ if character.is_control() => out.extend(character.escape_default()),
            _ if is_unprintable(character) => out.extend(character.escape_unicode()),
            _ => out.push(character),
        }
    }
    out
}

/// Whether a terminal would obey it, or end its line.
pub(crate) fn is_unprintable(character: char) -> bool {
    matches!(
        character,
        '\u{200e}'
            | '\u{200f}'
            | '\u{202a}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
            | '\u{2028}'
            | '\u{2029}'
    ) || character.is_control()
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
