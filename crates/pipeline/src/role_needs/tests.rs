use retrial_storage::{FolderStore, Store};
use retrial_tables::{NeedRow, TableWriter, sort_order};

use super::*;

const ACCOUNT: &str = "111122223333";
const SERVE: &str = "arn:aws:iam::111122223333:role/serve";
const ANY: &str = "arn:aws:iam::111122223333:role/*";
const MODEL: &str = "arn:aws:sagemaker:eu-west-1:111122223333:model/m";

/// A need of `s3:GetObject`, an hour after the last.
fn need<'r>(role_arn: &'r str, resource_arn: &'r str, hour: i64, event_id: &'r str) -> NeedRow<'r> {
    NeedRow {
        account_id: Some(ACCOUNT),
        event_id: Some(event_id),
        event_time: Some(hour * 3_600_000_000),
        event_name: Some("CreateModel"),
        role_arn,
        action: "s3:GetObject",
        resource_arn: Some(resource_arn),
        resource_known: !resource_arn.contains('*'),
        required: true,
        mapping: "verified",
        why: "reads the model",
        ..NeedRow::default()
    }
}

fn file(store: &dyn Store, batch: u64, rows: &[NeedRow<'_>], supersedes: &[&str]) -> ManifestFile {
    let mut sorted: Vec<&NeedRow<'_>> = rows.iter().collect();
    sorted.sort_by(|left, right| sort_order::<Needs>(left, right));
    let key = format!("needs/event_date=2026-11-02/{batch:06}.parquet");
    let mut upload = store.begin(&key).unwrap();
    let mut writer = TableWriter::<Needs, _>::new(&mut upload).unwrap();
    writer.write(&sorted).unwrap();
    let bytes = writer.finish().unwrap().bytes;
    upload.complete().unwrap();
    ManifestFile {
        table: "needs".to_owned(),
        event_date: "2026-11-02".to_owned(),
        delivery_date: "2026-11-02".to_owned(),
        tail: false,
        strict: false,
        batch,
        key,
        rows: rows.len() as u64,
        bytes,
        snapshot_ids: Default::default(),
        mapping_versions: Default::default(),
        evaluator_versions: Default::default(),
        supersedes: supersedes.iter().map(|key| (*key).to_owned()).collect(),
    }
}

/// A role that may read the bucket `in`, and all of `much`.
fn snapshot() -> Snapshot {
    let details = serde_json::json!({
        "RoleDetailList": [{
            "Arn": SERVE, "Path": "/", "RoleName": "serve", "RoleId": "AROAEXAMPLESERVE", "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": []},
            "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Sid": "In", "Effect": "Allow", "Action": "s3:GetObject", "Resource": ["arn:aws:s3:::in/*", "arn:aws:s3:::much/*"]}]}}],
            "AttachedManagedPolicies": [], "InstanceProfileList": [], "Tags": [],
        }],
        "UserDetailList": [], "GroupDetailList": [], "Policies": [],
    })
    .to_string();
    let path = |file: &str| format!("accounts/{ACCOUNT}/{file}");
    let buckets = serde_json::json!({"out": {"OwnerAccount": ACCOUNT, "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}}).to_string();
    let files = [
        (path("authorization-details.json"), details.as_str()),
        (path("resource-policies/s3.json"), "{}"),
        (path("s3-buckets.json"), buckets.as_str()),
    ];
    let files: Vec<retrial_iam::SnapshotFile<'_>> = files
        .iter()
        .map(|(path, text)| retrial_iam::SnapshotFile {
            path,
            bytes: text.as_bytes(),
        })
        .collect();
    Snapshot::read(&files, Catalogue::bundled()).unwrap().0
}

#[track_caller]
fn check(files: &[Vec<NeedRow<'_>>], supersedes: &[&str], end: i64, expect: &[&str]) {
    let folder = tempfile::tempdir().unwrap();
    let store = FolderStore::create(&folder.path().join("out")).unwrap();
    let scratch = Scratch::new(&folder.path().join("scratch")).unwrap();
    let committed: Vec<ManifestFile> = (1..)
        .zip(files)
        .map(|(batch, rows)| {
            file(
                &store,
                batch,
                rows,
                if batch == 1 { &[] } else { supersedes },
            )
        })
        .collect();
    let catalogue = Catalogue::bundled();
    let mapping = Mapping::bundled(catalogue).unwrap();
    let snapshot = snapshot();
    let checking = Checking {
        catalogue,
        mapping: &mapping,
        snapshot: &snapshot,
        uses: None,
    };
    let needs = NeedsOf {
        store: &store,
        files: &committed,
        end,
    };
    let mut found = Vec::new();
    role_needs(checking, needs, &scratch, &mut |row| {
        found.push(format!(
            "{} {} {} {} x{} {}",
            row.role_arn.rsplit('/').next().unwrap(),
            row.resource_arn,
            row.state,
            row.reason.unwrap_or("-"),
            row.jobs,
            row.event_id.unwrap_or("-"),
        ));
        Ok(())
    })
    .unwrap();
    assert_eq!(found, expect);
}

#[test]
fn each_need_comes_once_with_its_state_and_first_job() {
    check(
        &[
            vec![
                need(SERVE, "arn:aws:s3:::in/a", 2, "second"),
                need(SERVE, "arn:aws:s3:::out/b", 3, "third"),
            ],
            vec![need(SERVE, "arn:aws:s3:::in/a", 1, "first")],
        ],
        &[],
        i64::MAX,
        &[
            "serve arn:aws:s3:::in/a present - x2 first",
            "serve arn:aws:s3:::out/b missing - x1 third",
            "serve arn:aws:s3:::in/* excess - x0 -",
            "serve arn:aws:s3:::much/* excess - x0 -",
        ],
    );
}

/// A transform job names a model: the last request that made one of that name passed its role.
#[test]
fn a_job_that_names_a_model_runs_as_the_models_role() {
    let made = |role_arn, hour| NeedRow {
        role_of: Some(MODEL),
        ..need(role_arn, "arn:aws:s3:::in/*", hour, "made")
    };
    let transforms = NeedRow {
        role_of: Some(MODEL),
        event_name: Some("CreateTransformJob"),
        ..need(ANY, "arn:aws:s3:::out/t", 5, "transform")
    };
    let other = NeedRow {
        role_of: Some("arn:aws:sagemaker:eu-west-1:111122223333:model/unseen"),
        ..transforms
    };
    check(
        &[
            vec![
                made("arn:aws:iam::111122223333:role/old", 1),
                made(SERVE, 2),
            ],
            vec![transforms, other],
        ],
        &[],
        i64::MAX,
        &[
            "* arn:aws:s3:::out/t unverifiable role_not_told x1 transform",
            "old arn:aws:s3:::in/* unverifiable role_deleted x1 made",
            "serve arn:aws:s3:::in/* present - x1 made",
            "serve arn:aws:s3:::out/t missing - x1 transform",
            "serve arn:aws:s3:::much/* excess - x0 -",
        ],
    );
}

/// Only files that count, and only jobs of the window.
#[test]
fn what_does_not_count_is_not_read() {
    let rows = vec![
        need(SERVE, "arn:aws:s3:::much/*", 1, "one"),
        need(SERVE, "arn:aws:s3:::in/*", 9, "late"),
    ];
    check(
        &[
            vec![need(SERVE, "arn:aws:s3:::gone/x", 1, "superseded")],
            rows,
        ],
        &["needs/event_date=2026-11-02/000001.parquet"],
        5 * 3_600_000_000,
        &[
            "serve arn:aws:s3:::much/* present - x1 one",
            "serve arn:aws:s3:::in/* excess - x0 -",
        ],
    );
}
