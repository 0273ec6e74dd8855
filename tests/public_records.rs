//! Real records from public sources, in `../shared`: all are read, the books balance, and what AWS
//! itself said was denied is mapped to the action that AWS named and replays as a denial.
//!
//! The records are for running against and not part of the project; see `support::shared`.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::Path;

use flate2::read::MultiGzDecoder;
use serde_json::{Value, json};

use crate::support::{analyze, duckdb, shared};

/// One row of `ground_truth_denials.tsv`.
pub(crate) struct Denied {
    file: String,
    event_id: String,
    action: String,
}

pub(crate) fn denied(samples: &Path) -> Vec<Denied> {
    let table = fs::read_to_string(samples.join("ground_truth_denials.tsv")).unwrap();
    let rows = table
        .lines()
        .skip(1)
        .map(|line| line.split('\t').collect::<Vec<_>>());
    rows.map(|row| Denied {
        file: row[0].to_owned(),
        event_id: row[1].to_owned(),
        action: row[7].to_owned(),
    })
    .collect()
}

fn records(samples: &Path, file: &str) -> Vec<Value> {
    let mut text = String::new();
    MultiGzDecoder::new(File::open(samples.join(file)).unwrap())
        .read_to_string(&mut text)
        .unwrap();
    let log: Value = serde_json::from_str(&text).unwrap();
    log["Records"].as_array().unwrap().clone()
}

/// A snapshot in which the principals of the denied calls exist and own no policy, with every layer of
/// every account collected and empty.
pub(crate) fn snapshot_without_policies(samples: &Path, denied: &[Denied], folder: &Path) {
    let mut users: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    let mut roles: BTreeMap<String, BTreeSet<(String, String)>> = BTreeMap::new();
    // `AROA…:session` without the session: some publishers masked users' ids in that form.
    let unique = |id: String| id.split(':').next().unwrap().to_owned();
    let ids: BTreeSet<(&str, &str)> = denied
        .iter()
        .map(|row| (row.file.as_str(), row.event_id.as_str()))
        .collect();
    for file in denied.iter().map(|row| &row.file).collect::<BTreeSet<_>>() {
        for record in records(samples, file) {
            if !ids.contains(&(file, record["eventID"].as_str().unwrap_or_default())) {
                continue;
            }
            let identity = &record["userIdentity"];
            let text = |value: &Value| value.as_str().unwrap().to_owned();
            let account = text(&identity["accountId"]);
            match identity["type"].as_str() {
                Some("IAMUser") => {
                    users.entry(account).or_default().insert((
                        text(&identity["arn"]),
                        unique(text(&identity["principalId"])),
                    ));
                }
                Some("AssumedRole") => {
                    let issuer = &identity["sessionContext"]["sessionIssuer"];
                    roles
                        .entry(account)
                        .or_default()
                        .insert((text(&issuer["arn"]), unique(text(&issuer["principalId"]))));
                }
                other => panic!("{other:?} in {file}"),
            }
        }
    }
    let name = |arn: &str| arn.rsplit('/').next().unwrap().to_owned();
    let accounts: BTreeSet<&String> = users.keys().chain(roles.keys()).collect();
    for account in accounts {
        let of = |principals: &BTreeMap<String, BTreeSet<(String, String)>>| {
            principals.get(account).cloned().unwrap_or_default()
        };
        let users: Vec<Value> = of(&users)
            .iter()
            .map(|(arn, id)| json!({"Path": "/", "UserName": name(arn), "UserId": id, "Arn": arn, "CreateDate": "2020-01-01T00:00:00Z", "GroupList": [], "AttachedManagedPolicies": []}))
            .collect();
        let roles: Vec<Value> = of(&roles)
            .iter()
            .map(|(arn, id)| json!({"Path": "/", "RoleName": name(arn), "RoleId": id, "Arn": arn, "CreateDate": "2020-01-01T00:00:00Z", "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []}, "InstanceProfileList": [], "RolePolicyList": [], "AttachedManagedPolicies": []}))
            .collect();
        let details = json!({"UserDetailList": users, "GroupDetailList": [], "RoleDetailList": roles, "Policies": []});
        let path = folder.join(format!("accounts/{account}"));
        fs::create_dir_all(&path).unwrap();
        fs::write(path.join("authorization-details.json"), details.to_string()).unwrap();
    }
    let layers: Vec<Value> = ["scp", "rcp", "resource_policy", "kms_grants", "s3_acl", "vpc_endpoint_policy"]
        .iter()
        .map(|layer| json!({"account": "*", "layer": layer, "service": "*", "region": "*", "status": "complete"}))
        .collect();
    fs::write(
        folder.join("snapshot.json"),
        json!({"taken_at": "2026-11-01T00:00:00Z", "layers": layers}).to_string(),
    )
    .unwrap();
}

#[test]
fn all_are_read_and_what_aws_denied_is_denied() {
    let Some(samples) = shared("cloudtrail-samples") else {
        return;
    };
    let denied = denied(&samples);
    assert_eq!(denied.len(), 189);
    let folder = tempfile::tempdir().unwrap();
    let iam = folder.path().join("iam");
    fs::create_dir(&iam).unwrap();
    snapshot_without_policies(&samples, &denied, &iam);
    let out = folder.path().join("out");
    let (_, report) = analyze(&samples, &iam, &out, &[]);

    assert_eq!(report["files"]["read"], json!(450));
    assert_eq!(report["files"]["set_aside"]["other"], json!(4));
    assert_eq!(report["books"]["records_read"], json!(3487));
    assert_eq!(
        report["rejects"],
        json!({}),
        "every record of these files is one that can be read"
    );

    let rows = duckdb(
        &out,
        "SELECT log_file, event_id, action, required, call_decision, outcome FROM 'decisions/*/*.parquet'",
    );
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut requests: BTreeMap<(String, String), Vec<&Vec<Value>>> = BTreeMap::new();
    for row in &rows {
        requests
            .entry((text(&row[0]), text(&row[1])))
            .or_default()
            .push(row);
    }
    let mut wrong = Vec::new();
    for Denied {
        file,
        event_id,
        action,
    } in denied
    {
        let rows = requests
            .get(&(file.clone(), event_id.clone()))
            .map_or(&[][..], Vec::as_slice);
        let named = rows
            .iter()
            .any(|row| row[3] == json!(true) && text(&row[2]).eq_ignore_ascii_case(&action));
        let denied = rows
            .iter()
            .all(|row| matches!(row[4].as_str(), Some("implicit_deny" | "explicit_deny")));
        if !named || !denied || rows.is_empty() {
            wrong.push(format!("{file} {event_id} {action}: {rows:?}"));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of 189:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
