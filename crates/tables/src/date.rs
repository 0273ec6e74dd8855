//! The `event_date` of a row: the name of the folder its file lies in.

/// The `event_date` of what has none.
pub const UNKNOWN_DATE: &str = "unknown";

/// `2026-11-02`: the UTC date of an event time in microseconds since the epoch; [`UNKNOWN_DATE`]
/// without one, or with one that no four-digit year holds.
pub fn event_date(event_time: Option<i64>) -> String {
    let time = event_time.and_then(|micros| jiff::Timestamp::from_microsecond(micros).ok());
    match time.map(|time| time.to_zoned(jiff::tz::TimeZone::UTC).date()) {
        Some(date) if date.year() >= 0 => date.to_string(),
        _ => UNKNOWN_DATE.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates() {
        assert_eq!(event_date(Some(1_793_605_800_000_000)), "2026-11-02");
        assert_eq!(event_date(Some(0)), "1970-01-01");
        assert_eq!(event_date(Some(-1)), "1969-12-31");
        for none in [None, Some(i64::MAX), Some(i64::MIN)] {
            assert_eq!(event_date(none), "unknown");
        }
    }
}
