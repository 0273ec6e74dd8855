//! What one layer's policies say of a request.

use super::Question;
use crate::kms_grant::KmsGrant;
use crate::policy::{CompiledPolicy, PrincipalTruth, Statement};
use crate::snapshot::{AttachedPolicy, FullAccess, Level, Levels};
use crate::truth::Truth;
use crate::{Effect, Layer, StatementRef};

/// What a layer of the caller's own policies says of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct LayerTruth {
    pub(super) allow: Truth,
    pub(super) deny: Truth,
    /// The date of the compiled-in documents that the allow leans on; `None` where a document of the
    /// snapshot allows by itself.
    pub(super) bundled: Option<&'static str>,
}

impl LayerTruth {
    /// A layer that is not there: it takes nothing.
    pub(super) const OPEN: LayerTruth = LayerTruth {
        allow: Truth::True,
        deny: Truth::False,
        bundled: None,
    };

    /// A layer that allows nothing.
    pub(super) const SILENT: LayerTruth = LayerTruth {
        allow: Truth::False,
        ..Self::OPEN
    };

    /// A layer that nobody saw.
    pub(super) const UNKNOWN: LayerTruth = LayerTruth {
        allow: Truth::Unknown,
        deny: Truth::Unknown,
        bundled: None,
    };
}

/// What a layer of an organization or an endpoint says: it takes away, and never grants.
#[derive(Debug, Clone, Copy)]
pub(super) struct LimitTruth {
    pub(super) allow: Truth,
    pub(super) deny: Truth,
    /// The allow leans on policies that nobody saw.
    pub(super) assumed: bool,
}

impl LimitTruth {
    pub(super) const OPEN: LimitTruth = LimitTruth {
        allow: Truth::True,
        deny: Truth::False,
        assumed: false,
    };

    pub(super) const ASSUMED: LimitTruth = LimitTruth {
        assumed: true,
        ..Self::OPEN
    };
}

/// What the policy of the resource says.
#[derive(Debug, Clone, Copy)]
pub(super) struct ResourceTruth {
    pub(super) allow: PrincipalTruth,
    pub(super) deny: Truth,
}

/// Evaluates policies whose principal is implied; the statements that apply for sure are added to
/// `matched`.
pub(super) fn own<'s>(
    layer: Layer,
    policies: &'s [AttachedPolicy],
    question: &Question<'_>,
    matched: &mut Vec<StatementRef<'s>>,
) -> LayerTruth {
    let (mut allow, mut deny) = (Truth::False, Truth::False);
    let mut bundled = None;
    let mut allowed_by_snapshot = false;
    for attached in policies {
        let Ok(policy) = &attached.policy else {
            // What it says is unknown: it could allow, and it could deny.
            allow = allow.or(Truth::Unknown);
            deny = deny.or(Truth::Unknown);
            continue;
        };
        for statement in policy.about_request(question.action, question.resource) {
            let applies = statement.applies(question.resource, &question.keys);
            match statement.effect {
                Effect::Allow => allow = allow.or(applies),
                Effect::Deny => deny = deny.or(applies),
            }
            if applies != Truth::True {
                continue;
            }
            if statement.effect == Effect::Allow {
                bundled = bundled.or(attached.bundled_date);
                allowed_by_snapshot |= attached.bundled_date.is_none();
            }
            matched.push(reference(layer, &attached.id, statement));
        }
    }
    LayerTruth {
        allow,
        deny,
        bundled: bundled.filter(|_| !allowed_by_snapshot),
    }
}

/// Evaluates session policies: each by itself grants nothing, together they limit.
pub(super) fn session(
    policies: &[&CompiledPolicy],
    question: &Question<'_>,
    matched: &mut Vec<StatementRef<'_>>,
) -> LayerTruth {
    let mut truth = LayerTruth::SILENT;
    for (number, policy) in policies.iter().enumerate() {
        for statement in policy.about_request(question.action, question.resource) {
            let applies = statement.applies(question.resource, &question.keys);
            match statement.effect {
                Effect::Allow => truth.allow = truth.allow.or(applies),
                Effect::Deny => truth.deny = truth.deny.or(applies),
            }
            if applies == Truth::True {
                matched.push(StatementRef {
                    layer: Layer::Session,
                    policy: session_policy_name(number),
                    index: statement.index,
                    // Session policies live with the request, not with the snapshot.
                    sid: None,
                    effect: statement.effect,
                });
            }
        }
    }
    truth
}

/// A session has at most one inline and ten managed session policies.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>
const SESSION_POLICY_NAMES: [&str; 11] = [
    "session_policies[0]",
    "session_policies[1]",
    "session_policies[2]",
    "session_policies[3]",
    "session_policies[4]",
    "session_policies[5]",
    "session_policies[6]",
    "session_policies[7]",
    "session_policies[8]",
    "session_policies[9]",
    "session_policies[10]",
];

pub(super) fn session_policy_name(number: usize) -> &'static str {
    SESSION_POLICY_NAMES
        .get(number)
        .copied()
        .unwrap_or("session_policies")
}

/// How far an allowing statement must name the caller to count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Naming {
    /// As itself or as its principal: the account's name alone grants nothing in the same account.
    Principal,
    Account,
}

impl Naming {
    pub(super) fn of(self, truth: PrincipalTruth) -> Truth {
        match self {
            Self::Principal => truth.principal,
            Self::Account => truth.account,
        }
    }
}

/// Evaluates the policy of a resource.
pub(super) fn resource<'s>(
    attached: &'s AttachedPolicy,
    policy: &'s CompiledPolicy,
    question: &Question<'_>,
    naming: Naming,
    matched: &mut Vec<StatementRef<'s>>,
) -> ResourceTruth {
    let mut truth = ResourceTruth {
        allow: PrincipalTruth::NONE,
        deny: Truth::False,
    };
    for statement in policy.about_request(question.action, question.resource) {
        let applies = match statement.effect {
            Effect::Allow => {
                let found = allowing(statement, question);
                truth.allow = truth.allow.or(found);
                naming.of(found)
            }
            Effect::Deny => {
                let found = denying(statement, question);
                truth.deny = truth.deny.or(found);
                found
            }
        };
        if applies == Truth::True {
            matched.push(reference(Layer::Resource, &attached.id, statement));
        }
    }
    truth
}

/// How far an allowing statement of a policy that names its principals applies.
pub(super) fn allowing(statement: &Statement, question: &Question<'_>) -> PrincipalTruth {
    let named = match &statement.principal {
        Some(principal) => principal.allows(&question.caller),
        None => PrincipalTruth::NONE,
    };
    if named.account == Truth::False {
        return PrincipalTruth::NONE;
    }
    named.and(statement.applies(question.resource, &question.keys))
}

/// Whether a denying statement of a policy that names its principals applies.
pub(super) fn denying(statement: &Statement, question: &Question<'_>) -> Truth {
    let named = match &statement.principal {
        Some(principal) => principal.denies(&question.caller, question.has_boundary),
        None => Truth::True,
    };
    if named == Truth::False {
        return Truth::False;
    }
    named.and(statement.applies(question.resource, &question.keys))
}

/// Whether a statement of a limiting policy applies: with or without a principal.
pub(super) fn limiting(statement: &Statement, question: &Question<'_>) -> Truth {
    match (&statement.principal, statement.effect) {
        (None, _) => statement.applies(question.resource, &question.keys),
        // A limiting policy that names the account means all of its principals.
        (Some(_), Effect::Allow) => allowing(statement, question).account,
        (Some(_), Effect::Deny) => denying(statement, question),
    }
}

/// Evaluates the levels of an organization: each must allow.
pub(super) fn levels<'s>(
    layer: Layer,
    levels: Levels<'s>,
    question: &Question<'_>,
    matched: &mut Vec<StatementRef<'s>>,
) -> LimitTruth {
    let mut all = LimitTruth {
        assumed: !levels.complete,
        ..LimitTruth::OPEN
    };
    for level in levels.levels {
        let mut found = limit(layer, &level.policies, question, matched);
        match level.full_access {
            FullAccess::Attached => found.allow = Truth::True,
            FullAccess::NotAttached => {}
            FullAccess::NotTold => found.assume_allow(),
        }
        if !levels.complete {
            found.assume_allow();
        }
        all.allow = all.allow.and(found.allow);
        all.deny = all.deny.or(found.deny);
        all.assumed |= found.assumed;
    }
    all
}

impl LimitTruth {
    /// Where nothing that was seen allows for sure, something that was not seen may.
    fn assume_allow(&mut self) {
        if self.allow != Truth::True {
            self.allow = Truth::True;
            self.assumed = true;
        }
    }
}

/// Evaluates policies that limit together: of one level, of one endpoint.
pub(super) fn limit<'s>(
    layer: Layer,
    policies: &'s [AttachedPolicy],
    question: &Question<'_>,
    matched: &mut Vec<StatementRef<'s>>,
) -> LimitTruth {
    let mut truth = LimitTruth {
        allow: Truth::False,
        deny: Truth::False,
        assumed: false,
    };
    let mut unread = false;
    for attached in policies {
        let Ok(policy) = &attached.policy else {
            unread = true;
            continue;
        };
        for statement in policy.about_request(question.action, question.resource) {
            let applies = limiting(statement, question);
            match statement.effect {
                Effect::Allow => truth.allow = truth.allow.or(applies),
                Effect::Deny => truth.deny = truth.deny.or(applies),
            }
            if applies == Truth::True {
                matched.push(reference(layer, &attached.id, statement));
            }
        }
    }
    if unread {
        truth.assume_allow();
        truth.assumed = true;
    }
    truth
}

/// Evaluates the grants on a key.
pub(super) fn grants<'s>(
    grants: &'s [KmsGrant],
    question: &Question<'_>,
    matched: &mut Vec<StatementRef<'s>>,
) -> PrincipalTruth {
    let mut truth = PrincipalTruth::NONE;
    for (index, grant) in (0_u32..).zip(grants) {
        let found = grant.allows(&question.caller, question.action, &question.keys);
        truth = truth.or(found);
        if found.principal == Truth::True {
            matched.push(StatementRef {
                layer: Layer::KmsGrant,
                policy: &grant.id,
                index,
                sid: None,
                effect: Effect::Allow,
            });
        }
    }
    truth
}

fn reference<'s>(layer: Layer, policy: &'s str, statement: &'s Statement) -> StatementRef<'s> {
    StatementRef {
        layer,
        policy,
        index: statement.index,
        sid: statement.sid.as_deref(),
        effect: statement.effect,
    }
}

/// The keys that leave something open, each once.
#[derive(Debug)]
pub(super) struct UnknownKeys<'x, 's>(pub(super) &'x mut Vec<&'s str>);

impl<'s> UnknownKeys<'_, 's> {
    pub(super) fn push(&mut self, key: &'s str) {
        let is_known = |known: &&str| known.eq_ignore_ascii_case(key);
        if !self.0.iter().any(is_known) {
            self.0.push(key);
        }
    }

    /// Adds the keys that leave statements of `effect` open; `true` where a policy without a document
    /// leaves the layer itself open.
    pub(super) fn of_policies<'p: 's>(
        &mut self,
        policies: impl IntoIterator<Item = &'p AttachedPolicy>,
        effect: Effect,
        question: &Question<'_>,
    ) -> bool {
        let mut unavailable = false;
        for attached in policies {
            match &attached.policy {
                Ok(policy) => {
                    self.of_policy(policy, effect, question);
                }
                Err(_) => unavailable = true,
            }
        }
        unavailable
    }

    /// As [`Self::of_policies`]; `true` where the principal that a statement names is what is open.
    pub(super) fn of_policy(
        &mut self,
        policy: &'s CompiledPolicy,
        effect: Effect,
        question: &Question<'_>,
    ) -> bool {
        let mut principal_is_open = false;
        for statement in policy.about_request(question.action, question.resource) {
            if statement.effect != effect || limiting(statement, question) != Truth::Unknown {
                continue;
            }
            if statement.applies(question.resource, &question.keys) == Truth::Unknown {
                statement.unknown_keys(question.resource, &question.keys, &mut |key| {
                    self.push(key);
                });
            } else {
                principal_is_open = true;
            }
        }
        principal_is_open
    }
}

/// The policies of all levels.
pub(super) fn policies_of(levels: &[Level]) -> impl Iterator<Item = &AttachedPolicy> {
    levels.iter().flat_map(|level| &level.policies)
}
