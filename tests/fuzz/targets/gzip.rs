//! Gzip: whatever the bytes are, reading ends; and what was compressed, in one member or in two, is read
//! as what it was.

#![no_main]

use std::io::Write;

use flate2::Compression;
use flate2::write::GzEncoder;
use libfuzzer_sys::fuzz_target;
use retrial_fuzz::{Yield, read};

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("memory does not refuse");
    encoder.finish().expect("memory does not refuse")
}

/// Where the two members part, what is damaged, and the content.
fn parts(data: &[u8]) -> Option<(usize, usize, &[u8])> {
    let (&[cut, damage], content) = data.split_first_chunk()?;
    let at = usize::from(cut) * content.len() / 256;
    Some((at, usize::from(damage), content))
}

fuzz_target!(|data: &[u8]| {
    // As a file of its own, and as one that begins as gzip does.
    let whole = read(data, usize::MAX);
    assert_eq!(read(data, 3), whole);
    let header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 3];
    let hostile = [&header[..], data].concat();
    assert_eq!(read(&hostile, 3), read(&hostile, usize::MAX));

    let Some((at, damage, content)) = parts(data) else {
        return;
    };
    if content.starts_with(&[0x1f, 0x8b]) {
        return;
    }
    let plain = read(content, usize::MAX);
    let one = gzip(content);
    assert_eq!(read(&one, usize::MAX), plain, "one member");
    let (first, second) = content.split_at(at);
    let two = [gzip(first), gzip(second)].concat();
    assert_eq!(read(&two, usize::MAX), plain, "two members");

    // Cut off somewhere: what comes out is the beginning of what was in it, and a reject.
    let cut = read(&one[..damage % one.len()], usize::MAX);
    let records = cut
        .iter()
        .take_while(|found| matches!(found, Yield::Record { .. }));
    assert!(records.zip(&plain).all(|(found, whole)| found == whole));
});
