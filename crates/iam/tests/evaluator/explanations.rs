//! Why a decision came out as it did.

use retrial_iam::{
    Catalogue, ConditionExplanation, ConditionReason, Context, Decision, Evaluator, FoundKey,
    KeyState, Layer, LayerResult, MissingKeys, Resource, Truth, Values,
};

use crate::support::{nothing_collected, request, role, statement, unavailable};

#[test]
fn every_condition_says_what_it_wanted_and_found() {
    let snapshot = nothing_collected();
    let evaluator = Evaluator::new(Catalogue::bundled(), &snapshot);
    let document = statement(
        r#""Sid": "Team", "Effect": "Allow", "Action": "s3:Get*", "Resource": "arn:aws:s3:::data/${aws:username}/*", "Condition": {
            "StringEquals": {"aws:PrincipalTag/team": ["red", "blue"], "aws:TagKeys": "x"},
            "NumericNotEquals": {"s3:max-keys": "10"},
            "IpAddressIfExists": {"aws:SourceIp": "10.0.0.0/8"},
            "Null": {"aws:SourceVpce": true},
            "Maybe": {"aws:SecureTransport": "true"}}"#,
    );
    let mut principal = role(&[
        &document,
        &statement(r#""Effect": "Deny", "Action": "s3:PutObject", "Resource": "*""#),
    ]);
    principal.identity.push(unavailable("missing"));
    let mut context = Context::new(MissingKeys::ByCatalogue);
    context.set(
        "aws:PrincipalTag/team",
        KeyState::Known(Values::One("green")),
    );
    context.set("aws:TagKeys", KeyState::Known(Values::Many(&["x", "y"])));
    context.set("s3:max-keys", KeyState::Known(Values::One("many")));
    context.set("aws:SourceVpce", KeyState::Absent);
    let explanation = evaluator.explain(
        &principal,
        &request(
            "s3:GetObject",
            Resource::Arn("arn:aws:s3:::data/x/y"),
            &context,
        ),
    );

    assert_eq!(
        (explanation.decision, explanation.layer),
        (Decision::Undetermined, None)
    );
    assert_eq!(
        explanation.unknown_layers,
        [Layer::Identity, Layer::Resource]
    );
    let results: Vec<(Layer, LayerResult)> = explanation
        .layers
        .iter()
        .map(|layer| (layer.layer, layer.result))
        .collect();
    assert_eq!(
        results,
        [
            (Layer::Identity, LayerResult::Open),
            (Layer::PermissionsBoundary, LayerResult::DoesNotApply),
            (Layer::Session, LayerResult::Empty),
            (Layer::Resource, LayerResult::NotCollected),
            (Layer::Scp, LayerResult::NotCollected),
            (Layer::Rcp, LayerResult::NotCollected),
            (Layer::VpcEndpoint, LayerResult::DoesNotApply),
            (Layer::KmsGrant, LayerResult::DoesNotApply),
        ]
    );
    let identity = &explanation.layers[0];
    assert_eq!(identity.unavailable[0].policy, "missing");
    let [statement] = identity.statements.as_slice() else {
        panic!("only one statement is about s3:GetObject")
    };
    assert_eq!(
        (
            statement.policy.as_str(),
            statement.index,
            statement.sid.as_deref()
        ),
        ("policy-0", 0, Some("Team"))
    );
    assert_eq!(
        (statement.applies, statement.resource.holds),
        (Truth::False, Truth::Unknown)
    );
    assert_eq!(statement.resource.unknown_variables, ["aws:username"]);
    let condition = |operator: &str, key: &str| -> &ConditionExplanation {
        statement
            .conditions
            .iter()
            .find(|condition| condition.operator == operator && condition.key == key)
            .unwrap()
    };
    let team = condition("StringEquals", "aws:PrincipalTag/team");
    assert_eq!(team.wanted, ["red", "blue"]);
    assert_eq!(
        (&team.found, team.holds, team.reason),
        (
            &FoundKey::Values(vec!["green".to_owned()]),
            Truth::False,
            Some(ConditionReason::Values)
        )
    );
    let reasons = [
        (
            "StringEquals",
            "aws:TagKeys",
            Truth::False,
            Some(ConditionReason::NeedsSetOperator),
        ),
        (
            "NumericNotEquals",
            "s3:max-keys",
            Truth::Unknown,
            Some(ConditionReason::WrongType),
        ),
        (
            "IpAddressIfExists",
            "aws:SourceIp",
            Truth::Unknown,
            Some(ConditionReason::KeyUnknown),
        ),
        ("Null", "aws:SourceVpce", Truth::True, None),
        (
            "Maybe",
            "aws:SecureTransport",
            Truth::Unknown,
            Some(ConditionReason::OperatorUnknown),
        ),
    ];
    for (operator, key, holds, reason) in reasons {
        let found = condition(operator, key);
        assert_eq!(
            (found.holds, found.reason),
            (holds, reason),
            "{operator} on {key}"
        );
    }
}

#[test]
fn an_allow_says_what_it_assumes() {
    let snapshot = nothing_collected();
    let evaluator = Evaluator::new(Catalogue::bundled(), &snapshot);
    let principal = role(&[&statement(
        r#""Effect": "Allow", "Action": "*", "Resource": "*""#,
    )]);
    let context = Context::new(MissingKeys::ByCatalogue);
    let explanation = evaluator.explain(
        &principal,
        &request(
            "s3:GetObject",
            Resource::Arn("arn:aws:s3:::data/x"),
            &context,
        ),
    );
    assert_eq!(explanation.decision, Decision::Allowed);
    let assumes: Vec<String> = explanation
        .assumes
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(assumes, ["scp", "rcp", "resource_policy"]);
    assert_eq!(explanation.layers[0].result, LayerResult::Allows);
}
