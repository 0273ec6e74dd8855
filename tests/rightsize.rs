//! `retrial rightsize`: proposals for the sample organisation, tried by `what-if`, checked by `lint`, and undone by
//! their own steps.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Map, Value, json};

use crate::support::{Ran, analyze, files_under, python, retrial, root, run, text};

const TRAINING: &str = "arn:aws:iam::111122223333:role/service-role/ResearchTrainingRole";

fn rightsize(out: &Path, iam: &Path, more: &[&str]) -> Ran {
    let mut arguments = vec!["rightsize", "--out", text(out), "--iam", text(iam)];
    arguments.extend(more);
    retrial(&arguments)
}

fn sample_output(folder: &Path) -> (PathBuf, PathBuf) {
    let logs = root().join("sample-logs");
    let (out, iam) = (folder.join("out"), logs.join("iam"));
    analyze(&logs, &iam, &out, &[]);
    (out, iam)
}

/// A week is all there is.
const WEEK: [&str; 2] = ["--min-window", "5"];

fn proposed(folder: &Path, to: &str, more: &[&str]) -> (PathBuf, PathBuf, PathBuf, Ran) {
    let (out, iam) = sample_output(folder);
    let to = folder.join(to);
    let mut arguments = WEEK.to_vec();
    arguments.extend(["--to", text(&to)]);
    arguments.extend(more);
    let ran = rightsize(&out, &iam, &arguments).expect_status(0);
    (out, iam, to, ran)
}

/// The folders of proposals.
fn folders(to: &Path) -> Vec<PathBuf> {
    let mut folders: Vec<PathBuf> = files_under(to)
        .into_iter()
        .map(|(file, _)| to.join(file))
        .filter(|file| file.ends_with("certificate.md"))
        .map(|file| file.parent().unwrap().to_owned())
        .collect();
    folders.sort();
    folders
}

#[test]
fn what_is_proposed_breaks_no_call_of_the_window() {
    let folder = tempfile::tempdir().unwrap();
    let (out, iam, to, ran) = proposed(folder.path(), "to", &[]);
    assert!(ran.stdout.contains("; 0 refused"), "{}", ran.stdout);
    // `ReadOnlyAccess` names actions of services that AWS has ended.
    let summary = fs::read_to_string(to.join("summary.md")).unwrap();
    let line = summary
        .lines()
        .find(|line| line.starts_with("Kept, and in no catalogue of actions: "));
    assert!(
        line.unwrap()
            .contains("codestar:Describe\\*, codestar:Get\\*")
    );
    let folders = folders(&to);
    assert!(
        folders
            .iter()
            .any(|folder| folder.ends_with("role-AmazonSageMaker-ExecutionRole-20240115T101010"))
    );
    for proposal in folders {
        let certificate = fs::read_to_string(proposal.join("certificate.md")).unwrap();
        assert!(certificate.starts_with("Of its "), "{certificate}");
        assert!(certificate.contains(" 0 newly denied, 0 newly undetermined, 0 newly allowed."));
        // The change that stands beside it, tried by the other command.
        let change = proposal.join("change.json");
        let tried = retrial(&[
            "what-if",
            "--out",
            text(&out),
            "--iam",
            text(&iam),
            "--change",
            text(&change),
            "--no-table",
            "--fail-on",
            "newly-denied,newly-undetermined,newly-allowed",
        ]);
        tried.expect_status(0);
        let mut number = 0;
        while proposal
            .join(format!("policy-{}.json", number + 1))
            .is_file()
        {
            number += 1;
            let policy = proposal.join(format!("policy-{number}.json"));
            let linted = retrial(&["lint", text(&policy), "--fail-on", "warning"]);
            // A set's inline policy may be longer, and AWS's own policies name services that it has ended.
            let known = ["[policy_too_large]", "[unknown_service]"];
            let lines = linted.stdout.lines();
            let unclean = lines
                .filter(|line| line.contains(": error[") || line.contains(": warning["))
                .filter(|line| {
                    !is_of_set(&proposal) || !known.iter().any(|one| line.contains(one))
                });
            assert_eq!(unclean.count(), 0, "{}", linted.stdout);
        }
    }
}

/// What nobody used in the week goes, and what a job needs stays.
#[test]
fn the_training_role_keeps_what_it_uses_and_what_its_jobs_need() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, to, _) = proposed(
        folder.path(),
        "to",
        &["--principal", TRAINING, "--drop-unobservable"],
    );
    let folders = folders(&to);
    assert_eq!(folders, [to.join("111122223333/role-ResearchTrainingRole")]);
    let policy = fs::read(folders[0].join("policy-1.json")).unwrap();
    let policy: Value = serde_json::from_slice(&policy).unwrap();
    let granted: Vec<(String, String)> = policy["Statement"]
        .as_array()
        .unwrap()
        .iter()
        .flat_map(|statement| {
            let list = |value: &Value| match value {
                Value::String(text) => vec![text.clone()],
                list => serde_json::from_value(list.clone()).unwrap(),
            };
            let resources = list(&statement["Resource"]);
            list(&statement["Action"])
                .into_iter()
                .flat_map(move |action| {
                    resources
                        .clone()
                        .into_iter()
                        .map(move |resource| (action.clone(), resource))
                })
        })
        .collect();
    let has = |action: &str, resource: &str| {
        granted
            .iter()
            .any(|(of, on)| of == action && on.starts_with(resource))
    };
    assert!(
        has(
            "s3:PutObject",
            "arn:aws:s3:::research-training-output/models/"
        ),
        "{granted:?}"
    );
    assert!(
        has("s3:GetObject", "arn:aws:s3:::research-datasets/"),
        "{granted:?}"
    );
    assert!(has("ecr:GetAuthorizationToken", "*"), "{granted:?}");
}

/// What the truth says of the old execution role, asked of the proposed policies.
#[test]
fn the_old_role_loses_what_its_jobs_never_touched() {
    let truth = fs::read(root().join("sample-logs/truth.json")).unwrap();
    let truth: Value = serde_json::from_slice(&truth).unwrap();
    let rows = truth["rightsizing"].as_array().unwrap();
    let principal = rows[0]["principal_arn"].as_str().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let arguments = ["--principal", principal, "--drop-unobservable"];
    let (_, _, to, _) = proposed(folder.path(), "to", &arguments);
    let folders = folders(&to);
    assert_eq!(folders.len(), 1);
    let policies: Vec<Value> = files_under(&folders[0])
        .into_iter()
        .filter(|(file, _)| file.starts_with("policy-"))
        .map(|(_, bytes)| serde_json::from_slice(&bytes).unwrap())
        .collect();
    let details = root().join("sample-logs/iam/accounts/111122223333/authorization-details.json");
    let details: Value = serde_json::from_slice(&fs::read(details).unwrap()).unwrap();
    let roles = details["RoleDetailList"].as_array().unwrap();
    let role = roles.iter().find(|role| role["Arn"] == principal).unwrap();
    let current: Vec<Value> = role["RolePolicyList"]
        .as_array()
        .unwrap()
        .iter()
        .map(|policy| policy["PolicyDocument"].clone())
        .collect();
    let mut cases = String::new();
    for row in rows {
        assert_eq!(row["principal_arn"], principal);
        let stays = row["stays"].as_bool().unwrap();
        for (when, policies, expected) in [("before", &current, true), ("after", &policies, stays)]
        {
            let case = json!({
                "id": format!("{when}: {} on {}, {}", row["action"], row["resource_arn"], row["why"]),
                "request": {"principal": principal, "action": row["action"],
                    "resource": {"arn": row["resource_arn"], "account": "111122223333"}},
                "identity_policies": policies, "expected_allowed": expected,
            });
            cases += &format!("{case}\n");
        }
    }
    let file = folder.path().join("cases.jsonl");
    fs::write(&file, cases).unwrap();
    let asked = retrial(&["simulate", "--cases", text(&file)]);
    assert_eq!(asked.status, 0, "{}", asked.stdout);
}

#[test]
fn equal_input_gives_equal_bytes() {
    let folder = tempfile::tempdir().unwrap();
    let (out, iam, one, _) = proposed(folder.path(), "one", &["--threads", "1"]);
    let other = folder.path().join("other");
    rightsize(
        &out,
        &iam,
        &[&WEEK[..], &["--to", text(&other), "--threads", "3"]].concat(),
    )
    .expect_status(0);
    let read =
        |folder: &Path| -> BTreeMap<String, Vec<u8>> { files_under(folder).into_iter().collect() };
    assert_eq!(read(&one), read(&other));
}

#[test]
fn a_folder_in_use_is_left_alone() {
    let folder = tempfile::tempdir().unwrap();
    let (out, iam, to, _) = proposed(folder.path(), "to", &[]);
    let again = rightsize(&out, &iam, &["--to", text(&to)]).expect_status(2);
    assert!(again.stderr.contains("is not empty"), "{}", again.stderr);
    let unknown = rightsize(
        &out,
        &iam,
        &["--principal", "arn:aws:iam::111122223333:role/nobody"],
    );
    unknown.expect_status(2);
}

#[test]
fn who_has_the_tag_is_skipped() {
    let folder = tempfile::tempdir().unwrap();
    let (out, _) = sample_output(folder.path());
    let iam = folder.path().join("iam.json");
    let details = root().join("sample-logs/iam/accounts/111122223333/authorization-details.json");
    let mut details: Value = serde_json::from_slice(&fs::read(details).unwrap()).unwrap();
    for role in details["RoleDetailList"].as_array_mut().unwrap() {
        if role["RoleName"] == "BreakGlass" {
            role["Tags"] = json!([{"Key": "purpose", "Value": "emergency"}]);
        }
    }
    fs::write(&iam, details.to_string()).unwrap();
    let tried = |tag: &str| {
        rightsize(&out, &iam, &["--skip-tag", tag])
            .expect_status(0)
            .stdout
    };
    let skipped = "arn:aws:iam::111122223333:role/BreakGlass: skipped by its tag";
    assert!(tried("purpose=emergency").contains(skipped));
    assert!(tried("purpose").contains(skipped));
    assert!(!tried("purpose=x").contains(skipped));
}

/// The entry of a user or role in the snapshot, and the account's managed policies.
pub(crate) struct Account {
    pub(crate) entry: Value,
    pub(crate) managed: BTreeMap<String, Managed>,
}

/// The versions of a managed policy, and the one in force.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Managed {
    pub(crate) versions: BTreeMap<String, Value>,
    pub(crate) default: String,
}

impl Managed {
    pub(crate) fn document(&self) -> &Value {
        &self.versions[&self.default]
    }
}

/// The commands of `aws` in a script, each as its words; the version that is in force is this.
pub(crate) fn commands(script: &Path, default: &str) -> Vec<Vec<String>> {
    let folder = script.parent().unwrap();
    let stub = folder.join("stub");
    fs::create_dir_all(&stub).unwrap();
    let log = folder.join("calls");
    let aws = stub.join("aws");
    let answer = format!("[ \"$2\" = get-policy ] && echo {default}");
    fs::write(&aws, format!("#!/bin/sh\nfor word in \"$@\"; do printf '%s\\t' \"$word\"; done >> calls\necho >> calls\n{answer}\ntrue\n")).unwrap();
    Command::new("chmod").arg("+x").arg(&aws).status().unwrap();
    let path = format!("{}:{}", text(&stub), std::env::var("PATH").unwrap());
    let status = Command::new("sh")
        .arg(script)
        .env("PATH", path)
        .current_dir(folder)
        .status()
        .unwrap();
    assert!(status.success());
    // The shell has taken the quotes apart; each command is a line of words.
    let lines = fs::read_to_string(&log).unwrap();
    fs::remove_dir_all(&stub).unwrap();
    fs::remove_file(&log).unwrap();
    let words = |line: &str| -> Vec<String> {
        let words = line.split('\t').filter(|word| !word.is_empty());
        words.map(str::to_owned).collect()
    };
    lines.lines().map(words).collect()
}

impl Account {
    fn load(iam: &Path, arn: &str) -> Account {
        let account = arn.split(':').nth(4).unwrap();
        let file = iam.join(format!("accounts/{account}/authorization-details.json"));
        let details: Value = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
        Account::of(&details, arn)
    }

    pub(crate) fn of(details: &Value, arn: &str) -> Account {
        let lists = ["UserDetailList", "RoleDetailList"];
        let mut entries = lists
            .iter()
            .flat_map(|list| details[*list].as_array().unwrap());
        let entry = entries.find(|entry| entry["Arn"] == arn).unwrap().clone();
        Account {
            entry,
            managed: BTreeMap::new(),
        }
    }

    /// Inline policies by name, attached ones as a set.
    pub(crate) fn state(
        &self,
    ) -> (
        BTreeMap<String, Value>,
        Vec<String>,
        &BTreeMap<String, Managed>,
    ) {
        let of = |member: &str| self.entry[member].as_array().cloned().unwrap_or_default();
        let inline = [of("UserPolicyList"), of("RolePolicyList")].concat();
        let inline = inline.iter().map(|policy| {
            (
                policy["PolicyName"].as_str().unwrap().to_owned(),
                policy["PolicyDocument"].clone(),
            )
        });
        let mut attached: Vec<String> = of("AttachedManagedPolicies")
            .iter()
            .map(|policy| policy["PolicyArn"].as_str().unwrap().to_owned())
            .collect();
        attached.sort();
        (inline.collect(), attached, &self.managed)
    }

    /// Does what a script asks of `aws iam`: an opponent that knows the commands from AWS's reference.
    pub(crate) fn run(&mut self, script: &Path, account: &str) {
        let folder = script.parent().unwrap();
        // Only the version that is in force is asked for, of the one policy that has several.
        let newest = self
            .managed
            .values()
            .max_by_key(|managed| managed.versions.len());
        let default = newest.map(|managed| managed.default.clone());
        for words in commands(script, &default.unwrap_or_default()) {
            let option = |name: &str| {
                let place = words.iter().position(|word| word == name);
                place.map(|place| words[place + 1].clone())
            };
            let document = || -> Value {
                let file = option("--policy-document").unwrap();
                let file = folder.join(file.strip_prefix("file://").unwrap());
                serde_json::from_slice(&fs::read(file).unwrap()).unwrap()
            };
            self.command(&words[1], &option, &document, account);
        }
    }

    fn command(
        &mut self,
        command: &str,
        option: &dyn Fn(&str) -> Option<String>,
        document: &dyn Fn() -> Value,
        account: &str,
    ) {
        let inline = match self.entry.get("RoleName") {
            Some(_) => "RolePolicyList",
            None => "UserPolicyList",
        };
        let arn = || option("--policy-arn").unwrap();
        let list = |entry: &mut Value, member: &str| -> Vec<Value> {
            entry[member].as_array().cloned().unwrap_or_default()
        };
        match command {
            "create-policy" => {
                let arn = format!(
                    "arn:aws:iam::{account}:policy/{}",
                    option("--policy-name").unwrap()
                );
                let versions = BTreeMap::from([("v1".to_owned(), document())]);
                let default = "v1".to_owned();
                let managed = Managed { versions, default };
                assert!(self.managed.insert(arn, managed).is_none());
            }
            "get-policy" => {}
            "create-policy-version" => {
                let managed = self.managed.get_mut(&arn()).unwrap();
                let number = |id: &String| id[1..].parse::<u32>().unwrap();
                let next = managed.versions.keys().map(number).max().unwrap() + 1;
                let next = format!("v{next}");
                managed.versions.insert(next.clone(), document());
                assert!(managed.versions.len() <= 5, "a sixth version");
                managed.default = next;
            }
            "set-default-policy-version" => {
                let managed = self.managed.get_mut(&arn()).unwrap();
                managed.default = option("--version-id").unwrap();
                assert!(managed.versions.contains_key(&managed.default));
            }
            "delete-policy-version" => {
                let managed = self.managed.get_mut(&arn()).unwrap();
                let version = option("--version-id").unwrap();
                assert_ne!(version, managed.default);
                assert!(managed.versions.remove(&version).is_some());
            }
            "delete-policy" => assert!(self.managed.remove(&arn()).is_some()),
            "attach-role-policy" | "attach-user-policy" => {
                let mut attached = list(&mut self.entry, "AttachedManagedPolicies");
                assert!(!attached.iter().any(|policy| policy["PolicyArn"] == arn()));
                attached.push(json!({"PolicyArn": arn()}));
                self.entry["AttachedManagedPolicies"] = attached.into();
            }
            "detach-role-policy" | "detach-user-policy" => {
                let mut attached = list(&mut self.entry, "AttachedManagedPolicies");
                let before = attached.len();
                attached.retain(|policy| policy["PolicyArn"] != arn());
                assert_eq!(attached.len() + 1, before);
                self.entry["AttachedManagedPolicies"] = attached.into();
            }
            "put-role-policy" | "put-user-policy" => {
                let mut policies = list(&mut self.entry, inline);
                let name = json!(option("--policy-name"));
                policies.retain(|policy| policy["PolicyName"] != name);
                policies.push(
                    json!({"PolicyName": option("--policy-name"), "PolicyDocument": document()}),
                );
                self.entry[inline] = policies.into();
            }
            "delete-role-policy" | "delete-user-policy" => {
                let mut policies = list(&mut self.entry, inline);
                let before = policies.len();
                policies.retain(|policy| policy["PolicyName"] != json!(option("--policy-name")));
                assert_eq!(policies.len() + 1, before);
                self.entry[inline] = policies.into();
            }
            other => panic!("no step is {other}"),
        }
    }
}

/// What is proposed for a permission set has steps of its own, of which `rightsize_edits.rs` knows.
fn is_of_set(folder: &Path) -> bool {
    folder.parent().unwrap().ends_with("permission-sets")
}

#[test]
fn the_steps_and_their_inverse_leave_what_was_there() {
    let folder = tempfile::tempdir().unwrap();
    let (_, iam, to, _) = proposed(folder.path(), "to", &[]);
    for proposal in folders(&to).into_iter().filter(|folder| !is_of_set(folder)) {
        let change = fs::read(proposal.join("change.json")).unwrap();
        let change: Value = serde_json::from_slice(&change).unwrap();
        let lists = ["UserDetailList", "RoleDetailList"];
        let entries = lists.map(|list| change[list].as_object().cloned().unwrap_or_default());
        let entries: Map<String, Value> = entries.into_iter().flatten().collect();
        let (arn, changed) = entries.iter().next().unwrap();
        let account = arn.split(':').nth(4).unwrap();
        let mut live = Account::load(&iam, arn);
        let before = live.entry.clone();
        live.run(&proposal.join("apply.sh"), account);
        // What was tried is what the steps make.
        let (inline, attached, managed) = live.state();
        assert_eq!(inline, BTreeMap::new());
        let mut expect: Vec<String> = changed["AttachedManagedPolicies"]
            .as_array()
            .unwrap()
            .iter()
            .map(|policy| policy["PolicyArn"].as_str().unwrap().to_owned())
            .collect();
        expect.sort();
        assert_eq!(attached, expect);
        for (arn, policy) in change["Policies"].as_object().unwrap() {
            assert_eq!(
                *managed[arn].document(),
                policy["PolicyVersionList"][0]["Document"]
            );
        }
        live.run(&proposal.join("rollback.sh"), account);
        let original = Account {
            entry: before,
            managed: BTreeMap::new(),
        };
        assert_eq!(live.state(), original.state());
    }
}

/// A file of Terraform, as an independent parser reads it.
pub(crate) fn parsed_hcl(file: &Path) -> Value {
    let script = "import hcl2, json, sys; print(json.dumps(hcl2.load(open(sys.argv[1]))))";
    let mut command = Command::new(python());
    run(command.args(["-c", script]).arg(file))
        .expect_status(0)
        .json()
}

#[test]
fn the_terraform_is_hcl() {
    let folder = tempfile::tempdir().unwrap();
    let (_, _, to, _) = proposed(folder.path(), "to", &[]);
    for proposal in folders(&to) {
        let parsed = parsed_hcl(&proposal.join("policies.tf"));
        let number = files_under(&proposal)
            .iter()
            .filter(|(file, _)| file.starts_with("policy-"))
            .count();
        let resources = parsed.get("resource").and_then(Value::as_array);
        let each = if is_of_set(&proposal) { 1 } else { 2 };
        assert_eq!(resources.map_or(0, Vec::len), number * each, "{parsed}");
    }
}
