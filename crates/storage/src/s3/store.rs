//! A bucket as a store.

use std::io::ErrorKind;
use std::time::{Duration, SystemTime};

use aws_sdk_s3::operation::put_object::builders::PutObjectFluentBuilder;
use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{MultipartUpload, ObjectCannedAcl, ServerSideEncryption};

use super::bucket::{S3Bucket, failed};
use super::failure::{Asked, Failure, failure};
use super::listing::Pages;
use super::read::{Stretch, fetch, head};
use super::upload::S3Upload;
use crate::error::StorageError;
use crate::faults::Step;
use crate::source::{Entry, Range};
use crate::store::{Condition, INTERNAL_PREFIX, Object, Store, Upload, Version};

/// Metadata that names one attempt to put: where an answer was lost, it tells whose object is there.
pub(super) const ATTEMPT: &str = "retrial-attempt";

/// Unfinished uploads that are older than this belong to nobody who is alive.
const FORGOTTEN: Duration = Duration::from_secs(24 * 60 * 60);

/// A bucket as a store.
#[derive(Debug, Clone)]
pub struct S3Store {
    bucket: S3Bucket,
}

impl S3Store {
    /// The bucket as a store. What it does not permit is said by the first write.
    pub fn new(bucket: S3Bucket) -> Self {
        Self { bucket }
    }

    fn asked<'a>(&self, step: Step, key: &'a str, action: &'a str) -> Asked<'a> {
        Asked { step, key, action }
    }

    /// Whether the object under `key` is the one that this attempt put.
    fn is_ours(&self, asked: Asked<'_>, object: &str, attempt: &str) -> Option<Version> {
        let request = self
            .bucket
            .client()
            .head_object()
            .bucket(self.bucket.name())
            .key(object)
            .set_request_payer(self.bucket.request_payer());
        let head = self
            .bucket
            .wait(request.send())
            .map_err(|error| failure(asked, error))
            .ok()?;
        let named = head.metadata()?.get(ATTEMPT)?;
        (named == attempt).then(|| Version::new(head.e_tag().unwrap_or_default().to_owned()))
    }
}

/// A put with everything that the options ask for.
pub(super) fn put_request(bucket: &S3Bucket, object: &str, bytes: &[u8]) -> PutObjectFluentBuilder {
    let options = bucket.options();
    bucket
        .client()
        .put_object()
        .bucket(bucket.name())
        .key(object)
        .body(ByteStream::from(bytes.to_vec()))
        .set_request_payer(bucket.request_payer())
        .set_acl(
            options
                .bucket_owner_full_control
                .then_some(ObjectCannedAcl::BucketOwnerFullControl),
        )
        .set_server_side_encryption(
            options
                .sse_kms_key_id
                .is_some()
                .then_some(ServerSideEncryption::AwsKms),
        )
        .set_ssekms_key_id(options.sse_kms_key_id.clone())
}

/// A text that no other attempt has, in this process or another.
pub(super) fn attempt_name() -> String {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    format!(
        "{}-{}-{}",
        std::process::id(),
        since.map_or(0, |since| since.as_nanos()),
        NEXT.fetch_add(1, Ordering::Relaxed)
    )
}

impl Store for S3Store {
    fn list(&self, prefix: &str) -> Result<Vec<Entry>, StorageError> {
        Pages::new(self.bucket.clone(), Range::under(prefix))
            .filter(|entry| match entry {
                Ok(entry) => !entry
                    .key
                    .split('/')
                    .any(|name| name.starts_with(INTERNAL_PREFIX)),
                Err(_) => true,
            })
            .collect()
    }

    fn read(&self, key: &str) -> Result<Option<Object>, StorageError> {
        let object = self.bucket.stored_key(key)?;
        let asked = self.asked(Step::Read, key, "s3:GetObject");
        let found = self
            .bucket
            .wait(fetch(&self.bucket, asked, &object, Stretch::Whole))?;
        Ok(found.map(|(bytes, version)| Object {
            bytes: bytes.into(),
            version: Version::new(version.unwrap_or_default()),
        }))
    }

    fn size(&self, key: &str) -> Result<Option<u64>, StorageError> {
        let object = self.bucket.stored_key(key)?;
        head(&self.bucket, Step::Read, (key, &object))
    }

    fn read_range(&self, key: &str, offset: u64, length: u64) -> Result<Vec<u8>, StorageError> {
        let object = self.bucket.stored_key(key)?;
        let asked = self.asked(Step::Read, key, "s3:GetObject");
        let Some(last) = length
            .checked_sub(1)
            .map(|more| offset.saturating_add(more))
        else {
            return Ok(Vec::new());
        };
        let stretch = Stretch::Bytes(offset, last);
        self.bucket
            .wait(fetch(&self.bucket, asked, &object, stretch))?
            .map(|(bytes, _)| bytes.into())
            .ok_or_else(|| failed(Step::Read, key, ErrorKind::NotFound, "not found"))
    }

    fn put(&self, key: &str, bytes: &[u8], condition: Condition) -> Result<Version, StorageError> {
        let object = self.bucket.stored_key(key)?;
        self.bucket.before(Step::PutBegin, key)?;
        let attempt = attempt_name();
        let request = put_request(&self.bucket, &object, bytes).metadata(ATTEMPT, &attempt);
        let request = match &condition {
            Condition::Always => request,
            Condition::IfAbsent => request.if_none_match("*"),
            Condition::IfMatch(version) => request.if_match(version.to_string()),
        };
        let asked = self.asked(Step::PutWrite, key, "s3:PutObject");
        self.bucket.before(Step::PutWrite, key)?;
        let answer = match self.bucket.wait(request.send()) {
            Ok(answer) => return Ok(Version::new(answer.e_tag().unwrap_or_default().to_owned())),
            Err(error) => failure(asked, error),
        };
        // The SDK tries again after a lost answer, and then meets its own first attempt.
        if let Some(version) = self.is_ours(asked, &object, &attempt) {
            return Ok(version);
        }
        let conditional = condition != Condition::Always;
        match answer {
            refused if conditional && refused.is_refused_condition() => {
                Err(StorageError::Conflict {
                    key: key.to_owned(),
                })
            }
            // Nothing there matches no version.
            Failure::Answered(404, error)
                if conditional && error.to_string().ends_with("not found") =>
            {
                Err(StorageError::Conflict {
                    key: key.to_owned(),
                })
            }
            other => Err(other.into_error()),
        }
    }

    fn begin(&self, key: &str) -> Result<Box<dyn Upload>, StorageError> {
        let object = self.bucket.stored_key(key)?;
        Ok(Box::new(S3Upload::new(self.bucket.clone(), key, object)))
    }

    fn delete(&self, key: &str) -> Result<(), StorageError> {
        let object = self.bucket.stored_key(key)?;
        self.bucket.before(Step::Delete, key)?;
        let request = self
            .bucket
            .client()
            .delete_object()
            .bucket(self.bucket.name())
            .key(object)
            .set_request_payer(self.bucket.request_payer());
        let asked = self.asked(Step::Delete, key, "s3:DeleteObject");
        match self.bucket.wait(request.send()) {
            Ok(_) => Ok(()),
            Err(error) => match failure(asked, error) {
                Failure::Answered(404, error) if error.is_not_found() => Ok(()),
                other => Err(other.into_error()),
            },
        }
    }

    fn clean(&self) -> Result<u64, StorageError> {
        let mut removed = 0;
        for upload in self.unfinished()? {
            let started = upload.initiated().map_or(0, |moment| moment.secs());
            if !is_forgotten(started) {
                continue;
            }
            let object = upload.key().unwrap_or_default();
            let key = self.bucket.key_of(object)?;
            self.bucket.before(Step::Clean, &key)?;
            let request = self
                .bucket
                .client()
                .abort_multipart_upload()
                .bucket(self.bucket.name())
                .key(object)
                .set_upload_id(upload.upload_id().map(str::to_owned))
                .set_request_payer(self.bucket.request_payer());
            let asked = self.asked(Step::Clean, &key, "s3:AbortMultipartUpload");
            match self.bucket.wait(request.send()) {
                Ok(_) => removed += 1,
                Err(error) => match failure(asked, error) {
                    Failure::Answered(404, _) => {}
                    other => return Err(other.into_error()),
                },
            }
        }
        Ok(removed)
    }

    fn location(&self) -> &str {
        self.bucket.location()
    }
}

impl S3Store {
    /// The uploads under the root that were begun and not ended.
    fn unfinished(&self) -> Result<Vec<MultipartUpload>, StorageError> {
        let asked = self.asked(
            Step::Clean,
            self.bucket.location(),
            "s3:ListBucketMultipartUploads",
        );
        let mut uploads = Vec::new();
        let (mut after_key, mut after_id) = (None, None);
        loop {
            let request = self
                .bucket
                .client()
                .list_multipart_uploads()
                .bucket(self.bucket.name())
                .prefix(self.bucket.root())
                .set_key_marker(after_key)
                .set_upload_id_marker(after_id)
                .set_request_payer(self.bucket.request_payer());
            let page = self
                .bucket
                .wait(request.send())
                .map_err(|error| failure(asked, error).into_error())?;
            uploads.extend_from_slice(page.uploads());
            after_key = page.next_key_marker().map(str::to_owned);
            after_id = page.next_upload_id_marker().map(str::to_owned);
            if page.is_truncated() != Some(true) || after_key.is_none() {
                return Ok(uploads);
            }
        }
    }
}

fn is_forgotten(started: i64) -> bool {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |now| now.as_secs());
    u64::try_from(started).is_ok_and(|started| started + FORGOTTEN.as_secs() < now)
}
