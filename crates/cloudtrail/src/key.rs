//! What an object key, or a path, promises about the file behind it.
//!
//! Nothing here decides what a file *is*: content does. A key says where the file belongs, when
//! it was delivered, and which files need not be opened at all. See
//! <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-find-log-files.html>.

use crate::time::{Day, Timestamp, parse_stamp};

/// What kind of file a key names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LogKind {
    /// A log file, as far as the key tells: also any other JSON file.
    Events,
    /// A digest file (`CloudTrail-Digest`).
    Digest,
    /// A file of Insights events (`CloudTrail-Insight`).
    Insight,
    /// Not JSON by its name, or another service's log in the same bucket (AWS Config, …).
    OtherFile,
}

/// An object key's parts, borrowed from it. Any part may be missing: exports mask accounts and
/// flatten folders.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogKey<'k> {
    /// what kind of file it is
    pub kind: LogKind,
    /// the account that the log is about, as written
    pub account: Option<&'k str>,
    /// the Region that the records were delivered in, as written
    pub region: Option<&'k str>,
    /// the organization (`o-…`) of an organization trail
    pub organization: Option<&'k str>,
    /// the day in the folders (`…/yyyy/mm/dd/`)
    pub date: Option<Day>,
    /// the delivery time in the name
    pub stamp: Option<Timestamp>,
}

/// The endings of files that may hold records.
const JSON_ENDINGS: [&str; 3] = [".json", ".jsonl", ".ndjson"];

/// Other services' folders beside `CloudTrail` under `AWSLogs/<account>/`.
const OTHER_SERVICES: [&str; 7] = [
    "Config",
    "GuardDuty",
    "WAFLogs",
    "elasticloadbalancing",
    "network-firewall",
    "vpcdnsquerylogs",
    "vpcflowlogs",
];

/// The service folders of CloudTrail, and the same word within a file's name.
const SERVICES: [(&str, LogKind); 3] = [
    ("CloudTrail", LogKind::Events),
    ("CloudTrail-Digest", LogKind::Digest),
    ("CloudTrail-Insight", LogKind::Insight),
];

impl<'k> LogKey<'k> {
    /// Reads a key or a path (with `/`). Total: what it does not understand is `None`.
    pub fn parse(key: &'k str) -> Self {
        let folders: Vec<&str> = key.split('/').collect();
        let (name, folders) = folders
            .split_last()
            .map_or((key, &[] as &[&str]), |(n, f)| (*n, f));
        let path = Path::of(folders);
        let name_parts = Name::of(name);
        let kind = if !is_json(name) || path.other_service {
            LogKind::OtherFile
        } else {
            // Where folder and name disagree, the one that is not plain events knows better.
            [path.kind, name_parts.kind]
                .into_iter()
                .flatten()
                .find(|kind| *kind != LogKind::Events)
                .unwrap_or(LogKind::Events)
        };
        Self {
            kind,
            account: path.account.or(name_parts.account),
            region: path.region.or(name_parts.region),
            organization: path.organization,
            date: path.date,
            stamp: name_parts.stamp,
        }
    }
}

fn is_json(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let name = name.strip_suffix(".gz").unwrap_or(&name);
    JSON_ENDINGS.iter().any(|ending| name.ends_with(ending))
}

fn service_kind(word: &str) -> Option<LogKind> {
    SERVICES
        .iter()
        .find(|(service, _)| *service == word)
        .map(|(_, kind)| *kind)
}

/// The folders: `[prefix/]AWSLogs/[o-…/]ACCOUNT/SERVICE/REGION/yyyy/mm/dd`.
#[derive(Default)]
struct Path<'k> {
    kind: Option<LogKind>,
    account: Option<&'k str>,
    region: Option<&'k str>,
    organization: Option<&'k str>,
    date: Option<Day>,
    other_service: bool,
}

impl<'k> Path<'k> {
    fn of(folders: &[&'k str]) -> Self {
        let mut path = Self {
            date: date(folders),
            ..Self::default()
        };
        // The last one counts: a prefix may contain anything.
        if let Some(at) = folders
            .iter()
            .rposition(|folder| service_kind(folder).is_some())
        {
            let (before, after) = folders.split_at(at);
            path.kind = after.first().and_then(|service| service_kind(service));
            path.account = before
                .last()
                .copied()
                .filter(|account| *account != "AWSLogs");
            path.region = after.get(1).copied().filter(|region| !is_number(region));
            path.organization = before
                .iter()
                .rev()
                .nth(1)
                .copied()
                .filter(|id| is_organization(id));
        } else if let Some(at) = folders.iter().rposition(|folder| *folder == "AWSLogs") {
            let below = folders.get(at + 1..).unwrap_or_default();
            path.organization = below.first().copied().filter(|id| is_organization(id));
            let below = below
                .get(usize::from(path.organization.is_some())..)
                .unwrap_or_default();
            path.account = below.first().copied();
            path.other_service = below
                .get(1)
                .is_some_and(|service| OTHER_SERVICES.contains(service));
        }
        path
    }
}

fn is_organization(id: &str) -> bool {
    id.starts_with("o-") || id.starts_with("O-")
}

fn is_number(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The last three folders, where they are a day.
fn date(folders: &[&str]) -> Option<Day> {
    let &[.., year, month, day] = folders else {
        return None;
    };
    if year.len() != 4 || month.len() > 2 || day.len() > 2 {
        return None;
    }
    Day::new(year.parse().ok()?, month.parse().ok()?, day.parse().ok()?)
}

/// The name: `ACCOUNT_CloudTrail_REGION_STAMP_UNIQUE.json.gz`, or a digest's
/// `ACCOUNT_CloudTrail-Digest_REGION_TRAIL_HOMEREGION_STAMP[_backfill].json.gz`.
#[derive(Default)]
struct Name<'k> {
    kind: Option<LogKind>,
    account: Option<&'k str>,
    region: Option<&'k str>,
    stamp: Option<Timestamp>,
}

impl<'k> Name<'k> {
    fn of(name: &'k str) -> Self {
        let Some((at, service, kind)) = SERVICES
            .iter()
            .find_map(|(service, kind)| Some((find_word(name, service)?, *service, *kind)))
        else {
            return Self {
                stamp: last_stamp(name),
                ..Self::default()
            };
        };
        let (account, rest) = name.split_at_checked(at).unwrap_or((name, ""));
        let rest = rest.get(service.len() + 2..).unwrap_or_default();
        Self {
            kind: Some(kind),
            account: Some(account).filter(|account| !account.is_empty()),
            region: rest
                .split_once('_')
                .map(|(region, _)| region)
                .filter(|region| !region.is_empty()),
            stamp: last_stamp(rest),
        }
    }
}

/// Where `_word_` begins in `name`.
fn find_word(name: &str, word: &str) -> Option<usize> {
    name.match_indices(word).map(|(at, _)| at).find_map(|at| {
        let before = name.get(..at)?.ends_with('_');
        let after = name.get(at + word.len()..)?.starts_with('_');
        (before && after).then(|| at - 1)
    })
}

/// The last stamp in `name`. Very old names have no underscore behind it; a trail's name may look
/// like a stamp, but stands before it.
fn last_stamp(name: &str) -> Option<Timestamp> {
    name.rsplit('_')
        .find_map(|part| parse_stamp(part).map(|(stamp, _)| stamp))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `kind account region organization date stamp`, `-` for what is missing.
    #[track_caller]
    fn check(key: &str, expected: &str) {
        let parsed = LogKey::parse(key);
        let part = |part: Option<String>| part.unwrap_or_else(|| "-".to_owned());
        let found = format!(
            "{:?} {} {} {} {} {}",
            parsed.kind,
            part(parsed.account.map(str::to_owned)),
            part(parsed.region.map(str::to_owned)),
            part(parsed.organization.map(str::to_owned)),
            part(parsed.date.map(|date| date.to_string())),
            part(parsed.stamp.map(Timestamp::to_iso)),
        );
        assert_eq!(found, expected, "{key}");
    }

    #[test]
    fn both_layouts() {
        check(
            "AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/02/111122223333_CloudTrail_eu-west-1_20261102T0935Z_AbCdEfGhIjKlMnOp.json.gz",
            "Events 111122223333 eu-west-1 - 2026-11-02 2026-11-02T09:35:00Z",
        );
        check(
            "some/prefix/AWSLogs/o-exampleorgid/111122223333/CloudTrail/us-east-1/2026/11/02/111122223333_CloudTrail_us-east-1_20261102T0935Z_AbCdEfGhIjKlMnOp.json.gz",
            "Events 111122223333 us-east-1 o-exampleorgid 2026-11-02 2026-11-02T09:35:00Z",
        );
    }

    #[test]
    fn a_prefix_may_contain_anything() {
        check(
            "CloudTrail/2024/01/01/AWSLogs/x/AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/02/a.json",
            "Events 111122223333 us-east-1 - 2026-11-02 -",
        );
    }

    #[test]
    fn digests_and_insights() {
        check(
            "AWSLogs/111122223333/CloudTrail-Digest/us-east-1/2026/11/02/111122223333_CloudTrail-Digest_us-east-1_my_20200101T0000Z_trail_eu-west-1_20261102T100131Z.json.gz",
            "Digest 111122223333 us-east-1 - 2026-11-02 2026-11-02T10:01:31Z",
        );
        check(
            "111122223333_CloudTrail-Digest_us-east-1_main_us-east-1_20261102T100131Z_backfill.json.gz",
            "Digest 111122223333 us-east-1 - - 2026-11-02T10:01:31Z",
        );
        check(
            "AWSLogs/111122223333/CloudTrail-Insight/us-east-1/2026/11/02/111122223333_CloudTrail-Insight_us-east-1_20261102T1000Z_AbCdEfGhIjKlMnOp.json.gz",
            "Insight 111122223333 us-east-1 - 2026-11-02 2026-11-02T10:00:00Z",
        );
        check(
            "CloudTrail-Digest/us-east-1/renamed.json.gz",
            "Digest - us-east-1 - - -",
        );
    }

    #[test]
    fn flat_names_and_very_old_ones() {
        check(
            "111122223333_CloudTrail_us-east-1_20140101T1255ZHdkvFTXOA3Vnhbc.json.gz",
            "Events 111122223333 us-east-1 - - 2014-01-01T12:55:00Z",
        );
        check("event.json", "Events - - - - -");
        check(
            "dump_20261102T0935Z.jsonl",
            "Events - - - - 2026-11-02T09:35:00Z",
        );
        check("2026/11/02/a.json.gz", "Events - - - 2026-11-02 -");
        check("", "OtherFile - - - - -");
    }

    // Quirk 26.
    #[test]
    fn masked_accounts_and_regions_are_taken_as_they_are() {
        check(
            "XXXXXXXXXXX_CloudTrail_apiso-northsouth-3r_20261102T0935Z_AbCd.json.gz",
            "Events XXXXXXXXXXX apiso-northsouth-3r - - 2026-11-02T09:35:00Z",
        );
        check(
            "AWSLogs/ACCOUNT_ID_REDACTED/CloudTrail/***/2026/11/02/ACCOUNT_ID_REDACTED_CloudTrail_***_20261102T0935Z_AbCd.json.gz",
            "Events ACCOUNT_ID_REDACTED *** - 2026-11-02 2026-11-02T09:35:00Z",
        );
    }

    #[test]
    fn other_files() {
        check(
            "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/02/README.md",
            "OtherFile 111122223333 us-east-1 - 2026-11-02 -",
        );
        check(
            "AWSLogs/o-exampleorgid/111122223333/Config/us-east-1/2026/11/2/ConfigSnapshot/a.json.gz",
            "OtherFile 111122223333 - o-exampleorgid - -",
        );
        check("AWSLogs/111122223333/", "OtherFile 111122223333 - - - -");
        check(
            "AWSLogs/111122223333/moved-here/a.json.gz",
            "Events 111122223333 - - - -",
        );
        check("a.gz", "OtherFile - - - - -");
    }

    #[test]
    fn dates_and_stamps_that_no_calendar_has() {
        check("2026/13/02/a.json", "Events - - - - -");
        check(
            "2026/02/30/1_CloudTrail_x_20260230T0000Z_u.json",
            "Events 1 x - - -",
        );
        check("1_CloudTrail_x_20260228T2460Z_u.json", "Events 1 x - - -");
        check(
            "1_CloudTrail_x_20260228T2360Zü\u{0}\n../_.txt",
            "OtherFile - - - - -",
        );
    }
}
