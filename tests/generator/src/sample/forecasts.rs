//! The Amazon ML user of the research account.

use super::Week;
use super::organisation::*;
use super::sitting::Sitting;
use crate::caller::{self, Identity};
use crate::calls::{machinelearning, s3};
use crate::record::Draft;
use crate::truth::*;

const OLD_JAVA: &str = "aws-sdk-java/1.11.1034 Linux/4.14.355 OpenJDK_64-Bit_Server_VM/25.432-b06 java/1.8.0_432 vendor/Amazon.com_Inc.";

/// The Amazon ML user's nightly batch.
pub(super) fn forecast(week: &mut Week, people: &People, day: i64, at: i64) {
    let who = caller::user(
        &people.forecast,
        "AKIAEXAMPLEFORECAST1",
        "203.0.113.9",
        OLD_JAVA,
    );
    let mut batch = Sitting::new(week, who, RESEARCH, at, (20, 90));
    let date = format!("2026110{}", day + 2);
    let (source, model, evaluation) = (
        format!("ds-orders-{date}"),
        format!("ml-demand-{date}"),
        format!("ev-demand-{date}"),
    );
    batch.does(machinelearning::create_data_source(
        &source,
        &format!("s3://research-forecasts/orders/{date}.csv"),
    ));
    batch.does(machinelearning::create_model(&model, &source));
    batch.does(machinelearning::describe_tags(&model));
    for threshold in ["0.5", "0.55"] {
        let draft = machinelearning::update_model(&model, threshold);
        match day < 5 {
            true => batch.planted("models-are-frozen", draft, WOULD_BE_DENIED),
            false => batch.expects(frozen(draft, &people.forecast, &model), AGREES),
        }
    }
    predict(&mut batch, day, &date, (&model, &source, &evaluation));
    for part in 0..3 {
        let draft = s3::get_object(
            FORECASTS,
            &format!("predictions/{date}/part-{part}.csv.gz"),
            batch.rng(),
        );
        batch.does(draft);
    }
}

fn frozen(draft: Draft, user: &Identity, model: &str) -> Draft {
    let message = format!(
        "User: {} is not authorized to perform: machinelearning:UpdateMLModel on resource: {} with an explicit deny in an identity-based policy",
        user.arn(),
        machinelearning::arn(RESEARCH, &format!("mlmodel/{model}"))
    );
    draft.failed("AccessDenied", message)
}

/// Evaluations and predictions were refused until the policy of Wednesday, 09:00.
fn predict(
    batch: &mut Sitting<'_>,
    day: i64,
    date: &str,
    (model, source, evaluation): (&str, &str, &str),
) {
    let caller = batch.caller.clone();
    let refused = day < 3;
    for _ in 0..if refused { 2 } else { 1 } {
        let draft = machinelearning::create_evaluation(evaluation, model, source);
        let resource = machinelearning::arn(RESEARCH, &format!("evaluation/{evaluation}"));
        match refused {
            true => batch.planted(
                "evaluations-are-granted",
                draft.denied(&caller, "machinelearning:CreateEvaluation", &resource),
                WOULD_BE_ALLOWED,
            ),
            false => batch.does(draft),
        }
    }
    let prediction = format!("bp-demand-{date}");
    let output = "s3://research-forecasts/predictions/";
    let draft = machinelearning::create_batch_prediction(&prediction, model, source, output);
    let resource = machinelearning::arn(RESEARCH, &format!("batchprediction/{prediction}"));
    if refused {
        let denied = draft.denied(&caller, "machinelearning:CreateBatchPrediction", &resource);
        batch.planted("predictions-are-granted", denied, WOULD_BE_ALLOWED);
        return;
    }
    batch.does(draft);
    batch.does(machinelearning::update_batch_prediction(&prediction));
    let resource = machinelearning::arn(RESEARCH, &format!("evaluation/{evaluation}"));
    let delete = machinelearning::delete_evaluation(evaluation).denied(
        &caller,
        "machinelearning:DeleteEvaluation",
        &resource,
    );
    batch.expects(delete, AGREES);
}
