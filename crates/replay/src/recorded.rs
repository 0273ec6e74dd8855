//! A call replayed from its rows, without its record.
//!
//! The table `decisions` keeps of a call what a new decision needs: who called, and for each request
//! action, resource and context. What stood in the snapshot of then and not in the record (tags of
//! principals and resources) is taken from the snapshot of now; all else is as it was recorded. The
//! rules are those of [`Replayer::replay`], and the same code.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_iam::{Context, Decision, KeyState, MissingKeys, Scratch, Values};

use crate::asker::{Asking, asker};
use crate::call::{Bench, CallRequest, Replayer, required, verdict_of};
use crate::call_session::CallSession;
use crate::caller::{Caller, CallerKind};
use crate::keys::{ASSUMED_ROOT, Tagged, is_of_snapshot, principal_tag_keys};
use crate::mapping::{Certainty, Mapped, MappedRequest, MappedResource};
use crate::session::SessionKnowledge;
use crate::verdict::{Reason, Verdict};
use crate::Outcome;

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
        let caller = call.caller();
        let mapped = arena.alloc_slice_fill_iter(call.requests.iter().map(RecordedRequest::mapped));
        let principal = caller.principal(self.snapshot).ok();
        let asker = asker(
            &call.asking(),
            &caller,
            &Mapped::Requests(mapped),
            self.snapshot,
        );
        let obstacle = call.settled().or_else(|| asker.err());
        let session = CallSession::new(
            (call.is_assumed_root(), &caller, principal),
            session,
            self.snapshot,
        );
        let tagged = Tagged {
            kind: caller.kind,
            principal,
            session: session.known(),
        };
        let mut requests = BumpVec::with_capacity_in(mapped.len(), arena);
        for (recorded, mapped) in call.requests.iter().zip(&*mapped) {
            let keys = self.recorded_keys(recorded, tagged, arena);
            let bench = Bench {
                asker: asker.ok().filter(|_| obstacle.is_none()),
                session: &session,
                vpc_endpoint: recorded.vpc_endpoint(),
                keys: &keys,
                arena,
            };
            requests.push(self.request(&bench, mapped, scratch));
        }
        let requests: &'a [CallRequest<'a>] = requests.into_bump_slice();
        let (decision, verdict, reason) = match obstacle {
            Some(reason) => (None, Verdict::NotEvaluated, Some(reason)),
            None => verdict_of(call.outcome, &required(requests)),
        };
        Replayed {
            requests,
            decision,
            verdict,
            reason,
        }
    }

    /// The keys that the record showed, and the principal's tags; the resource's are set with its
    /// account.
    fn recorded_keys<'a>(
        &self,
        request: &RecordedRequest<'a>,
        tagged: Tagged<'a, '_>,
        arena: &'a Bump,
    ) -> Context<'a>
    where
        's: 'a,
    {
        let mut context = Context::new(MissingKeys::ByCatalogue);
        let service = request.action.split(':').next().unwrap_or_default();
        for (key, values) in request.context {
            if is_of_snapshot(key, tagged.kind, service) {
                continue;
            }
            let state = match values {
                [] => KeyState::Absent,
                // The column is a list for every key; which keys are lists is AWS's to say.
                [value] if self.catalogue.is_multivalued(key) != Some(true) => {
                    KeyState::Known(Values::One(value))
                }
                values => KeyState::Known(Values::Many(values)),
            };
            context.set(key, state);
        }
        for key in request.hidden_keys {
            context.set(key, KeyState::Unknown);
        }
        principal_tag_keys(tagged, arena, &mut context);
        context
    }
}

impl<'a> RecordedCall<'a> {
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
    fn vpc_endpoint(&self) -> Option<&'a str> {
        /// How CloudTrail hides it.
        const HIDDEN: &str = "AWS Internal";
        match (self.known("aws:SourceVpce"), self.known("aws:SourceIp")) {
            (Some([endpoint, ..]), _) => Some(endpoint),
            (None, Some([])) => Some(HIDDEN),
            _ => None,
        }
    }
}
