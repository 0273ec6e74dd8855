//! Listings, a page at a time.

use std::collections::VecDeque;

use aws_sdk_s3::operation::list_objects_v2::ListObjectsV2Output;
use aws_sdk_s3::operation::list_objects_v2::builders::ListObjectsV2FluentBuilder;
use aws_sdk_s3::types::EncodingType;

use super::bucket::S3Bucket;
use super::failure::{Asked, failure};
use crate::error::{KeyProblem, StorageError};
use crate::faults::Step;
use crate::key;
use crate::source::{Child, Entry, Range};

/// Where the next page begins.
enum Next {
    First,
    Token(String),
    End,
}

/// Asks for the page that `next` stands at, and moves it on.
fn page(
    bucket: &S3Bucket,
    (place, prefix): (&str, &str),
    next: &mut Next,
    more: impl FnOnce(ListObjectsV2FluentBuilder) -> ListObjectsV2FluentBuilder,
) -> Result<ListObjectsV2Output, StorageError> {
    let request = bucket
        .client()
        .list_objects_v2()
        .bucket(bucket.name())
        .set_request_payer(bucket.request_payer())
        // Control characters cannot stand in the XML of the answer otherwise.
        .encoding_type(EncodingType::Url)
        .prefix(prefix);
    let request = match next {
        Next::Token(token) => request.continuation_token(token.as_str()),
        _ => request,
    };
    let asked = Asked {
        step: Step::List,
        key: if place.is_empty() {
            bucket.location()
        } else {
            place
        },
        action: "s3:ListBucket",
    };
    let answer = bucket.wait(more(request).send());
    *next = Next::End;
    let page = answer.map_err(|error| failure(asked, error).into_error())?;
    if let (Some(true), Some(token)) = (page.is_truncated(), page.next_continuation_token()) {
        *next = Next::Token(token.to_owned());
    }
    Ok(page)
}

/// The objects of a page, with our keys.
fn entries<'p>(
    bucket: &'p S3Bucket,
    page: &'p ListObjectsV2Output,
) -> impl Iterator<Item = Result<Entry, StorageError>> + 'p {
    page.contents().iter().filter_map(|object| {
        let size = object.size().and_then(|size| u64::try_from(size).ok());
        let size = size.unwrap_or(0);
        let named = object.key().unwrap_or_default();
        let Some(raw) = url_decoded(named) else {
            return Some(Err(StorageError::InvalidKey {
                key: key::encode_bytes(named.as_bytes()),
                problem: KeyProblem::Encoding,
            }));
        };
        // Consoles make empty objects to show as folders.
        if raw.ends_with('/') && size == 0 {
            return None;
        }
        Some(bucket.key_of(&raw).map(|key| Entry { key, size }))
    })
}

/// The objects of a range, lazily.
pub(super) struct Pages {
    bucket: S3Bucket,
    range: Range,
    page: VecDeque<Result<Entry, StorageError>>,
    next: Next,
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
        let Self {
            bucket,
            range,
            next,
            ..
        } = self;
        let prefix = format!("{}{}", bucket.root(), whole_text(&range.prefix));
        // S3 orders by its own keys: with escapes the limit is drawn below alone.
        let after = range.start_after.as_ref().filter(|key| !key.contains('%'));
        let after = after.map(|key| format!("{}{key}", bucket.root()));
        let answer = page(bucket, (&range.prefix, &prefix), next, |request| {
            request.set_start_after(after)
        });
        match answer {
            Ok(page) => {
                let within = |entry: &Result<Entry, _>| match entry {
                    Ok(entry) => range.contains(&entry.key),
                    Err(_) => true,
                };
                let mut entries: Vec<_> = entries(bucket, &page).filter(within).collect();
                // Escapes order otherwise than what they stand for.
                entries.sort_by(|a, b| place_of(a).cmp(place_of(b)));
                self.page.extend(entries);
            }
            Err(error) => self.page.push_back(Err(error)),
        }
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

/// What stands directly in a folder, lazily: S3 stops at the next slash by itself.
pub(super) struct Level {
    bucket: S3Bucket,
    folder: String,
    prefix: String,
    page: VecDeque<Result<Child, StorageError>>,
    next: Next,
}

impl Level {
    /// The level of `folder`, which is empty or ends in a slash.
    pub(super) fn new(bucket: S3Bucket, folder: &str) -> Result<Self, StorageError> {
        let prefix = match folder.strip_suffix('/').unwrap_or(folder) {
            "" => bucket.root().to_owned(),
            below => format!("{}/", bucket.object_key(below)?),
        };
        Ok(Self {
            bucket,
            folder: folder.to_owned(),
            prefix,
            page: VecDeque::new(),
            next: Next::First,
        })
    }

    fn fetch(&mut self) {
        let Self {
            bucket,
            folder,
            prefix,
            next,
            ..
        } = self;
        let answer = page(bucket, (folder, prefix), next, |request| {
            request.delimiter("/")
        });
        let page = match answer {
            Ok(page) => page,
            Err(error) => return self.page.push_back(Err(error)),
        };
        let folders = page.common_prefixes().iter().map(|folder| {
            let raw = folder.prefix().and_then(url_decoded).unwrap_or_default();
            let key = bucket.key_of(raw.strip_suffix('/').unwrap_or(&raw));
            key.map(|key| Child::Folder(format!("{key}/")))
        });
        let files = entries(bucket, &page).map(|entry| entry.map(Child::File));
        let mut children: Vec<_> = folders.chain(files).collect();
        children.sort_by(|a, b| name_of(a).cmp(name_of(b)));
        self.page.extend(children);
    }
}

fn name_of(child: &Result<Child, StorageError>) -> &str {
    match child {
        Ok(Child::Folder(key)) => key,
        Ok(Child::File(entry)) => &entry.key,
        Err(error) => error.key(),
    }
}

impl Iterator for Level {
    type Item = Result<Child, StorageError>;

    fn next(&mut self) -> Option<Self::Item> {
        while self.page.is_empty() && !matches!(self.next, Next::End) {
            self.fetch();
        }
        self.page.pop_front()
    }
}

/// The folders directly under `folder`, which is empty or ends in a slash.
pub(super) fn folders(bucket: &S3Bucket, folder: &str) -> Result<Vec<String>, StorageError> {
    let mut names = Vec::new();
    for child in Level::new(bucket.clone(), folder)? {
        match child {
            Ok(Child::Folder(key)) => names.push(key),
            Ok(Child::File(_)) => {}
            // A name that is no key is said where it is listed.
            Err(StorageError::InvalidKey { .. }) => {}
            Err(error) => return Err(error),
        }
    }
    names.sort_unstable();
    Ok(names)
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
