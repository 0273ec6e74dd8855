//! A gzip file that is all there, decompressed at once: in less than half the time that a stream takes.
//!
//! Only what is whole and right comes from here. Whatever else it is (several members, something behind
//! them, damage) is left to [`crate::gunzip`], which finds the records before a break and says what is
//! wrong.

use libdeflater::Decompressor;
use memchr::memmem;

/// A member's header without its optional parts.
const HEADER_BYTES: usize = 10;

/// The last part of a member: how long its content is, modulo 2^32.
const LENGTH_BYTES: usize = 4;

/// Decompresses `file` into the beginning of `output`, and says how long its content is. `None`, and
/// nothing of worth in `output`, where it is not one whole member, or its content is longer than `limit`.
pub(crate) fn gunzip(
    decompressor: &mut Decompressor,
    file: &[u8],
    output: &mut Vec<u8>,
    limit: usize,
) -> Option<usize> {
    let length_bytes = file.last_chunk::<LENGTH_BYTES>()?;
    let length = usize::try_from(u32::from_le_bytes(*length_bytes)).ok()?;
    if length > limit || stands_elsewhere(length_bytes, file) {
        return None;
    }
    if output.len() < length {
        output.resize(length, 0);
    }
    let room = output.get_mut(..length)?;
    let written = decompressor.gzip_decompress(file, room).ok()?;
    (written == length).then_some(length)
}

/// Whether the member may end before the file does. The decompressor does not say where it found the
/// member's end, but it found the content's length there: if that stands nowhere else behind the header,
/// it stands at the file's end.
fn stands_elsewhere(length: &[u8; LENGTH_BYTES], file: &[u8]) -> bool {
    let all_but_the_last = file.len().saturating_sub(1);
    file.get(HEADER_BYTES..all_but_the_last)
        .is_none_or(|within| memmem::find(within, length).is_some())
}
