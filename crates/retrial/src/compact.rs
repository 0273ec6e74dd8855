//! `retrial compact`: merges the small files of closed dates.

use std::env;

use clap::Args;
use retrial_cloudtrail::Day;
use retrial_pipeline::{Compact, Compacted, Scratch};

use crate::Exit;
use crate::error::ProgramError;
use crate::location::{self, Location, S3Args};
use crate::logs::LogArgs;
use crate::printer::{Printer, grouped, printable};
use crate::prune::day;
use crate::signals;

#[derive(Debug, Args)]
pub(crate) struct CompactArgs {
    /// The output of `retrial analyze`: a folder, or `s3://bucket/prefix`
    #[arg(long, value_name = "FOLDER", value_parser = location::parser())]
    pub(crate) out: Location,

    /// Merge the event dates before this day: `2026-11-02` [default: the last delivery day]
    #[arg(long, value_name = "DATE", value_parser = day)]
    pub(crate) before: Option<Day>,

    /// Only say what would be merged
    #[arg(long)]
    pub(crate) dry_run: bool,

    #[command(flatten)]
    pub(crate) logs: LogArgs,

    #[command(flatten)]
    pub(crate) s3: S3Args,
}

pub(crate) fn run(args: &CompactArgs) -> Result<Exit, ProgramError> {
    let name = args.out.to_string();
    let failed = |cause| ProgramError::compact(&name, cause);
    let output = args.out.output(&args.s3)?;
    let compact =
        Compact::plan(output.store.as_ref(), output.state, args.before).map_err(failed)?;
    let text = if args.dry_run {
        text(&compact.compacted(), "would merge", &name)
    } else {
        let scratch = Scratch::new(&env::temp_dir()).map_err(failed)?;
        let stop = signals::stop_flag().map_err(ProgramError::Signals)?;
        text(
            &compact.run(&scratch, &stop).map_err(failed)?,
            "merged",
            &name,
        )
    };
    Printer::new(false).data(&text)?;
    Ok(Exit::Done)
}

fn text(compacted: &Compacted, verb: &str, name: &str) -> String {
    let mut text = match compacted.dates.len() {
        0 => format!("{}: {verb} nothing\n", printable(name)),
        dates => format!(
            "{}: {verb} {} files of {} event date{}, {:.1} MB, into {}{}\n",
            printable(name),
            grouped(compacted.files),
            grouped(dates as u64),
            if dates == 1 { "" } else { "s" },
            compacted.bytes as f64 / 1e6,
            grouped(compacted.merged_files),
            match compacted.merged_bytes {
                0 => String::new(),
                bytes => format!(", {:.1} MB", bytes as f64 / 1e6),
            },
        ),
    };
    if !compacted.open_dates.is_empty() {
        text.push_str(&format!(
            "left alone, since calls of them are decided again by the next run: {}\n",
            compacted.open_dates.join(", ")
        ));
    }
    text
}
