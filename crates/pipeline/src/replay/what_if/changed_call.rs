//! A call that is decided otherwise with the change.

use std::collections::HashSet;
use std::sync::Arc;

use retrial_replay::{ChangeEffect, Found, Grounds, Outcome, Reason, Verdict, WhatIfJudgement};
use retrial_tables::DecisionRow;

/// Texts that many calls have, kept once for a row group.
#[derive(Default)]
pub(super) struct Texts(HashSet<Arc<str>>);

impl Texts {
    fn keep(&mut self, text: &str) -> Arc<str> {
        if let Some(kept) = self.0.get(text) {
            return Arc::clone(kept);
        }
        let kept: Arc<str> = text.into();
        self.0.insert(Arc::clone(&kept));
        kept
    }
}

/// What is found of a call, in one world.
#[derive(Debug, Clone, Copy)]
pub(super) struct Answer {
    pub(super) decision: Option<&'static str>,
    pub(super) verdict: Verdict,
    pub(super) reason: Option<Reason>,
}

impl Answer {
    fn new(found: &Found) -> Answer {
        Answer {
            decision: found.decision.map(|decision| decision.name()),
            verdict: found.verdict,
            reason: found.reason,
        }
    }
}

/// One call, with what the change does to it.
pub(super) struct ChangedCall {
    pub(super) event_id: Option<Box<str>>,
    pub(super) event_time: Option<i64>,
    pub(super) account_id: Option<Arc<str>>,
    pub(super) region: Option<Arc<str>>,
    pub(super) event_source: Option<Arc<str>>,
    pub(super) event_name: Option<Arc<str>>,
    pub(super) principal_arn: Option<Arc<str>>,
    pub(super) session_name: Option<Arc<str>>,
    pub(super) caller_account_id: Option<Arc<str>>,
    pub(super) action: Option<Arc<str>>,
    pub(super) resource_arn: Option<Arc<str>>,
    pub(super) copy: bool,
    pub(super) log_file: Arc<str>,
    pub(super) record_index: u64,
    pub(super) outcome: Outcome,
    pub(super) effect: ChangeEffect,
    /// Without the change, and with it; `None` where nothing differs.
    pub(super) answers: Option<(Answer, Answer)>,
    pub(super) grounds: Option<Arc<Grounds>>,
}

impl ChangedCall {
    /// Of a call's rows: its first one, and the one that is shown.
    pub(super) fn new(
        (row, shown): (&DecisionRow<'_>, &DecisionRow<'_>),
        outcome: Outcome,
        texts: &mut Texts,
    ) -> ChangedCall {
        let mut keep = |text: Option<&str>| text.map(|text| texts.keep(text));
        ChangedCall {
            event_id: row.event_id.map(Box::from),
            event_time: row.event_time,
            account_id: keep(row.account_id),
            region: keep(row.region),
            event_source: keep(row.event_source),
            event_name: keep(row.event_name),
            principal_arn: keep(row.principal_arn),
            session_name: keep(row.session_name),
            caller_account_id: keep(row.caller_account_id),
            action: keep(shown.action),
            resource_arn: keep(shown.resource_arn),
            copy: row.copy,
            log_file: texts.keep(row.log_file),
            record_index: row.record_index,
            outcome,
            effect: ChangeEffect::Other,
            answers: None,
            grounds: None,
        }
    }

    /// With what was found.
    pub(super) fn with(
        mut self,
        (effect, before, after): (ChangeEffect, Found, Found),
        grounds: Option<Arc<Grounds>>,
    ) -> ChangedCall {
        self.effect = effect;
        self.answers = Some((Answer::new(&before), Answer::new(&after)));
        self.grounds = grounds;
        self
    }

    pub(super) fn is(&self, other: &ChangedCall) -> bool {
        self.record_index == other.record_index && self.log_file == other.log_file
    }
}

/// A call of which more rows may come.
pub(super) struct OpenCall {
    pub(super) call: ChangedCall,
    judgement: WhatIfJudgement,
}

impl OpenCall {
    pub(super) fn new(call: ChangedCall, judgement: WhatIfJudgement) -> OpenCall {
        OpenCall { call, judgement }
    }

    pub(super) fn join(&mut self, further: OpenCall) {
        if self.judgement.join(further.judgement) {
            self.call.action = further.call.action;
            self.call.resource_arn = further.call.resource_arn;
        }
    }

    pub(super) fn is_touched(&self) -> bool {
        self.judgement.is_touched
    }

    /// The call, where the change does something to it.
    pub(super) fn close(self) -> Option<ChangedCall> {
        let effect = self.judgement.effect(self.call.outcome)?;
        Some(self.call.with(effect, self.judgement.grounds))
    }
}

/// Sorts calls as the table has them; equal ones stay in the order of the output's rows.
pub(super) fn sort(calls: &mut [ChangedCall]) {
    calls.sort_by(|left, right| {
        let accounts = left.account_id.cmp(&right.account_id);
        let principals = || left.principal_arn.cmp(&right.principal_arn);
        let times = || left.event_time.cmp(&right.event_time);
        accounts.then_with(principals).then_with(times)
    });
}
