//! The distinct needs of an output, in order, in bounded memory.
//!
//! Needs are held once each; when they come to [`HELD_BYTES`], they are written in their order to a
//! scratch file, and all is merged at the end: memory does not grow with the number of distinct
//! resources. A row whose need is held already is only counted: nothing of it is copied.

use std::collections::BTreeSet;
use std::fs::File;
use std::hash::{BuildHasher, Hash};
use std::io::{self, BufRead, BufReader, BufWriter, Seek};

use retrial_tables::{NeedRow, TextListMap};
use rustc_hash::{FxBuildHasher, FxHashMap};

use super::spilled::Spilled;
use crate::analyze::PipelineError;
use crate::merge::{Joined, SortedSource, read_ahead};
use crate::scratch::Scratch;

/// What the needs in memory may come to. A window whose needs all fit writes none of them and meets each again: a
/// slice, which is gone when needs are looked at, takes more.
const HELD_BYTES: usize = 16 << 20;

/// Needs that are read ahead, at most, while those before them are looked at.
const READ_AHEAD: usize = 1_024;

/// What a need costs beside its texts, as estimated.
const NEED_BYTES: usize = 2 * size_of::<(Asked, Sums)>();

/// What is asked of a role, in the order in which roles are worked.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
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
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Sample {
    pub(super) no_time: bool,
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

/// What a row asks of a role; the role may be better known than the row has it.
#[derive(Clone, Copy)]
struct Asking<'r> {
    row: &'r NeedRow<'r>,
    role_arn: &'r str,
}

impl<'r> Asking<'r> {
    fn resource_arn(self) -> &'r str {
        self.row.resource_arn.unwrap_or("*")
    }

    fn hash(self) -> u64 {
        let row = self.row;
        let texts = (row.account_id, self.role_arn, row.action);
        let resource = (self.resource_arn(), row.resource_known, row.spellings);
        FxBuildHasher.hash_one((texts, resource, Context(row.context)))
    }
}

/// Hashes and compares as what is kept of it does.
struct Context<'r>(TextListMap<'r>);

impl Hash for Context<'_> {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        for (key, values) in self.0 {
            (key, values).hash(state);
        }
    }
}

impl Context<'_> {
    fn is(&self, kept: &[(String, Vec<String>)]) -> bool {
        self.0.len() == kept.len()
            && self
                .0
                .iter()
                .zip(kept)
                .all(|((key, values), (known, others))| key == known && values == others.as_slice())
    }
}

impl Asked {
    fn is(&self, asking: Asking<'_>) -> bool {
        let Asking { row, role_arn } = asking;
        self.resource_arn == asking.resource_arn()
            && self.action == row.action
            && self.role_arn == role_arn
            && self.account_id.as_deref() == row.account_id
            && self.resource_known == row.resource_known
            && *row.spellings == *self.spellings
            && Context(row.context).is(&self.context)
    }

    fn of(asking: Asking<'_>) -> Self {
        let Asking { row, role_arn } = asking;
        let context = row.context.iter();
        Self {
            account_id: row.account_id.map(str::to_owned),
            role_arn: role_arn.to_owned(),
            action: row.action.to_owned(),
            resource_arn: asking.resource_arn().to_owned(),
            resource_known: row.resource_known,
            spellings: row
                .spellings
                .iter()
                .map(|text| (*text).to_owned())
                .collect(),
            context: context
                .map(|(key, values)| {
                    let values = values.iter().map(|value| (*value).to_owned());
                    (key.to_owned(), values.collect())
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
    fn of(row: &NeedRow<'_>) -> Self {
        Self {
            jobs: 1,
            required: row.required,
            mapping: Some(row.mapping.to_owned()),
            last_time: row.event_time,
            event_names: row.event_name.map(str::to_owned).into_iter().collect(),
            first: Sample::of(row),
        }
    }

    /// Takes in one more row.
    fn see(&mut self, row: &NeedRow<'_>) {
        self.jobs += 1;
        self.required |= row.required;
        self.last_time = self.last_time.max(row.event_time);
        if let Some(name) = row.event_name
            && !self.event_names.contains(name)
        {
            self.event_names.insert(name.to_owned());
        }
        if surety(Some(row.mapping)) > surety(self.mapping.as_deref()) {
            self.mapping = Some(row.mapping.to_owned());
        }
        // Most rows come later than the first one, and that is all there is to know of them.
        let time = (row.event_time.is_none(), row.event_time);
        if time <= (self.first.no_time, self.first.time) {
            let sample = Sample::of(row);
            if sample < self.first {
                self.first = sample;
            }
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

impl Sample {
    fn of(row: &NeedRow<'_>) -> Self {
        let owned = |text: Option<&str>| text.map(str::to_owned);
        Self {
            no_time: row.event_time.is_none(),
            time: row.event_time,
            event_id: owned(row.event_id),
            event_source: owned(row.event_source),
            event_name: owned(row.event_name),
            why: row.why.to_owned(),
            source_field: owned(row.source_field),
            page: row.page.to_owned(),
        }
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
    held: Vec<Held>,
    /// Where the last need of each hash stands.
    places: FxHashMap<u64, usize>,
    bytes: usize,
    spilled: Vec<File>,
}

/// A need in memory.
struct Held {
    need: DistinctNeed,
    /// Where the one before it stands that has the same hash.
    before: Option<usize>,
}

impl<'s> DistinctNeeds<'s> {
    pub(crate) fn new(scratch: &'s Scratch) -> Self {
        Self::with_cap(scratch, HELD_BYTES)
    }

    fn with_cap(scratch: &'s Scratch, cap: usize) -> Self {
        Self {
            scratch,
            cap,
            held: Vec::new(),
            places: FxHashMap::default(),
            bytes: 0,
            spilled: Vec::new(),
        }
    }

    /// Counts the need of a row, whose role may be better known than the row has it.
    pub(crate) fn add(&mut self, row: &NeedRow<'_>, role_arn: &str) -> Result<(), PipelineError> {
        let asking = Asking { row, role_arn };
        let hash = asking.hash();
        let last = self.places.get(&hash).copied();
        let mut place = last;
        while let Some(held) = place.and_then(|place| self.held.get_mut(place)) {
            let (asked, sums) = &mut held.need;
            if asked.is(asking) {
                sums.see(row);
                return Ok(());
            }
            place = held.before;
        }
        let need = (Asked::of(asking), Sums::of(row));
        self.bytes += NEED_BYTES + need.0.text_bytes() + need.1.text_bytes();
        self.places.insert(hash, self.held.len());
        self.held.push(Held { need, before: last });
        if self.bytes >= self.cap {
            self.spill()?;
        }
        Ok(())
    }

    /// Gives all needs in order. The next ones are read while one is looked at.
    pub(crate) fn finish(
        self,
        mut each: impl FnMut(DistinctNeed) -> Result<(), PipelineError>,
    ) -> Result<(), PipelineError> {
        let mut in_order = self.in_order()?;
        let portion = || {
            let mut needs = Vec::with_capacity(READ_AHEAD);
            while needs.len() < READ_AHEAD
                && let Some(need) = in_order.next()?
            {
                needs.push(need);
            }
            Ok(needs)
        };
        read_ahead(portion, |needs| needs.into_iter().try_for_each(&mut each))
    }

    fn in_order(mut self) -> Result<Joined<'s, DistinctNeed>, PipelineError> {
        let scratch = self.scratch;
        let held = self.take_held();
        let mut sources: Vec<SortedSource<'_, DistinctNeed>> = Vec::new();
        for mut file in self.spilled {
            file.rewind().map_err(|cause| scratch.failed(cause))?;
            let mut file = BufReader::new(file);
            sources.push(Box::new(std::iter::from_fn(move || {
                let need = next_need(&mut file).transpose()?;
                Some(need.map_err(|cause| scratch.failed(cause)))
            })));
        }
        sources.push(Box::new(held.into_iter().map(Ok)));
        Joined::new(sources, |(last, sums), (asked, more)| {
            if *last != asked {
                return Some((asked, more));
            }
            sums.add(more);
            None
        })
    }

    /// What is in memory, in order.
    fn take_held(&mut self) -> Vec<DistinctNeed> {
        self.bytes = 0;
        self.places.clear();
        let held = std::mem::take(&mut self.held).into_iter();
        let mut needs: Vec<DistinctNeed> = held.map(|held| held.need).collect();
        needs.sort_unstable();
        needs
    }

    fn spill(&mut self) -> Result<(), PipelineError> {
        let scratch = self.scratch;
        let mut out = BufWriter::new(scratch.file()?);
        let failed = |cause| scratch.failed(cause);
        for need in self.take_held() {
            need.write(&mut out).map_err(failed)?;
        }
        let file = out.into_inner().map_err(io::Error::from).map_err(failed)?;
        self.spilled.push(file);
        Ok(())
    }
}

/// The next need of a scratch file; `None` at its end.
fn next_need(file: &mut impl BufRead) -> io::Result<Option<DistinctNeed>> {
    match file.fill_buf()?.is_empty() {
        true => Ok(None),
        false => DistinctNeed::read(file).map(Some),
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
                needs.add(&row, &role).unwrap();
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
