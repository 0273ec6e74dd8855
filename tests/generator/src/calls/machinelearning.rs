//! Amazon Machine Learning, the retired service; it stood in us-east-1 and eu-west-1.
//!
//! See <https://docs.aws.amazon.com/machine-learning/latest/dg/logging-using-cloudtrail.html>.

use crate::json::Obj;
use crate::record::{Draft, call};

fn draft(name: &'static str, request: Obj) -> Draft {
    call("machinelearning", name, "us-east-1", request.end())
}

fn answer(name: &'static str, request: Obj, key: &str, id: &str) -> Draft {
    draft(name, request).answers(Obj::new().s(key, id).end())
}

/// `arn:aws:machinelearning:us-east-1:<account>:<what>`
pub(crate) fn arn(account: &str, what: &str) -> String {
    format!("arn:aws:machinelearning:us-east-1:{account}:{what}")
}

pub(crate) fn create_data_source(id: &str, location: &str) -> Draft {
    let data = Obj::new()
        .s("dataLocationS3", location)
        .s("dataSchemaLocationS3", &format!("{location}.schema"))
        .end();
    let request = Obj::new()
        .s("dataSourceId", id)
        .s("dataSourceName", "Daily orders")
        .raw("dataSpec", &data)
        .b("computeStatistics", true);
    answer("CreateDataSourceFromS3", request, "dataSourceId", id)
}

pub(crate) fn create_model(id: &str, data_source: &str) -> Draft {
    let request = Obj::new()
        .s("mLModelId", id)
        .s("mLModelName", "Demand")
        .s("mLModelType", "REGRESSION")
        .s("trainingDataSourceId", data_source);
    answer("CreateMLModel", request, "mLModelId", id)
}

pub(crate) fn create_evaluation(id: &str, model: &str, data_source: &str) -> Draft {
    let request = Obj::new()
        .s("evaluationId", id)
        .s("mLModelId", model)
        .s("evaluationDataSourceId", data_source);
    answer("CreateEvaluation", request, "evaluationId", id)
}

pub(crate) fn create_batch_prediction(
    id: &str,
    model: &str,
    data_source: &str,
    output: &str,
) -> Draft {
    let request = Obj::new()
        .s("batchPredictionId", id)
        .s("mLModelId", model)
        .s("batchPredictionDataSourceId", data_source)
        .s("outputUri", output);
    answer("CreateBatchPrediction", request, "batchPredictionId", id)
}

pub(crate) fn update_model(id: &str, threshold: &str) -> Draft {
    let request = Obj::new()
        .s("mLModelId", id)
        .raw("scoreThreshold", threshold);
    answer("UpdateMLModel", request, "mLModelId", id)
}

pub(crate) fn update_batch_prediction(id: &str) -> Draft {
    let request = Obj::new()
        .s("batchPredictionId", id)
        .s("batchPredictionName", "Demand, tomorrow");
    answer("UpdateBatchPrediction", request, "batchPredictionId", id)
}

pub(crate) fn delete_evaluation(id: &str) -> Draft {
    answer(
        "DeleteEvaluation",
        Obj::new().s("evaluationId", id),
        "evaluationId",
        id,
    )
}

pub(crate) fn describe_tags(model: &str) -> Draft {
    let request = Obj::new()
        .s("resourceId", model)
        .s("resourceType", "MLModel");
    Draft {
        read_only: true,
        ..draft("DescribeTags", request)
    }
}
