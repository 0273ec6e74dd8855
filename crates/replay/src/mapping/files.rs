//! The data files, compiled in.

use super::error::Source;

/// Declares the files of `crates/replay/mapping`.
macro_rules! source {
    ($file:literal) => {
        Source {
            file: $file,
            text: include_str!(concat!("../../mapping/", $file)),
        }
    };
}

/// Which service an `eventSource` is.
pub(super) const SOURCES: Source = source!("sources.toml");

/// What the roles that are passed will need: one file per service.
pub(super) const NEEDS: &[Source] = &[
    source!("needs/machinelearning.toml"),
    source!("needs/sagemaker.toml"),
];

/// One file per service.
pub(super) const SERVICES: &[Source] = &[
    source!("apigateway.toml"),
    source!("application-autoscaling.toml"),
    source!("cloudwatch.toml"),
    source!("codecommit.toml"),
    source!("ec2.toml"),
    source!("ecr.toml"),
    source!("ecr-public.toml"),
    source!("elastic-inference.toml"),
    source!("elasticfilesystem.toml"),
    source!("iam.toml"),
    source!("kms.toml"),
    source!("logs.toml"),
    source!("machinelearning.toml"),
    source!("robomaker.toml"),
    source!("s3.toml"),
    source!("s3-outposts.toml"),
    source!("s3express.toml"),
    source!("sagemaker.toml"),
    source!("signin.toml"),
    source!("sts.toml"),
];
