//! The program: arguments in, work, an exit status out.

mod analyze;
mod args;
mod compact;
mod derive;
mod error;
mod explain;
mod findings;
mod input;
mod issuing;
mod lint;
mod location;
mod logs;
mod map;
mod metrics;
mod plan;
mod printer;
mod progress;
mod prune;
mod replay;
mod report_json;
mod request;
mod rightsize;
mod shards;
mod share;
mod signals;
mod simulate;
mod status;
mod summary;
mod what_if;
mod who_can;

use std::process::ExitCode;

use clap::Parser;

use crate::args::{Cli, Command};
use crate::error::ProgramError;
use crate::printer::Printer;

/// Measured against others in the workspace's `Cargo.toml`.
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

/// How the program ends. The numbers are part of its interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Exit {
    /// All was done.
    Done = 0,
    /// A threshold that was asked for was passed.
    Threshold = 1,
    /// It could not run, or not to its end.
    CouldNotRun = 2,
    /// It ran, but some input was rejected, or some policy could not be read.
    Incomplete = 3,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    cli.command.begin_logs();
    let result = match &cli.command {
        Command::Analyze(args) => analyze::run(args),
        Command::Explain(args) => explain::run(args),
        Command::Lint(args) => lint::run(args),
        Command::Status(args) => status::run(args),
        Command::Compact(args) => compact::run(args),
        Command::Prune(args) => prune::run(args),
        Command::Replay(args) => replay::run(args),
        Command::Findings(args) => findings::run(args),
        Command::Rightsize(args) => rightsize::run(args),
        Command::Map(args) => map::run(args),
        Command::Simulate(args) => simulate::run(args),
        Command::WhatIf(args) => what_if::run(args),
        Command::WhoCan(args) => who_can::run(args),
    };
    let exit = result.unwrap_or_else(|error| {
        report(&error, cli.command.printer());
        Exit::CouldNotRun
    });
    ExitCode::from(exit as u8)
}

/// One line for the error, one for what to do about it.
fn report(error: &ProgramError, printer: Printer) {
    printer.warning(&error.to_string());
    if let Some(hint) = error.hint() {
        printer.warning(&format!("hint: {hint}"));
    }
}
