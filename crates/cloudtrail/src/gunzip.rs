//! gzip as CloudTrail and everybody else writes it: one member after the other (RFC 1952).
//!
//! A machine that is pushed, so that each way in which a stream can break has its own name, and
//! so that nothing is allocated per member.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use crate::RejectReason;

/// The first two bytes of a gzip member.
pub(crate) const MAGIC: [u8; 2] = [0x1f, 0x8b];

/// The compression method: there is only deflate.
const DEFLATE: u8 = 8;

/// Checksum and length behind a member.
const TRAILER_BYTES: usize = 8;

/// Header flags.
const HEADER_CHECKSUM: u8 = 1 << 1;
const EXTRA: u8 = 1 << 2;
const NAME: u8 = 1 << 3;
const COMMENT: u8 = 1 << 4;
const RESERVED: u8 = 0b1110_0000;

/// How far a push got.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Progress {
    /// bytes taken from the input
    pub(crate) read: usize,
    /// bytes put into the output
    pub(crate) written: usize,
}

#[derive(Debug, Clone, Copy)]
enum Stage {
    /// The fixed ten bytes, of which so many passed.
    Fixed(usize),
    /// The length of the extra field, low byte first; so many of its bytes passed.
    ExtraLength(usize),
    Extra,
    Name,
    Comment,
    HeaderChecksum,
    Body,
    Trailer(usize),
    /// Behind a member.
    Between,
}

/// Decompresses the members of a gzip stream.
pub(crate) struct Gunzip {
    inflate: Decompress,
    crc: Crc,
    stage: Stage,
    /// Members before the one at hand.
    members: u64,
    flags: u8,
    /// Bytes of the header's part at hand that are still to be skipped.
    to_skip: usize,
    trailer: [u8; TRAILER_BYTES],
}

impl Gunzip {
    pub(crate) fn new() -> Self {
        Self {
            inflate: Decompress::new(false),
            crc: Crc::new(),
            stage: Stage::Fixed(0),
            members: 0,
            flags: 0,
            to_skip: 0,
            trailer: [0; TRAILER_BYTES],
        }
    }

    /// Begins a new stream.
    pub(crate) fn reset(&mut self) {
        self.begin_member();
        self.members = 0;
    }

    fn begin_member(&mut self) {
        self.inflate.reset(false);
        self.crc.reset();
        self.stage = Stage::Fixed(0);
    }

    /// Decompresses from `input` to `output` until one of them is used up.
    pub(crate) fn push(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> (Progress, Result<(), RejectReason>) {
        let mut progress = Progress {
            read: 0,
            written: 0,
        };
        loop {
            let rest = input.get(progress.read..).unwrap_or_default();
            if let Stage::Body = self.stage {
                let room = output.get_mut(progress.written..).unwrap_or_default();
                match self.inflate(rest, room) {
                    Ok(Progress {
                        read: 0,
                        written: 0,
                    }) if !self.is_behind_body() => return (progress, Ok(())),
                    Ok(more) => {
                        progress.read += more.read;
                        progress.written += more.written;
                    }
                    Err((more, reason)) => {
                        progress.written += more.written;
                        return (progress, Err(reason));
                    }
                }
                continue;
            }
            let Some(byte) = rest.first() else {
                return (progress, Ok(()));
            };
            match self.byte(*byte) {
                Ok(()) => progress.read += 1,
                Err(reason) => return (progress, Err(reason)),
            }
        }
    }

    /// The input ends here.
    pub(crate) fn finish(&self) -> Result<(), RejectReason> {
        match self.stage {
            Stage::Between => Ok(()),
            _ => Err(RejectReason::GzipTruncated),
        }
    }

    fn is_behind_body(&self) -> bool {
        !matches!(self.stage, Stage::Body)
    }

    fn inflate(
        &mut self,
        input: &[u8],
        output: &mut [u8],
    ) -> Result<Progress, (Progress, RejectReason)> {
        let (in_before, out_before) = (self.inflate.total_in(), self.inflate.total_out());
        let outcome = self
            .inflate
            .decompress(input, output, FlushDecompress::None);
        let progress = Progress {
            read: (self.inflate.total_in() - in_before) as usize,
            written: (self.inflate.total_out() - out_before) as usize,
        };
        self.crc
            .update(output.get(..progress.written).unwrap_or_default());
        match outcome {
            Ok(Status::StreamEnd) => self.stage = Stage::Trailer(0),
            Ok(Status::Ok | Status::BufError) => {}
            Err(_) => return Err((progress, RejectReason::GzipCorrupt)),
        }
        Ok(progress)
    }

    /// A byte of a header or trailer.
    fn byte(&mut self, byte: u8) -> Result<(), RejectReason> {
        self.stage = match self.stage {
            Stage::Between if Some(&byte) == MAGIC.first() => {
                self.begin_member();
                self.members += 1;
                Stage::Fixed(1)
            }
            Stage::Between => return Err(RejectReason::GzipTrailingBytes),
            Stage::Fixed(at) => self.fixed(at, byte)?,
            Stage::ExtraLength(0) => {
                self.to_skip = usize::from(byte);
                Stage::ExtraLength(1)
            }
            Stage::ExtraLength(_) => {
                self.to_skip |= usize::from(byte) << 8;
                if self.to_skip > 0 {
                    Stage::Extra
                } else {
                    self.behind(EXTRA)
                }
            }
            Stage::Extra => {
                self.to_skip -= 1;
                if self.to_skip > 0 {
                    Stage::Extra
                } else {
                    self.behind(EXTRA)
                }
            }
            Stage::Name if byte == 0 => self.behind(NAME),
            Stage::Comment if byte == 0 => self.behind(COMMENT),
            Stage::HeaderChecksum if self.to_skip == 1 => Stage::Body,
            Stage::HeaderChecksum => {
                self.to_skip = 1;
                Stage::HeaderChecksum
            }
            Stage::Trailer(at) => self.trailer(at, byte)?,
            stage @ (Stage::Name | Stage::Comment | Stage::Body) => stage,
        };
        Ok(())
    }

    fn fixed(&mut self, at: usize, byte: u8) -> Result<Stage, RejectReason> {
        let is_right = match at {
            0 | 1 => MAGIC.get(at) == Some(&byte),
            2 => byte == DEFLATE,
            3 => byte & RESERVED == 0,
            _ => true,
        };
        if !is_right {
            // Behind a member, what does not begin as one is no member.
            let is_first = self.members == 0;
            return Err(if is_first {
                RejectReason::GzipCorrupt
            } else {
                RejectReason::GzipTrailingBytes
            });
        }
        if at == 3 {
            self.flags = byte;
        }
        Ok(if at == 9 {
            self.behind(0)
        } else {
            Stage::Fixed(at + 1)
        })
    }

    /// What follows the header's part of this flag; the parts stand in the order of their flags,
    /// but for the checksum, which is the last.
    fn behind(&mut self, flag: u8) -> Stage {
        self.to_skip = 0;
        let is_next = |next: u8| flag < next && self.flags & next != 0;
        if is_next(EXTRA) {
            Stage::ExtraLength(0)
        } else if is_next(NAME) {
            Stage::Name
        } else if is_next(COMMENT) {
            Stage::Comment
        } else if self.flags & HEADER_CHECKSUM != 0 {
            Stage::HeaderChecksum
        } else {
            Stage::Body
        }
    }

    fn trailer(&mut self, at: usize, byte: u8) -> Result<Stage, RejectReason> {
        if let Some(place) = self.trailer.get_mut(at) {
            *place = byte;
        }
        if at + 1 < TRAILER_BYTES {
            return Ok(Stage::Trailer(at + 1));
        }
        let [c1, c2, c3, c4, l1, l2, l3, l4] = self.trailer;
        let checksum = u32::from_le_bytes([c1, c2, c3, c4]);
        // The length counts modulo 2^32.
        let length = u32::from_le_bytes([l1, l2, l3, l4]);
        if checksum != self.crc.sum() || length != self.inflate.total_out() as u32 {
            return Err(RejectReason::GzipChecksum);
        }
        Ok(Stage::Between)
    }
}
