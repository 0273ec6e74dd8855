//! What cuts sessions: their policies, tags and source identity, and `GetFederationToken`.

use serde_json::json;

use super::sessions::sign_in;
use super::stage::{
    CLI, MINUTE, NOTHING, SESSION_POLICY, Stage, Started, blocked, drifted, starter_caller, story,
};
use super::world::*;
use crate::caller::{self, Identity, Session};
use crate::calls::sts::{self, Cut};
use crate::truth::*;

/// Session policies.
pub(super) fn policies(stage: &mut Stage<'_>) {
    let operator = operator();
    let read = policy(
        &json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "arn:aws:s3:::planted-data/open/*"}]),
    );
    let reads = Cut {
        policy: Some(&read),
        ..Cut::default()
    };
    let started = stage.cut(&operator, reads);
    let (gets, denied) = (stage.gets(), stage.denied_stops(&started.caller, "session"));
    stage.say(
        &started,
        gets,
        story(
            "session-policy-allows",
            AGREES,
            NOTHING,
            "the inline session policy allows what was done",
        ),
    );
    stage.say(
        &started,
        denied,
        blocked(
            "session-policy-cuts",
            "session",
            "the inline session policy was and is in the way",
        ),
    );

    let all_but = policy(
        &json!([{"Effect": "Allow", "Action": "*", "Resource": "*"}, {"Effect": "Deny", "Action": "sagemaker:Stop*", "Resource": "*"}]),
    );
    let started = stage.cut(
        &operator,
        Cut {
            policy: Some(&all_but),
            ..Cut::default()
        },
    );
    let denied = stage.denied_stops(&started.caller, "session");
    stage.say(
        &started,
        denied,
        blocked(
            "session-policy-denies",
            "session",
            "the inline session policy denies it explicitly",
        ),
    );

    let started = stage.cut(
        &operator,
        Cut {
            policy: Some(&all_but),
            ..Cut::default()
        },
    );
    let puts = stage.puts("closed");
    stage.say(
        &started,
        puts,
        drifted(
            "narrowed-role-under-a-session-policy",
            "identity",
            "the session policy allows it, the role's policy no longer does",
        ),
    );

    let started = stage.cut(
        &operator,
        Cut {
            policy_arns: &[SCOPE],
            ..Cut::default()
        },
    );
    let (gets, puts) = (stage.gets(), stage.puts("open"));
    stage.say(
        &started,
        gets,
        story(
            "managed-session-policy-allows",
            AGREES,
            NOTHING,
            "the managed session policy allows it",
        ),
    );
    stage.say(
        &started,
        puts,
        drifted(
            "managed-session-policy-was-narrowed",
            "session",
            "the managed session policy allowed it until Sunday",
        ),
    );

    let of_aws = "arn:aws:iam::aws:policy/AmazonS3ReadOnlyAccess";
    let started = stage.cut(
        &operator,
        Cut {
            policy_arns: &[of_aws],
            ..Cut::default()
        },
    );
    let (gets, denied) = (stage.gets(), stage.denied_stops(&started.caller, "session"));
    stage.say(
        &started,
        gets,
        story(
            "session-policy-of-aws-allows",
            AGREES,
            None,
            "an AWS managed policy is the session policy",
        ),
    );
    stage.say(
        &started,
        denied,
        blocked(
            "session-policy-of-aws-cuts",
            "session",
            "an AWS managed policy is the session policy",
        ),
    );

    let started = stage.cut(
        &operator,
        Cut {
            policy_arns: &[GONE_SCOPE],
            ..Cut::default()
        },
    );
    stage.is_known(
        "session-policy-deleted",
        &started,
        false,
        "the managed session policy is not in the snapshot: unknown, not none",
    );
    let hidden = Cut {
        policy: Some("HIDDEN_DUE_TO_SECURITY_REASONS"),
        ..Cut::default()
    };
    let started = stage.cut(&operator, hidden);
    stage.is_known(
        "session-policy-hidden",
        &started,
        false,
        "the record hides the session policy: unknown, not none",
    );
}

fn policy(statements: &serde_json::Value) -> String {
    json!({"Version": "2012-10-17", "Statement": statements}).to_string()
}

const ATLAS: &[(&str, &str)] = &[("project", "atlas")];
const ZEUS: &[(&str, &str)] = &[("project", "zeus")];

/// Session tags, on their own and over role chains, and source identity.
pub(super) fn tags(stage: &mut Stage<'_>) {
    let (operator, tagged, with_a_tag) = (operator(), tagged(), with_a_tag());
    type Row<'r> = (
        &'static str,
        &'r Identity,
        &'static [(&'static str, &'static str)],
        bool,
        &'static str,
    );
    let rows: [Row<'_>; 5] = [
        (
            "session-tag-is-there",
            &tagged,
            ATLAS,
            true,
            "the policy asks for the tag that the session has",
        ),
        (
            "session-tag-is-another",
            &tagged,
            ZEUS,
            false,
            "the policy asks for another value",
        ),
        (
            "session-tag-is-absent",
            &tagged,
            &[],
            false,
            "the session was seen to be issued without tags",
        ),
        (
            "session-tag-over-the-roles",
            &with_a_tag,
            ATLAS,
            true,
            "the session's tag overrides the role's",
        ),
        (
            "tag-of-the-role",
            &with_a_tag,
            &[],
            false,
            "the session has no tags, so the role's stands",
        ),
    ];
    for (id, role, tags, allowed, why) in rows {
        let started = stage.cut(
            role,
            Cut {
                tags,
                ..Cut::default()
            },
        );
        tagged_call(stage, id, &started, allowed, why);
    }
    let started = stage.session(&tagged, None);
    let stops = stage.stops();
    stage.say(
        &started,
        stops,
        story(
            "session-tags-unknown",
            UNKNOWN_KEYS,
            None,
            "nobody recorded the issuing call, so the tags are unknown",
        ),
    );

    let started = stage.session(&tagged, None);
    sign_in(
        stage,
        &tagged,
        &started,
        Cut {
            tags: ATLAS,
            ..Cut::default()
        },
    );
    tagged_call(
        stage,
        "session-tag-of-an-assertion",
        &started,
        true,
        "the assertion carried the tag",
    );

    type Chain = (
        &'static str,
        &'static [&'static str],
        &'static [(&'static str, &'static str)],
        bool,
        &'static str,
    );
    const CHAINS: [Chain; 3] = [
        (
            "transitive-tag",
            &["project"],
            ATLAS,
            true,
            "the tag was set to be inherited over the role chain",
        ),
        (
            "transitive-tag-not-repeated",
            &["project"],
            &[],
            true,
            "the same, and only the chain's first record shows it",
        ),
        (
            "tag-that-is-not-transitive",
            &[],
            &[],
            false,
            "the tag ends with the first session of the chain",
        ),
    ];
    for (id, transitive, incoming, allowed, why) in CHAINS {
        let first = stage.cut(
            &operator,
            Cut {
                tags: ATLAS,
                transitive,
                ..Cut::default()
            },
        );
        let second = stage.session(&tagged, None);
        stage.issue_by(
            &first.caller,
            &tagged,
            &second,
            second.slot,
            Cut {
                incoming,
                ..Cut::default()
            },
        );
        tagged_call(stage, id, &second, allowed, why);
    }

    let started = stage.cut(
        &identified(),
        Cut {
            source_identity: Some("ana"),
            ..Cut::default()
        },
    );
    tagged_call(
        stage,
        "source-identity",
        &started,
        true,
        "the policy asks for the source identity that was set",
    );
}

/// Stops that succeeded, or were denied for want of the tag.
fn tagged_call(
    stage: &mut Stage<'_>,
    id: &str,
    started: &Started,
    allowed: bool,
    why: &'static str,
) {
    if allowed {
        let stops = stage.stops();
        stage.say(started, stops, story(id, AGREES, NOTHING, why));
    } else {
        let denied = stage.denied_stops(&started.caller, "identity-based");
        stage.say(started, denied, blocked(id, "identity", why));
    }
}

/// `GetFederationToken`: the user's policies, cut by the session's.
pub(super) fn federation(stage: &mut Stage<'_>) {
    let read = policy(&json!([{"Effect": "Allow", "Action": "s3:GetObject", "Resource": "*"}]));
    let started = federated(
        stage,
        Some(Cut {
            policy: Some(&read),
            ..Cut::default()
        }),
    );
    let (gets, denied) = (stage.gets(), stage.denied_stops(&started.caller, "session"));
    stage.say(
        &started,
        gets,
        story(
            "federation-token-allows",
            AGREES,
            NOTHING,
            "the user's policies and the session's allow it",
        ),
    );
    stage.say(
        &started,
        denied,
        blocked(
            "federation-token-cuts",
            "session",
            "the user's policies allow it, the session's do not",
        ),
    );

    let started = federated(stage, Some(Cut::default()));
    let denied = stage.denied_stops(&started.caller, "session");
    stage.say(
        &started,
        denied,
        blocked(
            "federation-token-without-a-policy",
            "session",
            "without a session policy the token may do nothing",
        ),
    );

    let started = federated(stage, None);
    let gets = stage.gets();
    stage.say(
        &started,
        gets,
        story(
            "federation-token-not-seen",
            AGREES,
            SESSION_POLICY,
            "nobody recorded GetFederationToken",
        ),
    );
}

fn federated(stage: &mut Stage<'_>, cut: Option<Cut<'_>>) -> Started {
    let slot = stage.next();
    let key = stage.planted.key();
    let at = slot.0 - 300;
    let session = Session::new("partner", &key, at - 120);
    let caller = caller::federated_user(&starter(), &session, "203.0.113.54", CLI);
    if let Some(cut) = cut {
        let rng = &mut stage.planted.rng;
        let draft = sts::get_federation_token("partner", &key, ACCOUNT, at - 120, cut, rng);
        let slot = (slot.0 - MINUTE, VIRGINIA);
        stage
            .planted
            .put(slot, at - 120, &starter_caller(), &draft, AGREES);
    }
    Started {
        key,
        caller,
        slot,
        at,
    }
}
