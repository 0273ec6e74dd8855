//! What is out of a principal's reach is denied, whatever else is asked: a shortcut that must say what the
//! evaluator would.

use retrial_iam::{
    Catalogue, Context, Decision, Evaluator, MissingKeys, Principal, Reach, Resource, Scratch,
};

use crate::support::{
    ACCOUNT, all_collected, nothing_collected, principal, request, role, statement, unavailable,
};

const ACTIONS: [&str; 12] = [
    "iam:PutRolePolicy",
    "IAM:putrolepolicy",
    "iam:PassRole",
    "ec2:RunInstances",
    "ssm:GetParameter",
    "s3:DeleteBucket",
    "s3:PutObject",
    "kms:PutKeyPolicy",
    "kms:Decrypt",
    "sts:AssumeRole",
    "sts:GetCallerIdentity",
    "no:Such",
];

/// The actions that are out of reach; none of them may be anything but denied.
#[track_caller]
fn check(principal: &Principal, expect: &[&str]) {
    let mut found: Option<Vec<&str>> = None;
    for snapshot in [all_collected(), nothing_collected()] {
        let evaluator = Evaluator::new(Catalogue::bundled(), &snapshot);
        let out: Vec<&str> = ACTIONS
            .into_iter()
            .filter(|action| Reach::of(action).is_out(principal))
            .collect();
        for action in &out {
            for missing in [MissingKeys::ByCatalogue, MissingKeys::Absent] {
                let context = Context::new(missing);
                for resource in [
                    Resource::Unknown("*"),
                    Resource::Any,
                    Resource::Arn("arn:aws:iam::111122223333:role/other"),
                ] {
                    let mut asked = request(action, resource, &context);
                    asked.resource_account = Some(ACCOUNT);
                    let mut scratch = Scratch::default();
                    let decision = evaluator.evaluate(principal, &asked, &mut scratch).decision;
                    assert!(
                        decision.is_denied(),
                        "{action} on {resource:?}: {decision:?}"
                    );
                }
            }
        }
        for action in ACTIONS {
            let is_own = !Reach::of(action).has_no_own_allow(principal);
            if is_own || action == "sts:GetCallerIdentity" {
                continue;
            }
            let context = Context::new(MissingKeys::ByCatalogue);
            let mut asked = request(action, Resource::Unknown("*"), &context);
            asked.resource_account = Some(ACCOUNT);
            let mut scratch = Scratch::default();
            let evaluation = evaluator.evaluate(principal, &asked, &mut scratch);
            // Where it is not denied, it waits for more than for which resource it is.
            assert!(
                evaluation.decision.is_denied()
                    || evaluation.decision == Decision::Undetermined
                        && !evaluation.unknown_layers.is_empty(),
                "{action}: {evaluation:?}"
            );
        }
        assert_eq!(*found.get_or_insert_with(|| out.clone()), out);
    }
    assert_eq!(found.unwrap(), expect);
}

#[test]
fn out_of_reach() {
    // Buckets, keys, roles and shared parameters have policies that could let it.
    const IDLE: [&str; 5] = [
        "iam:PutRolePolicy",
        "IAM:putrolepolicy",
        "iam:PassRole",
        "ec2:RunInstances",
        "no:Such",
    ];
    let allow = |action: &str| {
        statement(&format!(
            r#""Effect": "Allow", "Action": "{action}", "Resource": "arn:aws:s3:::data/*""#
        ))
    };
    let has_no_source = |except: &[&str]| -> Vec<&str> {
        let mut idle = IDLE.to_vec();
        idle.retain(|action| !except.contains(action));
        idle
    };
    let cases = [
        (role(&[]), IDLE.to_vec()),
        (role(&[&allow("s3:GetObject")]), IDLE.to_vec()),
        // A statement about it may hold, or not: the evaluator is asked.
        (
            role(&[&allow("IAM:Put*"), &allow("s3:GetObject")]),
            has_no_source(&["iam:PutRolePolicy", "IAM:putrolepolicy"]),
        ),
        (role(&[&allow("*")]), vec![]),
        (
            role(&[&statement(
                r#""Effect": "Allow", "NotAction": "iam:*", "Resource": "*""#,
            )]),
            vec!["iam:PutRolePolicy", "IAM:putrolepolicy", "iam:PassRole"],
        ),
        (
            role(&[&statement(
                r#""Effect": "Deny", "Action": "iam:*", "Resource": "*""#,
            )]),
            IDLE.to_vec(),
        ),
        (
            principal(&format!("arn:aws:iam::{ACCOUNT}:root"), &[], None),
            vec![],
        ),
        (
            principal(
                &format!("arn:aws:iam::{ACCOUNT}:user/a"),
                &[],
                Some(&allow("*")),
            ),
            IDLE.to_vec(),
        ),
    ];
    for (principal, expect) in cases {
        check(&principal, &expect);
    }
    let mut unread = role(&[&allow("s3:GetObject")]);
    unread
        .identity
        .push(unavailable("arn:aws:iam::111122223333:policy/x"));
    check(&unread, &[]);
}
