//! A plan as it is stored: written before it is worked, so that an interrupted run goes on with the
//! same files in the same order, and kept afterwards, as the list of what was read.
//!
//! # Form
//! JSON Lines under `_retrial/plans/NNNNNN.jsonl`. The first line is the header, an object:
//!
//! | member | |
//! |---|---|
//! | `format` | 1 |
//! | `number` | the plan's number, from 1 |
//! | `delivery_date` | `2026-11-02`, or `unknown` for files without any date |
//! | `files`, `bytes` | how many lines follow, and the sum of their sizes |
//! | `sources` | the sources that its files are in, as the user gave them |
//! | `places` | a count for each account and Region (as the keys name them) and each folder that holds delivery days: `source` (an index into `sources`), `folder` (null beside CloudTrail's layout), `account`, `region` (or null), `files`, `bytes` |
//! | `unlisted` | what could not be listed: `source`, `key`, `message`, `retryable` |
//! | `set_aside` | files of other kinds: `digest`, `insight`, `notification`, `other` |
//! | `replaces` | the numbers of the earlier plans of the same delivery day that it takes the place of |
//! | `gone` | how many files those plans list that are not there any more |
//!
//! Each further line is a file in the plan's order, an array: source (index), key, size.

use std::collections::BTreeMap;

use retrial_cloudtrail::{Day, LogKey};
use retrial_storage::Store;
use serde::{Deserialize, Serialize};

use super::days::{delivery_date, parse_delivery_date};
use super::error::{PlanError, PlanProblem};
use super::file::{PlannedFile, layout_day};
use super::set_aside::{SetAside, Unlisted};
use crate::analyze::PipelineError;

/// The version of the form.
const FORMAT: u32 = 1;

/// How much of a plan is read to find its header, at first: a few hundred places.
const HEADER_BYTES: u64 = 64 << 10;

/// A stored plan, as the manifest names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct PlanRef {
    /// Its number, from 1.
    pub number: u64,
    /// Where it is stored.
    pub key: String,
    /// `2026-11-02`, or `unknown`.
    pub delivery_date: String,
    /// How many files it lists.
    pub files: u64,
    /// Their stored bytes.
    pub bytes: u64,
}

/// One delivery day's files that are to be read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct DayPlan {
    /// The delivery day; `None` for files without any date.
    pub day: Option<Day>,
    /// In stamp order, then by source and key; those without a moment first.
    pub files: Vec<PlannedFile>,
    /// What could not be listed: rows of `rejects`.
    pub unlisted: Vec<Unlisted>,
    /// What was left out since the plan before.
    pub set_aside: SetAside,
    /// The day is planned whole: the numbers of the completed plans whose batches it supersedes. Empty
    /// where only new files are planned.
    pub replaces: Vec<u64>,
    /// How many files the replaced plans list that are not there any more: their rows would go.
    pub gone: u64,
}

impl DayPlan {
    /// Stored bytes of all files.
    pub fn bytes(&self) -> u64 {
        self.files.iter().map(|file| file.size).sum()
    }

    /// How the manifest names it once it is stored.
    pub fn reference(&self, number: u64) -> PlanRef {
        PlanRef {
            number,
            key: plan_key(number),
            delivery_date: delivery_date(self.day),
            files: self.files.len() as u64,
            bytes: self.bytes(),
        }
    }

    /// The stored form. `sources` are the run's, as the user gave them.
    pub(crate) fn to_bytes(&self, number: u64, sources: &[String]) -> Vec<u8> {
        let named = NamedSources::of(self, sources);
        let header = PlanHeader {
            format: FORMAT,
            number,
            delivery_date: delivery_date(self.day),
            files: self.files.len() as u64,
            bytes: self.bytes(),
            places: self.places(&named),
            unlisted: named.unlisted(&self.unlisted),
            set_aside: self.set_aside,
            replaces: self.replaces.clone(),
            gone: self.gone,
            sources: named.names,
        };
        let mut lines = serde_json::json!(header).to_string();
        lines.push('\n');
        for file in &self.files {
            let source = named.positions.get(&file.source).copied();
            let line = (source.unwrap_or_default(), &file.key, file.size);
            lines.push_str(&serde_json::json!(line).to_string());
            lines.push('\n');
        }
        lines.into_bytes()
    }

    /// Reads a stored plan back; `sources` are the run's, as the user gave them.
    pub(crate) fn from_bytes(
        key: &str,
        bytes: &[u8],
        sources: &[String],
    ) -> Result<Self, PlanError> {
        let mut files = Vec::new();
        let header = read_plan(key, bytes, |_, FileLine(source, key, size)| {
            files.push(PlannedFile::new(source, key, size));
        })?;
        let positions = header.positions(key, sources)?;
        let position = |source: usize| positions.get(source).copied().unwrap_or_default();
        for file in &mut files {
            file.source = position(file.source);
        }
        let mut unlisted = header.unlisted;
        for entry in &mut unlisted {
            entry.source = position(entry.source);
        }
        Ok(Self {
            day: parse_delivery_date(&header.delivery_date).flatten(),
            files,
            unlisted,
            set_aside: header.set_aside,
            replaces: header.replaces,
            gone: header.gone,
        })
    }

    fn places(&self, named: &NamedSources) -> Vec<PlaceCount> {
        let mut counts = BTreeMap::<_, (u64, u64)>::new();
        for file in &self.files {
            let parsed = LogKey::parse(&file.key);
            let source = named.positions.get(&file.source).copied();
            let folder = layout_day(&file.key).map(|(folder, _)| folder);
            let place = (
                source.unwrap_or_default(),
                folder,
                parsed.account,
                parsed.region,
            );
            let count = counts.entry(place).or_default();
            count.0 += 1;
            count.1 += file.size;
        }
        let owned = |text: Option<&str>| text.map(str::to_owned);
        counts
            .into_iter()
            .map(
                |((source, folder, account, region), (files, bytes))| PlaceCount {
                    source,
                    folder: owned(folder),
                    account: owned(account),
                    region: owned(region),
                    files,
                    bytes,
                },
            )
            .collect()
    }
}

/// Where a plan is stored.
fn plan_key(number: u64) -> String {
    format!("_retrial/plans/{number:06}.jsonl")
}

/// The sources that a plan names: those that it has to do with, in the run's order.
struct NamedSources {
    names: Vec<String>,
    /// From the run's index to the plan's.
    positions: BTreeMap<usize, usize>,
}

impl NamedSources {
    fn of(plan: &DayPlan, sources: &[String]) -> Self {
        let files = plan.files.iter().map(|file| file.source);
        let unlisted = plan.unlisted.iter().map(|unlisted| unlisted.source);
        let mut positions: BTreeMap<usize, usize> =
            files.chain(unlisted).map(|source| (source, 0)).collect();
        let mut names = Vec::new();
        for (source, position) in &mut positions {
            *position = names.len();
            names.push(sources.get(*source).cloned().unwrap_or_default());
        }
        Self { names, positions }
    }

    fn unlisted(&self, unlisted: &[Unlisted]) -> Vec<Unlisted> {
        let mut unlisted = unlisted.to_vec();
        for entry in &mut unlisted {
            let position = self.positions.get(&entry.source).copied();
            entry.source = position.unwrap_or_default();
        }
        unlisted
    }
}

/// The first line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlanHeader {
    pub(crate) format: u32,
    pub(crate) number: u64,
    pub(crate) delivery_date: String,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) sources: Vec<String>,
    pub(crate) places: Vec<PlaceCount>,
    pub(crate) unlisted: Vec<Unlisted>,
    pub(crate) set_aside: SetAside,
    pub(crate) replaces: Vec<u64>,
    pub(crate) gone: u64,
}

/// What a plan reads of one account's Region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct PlaceCount {
    pub(crate) source: usize,
    pub(crate) folder: Option<String>,
    pub(crate) account: Option<String>,
    pub(crate) region: Option<String>,
    pub(crate) files: u64,
    pub(crate) bytes: u64,
}

/// A further line.
#[derive(Debug, Deserialize)]
pub(crate) struct FileLine(pub(crate) usize, pub(crate) String, pub(crate) u64);

impl PlanHeader {
    fn parse(key: &str, line: &[u8]) -> Result<Self, PlanError> {
        let damaged = |problem| PlanError::Damaged {
            key: key.to_owned(),
            line: 1,
            problem,
        };
        let line = line
            .strip_suffix(b"\n")
            .ok_or_else(|| damaged(PlanProblem::CutOff))?;
        // The version comes first: another one may have other members.
        let form: FormatOnly =
            serde_json::from_slice(line).map_err(|error| damaged(PlanProblem::Json(error)))?;
        if form.format != FORMAT {
            return Err(damaged(PlanProblem::Format(form.format)));
        }
        let header: Self =
            serde_json::from_slice(line).map_err(|error| damaged(PlanProblem::Json(error)))?;
        if parse_delivery_date(&header.delivery_date).is_none() {
            return Err(damaged(PlanProblem::DeliveryDate(header.delivery_date)));
        }
        let places = header.places.iter().map(|place| place.source);
        let unlisted = header.unlisted.iter().map(|entry| entry.source);
        match places.chain(unlisted).find(|s| *s >= header.sources.len()) {
            Some(source) => Err(damaged(PlanProblem::NoSource(source))),
            None => Ok(header),
        }
    }

    /// A source by its index, which was checked.
    pub(crate) fn source(&self, index: usize) -> &str {
        self.sources.get(index).map_or("", String::as_str)
    }

    /// For each of the plan's sources its index among the run's.
    fn positions(&self, key: &str, sources: &[String]) -> Result<Vec<usize>, PlanError> {
        let position = |name: &String| {
            let position = sources.iter().position(|source| source == name);
            position.ok_or_else(|| PlanError::SourceNotGiven {
                key: key.to_owned(),
                source_name: name.clone(),
            })
        };
        self.sources.iter().map(position).collect()
    }
}

#[derive(Deserialize)]
struct FormatOnly {
    format: u32,
}

/// Reads the header of a stored plan, and no more of it than that takes.
pub(crate) fn read_header(store: &dyn Store, key: &str) -> Result<PlanHeader, PipelineError> {
    let mut length = HEADER_BYTES;
    loop {
        let mut bytes = match store.read_range(key, 0, length) {
            Ok(bytes) => bytes,
            Err(error) if error.is_not_found() => {
                return Err(PlanError::Missing {
                    key: key.to_owned(),
                }
                .into());
            }
            Err(error) => return Err(error.into()),
        };
        let end = bytes.iter().position(|byte| *byte == b'\n');
        if end.is_none() && bytes.len() as u64 == length {
            length = length.saturating_mul(4);
            continue;
        }
        bytes.truncate(end.map_or(bytes.len(), |end| end + 1));
        return Ok(PlanHeader::parse(key, &bytes)?);
    }
}

/// Reads a whole stored plan, strictly: what is not exactly what was written is an error.
pub(crate) fn read_plan(
    key: &str,
    bytes: &[u8],
    mut each: impl FnMut(&PlanHeader, FileLine),
) -> Result<PlanHeader, PlanError> {
    let mut lines = bytes.split_inclusive(|byte| *byte == b'\n');
    let header = PlanHeader::parse(key, lines.next().unwrap_or_default())?;
    let (mut files, mut total) = (0, 0_u64);
    let damaged = |files: u64, problem| PlanError::Damaged {
        key: key.to_owned(),
        line: files + 2,
        problem,
    };
    for line in lines {
        let line = line
            .strip_suffix(b"\n")
            .ok_or_else(|| damaged(files, PlanProblem::CutOff))?;
        let file: FileLine = serde_json::from_slice(line)
            .map_err(|error| damaged(files, PlanProblem::Json(error)))?;
        if file.0 >= header.sources.len() {
            return Err(damaged(files, PlanProblem::NoSource(file.0)));
        }
        files += 1;
        total = total.saturating_add(file.2);
        each(&header, file);
    }
    if files != header.files {
        let expected = header.files;
        let found = files;
        return Err(damaged(files, PlanProblem::Files { expected, found }));
    }
    if total != header.bytes {
        let expected = header.bytes;
        let found = total;
        return Err(damaged(files, PlanProblem::Bytes { expected, found }));
    }
    Ok(header)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::days::parse_day;

    const KEY: &str = "_retrial/plans/000007.jsonl";

    fn sources(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| (*name).to_owned()).collect()
    }

    fn plan() -> DayPlan {
        let day = "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/02";
        DayPlan {
            day: parse_day("2026-11-02"),
            files: vec![
                PlannedFile::new(2, format!("{day}/a.json"), 10),
                PlannedFile::new(2, format!("{day}/b\"\\é.json"), 20),
                PlannedFile::new(0, "2_CloudTrail_x_20261102T0000Z_u.json".to_owned(), 30),
            ],
            unlisted: vec![Unlisted {
                source: 3,
                key: "shut/".to_owned(),
                message: "cannot list `shut/`: permission denied".to_owned(),
                retryable: true,
            }],
            set_aside: SetAside {
                digest: 1,
                insight: 2,
                notification: 3,
                other: 4,
            },
            replaces: vec![3, 5],
            gone: 9,
        }
    }

    #[test]
    fn a_plan_comes_back_as_it_was() {
        let names = sources(&["a", "unused", "b", "c"]);
        let bytes = plan().to_bytes(7, &names);
        assert_eq!(DayPlan::from_bytes(KEY, &bytes, &names).unwrap(), plan());
        // Given in another order, the sources are found by their names.
        let mut moved = plan();
        for file in &mut moved.files {
            file.source = if file.source == 2 { 0 } else { 4 };
        }
        moved.unlisted[0].source = 1;
        let other = sources(&["b", "c", "x", "y", "a"]);
        assert_eq!(DayPlan::from_bytes(KEY, &bytes, &other).unwrap(), moved);
        // The bytes follow from the plan alone.
        assert_eq!(plan().to_bytes(7, &names), bytes);
    }

    #[test]
    fn the_stored_form() {
        let bytes = plan().to_bytes(7, &sources(&["a", "unused", "b", "c"]));
        let text = String::from_utf8(bytes).unwrap();
        let lines: Vec<&str> = text.lines().collect();
        let header: serde_json::Value = serde_json::from_str(lines[0]).unwrap();
        let folder = "AWSLogs/111122223333/CloudTrail/us-east-1/";
        assert_eq!(
            header,
            serde_json::json!({
                "format": 1, "number": 7, "delivery_date": "2026-11-02", "files": 3, "bytes": 60,
                "sources": ["a", "b", "c"],
                "places": [
                    {"source": 0, "folder": null, "account": "2", "region": "x", "files": 1, "bytes": 30},
                    {"source": 1, "folder": folder, "account": "111122223333", "region": "us-east-1", "files": 2, "bytes": 30},
                ],
                "unlisted": [{"source": 2, "key": "shut/", "message": "cannot list `shut/`: permission denied", "retryable": true}],
                "set_aside": {"digest": 1, "insight": 2, "notification": 3, "other": 4},
                "replaces": [3, 5],
                "gone": 9,
            })
        );
        assert_eq!(
            lines[1..],
            [
                r#"[1,"AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/02/a.json",10]"#,
                r#"[1,"AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/02/b\"\\é.json",20]"#,
                r#"[0,"2_CloudTrail_x_20261102T0000Z_u.json",30]"#,
            ]
        );
        let reference = plan().reference(7);
        assert_eq!(
            serde_json::json!(reference),
            serde_json::json!({"number": 7, "key": KEY, "delivery_date": "2026-11-02", "files": 3, "bytes": 60})
        );
    }

    #[test]
    fn a_source_that_was_not_given_is_named() {
        let bytes = plan().to_bytes(7, &sources(&["a", "unused", "b", "c"]));
        let error = DayPlan::from_bytes(KEY, &bytes, &sources(&["a", "c"])).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the interrupted plan `_retrial/plans/000007.jsonl` reads from `b`, which was not given"
        );
    }

    #[test]
    fn damage_is_an_error_with_its_line() {
        let names = sources(&["a", "unused", "b", "c"]);
        let whole = String::from_utf8(plan().to_bytes(7, &names)).unwrap();
        let check = |text: &str, expect: &str| {
            let error = DayPlan::from_bytes(KEY, text.as_bytes(), &names).unwrap_err();
            assert_eq!(
                error.to_string(),
                format!("the stored plan `{KEY}` is damaged: {expect}")
            );
        };
        check("", "line 1: it is cut off");
        check(whole.trim_end(), "line 4: it is cut off");
        let (most, _) = whole.trim_end().rsplit_once('\n').unwrap();
        check(&format!("{most}\n"), "line 4: 2 files instead of 3");
        check(
            &format!("{whole}[0,\"x\",1]\n"),
            "line 6: 4 files instead of 3",
        );
        check(
            &whole.replace(",30]", ",31]"),
            "line 5: 61 bytes instead of 60",
        );
        check(
            &whole.replace("[0,\"2_", "[3,\"2_"),
            "line 4: the header names no source 3",
        );
        check(
            &whole.replace("\"source\":2", "\"source\":3"),
            "line 1: the header names no source 3",
        );
        check(
            &whole.replace("\"format\":1", "\"format\":2"),
            "line 1: its form is 2, which this version does not know",
        );
        check(
            &whole.replace("2026-11-02\"", "2026-11-32\""),
            "line 1: `2026-11-32` is no delivery date",
        );
        for broken in [
            whole.replace("\"gone\"", "\"went\""),
            whole.replace(",30]", ",-30]"),
            whole.replace(",30]", ",30,1]"),
            whole.replace(",30]", ",30]]"),
            whole.replace(",30]\n", ",30]\n\n"),
        ] {
            let error = DayPlan::from_bytes(KEY, broken.as_bytes(), &names).unwrap_err();
            assert!(
                matches!(
                    error,
                    PlanError::Damaged {
                        problem: PlanProblem::Json(_),
                        ..
                    }
                ),
                "{error}"
            );
            assert!(!error.to_string().contains('\n'));
        }
        // No prefix of a plan is a plan.
        for end in 0..whole.len() {
            let cut = &whole.as_bytes()[..end];
            assert!(DayPlan::from_bytes(KEY, cut, &names).is_err(), "{end}");
        }
    }
}
