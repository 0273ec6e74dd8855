//! What a record's rows need of other records: those that were kept, the sessions that were issued,
//! and those that wait; and what could not be read at all.
//!
//! All of it is in the output as it stood at the last commit, and is built from there: at the start of
//! a run, and where a batch is begun anew.

use retrial_storage::Store;

use crate::analyze::PipelineError;
use crate::duplicates::{Duplicates, Novelty};
use crate::framing::FramedPart;
use crate::manifest::Header;
use crate::output::Output;
use crate::retry::Retry;
use crate::scratch::Scratch;
use crate::sessions::{BEFORE, SessionFiles, Sessions};
use crate::slice::{Fate, FilePart};
use crate::waiting::{DeliveryDay, Waiting, WaitingRecord};

/// How much further back sessions are loaded than a call can join them: each can have been asked for
/// with another, and that one with another again. People chain two or three.
const CHAINS: u32 = 3 * BEFORE;

/// The state that is carried from one record to another.
pub(crate) struct Joins<'r> {
    pub(crate) duplicates: Duplicates<'r>,
    pub(crate) sessions: Sessions,
    /// The minute from which on the issued sessions are known.
    sessions_from: Option<u32>,
    pub(crate) waiting: Waiting<'r>,
    /// How many of the waiting records, as they stood at the last commit, another process has read.
    carried: u64,
    pub(crate) retry: Retry,
}

impl<'r> Joins<'r> {
    /// The state as it was committed.
    pub(crate) fn open(
        store: &'r dyn Store,
        scratch: &'r Scratch,
        header: &Header,
    ) -> Result<Self, PipelineError> {
        let waiting = Waiting::load(store, scratch, header.waiting.as_ref())?;
        Ok(Self {
            duplicates: Duplicates::open(store, &header.duplicates, scratch)?,
            sessions: Sessions::default(),
            sessions_from: None,
            carried: waiting.carried(),
            waiting,
            retry: Retry::load(store, header.retry.as_deref())?,
        })
    }

    /// The same, where this process has made some of it.
    pub(crate) fn reopen(
        &mut self,
        output: &Output<'r>,
        scratch: &'r Scratch,
    ) -> Result<(), PipelineError> {
        let (retry, carried) = (std::mem::take(&mut self.retry), self.carried);
        let again = Self::open(output.store(), scratch, output.header())?;
        *self = Self {
            waiting: again.waiting.with_carried(carried),
            carried,
            // It changes with commits and plans, not with batches.
            retry,
            ..again
        };
        Ok(())
    }

    /// The state is committed as it stands.
    pub(crate) fn committed(&mut self) {
        self.carried = self.waiting.carried();
    }

    /// Sees to it that the sessions are known that calls from `minute` on can have, and those that wait.
    pub(crate) fn know_sessions(
        &mut self,
        output: &Output<'_>,
        minute: u32,
    ) -> Result<(), PipelineError> {
        let minute = self
            .waiting
            .earliest_minute()
            .map_or(minute, |waiting| waiting.min(minute));
        let from = minute.saturating_sub(BEFORE);
        if self.sessions_from.is_none_or(|known| from < known) {
            self.sessions = Sessions::default();
            let from = from.saturating_sub(CHAINS);
            let files = SessionFiles {
                store: output.store(),
                files: output.files().iter().collect(),
            };
            self.sessions.load(&[files], from)?;
        }
        self.sessions.forget_before(minute);
        self.sessions_from = Some(from);
        Ok(())
    }

    /// From which minute on sessions are to be known for calls from `minute` on, and those that wait.
    pub(crate) fn sessions_from(&self, minute: u32) -> u32 {
        let waiting = self.waiting.earliest_minute();
        let minute = waiting.map_or(minute, |waiting| waiting.min(minute));
        minute.saturating_sub(BEFORE).saturating_sub(CHAINS)
    }

    /// The sessions are those of several outputs, as far as they are needed for now.
    pub(crate) fn set_sessions(&mut self, sessions: Sessions) {
        self.sessions = sessions;
        self.sessions_from = None;
    }

    /// The sessions that a round issued, in the order of the plan. Those that records issued which are
    /// there already have been added with them; `novelties` come in the order of
    /// [`crate::framing::issuing`].
    pub(crate) fn add_sessions(&mut self, framed: &[FramedPart<'_>], novelties: Vec<Novelty>) {
        let mut novelties = novelties.into_iter();
        for issued in framed.iter().flat_map(|framed| &framed.issued) {
            let novelty = issued.fingerprint.and_then(|_| novelties.next());
            if novelty != Some(Novelty::Duplicate) {
                let (_, row) = &issued.row;
                self.sessions.add(row, issued.minute);
            }
        }
    }

    /// The records of a round that are held wait from here on: their texts are taken.
    pub(crate) fn hold(
        &mut self,
        delivery: DeliveryDay,
        parts: &mut [FilePart<'_>],
    ) -> Result<(), PipelineError> {
        for part in parts {
            let mut log_file = None;
            for item in &mut part.items {
                let Fate::Held { text, record_index } = &mut item.fate else {
                    continue;
                };
                let log_file = log_file.get_or_insert_with(|| part.log_file.into());
                self.waiting.push(WaitingRecord {
                    minute: item.minute,
                    delivery,
                    conflict: item.conflict,
                    record_index: *record_index,
                    log_file: std::sync::Arc::clone(log_file),
                    text: std::mem::take(text),
                })?;
            }
        }
        Ok(())
    }
}
