//! One log file of a plan, and what its key says of it.

use retrial_cloudtrail::{Day, LogKey, LogKind};

use super::days::{DayNumber, day_number, day_of, day_of_second};

/// How far CloudTrail's gzip compresses its JSON; real files lie between 8 and 12.
const TYPICAL_RATIO: u64 = 10;

/// One log file of a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PlannedFile {
    /// Which of the run's sources it is in.
    pub source: usize,
    /// Relative to the source's root.
    pub key: String,
    /// As stored.
    pub size: u64,
    /// When it was delivered, or the day that its path names: seconds since the Unix epoch.
    moment: Option<i64>,
    /// The delivery day that it belongs to.
    day: Option<DayNumber>,
}

impl PlannedFile {
    /// A log file under its key.
    pub fn new(source: usize, key: String, size: u64) -> Self {
        let (moment, day) = times(&key, &LogKey::parse(&key));
        Self {
            source,
            key,
            size,
            moment,
            day,
        }
    }

    /// What a listing found; its kind, where it is none that holds records.
    pub(crate) fn classify(source: usize, key: String, size: u64) -> Result<Self, LogKind> {
        let parsed = LogKey::parse(&key);
        if parsed.kind != LogKind::Events {
            return Err(parsed.kind);
        }
        let (moment, day) = times(&key, &parsed);
        Ok(Self {
            source,
            key,
            size,
            moment,
            day,
        })
    }

    /// When it was delivered: the minute of its stamp, else the first of the day that its path names,
    /// since the Unix epoch.
    pub fn minute(&self) -> Option<u32> {
        u32::try_from(self.moment?.div_euclid(60)).ok()
    }

    /// The delivery day that it belongs to: the one that CloudTrail's folders name, else its stamp's,
    /// else one that other folders name.
    pub fn day(&self) -> Option<Day> {
        day_of(self.day?)
    }

    /// [`Self::day`] as a number.
    pub(crate) fn day_number(&self) -> Option<DayNumber> {
        self.day
    }

    /// The order of files within a plan: by stamp, then key; those without a moment first.
    pub(crate) fn order(&self) -> impl Ord + '_ {
        (self.moment, self.source, self.key.as_str())
    }

    /// The order of files over all plans.
    pub(crate) fn order_of_days(&self) -> impl Ord + '_ {
        (self.day, self.moment, self.source, self.key.as_str())
    }

    /// What it will be once it is decompressed, as far as its size tells.
    pub(crate) fn estimated_bytes(&self) -> u64 {
        if self.key.ends_with(".gz") {
            self.size.saturating_mul(TYPICAL_RATIO)
        } else {
            self.size
        }
    }
}

/// The moment and the delivery day.
fn times(key: &str, parsed: &LogKey<'_>) -> (Option<i64>, Option<DayNumber>) {
    let stamp = parsed.stamp.map(|time| time.micros().div_euclid(1_000_000));
    let path = parsed
        .date
        .map(|day| day.begin().micros().div_euclid(1_000_000));
    let layout = layout_day(key).map(|(_, day)| day);
    let day = layout.or_else(|| stamp.or(path).map(day_of_second));
    (stamp.or(path), day)
}

/// The folders of CloudTrail's layout.
const SERVICE_FOLDERS: [&str; 3] = ["CloudTrail", "CloudTrail-Digest", "CloudTrail-Insight"];

/// Where in CloudTrail's layout, `[…/]CloudTrail/REGION/YYYY/MM/DD/…`, a key or folder stands: the
/// folder of its Region (all that comes before the year) and the delivery day. The root of a source
/// may also be the folder of a Region or the one above. Folders of days elsewhere promise nothing: a
/// backup of a whole bucket may stand below them.
pub(crate) fn layout_day(key: &str) -> Option<(&str, DayNumber)> {
    let folders = folders(key);
    let names: Vec<&str> = folders.iter().map(|(_, name)| *name).collect();
    place_positions(&names).find_map(|at| {
        let &[year, month, day, ..] = names.get(at..)? else {
            return None;
        };
        let day = two_digits(month)
            .and_then(|month| Day::new(four_digits(year)?, month, two_digits(day)?))?;
        Some((key.get(..folders.get(at)?.0)?, day_number(day)))
    })
}

/// The folder of a Region and a month (its year and number) that a folder in CloudTrail's layout is:
/// `[…/]CloudTrail/REGION/YYYY/MM/`.
pub(crate) fn layout_month(folder: &str) -> Option<(&str, u16, u8)> {
    let folders = folders(folder);
    let names: Vec<&str> = folders.iter().map(|(_, name)| *name).collect();
    let [.., service, _, year, month] = names.as_slice() else {
        return None;
    };
    if !SERVICE_FOLDERS.contains(service) {
        return None;
    }
    let month = two_digits(month).filter(|month| (1..=12).contains(month))?;
    let year_at = folders.iter().rev().nth(1)?.0;
    Some((folder.get(..year_at)?, four_digits(year)?, month))
}

/// The folders of a key, each with where it begins.
fn folders(key: &str) -> Vec<(usize, &str)> {
    let mut at = 0;
    let mut folders = Vec::new();
    for name in key.split_inclusive('/') {
        if let Some(folder) = name.strip_suffix('/') {
            folders.push((at, folder));
        }
        at += name.len();
    }
    folders
}

/// Where a year may stand: at the root, behind a Region at the root, and behind a Region behind a
/// service folder.
fn place_positions<'n>(names: &'n [&str]) -> impl Iterator<Item = usize> + 'n {
    let region_root = names.first().is_some_and(|name| is_region(name));
    let behind_services = names
        .iter()
        .enumerate()
        .filter(|(_, name)| SERVICE_FOLDERS.contains(*name))
        .map(|(at, _)| at + 2);
    [0].into_iter()
        .chain(region_root.then_some(1))
        .chain(behind_services)
}

/// `us-east-1`, `us-gov-west-1`.
fn is_region(name: &str) -> bool {
    let parts: Vec<&str> = name.split('-').collect();
    let Some((number, words)) = parts.split_last() else {
        return false;
    };
    let is_word = |word: &&str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase());
    words.len() >= 2
        && words.iter().all(is_word)
        && !number.is_empty()
        && number.bytes().all(|b| b.is_ascii_digit())
}

fn four_digits(text: &str) -> Option<u16> {
    digits(text, 4)?.parse().ok()
}

fn two_digits(text: &str) -> Option<u8> {
    digits(text, 2)?.parse().ok()
}

fn digits(text: &str, length: usize) -> Option<&str> {
    let fits = text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    fits.then_some(text)
}

/// The name of a file as CloudTrail itself names it,
/// `ACCOUNT_CloudTrail_REGION_YYYYMMDDTHHmmZ_UNIQUE.json.gz` with 16 characters that no other file
/// has: such a file is the same one under whatever root it stands. See
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html>.
pub(crate) fn unique_name(key: &str) -> Option<&str> {
    let name = key.rsplit('/').next()?;
    let mut parts = name.strip_suffix(".json.gz")?.split('_');
    let account = parts.next()?;
    let (service, region) = (parts.next()?, parts.next()?);
    let (_stamp, unique) = (parts.next()?, parts.next()?);
    let whole = digits(account, 12).is_some()
        && service == "CloudTrail"
        && !region.is_empty()
        && unique.len() >= 16
        && unique.bytes().all(|byte| byte.is_ascii_alphanumeric())
        && parts.next().is_none()
        && LogKey::parse(name).stamp.is_some();
    whole.then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_and_minutes() {
        let check = |key: &str, expect: &str| {
            let file = PlannedFile::new(0, key.to_owned(), 1);
            let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
            let found = format!(
                "{} {}",
                part(file.day().map(|day| day.to_string())),
                part(file.minute().map(|minute| minute.to_string()))
            );
            assert_eq!(found, expect, "{key}");
        };
        let day = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/02";
        // 20,759 days and 65 minutes.
        let stamped = "111122223333_CloudTrail_us-east-1_20261102T0105Z_AAAAAAAAAAAAAAAA.json.gz";
        check(&format!("{day}/{stamped}"), "2026-11-02 29893025");
        check(&format!("{day}/a.json"), "2026-11-02 29892960");
        check(&format!("{day}/deeper/a.json"), "2026-11-02 -");
        check(stamped, "2026-11-02 29893025");
        check("2026/11/02/a.json", "2026-11-02 29892960");
        check("us-east-1/2026/11/02/a.json", "2026-11-02 29892960");
        // The folders of the layout say where it is listed; the stamp, when it was delivered.
        let other = stamped.replace("1102T", "1103T");
        check(&format!("{day}/{other}"), "2026-11-02 29894465");
        // Other folders only say something where the name does not.
        check(
            &format!("backup/2026/12/24/{stamped}"),
            "2026-11-02 29893025",
        );
        check("backup/2026/11/02/a.json", "2026-11-02 29892960");
        check("a.json", "- -");
        check("1_CloudTrail_x_19691231T2359Z_u.json", "1969-12-31 -");
        check("9999/12/31/a.json", "9999-12-31 4223371680");
    }

    #[test]
    fn places_of_the_layout() {
        let check = |key: &str, expect: Option<&str>| {
            let found = layout_day(key);
            assert_eq!(found.map(|(place, _)| place), expect, "{key}");
            if let Some((_, day)) = found {
                assert_eq!(day, 20_759, "{key}");
            }
        };
        check(
            "p/AWSLogs/o-a/1/CloudTrail/us-east-1/2026/11/02/",
            Some("p/AWSLogs/o-a/1/CloudTrail/us-east-1/"),
        );
        check(
            "CloudTrail-Digest/x/2026/11/02/a",
            Some("CloudTrail-Digest/x/"),
        );
        check(
            "CloudTrail/2024/01/01/AWSLogs/x/CloudTrail/us-east-1/2026/11/02/a",
            Some("CloudTrail/2024/01/01/AWSLogs/x/CloudTrail/us-east-1/"),
        );
        check("2026/11/02/a", Some(""));
        check("us-gov-west-1/2026/11/02/a/b", Some("us-gov-west-1/"));
        for key in [
            "",
            "2026/11/02",
            "2026/11/2/a",
            "2026/13/02/a",
            "+026/11/02/a",
            "backup/2026/11/02/a",
            "AWSLogs/1/Config/us-east-1/2026/11/02/a",
            "CloudTrail/2026/11/02/a",
            "us-east-/2026/11/02/a",
            "é/2026/11/02/a",
        ] {
            check(key, None);
        }
    }

    #[test]
    fn months_of_the_layout() {
        assert_eq!(
            layout_month("AWSLogs/1/CloudTrail/us-east-1/2026/11/"),
            Some(("AWSLogs/1/CloudTrail/us-east-1/", 2026, 11))
        );
        for folder in [
            "",
            "2026/11/",
            "AWSLogs/1/CloudTrail/us-east-1/2026/",
            "AWSLogs/1/CloudTrail/us-east-1/2026/13/",
            "AWSLogs/1/CloudTrail/us-east-1/2026/11/02/",
            "AWSLogs/1/Config/us-east-1/2026/11/",
        ] {
            assert_eq!(layout_month(folder), None, "{folder}");
        }
    }

    #[test]
    fn names_that_are_unique() {
        let name = "111122223333_CloudTrail_us-east-1_20261102T0105Z_AbCdEfGhIjKlMn12.json.gz";
        assert_eq!(unique_name(&format!("a/b/{name}")), Some(name));
        assert_eq!(unique_name(name), Some(name));
        for other in [
            "",
            "a/",
            "export.json",
            &name.replace("12.json", ".json"),
            &name.replace(".gz", ""),
            &name.replace("1111", "XXXX"),
            &name.replace("1102T", "1131T"),
            &name.replace("_us-east-1_", "_"),
            &name.replace("CloudTrail", "CloudTrail-Digest"),
            &name.replace("AbCd", "Ab_d"),
            &name.replace("AbCd", "Abéd"),
        ] {
            assert_eq!(unique_name(other), None, "{other}");
        }
    }
}
