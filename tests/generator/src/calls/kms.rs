//! AWS KMS.
//!
//! See <https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html>.

use crate::json::Obj;
use crate::record::{Draft, call, read};

/// A key by its parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) id: &'a str,
    pub(crate) account: &'a str,
    pub(crate) region: &'static str,
}

impl Key<'_> {
    pub(crate) fn arn(&self) -> String {
        format!(
            "arn:aws:kms:{}:{}:key/{}",
            self.region, self.account, self.id
        )
    }

    fn resources(&self) -> String {
        format!(
            "[{}]",
            Obj::new()
                .s("accountId", self.account)
                .s("type", "AWS::KMS::Key")
                .s("ARN", &self.arn())
                .end()
        )
    }
}

/// The encryption context that S3 sets.
fn s3_context(object_arn: &str) -> String {
    Obj::new().s("aws:s3:arn", object_arn).end()
}

pub(crate) fn decrypt(key: Key<'_>, object_arn: &str) -> Draft {
    let request = Obj::new()
        .raw("encryptionContext", &s3_context(object_arn))
        .s("encryptionAlgorithm", "SYMMETRIC_DEFAULT")
        .end();
    read("kms", "Decrypt", key.region, request).on(key.resources())
}

pub(crate) fn generate_data_key(key: Key<'_>, object_arn: &str) -> Draft {
    let request = Obj::new()
        .s("keyId", &key.arn())
        .s("keySpec", "AES_256")
        .raw("encryptionContext", &s3_context(object_arn))
        .end();
    read("kms", "GenerateDataKey", key.region, request).on(key.resources())
}

pub(crate) fn describe_key(key: Key<'_>) -> Draft {
    read(
        "kms",
        "DescribeKey",
        key.region,
        Obj::new().s("keyId", key.id).end(),
    )
    .on(key.resources())
}

pub(crate) fn list_keys(region: &'static str) -> Draft {
    read("kms", "ListKeys", region, Obj::new().n("limit", 100).end())
}

pub(crate) fn list_aliases(region: &'static str) -> Draft {
    read(
        "kms",
        "ListAliases",
        region,
        Obj::new().n("limit", 100).end(),
    )
}

/// KMS rotates key material by itself: an event, not a call.
pub(crate) fn rotate_key(key: Key<'_>) -> Draft {
    let details = format!(r#","serviceEventDetails":{{"keyId":"{}"}}"#, key.id);
    let draft = call("kms", "RotateKey", key.region, String::from("null")).on(key.resources());
    Draft {
        event_type: "AwsServiceEvent",
        more: details,
        ..draft
    }
}
