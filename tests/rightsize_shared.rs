//! `retrial rightsize --mode edit` for policies that nobody has alone: managed ones that several have, and groups'.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde_json::{Value, json};

use crate::rightsize::{commands, parsed_hcl};
use crate::rightsize_edits::{
    ACCOUNT, BUILD, EDIT, OF_AWS, SET, SHARED, World, allow, document, inline, policy, role,
};
use crate::support::text;

const GROUP: &str = "arn:aws:iam::111122223333:group/team/devs";

/// The entities and policies of an account, changed by the commands of a script: an opponent that knows them from
/// AWS's reference.
struct Live(Value);

const LISTS: [(&str, &str, &str); 3] = [
    ("user", "UserDetailList", "UserPolicyList"),
    ("group", "GroupDetailList", "GroupPolicyList"),
    ("role", "RoleDetailList", "RolePolicyList"),
];

fn list<'v>(value: &'v mut Value, member: &str) -> &'v mut Vec<Value> {
    value[member].as_array_mut().unwrap()
}

impl Live {
    fn run(&mut self, script: &Path) {
        let policies = self.0["Policies"].as_array().unwrap().iter();
        let several = policies.max_by_key(|one| one["PolicyVersionList"].as_array().unwrap().len());
        let default = several.map_or(String::new(), |one| {
            one["DefaultVersionId"].as_str().unwrap().to_owned()
        });
        for words in commands(script, &default) {
            self.command(&words, script.parent().unwrap());
        }
    }

    fn command(&mut self, words: &[String], folder: &Path) {
        let option = |name: &str| {
            let place = words.iter().position(|word| word == name).unwrap();
            words[place + 1].clone()
        };
        let document = || -> Value {
            let file = option("--policy-document");
            let file = folder.join(file.strip_prefix("file://").unwrap());
            serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
        };
        let (verb, rest) = words[1].split_once('-').unwrap();
        let kind = LISTS
            .iter()
            .find(|(kind, ..)| rest == format!("{kind}-policy"));
        match (kind, words[1].as_str()) {
            (Some((kind, entities, inline)), _) => {
                let name = option(&format!("--{kind}-name"));
                let is_it = |entry: &&mut Value| {
                    let arn = entry["Arn"].as_str().unwrap();
                    arn.rsplit('/').next() == Some(&*name)
                };
                let entry = list(&mut self.0, entities).iter_mut().find(is_it).unwrap();
                let is_attachment = ["attach", "detach"].contains(&verb);
                let (member, key, value) = match is_attachment {
                    true => (
                        "AttachedManagedPolicies",
                        "PolicyArn",
                        option("--policy-arn"),
                    ),
                    false => (*inline, "PolicyName", option("--policy-name")),
                };
                let all = list(entry, member);
                let before = all.len();
                all.retain(|one| one[key] != value);
                match verb {
                    "attach" => {
                        assert_eq!(all.len(), before, "attached twice");
                        let last = value.rsplit('/').next();
                        all.push(json!({"PolicyArn": value, "PolicyName": last}));
                    }
                    "put" => all.push(json!({"PolicyName": value, "PolicyDocument": document()})),
                    _ => assert_eq!(all.len() + 1, before, "was not there"),
                }
            }
            (None, "create-policy") => {
                let name = option("--policy-name");
                let arn = format!("arn:aws:iam::{ACCOUNT}:policy/{name}");
                let created = policy(&arn, &[("v1", document())], 0);
                list(&mut self.0, "Policies").push(created);
            }
            (None, "delete-policy") => {
                let arn = option("--policy-arn");
                list(&mut self.0, "Policies").retain(|one| one["Arn"] != arn);
            }
            (None, "get-policy") => {}
            (None, name) => {
                let arn = option("--policy-arn");
                let mut all = list(&mut self.0, "Policies").iter_mut();
                let of = all.find(|one| one["Arn"] == arn).unwrap();
                match name {
                    "create-policy-version" => {
                        let versions = list(of, "PolicyVersionList");
                        let number = |one: &Value| -> u32 {
                            one["VersionId"].as_str().unwrap()[1..].parse().unwrap()
                        };
                        let next = format!("v{}", versions.iter().map(number).max().unwrap() + 1);
                        versions.push(json!({"VersionId": next, "Document": document()}));
                        assert!(versions.len() <= 5, "a sixth version");
                        of["DefaultVersionId"] = json!(next);
                    }
                    "set-default-policy-version" => {
                        of["DefaultVersionId"] = json!(option("--version-id"));
                    }
                    "delete-policy-version" => {
                        let version = option("--version-id");
                        assert_ne!(of["DefaultVersionId"], version);
                        list(of, "PolicyVersionList").retain(|one| one["VersionId"] != version);
                    }
                    other => panic!("no step is {other}"),
                }
            }
        }
    }

    /// Who has what, in whatever order.
    fn state(&self) -> BTreeMap<String, Vec<String>> {
        let mut state: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (_, entities, inline) in LISTS {
            for entry in self.0[entities].as_array().unwrap() {
                let of = state.entry(entry["Arn"].to_string()).or_default();
                let attached = entry["AttachedManagedPolicies"].as_array().unwrap().iter();
                of.extend(attached.map(|one| one["PolicyArn"].to_string()));
                let put = entry[inline].as_array().unwrap().iter();
                of.extend(
                    put.map(|one| format!("{} {}", one["PolicyName"], one["PolicyDocument"])),
                );
                of.sort();
            }
        }
        for one in self.0["Policies"].as_array().unwrap() {
            let of = state.entry(one["Arn"].to_string()).or_default();
            let default = &one["DefaultVersionId"];
            let versions = one["PolicyVersionList"].as_array().unwrap().iter();
            of.extend(versions.map(|version| {
                let is_default = version["VersionId"] == *default;
                format!(
                    "{} {} {is_default}",
                    version["VersionId"], version["Document"]
                )
            }));
            of.sort();
        }
        state
    }
}

/// What a change leaves behind is what the steps make, and their inverse leads back to the snapshot; the Terraform is
/// HCL with so many resources.
#[track_caller]
fn steps_lead_there_and_back(world: &World, folder: &str, resources: usize) -> Value {
    let change = world.json_file(&format!("{folder}/change.json"));
    let script = |name: &str| world.path("to").join(folder).join(name);
    let mut live = Live(world.details[0].clone());
    let before = live.state();
    live.run(&script("apply.sh"));
    assert_ne!(live.state(), before);
    for (_, entities, inline) in LISTS {
        for (arn, entry) in change[entities].as_object().unwrap() {
            let mut of: Vec<String> = Vec::new();
            let attached = entry["AttachedManagedPolicies"].as_array().unwrap().iter();
            of.extend(attached.map(|one| one["PolicyArn"].to_string()));
            let put = entry[inline].as_array().unwrap().iter();
            of.extend(put.map(|one| format!("{} {}", one["PolicyName"], one["PolicyDocument"])));
            of.sort();
            assert_eq!(live.state()[&json!(arn).to_string()], of, "{arn}");
        }
    }
    for (arn, entry) in change["Policies"].as_object().unwrap() {
        let version = &entry["PolicyVersionList"][0];
        let expect = format!("{} {} true", version["VersionId"], version["Document"]);
        assert!(
            live.state()[&json!(arn).to_string()].contains(&expect),
            "{arn}"
        );
    }
    world.is_clean(folder);
    live.run(&script("rollback.sh"));
    assert_eq!(live.state(), before);
    let parsed = parsed_hcl(&script("policies.tf"));
    let found = parsed.get("resource").and_then(Value::as_array);
    assert_eq!(found.map_or(0, Vec::len), resources, "{parsed}");
    change
}

/// What is said of a policy that has no proposal.
#[track_caller]
fn why_none(world: &World, more: &[&str], status: i32) -> Value {
    let json = [&EDIT[..], &["--format", "json"], more].concat();
    let report = world.rightsize(&json).expect_status(status).json();
    let of = format!("shared policy {SHARED}");
    let none = report["no_proposal"].as_array().unwrap().iter();
    let mut found = none.filter(|none| none["of"] == of);
    let found = found.next().unwrap_or_else(|| panic!("{report:#}"));
    for proposal in report["proposals"].as_array().unwrap() {
        assert_ne!(proposal["shared_policy"]["policy"], SHARED);
    }
    found.clone()
}

fn user(name: &str, groups: &[&str], inline: Value) -> Value {
    json!({
        "Path": "/", "UserName": name, "UserId": format!("AIDAEXAMPLEUSER{:0>6}", name.to_uppercase()),
        "Arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"), "CreateDate": "2024-01-01T00:00:00Z",
        "GroupList": groups, "AttachedManagedPolicies": [], "Tags": [], "UserPolicyList": inline,
    })
}

fn call_of_user(world: &mut World, name: &str, (day, event): (u32, &str), parameters: Value) {
    let identity = json!({
        "type": "IAMUser", "principalId": format!("AIDAEXAMPLEUSER{:0>6}", name.to_uppercase()),
        "arn": format!("arn:aws:iam::{ACCOUNT}:user/{name}"), "accountId": ACCOUNT,
        "accessKeyId": "AKIAEXAMPLEKEYOFUSER", "userName": name,
    });
    world.record(
        (day, "sagemaker.amazonaws.com", event),
        identity,
        parameters,
    );
}

const OTHER_ROLE: &str = "arn:aws:iam::111122223333:role/other";

/// Two roles have one policy; each uses something else of it, and one of them has something of it twice.
fn two_roles() -> World {
    let own = allow("Own", &["sagemaker:ListTrainingJobs", "sagemaker:ListApps"]);
    let shared = document(&[
        allow(
            "Team",
            &["sagemaker:ListApps", "sagemaker:ListModels", "iam:GetRole"],
        ),
        allow("Old", &["iam:CreateUser"]),
    ]);
    let mut world = World::new(
        vec![
            role("build", inline("Inline", &[own]), &[SHARED]),
            role("other", json!([]), &[SHARED]),
        ],
        vec![policy(SHARED, &[("v1", shared)], 2)],
    );
    world.days("build");
    for day in [2, 9] {
        world.call("build", (day, "ListApps"), json!(null));
        world.call("other", (day, "ListModels"), json!(null));
    }
    world
}

#[test]
fn a_policy_of_two_roles_is_edited_for_both() {
    let world = two_roles();
    let to = world.path("to");
    let ran = world
        .rightsize(&[&EDIT[..], &["--to", text(&to)]].concat())
        .expect_status(0);
    let folder = format!("{ACCOUNT}/policy-Shared");
    let team = json!({"Sid": "Team", "Effect": "Allow", "Resource": "*",
                      "Action": ["sagemaker:ListApps", "sagemaker:ListModels"]});
    assert_eq!(
        world.json_file(&format!("{folder}/policy-1.json")),
        document(&[team])
    );
    let change = steps_lead_there_and_back(&world, &folder, 1);
    let changed: Vec<&String> = change["Policies"].as_object().unwrap().keys().collect();
    assert_eq!(changed, [SHARED]);
    assert_eq!(change["RoleDetailList"], json!({}));
    let certificate = world.file(&format!("{folder}/certificate.md"));
    for words in [
        "Of its 4 calls in the last fifth of the window (from 2026-11-09T00:00:00Z), a proposal built on the first four fifths would have denied 0.",
        "arn:aws:iam::111122223333:role/build, arn:aws:iam::111122223333:role/other",
        "14 calls that got through, 0 newly denied, 0 newly undetermined, 0 newly allowed.",
    ] {
        assert!(certificate.contains(words), "{words} in {certificate}");
    }
    // What the role has of its own counts on the shared one, and that one on nothing: they can be applied together.
    let own = world.json_file(&format!("{ACCOUNT}/role-build/policy-1.json"));
    assert_eq!(own["Statement"][0]["Action"], "sagemaker:ListTrainingJobs");
    let together = "All that are not refused, tried together: 0 newly denied, 0 newly undetermined, 0 newly allowed.";
    assert!(ran.stdout.contains(together), "{}", ran.stdout);
    assert!(world.file("summary.md").contains(together));
    let alone = format!("{OTHER_ROLE}: no policies of its own alone");
    assert!(ran.stdout.contains(&alone), "{}", ran.stdout);
}

#[test]
fn a_policy_is_edited_where_all_who_have_it_are_asked_for() {
    let world = two_roles();
    let none = why_none(&world, &["--principal", BUILD], 0);
    assert_eq!(none["why"], "holders_not_chosen");
    assert_eq!(none["who"], json!([OTHER_ROLE]));
    let both = ["--principal", BUILD, "--principal", OTHER_ROLE];
    let ran = world
        .rightsize(&[&EDIT[..], &both].concat())
        .expect_status(0);
    assert!(
        ran.stdout.contains(&format!("\nshared policy {SHARED}\n")),
        "{}",
        ran.stdout
    );
}

#[test]
fn a_policy_that_is_a_boundary_too_is_refused() {
    let mut world = two_roles();
    let bounded = |entry: &mut Value| {
        entry["PermissionsBoundary"] =
            json!({"PermissionsBoundaryArn": SHARED, "PermissionsBoundaryType": "Policy"});
    };
    let list = world.details[0]["RoleDetailList"].as_array_mut().unwrap();
    list.push(role("bounded", json!([]), &[]));
    list.push(role(&format!("{SET}_0a"), json!([]), &[]));
    list[2..].iter_mut().for_each(bounded);
    let none = why_none(&world, &["--fail-on", "refused"], 1);
    assert_eq!(none["why"], "is_boundary");
    assert_eq!(none["refused"], true);
    let who = json!([
        "arn:aws:iam::111122223333:role/bounded",
        "permission set Data"
    ]);
    assert_eq!(none["who"], who);
    let to = world.path("to");
    let ran = world
        .rightsize(&[&EDIT[..], &["--to", text(&to)]].concat())
        .expect_status(0);
    assert!(ran.stdout.contains("; 1 refused"), "{}", ran.stdout);
    let words = format!(
        "shared policy {SHARED}: refused: it is also the permissions boundary of \
         arn:aws:iam::111122223333:role/bounded, permission set Data"
    );
    assert!(ran.stdout.contains(&words), "{}", ran.stdout);
    assert!(world.file("summary.md").contains(&words));
    assert!(!to.join(ACCOUNT).join("policy-Shared").exists());
}

/// AWS's own counts say more than the snapshot.
#[test]
fn who_is_not_shown_has_needs_that_nobody_knows() {
    let mut world = two_roles();
    world.details[0]["Policies"][0]["AttachmentCount"] = json!(3);
    let none = why_none(&world, &["--fail-on", "refused"], 0);
    assert_eq!(none["why"], "holders_not_shown");
    let mut world = two_roles();
    world.details[0]["Policies"][0]["PermissionsBoundaryUsageCount"] = json!(1);
    let none = why_none(&world, &["--fail-on", "refused"], 1);
    assert_eq!(none["why"], "is_boundary");
    assert_eq!(none["who"], json!([]));
    let ran = world.rightsize(&EDIT).expect_status(0);
    let words =
        "refused: it is also the permissions boundary of 1 principal more than the snapshot shows";
    assert!(ran.stdout.contains(words), "{}", ran.stdout);
}

/// A group with an inline policy of a name that is a path, a customer managed policy and one of AWS's; two users,
/// one of them with nothing else.
fn group_of_two() -> World {
    let mut world = World::new(vec![role("build", json!([]), &[])], vec![]);
    let attached =
        [SHARED, OF_AWS].map(|arn| json!({"PolicyArn": arn, "PolicyName": arn.rsplit('/').next()}));
    let of_group = [
        allow(
            "Describe",
            &["sagemaker:DescribeTrainingJob", "iam:GetUser"],
        ),
        allow("Old", &["iam:CreateUser"]),
    ];
    let shared = document(&[allow(
        "Team",
        &["sagemaker:ListApps", "sagemaker:ListModels", "iam:GetRole"],
    )]);
    let details = &mut world.details[0];
    details["GroupDetailList"] = json!([{
        "Path": "/team/", "GroupName": "devs", "GroupId": "AGPAEXAMPLEGROUPDEVS0", "Arn": GROUP,
        "CreateDate": "2024-01-01T00:00:00Z", "AttachedManagedPolicies": attached,
        "GroupPolicyList": inline("../../x", &of_group),
    }]);
    details["Policies"] = json!([policy(SHARED, &[("v1", shared)], 1)]);
    let own = inline(
        "Own",
        &[allow(
            "Own",
            &["sagemaker:ListTrainingJobs", "iam:ListUsers"],
        )],
    );
    details["UserDetailList"] = json!([
        user("ana", &["devs"], own),
        user("bob", &["devs"], json!([]))
    ]);
    for day in 1..=10 {
        call_of_user(&mut world, "ana", (day, "ListTrainingJobs"), json!(null));
    }
    for day in [3, 9] {
        let job = json!({"trainingJobName": "churn-20261102"});
        call_of_user(&mut world, "ana", (day, "DescribeTrainingJob"), job);
        call_of_user(&mut world, "ana", (day, "ListApps"), json!(null));
        call_of_user(&mut world, "bob", (day, "ListModels"), json!(null));
        call_of_user(&mut world, "bob", (day, "ListEndpoints"), json!(null));
    }
    world
}

#[test]
fn the_policies_of_a_group_are_edited_for_its_members() {
    let world = group_of_two();
    let to = world.path("to");
    let ran = world
        .rightsize(&[&EDIT[..], &["--to", text(&to)]].concat())
        .expect_status(0);
    let together = "tried together: 0 newly denied, 0 newly undetermined, 0 newly allowed.";
    assert!(ran.stdout.contains(together), "{}", ran.stdout);
    let bob = "arn:aws:iam::111122223333:user/bob: no policies of its own alone: each of them is edited for all who have it";
    assert!(ran.stdout.contains(bob), "{}", ran.stdout);
    // What AWS's policy of the group allows, too, ana does not need of her own; the group's copy keeps it for her.
    let change = world.json_file(&format!("{ACCOUNT}/user-ana/change.json"));
    let ana = &change["UserDetailList"]["arn:aws:iam::111122223333:user/ana"];
    assert_eq!(ana["UserPolicyList"], json!([]));
    assert_eq!(change["GroupDetailList"], json!({}));
    let folder = format!("{ACCOUNT}/group-devs-.._.._x");
    let job = "arn:aws:sagemaker:eu-west-1:111122223333:training-job/churn-*";
    let describe = json!({"Sid": "Describe", "Effect": "Allow", "Resource": job,
                          "Action": "sagemaker:DescribeTrainingJob"});
    assert_eq!(
        world.json_file(&format!("{folder}/policy-1.json")),
        document(&[describe])
    );
    let change = steps_lead_there_and_back(&world, &folder, 1);
    assert_eq!(change["UserDetailList"], json!({}));
    let folder = format!("{ACCOUNT}/policy-Shared");
    let team = json!({"Sid": "Team", "Effect": "Allow", "Resource": "*",
                      "Action": ["sagemaker:ListApps", "sagemaker:ListModels"]});
    assert_eq!(
        world.json_file(&format!("{folder}/policy-1.json")),
        document(&[team])
    );
    steps_lead_there_and_back(&world, &folder, 1);
    // AWS's own is replaced by a copy that the group has.
    let folder = format!("{ACCOUNT}/group-devs-AmazonSageMakerReadOnly");
    let copy = world.file(&format!("{folder}/policy-1.json"));
    assert!(copy.contains("sagemaker:ListEndpoints\""), "{copy}");
    assert!(copy.contains("sagemaker:ListTrainingJobs\""), "{copy}");
    assert!(!copy.contains("sagemaker:DescribeEndpoint\""), "{copy}");
    steps_lead_there_and_back(&world, &folder, 2);
    // A new policy leaves groups as they are.
    let ran = world.rightsize(&[]).expect_status(0);
    assert!(!ran.stdout.contains("shared polic"), "{}", ran.stdout);
    assert!(
        ran.stdout.contains("user/bob: no policies of its own\n"),
        "{}",
        ran.stdout
    );
}

/// Nothing of a policy is needed: everybody is detached from it.
#[test]
fn a_policy_that_nobody_needs_is_detached_from_all() {
    let mut world = group_of_two();
    world.records.retain(|record| {
        !["ListApps", "ListModels"].contains(&record["eventName"].as_str().unwrap())
    });
    let attached = json!([{"PolicyArn": SHARED, "PolicyName": "Shared"}]);
    world.details[0]["RoleDetailList"][0]["AttachedManagedPolicies"] = attached;
    world.details[0]["Policies"][0]["AttachmentCount"] = json!(2);
    let to = world.path("to");
    world
        .rightsize(&[&EDIT[..], &["--to", text(&to)]].concat())
        .expect_status(0);
    let folder = format!("{ACCOUNT}/policy-Shared");
    let change = steps_lead_there_and_back(&world, &folder, 0);
    assert_eq!(
        change["RoleDetailList"][BUILD]["AttachedManagedPolicies"],
        json!([])
    );
    let of_group = &change["GroupDetailList"][GROUP]["AttachedManagedPolicies"];
    assert_eq!(of_group.as_array().unwrap().len(), 1);
    assert!(!to.join(&folder).join("policy-1.json").exists());
}

/// The roles of permission sets have policies of their account: they are among those it is edited for.
#[test]
fn roles_of_permission_sets_are_among_those_who_have_a_policy() {
    let mut world = two_roles();
    let of_set = role(&format!("{SET}_0a"), json!([]), &[SHARED]);
    let list = world.details[0]["RoleDetailList"].as_array_mut().unwrap();
    list[0] = role(
        "build",
        inline("Inline", &[allow("Own", &["sagemaker:ListTrainingJobs"])]),
        &[],
    );
    list.push(of_set);
    world
        .records
        .retain(|record| record["eventName"] != "ListApps");
    world.call("AWSReservedSSO_Data_0a", (4, "ListApps"), json!(null));
    let to = world.path("to");
    world
        .rightsize(&[&EDIT[..], &["--to", text(&to)]].concat())
        .expect_status(0);
    let folder = format!("{ACCOUNT}/policy-Shared");
    let edited = world.json_file(&format!("{folder}/policy-1.json"));
    let both = json!(["sagemaker:ListApps", "sagemaker:ListModels"]);
    assert_eq!(edited["Statement"][0]["Action"], both);
    steps_lead_there_and_back(&world, &folder, 1);
    let certificate = world.file(&format!("{folder}/certificate.md"));
    assert!(
        certificate.contains("3 calls that got through, 0 newly denied"),
        "{certificate}"
    );
    // The set's own proposal is one inline policy of the set, as always.
    assert!(to.join("permission-sets/set-Data/policy-1.json").exists());
    // Without any use it would have to be detached from the set's role, and that is the set's affair.
    let mut unused = two_roles();
    unused.details = world.details.clone();
    unused
        .records
        .retain(|record| record["eventName"] == "ListTrainingJobs");
    assert_eq!(why_none(&unused, &[], 0)["why"], "attached_by_set");
}
