//! `retrial prune`: takes old delivery days out of an output.

use clap::Args;
use retrial_cloudtrail::Day;
use retrial_pipeline::{DayRange, Prune, Pruned};

use crate::Exit;
use crate::error::ProgramError;
use crate::location::{self, Location, S3Args};
use crate::logs::LogArgs;
use crate::printer::{Printer, grouped, printable};

#[derive(Debug, Args)]
pub(crate) struct PruneArgs {
    /// The output of `retrial analyze`: a folder, or `s3://bucket/prefix`
    #[arg(long, value_name = "FOLDER", value_parser = location::parser())]
    pub(crate) out: Location,

    /// Take out what was delivered before this day: `2026-11-02`
    ///
    /// The last delivery day stays, whatever is given. Issued sessions stay for two days more: calls may
    /// still be of them.
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub(crate) before: Day,

    /// Only say what would be taken out
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) logs: LogArgs,

    #[command(flatten)]
    pub(crate) s3: S3Args,
}

pub(crate) fn run(args: &PruneArgs) -> Result<Exit, ProgramError> {
    let name = args.out.to_string();
    let failed = |cause| ProgramError::Prune {
        path: name.clone(),
        cause,
    };
    let output = args.out.output(&args.s3)?;
    let prune = Prune::plan(output.store.as_ref(), output.state, args.before).map_err(failed)?;
    let (pruned, verb) = match args.dry_run {
        true => (prune.pruned(), "would take out"),
        false => (prune.run().map_err(failed)?, "took out"),
    };
    Printer::new(false).data(&text(&pruned, verb, &name))?;
    Ok(Exit::Done)
}

fn text(pruned: &Pruned, verb: &str, name: &str) -> String {
    let (Some(first), Some(last)) = (pruned.days.first(), pruned.days.last()) else {
        return format!("{}: {verb} nothing\n", printable(name));
    };
    let rows: Vec<String> = pruned
        .rows
        .iter()
        .map(|(table, rows)| format!("{table} {} rows", grouped(*rows)))
        .collect();
    format!(
        "{}: {verb} {} files, {:.1} MB, delivered from {first} to {last}\n{}\n",
        printable(name),
        grouped(pruned.files),
        pruned.bytes as f64 / 1e6,
        rows.join(", "),
    )
}

/// `2026-11-02`
pub(crate) fn day(text: &str) -> Result<Day, String> {
    match text.parse::<DayRange>() {
        Ok(range) if range.first == range.last => Ok(range.first),
        _ => Err("expected a date such as `2026-11-02`".to_owned()),
    }
}
