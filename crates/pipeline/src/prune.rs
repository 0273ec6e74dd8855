//! Taking old delivery days out of an output.
//!
//! The output is claimed; then one swap of the manifest takes the files out and names the day before which
//! nothing is planned again, not even what could not be read then; then they are deleted. A crash in
//! between leaves objects that the manifest does not list, which the next run removes. A run that is at
//! work meanwhile is fenced, as by any other writer.

use std::collections::{BTreeMap, BTreeSet};

use retrial_cloudtrail::Day;
use retrial_storage::{Store, Version};
use retrial_tables::{Rejects, Sessions, Table};
use tracing::info;

use crate::analyze::PipelineError;
use crate::manifest::{Manifest, ManifestFile};
use crate::output::Output;
use crate::plan::{PlannedFile, day_number, parse_delivery_date};
use crate::retry::{Retry, Unread};

/// Sessions last 36 hours at most ([`crate::sessions`]): calls of a day may be of a session that was
/// issued two delivery days before it, which therefore stays until it is two days older.
const SESSION_DAYS: i32 = 2;

/// What a prune takes out of an output.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pruned {
    /// The delivery days that had files, ascending.
    pub days: Vec<String>,
    /// Files.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Their rows by table.
    pub rows: BTreeMap<String, u64>,
}

/// Takes the delivery days before a day out of an output. Files without a delivery date stay, and so
/// does what is to be replaced by the next run anyway.
pub struct Prune<'s> {
    store: &'s dyn Store,
    manifest: Manifest,
    version: Version,
    before: Day,
}

impl<'s> Prune<'s> {
    /// What is to be done, before it is.
    ///
    /// # Errors
    /// Where an interrupted run is still to be finished, or the day lies behind the last one that the
    /// output has: what is remembered across runs is of that day.
    pub fn plan(
        store: &'s dyn Store,
        (manifest, version): (Manifest, Version),
        before: Day,
    ) -> Result<Self, PipelineError> {
        if manifest.header.plan.is_some() {
            return Err(PipelineError::Interrupted);
        }
        let plans = manifest.header.plans.iter();
        let last = plans.filter_map(|plan| day_in(&plan.delivery_date)).max();
        if last.is_none_or(|last| before > last) {
            return Err(PipelineError::PruneAll { last });
        }
        Ok(Self {
            store,
            manifest,
            version,
            before,
        })
    }

    fn takes(&self, file: &ManifestFile) -> bool {
        let kept = if file.table == Sessions::NAME {
            SESSION_DAYS
        } else {
            0
        };
        let day = day_in(&file.delivery_date).map(day_number);
        !file.tail && day.is_some_and(|day| day < day_number(self.before) - kept)
    }

    /// What it takes out.
    pub fn pruned(&self) -> Pruned {
        let mut pruned = Pruned::default();
        let mut days = BTreeSet::new();
        for file in self.manifest.files.iter().filter(|file| self.takes(file)) {
            days.insert(file.delivery_date.clone());
            pruned.files += 1;
            pruned.bytes += file.bytes;
            *pruned.rows.entry(file.table.clone()).or_default() += file.rows;
        }
        pruned.days = days.into_iter().collect();
        pruned
    }

    /// Takes it out.
    ///
    /// # Errors
    /// [`PipelineError::Fenced`] where another writer came in between, and where the output refuses.
    pub fn run(self) -> Result<Pruned, PipelineError> {
        let pruned = self.pruned();
        let state = (self.manifest.clone(), Some(self.version.clone()));
        let mut output = Output::take_over(self.store, state)?;
        output.clean()?;
        let retry = self.retry()?;
        output.change(|Manifest { header, files }| {
            files.retain(|file| !self.takes(file));
            let stays = |date: &str| day_in(date).is_none_or(|day| day >= self.before);
            header.plans.retain(|plan| stays(&plan.delivery_date));
            if let Some(retry) = retry {
                header.retry = retry;
            }
            // The rejects of what is to be tried again: of nothing there are none.
            if header.retry.is_none() {
                files.retain(|file| !file.tail || file.table != Rejects::NAME);
            }
            let before = header.pruned_before.as_deref().and_then(day_in);
            header.pruned_before = before.max(Some(self.before)).map(|day| day.to_string());
        })?;
        info!(
            before = %self.before,
            days = pruned.days.len() as u64,
            files = pruned.files,
            bytes = pruned.bytes,
            "pruned"
        );
        Ok(pruned)
    }

    /// The list of what is to be tried again, without the log files of the days that go; `None` where
    /// there are none of them.
    fn retry(&self) -> Result<Option<Option<String>>, PipelineError> {
        let mut retry = Retry::load(self.store, self.manifest.header.retry.as_deref())?;
        let listed = retry.unread.len();
        let before = day_number(self.before);
        retry.unread.retain(|Unread { key, size, .. }| {
            let day = size.and_then(|size| PlannedFile::new(0, key.clone(), size).day_number());
            day.is_none_or(|day| day >= before)
        });
        if retry.unread.len() == listed {
            return Ok(None);
        }
        // The numbers of batches and the day name it as nothing else is: what was pruned once is not
        // listed again.
        let batch = self.manifest.header.next_batch.saturating_sub(1);
        let key = format!("_retrial/retry/{batch:06}-from-{}", self.before);
        retry.store(self.store, key).map(Some)
    }
}

fn day_in(date: &str) -> Option<Day> {
    parse_delivery_date(date).flatten()
}

#[cfg(test)]
mod tests {
    use retrial_storage::FolderStore;

    use super::*;
    use crate::plan::PlanRef;

    fn day(text: &str) -> Day {
        text.parse::<crate::plan::DayRange>().unwrap().first
    }

    fn file(table: &str, delivery_date: &str, tail: bool) -> ManifestFile {
        ManifestFile {
            table: table.to_owned(),
            event_date: delivery_date.to_owned(),
            delivery_date: delivery_date.to_owned(),
            batch: 1,
            tail,
            key: format!("{table}/event_date={delivery_date}/{tail}.parquet"),
            rows: 10,
            bytes: 100,
            snapshot_ids: vec!["s".to_owned()],
            mapping_versions: vec!["m".to_owned()],
            evaluator_versions: Vec::new(),
            supersedes: Vec::new(),
            strict: false,
        }
    }

    /// An output of the days 2026-11-01 to 2026-11-05, of undated files, and with a tail.
    fn output(store: &FolderStore) -> (Manifest, Version) {
        let mut manifest = Manifest::default();
        let days = (1..=5).map(|day| format!("2026-11-0{day}"));
        let dates = days.chain(["unknown".to_owned()]);
        for (number, date) in dates.enumerate() {
            for table in ["decisions", "sessions"] {
                manifest.files.push(file(table, &date, false));
            }
            manifest.header.plans.push(PlanRef {
                number: number as u64 + 1,
                key: format!("_retrial/plans/{number}.jsonl"),
                delivery_date: date,
                files: 1,
                bytes: 1,
            });
        }
        manifest.files.push(file("decisions", "2026-11-02", true));
        for key in manifest.keys() {
            if key != crate::MANIFEST_KEY {
                crate::work::create(store, key, b"here").unwrap();
            }
        }
        let version = manifest.swap(store, None).unwrap();
        (manifest, version)
    }

    fn keys(store: &FolderStore) -> BTreeSet<String> {
        let list = store.list("").unwrap();
        list.into_iter().map(|entry| entry.key).collect()
    }

    #[test]
    fn old_days_go() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::create(folder.path()).unwrap();
        let prune = Prune::plan(&store, output(&store), day("2026-11-04")).unwrap();
        let planned = prune.pruned();
        assert_eq!(planned.days, ["2026-11-01", "2026-11-02", "2026-11-03"]);
        // Decisions of three days, sessions of one.
        assert_eq!((planned.files, planned.bytes), (4, 400));
        let rows = [("decisions".to_owned(), 30), ("sessions".to_owned(), 10)];
        assert_eq!(planned.rows, BTreeMap::from(rows));
        let there = keys(&store);
        assert_eq!(prune.run().unwrap(), planned);
        let (after, version) = Manifest::read(&store).unwrap().unwrap();
        // A claim, and the swap.
        assert_eq!(after.header.generation, 2);
        assert_eq!(after.header.pruned_before.as_deref(), Some("2026-11-04"));
        assert_eq!(after.header.plans.len(), 3);
        let left = keys(&store);
        let listed: BTreeSet<String> = after.keys().into_iter().map(str::to_owned).collect();
        assert_eq!(left, listed);
        assert_eq!(there.len() - left.len(), 4 + 3);
        // The same again takes nothing, and an earlier day does not bring anything back.
        let again = Prune::plan(&store, (after, version), day("2026-11-02")).unwrap();
        assert_eq!(again.run().unwrap(), Pruned::default());
        let (after, _) = Manifest::read(&store).unwrap().unwrap();
        assert_eq!(after.header.pruned_before.as_deref(), Some("2026-11-04"));
    }

    #[test]
    fn what_could_not_be_read_goes_with_its_day() {
        let unread = |key: &str, size: Option<u64>| Unread {
            source: "logs".to_owned(),
            key: key.to_owned(),
            size,
            reason: "io".to_owned(),
            message: "refused".to_owned(),
            retryable: true,
            due: true,
        };
        let of_day = |day: u32| {
            let folder = format!("AWSLogs/111122223333/CloudTrail/eu-west-1/2026/11/0{day}");
            unread(&format!("{folder}/a.json.gz"), Some(7))
        };
        let check = |listed: &[Unread], left: &[Unread]| {
            let folder = tempfile::tempdir().unwrap();
            let store = FolderStore::create(folder.path()).unwrap();
            let (mut manifest, version) = output(&store);
            let retry = Retry {
                unread: listed.to_vec(),
            };
            let key = "_retrial/retry/000001-tail".to_owned();
            manifest.header.retry = retry.store(&store, key).unwrap();
            let rejects = file("rejects", "2026-11-05", true);
            crate::work::create(&store, &rejects.key, b"here").unwrap();
            manifest.files.push(rejects);
            let version = manifest.swap(&store, Some(version)).unwrap();
            let prune = Prune::plan(&store, (manifest, version), day("2026-11-04")).unwrap();
            prune.run().unwrap();
            let (after, _) = Manifest::read(&store).unwrap().unwrap();
            let retry = Retry::load(&store, after.header.retry.as_deref()).unwrap();
            assert_eq!(retry.unread, left);
            let has_rejects = after.files.iter().any(|file| file.table == "rejects");
            assert_eq!(has_rejects, !left.is_empty());
            let listed: BTreeSet<String> = after.keys().into_iter().map(str::to_owned).collect();
            assert_eq!(keys(&store), listed);
        };
        let undated = unread("export.json", Some(7));
        let unlisted = unread("AWSLogs/111122223333/", None);
        let stay = [of_day(4), of_day(5), undated, unlisted];
        check(&stay, &stay);
        check(&[&[of_day(3), of_day(1)], &stay[..]].concat(), &stay);
        check(&[of_day(3)], &[]);
    }

    #[test]
    fn what_cannot_be_pruned() {
        let folder = tempfile::tempdir().unwrap();
        let store = FolderStore::create(folder.path()).unwrap();
        let (manifest, version) = output(&store);
        let check = |manifest: &Manifest, before: &str, expect: &str| {
            let state = (manifest.clone(), version.clone());
            let error = Prune::plan(&store, state, day(before)).err().unwrap();
            assert!(error.to_string().contains(expect), "{error}");
        };
        check(
            &manifest,
            "2026-11-06",
            "its last delivery day is 2026-11-05",
        );
        let mut interrupted = manifest.clone();
        interrupted.header.plan = Some(crate::CurrentPlan {
            plan: manifest.header.plans[0].clone(),
            files_done: 0,
            first_batch: 1,
        });
        check(&interrupted, "2026-11-02", "interrupted");
        // Another writer comes in between.
        let prune = Prune::plan(
            &store,
            (manifest.clone(), version.clone()),
            day("2026-11-02"),
        );
        let mut other = manifest.clone();
        other.header.generation += 1;
        other.swap(&store, Some(version.clone())).unwrap();
        let there = keys(&store);
        let error = prune.unwrap().run().unwrap_err();
        assert!(matches!(error, PipelineError::Fenced { .. }), "{error}");
        assert_eq!(keys(&store), there);
    }
}
