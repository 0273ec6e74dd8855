//! `retrial findings`: what a person should act on, out of the tables of an output.

mod csv;
mod fail_on;
mod json;
mod markdown;
mod sarif;
mod text;

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::{env, fs, thread};

use clap::{Args, ValueEnum};
use retrial_cloudtrail::Timestamp;
use retrial_iam::{Catalogue, LintRule, Linter, Snapshot, SnapshotFile, lint_snapshot_file};
use retrial_pipeline::{Derive, DeriveOptions, Derived, FindingOptions, PipelineError};
use retrial_replay::{DeadStatement, Exclusions, Mapping, Replayer};

use crate::Exit;
use crate::args::{SnapshotArgs, moment};
use crate::derive::DeriveArgs;
use crate::error::ProgramError;
use crate::input;
use crate::location::{self, Location, S3Args};
use crate::printer::Printer;
use crate::signals;
use fail_on::Threshold;
pub(crate) use markdown::escaped;

const MICROS_PER_DAY: i64 = 86_400_000_000;

/// What findings go by.
#[derive(Debug, Args)]
pub(crate) struct FindingArgs {
    /// When the snapshot was taken, where it does not say so itself
    ///
    /// Without it no difference can be laid to a recorded write, or to a fault of this program: all
    /// are `unexplained`.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) snapshot_time: Option<Timestamp>,

    /// The key of the tag that names the owner of a user or role; may be repeated, the first that is
    /// there counts
    #[arg(long = "owner-tag", value_name = "KEY", default_value = "owner")]
    pub(crate) owner_tags: Vec<String>,

    /// Do not show what the entries of this file are about; what they hide is counted
    ///
    /// A TOML file of `[[exclude]]` entries with a `reason`, an `owner`, perhaps a day on which it
    /// `expires`, and what they are about: `kind`, `id`, `principal`, `policy`, `sid`, `action`,
    /// `resource`, `account`, `tag`; `*` stands for any text. What has expired is shown again.
    #[arg(long, value_name = "FILE")]
    pub(crate) exclude: Option<PathBuf>,
}

impl FindingArgs {
    /// The options, for a snapshot that has these dead statements.
    pub(crate) fn options(
        &self,
        snapshot: &Snapshot,
        dead_statements: Vec<DeadStatement>,
    ) -> Result<FindingOptions, ProgramError> {
        Ok(FindingOptions {
            snapshot_time: self
                .snapshot_time
                .or_else(|| snapshot.taken_at().and_then(|text| moment(text).ok()))
                .map(Timestamp::micros),
            owner_tags: self.owner_tags.clone(),
            dead_statements,
            exclusions: Arc::new(exclusions(self.exclude.as_deref())?),
        })
    }
}

#[derive(Debug, Args)]
pub(crate) struct FindingsArgs {
    /// The output of `retrial analyze`, whose tables are read: a folder, or `s3://bucket/prefix`
    #[arg(long, value_name = "FOLDER", value_parser = location::parser())]
    pub(crate) out: Location,

    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,

    /// Exit with 1 if there is a finding of this kind, at least this severe; may be repeated
    ///
    /// `would-be-denied`, `privilege-escalation:high`, `any:medium`. Of calls that would be denied only
    /// those count that a recorded change explains; `would-be-denied/any` counts the others too.
    #[arg(long, value_name = "KIND[:SEVERITY]")]
    pub(crate) fail_on: Vec<Threshold>,

    /// How many findings the text lists; 0 lists all
    #[arg(long, value_name = "N", default_value_t = 10)]
    pub(crate) limit: usize,

    /// How many threads to use; the answer is the same whatever their number [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,

    /// How the findings are printed on standard output
    #[arg(long, value_enum, default_value_t = FindingFormat::Text)]
    pub(crate) format: FindingFormat,

    #[command(flatten)]
    pub(crate) derive: DeriveArgs,

    #[command(flatten)]
    pub(crate) s3: S3Args,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FindingFormat {
    /// For people: what matters most, and how much more there is
    Text,
    /// One JSON object
    Json,
    /// One line per finding, for spreadsheets
    Csv,
    /// For a page of a wiki or a merge request
    Markdown,
    /// SARIF 2.1.0: the first 5,000, which is what GitHub shows
    Sarif,
}

/// What a report is about, beside its findings.
pub(crate) struct Subject<'a> {
    pub(crate) snapshot: &'a Snapshot,
    /// The snapshot as it was given.
    pub(crate) iam: &'a Path,
    /// The day that counts as today.
    pub(crate) as_of: String,
    pub(crate) snapshot_time: Option<i64>,
    pub(crate) min_window: u64,
    pub(crate) limit: usize,
}

pub(crate) fn run(args: &FindingsArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(false);
    let iam = &args.snapshot.iam;
    let (loaded, beside) = beside(threads(args), Some(iam), || input::snapshot(iam, &printer))?;
    let snapshot = &loaded.snapshot;
    let findings = &args.derive.findings;
    let options = args
        .derive
        .options(findings.options(snapshot, beside.dead_statements)?);
    let snapshot_time = options.findings.snapshot_time;
    let derived = derived(args, (snapshot, &beside.mapping), options)?;
    let Some(as_of) = derived.as_of else {
        return Err(ProgramError::NoCalls {
            path: args.out.to_string(),
        });
    };
    let report = derived.findings;
    let subject = Subject {
        snapshot,
        iam: &args.snapshot.iam,
        as_of,
        snapshot_time,
        min_window: args.derive.min_window,
        limit: args.limit,
    };
    let text = match args.format {
        FindingFormat::Text => text::page(&report, &subject),
        FindingFormat::Json => format!("{}\n", json::object(&report, &subject)),
        FindingFormat::Csv => csv::lines(&report),
        FindingFormat::Markdown => markdown::page(&report, &subject),
        FindingFormat::Sarif => format!("{:#}\n", sarif::log(&report, &subject)),
    };
    printer.data(&text)?;
    let passed = args.fail_on.iter().any(|threshold| {
        report
            .shown()
            .any(|finding| threshold.is_passed_by(finding))
    });
    Ok(match (loaded.whole, passed) {
        (false, _) => Exit::Incomplete,
        (true, true) => Exit::Threshold,
        (true, false) => Exit::Done,
    })
}

/// Derives the tables of the output anew.
fn derived(
    args: &FindingsArgs,
    (snapshot, mapping): (&Snapshot, &Mapping),
    options: DeriveOptions,
) -> Result<Derived, ProgramError> {
    let path = || args.out.to_string();
    let output = args.out.output(&args.s3)?;
    let assumptions = args.snapshot.assumptions();
    let stop = signals::stop_flag().map_err(ProgramError::Signals)?;
    let asked = Derive {
        replayer: Replayer::new(Catalogue::bundled(), mapping, snapshot, assumptions),
        mapping_version: mapping.version(),
        options,
        threads: threads(args),
        scratch: &env::temp_dir(),
        stop: Some(&stop),
    };
    retrial_pipeline::derive(&asked, output.store.as_ref()).map_err(|cause| match cause {
        PipelineError::Stopped => ProgramError::Stopped { path: path() },
        cause => ProgramError::Pipeline {
            path: path(),
            cause,
        },
    })
}

fn threads(args: &FindingsArgs) -> usize {
    args.threads.map_or_else(
        || thread::available_parallelism().map_or(1, |cores| cores.get()),
        |threads| threads.get(),
    )
}

fn exclusions(path: Option<&Path>) -> Result<Exclusions, ProgramError> {
    let Some(path) = path else {
        return Ok(Exclusions::default());
    };
    let name = || path.display().to_string();
    let text = fs::read_to_string(path).map_err(|cause| ProgramError::ExclusionsUnreadable {
        path: name(),
        cause,
    })?;
    Exclusions::read(&text).map_err(|cause| ProgramError::Exclusions {
        path: name(),
        cause,
    })
}

/// What is made beside a snapshot.
pub(crate) struct Beside {
    pub(crate) mapping: Mapping,
    /// None where no findings are asked for.
    pub(crate) dead_statements: Vec<DeadStatement>,
}

/// Loads the mapping while a snapshot is read and, where findings are asked for of `iam`, its dead statements are
/// looked for; what is wrong with the snapshot is said first.
pub(crate) fn beside<S>(
    threads: usize,
    iam: Option<&Path>,
    read: impl FnOnce() -> Result<S, ProgramError>,
) -> Result<(S, Beside), ProgramError> {
    let load = || Mapping::bundled(Catalogue::bundled());
    let look = || iam.map_or(Ok(Vec::new()), dead_statements);
    // Of a small snapshot the mapping takes longest, of a large one the other two: the system shares them out.
    let (read, mapping, dead_statements) = match threads {
        0 | 1 => (read(), load(), look()),
        _ => thread::scope(|scope| {
            let (loading, looking) = (scope.spawn(load), scope.spawn(look));
            let read = read();
            let mapping = loading.join().unwrap_or_else(|panic| resume_unwind(panic));
            let found = looking.join().unwrap_or_else(|panic| resume_unwind(panic));
            (read, mapping, found)
        }),
    };
    // All that wildcards stand for is asked for once findings are derived.
    if iam.is_some() && threads > 1 {
        thread::spawn(|| Catalogue::bundled().decode_all());
    }
    let read = read?;
    let beside = Beside {
        mapping: mapping?,
        dead_statements: dead_statements?,
    };
    Ok((read, beside))
}

/// The statements of a snapshot that can apply to no request.
fn dead_statements(path: &Path) -> Result<Vec<DeadStatement>, ProgramError> {
    let files = input::snapshot_files(path).map_err(|cause| ProgramError::SnapshotUnreadable {
        path: path.display().to_string(),
        cause,
    })?;
    let linter = Linter::new(Catalogue::bundled(), Default::default());
    let mut dead = Vec::new();
    for (key, bytes) in &files {
        let file = SnapshotFile { path: key, bytes };
        for document in lint_snapshot_file(&file, &linter) {
            let found = document.findings.into_iter();
            for finding in found.filter(|finding| finding.rule == LintRule::DeadStatement) {
                dead.push(DeadStatement {
                    policy: document.id.clone(),
                    place: format!("{key}:{}:{}", finding.line, finding.column),
                    message: finding.message,
                });
            }
        }
    }
    dead.sort();
    Ok(dead)
}

/// The day of a moment.
pub(crate) fn day(micros: i64) -> String {
    let mut text = Timestamp::from_micros(micros).to_iso();
    text.truncate(10);
    text
}
