//! The proposals as one JSON object.

use retrial_cloudtrail::Timestamp;
use retrial_iam::Catalogue;
use retrial_pipeline::{WhatIfGroup, WhatIfKey};
use retrial_replay::{
    DroppedActions, EditPlace, EditedPolicy, Evidence, KeptFor, LeftPolicy, MinedCondition,
    NoProposal, Origin, ProposedStatement, StatementEdit, StatementReason, WhyLeft,
};
use serde_json::{Value, json};

use super::named::{NamedDocument, To};
use super::trial::Trial;
use super::{Case, Mode, Subject};

pub(super) fn object(cases: &[Case<'_>], subject: &Subject<'_>) -> Value {
    let args = subject.args;
    let rightsized = subject.rightsized;
    let window = rightsized.window;
    let time = |micros| Timestamp::from_micros(micros).to_iso();
    let none: Vec<Value> = rightsized
        .found()
        .filter_map(|(of, found)| Some(no_proposal(of, found.as_ref().err()?)))
        .collect();
    json!({
        "snapshot_id": subject.snapshot.id(), "snapshot_taken_at": subject.snapshot.taken_at(),
        "inputs_digest": rightsized.inputs_digest,
        "versions": {
            "evaluator": env!("CARGO_PKG_VERSION"), "mapping": subject.mapping_version,
            "catalogue": Catalogue::bundled().version(),
        },
        "window": {"begin": time(window.begin), "split": time(window.split), "end": time(window.end)},
        "mode": match args.mode { Mode::New => "new", Mode::Edit => "edit" },
        "min_window_days": args.min_window, "drop_unobservable": args.drop_unobservable,
        "mine_conditions": args.mine_conditions,
        "proposals": cases.iter().map(proposal).collect::<Vec<Value>>(),
        "together": subject.together.as_ref().map(replay),
        "no_proposal": none, "skipped": subject.skipped,
    })
}

fn proposal(case: &Case<'_>) -> Value {
    let proposal = case.proposal();
    let fifth = case.fifth.as_ref();
    json!({
        "principal_arns": proposal.principals(),
        "permission_set": proposal.set().map(|set| &set.name),
        "shared_policy": proposal.shared().map(|shared| json!({
            "policy": shared.policy, "group": shared.group, "attached_to": shared.attached_to,
        })),
        "folder": case.named.folder, "refused": !case.whole.is_clean(),
        "calls": proposal.calls, "denied_today": proposal.denied_today,
        "last_fifth": {
            "calls": case.fifth_calls, "denied": fifth.map_or(0, |fifth| fifth.denied),
            "undetermined": fifth.map_or(0, |fifth| fifth.undetermined),
        },
        "replay": replay(&case.whole),
        "actions_on_fewer_resources": proposal.narrowed,
        "replaced": proposal.replaced,
        "left": proposal.left.iter().map(left).collect::<Vec<Value>>(),
        "dropped": proposal.dropped.iter().map(dropped).collect::<Vec<Value>>(),
        "documents": proposal.documents.iter().zip(&case.named.documents)
            .map(|(made, named)| document(made.edit.as_ref(), named)).collect::<Vec<Value>>(),
    })
}

fn replay(trial: &Trial) -> Value {
    let groups: Vec<Value> = trial.groups.iter().map(group).collect();
    json!({
        "newly_denied": trial.denied, "newly_undetermined": trial.undetermined,
        "newly_allowed": trial.opened, "other": trial.others, "not_listed": trial.not_listed,
        "groups": groups,
    })
}

fn group((key, group): &(WhatIfKey, WhatIfGroup)) -> Value {
    json!({
        "effect": key.effect.name(), "principal_arn": key.principal_arn, "action": key.action,
        "calls": group.calls, "resources": group.resources, "event_ids": group.event_ids,
    })
}

fn left(left: &LeftPolicy) -> Value {
    let why = match left.why {
        WhyLeft::OfAGroup => "of_a_group",
        WhyLeft::Shared => "shared",
        WhyLeft::NotKnown => "not_known",
        WhyLeft::DiffersByAccount => "differs_by_account",
        WhyLeft::NothingGoes => "nothing_goes",
        WhyLeft::DoesNotFit => "does_not_fit",
    };
    json!({"policy": left.policy, "why": why})
}

fn dropped(dropped: &DroppedActions) -> Value {
    let (state, reason) = dropped.state;
    json!({
        "statement": origin(&dropped.origin), "state": state.name(),
        "reason": reason.map(|reason| reason.name()), "actions": dropped.actions,
    })
}

fn origin(origin: &Origin) -> Value {
    json!({"policy": origin.policy, "index": origin.index, "sid": origin.sid})
}

fn document(edit: Option<&EditedPolicy>, named: &NamedDocument<'_>) -> Value {
    let (to, arn) = match &named.to {
        To::Policy { arn, .. } => ("managed_policy", Some(arn.as_str())),
        To::Inline(_) => ("inline_policy", None),
        To::Version(arn, _) => ("policy_version", Some(*arn)),
        To::Set => ("permission_set", None),
    };
    json!({
        "to": to, "name": named.name(), "arn": arn, "document": named.value(),
        "file": named.written.as_ref().map(|(file, _)| file), "edit": edit.map(edited),
        "statements": named.statements.iter().map(statement).collect::<Vec<Value>>(),
    })
}

fn edited(edit: &EditedPolicy) -> Value {
    let of = |goes: bool| -> Vec<Value> {
        let statements = edit.statements.iter();
        let found = statements.filter(|one| match one.edit {
            StatementEdit::Goes => goes,
            StatementEdit::Narrowed(..) => !goes,
            StatementEdit::Stays => false,
        });
        found.map(|one| origin(&one.origin)).collect()
    };
    let place = match edit.place {
        EditPlace::Inline => "in_place",
        EditPlace::Version => "new_version",
        EditPlace::CopyOfAws => "copy_of_aws",
    };
    json!({"policy": edit.policy, "how": place, "gone": of(true), "narrowed": of(false)})
}

fn statement(statement: &ProposedStatement) -> Value {
    let none = Evidence::default();
    let (reason, used, kept) = match &statement.reason {
        StatementReason::Observed(used) => ("observed", used, None),
        StatementReason::Undetermined(used) => ("undetermined", used, None),
        StatementReason::Needed(used) => ("needed", used, None),
        StatementReason::Kept(kept) => ("kept", &none, Some(kept)),
        StatementReason::Several(used, _, kept) => ("several", used, Some(kept)),
        StatementReason::Denies => ("denies", &none, None),
    };
    let time = |micros: Option<i64>| micros.map(|micros| Timestamp::from_micros(micros).to_iso());
    let kept = kept.into_iter().flatten();
    json!({
        "sid": statement.sid, "reason": reason,
        "evidence": {
            "requests": used.requests, "jobs": used.jobs, "first_time": time(used.times.0),
            "last_time": time(used.times.1), "event_id": used.event_id,
        },
        "kept": kept.map(|(why, actions)| kept_for(*why, actions)).collect::<Vec<Value>>(),
        "found_conditions": statement.mined.iter().map(mined).collect::<Vec<Value>>(),
        "made_of": statement.origins.iter().map(origin).collect::<Vec<Value>>(),
    })
}

fn kept_for(why: KeptFor, actions: &[String]) -> Value {
    json!({
        "used": why.used, "state": why.state.name(), "reason": why.reason.map(|reason| reason.name()),
        "actions": actions,
    })
}

fn mined(found: &MinedCondition) -> Value {
    json!({
        "key": found.key, "values": found.values, "requests_before": found.early,
        "requests_in_last_fifth": found.late,
    })
}

fn no_proposal(of: &str, why: &NoProposal) -> Value {
    let none: &[String] = &[];
    let who = match why {
        NoProposal::IsBoundary { of, .. } => of,
        NoProposal::HoldersNotChosen(others) => others,
        _ => none,
    };
    json!({"of": of, "why": why_none(why), "refused": why.is_refusal(), "who": who})
}

/// Why there is no proposal, as one word.
fn why_none(why: &NoProposal) -> &'static str {
    match why {
        NoProposal::ServiceLinked => "service_linked",
        NoProposal::PermissionSet => "no_permission_set",
        NoProposal::NoPolicies => "no_policies",
        NoProposal::Unreadable => "unreadable",
        NoProposal::InlineDiffers => "inline_differs",
        NoProposal::NothingGoes => "nothing_goes",
        NoProposal::DoesNotFit => "does_not_fit",
        NoProposal::OnlyShared => "only_shared",
        NoProposal::IsBoundary { .. } => "is_boundary",
        NoProposal::HoldersNotShown { .. } => "holders_not_shown",
        NoProposal::MembersNotKnown => "members_not_known",
        NoProposal::HoldersNotChosen(_) => "holders_not_chosen",
        NoProposal::AttachedBySet => "attached_by_set",
    }
}
