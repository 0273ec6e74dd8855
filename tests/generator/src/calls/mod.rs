//! The API calls that the made-up people make, as CloudTrail records them.

pub(crate) mod ecr;
pub(crate) mod kms;
pub(crate) mod machinelearning;
pub(crate) mod others;
pub(crate) mod s3;
pub(crate) mod sagemaker;
pub(crate) mod sts;
