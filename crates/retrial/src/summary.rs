//! A report in words.

use std::collections::BTreeMap;
use std::fmt::Write;

use retrial_iam::Snapshot;
use retrial_pipeline::{Group, GroupKey, Report};
use retrial_replay::{FindingSeverity, Omission, Verdict};

use crate::printer::{grouped, printable};

/// Lines that a list in the summary has at most; the rest is in the tables, and counted.
const LIST: usize = 12;

/// What a run was about, beside its report.
pub(crate) struct Subject<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) mapping_version: &'a str,
    pub(crate) out: &'a str,
}

/// The summary for people.
pub(crate) fn text(report: &Report, subject: &Subject<'_>) -> String {
    let mut out = String::new();
    // Writing to a String does not fail.
    let _ = write_text(&mut out, report, subject);
    out
}

fn write_text(out: &mut String, report: &Report, subject: &Subject<'_>) -> std::fmt::Result {
    heading(out, report, subject)?;
    books(out, report)?;
    verdicts(out, report)?;
    differences(
        out,
        report,
        Verdict::WouldBeDenied,
        "would be denied today: calls that went through, in the log",
    )?;
    differences(
        out,
        report,
        Verdict::WouldBeAllowed,
        "would be allowed today: calls that were denied, in the log",
    )?;
    if report.service_linked_differences > 0 {
        let calls = grouped(report.service_linked_differences);
        writeln!(
            out,
            "\n{calls} differing calls of service-linked roles are not listed"
        )?;
    }
    if report.differences_not_listed > 0 {
        let calls = grouped(report.differences_not_listed);
        writeln!(
            out,
            "\n{calls} differing calls are in the table `decisions` only"
        )?;
    }
    undetermined(out, report)?;
    let reasons = report
        .reasons
        .iter()
        .filter(|((verdict, _), _)| *verdict == Verdict::NotEvaluated)
        .map(|((_, reason), records)| (words(reason.name()), *records))
        .collect();
    counted(out, "not evaluated, by reason (records)", &reasons)?;
    counted(
        out,
        "allowed as long as these, which were not collected, do not object (calls)",
        &report.assumed,
    )?;
    let named = report
        .layers_named_by_aws
        .iter()
        .map(|(layer, calls)| ((*layer).to_owned(), *calls))
        .collect();
    counted(out, "layers that AWS's own denials name (calls)", &named)?;
    omissions(out, report)?;
    unmapped(out, report)?;
    let rejects = report
        .rejects
        .iter()
        .map(|(reason, count)| (reason.to_string(), *count))
        .collect();
    counted(out, "rejects (see the table of that name)", &rejects)?;
    if let Some(as_of) = &report.derived.as_of {
        let states = report.derived.permissions.iter();
        let states = states
            .map(|(state, actions)| (words(state.name()), *actions))
            .collect();
        let title = format!("permissions of all principals as of {as_of} (actions, by state)");
        counted(out, &title, &states)?;
        findings(out, report, as_of)?;
    }
    writeln!(
        out,
        "\ntables under {}: {}",
        printable(subject.out),
        tables(report)
    )
}

/// How many findings there are, the worst first.
fn findings(out: &mut String, report: &Report, as_of: &str) -> std::fmt::Result {
    let counts: Vec<String> = FindingSeverity::ALL
        .iter()
        .filter_map(|severity| {
            let shown = report.derived.findings.shown();
            let count = shown.filter(|one| one.severity == *severity).count();
            (count > 0).then(|| format!("{count} {}", severity.name()))
        })
        .collect();
    match counts.as_slice() {
        [] => Ok(()),
        counts => writeln!(
            out,
            "\nfindings as of {as_of}: {} (`retrial findings` prints them)",
            counts.join(", ")
        ),
    }
}

fn heading(out: &mut String, report: &Report, subject: &Subject<'_>) -> std::fmt::Result {
    let accounts = subject.snapshot.accounts().count();
    writeln!(
        out,
        "{} records in {} log files ({:.1} MB), replayed under snapshot {} of {accounts} account{}{}",
        grouped(report.books.records_read),
        grouped(report.files),
        report.bytes as f64 / 1e6,
        subject.snapshot.id(),
        if accounts == 1 { "" } else { "s" },
        subject
            .snapshot
            .taken_at()
            .map(|time| format!(", taken {}", printable(time)))
            .unwrap_or_default(),
    )?;
    let aside = &report.set_aside;
    if aside.total() > 0 {
        let kinds = [
            ("digest", aside.digest),
            ("insight", aside.insight),
            ("notification", aside.notification),
            ("other", aside.other),
        ];
        let kinds: Vec<_> = kinds
            .iter()
            .filter(|(_, count)| *count > 0)
            .map(|(kind, count)| format!("{} {kind}", grouped(*count)))
            .collect();
        writeln!(
            out,
            "{} files of other kinds set aside: {}",
            grouped(aside.total()),
            kinds.join(", ")
        )?;
    }
    Ok(())
}

fn books(out: &mut String, report: &Report) -> std::fmt::Result {
    let books = &report.books;
    writeln!(out, "\nbooks")?;
    for (name, count, note) in [
        ("records read", books.records_read, String::new()),
        (
            "decided",
            books.decided,
            if report.copies > 0 {
                format!(
                    "{} of them the resource owner's copies",
                    grouped(report.copies)
                )
            } else {
                String::new()
            },
        ),
        ("not evaluated", books.not_evaluated, String::new()),
        ("filtered", books.filtered, String::new()),
        ("duplicate", books.duplicate, String::new()),
        (
            "rejected",
            books.rejected,
            if report.files_rejected > 0 {
                format!(
                    "and {} files in part or whole",
                    grouped(report.files_rejected)
                )
            } else {
                String::new()
            },
        ),
    ] {
        let line = format!("  {name:<14}{:>13}  {note}", grouped(count));
        writeln!(out, "{}", line.trim_end())?;
    }
    for (count, what) in [
        (
            report.conflicts,
            "with another record's event id and another body",
        ),
        (
            report.waiting,
            "calls are decided again by the next run: what issued their sessions may still come",
        ),
        (
            report.redecided,
            "calls of an earlier run were decided again, and are not counted here",
        ),
        (
            report.resumed_batches,
            "batches were committed before this run went on, and are not counted here",
        ),
        (report.read_before, "log files were read by earlier runs"),
        (
            report.gone,
            "log files of the days done anew are not there any more",
        ),
    ] {
        if count > 0 {
            writeln!(out, "  {} {what}", grouped(count))?;
        }
    }
    if !books.balance() {
        writeln!(
            out,
            "  the books do not balance: this is a defect of retrial"
        )?;
    }
    Ok(())
}

fn verdicts(out: &mut String, report: &Report) -> std::fmt::Result {
    let heads = COLUMNS.map(|(above, _, _)| above);
    write_line(out, "\nverdicts", &heads)?;
    let heads = COLUMNS.map(|(_, below, _)| below);
    write_line(out, "by service", &heads)?;
    let mut services: Vec<_> = report.services.iter().collect();
    services.sort_by_key(|(name, verdicts)| {
        (
            std::cmp::Reverse(verdicts.values().sum::<u64>()),
            name.as_str(),
        )
    });
    for (service, counts) in services.iter().take(LIST) {
        let name = if service.is_empty() {
            "(no event source)"
        } else {
            service
        };
        verdict_line(out, &printable(name), counts)?;
    }
    if services.len() > LIST {
        let mut rest = BTreeMap::new();
        for (_, counts) in services.iter().skip(LIST) {
            for (verdict, count) in counts.iter() {
                *rest.entry(*verdict).or_insert(0) += count;
            }
        }
        verdict_line(out, &format!("{} more", services.len() - LIST), &rest)?;
    }
    verdict_line(out, "all", &report.verdicts)
}

/// The verdicts' columns, in the order of [`Verdict::ALL`]: their heads in two lines, and their width.
const COLUMNS: [(&str, &str, usize); 6] = [
    ("", "agrees", 10),
    ("would be", "denied", 10),
    ("would be", "allowed", 10),
    ("", "undetermined", 14),
    ("not", "comparable", 12),
    ("not", "evaluated", 11),
];

fn verdict_line(out: &mut String, name: &str, counts: &BTreeMap<Verdict, u64>) -> std::fmt::Result {
    let cells = Verdict::ALL.map(|verdict| {
        let count = counts.get(&verdict);
        count.map_or_else(|| "-".to_owned(), |count| grouped(*count))
    });
    write_line(out, &format!("  {name}"), &cells)
}

/// A name and the verdicts' columns.
fn write_line(out: &mut String, name: &str, cells: &[impl AsRef<str>]) -> std::fmt::Result {
    write!(out, "{name:<32}")?;
    for (cell, (_, _, width)) in cells.iter().zip(COLUMNS) {
        write!(out, "{:>width$}", cell.as_ref())?;
    }
    writeln!(out)
}

fn differences(
    out: &mut String,
    report: &Report,
    verdict: Verdict,
    title: &str,
) -> std::fmt::Result {
    let mut groups: Vec<(&GroupKey, &Group)> = report
        .differences
        .iter()
        .filter(|(key, _)| key.verdict == verdict)
        .collect();
    if groups.is_empty() {
        return Ok(());
    }
    groups.sort_by_key(|(key, group)| (std::cmp::Reverse(group.calls), *key));
    writeln!(out, "\n{title}")?;
    for (key, group) in groups.iter().take(LIST) {
        writeln!(
            out,
            "  {:>8}  {}  {}",
            grouped(group.calls),
            printable(&key.action),
            printable(&key.principal_arn)
        )?;
        if let Some(resource) = group.resources.first() {
            let more = if group.resources.len() > 1 {
                " and others"
            } else {
                ""
            };
            writeln!(out, "            on {}{more}", printable(resource))?;
        }
        if let Some(why) = why(group) {
            writeln!(out, "            {}", printable(&why))?;
        }
        if let Some(id) = group.event_ids.first() {
            writeln!(out, "            for one, event {}", printable(id))?;
        }
    }
    if groups.len() > LIST {
        let rest: u64 = groups.iter().skip(LIST).map(|(_, group)| group.calls).sum();
        writeln!(
            out,
            "  {:>8}  more, in {} groups of principal and action",
            grouped(rest),
            groups.len() - LIST
        )?;
    }
    Ok(())
}

fn why(group: &Group) -> Option<String> {
    let layer = words(group.layer.as_deref()?);
    Some(match &group.statement {
        Some(statement) => format!("denied by {statement} ({layer})"),
        None => format!("no statement of the {layer} layer allows it"),
    })
}

fn undetermined(out: &mut String, report: &Report) -> std::fmt::Result {
    let total = report
        .verdicts
        .get(&Verdict::Undetermined)
        .copied()
        .unwrap_or(0);
    if total == 0 {
        return Ok(());
    }
    let share = 100.0 * total as f64 / report.books.decided.max(1) as f64;
    let title = format!(
        "undetermined: {} calls, {share:.1} % of the decided; what would determine them (calls)",
        grouped(total)
    );
    counted(out, &title, &report.undetermined_by)
}

/// How well the mapping knows the log: shown on every run.
fn unmapped(out: &mut String, report: &Report) -> std::fmt::Result {
    let (total, kept) = (report.unmapped.total(), report.books.kept());
    if total == 0 {
        return writeln!(out, "\nunmapped events: none");
    }
    // Rounded up: what is there must not look like nothing.
    let share = (100_000.0 * total as f64 / kept.max(1) as f64).ceil() / 1000.0;
    let title = format!("unmapped events: {share} % of the records kept (records)");
    let events = report.unmapped.listed().map(|(event, records)| {
        let name = format!("{} {}", event.event_source, event.event_name);
        (name, records)
    });
    counted(out, &title, &events.collect())?;
    not_listed(out, report.unmapped.not_listed())
}

/// Records whose requests CloudTrail cut or redacted.
fn omissions(out: &mut String, report: &Report) -> std::fmt::Result {
    let lines = report.omissions.listed().map(|(key, records)| {
        let principal = match &*key.principal_arn {
            "" => "(no principal)",
            arn => arn,
        };
        let what = left_out(key.omission);
        let event = &key.event;
        let line = format!(
            "{} {} {principal}: {what}",
            event.event_source, event.event_name
        );
        (line, records)
    });
    let title =
        "requests that CloudTrail does not show whole: what they would name is unknown (records)";
    counted(out, title, &lines.collect())?;
    not_listed(out, report.omissions.not_listed())
}

/// What CloudTrail did to a request, in words.
pub(crate) fn left_out(omission: Omission) -> &'static str {
    match omission {
        Omission::Omitted => "omitted for its size",
        Omission::Redacted => "redacted",
        Omission::Values => "some values redacted",
    }
}

fn not_listed(out: &mut String, records: u64) -> std::fmt::Result {
    if records == 0 {
        return Ok(());
    }
    writeln!(out, "  {:>8}  not listed", grouped(records))
}

fn counted(out: &mut String, title: &str, counts: &BTreeMap<String, u64>) -> std::fmt::Result {
    if counts.is_empty() {
        return Ok(());
    }
    let mut counts: Vec<_> = counts.iter().collect();
    counts.sort_by_key(|(name, count)| (std::cmp::Reverse(**count), name.as_str()));
    writeln!(out, "\n{title}")?;
    for (name, count) in counts.iter().take(LIST) {
        writeln!(out, "  {:>8}  {}", grouped(**count), printable(name))?;
    }
    if counts.len() > LIST {
        let rest: u64 = counts.iter().skip(LIST).map(|(_, count)| **count).sum();
        writeln!(
            out,
            "  {:>8}  in {} more",
            grouped(rest),
            counts.len() - LIST
        )?;
    }
    Ok(())
}

fn tables(report: &Report) -> String {
    let tables: Vec<_> = report
        .rows
        .iter()
        .map(|(table, rows)| format!("{table} {} rows", grouped(*rows)))
        .collect();
    if tables.is_empty() {
        "nothing was added".to_owned()
    } else {
        tables.join(", ")
    }
}

/// A name of the tables in words.
fn words(name: &str) -> String {
    name.replace('_', " ").replace("iam", "IAM")
}
