//! What is summed for a group, and its form in a scratch file.

use std::io::{self, Read, Write};

use retrial_tables::DecisionRow;

/// The sums of a group.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Sums {
    pub(super) calls: u64,
    pub(super) succeeded: u64,
    pub(super) denied: u64,
    pub(super) failed_after_authorization: u64,
    pub(super) failed: u64,
    pub(super) first_time: Option<i64>,
    pub(super) last_time: Option<i64>,
    /// Of the first call: the least time, then the least id, null last.
    pub(super) event_id: Option<Box<str>>,
}

impl Sums {
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
            event_id: row.event_id.map(Box::from),
        }
    }

    pub(super) fn add(&mut self, other: Self) {
        self.calls += other.calls;
        self.succeeded += other.succeeded;
        self.denied += other.denied;
        self.failed_after_authorization += other.failed_after_authorization;
        self.failed += other.failed;
        if other.first() < self.first() {
            self.event_id = other.event_id;
            self.first_time = other.first_time;
        }
        self.last_time = self.last_time.max(other.last_time);
    }

    /// What the first call is told by.
    fn first(&self) -> (bool, Option<i64>, bool, Option<&str>) {
        let id = self.event_id.as_deref();
        (self.first_time.is_none(), self.first_time, id.is_none(), id)
    }

    pub(super) fn text_bytes(&self) -> usize {
        self.event_id.as_deref().map_or(0, str::len)
    }
}

/// Writes a group behind others.
pub(super) fn write_group(out: &mut impl Write, group: &(Box<[u8]>, Sums)) -> io::Result<()> {
    let (key, sums) = group;
    write_bytes(out, Some(key))?;
    for count in [
        sums.calls,
        sums.succeeded,
        sums.denied,
        sums.failed_after_authorization,
        sums.failed,
    ] {
        out.write_all(&count.to_le_bytes())?;
    }
    for time in [sums.first_time, sums.last_time] {
        out.write_all(&[u8::from(time.is_some())])?;
        out.write_all(&time.unwrap_or_default().to_le_bytes())?;
    }
    write_bytes(out, sums.event_id.as_deref().map(str::as_bytes))
}

/// Reads the next group; `None` at the end.
pub(super) fn read_group(from: &mut impl Read) -> io::Result<Option<(Box<[u8]>, Sums)>> {
    let mut start = [0];
    if from.read(&mut start)? == 0 {
        return Ok(None);
    }
    let key = read_rest(from, start)?.unwrap_or_default();
    let mut count = || read_array(from).map(u64::from_le_bytes);
    let (calls, succeeded, denied) = (count()?, count()?, count()?);
    let (failed_after_authorization, failed) = (count()?, count()?);
    let mut time = || -> io::Result<Option<i64>> {
        let [known] = read_array(from)?;
        let time = read_array(from).map(i64::from_le_bytes)?;
        Ok((known == 1).then_some(time))
    };
    let (first_time, last_time) = (time()?, time()?);
    let start = read_array(from)?;
    let event_id = read_rest(from, start)?;
    let sums = Sums {
        calls,
        succeeded,
        denied,
        failed_after_authorization,
        failed,
        first_time,
        last_time,
        event_id: event_id.map(|id| String::from_utf8_lossy(&id).into()),
    };
    Ok(Some((key, sums)))
}

fn write_bytes(out: &mut impl Write, bytes: Option<&[u8]>) -> io::Result<()> {
    out.write_all(&[u8::from(bytes.is_some())])?;
    if let Some(bytes) = bytes {
        out.write_all(&(bytes.len() as u64).to_le_bytes())?;
        out.write_all(bytes)?;
    }
    Ok(())
}

/// What [`write_bytes`] wrote behind its first byte.
fn read_rest(from: &mut impl Read, [known]: [u8; 1]) -> io::Result<Option<Box<[u8]>>> {
    if known == 0 {
        return Ok(None);
    }
    let length = read_array(from).map(u64::from_le_bytes)?;
    let mut bytes = Vec::new();
    if from.take(length).read_to_end(&mut bytes)? as u64 != length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(Some(bytes.into()))
}

fn read_array<const N: usize>(from: &mut impl Read) -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    from.read_exact(&mut bytes)?;
    Ok(bytes)
}
