//! The moment of an event.

use std::fmt;

const MICROS_PER_SECOND: i64 = 1_000_000;

/// Microseconds since the Unix epoch, UTC.
///
/// CloudTrail writes whole seconds (`2026-11-02T09:30:00Z`); Parquet stores microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch.
    pub fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// Microseconds since the Unix epoch.
    pub fn micros(self) -> i64 {
        self.0
    }

    /// Reads an ISO 8601 instant such as `eventTime`; `None` where it is none.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(timestamp) = parse_whole_seconds(text.as_bytes()) {
            return Some(timestamp);
        }
        let timestamp = text.parse::<jiff::Timestamp>().ok()?;
        Some(Self(timestamp.as_microsecond()))
    }

    /// `2026-11-02T09:30:00Z`, as CloudTrail and IAM's `aws:CurrentTime` write it.
    pub fn to_iso(self) -> String {
        jiff::Timestamp::from_microsecond(self.0)
            .map(|t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
            .unwrap_or_default()
    }
}

/// A calendar day, as in an object key's folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day {
    /// four digits
    pub year: u16,
    /// 1 to 12
    pub month: u8,
    /// 1 to 31
    pub day: u8,
}

impl Day {
    /// The day, where the calendar has it.
    pub fn new(year: u16, month: u8, day: u8) -> Option<Self> {
        let leap = year.is_multiple_of(4) && !year.is_multiple_of(100) || year.is_multiple_of(400);
        let last = match month {
            1 | 3 | 5 | 7 | 8 | 10 | 12 => 31,
            4 | 6 | 9 | 11 => 30,
            2 => 28 + u8::from(leap),
            _ => return None,
        };
        (year <= 9999 && (1..=last).contains(&day)).then_some(Self { year, month, day })
    }

    /// Midnight UTC, at which the day begins.
    pub fn begin(self) -> Timestamp {
        Timestamp(self.days_since_epoch() * 86_400 * MICROS_PER_SECOND)
    }

    /// Howard Hinnant's `days_from_civil`: years are counted from March, so that the leap day is
    /// the last one.
    fn days_since_epoch(self) -> i64 {
        let (month, day) = (i64::from(self.month), i64::from(self.day));
        let year = i64::from(self.year) - i64::from(month <= 2);
        let era = year.div_euclid(400);
        let year_of_era = year.rem_euclid(400);
        let day_of_year = (153 * ((month + 9) % 12) + 2) / 5 + day - 1;
        let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
        era * 146_097 + day_of_era - 719_468
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }
}

/// `2026-11-02T09:30:00Z`, the form of nearly every `eventTime`, without a general parser: it is
/// read twice per record.
fn parse_whole_seconds(text: &[u8]) -> Option<Timestamp> {
    let &[
        y1,
        y2,
        y3,
        y4,
        b'-',
        m1,
        m2,
        b'-',
        d1,
        d2,
        b'T',
        h1,
        h2,
        b':',
        n1,
        n2,
        b':',
        s1,
        s2,
        b'Z',
    ] = text
    else {
        return None;
    };
    let year = decimal(&[y1, y2, y3, y4])?;
    let day = Day::new(year, decimal(&[m1, m2])? as u8, decimal(&[d1, d2])? as u8)?;
    instant(
        day,
        [
            decimal(&[h1, h2])?,
            decimal(&[n1, n2])?,
            decimal(&[s1, s2])?,
        ],
    )
}

/// The stamp in a log file's name, `20261102T0930Z` or, in a digest's, `20261102T093000Z`.
/// Returns what follows it, too.
pub(crate) fn parse_stamp(text: &str) -> Option<(Timestamp, &str)> {
    let (date, rest) = text.split_at_checked(8)?;
    let (clock, rest) = rest.strip_prefix('T')?.split_once('Z')?;
    let (year, month_day) = date.split_at_checked(4)?;
    let (month, day) = month_day.split_at_checked(2)?;
    let number = |text: &str| decimal(text.as_bytes());
    let day = Day::new(number(year)?, number(month)? as u8, number(day)? as u8)?;
    let (hours, minutes_seconds) = clock.split_at_checked(2)?;
    let (minutes, seconds) = minutes_seconds.split_at_checked(2)?;
    let seconds = match seconds.len() {
        0 => 0,
        2 => number(seconds)?,
        _ => return None,
    };
    Some((
        instant(day, [number(hours)?, number(minutes)?, seconds])?,
        rest,
    ))
}

fn instant(day: Day, [hours, minutes, seconds]: [u16; 3]) -> Option<Timestamp> {
    // A leap second (:60) is left to the general parser.
    if hours > 23 || minutes > 59 || seconds > 59 {
        return None;
    }
    let of_day = i64::from(hours) * 3600 + i64::from(minutes) * 60 + i64::from(seconds);
    Some(Timestamp(day.begin().0 + of_day * MICROS_PER_SECOND))
}

/// Up to four digits as a number.
fn decimal(digits: &[u8]) -> Option<u16> {
    let mut number = 0;
    for digit in digits {
        if !digit.is_ascii_digit() || digits.len() > 4 {
            return None;
        }
        number = number * 10 + u16::from(digit - b'0');
    }
    Some(number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_fast_reading_agrees_with_the_general_one() {
        for text in [
            "1970-01-01T00:00:00Z",
            "2014-03-06T21:22:54Z",
            "2024-02-29T23:59:59Z",
            "2026-11-02T09:30:00Z",
            "1600-02-29T00:00:00Z",
            "1969-12-31T23:59:59Z",
            "0000-03-01T00:00:00Z",
            "9999-12-30T00:00:00Z",
        ] {
            let general: jiff::Timestamp = text.parse().unwrap();
            let fast = parse_whole_seconds(text.as_bytes()).unwrap();
            assert_eq!(fast.micros(), general.as_microsecond(), "{text}");
            assert_eq!(fast.to_iso(), text);
        }
        let mut day = jiff::civil::date(1999, 12, 1);
        for _ in 0..1_000 {
            let text = format!("{day}T12:34:56Z");
            let general: jiff::Timestamp = text.parse().unwrap();
            assert_eq!(
                Timestamp::parse(&text).unwrap().micros(),
                general.as_microsecond()
            );
            day = day.tomorrow().unwrap();
        }
    }

    #[test]
    fn instants_in_other_forms_are_read_too() {
        assert_eq!(
            Timestamp::parse("2026-11-02T10:30:00.5+01:00")
                .unwrap()
                .micros()
                % 1_000_000,
            500_000
        );
        assert_eq!(
            Timestamp::parse("2026-11-02T10:30:00+01:00"),
            Timestamp::parse("2026-11-02T09:30:00Z")
        );
    }

    // Quirk 23.
    #[test]
    fn what_is_no_instant_is_none() {
        for text in [
            "",
            "timestamp",
            "2018-05-25:17:06Z",
            "Oct 26, 2025, 11:50:52 PM",
            "2026-02-29T00:00:00Z",
            "2026-13-01T00:00:00Z",
            "2026-01-01T24:00:00Z",
            "2026-01-0aT00:00:00Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }
}
