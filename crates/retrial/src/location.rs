//! Where log files are read from and output is written to: a folder or a bucket.

use std::ffi::OsString;
use std::fmt;
use std::num::NonZeroU32;
use std::path::PathBuf;
use std::time::Duration;

use clap::Args;
use clap::builder::{OsStringValueParser, TypedValueParser};
use retrial_pipeline::Manifest;
use retrial_storage::{
    AddressError, FolderSource, FolderStore, S3Address, S3Bucket, S3Options, S3Source, S3Store,
    Source, StorageError, Store, Version,
};

use crate::error::ProgramError;

/// A folder (or a file), or a bucket (or a prefix in one).
#[derive(Debug, Clone)]
pub(crate) enum Location {
    Folder(PathBuf),
    Bucket(S3Address),
}

/// How a bucket is reached.
#[derive(Debug, Args)]
#[command(next_help_heading = "Buckets")]
pub(crate) struct S3Args {
    /// The profile of the AWS configuration to use
    ///
    /// Without it credentials are found as the AWS CLI finds them.
    #[arg(long, value_name = "NAME")]
    pub(crate) profile: Option<String>,

    /// Another server than AWS's
    #[arg(long, value_name = "URL")]
    pub(crate) endpoint_url: Option<String>,

    /// Name buckets in the path rather than in the host's name, as many other servers want it
    #[arg(long)]
    pub(crate) path_style: bool,

    /// Seconds that a connection may be silent before it is given up and made anew
    #[arg(long, value_name = "SECONDS", default_value = "20")]
    pub(crate) read_timeout: NonZeroU32,

    /// How often a request is tried before what it was for counts as unreadable
    #[arg(long, value_name = "N", default_value = "6")]
    pub(crate) max_attempts: NonZeroU32,

    /// Agree to pay for requests and transfer
    #[arg(long)]
    pub(crate) requester_pays: bool,

    /// Encrypt what is written with this KMS key [default: as the bucket is configured]
    #[arg(long, value_name = "KEY")]
    pub(crate) sse_kms_key_id: Option<String>,

    /// Give the bucket's owner full control of what is written
    #[arg(long)]
    pub(crate) bucket_owner_full_control: bool,
}

impl S3Args {
    fn options(&self) -> S3Options {
        S3Options {
            profile: self.profile.clone(),
            endpoint_url: self.endpoint_url.clone(),
            path_style: self.path_style,
            patience: Duration::from_secs(self.read_timeout.get().into()),
            attempts: self.max_attempts.get(),
            request_payer: self.requester_pays,
            sse_kms_key_id: self.sse_kms_key_id.clone(),
            bucket_owner_full_control: self.bucket_owner_full_control,
            ..S3Options::default()
        }
    }
}

impl fmt::Display for Location {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Folder(path) => path.display().fmt(f),
            Self::Bucket(address) => address.fmt(f),
        }
    }
}

/// Reads `s3://bucket/prefix`, or a path.
pub(crate) fn parser() -> impl TypedValueParser<Value = Location> {
    OsStringValueParser::new().try_map(|text: OsString| -> Result<Location, AddressError> {
        match text.to_str().filter(|text| S3Address::is_meant_by(text)) {
            Some(address) => Ok(Location::Bucket(address.parse()?)),
            None => Ok(Location::Folder(text.into())),
        }
    })
}

impl Location {
    /// Opens it to read log files from.
    pub(crate) fn source(&self, s3: &S3Args) -> Result<Box<dyn Source>, ProgramError> {
        let opened: Result<Box<dyn Source>, StorageError> = match self {
            Self::Folder(path) => {
                FolderSource::open(path).map(|source| -> Box<dyn Source> { Box::new(source) })
            }
            Self::Bucket(address) => S3Bucket::open(address.clone(), s3.options())
                .and_then(S3Source::new)
                .map(|source| -> Box<dyn Source> { Box::new(source) }),
        };
        opened.map_err(|cause| ProgramError::Source {
            path: self.to_string(),
            cause,
        })
    }

    /// Opens it to write output to; a folder is made where it is missing.
    pub(crate) fn create(&self, s3: &S3Args) -> Result<Box<dyn Store>, ProgramError> {
        let store = match self {
            Self::Folder(path) => {
                FolderStore::create(path).map(|store| -> Box<dyn Store> { Box::new(store) })
            }
            Self::Bucket(_) => self.open(s3),
        };
        store.map_err(|cause| ProgramError::Output {
            path: self.to_string(),
            cause,
        })
    }

    fn open(&self, s3: &S3Args) -> Result<Box<dyn Store>, StorageError> {
        Ok(match self {
            Self::Folder(path) => Box::new(FolderStore::open(path)?),
            Self::Bucket(address) => {
                Box::new(S3Store::new(S3Bucket::open(address.clone(), s3.options())?))
            }
        })
    }

    /// The output that is there; `None` where there is none.
    fn state(&self, s3: &S3Args) -> Result<Option<OpenOutput>, ProgramError> {
        if matches!(self, Self::Folder(path) if !path.is_dir()) {
            return Ok(None);
        }
        let unreadable = |cause| ProgramError::OutputUnreadable {
            path: self.to_string(),
            cause,
        };
        let store = self.open(s3).map_err(|cause| unreadable(cause.into()))?;
        let state = Manifest::read(store.as_ref()).map_err(unreadable)?;
        Ok(state.map(|state| OpenOutput { store, state }))
    }

    /// The output that must be there.
    pub(crate) fn output(&self, s3: &S3Args) -> Result<OpenOutput, ProgramError> {
        let output = self.state(s3)?;
        output.ok_or_else(|| ProgramError::NotAnOutput {
            path: self.to_string(),
        })
    }

    /// How many shards are being merged into the output that is there, if any; `None` where there is none.
    pub(crate) fn merging(&self, s3: &S3Args) -> Result<Option<Option<u32>>, ProgramError> {
        let output = self.state(s3)?;
        Ok(output.map(|output| output.state.0.header.merging))
    }

    /// A place below it.
    pub(crate) fn join(&self, key: &str) -> Self {
        match self {
            Self::Folder(path) => Self::Folder(path.join(key)),
            Self::Bucket(address) => Self::Bucket(address.join(key)),
        }
    }

    /// Whether there is an output.
    pub(crate) fn is_output(&self, s3: &S3Args) -> Result<bool, ProgramError> {
        Ok(self.state(s3)?.is_some())
    }
}

/// An output, as its manifest has it.
pub(crate) struct OpenOutput {
    pub(crate) store: Box<dyn Store>,
    pub(crate) state: (Manifest, Version),
}
