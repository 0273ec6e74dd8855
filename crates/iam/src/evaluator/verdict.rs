//! How the layers join.
//!
//! An explicit deny wins everywhere. Else all limiting layers must allow, and something must grant.
//! In one account either side may grant, but a KMS key and a role answer first for themselves; across
//! accounts both sides must.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic_policy-eval-denyallow.html>,
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_evaluation-logic-cross-account.html>
//!
//! The join is monotone in what each layer allows, so the three-valued answer is exact: it is `True`
//! or `False` just where every completion of the unknown layers agrees.

use super::layer::{LayerTruth, LimitTruth, ResourceTruth};
use crate::Layer;
use crate::policy::PrincipalTruth;
use crate::truth::Truth;

/// What each layer says of one request.
#[derive(Debug, Clone, Copy)]
pub(super) struct Truths {
    /// The caller has policies of its own, or could have them.
    pub(super) has_own_policies: bool,
    /// The resource's service refuses the request, whatever policies say.
    pub(super) refused: Truth,
    /// The resource belongs to another account.
    pub(super) is_foreign: bool,
    /// The resource's policy must allow whatever the caller's own policies say.
    pub(super) answers_first: bool,
    /// The resource's policy lets the account's own policies decide.
    pub(super) delegates: Truth,
    pub(super) identity: LayerTruth,
    pub(super) boundary: LayerTruth,
    pub(super) session: LayerTruth,
    pub(super) resource: ResourceTruth,
    pub(super) grants: PrincipalTruth,
    pub(super) scp: LimitTruth,
    pub(super) rcp: LimitTruth,
    pub(super) endpoint: LimitTruth,
}

impl Truths {
    pub(super) const LAYERS: [Layer; 8] = [
        Layer::Identity,
        Layer::PermissionsBoundary,
        Layer::Session,
        Layer::Resource,
        Layer::Scp,
        Layer::Rcp,
        Layer::VpcEndpoint,
        Layer::KmsGrant,
    ];

    /// The order in which AWS walks the layers; it matters only for naming the one that blocks.
    pub(super) const WALK: [Layer; 8] = [
        Layer::Rcp,
        Layer::Scp,
        Layer::Resource,
        Layer::Identity,
        Layer::PermissionsBoundary,
        Layer::Session,
        Layer::VpcEndpoint,
        Layer::KmsGrant,
    ];

    /// Whether a statement of any layer denies.
    pub(super) fn deny(&self) -> Truth {
        Self::LAYERS
            .into_iter()
            .fold(Truth::False, |deny, layer| deny.or(self.deny_of(layer)))
    }

    /// Whether something grants and nothing limits.
    pub(super) fn allow(&self) -> Truth {
        self.granted()
            .and(self.scp.allow)
            .and(self.rcp.allow)
            .and(self.endpoint.allow)
            .and(!self.refused)
    }

    /// The sources that grant on the resource's side.
    fn sources(&self) -> PrincipalTruth {
        self.resource.allow.or(self.grants)
    }

    /// What limits a grant to the role behind the session, and the caller's own policies.
    ///
    /// A grant to the very user or session, or to everybody, passes them by in the same account.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_boundaries.html>
    fn own_limits(&self) -> Truth {
        self.boundary.allow.and(self.session.allow)
    }

    fn granted(&self) -> Truth {
        let sources = self.sources();
        if !self.has_own_policies {
            sources.account
        } else if self.is_foreign {
            sources
                .account
                .and(self.identity.allow)
                .and(self.own_limits())
        } else {
            sources
                .caller
                .or(self.granted_to_principal().and(self.own_limits()))
        }
    }

    /// In the same account: to the caller's principal, by the resource's side or by its own policies.
    fn granted_to_principal(&self) -> Truth {
        let own = if self.answers_first {
            self.delegates.and(self.identity.allow)
        } else {
            self.identity.allow
        };
        self.sources().principal.or(own)
    }

    /// The layer that keeps [`Self::allow`] from being true.
    pub(super) fn blocking_layer(&self) -> Layer {
        if self.refused == Truth::True {
            Layer::Resource
        } else if self.rcp.allow == Truth::False {
            Layer::Rcp
        } else if self.scp.allow == Truth::False {
            Layer::Scp
        } else if self.granted() != Truth::False {
            Layer::VpcEndpoint
        } else if !self.has_own_policies {
            Layer::Resource
        } else if self.is_foreign || self.granted_to_principal() == Truth::False {
            self.own_blocking_layer().unwrap_or(Layer::Resource)
        } else if self.boundary.allow == Truth::False {
            Layer::PermissionsBoundary
        } else {
            Layer::Session
        }
    }

    fn own_blocking_layer(&self) -> Option<Layer> {
        if self.identity.allow == Truth::False {
            Some(Layer::Identity)
        } else if self.is_foreign && self.boundary.allow == Truth::False {
            Some(Layer::PermissionsBoundary)
        } else if self.is_foreign && self.session.allow == Truth::False {
            Some(Layer::Session)
        } else {
            None
        }
    }

    /// Whether an allow needs the caller's own policies.
    pub(super) fn leans_on_own_policies(&self) -> bool {
        self.has_own_policies && (self.is_foreign || self.sources().caller != Truth::True)
    }

    /// What a layer allows; of the resource's side, whether it says anything for the caller.
    pub(super) fn allow_of(&self, layer: Layer) -> Truth {
        match layer {
            Layer::Identity => self.identity.allow,
            Layer::PermissionsBoundary => self.boundary.allow,
            Layer::Session => self.session.allow,
            Layer::Resource if self.refused == Truth::Unknown => Truth::Unknown,
            Layer::Resource => open_if_any(self.resource.allow),
            Layer::Scp => self.scp.allow,
            Layer::Rcp => self.rcp.allow,
            Layer::VpcEndpoint => self.endpoint.allow,
            Layer::KmsGrant => open_if_any(self.grants),
        }
    }

    /// Whether a layer denies; grants cannot.
    pub(super) fn deny_of(&self, layer: Layer) -> Truth {
        match layer {
            Layer::Identity => self.identity.deny,
            Layer::PermissionsBoundary => self.boundary.deny,
            Layer::Session => self.session.deny,
            Layer::Resource => self.resource.deny,
            Layer::Scp => self.scp.deny,
            Layer::Rcp => self.rcp.deny,
            Layer::VpcEndpoint => self.endpoint.deny,
            Layer::KmsGrant => Truth::False,
        }
    }
}

/// `Unknown` where any of the three is: a grant to the account may be sure and one to the caller open.
fn open_if_any(truth: PrincipalTruth) -> Truth {
    if [truth.caller, truth.principal, truth.account].contains(&Truth::Unknown) {
        Truth::Unknown
    } else {
        truth.account
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Truth; 3] = [Truth::False, Truth::Unknown, Truth::True];

    /// How far the resource's side names the caller, in a world without unknowns.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
    enum Named {
        Not,
        Account,
        Principal,
        Caller,
    }

    const NAMED: [Named; 4] = [Named::Not, Named::Account, Named::Principal, Named::Caller];

    /// A complete world.
    #[derive(Debug, Clone, Copy)]
    struct Plain {
        has_own_policies: bool,
        is_foreign: bool,
        answers_first: bool,
        identity: bool,
        boundary: bool,
        session: bool,
        policy: Named,
        grant: Named,
        scp: bool,
    }

    /// The same rules, case by case, as AWS's pages tell them.
    fn plainly_allowed(world: Plain) -> bool {
        if !world.scp {
            return false;
        }
        let named = world.policy.max(world.grant);
        if !world.has_own_policies {
            return named != Named::Not;
        }
        if world.is_foreign {
            let theirs = named != Named::Not;
            let ours = world.identity && world.boundary && world.session;
            return theirs && ours;
        }
        match named {
            Named::Caller => true,
            Named::Principal => world.boundary && world.session,
            Named::Account | Named::Not => {
                let may_decide = !world.answers_first || world.policy != Named::Not;
                may_decide && world.identity && world.boundary && world.session
            }
        }
    }

    fn principal_truths() -> Vec<PrincipalTruth> {
        let mut all = Vec::new();
        for account in ALL {
            for principal in ALL {
                for caller in ALL {
                    if caller <= principal && principal <= account {
                        all.push(PrincipalTruth {
                            caller,
                            principal,
                            account,
                        });
                    }
                }
            }
        }
        all
    }

    fn completions(truth: Truth) -> &'static [bool] {
        match truth {
            Truth::False => &[false],
            Truth::True => &[true],
            Truth::Unknown => &[false, true],
        }
    }

    fn named_completions(truth: PrincipalTruth) -> Vec<Named> {
        let fits = |truth: Truth, holds: bool| completions(truth).contains(&holds);
        NAMED
            .into_iter()
            .filter(|named| {
                fits(truth.account, *named >= Named::Account)
                    && fits(truth.principal, *named >= Named::Principal)
                    && fits(truth.caller, *named >= Named::Caller)
            })
            .collect()
    }

    fn own(allow: Truth) -> LayerTruth {
        LayerTruth {
            allow,
            ..LayerTruth::OPEN
        }
    }

    /// Every answer of the completions of one join.
    fn answers(truths: &Truths) -> Vec<bool> {
        let mut answers = Vec::new();
        for policy in named_completions(truths.resource.allow) {
            for grant in named_completions(truths.grants) {
                for identity in completions(truths.identity.allow) {
                    for boundary in completions(truths.boundary.allow) {
                        for session in completions(truths.session.allow) {
                            for scp in completions(truths.scp.allow) {
                                answers.push(plainly_allowed(Plain {
                                    has_own_policies: truths.has_own_policies,
                                    is_foreign: truths.is_foreign,
                                    answers_first: truths.answers_first,
                                    identity: *identity,
                                    boundary: *boundary,
                                    session: *session,
                                    policy,
                                    grant,
                                    scp: *scp,
                                }));
                            }
                        }
                    }
                }
            }
        }
        answers
    }

    fn check(truths: &Truths) {
        let answers = answers(truths);
        let expect = match (answers.contains(&true), answers.contains(&false)) {
            (true, true) => Truth::Unknown,
            (true, false) => Truth::True,
            _ => Truth::False,
        };
        assert_eq!(truths.allow(), expect, "{truths:?}");
    }

    #[test]
    fn the_join_is_exact_over_all_completions() {
        let sources = principal_truths();
        let three = || ALL.into_iter().flat_map(|a| ALL.map(|b| (a, b)));
        for (flags, grants) in (0..8_u8).flat_map(|flags| sources.iter().map(move |g| (flags, *g)))
        {
            for (allow, (identity, boundary)) in
                sources.iter().flat_map(|s| three().map(move |t| (*s, t)))
            {
                for (session, scp) in three() {
                    check(&Truths {
                        has_own_policies: flags & 1 != 0,
                        refused: Truth::False,
                        is_foreign: flags & 2 != 0,
                        answers_first: flags & 4 != 0,
                        delegates: allow.account,
                        identity: own(identity),
                        boundary: own(boundary),
                        session: own(session),
                        resource: ResourceTruth {
                            allow,
                            deny: Truth::False,
                        },
                        grants,
                        scp: LimitTruth {
                            allow: scp,
                            ..LimitTruth::OPEN
                        },
                        rcp: LimitTruth::OPEN,
                        endpoint: LimitTruth::OPEN,
                    });
                }
            }
        }
    }
}
