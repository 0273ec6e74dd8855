//! Amazon S3, whose records have a shape of their own.
//!
//! See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/cloudtrail-logging-understanding-s3-entries.html>.

use crate::json::Obj;
use crate::record::{Draft, call};
use crate::rng::Rng;

/// A bucket and who owns it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bucket<'a> {
    pub(crate) name: &'a str,
    pub(crate) account: &'a str,
    pub(crate) region: &'static str,
}

impl Bucket<'_> {
    pub(crate) fn object_arn(&self, key: &str) -> String {
        format!("arn:aws:s3:::{}/{key}", self.name)
    }

    fn host(&self) -> String {
        format!("{}.s3.{}.amazonaws.com", self.name, self.region)
    }

    fn request(&self) -> Obj {
        Obj::new()
            .s("bucketName", self.name)
            .s("Host", &self.host())
    }

    fn resource(&self) -> String {
        Obj::new()
            .s("accountId", self.account)
            .s("type", "AWS::S3::Bucket")
            .s("ARN", &format!("arn:aws:s3:::{}", self.name))
            .end()
    }

    fn on_object(&self, key: &str) -> String {
        let object = Obj::new()
            .s("type", "AWS::S3::Object")
            .s("ARN", &self.object_arn(key))
            .end();
        format!("[{object},{}]", self.resource())
    }

    fn draft(
        &self,
        name: &'static str,
        request: String,
        rng: &mut Rng,
        bytes: (u64, u64),
    ) -> Draft {
        Draft {
            host: self.host(),
            additional: additional(rng, bytes),
            ..call("s3", name, self.region, request)
        }
    }
}

/// `additionalEventData`, with the bytes that came in and went out.
fn additional(rng: &mut Rng, (bytes_in, bytes_out): (u64, u64)) -> String {
    Obj::new()
        .s("SignatureVersion", "SigV4")
        .s("CipherSuite", "TLS_AES_128_GCM_SHA256")
        .n("bytesTransferredIn", bytes_in)
        .s("AuthenticationMethod", "AuthHeader")
        .s("x-amz-id-2", &format!("{}=", rng.base64(75)))
        .n("bytesTransferredOut", bytes_out)
        .end()
}

fn data(draft: Draft, read_only: bool, resources: String) -> Draft {
    Draft {
        data: true,
        read_only,
        resources,
        ..draft
    }
}

pub(crate) fn get_object(bucket: Bucket<'_>, key: &str, rng: &mut Rng) -> Draft {
    let bytes = rng.range(900, 9_000_000);
    let draft = bucket.draft(
        "GetObject",
        bucket.request().s("key", key).end(),
        rng,
        (0, bytes),
    );
    data(draft, true, bucket.on_object(key))
}

pub(crate) fn head_object(bucket: Bucket<'_>, key: &str, rng: &mut Rng) -> Draft {
    let draft = bucket.draft(
        "HeadObject",
        bucket.request().s("key", key).end(),
        rng,
        (0, 0),
    );
    data(draft, true, bucket.on_object(key))
}

pub(crate) fn put_object(bucket: Bucket<'_>, key: &str, rng: &mut Rng) -> Draft {
    let bytes = rng.range(200, 90_000_000);
    let request = bucket
        .request()
        .s("key", key)
        .s("x-amz-server-side-encryption", "aws:kms")
        .end();
    let draft = bucket.draft("PutObject", request, rng, (bytes, 0));
    let response = Obj::new()
        .s("x-amz-server-side-encryption", "aws:kms")
        .end();
    data(draft, false, bucket.on_object(key)).answers(response)
}

pub(crate) fn delete_object(bucket: Bucket<'_>, key: &str, rng: &mut Rng) -> Draft {
    let draft = bucket.draft(
        "DeleteObject",
        bucket.request().s("key", key).end(),
        rng,
        (0, 0),
    );
    data(draft, false, bucket.on_object(key))
}

/// The request for many objects at once, which stand in the body; each has a `DeleteObject` record too.
pub(crate) fn delete_objects(bucket: Bucket<'_>, rng: &mut Rng) -> Draft {
    let request = bucket.request().s("delete", "").end();
    let objects = Obj::new()
        .s("type", "AWS::S3::Object")
        .s("ARNPrefix", &bucket.object_arn(""))
        .end();
    data(
        bucket.draft("DeleteObjects", request, rng, (412, 388)),
        false,
        format!("[{objects},{}]", bucket.resource()),
    )
}

/// `ListObjectsV2`, which CloudTrail calls `ListObjects`.
pub(crate) fn list_objects(bucket: Bucket<'_>, prefix: &str, rng: &mut Rng) -> Draft {
    let request = bucket
        .request()
        .s("list-type", "2")
        .s("prefix", prefix)
        .s("max-keys", "1000")
        .s("encoding-type", "url")
        .end();
    let bytes = rng.range(300, 90_000);
    let objects = Obj::new()
        .s("type", "AWS::S3::Object")
        .s("ARNPrefix", &bucket.object_arn(""))
        .end();
    data(
        bucket.draft("ListObjects", request, rng, (0, bytes)),
        true,
        format!("[{objects},{}]", bucket.resource()),
    )
}

pub(crate) fn head_bucket(bucket: Bucket<'_>, rng: &mut Rng) -> Draft {
    data(
        bucket.draft("HeadBucket", bucket.request().end(), rng, (0, 0)),
        true,
        format!("[{}]", bucket.resource()),
    )
}

/// The record shows the destination; the source is only in the header.
pub(crate) fn copy_object(
    from: Bucket<'_>,
    from_key: &str,
    to: Bucket<'_>,
    key: &str,
    rng: &mut Rng,
) -> Draft {
    let request = to
        .request()
        .s("key", key)
        .s("x-amz-copy-source", &format!("{}/{from_key}", from.name))
        .end();
    data(
        to.draft("CopyObject", request, rng, (0, 234)),
        false,
        to.on_object(key),
    )
}

/// The three calls of a multipart upload of one part.
pub(crate) fn multipart(bucket: Bucket<'_>, key: &str, rng: &mut Rng) -> [Draft; 3] {
    let upload = rng.base64(64).replace(['+', '/'], "_");
    let create = bucket.draft(
        "CreateMultipartUpload",
        bucket.request().s("key", key).s("uploads", "").end(),
        rng,
        (0, 340),
    );
    let part = bucket
        .request()
        .s("key", key)
        .s("uploadId", &upload)
        .s("partNumber", "1")
        .end();
    let part = bucket.draft("UploadPart", part, rng, (8_388_608, 0));
    let complete = bucket.request().s("key", key).s("uploadId", &upload).end();
    let complete = bucket.draft("CompleteMultipartUpload", complete, rng, (148, 420));
    [create, part, complete].map(|draft| data(draft, false, bucket.on_object(key)))
}

/// A bucket-level read with an empty query flag: `GetBucketPolicy`, `policy`.
pub(crate) fn bucket_read(
    bucket: Bucket<'_>,
    name: &'static str,
    flag: &str,
    rng: &mut Rng,
) -> Draft {
    let draft = bucket.draft(name, bucket.request().s(flag, "").end(), rng, (0, 310));
    Draft {
        read_only: true,
        ..draft
    }
    .on(format!("[{}]", bucket.resource()))
}

pub(crate) fn list_buckets(region: &'static str, rng: &mut Rng) -> Draft {
    let host = format!("s3.{region}.amazonaws.com");
    let draft = call(
        "s3",
        "ListBuckets",
        region,
        Obj::new().s("Host", &host).end(),
    );
    Draft {
        read_only: true,
        host,
        additional: additional(rng, (0, 1270)),
        ..draft
    }
}

/// What S3 says where there is no such object.
pub(crate) const NO_SUCH_KEY: &str = "The specified key does not exist.";
