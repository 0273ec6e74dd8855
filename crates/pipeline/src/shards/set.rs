//! All shards of an output, and whether they belong together.

use std::collections::{BTreeMap, BTreeSet};

use retrial_storage::Store;

use super::{SHARDS_FOLDER, ShardInputs, ShardState, shard_folder};
use crate::analyze::PipelineError;
use crate::manifest::{Manifest, ManifestFile};
use crate::plan::{DayPlan, Shard, parse_delivery_date};
use crate::retry::{Retry, Unread};
use crate::waiting::Waiting;

/// Why shards cannot be merged, or a shard not be worked.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ShardProblem {
    /// The output is there already.
    #[error("`{location}` is an output already: shards begin one")]
    OutputThere {
        /// The output.
        location: String,
    },
    /// The output's shards are being merged.
    #[error("the {count} shards of `{location}` are being merged, which was interrupted")]
    Merging {
        /// The output.
        location: String,
        /// How many shards.
        count: u32,
    },
    /// The output is one shard of another.
    #[error("`{location}` is shard {shard} of an output, to be merged with the others")]
    IsShard {
        /// The shard's output.
        location: String,
        /// Which.
        shard: Shard,
    },
    /// A shard has not been worked.
    #[error("shard {shard} is missing")]
    Missing {
        /// Which.
        shard: Shard,
    },
    /// A shard has not been worked to its end.
    #[error("shard {shard} has not been worked to its end")]
    Unfinished {
        /// Which.
        shard: Shard,
    },
    /// There are shards of another number.
    #[error("`{folder}` is there, which is none of {count} shards")]
    OtherCount {
        /// Where it stands in the output.
        folder: String,
        /// How many were to be merged.
        count: u32,
    },
    /// A shard was made of something else, or under something else.
    #[error("shard {shard} was made {of} `{found}`, and not `{expected}`")]
    Different {
        /// Which.
        shard: Shard,
        /// In which respect.
        of: &'static str,
        /// What it was made of.
        found: String,
        /// What was asked for.
        expected: String,
    },
    /// A log file is not what a shard has read.
    #[error("the log file `{key}` has changed since its shard read it")]
    Changed {
        /// The file.
        key: String,
    },
}

impl ShardInputs {
    /// In which respect `self` differs from what is expected, and how.
    pub(crate) fn check(&self, shard: Shard, expected: &Self) -> Result<(), ShardProblem> {
        let strict = |strict: bool| {
            match strict {
                true => "--strict",
                false => "no --strict",
            }
            .to_owned()
        };
        let parts = [
            (
                "of the sources",
                self.sources.join(" "),
                expected.sources.join(" "),
            ),
            (
                "under the snapshot",
                self.snapshot_id.clone(),
                expected.snapshot_id.clone(),
            ),
            (
                "with the mapping",
                self.mapping_version.clone(),
                expected.mapping_version.clone(),
            ),
            ("with", strict(self.strict), strict(expected.strict)),
        ];
        for (of, found, expected) in parts {
            if found != expected {
                return Err(ShardProblem::Different {
                    shard,
                    of,
                    found,
                    expected,
                });
            }
        }
        Ok(())
    }
}

/// A shard as it was left.
pub(crate) struct ShardOutput<'r> {
    pub(crate) store: &'r dyn Store,
    pub(crate) manifest: Manifest,
    pub(crate) state: ShardState,
}

impl<'r> ShardOutput<'r> {
    fn open(
        store: &'r dyn Store,
        shard: Shard,
        (inputs, filter): (&ShardInputs, &str),
    ) -> Result<Self, PipelineError> {
        let missing = || ShardProblem::Missing { shard };
        let (manifest, _) = Manifest::read(store)?.ok_or_else(missing)?;
        let state = manifest.header.shard.clone().ok_or_else(missing)?;
        if !state.complete || state.shard != shard {
            return Err(ShardProblem::Unfinished { shard }.into());
        }
        state.inputs.check(shard, inputs)?;
        let found = manifest.header.filter.clone().unwrap_or_default();
        if found != filter {
            return Err(ShardProblem::Different {
                shard,
                of: "with the filter",
                found,
                expected: filter.to_owned(),
            }
            .into());
        }
        Ok(Self {
            store,
            manifest,
            state,
        })
    }

    /// The files that count and are no tail, of a delivery day.
    pub(crate) fn files_of<'s>(&'s self, date: &'s str) -> impl Iterator<Item = &'s ManifestFile> {
        let files = self.manifest.files.iter();
        files.filter(move |file| !file.tail && file.delivery_date == date)
    }
}

/// All shards of an output.
pub(crate) struct ShardSet<'r> {
    pub(crate) shards: Vec<ShardOutput<'r>>,
    /// The log files, by key, of which calls still waited when their shard ended.
    pub(crate) waiting: BTreeSet<String>,
    /// What the shards could not read.
    pub(crate) unread: Vec<Unread>,
}

impl<'r> ShardSet<'r> {
    /// Opens the shards of an output, each in its store, in their order.
    pub(crate) fn open(
        output: &dyn Store,
        stores: &'r [Box<dyn Store>],
        expected: (&ShardInputs, &str),
        scratch: &crate::scratch::Scratch,
    ) -> Result<Self, PipelineError> {
        let count = u32::try_from(stores.len()).unwrap_or(u32::MAX);
        let mut known = BTreeSet::new();
        let mut set = Self {
            shards: Vec::new(),
            waiting: BTreeSet::new(),
            unread: Vec::new(),
        };
        for (index, store) in (0..).zip(stores) {
            let shard = Shard { index, count };
            known.insert(shard_folder(shard));
            let shard = ShardOutput::open(store.as_ref(), shard, expected)?;
            set.take(&shard, scratch)?;
            set.shards.push(shard);
        }
        for entry in output.list(SHARDS_FOLDER)? {
            let rest = entry.key.strip_prefix(SHARDS_FOLDER).unwrap_or_default();
            let name = rest.split('/').next().unwrap_or_default();
            let folder = format!("{SHARDS_FOLDER}{name}");
            if !known.contains(&folder) {
                return Err(ShardProblem::OtherCount { folder, count }.into());
            }
        }
        Ok(set)
    }

    /// What a shard was left with.
    fn take(
        &mut self,
        shard: &ShardOutput<'r>,
        scratch: &crate::scratch::Scratch,
    ) -> Result<(), PipelineError> {
        let header = &shard.manifest.header;
        let retry = Retry::load(shard.store, header.retry.as_deref())?;
        self.unread.extend(retry.unread);
        let mut waiting = Waiting::load(shard.store, scratch, header.waiting.as_ref())?;
        while let Some(record) = waiting.pop()? {
            if !self.waiting.contains(&*record.log_file) {
                self.waiting.insert(record.log_file.as_ref().to_owned());
            }
        }
        Ok(())
    }

    /// The delivery days of all plans, in order; files without any date first.
    pub(crate) fn days(&self) -> Vec<String> {
        let plans = self
            .shards
            .iter()
            .flat_map(|shard| &shard.manifest.header.plans);
        let days: BTreeMap<_, String> = plans
            .filter_map(|plan| {
                let day = parse_delivery_date(&plan.delivery_date)?;
                Some((day.map(crate::plan::day_number), plan.delivery_date.clone()))
            })
            .collect();
        days.into_values().collect()
    }

    /// What all shards have read of a delivery day, in the order of one plan.
    pub(crate) fn plan(&self, date: &str, sources: &[String]) -> Result<DayPlan, PipelineError> {
        let mut all = DayPlan {
            day: parse_delivery_date(date).flatten(),
            ..DayPlan::default()
        };
        for shard in &self.shards {
            let plans = shard.manifest.header.plans.iter();
            for plan in plans.filter(|plan| plan.delivery_date == date) {
                let object = shard.store.read(&plan.key)?;
                let object = object.ok_or_else(|| PipelineError::lost(&plan.key))?;
                let plan = DayPlan::from_bytes(&plan.key, &object.bytes, sources)?;
                all.files.extend(plan.files);
                all.set_aside.merge(plan.set_aside);
            }
        }
        all.files.sort_unstable_by(|a, b| a.order().cmp(&b.order()));
        all.files
            .dedup_by(|a, b| a.source == b.source && a.key == b.key);
        Ok(all)
    }
}
