//! `retrial rightsize` where it edits, proposes for permission sets, looks for conditions, refuses, and prints JSON.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};

use crate::rightsize::{Account, Managed, parsed_hcl};
use crate::support::{Ran, analyze, retrial, text, write};

pub(crate) const ACCOUNT: &str = "111122223333";
pub(crate) const OTHER: &str = "444455556666";
pub(crate) const BUILD: &str = "arn:aws:iam::111122223333:role/build";
const OWN: &str = "arn:aws:iam::111122223333:policy/team/Own";
pub(crate) const SHARED: &str = "arn:aws:iam::111122223333:policy/Shared";
pub(crate) const OF_AWS: &str = "arn:aws:iam::aws:policy/AmazonSageMakerReadOnly";

pub(crate) fn allow(sid: &str, actions: &[&str]) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": "*"})
}

pub(crate) fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

pub(crate) fn inline(name: &str, statements: &[Value]) -> Value {
    json!([{"PolicyName": name, "PolicyDocument": document(statements)}])
}

pub(crate) fn role(name: &str, inline: Value, attached: &[&str]) -> Value {
    let (path, name) = name
        .rsplit_once('/')
        .map_or(("/".to_owned(), name), |(path, name)| {
            (format!("/{path}/"), name)
        });
    let account = match name.ends_with("_0b") {
        true => OTHER,
        false => ACCOUNT,
    };
    let id = format!("{:0>17}", name.replace('_', "").to_uppercase());
    let id = format!("AROA{}", &id[id.len() - 17..]);
    let attached: Vec<Value> = attached
        .iter()
        .map(|arn| json!({"PolicyArn": arn, "PolicyName": arn.rsplit('/').next()}))
        .collect();
    json!({
        "Path": path, "RoleName": name, "RoleId": id, "Arn": format!("arn:aws:iam::{account}:role{path}{name}"),
        "CreateDate": "2024-01-01T00:00:00Z", "InstanceProfileList": [], "RolePolicyList": inline,
        "AttachedManagedPolicies": attached, "Tags": [],
        "AssumeRolePolicyDocument": document(&[json!({"Effect": "Allow", "Action": "sts:AssumeRole",
            "Principal": {"AWS": format!("arn:aws:iam::{account}:root")}})]),
    })
}

pub(crate) fn policy(arn: &str, versions: &[(&str, Value)], attachments: u64) -> Value {
    let (default, _) = versions.last().unwrap();
    let list: Vec<Value> = versions
        .iter()
        .map(|(id, document)| {
            json!({"VersionId": id, "IsDefaultVersion": id == default, "Document": document,
                   "CreateDate": "2024-01-01T00:00:00Z"})
        })
        .collect();
    let path = arn.split_once(":policy").unwrap().1;
    let (path, name) = path.rsplit_once('/').unwrap();
    json!({
        "PolicyName": name, "Arn": arn, "Path": format!("{path}/"), "DefaultVersionId": default,
        "PolicyId": format!("ANPAEXAMPLE{:0>10}", name.to_uppercase()), "AttachmentCount": attachments,
        "PermissionsBoundaryUsageCount": 0, "IsAttachable": true, "CreateDate": "2024-01-01T00:00:00Z",
        "UpdateDate": "2024-01-01T00:00:00Z", "PolicyVersionList": list,
    })
}

/// Logs, a snapshot of two accounts and what came of them.
pub(crate) struct World {
    folder: tempfile::TempDir,
    pub(crate) records: Vec<Value>,
    pub(crate) details: [Value; 2],
}

impl World {
    pub(crate) fn new(roles: Vec<Value>, policies: Vec<Value>) -> World {
        let ana = json!({
            "Path": "/", "UserName": "ana", "UserId": "AIDAEXAMPLEUSERANA000",
            "Arn": "arn:aws:iam::111122223333:user/ana", "CreateDate": "2024-01-01T00:00:00Z", "GroupList": [],
            "AttachedManagedPolicies": [], "Tags": [],
            "UserPolicyList": inline("Assume", &[allow("Assume", &["sts:AssumeRole"])]),
        });
        let of = |account: &str| {
            let here = |value: &&Value| {
                let arn = value["Arn"].as_str().unwrap();
                arn.contains(account) || arn.contains(":aws:policy/")
            };
            let roles: Vec<&Value> = roles.iter().filter(here).collect();
            let policies: Vec<&Value> = policies.iter().filter(here).collect();
            let users = if account == ACCOUNT {
                vec![&ana]
            } else {
                vec![]
            };
            json!({"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": roles, "Policies": policies})
        };
        World {
            folder: tempfile::tempdir().unwrap(),
            records: Vec::new(),
            details: [of(ACCOUNT), of(OTHER)],
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A call on a day of November, in Ireland.
    pub(crate) fn call(
        &mut self,
        role: &str,
        (day, name): (u32, &str),
        parameters: Value,
    ) -> &mut Value {
        self.call_with("ASIAEXAMPLEKEYOFROLE", role, (day, name), parameters)
    }

    fn call_with(
        &mut self,
        key: &str,
        role: &str,
        (day, name): (u32, &str),
        parameters: Value,
    ) -> &mut Value {
        let details = self
            .details
            .iter()
            .flat_map(|details| details["RoleDetailList"].as_array().unwrap());
        let entry = details
            .into_iter()
            .find(|entry| entry["RoleName"] == role)
            .unwrap();
        let account = entry["Arn"]
            .as_str()
            .unwrap()
            .split(':')
            .nth(4)
            .unwrap()
            .to_owned();
        let id = entry["RoleId"].as_str().unwrap().to_owned();
        let identity = json!({
            "type": "AssumedRole", "principalId": format!("{id}:s1"),
            "arn": format!("arn:aws:sts::{account}:assumed-role/{role}/s1"), "accountId": account,
            "accessKeyId": key,
            "sessionContext": {
                "sessionIssuer": {"type": "Role", "principalId": id, "arn": entry["Arn"], "accountId": account,
                                  "userName": role},
                "attributes": {"creationDate": "2026-11-01T09:00:00Z", "mfaAuthenticated": "false"}},
        });
        self.record((day, "sagemaker.amazonaws.com", name), identity, parameters)
    }

    pub(crate) fn record(
        &mut self,
        (day, source, name): (u32, &str, &str),
        identity: Value,
        parameters: Value,
    ) -> &mut Value {
        let number = self.records.len();
        let account = identity["accountId"].clone();
        self.records.push(json!({
            "eventVersion": "1.11", "userIdentity": identity, "eventTime": format!("2026-11-{day:02}T09:30:00Z"),
            "eventSource": source, "eventName": name, "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.7",
            "userAgent": "aws-cli/2.31.0", "requestParameters": parameters, "responseElements": null,
            "requestID": format!("5f0d7c52-1111-2222-3333-{number:012}"),
            "eventID": format!("00000000-0000-4000-8000-{number:012}"), "readOnly": true, "eventType": "AwsApiCall",
            "managementEvent": true, "recipientAccountId": account, "eventCategory": "Management",
        }));
        self.records.last_mut().unwrap()
    }

    /// Ten days of calls that every world has, so that its window is one.
    pub(crate) fn days(&mut self, role: &str) {
        for day in 1..=10 {
            self.call(role, (day, "ListTrainingJobs"), json!(null));
        }
    }

    fn analyzed(&self) -> (PathBuf, PathBuf) {
        let (logs, iam, out) = (self.path("logs"), self.path("iam"), self.path("out"));
        write(
            &logs,
            "log.json",
            json!({"Records": self.records}).to_string().as_bytes(),
        );
        for (account, details) in [ACCOUNT, OTHER].iter().zip(&self.details) {
            let key = format!("accounts/{account}/authorization-details.json");
            write(&iam, &key, details.to_string().as_bytes());
        }
        analyze(&logs, &iam, &out, &[]);
        (out, iam)
    }

    pub(crate) fn rightsize(&self, more: &[&str]) -> Ran {
        let (out, iam) = match self.path("out").exists() {
            true => (self.path("out"), self.path("iam")),
            false => self.analyzed(),
        };
        let mut arguments = vec!["rightsize", "--out", text(&out), "--iam", text(&iam)];
        arguments.extend(["--min-window", "5", "--assume-multi-region"]);
        arguments.extend(more);
        retrial(&arguments)
    }

    pub(crate) fn file(&self, name: &str) -> String {
        let path = self.path("to").join(name);
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }

    pub(crate) fn json_file(&self, name: &str) -> Value {
        serde_json::from_str(&self.file(name)).unwrap()
    }

    /// The change that stands in a folder breaks nothing and opens nothing, as the other command says.
    pub(crate) fn is_clean(&self, folder: &str) {
        let (out, iam) = (self.path("out"), self.path("iam"));
        let change = self.path("to").join(folder).join("change.json");
        let fail_on = "newly-denied,newly-undetermined,newly-allowed";
        let arguments = [
            "what-if",
            "--out",
            text(&out),
            "--iam",
            text(&iam),
            "--change",
            text(&change),
        ];
        retrial(&[&arguments[..], &["--no-table", "--fail-on", fail_on]].concat()).expect_status(0);
    }
}

fn in_ireland(mut statement: Value) -> Value {
    statement["Condition"] = json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}});
    statement
}

/// A role with a policy of each kind, each of them used for something.
fn with_policies_of_each_kind() -> World {
    let unnamed = json!({"Effect": "Allow", "Action": "sagemaker:ListModels", "Resource": "*"});
    let own = json!({
    "Version": "2012-10-17", "Id": "of-the-team",
    "Statement": [
        in_ireland(allow("Jobs", &["sagemaker:StopTrainingJob", "sagemaker:ListTrainingJobs"])),
        allow("Old", &["iam:CreateUser", "iam:DeleteUser"]),
        {"Effect": "Deny", "Action": "sagemaker:DeleteModel", "Resource": "*"},
    ]});
    let was = document(&[allow("Jobs", &["sagemaker:*"])]);
    let versions = ["v2", "v3", "v5", "v9"].map(|id| (id, was.clone()));
    let versions = [&versions[..], &[("v11", own)]].concat();
    let describe = allow("Describe", &["sagemaker:DescribeTrainingJob"]);
    let roles = vec![
        role(
            "build",
            inline("Inline", &[describe, unnamed]),
            &[OWN, SHARED, OF_AWS],
        ),
        role("other", json!([]), &[SHARED]),
    ];
    let shared = document(&[allow("Team", &["sagemaker:ListApps", "iam:GetRole"])]);
    let mut world = World::new(
        roles,
        vec![
            policy(OWN, &versions, 1),
            policy(SHARED, &[("v1", shared)], 2),
        ],
    );
    world.days("build");
    for day in [2, 9] {
        world.call("build", (day, "ListApps"), json!(null));
        world.call("build", (day, "ListEndpoints"), json!(null));
        let job = json!({"trainingJobName": "churn-20261102"});
        world.call("build", (day, "DescribeTrainingJob"), job);
    }
    world
}

pub(crate) const EDIT: [&str; 2] = ["--mode", "edit"];

#[test]
fn an_edit_takes_out_what_nothing_needs_and_keeps_the_rest() {
    let world = with_policies_of_each_kind();
    let to = world.path("to");
    let more = ["--principal", BUILD, "--to", text(&to)];
    let ran = world
        .rightsize(&[&EDIT[..], &more].concat())
        .expect_status(0);
    let folder = format!("{ACCOUNT}/role-build");
    let of = |file: &str| world.json_file(&format!("{folder}/{file}"));
    assert!(ran.stdout.contains("3 policies edited"), "{}", ran.stdout);
    // Inline policies come first; the statement without a name has nothing left.
    let job = "arn:aws:sagemaker:eu-west-1:111122223333:training-job/churn-*";
    let kept = json!({"Sid": "Describe", "Effect": "Allow", "Action": ["sagemaker:DescribeTrainingJob"],
                      "Resource": job});
    assert_eq!(of("policy-1.json"), document(&[kept]));
    let own = json!({
        "Version": "2012-10-17", "Id": "of-the-team",
        "Statement": [
            {"Sid": "Jobs", "Effect": "Allow", "Action": "sagemaker:ListTrainingJobs", "Resource": "*",
             "Condition": {"StringEquals": {"aws:RequestedRegion": "eu-west-1"}}},
            {"Effect": "Deny", "Action": "sagemaker:DeleteModel", "Resource": "*"}]});
    assert_eq!(of("policy-2.json"), own);
    let of_aws = of("policy-3.json").to_string();
    assert!(of_aws.contains("sagemaker:ListEndpoints\""), "{of_aws}");
    assert!(!of_aws.contains("sagemaker:DescribeEndpoint"), "{of_aws}");
    world.is_clean(&folder);
    let summary = world.file("summary.md");
    for words in [
        "| arn:aws:iam::111122223333:role/build\\#Inline | edited | statement 1 | Describe |",
        "| arn:aws:iam::111122223333:policy/team/Own | given a new version | Old | Jobs |",
        "* shared policy arn:aws:iam::111122223333:policy/Shared: not asked for, and have it, too: arn:aws:iam::111122223333:role/other",
        "| arn:aws:iam::aws:policy/AmazonSageMakerReadOnly | replaced by an edited copy: AWS's own policies cannot be edited |",
    ] {
        assert!(summary.contains(words), "{words} in {summary}");
    }
    let certificate = world.file(&format!("{folder}/certificate.md"));
    assert!(certificate.starts_with("Of its "), "{certificate}");
    assert!(certificate.contains(" 0 newly denied, 0 newly undetermined, 0 newly allowed."));
    let left = "* arn:aws:iam::111122223333:policy/Shared is not its alone";
    assert!(certificate.contains(left), "{certificate}");
}

/// The steps of an edit make what was tried, and lead back.
#[test]
fn the_steps_of_an_edit_and_their_inverse() {
    let world = with_policies_of_each_kind();
    let to = world.path("to");
    let more = ["--principal", BUILD, "--to", text(&to)];
    world
        .rightsize(&[&EDIT[..], &more].concat())
        .expect_status(0);
    let folder = format!("{ACCOUNT}/role-build");
    let change = world.json_file(&format!("{folder}/change.json"));
    let mut live = Account::of(&world.details[0], BUILD);
    let policies = world.details[0]["Policies"].as_array().unwrap();
    let own = policies.iter().find(|policy| policy["Arn"] == OWN).unwrap();
    let versions = own["PolicyVersionList"].as_array().unwrap().iter();
    let versions: BTreeMap<String, Value> = versions
        .map(|one| {
            (
                one["VersionId"].as_str().unwrap().to_owned(),
                one["Document"].clone(),
            )
        })
        .collect();
    let managed = Managed {
        versions,
        default: "v11".to_owned(),
    };
    live.managed.insert(OWN.to_owned(), managed.clone());
    let script = |name: &str| to.join(&folder).join(name);
    let before = live.entry.clone();
    live.run(&script("apply.sh"), ACCOUNT);
    let (inline, attached, now) = live.state();
    let role = &change["RoleDetailList"][BUILD];
    let expect: BTreeMap<String, Value> = role["RolePolicyList"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| {
            (
                one["PolicyName"].as_str().unwrap().to_owned(),
                one["PolicyDocument"].clone(),
            )
        })
        .collect();
    assert_eq!(inline, expect);
    let mut expect: Vec<&str> = role["AttachedManagedPolicies"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| policy["PolicyArn"].as_str().unwrap())
        .collect();
    expect.sort_unstable();
    assert_eq!(attached, expect);
    assert_eq!(now[OWN].default, "v12");
    for (arn, policy) in change["Policies"].as_object().unwrap() {
        assert_eq!(
            *now[arn].document(),
            policy["PolicyVersionList"][0]["Document"],
            "{arn}"
        );
    }
    // The oldest version had to give way: its document lies there.
    assert!(!now[OWN].versions.contains_key("v2"));
    let given_way = world.json_file(&format!("{folder}/before-1.json"));
    assert_eq!(given_way, managed.versions["v2"]);
    live.run(&script("rollback.sh"), ACCOUNT);
    let original = Account {
        entry: before,
        managed: BTreeMap::new(),
    };
    let (back, was) = (live.state(), original.state());
    assert_eq!((back.0, back.1), (was.0, was.1));
    assert_eq!(back.2.len(), 1, "a copy was left");
    let mut expect = managed;
    expect.versions.remove("v2");
    assert_eq!(back.2[OWN], expect);
    let parsed = parsed_hcl(&script("policies.tf"));
    assert_eq!(parsed["resource"].as_array().unwrap().len(), 4, "{parsed}");
    assert_eq!(parsed["import"].as_array().unwrap().len(), 2, "{parsed}");
}

/// The role has the same permission from two policies, and a session was given one of these as its session policy:
/// without the permission in it, the session could not have made its call.
fn whose_policy_is_also_that_of_a_session() -> World {
    let own = document(&[
        allow("List", &["sagemaker:ListTrainingJobs"]),
        allow("Models", &["sagemaker:ListModels"]),
    ]);
    let twice = inline("Inline", &[allow("Twice", &["sagemaker:ListTrainingJobs"])]);
    let mut world = World::new(
        vec![role("build", twice, &[OWN])],
        vec![policy(OWN, &[("v1", own)], 1)],
    );
    world.days("build");
    world.call("build", (2, "ListModels"), json!(null));
    let key = "ASIAEXAMPLEKEYOFLESS";
    let ana = json!({"type": "IAMUser", "principalId": "AIDAEXAMPLEUSERANA000", "userName": "ana",
        "arn": "arn:aws:iam::111122223333:user/ana", "accountId": ACCOUNT, "accessKeyId": "AKIAEXAMPLEKEYOFANA0"});
    let parameters = json!({"roleArn": BUILD, "roleSessionName": "s1", "policyArns": [{"arn": OWN}], "durationSeconds": 3600});
    let issued = world.record((3, "sts.amazonaws.com", "AssumeRole"), ana, parameters);
    issued["responseElements"] = json!({
        "credentials": {"accessKeyId": key, "expiration": "Nov 3, 2026, 10:30:00 AM", "sessionToken": "t"},
        "assumedRoleUser": {"assumedRoleId": "AROA0000000000000BUILD:s1",
                            "arn": "arn:aws:sts::111122223333:assumed-role/build/s1"}});
    issued["eventTime"] = json!("2026-11-03T09:20:00Z");
    world.call_with(key, "build", (3, "ListTrainingJobs"), json!(null));
    world
}

#[test]
fn an_edit_that_a_session_would_not_survive_is_refused() {
    let world = whose_policy_is_also_that_of_a_session();
    let to = world.path("to");
    let more = ["--principal", BUILD, "--to", text(&to)];
    let ran = world
        .rightsize(&[&EDIT[..], &more].concat())
        .expect_status(0);
    assert!(ran.stdout.contains("; 1 refused"), "{}", ran.stdout);
    let certificate = world.file("111122223333/role-build/certificate.md");
    let words = "* newly denied: 1 call of sagemaker:ListTrainingJobs on \\*, for some events 00000000-0000-4000-8000-000000000012";
    assert!(
        certificate.contains("**REFUSED.** The policies are not written."),
        "{certificate}"
    );
    assert!(certificate.contains(words), "{certificate}");
    let left: Vec<_> = fs::read_dir(to.join("111122223333/role-build"))
        .unwrap()
        .collect();
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(
        world
            .file("summary.md")
            .contains("**Refused**: its replay breaks 1 call; see the certificate.")
    );
    // Only who asks has another status.
    let failed = [&EDIT[..], &["--fail-on", "refused"]].concat();
    world.rightsize(&failed).expect_status(1);
    let json = world
        .rightsize(&[&failed[..], &["--format", "json"]].concat())
        .expect_status(1)
        .json();
    assert_eq!(json["proposals"][0]["refused"], true);
    // New policies change none that is there.
    world.rightsize(&["--fail-on", "refused"]).expect_status(0);
}

pub(crate) const SET: &str = "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_Data";

/// One permission set in two accounts: each role uses something else, and each account has its own policy of a name.
fn with_a_permission_set() -> World {
    let statements = [
        allow(
            "Jobs",
            &["sagemaker:DescribeTrainingJob", "sagemaker:StopTrainingJob"],
        ),
        allow("Lists", &["sagemaker:ListTrainingJobs", "iam:ListUsers"]),
    ];
    let [one, other] =
        [ACCOUNT, OTHER].map(|account| format!("arn:aws:iam::{account}:policy/Team"));
    let of = |suffix: &str, team: &str| {
        role(
            &format!("{SET}_{suffix}"),
            inline("AwsSSOInlinePolicy", &statements),
            &[OF_AWS, team],
        )
    };
    let team =
        |arn: &str, action: &str| policy(arn, &[("v1", document(&[allow("T", &[action])]))], 1);
    let mut world = World::new(
        vec![of("0a", &one), of("0b", &other)],
        vec![
            team(&one, "sagemaker:ListApps"),
            team(&other, "sagemaker:ListModels"),
        ],
    );
    world.days("AWSReservedSSO_Data_0a");
    for day in 1..=10 {
        let job = json!({"trainingJobName": "churn-20261102"});
        world.call("AWSReservedSSO_Data_0b", (day, "DescribeTrainingJob"), job);
        world.call("AWSReservedSSO_Data_0b", (day, "ListModels"), json!(null));
    }
    world
}

#[test]
fn a_permission_set_has_one_proposal_for_all_its_roles() {
    let world = with_a_permission_set();
    let to = world.path("to");
    // One of its roles stands for all.
    let one = format!("arn:aws:iam::{OTHER}:role/{SET}_0b");
    let ran = world
        .rightsize(&[
            "--principal",
            &one,
            "--drop-unobservable",
            "--to",
            text(&to),
        ])
        .expect_status(0);
    assert!(
        ran.stdout
            .starts_with("1 proposal for 1 users, roles and permission sets"),
        "{}",
        ran.stdout
    );
    assert!(
        ran.stdout.contains("\npermission set Data\n"),
        "{}",
        ran.stdout
    );
    let folder = "permission-sets/set-Data";
    let policy = world.json_file(&format!("{folder}/policy-1.json"));
    let mut granted: Vec<(String, String)> = Vec::new();
    for statement in policy["Statement"].as_array().unwrap() {
        let texts = |value: &Value| match value {
            Value::String(text) => vec![text.clone()],
            list => serde_json::from_value(list.clone()).unwrap(),
        };
        for action in texts(&statement["Action"]) {
            let on = texts(&statement["Resource"]);
            granted.extend(on.into_iter().map(|resource| (action.clone(), resource)));
        }
    }
    granted.sort();
    // The account that used it, and no other one. What each account's own policy allows stays with it.
    let job = "arn:aws:sagemaker:eu-west-1:444455556666:training-job/churn-*";
    let expect = [
        ("sagemaker:DescribeTrainingJob", job),
        ("sagemaker:ListTrainingJobs", "*"),
    ];
    let expect = expect.map(|(action, on)| (action.to_owned(), on.to_owned()));
    assert_eq!(granted, expect);
    world.is_clean(folder);
    let change = world.json_file(&format!("{folder}/change.json"));
    for (account, suffix) in [(ACCOUNT, "0a"), (OTHER, "0b")] {
        let role = &change["RoleDetailList"][format!("arn:aws:iam::{account}:role/{SET}_{suffix}")];
        assert_eq!(
            role["RolePolicyList"][0]["PolicyName"],
            "AwsSSOInlinePolicy"
        );
        assert_eq!(role["RolePolicyList"][0]["PolicyDocument"], policy);
        let attached = role["AttachedManagedPolicies"].as_array().unwrap();
        assert_eq!(attached.len(), 1);
        assert_eq!(
            attached[0]["PolicyArn"],
            format!("arn:aws:iam::{account}:policy/Team")
        );
    }
    let set = "--instance-arn \"$INSTANCE_ARN\" --permission-set-arn \"$PERMISSION_SET_ARN\"";
    let provision = format!(
        "aws sso-admin provision-permission-set {set} --target-type ALL_PROVISIONED_ACCOUNTS\n"
    );
    let steps = |name: &str| {
        let script = world.file(&format!("{folder}/{name}"));
        let place = script.find("aws sso-admin").unwrap();
        script[place..].to_owned()
    };
    assert_eq!(
        steps("apply.sh"),
        format!(
            "aws sso-admin put-inline-policy-to-permission-set {set} --inline-policy file://policy-1.json\n\
             aws sso-admin detach-managed-policy-from-permission-set {set} --managed-policy-arn {OF_AWS}\n{provision}"
        )
    );
    assert_eq!(
        steps("rollback.sh"),
        format!(
            "aws sso-admin attach-managed-policy-to-permission-set {set} --managed-policy-arn {OF_AWS}\n\
             aws sso-admin put-inline-policy-to-permission-set {set} --inline-policy file://before-1.json\n{provision}"
        )
    );
    let before = world.json_file(&format!("{folder}/before-1.json"));
    let entry = &world.details[0]["RoleDetailList"][0];
    assert_eq!(before, entry["RolePolicyList"][0]["PolicyDocument"]);
    // Without the two names nothing is done.
    let script = to.join(folder).join("apply.sh");
    let status = Command::new("sh")
        .arg(&script)
        .env_clear()
        .current_dir(&to)
        .output()
        .unwrap();
    assert!(!status.status.success());
    assert!(String::from_utf8_lossy(&status.stderr).contains("INSTANCE_ARN"));
    let certificate = world.file(&format!("{folder}/certificate.md"));
    assert!(
        certificate.contains("policy/Team is not the same in all accounts"),
        "{certificate}"
    );
}

#[test]
fn conditions_are_found_where_they_held_to_the_end() {
    let statement = allow(
        "Lists",
        &[
            "sagemaker:ListTrainingJobs",
            "sagemaker:ListModels",
            "iam:ListUsers",
        ],
    );
    let mut world = World::new(
        vec![role("build", inline("Inline", &[statement]), &[])],
        vec![],
    );
    world.days("build");
    for day in [2, 3] {
        world.call("build", (day, "ListModels"), json!(null));
    }
    // The last fifth has a call from elsewhere.
    world.call("build", (9, "ListModels"), json!(null))["awsRegion"] = json!("us-east-1");
    let proposal = |world: &World, more: &[&str]| {
        let more = [&["--principal", BUILD, "--format", "json"], more].concat();
        let ran = world.rightsize(&more).expect_status(0);
        ran.json()["proposals"][0].clone()
    };
    let without = proposal(&world, &[]);
    assert!(
        !without.to_string().contains("RequestedRegion"),
        "{without}"
    );
    let with = proposal(&world, &["--mine-conditions"]);
    assert_eq!(with["refused"], false);
    let statements = with["documents"][0]["document"]["Statement"]
        .as_array()
        .unwrap();
    let condition_of = |action: &str| {
        let mut found = statements.iter().filter(|one| one["Action"] == action);
        let condition = found.next().unwrap().get("Condition").cloned();
        assert!(found.next().is_none());
        condition
    };
    let in_ireland = json!({"StringEquals": {"aws:RequestedRegion": "eu-west-1"}});
    assert_eq!(condition_of("sagemaker:ListTrainingJobs"), Some(in_ireland));
    assert_eq!(condition_of("sagemaker:ListModels"), None);
    let found: Vec<&Value> = with["documents"][0]["statements"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|statement| statement["found_conditions"].as_array().unwrap())
        .collect();
    let expect = json!({"key": "aws:RequestedRegion", "values": ["eu-west-1"], "requests_before": 8,
                        "requests_in_last_fifth": 2});
    assert_eq!(found, [&expect]);
    let refused = world
        .rightsize(&[&EDIT[..], &["--mine-conditions"]].concat())
        .expect_status(2);
    assert!(
        refused.stderr.contains("an edit keeps the conditions"),
        "{}",
        refused.stderr
    );
}

/// The names of an object's members, all of them.
#[track_caller]
fn members(value: &Value, expect: &[&str]) {
    let found: Vec<&str> = value
        .as_object()
        .unwrap()
        .keys()
        .map(String::as_str)
        .collect();
    let mut expect = expect.to_vec();
    expect.sort_unstable();
    assert_eq!(found, expect);
}

#[test]
fn json_is_one_object_with_these_members() {
    let world = with_policies_of_each_kind();
    for mode in ["new", "edit"] {
        let ran = world
            .rightsize(&["--mode", mode, "--format", "json"])
            .expect_status(0);
        let report = ran.json();
        members(
            &report,
            &[
                "snapshot_id",
                "snapshot_taken_at",
                "inputs_digest",
                "versions",
                "window",
                "mode",
                "min_window_days",
                "drop_unobservable",
                "mine_conditions",
                "proposals",
                "together",
                "no_proposal",
                "skipped",
            ],
        );
        assert_eq!(report["mode"], mode);
        members(&report["versions"], &["evaluator", "mapping", "catalogue"]);
        assert_eq!(
            report["window"],
            json!({"begin": "2026-11-01T00:00:00Z", "split": "2026-11-09T00:00:00Z", "end": "2026-11-11T00:00:00Z"})
        );
        for none in report["no_proposal"].as_array().unwrap() {
            members(none, &["of", "why", "refused", "who"]);
        }
        let proposals = report["proposals"].as_array().unwrap();
        assert!(!proposals.is_empty());
        assert_eq!(report["together"].is_null(), mode == "new");
        if mode == "edit" {
            members(&report["together"], &REPLAY);
        }
        for proposal in proposals {
            check_proposal(proposal, mode == "edit");
        }
    }
}

const REPLAY: [&str; 6] = [
    "newly_denied",
    "newly_undetermined",
    "newly_allowed",
    "other",
    "not_listed",
    "groups",
];

fn check_proposal(proposal: &Value, is_edit: bool) {
    members(
        proposal,
        &[
            "principal_arns",
            "permission_set",
            "shared_policy",
            "folder",
            "refused",
            "calls",
            "denied_today",
            "last_fifth",
            "replay",
            "actions_on_fewer_resources",
            "replaced",
            "left",
            "dropped",
            "documents",
        ],
    );
    members(
        &proposal["last_fifth"],
        &["calls", "denied", "undetermined"],
    );
    members(&proposal["replay"], &REPLAY);
    let shared = &proposal["shared_policy"];
    if !shared.is_null() {
        members(shared, &["policy", "group", "attached_to"]);
        assert!(is_edit);
    }
    for left in proposal["left"].as_array().unwrap() {
        members(left, &["policy", "why"]);
    }
    for dropped in proposal["dropped"].as_array().unwrap() {
        members(dropped, &["statement", "state", "reason", "actions"]);
        members(&dropped["statement"], &["policy", "index", "sid"]);
    }
    for document in proposal["documents"].as_array().unwrap() {
        members(
            document,
            &[
                "to",
                "name",
                "arn",
                "document",
                "file",
                "edit",
                "statements",
            ],
        );
        assert_eq!(document["edit"].is_null(), !is_edit);
        if is_edit {
            members(&document["edit"], &["policy", "how", "gone", "narrowed"]);
        }
        for statement in document["statements"].as_array().unwrap() {
            members(
                statement,
                &[
                    "sid",
                    "reason",
                    "evidence",
                    "kept",
                    "found_conditions",
                    "made_of",
                ],
            );
            members(
                &statement["evidence"],
                &["requests", "jobs", "first_time", "last_time", "event_id"],
            );
        }
    }
}

/// A document of before 2012 has no variables: its resources stay as they are, and its actions go.
#[test]
fn a_document_of_an_older_version_keeps_its_resources() {
    let mut old = document(&[allow(
        "Jobs",
        &["sagemaker:DescribeTrainingJob", "iam:ListUsers"],
    )]);
    old["Version"] = json!("2008-10-17");
    old["Statement"][0]["Resource"] = json!(["*"]);
    let list = document(&[allow("List", &["sagemaker:ListTrainingJobs"])]);
    let inline = json!([{"PolicyName": "List", "PolicyDocument": list}, {"PolicyName": "Old", "PolicyDocument": old}]);
    let mut world = World::new(vec![role("build", inline, &[])], vec![]);
    world.days("build");
    let job = json!({"trainingJobName": "churn-20261102"});
    world.call("build", (2, "DescribeTrainingJob"), job);
    let to = world.path("to");
    world
        .rightsize(&[&EDIT[..], &["--principal", BUILD, "--to", text(&to)]].concat())
        .expect_status(0);
    let mut expect = old.clone();
    expect["Statement"][0]["Action"] = json!("sagemaker:DescribeTrainingJob");
    assert_eq!(
        world.json_file("111122223333/role-build/policy-1.json"),
        expect
    );
    world.is_clean("111122223333/role-build");
    fn is_there(path: &Path) -> bool {
        path.exists()
    }
    assert!(!is_there(&to.join("111122223333/role-build/policy-2.json")));
}
