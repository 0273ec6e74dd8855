//! What the log shows of each account, region, service and hour.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use retrial_cloudtrail::Record;
use serde::{Deserialize, Serialize};

use crate::dates::EventDate;

const MICROS_AN_HOUR: i64 = 3_600_000_000;

/// Cells that are looked through: a file has some ten services.
const RECENT_CELLS: usize = 24;

/// One account × region × service × hour.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Cell {
    pub(crate) date: EventDate,
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) service: String,
    /// The hour's first microsecond; `None` where the event has no time.
    pub(crate) hour: Option<i64>,
}

/// What was seen of a [`Cell`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Seen {
    pub(crate) files: u64,
    pub(crate) records: u64,
    pub(crate) data_events: u64,
}

/// The cells of one file, while it is read. A record is counted in two steps: its cell is known when
/// it is read, and whether it counts only once duplicates are.
#[derive(Debug, Default)]
pub(crate) struct FileCoverage {
    numbers: BTreeMap<Cell, u32>,
    /// By number.
    seen: Vec<Seen>,
    /// Cells that came up last: most records follow others of the same.
    recent: Vec<(Cell, u32)>,
}

/// A record's cell in its [`FileCoverage`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct CellOf {
    number: u32,
    data_event: bool,
}

impl FileCoverage {
    /// The cell that a record belongs to.
    pub(crate) fn cell(
        &mut self,
        record: &Record<'_>,
        date: EventDate,
        account: Option<&str>,
    ) -> CellOf {
        let hour = record
            .event_time
            .map(|time| time.micros().div_euclid(MICROS_AN_HOUR) * MICROS_AN_HOUR);
        let account = account.unwrap_or_default();
        let region = record.aws_region.unwrap_or_default();
        let service = record.event_source.unwrap_or_default();
        let data_event =
            record.management_event == Some(false) || record.event_category == Some("Data");
        let is_it = |(cell, _): &&(Cell, u32)| {
            cell.hour == hour
                && cell.date == date
                && cell.service == service
                && cell.region == region
                && cell.account == account
        };
        if let Some((_, number)) = self.recent.iter().find(is_it) {
            let number = *number;
            return CellOf { number, data_event };
        }
        let cell = Cell {
            date,
            account: account.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            hour,
        };
        let number = match self.numbers.entry(cell.clone()) {
            Entry::Occupied(entry) => *entry.get(),
            Entry::Vacant(entry) => {
                // A part of a file has thousands of records.
                let number = self.seen.len() as u32;
                self.seen.push(Seen::default());
                *entry.insert(number)
            }
        };
        if self.recent.len() == RECENT_CELLS {
            self.recent.clear();
        }
        self.recent.push((cell, number));
        CellOf { number, data_event }
    }

    /// Counts a record.
    pub(crate) fn count(&mut self, cell: CellOf) {
        if let Some(seen) = self.seen.get_mut(cell.number as usize) {
            seen.files = 1;
            seen.records += 1;
            seen.data_events += u64::from(cell.data_event);
        }
    }

    /// Adds a later part of the same file.
    pub(crate) fn add_part(&mut self, part: FileCoverage) {
        self.recent.clear();
        for (cell, number) in part.numbers {
            let Some(more) = part.seen.get(number as usize) else {
                continue;
            };
            let number = *self.numbers.entry(cell).or_insert_with(|| {
                self.seen.push(Seen::default());
                self.seen.len() as u32 - 1
            });
            if let Some(seen) = self.seen.get_mut(number as usize) {
                seen.files = seen.files.max(more.files);
                seen.records += more.records;
                seen.data_events += more.data_events;
            }
        }
    }
}

/// A cell and what was seen of it, as shards keep it: date, account, region, service, hour; files, records,
/// data events.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct CellLine(
    EventDate,
    String,
    String,
    String,
    Option<i64>,
    u64,
    u64,
    u64,
);

impl FileCoverage {
    /// The cells that records were counted in.
    pub(crate) fn lines(&self) -> Vec<CellLine> {
        let counted = self.numbers.iter().filter_map(|(cell, number)| {
            let seen = self.seen.get(*number as usize)?;
            let cell = cell.clone();
            (seen.files > 0).then_some(CellLine(
                cell.date,
                cell.account,
                cell.region,
                cell.service,
                cell.hour,
                seen.files,
                seen.records,
                seen.data_events,
            ))
        });
        counted.collect()
    }

    /// From [`Self::lines`].
    pub(crate) fn of_lines(lines: &[CellLine]) -> Self {
        let mut coverage = Self::default();
        for CellLine(date, account, region, service, hour, files, records, data_events) in lines {
            let cell = Cell {
                date: *date,
                account: account.clone(),
                region: region.clone(),
                service: service.clone(),
                hour: *hour,
            };
            coverage.numbers.insert(cell, coverage.seen.len() as u32);
            coverage.seen.push(Seen {
                files: *files,
                records: *records,
                data_events: *data_events,
            });
        }
        coverage
    }
}

/// The cells of a batch.
///
/// # Memory
/// One entry per cell: accounts × regions × services × hours of a batch, not records.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    cells: BTreeMap<Cell, Seen>,
}

impl Coverage {
    /// Adds what a whole file covers.
    pub(crate) fn add_file(&mut self, file: FileCoverage) {
        for (cell, number) in file.numbers {
            let Some(seen) = file.seen.get(number as usize).filter(|s| s.files > 0) else {
                continue;
            };
            let total = self.cells.entry(cell).or_default();
            total.files += seen.files;
            total.records += seen.records;
            total.data_events += seen.data_events;
        }
    }

    /// All cells, in order.
    pub(crate) fn into_cells(self) -> BTreeMap<Cell, Seen> {
        self.cells
    }
}
