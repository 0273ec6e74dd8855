//! Amazon SageMaker.
//!
//! See <https://docs.aws.amazon.com/sagemaker/latest/dg/logging-using-cloudtrail.html>.

use crate::json::Obj;
use crate::record::{Draft, call, read};

/// An account in a region: where the job or endpoint stands.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'a> {
    pub(crate) account: &'a str,
    pub(crate) region: &'static str,
}

impl Place<'_> {
    /// `arn:aws:sagemaker:…:<what>`
    pub(crate) fn arn(&self, what: &str) -> String {
        format!("arn:aws:sagemaker:{}:{}:{what}", self.region, self.account)
    }

    fn call(&self, name: &'static str, request: String) -> Draft {
        Draft {
            host: format!("api.sagemaker.{}.amazonaws.com", self.region),
            ..call("sagemaker", name, self.region, request)
        }
    }

    fn read(&self, name: &'static str, request: String) -> Draft {
        Draft {
            read_only: true,
            ..self.call(name, request)
        }
    }
}

/// What a training job is made of.
#[derive(Debug, Clone, Copy)]
pub(crate) struct TrainingJob<'a> {
    pub(crate) name: &'a str,
    pub(crate) role: &'a str,
    pub(crate) image: &'a str,
    pub(crate) input: &'a str,
    pub(crate) output: &'a str,
}

pub(crate) fn create_training_job(place: Place<'_>, job: TrainingJob<'_>) -> Draft {
    let source = Obj::new()
        .s("s3DataType", "S3Prefix")
        .s("s3Uri", job.input)
        .s("s3DataDistributionType", "FullyReplicated")
        .end();
    let channel = Obj::new()
        .s("channelName", "training")
        .raw("dataSource", &Obj::new().raw("s3DataSource", &source).end())
        .end();
    let request = Obj::new()
        .s("trainingJobName", job.name)
        .raw(
            "algorithmSpecification",
            &Obj::new()
                .s("trainingImage", job.image)
                .s("trainingInputMode", "File")
                .end(),
        )
        .s("roleArn", job.role)
        .raw("inputDataConfig", &format!("[{channel}]"))
        .raw(
            "outputDataConfig",
            &Obj::new().s("s3OutputPath", job.output).end(),
        )
        .raw(
            "resourceConfig",
            &Obj::new()
                .s("instanceType", "ml.m5.xlarge")
                .n("instanceCount", 1)
                .n("volumeSizeInGB", 50)
                .end(),
        )
        .raw("stoppingCondition", r#"{"maxRuntimeInSeconds":86400}"#)
        .raw("tags", r#"[{"key":"project","value":"churn"}]"#)
        .b("enableNetworkIsolation", false)
        .end();
    let response = Obj::new()
        .s(
            "trainingJobArn",
            &place.arn(&format!("training-job/{}", job.name)),
        )
        .end();
    place.call("CreateTrainingJob", request).answers(response)
}

pub(crate) fn describe_training_job(place: Place<'_>, name: &str) -> Draft {
    place.read(
        "DescribeTrainingJob",
        Obj::new().s("trainingJobName", name).end(),
    )
}

pub(crate) fn stop_training_job(place: Place<'_>, name: &str) -> Draft {
    place.call(
        "StopTrainingJob",
        Obj::new().s("trainingJobName", name).end(),
    )
}

pub(crate) fn list(place: Place<'_>, name: &'static str) -> Draft {
    place.read(
        name,
        Obj::new()
            .s("sortBy", "CreationTime")
            .s("sortOrder", "Descending")
            .n("maxResults", 100)
            .end(),
    )
}

pub(crate) fn search(place: Place<'_>) -> Draft {
    let filter =
        r#"{"filters":[{"name":"TrainingJobName","operator":"Contains","value":"churn"}]}"#;
    place.read(
        "Search",
        Obj::new()
            .s("resource", "TrainingJob")
            .raw("searchExpression", filter)
            .n("maxResults", 50)
            .end(),
    )
}

pub(crate) fn create_model(
    place: Place<'_>,
    name: &str,
    image: &str,
    data: &str,
    role: &str,
) -> Draft {
    let container = Obj::new()
        .s("image", image)
        .s("mode", "SingleModel")
        .s("modelDataUrl", data)
        .end();
    let request = Obj::new()
        .s("modelName", name)
        .raw("primaryContainer", &container)
        .s("executionRoleArn", role)
        .b("enableNetworkIsolation", false)
        .end();
    place.call("CreateModel", request).answers(
        Obj::new()
            .s("modelArn", &place.arn(&format!("model/{name}")))
            .end(),
    )
}

pub(crate) fn create_endpoint_config(place: Place<'_>, name: &str, model: &str) -> Draft {
    let variant = Obj::new()
        .s("variantName", "AllTraffic")
        .s("modelName", model)
        .n("initialInstanceCount", 1)
        .s("instanceType", "ml.c5.large")
        .end();
    let request = Obj::new()
        .s("endpointConfigName", name)
        .raw("productionVariants", &format!("[{variant}]"))
        .end();
    place.call("CreateEndpointConfig", request).answers(
        Obj::new()
            .s(
                "endpointConfigArn",
                &place.arn(&format!("endpoint-config/{name}")),
            )
            .end(),
    )
}

pub(crate) fn create_endpoint(
    place: Place<'_>,
    name: &'static str,
    endpoint: &str,
    config: &str,
) -> Draft {
    let request = Obj::new()
        .s("endpointName", endpoint)
        .s("endpointConfigName", config)
        .end();
    place.call(name, request).answers(
        Obj::new()
            .s("endpointArn", &place.arn(&format!("endpoint/{endpoint}")))
            .end(),
    )
}

pub(crate) fn describe_endpoint(place: Place<'_>, endpoint: &str) -> Draft {
    place.read(
        "DescribeEndpoint",
        Obj::new().s("endpointName", endpoint).end(),
    )
}

pub(crate) fn delete_endpoint(place: Place<'_>, endpoint: &str) -> Draft {
    place.call(
        "DeleteEndpoint",
        Obj::new().s("endpointName", endpoint).end(),
    )
}

/// A data event: no request parameters, the endpoint is among the resources.
pub(crate) fn invoke_endpoint(place: Place<'_>, endpoint: &str) -> Draft {
    let resource = Obj::new()
        .s("accountId", place.account)
        .s("type", "AWS::SageMaker::Endpoint")
        .s("ARN", &place.arn(&format!("endpoint/{endpoint}")))
        .end();
    let host = format!("runtime.sagemaker.{}.amazonaws.com", place.region);
    let draft = read(
        "sagemaker",
        "InvokeEndpoint",
        place.region,
        String::from("null"),
    );
    Draft {
        data: true,
        host,
        ..draft
    }
    .on(format!("[{resource}]"))
}

/// An event of a real service that no catalogue knows.
pub(crate) fn unheard_of(place: Place<'_>) -> Draft {
    place.read(
        "DescribeMadeUpJob",
        Obj::new().s("madeUpJobName", "example").end(),
    )
}
