//! From a CloudTrail record to the requests that AWS authorizes for it, and to a verdict on the call.
//!
//! [`Replayer::replay`] takes a [`retrial_cloudtrail::Record`] and gives a [`Call`]: who made it
//! ([`Caller`]), what AWS recorded ([`Outcome`], [`Denial`]), the requests that the [`Mapping`] knows
//! AWS to ask ([`CallRequest`]), each decided by `retrial-iam`, and the [`Verdict`]. This is the one
//! place where records and policies meet; it reads no file and no clock.

#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        reason = "tests may fail loudly"
    )
)]

mod asker;
mod call;
mod call_session;
mod caller;
mod changes;
mod denial;
mod findings;
mod issued_session;
mod key_order;
mod keys;
mod known_callers;
mod mapping;
mod memo;
mod needs;
mod omission;
mod outcome;
mod permissions;
mod recorded;
mod recording;
mod rightsizing;
mod seen_call;
mod session;
mod verdict;
mod what_if;

pub use call::{Assumptions, Call, CallRequest, Replayer};
pub use caller::{Caller, CallerKind};
pub use changes::Change;
pub use denial::{Denial, denial};
pub use findings::{
    Cause, Contradiction, DeadStatement, Escalations, ExclusionError, Exclusions, Finding,
    FindingBasis, FindingEvidence, FindingKind, FindingReport, FindingSeverity, Hidden, Occasion,
    PermissionEvidence, RecordedChange, RecordedChanges, RoleNeedEvidence, RoleNeedFact,
    RoleNeedProblem, findings,
};
pub use issued_session::{IssuedSession, is_session_key, issued_session};
pub use key_order::ContextColumn;
pub use known_callers::{KeepTexts, KnownCaller, KnownCallers};
pub use mapping::{
    Asked, Certainty, Facts, Mapped, MappedRequest, MappedResource, Mapping, MappingError, Need,
    PlannedNeed, Traced, TracedAnswer, TracedKey, TracedRequest, TracedResource,
};
pub use memo::Memo;
pub use needs::{AskedNeed, CheckedNeed, ExcessGrant, NeedDoubt, NeedState, RoleCheck};
pub use omission::Omission;
pub use outcome::Outcome;
/// Names what decides, beside the snapshot and the mapping: the version of the program.
///
/// It is another one wherever the same request may be decided otherwise under the same policies. What was decided by
/// another one is not taken over where decisions are derived from.
pub const EVALUATOR_VERSION: &str = env!("CARGO_PKG_VERSION");

pub use permissions::{
    ActionSet, Covered, CoveredHour, MIN_WINDOW_DAYS, Permission, PermissionGround,
    PermissionInputs, PermissionOptions, PermissionReason, PermissionState, PermissionUses,
    RecordedWrite, RecordedWrites, StatementUse, permissions,
};
pub use recorded::{Judgement, RecordedCall, RecordedRequest, Replayed};
pub use recording::{RecordKind, Recording, Trail, Trails, TrailsProblem};
pub use rightsizing::{
    Attachments, Condition, DroppedActions, EditPlace, EditedPolicy, EditedStatement, Element,
    Evidence, KeptFor, LeftPolicy, MAX_ATTACHED_POLICIES, MAX_POLICY_CHARACTERS, MINED_KEYS,
    MineConditions, MinedCondition, NeededRequest, NoProposal, Origin, PermissionSet,
    PermissionStates, Proposal, ProposedDocument, ProposedFor, ProposedStatement,
    RightsizingEvidence, RightsizingInputs, RightsizingMode, SharedPolicies, SharedPolicy,
    SharedSubject, StatementEdit, StatementReason, WhyLeft, permission_set_of, permission_sets,
    propose, propose_set, propose_shared,
};
pub use seen_call::{Gather, SeenCall};
pub use session::{
    Inheritance, Session, SessionDocuments, SessionFacts, SessionKnowledge, session_key,
};
pub use verdict::{Reason, Verdict};
pub use what_if::{
    ChangeEffect, Found, Grounds, OwnedStatement, WhatIf, WhatIfJudgement, WhatIfMemo,
};

/// What stands before the first mark of a text, and behind it. Parts of ARNs are short: a search by the word
/// is not worth its set-up.
fn split_at_mark(text: &str, mark: u8) -> Option<(&str, &str)> {
    let at = text.bytes().position(|byte| byte == mark)?;
    Some((text.get(..at)?, text.get(at + 1..)?))
}

/// The account that an ARN shows; empty where it shows none.
fn account_of_arn(arn: &str) -> Option<&str> {
    let mut rest = arn;
    for _ in 0..4 {
        rest = split_at_mark(rest, b':')?.1;
    }
    Some(split_at_mark(rest, b':').map_or(rest, |(account, _)| account))
}

/// The partition of a principal's ARN, or else of a region's name.
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>.
fn partition_of<'a>(arn: Option<&'a str>, region: &str) -> &'a str {
    if let Some(partition) = arn
        .and_then(|arn| arn.strip_prefix("arn:"))
        .map(|rest| split_at_mark(rest, b':').map_or(rest, |(partition, _)| partition))
    {
        return partition;
    }
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}
