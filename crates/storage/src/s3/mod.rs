//! Buckets: S3, and servers that speak its language.
//!
//! [`S3Bucket::open`] connects to a bucket (or a prefix in it); [`S3Source`] reads log files from it and
//! [`S3Store`] writes output to it, both behind the blocking traits that a folder has too. The async
//! runtime of the AWS SDK stays inside: calls come from plain threads and wait.
//!
//! * Credentials, profile and region are found as the AWS CLI finds them; where the bucket is in another
//!   region than the configured one, its own is used.
//! * Throttling, resets, stalls and truncated bodies are tried again, with growing pauses; a download that
//!   broke goes on where it broke, and only if the object is still the same (`If-Match`).
//! * A refusal names the object and the IAM action that it takes.
//! * Writes are whole or not at all, as S3 has them: an object appears when its put or its multipart
//!   upload completes. Compare-and-swap is S3's conditional write
//!   (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/conditional-writes.html>).

mod address;
mod ahead;
mod attempts;
mod bucket;
mod failure;
mod listing;
mod read;
mod source;
mod store;
mod upload;

pub use address::{AddressError, S3Address};
pub use bucket::{S3Bucket, S3Options};
pub use source::S3Source;
pub use store::S3Store;
