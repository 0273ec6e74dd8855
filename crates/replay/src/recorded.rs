//! A call replayed from its rows, without its record.
//!
//! The table `decisions` keeps of a call what a new decision needs: who called, and for each request
//! action, resource and context. What stood in the snapshot of then and not in the record (tags of
//! principals and resources) is taken from the snapshot of now; all else is as it was recorded. The
//! rules are those of [`Replayer::replay`], and the same code.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_iam::{Context, Decision, KeyState, MissingKeys, Scratch, Snapshot, Values};

use crate::Outcome;
use crate::asker::{Asking, asker};
use crate::call::{Bench, CallRequest, Replayer, judged, required_of, verdict_of};
use crate::call_session::{CallSession, HeldSession};
use crate::caller::{Caller, CallerKind};
use crate::issued_session::is_session_key;
use crate::keys::{ASSUMED_ROOT, Tagged, is_of_snapshot, principal_tag_keys};
use crate::mapping::{Certainty, Mapped, MappedRequest, MappedResource};
use crate::memo::{KeyFact, KeyFacts, Memo, Question};
use crate::session::SessionKnowledge;
use crate::verdict::{Judged, Reason, Verdict};

/// A call as its rows in `decisions` have it. The names are those of the columns.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each field is the column of its name")]
pub struct RecordedCall<'a> {
    pub principal_arn: Option<&'a str>,
    pub principal_type: Option<&'a str>,
    pub session_name: Option<&'a str>,
    pub principal_id: Option<&'a str>,
    pub caller_account_id: Option<&'a str>,
    pub invoked_by: Option<&'a str>,
    pub identity_provider: Option<&'a str>,
    pub event_source: Option<&'a str>,
    pub event_name: Option<&'a str>,
    pub outcome: Outcome,
    pub reason: Option<Reason>,
    /// Its requests; none for a row without action.
    pub requests: &'a [RecordedRequest<'a>],
}

/// One request of a [`RecordedCall`]. The names are those of the columns.
#[derive(Debug, Clone, Copy)]
#[expect(missing_docs, reason = "each field is the column of its name")]
pub struct RecordedRequest<'a> {
    pub action: &'a str,
    pub resource_arn: &'a str,
    pub resource_known: bool,
    pub spellings: &'a [&'a str],
    pub resource_account: Option<&'a str>,
    pub required: bool,
    pub mapping: Certainty,
    pub context: &'a [(&'a str, &'a [&'a str])],
    pub hidden_keys: &'a [&'a str],
}

/// A [`RecordedCall`], replayed.
#[derive(Debug, Clone, Copy)]
pub struct Replayed<'a> {
    /// Its requests, each decided.
    pub requests: &'a [CallRequest<'a>],
    /// The call's decision; `None` where it was not evaluated.
    pub decision: Option<Decision>,
    /// The verdict.
    pub verdict: Verdict,
    /// Why it is `not_evaluated` or `undetermined`.
    pub reason: Option<Reason>,
}

impl<'s> Replayer<'s> {
    /// Replays a call from its rows, as [`Replayer::replay`] does from its record.
    pub fn replay_recorded<'a>(
        &self,
        call: &RecordedCall<'a>,
        session: SessionKnowledge<'_>,
        arena: &'a Bump,
        scratch: &mut Scratch<'s>,
    ) -> Replayed<'a>
    where
        's: 'a,
    {
        let desk = Desk::new(self, call, (session, None), arena);
        let mut requests = BumpVec::with_capacity_in(desk.mapped.len(), arena);
        for (recorded, mapped) in call.requests.iter().zip(desk.mapped) {
            requests.push(desk.request(recorded, mapped, scratch));
        }
        let requests: &'a [CallRequest<'a>] = requests.into_bump_slice();
        let judgement = Judgement {
            obstacle: desk.obstacle,
            required: required_of(requests).collect(),
        };
        let (decision, verdict, reason) = judgement.verdict(call.outcome);
        Replayed {
            requests,
            decision,
            verdict,
            reason,
        }
    }

    /// What [`Replayer::replay_recorded`] would find of the verdict; equal questions are asked once.
    pub fn judge_recorded<'a, 'x>(
        &self,
        call: &RecordedCall<'a>,
        session: SessionKnowledge<'x>,
        memo: &mut Memo<'x>,
        (arena, scratch): (&'a Bump, &mut Scratch<'s>),
    ) -> Judgement
    where
        's: 'a,
    {
        let desk = Desk::new(self, call, (session, None), arena);
        let mut required = Vec::new();
        if desk.obstacle.is_none() {
            for (recorded, mapped) in call.requests.iter().zip(desk.mapped) {
                if recorded.required {
                    required.extend(desk.judged(recorded, mapped, memo, scratch));
                }
            }
        }
        Judgement {
            obstacle: desk.obstacle,
            required,
        }
    }
}

/// What the verdict of a call stands on.
#[derive(Debug, Clone)]
pub struct Judgement {
    pub(crate) obstacle: Option<Reason>,
    pub(crate) required: Vec<Judged>,
}

impl Judgement {
    /// Of no request yet.
    pub(crate) fn of_obstacle(obstacle: Option<Reason>) -> Judgement {
        Judgement {
            obstacle,
            required: Vec::new(),
        }
    }

    /// Takes in that of the call's further requests, where they were judged apart.
    pub fn join(&mut self, further: Judgement) {
        self.obstacle = self.obstacle.or(further.obstacle);
        self.required.extend(further.required);
    }

    /// The call's decision, its verdict and the reason for it.
    pub fn verdict(&self, outcome: Outcome) -> (Option<Decision>, Verdict, Option<Reason>) {
        match self.obstacle {
            Some(reason) => (None, Verdict::NotEvaluated, Some(reason)),
            None => verdict_of(outcome, &self.required),
        }
    }

    /// The decisions of the required requests, in their order; none where the call is not evaluated.
    pub fn decisions(&self) -> impl Iterator<Item = Decision> + '_ {
        self.required.iter().map(|judged| judged.decision)
    }
}

/// A call on its way to be decided again.
pub(crate) struct Desk<'a, 'r, 's> {
    replayer: &'r Replayer<'s>,
    /// Another snapshot, under which the same questions are asked.
    beside: Option<&'s Snapshot>,
    call: &'r RecordedCall<'a>,
    pub(crate) mapped: &'a [MappedRequest<'a>],
    asker: Option<retrial_iam::Caller<'s, 'a>>,
    pub(crate) obstacle: Option<Reason>,
    pub(crate) session: CallSession<'r>,
    tagged: Tagged<'a, 'r>,
    arena: &'a Bump,
}

impl<'a, 'r, 's: 'a> Desk<'a, 'r, 's> {
    pub(crate) fn new(
        replayer: &'r Replayer<'s>,
        call: &'r RecordedCall<'a>,
        (session, beside): (SessionKnowledge<'r>, Option<&'s Snapshot>),
        arena: &'a Bump,
    ) -> Self {
        let snapshot = replayer.snapshot;
        let caller = call.caller();
        let mapped: &'a [MappedRequest<'a>] =
            arena.alloc_slice_fill_iter(call.requests.iter().map(RecordedRequest::mapped));
        let principal = caller.principal(snapshot);
        let asker = asker(
            &call.asking(),
            (&caller, principal),
            &Mapped::Requests(mapped),
            snapshot,
        );
        let principal = principal.ok();
        let obstacle = call.settled().or_else(|| asker.err());
        let held = HeldSession::new((call.is_assumed_root(), &caller, principal), session);
        let session = CallSession::new(held, snapshot);
        Desk {
            replayer,
            beside,
            call,
            mapped,
            asker: asker.ok().filter(|_| obstacle.is_none()),
            obstacle,
            tagged: Tagged {
                kind: caller.kind,
                principal,
                session: session.known(),
            },
            session,
            arena,
        }
    }

    fn request(
        &self,
        recorded: &RecordedRequest<'a>,
        mapped: &MappedRequest<'a>,
        scratch: &mut Scratch<'s>,
    ) -> CallRequest<'a> {
        let facts = &mut KeyFacts::default();
        let keys = self.keys(recorded, facts);
        let bench = self.bench(recorded);
        self.replayer.request(&bench, (mapped, keys), scratch)
    }

    fn bench(&self, recorded: &RecordedRequest<'a>) -> Bench<'a, '_, 's> {
        Bench {
            asker: self.asker,
            session: &self.session,
            vpc_endpoint: recorded.vpc_endpoint(),
            arena: self.arena,
        }
    }

    /// What is known of a condition key under the snapshot of now.
    fn fact(&self, key: &str, facts: &mut KeyFacts) -> KeyFact {
        facts.of(key, || KeyFact {
            read: self.replayer.snapshot.reads_key(key)
                || self.beside.is_some_and(|beside| beside.reads_key(key)),
            multivalued: self.replayer.catalogue.is_multivalued(key) == Some(true),
        })
    }

    /// The keys that the record showed, and the principal's tags; the resource's are set with its
    /// account.
    fn keys(&self, recorded: &RecordedRequest<'a>, facts: &mut KeyFacts) -> Context<'a> {
        let mut context = Context::new(MissingKeys::ByCatalogue);
        let service = recorded.action.split(':').next().unwrap_or_default();
        for (key, values) in recorded.context {
            if is_of_snapshot(key, self.tagged.kind, service) {
                continue;
            }
            let state = match values {
                [] => KeyState::Absent,
                // The column is a list for every key; which keys are lists is AWS's to say.
                [value] if !self.fact(key, facts).multivalued => {
                    KeyState::Known(Values::One(value))
                }
                values => KeyState::Known(Values::Many(values)),
            };
            context.set(key, state);
        }
        for key in recorded.hidden_keys {
            context.set(key, KeyState::Unknown);
        }
        principal_tag_keys(self.tagged, self.arena, &mut context);
        context
    }

    fn judged(
        &self,
        recorded: &RecordedRequest<'a>,
        mapped: &MappedRequest<'a>,
        memo: &mut Memo<'_>,
        scratch: &mut Scratch<'s>,
    ) -> Option<Judged> {
        let mut decide =
            |facts: &mut KeyFacts| judged(&self.decided((recorded, mapped), facts, scratch));
        // Session policies read keys of their own.
        if self.session.has_policies() {
            return decide(&mut KeyFacts::default());
        }
        memo.answers.ask(
            |question, facts| self.write_question(recorded, question, facts),
            decide,
        )
    }

    /// Decides one request; its context is left out.
    pub(crate) fn decided(
        &self,
        (recorded, mapped): (&RecordedRequest<'a>, &MappedRequest<'a>),
        facts: &mut KeyFacts,
        scratch: &mut Scratch<'s>,
    ) -> CallRequest<'a> {
        let keys = self.keys(recorded, facts);
        let bench = self.bench(recorded);
        let context = self.replayer.context(keys, mapped, self.arena);
        self.replayer.decided(&bench, (mapped, &context), scratch)
    }

    /// Writes all that the answer depends on.
    pub(crate) fn write_question(
        &self,
        recorded: &RecordedRequest<'a>,
        question: &mut Question<'_>,
        facts: &mut KeyFacts,
    ) {
        let RecordedCall {
            principal_arn,
            principal_type,
            session_name,
            principal_id,
            caller_account_id,
            invoked_by,
            identity_provider,
            ..
        } = *self.call;
        for text in [
            principal_arn,
            principal_type,
            session_name,
            principal_id,
            caller_account_id,
            invoked_by,
            identity_provider,
            Some(recorded.action),
            Some(recorded.resource_arn),
            recorded.resource_account,
            Some(recorded.mapping.name()),
            recorded.vpc_endpoint(),
        ] {
            question.write(text);
        }
        question.write_flag(recorded.resource_known);
        question.write_all(recorded.spellings.iter().copied());
        question.write_session(self.tagged.session, self.session.is_known());
        // What the snapshot holds of them follows from the principal, the session and the resource.
        let service = recorded.action.split(':').next().unwrap_or_default();
        for (key, values) in recorded.context {
            if self.fact(key, facts).read && !is_of_snapshot(key, self.tagged.kind, service) {
                question.write(Some(key));
                question.write_all(values.iter().copied());
            }
        }
        question.write(None);
        let hidden = recorded.hidden_keys.iter().copied();
        question.write_all(hidden.filter(|key| self.fact(key, facts).read));
    }
}

impl<'a> RecordedCall<'a> {
    /// The access key whose issuing record the decision depends on, out of the column of that name; as
    /// [`crate::session_key`] tells it from the record.
    pub fn session_key<'k>(&self, access_key_id: Option<&'k str>) -> Option<&'k str> {
        let key = access_key_id.filter(|key| is_session_key(key))?;
        let is_session = match (self.principal_type, self.kind()) {
            (Some("IAMUser" | "AWSService" | "AWSAccount"), _) => false,
            (_, CallerKind::FederatedSession | CallerKind::RoleSession) => true,
            (_, CallerKind::Root) => self.is_assumed_root(),
            _ => false,
        };
        is_session.then_some(key)
    }

    /// What in the way of evaluating it no snapshot changes.
    fn settled(&self) -> Option<Reason> {
        self.reason.filter(|reason| match reason {
            Reason::Addendum => true,
            Reason::PrincipalNotInSnapshot
            | Reason::PrincipalDeleted
            | Reason::PrincipalRecreated
            | Reason::NoRequiredRequest => false,
            _ => self.requests.is_empty(),
        })
    }

    fn asking(&self) -> Asking<'a> {
        Asking {
            event_source: self.event_source,
            event_name: self.event_name,
            invoked_by: self.invoked_by,
            identity_provider: self.identity_provider,
        }
    }

    fn caller(&self) -> Caller<'a> {
        Caller {
            principal_arn: self.principal_arn,
            principal_type: self.principal_type,
            session_name: self.session_name,
            principal_id: self.principal_id,
            // These two are condition keys, and in the context.
            user_id: None,
            user_name: None,
            account: self.caller_account_id,
            kind: self.kind(),
        }
    }

    /// What [`Caller::of`] made of `userIdentity`, from what it kept of it.
    fn kind(&self) -> CallerKind {
        match (self.principal_type, self.principal_arn) {
            (Some("IAMUser"), Some(_)) => CallerKind::User,
            (Some("Root"), _) => CallerKind::Root,
            (Some("FederatedUser"), Some(_)) => CallerKind::FederatedSession,
            (Some("AWSService"), _) => CallerKind::Service,
            (Some("WebIdentityUser" | "SAMLUser"), _) => CallerKind::Federated,
            (Some("AWSAccount"), _) if self.known("aws:PrincipalType") == Some("Anonymous") => {
                CallerKind::Anonymous
            }
            (Some("IAMUser" | "FederatedUser"), None) => CallerKind::NotShown,
            (_, Some(_)) => CallerKind::RoleSession,
            (None, None) if self.invoked_by.is_some() => CallerKind::Service,
            (_, None) => CallerKind::NotShown,
        }
    }

    fn is_assumed_root(&self) -> bool {
        self.known(ASSUMED_ROOT) == Some("true")
    }

    /// A key that all requests of a call share.
    fn known(&self, key: &str) -> Option<&'a str> {
        self.requests.first()?.known(key)?.first().copied()
    }
}

impl<'a> RecordedRequest<'a> {
    fn mapped(&self) -> MappedRequest<'a> {
        let account = self.resource_account;
        MappedRequest {
            action: self.action,
            required: self.required,
            certainty: self.mapping,
            resource: match (self.resource_known, self.resource_arn) {
                (true, "*") => MappedResource::Any,
                (true, arn) => MappedResource::Arn {
                    arn,
                    spellings: self.spellings,
                    account,
                },
                (false, pattern) => MappedResource::Unknown { pattern, account },
            },
            keys: &[],
        }
    }

    /// The values of a key; none where it is known to be absent.
    fn known(&self, key: &str) -> Option<&'a [&'a str]> {
        let entry = self.context.iter().find(|(name, _)| *name == key)?;
        Some(entry.1)
    }

    /// The endpoint that the request came through. An address that is known to be absent tells of one
    /// whose name is hidden.
    pub(crate) fn vpc_endpoint(&self) -> Option<&'a str> {
        /// How CloudTrail hides it.
        const HIDDEN: &str = "AWS Internal";
        match (self.known("aws:SourceVpce"), self.known("aws:SourceIp")) {
            (Some([endpoint, ..]), _) => Some(endpoint),
            (None, Some([])) => Some(HIDDEN),
            _ => None,
        }
    }
}
