//! Why the program could not run.

use std::io;

use retrial_iam::{OverlayError, SnapshotError};
use retrial_pipeline::{PipelineError, ShardProblem};
use retrial_replay::{ExclusionError, MappingError};
use retrial_storage::StorageError;

/// Why the program could not run.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProgramError {
    #[error("cannot read the snapshot `{path}`: {cause}")]
    SnapshotUnreadable { path: String, cause: io::Error },
    #[error("cannot use the snapshot `{path}`: {cause}")]
    Snapshot { path: String, cause: SnapshotError },
    #[error("cannot read the change `{path}`: {cause}")]
    ChangeUnreadable { path: String, cause: io::Error },
    #[error("cannot use the change `{path}`: {cause}")]
    Change {
        path: String,
        cause: Box<OverlayError>,
    },
    #[error("the mapping that is built in is defective: {0}")]
    Mapping(#[from] MappingError),
    #[error("cannot read the source `{path}`: {cause}")]
    Source { path: String, cause: StorageError },
    #[error("`{path}` holds no log files")]
    NoLogFiles { path: String },
    #[error("cannot write the output `{path}`: {cause}")]
    Output { path: String, cause: StorageError },
    #[error("the output `{path}` is not empty")]
    OutputNotEmpty { path: String },
    #[error("cannot read the list of files `{path}`: {cause}")]
    FilesFrom { path: String, cause: io::Error },
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
    #[error("stopped before the end: `{path}` holds what was committed")]
    Stopped { path: String },
    #[error("all shards are merged, but `{path}` cannot be removed: {cause}")]
    ShardsLeft { path: String, cause: io::Error },
    #[error("cannot bring the output `{path}` up to date: {cause}")]
    Pipeline { path: String, cause: PipelineError },
    #[error("cannot prune the output `{path}`: {cause}")]
    Prune { path: String, cause: PipelineError },
    #[error("cannot merge files of the output `{path}`: {cause}")]
    Compact { path: String, cause: PipelineError },
    #[error("`{path}` is no output of `retrial analyze`")]
    NotAnOutput { path: String },
    #[error("cannot read the output `{path}`: {cause}")]
    OutputUnreadable { path: String, cause: PipelineError },
    #[error("the output `{path}` has no calls")]
    NoCalls { path: String },
    #[error("cannot read the exclusions `{path}`: {cause}")]
    ExclusionsUnreadable { path: String, cause: io::Error },
    #[error("cannot use the exclusions `{path}`: {cause}")]
    Exclusions { path: String, cause: ExclusionError },
    #[error("cannot read `{path}`: {cause}")]
    Event { path: String, cause: StorageError },
    #[error("cannot read `{path}`: {cause}")]
    EventFile { path: String, cause: StorageError },
    #[error("`{path}` holds no CloudTrail record that can be read")]
    NoRecord { path: String },
    #[error("no record with the event id `{event_id}` in `{path}`")]
    NoSuchEvent { event_id: String, path: String },
    #[error("no event `{event}` is mapped")]
    UnmappedEvent { event: String },
    #[error("cannot read the cases `{path}`: {cause}")]
    Cases { path: String, cause: io::Error },
    #[error("the snapshot `{path}` has no principal `{arn}`")]
    NoSuchPrincipal { arn: String, path: String },
    #[error("an edit keeps the conditions of its statements: there are none to find")]
    ConditionsInEdits,
    #[error("the folder `{path}` is not empty")]
    FolderNotEmpty { path: String },
    #[error("cannot write to the folder `{path}`: {cause}")]
    Folder { path: String, cause: io::Error },
    #[error("stopped before the end: nothing was written")]
    Interrupted,
    #[error("cannot write to standard output: {0}")]
    Stdout(#[from] io::Error),
}

impl ProgramError {
    /// Why `retrial compact` could not go on.
    pub(crate) fn compact(path: &str, cause: PipelineError) -> Self {
        let path = path.to_owned();
        match cause {
            PipelineError::Stopped => Self::Stopped { path },
            cause => Self::Compact { path, cause },
        }
    }

    /// What to do about it.
    pub(crate) fn hint(&self) -> Option<&'static str> {
        match self {
            Self::SnapshotUnreadable { .. } => Some(
                "make one with `aws iam get-account-authorization-details > iam.json` and pass `--iam iam.json`",
            ),
            Self::Change { .. } => Some(
                "a change holds only what changes, in the form of the snapshot's files: see `retrial what-if --help`",
            ),
            Self::NoLogFiles { .. } => Some("log files end in .json.gz or .json"),
            Self::OutputNotEmpty { .. } => Some(
                "name a folder that is empty, does not exist yet, or was written by `retrial analyze`",
            ),
            Self::FolderNotEmpty { .. } => {
                Some("name a folder that is empty or does not exist yet")
            }
            Self::ConditionsInEdits => Some("leave out `--mine-conditions` or `--mode edit`"),
            Self::Stopped { .. } => Some("the same command goes on from there"),
            Self::NoCalls { .. } => Some("name the day that counts as today with `--as-of`"),
            Self::NotAnOutput { .. } => Some("name what `--out` of `retrial analyze` was"),
            Self::Pipeline { cause, .. }
            | Self::Prune { cause, .. }
            | Self::Compact { cause, .. } => pipeline_hint(cause),
            Self::Event { .. } => Some("to look for an event id in log files, add `--in FOLDER`"),
            Self::EventFile { .. } => {
                Some("an event's name needs no file: `sagemaker:CreateModel`")
            }
            Self::UnmappedEvent { .. } => Some(
                "give the event's name as CloudTrail writes it, alone or as `sagemaker:CreateModel`, or a file with the record",
            ),
            Self::NoSuchPrincipal { .. } => Some(
                "give the ARN of a user, a role (with its path), a root user or a role's session",
            ),
            _ => None,
        }
    }
}

fn shards_hint(problem: &ShardProblem) -> Option<&'static str> {
    Some(match problem {
        ShardProblem::OutputThere { .. } => {
            "name another place, or bring it up to date by a run without `--shard`"
        }
        ShardProblem::Merging { .. } => {
            "give the command with `--merge-shards` once more, with as many"
        }
        ShardProblem::IsShard { .. } => "join all shards with `--merge-shards` first",
        ShardProblem::Missing { .. } | ShardProblem::Unfinished { .. } => {
            "run that shard, to its end, then merge again"
        }
        ShardProblem::OtherCount { .. } => {
            "give `--merge-shards` the number that the shards were made with, or remove the others"
        }
        ShardProblem::Different { .. } => {
            "give all shards and the merge the same; remove the shard's folder to work it anew"
        }
        ShardProblem::Changed { .. } => {
            "remove that shard's folder, run it again, then merge again"
        }
    })
}

fn pipeline_hint(cause: &PipelineError) -> Option<&'static str> {
    match cause {
        PipelineError::Fenced { .. } => Some("let one writer at a time work on an output"),
        PipelineError::OtherFilter { .. } => Some(
            "give the same `--account`, `--region`, `--principal` and `--service`, or name another folder",
        ),
        PipelineError::OtherFormat { .. } => Some("write to a new folder"),
        PipelineError::Shards(problem) => shards_hint(problem),
        PipelineError::Interrupted => Some("give the command of that run once more"),
        PipelineError::PruneAll { .. } => {
            Some("its last delivery day stays; to have nothing of it, delete it as a whole")
        }
        _ => None,
    }
}
