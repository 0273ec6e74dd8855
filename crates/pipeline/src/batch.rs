//! One batch: a file per table and date, streamed while the batch's slices pass, then committed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io::{self, Write};

use retrial_storage::{StorageError, Store, Upload, Version};
use retrial_tables::{Changes, CoverageRow, Decisions, Rejects, Table, TableWriter, sort_order};

use crate::analyze::PipelineError;
use crate::coverage::{Cell, Coverage, Seen};
use crate::dates::{EventDate, date_name};
use crate::manifest::{Manifest, ManifestFile, commit};
use crate::report::Report;
use crate::slice::{Dated, Rows};

/// What a file holds in memory before it is begun in the store: dates with a handful of late events
/// then cost neither a file handle nor a temporary file until the batch ends.
const HELD_BYTES: usize = 256 << 10;

/// Open files beyond which a batch ends early: a day has few dates, an undated folder can have
/// thousands.
const MAX_OPEN_FILES: usize = 200;

/// The output, and the manifest of what has been committed to it.
pub(crate) struct Output<'r> {
    pub(crate) store: &'r dyn Store,
    pub(crate) snapshot_id: &'r str,
    pub(crate) mapping_version: &'r str,
    manifest: Manifest,
    version: Option<Version>,
    batches: u64,
}

impl<'r> Output<'r> {
    /// An output that nothing has been committed to.
    pub(crate) fn new(
        store: &'r dyn Store,
        snapshot_id: &'r str,
        mapping_version: &'r str,
    ) -> Self {
        Self {
            store,
            snapshot_id,
            mapping_version,
            manifest: Manifest::default(),
            version: None,
            batches: 0,
        }
    }

    /// Writes the manifest as it stands: at the start, so that an output that cannot be written is
    /// known before the work, and so that a run without any record leaves a readable output.
    pub(crate) fn open(&mut self) -> Result<(), PipelineError> {
        self.version = Some(commit(self.store, &self.manifest, None)?);
        Ok(())
    }

    /// Begins a batch.
    pub(crate) fn batch(&mut self) -> Batch<'r> {
        self.batches += 1;
        Batch {
            place: Place {
                store: self.store,
                number: self.batches,
            },
            decisions: Files::default(),
            changes: Files::default(),
            rejects: Files::default(),
            coverage: Coverage::default(),
        }
    }

    /// Completes the batch's files, then lists them in the manifest: only that makes them count.
    pub(crate) fn commit(
        &mut self,
        batch: Batch<'r>,
        report: &mut Report,
    ) -> Result<(), PipelineError> {
        let Batch {
            place,
            decisions,
            changes,
            rejects,
            coverage,
        } = batch;
        let coverage_files = coverage_files(place, coverage)?;
        let mut finished = Vec::new();
        decisions.finish(&mut finished)?;
        changes.finish(&mut finished)?;
        coverage_files.finish(&mut finished)?;
        rejects.finish(&mut finished)?;
        for file in finished {
            *report.rows.entry(file.table).or_default() += file.rows;
            self.manifest.files.push(ManifestFile {
                table: file.table.to_owned(),
                event_date: file.date,
                batch: place.number,
                key: file.key,
                rows: file.rows,
                bytes: file.bytes,
                snapshot_id: self.snapshot_id.to_owned(),
                mapping_version: self.mapping_version.to_owned(),
                supersedes: Vec::new(),
            });
        }
        self.manifest.generation += 1;
        self.version = Some(commit(self.store, &self.manifest, self.version.take())?);
        Ok(())
    }
}

/// The files of a batch that is not committed yet.
pub(crate) struct Batch<'r> {
    place: Place<'r>,
    decisions: Files<'r, Decisions>,
    changes: Files<'r, Changes>,
    rejects: Files<'r, Rejects>,
    coverage: Coverage,
}

impl Batch<'_> {
    /// Writes the rows of one round of a slice as row groups.
    pub(crate) fn write(&mut self, rows: &Rows<'_>) -> Result<(), PipelineError> {
        self.decisions.write(self.place, &rows.decisions)?;
        self.changes.write(self.place, &rows.changes)?;
        self.rejects.write(self.place, &rows.rejects)
    }

    /// Adds what a whole file covers.
    pub(crate) fn cover(&mut self, file: Coverage) {
        self.coverage.add_file(file);
    }

    /// Whether the batch is to be committed before more is added.
    pub(crate) fn is_full(&self) -> bool {
        self.decisions.open.len() + self.changes.open.len() > MAX_OPEN_FILES
    }
}

fn coverage_files(
    place: Place<'_>,
    coverage: Coverage,
) -> Result<Files<'_, retrial_tables::Coverage>, PipelineError> {
    let cells = coverage.into_cells();
    let rows: Vec<Dated<CoverageRow<'_>>> = cells
        .iter()
        .map(|(cell, seen)| (cell.date, coverage_row(cell, *seen)))
        .collect();
    let mut files = Files::default();
    files.write(place, &rows)?;
    Ok(files)
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
    open: BTreeMap<EventDate, OpenFile<'r, T>>,
}

struct OpenFile<'r, T: Table> {
    key: String,
    date: String,
    writer: TableWriter<T, HeldUpload<'r>>,
}

struct Finished {
    table: &'static str,
    date: String,
    key: String,
    rows: u64,
    bytes: u64,
}

impl<T: Table> Default for Files<'_, T> {
    fn default() -> Self {
        Self {
            open: BTreeMap::new(),
        }
    }
}

impl<'r, T: Table> Files<'r, T> {
    /// Sorts rows into the files of their dates, a row group each.
    fn write<'x>(
        &mut self,
        place: Place<'r>,
        rows: &'x [Dated<T::Row<'x>>],
    ) -> Result<(), PipelineError> {
        let mut sorted: Vec<&'x Dated<T::Row<'x>>> = rows.iter().collect();
        // Stable, so that equal rows stay in the order of the plan.
        sorted.sort_by(|(date_a, a), (date_b, b)| {
            date_a.cmp(date_b).then_with(|| sort_order::<T>(a, b))
        });
        for of_date in sorted.chunk_by(|(a, _), (b, _)| a == b) {
            let Some((date, _)) = of_date.first() else {
                continue;
            };
            let rows: Vec<&'x T::Row<'x>> = of_date.iter().map(|(_, row)| row).collect();
            let file = self.file(place, *date)?;
            file.writer
                .write(&rows)
                .map_err(|cause| PipelineError::Table {
                    key: file.key.clone(),
                    cause,
                })?;
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
                let key = format!(
                    "{}/{}={date}/{:06}.parquet",
                    T::NAME,
                    T::FOLDER,
                    place.number
                );
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
                Ok(entry.insert(OpenFile { key, date, writer }))
            }
        }
    }

    /// Completes all files.
    fn finish(self, finished: &mut Vec<Finished>) -> Result<(), PipelineError> {
        for OpenFile { key, date, writer } in self.open.into_values() {
            let written = writer.finish().map_err(|cause| PipelineError::Table {
                key: key.clone(),
                cause,
            })?;
            let bytes = written.output.complete()?;
            finished.push(Finished {
                table: T::NAME,
                date,
                key,
                rows: written.rows,
                bytes,
            });
        }
        Ok(())
    }
}

/// Where a batch's files go.
#[derive(Clone, Copy)]
struct Place<'r> {
    store: &'r dyn Store,
    number: u64,
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
        self.begun().map_err(io::Error::other)?.write_all(&held)
    }

    fn complete(mut self) -> Result<u64, PipelineError> {
        self.hand_over().map_err(|cause| PipelineError::Write {
            key: self.key.clone(),
            cause,
        })?;
        let bytes = match self.upload.take() {
            Some(upload) => upload.complete()?,
            None => 0,
        };
        Ok(bytes)
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
