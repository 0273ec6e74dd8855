//! A random case: who asks for what, and the layers that answer.

use serde_json::{Value, json};

use crate::policies::{self, About, Bias};
use crate::random::Random;
use crate::world::{self, Caller, CallerKind, PolicyForm, Target};

/// One case, in the form of `retrial simulate`.
pub(crate) fn case(random: &mut Random, id: &str) -> Value {
    let caller = Caller::random(random);
    let target = Target::random(random, &caller);
    let context = world::context(random, &caller);
    let about = About {
        caller: &caller,
        target: &target,
        context: &context,
    };
    let mut case = json!({
        "id": id,
        "request": {
            "principal": caller.principal,
            "action": target.action,
            "resource": {"arn": target.arn, "account": target.account},
            "context": context,
        },
        "identity_policies": [],
    });
    if target.wildcard_only {
        case["request"]["wildcard_only_action"] = json!(true);
    }
    own_layers(random, &about, &mut case);
    organization_layers(random, &about, &mut case);
    if target.policy != PolicyForm::None && random.chance(resource_policy_share(&about)) {
        case["resource_policy"] = policies::of_resource(random, &about);
    }
    if caller.kind != CallerKind::Service && random.chance(12) {
        case["vpc_endpoint_policies"] = json!([policies::endpoint(random, &about)]);
    }
    facts(random, &caller, &mut case);
    case
}

/// Keys and roles always have a policy; foreign resources and strangers get nowhere without one.
fn resource_policy_share(about: &About<'_>) -> usize {
    let service = about.target.service();
    let stranger = !about.caller.is_iam() || about.target.account != about.caller.account;
    match service {
        "kms" | "sts" => 100,
        _ if stranger => 92,
        _ => 45,
    }
}

/// Identity policies, boundary and session policy.
fn own_layers(random: &mut Random, about: &About<'_>, case: &mut Value) {
    let caller = about.caller;
    if !caller.is_iam() || caller.kind == CallerKind::Root {
        return;
    }
    let limits = Bias {
        allows: 80,
        denies: 15,
    };
    let identity: Vec<Value> = (0..random.weighted(&[10, 60, 30]))
        .map(|_| {
            let bias = Bias {
                allows: 75,
                denies: 20,
            };
            policies::plain(random, about, bias)
        })
        .collect();
    case["identity_policies"] = json!(identity);
    if caller.kind != CallerKind::ServiceLinkedRole && random.chance(30) {
        case["permission_boundary"] = json!([policies::plain(random, about, limits)]);
    }
    let session = match caller.kind {
        CallerKind::RoleSession => 30,
        CallerKind::FederatedUser => 80,
        _ => 0,
    };
    if random.chance(session) {
        case["session_policies"] = json!([policies::plain(random, about, limits)]);
    }
}

/// SCPs and RCPs, root first.
fn organization_layers(random: &mut Random, about: &About<'_>, case: &mut Value) {
    if about.caller.kind != CallerKind::Anonymous && random.chance(35) {
        let levels = 1 + random.below(3);
        case["scps"] = (0..levels)
            .map(|level| {
                let mut documents = vec![if random.chance(75) {
                    policies::full_access()
                } else {
                    let bias = Bias {
                        allows: 85,
                        denies: 10,
                    };
                    policies::plain(random, about, bias)
                }];
                if random.chance(25) {
                    let bias = Bias {
                        allows: 20,
                        denies: 80,
                    };
                    documents.push(policies::plain(random, about, bias));
                }
                json!({"org_identifier": format!("level-{level}"), "policies": documents})
            })
            .collect();
    }
    if !about.target.wildcard_only && random.chance(30) {
        let levels = 1 + random.below(3);
        case["rcps"] = (0..levels)
            .map(|level| {
                let mut documents = vec![policies::rcp_full_access()];
                if random.chance(45) {
                    documents.push(policies::rcp(random, about));
                }
                json!({"org_identifier": format!("level-{level}"), "policies": documents})
            })
            .collect();
    }
}

/// What no policy tells.
fn facts(random: &mut Random, caller: &Caller, case: &mut Value) {
    if matches!(
        caller.kind,
        CallerKind::RoleSession | CallerKind::ServiceLinkedRole
    ) {
        case["facts"] = json!({"session_issuer_arn": caller.principal_arn});
    }
    if caller.is_iam() && case.get("scps").is_some() && random.chance(6) {
        case["facts"]["principal_account_is_management"] = json!(true);
    }
}
