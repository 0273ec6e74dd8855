//! `retrial analyze --shard` and `--merge-shards`: one output, made by several machines.

use std::fs;
use std::io;
use std::num::NonZeroU32;

use clap::Args;
use retrial_pipeline::{
    Options, Report, Run, SHARDS_FOLDER, Shard, ShardProblem, analyze, merge_shards, shard_folder,
};
use retrial_storage::Store;

use crate::error::ProgramError;
use crate::location::{Location, S3Args};

#[derive(Debug, Args)]
#[command(next_help_heading = "Several machines")]
pub(crate) struct ShardArgs {
    /// Work one of N parts of the log files, the I-th from 0: for an array of jobs, such as AWS Batch's
    ///
    /// `--shard $AWS_BATCH_JOB_ARRAY_INDEX/8` in an array of 8. Every job has the same sources, snapshot,
    /// filter and `--out`, which is no output yet; a part holds the log files of some accounts. Each is
    /// written under `shards/` there, and none is an output before `--merge-shards` has joined all. A job
    /// that is tried again goes on from what it committed; one that was done before does nothing.
    #[arg(long, value_name = "I/N", conflicts_with_all = ["merge_shards", "replace", "recompute"])]
    pub(crate) shard: Option<Shard>,

    /// Join the N parts that `--shard` has made, the last step, into the output that one run would make
    ///
    /// Give it everything else as the parts were given it. Duplicates in several parts are left out, and
    /// calls decided anew whose session was issued in another part's log files: their log files are read
    /// again. In the end the parts are removed. An interrupted one goes on from what it committed.
    #[arg(long, value_name = "N", conflicts_with_all = ["replace", "recompute", "files_from"])]
    pub(crate) merge_shards: Option<NonZeroU32>,
}

/// Does what a run is asked for: all of it, a part, or the parts' merge.
///
/// # Errors
/// As [`analyze()`] and [`merge_shards()`].
pub(crate) fn work(
    run: &Run<'_>,
    (out, s3, args): (&Location, &S3Args, &ShardArgs),
    mut options: Options,
) -> Result<Report, ProgramError> {
    let failed = |cause| crate::analyze::output_error(&out.to_string(), cause);
    if let Some(count) = args.merge_shards {
        let shards = open_all(out, s3, count.get())?;
        let store = out.create(s3)?;
        let report = merge_shards(run, (store.as_ref(), &shards), options).map_err(failed)?;
        drop(shards);
        remove_folders(out).map_err(|cause| ProgramError::ShardsLeft {
            path: out.join(SHARDS_FOLDER).to_string(),
            cause,
        })?;
        return Ok(report);
    }
    let store = match args.shard {
        Some(shard) => {
            check_no_output(out, s3)?;
            out.join(&shard_folder(shard)).create(s3)?
        }
        None => out.create(s3)?,
    };
    options.plan.shard = args.shard;
    analyze(run, store.as_ref(), options).map_err(failed)
}

/// Shards begin an output: they know nothing of what another run has read.
fn check_no_output(out: &Location, s3: &S3Args) -> Result<(), ProgramError> {
    let location = out.to_string();
    let problem = match out.merging(s3)? {
        None => return Ok(()),
        Some(Some(count)) => ShardProblem::Merging { location, count },
        Some(None) => ShardProblem::OutputThere { location },
    };
    Err(crate::analyze::output_error(
        &out.to_string(),
        problem.into(),
    ))
}

/// The stores of all shards.
fn open_all(out: &Location, s3: &S3Args, count: u32) -> Result<Vec<Box<dyn Store>>, ProgramError> {
    let mut stores = Vec::new();
    // What was merged by a run that was killed then may be gone in part.
    let is_merged = matches!(out.merging(s3)?, Some(None));
    for index in 0..count {
        if is_merged {
            break;
        }
        let shard = Shard { index, count };
        let place = out.join(&shard_folder(shard));
        if matches!(&place, Location::Folder(path) if !path.is_dir()) {
            let problem = ShardProblem::Missing { shard };
            return Err(crate::analyze::output_error(
                &out.to_string(),
                problem.into(),
            ));
        }
        stores.push(place.create(s3)?);
    }
    Ok(stores)
}

/// A folder's shards leave their folders and locks behind; a bucket's leave nothing.
fn remove_folders(out: &Location) -> io::Result<()> {
    let Location::Folder(path) = out else {
        return Ok(());
    };
    match fs::remove_dir_all(path.join(SHARDS_FOLDER)) {
        Err(cause) if cause.kind() == io::ErrorKind::NotFound => Ok(()),
        removed => removed,
    }
}
