//! `retrial map`: what AWS asks for an event, as users meet it.

use serde_json::Value;

use crate::support::{record, retrial, text, write};

/// The call of the README's story: a model, its role, and a network.
fn create_model() -> Value {
    let mut call = record("a-model");
    call["eventName"] = "CreateModel".into();
    call["requestParameters"] = serde_json::json!({
        "modelName": "churn",
        "executionRoleArn": "arn:aws:iam::111122223333:role/model",
        "enableNetworkIsolation": true,
        "vpcConfig": {"subnets": ["subnet-1", "subnet-2"]},
        "tags": [{"key": "team", "value": "ml"}],
    });
    call["responseElements"] = serde_json::json!({
        "modelArn": "arn:aws:sagemaker:us-east-1:111122223333:model/churn",
    });
    call
}

#[test]
fn a_record_shows_where_each_value_came_from() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    write(
        folder.path(),
        "event.json",
        create_model().to_string().as_bytes(),
    );
    insta::assert_snapshot!(retrial(&["map", text(&file)]).expect_status(0).stdout);
}

#[test]
fn a_name_shows_the_places_where_a_record_has_the_values() {
    insta::assert_snapshot!(retrial(&["map", "kms:ReEncrypt"]).expect_status(0).stdout);
}

#[test]
fn a_name_shows_what_its_jobs_will_need() {
    insta::assert_snapshot!(
        retrial(&["map", "CreateTransformJob"])
            .expect_status(0)
            .stdout
    );
    let json = retrial(&["map", "sagemaker:CreateTrainingJob", "--format", "json"]);
    let mapped = json.expect_status(0).json();
    let needs = mapped["needs"].as_array().unwrap();
    let reads = needs
        .iter()
        .find(|need| need["action"] == "s3:GetObject")
        .unwrap();
    assert_eq!(reads["role"], "roleArn");
    let field = "inputDataConfig[].dataSource.s3DataSource.s3Uri";
    assert_eq!(reads["from"], serde_json::json!([field]));
    assert_eq!(reads["required"], true);
    // What the request cannot show is none of a job that has nothing to do with it.
    assert!(
        retrial(&["map", "kms:Decrypt", "--format", "json"]).json()["needs"]
            == serde_json::json!([])
    );
}

#[test]
fn json_has_an_object_per_event() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    write(
        folder.path(),
        "event.json",
        create_model().to_string().as_bytes(),
    );
    let ran = retrial(&["map", text(&file), "--format", "json"]).expect_status(0);
    let mapped = ran.json();
    assert_eq!(mapped["mapped"], true);
    assert_eq!(mapped["file"], "sagemaker.toml");
    let passed = mapped["requests"]
        .as_array()
        .unwrap()
        .iter()
        .find(|request| request["action"] == "iam:PassRole")
        .unwrap();
    assert_eq!(passed["when"], "executionRoleArn");
    assert_eq!(passed["asked"], "yes");
    assert_eq!(
        passed["resources"][0]["arn"],
        "arn:aws:iam::111122223333:role/model"
    );
    assert_eq!(passed["resources"][0]["from"], "`executionRoleArn`");
    assert_eq!(passed["keys"][0]["key"], "iam:PassedToService");
    assert_eq!(passed["keys"][0]["values"][0], "sagemaker.amazonaws.com");
}

#[test]
fn what_nobody_knows_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("event.json");
    let mut call = record("coffee");
    call["eventName"] = "MakeCoffee".into();
    write(folder.path(), "event.json", call.to_string().as_bytes());
    let ran = retrial(&["map", text(&file)]).expect_status(0);
    assert!(ran.stdout.contains("unmapped"), "{}", ran.stdout);
    let ran = retrial(&["map", "MakeCoffee"]).expect_status(2);
    assert_eq!(
        ran.stderr,
        "retrial: no event `MakeCoffee` is mapped\nretrial: hint: give the event's name as CloudTrail writes it, alone or as `sagemaker:CreateModel`, or a file with the record\n"
    );
}

#[test]
fn a_name_as_the_titles_write_it() {
    let ran = retrial(&["map", "sagemaker.amazonaws.com StopTrainingJob"]).expect_status(0);
    assert!(
        ran.stdout.starts_with("sagemaker StopTrainingJob\n"),
        "{}",
        ran.stdout
    );
    let ran = retrial(&["map", "no-such-file.json"]).expect_status(2);
    assert!(!ran.stderr.contains("--in"), "{}", ran.stderr);
}

#[test]
fn why_nothing_is_asked_and_what_is_not_shown() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("events.json");
    let mut event = record("a");
    event["eventType"] = "AwsServiceEvent".into();
    let mut hidden = record("b");
    hidden["eventName"] = "CreateModel".into();
    hidden["requestParameters"] = serde_json::json!({"omitted": true, "originalSize": 104_980});
    let mut denied = record("c");
    denied["eventName"] = "StopTrainingJob".into();
    denied["errorCode"] = "AccessDenied".into();
    denied["errorMessage"] = "User: arn:aws:iam::111122223333:user/ana is not authorized to perform: sagemaker:StopTrainingJob on resource: arn:aws:sagemaker:eu-west-1:111122223333:training-job/j because no identity-based policy allows the sagemaker:StopTrainingJob action".into();
    let records = serde_json::json!({"Records": [event, hidden, denied]});
    write(folder.path(), "events.json", records.to_string().as_bytes());
    insta::assert_snapshot!(retrial(&["map", text(&file)]).expect_status(0).stdout);
}
