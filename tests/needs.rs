//! `needs`: what jobs will ask of their roles, as `analyze` writes it.

use serde_json::{Value, json};

use crate::support::{analyze, duckdb, gzip, record, snapshot_of_ana, write};

/// A training job that reads `s3://in/<id>` and writes below `s3://out/m`.
fn training_job(id: &str) -> Value {
    let mut call = record(id);
    call["eventName"] = "CreateTrainingJob".into();
    call["requestParameters"] = json!({
        "trainingJobName": id,
        "roleArn": "arn:aws:iam::111122223333:role/train",
        "inputDataConfig": [{"dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3Uri": format!("s3://in/{id}")}}}],
        "outputDataConfig": {"s3OutputPath": "s3://out/m"},
    });
    call
}

fn file(records: &[&Value]) -> Vec<u8> {
    gzip(json!({ "Records": records }).to_string().as_bytes())
}

#[test]
fn are_written_once_for_each_kept_record() {
    let folder = tempfile::tempdir().unwrap();
    let iam = snapshot_of_ana(folder.path());
    let (one, two) = (training_job("one"), training_job("two"));
    let mut denied = training_job("denied");
    denied["errorCode"] = "AccessDenied".into();
    let logs = folder.path().join("logs");
    let key = |time: &str| {
        format!(
            "AWSLogs/111122223333/CloudTrail/us-east-1/2026/11/02/111122223333_CloudTrail_us-east-1_20261102T{time}Z_a.json.gz"
        )
    };
    write(&logs, &key("1205"), &file(&[&one, &denied]));
    // The first of them again: a duplicate makes no second need.
    write(&logs, &key("1210"), &file(&[&two, &one]));
    let out = folder.path().join("out");
    let (_, report) = analyze(&logs, &iam, &out, &[]);
    assert_eq!(report["books"]["duplicate"], 1);
    let needs = duckdb(
        &out,
        "SELECT event_id, count(*), count(*) FILTER (required), any_value(role_arn), any_value(CAST(event_date AS VARCHAR)) FROM read_parquet('needs/*/*.parquet', hive_partitioning = true) GROUP BY event_id ORDER BY event_id",
    );
    // Twelve actions of AWS's page but the image's three, and `kms:Decrypt`, which may be needed.
    let row = |id: &str| {
        vec![
            json!(id),
            json!(10),
            json!(9),
            json!("arn:aws:iam::111122223333:role/train"),
            json!("2026-11-02"),
        ]
    };
    assert_eq!(needs, [row("one"), row("two")]);
    let reads = duckdb(
        &out,
        "SELECT resource_arn, resource_known, mapping, source_field, why FROM 'needs/*/*.parquet' WHERE action = 's3:GetObject' ORDER BY 1",
    );
    let read = |id: &str| {
        vec![
            json!(format!("arn:aws:s3:::in/{id}*")),
            json!(false),
            json!("verified"),
            json!("inputDataConfig[].dataSource.s3DataSource.s3Uri"),
            json!("reads its input"),
        ]
    };
    assert_eq!(reads, [read("one"), read("two")]);
}

/// What a made-up record says ends up in the table as text, whatever it is.
#[test]
fn hostile_values_stay_values() {
    let folder = tempfile::tempdir().unwrap();
    let iam = snapshot_of_ana(folder.path());
    let mut call = training_job("hostile");
    call["requestParameters"] = json!({
        "roleArn": "arn:aws:iam::111122223333:role/*'; DROP TABLE needs; --",
        "inputDataConfig": [[], null, 7, {"dataSource": {"s3DataSource": {"s3Uri": ["s3://", "s3:///", "://", "s3://b\u{0}/\u{202e}"]}}}],
        "outputDataConfig": {"s3OutputPath": {"deep": true}, "kmsKeyId": "arn:aws:kms"},
        "vpcConfig": {"subnets": "subnet-1"},
    });
    let logs = folder.path().join("logs");
    write(&logs, "a.json.gz", &file(&[&call]));
    let out = folder.path().join("out");
    analyze(&logs, &iam, &out, &[]);
    let rows = duckdb(
        &out,
        "SELECT count(*), count(DISTINCT role_arn) FROM 'needs/*/*.parquet'",
    );
    assert_eq!(rows[0][1], 1);
}
