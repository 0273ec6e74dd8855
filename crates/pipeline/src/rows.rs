//! From a replayed record to rows of the tables.

use bumpalo::Bump;
use retrial_cloudtrail::Record;
use retrial_replay::{Call, CallRequest, IssuedSession, KnownCaller, KnownCallers};
use retrial_tables::{ChangeRow, DecisionRow, DeterminedBy, NeedRow, SessionRow, TextListMap};

use crate::texts::{Keeping, Texts};

/// Where a record is from.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin<'f> {
    pub(crate) log_file: &'f str,
    pub(crate) record_index: u64,
    /// Whether another record has its event id and account, and another body.
    pub(crate) conflict: bool,
}

/// What every row of a record's has in common, and the arena that its text is kept in.
pub(crate) struct RowPlace<'f, 'r> {
    pub(crate) arena: &'f Bump,
    pub(crate) texts: &'r Texts<'f>,
    pub(crate) origin: Origin<'f>,
    pub(crate) snapshot_id: &'f str,
    pub(crate) mapping_version: &'f str,
    pub(crate) record: &'r Record<'r>,
    pub(crate) call: &'r Call<'r>,
    /// Its caller, where it was kept already.
    pub(crate) known: Option<KnownCaller<'f>>,
}

impl<'f> RowPlace<'f, '_> {
    fn keep(&self, text: &str) -> &'f str {
        self.texts.keep(text, self.arena)
    }

    fn keep_all(&self, texts: &[&str]) -> &'f [&'f str] {
        self.texts.keep_all(texts, self.arena)
    }

    fn keep_option(&self, text: Option<&str>) -> Option<&'f str> {
        text.map(|text| self.keep(text))
    }

    /// An account, which is the caller's for most calls.
    fn account(&self, account: Option<&str>, known: &KnownCaller<'f>) -> Option<&'f str> {
        match known.caller.account {
            own if own == account => own,
            _ => self.keep_option(account),
        }
    }

    /// The rows of `decisions`: one a request, or one where the call has none.
    pub(crate) fn decisions(
        &self,
        callers: &mut KnownCallers<'f, 'f, '_>,
        mut push: impl FnMut(DecisionRow<'f>),
    ) {
        let common = self.common();
        if self.call.requests.is_empty() {
            push(common);
            return;
        }
        for request in self.call.requests {
            let context = self.context(request, callers);
            push(self.with_request((common, context), request));
        }
    }

    fn common(&self) -> DecisionRow<'f> {
        let RowPlace { record, call, .. } = *self;
        let caller = &call.caller;
        let known = self
            .known
            .unwrap_or_else(|| KnownCaller::kept(caller, record, &Keeping(self.texts, self.arena)));
        DecisionRow {
            // No other record has it.
            event_id: record
                .event_id
                .map(|id| -> &'f str { self.arena.alloc_str(id) }),
            event_time: record.event_time.map(|time| time.micros()),
            account_id: self.account(record.recipient_account_id.or(caller.account), &known),
            region: known.aws_region,
            event_source: self.keep_option(record.event_source),
            event_name: self.keep_option(record.event_name),
            principal_arn: known.caller.principal_arn,
            principal_type: known.caller.principal_type,
            session_name: known.caller.session_name,
            principal_id: known.caller.principal_id,
            caller_account_id: known.caller.account,
            access_key_id: known.access_key_id,
            source_ip: known.source_ip_address,
            invoked_by: known.invoked_by,
            error_code: self.keep_option(record.error_code),
            denied_action: self.keep_option(call.denial.action),
            denied_resource: self.keep_option(call.denial.resource),
            denied_layer: call.denial.layer.map(|layer| layer.name()),
            outcome: call.outcome.name(),
            call_decision: call.decision.map(|decision| decision.name()),
            verdict: call.verdict.name(),
            reason: call.reason.map(|reason| reason.name()),
            copy: call.copy,
            snapshot_id: self.snapshot_id,
            mapping_version: self.mapping_version,
            log_file: self.origin.log_file,
            record_index: self.origin.record_index,
            conflict: self.origin.conflict,
            session_policy_id: self.keep_option(call.session_policy_id),
            identity_provider: self.keep_option(call.identity_provider),
            amends: self.keep_option(amended_event(record)),
            ..DecisionRow::default()
        }
    }

    fn with_request(
        &self,
        (common, context): (DecisionRow<'f>, TextListMap<'f>),
        request: &CallRequest<'_>,
    ) -> DecisionRow<'f> {
        DecisionRow {
            action: Some(self.keep(request.action)),
            resource_arn: Some(self.keep(request.resource_arn)),
            resource_account: self.keep_option(request.resource_account),
            required: Some(request.required),
            context,
            decision: request.decision.map(|decision| decision.name()),
            reason: request
                .reason
                .filter(|_| request.required)
                .map(|reason| reason.name())
                .or(common.reason),
            mapping: Some(request.certainty.name()),
            layer: request.layer.map(|layer| layer.name()),
            determined_by: self
                .arena
                .alloc_slice_fill_iter(request.determined_by.iter().map(|statement| {
                    DeterminedBy {
                        layer: statement.layer.name(),
                        policy: self.keep(statement.policy),
                        index: statement.index,
                        sid: self.keep_option(statement.sid),
                        effect: statement.effect.name(),
                    }
                })),
            unknown_keys: self.keep_all(request.unknown_keys),
            unknown_layers: self
                .arena
                .alloc_slice_fill_iter(request.unknown_layers.iter().map(|layer| layer.name())),
            assumes: self.keep_all(request.assumes),
            spellings: self.keep_all(request.spellings),
            resource_known: Some(request.resource_known),
            hidden_keys: self.keep_all(request.hidden_keys),
            ..common
        }
    }

    /// A request's context: its own keys, and those that all requests of its caller have.
    fn context(
        &self,
        request: &CallRequest<'_>,
        callers: &mut KnownCallers<'f, 'f, '_>,
    ) -> TextListMap<'f> {
        match self.known {
            Some(known) if !request.context_is_whole => {
                let keeping = Keeping(self.texts, self.arena);
                let whole = callers.context(&known, request.context, &keeping);
                TextListMap::apart(whole.keys, whole.values)
            }
            _ => TextListMap::Pairs(
                self.arena.alloc_slice_fill_iter(
                    request
                        .context
                        .iter()
                        .map(|(key, values)| (self.keep(key), self.keep_all(values))),
                ),
            ),
        }
    }

    /// The rows of `needs`, where the record began a job.
    pub(crate) fn needs(&self, mut push: impl FnMut(NeedRow<'f>)) {
        let RowPlace { record, call, .. } = *self;
        if call.needs.is_empty() {
            return;
        }
        let common = NeedRow {
            event_id: self.keep_option(record.event_id),
            event_time: record.event_time.map(|time| time.micros()),
            account_id: self.keep_option(record.recipient_account_id.or(call.caller.account)),
            region: self.keep_option(record.aws_region),
            event_source: self.keep_option(record.event_source),
            event_name: self.keep_option(record.event_name),
            log_file: self.origin.log_file,
            record_index: self.origin.record_index,
            ..NeedRow::default()
        };
        for need in call.needs {
            push(NeedRow {
                role_arn: self.keep(need.role_arn),
                action: self.keep(need.action),
                resource_arn: Some(self.keep(need.resource_arn)),
                why: self.keep(need.why),
                source_field: self.keep_option(need.source_field),
                mapping: need.certainty.name(),
                resource_known: need.resource_known,
                spellings: self.keep_all(need.spellings),
                required: need.required,
                context: TextListMap::Pairs(
                    self.arena.alloc_slice_fill_iter(
                        need.context
                            .iter()
                            .map(|(key, values)| (self.keep(key), self.keep_all(values))),
                    ),
                ),
                page: self.keep(need.page),
                role_of: self.keep_option(need.role_of),
                ..common
            });
        }
    }

    /// The row of `changes`, where the record is a write that changed authorization.
    pub(crate) fn change(&self) -> Option<ChangeRow<'f>> {
        let RowPlace { record, call, .. } = *self;
        let change = call.change?;
        let target_arn = change
            .target
            .filter(|target| target.starts_with("arn:"))
            .or_else(|| {
                let on = call.requests.iter().find(|request| {
                    request.required && request.resource_known && request.resource_arn != "*"
                });
                on.map(|request| request.resource_arn)
            });
        Some(ChangeRow {
            event_id: self.keep_option(record.event_id),
            event_time: record.event_time.map(|time| time.micros()),
            account_id: self.keep_option(record.recipient_account_id.or(call.caller.account)),
            region: self.keep_option(record.aws_region),
            event_source: self.keep_option(record.event_source),
            event_name: self.keep_option(record.event_name),
            principal_arn: self.keep_option(call.caller.principal_arn),
            session_name: self.keep_option(call.caller.session_name),
            access_key_id: self.keep_option(
                record
                    .user_identity
                    .and_then(|identity| identity.access_key_id),
            ),
            outcome: call.outcome.name(),
            kind: change.kind,
            target_arn: self.keep_option(target_arn.or(change.target)),
            policy_arn: self.keep_option(change.policy_arn),
            policy_name: self.keep_option(change.policy_name),
            document: change
                .document
                .map(|document| -> &'f str { self.arena.alloc_str(document) }),
            log_file: self.origin.log_file,
            record_index: self.origin.record_index,
        })
    }
}

/// The row of `sessions` for a record that issued one.
pub(crate) fn session_row<'f>(
    record: &Record<'_>,
    issued: &IssuedSession<'_>,
    (log_file, record_index): (&'f str, u64),
    arena: &'f Bump,
) -> SessionRow<'f> {
    let keep = |text: &str| -> &'f str { arena.alloc_str(text) };
    let keep_option = |text: Option<&str>| text.map(keep);
    let keep_all = |texts: &[&str]| -> &'f [&'f str] {
        arena.alloc_slice_fill_iter(texts.iter().map(|text| keep(text)))
    };
    SessionRow {
        event_id: keep_option(record.event_id),
        event_time: record.event_time.map(|time| time.micros()),
        account_id: keep_option(record.recipient_account_id),
        region: keep_option(record.aws_region),
        access_key_id: keep(issued.access_key_id),
        event_name: Some(keep(issued.event_name)),
        caller_principal_arn: keep_option(issued.caller_principal_arn),
        role_arn: keep_option(issued.role_arn),
        assumed_role_id: keep_option(issued.assumed_role_id),
        session_name: keep_option(issued.session_name),
        session_policy: keep_option(issued.session_policy),
        session_policy_id: keep_option(issued.session_policy_id),
        session_policy_arns: keep_all(issued.session_policy_arns),
        tags: arena.alloc_slice_fill_iter(
            issued
                .tags
                .iter()
                .map(|(key, value)| (keep(key), keep(value))),
        ),
        transitive_tag_keys: keep_all(issued.transitive_tag_keys),
        source_identity: keep_option(issued.source_identity),
        expires_at: issued.expires_at.map(|time| time.micros()),
        log_file,
        record_index,
        caller_access_key_id: keep_option(issued.caller_access_key_id),
    }
}

/// The event that an addendum amends. See
/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>.
fn amended_event<'a>(record: &Record<'a>) -> Option<&'a str> {
    record.addendum?.get("originalEventID")?.as_str()
}
