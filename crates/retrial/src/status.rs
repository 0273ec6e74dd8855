//! `retrial status`: what an output has, what it lacks, and whether its objects are as listed.

use std::fmt::Write;

use clap::Args;
use retrial_pipeline::{Gap, PlaceStatus, Status, output_status};
use retrial_replay::EVALUATOR_VERSION;
use serde_json::{Value, json};

use crate::Exit;
use crate::args::Format;
use crate::error::ProgramError;
use crate::location::{self, Location, S3Args};
use crate::printer::{Printer, grouped, printable};

/// Keys that a list of the text has at most; the JSON has all.
const LIST: usize = 12;

#[derive(Debug, Args)]
pub(crate) struct StatusArgs {
    /// The output of `retrial analyze`: a folder, or `s3://bucket/prefix`
    #[arg(long, value_name = "FOLDER", value_parser = location::parser())]
    pub(crate) out: Location,

    /// How the answer is printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) s3: S3Args,
}

pub(crate) fn run(args: &StatusArgs) -> Result<Exit, ProgramError> {
    let output = args.out.output(&args.s3)?;
    let (manifest, _) = &output.state;
    let status = output_status(output.store.as_ref(), manifest).map_err(|cause| {
        ProgramError::OutputUnreadable {
            path: args.out.to_string(),
            cause,
        }
    })?;
    let printer = Printer::new(false);
    match args.format {
        Format::Text => printer.data(&text(&status))?,
        Format::Json => printer.data(&format!("{}\n", object(&status)))?,
    }
    Ok(if status.health.is_sound() {
        Exit::Done
    } else {
        Exit::Incomplete
    })
}

fn text(status: &Status) -> String {
    let mut out = String::new();
    // Writing to a `String` does not fail.
    let _ = write_text(&mut out, status);
    out
}

fn write_text(out: &mut String, status: &Status) -> std::fmt::Result {
    let span = match (status.days_done.first(), status.days_done.last()) {
        (Some(first), Some(last)) if first != last => format!(", {first} to {last}"),
        (Some(day), _) => format!(", {day}"),
        _ => String::new(),
    };
    writeln!(
        out,
        "delivery days done: {}{span}; log files: {}, {:.1} MB",
        grouped(status.days_done.len() as u64),
        grouped(status.files),
        status.bytes as f64 / 1e6
    )?;
    if let Some(left) = &status.interrupted {
        writeln!(
            out,
            "left: {} of {} log files of {}, {:.1} MB: a run was interrupted, and the same command goes on",
            grouped(left.files_left),
            grouped(left.files),
            left.delivery_date,
            left.bytes_left as f64 / 1e6
        )?;
    }
    for (count, what) in [
        (
            status.waiting,
            "calls are decided again by the next run: what issued their sessions may still come",
        ),
        (
            status.retry,
            "log files or folders could not be read, and are tried again by the next run",
        ),
    ] {
        if count > 0 {
            writeln!(out, "{} {what}", grouped(count))?;
        }
    }
    if let Some(day) = status.pruned_before {
        writeln!(out, "delivery days before {day} were pruned")?;
    }
    writeln!(
        out,
        "\n{:<14}{:<16}{:>6}{:>10}{:>10}  {:<12}{:<12}gaps",
        "account", "region", "days", "files", "MB", "first", "last"
    )?;
    for place in &status.places {
        write_place(out, place)?;
    }
    write_decided_by(out, status)?;
    write_health(out, status)
}

/// Which versions decided what is there, where it is not all of this one.
fn write_decided_by(out: &mut String, status: &Status) -> std::fmt::Result {
    let versions = &status.decided_by.evaluator_versions;
    let name = |version: &str| match version {
        "" => "a version that is not written down".to_owned(),
        version => format!("version {}", printable(version)),
    };
    if versions.is_empty() {
        return Ok(());
    }
    let files: Vec<String> = versions
        .iter()
        .map(|(version, files)| format!("{} ({} files)", name(version), grouped(*files)))
        .collect();
    writeln!(out, "\ndecided by {}", files.join(", "))?;
    if versions.keys().any(|version| version != EVALUATOR_VERSION) {
        writeln!(
            out,
            "this is version {EVALUATOR_VERSION}: `analyze --recompute` decides all anew, `findings` and `replay` do it each time"
        )?;
    }
    Ok(())
}

fn write_place(out: &mut String, place: &PlaceStatus) -> std::fmt::Result {
    let (files, bytes) = totals(place);
    let day = |day: Option<&retrial_pipeline::DayCount>| {
        day.map_or("", |day| day.delivery_date.as_str()).to_owned()
    };
    let gaps: Vec<String> = place.gaps.iter().map(gap_text).collect();
    let gaps = if gaps.is_empty() {
        "-".to_owned()
    } else {
        gaps.join(" ")
    };
    writeln!(
        out,
        "{:<13} {:<15} {:>6}{:>10}{:>10.1}  {:<12}{:<12}{gaps}",
        printable(place.account.as_deref().unwrap_or("-")),
        printable(place.region.as_deref().unwrap_or("-")),
        place.days.len(),
        grouped(files),
        bytes as f64 / 1e6,
        day(place.days.first()),
        day(place.days.last()),
    )
}

fn totals(place: &PlaceStatus) -> (u64, u64) {
    let files = place.days.iter().map(|day| day.files).sum();
    let bytes = place.days.iter().map(|day| day.bytes).sum();
    (files, bytes)
}

/// `2026-11-02`, or `2026-11-02..2026-11-05` as `--replace` takes it.
fn gap_text(gap: &Gap) -> String {
    if gap.first == gap.last {
        gap.first.to_string()
    } else {
        format!("{}..{}", gap.first, gap.last)
    }
}

fn write_health(out: &mut String, status: &Status) -> std::fmt::Result {
    let health = &status.health;
    writeln!(
        out,
        "\nmanifest: {}",
        if health.is_sound() {
            "all that it lists is there"
        } else {
            "not all that it lists is there as listed"
        }
    )?;
    for (keys, what) in [
        (&health.missing, "missing"),
        (&health.resized, "of another size"),
        (&health.unlisted, "not listed; the next run removes it"),
    ] {
        for key in keys.iter().take(LIST) {
            writeln!(out, "  {what}: {}", printable(key))?;
        }
        if keys.len() > LIST {
            writeln!(out, "  {what}: {} more", keys.len() - LIST)?;
        }
    }
    Ok(())
}

/// The object that `--format json` prints. Its members are part of the program's interface.
fn object(status: &Status) -> Value {
    let places: Vec<Value> = status.places.iter().map(place).collect();
    let interrupted = status.interrupted.as_ref().map(|left| {
        json!({
            "delivery_date": left.delivery_date, "files": left.files, "bytes": left.bytes,
            "files_left": left.files_left, "bytes_left": left.bytes_left,
        })
    });
    json!({
        "days_done": status.days_done,
        "files": status.files,
        "bytes": status.bytes,
        "interrupted": interrupted,
        "waiting": status.waiting,
        "retry": status.retry,
        "pruned_before": status.pruned_before.map(|day| day.to_string()),
        "places": places,
        "decided_by": {
            "evaluator_versions": status.decided_by.evaluator_versions,
            "mapping_versions": status.decided_by.mapping_versions,
            "snapshot_ids": status.decided_by.snapshot_ids,
        },
        "health": {
            "sound": status.health.is_sound(),
            "missing": status.health.missing,
            "resized": status.health.resized,
            "unlisted": status.health.unlisted,
        },
    })
}

fn place(place: &PlaceStatus) -> Value {
    let days: Vec<Value> = place
        .days
        .iter()
        .map(|day| {
            json!({"delivery_date": day.delivery_date, "files": day.files, "bytes": day.bytes})
        })
        .collect();
    let gaps: Vec<Value> = place
        .gaps
        .iter()
        .map(|gap| json!({"first": gap.first.to_string(), "last": gap.last.to_string()}))
        .collect();
    json!({"account": place.account, "region": place.region, "days": days, "gaps": gaps})
}
