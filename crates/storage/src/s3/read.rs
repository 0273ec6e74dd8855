//! Reading objects: whole, in part, and streamed.

use std::io::{self, ErrorKind, Read};
use std::time::Duration;

use aws_sdk_s3::operation::get_object::GetObjectOutput;
use aws_sdk_s3::primitives::ByteStream;
use bytes::{Buf, Bytes};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tracing::debug;

use super::bucket::{S3Bucket, failed};
use super::failure::{Asked, Failure, failure};
use crate::error::StorageError;
use crate::faults::Step;

/// Pieces of a body that wait for their reader: with the SDK's pieces of some kilobytes, about a
/// megabyte an open object.
const PIECES_AHEAD: usize = 64;

/// The pause before a broken download goes on; it doubles with each failure in a row.
const FIRST_PAUSE: Duration = Duration::from_millis(200);

/// A stretch of an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stretch {
    Whole,
    /// From the first byte to the last, both included.
    Bytes(u64, u64),
    From(u64),
}

impl Stretch {
    fn header(self) -> Option<String> {
        match self {
            Self::Whole | Self::From(0) => None,
            Self::Bytes(first, last) => Some(format!("bytes={first}-{last}")),
            Self::From(first) => Some(format!("bytes={first}-")),
        }
    }
}

/// Asks for an object; with `version`, only if it is still that one.
pub(super) async fn get(
    bucket: &S3Bucket,
    asked: Asked<'_>,
    object: &str,
    (stretch, version): (Stretch, Option<String>),
) -> Result<GetObjectOutput, Failure> {
    bucket
        .client()
        .get_object()
        .bucket(bucket.name())
        .key(object)
        .set_range(stretch.header())
        .set_if_match(version)
        .set_request_payer(bucket.request_payer())
        .send()
        .await
        .map_err(|error| failure(asked, error))
}

/// An object's size; `None` where there is none.
pub(super) fn head(
    bucket: &S3Bucket,
    step: Step,
    (key, object): (&str, &str),
) -> Result<Option<u64>, StorageError> {
    let request = bucket
        .client()
        .head_object()
        .bucket(bucket.name())
        .key(object)
        .set_request_payer(bucket.request_payer());
    let asked = Asked {
        step,
        key,
        action: "s3:GetObject",
    };
    match bucket.wait(request.send()) {
        Ok(head) => Ok(head
            .content_length()
            .and_then(|size| u64::try_from(size).ok())),
        Err(error) => match failure(asked, error) {
            Failure::Answered(404, _) => Ok(None),
            other => Err(other.into_error()),
        },
    }
}

/// Reads a stretch of an object into memory, over broken connections too; `None` where there is none.
pub(super) async fn fetch(
    bucket: &S3Bucket,
    asked: Asked<'_>,
    object: &str,
    stretch: Stretch,
) -> Result<Option<(Bytes, Option<String>)>, StorageError> {
    let mut attempt = 0;
    loop {
        let answer = match get(bucket, asked, object, (stretch, None)).await {
            Ok(answer) => answer,
            Err(Failure::Answered(404, error)) if !is_missing_bucket(&error) => return Ok(None),
            // Nothing lies in the stretch.
            Err(Failure::Answered(416, _)) => return Ok(Some((Bytes::new(), None))),
            Err(other) => return Err(other.into_error()),
        };
        let version = answer.e_tag().map(str::to_owned);
        let length = answer.content_length().unwrap_or(-1);
        let body = answer.body.collect().await.map(|body| body.into_bytes());
        match body {
            Ok(bytes) if i64::try_from(bytes.len()) == Ok(length) || length < 0 => {
                return Ok(Some((bytes, version)));
            }
            _ => {}
        }
        attempt += 1;
        debug!(key = asked.key, attempt, "an answer broke off");
        if attempt >= bucket.options().attempts {
            return Err(broken(asked));
        }
        tokio::time::sleep(pause(attempt)).await;
    }
}

fn is_missing_bucket(error: &StorageError) -> bool {
    matches!(error, StorageError::Io { cause, .. } if cause.to_string().contains("bucket"))
}

fn broken(asked: Asked<'_>) -> StorageError {
    failed(
        asked.step,
        asked.key,
        ErrorKind::ConnectionAborted,
        "the connection broke again and again",
    )
}

fn pause(attempt: u32) -> Duration {
    /// 200 ms to 12.8 s.
    const MOST_DOUBLINGS: u32 = 6;
    FIRST_PAUSE * 2_u32.pow(attempt.min(MOST_DOUBLINGS + 1) - 1)
}

/// An object as it streams in, ahead of its reader.
#[derive(Debug)]
pub(super) struct Body {
    pieces: Receiver<Result<Bytes, StorageError>>,
    rest: Bytes,
    ended: bool,
}

impl Body {
    /// Asks for an object and begins to fetch it.
    pub(super) fn open(bucket: &S3Bucket, key: &str, object: String) -> Result<Self, StorageError> {
        bucket.wait(Self::fetch(bucket, key, object, None))
    }

    /// [`Body::open`]; of an object that is fetched ahead of its reader, with the size that there is
    /// memory for, and the permit that it holds until it is there.
    pub(super) async fn fetch(
        bucket: &S3Bucket,
        key: &str,
        object: String,
        ahead: Option<(u64, Option<OwnedSemaphorePermit>)>,
    ) -> Result<Self, StorageError> {
        let asked = Asked {
            step: Step::Open,
            key,
            action: "s3:GetObject",
        };
        let first = get(bucket, asked, &object, (Stretch::Whole, None))
            .await
            .map_err(Failure::into_error)?;
        let length = first
            .content_length()
            .and_then(|length| u64::try_from(length).ok());
        // What is larger than it was listed waits for its reader, and keeps no other from its turn.
        let fits = |size| length.is_some_and(|length| length <= size);
        let (room, permit) = match ahead {
            Some((size, permit)) if fits(size) => (Semaphore::MAX_PERMITS, permit),
            _ => (PIECES_AHEAD, None),
        };
        let (sender, pieces) = channel(room);
        let download = Download {
            bucket: bucket.clone(),
            key: key.to_owned(),
            object,
            version: first.e_tag().map(str::to_owned),
            length,
            at: 0,
        };
        drop(bucket.spawn(async move {
            download.run(first.body, sender).await;
            drop(permit);
        }));
        Ok(Self {
            pieces,
            rest: Bytes::new(),
            ended: false,
        })
    }
}

impl Read for Body {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.rest.is_empty() && !self.ended {
            match self.pieces.blocking_recv() {
                Some(Ok(piece)) => self.rest = piece,
                Some(Err(error)) => {
                    self.ended = true;
                    return Err(error.into());
                }
                None => self.ended = true,
            }
        }
        let length = buffer.len().min(self.rest.len());
        if let Some(room) = buffer.get_mut(..length) {
            self.rest.copy_to_slice(room);
        }
        Ok(length)
    }
}

/// An object being fetched.
struct Download {
    bucket: S3Bucket,
    key: String,
    object: String,
    version: Option<String>,
    length: Option<u64>,
    /// Bytes that were handed over.
    at: u64,
}

/// How a body ended.
enum Ended {
    Whole,
    Broken,
    /// Nobody reads any more.
    Unwanted,
}

impl Download {
    async fn run(mut self, body: ByteStream, sender: Sender<Result<Bytes, StorageError>>) {
        let mut body = Some(body);
        let mut failures = 0;
        loop {
            if let Some(body) = body.take() {
                let before = self.at;
                match self.hand_over(body, &sender).await {
                    Ended::Whole | Ended::Unwanted => return,
                    Ended::Broken if self.at > before => failures = 0,
                    Ended::Broken => {}
                }
            }
            failures += 1;
            debug!(
                key = self.key,
                at = self.at,
                failures,
                "a download broke off"
            );
            if failures >= self.bucket.options().attempts {
                let _ = sender.send(Err(broken(self.asked()))).await;
                return;
            }
            tokio::time::sleep(pause(failures)).await;
            let rest = (Stretch::From(self.at), self.version.clone());
            match get(&self.bucket, self.asked(), &self.object, rest).await {
                Ok(answer) => body = Some(answer.body),
                Err(Failure::Unanswered(_)) => {}
                Err(Failure::Answered(412, _)) => {
                    let changed = failed(
                        Step::Read,
                        &self.key,
                        ErrorKind::ConnectionAborted,
                        "the object was replaced while it was read",
                    );
                    let _ = sender.send(Err(changed)).await;
                    return;
                }
                Err(Failure::Answered(_, error)) => {
                    let _ = sender.send(Err(error)).await;
                    return;
                }
            }
        }
    }

    fn asked(&self) -> Asked<'_> {
        Asked {
            step: Step::Read,
            key: &self.key,
            action: "s3:GetObject",
        }
    }

    async fn hand_over(
        &mut self,
        mut body: ByteStream,
        sender: &Sender<Result<Bytes, StorageError>>,
    ) -> Ended {
        while let Some(piece) = body.next().await {
            let Ok(piece) = piece else {
                return Ended::Broken;
            };
            self.at += piece.len() as u64;
            if sender.send(Ok(piece)).await.is_err() {
                return Ended::Unwanted;
            }
        }
        match self.length {
            Some(length) if self.at < length => Ended::Broken,
            _ => Ended::Whole,
        }
    }
}
