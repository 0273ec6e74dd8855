//! What the log shows of each account, region, service and hour.

use std::collections::BTreeMap;

use retrial_cloudtrail::Record;

use crate::dates::EventDate;

const MICROS_AN_HOUR: i64 = 3_600_000_000;

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

/// The cells of a file, a slice or a batch.
///
/// # Memory
/// One entry per cell: accounts × regions × services × hours of a batch, not records.
#[derive(Debug, Default)]
pub(crate) struct Coverage {
    cells: BTreeMap<Cell, Seen>,
    /// The last cell, since most records follow others of the same.
    last: Option<(Cell, Seen)>,
}

impl Coverage {
    /// Counts one record of the one file that this coverage is of.
    pub(crate) fn count(&mut self, record: &Record<'_>, date: EventDate, account: Option<&str>) {
        let hour = record
            .event_time
            .map(|time| time.micros().div_euclid(MICROS_AN_HOUR) * MICROS_AN_HOUR);
        let account = account.unwrap_or_default();
        let region = record.aws_region.unwrap_or_default();
        let service = record.event_source.unwrap_or_default();
        let data = u64::from(
            record.management_event == Some(false) || record.event_category == Some("Data"),
        );
        if let Some((cell, seen)) = &mut self.last
            && cell.hour == hour
            && cell.date == date
            && cell.service == service
            && cell.region == region
            && cell.account == account
        {
            seen.records += 1;
            seen.data_events += data;
            return;
        }
        self.settle();
        let cell = Cell {
            date,
            account: account.to_owned(),
            region: region.to_owned(),
            service: service.to_owned(),
            hour,
        };
        self.last = Some((
            cell,
            Seen {
                files: 1,
                records: 1,
                data_events: data,
            },
        ));
    }

    fn settle(&mut self) {
        if let Some((cell, seen)) = self.last.take() {
            let total = self.cells.entry(cell).or_default();
            total.files = 1;
            total.records += seen.records;
            total.data_events += seen.data_events;
        }
    }

    /// Adds the coverage of another file.
    pub(crate) fn add_file(&mut self, mut file: Coverage) {
        file.settle();
        for (cell, seen) in file.cells {
            let total = self.cells.entry(cell).or_default();
            total.files += seen.files;
            total.records += seen.records;
            total.data_events += seen.data_events;
        }
    }

    /// Adds a later part of the file that this coverage is of.
    pub(crate) fn add_part(&mut self, mut part: Coverage) {
        self.settle();
        part.settle();
        for (cell, seen) in part.cells {
            let total = self.cells.entry(cell).or_default();
            total.files = 1;
            total.records += seen.records;
            total.data_events += seen.data_events;
        }
    }

    /// All cells, in order.
    pub(crate) fn into_cells(mut self) -> BTreeMap<Cell, Seen> {
        self.settle();
        self.cells
    }
}
