//! What is summed for a group, and its form in a scratch file.

use std::io::{self, Read, Write};

use retrial_tables::{DecisionRow, UsageRow};

/// What is counted of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Counts {
    pub(super) calls: u64,
    pub(super) succeeded: u64,
    pub(super) denied: u64,
    pub(super) failed_after_authorization: u64,
    pub(super) failed: u64,
    pub(super) first_time: Option<i64>,
    pub(super) last_time: Option<i64>,
}

/// What is counted of a group, and the id of its first event.
pub(super) type Counted<'i> = (Counts, Option<&'i str>);

/// The sums of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sums {
    pub(super) counts: Counts,
    /// Of the first call: the least time, then the least id, null last.
    pub(super) event_id: Option<Box<str>>,
}

impl Counts {
    /// Of one row.
    pub(super) fn of(row: &DecisionRow<'_>) -> Self {
        let is = |outcome| u64::from(row.outcome == outcome);
        Self {
            calls: 1,
            succeeded: is("succeeded"),
            denied: is("denied"),
            failed_after_authorization: is("failed_after_authorization"),
            failed: is("failed"),
            first_time: row.event_time,
            last_time: row.event_time,
        }
    }

    /// Adds those of other calls, among which may be the first.
    pub(super) fn add(&mut self, other: &Self, is_first: bool) {
        self.calls += other.calls;
        self.succeeded += other.succeeded;
        self.denied += other.denied;
        self.failed_after_authorization += other.failed_after_authorization;
        self.failed += other.failed;
        if is_first {
            self.first_time = other.first_time;
        }
        self.last_time = self.last_time.max(other.last_time);
    }

    /// What the first call is told by.
    pub(super) fn first<'i>(
        &self,
        event_id: Option<&'i str>,
    ) -> (bool, Option<i64>, bool, Option<&'i str>) {
        let time = self.first_time;
        (time.is_none(), time, event_id.is_none(), event_id)
    }

    /// The row, but for what is grouped by.
    pub(super) fn row<'g>(&self, event_id: Option<&'g str>) -> UsageRow<'g> {
        UsageRow {
            calls: self.calls,
            succeeded: self.succeeded,
            denied: self.denied,
            failed_after_authorization: self.failed_after_authorization,
            failed: self.failed,
            first_time: self.first_time,
            last_time: self.last_time,
            event_id,
            ..UsageRow::default()
        }
    }
}

impl Sums {
    pub(super) fn add(&mut self, other: Self) {
        let own = self.counts.first(self.event_id.as_deref());
        let is_first = other.counts.first(other.event_id.as_deref()) < own;
        self.counts.add(&other.counts, is_first);
        if is_first {
            self.event_id = other.event_id;
        }
    }
}

/// A group's numbers in a scratch file: the lengths of the key and of the event's id, which times and whether
/// an id are known, the counts and the times.
const HEAD_BYTES: usize = 4 + 4 + 1 + 5 * 8 + 2 * 8;

/// Writes a group behind others.
pub(super) fn write_group(
    out: &mut impl Write,
    key: &[u8],
    (counts, event_id): Counted<'_>,
) -> io::Result<()> {
    let Counts {
        calls,
        succeeded,
        denied,
        failed_after_authorization,
        failed,
        first_time,
        last_time,
    } = counts;
    let id = event_id.unwrap_or_default().as_bytes();
    let length = |text: &[u8]| u32::try_from(text.len()).map_err(io::Error::other);
    let known = u8::from(first_time.is_some())
        | u8::from(last_time.is_some()) << 1
        | u8::from(event_id.is_some()) << 2;
    out.write_all(&length(key)?.to_le_bytes())?;
    out.write_all(&length(id)?.to_le_bytes())?;
    out.write_all(&[known])?;
    for count in [calls, succeeded, denied, failed_after_authorization, failed] {
        out.write_all(&count.to_le_bytes())?;
    }
    for time in [first_time, last_time] {
        out.write_all(&time.unwrap_or_default().to_le_bytes())?;
    }
    out.write_all(key)?;
    out.write_all(id)
}

/// Reads the next group; `None` at the end.
pub(super) fn read_group(from: &mut impl Read) -> io::Result<Option<(Box<[u8]>, Sums)>> {
    let mut start = [0];
    if from.read(&mut start)? == 0 {
        return Ok(None);
    }
    let mut head = [0; HEAD_BYTES];
    let (first, rest) = head.split_at_mut(1);
    first.copy_from_slice(&start);
    from.read_exact(rest)?;
    let mut head = head.as_slice();
    let (key, id) = (take(&mut head), take(&mut head));
    let (key, id) = (u32::from_le_bytes(key), u32::from_le_bytes(id));
    let [known] = take(&mut head);
    let mut count = || u64::from_le_bytes(take(&mut head));
    let (calls, succeeded, denied) = (count(), count(), count());
    let (failed_after_authorization, failed) = (count(), count());
    let mut time = |bit: u8| {
        let time = i64::from_le_bytes(take(&mut head));
        (known & bit != 0).then_some(time)
    };
    let counts = Counts {
        calls,
        succeeded,
        denied,
        failed_after_authorization,
        failed,
        first_time: time(1),
        last_time: time(2),
    };
    let key = read_bytes(from, key)?.into();
    let id = String::from_utf8(read_bytes(from, id)?).map_err(io::Error::other)?;
    let event_id = (known & 4 != 0).then_some(id.into());
    Ok(Some((key, Sums { counts, event_id })))
}

/// The next bytes of a head, which has as many.
fn take<const N: usize>(head: &mut &[u8]) -> [u8; N] {
    let Some((taken, rest)) = head.split_first_chunk() else {
        return [0; N];
    };
    *head = rest;
    *taken
}

fn read_bytes(from: &mut impl Read, length: u32) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; length as usize];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
