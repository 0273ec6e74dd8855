//! Random policy documents, biased to be about the request.

use serde_json::{Map, Value, json};

use crate::conditions::condition;
use crate::random::Random;
use crate::world::{Caller, CallerKind, OTHER_ACCOUNT, PolicyForm, Target};

/// Somebody else.
const MALLORY: &str = "arn:aws:iam::111122223333:user/mallory";

/// What a document is generated for.
#[derive(Debug)]
pub(crate) struct About<'a> {
    pub(crate) caller: &'a Caller,
    pub(crate) target: &'a Target,
    pub(crate) context: &'a Map<String, Value>,
}

/// How often, in percent, a layer's document is made to allow the request, and to deny something.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bias {
    pub(crate) allows: usize,
    pub(crate) denies: usize,
}

/// A document without `Principal`: identity policy, boundary, session policy, SCP.
pub(crate) fn plain(random: &mut Random, about: &About<'_>, bias: Bias) -> Value {
    let mut statements = Vec::new();
    if random.chance(bias.allows) {
        statements.push(statement(random, about, "Allow", true));
    }
    if random.chance(40) || statements.is_empty() {
        let near = random.chance(50);
        statements.push(statement(random, about, "Allow", near));
    }
    if random.chance(bias.denies) {
        let near = random.chance(60);
        statements.push(deny(random, about, near));
    }
    for statement in &mut statements {
        let resource = resource_element(random, about.target);
        statement.as_object_mut().unwrap().extend(resource);
    }
    document(random, statements)
}

/// The resource's own policy.
pub(crate) fn of_resource(random: &mut Random, about: &About<'_>) -> Value {
    let mut statements = Vec::new();
    if about.target.service() == "kms" && random.chance(70) {
        statements.push(json!({"Effect": "Allow", "Action": "kms:*", "Principal": {
            "AWS": format!("arn:aws:iam::{}:root", about.target.account)
        }}));
    }
    for _ in 0..=random.weighted(&[60, 30, 10]) {
        let mut allow = statement(random, about, "Allow", true);
        allow["Principal"] = principal(random, about);
        statements.push(allow);
    }
    if random.chance(25) {
        let near = random.chance(60);
        let mut deny = deny(random, about, near);
        // AWS's page says what to list for users and for sessions of roles.
        let is_listed = matches!(
            about.caller.kind,
            CallerKind::User | CallerKind::RoleSession
        );
        if is_listed && random.chance(30) {
            deny["NotPrincipal"] = not_principal(random, about.caller);
        } else {
            deny["Principal"] = principal(random, about);
        }
        statements.push(deny);
    }
    if about.target.policy == PolicyForm::WithResource {
        for statement in &mut statements {
            let resource = resource_element_full(random, about.target);
            statement.as_object_mut().unwrap().extend(resource);
        }
    }
    document(random, statements)
}

/// A customer's RCP: denies only, for every principal.
pub(crate) fn rcp(random: &mut Random, about: &About<'_>) -> Value {
    let near = random.chance(60);
    let mut statement = deny(random, about, near);
    statement["Principal"] = json!("*");
    let resource = resource_element_full(random, about.target);
    statement.as_object_mut().unwrap().extend(resource);
    document(random, vec![statement])
}

/// A VPC endpoint's policy; some name principals, which interface endpoints may.
pub(crate) fn endpoint(random: &mut Random, about: &About<'_>) -> Value {
    let mut statements = vec![statement(random, about, "Allow", true)];
    if random.chance(30) {
        let near = random.chance(50);
        statements.push(deny(random, about, near));
    }
    for statement in &mut statements {
        statement["Principal"] = match random.below(12) {
            0 => json!({"AWS": about.caller.account}),
            1 => json!({"AWS": format!("arn:aws:iam::{OTHER_ACCOUNT}:root")}),
            2 => json!({"AWS": "*"}),
            _ => json!("*"),
        };
        let resource = resource_element_full(random, about.target);
        statement.as_object_mut().unwrap().extend(resource);
    }
    document(random, statements)
}

pub(crate) fn full_access() -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "*", "Resource": "*"}]})
}

pub(crate) fn rcp_full_access() -> Value {
    json!({"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}
    ]})
}

fn document(random: &mut Random, mut statements: Vec<Value>) -> Value {
    let statement = if statements.len() == 1 && random.chance(30) {
        statements.remove(0)
    } else {
        Value::Array(statements)
    };
    match random.weighted(&[94, 3, 3]) {
        0 => json!({"Version": "2012-10-17", "Statement": statement}),
        1 => json!({"Version": "2008-10-17", "Statement": statement}),
        _ => json!({"Statement": statement}),
    }
}

/// A statement without resource and principal; `near` ones are about the request's action.
fn statement(random: &mut Random, about: &About<'_>, effect: &str, near: bool) -> Value {
    let mut statement = json!({"Effect": effect});
    if random.chance(20) {
        statement["Sid"] = json!(format!("Statement{}", random.below(9)));
    }
    let (element, action) = action_element(random, about.target, near);
    statement[element] = action;
    if random.chance(if effect == "Deny" { 75 } else { 35 }) {
        statement["Condition"] = condition(random, about.context);
    }
    statement
}

fn deny(random: &mut Random, about: &About<'_>, near: bool) -> Value {
    statement(random, about, "Deny", near)
}

fn action_element(random: &mut Random, target: &Target, near: bool) -> (&'static str, Value) {
    let service = target.service();
    let other = *random.pick(&[
        "s3:GetBucketTagging",
        "ec2:RunInstances",
        "iam:*",
        "kms:Encrypt",
    ]);
    if random.chance(8) {
        let listed = if near { other } else { target.action };
        return ("NotAction", json!([listed, "organizations:*"]));
    }
    if !near {
        return ("Action", json!(other));
    }
    let action = match random.below(10) {
        0 => target.action.to_lowercase(),
        1 => target.action.to_uppercase(),
        2 => format!("{service}:*"),
        3 => String::from("*"),
        4 => {
            let verb: String = target.action.chars().take(service.len() + 4).collect();
            format!("{verb}*")
        }
        5 => {
            let mut characters: Vec<char> = target.action.chars().collect();
            let place = service.len() + 1 + random.below(characters.len() - service.len() - 1);
            characters[place] = '?';
            characters.into_iter().collect()
        }
        _ => target.action.to_owned(),
    };
    if random.chance(25) {
        ("Action", json!([other, action]))
    } else {
        ("Action", json!(action))
    }
}

/// `Resource` or `NotResource`, short ARNs among them.
fn resource_element(random: &mut Random, target: &Target) -> Map<String, Value> {
    if !target.wildcard_only && random.chance(2) {
        let service = target.arn.split(':').nth(2).unwrap();
        return element("Resource", json!(format!("arn:aws:{service}:*")));
    }
    resource_element_full(random, target)
}

fn resource_element_full(random: &mut Random, target: &Target) -> Map<String, Value> {
    const STRAY: &str = "arn:aws:sns:us-east-1:111122223333:other";
    if target.wildcard_only {
        let resource = if random.chance(80) { "*" } else { STRAY };
        return element("Resource", json!(resource));
    }
    let near = random.chance(88);
    if random.chance(5) {
        let listed = if near { STRAY } else { &target.arn };
        return element("NotResource", json!([listed]));
    }
    let resource = if near {
        resource_pattern(random, &target.arn)
    } else {
        STRAY.to_owned()
    };
    if random.chance(20) {
        element("Resource", json!([STRAY, resource]))
    } else {
        element("Resource", json!(resource))
    }
}

fn element(name: &str, value: Value) -> Map<String, Value> {
    Map::from_iter([(name.to_owned(), value)])
}

/// A pattern that mostly matches `arn`.
fn resource_pattern(random: &mut Random, arn: &str) -> String {
    let mut parts: Vec<String> = arn.splitn(6, ':').map(str::to_owned).collect();
    match random.below(12) {
        0..=3 => String::from("*"),
        4 => {
            let place = 1 + random.below(4);
            parts[place] = String::from("*");
            parts.join(":")
        }
        5 => {
            parts[5] = String::from("*");
            parts.join(":")
        }
        6 => {
            let mut characters: Vec<char> = parts[5].chars().collect();
            characters.truncate(place_after_type(random, &parts));
            parts[5] = characters.into_iter().collect::<String>() + "*";
            parts.join(":")
        }
        7 => {
            let mut characters: Vec<char> = parts[5].chars().collect();
            characters[place_after_type(random, &parts)] = '?';
            parts[5] = characters.into_iter().collect();
            parts.join(":")
        }
        8 => arn
            .replace("/ds/", "/${aws:PrincipalTag/team}/")
            .replace("bob", "${aws:username}"),
        9 => {
            parts[5] = parts[5].to_uppercase();
            parts.join(":")
        }
        _ => arn.to_owned(),
    }
}

/// A place in the ARN's last part. "You can't use a wildcard in the portion of the ARN that specifies the
/// resource type": what comes of it is not documented.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_identifiers.html#identifiers-arns>
fn place_after_type(random: &mut Random, parts: &[String]) -> usize {
    let resource = &parts[5];
    let has_type = parts[2] != "s3" && parts[2] != "sqs" && parts[2] != "sns";
    let start = match resource.find(['/', ':']) {
        Some(end_of_type) if has_type => end_of_type + 1,
        _ => 0,
    };
    start + random.below(resource.chars().count() - start)
}

/// A `Principal` that mostly names the caller in one of its ways.
fn principal(random: &mut Random, about: &About<'_>) -> Value {
    let caller = about.caller;
    if random.chance(25) {
        // No canonical user: whose it is, the case form does not tell.
        return match random.below(5) {
            0 => json!({"AWS": OTHER_ACCOUNT}),
            // Which user asked for a federated session, the case form does not tell.
            1 if caller.kind != CallerKind::FederatedUser => json!({"AWS": MALLORY}),
            1 => json!({"AWS": "arn:aws:iam::111122223333:role/mallory"}),
            2 => json!({"Service": ["lambda.amazonaws.com", "sagemaker.amazonaws.com"]}),
            3 => json!({"Federated": "cognito-identity.amazonaws.com"}),
            4 => json!({"AWS": "AROAEXAMPLEDELETED000"}),
            _ => {
                json!({"CanonicalUser": "79a59df900b949e55d96a1e698fbacedfd6e09d98eacf8f8d5218e7cd47ef2be"})
            }
        };
    }
    match caller.kind {
        CallerKind::Service if random.chance(75) => {
            json!({"Service": ["config.amazonaws.com", caller.principal]})
        }
        CallerKind::Anonymous if random.chance(75) => any_principal(random),
        _ => match random.below(6) {
            0 => any_principal(random),
            1 => json!({"AWS": caller.account}),
            2 => json!({"AWS": [format!("arn:aws:iam::{}:root", caller.account)]}),
            _ if !caller.is_iam() => json!({"AWS": caller.account}),
            3 => json!({"AWS": [caller.principal, format!("arn:aws:iam::{OTHER_ACCOUNT}:root")]}),
            _ => json!({"AWS": caller.principal_arn}),
        },
    }
}

fn any_principal(random: &mut Random) -> Value {
    if random.chance(50) {
        json!("*")
    } else {
        json!({"AWS": "*"})
    }
}

fn not_principal(random: &mut Random, caller: &Caller) -> Value {
    let account = format!("arn:aws:iam::{}:root", caller.account);
    match random.below(4) {
        0 => json!({"AWS": MALLORY}),
        1 => json!({"AWS": [caller.principal_arn]}),
        _ => json!({"AWS": [caller.principal_arn, caller.principal, account]}),
    }
}
