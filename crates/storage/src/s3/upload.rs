//! A large object on its way into a bucket.

use std::io::{self, ErrorKind, Write};

use aws_sdk_s3::primitives::ByteStream;
use aws_sdk_s3::types::{
    CompletedMultipartUpload, CompletedPart, ObjectCannedAcl, ServerSideEncryption,
};

use super::bucket::{S3Bucket, failed};
use super::failure::{Asked, failure};
use super::store::{ATTEMPT, attempt_name, put_request};
use crate::error::StorageError;
use crate::faults::Step;
use crate::store::Upload;

/// A part's size. S3 takes 10,000 parts of at least 5 MiB: objects of up to 78 GiB.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>.
const PART_BYTES: usize = 8 << 20;

/// An object being written: in memory while it is small, else as a multipart upload.
///
/// # Memory
/// One part.
pub(super) struct S3Upload {
    bucket: S3Bucket,
    key: String,
    object: String,
    attempt: String,
    buffer: Vec<u8>,
    size: u64,
    multipart: Option<Multipart>,
    /// After a failed write the object must not appear.
    failed: bool,
}

struct Multipart {
    id: String,
    parts: Vec<CompletedPart>,
}

impl S3Upload {
    pub(super) fn new(bucket: S3Bucket, key: &str, object: String) -> Self {
        Self {
            bucket,
            key: key.to_owned(),
            object,
            attempt: attempt_name(),
            buffer: Vec::new(),
            size: 0,
            multipart: None,
            failed: false,
        }
    }

    fn asked(&self, step: Step) -> Asked<'_> {
        Asked {
            step,
            key: &self.key,
            action: "s3:PutObject",
        }
    }

    /// Sends what is in the buffer as a part.
    fn send_part(&mut self) -> Result<(), StorageError> {
        if self.failed {
            return Err(failed(
                Step::UploadWrite,
                &self.key,
                ErrorKind::Other,
                "an earlier write failed",
            ));
        }
        self.failed = true;
        let mut multipart = match self.multipart.take() {
            Some(multipart) => multipart,
            None => self.begin()?,
        };
        let sent = self.send(&mut multipart);
        self.multipart = Some(multipart);
        sent?;
        self.failed = false;
        self.buffer.clear();
        Ok(())
    }

    fn begin(&self) -> Result<Multipart, StorageError> {
        self.bucket.before(Step::UploadCreate, &self.key)?;
        let options = self.bucket.options();
        let request = self
            .bucket
            .client()
            .create_multipart_upload()
            .bucket(self.bucket.name())
            .key(&self.object)
            .metadata(ATTEMPT, &self.attempt)
            .set_request_payer(self.bucket.request_payer())
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
            .set_ssekms_key_id(options.sse_kms_key_id.clone());
        let answer = self
            .bucket
            .wait(request.send())
            .map_err(|error| failure(self.asked(Step::UploadCreate), error).into_error())?;
        Ok(Multipart {
            id: answer.upload_id().unwrap_or_default().to_owned(),
            parts: Vec::new(),
        })
    }

    fn send(&self, multipart: &mut Multipart) -> Result<(), StorageError> {
        self.bucket.before(Step::UploadWrite, &self.key)?;
        let number = i32::try_from(multipart.parts.len() + 1).unwrap_or(i32::MAX);
        let request = self
            .bucket
            .client()
            .upload_part()
            .bucket(self.bucket.name())
            .key(&self.object)
            .upload_id(&multipart.id)
            .part_number(number)
            .body(ByteStream::from(self.buffer.clone()))
            .set_request_payer(self.bucket.request_payer());
        let answer = self
            .bucket
            .wait(request.send())
            .map_err(|error| failure(self.asked(Step::UploadWrite), error).into_error())?;
        multipart.parts.push(
            CompletedPart::builder()
                .part_number(number)
                .set_e_tag(answer.e_tag().map(str::to_owned))
                .build(),
        );
        Ok(())
    }

    fn complete_multipart(&mut self, multipart: &Multipart) -> Result<(), StorageError> {
        let parts = CompletedMultipartUpload::builder()
            .set_parts(Some(multipart.parts.clone()))
            .build();
        let request = self
            .bucket
            .client()
            .complete_multipart_upload()
            .bucket(self.bucket.name())
            .key(&self.object)
            .upload_id(&multipart.id)
            .multipart_upload(parts)
            .if_none_match("*")
            .set_request_payer(self.bucket.request_payer());
        let answer = self.bucket.wait(request.send());
        self.settle(
            answer
                .map(drop)
                .map_err(|error| failure(self.asked(Step::UploadRename), error)),
        )
    }

    fn complete_small(&mut self) -> Result<(), StorageError> {
        self.bucket.before(Step::UploadWrite, &self.key)?;
        let request = put_request(&self.bucket, &self.object, &self.buffer)
            .metadata(ATTEMPT, &self.attempt)
            .if_none_match("*");
        self.bucket.before(Step::UploadRename, &self.key)?;
        let answer = self.bucket.wait(request.send());
        self.settle(
            answer
                .map(drop)
                .map_err(|error| failure(self.asked(Step::UploadRename), error)),
        )
    }

    /// Whether the object is there, and ours: an answer may have been lost, and the SDK's next attempt
    /// then meets its own first one.
    fn settle(&self, answer: Result<(), super::failure::Failure>) -> Result<(), StorageError> {
        let Err(failure) = answer else {
            return Ok(());
        };
        let request = self
            .bucket
            .client()
            .head_object()
            .bucket(self.bucket.name())
            .key(&self.object)
            .set_request_payer(self.bucket.request_payer());
        let head = self.bucket.wait(request.send()).ok();
        let named = head
            .as_ref()
            .and_then(|head| head.metadata()?.get(ATTEMPT).cloned());
        if named.as_deref() == Some(self.attempt.as_str()) {
            return Ok(());
        }
        // A server that does not know the condition's answer still shows that somebody was first.
        if failure.is_refused_condition() {
            return Err(StorageError::Conflict {
                key: self.key.clone(),
            });
        }
        Err(failure.into_error())
    }

    /// Tells S3 to forget the parts; nobody waits for it.
    fn forget(&mut self) {
        let Some(multipart) = self.multipart.take() else {
            return;
        };
        let request = self
            .bucket
            .client()
            .abort_multipart_upload()
            .bucket(self.bucket.name())
            .key(&self.object)
            .upload_id(multipart.id)
            .set_request_payer(self.bucket.request_payer());
        // Where it fails, `Store::clean` finds the upload later.
        drop(self.bucket.spawn(async move {
            let _ = request.send().await;
        }));
    }
}

impl Write for S3Upload {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.failed || self.buffer.len() >= PART_BYTES {
            self.send_part()?;
        }
        let room = PART_BYTES.saturating_sub(self.buffer.len());
        let taken = bytes.get(..room).unwrap_or(bytes);
        self.buffer.extend_from_slice(taken);
        self.size += taken.len() as u64;
        Ok(taken.len())
    }

    /// Nothing: what counts is [`Upload::complete`].
    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Upload for S3Upload {
    fn complete(mut self: Box<Self>) -> Result<u64, StorageError> {
        if self.failed {
            self.send_part()?;
        }
        if self.multipart.is_none() {
            self.complete_small()?;
            return Ok(self.size);
        }
        if !self.buffer.is_empty() {
            self.send_part()?;
        }
        self.bucket.before(Step::UploadRename, &self.key)?;
        let Some(multipart) = self.multipart.take() else {
            return Ok(self.size);
        };
        let completed = self.complete_multipart(&multipart);
        if completed.is_err() {
            self.multipart = Some(multipart);
        }
        completed.map(|()| self.size)
    }

    fn abort(mut self: Box<Self>) -> Result<(), StorageError> {
        self.forget();
        Ok(())
    }
}

impl Drop for S3Upload {
    fn drop(&mut self) {
        self.forget();
    }
}
