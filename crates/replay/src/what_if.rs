//! A recorded call in two worlds: under the snapshot as it is, and with a change laid over it.
//!
//! Both are asked in one pass. A call that the change cannot touch is not asked at all, and equal questions
//! are asked once for both worlds; what stands behind an answer is kept where the two differ.

use std::marker::PhantomData;
use std::sync::Arc;

use bumpalo::Bump;
use retrial_iam::{ChangeScope, Decision, Layer, Scratch};

use crate::Outcome;
use crate::call::{CallRequest, Replayer, judged};
use crate::mapping::MappedRequest;
use crate::memo::{Answers, KeyFacts};
use crate::recorded::{Desk, Judgement, RecordedCall, RecordedRequest};
use crate::session::{Session, SessionKnowledge};
use crate::verdict::{Judged, Reason, Verdict};

/// Two worlds.
#[derive(Clone, Copy)]
pub struct WhatIf<'s> {
    /// Decides under the snapshot as it is.
    pub current: Replayer<'s>,
    /// Decides with the change laid over it.
    pub changed: Replayer<'s>,
    /// Which calls the change can touch.
    pub scope: &'s ChangeScope,
}

/// What a change does to a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ChangeEffect {
    /// It got through then, and would be denied with the change, and not without it.
    NewlyDenied,
    /// It was denied then, and would be allowed with the change, nothing assumed, and not without it.
    NewlyAllowed,
    /// With the change nobody can know, and without it one can.
    NewlyUndetermined,
    /// With the change there is nobody to evaluate it for: its principal is gone.
    NoLongerEvaluated,
    /// It got through then, would be denied without the change, and agrees with it.
    NoLongerDenied,
    /// Its decision is another, and no answer to the record: AWS denied it anyway, or it failed.
    Other,
}

impl ChangeEffect {
    /// All of them, in the order of reports.
    pub const ALL: [ChangeEffect; 6] = [
        Self::NewlyDenied,
        Self::NewlyAllowed,
        Self::NewlyUndetermined,
        Self::NoLongerEvaluated,
        Self::NoLongerDenied,
        Self::Other,
    ];

    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::NewlyDenied => "newly_denied",
            Self::NewlyAllowed => "newly_allowed",
            Self::NewlyUndetermined => "newly_undetermined",
            Self::NoLongerEvaluated => "no_longer_evaluated",
            Self::NoLongerDenied => "no_longer_denied",
            Self::Other => "other",
        }
    }

    /// Of a call with this outcome; `None` where decision and verdict are what they were.
    fn of(before: &Found, after: &Found) -> Option<ChangeEffect> {
        if (before.decision, before.verdict) == (after.decision, after.verdict) {
            return None;
        }
        Some(match (before.verdict, after.verdict) {
            (_, Verdict::NotEvaluated) => Self::NoLongerEvaluated,
            (before, Verdict::WouldBeDenied) if before != Verdict::WouldBeDenied => {
                Self::NewlyDenied
            }
            (before, Verdict::WouldBeAllowed) if before != Verdict::WouldBeAllowed => {
                Self::NewlyAllowed
            }
            (before, Verdict::Undetermined) if before != Verdict::Undetermined => {
                Self::NewlyUndetermined
            }
            (Verdict::WouldBeDenied, Verdict::Agrees) => Self::NoLongerDenied,
            _ => Self::Other,
        })
    }
}

/// What is found of a call in one world.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Found {
    /// The call's decision; `None` where it is not evaluated.
    pub decision: Option<Decision>,
    /// Its verdict.
    pub verdict: Verdict,
    /// Why it is `not_evaluated` or `undetermined`.
    pub reason: Option<Reason>,
}

/// What stands behind the answers to one request that is decided otherwise with the change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Grounds {
    /// Its decision without the change.
    pub before: Option<Decision>,
    /// The statements that determined it.
    pub determined_by_before: Vec<OwnedStatement>,
    /// Its decision with the change.
    pub after: Option<Decision>,
    /// The statements that determined it.
    pub determined_by: Vec<OwnedStatement>,
    /// The layer that blocks with the change.
    pub layer: Option<Layer>,
    /// The condition keys that would turn an undetermined decision with the change.
    pub unknown_keys: Vec<String>,
    /// The layers that would.
    pub unknown_layers: Vec<Layer>,
    /// What an allow with the change assumes.
    pub assumes: Vec<String>,
}

/// One statement that determined a decision.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct OwnedStatement {
    /// Where its policy stands.
    pub layer: Layer,
    /// The managed policy's ARN, or `<principal or group ARN>#<name>` for an inline policy.
    pub policy: String,
    /// The statement's index in the document, from 0.
    pub index: u32,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// `Allow` or `Deny`.
    pub effect: &'static str,
}

/// Remembers answers by their questions, as [`crate::Memo`] does, for both worlds at once.
///
/// # Memory
/// Questions of some hundred bytes each, up to the limit; then all are forgotten.
#[derive(Debug)]
pub struct WhatIfMemo<'x> {
    answers: Answers<Pair>,
    sessions: PhantomData<&'x Session>,
}

impl WhatIfMemo<'_> {
    /// For questions of up to this many bytes together.
    pub fn new(limit: usize) -> Self {
        WhatIfMemo {
            answers: Answers::new(limit),
            sessions: PhantomData,
        }
    }
}

/// The answers to one question in both worlds.
#[derive(Debug, Clone)]
struct Pair {
    before: Option<Judged>,
    after: Option<Judged>,
    /// Where they differ.
    grounds: Option<Arc<Grounds>>,
}

/// A call, or some of its requests, judged in both worlds.
#[derive(Debug, Clone)]
pub struct WhatIfJudgement {
    before: Judgement,
    after: Judgement,
    /// The request that is shown for the call: its number among those that were given.
    pub shown: usize,
    /// What stands behind its answers, where they differ.
    pub grounds: Option<Arc<Grounds>>,
    /// Whether the change can touch the call, by these requests.
    pub is_touched: bool,
}

impl WhatIfJudgement {
    /// Takes in that of the call's further requests, where they were judged apart; whether one of those is
    /// shown now.
    pub fn join(&mut self, further: WhatIfJudgement) -> bool {
        let is_shown = is_worse(further.grounds.as_deref(), self.grounds.as_deref());
        if is_shown {
            self.shown = further.shown;
            self.grounds = further.grounds;
        }
        self.is_touched |= further.is_touched;
        self.before.join(further.before);
        self.after.join(further.after);
        is_shown
    }

    /// What the change does to the call, and what is found of it in both worlds; `None` where it does
    /// nothing.
    pub fn effect(&self, outcome: Outcome) -> Option<(ChangeEffect, Found, Found)> {
        let (before, after) = (found(&self.before, outcome), found(&self.after, outcome));
        Some((ChangeEffect::of(&before, &after)?, before, after))
    }
}

fn found(judgement: &Judgement, outcome: Outcome) -> Found {
    let (decision, verdict, reason) = judgement.verdict(outcome);
    Found {
        decision,
        verdict,
        reason,
    }
}

/// Whether grounds say more of a call than others: a denial more than a doubt, the first of equal ones.
fn is_worse(one: Option<&Grounds>, other: Option<&Grounds>) -> bool {
    match (one, other) {
        (Some(one), Some(other)) => one.after < other.after,
        (one, other) => one.is_some() && other.is_none(),
    }
}

impl<'s> WhatIf<'s> {
    /// Judges a call, or some of its requests, in both worlds; `None` where the change cannot touch it.
    /// `is_whole`: none of its requests is judged apart.
    pub fn judge<'a, 'x>(
        &self,
        (call, is_whole): (&RecordedCall<'a>, bool),
        session: SessionKnowledge<'x>,
        memo: &mut WhatIfMemo<'x>,
        (arena, scratch): (&'a Bump, &mut Scratch<'s>),
    ) -> Option<WhatIfJudgement>
    where
        's: 'a,
    {
        let is_touched = self.touches(call, session);
        if is_whole && !is_touched {
            return None;
        }
        let beside = Some(self.changed.snapshot());
        let before = Desk::new(&self.current, call, (session, beside), arena);
        let beside = Some(self.current.snapshot());
        let after = Desk::new(&self.changed, call, (session, beside), arena);
        let mut judgement = WhatIfJudgement {
            before: Judgement::of_obstacle(before.obstacle),
            after: Judgement::of_obstacle(after.obstacle),
            shown: call
                .requests
                .iter()
                .position(|request| request.required)
                .unwrap_or(0),
            grounds: None,
            is_touched,
        };
        if before.obstacle.is_some() && after.obstacle.is_some() {
            return Some(judgement);
        }
        let requests = call.requests.iter().zip(before.mapped).enumerate();
        for (number, (recorded, mapped)) in requests.filter(|(_, (recorded, _))| recorded.required)
        {
            let pair = ask((&before, &after), (recorded, mapped), memo, scratch);
            judgement.before.required.extend(pair.before);
            judgement.after.required.extend(pair.after);
            if is_worse(pair.grounds.as_deref(), judgement.grounds.as_deref()) {
                judgement.shown = number;
                judgement.grounds = pair.grounds;
            }
        }
        Some(judgement)
    }

    fn touches(&self, call: &RecordedCall<'_>, session: SessionKnowledge<'_>) -> bool {
        let scope = self.scope;
        if scope.touches_caller(call.principal_arn, call.caller_account_id) {
            return true;
        }
        if scope.touches_managed_policies()
            && matches!(session, SessionKnowledge::Known(session) if session.has_managed_policies())
        {
            return true;
        }
        call.requests
            .iter()
            .filter(|request| request.required)
            .any(|request| {
                let touches =
                    |arn| scope.touches_resource(request.action, arn, request.resource_known);
                scope.touches_action(request.action, call.principal_arn, call.caller_account_id)
                    || touches(request.resource_arn)
                    || request.spellings.iter().any(|spelling| touches(spelling))
                    || (scope.touches_endpoints() && request.vpc_endpoint().is_some())
            })
    }
}

fn ask<'a, 's: 'a>(
    (before, after): (&Desk<'a, '_, 's>, &Desk<'a, '_, 's>),
    request: (&RecordedRequest<'a>, &MappedRequest<'a>),
    memo: &mut WhatIfMemo<'_>,
    scratch: &mut Scratch<'s>,
) -> Pair {
    let mut decide = |facts: &mut KeyFacts| {
        let mut decided = |desk: &Desk<'a, '_, 's>| {
            let is_evaluated = desk.obstacle.is_none();
            is_evaluated.then(|| desk.decided(request, facts, scratch))
        };
        pair(decided(before), decided(after))
    };
    // Session policies read keys of their own.
    if before.session.has_policies() || after.session.has_policies() {
        return decide(&mut KeyFacts::default());
    }
    memo.answers.ask(
        |question, facts| {
            before.write_question(request.0, question, facts);
            // What a session is limited by can be known in one world alone, and so can the caller.
            question.write_flag(after.session.is_known());
            question.write_flag(before.obstacle.is_some());
            question.write_flag(after.obstacle.is_some());
        },
        decide,
    )
}

fn pair(before: Option<CallRequest<'_>>, after: Option<CallRequest<'_>>) -> Pair {
    let decision =
        |request: &Option<CallRequest<'_>>| request.as_ref().and_then(|row| row.decision);
    let assumes = |request: &Option<CallRequest<'_>>| {
        request.as_ref().is_some_and(|row| !row.assumes.is_empty())
    };
    let differ = decision(&before) != decision(&after) || assumes(&before) != assumes(&after);
    Pair {
        grounds: differ.then(|| Arc::new(Grounds::of(before.as_ref(), after.as_ref()))),
        before: before.as_ref().and_then(judged),
        after: after.as_ref().and_then(judged),
    }
}

impl Grounds {
    fn of(before: Option<&CallRequest<'_>>, after: Option<&CallRequest<'_>>) -> Grounds {
        let statements = |request: Option<&CallRequest<'_>>| {
            let statements = request.map_or(&[][..], |request| request.determined_by);
            statements
                .iter()
                .map(|statement| OwnedStatement {
                    layer: statement.layer,
                    policy: statement.policy.to_owned(),
                    index: statement.index,
                    sid: statement.sid.map(str::to_owned),
                    effect: statement.effect.name(),
                })
                .collect()
        };
        let texts = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        Grounds {
            before: before.and_then(|request| request.decision),
            determined_by_before: statements(before),
            after: after.and_then(|request| request.decision),
            determined_by: statements(after),
            layer: after.and_then(|request| request.layer),
            unknown_keys: texts(after.map_or(&[], |request| request.unknown_keys)),
            unknown_layers: after
                .map_or(&[][..], |request| request.unknown_layers)
                .to_vec(),
            assumes: texts(after.map_or(&[], |request| request.assumes)),
        }
    }
}
