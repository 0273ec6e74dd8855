//! One layer of the caller's own policies.

use super::Question;
use crate::snapshot::{AttachedPolicy, Principal, PrincipalKind};
use crate::truth::Truth;
use crate::{Effect, Layer, StatementRef};

/// What a layer says of one request.
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
    const OPEN: LayerTruth = LayerTruth {
        allow: Truth::True,
        deny: Truth::False,
        bundled: None,
    };
}

/// All policies of the principal together; the root user needs none.
pub(super) fn identity<'s>(
    principal: &'s Principal,
    question: &Question<'_>,
    matched: &mut Vec<StatementRef<'s>>,
) -> LayerTruth {
    match principal.kind {
        // <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-basics.html>
        PrincipalKind::Root => LayerTruth::OPEN,
        PrincipalKind::User | PrincipalKind::Role => {
            evaluate(Layer::Identity, &principal.identity, question, matched)
        }
    }
}

/// The permissions boundary; where there is none, nothing is taken.
pub(super) fn boundary<'s>(
    principal: &'s Principal,
    question: &Question<'_>,
    matched: &mut Vec<StatementRef<'s>>,
) -> LayerTruth {
    match principal.boundary.as_slice() {
        [] => LayerTruth::OPEN,
        policies => evaluate(Layer::PermissionsBoundary, policies, question, matched),
    }
}

/// Evaluates the policies of a layer; the statements that apply for sure are added to `matched`.
fn evaluate<'s>(
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
        for statement in policy.about(question.action) {
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
            matched.push(StatementRef {
                layer,
                policy: &attached.id,
                index: statement.index,
                sid: statement.sid.as_deref(),
                effect: statement.effect,
            });
        }
    }
    LayerTruth {
        allow,
        deny,
        bundled: bundled.filter(|_| !allowed_by_snapshot),
    }
}

/// Adds the keys that leave statements of `effect` open, each once; `true` where a policy without a
/// document leaves the layer itself open.
pub(super) fn collect_unknown_keys<'s>(
    policies: &'s [AttachedPolicy],
    effect: Effect,
    question: &Question<'_>,
    unknown_keys: &mut Vec<&'s str>,
) -> bool {
    let mut unavailable = false;
    for attached in policies {
        let Ok(policy) = &attached.policy else {
            unavailable = true;
            continue;
        };
        for statement in policy
            .about(question.action)
            .filter(|statement| statement.effect == effect)
        {
            if statement.applies(question.resource, &question.keys) == Truth::Unknown {
                statement.unknown_keys(question.resource, &question.keys, &mut |key| {
                    if !unknown_keys
                        .iter()
                        .any(|known| known.eq_ignore_ascii_case(key))
                    {
                        unknown_keys.push(key);
                    }
                });
            }
        }
    }
    unavailable
}
