//! What a principal may do, asked of the evaluator and not of the policies' text.

use retrial_iam::{
    Caller, Catalogue, Context, Decision, Evaluator, KeyState, MissingKeys, Principal,
    PrincipalKind, Reach, Request, Resource, Scratch, SessionPolicies, Snapshot, Values,
};

use rustc_hash::FxHashMap;

/// Whether a principal may do something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Answer {
    /// On the resource that was asked for; of half-known ones, on all.
    Yes,
    /// On some of the resources that the half-known one stands for.
    OnSome,
    /// If these condition keys have the right values, or these layers let it pass.
    Depends(Vec<String>),
    /// No.
    No,
}

/// Asks for principals of a snapshot.
pub(crate) struct Asker<'s> {
    evaluator: Evaluator<'s>,
    snapshot: &'s Snapshot,
    scratch: Scratch<'s>,
    /// Of the actions that were asked for: some dozens, for each of thousands of principals.
    reaches: FxHashMap<String, Reach>,
}

impl<'s> Asker<'s> {
    pub(crate) fn new(snapshot: &'s Snapshot, catalogue: &'s Catalogue) -> Asker<'s> {
        Asker {
            evaluator: Evaluator::new(catalogue, snapshot),
            snapshot,
            scratch: Scratch::default(),
            reaches: FxHashMap::default(),
        }
    }

    /// Whether the principal may do `action` on nothing at all; `false` says nothing.
    pub(crate) fn is_out_of_reach(&mut self, principal: &Principal, action: &str) -> bool {
        self.told_of(action, |reach| reach.is_out(principal))
    }

    fn told_of(&mut self, action: &str, told: impl Fn(&Reach) -> bool) -> bool {
        if let Some(reach) = self.reaches.get(action) {
            return told(reach);
        }
        let reach = Reach::of(action);
        let is_so = told(&reach);
        self.reaches.insert(action.to_owned(), reach);
        is_so
    }

    /// Whether the principal may do `action`, with these keys in the request.
    pub(crate) fn ask(
        &mut self,
        principal: &'s Principal,
        action: &str,
        resource: Resource<'_>,
        keys: &[(&str, &str)],
    ) -> Answer {
        // Most principals have nothing to do with most of what is asked.
        if self.is_out_of_reach(principal, action) {
            return Answer::No;
        }
        let tags = tags_of(principal);
        let mut context = context_of(principal, &tags);
        for (key, value) in keys {
            context.set(key, KeyState::Known(Values::One(value)));
        }
        self.decide(
            Caller::principal(principal),
            (action, resource),
            &context,
            &principal.account,
        )
    }

    /// The same for several actions, with nothing else in the request; `see` is told of those that a policy of the
    /// principal's own may allow, by their places. What a resource's policy alone may allow it is left out.
    pub(crate) fn ask_each(
        &mut self,
        principal: &'s Principal,
        (actions, resource): (&[&str], Resource<'_>),
        see: &mut dyn FnMut(usize, Answer),
    ) {
        let mut own = Vec::new();
        for (place, action) in actions.iter().enumerate() {
            if !self.told_of(action, |reach| reach.has_no_own_allow(principal)) {
                own.push((place, *action));
            }
        }
        if own.is_empty() {
            return;
        }
        let tags = tags_of(principal);
        let context = context_of(principal, &tags);
        let caller = Caller::principal(principal);
        for (place, action) in own {
            let request = (action, resource);
            see(
                place,
                self.decide(caller, request, &context, &principal.account),
            );
        }
    }

    /// Whether a service may assume a role.
    pub(crate) fn service_may_assume(&mut self, service: &str, role: &'s Principal) -> bool {
        let context = Context::new(MissingKeys::ByCatalogue);
        let request = ("sts:AssumeRole", Resource::Arn(&role.arn));
        let answer = self.decide(Caller::service(service), request, &context, &role.account);
        !matches!(answer, Answer::No)
    }

    fn decide<'a>(
        &mut self,
        caller: Caller<'s, 'a>,
        (action, resource): (&'a str, Resource<'a>),
        context: &'a Context<'a>,
        account: &'a str,
    ) -> Answer
    where
        's: 'a,
    {
        let request = Request {
            action,
            resource,
            resource_account: Some(account),
            context,
            vpc_endpoint: None,
            session: SessionPolicies::None,
        };
        let evaluation = self
            .evaluator
            .evaluate_as(caller, &request, &mut self.scratch);
        match evaluation.decision {
            Decision::Allowed => Answer::Yes,
            Decision::ExplicitDeny | Decision::ImplicitDeny => Answer::No,
            Decision::Undetermined => {
                let layers = evaluation.unknown_layers.iter().map(|layer| layer.name());
                let keys = evaluation.unknown_keys.iter().copied();
                let mut waits: Vec<String> = keys
                    .filter(|key| *key != "resource")
                    .chain(layers)
                    .map(str::to_owned)
                    .collect();
                waits.sort_unstable();
                waits.dedup();
                match waits.is_empty() {
                    true => Answer::OnSome,
                    false => Answer::Depends(waits),
                }
            }
        }
    }

    /// The snapshot that is asked.
    pub(crate) fn snapshot(&self) -> &'s Snapshot {
        self.snapshot
    }
}

type Tags<'p> = Vec<(String, &'p str)>;

fn tags_of(principal: &Principal) -> Tags<'_> {
    let tags = principal.tags.iter();
    tags.map(|(key, value)| (format!("aws:PrincipalTag/{key}"), value.as_str()))
        .collect()
}

/// What is known of any request of a principal.
fn context_of<'p>(principal: &'p Principal, tags: &'p Tags<'_>) -> Context<'p> {
    let mut context = Context::new(MissingKeys::ByCatalogue);
    let known = |value| KeyState::Known(Values::One(value));
    context.set("aws:PrincipalArn", known(&principal.arn));
    context.set("aws:PrincipalAccount", known(&principal.account));
    context.set("aws:PrincipalIsAWSService", known("false"));
    context.set("aws:SecureTransport", known("true"));
    context.set("aws:ViaAWSService", known("false"));
    context.set("aws:CalledVia", KeyState::Absent);
    match principal.kind {
        PrincipalKind::User => {
            context.set("aws:PrincipalType", known("User"));
            context.set("aws:username", known(&principal.name));
            context.set("aws:userid", known(&principal.unique_id));
            context.set("aws:PrincipalTag/*", KeyState::Absent);
        }
        PrincipalKind::Role => {
            context.set("aws:PrincipalType", known("AssumedRole"));
            context.set("aws:username", KeyState::Absent);
        }
        PrincipalKind::Root => {
            context.set("aws:PrincipalType", known("Account"));
            context.set("aws:username", KeyState::Absent);
        }
    }
    for (key, value) in tags {
        context.set(key, known(value));
    }
    context
}
