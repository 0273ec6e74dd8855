//! How much a file may ask for. Each limit has a name, a default and its reason.

use crate::MAX_RECORD_DEPTH;

const MIB: u64 = 1024 * 1024;

/// CloudTrail cuts log files at 50 MB of JSON; exports and concatenated files are larger, but one
/// beyond this belongs split.
const DECOMPRESSED_BYTES: u64 = 4096 * MIB;

/// Log files compress 10 to 30 times; the same event over and over, 100 times. gzip's own maximum
/// is 1,032.
const RATIO: u64 = 200;

/// A file of up to this size is read whatever its ratio: it costs a fraction of a second.
const RATIO_FLOOR_BYTES: u64 = 64 * MIB;

/// CloudTrail limits an event to 256 KB (1 MB in Lake), and did not before version 1.05.
const RECORD_BYTES: u64 = 16 * MIB;

/// A file with more broken records than this is broken by design, or no log file.
const REJECTS: u64 = 10_000;

/// A file of up to this size is decompressed at once, which is faster, into a buffer of this size; 2,000
/// records.
const WHOLE_BYTES: u64 = 4 * MIB;

/// The limits for reading one file. Beyond any of them is one [`crate::Reject`], never an
/// exhausted machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// bytes of the decompressed file; the rest is not read
    pub decompressed_bytes: u64,
    /// decompressed bytes per byte read, beyond `ratio_floor_bytes`; the rest is not read
    pub ratio: u64,
    /// decompressed bytes below which `ratio` does not count
    pub ratio_floor_bytes: u64,
    /// bytes of one record; a larger one is skipped
    pub record_bytes: u64,
    /// levels of one record's nesting; a deeper one is skipped
    pub depth: u64,
    /// broken records and strange documents in one file; the rest is not read
    pub rejects: u64,
    /// bytes of a decompressed file up to which it is decompressed at once, and not as a stream; what comes
    /// out is the same
    pub whole_bytes: u64,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            decompressed_bytes: DECOMPRESSED_BYTES,
            ratio: RATIO,
            ratio_floor_bytes: RATIO_FLOOR_BYTES,
            record_bytes: RECORD_BYTES,
            depth: MAX_RECORD_DEPTH as u64,
            rejects: REJECTS,
            whole_bytes: WHOLE_BYTES,
        }
    }
}
