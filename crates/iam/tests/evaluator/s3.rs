//! S3's access control lists and Block Public Access.

use retrial_iam::{Catalogue, SimulationCase};
use serde_json::{Value, json};

const BUCKET: &str = "arn:aws:s3:::data";
const OBJECT: &str = "arn:aws:s3:::data/a";
const OWN: &str = "arn:aws:iam::111122223333:user/own";
const FOREIGN: &str = "arn:aws:iam::444455556666:user/foreign";
const ALL_USERS: &str = "http://acs.amazonaws.com/groups/global/AllUsers";
const AUTHENTICATED_USERS: &str = "http://acs.amazonaws.com/groups/global/AuthenticatedUsers";
const LOG_DELIVERY: &str = "http://acs.amazonaws.com/groups/s3/LogDelivery";
const OWNER_ID: &str = "1111exampleowner";

fn group(uri: &str, permission: &str) -> Value {
    json!({"Grantee": {"Type": "Group", "URI": uri}, "Permission": permission})
}

fn user(id: &str, permission: &str) -> Value {
    json!({"Grantee": {"Type": "CanonicalUser", "ID": id}, "Permission": permission})
}

/// A bucket with these grants, owned by 111122223333.
fn bucket(grants: &[Value], block: &Value) -> Value {
    json!({
        "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]},
        "Owner": {"ID": OWNER_ID}, "OwnerAccount": "111122223333",
        "Grants": grants, "PublicAccessBlockConfiguration": block,
    })
}

fn case(principal: &str, action: &str, arn: &str) -> Value {
    json!({
        "id": "s3",
        "request": {
            "principal": principal, "action": action,
            "resource": {"arn": arn, "account": "111122223333"}, "context": {},
        },
    })
}

fn allow_all() -> Value {
    json!([{"Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}])
}

fn answer(case: &Value) -> String {
    let result = SimulationCase::parse(&case.to_string())
        .unwrap_or_else(|error| panic!("{error}: {case}"))
        .run(Catalogue::bundled());
    let mut line = result.decision.name().to_owned();
    if let Some(layer) = result.layer {
        line += &format!(" by {}", layer.name());
    }
    for layer in &result.unknown_layers {
        line += &format!(" ?{}", layer.name());
    }
    for key in &result.unknown_keys {
        line += &format!(" ?{key}");
    }
    for found in &result.determined_by {
        line += &format!(" [{} {}]", found.policy, found.index);
    }
    line
}

#[track_caller]
fn check(mut case: Value, more: Value, expect: &str) {
    for (name, value) in more.as_object().unwrap() {
        case[name] = value.clone();
    }
    assert_eq!(answer(&case), expect, "{case}");
}

#[test]
fn a_bucket_acl_grants_to_groups() {
    let list = || case("anonymous", "s3:ListBucket", BUCKET);
    let public = bucket(&[group(ALL_USERS, "READ")], &json!({}));
    let allowed = "allowed [arn:aws:s3:::data#acl 0]";
    check(list(), json!({"s3_bucket": public}), allowed);
    // The permission of another action, and a group that nobody without credentials is in.
    let write = bucket(&[group(ALL_USERS, "WRITE")], &json!({}));
    check(
        list(),
        json!({"s3_bucket": write}),
        "implicit_deny by resource",
    );
    let authenticated = bucket(&[group(AUTHENTICATED_USERS, "READ")], &json!({}));
    check(
        list(),
        json!({"s3_bucket": authenticated}),
        "implicit_deny by resource",
    );
    // Another account needs its own policies too.
    let foreign = || case(FOREIGN, "s3:ListBucket", BUCKET);
    check(
        foreign(),
        json!({"s3_bucket": authenticated}),
        "implicit_deny by identity",
    );
    check(
        foreign(),
        json!({"s3_bucket": authenticated, "identity_policies": allow_all()}),
        "allowed [identity_policies[0] 0] [arn:aws:s3:::data#acl 0]",
    );
    // What a group means to the account's own users is not documented.
    check(
        case(OWN, "s3:ListBucket", BUCKET),
        json!({"s3_bucket": public}),
        "undetermined ?resource",
    );
    // A deny wins.
    let deny =
        json!({"Statement": {"Effect": "Deny", "Principal": "*", "Action": "*", "Resource": "*"}});
    check(
        list(),
        json!({"s3_bucket": public, "resource_policy": deny}),
        "explicit_deny by resource [resource_policy 0]",
    );
}

#[test]
fn acls_that_are_off_or_ignored_grant_nothing() {
    let list = || case("anonymous", "s3:ListBucket", BUCKET);
    let mut off = bucket(&[group(ALL_USERS, "READ")], &json!({}));
    off["OwnershipControls"]["Rules"][0]["ObjectOwnership"] = json!("BucketOwnerEnforced");
    check(
        list(),
        json!({"s3_bucket": off}),
        "implicit_deny by resource",
    );
    let ignore = json!({"IgnorePublicAcls": true});
    let ignored = bucket(&[group(ALL_USERS, "READ")], &ignore);
    check(
        list(),
        json!({"s3_bucket": ignored}),
        "implicit_deny by resource",
    );
    let public = bucket(&[group(ALL_USERS, "READ")], &json!({}));
    check(
        list(),
        json!({"s3_bucket": public, "s3_account": {"PublicAccessBlockConfiguration": ignore}}),
        "implicit_deny by resource",
    );
}

#[test]
fn acls_that_nobody_saw_leave_it_open() {
    let mut untold = bucket(&[], &json!({}));
    untold.as_object_mut().unwrap().remove("Grants");
    check(
        case("anonymous", "s3:ListBucket", BUCKET),
        json!({"s3_bucket": untold}),
        "undetermined ?resource",
    );
    // No snapshot has the ACLs of objects; ignored ones can only name accounts.
    let get = |principal| case(principal, "s3:GetObject", OBJECT);
    let private = bucket(&[user(OWNER_ID, "FULL_CONTROL")], &json!({}));
    check(
        get("anonymous"),
        json!({"s3_bucket": private}),
        "undetermined ?resource",
    );
    let ignored = bucket(&[], &json!({"IgnorePublicAcls": true}));
    check(
        get("anonymous"),
        json!({"s3_bucket": ignored}),
        "implicit_deny by resource",
    );
    check(
        get(OWN),
        json!({"s3_bucket": ignored}),
        "implicit_deny by identity",
    );
    check(
        get(FOREIGN),
        json!({"s3_bucket": ignored, "identity_policies": allow_all()}),
        "undetermined ?resource",
    );
}

#[test]
fn block_public_acls_refuses_public_ones() {
    let block = json!({"BlockPublicAcls": true});
    let put = |context: Value| {
        let mut case = case(OWN, "s3:PutObject", OBJECT);
        case["request"]["context"] = context;
        case["identity_policies"] = allow_all();
        case["s3_bucket"] = bucket(&[], &block);
        case
    };
    let allowed = "allowed [identity_policies[0] 0]";
    check(put(json!({})), json!({}), allowed);
    check(put(json!({"s3:x-amz-acl": "private"})), json!({}), allowed);
    let refused = "implicit_deny by resource";
    check(
        put(json!({"s3:x-amz-acl": "public-read"})),
        json!({}),
        refused,
    );
    let named = json!({"s3:x-amz-grant-read": format!("uri=\"{ALL_USERS}\"")});
    check(put(named), json!({}), refused);
    check(
        put(json!({})),
        json!({"context_unknown": ["s3:x-amz-acl"]}),
        "undetermined ?s3:x-amz-acl",
    );
    // Of the account, and where ACLs are off: then S3 takes none whatever they are.
    let open = json!({"s3_bucket": bucket(&[], &json!({})), "s3_account": {"PublicAccessBlockConfiguration": block}});
    check(put(json!({"s3:x-amz-acl": "public-read"})), open, refused);
    let mut off = bucket(&[], &block);
    off["OwnershipControls"]["Rules"][0]["ObjectOwnership"] = json!("BucketOwnerEnforced");
    check(
        put(json!({"s3:x-amz-acl": "public-read"})),
        json!({"s3_bucket": off}),
        allowed,
    );
    // The ACL of this one can be in its body, which no key shows.
    let mut acl = put(json!({}));
    acl["request"]["action"] = json!("s3:PutObjectAcl");
    check(acl, json!({}), "undetermined ?resource");
}

#[test]
fn restrict_public_buckets_looks_at_the_whole_policy() {
    let block = json!({"PublicAccessBlockConfiguration": {"RestrictPublicBuckets": true}});
    let private = bucket(&[], &json!({"IgnorePublicAcls": true}));
    let get = |condition: Value| {
        let mut case = case("anonymous", "s3:GetObject", OBJECT);
        case["request"]["context"] = json!({"aws:SourceVpce": "vpce-1a2b"});
        case["s3_bucket"] = private.clone();
        case["resource_policy"] = json!({"Statement": {
            "Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*", "Condition": condition,
        }});
        case
    };
    let allowed = "allowed [resource_policy 0]";
    check(get(json!({})), json!({}), allowed);
    let restricted = json!({"s3_account": block});
    check(
        get(json!({})),
        restricted.clone(),
        "implicit_deny by resource",
    );
    // A fixed endpoint makes a policy that is not public; a pattern of some may be.
    let fixed = get(json!({"StringEquals": {"aws:SourceVpce": "vpce-1a2b"}}));
    check(fixed, restricted.clone(), allowed);
    let pattern = get(json!({"StringLike": {"aws:SourceVpce": "vpce-*"}}));
    check(pattern, restricted, "undetermined ?resource");
}

/// What a bucket's ACL says, entry by entry, as AWS's page of the four permissions tells it.
fn plainly(action: &str, grants: &[Value], caller: &str, ignore: bool) -> &'static str {
    let wanted = match action {
        "s3:ListBucket" | "s3:ListBucketVersions" => "READ",
        "s3:PutObject" => "WRITE",
        "s3:GetBucketAcl" => "READ_ACP",
        "s3:PutBucketAcl" => "WRITE_ACP",
        other => panic!("{other}"),
    };
    let public = |grant: &Value| {
        [ALL_USERS, AUTHENTICATED_USERS].contains(&grant["Grantee"]["URI"].as_str().unwrap_or(""))
    };
    let has_public = grants.iter().any(public);
    let mut best = "implicit_deny";
    for grant in grants {
        let permission = grant["Permission"].as_str().unwrap();
        if (permission != wanted && permission != "FULL_CONTROL") || (ignore && public(grant)) {
            continue;
        }
        let found = match (grant["Grantee"]["URI"].as_str(), caller) {
            (Some(ALL_USERS), _) => "allowed",
            (Some(AUTHENTICATED_USERS), FOREIGN) => "allowed",
            (Some(_), _) | (None, "anonymous") => "implicit_deny",
            // The owner's account is another one; whose the other id is, nobody told.
            (None, _) if grant["Grantee"]["ID"] == OWNER_ID => "implicit_deny",
            (None, _) => "undetermined",
        };
        let is_firm = wanted != "WRITE" && !(ignore && has_public);
        best = match (best, found) {
            ("allowed", _) => "allowed",
            (_, "allowed") if is_firm => "allowed",
            (_, "allowed" | "undetermined") => "undetermined",
            (best, _) => best,
        };
    }
    best
}

#[test]
fn the_twin_agrees_on_every_acl_of_two_grants() {
    let mut grants = Vec::new();
    for permission in ["READ", "WRITE", "READ_ACP", "WRITE_ACP", "FULL_CONTROL"] {
        grants.extend(
            [ALL_USERS, AUTHENTICATED_USERS, LOG_DELIVERY].map(|uri| group(uri, permission)),
        );
        grants.extend([OWNER_ID, "4444exampleother"].map(|id| user(id, permission)));
    }
    let mut seen = std::collections::BTreeSet::new();
    for first in &grants {
        for second in &grants {
            let pair = [first.clone(), second.clone()];
            for (caller, action, ignore) in [
                ("anonymous", "s3:ListBucket", false),
                ("anonymous", "s3:PutObject", false),
                ("anonymous", "s3:GetBucketAcl", true),
                (FOREIGN, "s3:ListBucketVersions", true),
                (FOREIGN, "s3:PutBucketAcl", false),
                (FOREIGN, "s3:PutObject", true),
            ] {
                let arn = if action == "s3:PutObject" {
                    OBJECT
                } else {
                    BUCKET
                };
                let mut case = case(caller, action, arn);
                case["s3_bucket"] = bucket(&pair, &json!({"IgnorePublicAcls": ignore}));
                if caller == FOREIGN {
                    case["identity_policies"] = allow_all();
                }
                let expect = plainly(action, &pair, caller, ignore);
                seen.insert(expect);
                let found = answer(&case);
                assert_eq!(found.split(' ').next(), Some(expect), "{found}: {case}");
            }
        }
    }
    assert_eq!(seen.len(), 3, "the test must meet every answer: {seen:?}");
}
