//! Replaying the table `decisions` under two snapshots at once: what a proposed change of policies would
//! have done to the calls of the window.
//!
//! Rows are read, joined to their sessions and shared out as by [`replay()`](super::replay()). A call that the
//! change cannot touch costs its reading; of the others, equal questions are asked once for both
//! snapshots. What differs is counted, and may be written as the table `what_if`.
//!
//! # Memory
//! As of a replay, and the differing calls of some row groups.

mod changed_call;
mod part;
mod report;
mod table;

use std::sync::{Mutex, PoisonError};

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use rayon::prelude::*;
use retrial_cloudtrail::Timestamp;
use retrial_iam::Scratch;
use retrial_replay::{RecordedCall, RecordedRequest, WhatIf, WhatIfMemo};
use retrial_storage::Store;
use retrial_tables::{DecisionRow, ReadError};

use super::{MEMO_BYTES, OpenTable, Replay, Window, rows};
use crate::analyze::PipelineError;
use crate::manifest::ManifestFile;
use crate::sessions::Sessions;

pub use report::{WhatIfGroup, WhatIfKey, WhatIfReport};
pub use table::{WhatIfBasis, what_if_table};

use changed_call::{ChangedCall, Texts};
use part::{Joiner, Part};

/// The columns that are read.
const COLUMNS: &[&str] = &["account_id", "region"];

/// What is replayed, and under which snapshots.
#[derive(Clone, Copy)]
pub struct WhatIfRun<'s> {
    /// The two worlds.
    pub worlds: WhatIf<'s>,
    /// Where the output is.
    pub store: &'s dyn Store,
    /// Which calls.
    pub window: Window,
    /// What conditions on the time are asked with, in place of each call's own.
    pub now: Option<Timestamp>,
    /// How many threads work; never changes anything that comes out.
    pub threads: usize,
}

/// Replays the calls of an output under both snapshots; nothing is written.
///
/// # Errors
/// Where a committed file cannot be read.
pub fn what_if(run: &WhatIfRun<'_>, files: &[ManifestFile]) -> Result<WhatIfReport, PipelineError> {
    Pass::new(run, files).run(&mut |_| Ok(()))
}

/// Takes differing calls, in the order of the output's rows.
type Take<'t> = dyn FnMut(Vec<ChangedCall>) -> Result<(), PipelineError> + Send + 't;

/// One pass over the window.
struct Pass<'r, 's> {
    run: &'r WhatIfRun<'s>,
    replay: Replay<'r>,
    now: Option<Now>,
}

/// The moment that conditions on the time are asked with.
struct Now {
    text: String,
    epoch: String,
}

impl<'r, 's: 'r> Pass<'r, 's> {
    fn new(run: &'r WhatIfRun<'s>, files: &'r [ManifestFile]) -> Self {
        Pass {
            run,
            replay: Replay {
                replayer: run.worlds.current,
                store: run.store,
                files,
                window: run.window,
                threads: run.threads,
            },
            now: run.now.map(|now| Now {
                text: now.to_iso(),
                epoch: now.micros().div_euclid(1_000_000).to_string(),
            }),
        }
    }

    fn run(&self, take: &mut Take<'_>) -> Result<WhatIfReport, PipelineError> {
        let pool = rayon::ThreadPoolBuilder::new()
            .num_threads(self.run.threads)
            .build()?;
        pool.install(|| {
            let mut report = WhatIfReport::default();
            for date in self.replay.dates() {
                self.date(date, &mut report, take)?;
            }
            Ok(report)
        })
    }

    fn date(
        &self,
        date: &str,
        report: &mut WhatIfReport,
        take: &mut Take<'_>,
    ) -> Result<(), PipelineError> {
        let columns: Vec<&str> = rows::COLUMNS.iter().chain(COLUMNS).copied().collect();
        let tables = self.replay.open(date, &columns)?;
        let sessions = self.replay.sessions(date)?;
        let groups: Vec<(&OpenTable<'_>, usize)> = tables
            .iter()
            .flat_map(|table| (0..table.reader.row_groups()).map(move |group| (table, group)))
            .collect();
        let memos: Mutex<Vec<WhatIfMemo<'_>>> = Mutex::new(Vec::new());
        let mut joiner = Joiner::new(report);
        // So many at a time that their parts do not pile up.
        for groups in groups.chunks(rayon::current_num_threads()) {
            let parts: Vec<Part> = groups
                .par_iter()
                .map(|group| {
                    let kept = || memos.lock().unwrap_or_else(PoisonError::into_inner);
                    let memo = kept().pop();
                    let mut memo = memo.unwrap_or_else(|| WhatIfMemo::new(MEMO_BYTES / 4));
                    let part = self.group(*group, &sessions, &mut memo);
                    kept().push(memo);
                    part
                })
                .collect::<Result<_, _>>()?;
            for part in parts {
                take(joiner.add(part))?;
            }
        }
        take(joiner.finish())
    }

    fn group<'x>(
        &self,
        group: (&OpenTable<'_>, usize),
        sessions: &'x Sessions,
        memo: &mut WhatIfMemo<'x>,
    ) -> Result<Part, PipelineError> {
        let mut part = Part::default();
        let mut texts = Texts::default();
        super::each_call(group, |rows, at_edge, (arena, scratch)| {
            self.call(
                (rows, at_edge),
                (sessions, &mut *memo),
                (arena, scratch),
                &mut (&mut part, &mut texts),
            )
        })?;
        Ok(part)
    }

    fn call<'a, 'x, 'q>(
        &self,
        (rows, at_edge): (&[DecisionRow<'a>], bool),
        (sessions, memo): (&'x Sessions, &mut WhatIfMemo<'x>),
        (arena, scratch): (&'a Bump, &mut Scratch<'q>),
        (part, texts): &mut (&mut Part, &mut Texts),
    ) -> Result<(), ReadError>
    where
        'r: 'q,
        'q: 'a,
        's: 'q,
    {
        let question = rows::question(&self.replay, rows, sessions, arena)?;
        let (Some((call, session)), Some(row)) = (question, rows.first()) else {
            return Ok(());
        };
        let call = self.at_the_time(call, arena);
        let worlds = &self.run.worlds;
        let judgement = worlds.judge((&call, !at_edge), session, memo, (arena, scratch));
        if !at_edge {
            part.close();
        }
        let Some(judgement) = judgement else {
            part.pass(row.copy);
            return Ok(());
        };
        let shown = rows
            .iter()
            .filter(|row| row.action.is_some())
            .nth(judgement.shown)
            .unwrap_or(row);
        if at_edge {
            let changed = ChangedCall::new((row, shown), call.outcome, texts);
            part.add_open(changed, judgement);
        } else {
            let effect = judgement.effect(call.outcome);
            let changed = effect.map(|effect| {
                ChangedCall::new((row, shown), call.outcome, texts)
                    .with(effect, judgement.grounds.clone())
            });
            part.count(row.copy, changed);
        }
        Ok(())
    }

    /// The call as it would be asked at the moment that was given.
    fn at_the_time<'a>(&self, call: RecordedCall<'a>, arena: &'a Bump) -> RecordedCall<'a> {
        let Some(now) = &self.now else {
            return call;
        };
        let keys = [
            ("aws:CurrentTime", &now.text),
            ("aws:EpochTime", &now.epoch),
        ];
        let request = |request: &RecordedRequest<'a>| {
            let mut context = BumpVec::with_capacity_in(request.context.len() + 2, arena);
            let others = request.context.iter();
            context.extend(others.filter(|(key, _)| keys.iter().all(|(name, _)| name != key)));
            for (key, value) in keys {
                let value: &'a [&'a str] = arena.alloc([&*arena.alloc_str(value)]);
                context.push((key, value));
            }
            RecordedRequest {
                context: context.into_bump_slice(),
                ..*request
            }
        };
        RecordedCall {
            requests: arena.alloc_slice_fill_iter(call.requests.iter().map(request)),
            ..call
        }
    }
}
