//! Folders and buckets behind one interface, in and out.
//!
//! Two traits to read first:
//!
//! * [`Source`] is where log files are: it lists them lazily in key order and opens one for
//!   reading. [`FolderSource`] is a folder or a single file, [`S3Source`] a bucket, a prefix in one or a
//!   single object.
//! * [`Store`] is where output goes: small objects by compare-and-swap ([`Store::put`]), large ones
//!   streamed ([`Store::begin`]) and visible only once complete. [`FolderStore`] is a folder, [`S3Store`] a
//!   bucket or a prefix in one.
//!
//! Both speak in *keys*: `/`-separated, relative to the root, printable, unique ([`key`] says how a
//! file name becomes one). Errors ([`StorageError`]) name the key and the [`Step`] that failed.
//!
//! The interface is blocking, on purpose: what calls it is CPU work on plain threads. A store that
//! needs an async runtime (S3) keeps that runtime behind this same interface.
//!
//! ```
//! use retrial_storage::{Condition, FolderStore, Store};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! # let folder = tempfile::tempdir()?;
//! let store = FolderStore::create(folder.path())?;
//! let first = store.put("_retrial/checkpoint", b"1", Condition::IfAbsent)?;
//! store.put("_retrial/checkpoint", b"2", Condition::IfMatch(first.clone()))?;
//! // Another writer that still believes in the first version is fenced off.
//! let late = store.put("_retrial/checkpoint", b"3", Condition::IfMatch(first));
//! assert!(late.is_err_and(|error| error.is_conflict()));
//! # Ok(())
//! # }
//! ```
//!
//! What a log file or an object means is none of this crate's business: it knows no CloudTrail, no
//! Parquet and no manifest.
#![cfg_attr(
    test,
    allow(
        clippy::unwrap_used,
        clippy::expect_used,
        clippy::panic,
        clippy::indexing_slicing,
        clippy::string_slice,
        reason = "tests may fail loudly"
    )
)]

pub mod key;

mod at_once;
mod error;
mod faults;
mod folder;
mod s3;
mod source;
mod store;

pub use at_once::complete_all;
pub use error::{KeyProblem, StorageError};
pub use faults::{Faults, NoFaults, Step};
pub use folder::{FolderSource, FolderStore};
pub use s3::{AddressError, S3Address, S3Bucket, S3Options, S3Source, S3Store};
pub use source::{Child, Children, Entry, Listing, Range, Source};
pub use store::{Condition, INTERNAL_PREFIX, Object, Store, TEMPORARY_PREFIX, Upload, Version};
