//! Sessions out of the committed files of the table `sessions`.
//!
//! Their rows are sorted for readers, not in plan order. That matters only where an access key was
//! issued more than once, so those are found first and taken in by themselves, in plan order: by
//! minute, log file and record.

use std::collections::HashMap;

use retrial_cloudtrail::LogKey;
use retrial_storage::Store;
use retrial_tables::{SessionRow, Table};

use super::{Issued, Key, Sessions};
use crate::analyze::PipelineError;
use crate::manifest::ManifestFile;
use crate::stored_file::StoredFile;

/// What tells the place of a row in plan order.
const PLACE: &[&str] = &["access_key_id", "event_time", "log_file", "record_index"];

/// What a session is made of, and its place.
const WHOLE: &[&str] = &[
    "access_key_id",
    "event_time",
    "log_file",
    "record_index",
    "event_name",
    "caller_principal_arn",
    "caller_access_key_id",
    "role_arn",
    "session_policy",
    "session_policy_id",
    "session_policy_arns",
    "tags",
    "transitive_tag_keys",
    "source_identity",
];

/// Committed files of an output, those of the table `sessions` among them.
pub(crate) struct SessionFiles<'s> {
    pub(crate) store: &'s dyn Store,
    pub(crate) files: Vec<&'s ManifestFile>,
}

/// A place in plan order.
type Place = (u32, Box<str>, u64);

impl Sessions {
    /// Takes in what the committed files of the table `sessions` hold that was delivered from
    /// `from_minute` on; files of other tables are passed over.
    pub(crate) fn load(
        &mut self,
        files: &[SessionFiles<'_>],
        from_minute: u32,
    ) -> Result<(), PipelineError> {
        let mut times: HashMap<Key, bool> = HashMap::new();
        each_row(files, (PLACE, from_minute), &mut |row, _| {
            times
                .entry(Key::of(row.access_key_id))
                .and_modify(|again| *again = true)
                .or_default();
        })?;
        times.retain(|_, again| *again);
        if !times.is_empty() {
            let mut repeated: Vec<(Place, Issued)> = Vec::new();
            each_row(files, (WHOLE, from_minute), &mut |row, minute| {
                if times.contains_key(&Key::of(row.access_key_id))
                    && let Some(issued) = self.read(row, minute)
                {
                    repeated.push(((minute, row.log_file.into(), row.record_index), issued));
                }
            })?;
            repeated.sort_by(|(left, _), (right, _)| left.cmp(right));
            for (_, issued) in repeated {
                if self.is_of_use(issued.key, issued.minute) {
                    self.admit(issued);
                }
            }
        }
        each_row(files, (WHOLE, from_minute), &mut |row, minute| {
            if !times.contains_key(&Key::of(row.access_key_id)) {
                self.add(row, minute);
            }
        })
    }
}

/// Shows every row that was delivered from a minute on, with its minute.
fn each_row(
    outputs: &[SessionFiles<'_>],
    (columns, from_minute): (&[&str], u32),
    look: &mut dyn FnMut(&SessionRow<'_>, u32),
) -> Result<(), PipelineError> {
    type Rows = retrial_tables::Sessions;
    let files = outputs
        .iter()
        .flat_map(|output| output.files.iter().map(|file| (output.store, *file)));
    for (store, file) in files.filter(|(_, file)| file.table == Rows::NAME) {
        let failed = |cause| PipelineError::Read {
            key: file.key.clone(),
            cause,
        };
        let stored = StoredFile {
            store,
            key: &file.key,
            bytes: file.bytes,
        };
        let reader = stored.table::<Rows>(columns)?;
        for row_group in 0..reader.row_groups() {
            for batch in reader.batches(row_group).map_err(failed)? {
                batch.map_err(failed)?.with_rows(|rows| {
                    for row in rows {
                        let minute = minute(row.log_file, row.event_time);
                        if minute >= from_minute {
                            look(row, minute);
                        }
                    }
                });
            }
        }
    }
    Ok(())
}

const MICROS_PER_MINUTE: i64 = 60_000_000;

/// The minute of a row's log file: of its stamp, else of the day in its path, else the record's own.
pub(crate) fn minute(log_file: &str, event_time: Option<i64>) -> u32 {
    let key = LogKey::parse(log_file);
    let delivered = key.stamp.or(key.date.map(|day| day.begin()));
    let micros = delivered.map_or(event_time, |time| Some(time.micros()));
    u32::try_from(micros.unwrap_or_default().div_euclid(MICROS_PER_MINUTE)).unwrap_or(0)
}
