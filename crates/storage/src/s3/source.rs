//! A bucket as a source of log files.

use std::io::Read;

use super::bucket::S3Bucket;
use super::failure::{Asked, Failure, failure};
use super::listing::{Pages, folders};
use super::read::Body;
use crate::error::StorageError;
use crate::faults::Step;
use crate::key;
use crate::source::{Entry, Listing, Range, Source};

/// A bucket or a prefix with everything below it, or a single object.
#[derive(Debug, Clone)]
pub struct S3Source {
    bucket: S3Bucket,
    /// The address names an object itself: its key, S3's key and its size.
    single: Option<(Entry, String)>,
}

impl S3Source {
    /// The bucket as a source. An address that is an object's own is a source of that one.
    ///
    /// # Errors
    /// Where the bucket does not exist, or S3 cannot be reached.
    pub fn new(bucket: S3Bucket) -> Result<Self, StorageError> {
        let single = match bucket.address().prefix() {
            "" => None,
            prefix => single(&bucket, prefix)?,
        };
        Ok(Self { bucket, single })
    }
}

/// The object that an address names, if there is one.
fn single(bucket: &S3Bucket, object: &str) -> Result<Option<(Entry, String)>, StorageError> {
    let request = bucket
        .client()
        .head_object()
        .bucket(bucket.name())
        .key(object)
        .set_request_payer(bucket.request_payer());
    let asked = Asked {
        step: Step::Open,
        key: bucket.location(),
        action: "s3:GetObject",
    };
    match bucket.wait(request.send()) {
        Ok(head) => {
            let name = object.rsplit('/').next().unwrap_or(object);
            let size = head
                .content_length()
                .and_then(|size| u64::try_from(size).ok());
            let entry = Entry {
                key: key::encode_bytes(name.as_bytes()),
                size: size.unwrap_or(0),
            };
            Ok(Some((entry, object.to_owned())))
        }
        // Not there, or not ours to know: the listing will say.
        Err(error) => match failure(asked, error) {
            Failure::Answered(403 | 404, _) => Ok(None),
            other => Err(other.into_error()),
        },
    }
}

impl Source for S3Source {
    fn list(&self, range: &Range) -> Listing {
        match &self.single {
            None => Box::new(Pages::new(self.bucket.clone(), range.clone())),
            Some((entry, _)) if range.contains(&entry.key) => {
                Box::new(std::iter::once(Ok(entry.clone())))
            }
            Some(_) => Box::new(std::iter::empty()),
        }
    }

    fn folders(&self, folder: &str) -> Result<Vec<String>, StorageError> {
        match self.single {
            None => folders(&self.bucket, folder),
            Some(_) => Ok(Vec::new()),
        }
    }

    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        let object = match &self.single {
            Some((entry, object)) if entry.key == key => object.clone(),
            _ => self.bucket.object_key(key)?,
        };
        Ok(Box::new(Body::open(&self.bucket, key, object)?))
    }

    fn location(&self) -> &str {
        self.bucket.location()
    }
}
