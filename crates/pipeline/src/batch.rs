//! One batch: a file per table and date, streamed while the batch's slices pass, then completed.
//!
//! A batch is of one delivery day's plan. Rows of records that waited since an earlier day have files
//! of their own, so that every file is of one delivery day, and a day can be done anew as a whole.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};

use retrial_storage::{StorageError, Store, Upload, complete_all};
use retrial_tables::{
    ChangeRow, Changes, CoverageRow, DecisionRow, Decisions, HeldRows, NeedRow, Needs, RejectRow,
    Rejects, SessionRow, Sessions, SortKey, Table, TableWriter, Usage, UsageRow, sort_keys,
    sort_order,
};

use crate::analyze::PipelineError;
use crate::coverage::{Cell, Coverage, FileCoverage, Seen};
use crate::dates::{Dated, EventDate, date_name};
use crate::decide::{Decided, Rows};
use crate::manifest::fenced;
use crate::scratch::Scratch;
use crate::usage::UsageGroups;
use crate::waiting::DeliveryDay;

/// What a file holds in memory before it is begun in the store: dates with a handful of late events
/// then cost neither a file handle nor a temporary file until the batch ends.
const HELD_BYTES: usize = 256 << 10;

/// Of a small table, so many rows are a row group of their own; fewer wait for more of their date: each column
/// of a row group takes some 150 bytes whatever is in it.
const OWN_GROUP_ROWS: usize = 4_096;

/// So many held rows wait for no more.
const HELD_ROWS: usize = 4 * OWN_GROUP_ROWS;

/// What the held rows of a table take, at most.
const HELD_ROWS_BYTES: usize = 4 << 20;

/// Open files beyond which a batch ends early: a day has few dates, an undated folder can have
/// thousands.
const MAX_OPEN_FILES: usize = 200;

/// Files that are completed together: what waits for a disk or a network waits once.
const MAX_UPLOADS: usize = 32;

/// Where a batch's files go, and what they are called.
#[derive(Clone, Copy)]
pub(crate) struct Place<'r> {
    pub(crate) store: &'r dyn Store,
    pub(crate) scratch: &'r Scratch,
    /// The batch's number.
    pub(crate) number: u64,
    /// The delivery day of the batch's plan.
    pub(crate) delivery: DeliveryDay,
    /// Whether it is what was left at the end of a run.
    pub(crate) tail: bool,
}

impl Place<'_> {
    /// `T/event_date=D/000012.parquet`; with the delivery day where it is another than the batch's.
    fn key<T: Table>(&self, delivery: DeliveryDay, date: &str) -> String {
        let earlier = if delivery == self.delivery {
            String::new()
        } else {
            format!("-{}", date_name(delivery))
        };
        let tail = if self.tail { "-tail" } else { "" };
        let (name, folder, number) = (T::NAME, T::FOLDER, self.number);
        format!("{name}/{folder}={date}/{number:06}{earlier}{tail}.parquet")
    }
}

/// Rows to be written together, as row groups. Those that are equal in a table's order stay in theirs.
#[derive(Default)]
pub(crate) struct KeptRows<'x> {
    pub(crate) decisions: Vec<&'x Dated<DecisionRow<'x>>>,
    pub(crate) sessions: Vec<&'x Dated<SessionRow<'x>>>,
    pub(crate) changes: Vec<&'x Dated<ChangeRow<'x>>>,
    pub(crate) needs: Vec<&'x Dated<NeedRow<'x>>>,
    pub(crate) rejects: Vec<&'x Dated<RejectRow<'x>>>,
}

impl<'x> KeptRows<'x> {
    /// Adds the rows of a record.
    pub(crate) fn add(&mut self, rows: &'x Rows<'x>, decided: &Decided) {
        self.decisions.extend(rows.decisions_of(decided));
        self.changes.extend(rows.change_of(decided));
        self.needs.extend(rows.needs_of(decided));
    }
}

/// A batch that is not committed yet. Dropped, it leaves nothing visible.
pub(crate) struct Batch<'r> {
    pub(crate) place: Place<'r>,
    parts: BTreeMap<DeliveryDay, DayFiles<'r>>,
    coverage: Coverage,
}

/// The files of a batch that are of one delivery day.
struct DayFiles<'r> {
    decisions: Files<'r, Decisions>,
    sessions: Files<'r, Sessions>,
    changes: Files<'r, Changes>,
    needs: Files<'r, Needs>,
    rejects: Files<'r, Rejects>,
    usage: UsageGroups<'r>,
}

/// A file of a batch, complete and not yet committed.
pub(crate) struct FinishedFile {
    pub(crate) table: &'static str,
    pub(crate) event_date: String,
    pub(crate) delivery_date: String,
    pub(crate) key: String,
    pub(crate) rows: u64,
    pub(crate) bytes: u64,
}

/// The finished files of a batch, the last ones of which are still to be completed.
struct Finished<'r> {
    store: &'r dyn Store,
    files: Vec<FinishedFile>,
    uploads: Vec<Box<dyn Upload>>,
}

impl<'r> Finished<'r> {
    fn new(store: &'r dyn Store) -> Self {
        Self {
            store,
            files: Vec::new(),
            uploads: Vec::new(),
        }
    }

    fn add(&mut self, file: FinishedFile, upload: Box<dyn Upload>) -> Result<(), PipelineError> {
        self.files.push(file);
        self.uploads.push(upload);
        if self.uploads.len() >= MAX_UPLOADS {
            self.complete()?;
        }
        Ok(())
    }

    fn complete(&mut self) -> Result<(), PipelineError> {
        for completed in complete_all(std::mem::take(&mut self.uploads)) {
            completed.map_err(|error| fenced(self.store, error))?;
        }
        Ok(())
    }

    fn append(&mut self, mut other: Self) {
        self.files.append(&mut other.files);
        self.uploads.append(&mut other.uploads);
    }

    fn into_files(mut self) -> Result<Vec<FinishedFile>, PipelineError> {
        self.complete()?;
        Ok(self.files)
    }
}

impl<'r> Batch<'r> {
    /// An empty one.
    pub(crate) fn new(place: Place<'r>) -> Self {
        Self {
            place,
            parts: BTreeMap::new(),
            coverage: Coverage::default(),
        }
    }

    /// Writes rows of log files that were delivered on a day.
    pub(crate) fn write(
        &mut self,
        delivery: DeliveryDay,
        rows: KeptRows<'_>,
    ) -> Result<(), PipelineError> {
        let files = self.parts.entry(delivery).or_insert_with(|| DayFiles {
            decisions: Files::new(delivery),
            sessions: Files::small(delivery),
            changes: Files::small(delivery),
            needs: Files::small(delivery),
            rejects: Files::small(delivery),
            usage: UsageGroups::new(self.place.scratch),
        });
        let DayFiles {
            decisions, usage, ..
        } = files;
        let place = self.place;
        // Groups, and tables of few rows, are one thread's: the others encode meanwhile.
        let (encoded, others) = rayon::join(
            || decisions.write(place, &rows.decisions),
            || {
                let mut of_usage = rows.decisions.iter();
                of_usage.try_for_each(|(date, row)| usage.add(*date, row))?;
                files.sessions.write(place, &rows.sessions)?;
                files.changes.write(place, &rows.changes)?;
                files.needs.write(place, &rows.needs)?;
                files.rejects.write(place, &rows.rejects)
            },
        );
        others?;
        encoded
    }

    /// Adds what a whole file covers.
    pub(crate) fn cover(&mut self, file: FileCoverage) {
        self.coverage.add_file(file);
    }

    /// Whether the batch is to be committed before more is added.
    pub(crate) fn is_full(&self) -> bool {
        let open = |files: &DayFiles<'_>| {
            files.decisions.open.len()
                + files.sessions.open.len()
                + files.changes.open.len()
                + files.needs.open.len()
        };
        self.parts.values().map(open).sum::<usize>() > MAX_OPEN_FILES
    }

    /// Completes the batch's files. They count once the manifest lists them.
    pub(crate) fn finish(self) -> Result<Vec<FinishedFile>, PipelineError> {
        let place = self.place;
        let mut finished = Finished::new(place.store);
        for (delivery, files) in self.parts {
            let mut usage = Finished::new(place.store);
            // The groups of `usage` are merged by one thread: the others end what is written.
            let (merged, ended) = rayon::join(
                || write_usage(place, delivery, files.usage, &mut usage),
                || {
                    files.decisions.finish(&mut finished)?;
                    files.sessions.finish(&mut finished)?;
                    files.changes.finish(&mut finished)?;
                    files.needs.finish(&mut finished)
                },
            );
            ended?;
            merged?;
            finished.append(usage);
            files.rejects.finish(&mut finished)?;
        }
        let cells = self.coverage.into_cells();
        let rows: Vec<Dated<CoverageRow<'_>>> = cells
            .iter()
            .map(|(cell, seen)| (cell.date, coverage_row(cell, *seen)))
            .collect();
        let mut coverage = Files::<retrial_tables::Coverage>::new(place.delivery);
        coverage.write(place, &rows.iter().collect::<Vec<_>>())?;
        coverage.finish(&mut finished)?;
        finished.into_files()
    }
}

/// A date's groups come together, in order: one file is open at a time.
fn write_usage(
    place: Place<'_>,
    delivery: DeliveryDay,
    usage: UsageGroups<'_>,
    finished: &mut Finished<'_>,
) -> Result<(), PipelineError> {
    let mut files = Files::<Usage>::new(delivery);
    usage.finish(&mut |date, rows: &[UsageRow<'_>]| {
        if !files.open.contains_key(&date) {
            std::mem::replace(&mut files, Files::new(delivery)).finish(finished)?;
        }
        let rows: Vec<Dated<UsageRow<'_>>> = rows.iter().map(|row| (date, *row)).collect();
        files.write(place, &rows.iter().collect::<Vec<_>>())
    })?;
    files.finish(finished)
}

fn coverage_row<'c>(cell: &'c Cell, seen: Seen) -> CoverageRow<'c> {
    let named = |text: &'c str| (!text.is_empty()).then_some(text);
    CoverageRow {
        account_id: named(&cell.account),
        region: named(&cell.region),
        service: named(&cell.service),
        hour: cell.hour,
        files: seen.files,
        records: seen.records,
        data_events: seen.data_events,
        digest_state: None,
    }
}

/// The open files of one table, by date.
struct Files<'r, T: Table> {
    delivery: DeliveryDay,
    /// Whether slices have so few rows of the table that they are held until there are more.
    is_small: bool,
    open: BTreeMap<EventDate, OpenFile<'r, T>>,
}

struct OpenFile<'r, T: Table> {
    key: String,
    date: String,
    held: HeldRows<T>,
    writer: TableWriter<T, HeldUpload<'r>>,
}

impl<T: Table> OpenFile<'_, T> {
    /// Holds rows until there are more, unless they are enough.
    fn add<'x>(&mut self, rows: &[&'x T::Row<'x>]) -> Result<(), PipelineError> {
        if rows.len() >= OWN_GROUP_ROWS {
            self.write_held()?;
            return self.write(rows);
        }
        rows.iter().for_each(|row| self.held.hold(row));
        match self.held.len() >= HELD_ROWS {
            true => self.write_held(),
            false => Ok(()),
        }
    }

    fn write_held(&mut self) -> Result<(), PipelineError> {
        if self.held.is_empty() {
            return Ok(());
        }
        let held = std::mem::take(&mut self.held);
        held.with_rows(|rows| {
            let keys = sort_keys::<T>(rows.iter());
            let keys: Vec<(EventDate, SortKey)> = keys.into_iter().map(|key| (None, key)).collect();
            let order = order_of(&keys);
            let rows: Vec<_> = order.into_iter().filter_map(|at| rows.get(at)).collect();
            self.write(&rows)
        })
    }

    /// Writes a row group.
    fn write<'x>(&mut self, rows: &[&'x T::Row<'x>]) -> Result<(), PipelineError> {
        self.writer
            .write(rows)
            .map_err(|cause| PipelineError::Table {
                key: self.key.clone(),
                cause,
            })
    }
}

impl<'r, T: Table> Files<'r, T> {
    fn new(delivery: DeliveryDay) -> Self {
        Self {
            delivery,
            is_small: false,
            open: BTreeMap::new(),
        }
    }

    /// Of a table of which a slice has few rows.
    fn small(delivery: DeliveryDay) -> Self {
        Self {
            is_small: true,
            ..Self::new(delivery)
        }
    }

    /// Sorts rows into the files of their dates.
    fn write<'x>(
        &mut self,
        place: Place<'r>,
        rows: &[&'x Dated<T::Row<'x>>],
    ) -> Result<(), PipelineError> {
        let rows = sorted::<T>(rows);
        for of_date in rows.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((date, _)) = of_date.first() else {
                continue;
            };
            let rows: Vec<&'x T::Row<'x>> = of_date.iter().map(|(_, row)| row).collect();
            let is_small = self.is_small;
            let file = self.file(place, *date)?;
            match is_small {
                true => file.add(&rows)?,
                false => file.write(&rows)?,
            }
        }
        let held = self.open.values().map(|file| file.held.bytes());
        if held.sum::<usize>() > HELD_ROWS_BYTES {
            let mut files = self.open.values_mut();
            return files.try_for_each(OpenFile::write_held);
        }
        Ok(())
    }

    fn file(
        &mut self,
        place: Place<'r>,
        date: EventDate,
    ) -> Result<&mut OpenFile<'r, T>, PipelineError> {
        match self.open.entry(date) {
            Entry::Occupied(entry) => Ok(entry.into_mut()),
            Entry::Vacant(entry) => {
                let date = date_name(date);
                let key = place.key::<T>(self.delivery, &date);
                let upload = HeldUpload {
                    store: place.store,
                    key: key.clone(),
                    held: Vec::new(),
                    upload: None,
                };
                let writer = TableWriter::new(upload).map_err(|cause| PipelineError::Table {
                    key: key.clone(),
                    cause,
                })?;
                let held = HeldRows::default();
                Ok(entry.insert(OpenFile {
                    key,
                    date,
                    held,
                    writer,
                }))
            }
        }
    }

    /// Completes all files.
    fn finish(self, finished: &mut Finished<'_>) -> Result<(), PipelineError> {
        for mut file in self.open.into_values() {
            file.write_held()?;
            let OpenFile {
                key, date, writer, ..
            } = file;
            let written = writer.finish().map_err(|cause| PipelineError::Table {
                key: key.clone(),
                cause,
            })?;
            let upload = written.output.into_upload()?;
            let file = FinishedFile {
                table: T::NAME,
                event_date: date,
                delivery_date: date_name(self.delivery),
                key,
                rows: written.rows,
                bytes: written.bytes,
            };
            finished.add(file, upload)?;
        }
        Ok(())
    }
}

/// The rows by date, each date's in the order of its table. Rows that are equal in it stay in the order
/// of the plan.
fn sorted<'s, 'x, T: Table>(rows: &'s [&'x Dated<T::Row<'x>>]) -> Cow<'s, [&'x Dated<T::Row<'x>>]> {
    // Groups of `usage` come in order.
    if rows.is_sorted_by(|(date_a, a), (date_b, b)| {
        date_a
            .cmp(date_b)
            .then_with(|| sort_order::<T>(a, b))
            .is_le()
    }) {
        return Cow::Borrowed(rows);
    }
    let keys = sort_keys::<T>(rows.iter().map(|(_, row)| row));
    let dates = rows.iter().map(|(date, _)| *date);
    let keys: Vec<(EventDate, SortKey)> = dates.zip(keys).collect();
    order_of(&keys)
        .into_iter()
        .filter_map(|place| rows.get(place).copied())
        .collect()
}

/// The places of keys in their order; equal ones in that of their places.
fn order_of(keys: &[(EventDate, SortKey)]) -> Vec<usize> {
    if let Some((mut packed, places)) = packed(keys) {
        packed.sort_unstable();
        let place = |key: u128| (key & ((1 << places) - 1)) as usize;
        return packed.into_iter().map(place).collect();
    }
    let mut order: Vec<(EventDate, SortKey, usize)> = keys
        .iter()
        .zip(0..)
        .map(|((date, key), place)| (*date, *key, place))
        .collect();
    order.sort_unstable();
    order.into_iter().map(|(_, _, place)| place).collect()
}

/// Keys with their places as single numbers of the same order, and the bits of a place; `None` where they
/// do not fit. They do: the rows of a slice are of a few days, and of no more principals than there are
/// rows.
fn packed(keys: &[(EventDate, SortKey)]) -> Option<(Vec<u128>, u32)> {
    let parts = |(date, key): &(EventDate, SortKey)| {
        let date = date.map_or(0, |day| 1 + u64::from(day.cast_unsigned() ^ (1 << 31)));
        std::iter::once(date).chain(*key)
    };
    let mut least: Vec<u64> = parts(keys.first()?).collect();
    let mut greatest = least.clone();
    for key in keys {
        for ((least, greatest), part) in least.iter_mut().zip(&mut greatest).zip(parts(key)) {
            *least = part.min(*least);
            *greatest = part.max(*greatest);
        }
    }
    let bits = |number: u64| u64::BITS - number.leading_zeros();
    let columns: Vec<(u64, u32)> = least
        .iter()
        .zip(&greatest)
        .map(|(least, greatest)| (*least, bits(greatest - least)))
        .collect();
    let places = bits(keys.len() as u64);
    if columns.iter().map(|(_, bits)| bits).sum::<u32>() + places > u128::BITS {
        return None;
    }
    let pack = |(key, place): (_, u128)| {
        let columns = parts(key).zip(&columns);
        let packed = columns.fold(0, |packed: u128, (part, (least, bits))| {
            packed << bits | u128::from(part - least)
        });
        packed << places | place
    };
    Some((keys.iter().zip(0..).map(pack).collect(), places))
}

/// A file that is begun in the store only once it is worth it.
struct HeldUpload<'r> {
    store: &'r dyn Store,
    key: String,
    held: Vec<u8>,
    upload: Option<Box<dyn Upload>>,
}

impl HeldUpload<'_> {
    /// The upload, begun, with all that was held handed over.
    fn begun(&mut self) -> Result<&mut Box<dyn Upload>, StorageError> {
        let upload = match self.upload.take() {
            Some(upload) => upload,
            None => self.store.begin(&self.key)?,
        };
        Ok(self.upload.insert(upload))
    }

    fn hand_over(&mut self) -> io::Result<()> {
        let held = std::mem::take(&mut self.held);
        self.begun().map_err(io::Error::from)?.write_all(&held)
    }

    /// The upload of all that was written, to be completed.
    fn into_upload(self) -> Result<Box<dyn Upload>, PipelineError> {
        let Self {
            store,
            key,
            held,
            upload,
        } = self;
        let mut upload = upload.map_or_else(|| store.begin(&key), Ok)?;
        let written = upload.write_all(&held);
        written.map_err(|cause| PipelineError::Write { key, cause })?;
        Ok(upload)
    }
}

impl Write for HeldUpload<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.held.extend_from_slice(bytes);
        if self.held.len() >= HELD_BYTES {
            self.hand_over()?;
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn keys_are_packed_in_their_order(
            keys in proptest::collection::vec(
                (
                    prop::option::of(prop::sample::select(vec![i32::MIN, -1, 0, 20_000, i32::MAX])),
                    (0_u64..3, 0_u64..300, prop::sample::select(vec![0, 1, 1 << 40, u64::MAX])),
                ),
                0..60,
            )
        ) {
            let wide = |(date, (a, b, c)): &(EventDate, (u64, u64, u64))| (*date, [*a, *b, *c, 0, 0]);
            let keys: Vec<(EventDate, SortKey)> = keys.iter().map(wide).collect();
            let mut expect: Vec<usize> = (0..keys.len()).collect();
            expect.sort_by_key(|place| keys[*place]);
            prop_assert_eq!(order_of(&keys), expect);
        }
    }
}
