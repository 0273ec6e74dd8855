//! A share that a run must not pass: `--max-unmapped 0.1%`.

use std::str::FromStr;

/// A share of a whole, in millionths.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Share {
    millionths: u32,
}

impl Share {
    /// Whether this many of so many are more than the share. None of none is not.
    pub(crate) fn is_passed(self, part: u64, whole: u64) -> bool {
        u128::from(part) * 1_000_000 > u128::from(whole) * u128::from(self.millionths)
    }
}

impl FromStr for Share {
    type Err = String;

    /// Reads `0.1%`, `5%` or `0.001`.
    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no share: write `0.1%` or `0.001`");
        let (number, places) = match text.strip_suffix('%') {
            Some(number) => (number, 4),
            None => (text, 6),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits =
            |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || fraction.len() > places {
            return Err(wrong());
        }
        // The point moves behind the last place that counts.
        let moved = format!("{whole}{fraction:0<places$}");
        let millionths: u32 = moved.parse().map_err(|_| wrong())?;
        if millionths > 1_000_000 {
            return Err(wrong());
        }
        Ok(Self { millionths })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, expect: Option<u32>) {
        let read = text.parse::<Share>().ok().map(|share| share.millionths);
        assert_eq!(read, expect, "{text}");
    }

    #[test]
    fn shares_are_read() {
        check("0.1%", Some(1000));
        check("5%", Some(50_000));
        check("100%", Some(1_000_000));
        check("0.001", Some(1000));
        check("0", Some(0));
        check("1", Some(1_000_000));
        for wrong in [
            "",
            "%",
            "-1%",
            "1e3",
            "101%",
            "1.5",
            "0.00001%",
            ".1%",
            "1.%",
            "x",
            "99999999999",
        ] {
            check(wrong, None);
        }
    }

    #[test]
    fn more_than_the_share_passes_it() {
        let share = Share { millionths: 1000 };
        assert!(!share.is_passed(0, 0));
        assert!(!share.is_passed(1, 1000));
        assert!(share.is_passed(2, 1000));
        assert!(share.is_passed(1, 999));
        let none = Share { millionths: 0 };
        assert!(!none.is_passed(0, 5));
        assert!(none.is_passed(1, u64::MAX));
        let all = Share {
            millionths: 1_000_000,
        };
        assert!(!all.is_passed(u64::MAX, u64::MAX));
    }
}
