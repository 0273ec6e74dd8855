//! From the bytes of one log file, compressed or not, to its records.

use std::io::Read;
use std::ops::ControlFlow;

use crate::frame::{FileKind, Framed, Framer, Sink};
use crate::source::{Source, SourceBuffers};
use crate::{Limits, RejectReason};

/// Decompressed at once: stays in a core's second-level cache between inflating, framing and
/// parsing.
const CHUNK_BYTES: usize = 256 * 1024;

/// How much one [`LogFileReader::read_part`] may yield before it pauses. It pauses behind the
/// record that reaches either; so parts depend on the file's content alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartBudget {
    /// decompressed bytes
    pub bytes: u64,
    /// records, and rejects
    pub records: u64,
}

impl PartBudget {
    /// The whole file in one part.
    pub const UNLIMITED: Self = Self {
        bytes: u64::MAX,
        records: u64::MAX,
    };
}

/// What [`LogFileReader::read_part`] came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Part {
    /// The budget is used up; there may be more.
    More,
    /// The file is done, or broken; this is what it was.
    End(FileKind),
}

/// What reading a file needs; to be used again for the next one, since most files are tiny.
pub struct ReadBuffers {
    source: SourceBuffers,
    chunk: Vec<u8>,
    framer: Framer,
}

impl Default for ReadBuffers {
    fn default() -> Self {
        Self::new()
    }
}

impl ReadBuffers {
    /// Three quarters of a megabyte, and the decompressors; [`Limits::whole_bytes`] once there was such a
    /// file.
    pub fn new() -> Self {
        Self {
            source: SourceBuffers::new(),
            chunk: vec![0; CHUNK_BYTES],
            framer: Framer::new(Limits::default()),
        }
    }
}

/// Reads one log file: gzip with any number of members, or plain JSON; its content decides.
///
/// Memory: [`ReadBuffers`], and [`Limits::record_bytes`] for a record that crosses chunks.
pub struct LogFileReader<R> {
    source: Source<R>,
    limits: Limits,
    framer: Framer,
    chunk: Vec<u8>,
    /// The unframed part of the chunk.
    unframed: std::ops::Range<usize>,
    decompressed_bytes: u64,
    /// Nothing was decompressed yet.
    is_fresh: bool,
    /// A limit that was reached at the end of the chunk at hand.
    exceeded: Option<RejectReason>,
    /// Where the part at hand begins: where the one before it ended.
    part_begin: u64,
    end: Option<FileKind>,
}

impl<R: Read> LogFileReader<R> {
    /// A reader with its own buffers.
    pub fn new(reader: R, limits: Limits) -> Self {
        Self::with_buffers(reader, limits, ReadBuffers::new())
    }

    /// A reader with another one's buffers: see [`LogFileReader::into_buffers`].
    pub fn with_buffers(reader: R, limits: Limits, buffers: ReadBuffers) -> Self {
        let ReadBuffers {
            source,
            chunk,
            mut framer,
        } = buffers;
        framer.reset(limits);
        Self {
            source: Source::new(reader, source),
            limits,
            framer,
            chunk,
            unframed: 0..0,
            decompressed_bytes: 0,
            is_fresh: true,
            exceeded: None,
            part_begin: 0,
            end: None,
        }
    }

    /// The buffers, for the next file.
    pub fn into_buffers(self) -> ReadBuffers {
        ReadBuffers {
            source: self.source.into_buffers(),
            chunk: self.chunk,
            framer: self.framer,
        }
    }

    /// Bytes read from the file so far.
    pub fn compressed_bytes(&self) -> u64 {
        self.source.read_bytes()
    }

    /// Bytes they decompressed to.
    pub fn decompressed_bytes(&self) -> u64 {
        self.decompressed_bytes
    }

    /// Records so far, rejected ones included.
    pub fn records(&self) -> u64 {
        self.framer.records()
    }

    /// Yields records and rejects to `sink`, in the file's order, until the budget is used up or
    /// the file ends. A sink may change a record's text.
    ///
    /// A reject of scope [`crate::RejectScope::File`] is the file's last word, save
    /// [`RejectReason::NoRecords`].
    pub fn read_part(&mut self, budget: PartBudget, sink: &mut dyn FnMut(Framed<'_>)) -> Part {
        let mut meter = Meter {
            budget,
            begin: self.part_begin,
            end: self.part_begin,
            items: 0,
        };
        loop {
            if let Some(kind) = self.end {
                return Part::End(kind);
            }
            self.frame(&mut meter, sink);
            if meter.is_used_up() {
                self.part_begin = meter.end;
                return Part::More;
            }
            self.end = self.fill(&mut |framed| {
                sink(framed);
                ControlFlow::Continue(())
            });
        }
    }

    /// Frames what is decompressed, until the meter stops it.
    fn frame(&mut self, meter: &mut Meter, sink: &mut dyn FnMut(Framed<'_>)) {
        let chunk = self
            .chunk
            .get_mut(self.unframed.clone())
            .unwrap_or_default();
        if chunk.is_empty() {
            return;
        }
        let taken = self.framer.push(chunk, &mut |framed| {
            meter.count(&framed);
            sink(framed);
            if meter.is_used_up() {
                ControlFlow::Break(())
            } else {
                ControlFlow::Continue(())
            }
        });
        self.unframed.start += taken;
    }

    /// Decompresses the next chunk; where there is none, ends the file and says what it was.
    fn fill(&mut self, sink: Sink<'_>) -> Option<FileKind> {
        if self.framer.is_done() {
            return Some(self.framer.kind());
        }
        if let Some(reason) = self.exceeded.take() {
            return Some(self.framer.fail(reason, sink));
        }
        let limit = self.whole_limit();
        if std::mem::take(&mut self.is_fresh)
            && let Some(length) = self.source.fill_whole(&mut self.chunk, limit)
        {
            self.unframed = 0..self.within_limits(length);
            return None;
        }
        let chunk = self.chunk.get_mut(..CHUNK_BYTES).unwrap_or_default();
        match self.source.fill(chunk) {
            Ok(0) => Some(self.framer.finish(sink)),
            Ok(length) => {
                self.unframed = 0..self.within_limits(length);
                None
            }
            Err(reason) => Some(self.framer.fail(reason, sink)),
        }
    }

    /// What is decompressed at once is within all limits by its size alone.
    fn whole_limit(&self) -> usize {
        let limits = self.limits;
        let bytes = limits
            .whole_bytes
            .min(limits.decompressed_bytes)
            .min(limits.ratio_floor_bytes);
        usize::try_from(bytes).unwrap_or(0)
    }

    /// How much of a chunk of this length the limits admit.
    fn within_limits(&mut self, length: usize) -> usize {
        let Limits {
            decompressed_bytes,
            ratio,
            ratio_floor_bytes,
            ..
        } = self.limits;
        let by_ratio = self
            .source
            .taken_bytes()
            .saturating_mul(ratio)
            .max(ratio_floor_bytes);
        let before = self.decompressed_bytes;
        let all = before + length as u64;
        let admitted = all.min(decompressed_bytes).min(by_ratio).max(before);
        if admitted < all {
            self.exceeded = Some(if admitted == decompressed_bytes {
                RejectReason::FileTooLarge {
                    limit: decompressed_bytes,
                }
            } else {
                RejectReason::RatioTooHigh { limit: ratio }
            });
        }
        self.decompressed_bytes = admitted;
        (admitted - before) as usize
    }
}

/// What a part has used of its budget.
struct Meter {
    budget: PartBudget,
    begin: u64,
    end: u64,
    items: u64,
}

impl Meter {
    fn count(&mut self, framed: &Framed<'_>) {
        self.items += 1;
        if let Framed::Record { offset, text, .. } = framed {
            self.end = offset + text.len() as u64;
        }
    }

    fn is_used_up(&self) -> bool {
        self.items >= self.budget.records.max(1)
            || self.end - self.begin >= self.budget.bytes.max(1)
    }
}
