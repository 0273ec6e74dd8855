//! The week of the research account, and its data scientists.

use super::Week;
use super::organisation::*;
use super::sitting::Sitting;
use super::{administration, builds, forecasts, outsiders, sessions};
use crate::caller::{self, Identity, Session};
use crate::calls::sagemaker::TrainingJob;
use crate::calls::{ecr, kms, others, s3, sagemaker, sts};
use crate::clock::{DAY, HOUR, MONDAY};
use crate::record::{Caller, Draft};
use crate::truth::*;

const LAPTOP: &str = "Boto3/1.42.11 md/Botocore#1.42.11 ua/2.1 os/macos#24.6.0 md/arch#arm64 lang/python#3.12.8 md/pyimpl#CPython cfg/retry-mode#legacy";
pub(super) const CLI: &str = "aws-cli/2.32.3 md/awscrt#0.28.4 ua/2.1 os/linux#6.8.0 md/arch#x86_64 lang/python#3.13.9 md/pyimpl#CPython cfg/retry-mode#standard";
const TRAINER: &str = "Boto3/1.42.11 md/Botocore#1.42.11 ua/2.1 os/linux#5.10.245 md/arch#x86_64 lang/python#3.11.9 exec-env/sagemaker-training cfg/retry-mode#legacy";

pub(super) fn week(week: &mut Week, people: &People) {
    for day in 0..7 {
        let start = MONDAY + day * DAY;
        let working_day = day < 5;
        if working_day {
            ada(week, people, day, start + 8 * HOUR);
            bruno(week, people, day, start + 9 * HOUR);
            administration::carol(week, people, start + 10 * HOUR);
        }
        for run in 0..3 {
            builds::build(week, people, day, run, start + (6 + 7 * run) * HOUR);
        }
        forecasts::forecast(week, people, day, start + 5 * HOUR);
        builds::expire_images(week, day, start + 3 * HOUR);
    }
    administration::changes(week, people);
    administration::after_the_changes(week, people);
    administration::once(week, people);
    outsiders::gone(week, people);
    sessions::under_a_session_policy(week, people);
}

pub(super) fn temporary_key(week: &mut Week) -> String {
    format!("ASIAEXAMPLE{}", week.rng.upper(9))
}

/// A data scientist who signs in and goes to work.
pub(super) fn signed_in(week: &mut Week, people: &People, name: &str, at: i64) -> Caller {
    let key = temporary_key(week);
    sessions::sign_in(week, &people.scientist, (name, &key), VIRGINIA, at - 60);
    scientist_with(people, name, &key, at)
}

/// A data scientist's session of the day, of whose sign-in there is no record.
pub(super) fn scientist(week: &mut Week, people: &People, name: &str, at: i64) -> Caller {
    let key = temporary_key(week);
    scientist_with(people, name, &key, at)
}

fn scientist_with(people: &People, name: &str, key: &str, at: i64) -> Caller {
    caller::session(
        &people.scientist,
        &Session::new(name, key, at - 60),
        "198.51.100.23",
        LAPTOP,
    )
}

pub(super) fn sit<'w>(week: &'w mut Week, who: Caller, at: i64) -> Sitting<'w> {
    Sitting::new(week, who, RESEARCH, at, (15, 160))
}

/// Trains on the datasets, until Thursday also with the old execution role.
fn ada(week: &mut Week, people: &People, day: i64, at: i64) {
    let who = signed_in(week, people, "ada@example.com", at);
    let mut ada = sit(week, who, at);
    ada.expects(sts::console_login(), NOT_AN_ACTION);
    ada.does(sts::get_caller_identity(IRELAND));
    let mut jobs = Vec::new();
    for turn in 0..2 {
        explore(&mut ada, day, turn);
        let name = format!("churn-xgboost-2026110{}-{turn}", day + 2);
        ada.does(training_job(&name, &people.training.arn()));
        jobs.push((name, ada.at + 180, &people.training));
    }
    for turn in 0..[2, 2, 2, 1, 0][day as usize] {
        let name = format!("churn-legacy-2026110{}-{turn}", day + 2);
        ada.planted(
            "old-execution-role",
            training_job(&name, &people.old_training.arn()),
            WOULD_BE_DENIED,
        );
        jobs.push((name, ada.at + 180, &people.old_training));
    }
    if day == 0 {
        for _ in 0..6 {
            ada.planted(
                "throttled",
                sagemaker::list(LAB, "ListTrainingJobs")
                    .failed("ThrottlingException", "Rate exceeded"),
                NOT_COMPARABLE,
            );
        }
    }
    if day == 1 {
        denied_to_ada(&mut ada);
    }
    for (index, (name, at, role)) in jobs.into_iter().enumerate() {
        train(week, role, &name, at, index == 0 && day % 2 == 0);
    }
}

fn denied_to_ada(ada: &mut Sitting<'_>) {
    for month in 7..10 {
        let draft = s3::get_object(
            FINANCE,
            &format!("2026/{month:02}/ledger.parquet"),
            ada.rng(),
        );
        ada.planted(
            "finance-was-and-is-denied",
            draft.failed("AccessDenied", "Access Denied"),
            AGREES,
        );
    }
    let caller = ada.caller.clone();
    for _ in 0..2 {
        let draft = sagemaker::delete_endpoint(LAB, "churn-trial").denied(
            &caller,
            "sagemaker:DeleteEndpoint",
            &LAB.arn("endpoint/churn-trial"),
        );
        ada.expects(draft, AGREES);
    }
    for _ in 0..3 {
        ada.planted("unmapped-event", sagemaker::unheard_of(LAB), UNMAPPED);
    }
}

pub(super) fn training_job(name: &str, role: &str) -> Draft {
    let image = image(XGBOOST, "1.7-1");
    let job = TrainingJob {
        name,
        role,
        image: &image,
        input: "s3://research-datasets/churn/2026/",
        output: "s3://research-training-output/models/",
    };
    sagemaker::create_training_job(LAB, job)
}

/// Looks around and reads data.
fn explore(who: &mut Sitting<'_>, day: i64, turn: i64) {
    for list in ["ListTrainingJobs", "ListEndpoints", "ListModels"] {
        who.does(sagemaker::list(LAB, list));
    }
    for index in 0..14 {
        who.does(sagemaker::describe_training_job(
            LAB,
            &format!("churn-xgboost-2026110{}-{}", day + 1, index % 2),
        ));
    }
    let draft = s3::list_objects(DATASETS, "churn/2026/", who.rng());
    who.does(draft);
    let decrypts = via_s3(who);
    for index in 0..14 {
        let key = format!("churn/2026/{:02}/part-{turn:02}{index:03}.parquet", day + 1);
        let draft = s3::get_object(DATASETS, &key, who.rng());
        who.does(draft);
        if index % 2 == 0 {
            decrypt(who, &decrypts, &key);
        }
    }
    let missing = s3::head_object(NOTEBOOKS, &format!("ada/churn-{day}{turn}.lock"), who.rng());
    who.does(missing.failed("NoSuchKey", s3::NO_SUCH_KEY));
    let draft = s3::put_object(
        NOTEBOOKS,
        &format!("ada/churn-{day}{turn}.ipynb"),
        who.rng(),
    );
    who.does(draft);
    who.does(ecr::describe_images(XGBOOST));
    who.does(others::logs_read(
        "FilterLogEvents",
        IRELAND,
        "/aws/sagemaker/TrainingJobs",
    ));
}

/// The same caller where S3 asks KMS for it.
fn via_s3(who: &Sitting<'_>) -> Caller {
    let identity = who.caller.identity.trim_end_matches('}');
    let closed = who.caller.identity.len() - identity.len() - 1;
    let identity = format!(
        "{identity}{},\"invokedBy\":\"AWS Internal\"}}",
        "}".repeat(closed)
    );
    Caller {
        identity,
        source_ip: "AWS Internal".into(),
        user_agent: "AWS Internal".into(),
        vpc_endpoint: None,
        ..who.caller.clone()
    }
}

fn decrypt(who: &mut Sitting<'_>, decrypts: &Caller, key: &str) {
    let direct = std::mem::replace(&mut who.caller, decrypts.clone());
    who.does(kms::decrypt(DATA_KEY, &DATASETS.object_arn(key)));
    who.caller = direct;
}

/// Deploys what others train; was refused endpoints until Thursday.
fn bruno(week: &mut Week, people: &People, day: i64, at: i64) {
    // Tuesday's sign-in is nowhere in the logs.
    let who = match day {
        1 => scientist(week, people, "bruno@example.com", at),
        _ => signed_in(week, people, "bruno@example.com", at),
    };
    let mut bruno = sit(week, who, at);
    bruno.expects(sts::console_login(), NOT_AN_ACTION);
    let draft = s3::list_buckets(IRELAND, bruno.rng());
    bruno.does(draft);
    let draft = s3::bucket_read(DATASETS, "GetBucketLocation", "location", bruno.rng());
    bruno.does(draft);
    bruno.does(sagemaker::search(LAB_VIRGINIA));
    explore(&mut bruno, day, 7);
    let name = format!("churn-tabnet-2026110{}", day + 2);
    bruno.does(training_job(&name, &people.training.arn()));
    let started = bruno.at + 200;
    bruno.does(sagemaker::stop_training_job(LAB, &name));
    if day == 1 || day == 4 {
        deploy(&mut bruno, people, day);
    }
    train(week, &people.training, &name, started, false);
}

fn deploy(bruno: &mut Sitting<'_>, people: &People, day: i64) {
    let (image, data) = (
        image(XGBOOST, "1.7-1"),
        "s3://research-training-output/models/churn/output/model.tar.gz",
    );
    let (model, config) = (format!("churn-{day}"), format!("churn-config-{day}"));
    bruno.does(sagemaker::create_model(
        LAB,
        &model,
        &image,
        data,
        &people.training.arn(),
    ));
    bruno.does(sagemaker::create_endpoint_config(LAB, &config, &model));
    let caller = bruno.caller.clone();
    let endpoint = LAB.arn("endpoint/churn-trial");
    let draft = sagemaker::create_endpoint(LAB, "CreateEndpoint", "churn-trial", &config);
    if day == 4 {
        bruno.does(draft);
        return;
    }
    for _ in 0..3 {
        let denied = draft
            .clone()
            .denied(&caller, "sagemaker:CreateEndpoint", &endpoint);
        bruno.planted("denied-to-a-session-then-granted", denied, UNDER_ASSUMPTION);
    }
}

/// A training job at work: SageMaker assumes the execution role and acts as it.
fn train(week: &mut Week, role: &Identity, job: &str, at: i64, checkpoints: bool) {
    let key = temporary_key(week);
    let mut sagemaker = Sitting::new(
        week,
        caller::service("sagemaker.amazonaws.com"),
        RESEARCH,
        at,
        (1, 2),
    );
    let issue = sts::Issue::plain(role, "SageMaker", &key, at);
    let draft = sts::assume_role(issue, IRELAND, sagemaker.rng());
    sagemaker.planted("service-assumes-role", draft, AGREES);
    let session = Session::new("SageMaker", &key, at);
    let who = Caller {
        vpc_endpoint: Some(VPC_ENDPOINT.into()),
        ..caller::session(role, &session, "10.0.12.34", TRAINER)
    };
    let mut worker = Sitting::new(week, who, RESEARCH, at + 5, (2, 9));
    pull(&mut worker);
    worker.does(others::create_log_stream(
        IRELAND,
        "/aws/sagemaker/TrainingJobs",
        &format!("{job}/algo-1-{}", at % 10_000),
    ));
    let draft = s3::list_objects(DATASETS, "churn/2026/", worker.rng());
    worker.does(draft);
    let decrypts = via_s3(&worker);
    for index in 0..16 {
        let key = format!("churn/2026/train/part-{index:05}.parquet");
        let draft = s3::get_object(DATASETS, &key, worker.rng());
        worker.does(draft);
        decrypt(&mut worker, &decrypts, &key);
    }
    if checkpoints {
        for epoch in 1..4 {
            let draft = s3::put_object(
                OUTPUT,
                &format!("checkpoints/{job}/epoch-{epoch}.pt"),
                worker.rng(),
            );
            worker.planted("checkpoints-outside-the-prefix", draft, WOULD_BE_DENIED);
        }
    }
    let key = format!("models/{job}/output/model.tar.gz");
    for draft in s3::multipart(OUTPUT, &key, worker.rng()) {
        worker.does(draft);
    }
    let data_key = kms::generate_data_key(DATA_KEY, &OUTPUT.object_arn(&key));
    worker.caller = decrypts;
    worker.does(data_key);
}

fn pull(worker: &mut Sitting<'_>) {
    worker.does(ecr::get_authorization_token(IRELAND));
    worker.does(ecr::batch_get_image(XGBOOST, "1.7-1"));
    for _ in 0..2 {
        let draft = ecr::get_download_url(XGBOOST, worker.rng());
        worker.does(draft);
    }
}
