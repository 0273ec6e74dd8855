//! Makes CloudTrail logs of made-up organisations, the snapshots of their policies, and beside them
//! the truth: what a program that tries every call again must find.
//!
//! Two things are made. The *sample* is the small organisation of `sample-logs/`, small enough to be
//! read; the *corpus* has any size and is for tests and the benchmark. Both are the same bytes for the
//! same seed, on every machine. What must be found is stated where each call is made ([`truth`]);
//! nothing here depends on the program under test.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a test tool: it prints, and where its own making is at fault it should fail loudly"
)]

mod account;
mod arguments;
mod caller;
mod calls;
mod clock;
mod corpus;
mod json;
mod log_file;
mod record;
mod rng;
mod sample;
mod sample_folder;
#[cfg(test)]
mod tests;
mod truth;

use std::process::ExitCode;
use std::time::Instant;

use arguments::Command;

fn main() -> ExitCode {
    let command = match arguments::parse(std::env::args().skip(1)) {
        Ok(command) => command,
        Err(message) => {
            eprintln!("error: {message}\nhint: --help shows the usage");
            return ExitCode::from(2);
        }
    };
    match run(command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(command: Command) -> std::io::Result<ExitCode> {
    match command {
        Command::Help => print!("{}", arguments::HELP),
        Command::Sample { out } => sample_folder::write(&out, &sample::files())?,
        Command::Check { folder } => {
            let differences = sample_folder::differences(&folder, &sample::files())?;
            for difference in &differences {
                eprintln!("{difference}");
            }
            return Ok(ExitCode::from(u8::from(!differences.is_empty())));
        }
        Command::Corpus(options) => {
            let begun = Instant::now();
            let made = corpus::write(&options)?;
            let seconds = begun.elapsed().as_secs_f64();
            println!(
                "{} records in {} files, {:.0} bytes each, {:.1} MB of JSON, {:.1} MB of gzip (1:{:.1}), {:.1} s, {:.0} records/s",
                made.records,
                made.files,
                made.uncompressed as f64 / made.records.max(1) as f64,
                made.uncompressed as f64 / 1e6,
                made.compressed as f64 / 1e6,
                made.uncompressed as f64 / made.compressed.max(1) as f64,
                seconds,
                made.records as f64 / seconds
            );
        }
    }
    Ok(ExitCode::SUCCESS)
}
