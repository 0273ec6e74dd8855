//! The certificate that stands beside a proposal.

use std::collections::BTreeMap;
use std::fmt::Write;

use retrial_cloudtrail::Timestamp;
use retrial_iam::{Catalogue, LintRule, PolicyKind, Severity, lint};
use retrial_pipeline::{WhatIfGroup, WhatIfKey};
use retrial_replay::{KeptFor, StatementReason, WhyLeft};

use super::markdown::count;
use super::named::To;
use super::{Case, Mode, Subject, day, markdown};
use crate::findings::escaped;

/// Groups of calls that a refusal lists; the rest is counted.
const MAX_LISTED: usize = 50;

/// How a proposal of the first four fifths would have done on the last.
pub(crate) fn first_line(case: &Case<'_>, subject: &Subject<'_>) -> String {
    let split = Timestamp::from_micros(subject.rightsized.window.split).to_iso();
    let of = format!(
        "of its {} in the last fifth of the window (from {split})",
        count(case.fifth_calls, "call")
    );
    let Some(fifth) = &case.fifth else {
        return format!(
            "{of}, a proposal built on the first four fifths would have denied 0: it takes nothing away"
        );
    };
    let mut text = format!(
        "{of}, a proposal built on the first four fifths would have denied {}",
        fifth.denied
    );
    if fifth.undetermined > 0 {
        let _ = write!(text, ", and left {} open", fifth.undetermined);
    }
    text
}

pub(crate) fn page(case: &Case<'_>, subject: &Subject<'_>, has_way_back: bool) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = write_page(&mut out, (case, subject), has_way_back);
    out
}

fn write_page(
    out: &mut String,
    (case, subject): (&Case<'_>, &Subject<'_>),
    has_way_back: bool,
) -> std::fmt::Result {
    let proposal = case.proposal();
    let line = first_line(case, subject);
    let mut characters = line.chars();
    let first = characters.next().map(|first| first.to_ascii_uppercase());
    let first: String = first.into_iter().chain(characters).collect();
    writeln!(out, "{first}.\n")?;
    writeln!(
        out,
        "# Certificate for {}\n",
        escaped(&markdown::title(proposal))
    )?;
    if let Some(shared) = proposal.shared() {
        writeln!(
            out,
            "Edited for all who have it, and tried on the calls of all of them: {}. It is attached to {}.\n",
            markdown::names(&shared.holders),
            markdown::names(&shared.attached_to)
        )?;
    }
    if let Some(set) = proposal.set() {
        writeln!(
            out,
            "Tried on the calls of all its roles in the snapshot: {}. What of it is in other accounts is not known.\n",
            markdown::names(&set.roles)
        )?;
    }
    write_trial(out, case)?;
    write_basis(out, subject)?;
    writeln!(out, "\n## Statements, and why they stand\n")?;
    for document in &proposal.documents {
        for statement in &document.statements {
            let origins: Vec<String> = statement.origins.iter().map(markdown::origin).collect();
            writeln!(
                out,
                "* {}: {}; made of {}",
                markdown::sid(statement),
                markdown::reason(statement),
                origins.join(", ")
            )?;
        }
    }
    write_mined(out, case)?;
    write_kept(out, case)?;
    write_unknown(out, case, has_way_back)?;
    write_lint(out, case)
}

fn write_trial(out: &mut String, case: &Case<'_>) -> std::fmt::Result {
    let (proposal, trial) = (case.proposal(), &case.whole);
    if !trial.is_clean() {
        writeln!(out, "**REFUSED.** The policies are not written.\n")?;
    }
    writeln!(
        out,
        "The whole window, replayed under the proposal: {} that got through, {} newly denied, {} newly \
         undetermined, {} newly allowed.",
        count(proposal.calls, "call"),
        trial.denied,
        trial.undetermined,
        trial.opened
    )?;
    if trial.others > 0 {
        writeln!(
            out,
            "\nDecided otherwise, too: {} that AWS denied, or that failed for another reason (throttled, invalid). They \
             show no use.",
            count(trial.others, "call")
        )?;
    }
    if proposal.denied_today > 0 {
        writeln!(
            out,
            "\nToday's policies deny {} of them already: the proposal does not bring them back.",
            proposal.denied_today
        )?;
    }
    if trial.not_listed > 0 {
        writeln!(
            out,
            "\n{} differing calls could not be told apart by principal.",
            trial.not_listed
        )?;
    }
    for (key, group) in trial.groups.iter().take(MAX_LISTED) {
        writeln!(out, "{}", broken(key, group))?;
    }
    let more: u64 = trial
        .groups
        .iter()
        .skip(MAX_LISTED)
        .map(|(_, group)| group.calls)
        .sum();
    if more > 0 {
        writeln!(out, "* and {more} calls more")?;
    }
    Ok(())
}

/// A group of calls that a proposal would break.
fn broken(key: &WhatIfKey, group: &WhatIfGroup) -> String {
    let events: Vec<String> = group.event_ids.iter().map(|id| escaped(id)).collect();
    format!(
        "* {}: {} of {} on {}, for some events {}",
        key.effect.name().replace('_', " "),
        count(group.calls, "call"),
        escaped(&key.action),
        markdown::names(&group.resources),
        events.join(", ")
    )
}

fn write_basis(out: &mut String, subject: &Subject<'_>) -> std::fmt::Result {
    let window = subject.rightsized.window;
    let args = subject.args;
    writeln!(out, "\n## What it stands on\n\n| | |\n|---|---|")?;
    let rows = [
        (
            "window",
            format!("{} to {}", day(window.begin), day(window.end - 1)),
        ),
        ("snapshot", subject.snapshot.id().to_owned()),
        (
            "snapshot taken",
            subject.snapshot.taken_at().unwrap_or("not told").to_owned(),
        ),
        (
            "tables (SHA-256 of their list)",
            subject.rightsized.inputs_digest.clone(),
        ),
        (
            "evaluator",
            format!("retrial {}", env!("CARGO_PKG_VERSION")),
        ),
        ("mapping", subject.mapping_version.to_owned()),
        ("catalogue", Catalogue::bundled().version().to_owned()),
        (
            "called unused",
            format!("what went unused for {} days", args.min_window),
        ),
        (
            "Regions without log files",
            match args.assume_multi_region {
                true => "count as observed (--assume-multi-region)".to_owned(),
                false => "count as observed where a trail of the snapshot says so".to_owned(),
            },
        ),
        (
            "mode",
            match args.mode {
                Mode::New => "new policies".to_owned(),
                Mode::Edit => "edits of today's documents".to_owned(),
            },
        ),
        (
            "new conditions",
            match args.mine_conditions {
                true => "where all uses met them (--mine-conditions)".to_owned(),
                false => "none".to_owned(),
            },
        ),
        (
            "unobservable permissions",
            match args.drop_unobservable {
                true => "go (--drop-unobservable)".to_owned(),
                false => "stay".to_owned(),
            },
        ),
    ];
    for (name, value) in rows {
        writeln!(out, "| {name} | {} |", escaped(&value))?;
    }
    if subject.together.is_some() {
        writeln!(
            out,
            "\nThis proposal was tried alone. What all of the run do together stands in its summary."
        )?;
    }
    writeln!(
        out,
        "\nReplay is evidence about recorded calls, and no proof about others."
    )
}

/// The conditions that no statement of today has.
fn write_mined(out: &mut String, case: &Case<'_>) -> std::fmt::Result {
    let documents = case.proposal().documents.iter();
    let statements = documents.flat_map(|document| &document.statements);
    let mined: Vec<_> = statements
        .flat_map(|statement| statement.mined.iter().map(move |found| (statement, found)))
        .collect();
    if mined.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n## Conditions that were found\n\nNobody wrote them. They held for every request that the statement is there \
         for; nothing tells that they will.\n"
    )?;
    for (statement, found) in mined {
        writeln!(
            out,
            "* {}: {}",
            markdown::sid(statement),
            markdown::mined(found)
        )?;
    }
    Ok(())
}

fn write_kept(out: &mut String, case: &Case<'_>) -> std::fmt::Result {
    let mut kept: BTreeMap<KeptFor, Vec<String>> = BTreeMap::new();
    for document in &case.proposal().documents {
        for statement in &document.statements {
            if let StatementReason::Kept(reasons) | StatementReason::Several(_, _, reasons) =
                &statement.reason
            {
                for (why, actions) in reasons {
                    kept.entry(*why).or_default().extend_from_slice(actions);
                }
            }
        }
    }
    writeln!(out, "\n## Kept without evidence\n")?;
    if kept.is_empty() {
        writeln!(out, "Nothing.")?;
    }
    for (why, mut actions) in kept {
        actions.sort_unstable();
        actions.dedup();
        writeln!(
            out,
            "* {}, {}: {}",
            count(actions.len(), "action"),
            markdown::kept(why),
            markdown::names(&actions)
        )?;
    }
    Ok(())
}

fn write_unknown(out: &mut String, case: &Case<'_>, has_way_back: bool) -> std::fmt::Result {
    let proposal = case.proposal();
    writeln!(out, "\n## What could not be known, or is left as it is\n")?;
    for left in &proposal.left {
        let why = match left.why {
            WhyLeft::OfAGroup => "comes from a group, and others have it too: it stays",
            WhyLeft::Shared => {
                "is not its alone: a proposal of its own edits it for all who have it, or says why not"
            }
            WhyLeft::NotKnown => {
                "was not collected or cannot be read: it stays, and nobody knows what it allows"
            }
            WhyLeft::DiffersByAccount => {
                "is not the same in all accounts, where each has its own: it stays"
            }
            WhyLeft::NothingGoes => "stays as it is: nothing of it is to go",
            WhyLeft::DoesNotFit => {
                "stays as it is: no edit that takes anything away fits into IAM's quotas"
            }
        };
        writeln!(out, "* {} {why}", escaped(&left.policy))?;
    }
    let undetermined: u64 = proposal
        .documents
        .iter()
        .flat_map(|document| &document.statements)
        .map(|statement| match &statement.reason {
            StatementReason::Undetermined(evidence) | StatementReason::Several(_, evidence, _) => {
                evidence.requests
            }
            _ => 0,
        })
        .sum();
    if undetermined > 0 {
        writeln!(
            out,
            "* {} got through and cannot be decided today: every statement that may allow it keeps it",
            count(undetermined, "request")
        )?;
    }
    if proposal.bound.is_none() {
        writeln!(
            out,
            "* Nothing less than whole statements of today fits into IAM's quotas: only unused statements go"
        )?;
    }
    if !has_way_back {
        writeln!(
            out,
            "* Today's documents were not found in the snapshot's files: there are no steps back"
        )?;
    }
    writeln!(
        out,
        "* Calls that the log does not hold, and what principals will need that they did not use"
    )
}

fn write_lint(out: &mut String, case: &Case<'_>) -> std::fmt::Result {
    writeln!(out, "\n## What `retrial lint` says of it\n")?;
    for document in &case.named.documents {
        let Some((file, text)) = &document.written else {
            continue;
        };
        let mut findings = lint(text, PolicyKind::Identity, Catalogue::bundled());
        // The quota of managed policies; the one of inline policies was kept.
        if matches!(document.to, To::Inline(_) | To::Set) {
            findings.retain(|finding| finding.rule != LintRule::PolicyTooLarge);
        }
        let of = |severity| {
            findings
                .iter()
                .filter(|one| one.severity == severity)
                .count()
        };
        writeln!(
            out,
            "* {file}: {}, {}, {}",
            count(of(Severity::Error), "error"),
            count(of(Severity::Warning), "warning"),
            count(of(Severity::Note), "note")
        )?;
        for finding in findings.iter().filter(|one| one.severity > Severity::Note) {
            writeln!(
                out,
                "  * {}:{} {}",
                finding.line,
                finding.column,
                escaped(&finding.message)
            )?;
        }
    }
    Ok(())
}
