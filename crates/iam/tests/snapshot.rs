//! Snapshots, from their files to what they say of principals and layers.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    reason = "tests may fail loudly, and measure"
)]

use std::sync::Arc;

use retrial_iam::{
    AttachedPolicy, Catalogue, Collected, PolicySource, PolicyUnavailable, PrincipalKind, Snapshot,
    SnapshotError, SnapshotFile,
};

const DETAILS: &str = "accounts/111122223333/authorization-details.json";
const ALLOW: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Action":"s3:GetObject","Resource":"*"}]}"#;

/// The policy of a bucket.
const SHARED: &str = r#"{"Version":"2012-10-17","Statement":[{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"}]}"#;

fn read(files: &[(&str, &str)]) -> (Snapshot, Vec<String>) {
    try_read(files).expect("a readable snapshot")
}

fn try_read(files: &[(&str, &str)]) -> Result<(Snapshot, Vec<String>), SnapshotError> {
    let files: Vec<_> = files
        .iter()
        .map(|(path, text)| SnapshotFile {
            path,
            bytes: text.as_bytes(),
        })
        .collect();
    let (snapshot, issues) = Snapshot::read(&files, Catalogue::bundled())?;
    Ok((snapshot, issues.iter().map(ToString::to_string).collect()))
}

/// A role of account 111122223333 with more members.
fn role(name: &str, more: &str) -> String {
    format!(
        r#"{{"Path": "/", "RoleName": "{name}", "RoleId": "AROA{name}", "Arn": "arn:aws:iam::111122223333:role/{name}",
            "CreateDate": "2026-01-02T03:04:05+00:00", "AssumeRolePolicyDocument": {{"Statement": []}} {more}}}"#
    )
}

fn roles(roles: &[String]) -> String {
    format!(r#"{{"RoleDetailList": [{}]}}"#, roles.join(","))
}

fn inline(name: &str, document: &str) -> String {
    format!(r#", "RolePolicyList": [{{"PolicyName": "{name}", "PolicyDocument": {document}}}]"#)
}

fn attach(arn: &str) -> String {
    format!(r#", "AttachedManagedPolicies": [{{"PolicyName": "x", "PolicyArn": "{arn}"}}]"#)
}

fn url_encoded(text: &str) -> String {
    let encoded: String = text
        .bytes()
        .map(|byte| {
            if byte.is_ascii_alphanumeric() {
                char::from(byte).to_string()
            } else {
                format!("%{byte:02X}")
            }
        })
        .collect();
    format!("\"{encoded}\"")
}

fn ids(policies: &[AttachedPolicy]) -> Vec<&str> {
    policies.iter().map(|policy| &*policy.id).collect()
}

#[test]
fn a_single_file_tells_its_account_by_its_arns() {
    let details = roles(&[role("build", &inline("read", ALLOW))]);
    let (snapshot, issues) = read(&[("whatever.json", &details)]);
    assert_eq!(issues, [] as [&str; 0]);
    assert_eq!(snapshot.accounts().collect::<Vec<_>>(), ["111122223333"]);
    assert!(snapshot.has_account("111122223333") && !snapshot.has_account("444455556666"));
    let build = snapshot
        .principal("arn:aws:iam::111122223333:role/build")
        .unwrap();
    assert_eq!(
        (
            build.kind,
            build.name.as_str(),
            build.path.as_str(),
            build.account.as_str()
        ),
        (PrincipalKind::Role, "build", "/", "111122223333")
    );
    assert_eq!(
        (build.unique_id.as_str(), build.created.as_deref()),
        ("AROAbuild", Some("2026-01-02T03:04:05+00:00"))
    );
    assert_eq!(
        ids(&build.identity),
        ["arn:aws:iam::111122223333:role/build#read"]
    );
    assert_eq!(build.identity[0].source, PolicySource::Inline);
    assert!(build.identity[0].policy.is_ok());
    let root = snapshot
        .principal("arn:aws:iam::111122223333:root")
        .unwrap();
    assert_eq!((root.kind, root.identity.len()), (PrincipalKind::Root, 0));
    assert!(std::ptr::eq(
        snapshot.role_by_name("111122223333", "build").unwrap(),
        build
    ));
    assert!(std::ptr::eq(
        snapshot.principal_by_id("AROAbuild").unwrap(),
        build
    ));
    assert!(snapshot.user_by_name("111122223333", "build").is_none());
    assert_eq!(
        snapshot
            .principals()
            .map(|principal| principal.kind)
            .collect::<Vec<_>>(),
        [PrincipalKind::Role, PrincipalKind::Root]
    );
}

#[test]
fn pages_in_one_file_or_several() {
    let (one, two) = (roles(&[role("a", "")]), roles(&[role("b", "")]));
    let names = |files: &[(&str, &str)]| {
        read(files)
            .0
            .principals()
            .map(|principal| principal.name.clone())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        names(&[("x.json", &format!("{one}\n{two}"))]),
        ["a", "b", "root"]
    );
    assert_eq!(
        names(&[("x.json", &format!(" [{one}, {two}]"))]),
        ["a", "b", "root"]
    );
    assert_eq!(
        names(&[
            (DETAILS, &one),
            ("accounts/111122223333/authorization-details-2.json", &two)
        ]),
        ["a", "b", "root"]
    );
    assert_eq!(
        names(&[
            ("authorization-details-1.json", &one),
            ("authorization-details-2.json", &two)
        ]),
        ["a", "b", "root"]
    );
    // The same entry twice: the first counts, and it is said.
    let (snapshot, issues) = read(&[("x.json", &format!("{one}{one}"))]);
    assert_eq!(snapshot.principals().count(), 2);
    assert_eq!(
        issues,
        [
            "`x.json`: `arn:aws:iam::111122223333:role/a` is listed more than once: the first entry counts"
        ]
    );
}

#[test]
fn documents_of_the_same_content_are_shared() {
    let plain = serde_json::to_string(ALLOW).unwrap();
    let details = roles(&[
        role("a", &inline("p", ALLOW)),
        role("b", &inline("q", ALLOW)),
        role("c", &inline("p", &url_encoded(ALLOW))),
        role("d", &inline("p", &plain)),
    ]);
    let (snapshot, issues) = read(&[("x.json", &details)]);
    assert_eq!(issues, [] as [&str; 0]);
    let policy = |name| {
        snapshot
            .role_by_name("111122223333", name)
            .unwrap()
            .identity[0]
            .policy
            .clone()
            .unwrap()
    };
    assert!(Arc::ptr_eq(&policy("a"), &policy("b")));
    // All forms of a document are one.
    for name in ["c", "d"] {
        assert_eq!(
            format!("{:?}", policy("a")),
            format!("{:?}", policy(name)),
            "{name}"
        );
    }
}

#[test]
fn a_user_has_the_policies_of_its_groups() {
    let details = format!(
        r#"{{"UserDetailList": [{{
            "Path": "/team/", "UserName": "ana", "UserId": "AIDAANA", "Arn": "arn:aws:iam::111122223333:user/team/ana",
            "UserPolicyList": [{{"PolicyName": "own", "PolicyDocument": {ALLOW}}}],
            "GroupList": ["readers", "gone"],
            "AttachedManagedPolicies": [{{"PolicyName": "m", "PolicyArn": "arn:aws:iam::111122223333:policy/m"}}],
            "PermissionsBoundary": {{"PermissionsBoundaryType": "PermissionsBoundaryPolicy", "PermissionsBoundaryArn": "arn:aws:iam::111122223333:policy/m"}},
            "Tags": [{{"Key": "team", "Value": "blue"}}]
        }}],
        "GroupDetailList": [{{
            "Path": "/", "GroupName": "readers", "GroupId": "AGPA1", "Arn": "arn:aws:iam::111122223333:group/readers",
            "GroupPolicyList": [{{"PolicyName": "own", "PolicyDocument": {ALLOW}}}],
            "AttachedManagedPolicies": [{{"PolicyName": "m", "PolicyArn": "arn:aws:iam::111122223333:policy/m"}}]
        }}],
        "Policies": [{{
            "PolicyName": "m", "Arn": "arn:aws:iam::111122223333:policy/m", "DefaultVersionId": "v2",
            "PolicyVersionList": [
                {{"VersionId": "v2", "IsDefaultVersion": true, "Document": {ALLOW}}},
                {{"VersionId": "v1", "IsDefaultVersion": false, "Document": "broken"}}
            ]
        }}]}}"#
    );
    let (snapshot, issues) = read(&[(DETAILS, &details)]);
    let ana = snapshot.user_by_name("111122223333", "ana").unwrap();
    assert_eq!(ana.arn, "arn:aws:iam::111122223333:user/team/ana");
    assert_eq!(
        (ana.path.as_str(), ana.tags.as_slice()),
        (
            "/team/",
            [("team".to_owned(), "blue".to_owned())].as_slice()
        )
    );
    let group =
        |name: &str| PolicySource::Group(format!("arn:aws:iam::111122223333:group/{name}").into());
    let policies: Vec<_> = ana
        .identity
        .iter()
        .map(|policy| (&*policy.id, policy.source.clone(), policy.policy.is_ok()))
        .collect();
    assert_eq!(
        policies,
        [
            (
                "arn:aws:iam::111122223333:user/team/ana#own",
                PolicySource::Inline,
                true
            ),
            (
                "arn:aws:iam::111122223333:policy/m",
                PolicySource::Managed,
                true
            ),
            (
                "arn:aws:iam::111122223333:group/readers#own",
                group("readers"),
                true
            ),
            ("arn:aws:iam::111122223333:policy/m", group("readers"), true),
            ("arn:aws:iam::111122223333:group/gone", group("gone"), false),
        ]
    );
    assert_eq!(
        ana.identity[4].policy.clone().unwrap_err(),
        PolicyUnavailable::NotCollected
    );
    let boundary = ana.boundary.as_ref().unwrap();
    assert_eq!(
        (&*boundary.id, &boundary.source, boundary.policy.is_ok()),
        (
            "arn:aws:iam::111122223333:policy/m",
            &PolicySource::Managed,
            true
        )
    );
    assert_eq!(
        issues,
        [
            "`accounts/111122223333/authorization-details.json`: user `arn:aws:iam::111122223333:user/team/ana` is in the group `gone`, which is not in the snapshot"
        ]
    );
    assert_eq!(
        snapshot.group_arn("111122223333", "readers"),
        Some("arn:aws:iam::111122223333:group/readers")
    );
    assert_eq!(
        snapshot.policy_arn("111122223333", "m"),
        Some("arn:aws:iam::111122223333:policy/m")
    );
}

#[test]
fn managed_policies_that_the_snapshot_lacks() {
    let details = roles(&[
        role("a", &attach("arn:aws:iam::aws:policy/ReadOnlyAccess")),
        role("b", &attach("arn:aws:iam::aws:policy/NoSuchPolicy")),
        role("c", &attach("arn:aws:iam::111122223333:policy/lost")),
        role("d", &attach("arn:aws:iam::111122223333:policy/lost")),
    ]);
    let (snapshot, issues) = read(&[("x.json", &details)]);
    let policy = |name| {
        snapshot
            .role_by_name("111122223333", name)
            .unwrap()
            .identity[0]
            .clone()
    };
    assert_eq!(
        (policy("a").policy.is_ok(), policy("a").bundled_date),
        (true, Some("2026-09-30"))
    );
    for name in ["b", "c", "d"] {
        assert_eq!(
            (policy(name).policy.unwrap_err(), policy(name).bundled_date),
            (PolicyUnavailable::NotCollected, None),
            "{name}"
        );
    }
    // Said once, with the first principal that has it.
    assert_eq!(
        issues,
        [
            "`x.json`: managed policy `arn:aws:iam::aws:policy/NoSuchPolicy`, attached to `arn:aws:iam::111122223333:role/b`: the snapshot does not hold it",
            "`x.json`: managed policy `arn:aws:iam::111122223333:policy/lost`, attached to `arn:aws:iam::111122223333:role/c`: the snapshot does not hold it",
        ]
    );
    // The snapshot's own copy comes first.
    let own = format!(
        r#"{{"RoleDetailList": [{}], "Policies": [{{"PolicyName": "ReadOnlyAccess", "Arn": "arn:aws:iam::aws:policy/ReadOnlyAccess", "DefaultVersionId": "v7",
            "PolicyVersionList": [{{"VersionId": "v7", "Document": {ALLOW}}}]}}]}}"#,
        role("a", &attach("arn:aws:iam::aws:policy/ReadOnlyAccess"))
    );
    let (snapshot, _) = read(&[("x.json", &own)]);
    assert_eq!(
        snapshot.role_by_name("111122223333", "a").unwrap().identity[0].bundled_date,
        None
    );
}

#[test]
fn an_unreadable_document_is_named_with_its_place() {
    let details = format!(
        "{{\"RoleDetailList\": [\n{}\n]}}",
        role(
            "a",
            &inline(
                "p",
                "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [ 7 ]\n}"
            )
        )
    );
    let (snapshot, issues) = read(&[(DETAILS, &details)]);
    let policy = &snapshot.role_by_name("111122223333", "a").unwrap().identity[0];
    assert_eq!(
        policy.policy.clone().unwrap_err(),
        PolicyUnavailable::Unreadable
    );
    // The place is that in the file.
    let line = details
        .lines()
        .position(|line| line.contains("[ 7 ]"))
        .unwrap()
        + 1;
    let [issue] = issues.as_slice() else {
        panic!("{issues:?}")
    };
    assert!(
        issue.starts_with(&format!(
            "`{DETAILS}`: inline policy `p` of `arn:aws:iam::111122223333:role/a`: {line}:18: "
        )),
        "{issue}"
    );

    // Of an encoded one, its own place and that within it.
    let details = roles(&[role(
        "a",
        &inline("p", &url_encoded("{\n \"Statement\": 7}")),
    )]);
    let (_, issues) = read(&[(DETAILS, &details)]);
    assert!(
        issues[0].contains(": in the encoded document at 2:15: "),
        "{issues:?}"
    );

    for document in ["null", "7", "\"\"", "\"%7B%FF\"", "[]", "\"\\ud800\""] {
        let (snapshot, issues) = read(&[(DETAILS, &roles(&[role("a", &inline("p", document))]))]);
        assert!(
            snapshot.role_by_name("111122223333", "a").unwrap().identity[0]
                .policy
                .is_err(),
            "{document}"
        );
        assert_eq!(issues.len(), 1, "{document}");
    }

    let managed = format!(
        r#"{{"RoleDetailList": [{}], "Policies": [{{"PolicyName": "m", "Arn": "arn:aws:iam::111122223333:policy/m", "DefaultVersionId": "v9",
            "PolicyVersionList": [{{"VersionId": "v1", "IsDefaultVersion": false, "Document": {ALLOW}}}]}}]}}"#,
        role("a", &attach("arn:aws:iam::111122223333:policy/m"))
    );
    let (_, issues) = read(&[("x.json", &managed)]);
    assert_eq!(
        issues,
        [
            "`x.json`: managed policy `arn:aws:iam::111122223333:policy/m`, attached to `arn:aws:iam::111122223333:role/a`: none of its versions is the default one"
        ]
    );
}

#[test]
fn a_file_that_cannot_be_read_leaves_its_account_uncollected() {
    let good = roles(&[role("a", "")]);
    let check = |bad: &str, expect: &str| {
        let (snapshot, issues) = read(&[
            (DETAILS, &good),
            ("accounts/444455556666/authorization-details.json", bad),
        ]);
        assert_eq!(
            snapshot.accounts().collect::<Vec<_>>(),
            ["111122223333"],
            "{bad}"
        );
        assert!(
            snapshot
                .principal("arn:aws:iam::444455556666:root")
                .is_none()
        );
        assert_eq!(
            issues,
            [format!(
                "`accounts/444455556666/authorization-details.json`: {expect}: account `444455556666` counts as not collected"
            )]
        );
    };
    check("{\n\"RoleDetailList\": [}", "2:20: expected value");
    check("", "1:1: the file holds nothing");
    check(
        "{\"RoleDetailList\": [{\"Arn\": 7}]}",
        "1:29: invalid type: integer `7`, expected a string",
    );
    check(
        "{\"Roles\": []}",
        "the file has no `UserDetailList`, `GroupDetailList`, `RoleDetailList` or `Policies`",
    );
    check(
        &good,
        "the file stands in the folder of another account than `111122223333`, which it holds",
    );
    check(
        r#"{"RoleDetailList": [{"Arn": "arn:aws:iam::444455556666:user/a", "RoleName": "a", "RoleId": "AROA1"}]}"#,
        "`RoleDetailList` has an entry with the ARN `arn:aws:iam::444455556666:user/a`, which is not one of its kind",
    );
    let deep = format!("{{\"RoleDetailList\": {}", "[".repeat(100_000));
    let (snapshot, issues) = read(&[
        (DETAILS, &good),
        ("accounts/444455556666/authorization-details.json", &deep),
    ]);
    assert_eq!((snapshot.accounts().count(), issues.len()), (1, 1));

    // A broken second page: what the first one holds stands, but the account is not whole.
    let (snapshot, issues) = read(&[
        (DETAILS, &good),
        ("accounts/111122223333/authorization-details-2.json", "{"),
    ]);
    assert!(!snapshot.has_account("111122223333"));
    assert!(
        snapshot
            .principal("arn:aws:iam::111122223333:role/a")
            .is_some()
    );
    assert!(
        snapshot
            .principal("arn:aws:iam::111122223333:root")
            .is_none()
    );
    assert_eq!(issues.len(), 1);
}

#[test]
fn nothing_readable_is_an_error() {
    let error = |files: &[(&str, &str)]| try_read(files).expect_err("no snapshot").to_string();
    assert_eq!(error(&[]), "the snapshot has no files");
    assert_eq!(
        error(&[("x.json", "{\n")]),
        "nothing of the snapshot could be read: `x.json`: 2:1: EOF while parsing an object"
    );
    assert_eq!(
        error(&[("x.json", "{\"RoleDetailList\": []}")]),
        "nothing of the snapshot could be read: `x.json`: the file names no account: it has no user, group, role or customer managed policy"
    );
    assert_eq!(
        error(&[("README.md", "hello"), ("notes.txt", "hello")]),
        "no file has the name of a snapshot's files, such as `accounts/111122223333/authorization-details.json`"
    );
    // Which layers are whole is not guessed.
    assert_eq!(
        error(&[
            (DETAILS, &roles(&[role("a", "")])),
            ("snapshot.json", "{\"layers\": 7}")
        ]),
        "`snapshot.json`: 1:12: invalid type: integer `7`, expected a sequence"
    );
}

#[test]
fn names_from_a_file_stay_on_one_line() {
    let details = roles(&[role("a", &inline("p\\n\\u001b[31m", "7"))]);
    let (_, issues) = read(&[("x\ny.json", &details)]);
    assert!(!issues[0].chars().any(char::is_control), "{issues:?}");
}

#[test]
fn files_that_are_no_part_of_a_snapshot() {
    let details = roles(&[role("a", "")]);
    let (_, issues) = read(&[
        (DETAILS, &details),
        ("README.md", "hello"),
        ("accounts/11112222/authorization-details.json", &details),
        ("accounts/111122223333/resource-policies/moon.json", "{}"),
    ]);
    assert_eq!(
        issues,
        [
            "`accounts/11112222/authorization-details.json`: the file is none that a snapshot has, and is not read",
            "`accounts/111122223333/resource-policies/moon.json`: `moon` is no service that IAM knows",
        ]
    );
}

#[test]
fn the_id_is_a_hash_of_all_files_in_any_order() {
    let (a, b) = (roles(&[role("a", "")]), roles(&[role("b", "")]));
    let id = |files: &[(&str, &str)]| read(files).0.id().to_owned();
    let both = id(&[
        ("authorization-details-1.json", &a),
        ("authorization-details-2.json", &b),
    ]);
    assert_eq!(
        both,
        id(&[
            ("authorization-details-2.json", &b),
            ("authorization-details-1.json", &a)
        ])
    );
    assert_ne!(
        both,
        id(&[
            ("authorization-details-1.json", &b),
            ("authorization-details-2.json", &a)
        ])
    );
    assert_ne!(both, id(&[("authorization-details-1.json", &a)]));
    assert!(both.len() == 16 && both.bytes().all(|byte| byte.is_ascii_hexdigit()));
}

#[test]
fn trust_policies() {
    let details = roles(&[role(
        "a",
        r#", "RoleLastUsed": {"LastUsedDate": "2026-10-01T00:00:00+00:00", "Region": "eu-west-1"}"#,
    )]);
    let (snapshot, _) = read(&[("x.json", &details)]);
    let trust = |arn, account| snapshot.resource_policy("sts", arn, account);
    assert_eq!(
        trust("arn:aws:iam::111122223333:role/a", "111122223333"),
        Collected::Present
    );
    assert_eq!(
        trust("arn:aws:iam::111122223333:role/b", "111122223333"),
        Collected::Empty
    );
    assert_eq!(
        trust("arn:aws:iam::444455556666:role/b", "444455556666"),
        Collected::No
    );
    assert_eq!(
        snapshot.trust_policy_document("arn:aws:iam::111122223333:role/a"),
        Some(r#"{"Statement": []}"#)
    );
    assert_eq!(
        snapshot.role_last_used("arn:aws:iam::111122223333:role/a"),
        Some("2026-10-01T00:00:00+00:00")
    );
}

#[test]
fn resource_policies_and_grants() {
    let details = roles(&[role("a", "")]);
    let policies = format!(r#"{{"arn:aws:s3:::logs": {SHARED}, "arn:aws:s3:::bare": null}}"#);
    let key = "arn:aws:kms:eu-west-1:111122223333:key/1";
    let grants = format!(r#"{{"{key}": [{{"GrantId": "g"}}], "{key}2": []}}"#);
    let files = [
        (DETAILS, details.as_str()),
        (
            "accounts/111122223333/resource-policies/s3.json",
            policies.as_str(),
        ),
        ("accounts/111122223333/kms-grants.json", grants.as_str()),
    ];
    let (snapshot, issues) = read(&files);
    assert_eq!(issues, [] as [&str; 0]);
    let policy = |arn| snapshot.resource_policy("s3", arn, "111122223333");
    assert_eq!(policy("arn:aws:s3:::logs"), Collected::Present);
    assert_eq!(policy("arn:aws:s3:::logs/2026/a.json"), Collected::Present);
    assert_eq!(policy("arn:aws:s3:::bare"), Collected::Empty);
    assert_eq!(policy("arn:aws:s3:::other"), Collected::Empty);
    assert_eq!(
        snapshot.resource_policy("s3", "arn:aws:s3:::other", "444455556666"),
        Collected::No
    );
    assert_eq!(
        snapshot.resource_policy(
            "ecr",
            "arn:aws:ecr:eu-west-1:111122223333:repository/a",
            "111122223333"
        ),
        Collected::No
    );
    assert_eq!(
        snapshot.resource_policy_document("s3", "arn:aws:s3:::logs/x"),
        Some(SHARED)
    );
    assert_eq!(snapshot.kms_grants(key, "111122223333"), Collected::Present);
    assert_eq!(
        snapshot.kms_grants_document(key),
        Some(r#"[{"GrantId": "g"}]"#)
    );
    assert_eq!(
        snapshot.kms_grants(&format!("{key}2"), "111122223333"),
        Collected::Empty
    );
    assert_eq!(
        snapshot.kms_grants(&format!("{key}3"), "111122223333"),
        Collected::Empty
    );
    assert_eq!(
        snapshot.kms_grants(key.replace("1111", "4444").as_str(), "444422223333"),
        Collected::No
    );

    // Any of them.
    assert_eq!(policy("*"), Collected::Present);
    assert_eq!(snapshot.kms_grants("*", "111122223333"), Collected::Present);
    assert_eq!(
        snapshot.resource_policy("s3", "*", "444455556666"),
        Collected::No
    );
    assert_eq!(
        snapshot.resource_policy("sts", "*", "111122223333"),
        Collected::Present
    );
    let bare = [
        files[0],
        (
            "accounts/111122223333/resource-policies/s3.json",
            r#"{"arn:aws:s3:::bare": null}"#,
        ),
    ];
    assert_eq!(
        read(&bare).0.resource_policy("s3", "*", "111122223333"),
        Collected::Empty
    );

    // In part: what is not listed was not collected.
    let status = r#"{"taken_at": "2026-10-27T10:00:00Z", "collected_by": "aws-cli", "layers": [
        {"account": "111122223333", "layer": "resource_policy", "service": "s3", "region": "*", "status": "partial"},
        {"account": "111122223333", "layer": "resource_policy", "service": "ecr", "status": "complete"},
        {"account": "111122223333", "layer": "kms_grants", "region": "eu-west-1", "status": "failed"}]}"#;
    let (snapshot, issues) = read(&[files[0], files[1], files[2], ("snapshot.json", status)]);
    assert_eq!(issues, [] as [&str; 0]);
    assert_eq!(
        (snapshot.taken_at(), snapshot.collected_by()),
        (Some("2026-10-27T10:00:00Z"), Some("aws-cli"))
    );
    assert_eq!(
        snapshot.resource_policy("s3", "arn:aws:s3:::logs", "111122223333"),
        Collected::Present
    );
    assert_eq!(
        snapshot.resource_policy("s3", "arn:aws:s3:::other", "111122223333"),
        Collected::No
    );
    assert_eq!(
        snapshot.resource_policy(
            "ecr",
            "arn:aws:ecr:eu-west-1:111122223333:repository/a",
            "111122223333"
        ),
        Collected::Empty
    );
    assert_eq!(
        snapshot.kms_grants(&format!("{key}3"), "111122223333"),
        Collected::No
    );
    assert_eq!(
        snapshot.kms_grants("arn:aws:kms:us-east-1:111122223333:key/1", "111122223333"),
        Collected::Empty
    );

    // Nor was a policy that is none; the others of its file were.
    let unreadable = format!(r#"{{"arn:aws:s3:::logs": {ALLOW}, "arn:aws:s3:::data": {SHARED}}}"#);
    let (snapshot, issues) = read(&[
        files[0],
        (
            "accounts/111122223333/resource-policies/s3.json",
            unreadable.as_str(),
        ),
    ]);
    assert_eq!(
        issues,
        [
            "`accounts/111122223333/resource-policies/s3.json`: policy of `arn:aws:s3:::logs`: 1:60: the statement has no `Principal`"
        ]
    );
    let policy = |arn| snapshot.resource_policy("s3", arn, "111122223333");
    assert_eq!(
        [policy("arn:aws:s3:::logs"), policy("arn:aws:s3:::data")],
        [Collected::No, Collected::Present]
    );

    // A file that is broken was not collected, whatever `snapshot.json` says.
    let status =
        r#"{"layers": [{"account": "*", "layer": "resource_policy", "status": "complete"}]}"#;
    let (snapshot, issues) = read(&[
        files[0],
        (
            "accounts/111122223333/resource-policies/s3.json",
            "{\"a\": }",
        ),
        ("snapshot.json", status),
    ]);
    assert_eq!(
        issues,
        ["`accounts/111122223333/resource-policies/s3.json`: 1:7: expected value"]
    );
    assert_eq!(
        snapshot.resource_policy("s3", "arn:aws:s3:::logs", "111122223333"),
        Collected::No
    );
    assert_eq!(
        snapshot.resource_policy("s3", "arn:aws:s3:::logs", "444455556666"),
        Collected::Empty
    );
}

#[test]
fn buckets_endpoints_and_tags() {
    let details = roles(&[role("a", "")]);
    let buckets = r#"{"enforced": {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}, "OwnerAccount": "111122223333"},
        "preferred": {"OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerPreferred"}]}}, "old": {"Grants": []}}"#;
    let endpoints = r#"{"VpcEndpoints": [
        {"VpcEndpointId": "vpce-1", "VpcId": "vpc-1", "PolicyDocument": "{\"Statement\":[{\"Effect\":\"Allow\",\"Principal\":\"*\",\"Action\":\"*\",\"Resource\":\"*\"}]}"},
        {"VpcEndpointId": "vpce-2", "VpcId": "vpc-2", "PolicyDocument": "{\"Statement\":[]}"}]}
        {"VpcEndpoints": [{"VpcEndpointId": "vpce-3"}]}"#;
    let tags = r#"{"arn:aws:s3:::logs": {"team": "blue"}}"#;
    let files = [
        (DETAILS, details.as_str()),
        ("accounts/111122223333/s3-buckets.json", buckets),
        ("accounts/111122223333/vpc-endpoints.json", endpoints),
        ("accounts/111122223333/resource-tags.json", tags),
    ];
    let (snapshot, issues) = read(&files);
    assert_eq!(issues, [] as [&str; 0]);
    let acl = |bucket| snapshot.bucket_acl(bucket, "111122223333");
    assert_eq!(
        [acl("enforced"), acl("preferred"), acl("old"), acl("other")],
        [
            Collected::Empty,
            Collected::Present,
            Collected::Present,
            Collected::No
        ]
    );
    let endpoint = |id| snapshot.vpc_endpoint_policy(id, "111122223333");
    assert_eq!(
        [
            endpoint("vpce-1"),
            endpoint("vpce-2"),
            endpoint("vpce-3"),
            endpoint("vpce-4")
        ],
        [
            Collected::Empty,
            Collected::Present,
            Collected::Empty,
            Collected::No
        ]
    );
    assert_eq!(snapshot.vpc_of_endpoint("vpce-2"), Some("vpc-2"));
    assert_eq!(
        snapshot.vpc_endpoint_policy_document("vpce-2"),
        Some("{\"Statement\":[]}")
    );
    assert_eq!(snapshot.vpc_endpoint_policy_document("vpce-1"), None);
    assert_eq!(
        snapshot.resource_tags("arn:aws:s3:::logs"),
        Some([("team".to_owned(), "blue".to_owned())].as_slice())
    );
    let queue = "arn:aws:sqs:eu-west-1:111122223333:queue";
    assert_eq!(snapshot.resource_tags(queue), None);

    // Things that are not listed are without a policy, an ACL or tags only if that is said.
    let status = r#"{"layers": [{"account": "*", "layer": "s3_acl", "status": "complete"}, {"account": "*", "layer": "vpc_endpoint_policy", "status": "complete"},
        {"account": "*", "layer": "resource_tags", "status": "complete"}]}"#;
    let (snapshot, _) = read(&[files[0], ("snapshot.json", status)]);
    assert_eq!(
        snapshot.bucket_acl("other", "111122223333"),
        Collected::Empty
    );
    assert_eq!(
        snapshot.vpc_endpoint_policy("vpce-4", "111122223333"),
        Collected::Empty
    );
    assert_eq!(snapshot.resource_tags(queue), Some([].as_slice()));
}

#[test]
fn organization_policies() {
    let details = roles(&[role("a", "")]);
    let organization = r#"{
        "Organization": {"Id": "o-exampleorg1", "MasterAccountId": "999900001111"},
        "Roots": [{"Id": "r-ab12"}],
        "Accounts": [{"Id": "111122223333", "ParentId": "r-ab12"}, {"Id": "444455556666", "ParentId": "r-ab12"}, {"Id": "999900001111", "ParentId": "r-ab12"}],
        "Policies": [
            {"PolicySummary": {"Id": "p-FullAWSAccess", "Type": "SERVICE_CONTROL_POLICY"}, "Content": "{}", "Targets": [{"TargetId": "r-ab12"}]},
            {"PolicySummary": {"Id": "p-1", "Arn": "arn:aws:organizations::999900001111:policy/o-exampleorg1/service_control_policy/p-1", "Type": "SERVICE_CONTROL_POLICY"},
             "Content": "{\"Statement\":[]}", "Targets": [{"TargetId": "444455556666"}]}]}"#;
    let (snapshot, issues) = read(&[(DETAILS, &details), ("organization.json", organization)]);
    assert_eq!(issues, [] as [&str; 0]);
    assert_eq!(
        [
            "111122223333",
            "444455556666",
            "999900001111",
            "123456789012"
        ]
        .map(|account| snapshot.scp(account)),
        [
            Collected::Empty,
            Collected::Present,
            Collected::Empty,
            Collected::No
        ]
    );
    assert_eq!(snapshot.rcp("444455556666"), Collected::Empty);
    assert_eq!(snapshot.is_management_account("999900001111"), Some(true));
    assert_eq!(
        snapshot.scp_documents("444455556666"),
        [(
            "arn:aws:organizations::999900001111:policy/o-exampleorg1/service_control_policy/p-1",
            "{\"Statement\":[]}"
        )]
    );
    assert_eq!(snapshot.rcp_documents("444455556666"), []);

    let (snapshot, _) = read(&[(DETAILS, &details)]);
    assert_eq!(
        (
            snapshot.scp("111122223333"),
            snapshot.is_management_account("111122223333")
        ),
        (Collected::No, None)
    );
    let status = r#"{"layers": [{"account": "*", "layer": "scp", "status": "complete"}, {"account": "*", "layer": "rcp", "status": "partial"}]}"#;
    let (snapshot, _) = read(&[(DETAILS, &details), ("snapshot.json", status)]);
    assert_eq!(
        (snapshot.scp("111122223333"), snapshot.rcp("111122223333")),
        (Collected::Empty, Collected::No)
    );
    let (snapshot, issues) = read(&[
        (DETAILS, &details),
        ("snapshot.json", status),
        ("organization.json", "{\"Roots\": 7}"),
    ]);
    assert_eq!(
        (snapshot.scp("111122223333"), issues),
        (
            Collected::No,
            vec![
                "`organization.json`: 1:11: invalid type: integer `7`, expected a sequence"
                    .to_owned()
            ]
        )
    );
    // In part: others may be missing, also where one is there.
    let status = status.replace("complete", "partial");
    let (snapshot, _) = read(&[
        (DETAILS, &details),
        ("snapshot.json", &status),
        ("organization.json", organization),
    ]);
    assert_eq!(
        (snapshot.scp("111122223333"), snapshot.scp("444455556666")),
        (Collected::No, Collected::No)
    );
}

#[test]
fn the_status_of_an_account() {
    let details = roles(&[role("a", "")]);
    let status = r#"{"layers": [{"account": "*", "layer": "identity", "status": "complete"}, {"account": "444455556666", "layer": "identity", "status": "complete"}]}"#;
    let (snapshot, _) = read(&[(DETAILS, &details), ("snapshot.json", status)]);
    // Collected and empty, where the entry names the account.
    assert_eq!(
        snapshot.accounts().collect::<Vec<_>>(),
        ["111122223333", "444455556666"]
    );
    assert!(
        snapshot
            .principal("arn:aws:iam::444455556666:root")
            .is_some()
    );
    assert!(!snapshot.has_account("777788889999"));
    let status =
        r#"{"layers": [{"account": "111122223333", "layer": "identity", "status": "partial"}]}"#;
    let (snapshot, _) = read(&[(DETAILS, &details), ("snapshot.json", status)]);
    assert!(!snapshot.has_account("111122223333"));
    assert!(
        snapshot
            .principal("arn:aws:iam::111122223333:role/a")
            .is_some()
    );
}

#[test]
fn another_partition() {
    let details = roles(&[role(
        "a",
        &attach("arn:aws-cn:iam::aws:policy/ReadOnlyAccess"),
    )])
    .replace("arn:aws:iam::1", "arn:aws-cn:iam::1");
    let (snapshot, issues) = read(&[("x.json", &details)]);
    assert_eq!(issues, [] as [&str; 0]);
    assert!(
        snapshot
            .principal("arn:aws-cn:iam::111122223333:root")
            .is_some()
    );
    let role = snapshot
        .principal("arn:aws-cn:iam::111122223333:role/a")
        .unwrap();
    assert!(role.identity[0].policy.is_ok() && role.identity[0].bundled_date.is_some());
}

/// An account of 5,000 roles with 2 KB of inline policies each: the figures are printed.
#[test]
fn a_large_account_is_read_quickly() {
    let document = |number: usize| {
        let resources: Vec<String> = (0..30)
            .map(|bucket| format!("\"arn:aws:s3:::bucket-{bucket}/team-{}/*\"", number % 100))
            .collect();
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{{"Effect":"Allow","Action":["s3:GetObject","s3:PutObject"],"Resource":[{}]}}]}}"#,
            resources.join(",")
        )
    };
    let all: Vec<String> = (0..5_000)
        .map(|number| role(&format!("role{number}"), &inline("data", &document(number))))
        .collect();
    let details = roles(&all);
    let started = std::time::Instant::now();
    let (snapshot, issues) = read(&[("x.json", &details)]);
    eprintln!(
        "snapshot: {} bytes, {} principals in {:?}",
        details.len(),
        snapshot.principals().count(),
        started.elapsed()
    );
    assert_eq!((snapshot.principals().count(), issues.len()), (5_001, 0));
}

/// Whatever the bytes, the answer is a snapshot or an error.
#[test]
fn broken_files_never_end_the_program() {
    let details = roles(&[
        role("a", &inline("p", ALLOW)),
        role("b", &inline("p", &url_encoded(ALLOW))),
        role("c", &attach("arn:aws:iam::aws:policy/ReadOnlyAccess")),
    ]);
    let files = [
        DETAILS,
        "organization.json",
        "snapshot.json",
        "accounts/111122223333/resource-policies/s3.json",
        "accounts/111122223333/kms-grants.json",
        "accounts/111122223333/resource-tags.json",
        "accounts/111122223333/vpc-endpoints.json",
        "accounts/111122223333/s3-buckets.json",
    ];
    let values = [
        "null",
        "[]",
        "{}",
        "7",
        "\"x\"",
        "{\"a\": null}",
        "{\"a\": {}}",
        "{\"a\": []}",
        "[{}]",
        "[[]]",
    ];
    for path in files {
        for bytes in values.map(str::as_bytes) {
            let whole = SnapshotFile {
                path: "authorization-details.json",
                bytes: details.as_bytes(),
            };
            let _ = Snapshot::read(&[whole, SnapshotFile { path, bytes }], Catalogue::bundled());
        }
    }
    for cut in 0..details.len() {
        let mut bytes = details.as_bytes().to_vec();
        bytes[cut] = b"\"{}[],:\\\xff\0"[cut % 10];
        let _ = Snapshot::read(
            &[SnapshotFile {
                path: DETAILS,
                bytes: &bytes,
            }],
            Catalogue::bundled(),
        );
        let cut = &details.as_bytes()[..cut];
        assert!(
            Snapshot::read(
                &[SnapshotFile {
                    path: DETAILS,
                    bytes: cut
                }],
                Catalogue::bundled()
            )
            .is_err()
        );
    }
}
