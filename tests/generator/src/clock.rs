//! Points in time as seconds since 1970, and their spellings.

/// Seconds in a day.
pub(crate) const DAY: i64 = 86_400;
/// Seconds in an hour.
pub(crate) const HOUR: i64 = 3_600;
/// 2026-11-02T00:00:00Z, a Monday: both organisations' first day.
pub(crate) const MONDAY: i64 = 1_793_577_600;

/// Year, month, day of a day number since 1970 (Hinnant's `civil_from_days`).
fn civil(days: i64) -> (i64, u32, u32) {
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted = (5 * day_of_year + 2) / 153;
    let day = (day_of_year - (153 * shifted + 2) / 5 + 1) as u32;
    let month = if shifted < 10 {
        shifted + 3
    } else {
        shifted - 9
    } as u32;
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// `2026-11-02T09:35:07Z`
pub(crate) fn iso(at: i64) -> String {
    let (year, month, day) = civil(at.div_euclid(DAY));
    let second = at.rem_euclid(DAY);
    let mut out = *b"0000-00-00T00:00:00Z";
    let mut put = |from: usize, digits: usize, mut value: u32| {
        for slot in out[from..from + digits].iter_mut().rev() {
            *slot = b'0' + (value % 10) as u8;
            value /= 10;
        }
    };
    put(0, 4, year as u32);
    put(5, 2, month);
    put(8, 2, day);
    put(11, 2, (second / HOUR) as u32);
    put(14, 2, (second % HOUR / 60) as u32);
    put(17, 2, (second % 60) as u32);
    String::from_utf8_lossy(&out).into_owned()
}

/// `2026/11/02`, as in keys.
pub(crate) fn day_path(at: i64) -> String {
    let (year, month, day) = civil(at.div_euclid(DAY));
    format!("{year:04}/{month:02}/{day:02}")
}

/// `20261102T0935Z`, as in log file names.
pub(crate) fn stamp(at: i64) -> String {
    let text = iso(at);
    format!(
        "{}{}{}T{}{}Z",
        &text[0..4],
        &text[5..7],
        &text[8..10],
        &text[11..13],
        &text[14..16]
    )
}

/// `20261102T093507Z`, as in digest file names.
pub(crate) fn long_stamp(at: i64) -> String {
    let text = iso(at);
    format!("{}{}Z", &stamp(at)[..13], &text[17..19])
}

/// `Nov 2, 2026, 9:35:07 AM`, as CloudTrail writes dates inside elements.
pub(crate) fn wordy(at: i64) -> String {
    const MONTHS: [&str; 12] = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ];
    let (year, month, day) = civil(at.div_euclid(DAY));
    let second = at.rem_euclid(DAY);
    let hour = second / HOUR;
    let half = if hour < 12 { "AM" } else { "PM" };
    let twelve = if hour % 12 == 0 { 12 } else { hour % 12 };
    format!(
        "{} {day}, {year}, {twelve}:{:02}:{:02} {half}",
        MONTHS[month as usize - 1],
        second % HOUR / 60,
        second % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings() {
        let at = MONDAY + 9 * HOUR + 35 * 60 + 7;
        assert_eq!(iso(at), "2026-11-02T09:35:07Z");
        assert_eq!(day_path(at), "2026/11/02");
        assert_eq!(stamp(at), "20261102T0935Z");
        assert_eq!(long_stamp(at), "20261102T093507Z");
        assert_eq!(wordy(at + 12 * HOUR), "Nov 2, 2026, 9:35:07 PM");
        assert_eq!(iso(951_782_400), "2000-02-29T00:00:00Z");
    }
}
