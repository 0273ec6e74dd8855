//! What a change would have done, in words.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use retrial_iam::Layer;
use retrial_pipeline::{WhatIfGroup, WhatIfKey, WhatIfReport};
use retrial_replay::{ChangeEffect, OwnedStatement};

use super::Subject;
use crate::printer::{grouped, printable};

/// Lines that a list has at most; the rest is in the table and in the JSON, and counted.
const LIST: usize = 6;

/// The sections, in their order.
const SECTIONS: [(ChangeEffect, &str); 5] = [
    (
        ChangeEffect::NewlyDenied,
        "would have broken: calls that went through, denied with the change",
    ),
    (
        ChangeEffect::NewlyAllowed,
        "would have opened: calls that AWS denied, allowed with the change",
    ),
    (
        ChangeEffect::NoLongerEvaluated,
        "would have left without their principal",
    ),
    (ChangeEffect::NewlyUndetermined, "becomes undetermined"),
    (
        ChangeEffect::NoLongerDenied,
        "would have repaired: calls that went through, denied without the change only",
    ),
];

/// What an organization policy would have broken.
#[derive(Debug, Default)]
pub(super) struct Broken<'r> {
    pub(super) accounts: BTreeSet<&'r str>,
    pub(super) principals: BTreeSet<&'r str>,
    pub(super) calls: u64,
}

/// Counts by account and effect; most newly denied calls first.
pub(super) fn by_account(report: &WhatIfReport) -> Vec<(&str, BTreeMap<ChangeEffect, u64>)> {
    let mut accounts: BTreeMap<&str, BTreeMap<ChangeEffect, u64>> = BTreeMap::new();
    for (key, group) in &report.groups {
        let counts = accounts.entry(key.account_id.as_str()).or_default();
        *counts.entry(key.effect).or_default() += group.calls;
    }
    let mut accounts: Vec<_> = accounts.into_iter().collect();
    let denied = |counts: &BTreeMap<ChangeEffect, u64>| {
        counts
            .get(&ChangeEffect::NewlyDenied)
            .copied()
            .unwrap_or_default()
    };
    accounts.sort_by_key(|(account, counts)| (Reverse(denied(counts)), *account));
    accounts
}

/// What each organization policy would have broken, by affected accounts, then calls. Those that deny by
/// allowing nothing are together, as the level that they leave.
pub(super) fn by_policy(report: &WhatIfReport) -> Vec<(String, Broken<'_>)> {
    let mut policies: BTreeMap<String, Broken<'_>> = BTreeMap::new();
    for (key, group) in &report.groups {
        let Some(layer) = key
            .layer
            .filter(|layer| matches!(layer, Layer::Scp | Layer::Rcp))
        else {
            continue;
        };
        if key.effect != ChangeEffect::NewlyDenied {
            continue;
        }
        let policy = match &key.statement {
            Some(statement) => statement.policy.clone(),
            None => format!("(no {} allows it)", layer.name()),
        };
        let broken = policies.entry(policy).or_default();
        broken.accounts.insert(&key.account_id);
        broken.principals.insert(&key.principal_arn);
        broken.calls += group.calls;
    }
    let mut policies: Vec<_> = policies.into_iter().collect();
    policies.sort_by_key(|(_, broken)| (Reverse(broken.accounts.len()), Reverse(broken.calls)));
    policies
}

pub(super) fn text(report: &WhatIfReport, subject: &Subject<'_>) -> String {
    let mut out = String::new();
    // Writing to a `String` does not fail.
    let _ = write_text(&mut out, report, subject);
    out
}

fn write_text(out: &mut String, report: &WhatIfReport, subject: &Subject<'_>) -> std::fmt::Result {
    heading(out, report, subject)?;
    for (effect, title) in SECTIONS {
        section(out, report, (effect, title))?;
    }
    accounts(out, report)?;
    organization(out, report)?;
    let other = report.count_of(ChangeEffect::Other);
    for (count, what) in [
        (
            other,
            "further calls are decided otherwise, and not otherwise than AWS did: denied or failed then, or determined now",
        ),
        (
            report.not_listed,
            "further differing calls are in the table `what_if` only",
        ),
        (
            report.changed_copies,
            "differing copies of other accounts' calls are not counted here",
        ),
    ] {
        if count > 0 {
            writeln!(out, "\n{} {what}", grouped(count))?;
        }
    }
    if report.groups.is_empty() {
        writeln!(out, "\nno call is decided otherwise")?;
    }
    match (&report.as_of, report.rows) {
        (Some(as_of), Some(rows)) => {
            writeln!(
                out,
                "\ntable what_if, as_of={as_of}: {} rows",
                grouped(rows)
            )
        }
        _ => Ok(()),
    }
}

fn heading(out: &mut String, report: &WhatIfReport, subject: &Subject<'_>) -> std::fmt::Result {
    let now = subject.now.map_or_else(String::new, |now| {
        format!(", as if it were {}", now.to_iso())
    });
    writeln!(
        out,
        "{} calls under snapshot {} and with the change ({}){now}; it can touch {} of them",
        grouped(report.calls),
        subject.snapshot_id,
        subject.changed_snapshot_id,
        grouped(report.asked),
    )?;
    writeln!(out, "\nthe change")?;
    for change in subject.changes.iter().take(LIST) {
        let attached = change.concerns.map_or_else(String::new, |holders| {
            format!(", attached to {} users, groups and roles", grouped(holders))
        });
        writeln!(
            out,
            "  {:<9}  {} {}{attached}",
            change.effect.name(),
            change.entry.name(),
            printable(&change.id)
        )?;
    }
    match subject.changes.len().saturating_sub(LIST) {
        0 => Ok(()),
        more => writeln!(out, "  and {} more", grouped(more as u64)),
    }
}

fn section(
    out: &mut String,
    report: &WhatIfReport,
    (effect, title): (ChangeEffect, &str),
) -> std::fmt::Result {
    let all = report.groups.iter().filter(|(key, _)| key.effect == effect);
    let mut groups: Vec<(&WhatIfKey, &WhatIfGroup)> = all.collect();
    if groups.is_empty() {
        return Ok(());
    }
    groups.sort_by_key(|(key, group)| (Reverse(group.calls), *key));
    writeln!(
        out,
        "\n{title} ({} calls)",
        grouped(report.count_of(effect))
    )?;
    for (key, group) in groups.iter().take(LIST) {
        write_group(out, key, group)?;
    }
    let rest = groups.get(LIST..).unwrap_or_default();
    if !rest.is_empty() {
        let calls: u64 = rest.iter().map(|(_, group)| group.calls).sum();
        writeln!(
            out,
            "  {:>8}  more, in {} groups of principal, action and cause",
            grouped(calls),
            rest.len()
        )?;
    }
    Ok(())
}

fn write_group(out: &mut String, key: &WhatIfKey, group: &WhatIfGroup) -> std::fmt::Result {
    let principal = match key.principal_arn.as_str() {
        "" => "(caller not shown)",
        arn => arn,
    };
    writeln!(
        out,
        "  {:>8}  {}  {}",
        grouped(group.calls),
        printable(&key.action),
        printable(principal)
    )?;
    if let Some(resource) = group.resources.first() {
        let more = if group.resources.len() > 1 {
            " and others"
        } else {
            ""
        };
        writeln!(out, "            on {}{more}", printable(resource))?;
    }
    if let Some(why) = why(key, group) {
        writeln!(out, "            {}", printable(&why))?;
    }
    let days = match (group.days.first(), group.days.last(), group.days.len()) {
        (Some(first), Some(last), days) if days > 1 => {
            format!("on {days} days from {first} to {last}")
        }
        (Some(day), ..) => format!("on {day}"),
        _ => "on no day that the records show".to_owned(),
    };
    let event = group.event_ids.first();
    let event = event.map_or_else(String::new, |id| format!(", for one event {id}"));
    writeln!(out, "            {days}{}", printable(&event))
}

fn why(key: &WhatIfKey, group: &WhatIfGroup) -> Option<String> {
    let words = |name: &str| name.replace('_', " ");
    let by = |statement: &OwnedStatement| {
        let sid = statement.sid.as_deref();
        let sid = sid.map_or_else(|| format!("statement {}", statement.index), str::to_owned);
        format!(
            "{} {sid} ({})",
            statement.policy,
            words(statement.layer.name())
        )
    };
    match (key.effect, key.layer, &key.statement) {
        (ChangeEffect::NewlyDenied, _, Some(statement)) => {
            Some(format!("denied by {}", by(statement)))
        }
        (ChangeEffect::NewlyDenied, Some(layer), None) => {
            let before = group.allowed_before.as_ref();
            let before =
                before.map_or_else(String::new, |it| format!("; until then by {}", by(it)));
            Some(format!(
                "no statement of the {} layer allows it{before}",
                words(layer.name())
            ))
        }
        (ChangeEffect::NewlyAllowed | ChangeEffect::NoLongerDenied, _, Some(statement)) => {
            Some(format!("allowed by {}", by(statement)))
        }
        (ChangeEffect::NewlyUndetermined, ..) if !group.open.is_empty() => {
            let open: Vec<&str> = group.open.iter().map(String::as_str).collect();
            Some(format!("waits for {}", open.join(", ")))
        }
        _ => key.reason.map(|reason| words(reason.name())),
    }
}

fn accounts(out: &mut String, report: &WhatIfReport) -> std::fmt::Result {
    let accounts = by_account(report);
    if accounts.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\n{:<16}{:>10}{:>10}{:>14}{:>10}{:>10}",
        "by account", "broken", "opened", "undetermined", "gone", "repaired"
    )?;
    for (account, counts) in accounts.iter().take(LIST) {
        let count = |effect| match counts.get(&effect).copied().unwrap_or_default() {
            0 => "-".to_owned(),
            calls => grouped(calls),
        };
        let account = match *account {
            "" => "(not shown)",
            account => account,
        };
        writeln!(
            out,
            "  {:<14}{:>10}{:>10}{:>14}{:>10}{:>10}",
            printable(account),
            count(ChangeEffect::NewlyDenied),
            count(ChangeEffect::NewlyAllowed),
            count(ChangeEffect::NewlyUndetermined),
            count(ChangeEffect::NoLongerEvaluated),
            count(ChangeEffect::NoLongerDenied),
        )?;
    }
    match accounts.len().saturating_sub(LIST) {
        0 => Ok(()),
        more => writeln!(out, "  and {} accounts more", grouped(more as u64)),
    }
}

fn organization(out: &mut String, report: &WhatIfReport) -> std::fmt::Result {
    let policies = by_policy(report);
    if policies.is_empty() {
        return Ok(());
    }
    writeln!(
        out,
        "\norganization policies, by the accounts in which they would have broken something"
    )?;
    for (policy, broken) in policies.iter().take(LIST) {
        writeln!(
            out,
            "  {:>8}  accounts: {}, {} principals, {} calls",
            grouped(broken.accounts.len() as u64),
            printable(policy),
            grouped(broken.principals.len() as u64),
            grouped(broken.calls)
        )?;
    }
    Ok(())
}
