//! A change laid over a snapshot: what becomes of its entries, and what is refused.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "tests may fail loudly"
)]

use retrial_iam::{
    Catalogue, ChangeScope, Collected, OverlaidSnapshot, Snapshot, SnapshotFile, overlay,
};
use serde_json::{Value, json};

const ACCOUNT: &str = "111122223333";
const DETAILS: &str = "accounts/111122223333/authorization-details.json";
const TEAM: &str = "arn:aws:iam::111122223333:policy/team";
const BUILD: &str = "arn:aws:iam::111122223333:role/build";
const ANA: &str = "arn:aws:iam::111122223333:user/ana";
const KEY: &str = "arn:aws:kms:eu-west-1:111122223333:key/k";

type Files = Vec<(&'static str, String)>;

fn document(action: &str) -> Value {
    json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": action, "Resource": "*"}]})
}

fn version(action: &str) -> Value {
    json!([{"VersionId": "v1", "IsDefaultVersion": true, "Document": document(action)}])
}

/// One account: a role and a group with the managed policy `team`, a user in the group.
fn base() -> Files {
    let details = json!({
        "UserDetailList": [{"Path": "/", "UserName": "ana", "UserId": "AIDAEXAMPLEUSERANA000", "Arn": ANA,
            "GroupList": ["readers"], "UserPolicyList": [{"PolicyName": "own", "PolicyDocument": document("s3:ListAllMyBuckets")}]}],
        "GroupDetailList": [{"Path": "/", "GroupName": "readers", "GroupId": "AGPAEXAMPLEGROUP00000",
            "Arn": "arn:aws:iam::111122223333:group/readers", "GroupPolicyList": [],
            "AttachedManagedPolicies": [{"PolicyName": "team", "PolicyArn": TEAM}]}],
        "RoleDetailList": [{"Path": "/", "RoleName": "build", "RoleId": "AROAEXAMPLEROLE000000", "Arn": BUILD,
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Principal": {"Service": "ec2.amazonaws.com"}, "Action": "sts:AssumeRole"}]},
            "RolePolicyList": [{"PolicyName": "inline", "PolicyDocument": document("ecr:PutImage")}],
            "AttachedManagedPolicies": [{"PolicyName": "team", "PolicyArn": TEAM}]},
            {"Path": "/", "RoleName": "bounded", "RoleId": "AROAEXAMPLEROLE000001", "Arn": "arn:aws:iam::111122223333:role/bounded",
            "PermissionsBoundary": {"PermissionsBoundaryType": "Policy", "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/fence"}}],
        "Policies": [
            {"PolicyName": "team", "Arn": TEAM, "DefaultVersionId": "v1", "PolicyVersionList": version("s3:GetObject")},
            {"PolicyName": "fence", "Arn": "arn:aws:iam::111122223333:policy/fence", "DefaultVersionId": "v1", "PolicyVersionList": version("s3:*")}]
    });
    vec![
        (DETAILS, serde_json::to_string_pretty(&details).unwrap()),
        (
            "accounts/111122223333/resource-policies/kms.json",
            json!({ KEY: {"Version": "2012-10-17", "Statement": []} }).to_string(),
        ),
    ]
}

fn borrowed<'f>(files: &'f Files) -> Vec<SnapshotFile<'f>> {
    let file = |(path, text): &'f (&'static str, String)| SnapshotFile {
        path,
        bytes: text.as_bytes(),
    };
    files.iter().map(file).collect()
}

struct Laid {
    snapshot: Snapshot,
    changes: Vec<String>,
    scope: ChangeScope,
}

fn read(files: &Files) -> Snapshot {
    Snapshot::read(&borrowed(files), Catalogue::bundled())
        .unwrap()
        .0
}

#[track_caller]
fn lay(base: &Files, change: &Files) -> Laid {
    let (base, change) = (borrowed(base), borrowed(change));
    let OverlaidSnapshot {
        files,
        changes,
        scope,
    } = overlay(&base, &change).unwrap_or_else(|error| panic!("{error}"));
    let files: Vec<SnapshotFile<'_>> = files
        .iter()
        .map(|(path, bytes)| SnapshotFile { path, bytes })
        .collect();
    let (snapshot, issues) = Snapshot::read(&files, Catalogue::bundled()).unwrap();
    assert!(issues.is_empty(), "{issues:?}");
    Laid {
        snapshot,
        changes: changes
            .iter()
            .map(|change| {
                let concerns = change
                    .concerns
                    .map_or_else(String::new, |n| format!(" ({n})"));
                format!(
                    "{} {} {}{concerns}",
                    change.effect.name(),
                    change.entry.name(),
                    change.id
                )
            })
            .collect(),
        scope,
    }
}

#[track_caller]
fn refuse(change: &[(&'static str, Value)], expect: &str) {
    let change: Files = change
        .iter()
        .map(|(path, value)| (*path, value.to_string()))
        .collect();
    refuse_files(&change, expect);
}

#[track_caller]
fn refuse_files(change: &Files, expect: &str) {
    let base = base();
    let error = overlay(&borrowed(&base), &borrowed(change))
        .unwrap_err()
        .to_string();
    assert_eq!(error, expect);
}

fn details(change: Value) -> Files {
    vec![(DETAILS, change.to_string())]
}

/// The policies of a principal, and the actions that their statements name.
fn policies(snapshot: &Snapshot, arn: &str) -> Vec<String> {
    let identity = &snapshot.principal(arn).unwrap().identity;
    identity
        .iter()
        .map(|policy| policy.id.to_string())
        .collect()
}

#[test]
fn a_list_replaces_whole_entries() {
    let entry = json!({"RoleDetailList": [{"Path": "/", "RoleName": "build", "RoleId": "AROAEXAMPLEROLE000000", "Arn": BUILD,
        "RolePolicyList": [{"PolicyName": "other", "PolicyDocument": document("ecr:*")}]}]});
    let laid = lay(&base(), &details(entry));
    assert_eq!(laid.changes, [format!("replaced role {BUILD}")]);
    assert_eq!(policies(&laid.snapshot, BUILD), [format!("{BUILD}#other")]);
    assert_eq!(laid.snapshot.trust_policy_document(BUILD), None);
    assert_eq!(
        policies(&laid.snapshot, ANA),
        [format!("{ANA}#own"), TEAM.to_owned()]
    );
    assert!(laid.scope.touches_caller(Some(BUILD), None));
    assert!(!laid.scope.touches_caller(Some(ANA), None));
}

#[test]
fn an_object_changes_members_and_null_deletes() {
    let change = json!({"RoleDetailList": {
        BUILD: {"RolePolicyList": [], "AssumeRolePolicyDocument": document("x:y")},
        "arn:aws:iam::111122223333:role/bounded": {"PermissionsBoundary": null}}});
    // A trust policy without a principal is none.
    let base = base();
    let error = overlay(&borrowed(&base), &borrowed(&details(change))).unwrap_err();
    assert!(
        error
            .to_string()
            .contains("trust policy of `arn:aws:iam::111122223333:role/build`"),
        "{error}"
    );
    let change = json!({"RoleDetailList": {
        BUILD: {"RolePolicyList": []},
        "arn:aws:iam::111122223333:role/bounded": {"PermissionsBoundary": null}}});
    let laid = lay(&base, &details(change));
    assert_eq!(policies(&laid.snapshot, BUILD), [TEAM]);
    assert!(laid.snapshot.trust_policy_document(BUILD).is_some());
    let bounded = laid
        .snapshot
        .principal("arn:aws:iam::111122223333:role/bounded")
        .unwrap();
    assert!(bounded.boundary.is_none());
    let laid = lay(&base, &details(json!({"RoleDetailList": {BUILD: null}})));
    assert_eq!(laid.changes, [format!("deleted role {BUILD}")]);
    assert!(laid.snapshot.principal(BUILD).is_none());
}

#[test]
fn a_managed_policy_changes_for_all_that_have_it() {
    let laid = lay(
        &base(),
        &details(json!({"Policies": {TEAM: {"PolicyVersionList": version("s3:PutObject")}}})),
    );
    assert_eq!(
        laid.changes,
        [format!("replaced managed policy {TEAM} (2)")]
    );
    for arn in [BUILD, ANA] {
        assert!(policies(&laid.snapshot, arn).contains(&TEAM.to_owned()));
        assert!(laid.scope.touches_caller(Some(arn), None), "{arn}");
    }
    assert!(
        !laid
            .scope
            .touches_caller(Some("arn:aws:iam::111122223333:role/bounded"), None)
    );
    assert!(laid.scope.touches_managed_policies());
    let laid = lay(&base(), &details(json!({"Policies": {TEAM: null}})));
    assert_eq!(laid.changes, [format!("deleted managed policy {TEAM} (0)")]);
    assert_eq!(policies(&laid.snapshot, BUILD), [format!("{BUILD}#inline")]);
    assert_eq!(policies(&laid.snapshot, ANA), [format!("{ANA}#own")]);
    assert!(laid.scope.touches_caller(Some(ANA), None));
}

#[test]
fn a_deleted_group_has_no_members() {
    let group = "arn:aws:iam::111122223333:group/readers";
    let laid = lay(&base(), &details(json!({"GroupDetailList": {group: null}})));
    assert_eq!(policies(&laid.snapshot, ANA), [format!("{ANA}#own")]);
    assert!(laid.scope.touches_caller(Some(ANA), None));
    assert!(!laid.scope.touches_caller(Some(BUILD), None));
}

#[test]
fn what_is_the_same_changes_nothing() {
    let base = base();
    let laid = lay(&base, &base);
    assert!(
        laid.changes
            .iter()
            .all(|change| change.starts_with("unchanged ")),
        "{:?}",
        laid.changes
    );
    assert_eq!(laid.snapshot.id(), read(&base).id());
    assert!(!laid.scope.touches_caller(Some(BUILD), Some(ACCOUNT)));
    assert!(!laid.scope.touches_resource("kms:Decrypt", KEY, true));
}

#[test]
fn what_was_not_collected_stays_so() {
    let base = base();
    let other = "arn:aws:kms:eu-west-1:111122223333:key/other";
    let bucket = "arn:aws:s3:::made-up-bucket";
    let policy = json!({"Version": "2012-10-17", "Statement": []});
    let change: Files = vec![
        (
            "accounts/111122223333/resource-policies/s3.json",
            json!({bucket: policy}).to_string(),
        ),
        (
            "accounts/111122223333/resource-policies/kms.json",
            json!({other: policy, KEY: null}).to_string(),
        ),
    ];
    let laid = lay(&base, &change);
    let of = |snapshot: &Snapshot, service: &str, arn: &str| {
        snapshot.resource_policy(service, arn, ACCOUNT)
    };
    // The file of keys was there: what it does not list has no policy.
    assert_eq!(of(&laid.snapshot, "kms", other), Collected::Present);
    assert_eq!(of(&laid.snapshot, "kms", KEY), Collected::Empty);
    assert_eq!(
        of(
            &laid.snapshot,
            "kms",
            "arn:aws:kms:eu-west-1:111122223333:key/third"
        ),
        Collected::Empty
    );
    // That of buckets was not.
    assert_eq!(of(&laid.snapshot, "s3", bucket), Collected::Present);
    assert_eq!(
        of(&read(&base), "s3", "arn:aws:s3:::another"),
        Collected::No
    );
    assert_eq!(
        of(&laid.snapshot, "s3", "arn:aws:s3:::another"),
        Collected::No
    );
}

fn organization(policies: Value) -> Value {
    json!({
        "Organization": {"Id": "o-exampleorg1", "MasterAccountId": "999900001111"},
        "Roots": [{"Id": "r-ab12"}],
        "Accounts": [{"Id": "111122223333", "ParentId": "r-ab12"}, {"Id": "999900001111", "ParentId": "r-ab12"}],
        "Policies": policies
    })
}

fn no_ecr() -> Value {
    json!({"PolicySummary": {"Id": "p-noecr001", "Type": "SERVICE_CONTROL_POLICY"},
        "Content": {"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Action": "ecr:*", "Resource": "*"}]},
        "Targets": [{"TargetId": "r-ab12"}]})
}

/// As AWS prints it: the document is text.
fn collected_no_ecr() -> Value {
    let mut policy = no_ecr();
    policy["Content"] = json!(policy["Content"].to_string());
    policy
}

#[test]
fn an_organization_that_was_not_collected_is_known_as_far_as_the_change_goes() {
    let base = base();
    let change = vec![(
        "organization.json",
        organization(json!([no_ecr()])).to_string(),
    )];
    let laid = lay(&base, &change);
    assert_eq!(laid.snapshot.scp_documents(ACCOUNT).len(), 1);
    // Other policies may stand there, too.
    assert_eq!(laid.snapshot.scp(ACCOUNT), Collected::No);
    assert!(laid.scope.touches_caller(Some(BUILD), None));
    // On top of an organization that was collected, a policy is all that changes.
    let mut collected = base;
    collected.push(("organization.json", organization(json!([])).to_string()));
    let change = vec![(
        "organization.json",
        json!({"Policies": {"p-noecr001": no_ecr()}}).to_string(),
    )];
    let laid = lay(&collected, &change);
    assert_eq!(laid.changes, ["added organization policy p-noecr001"]);
    assert_eq!(laid.snapshot.scp(ACCOUNT), Collected::Present);
    assert!(laid.scope.touches_caller(Some(BUILD), None));
    assert!(
        !laid
            .scope
            .touches_caller(Some("arn:aws:iam::777788889999:role/r"), None)
    );
    let mut with_it = collected;
    with_it.pop();
    with_it.push((
        "organization.json",
        organization(json!([collected_no_ecr()])).to_string(),
    ));
    let change = vec![(
        "organization.json",
        json!({"Policies": {"p-noecr001": null}}).to_string(),
    )];
    let laid = lay(&with_it, &change);
    assert_eq!(laid.snapshot.scp(ACCOUNT), Collected::Empty);
}

#[test]
fn a_single_file_is_a_snapshot_and_a_change() {
    let base: Files = vec![("iam.json", base()[0].1.clone())];
    let change: Files = vec![(
        "change.json",
        json!({"RoleDetailList": {BUILD: {"RolePolicyList": []}}}).to_string(),
    )];
    let laid = lay(&base, &change);
    assert_eq!(policies(&laid.snapshot, BUILD), [TEAM]);
    let change: Files = vec![(
        "organization.json",
        organization(json!([no_ecr()])).to_string(),
    )];
    let laid = lay(&base, &change);
    assert_eq!(laid.snapshot.scp_documents(ACCOUNT).len(), 1);
    assert!(laid.snapshot.principal(BUILD).is_some());
}

#[test]
fn slips_are_refused() {
    refuse(&[], "the change has no files");
    refuse(
        &[("README.md", json!(1)), ("NOTES.md", json!(1))],
        "no file of the change has the name of a snapshot's files, such as `accounts/111122223333/authorization-details.json`",
    );
    refuse(
        &[("snapshot.json", json!({}))],
        "`snapshot.json`: a change cannot have this file: it says what was collected, and a change collects nothing",
    );
    refuse(
        &[("accounts/111122223333/trails.json", json!({}))],
        "`accounts/111122223333/trails.json`: a change cannot have this file: no decision depends on it",
    );
    refuse(
        &[("accounts/111122223333/polices.json", json!({}))],
        "`accounts/111122223333/polices.json`: a change cannot have this file: no snapshot has one of its name",
    );
    let at = |json: &str| vec![(DETAILS, json.to_owned())];
    refuse_files(
        &at("{\"RoleDetailList\": 7}"),
        "`accounts/111122223333/authorization-details.json`:1:20: `RoleDetailList` is neither a list of entries nor an object of them by name",
    );
    refuse_files(
        &at("{\n  \"RoleDetailList\": {\"x\": null}}"),
        "`accounts/111122223333/authorization-details.json`:2:27: `x` is not the ARN of a role",
    );
    refuse_files(
        &at("{\"RoleDetailList\": {\"arn:aws:iam::111122223333:user/ana\": null}}"),
        "`accounts/111122223333/authorization-details.json`:1:59: `arn:aws:iam::111122223333:user/ana` is not the ARN of a role",
    );
    refuse_files(
        &at("{\"RoleDetailList\": {\"arn:aws:iam::111122223333:role/x\": null}}"),
        "`accounts/111122223333/authorization-details.json`:1:57: `arn:aws:iam::111122223333:role/x` is to be deleted, and is not in the snapshot",
    );
    refuse_files(
        &at("{\"RoleDetailList\": {\"arn:aws:iam::444455556666:role/x\": {}}}"),
        "`accounts/111122223333/authorization-details.json`:1:57: `arn:aws:iam::444455556666:role/x` is of account `444455556666`, and the file is in the folder of another",
    );
    refuse_files(
        &vec![(
            "change.json",
            "{\"RoleDetailList\": {\"arn:aws:iam::444455556666:role/x\": {}}}".to_owned(),
        )],
        "`change.json`:1:57: the snapshot has no account `444455556666`",
    );
    refuse_files(
        &at(
            "{\"RoleDetailList\": {\"arn:aws:iam::111122223333:role/build\": {\"RolePolicys\": []}}}",
        ),
        "`accounts/111122223333/authorization-details.json`:1:77: `arn:aws:iam::111122223333:role/build` has no member `RolePolicys`",
    );
    refuse_files(
        &at(
            "{\"RoleDetailList\": {\"arn:aws:iam::111122223333:role/build\": {}, \"arn:aws:iam::111122223333:role/build\": null}}",
        ),
        "`accounts/111122223333/authorization-details.json`:1:105: `arn:aws:iam::111122223333:role/build` is changed twice",
    );
    refuse_files(
        &at("{\"RoleDetailList\": {\"arn:aws:iam::111122223333:role/new\": {}}}"),
        "`accounts/111122223333/authorization-details.json`:1:59: missing field `RoleName`",
    );
    refuse_files(
        &at(
            "{\"RoleDetailList\": {\"arn:aws:iam::111122223333:role/build\": {\"AttachedManagedPolicies\": [{\"PolicyArn\": \"arn:aws:iam::111122223333:policy/tema\"}]}}}",
        ),
        "`accounts/111122223333/authorization-details.json`:1:61: `arn:aws:iam::111122223333:role/build` names `arn:aws:iam::111122223333:policy/tema`, which neither the snapshot nor the change has",
    );
    refuse_files(
        &at("{\"Policies\": {\"arn:aws:iam::111122223333:policy/fence\": null}}"),
        "`accounts/111122223333/authorization-details.json`:1:57: `arn:aws:iam::111122223333:policy/fence` cannot be deleted: it is the permissions boundary of `arn:aws:iam::111122223333:role/bounded`",
    );
    refuse_files(
        &at("{\"Policies\": {\"arn:aws:iam::aws:policy/ReadOnlyAccess\": null}}"),
        "`accounts/111122223333/authorization-details.json`:1:57: `arn:aws:iam::aws:policy/ReadOnlyAccess` is to be deleted, and is not in the snapshot",
    );
    refuse_files(
        &at(
            "{\"RoleDetailList\": {\"arn:aws:iam::111122223333:role/build\": {\"RolePolicyList\": [{\"PolicyName\": \"p\", \"PolicyDocument\":\n {\"Statement\": [{\"Effect\": \"Alow\"}]}}]}}}",
        ),
        "`accounts/111122223333/authorization-details.json`: inline policy `p` of `arn:aws:iam::111122223333:role/build`: 2:28: `Effect` must be `Allow` or `Deny`, not `Alow`",
    );
    refuse_files(
        &at("{\"RoleDetailList\": {"),
        "`accounts/111122223333/authorization-details.json`:1:20: EOF while parsing an object",
    );
    refuse_files(
        &at("\u{feff}[1"),
        "`accounts/111122223333/authorization-details.json`:1:2: invalid type: integer `1`, expected an object with lists",
    );
}

#[test]
fn slips_about_resources_and_the_organization_are_refused() {
    let kms = "accounts/111122223333/resource-policies/kms.json";
    let policy = json!({"Version": "2012-10-17", "Statement": []});
    refuse(
        &[(kms, json!({"k": policy}))],
        &format!("`{kms}`:1:6: `k` is not the ARN of a resource"),
    );
    refuse(
        &[(kms, json!({"arn:aws:s3:::b": policy}))],
        &format!(
            "`{kms}`:1:19: `arn:aws:s3:::b` is not the ARN of a resource of the file's service"
        ),
    );
    refuse(
        &[(
            kms,
            json!({"arn:aws:kms:eu-west-1:444455556666:key/k": policy}),
        )],
        &format!(
            "`{kms}`:1:45: `arn:aws:kms:eu-west-1:444455556666:key/k` is of account `444455556666`, and the file is in the folder of another"
        ),
    );
    refuse(
        &[(
            kms,
            json!({"arn:aws:kms:eu-west-1:111122223333:key/x": null}),
        )],
        &format!(
            "`{kms}`:1:45: `arn:aws:kms:eu-west-1:111122223333:key/x` is to be deleted, and is not in the snapshot"
        ),
    );
    let s3 = "accounts/111122223333/resource-policies/s3.json";
    refuse(
        &[(s3, json!({"arn:aws:s3:::b/k": policy}))],
        &format!(
            "`{s3}`:1:21: `arn:aws:s3:::b/k` is not the ARN of a bucket, which has the policy of its objects"
        ),
    );
    refuse(
        &[(
            "accounts/444455556666/resource-policies/s3.json",
            json!({"arn:aws:s3:::b": policy}),
        )],
        "`accounts/444455556666/resource-policies/s3.json`: the snapshot has no account `444455556666`",
    );
    let mut scp = no_ecr();
    scp["Targets"] = json!([{"TargetId": "ou-none"}]);
    let refused = |policies: Value, expect: &str| {
        let change = organization(policies).to_string();
        let base = base();
        let error = overlay(
            &borrowed(&base),
            &borrowed(&vec![("organization.json", change)]),
        )
        .unwrap_err()
        .to_string();
        assert!(
            error.starts_with("`organization.json`") && error.ends_with(expect),
            "{error}"
        );
    };
    refused(
        json!([scp]),
        "`p-noecr001` names `ou-none`, which neither the snapshot nor the change has",
    );
    let mut other = no_ecr();
    other["PolicySummary"]["Type"] = json!("TAG_POLICY");
    refused(
        json!([other]),
        "policy `p-noecr001` is of type `TAG_POLICY`, and neither a SERVICE_CONTROL_POLICY nor a RESOURCE_CONTROL_POLICY",
    );
    refuse(
        &[(
            "organization.json",
            json!({"Roots": [{"Id": "r-ab12"}], "Policies": [no_ecr()]}),
        )],
        "`organization.json`: neither the snapshot nor the change names the management account (`Organization`, `MasterAccountId`), which no policy binds",
    );
    let mut off = organization(json!([no_ecr()]));
    off["Roots"][0]["PolicyTypes"] = json!([]);
    let base = base();
    let error = overlay(
        &borrowed(&base),
        &borrowed(&vec![("organization.json", off.to_string())]),
    )
    .unwrap_err()
    .to_string();
    assert!(error.ends_with("policy `p-noecr001` would have no effect: the type is not enabled on the root above `r-ab12`"), "{error}");
}

/// Whatever stands in a change, it is laid over or refused, in one line.
#[test]
fn hostile_changes_end_in_one_line() {
    let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
    let texts = [
        String::new(),
        "null".to_owned(),
        deep.clone(),
        format!("{{\"RoleDetailList\": {deep}}}"),
        format!("{{\"RoleDetailList\": {{\"{BUILD}\": {{\"Tags\": {deep}}}}}}}"),
        "{\"RoleDetailList\": {\"a\\nb\\u001b[31m\": null}}".to_owned(),
        "{\"RoleDetailList\": [{\"Arn\": 1}]}".to_owned(),
        "{\"RoleDetailList\": [null]}".to_owned(),
        "{\"Policies\": {\"\": {}}}".to_owned(),
        "\u{0}".to_owned(),
    ];
    let base = base();
    for path in [
        DETAILS,
        "organization.json",
        "accounts/111122223333/resource-policies/kms.json",
        "accounts/111122223333/kms-grants.json",
        "accounts/111122223333/resource-tags.json",
        "accounts/111122223333/vpc-endpoints.json",
        "accounts/111122223333/s3-buckets.json",
    ] {
        for text in &texts {
            if let Err(error) = overlay(&borrowed(&base), &borrowed(&vec![(path, text.clone())])) {
                let error = error.to_string();
                assert!(!error.contains(char::is_control), "{error:?}");
                assert!(error.starts_with(&format!("`{path}`")), "{error}");
            }
        }
    }
    let change = [SnapshotFile {
        path: DETAILS,
        bytes: b"{\"a\": \"\xff\"}",
    }];
    let error = overlay(&borrowed(&base), &change).unwrap_err();
    assert!(
        error.to_string().contains("the text is not UTF-8"),
        "{error}"
    );
}
