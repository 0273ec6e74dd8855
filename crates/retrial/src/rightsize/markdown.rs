//! The summary for a pull request: which actions go, which stay and why.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use retrial_pipeline::Rightsized;
use retrial_replay::{
    DroppedActions, EditPlace, EditedPolicy, Element, Evidence, KeptFor, MinedCondition, Origin,
    PermissionReason, PermissionState, Proposal, ProposedFor, ProposedStatement, StatementEdit,
    StatementReason,
};

use super::trial::Trial;
use super::{Case, Subject, certificate, day, why_none};
use crate::findings::escaped;

/// How many names one line lists; the rest is counted.
const LISTED: usize = 12;

pub(crate) fn summary(cases: &[Case<'_>], subject: &Subject<'_>) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = write_summary(&mut out, cases, subject);
    out
}

fn write_summary(out: &mut String, cases: &[Case<'_>], subject: &Subject<'_>) -> std::fmt::Result {
    let window = subject.rightsized.window;
    writeln!(
        out,
        "# Right-sized policies\n\n{}, from the calls of {} to {} under snapshot {}. Each has a \
         certificate beside it.",
        count(cases.len(), "proposal"),
        day(window.begin),
        day(window.end - 1),
        subject.snapshot.id()
    )?;
    if let Some(trial) = &subject.together {
        writeln!(out, "\n{}", together(trial))?;
    }
    for case in cases {
        write_case(out, case, subject)?;
    }
    let none = subject.rightsized.found();
    let none: Vec<_> = none
        .filter_map(|(arn, found)| Some((arn, found.as_ref().err()?)))
        .collect();
    let skipped = subject.skipped;
    if !none.is_empty() || !skipped.is_empty() {
        writeln!(out, "\n## No proposal\n")?;
        for arn in skipped {
            writeln!(out, "* {}: skipped by its tag", escaped(arn))?;
        }
        for (arn, why) in none {
            writeln!(out, "* {}: {}", escaped(arn), escaped(&why_none(why)))?;
        }
    }
    Ok(())
}

fn write_case(out: &mut String, case: &Case<'_>, subject: &Subject<'_>) -> std::fmt::Result {
    let proposal = case.proposal();
    writeln!(out, "\n## {}\n", escaped(&title(proposal)))?;
    if let Some(set) = proposal.set() {
        writeln!(out, "Its roles: {}.\n", names(&set.roles))?;
    }
    if let Some(shared) = proposal.shared() {
        writeln!(
            out,
            "Who has it: {}; attached to {}.\n",
            names(&shared.holders),
            names(&shared.attached_to)
        )?;
    }
    if !case.whole.is_clean() {
        writeln!(
            out,
            "**Refused**: its replay breaks {}; see the certificate.\n",
            count(case.whole.broken(), "call")
        )?;
    }
    writeln!(
        out,
        "{}\n",
        escaped(&certificate::first_line(case, subject))
    )?;
    writeln!(out, "### What goes\n")?;
    if proposal.dropped.is_empty() {
        writeln!(
            out,
            "No action; {} are narrowed to the resources that were used.",
            proposal.narrowed
        )?;
    } else {
        writeln!(out, "| actions | allowed by | why |\n|---|---|---|")?;
    }
    for dropped in &proposal.dropped {
        writeln!(
            out,
            "| {} | {} | {} |",
            names(&dropped.actions),
            origin(&dropped.origin),
            why_dropped(dropped)
        )?;
    }
    write_edits(out, case)?;
    writeln!(
        out,
        "\n### What stays\n\n| statement | actions | resources | why |\n|---|---|---|---|"
    )?;
    for document in &proposal.documents {
        for statement in &document.statements {
            writeln!(
                out,
                "| {} | {} | {} | {} |",
                sid(statement),
                element(&statement.actions, "all but "),
                element(&statement.resources, "all but "),
                reason(statement)
            )?;
        }
    }
    let unknown = of_no_catalogue(proposal);
    if !unknown.is_empty() {
        writeln!(
            out,
            "\nKept, and in no catalogue of actions: {}. Nobody can tell whether they do anything, and `retrial lint` calls \
             them errors.",
            unknown.join(", ")
        )?;
    }
    Ok(())
}

/// The actions that are kept because the catalogue does not know them.
fn of_no_catalogue(proposal: &Proposal) -> Vec<String> {
    let mut unknown = BTreeSet::new();
    let documents = proposal.documents.iter();
    for statement in documents.flat_map(|document| &document.statements) {
        if let StatementReason::Kept(reasons) | StatementReason::Several(_, _, reasons) =
            &statement.reason
        {
            let of = reasons.iter();
            let of = of.filter(|(why, _)| why.reason == Some(PermissionReason::UnknownAction));
            unknown.extend(of.flat_map(|(_, actions)| actions));
        }
    }
    unknown.into_iter().map(|action| escaped(action)).collect()
}

/// What becomes of documents that are edited.
fn write_edits(out: &mut String, case: &Case<'_>) -> std::fmt::Result {
    let documents = case.proposal().documents.iter();
    let edits: Vec<&EditedPolicy> = documents
        .filter_map(|document| document.edit.as_ref())
        .collect();
    if edits.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n### What becomes of the documents\n\n| policy | is | statements that go | statements with less |\n|---|---|---|---|"
    )?;
    for edit in edits {
        let of = |goes: bool| {
            let statements = edit
                .statements
                .iter()
                .filter(|statement| match statement.edit {
                    StatementEdit::Goes => goes,
                    StatementEdit::Narrowed(..) => !goes,
                    StatementEdit::Stays => false,
                });
            let named: Vec<String> = statements.map(|one| place(&one.origin)).collect();
            named.join(", ")
        };
        writeln!(
            out,
            "| {} | {} | {} | {} |",
            escaped(&edit.policy),
            how(edit),
            of(true),
            of(false)
        )?;
    }
    Ok(())
}

/// Where an edited document goes.
pub(crate) fn how(edit: &EditedPolicy) -> &'static str {
    match (edit.is_gone(), edit.place) {
        (true, EditPlace::Inline) => "deleted: nothing of it is left",
        (true, _) => "detached: nothing of it is left",
        (false, EditPlace::Inline) => "edited",
        (false, EditPlace::Version) => "given a new version",
        (false, EditPlace::CopyOfAws) => {
            "replaced by an edited copy: AWS's own policies cannot be edited"
        }
    }
}

/// Whom a proposal is for.
pub(crate) fn title(proposal: &Proposal) -> String {
    match &proposal.proposed_for {
        ProposedFor::Principal => proposal.principal_arn.clone(),
        ProposedFor::PermissionSet(set) => format!("permission set {}", set.name),
        ProposedFor::SharedPolicy(shared) => format!("shared policy {}", shared.title()),
    }
}

/// ` and 2 shared policies`
pub(crate) fn and_shared(rightsized: &Rightsized) -> String {
    match rightsized.shared.len() {
        0 => String::new(),
        1 => " and 1 shared policy".to_owned(),
        number => format!(" and {number} shared policies"),
    }
}

/// What proposals do together.
pub(crate) fn together(trial: &Trial) -> String {
    let what = format!(
        "All that are not refused, tried together: {} newly denied, {} newly undetermined, {} newly allowed",
        trial.denied, trial.undetermined, trial.opened
    );
    match trial.is_clean() {
        true => format!("{what}."),
        false => format!("{what}: apply one, and ask again."),
    }
}

/// The name of a statement of a proposal.
pub(crate) fn sid(statement: &ProposedStatement) -> String {
    match (statement.sid.is_empty(), statement.origins.first()) {
        (true, Some(origin)) => place(origin),
        _ => escaped(&statement.sid),
    }
}

fn element(element: &Element, negated: &str) -> String {
    match element {
        Element::These(values) => names(values),
        Element::AllBut(values) => format!("{negated}{}", names(values)),
    }
}

/// The first of some names, and how many more there are.
pub(crate) fn names(values: &[String]) -> String {
    let listed: Vec<String> = values
        .iter()
        .take(LISTED)
        .map(|name| escaped(name))
        .collect();
    let listed = listed.join(", ");
    match values.len().saturating_sub(LISTED) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

/// Where a statement of today stands.
pub(crate) fn origin(origin: &Origin) -> String {
    format!("{} of {}", place(origin), escaped(&origin.policy))
}

/// The name of a statement of today, or its number.
fn place(origin: &Origin) -> String {
    match &origin.sid {
        Some(sid) => escaped(sid),
        None => format!("statement {}", origin.index),
    }
}

fn why_dropped(dropped: &DroppedActions) -> String {
    let (state, reason) = dropped.state;
    match (state, reason) {
        (PermissionState::Used, _) => "used, and another statement allows it".to_owned(),
        (state, Some(reason)) => format!("{} ({})", words(state.name()), words(reason.name())),
        (state, None) => words(state.name()),
    }
}

/// Why a statement stands in a proposal.
pub(crate) fn reason(statement: &ProposedStatement) -> String {
    match &statement.reason {
        StatementReason::Observed(evidence) => format!("used: {}", seen(evidence)),
        StatementReason::Undetermined(evidence) => {
            format!(
                "got through, and cannot be decided today: {}",
                seen(evidence)
            )
        }
        StatementReason::Needed(evidence) => format!("jobs need it: {}", seen(evidence)),
        StatementReason::Kept(reasons) => all_kept(reasons),
        StatementReason::Several(evidence, open, reasons) => {
            let mut parts = Vec::new();
            if *evidence != Evidence::default() {
                parts.push(format!("used: {}", seen(evidence)));
            }
            if *open != Evidence::default() {
                parts.push(format!(
                    "got through, and cannot be decided today: {}",
                    seen(open)
                ));
            }
            if !reasons.is_empty() {
                parts.push(all_kept(reasons));
            }
            parts.join("; ")
        }
        StatementReason::Denies => "denies, and stays as it is".to_owned(),
    }
}

fn all_kept(reasons: &BTreeMap<KeptFor, Vec<String>>) -> String {
    let reasons: Vec<String> = reasons
        .iter()
        .map(|(why, actions)| format!("{} {}", count(actions.len(), "action"), kept(*why)))
        .collect();
    format!("kept: {}", reasons.join("; "))
}

/// A condition that was found.
pub(crate) fn mined(found: &MinedCondition) -> String {
    format!(
        "{} is {} in all of its {} before the last fifth of the window, and in all {} in it",
        escaped(&found.key),
        names(&found.values),
        count(found.early, "request"),
        found.late
    )
}

fn seen(evidence: &Evidence) -> String {
    let mut parts = Vec::new();
    if evidence.requests > 0 {
        parts.push(count(evidence.requests, "request"));
    }
    if evidence.jobs > 0 {
        parts.push(count(evidence.jobs, "job"));
    }
    let mut text = parts.join(", ");
    if let (Some(first), Some(last)) = evidence.times {
        let _ = write!(text, " from {} to {}", day(first), day(last));
    }
    if let Some(event_id) = &evidence.event_id {
        let _ = write!(text, ", for one event {}", escaped(event_id));
    }
    text
}

/// Why actions are kept without evidence.
pub(crate) fn kept(why: KeptFor) -> String {
    let state = words(why.state.name());
    let state = match why.reason {
        Some(reason) => format!("{state} ({})", words(reason.name())),
        None => state,
    };
    match why.used {
        true => format!("used, and on other resources {state}"),
        false => state,
    }
}

/// `1 policy`, `2 policies`
pub(crate) fn policies(number: usize) -> String {
    match number {
        1 => "1 policy".to_owned(),
        number => format!("{number} policies"),
    }
}

/// `1 call`, `2 calls`
pub(crate) fn count(number: impl TryInto<u64>, what: &str) -> String {
    let number = number.try_into().unwrap_or(u64::MAX);
    let ending = if number == 1 { "" } else { "s" };
    format!("{number} {what}{ending}")
}

fn words(name: &str) -> String {
    name.replace('_', " ")
}
