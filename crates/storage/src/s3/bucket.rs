//! A connection to a bucket.

use std::fmt;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use aws_config::{BehaviorVersion, Region};
use aws_sdk_s3::Client;
use aws_sdk_s3::config::retry::{RetryConfig, RetryPartition, TokenBucket};
use aws_sdk_s3::config::timeout::TimeoutConfig;
use aws_sdk_s3::config::{Credentials, RequestChecksumCalculation, StalledStreamProtectionConfig};
use aws_sdk_s3::types::RequestPayer;
use tokio::runtime::{Handle, Runtime};
use tokio::task::JoinHandle;

use super::address::S3Address;
use super::attempts::Attempts;
use crate::error::KeyProblem;
use crate::error::StorageError;
use crate::faults::{Faults, NoFaults, Step};
use crate::key;
use crate::store::INTERNAL_PREFIX;

/// How to reach a bucket. The default is what the AWS CLI does without options.
#[derive(Clone)]
pub struct S3Options {
    /// The profile of the AWS configuration files.
    pub profile: Option<String>,
    /// An access key id and its secret, instead of what the AWS CLI would find.
    pub credentials: Option<(String, String)>,
    /// The region, where the bucket's own should not be asked for.
    pub region: Option<String>,
    /// Another server than AWS's.
    pub endpoint_url: Option<String>,
    /// `https://host/bucket/key` rather than `https://bucket.host/key`.
    pub path_style: bool,
    /// The requester agrees to pay for requests and transfer.
    pub request_payer: bool,
    /// Encrypt what is written with this KMS key; without one, the bucket's default encryption holds.
    pub sse_kms_key_id: Option<String>,
    /// Give the bucket's owner full control of what is written.
    pub bucket_owner_full_control: bool,
    /// How often a request is tried before it counts as failed.
    pub attempts: u32,
    /// How long a connection may be silent.
    pub patience: Duration,
}

impl Default for S3Options {
    fn default() -> Self {
        Self {
            profile: None,
            credentials: None,
            region: None,
            endpoint_url: None,
            path_style: false,
            request_payer: false,
            sse_kms_key_id: None,
            bucket_owner_full_control: false,
            attempts: 6,
            patience: Duration::from_secs(20),
        }
    }
}

/// A bucket, or a prefix in it, that was connected to. Cheap to clone.
#[derive(Clone)]
pub struct S3Bucket {
    inner: Arc<Inner>,
}

struct Inner {
    /// There until the end.
    runtime: Option<Runtime>,
    handle: Handle,
    client: Client,
    address: S3Address,
    /// The address's prefix with a slash, or nothing.
    root: String,
    location: String,
    options: S3Options,
    faults: Box<dyn Faults>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        // The last to hold it may be a task of its own, which cannot wait for its end.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

impl fmt::Debug for S3Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("S3Bucket")
            .field(&self.inner.location)
            .finish()
    }
}

/// Threads that the runtime has: requests only wait there, the work is done by who asks.
const RUNTIME_THREADS: usize = 2;

impl S3Bucket {
    /// Connects. The bucket's own region is asked for where none is given.
    ///
    /// # Errors
    /// Where the runtime cannot be started. What S3 refuses is said by the first request for it.
    pub fn open(address: S3Address, options: S3Options) -> Result<Self, StorageError> {
        Self::open_with_faults(address, options, NoFaults)
    }

    /// [`S3Bucket::open`] with a hook before each request that changes something.
    ///
    /// # Errors
    /// Where the runtime cannot be started.
    pub fn open_with_faults(
        address: S3Address,
        options: S3Options,
        faults: impl Faults + 'static,
    ) -> Result<Self, StorageError> {
        let location = key::encode_bytes(address.to_string().as_bytes());
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .enable_all()
            .build()
            .map_err(|cause| StorageError::io(Step::Open, &location, cause))?;
        let handle = runtime.handle().clone();
        let client = handle.block_on(client(&address, &options));
        let root = match address.prefix() {
            "" => String::new(),
            prefix => format!("{prefix}/"),
        };
        Ok(Self {
            inner: Arc::new(Inner {
                runtime: Some(runtime),
                handle,
                client,
                address,
                root,
                location,
                options,
                faults: Box::new(faults),
            }),
        })
    }

    pub(super) fn client(&self) -> &Client {
        &self.inner.client
    }

    pub(super) fn options(&self) -> &S3Options {
        &self.inner.options
    }

    pub(super) fn name(&self) -> &str {
        self.inner.address.bucket()
    }

    pub(super) fn address(&self) -> &S3Address {
        &self.inner.address
    }

    /// What S3's keys begin with: nothing, or text that ends in a slash.
    pub(super) fn root(&self) -> &str {
        &self.inner.root
    }

    pub(super) fn location(&self) -> &str {
        &self.inner.location
    }

    pub(super) fn request_payer(&self) -> Option<RequestPayer> {
        self.inner
            .options
            .request_payer
            .then_some(RequestPayer::Requester)
    }

    /// Waits for a request.
    pub(super) fn wait<F: Future>(&self, request: F) -> F::Output {
        self.inner.handle.block_on(request)
    }

    /// Starts work beside the caller's.
    pub(super) fn spawn<F>(&self, work: F) -> JoinHandle<F::Output>
    where
        F: Future + Send + 'static,
        F::Output: Send + 'static,
    {
        self.inner.handle.spawn(work)
    }

    /// The hook before a request that changes something.
    pub(super) fn before(&self, step: Step, key: &str) -> Result<(), StorageError> {
        self.inner
            .faults
            .before(step, key)
            .map_err(|cause| StorageError::io(step, key, cause))
    }

    /// S3's own key for one of ours.
    pub(super) fn object_key(&self, key: &str) -> Result<String, StorageError> {
        key::components(key)?;
        let bytes = key::decode_bytes(key).unwrap_or_default();
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(format!("{}{text}", self.root())),
            // S3's keys are UTF-8.
            Err(_) => Err(StorageError::InvalidKey {
                key: key.to_owned(),
                problem: KeyProblem::Encoding,
            }),
        }
    }

    /// [`S3Bucket::object_key`] for what a store writes and reads: not the names that it keeps for itself.
    pub(super) fn stored_key(&self, key: &str) -> Result<String, StorageError> {
        let object = self.object_key(key)?;
        if key.split('/').any(|name| name.starts_with(INTERNAL_PREFIX)) {
            return Err(StorageError::InvalidKey {
                key: key.to_owned(),
                problem: KeyProblem::Reserved,
            });
        }
        Ok(object)
    }

    /// Our key for one of S3's.
    ///
    /// # Errors
    /// Where it is not one below the root, such as `a//b`.
    pub(super) fn key_of(&self, object: &str) -> Result<String, StorageError> {
        let below = object.strip_prefix(self.root()).unwrap_or_default();
        let key = key::encode_bytes(below.as_bytes());
        key::components(&key).map(|_| key)
    }
}

async fn client(address: &S3Address, options: &S3Options) -> Client {
    let mut loader = aws_config::defaults(BehaviorVersion::latest());
    if let Some(profile) = &options.profile {
        loader = loader.profile_name(profile);
    }
    if let Some((id, secret)) = &options.credentials {
        let given = Credentials::new(id, secret, None, None, "given");
        loader = loader.credentials_provider(given);
    }
    if let Some(region) = &options.region {
        loader = loader.region(Region::new(region.clone()));
    }
    if let Some(url) = &options.endpoint_url {
        loader = loader.endpoint_url(url);
    }
    let shared = loader.load().await;
    // By default all clients of a process share 500 tokens, of which a retry takes 5 to 14, and when they are
    // spent nothing is tried again: a storm of throttling would turn log files into rejects. What bounds
    // ours is how often each request is tried, with growing pauses, and how many are under way at once.
    let retries = RetryPartition::custom("retrial")
        .token_bucket(TokenBucket::unlimited())
        .build();
    let stalls = StalledStreamProtectionConfig::enabled()
        .grace_period(options.patience)
        .build();
    let mut config = aws_sdk_s3::config::Builder::from(&shared)
        .force_path_style(options.path_style)
        .retry_config(RetryConfig::standard().with_max_attempts(options.attempts))
        .retry_partition(retries)
        .interceptor(Attempts::default())
        .timeout_config(
            TimeoutConfig::builder()
                .connect_timeout(options.patience.min(Duration::from_secs(5)))
                .read_timeout(options.patience)
                .build(),
        )
        .stalled_stream_protection(stalls)
        .request_checksum_calculation(RequestChecksumCalculation::WhenRequired);
    if shared.region().is_none() {
        // What S3 answers from when nobody says where a bucket is.
        config = config.region(Region::new("us-east-1"));
    }
    let client = Client::from_conf(config.clone().build());
    if options.region.is_some() || options.endpoint_url.is_some() || shared.endpoint_url().is_some()
    {
        return client;
    }
    match region_of(&client, address.bucket()).await {
        Some(region) => Client::from_conf(config.region(Region::new(region)).build()),
        None => client,
    }
}

/// The bucket's region, which S3 says even where it refuses the request.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/API/API_HeadBucket.html>.
async fn region_of(client: &Client, bucket: &str) -> Option<String> {
    match client.head_bucket().bucket(bucket).send().await {
        Ok(answer) => answer.bucket_region().map(str::to_owned),
        Err(error) => error
            .raw_response()?
            .headers()
            .get("x-amz-bucket-region")
            .map(str::to_owned),
    }
}

/// An error of our own making about a key.
pub(super) fn failed(step: Step, key: &str, kind: io::ErrorKind, text: &str) -> StorageError {
    StorageError::io(step, key, io::Error::new(kind, text.to_owned()))
}
