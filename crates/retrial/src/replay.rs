//! `retrial replay`: what another snapshot makes of the calls of an output, without the log files.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::thread;

use clap::Args;
use retrial_cloudtrail::Timestamp;
use retrial_iam::Catalogue;
use retrial_pipeline::{ChangeKey, ChangedCalls, Replay, ReplayReport, Window, replay};
use retrial_replay::{Mapping, Replayer, Verdict};
use serde_json::{Value, json};

use crate::Exit;
use crate::args::{Format, SnapshotArgs, moment};
use crate::error::ProgramError;
use crate::input;
use crate::location::{self, Location, S3Args};
use crate::printer::{Printer, grouped, printable};

#[derive(Debug, Args)]
pub(crate) struct ReplayArgs {
    /// The output of `retrial analyze`, whose tables are read: a folder, or `s3://bucket/prefix`
    #[arg(long, value_name = "FOLDER", value_parser = location::parser())]
    pub(crate) out: Location,

    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,

    /// Only calls from this moment on: `2026-11-02` or `2026-11-02T09:30:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,

    /// Only calls before this moment
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,

    /// How many threads to use; the answer is the same whatever their number [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,

    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    #[command(flatten)]
    pub(crate) s3: S3Args,
}

pub(crate) fn run(args: &ReplayArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(false);
    let unreadable = |cause| ProgramError::OutputUnreadable {
        path: args.out.to_string(),
        cause,
    };
    let loaded = input::snapshot(&args.snapshot.iam, &printer)?;
    let output = args.out.output(&args.s3)?;
    let (manifest, _) = &output.state;
    let catalogue = Catalogue::bundled();
    let mapping = Mapping::bundled(catalogue)?;
    let assumptions = args.snapshot.assumptions();
    let report = replay(&Replay {
        replayer: Replayer::new(catalogue, &mapping, &loaded.snapshot, assumptions),
        store: output.store.as_ref(),
        files: &manifest.files,
        window: Window {
            since: args.since,
            until: args.until,
        },
        threads: threads(args),
    })
    .map_err(unreadable)?;
    let snapshot_id = loaded.snapshot.id();
    match args.format {
        Format::Text => printer.data(&text(&report, snapshot_id))?,
        Format::Json => printer.data(&format!("{}\n", object(&report, snapshot_id)))?,
    }
    Ok(match loaded.whole {
        true => Exit::Done,
        false => Exit::Incomplete,
    })
}

fn threads(args: &ReplayArgs) -> usize {
    args.threads.map_or_else(
        || thread::available_parallelism().map_or(1, |cores| cores.get()),
        |threads| threads.get(),
    )
}

fn text(report: &ReplayReport, snapshot_id: &str) -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_text(&mut out, report, snapshot_id);
    out
}

fn write_text(out: &mut String, report: &ReplayReport, snapshot_id: &str) -> std::fmt::Result {
    let before: Vec<&str> = report.snapshots.iter().map(String::as_str).collect();
    writeln!(
        out,
        "{} calls under the snapshot {snapshot_id}; their tables stand under {}",
        grouped(report.calls),
        match before.as_slice() {
            [] => "none".to_owned(),
            ids => printable(&ids.join(", ")),
        }
    )?;
    writeln!(
        out,
        "\n  {:<18}{:>14}{:>14}",
        "verdict", "in the tables", "now"
    )?;
    for verdict in Verdict::ALL {
        let count = |verdicts: &BTreeMap<Verdict, u64>| {
            grouped(verdicts.get(&verdict).copied().unwrap_or_default())
        };
        let (before, after) = (count(&report.before), count(&report.after));
        if (before.as_str(), after.as_str()) != ("0", "0") {
            writeln!(out, "  {:<18}{before:>14}{after:>14}", verdict.name())?;
        }
    }
    writeln!(
        out,
        "\nanother verdict: {} calls",
        grouped(report.changed_calls())
    )?;
    for ((before, after), groups) in by_change(report) {
        let calls: u64 = groups.iter().map(|(_, group)| group.calls).sum();
        writeln!(
            out,
            "\n{} -> {}: {}",
            before.name(),
            after.name(),
            grouped(calls)
        )?;
        for (key, group) in groups {
            write_group(out, key, group)?;
        }
    }
    for (count, what) in [
        (
            report.changed_not_listed,
            "further calls with another verdict are not listed",
        ),
        (
            report.changed_copies,
            "copies of other accounts' calls have another verdict, and are not listed",
        ),
        (
            report.same_verdict,
            "calls have the same verdict by other decisions",
        ),
    ] {
        if count > 0 {
            writeln!(out, "\n{} {what}", grouped(count))?;
        }
    }
    Ok(())
}

fn write_group(out: &mut String, key: &ChangeKey, group: &ChangedCalls) -> std::fmt::Result {
    let principal = match key.principal_arn.as_str() {
        "" => "(caller not shown)",
        arn => arn,
    };
    let reason = group
        .reason
        .map_or_else(String::new, |reason| format!(" ({})", reason.name()));
    writeln!(
        out,
        "  {:>8}  {} by {}{reason}",
        grouped(group.calls),
        printable(&key.action),
        printable(principal)
    )?;
    let samples = |out: &mut String, what: &str, samples: &[String]| match samples {
        [] => Ok(()),
        samples => writeln!(out, "            {what} {}", printable(&samples.join(", "))),
    };
    samples(out, "on", &group.resources)?;
    samples(out, "events", &group.event_ids)
}

type Groups<'r> = Vec<(&'r ChangeKey, &'r ChangedCalls)>;

/// The groups by what became of what, most calls first.
fn by_change(report: &ReplayReport) -> BTreeMap<(Verdict, Verdict), Groups<'_>> {
    let mut changes: BTreeMap<(Verdict, Verdict), Groups<'_>> = BTreeMap::new();
    for (key, group) in &report.changed {
        let groups = changes.entry((key.before, key.after)).or_default();
        groups.push((key, group));
    }
    for groups in changes.values_mut() {
        groups.sort_by(|(left, a), (right, b)| b.calls.cmp(&a.calls).then(left.cmp(right)));
    }
    changes
}

fn object(report: &ReplayReport, snapshot_id: &str) -> Value {
    let verdicts = |verdicts: &BTreeMap<Verdict, u64>| {
        let named = Verdict::ALL.map(|verdict| {
            let calls = verdicts.get(&verdict).copied().unwrap_or_default();
            (verdict.name().to_owned(), json!(calls))
        });
        Value::Object(named.into_iter().collect())
    };
    let changed: Vec<Value> = by_change(report)
        .into_values()
        .flatten()
        .map(|(key, group)| {
            json!({
                "before": key.before.name(), "after": key.after.name(),
                "principal_arn": key.principal_arn, "action": key.action,
                "calls": group.calls, "reason": group.reason.map(|reason| reason.name()),
                "resources": group.resources, "event_ids": group.event_ids,
            })
        })
        .collect();
    json!({
        "snapshot_id": snapshot_id, "snapshots_before": report.snapshots, "calls": report.calls,
        "verdicts_before": verdicts(&report.before), "verdicts": verdicts(&report.after),
        "changed_calls": report.changed_calls(), "changed": changed,
        "changed_not_listed": report.changed_not_listed,
        "changed_copies": report.changed_copies, "same_verdict": report.same_verdict,
    })
}
