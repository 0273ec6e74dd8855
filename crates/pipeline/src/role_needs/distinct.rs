//! The distinct needs of an output, in order, in bounded memory.
//!
//! Needs are held in a map; when they come to [`HELD_BYTES`], they are written in their order to a
//! scratch file, and all is merged at the end: memory does not grow with the number of distinct
//! resources.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, BufRead, BufReader, BufWriter, Seek, Write};

use retrial_tables::NeedRow;
use serde::{Deserialize, Serialize};

use crate::analyze::PipelineError;
use crate::merge::{SortedSource, merge};
use crate::scratch::Scratch;

/// What the needs in memory may come to.
const HELD_BYTES: usize = 8 << 20;

/// What a need costs beside its texts, as estimated.
const NEED_BYTES: usize = 2 * size_of::<(Asked, Sums)>();

/// What is asked of a role, in the order in which roles are worked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Asked {
    pub(crate) account_id: Option<String>,
    pub(crate) role_arn: String,
    pub(crate) action: String,
    pub(crate) resource_arn: String,
    pub(crate) resource_known: bool,
    pub(crate) spellings: Vec<String>,
    pub(crate) context: Vec<(String, Vec<String>)>,
}

/// What the jobs that need it have in common.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Sums {
    pub(crate) jobs: u64,
    pub(crate) required: bool,
    pub(crate) mapping: Option<String>,
    pub(crate) last_time: Option<i64>,
    /// The kinds of jobs.
    pub(crate) event_names: BTreeSet<String>,
    /// The first of them.
    pub(crate) first: Sample,
}

/// One job's need: the least is the first.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Sample {
    no_time: bool,
    pub(crate) time: Option<i64>,
    pub(crate) event_id: Option<String>,
    pub(crate) event_source: Option<String>,
    pub(crate) event_name: Option<String>,
    pub(crate) why: String,
    pub(crate) source_field: Option<String>,
    pub(crate) page: String,
}

/// A need, once for all jobs that have it.
pub(crate) type DistinctNeed = (Asked, Sums);

impl Asked {
    /// Of a row; `role_arn` may be better known than the row has it.
    pub(crate) fn of(row: &NeedRow<'_>, role_arn: &str) -> Self {
        let context = row.context.iter();
        Self {
            account_id: row.account_id.map(str::to_owned),
            role_arn: role_arn.to_owned(),
            action: row.action.to_owned(),
            resource_arn: row.resource_arn.unwrap_or("*").to_owned(),
            resource_known: row.resource_known,
            spellings: row
                .spellings
                .iter()
                .map(|text| (*text).to_owned())
                .collect(),
            context: context
                .map(|(key, values)| {
                    let values = values.iter().map(|value| (*value).to_owned());
                    ((*key).to_owned(), values.collect())
                })
                .collect(),
        }
    }

    fn text_bytes(&self) -> usize {
        let context = self.context.iter().map(|(key, values)| {
            key.len() + values.iter().map(|value| value.len() + 48).sum::<usize>()
        });
        self.role_arn.len()
            + self.action.len()
            + self.resource_arn.len()
            + context.sum::<usize>()
            + self.spellings.iter().map(String::len).sum::<usize>()
    }
}

impl Sums {
    /// Of one row.
    pub(crate) fn of(row: &NeedRow<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            jobs: 1,
            required: row.required,
            mapping: Some(row.mapping.to_owned()),
            last_time: row.event_time,
            event_names: row.event_name.map(str::to_owned).into_iter().collect(),
            first: Sample {
                no_time: row.event_time.is_none(),
                time: row.event_time,
                event_id: owned(row.event_id),
                event_source: owned(row.event_source),
                event_name: owned(row.event_name),
                why: row.why.to_owned(),
                source_field: owned(row.source_field),
                page: row.page.to_owned(),
            },
        }
    }

    fn add(&mut self, other: Self) {
        self.jobs += other.jobs;
        self.required |= other.required;
        self.last_time = self.last_time.max(other.last_time);
        self.event_names.extend(other.event_names);
        if surety(other.mapping.as_deref()) > surety(self.mapping.as_deref()) {
            self.mapping = other.mapping;
        }
        if other.first < self.first {
            self.first = other.first;
        }
    }

    fn text_bytes(&self) -> usize {
        let first = &self.first;
        let length = |text: &Option<String>| text.as_deref().map_or(0, str::len);
        256 + first.why.len()
            + first.page.len()
            + length(&first.event_id)
            + length(&first.source_field)
    }
}

fn surety(mapping: Option<&str>) -> u8 {
    match mapping {
        Some("verified") => 2,
        Some("derived") => 1,
        _ => 0,
    }
}

/// Needs on their way to be distinct.
pub(crate) struct DistinctNeeds<'s> {
    scratch: &'s Scratch,
    cap: usize,
    held: BTreeMap<Asked, Sums>,
    bytes: usize,
    spilled: Vec<File>,
}

impl<'s> DistinctNeeds<'s> {
    pub(crate) fn new(scratch: &'s Scratch) -> Self {
        Self::with_cap(scratch, HELD_BYTES)
    }

    fn with_cap(scratch: &'s Scratch, cap: usize) -> Self {
        Self {
            scratch,
            cap,
            held: BTreeMap::new(),
            bytes: 0,
            spilled: Vec::new(),
        }
    }

    /// Counts a need.
    pub(crate) fn add(&mut self, asked: Asked, sums: Sums) -> Result<(), PipelineError> {
        if let Some(known) = self.held.get_mut(&asked) {
            known.add(sums);
            return Ok(());
        }
        self.bytes += NEED_BYTES + asked.text_bytes() + sums.text_bytes();
        self.held.insert(asked, sums);
        if self.bytes >= self.cap {
            self.spill()?;
        }
        Ok(())
    }

    /// Gives all needs in order.
    pub(crate) fn finish(
        self,
        mut each: impl FnMut(DistinctNeed) -> Result<(), PipelineError>,
    ) -> Result<(), PipelineError> {
        let scratch = self.scratch;
        let mut sources: Vec<SortedSource<'_, DistinctNeed>> = Vec::new();
        for mut file in self.spilled {
            file.rewind().map_err(|cause| scratch.failed(cause))?;
            let lines = BufReader::new(file).lines();
            sources.push(Box::new(lines.map(|line| {
                let need =
                    line.and_then(|line| serde_json::from_str(&line).map_err(io::Error::from));
                need.map_err(|cause| scratch.failed(cause))
            })));
        }
        sources.push(Box::new(self.held.into_iter().map(Ok)));
        let mut last: Option<DistinctNeed> = None;
        merge(sources, |(asked, sums)| {
            match &mut last {
                Some((of, known)) if *of == asked => known.add(sums),
                _ => {
                    if let Some(done) = last.replace((asked, sums)) {
                        each(done)?;
                    }
                }
            }
            Ok(())
        })?;
        last.map_or(Ok(()), each)
    }

    fn spill(&mut self) -> Result<(), PipelineError> {
        let mut out = BufWriter::new(self.scratch.file()?);
        let failed = |cause| self.scratch.failed(cause);
        self.bytes = 0;
        for need in std::mem::take(&mut self.held) {
            serde_json::to_writer(&mut out, &need)
                .map_err(io::Error::from)
                .and_then(|()| out.write_all(b"\n"))
                .map_err(failed)?;
        }
        let file = out.into_inner().map_err(io::Error::from).map_err(failed)?;
        self.spilled.push(file);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<'r>(role_arn: &'r str, resource_arn: &'r str, time: i64, id: &'r str) -> NeedRow<'r> {
        NeedRow {
            role_arn,
            action: "s3:GetObject",
            resource_arn: Some(resource_arn),
            event_time: Some(time),
            event_id: Some(id),
            event_name: Some("CreateTrainingJob"),
            mapping: "verified",
            required: true,
            ..NeedRow::default()
        }
    }

    /// Whatever is spilled, each need comes once, in order, with all of its jobs.
    #[test]
    fn spilled_or_not_they_are_the_same() {
        let folder = tempfile::tempdir().unwrap();
        let scratch = Scratch::new(folder.path()).unwrap();
        let check = |cap: usize| {
            let mut needs = DistinctNeeds::with_cap(&scratch, cap);
            for number in 0..40_i64 {
                let role = format!("arn:aws:iam::111122223333:role/r{}", number % 3);
                let resource = format!("arn:aws:s3:::b/{}*", number % 7);
                let id = format!("e{number:02}");
                let row = row(&role, &resource, 100 - number, &id);
                needs.add(Asked::of(&row, &role), Sums::of(&row)).unwrap();
            }
            let mut all = Vec::new();
            needs
                .finish(|need| {
                    all.push(need);
                    Ok(())
                })
                .unwrap();
            all
        };
        let held = check(usize::MAX);
        assert_eq!(held.len(), 21);
        assert_eq!(held.iter().map(|(_, sums)| sums.jobs).sum::<u64>(), 40);
        // The first of r0's needs on b/0: of 0, 21 the one with the least time.
        let (asked, sums) = &held[0];
        assert_eq!(asked.resource_arn, "arn:aws:s3:::b/0*");
        assert_eq!((sums.jobs, sums.last_time), (2, Some(100)));
        assert_eq!(sums.first.event_id.as_deref(), Some("e21"));
        assert_eq!(check(1), held);
        assert_eq!(check(20_000), held);
    }
}
