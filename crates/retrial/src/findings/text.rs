//! The page for people: what matters most first, short, and how much more there is.

use std::collections::BTreeMap;
use std::fmt::Write;

use retrial_iam::Decision;
use retrial_replay::{
    Finding, FindingKind, FindingReport, FindingSeverity, Hidden, Outcome, Verdict,
};

use super::{Subject, day};
use crate::printer::{grouped, printable};

/// What undetermined calls wait for, at most so many of it.
const MOST_WAITS: usize = 5;
/// Findings of one kind in a row that are listed, where there are others.
const MOST_OF_KIND: usize = 4;

pub(crate) fn page(report: &FindingReport, subject: &Subject<'_>) -> String {
    let mut out = String::new();
    // Writing to a `String` cannot fail.
    let _ = write_page(&mut out, report, subject);
    out
}

fn write_page(out: &mut String, report: &FindingReport, subject: &Subject<'_>) -> std::fmt::Result {
    heading(out, report, subject)?;
    let shown: Vec<&Finding> = report
        .shown()
        .filter(|finding| finding.severity != FindingSeverity::Information)
        .collect();
    let listed = listed(&shown, subject.limit);
    if shown.is_empty() {
        writeln!(out, "\nnothing is to be done")?;
    }
    for (number, finding) in listed.iter().enumerate() {
        write_finding(out, number + 1, finding)?;
    }
    rest(out, report, (&shown, &listed))?;
    matrix(out, report)?;
    unknown(out, report, subject)
}

fn heading(out: &mut String, report: &FindingReport, subject: &Subject<'_>) -> std::fmt::Result {
    let accounts = subject.snapshot.accounts().count();
    writeln!(
        out,
        "findings as of {}, under snapshot {} of {accounts} account{}, {}",
        subject.as_of,
        subject.snapshot.id(),
        if accounts == 1 { "" } else { "s" },
        match subject.snapshot_time {
            Some(time) => format!("taken {}", day(time)),
            None => "taken nobody knows when (`--snapshot-time`)".to_owned(),
        }
    )?;
    let window = match report.window {
        (Some(first), Some(last)) => format!(" from {} to {}", day(first), day(last)),
        _ => String::new(),
    };
    writeln!(
        out,
        "{} call{}{window}",
        grouped(report.calls),
        plural(report.calls)
    )?;
    let counts: Vec<String> = FindingSeverity::ALL
        .iter()
        .filter_map(|severity| {
            let count = report
                .shown()
                .filter(|one| one.severity == *severity)
                .count();
            let name = match severity {
                FindingSeverity::Information => "for information",
                severity => severity.name(),
            };
            (count > 0).then(|| format!("{count} {name}"))
        })
        .collect();
    match counts.as_slice() {
        [] => Ok(()),
        counts => writeln!(out, "{}", counts.join(", ")),
    }
}

/// The first findings; of one kind and severity not so many that they hide the others.
fn listed<'f>(shown: &[&'f Finding], limit: usize) -> Vec<&'f Finding> {
    if limit == 0 {
        return shown.to_vec();
    }
    let mut of_kind: BTreeMap<(FindingSeverity, FindingKind), usize> = BTreeMap::new();
    let is_listed = |finding: &&&'f Finding| {
        let count = of_kind.entry((finding.severity, finding.kind)).or_default();
        *count += 1;
        *count <= MOST_OF_KIND || finding.severity == FindingSeverity::High
    };
    shown
        .iter()
        .filter(is_listed)
        .take(limit)
        .copied()
        .collect()
}

fn write_finding(out: &mut String, number: usize, finding: &Finding) -> std::fmt::Result {
    writeln!(
        out,
        "\n{number:>3}  {}  {}  {}",
        finding.severity.name(),
        finding.kind.name(),
        finding.id()
    )?;
    writeln!(out, "     {}", printable(&finding.message))?;
    if let Some(whom) = whom(finding) {
        writeln!(out, "     {}", printable(&whom))?;
    }
    if let Some(owner) = &finding.owner {
        writeln!(out, "     owner {}", printable(owner))?;
    }
    if finding.calls > 0 {
        let last = finding
            .last_time
            .map(|time| format!(", the last on {}", day(time)));
        let event = finding.event_ids.last().map(|id| format!(", event {id}"));
        // What is told from sums knows no days.
        let days = match finding.days {
            0 => String::new(),
            days => format!(" on {days} day{}", plural(days)),
        };
        let line = format!(
            "{} call{}{days}{}{}",
            grouped(finding.calls),
            plural(finding.calls),
            last.unwrap_or_default(),
            event.unwrap_or_default()
        );
        writeln!(out, "     {}", printable(&line))?;
    }
    let entries = |name: &str| finding.details.get(name).map_or(&[][..], Vec::as_slice);
    if let Some(resource) = entries("resources").first().filter(|_| finding.calls > 0) {
        let more = entries("resources").len() - 1;
        let more = (more > 0).then(|| format!(" and {more} more"));
        writeln!(
            out,
            "     on {}{}",
            printable(resource),
            more.unwrap_or_default()
        )?;
    }
    if let Some(write) = entries("writes").last() {
        writeln!(out, "     changed by {}", printable(write))?;
    }
    if let Some(way) = entries("ways").first() {
        writeln!(out, "     by {}", printable(way))?;
    }
    writeln!(out, "     -> {}", printable(&finding.remedy))
}

fn plural(count: u64) -> &'static str {
    if count == 1 { "" } else { "s" }
}

/// Who or what it is about, where the message does not tell it whole.
fn whom(finding: &Finding) -> Option<String> {
    match (&finding.principal_arn, &finding.policy) {
        (_, Some(policy)) => {
            let statement = match (&finding.sid, finding.statement_index) {
                (Some(sid), _) => format!(" statement {sid}"),
                (None, Some(index)) => format!(" statement {index}"),
                (None, None) => String::new(),
            };
            Some(format!("{policy}{statement}"))
        }
        (Some(principal), None) => Some(principal.clone()),
        (None, None) => None,
    }
}

/// What is not listed, by kind, and how to see it.
fn rest(
    out: &mut String,
    report: &FindingReport,
    (shown, listed): (&[&Finding], &[&Finding]),
) -> std::fmt::Result {
    let mut kinds: BTreeMap<(FindingSeverity, FindingKind), usize> = BTreeMap::new();
    for finding in report.shown() {
        *kinds.entry((finding.severity, finding.kind)).or_default() += 1;
    }
    for finding in listed {
        if let Some(count) = kinds.get_mut(&(finding.severity, finding.kind)) {
            *count -= 1;
        }
    }
    kinds.retain(|_, count| *count > 0);
    if !kinds.is_empty() {
        let more = shown.len() - listed.len();
        let informative = report.shown().count() - shown.len();
        let more = match (more, informative) {
            (0, informative) => format!("{informative} for information"),
            (more, 0) => format!("{more} more"),
            (more, informative) => format!("{more} more, and {informative} for information"),
        };
        writeln!(
            out,
            "\n{more} (`--limit 0`, `--format json`, or the table `findings`)"
        )?;
        for ((severity, kind), count) in kinds {
            writeln!(
                out,
                "  {:>8}  {:<12} {:<24} {}",
                grouped(count as u64),
                severity.name(),
                kind.name(),
                kind.title()
            )?;
        }
    }
    Ok(())
}

/// What AWS recorded against what is decided today, and how often that is provably wrong.
fn matrix(out: &mut String, report: &FindingReport) -> std::fmt::Result {
    const DECISIONS: [Decision; 4] = [
        Decision::Allowed,
        Decision::Undetermined,
        Decision::ImplicitDeny,
        Decision::ExplicitDeny,
    ];
    writeln!(
        out,
        "\n{:<30}{:>12}{:>14}{:>15}{:>15}",
        "recorded, and decided today", "allowed", "undetermined", "implicit deny", "explicit deny"
    )?;
    for outcome in Outcome::ALL {
        let cells = DECISIONS.map(|decision| {
            let calls = report.matrix.get(&(outcome, decision)).copied();
            calls.map_or_else(|| "-".to_owned(), grouped)
        });
        if cells.iter().all(|cell| cell == "-") {
            continue;
        }
        let [allowed, undetermined, implicit, explicit] = cells;
        writeln!(
            out,
            "  {:<28}{allowed:>12}{undetermined:>14}{implicit:>15}{explicit:>15}",
            outcome.name().replace('_', " ")
        )?;
    }
    let (errors, compared) = (report.contradicted(), report.compared());
    let share = 100.0 * errors as f64 / compared.max(1) as f64;
    writeln!(
        out,
        "error rate: {} of {} compared calls ({share:.2} %) provably go through where we say denied",
        grouped(errors),
        grouped(compared)
    )?;
    for contradiction in report.contradictions.iter().take(3) {
        writeln!(
            out,
            "  {} by {}, event {}",
            printable(&contradiction.action),
            printable(&contradiction.principal_arn),
            printable(contradiction.event_ids.last().map_or("-", String::as_str))
        )?;
    }
    Ok(())
}

/// What cannot be told, and what would tell it.
fn unknown(out: &mut String, report: &FindingReport, subject: &Subject<'_>) -> std::fmt::Result {
    let undetermined = report.verdicts.get(&Verdict::Undetermined).copied();
    let decided: u64 = report.matrix.values().sum();
    if let Some(calls) = undetermined.filter(|calls| *calls > 0) {
        let share = 100.0 * calls as f64 / decided.max(1) as f64;
        writeln!(
            out,
            "\nundetermined: {} calls, {share:.1} % of the decided; they wait for",
            grouped(calls)
        )?;
        let mut waits: Vec<_> = report.undetermined_by.iter().collect();
        waits.sort_by_key(|(what, calls)| (std::cmp::Reverse(**calls), what.as_str()));
        for (what, calls) in waits.iter().take(MOST_WAITS) {
            writeln!(out, "  {:>8}  {}", grouped(**calls), printable(what))?;
        }
        if waits.len() > MOST_WAITS {
            writeln!(out, "  {:>8}  other reasons", waits.len() - MOST_WAITS)?;
        }
    }
    let days = match report.window {
        (Some(first), Some(last)) => (last - first) / super::MICROS_PER_DAY + 1,
        _ => 0,
    };
    if report.filtered {
        writeln!(
            out,
            "\nnothing is called unused: a filter of `retrial analyze` leaves out calls of this output"
        )?;
    } else if u64::try_from(days).unwrap_or(0) < subject.min_window {
        writeln!(
            out,
            "\nlittle is called unused yet: the calls cover {days} day{}, and {} are asked for (`--min-window`)",
            plural(u64::try_from(days).unwrap_or(0)),
            subject.min_window
        )?;
    }
    hidden(out, report)
}

fn hidden(out: &mut String, report: &FindingReport) -> std::fmt::Result {
    let of_service_linked = report
        .findings
        .iter()
        .filter(|one| one.hidden == Some(Hidden::ServiceLinkedRole))
        .count();
    let excluded = report
        .findings
        .iter()
        .filter(|one| matches!(one.hidden, Some(Hidden::Excluded(_))))
        .count();
    for (count, what) in [
        (
            of_service_linked,
            "findings about service-linked roles are not shown",
        ),
        (excluded, "findings are excluded"),
        (
            report.expired_exclusions,
            "exclusions have expired: what they hid is shown again",
        ),
        (
            report.administrators.len(),
            "administrators, for whom no way to more is looked for",
        ),
    ] {
        if count > 0 {
            writeln!(out, "{count} {what}")?;
        }
    }
    if report.left_out > 0 {
        writeln!(
            out,
            "{} calls are in no finding, because there are too many groups of them",
            grouped(report.left_out)
        )?;
    }
    Ok(())
}
