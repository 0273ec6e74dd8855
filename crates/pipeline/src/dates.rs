//! Event dates, which name the folders of a table.

use retrial_cloudtrail::Timestamp;

/// Days since the Unix epoch; `None` for `unknown`.
pub(crate) type EventDate = Option<i32>;

/// A row and the date whose folder it goes to.
pub(crate) type Dated<T> = (EventDate, T);

const MICROS_A_DAY: i64 = 86_400_000_000;

/// CloudTrail began on 2013-11-13; what claims to be older, or centuries ahead, has no date that a
/// folder should be made for.
const FIRST_DAY: i64 = 15_706; // 2013-01-01
const LAST_DAY: i64 = 47_482; // 2100-01-01

/// The day of an event.
pub(crate) fn event_date(time: Option<Timestamp>) -> EventDate {
    let day = time?.micros().div_euclid(MICROS_A_DAY);
    (FIRST_DAY..LAST_DAY)
        .contains(&day)
        .then(|| i32::try_from(day).ok())
        .flatten()
}

/// `2026-11-02`, or `unknown`.
pub(crate) fn date_name(date: EventDate) -> String {
    let name = date.and_then(|day| {
        let noon = jiff::Timestamp::from_second(i64::from(day) * 86_400).ok()?;
        Some(noon.strftime("%Y-%m-%d").to_string())
    });
    name.unwrap_or_else(|| "unknown".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names() {
        let check = |text: &str, expect: &str| {
            assert_eq!(date_name(event_date(Timestamp::parse(text))), expect)
        };
        check("2026-11-02T23:59:59Z", "2026-11-02");
        check("2013-01-01T00:00:00Z", "2013-01-01");
        check("2012-12-31T23:59:59Z", "unknown");
        check("2099-12-31T00:00:00Z", "2099-12-31");
        check("2100-01-01T00:00:00Z", "unknown");
        check("timestamp", "unknown");
    }
}
