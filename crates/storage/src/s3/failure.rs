//! What S3 refuses, in one line: the object, the reason, and the IAM action that it takes.

use std::error::Error;
use std::io::{self, ErrorKind};

use aws_sdk_s3::config::http::HttpResponse;
use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use crate::error::StorageError;
use crate::faults::Step;

/// One request to S3, as far as an error about it needs to know.
#[derive(Debug, Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) step: Step,
    pub(super) key: &'a str,
    /// The IAM action that the request takes.
    pub(super) action: &'a str,
}

/// What came of a request that failed.
pub(super) enum Failure {
    /// S3 answered with this HTTP status; the error says why.
    Answered(u16, StorageError),
    /// No answer: whether a write took place is not known.
    Unanswered(StorageError),
}

impl Failure {
    pub(super) fn into_error(self) -> StorageError {
        match self {
            Self::Answered(_, error) | Self::Unanswered(error) => error,
        }
    }

    /// Whether a conditional write's condition did not hold.
    pub(super) fn is_refused_condition(&self) -> bool {
        matches!(self, Self::Answered(412 | 409, _))
    }
}

/// From the SDK's error to ours.
pub(super) fn failure<E>(asked: Asked<'_>, error: SdkError<E, HttpResponse>) -> Failure
where
    E: ProvideErrorMetadata + Error + 'static,
{
    let failed =
        |kind, text: String| StorageError::io(asked.step, asked.key, io::Error::new(kind, text));
    match &error {
        SdkError::ServiceError(answer) => {
            let status = answer.raw().status().as_u16();
            let code = answer.err().code().unwrap_or_default();
            let message = answer.err().message().unwrap_or_default();
            let (kind, text) = answered(asked, status, code, message);
            Failure::Answered(status, failed(kind, text))
        }
        SdkError::ResponseError(answer) => Failure::Unanswered(failed(
            ErrorKind::InvalidData,
            format!(
                "the answer ({}) cannot be understood",
                answer.raw().status()
            ),
        )),
        SdkError::TimeoutError(_) => {
            Failure::Unanswered(failed(ErrorKind::TimedOut, "no answer in time".to_owned()))
        }
        SdkError::DispatchFailure(cause) => {
            let kind = if cause.is_timeout() {
                ErrorKind::TimedOut
            } else {
                ErrorKind::NotConnected
            };
            let cause = cause.as_connector_error().map(|cause| causes(cause));
            let text = cause.unwrap_or_else(|| "the connection failed".to_owned());
            Failure::Unanswered(failed(kind, text))
        }
        other => Failure::Unanswered(failed(ErrorKind::Other, causes(other))),
    }
}

fn answered(asked: Asked<'_>, status: u16, code: &str, message: &str) -> (ErrorKind, String) {
    let action = asked.action;
    match (status, code) {
        // Not `NotFound`: it says nothing of the object.
        (_, "NoSuchBucket") => (ErrorKind::Other, "the bucket does not exist".to_owned()),
        (404, _) => (ErrorKind::NotFound, "not found".to_owned()),
        (_, "InvalidAccessKeyId" | "SignatureDoesNotMatch" | "ExpiredToken" | "InvalidToken") => (
            ErrorKind::PermissionDenied,
            format!("the credentials were refused ({code})"),
        ),
        (_, "RequestTimeTooSkewed") => (
            ErrorKind::PermissionDenied,
            "this machine's clock and S3's differ too much".to_owned(),
        ),
        // Without a key's permission S3 names the KMS action itself.
        (403, _) if message.contains("kms:") => (
            ErrorKind::PermissionDenied,
            format!("access denied: {message}"),
        ),
        (403, _) => (
            ErrorKind::PermissionDenied,
            format!("access denied: it takes `{action}`"),
        ),
        (503 | 429, _) => (
            ErrorKind::ResourceBusy,
            format!("S3 asks to slow down ({status} {code}), again and again"),
        ),
        _ if message.is_empty() => (ErrorKind::Other, format!("S3 answered {status} {code}")),
        _ => (
            ErrorKind::Other,
            format!("S3 answered {status} {code}: {message}"),
        ),
    }
}

/// An error and its causes, joined by colons, each said once.
pub(super) fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(next) = cause {
        let said = next.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = next.source();
    }
    text
}
