//! Delivery days: as numbers, as ranges that a user gives, and as sets.

use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use jiff::Span;
use jiff::civil::Date;
use retrial_cloudtrail::Day;

/// Days since the Unix epoch.
pub(crate) type DayNumber = i32;

const SECONDS_A_DAY: i64 = 86_400;

/// A day's number.
pub(crate) fn day_number(day: Day) -> DayNumber {
    day_of_second(day.begin().micros().div_euclid(1_000_000))
}

/// The number of the day that a second since the Unix epoch lies in. The seconds of a [`Day`] or of a
/// stamp, which have four digits for the year, are all within range.
pub(crate) fn day_of_second(second: i64) -> DayNumber {
    i32::try_from(second.div_euclid(SECONDS_A_DAY)).unwrap_or(DayNumber::MAX)
}

/// The day of a number; `None` beyond the years 0 to 9999.
pub(crate) fn day_of(number: DayNumber) -> Option<Day> {
    let since_epoch = Span::new().try_days(number).ok()?;
    let date = Date::constant(1970, 1, 1).checked_add(since_epoch).ok()?;
    Day::new(
        u16::try_from(date.year()).ok()?,
        u8::try_from(date.month()).ok()?,
        u8::try_from(date.day()).ok()?,
    )
}

/// `2026-11-02`, nothing else.
pub(crate) fn parse_day(text: &str) -> Option<Day> {
    let (year, rest) = text.split_once('-')?;
    let (month, day) = rest.split_once('-')?;
    let digits = |text: &str, length| {
        (text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit()))
            .then(|| text.parse().ok())
            .flatten()
    };
    let (month, day) = (digits(month, 2)?, digits(day, 2)?);
    Day::new(
        digits(year, 4)?,
        u8::try_from(month).ok()?,
        u8::try_from(day).ok()?,
    )
}

/// What stands for the delivery date of files that have none.
pub(crate) const UNKNOWN_DATE: &str = "unknown";

/// `2026-11-02`, or `unknown`.
pub(crate) fn delivery_date(day: Option<Day>) -> String {
    day.map_or_else(|| UNKNOWN_DATE.to_owned(), |day| day.to_string())
}

/// The day of a [`delivery_date`]; the outer `None` where it is neither a day nor `unknown`.
pub(crate) fn parse_delivery_date(text: &str) -> Option<Option<Day>> {
    if text == UNKNOWN_DATE {
        Some(None)
    } else {
        parse_day(text).map(Some)
    }
}

/// Days from the first to the last, both included. Parsed from `2026-11-02` or
/// `2026-11-02..2026-11-05`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DayRange {
    /// The first day.
    pub first: Day,
    /// The last day, not before the first.
    pub last: Day,
}

/// Why a text is no range of days.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DayRangeError {
    /// Neither a day nor two.
    #[error("`{text}` is no day or range of days such as 2026-11-02 or 2026-11-02..2026-11-05")]
    NoDay {
        /// The text.
        text: String,
    },
    /// The last day is before the first.
    #[error("`{text}` ends before it begins")]
    Reversed {
        /// The text.
        text: String,
    },
}

impl DayRange {
    /// Whether `day` is one of them.
    pub(crate) fn contains(&self, day: Day) -> bool {
        (self.first..=self.last).contains(&day)
    }
}

impl fmt::Display for DayRange {
    /// As it is parsed.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.first == self.last {
            return self.first.fmt(f);
        }
        write!(f, "{}..{}", self.first, self.last)
    }
}

impl FromStr for DayRange {
    type Err = DayRangeError;

    fn from_str(text: &str) -> Result<Self, DayRangeError> {
        let (first, last) = text.split_once("..").unwrap_or((text, text));
        let (Some(first), Some(last)) = (parse_day(first), parse_day(last)) else {
            return Err(DayRangeError::NoDay {
                text: text.to_owned(),
            });
        };
        if last < first {
            return Err(DayRangeError::Reversed {
                text: text.to_owned(),
            });
        }
        Ok(Self { first, last })
    }
}

/// A set of days: a bit each, so that years of an organization's accounts and Regions fit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct DaySet {
    /// By the number of a block of 32 days.
    blocks: BTreeMap<i32, u32>,
}

const BLOCK_DAYS: i32 = 32;

impl DaySet {
    pub(crate) fn insert(&mut self, day: DayNumber) {
        *self.blocks.entry(day.div_euclid(BLOCK_DAYS)).or_default() |= bit(day);
    }

    pub(crate) fn contains(&self, day: DayNumber) -> bool {
        self.blocks
            .get(&day.div_euclid(BLOCK_DAYS))
            .is_some_and(|block| block & bit(day) != 0)
    }

    /// The first day that is `from` or later.
    pub(crate) fn first_from(&self, from: DayNumber) -> Option<DayNumber> {
        self.blocks
            .range(from.div_euclid(BLOCK_DAYS)..)
            .flat_map(|(number, block)| {
                let first = number * BLOCK_DAYS;
                (first..first + BLOCK_DAYS).filter(move |day| block & bit(*day) != 0)
            })
            .find(|day| *day >= from)
    }

    pub(crate) fn last(&self) -> Option<DayNumber> {
        let (number, block) = self.blocks.last_key_value()?;
        let highest = i32::try_from(block.leading_zeros()).ok()?;
        Some(number * BLOCK_DAYS + BLOCK_DAYS - 1 - highest)
    }
}

fn bit(day: DayNumber) -> u32 {
    1 << day.rem_euclid(BLOCK_DAYS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_and_back() {
        for (text, number) in [
            ("1970-01-01", 0),
            ("1969-12-31", -1),
            ("2024-02-29", 19_782),
            ("2026-11-02", 20_759),
            ("0000-01-01", -719_528),
            ("9999-12-30", 2_932_895),
        ] {
            let day = parse_day(text).unwrap();
            assert_eq!(day_number(day), number, "{text}");
            assert_eq!(day_of(number), Some(day), "{text}");
            assert_eq!(day.to_string(), text);
        }
        assert_eq!(day_of(-719_529), None);
        assert_eq!(day_of(i32::MAX), None);
        assert_eq!(day_of(i32::MIN), None);
    }

    #[test]
    fn ranges() {
        let check = |text: &str, expect: &str| {
            let found = match text.parse::<DayRange>() {
                Ok(range) => format!("{} {}", range.first, range.last),
                Err(error) => error.to_string(),
            };
            assert_eq!(found, expect, "{text}");
        };
        check("2026-11-02", "2026-11-02 2026-11-02");
        check("2026-11-02..2026-11-05", "2026-11-02 2026-11-05");
        check(
            "2026-11-05..2026-11-02",
            "`2026-11-05..2026-11-02` ends before it begins",
        );
        for text in [
            "",
            "2026-11",
            "2026-11-2",
            "2026-02-29",
            "+026-11-02",
            "2026-11-02..",
            "2026-11-02...2026-11-03",
        ] {
            check(
                text,
                &format!(
                    "`{text}` is no day or range of days such as 2026-11-02 or 2026-11-02..2026-11-05"
                ),
            );
        }
    }

    #[test]
    fn sets() {
        let mut set = DaySet::default();
        assert_eq!((set.last(), set.first_from(-9)), (None, None));
        let days = [-65, -1, 0, 31, 32, 20_759];
        for day in days.into_iter().rev() {
            set.insert(day);
        }
        assert_eq!(set.last(), Some(20_759));
        for day in -100..100 {
            assert_eq!(set.contains(day), days.contains(&day), "{day}");
            let first = days.into_iter().find(|other| *other >= day);
            assert_eq!(set.first_from(day), first, "{day}");
        }
        assert_eq!(set.first_from(20_760), None);
    }
}
