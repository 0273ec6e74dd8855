//! From a record to a call: its requests, their decisions and the verdict.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_cloudtrail::Record;
use retrial_iam::{
    Catalogue, Context, Decision, Evaluation, Evaluator, Explanation, KeyState, Layer, MissingKeys,
    Principal, Request, Resource, Scratch, SharedKeys, Snapshot, StatementRef,
};

use crate::asker::{Asking, asker, provider};
use crate::call_session::{CallSession, HeldSession, is_assumed_root};
use crate::caller::{Caller, CallerKind};
use crate::changes::{Change, change};
use crate::denial::{Denial, denial_of};
use crate::key_order::{column_of, sorted};
use crate::keys::{KeySource, call_keys, record_keys, resource_keys};
use crate::known_callers::{CallerOf, Found, KeepTexts, KnownCaller, KnownCallers};
use crate::mapping::{Certainty, Facts, Mapped, MappedRequest, MappedResource, Mapping, Need};
use crate::session::SessionKnowledge;
use crate::verdict::{Judged, Reason, Verdict, judge};
use crate::{Omission, Outcome, partition_of, split_at_mark};

/// How replay treats what was not collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Assumptions {
    /// An allow stands, and names what it assumes.
    #[default]
    Named,
    /// An allow that assumes anything is `undetermined` (`--strict`).
    Refused,
}

/// Replays records against a snapshot. Shared by all threads.
#[derive(Clone, Copy)]
pub struct Replayer<'s> {
    pub(crate) catalogue: &'s Catalogue,
    mapping: &'s Mapping,
    pub(crate) snapshot: &'s Snapshot,
    evaluator: Evaluator<'s>,
    assumptions: Assumptions,
}

/// A record, replayed.
#[derive(Debug)]
pub struct Call<'a> {
    /// Who made it.
    pub caller: Caller<'a>,
    /// What AWS recorded.
    pub outcome: Outcome,
    /// What AWS's own message says was denied.
    pub denial: Denial<'a>,
    /// The authorization questions that AWS asks for it.
    pub requests: &'a [CallRequest<'a>],
    /// The call's decision; `None` where it was not evaluated.
    pub decision: Option<Decision>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is `not_evaluated` or `undetermined`.
    pub reason: Option<Reason>,
    /// Whether this is the resource owner's copy of another account's call.
    pub copy: bool,
    /// What its record leaves out of the request.
    pub omission: Option<Omission>,
    /// The change of authorization that it recorded.
    pub change: Option<Change<'a>>,
    /// What the job that it began will need of its execution role.
    pub needs: &'a [Need<'a>],
    /// Names the policies of the session; `None` where it has none, or none is known.
    pub session_policy_id: Option<&'a str>,
    /// The identity provider that vouches for a web or SAML identity, as trust policies name it.
    pub identity_provider: Option<&'a str>,
}

/// One request of a call.
#[derive(Debug, Clone, Copy)]
pub struct CallRequest<'a> {
    /// `s3:GetObject`
    pub action: &'a str,
    /// The resource's ARN; one with `*` for what nobody recorded; `*` where the action has none.
    pub resource_arn: &'a str,
    /// Whether [`CallRequest::resource_arn`] is known whole.
    pub resource_known: bool,
    /// Other spellings of the ARN that AWS may have compared instead.
    pub spellings: &'a [&'a str],
    /// The account that owns the resource.
    pub resource_account: Option<&'a str>,
    /// Whether AWS always asks it for such a call.
    pub required: bool,
    /// How sure the mapping is.
    pub certainty: Certainty,
    /// Known keys with their values; keys that are known to be absent with none. In order where these are
    /// all.
    pub context: &'a [(&'a str, &'a [&'a str])],
    /// Whether these are all; else those of [`crate::KnownCaller::context`] come besides, and none of them
    /// is here: [`KnownCallers::context`] joins them.
    pub context_is_whole: bool,
    /// Keys that the request may have, though neither `context` nor the catalogue says so.
    pub hidden_keys: &'a [&'a str],
    /// The decision; `None` where it was not evaluated.
    pub decision: Option<Decision>,
    /// Why it is undetermined.
    pub reason: Option<Reason>,
    /// The layer that blocks.
    pub layer: Option<Layer>,
    /// The statements that determined it.
    pub determined_by: &'a [StatementRef<'a>],
    /// The keys that would turn an undetermined decision.
    pub unknown_keys: &'a [&'a str],
    /// The layers that would.
    pub unknown_layers: &'a [Layer],
    /// What an allow assumes.
    pub assumes: &'a [&'a str],
}

/// Where a call's evaluation stands: who asks, and what its requests share.
pub(crate) struct Bench<'a, 'r, 's> {
    /// `None`: nobody is evaluated.
    pub(crate) asker: Option<retrial_iam::Caller<'s, 'a>>,
    pub(crate) session: &'r CallSession<'r>,
    pub(crate) vpc_endpoint: Option<&'a str>,
    pub(crate) arena: &'a Bump,
}

/// Who made a call, and what is known of it beforehand.
struct Who<'a, 's, 'x> {
    caller: Caller<'a>,
    principal: Result<&'s Principal, Reason>,
    /// Where what the record asks makes no difference to it.
    asker: Option<retrial_iam::Caller<'s, 'a>>,
    session: HeldSession<'x>,
    keys: Option<SharedKeys<'a>>,
}

impl<'s> Replayer<'s> {
    /// A replayer.
    pub fn new(
        catalogue: &'s Catalogue,
        mapping: &'s Mapping,
        snapshot: &'s Snapshot,
        assumptions: Assumptions,
    ) -> Self {
        Self {
            catalogue,
            mapping,
            snapshot,
            evaluator: Evaluator::new(catalogue, snapshot),
            assumptions,
        }
    }

    /// The evaluator, for explanations.
    pub fn evaluator(&self) -> &Evaluator<'s> {
        &self.evaluator
    }

    /// How it treats what was not collected.
    pub fn assumptions(&self) -> Assumptions {
        self.assumptions
    }

    /// The catalogue.
    pub fn catalogue(&self) -> &'s Catalogue {
        self.catalogue
    }

    /// The mapping.
    pub fn mapping(&self) -> &'s Mapping {
        self.mapping
    }

    /// The snapshot.
    pub fn snapshot(&self) -> &'s Snapshot {
        self.snapshot
    }

    /// Replays one record. What it returns lives in the record's text, in `arena` and in the snapshot.
    pub fn replay<'a>(
        &self,
        record: &Record<'a>,
        session: SessionKnowledge<'_>,
        arena: &'a Bump,
        scratch: &mut Scratch<'s>,
    ) -> Call<'a>
    where
        's: 'a,
    {
        let caller = Caller::of(record, arena);
        let principal = caller.principal(self.snapshot);
        let held = (is_assumed_root(record), &caller, principal.ok());
        let who = Who {
            session: HeldSession::new(held, session),
            caller,
            principal,
            asker: None,
            keys: None,
        };
        self.replay_of(who, record, arena, scratch)
    }

    /// The same, where most callers come up again and again: what all calls of one have in common is found
    /// out once, and kept where `keep` says. Of the requests' contexts only the rest is made.
    pub fn replay_known<'a, 'k, 'x>(
        &self,
        (record, session): (&Record<'a>, SessionKnowledge<'x>),
        (arena, scratch): (&'a Bump, &mut Scratch<'s>),
        (callers, keep): (&mut KnownCallers<'s, 'k, 'x>, &impl KeepTexts<'k>),
    ) -> (Call<'a>, Option<KnownCaller<'k>>)
    where
        's: 'a + 'k,
        'k: 'a,
    {
        let asking = CallerOf {
            record,
            session,
            snapshot: self.snapshot,
            arena,
        };
        let Some(Found {
            principal,
            asker,
            session,
            known,
        }) = callers.of(&asking, keep)
        else {
            return (self.replay(record, session, arena, scratch), None);
        };
        let who = Who {
            caller: known.caller,
            principal,
            asker,
            session,
            keys: Some(known.keys),
        };
        let call = self.replay_of(who, record, arena, scratch);
        (call, Some(known))
    }

    fn replay_of<'a>(
        &self,
        who: Who<'a, 's, '_>,
        record: &Record<'a>,
        arena: &'a Bump,
        scratch: &mut Scratch<'s>,
    ) -> Call<'a>
    where
        's: 'a,
    {
        let Who {
            caller,
            principal,
            asker: known,
            session,
            keys: shared,
        } = who;
        let outcome = Outcome::of_error_code(record.error_code);
        let mapped = self.map(record, &caller, arena);
        let asker = known.map_or_else(
            || {
                let asking = Asking::of(record);
                asker(&asking, (&caller, principal), &mapped, self.snapshot)
            },
            Ok,
        );
        let principal = principal.ok();
        let obstacle = obstacle(record, &caller, &mapped).or_else(|| asker.err());
        let session = CallSession::new(session, self.snapshot);
        let requests = match &mapped {
            Mapped::Requests(requests) => {
                let source = KeySource {
                    record,
                    caller: &caller,
                    principal,
                    session: session.known(),
                    arena,
                };
                let keys = match shared {
                    Some(shared) => {
                        let mut keys = Context::over(shared, MissingKeys::ByCatalogue);
                        record_keys(source, &mut keys);
                        keys
                    }
                    None => call_keys(source),
                };
                let bench = Bench {
                    asker: asker.ok().filter(|_| obstacle.is_none()),
                    session: &session,
                    vpc_endpoint: record.vpc_endpoint_id,
                    arena,
                };
                let mut rows = BumpVec::with_capacity_in(requests.len(), arena);
                if let Some((last, others)) = requests.split_last() {
                    for request in others {
                        let keys = keys.clone();
                        rows.push(self.request(&bench, (request, keys), scratch));
                    }
                    // Most calls have one request: their keys are not copied.
                    rows.push(self.request(&bench, (last, keys), scratch));
                }
                rows.into_bump_slice()
            }
            _ => &[],
        };
        let (decision, verdict, reason) = match obstacle {
            Some(reason) => (None, Verdict::NotEvaluated, Some(reason)),
            None => {
                let mut required = BumpVec::with_capacity_in(requests.len(), arena);
                required.extend(required_of(requests));
                verdict_of(outcome, &required)
            }
        };
        Call {
            caller,
            outcome,
            denial: denial_of(record),
            requests,
            decision,
            verdict,
            reason,
            copy: record
                .recipient_account_id
                .zip(caller.account)
                .is_some_and(|(recipient, caller)| recipient != caller),
            omission: Omission::of(record),
            change: change(record, outcome, arena),
            needs: self
                .mapping
                .needs(record, &self.facts(record, &caller), arena),
            session_policy_id: session.policy_id().map(|id| &*arena.alloc_str(id)),
            identity_provider: provider(record).filter(|_| caller.kind == CallerKind::Federated),
        }
    }

    fn facts<'a>(&self, record: &Record<'a>, caller: &Caller<'a>) -> Facts<'a>
    where
        's: 'a,
    {
        let region = record.aws_region.unwrap_or_default();
        Facts {
            catalogue: self.catalogue,
            snapshot: Some(self.snapshot),
            partition: partition_of(caller.principal_arn, region),
            region,
            account: record
                .recipient_account_id
                .or(caller.account)
                .unwrap_or_default(),
            caller_account: caller.account,
            caller_arn: caller.principal_arn,
            caller_name: caller.user_name,
            failed_with: record.error_code,
        }
    }

    fn map<'a>(&self, record: &Record<'a>, caller: &Caller<'a>, arena: &'a Bump) -> Mapped<'a>
    where
        's: 'a,
    {
        let facts = self.facts(record, caller);
        let denial = denial_of(record);
        match self.mapping.map(record, &facts, arena) {
            Mapped::Requests(requests) if denial.resource.is_some() => {
                let named = requests
                    .iter()
                    .map(|request| named_by_aws(request, &denial));
                Mapped::Requests(arena.alloc_slice_fill_iter(named))
            }
            other => other,
        }
    }

    /// The evaluator's whole explanation of each request of a record, in the order of
    /// [`Call::requests`]; none where the call is not evaluated.
    pub fn explain<'a>(
        &self,
        record: &Record<'a>,
        session: SessionKnowledge<'_>,
        arena: &'a Bump,
    ) -> Vec<Explanation>
    where
        's: 'a,
    {
        let caller = Caller::of(record, arena);
        let mapped = self.map(record, &caller, arena);
        let (Mapped::Requests(requests), None, Ok(asker)) = (
            &mapped,
            obstacle(record, &caller, &mapped),
            asker(
                &Asking::of(record),
                (&caller, caller.principal(self.snapshot)),
                &mapped,
                self.snapshot,
            ),
        ) else {
            return Vec::new();
        };
        let principal = caller.principal(self.snapshot).ok();
        let held = HeldSession::new((is_assumed_root(record), &caller, principal), session);
        let session = CallSession::new(held, self.snapshot);
        let keys = call_keys(KeySource {
            record,
            caller: &caller,
            principal,
            session: session.known(),
            arena,
        });
        let bench = Bench {
            asker: Some(asker),
            session: &session,
            vpc_endpoint: record.vpc_endpoint_id,
            arena,
        };
        let explain = |mapped: &MappedRequest<'a>| {
            let context = self.context(keys.clone(), mapped, arena);
            self.evaluator
                .explain_as(asker, &question(&bench, mapped, &context))
        };
        requests.iter().map(explain).collect()
    }

    pub(crate) fn request<'a>(
        &self,
        bench: &Bench<'a, '_, 's>,
        (mapped, keys): (&MappedRequest<'a>, Context<'a>),
        scratch: &mut Scratch<'s>,
    ) -> CallRequest<'a>
    where
        's: 'a,
    {
        let context = self.context(keys, mapped, bench.arena);
        let decided = self.decided(bench, (mapped, &context), scratch);
        let besides = context.besides_shared().filter(|_| context.has_shared());
        CallRequest {
            context: match besides {
                Some(entries) => {
                    let entries = entries.iter().map(|entry| (entry.key(), entry.state()));
                    column_of(entries, bench.arena).into_bump_slice()
                }
                None => sorted(column_of(context.iter(), bench.arena), bench.arena),
            },
            context_is_whole: besides.is_none(),
            hidden_keys: self.hidden_keys(mapped.action, &context, bench.arena),
            ..decided
        }
    }

    /// Decides one request; its context is left out of the row.
    pub(crate) fn decided<'a>(
        &self,
        bench: &Bench<'a, '_, 's>,
        (mapped, context): (&MappedRequest<'a>, &Context<'a>),
        scratch: &mut Scratch<'s>,
    ) -> CallRequest<'a>
    where
        's: 'a,
    {
        let (resource_arn, resource_known, resource_account) = resource_of(mapped);
        let mut row = CallRequest {
            action: mapped.action,
            resource_arn,
            resource_known,
            spellings: spellings_of(mapped),
            resource_account,
            required: mapped.required,
            certainty: mapped.certainty,
            context: &[],
            context_is_whole: true,
            hidden_keys: &[],
            decision: None,
            reason: None,
            layer: None,
            determined_by: &[],
            unknown_keys: &[],
            unknown_layers: &[],
            assumes: &[],
        };
        if let Some(asker) = bench.asker {
            let question = question(bench, mapped, context);
            self.decide(asker, &question, mapped, &mut row, (scratch, bench.arena));
            bench.session.name_policies(&mut row, bench.arena);
        }
        row
    }

    /// The unknown keys that a reader of the column `context` would take for absent: those of a family
    /// that has no others, and those that no catalogue has.
    fn hidden_keys<'a>(
        &self,
        action: &str,
        context: &Context<'a>,
        arena: &'a Bump,
    ) -> &'a [&'a str] {
        if !context.may_have_unknown() {
            return &[];
        }
        let mut hidden = BumpVec::new_in(arena);
        for (key, state) in context.iter() {
            if state == KeyState::Unknown
                && (family_state(context, key) == Some(KeyState::Absent)
                    || !self.catalogue.key_applies(action, key))
            {
                hidden.push(key);
            }
        }
        hidden.into_bump_slice()
    }

    /// The keys of one request: the call's, those that its parameters feed, and its resource's.
    pub(crate) fn context<'a>(
        &self,
        keys: Context<'a>,
        mapped: &MappedRequest<'a>,
        arena: &'a Bump,
    ) -> Context<'a>
    where
        's: 'a,
    {
        let (resource_arn, resource_known, account) = resource_of(mapped);
        let mut context = keys;
        for (key, state) in mapped.keys {
            context.set(key, *state);
        }
        let tags = if resource_known {
            self.snapshot.resource_tags(resource_arn)
        } else {
            None
        };
        let service =
            split_at_mark(mapped.action, b':').map_or(mapped.action, |(service, _)| service);
        resource_keys(service, account, tags, arena, &mut context);
        context
    }

    fn decide<'a>(
        &self,
        asker: retrial_iam::Caller<'s, '_>,
        request: &Request<'_>,
        mapped: &MappedRequest<'a>,
        row: &mut CallRequest<'a>,
        (scratch, arena): (&mut Scratch<'s>, &'a Bump),
    ) where
        's: 'a,
    {
        let evaluation = self.evaluator.evaluate_as(asker, request, scratch);
        row.take(&evaluation, arena);
        if let Some(reason) = self.doubt(asker, request, mapped, row, scratch) {
            row.decision = Some(Decision::Undetermined);
            row.reason = Some(reason);
        }
        if self.assumptions == Assumptions::Refused
            && row.decision == Some(Decision::Allowed)
            && !row.assumes.is_empty()
        {
            row.decision = Some(Decision::Undetermined);
            row.reason = Some(Reason::AllowedUnderAssumption);
        }
    }

    /// Whether another spelling of the resource, or another resource where this one was guessed,
    /// leads to another answer.
    fn doubt(
        &self,
        asker: retrial_iam::Caller<'s, '_>,
        request: &Request<'_>,
        mapped: &MappedRequest<'_>,
        row: &CallRequest<'_>,
        scratch: &mut Scratch<'s>,
    ) -> Option<Reason> {
        let decision = row.decision?;
        let MappedResource::Arn { spellings, .. } = mapped.resource else {
            return None;
        };
        for spelling in spellings {
            let other = self.evaluator.evaluate_as(
                asker,
                &Request {
                    resource: Resource::Arn(spelling),
                    ..*request
                },
                scratch,
            );
            if other.decision != decision && !(other.decision.is_denied() && decision.is_denied()) {
                return Some(Reason::SpellingsDisagree);
            }
        }
        if mapped.certainty == Certainty::Guessed && decision.is_denied() {
            let any = self.evaluator.evaluate_as(
                asker,
                &Request {
                    resource: Resource::Unknown("*"),
                    ..*request
                },
                scratch,
            );
            if !any.decision.is_denied() {
                return Some(Reason::GuessedMapping);
            }
        }
        None
    }
}

impl<'a> CallRequest<'a> {
    /// Takes over an evaluation, out of the scratch's buffers.
    fn take<'s: 'a>(&mut self, evaluation: &Evaluation<'_, 's>, arena: &'a Bump) {
        self.decision = Some(evaluation.decision);
        self.layer = evaluation.layer;
        self.determined_by = arena.alloc_slice_fill_iter(evaluation.determined_by.iter().copied());
        self.unknown_keys = arena.alloc_slice_fill_iter(evaluation.unknown_keys.iter().copied());
        self.unknown_layers = arena.alloc_slice_copy(evaluation.unknown_layers);
        self.assumes = arena.alloc_slice_fill_iter(evaluation.assumes.iter().map(|assumption| {
            bumpalo::format!(in arena, "{}", assumption).into_bump_str() as &str
        }));
        self.reason = (evaluation.decision == Decision::Undetermined).then_some(
            match evaluation.unknown_keys.is_empty() {
                true => Reason::LayersNotCollected,
                false => Reason::UnknownKeys,
            },
        );
    }
}

/// A denied call often shows no parameters, but AWS's message names the resource that it compared:
/// nothing is better known than that.
fn named_by_aws<'a>(mapped: &MappedRequest<'a>, denial: &Denial<'a>) -> MappedRequest<'a> {
    let (MappedResource::Unknown { account, .. }, Some(arn)) =
        (mapped.resource, denial.names(mapped.action))
    else {
        return *mapped;
    };
    let account = arn
        .split(':')
        .nth(4)
        .filter(|account| !account.is_empty())
        .or(account);
    MappedRequest {
        resource: MappedResource::Arn {
            arn,
            spellings: &[],
            account,
        },
        ..*mapped
    }
}

/// What stands in the way of evaluating a record, whatever the snapshot holds.
fn obstacle(record: &Record<'_>, caller: &Caller<'_>, mapped: &Mapped<'_>) -> Option<Reason> {
    if record.addendum.is_some() {
        return Some(Reason::Addendum);
    }
    match mapped {
        Mapped::NotAnIamAction(_) => Some(Reason::NotAnIamAction),
        Mapped::NoPermissionNeeded => Some(Reason::NoPermissionNeeded),
        Mapped::Unmapped => caller.obstacle().or(Some(Reason::Unmapped)),
        Mapped::Requests(_) => None,
    }
}

/// What the verdict of a call stands on.
pub(crate) fn required_of(requests: &[CallRequest<'_>]) -> impl Iterator<Item = Judged> {
    requests
        .iter()
        .filter(|request| request.required)
        .filter_map(judged)
}

/// The verdict of a call that nothing stands in the way of.
pub(crate) fn verdict_of(
    outcome: Outcome,
    required: &[Judged],
) -> (Option<Decision>, Verdict, Option<Reason>) {
    match judge(outcome, required) {
        Some((decision, verdict, reason)) => (Some(decision), verdict, reason),
        None => (None, Verdict::NotEvaluated, Some(Reason::NoRequiredRequest)),
    }
}

pub(crate) fn judged(request: &CallRequest<'_>) -> Option<Judged> {
    Some(Judged {
        decision: request.decision?,
        certainty: request.certainty,
        assumes_nothing: request.assumes.is_empty(),
        reason: request.reason,
    })
}

/// The resource's ARN as a row shows it, whether it is known whole, and its account.
fn resource_of<'a>(mapped: &MappedRequest<'a>) -> (&'a str, bool, Option<&'a str>) {
    match mapped.resource {
        MappedResource::Any => ("*", true, None),
        MappedResource::Arn { arn, account, .. } => (arn, true, account),
        MappedResource::Unknown { pattern, account } => (pattern, false, account),
    }
}

/// The other spellings that the resource's ARN may have.
fn spellings_of<'a>(mapped: &MappedRequest<'a>) -> &'a [&'a str] {
    match mapped.resource {
        MappedResource::Arn { spellings, .. } => spellings,
        MappedResource::Any | MappedResource::Unknown { .. } => &[],
    }
}

/// The question as the evaluator takes it.
fn question<'q>(
    bench: &'q Bench<'_, '_, '_>,
    mapped: &MappedRequest<'q>,
    context: &'q Context<'q>,
) -> Request<'q> {
    Request {
        action: mapped.action,
        resource: main_resource(&mapped.resource),
        resource_account: resource_of(mapped).2,
        context,
        vpc_endpoint: bench.vpc_endpoint,
        session: bench.session.policies(),
    }
}

fn main_resource<'a>(resource: &MappedResource<'a>) -> Resource<'a> {
    match *resource {
        MappedResource::Any => Resource::Any,
        MappedResource::Arn { arn, .. } => Resource::Arn(arn),
        MappedResource::Unknown { pattern, .. } => Resource::Unknown(pattern),
    }
}

/// What was set for the family that `key` belongs to.
fn family_state<'a>(context: &Context<'a>, key: &str) -> Option<KeyState<'a>> {
    context
        .iter()
        .find(|(name, _)| {
            let prefix = name.strip_suffix('*').filter(|_| *name != key);
            prefix
                .zip(prefix.and_then(|prefix| key.get(..prefix.len())))
                .is_some_and(|(prefix, start)| prefix.eq_ignore_ascii_case(start))
        })
        .map(|(_, state)| state)
}
