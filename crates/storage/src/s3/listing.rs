//! Listings, a page at a time.

use std::collections::VecDeque;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::types::EncodingType;

use super::bucket::S3Bucket;
use super::failure::{Asked, failure};
use crate::error::{KeyProblem, StorageError};
use crate::faults::Step;
use crate::key;
use crate::source::{Entry, Range};

/// The objects of a range, lazily.
pub(super) struct Pages {
    bucket: S3Bucket,
    range: Range,
    page: VecDeque<Result<Entry, StorageError>>,
    next: Next,
}

/// Where the next page begins.
enum Next {
    First,
    Token(String),
    End,
}

impl Pages {
    pub(super) fn new(bucket: S3Bucket, range: Range) -> Self {
        Self {
            bucket,
            range,
            page: VecDeque::new(),
            next: Next::First,
        }
    }

    fn fetch(&mut self) {
        let request = self
            .bucket
            .client()
            .list_objects_v2()
            .bucket(self.bucket.name())
            .set_request_payer(self.bucket.request_payer())
            // Control characters cannot stand in the XML of the answer otherwise.
            .encoding_type(EncodingType::Url)
            .prefix(format!(
                "{}{}",
                self.bucket.root(),
                whole_text(&self.range.prefix)
            ));
        let request = match (&self.next, &self.range.start_after) {
            (Next::Token(token), _) => request.continuation_token(token),
            // S3 orders by its own keys: the exact limit is drawn below.
            (_, Some(after)) if !after.contains('%') => {
                request.start_after(format!("{}{after}", self.bucket.root()))
            }
            _ => request,
        };
        let place = match self.range.prefix.as_str() {
            "" => self.bucket.location(),
            prefix => prefix,
        };
        let asked = Asked {
            step: Step::List,
            key: place,
            action: "s3:ListBucket",
        };
        match self.bucket.wait(request.send()) {
            Ok(page) => {
                self.next = match page.next_continuation_token() {
                    Some(token) if page.is_truncated() == Some(true) => {
                        Next::Token(token.to_owned())
                    }
                    _ => Next::End,
                };
                self.take(&page);
            }
            Err(error) => {
                self.next = Next::End;
                let error = failure(asked, error).into_error();
                self.page.push_back(Err(error));
            }
        }
    }

    fn take(&mut self, page: &ListObjectsV2Output) {
        let mut entries = Vec::new();
        for object in page.contents() {
            let named = object.key().unwrap_or_default();
            let Some(raw) = url_decoded(named) else {
                entries.push(Err(StorageError::InvalidKey {
                    key: key::encode_bytes(named.as_bytes()),
                    problem: KeyProblem::Encoding,
                }));
                continue;
            };
            let size = object.size().and_then(|size| u64::try_from(size).ok());
            let size = size.unwrap_or(0);
            // Consoles make empty objects to show as folders.
            if raw.ends_with('/') && size == 0 {
                continue;
            }
            match self.bucket.key_of(&raw) {
                Some(key) if self.range.contains(&key) => entries.push(Ok(Entry { key, size })),
                Some(_) => {}
                None => entries.push(Err(StorageError::InvalidKey {
                    key: key::encode_bytes(raw.as_bytes()),
                    problem: KeyProblem::EmptyComponent,
                })),
            }
        }
        // Escapes order otherwise than what they stand for; that is for names that hardly occur.
        entries.sort_by(|a, b| place_of(a).cmp(place_of(b)));
        self.page.extend(entries);
    }
}

fn place_of(entry: &Result<Entry, StorageError>) -> &str {
    match entry {
        Ok(entry) => &entry.key,
        Err(error) => error.key(),
    }
}

impl Iterator for Pages {
    type Item = Result<Entry, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() && !matches!(self.next, Next::End) {
            self.fetch();
        }
        self.page.pop_front()
    }
}

/// The folders directly under `folder`, which is empty or ends in a slash.
pub(super) fn folders(bucket: &S3Bucket, folder: &str) -> Result<Vec<String>, StorageError> {
    let below = folder.strip_suffix('/').unwrap_or(folder);
    let prefix = match below {
        "" => bucket.root().to_owned(),
        below => format!("{}/", bucket.object_key(below)?),
    };
    let place = if below.is_empty() {
        bucket.location()
    } else {
        folder
    };
    let asked = Asked {
        step: Step::List,
        key: place,
        action: "s3:ListBucket",
    };
    let mut token = None;
    let mut names = Vec::new();
    loop {
        let request = bucket
            .client()
            .list_objects_v2()
            .bucket(bucket.name())
            .set_request_payer(bucket.request_payer())
            .encoding_type(EncodingType::Url)
            .delimiter("/")
            .prefix(&prefix)
            .set_continuation_token(token);
        let page = bucket
            .wait(request.send())
            .map_err(|error| failure(asked, error).into_error())?;
        for name in page.common_prefixes() {
            let raw = name.prefix().and_then(url_decoded).unwrap_or_default();
            let key = raw.strip_suffix('/').and_then(|raw| bucket.key_of(raw));
            names.extend(key.map(|key| format!("{key}/")));
        }
        token = page.next_continuation_token().map(str::to_owned);
        if token.is_none() || page.is_truncated() != Some(true) {
            names.sort_unstable();
            return Ok(names);
        }
    }
}

/// The text that S3's keys certainly begin with if ours begin with `prefix`, which may end within an
/// escape.
fn whole_text(prefix: &str) -> String {
    let before = prefix.split('%').next().unwrap_or_default();
    match key::decode_bytes(prefix).map(|bytes| String::from_utf8(bytes.into_owned())) {
        Some(Ok(text)) => text,
        _ => before.to_owned(),
    }
}

/// S3's URL encoding of a key, in which `+` is a space.
fn url_decoded(text: &str) -> Option<String> {
    let bytes = key::decode_bytes(text)?;
    // `%2B` is a plus sign, so pluses are turned before the escapes are.
    if text.contains('+') {
        let spaced = text.replace('+', " ");
        let bytes = key::decode_bytes(&spaced)?;
        return String::from_utf8(bytes.into_owned()).ok();
    }
    String::from_utf8(bytes.into_owned()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn url_encoded_keys() {
        let check = |text, expect: Option<&str>| assert_eq!(url_decoded(text).as_deref(), expect);
        check("a/b.json.gz", Some("a/b.json.gz"));
        check("a+b%2Bc%25", Some("a b+c%"));
        check("%C3%A9%0A", Some("é\n"));
        check("%4", None);
        check("%FF", None);
    }

    #[test]
    fn prefixes_within_an_escape() {
        let check = |prefix, expect| assert_eq!(whole_text(prefix), expect);
        check("AWSLogs/1", "AWSLogs/1");
        check("a%25b", "a%b");
        check("a%2", "a");
    }
}
