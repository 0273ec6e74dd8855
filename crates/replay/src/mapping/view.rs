//! One record as the mapping reads it: what is shown of its request, and what follows from that.

use std::cell::OnceCell;

use bumpalo::Bump;
use percent_encoding::percent_decode_str;
use retrial_cloudtrail::{Json, Parameters, Record};

use super::Facts;

/// A record, the facts about its call and the arena for derived text.
pub(super) struct View<'a, 'r> {
    pub(super) record: &'r Record<'a>,
    pub(super) facts: &'r Facts<'a>,
    pub(super) arena: &'a Bump,
    pub(super) shown: Shown<'a>,
    copy_source: OnceCell<Option<CopySource<'a>>>,
}

/// What is shown of `requestParameters`.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    /// All of it.
    Object(Json<'a>),
    /// The call succeeded and the record has none: it sent none, or CloudTrail never logs them.
    Empty,
    /// Left out for their size, redacted, or not recorded because the call failed.
    Hidden,
}

/// `x-amz-copy-source`, taken apart.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.
#[derive(Clone, Copy)]
pub(super) struct CopySource<'a> {
    arn: Option<&'a str>,
    bucket: Option<&'a str>,
    key: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a, 'r> View<'a, 'r> {
    pub(super) fn new(record: &'r Record<'a>, facts: &'r Facts<'a>, arena: &'a Bump) -> Self {
        let shown = match record.request_parameters {
            Parameters::Object(parameters) => Shown::Object(parameters),
            // A denied call's parameters are often left out (seen: IAM, STS, RDS, Lambda, …).
            Parameters::Missing | Parameters::Null if facts.failed_with.is_none() => Shown::Empty,
            Parameters::Missing | Parameters::Null | Parameters::Omitted | Parameters::Redacted => Shown::Hidden,
        };
        Self { record, facts, arena, shown, copy_source: OnceCell::new() }
    }

    /// The object that a copy reads from; `None` where the request is no copy.
    pub(super) fn copy_source(&self) -> Option<CopySource<'a>> {
        *self.copy_source.get_or_init(|| {
            let Shown::Object(parameters) = self.shown else { return None };
            let header = parameters.get("x-amz-copy-source")?;
            let text = header.as_str().or_else(|| header.items().next().and_then(Json::as_str))?;
            CopySource::parse(text, self.arena)
        })
    }

    /// A field of the record itself that conditions and keys may name.
    pub(super) fn record_field(&self, name: &str) -> Option<&'a str> {
        match name {
            "errorCode" => self.record.error_code,
            "eventName" => self.record.event_name,
            "eventSource" => self.record.event_source,
            "awsRegion" => self.record.aws_region,
            _ => None,
        }
    }
}

/// The names that [`View::record_field`] knows.
pub(super) const RECORD_FIELDS: [&str; 4] = ["errorCode", "eventName", "eventSource", "awsRegion"];

impl<'a> CopySource<'a> {
    fn parse(text: &'a str, arena: &'a Bump) -> Option<Self> {
        let (object, version) = match text.rsplit_once("?versionId=") {
            Some((object, version)) => (object, Some(version)),
            None => (text, None),
        };
        let object = decode(object.strip_prefix('/').unwrap_or(object), arena);
        if object.starts_with("arn:") {
            return Some(Self { arn: Some(object), bucket: None, key: None, version });
        }
        let (bucket, key) = object.split_once('/')?;
        Some(Self { arn: None, bucket: Some(bucket), key: Some(key), version })
    }

    /// One of its parts by name.
    pub(super) fn part(self, name: &str) -> Option<&'a str> {
        match name {
            "arn" => self.arn,
            "bucket" => self.bucket,
            "key" => self.key,
            "version" => self.version,
            _ => None,
        }
    }
}

/// The parts that [`CopySource::part`] knows.
pub(super) const COPY_SOURCE_PARTS: [&str; 4] = ["arn", "bucket", "key", "version"];

/// URL-decoded, where that gives text.
pub(super) fn decode<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    if !text.contains('%') {
        return text;
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => arena.alloc_str(&decoded),
        Err(_) => text,
    }
}
