//! The decompressed bytes of a file.

use std::io::{ErrorKind, Read};
use std::ops::Range;

use libdeflater::Decompressor;

use crate::RejectReason;
use crate::gunzip::{Gunzip, MAGIC};
use crate::whole;

/// Read at once: enough that the system call does not show, and that most log files are whole in it.
const INPUT_BYTES: usize = 512 * 1024;

/// What reading a file's bytes needs.
pub(crate) struct SourceBuffers {
    input: Vec<u8>,
    gunzip: Gunzip,
    whole: Decompressor,
}

impl SourceBuffers {
    pub(crate) fn new() -> Self {
        Self {
            input: vec![0; INPUT_BYTES],
            gunzip: Gunzip::new(),
            whole: Decompressor::new(),
        }
    }
}

/// How a file is compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compression {
    NotKnownYet,
    Plain,
    Gzip,
}

/// A file, compressed or not: its first bytes decide, since names lie.
pub(crate) struct Source<R> {
    reader: R,
    buffers: SourceBuffers,
    /// The part of the input buffer that was read and not taken.
    untaken: Range<usize>,
    has_ended: bool,
    compression: Compression,
    read_bytes: u64,
    /// What stopped the file, to be said once what came before it is used.
    failure: Option<RejectReason>,
    /// What the storage said when more was read than was needed yet.
    read_failure: Option<RejectReason>,
}

impl<R: Read> Source<R> {
    pub(crate) fn new(reader: R, mut buffers: SourceBuffers) -> Self {
        buffers.gunzip.reset();
        Self {
            reader,
            buffers,
            untaken: 0..0,
            has_ended: false,
            compression: Compression::NotKnownYet,
            read_bytes: 0,
            failure: None,
            read_failure: None,
        }
    }

    pub(crate) fn into_buffers(self) -> SourceBuffers {
        self.buffers
    }

    /// Bytes that the file delivered.
    pub(crate) fn read_bytes(&self) -> u64 {
        self.read_bytes
    }

    /// Of these, the bytes that were decompressed.
    pub(crate) fn taken_bytes(&self) -> u64 {
        self.read_bytes - self.untaken.len() as u64
    }

    /// The content of the whole file at once, in the beginning of `output`: its length. `None` where it is
    /// not to be had so, or is longer than `limit`: then [`Source::fill`] gives it from its beginning.
    ///
    /// To be asked before anything else.
    pub(crate) fn fill_whole(&mut self, output: &mut Vec<u8>, limit: usize) -> Option<usize> {
        if let Err((_, reason)) = self.sniff() {
            self.failure = Some(reason);
            return None;
        }
        if self.compression != Compression::Gzip || limit == 0 {
            return None;
        }
        while !self.has_ended && self.untaken.len() < self.buffers.input.len() {
            if let Err((_, reason)) = self.refill() {
                self.read_failure = Some(reason);
                return None;
            }
        }
        if !self.has_ended {
            return None;
        }
        let SourceBuffers { input, whole, .. } = &mut self.buffers;
        let file = input.get(self.untaken.clone()).unwrap_or_default();
        let length = whole::gunzip(whole, file, output, limit)?;
        // Nothing is left, of whatever kind.
        self.untaken.start = self.untaken.end;
        self.compression = Compression::Plain;
        Some(length)
    }

    /// Fills all of `output`, save at the end of the file, however its storage delivers: so that
    /// limits are checked at the same places every time. Returns how much it is; 0 at the end.
    pub(crate) fn fill(&mut self, output: &mut [u8]) -> Result<usize, RejectReason> {
        let mut length = 0;
        while let Some(room) = output.get_mut(length..).filter(|room| !room.is_empty()) {
            if self.failure.is_some() && length > 0 {
                break;
            }
            if let Some(reason) = self.failure.take() {
                return Err(reason);
            }
            match self.step(room) {
                Ok(Some(more)) => length += more,
                Ok(None) => break,
                Err((more, reason)) => {
                    length += more;
                    self.failure = Some(reason);
                }
            }
        }
        Ok(length)
    }

    /// Some bytes; `None` at the end of the file. A failure may come behind some bytes, too.
    fn step(&mut self, room: &mut [u8]) -> Result<Option<usize>, (usize, RejectReason)> {
        match self.compression {
            Compression::NotKnownYet => self.sniff().map(Some),
            Compression::Plain => self.copy(room),
            Compression::Gzip => self.decompress(room),
        }
    }

    fn sniff(&mut self) -> Result<usize, (usize, RejectReason)> {
        while !self.has_ended && self.untaken.len() < MAGIC.len() {
            self.refill()?;
        }
        let is_gzip = self.input().starts_with(&MAGIC);
        self.compression = if is_gzip {
            Compression::Gzip
        } else {
            Compression::Plain
        };
        Ok(0)
    }

    fn copy(&mut self, room: &mut [u8]) -> Result<Option<usize>, (usize, RejectReason)> {
        if self.untaken.is_empty() && !self.has_ended {
            // Behind the sniffed bytes nothing needs the buffer.
            let length = read(&mut self.reader, room)?;
            self.read_bytes += length as u64;
            self.has_ended = length == 0;
            return Ok((length > 0).then_some(length));
        }
        let length = self.untaken.len().min(room.len());
        for (place, byte) in room.iter_mut().zip(self.input()) {
            *place = *byte;
        }
        self.untaken.start += length;
        Ok((length > 0).then_some(length))
    }

    fn decompress(&mut self, room: &mut [u8]) -> Result<Option<usize>, (usize, RejectReason)> {
        if self.untaken.is_empty() && !self.has_ended {
            self.refill()?;
        }
        let SourceBuffers { input, gunzip, .. } = &mut self.buffers;
        let input = input.get(self.untaken.clone()).unwrap_or_default();
        let (progress, outcome) = gunzip.push(input, room);
        self.untaken.start += progress.read;
        outcome.map_err(|reason| (progress.written, reason))?;
        if progress.written == 0 && progress.read == 0 && self.has_ended {
            self.buffers.gunzip.finish().map_err(|reason| (0, reason))?;
            return Ok(None);
        }
        Ok(Some(progress.written))
    }

    fn input(&self) -> &[u8] {
        self.buffers
            .input
            .get(self.untaken.clone())
            .unwrap_or_default()
    }

    /// Reads more behind the untaken bytes, which are at the front, or none.
    fn refill(&mut self) -> Result<(), (usize, RejectReason)> {
        if let Some(reason) = self.read_failure.take() {
            return Err((0, reason));
        }
        let input = &mut self.buffers.input;
        if self.untaken.is_empty() {
            self.untaken = 0..0;
        }
        let room = input.get_mut(self.untaken.end..).unwrap_or_default();
        let length = read(&mut self.reader, room)?;
        self.has_ended = length == 0;
        self.untaken.end += length;
        self.read_bytes += length as u64;
        Ok(())
    }
}

fn read(reader: &mut impl Read, room: &mut [u8]) -> Result<usize, (usize, RejectReason)> {
    loop {
        match reader.read(room) {
            Ok(length) => return Ok(length),
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err((0, RejectReason::Read(error))),
        }
    }
}
