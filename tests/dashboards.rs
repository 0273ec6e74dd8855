//! `dashboards/`: what is generated is current, and the queries answer what is known of the calls, as
//! DuckDB's text and as Athena's (parsed as Athena's by sqlglot, translated back and run in DuckDB).

use std::fs;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};

use crate::support::{analyze, duckdb, python, root, run, text};

/// Name of query or view → its rows.
fn answers(engine: &str, what: &str, out: &Path) -> Value {
    let dashboards = root().join("dashboards");
    let output = Command::new(python())
        .arg(root().join("tests/support/ask_dashboards.py"))
        .args([engine, what, text(&dashboards), text(out)])
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{engine}: {stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// The answers, which must not depend on the engine's text.
fn asked(what: &str, out: &Path) -> Value {
    let (duckdb, athena) = (answers("duckdb", what, out), answers("athena", what, out));
    let (ours, theirs) = (duckdb.as_object().unwrap(), athena.as_object().unwrap());
    assert!(ours.keys().eq(theirs.keys()));
    for (name, rows) in ours {
        assert_eq!(rows, &theirs[name], "{name}: DuckDB's text and Athena's");
    }
    duckdb
}

/// These columns of the rows of one answer.
#[track_caller]
fn check(answers: &Value, name: &str, columns: &[usize], expected: &Value) {
    let rows = answers[name].as_array().unwrap();
    let found: Vec<Vec<&Value>> = rows
        .iter()
        .map(|row| columns.iter().map(|column| &row[column]).collect())
        .collect();
    assert_eq!(&json!(found), expected, "{name}");
}

#[test]
fn what_is_generated_is_current() {
    let mut command = Command::new(python());
    run(command
        .arg(root().join("dashboards/render.py"))
        .arg("--check"))
    .expect_status(0);
}

/// What sample-logs/README.md says of the calls.
#[test]
fn the_queries_find_what_is_planted_in_the_sample() {
    let folder = tempfile::tempdir().unwrap();
    let logs = root().join("sample-logs");
    analyze(&logs, &logs.join("iam"), folder.path(), &["--quiet"]);
    let answers = asked("queries", folder.path());
    let role = |name: &str| format!("arn:aws:iam::111122223333:role/{name}");
    let scientist =
        "aws-reserved/sso.amazonaws.com/eu-west-1/AWSReservedSSO_DataScientist_0a1b2c3d4e5f6071";
    let denied = json!([
        [
            "arn:aws:iam::111122223333:user/legacy/forecast-batch",
            "machinelearning:UpdateMLModel",
            "identity",
            10
        ],
        [
            role("service-role/ResearchTrainingRole"),
            "s3:PutObject",
            "identity",
            9
        ],
        [role(scientist), "iam:PassRole", "identity", 7],
        [
            role("ci/ImageBuilder"),
            "s3:PutObject",
            "permissions_boundary",
            5
        ],
        [role("ci/ImageBuilder"), "ecr:PutImage", "identity", 4],
    ]);
    check(&answers, "would-be-denied", &[0, 1, 2, 3], &denied);
    // The sample is seven days, all of them of the last week.
    check(
        &answers,
        "would-be-denied-last-week",
        &[0, 1, 2, 3],
        &denied,
    );
    check(
        &answers,
        "undetermined",
        &[0, 1, 2, 3, 4, 5],
        &json!([
            [
                "444455556666",
                "kms:Decrypt",
                "layers_not_collected",
                [],
                ["resource", "kms_grant"],
                11
            ],
            [
                "444455556666",
                "sagemaker:DeleteEndpoint",
                "unknown_keys",
                ["sagemaker:ResourceTag/owner"],
                [],
                6
            ],
        ]),
    );
    check(
        &answers,
        "who-used-this-kms-key",
        &[0, 1, 2, 3],
        &json!([[
            "arn:aws:iam::444455556666:role/service-role/PlatformServingRole",
            "kms:Decrypt",
            11,
            0
        ]]),
    );
    let carol = "AKIAEXAMPLECAROLCLI1";
    let user = "arn:aws:iam::111122223333:user/carol";
    let breaks = role("BreakGlass");
    // Carol's writes, and her two sessions as BreakGlass, of which the second may only look.
    check(
        &answers,
        "who-used-this-key",
        &[1, 3, 4, 7, 8, 9],
        &json!([
            [null, user, null, "CreatePolicyVersion", 5, 0],
            [null, user, null, "GetSessionToken", 2, 0],
            [null, user, null, "AssumeRole", 2, 0],
            [carol, breaks, "carol", "ListUsers", 1, 0],
            [carol, breaks, "carol", "ListRoles", 1, 0],
            [
                carol,
                breaks,
                "carol",
                "GetAccountAuthorizationDetails",
                1,
                0
            ],
            [carol, breaks, "carol-looks", "ListUsers", 1, 0],
            [carol, breaks, "carol-looks", "ListRoles", 1, 0],
            [carol, breaks, "carol-looks", "ListPolicies", 1, 0],
            [carol, breaks, "carol-looks", "CreateUser", 2, 2],
            [null, user, null, "PutUserPolicy", 1, 0],
            [null, user, null, "PutRolePolicy", 1, 0],
        ]),
    );
    // Six calls of BreakGlass went through on Thursday, twelve of a role that is gone since on Monday.
    let least = answers["least-used-roles"].as_array().unwrap();
    assert_eq!(least.len(), 10, "{least:?}");
    let first: Vec<_> = least
        .iter()
        .take(2)
        .map(|row| [&row[0], &row[1], &row[2]])
        .collect();
    assert_eq!(
        json!(first),
        json!([[breaks, 6, 1], [role("TemporaryMigration"), 12, 1]])
    );
    // Fifteen training jobs, three a day, each with its session and three outputs; nine checkpoints.
    let used = answers["used-actions"].as_array().unwrap();
    let row = |action: &str| used.iter().find(|row| row[0] == action).unwrap();
    assert_eq!(
        row("logs:CreateLogStream"),
        &json!([
            "logs:CreateLogStream",
            15,
            15,
            1,
            "2026-11-02",
            "2026-11-06"
        ])
    );
    assert_eq!(row("s3:PutObject")[1], json!(15 * 3 + 9));
    // The sandbox is in the trail on one of seven days.
    assert_eq!(
        answers["silent-days"][0],
        json!(["777788889999", "eu-west-1", 6, "2026-11-02", "2026-11-08"])
    );
}

/// `views.sql` over this output, for a statement to follow.
fn with_views(out: &Path, statement: &str) -> String {
    let views = fs::read_to_string(root().join("dashboards/duckdb/views.sql")).unwrap();
    format!(
        "SET VARIABLE retrial_out = '{}'; {views} {statement}",
        text(out)
    )
}

/// Writes the rows of a SELECT, whose other columns are null, as a file of an output.
fn write_rows(out: &Path, key: &str, rows: &str) {
    let (table, folder) = key.split_once('/').unwrap();
    let folder = folder.split_once('=').unwrap().0;
    let file = out.join(key);
    fs::create_dir_all(file.parent().unwrap()).unwrap();
    let whole = format!(
        "SELECT * EXCLUDE ({folder}) FROM (FROM (FROM {table} WHERE false) UNION ALL BY NAME ({rows}))"
    );
    duckdb(
        out,
        &with_views(
            out,
            &format!("COPY ({whole}) TO '{}' (FORMAT parquet)", text(&file)),
        ),
    );
}

/// An output whose manifest lists these files: key → rows.
fn output(out: &Path, files: &[(&str, &str)]) {
    fs::create_dir_all(out.join("_retrial")).unwrap();
    let mut manifest = "{\"format\":2}\n".to_owned();
    fs::write(out.join("_retrial/manifest"), &manifest).unwrap();
    for (key, rows) in files {
        write_rows(out, key, rows);
        let table = key.split('/').next().unwrap();
        manifest += &format!("{}\n", json!({"table": table, "key": key}));
    }
    fs::write(out.join("_retrial/manifest"), manifest).unwrap();
}

/// Rows of `permissions`: app has two statements with a wildcard, of which one has evidence; idle, which is
/// in a group too, was never used. What an older snapshot said is no part of today.
const PERMISSIONS: &str = "
    SELECT '111122223333' AS account_id, 'arn:aws:iam::111122223333:role/' || role AS principal_arn,
           'role' AS principal_type, 'P' AS policy, 'managed' AS attachment, group_arn,
           statement_index::BIGINT AS statement_index, service, action, actions::BIGINT AS actions, action_set,
           state, reason, 0::BIGINT AS calls, 0::BIGINT AS days, 0::BIGINT AS window_days
    FROM (VALUES
        ('app', NULL, 0, 's3', 's3:GetObject', 1, NULL, 'used', NULL),
        ('app', NULL, 0, 's3', NULL, 2, 'objects', 'unused', NULL),
        ('app', NULL, 1, 's3', NULL, 3, 'objects', 'unobservable', 'data_events_not_recorded'),
        ('idle', 'G', 0, 's3', NULL, 3, 'objects', 'unobservable', 'data_events_not_recorded'),
        ('idle', NULL, 0, 's3', 's3:PutObject', 1, NULL, 'blocked', 'scp'),
        ('idle', NULL, NULL, NULL, NULL, 0, NULL, 'unobservable', 'unknown_policy')
    ) AS t(role, group_arn, statement_index, service, action, actions, action_set, state, reason)";

const ACTION_SETS: &str = "
    SELECT 'objects' AS action_set, 's3:' || unnest(['GetObject', 'PutObject', 'DeleteObject']) AS action,
           unnest(['Read', 'Write', 'Write']) AS access_level";

/// A call of app that went through, and is decided like this today.
fn call(time: &str, decision: &str) -> String {
    let verdict = if decision == "allowed" {
        "agrees"
    } else {
        "would_be_denied"
    };
    format!(
        "SELECT TIMESTAMPTZ '{time}+00' AS event_time, 'arn:aws:iam::111122223333:role/app' AS principal_arn,
                's3:GetObject' AS action, true AS required, 'succeeded' AS outcome, '{decision}' AS decision,
                '{verdict}' AS verdict, 'identity' AS layer, false AS copy, '{time}' AS log_file,
                0::BIGINT AS record_index"
    )
}

#[test]
fn a_wildcard_is_expanded_and_states_are_counted_as_of_the_newest_snapshot() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    let older = PERMISSIONS.replace("'unused'", "'used'");
    output(
        out,
        &[
            ("permissions/as_of=2026-01-24/1.parquet", &older),
            ("permissions/as_of=2026-01-31/2.parquet", PERMISSIONS),
            ("action_sets/as_of=2026-01-24/1.parquet", ACTION_SETS),
            ("action_sets/as_of=2026-01-31/2.parquet", ACTION_SETS),
        ],
    );
    let views = asked("views", out);
    let mut expanded = Vec::new();
    for row in views["permissions_expanded"].as_array().unwrap() {
        if row[0] == "2026-01-31" {
            let role = row[2].as_str().unwrap().rsplit('/').next().unwrap();
            expanded.push(json!([role, row[6], row[7], row[10], row[11], row[12]]));
        }
    }
    let mut expected = vec![
        json!(["app", null, 0, "s3:GetObject", null, "used"]),
        json!(["app", null, 0, "s3:PutObject", "Write", "unused"]),
        json!(["app", null, 0, "s3:DeleteObject", "Write", "unused"]),
        json!(["app", null, 1, "s3:GetObject", "Read", "unobservable"]),
        json!(["app", null, 1, "s3:PutObject", "Write", "unobservable"]),
        json!(["app", null, 1, "s3:DeleteObject", "Write", "unobservable"]),
        json!(["idle", "G", 0, "s3:GetObject", "Read", "unobservable"]),
        json!(["idle", "G", 0, "s3:PutObject", "Write", "unobservable"]),
        json!(["idle", "G", 0, "s3:DeleteObject", "Write", "unobservable"]),
        json!(["idle", null, 0, "s3:PutObject", null, "blocked"]),
        json!(["idle", null, null, null, null, "unobservable"]),
    ];
    expanded.sort_by_key(Value::to_string);
    expected.sort_by_key(Value::to_string);
    assert_eq!(expanded, expected);
    // account, service; principals, permissions; used, unused, too short, too new, blocked, unobservable
    let states = json!([
        ["111122223333", "s3", 2, 10, 1, 2, 0, 0, 1, 6],
        ["111122223333", null, 1, 0, 0, 0, 0, 0, 0, 0],
    ]);
    check(
        &views,
        "service_states",
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        &states,
    );
    let blind = json!([
        ["111122223333", "s3", "data_events_not_recorded", 2, 6],
        ["111122223333", null, "unknown_policy", 1, 0],
    ]);
    check(&views, "blind_spots", &[0, 1, 2, 3, 4], &blind);
    let queries = asked("queries", out);
    check(
        &queries,
        "unused-by-service",
        &[0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        &states,
    );
    check(&queries, "blind-spots", &[0, 1, 2, 3, 4], &blind);

    // It is the query of the table's documentation.
    let page = fs::read_to_string(root().join("crates/tables/README.md")).unwrap();
    let section = page.split("## `permissions`").nth(1).unwrap();
    let documented = section
        .split("```sql\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let differing = format!(
        "WITH theirs AS ({documented}), ordered AS (FROM (FROM permissions_expanded WHERE false) UNION ALL BY NAME FROM theirs), ours AS (FROM permissions_expanded)
        SELECT (SELECT count(*) FROM theirs), (SELECT count(*) FROM (SELECT * EXCLUDE (access_level) FROM ordered EXCEPT ALL SELECT * EXCLUDE (access_level) FROM ours)), (SELECT count(*) FROM (SELECT * EXCLUDE (access_level) FROM ours EXCEPT ALL SELECT * EXCLUDE (access_level) FROM ordered))"
    );
    assert_eq!(
        json!(duckdb(out, &with_views(out, &differing))),
        json!([[22, 0, 0]])
    );
}

#[test]
fn the_last_week_ends_with_the_newest_event_and_never_used_roles_come_first() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    output(
        out,
        &[
            (
                "decisions/event_date=2026-01-24/1.parquet",
                &call("2026-01-24 12:00:00", "implicit_deny"),
            ),
            (
                "decisions/event_date=2026-01-25/1.parquet",
                &call("2026-01-25 00:00:00", "explicit_deny"),
            ),
            (
                "decisions/event_date=2026-01-31/1.parquet",
                &call("2026-01-31 23:00:00", "allowed"),
            ),
            // A record without a time is a row all the same, and of no week.
            (
                "decisions/event_date=unknown/1.parquet",
                &call("2026-01-25 00:00:00", "explicit_deny")
                    .replace("TIMESTAMPTZ '2026-01-25 00:00:00+00'", "NULL::TIMESTAMPTZ"),
            ),
            ("permissions/as_of=2026-01-31/2.parquet", PERMISSIONS),
        ],
    );
    let answers = asked("queries", out);
    let app = "arn:aws:iam::111122223333:role/app";
    check(
        &answers,
        "would-be-denied",
        &[0, 1, 2, 3],
        &json!([[app, "s3:GetObject", "identity", 3]]),
    );
    check(
        &answers,
        "would-be-denied-last-week",
        &[0, 1, 2, 3],
        &json!([[app, "s3:GetObject", "identity", 1]]),
    );
    check(
        &answers,
        "least-used-roles",
        &[0, 1, 2, 3, 6],
        &json!([
            ["arn:aws:iam::111122223333:role/idle", 0, 0, null, 1],
            [app, 4, 3, "2026-01-31T23:00:00+00:00", 1],
        ]),
    );
}

/// Views of `views.sql` read what the manifest lists: nothing else, and nothing less where a file is of an
/// older version that lacks columns.
#[test]
fn duckdb_reads_what_is_committed() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path();
    output(
        out,
        &[(
            "decisions/event_date=2026-01-24/1.parquet",
            &call("2026-01-24 12:00:00", "implicit_deny"),
        )],
    );
    write_rows(
        out,
        "decisions/event_date=2026-01-25/2.parquet",
        &call("2026-01-25 12:00:00", "implicit_deny"),
    );
    assert_eq!(
        duckdb(out, "SELECT count(*) FROM 'decisions/*/*.parquet'")[0][0],
        2
    );
    let seen = with_views(out, "SELECT count(*), min(event_date) FROM would_be_denied");
    assert_eq!(json!(duckdb(out, &seen)), json!([[1, "2026-01-24"]]));
    assert_eq!(
        json!(duckdb(
            out,
            &with_views(out, "SELECT count(*) FROM rejects")
        )),
        json!([[0]])
    );
    let older = format!(
        "COPY ({}) TO '{}' (FORMAT parquet)",
        call("2026-01-24 12:00:00", "implicit_deny"),
        text(&out.join("decisions/event_date=2026-01-24/1.parquet"))
    );
    duckdb(out, &older);
    assert_eq!(json!(duckdb(out, &seen)), json!([[1, "2026-01-24"]]));
}

#[test]
fn drift_is_what_a_policy_change_turned_and_no_report_hides() {
    let folder = tempfile::tempdir().unwrap();
    let finding = |id: &str, severity: &str, cause: &str, hidden: &str, calls: u64| {
        format!(
            "SELECT '{id}' AS finding_id, 'WouldBeDenied' AS kind, '{severity}' AS severity, 'm' AS message,
                    '{cause}' AS cause, {hidden} AS hidden, {calls}::BIGINT AS calls, 's3:GetObject' AS action,
                    MAP {{'writes': ['PutRolePolicy']}} AS evidence"
        )
    };
    let newest = [
        finding("a", "medium", "policy_changed", "NULL", 2),
        finding("b", "high", "policy_changed", "NULL", 1),
        finding("c", "high", "policy_changed", "'service_linked_role'", 5),
        finding("d", "low", "unexplained", "NULL", 7),
    ]
    .join(" UNION ALL ");
    let older = finding("e", "high", "policy_changed", "NULL", 9);
    output(
        folder.path(),
        &[
            ("findings/as_of=2026-01-31/1.parquet", &newest),
            ("findings/as_of=2026-01-24/1.parquet", &older),
        ],
    );
    let answers = asked("queries", folder.path());
    let drift = json!([["medium", "s3:GetObject", 2], ["high", "s3:GetObject", 1]]);
    check(&answers, "drift-by-policy-change", &[1, 3, 5], &drift);
    let all = json!([["high", 1], ["medium", 2], ["low", 7]]);
    check(&answers, "findings", &[0, 7], &all);
}
