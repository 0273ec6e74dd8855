//! Records of made-up jobs, and what their roles will need.

use bumpalo::Bump;
use retrial_cloudtrail::RecordParser;
use retrial_iam::Catalogue;
use retrial_replay::{Facts, Mapping, Need};

pub const ACCOUNT: &str = "111122223333";

/// A call, as JSON of its request.
pub struct Event<'e> {
    pub source: &'e str,
    pub name: &'e str,
    pub request: &'e str,
    pub error: Option<&'e str>,
}

/// What the role of a call will need.
pub fn needs<T>(mapping: &Mapping, event: &Event<'_>, read: impl FnOnce(&[Need<'_>]) -> T) -> T {
    let error = event
        .error
        .map(|code| format!(r#","errorCode":"{code}""#))
        .unwrap_or_default();
    let text = format!(
        r#"{{"eventVersion":"1.11","eventType":"AwsApiCall","eventSource":"{}","eventName":"{}","awsRegion":"eu-west-1","recipientAccountId":"{ACCOUNT}","userIdentity":{{"type":"IAMUser","arn":"arn:aws:iam::{ACCOUNT}:user/ana","accountId":"{ACCOUNT}","userName":"ana"}},"requestParameters":{}{error}}}"#,
        event.source, event.name, event.request
    );
    let arena = Bump::new();
    RecordParser::new()
        .parse(text.as_bytes(), |record| {
            let facts = Facts::of(record, Catalogue::bundled(), None);
            read(mapping.needs(record, &facts, &arena))
        })
        .unwrap_or_else(|error| panic!("{error}: {}", event.request))
}
