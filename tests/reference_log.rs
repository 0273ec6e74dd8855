//! A log that a twin of the evaluator wrote: each call was let through or denied as the policies of its
//! moment say. Against the last policies, what differs must be exactly what the writes in between explain:
//! nothing is contradicted, and nothing unexplained.
//!
//! The twin is slow and obviously right: policies are lists of statements, and a request is held against
//! each of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use serde_json::{Value, json};

use crate::findings::{findings_json, of_kind};
use crate::support::{analyze, write};

const ACCOUNT: &str = "111122223333";
const USERS: usize = 6;

/// One statement, without conditions.
#[derive(Debug, Clone, PartialEq)]
struct Statement {
    allow: bool,
    action: &'static str,
    resource: String,
}

type Policy = Vec<Statement>;

/// The policies of one moment.
#[derive(Debug, Clone, Default)]
struct Policies {
    inline: BTreeMap<(usize, &'static str), Policy>,
    managed: BTreeMap<&'static str, Policy>,
    attached: BTreeSet<(usize, &'static str)>,
    group: Option<Policy>,
    members: BTreeSet<usize>,
    boundary: BTreeMap<usize, &'static str>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Decision {
    Allowed,
    Denied,
}

fn glob(pattern: &str, text: &str) -> bool {
    match pattern.chars().next() {
        None => text.is_empty(),
        Some('*') => (0..=text.len()).any(|cut| glob(&pattern[1..], &text[cut..])),
        Some(wanted) => text.starts_with(wanted) && glob(&pattern[1..], &text[1..]),
    }
}

fn matching<'p>(
    policies: impl IntoIterator<Item = &'p Policy>,
    action: &str,
    resource: &str,
) -> Vec<bool> {
    let mut effects = Vec::new();
    for statement in policies.into_iter().flatten() {
        if glob(statement.action, action) && glob(&statement.resource, resource) {
            effects.push(statement.allow);
        }
    }
    effects
}

impl Policies {
    fn identity(&self, user: usize) -> Vec<&Policy> {
        let inline = self.inline.iter().filter(|((of, _), _)| *of == user);
        let mut all: Vec<&Policy> = inline.map(|(_, policy)| policy).collect();
        for (of, name) in &self.attached {
            if *of == user {
                all.extend(self.managed.get(name));
            }
        }
        if self.members.contains(&user) {
            all.extend(&self.group);
        }
        all
    }

    fn decide(&self, user: usize, action: &str, resource: &str) -> Decision {
        let identity = matching(self.identity(user), action, resource);
        let boundary = self.boundary.get(&user).map(|name| {
            let policy = self.managed.get(name).unwrap();
            matching([policy], action, resource)
        });
        let denies = identity.contains(&false)
            || boundary
                .as_ref()
                .is_some_and(|effects| effects.contains(&false));
        let allows = identity.contains(&true)
            && boundary
                .as_ref()
                .is_none_or(|effects| effects.contains(&true));
        if allows && !denies {
            Decision::Allowed
        } else {
            Decision::Denied
        }
    }
}

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(self.0 >> 33).unwrap() % limit
    }

    fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }

    fn policy(&mut self) -> Policy {
        let statements = 1 + self.below(3);
        (0..statements)
            .map(|_| Statement {
                allow: self.below(4) > 0,
                action: self.pick(&[
                    "sagemaker:*",
                    "sagemaker:Describe*",
                    "sagemaker:DescribeTrainingJob",
                    "sagemaker:StopTrainingJob",
                    "sagemaker:List*",
                    "sagemaker:DeleteModel",
                    "*",
                ]),
                resource: match self.below(4) {
                    0 => arn("training-job", "red-*"),
                    1 => arn("model", "*"),
                    _ => "*".to_owned(),
                },
            })
            .collect()
    }
}

fn arn(kind: &str, name: &str) -> String {
    format!("arn:aws:sagemaker:eu-west-1:{ACCOUNT}:{kind}/{name}")
}

fn user_arn(user: usize) -> String {
    format!("arn:aws:iam::{ACCOUNT}:user/team/u{user}")
}

fn managed_arn(name: &str) -> String {
    format!("arn:aws:iam::{ACCOUNT}:policy/{name}")
}

fn document(policy: &Policy) -> Value {
    let statements: Vec<Value> = policy
        .iter()
        .map(|one| {
            let effect = if one.allow { "Allow" } else { "Deny" };
            json!({"Effect": effect, "Action": one.action, "Resource": one.resource})
        })
        .collect();
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// The time of a minute of the week, and an event of it.
fn time(minute: usize) -> String {
    let (day, hour) = (2 + minute / 1440, minute / 60 % 24);
    format!("2026-11-{day:02}T{hour:02}:{:02}:00Z", minute % 60)
}

fn event(id: usize, minute: usize, user: &str) -> Value {
    json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser", "principalId": format!("AIDAEXAMPLE{:0>10}", user.to_uppercase()),
            "arn": format!("arn:aws:iam::{ACCOUNT}:user/team/{user}"), "accountId": ACCOUNT,
            "accessKeyId": "AKIAEXAMPLEKEYOFTEAM", "userName": user,
        },
        "eventTime": time(minute), "awsRegion": "eu-west-1", "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.31.0", "responseElements": null,
        "requestID": format!("r{id}"), "eventID": format!("00000000-0000-0000-0000-{id:012}"),
        "eventType": "AwsApiCall", "managementEvent": true, "readOnly": false,
        "recipientAccountId": ACCOUNT, "eventCategory": "Management",
    })
}

/// A call: its event name, its action and resource, and its parameters.
fn call(numbers: &mut Numbers) -> (&'static str, String, Value) {
    let color = numbers.pick(&["red", "blue"]);
    let name = format!("{color}-{}", numbers.below(3));
    match numbers.below(5) {
        0 => ("ListTrainingJobs", "*".to_owned(), Value::Null),
        1 => (
            "StopTrainingJob",
            arn("training-job", &name),
            json!({"trainingJobName": name}),
        ),
        2 => (
            "DeleteModel",
            arn("model", &name),
            json!({"modelName": name}),
        ),
        _ => (
            "DescribeTrainingJob",
            arn("training-job", &name),
            json!({"trainingJobName": name}),
        ),
    }
}

/// Changes something, and gives the record of it.
fn change(policies: &mut Policies, numbers: &mut Numbers) -> Option<(&'static str, Value)> {
    let user = numbers.below(USERS);
    let user_name = format!("u{user}");
    let inline = numbers.pick(&["first", "second"]);
    let managed = numbers.pick(&["Shared", "Other"]);
    Some(match numbers.below(8) {
        0 | 1 => {
            let policy = numbers.policy();
            let text = document(&policy).to_string();
            policies.inline.insert((user, inline), policy);
            (
                "PutUserPolicy",
                json!({"userName": user_name, "policyName": inline, "policyDocument": text}),
            )
        }
        2 => {
            policies.inline.remove(&(user, inline))?;
            (
                "DeleteUserPolicy",
                json!({"userName": user_name, "policyName": inline}),
            )
        }
        3 => {
            let policy = numbers.policy();
            let text = document(&policy).to_string();
            policies.managed.insert(managed, policy);
            let arn = managed_arn(managed);
            (
                "CreatePolicyVersion",
                json!({"policyArn": arn, "policyDocument": text, "setAsDefault": true}),
            )
        }
        4 => {
            let arn = managed_arn(managed);
            let parameters = json!({"userName": user_name, "policyArn": arn});
            if policies.attached.insert((user, managed)) {
                ("AttachUserPolicy", parameters)
            } else {
                policies.attached.remove(&(user, managed));
                ("DetachUserPolicy", parameters)
            }
        }
        5 => {
            let policy = numbers.policy();
            let text = document(&policy).to_string();
            policies.group = Some(policy);
            (
                "PutGroupPolicy",
                json!({"groupName": "team", "policyName": "ours", "policyDocument": text}),
            )
        }
        6 => {
            let parameters = json!({"groupName": "team", "userName": user_name});
            if policies.members.insert(user) {
                ("AddUserToGroup", parameters)
            } else {
                policies.members.remove(&user);
                ("RemoveUserFromGroup", parameters)
            }
        }
        _ => {
            if policies.boundary.remove(&user).is_some() {
                (
                    "DeleteUserPermissionsBoundary",
                    json!({"userName": user_name}),
                )
            } else {
                policies.boundary.insert(user, "Fence");
                let arn = managed_arn("Fence");
                (
                    "PutUserPermissionsBoundary",
                    json!({"userName": user_name, "permissionsBoundary": arn}),
                )
            }
        }
    })
}

/// Nobody recorded the documents' dates but the writes' own records: the snapshot has none.
fn snapshot(policies: &Policies, folder: &Path) -> PathBuf {
    let inline = |user: usize| -> Vec<Value> {
        let of = policies.inline.iter().filter(|((of, _), _)| *of == user);
        of.map(
            |((_, name), policy)| json!({"PolicyName": name, "PolicyDocument": document(policy)}),
        )
        .collect()
    };
    let attached = |user: usize| -> Vec<Value> {
        let of = policies.attached.iter().filter(|(of, _)| *of == user);
        of.map(|(_, name)| json!({"PolicyName": name, "PolicyArn": managed_arn(name)}))
            .collect()
    };
    let users: Vec<Value> = (0..USERS)
        .map(|user| {
            let mut detail = json!({
                "Path": "/team/", "UserName": format!("u{user}"), "Arn": user_arn(user),
                "UserId": format!("AIDAEXAMPLE{:0>10}", format!("U{user}")),
                "CreateDate": "2024-03-01T08:00:00Z", "Tags": [],
                "GroupList": if policies.members.contains(&user) { json!(["team"]) } else { json!([]) },
                "AttachedManagedPolicies": attached(user), "UserPolicyList": inline(user),
            });
            if let Some(name) = policies.boundary.get(&user) {
                detail["PermissionsBoundary"] = json!({
                    "PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": managed_arn(name),
                });
            }
            detail
        })
        .chain([json!({
            "Path": "/team/", "UserName": "carol", "Arn": format!("arn:aws:iam::{ACCOUNT}:user/team/carol"),
            "UserId": "AIDAEXAMPLE00000CAROL", "CreateDate": "2024-03-01T08:00:00Z", "Tags": [],
            "GroupList": [], "AttachedManagedPolicies": [],
            "UserPolicyList": [{"PolicyName": "all", "PolicyDocument": {"Version": "2012-10-17",
                "Statement": {"Effect": "Allow", "Action": "*", "Resource": "*"}}}],
        })])
        .collect();
    let managed: Vec<Value> = policies
        .managed
        .iter()
        .map(|(name, policy)| {
            json!({
                "PolicyName": name, "Arn": managed_arn(name), "DefaultVersionId": "v1",
                "PolicyVersionList": [{"VersionId": "v1", "IsDefaultVersion": true, "Document": document(policy)}],
            })
        })
        .collect();
    let group_policies: Vec<Value> = policies
        .group
        .iter()
        .map(|policy| json!({"PolicyName": "ours", "PolicyDocument": document(policy)}))
        .collect();
    let details = json!({
        "UserDetailList": users, "RoleDetailList": [], "Policies": managed,
        "GroupDetailList": [{
            "Path": "/", "GroupName": "team", "GroupId": "AGPAEXAMPLE0000000TEAM",
            "Arn": format!("arn:aws:iam::{ACCOUNT}:group/team"),
            "GroupPolicyList": group_policies, "AttachedManagedPolicies": [],
        }],
    });
    let layers: Vec<Value> = ["scp", "rcp"]
        .iter()
        .map(|layer| json!({"account": "*", "layer": layer, "status": "complete"}))
        .collect();
    let iam = folder.join("iam");
    let key = format!("accounts/{ACCOUNT}/authorization-details.json");
    write(&iam, &key, details.to_string().as_bytes());
    let statuses = json!({"taken_at": "2026-11-09T00:00:00Z", "layers": layers});
    write(&iam, "snapshot.json", statuses.to_string().as_bytes());
    iam
}

/// Writes the log of a week; gives the last policies and each call with what it was answered.
type Called = (usize, &'static str, String, Decision);

fn week(seed: u64, logs: &Path) -> (Policies, Vec<Called>) {
    let numbers = &mut Numbers(seed);
    let mut policies = Policies::default();
    policies.managed.insert(
        "Fence",
        vec![Statement {
            allow: true,
            action: "sagemaker:Describe*",
            resource: "*".to_owned(),
        }],
    );
    policies.managed.insert("Shared", numbers.policy());
    policies.managed.insert("Other", numbers.policy());
    for user in 0..USERS {
        policies.inline.insert((user, "first"), numbers.policy());
    }
    let mut calls = Vec::new();
    let mut records = Vec::new();
    // A minute apart, and ten after a write: IAM is eventually consistent.
    let mut minute = 0;
    while minute < 7 * 1440 - 20 {
        let id = records.len();
        if numbers.below(25) == 0 {
            if let Some((name, parameters)) = change(&mut policies, numbers) {
                let mut write = event(id, minute, "carol");
                write["eventSource"] = json!("iam.amazonaws.com");
                write["eventName"] = json!(name);
                write["awsRegion"] = json!("us-east-1");
                write["requestParameters"] = parameters;
                records.push(write);
                minute += 10;
            }
            continue;
        }
        let user = numbers.below(USERS);
        let (name, resource, parameters) = call(numbers);
        let action: &'static str = match name {
            "ListTrainingJobs" => "sagemaker:ListTrainingJobs",
            "StopTrainingJob" => "sagemaker:StopTrainingJob",
            "DeleteModel" => "sagemaker:DeleteModel",
            _ => "sagemaker:DescribeTrainingJob",
        };
        let decision = policies.decide(user, action, &resource);
        let mut made = event(id, minute, &format!("u{user}"));
        made["eventSource"] = json!("sagemaker.amazonaws.com");
        made["eventName"] = json!(name);
        made["requestParameters"] = parameters;
        if decision == Decision::Denied {
            made["errorCode"] = json!("AccessDenied");
            made["errorMessage"] = json!(format!(
                "User: {} is not authorized to perform: {action} on resource: {resource}",
                user_arn(user)
            ));
        }
        records.push(made);
        calls.push((user, action, resource, decision));
        minute += 1 + numbers.below(12);
    }
    write(
        logs,
        "week.json",
        json!({"Records": records}).to_string().as_bytes(),
    );
    (policies, calls)
}

#[track_caller]
fn check(seed: u64) {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let (last, calls) = week(seed, &logs);
    let iam = snapshot(&last, folder.path());
    let out = folder.path().join("out");
    analyze(&logs, &iam, &out, &[]);
    let report = findings_json(&out, &iam, &[]);

    let expected = |then: Decision, cause: &str| -> BTreeSet<(String, String, String, u64)> {
        let mut groups: BTreeMap<(usize, &str), u64> = BTreeMap::new();
        for (user, action, resource, decision) in &calls {
            let now = last.decide(*user, action, resource);
            if *decision == then && now != then {
                *groups.entry((*user, action)).or_default() += 1;
            }
        }
        let of = |((user, action), calls): ((usize, &str), u64)| {
            (user_arn(user), action.to_owned(), cause.to_owned(), calls)
        };
        groups.into_iter().map(of).collect()
    };
    let denied = expected(Decision::Allowed, "policy_changed");
    let allowed = expected(Decision::Denied, "");
    assert!(
        !denied.is_empty() && !allowed.is_empty(),
        "seed {seed} shows nothing"
    );
    assert_eq!(of_kind(&report, "WouldBeDenied"), denied, "seed {seed}");
    assert_eq!(of_kind(&report, "WouldBeAllowed"), allowed, "seed {seed}");
    assert_eq!(
        report["error_rate"]["contradicted"], 0,
        "seed {seed}: {}",
        report["error_rate"]
    );
    assert_eq!(report["verdicts"]["undetermined"], 0, "seed {seed}");
}

#[test]
fn what_the_twin_recorded_is_explained_whole() {
    for seed in 1..=12 {
        check(seed);
    }
}

/// A twin that is made to lie is found out: what goes through against policies that never changed is
/// counted as our error, and is no finding.
#[test]
fn what_goes_through_after_the_last_write_is_our_error() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let mut policies = Policies::default();
    policies.managed.insert("Fence", Vec::new());
    policies.inline.insert(
        (0, "first"),
        vec![Statement {
            allow: true,
            action: "sagemaker:Describe*",
            resource: "*".to_owned(),
        }],
    );
    let mut change = event(0, 0, "carol");
    change["eventSource"] = json!("iam.amazonaws.com");
    change["eventName"] = json!("PutUserPolicy");
    change["requestParameters"] = json!({
        "userName": "u0", "policyName": "first",
        "policyDocument": document(&policies.inline[&(0, "first")]).to_string(),
    });
    let mut through = event(1, 60, "u0");
    through["eventSource"] = json!("sagemaker.amazonaws.com");
    through["eventName"] = json!("DeleteModel");
    through["requestParameters"] = json!({"modelName": "m"});
    let records = json!({"Records": [change, through]});
    write(&logs, "a.json", records.to_string().as_bytes());
    let iam = snapshot(&policies, folder.path());
    let out = folder.path().join("out");
    analyze(&logs, &iam, &out, &[]);
    let report = findings_json(&out, &iam, &[]);
    assert!(of_kind(&report, "WouldBeDenied").is_empty());
    assert_eq!(report["error_rate"]["contradicted"], 1);
    let samples = &report["error_rate"]["samples"][0];
    assert_eq!(samples["action"], "sagemaker:DeleteModel");
    assert_eq!(samples["principal_arn"], json!(user_arn(0)));
}

/// A role's trust policy says who may assume it: a write to it explains nothing else that was done to the role.
#[test]
fn a_write_of_a_trust_policy_explains_no_other_call_on_the_role() {
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    let of_iam = |id: usize, minute: usize, user: &str, name: &str, parameters: Value| {
        let mut event = event(id, minute, user);
        event["eventSource"] = json!("iam.amazonaws.com");
        event["eventName"] = json!(name);
        event["requestParameters"] = parameters;
        event
    };
    let created = of_iam(0, 0, "u0", "DeleteRole", json!({"roleName": "Builder"}));
    let trusted = json!({"roleName": "Builder", "policyDocument": "{}"});
    let written = of_iam(1, 60, "carol", "UpdateAssumeRolePolicy", trusted);
    let records = json!({"Records": [created, written]});
    write(&logs, "a.json", records.to_string().as_bytes());
    let mut policies = Policies::default();
    policies.managed.insert("Fence", Vec::new());
    let iam = snapshot(&policies, folder.path());
    let out = folder.path().join("out");
    analyze(&logs, &iam, &out, &[]);
    let report = findings_json(&out, &iam, &[]);
    let denied = of_kind(&report, "WouldBeDenied");
    let found: Vec<(&str, &str)> = denied
        .iter()
        .map(|one| (one.1.as_str(), one.2.as_str()))
        .collect();
    assert_eq!(found, [("iam:DeleteRole", "unexplained")]);
}
