//! A bucket as a source of log files.

use std::io::{ErrorKind, Read};
use std::sync::Arc;

use super::ahead::Ahead;
use super::bucket::{S3Bucket, failed};
use super::listing::{Level, Pages, folders};
use super::read::{Body, head};
use crate::error::StorageError;
use crate::faults::Step;
use crate::key;
use crate::source::{Child, Children, Entry, Listing, Range, Source};

/// A bucket or a prefix with everything below it, or a single object.
#[derive(Debug, Clone)]
pub struct S3Source {
    bucket: S3Bucket,
    /// The address names an object itself: its key, S3's key and its size.
    single: Option<(Entry, String)>,
    ahead: Arc<Ahead>,
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
        Ok(Self {
            bucket,
            single,
            ahead: Arc::new(Ahead::new()),
        })
    }
}

/// The object that an address names, if there is one.
fn single(bucket: &S3Bucket, object: &str) -> Result<Option<(Entry, String)>, StorageError> {
    let size = match head(bucket, Step::Open, (bucket.location(), object)) {
        Ok(size) => size,
        // Not ours to know: the listing will say.
        Err(error) if error.is_access_denied() => None,
        Err(error) => return Err(error),
    };
    let name = object.rsplit('/').next().unwrap_or(object);
    let key = key::encode_bytes(name.as_bytes());
    Ok(size.map(|size| (Entry { key, size }, object.to_owned())))
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

    fn children<'s>(&'s self, folder: &str) -> Children<'s> {
        match &self.single {
            None => match Level::new(self.bucket.clone(), folder) {
                Ok(level) => Box::new(level),
                Err(error) => Box::new(std::iter::once(Err(error))),
            },
            Some(_) => {
                let range = Range::under(folder);
                Box::new(self.list(&range).map(|entry| entry.map(Child::File)))
            }
        }
    }

    fn size(&self, key: &str) -> Result<Option<u64>, StorageError> {
        if let Some((entry, _)) = &self.single {
            return Ok(Some(entry.size).filter(|_| entry.key == key));
        }
        let object = self.bucket.object_key(key)?;
        head(&self.bucket, Step::Open, (key, &object))
    }

    fn open(&self, key: &str) -> Result<Box<dyn Read + Send>, StorageError> {
        let object = match &self.single {
            Some((entry, object)) if entry.key == key => object.clone(),
            Some(_) => return Err(failed(Step::Open, key, ErrorKind::NotFound, "not found")),
            None => self.bucket.object_key(key)?,
        };
        if let Some(body) = self.ahead.take(&self.bucket, key) {
            return Ok(Box::new(body?));
        }
        Ok(Box::new(Body::open(&self.bucket, key, object)?))
    }

    fn announce(&self, next: &[(&str, u64)]) {
        if self.single.is_none() {
            self.ahead.announce(&self.bucket, next);
        }
    }

    fn location(&self) -> &str {
        self.bucket.location()
    }
}
