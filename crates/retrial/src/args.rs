//! The command line: raw flags, and what each is for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use retrial_cloudtrail::Timestamp;

/// Tries every call in CloudTrail logs again under IAM policies as they stand today.
///
/// Exit status: 0 done; 1 a threshold that was asked for was passed; 2 could not run; 3 ran, but some
/// input was rejected or some policy of the snapshot could not be read.
#[derive(Debug, Parser)]
#[command(name = "retrial", version, max_term_width = 100)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Replay log files under a snapshot of policies and write Parquet
    ///
    /// Reads every log file under the sources, replays each call under the snapshot's policies, writes
    /// the tables `decisions`, `changes`, `coverage` and `rejects` as Parquet under the output folder,
    /// and prints a summary: the books (where every record went), the verdicts by service, firm
    /// differences first, and what would determine the undetermined.
    Analyze(AnalyzeArgs),
    /// Print one call: its requests, every statement that mattered, the decision and why
    Explain(ExplainArgs),
}

#[derive(Debug, Args)]
pub(crate) struct AnalyzeArgs {
    /// Folders or single files with CloudTrail logs (`.json.gz`, `.json`)
    ///
    /// A folder may have CloudTrail's own layout (`AWSLogs/…`), with or without an organization's id
    /// and a prefix, or be flat. Digest and insight files are set aside and counted, and so is whatever
    /// lies beside an `AWSLogs` folder.
    #[arg(required = true, value_name = "SOURCE")]
    pub(crate) sources: Vec<PathBuf>,

    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,

    /// The output folder; it must be empty or not exist yet
    #[arg(long, value_name = "FOLDER")]
    pub(crate) out: PathBuf,

    #[command(flatten)]
    pub(crate) filter: FilterArgs,

    /// How many threads to use; the output is the same whatever their number [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,

    /// How the summary is printed on standard output
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Print neither progress nor summary; errors still go to standard error
    ///
    /// With `--format json` the object is still printed: it is data.
    #[arg(long, short)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct SnapshotArgs {
    /// The snapshot of policies: a folder, or one file
    ///
    /// One file is the output of `aws iam get-account-authorization-details`. A folder holds such a
    /// file per account (`accounts/<account-id>/authorization-details.json`) and whatever else was
    /// collected.
    #[arg(long, value_name = "SNAPSHOT")]
    pub(crate) iam: PathBuf,

    /// Turn every allow that assumes anything into `undetermined`
    ///
    /// By default an allow stands when a limiting layer (an SCP, a session policy, …) was not
    /// collected, and names what it assumes.
    #[arg(long)]
    pub(crate) strict: bool,
}

#[derive(Debug, Args)]
pub(crate) struct FilterArgs {
    /// Only records of this account (`recipientAccountId`); may be repeated
    #[arg(long = "account", value_name = "ID")]
    pub(crate) accounts: Vec<String>,

    /// Only records of this region (`awsRegion`); may be repeated
    #[arg(long = "region", value_name = "REGION")]
    pub(crate) regions: Vec<String>,

    /// Only calls of this principal: an ARN, in which `*` stands for any text; may be repeated
    #[arg(long = "principal", value_name = "ARN")]
    pub(crate) principals: Vec<String>,

    /// Only calls to this service: `s3`, or `s3.amazonaws.com`; may be repeated
    #[arg(long = "service", value_name = "SERVICE")]
    pub(crate) services: Vec<String>,

    /// Only events from this moment on: `2026-11-02` or `2026-11-02T09:30:00Z`
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,

    /// Only events before this moment
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A file with the record, or, with `--in`, the record's `eventID`
    #[arg(value_name = "EVENT")]
    pub(crate) event: String,

    /// Look for the record with this `eventID` in these log files
    #[arg(long = "in", value_name = "SOURCE")]
    pub(crate) source: Option<PathBuf>,

    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,
}

/// How a summary is printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Format {
    /// For people
    Text,
    /// One JSON object
    Json,
}

/// A day, which begins at midnight UTC, or an instant.
fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| {
            "expected a date such as `2026-11-02` or an instant such as `2026-11-02T09:30:00Z`"
                .to_owned()
        })
}
