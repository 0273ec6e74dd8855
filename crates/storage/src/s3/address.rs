//! `s3://bucket/prefix`.

use std::fmt;
use std::str::FromStr;

/// A bucket, or a prefix in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct S3Address {
    bucket: String,
    prefix: String,
}

/// Why a text is not the address of a bucket.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// It does not begin with `s3://`.
    #[error("it does not begin with `s3://`")]
    Scheme,
    /// What stands between `s3://` and the next `/` cannot be a bucket's name.
    #[error("`{bucket}` cannot be a bucket's name")]
    Bucket {
        /// That text.
        bucket: String,
    },
}

impl S3Address {
    /// Whether a text means a bucket rather than a folder.
    pub fn is_meant_by(text: &str) -> bool {
        text.get(..5)
            .is_some_and(|scheme| scheme.eq_ignore_ascii_case("s3://"))
    }

    /// The bucket's name.
    pub fn bucket(&self) -> &str {
        &self.bucket
    }

    /// What all keys begin with, as it was given, without a slash at its end.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// What lies below it under a key.
    #[must_use]
    pub fn join(&self, key: &str) -> Self {
        let slash = if self.prefix.is_empty() { "" } else { "/" };
        Self {
            bucket: self.bucket.clone(),
            prefix: format!("{}{slash}{}", self.prefix, key.trim_matches('/')),
        }
    }
}

impl FromStr for S3Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Self, AddressError> {
        if !Self::is_meant_by(text) {
            return Err(AddressError::Scheme);
        }
        let rest = text.get(5..).unwrap_or_default();
        let (bucket, prefix) = rest.split_once('/').unwrap_or((rest, ""));
        if !is_bucket_name(bucket) {
            return Err(AddressError::Bucket {
                bucket: bucket.to_owned(),
            });
        }
        Ok(Self {
            bucket: bucket.to_owned(),
            prefix: prefix.trim_end_matches('/').to_owned(),
        })
    }
}

/// Wider than the rules for new buckets, which old ones and other servers' need not follow.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/bucketnamingrules.html>.
fn is_bucket_name(text: &str) -> bool {
    (3..=255).contains(&text.len())
        && text
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-_".contains(&byte))
}

impl fmt::Display for S3Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "s3://{}", self.bucket)?;
        if !self.prefix.is_empty() {
            write!(f, "/{}", self.prefix)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses() {
        let check = |text: &str, expect: Result<(&str, &str), AddressError>| {
            let parsed = text.parse::<S3Address>();
            let parts = parsed
                .as_ref()
                .map(|address| (address.bucket(), address.prefix()));
            assert_eq!(parts, expect.as_ref().map(|parts| *parts), "{text}");
        };
        check("s3://logs", Ok(("logs", "")));
        check("S3://logs/", Ok(("logs", "")));
        check("s3://logs/a/b/", Ok(("logs", "a/b")));
        check("/logs", Err(AddressError::Scheme));
        for bucket in ["", "a", "a b", "ü-logs"] {
            check(
                &format!("s3://{bucket}/x"),
                Err(AddressError::Bucket {
                    bucket: bucket.to_owned(),
                }),
            );
        }
    }
}
