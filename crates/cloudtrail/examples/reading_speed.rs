//! Reads log files into memory and says how fast each step goes through them, on one core:
//! `cargo run --release -p retrial-cloudtrail --example reading_speed -- <file>…`

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a program that measures: the crate itself stays pure"
)]

use std::io::Read;
use std::time::Instant;

use retrial_cloudtrail::{Framed, Limits, LogFileReader, PartBudget, ReadBuffers, RecordParser};

const ROUNDS: u32 = 12;

/// Reads all files, handing each record's text to `record`. Returns bytes and records.
fn read(files: &[Vec<u8>], mut record: impl FnMut(&mut [u8])) -> (u64, u64) {
    let mut buffers = ReadBuffers::new();
    let (mut bytes, mut records) = (0, 0);
    for file in files {
        let mut reader = LogFileReader::with_buffers(&file[..], Limits::default(), buffers);
        reader.read_part(PartBudget::UNLIMITED, &mut |framed| {
            if let Framed::Record { text, .. } = framed {
                record(text);
                records += 1;
            }
        });
        bytes += reader.decompressed_bytes();
        buffers = reader.into_buffers();
    }
    (bytes, records)
}

/// The best of some rounds.
fn measure(name: &str, mut work: impl FnMut() -> (u64, u64)) {
    let mut best = f64::INFINITY;
    let (mut bytes, mut records) = (0, 0);
    for _ in 0..ROUNDS {
        let begin = Instant::now();
        (bytes, records) = work();
        best = best.min(begin.elapsed().as_secs_f64());
    }
    let megabytes = bytes as f64 / 1e6;
    println!(
        "{name:30} {megabytes:8.1} MB {records:8} records {:8.0} MB/s {:9.0} records/s",
        megabytes / best,
        records as f64 / best
    );
}

fn main() -> std::io::Result<()> {
    let mut compressed = Vec::new();
    for path in std::env::args_os().skip(1) {
        compressed.push(std::fs::read(path)?);
    }
    let mut plain = Vec::new();
    for file in &compressed {
        let mut content = Vec::new();
        flate2::read::MultiGzDecoder::new(&file[..]).read_to_end(&mut content)?;
        plain.push(content);
    }
    let mut parser = RecordParser::new();
    measure("frame", || read(&plain, |_| {}));
    measure("gunzip, frame", || read(&compressed, |_| {}));
    let mut times = 0;
    let mut parse = |text: &mut [u8]| {
        let time = parser.parse(text, |record| record.event_time.is_some());
        times += u64::from(time.unwrap_or(false));
    };
    measure("frame, parse", || read(&plain, &mut parse));
    measure("gunzip, frame, parse", || read(&compressed, &mut parse));
    println!("{times} times");
    Ok(())
}
