//! The command line: raw flags, and what each is for.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};
use retrial_cloudtrail::Timestamp;
use retrial_replay::Assumptions;

use crate::compact::CompactArgs;
use crate::derive::DeriveArgs;
use crate::findings::FindingsArgs;
use crate::location::{self, Location, S3Args};
use crate::logs::{self, LogArgs};
use crate::plan::PlanArgs;
use crate::printer::Printer;
use crate::prune::PruneArgs;
use crate::replay::ReplayArgs;
use crate::rightsize::RightsizeArgs;
use crate::shards::ShardArgs;
use crate::share::Share;
use crate::status::StatusArgs;
use crate::what_if::{self, WhatIfArgs};

/// Tries every call in CloudTrail logs again under IAM policies as they stand today.
///
/// Exit status: 0 done; 1 a threshold that was asked for was passed; 2 could not run, or not
/// to its end; 3 ran, but some input was rejected or some policy of the snapshot could not be read.
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
    /// Reads every log file under the sources that no earlier run of the output has read, replays each
    /// call under the snapshot's policies, adds to the tables under the output folder (Parquet), and
    /// prints a summary: the books (where every record of this run went), the verdicts by service, firm
    /// differences first, and what would determine the undetermined. At the end it derives `permissions`,
    /// `findings` and `role_needs` from all calls of the output.
    ///
    /// SIGTERM and Ctrl-C stop it within moments, with exit status 2; the same command goes on from
    /// what was committed. A second one ends it at once, which loses no more.
    Analyze(Box<AnalyzeArgs>),
    /// Print one call: its requests, every statement that mattered, the decision and why
    Explain(ExplainArgs),
    /// Look for mistakes in policy documents, with line and column
    ///
    /// Reads policy documents, or all documents of a snapshot, and reports what AWS would refuse, what
    /// can never apply (misspelt actions, malformed ARNs, actions on resources that they do not act on,
    /// contradictory conditions) and what was probably not meant. What exists is the word of AWS's
    /// action reference, compiled in; findings name its version.
    Lint(LintArgs),
    /// Say what an output has, what it lacks, and whether its files are as listed
    ///
    /// The delivery days that are done, what an interrupted run left, and for each account and region the
    /// days without log files between its first and its last. Exits with 3 where a file that the
    /// manifest lists is missing or changed.
    Status(StatusArgs),
    /// Merge the small files of closed dates of an output
    ///
    /// Runs leave a file of each table, event date and commit. All that are of one delivery day become one,
    /// sorted throughout; rows stay what they are, and rows of `usage` and `coverage` that count the same
    /// become one. A date is closed where it lies before the last delivery day (or `--before`) and none of
    /// its calls waits for the next run. Give it no running `analyze`: one of the two would end with an
    /// error. Stopped or killed, it leaves an output that is as sound as before; give it again.
    Compact(CompactArgs),
    /// Take old delivery days out of an output
    ///
    /// Their rows are deleted, and their log files count as read. Give it no running `analyze`: one of the
    /// two would end with an error.
    Prune(PruneArgs),
    /// Replay the calls of an output under another snapshot, and list those with another verdict
    ///
    /// Reads the Parquet that `analyze` wrote, and no log file. What the log does not show and the
    /// snapshot does (tags of principals and resources) is the new snapshot's; nothing is written.
    Replay(ReplayArgs),
    /// Try a change of policies on the calls of an output: what it would have broken, and opened
    ///
    /// Replays the Parquet that `analyze` wrote under the current snapshot and under the same with the change
    /// laid over it, lists what differs by principal, action and account, and writes each differing call
    /// to the table `what_if`. It is evidence about recorded calls, and no proof about others.
    ///
    /// The change is a folder with the files of a snapshot, or one of them, that hold only what changes.
    /// In AWS's lists an entry replaces the current one of its ARN whole; in an object by ARN, such as
    /// `{"RoleDetailList": {"<ARN>": {"RolePolicyList": […]}, "<ARN>": null}}`, it changes the members that it
    /// has, and `null` deletes. `crates/iam/src/snapshot/overlay/mod.rs` has all of it.
    WhatIf(WhatIfArgs),
    /// Print what to act on: what would break, what is too wide, what nobody uses
    ///
    /// Derives `permissions` and `findings` anew for all calls of an output under the snapshot, without reading
    /// a log file. Prints the most important findings with their evidence and what to do, then what was
    /// recorded against what is decided today, with the error rate.
    Findings(FindingsArgs),
    /// Propose the least policies that still allow what was used, each with a certificate
    ///
    /// For each user, role and permission set: new policies in the place of its own, or with `--mode edit` the present ones
    /// with less in them, those that several have once for all of them. They allow what the recorded calls used, what the jobs of an execution role need, and
    /// whatever nobody could have seen used. Each proposal is replayed on the whole window before it is written; one
    /// that would deny a call that got through, or leave it open, is refused. Nothing is ever allowed that was not.
    /// How resources are generalised, and what is edited, stands in `crates/replay/src/rightsizing/README.md`.
    Rightsize(RightsizeArgs),
    /// Print what AWS asks for an event, and where each value comes from
    ///
    /// With a file: for each record in it the requests that AWS authorizes, their resources and the
    /// condition keys that the call's own parameters feed, each with its place in the record. With
    /// an event's name: the same as the mapping has it, with the places where a record would show it.
    Map(MapArgs),
    /// Decide made-up requests: policy unit tests, or one request against a snapshot
    ///
    /// With `--cases`, each line of a file is a case: policies, a request and the decision that is
    /// expected; the form is described in `crates/retrial/README.md`. Prints one JSON line per case.
    /// Exits with 1 if an expectation is missed, so that it can guard policies in CI.
    Simulate(SimulateArgs),
    /// List the principals of a snapshot that a request is allowed for
    WhoCan(WhoCanArgs),
}

impl Command {
    /// How it logs, and whether it is to be quiet.
    fn logs(&self) -> Option<(&LogArgs, bool)> {
        match self {
            Self::Analyze(args) => Some((&args.logs, args.quiet)),
            Self::Compact(args) => Some((&args.logs, false)),
            Self::Prune(args) => Some((&args.logs, false)),
            _ => None,
        }
    }

    /// Begins to log, where the command does.
    pub(crate) fn begin_logs(&self) {
        if let Some((logs, quiet)) = self.logs() {
            logs::begin(logs, quiet);
        }
    }

    /// Prints what it says, in the form of its logs.
    pub(crate) fn printer(&self) -> Printer {
        let form = |(logs, quiet): (&LogArgs, bool)| Printer::with_logs(quiet, logs.log_format);
        self.logs().map_or_else(|| Printer::new(false), form)
    }
}

#[derive(Debug, Args)]
pub(crate) struct AnalyzeArgs {
    /// Folders or single files with CloudTrail logs (`.json.gz`, `.json`), or `s3://bucket/prefix`
    ///
    /// A folder may have CloudTrail's own layout (`AWSLogs/…`), with or without an organization's id
    /// and a prefix, or be flat. Digest and insight files are set aside and counted, and so is whatever
    /// lies beside an `AWSLogs` folder.
    #[arg(required = true, value_name = "SOURCE", value_parser = location::parser())]
    pub(crate) sources: Vec<Location>,

    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,

    /// The output folder, or `s3://bucket/prefix`: empty, not there yet, or of an earlier run
    ///
    /// An output of an earlier run is brought up to date: what an interrupted run left is finished, then
    /// the log files are read that no run has read. The filter must be the one that it was made with,
    /// times included: a log file counts as read, whatever of it a filter leaves out.
    #[arg(long, value_name = "FOLDER", value_parser = location::parser())]
    pub(crate) out: Location,

    #[command(flatten)]
    pub(crate) plan: PlanArgs,

    #[command(flatten)]
    pub(crate) filter: FilterArgs,

    #[command(flatten)]
    pub(crate) shards: ShardArgs,

    /// Exit with 1 if more than this share of the records is of events that no mapping knows: `0.1%`
    ///
    /// The share is of the records that were decided or not evaluated: duplicates and what a filter left
    /// out do not count. Every summary shows it.
    #[arg(long, value_name = "SHARE")]
    pub(crate) max_unmapped: Option<Share>,

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

    /// Do not derive `permissions`, `action_sets`, `findings` and `role_needs` at the end
    ///
    /// They are about all calls of the output, so that every run reads `decisions` whole again. A job that
    /// adds an hour to a year of calls may leave them to `retrial findings`, once a day.
    #[arg(long, conflicts_with_all = ["as_of", "assume_multi_region", "snapshot_time", "exclude"])]
    pub(crate) no_findings: bool,

    #[command(flatten)]
    pub(crate) derive: DeriveArgs,

    #[command(flatten)]
    pub(crate) what_if: WhatIfAfterArgs,

    #[command(flatten)]
    pub(crate) logs: LogArgs,

    #[command(flatten)]
    pub(crate) s3: S3Args,
}

#[derive(Debug, Args)]
#[command(next_help_heading = "What if")]
pub(crate) struct WhatIfAfterArgs {
    /// At the end, try this change of policies on all calls of the output, as `retrial what-if` does
    ///
    /// What it would have broken and opened follows the summary, and each differing call is a row of the
    /// table `what_if`, under the day of `--as-of` or the newest event date.
    #[arg(long = "what-if", value_name = "CHANGE", conflicts_with = "shard")]
    pub(crate) change: Option<PathBuf>,

    /// Exit with 1 if the change of `--what-if` does this to any call, copies apart; may be repeated
    #[arg(
        long,
        value_name = "EFFECT",
        value_enum,
        value_delimiter = ',',
        requires = "change"
    )]
    pub(crate) fail_on: Vec<what_if::FailOn>,
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

impl SnapshotArgs {
    /// What an allow may assume.
    pub(crate) fn assumptions(&self) -> Assumptions {
        match self.strict {
            true => Assumptions::Refused,
            false => Assumptions::Named,
        }
    }
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
    ///
    /// Delivery days before it are not listed.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) since: Option<Timestamp>,

    /// Only events before this moment
    ///
    /// Delivery days are listed until `--look-back` days later, because files come late.
    #[arg(long, value_name = "TIME", value_parser = moment)]
    pub(crate) until: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A file with the record, or, with `--in`, the record's `eventID`
    #[arg(value_name = "EVENT")]
    pub(crate) event: String,

    /// Look for the record with this `eventID` in these log files: a folder, or `s3://bucket/prefix`
    #[arg(long = "in", value_name = "SOURCE", value_parser = location::parser())]
    pub(crate) source: Option<Location>,

    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,

    #[command(flatten)]
    pub(crate) s3: S3Args,
}

#[derive(Debug, Args)]
pub(crate) struct MapArgs {
    /// A file with records, or an event's name: `CreateModel`, or `s3:CreateBucket`
    #[arg(value_name = "EVENT")]
    pub(crate) event: String,

    /// A snapshot of policies, which knows the IAM paths of users, groups and roles
    #[arg(long, value_name = "SNAPSHOT")]
    pub(crate) iam: Option<PathBuf>,

    /// How it is printed on standard output: `json` is one object per line
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
}

#[derive(Debug, Args)]
pub(crate) struct LintArgs {
    /// Files with one policy document each
    #[arg(value_name = "FILE", required_unless_present = "iam")]
    pub(crate) files: Vec<PathBuf>,

    /// Look at all policy documents of this snapshot: a folder, or one file
    ///
    /// AWS managed policies and the policies of service-linked roles are left out: nobody can change
    /// them.
    #[arg(long, value_name = "SNAPSHOT")]
    pub(crate) iam: Option<PathBuf>,

    /// What kind of policy the files hold
    ///
    /// `auto` takes a document with a `Principal` for a trust policy if it is about `sts:` actions and
    /// has no `Resource`, else for a resource policy; one without for an identity policy.
    #[arg(long, value_enum, default_value_t = KindArg::Auto)]
    pub(crate) kind: KindArg,

    /// Fill in a placeholder: `--define account-id=111122223333` for `<account-id>` or `account-id`; may be repeated
    #[arg(long = "define", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) definitions: Vec<(String, String)>,

    /// How the findings are printed
    #[arg(long, value_enum, default_value_t = LintFormat::Text)]
    pub(crate) format: LintFormat,

    /// Exit with 1 if there is a finding of this severity or above
    #[arg(long, value_enum, default_value_t = FailOn::Error)]
    pub(crate) fail_on: FailOn,
}

/// The kinds of policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum KindArg {
    /// By what the document says
    Auto,
    /// Of a user, a group or a role
    Identity,
    /// A permissions boundary
    Boundary,
    /// Passed when a session is issued
    Session,
    /// Of a bucket, a key, a repository, …
    Resource,
    /// Who may assume a role
    Trust,
    /// A service control policy
    Scp,
    /// A resource control policy
    Rcp,
    /// Of a VPC endpoint
    VpcEndpoint,
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum LintFormat {
    /// For people
    Text,
    /// One JSON object
    Json,
    /// SARIF 2.1.0, for code hosts and editors
    Sarif,
}

/// From which severity on the exit status is 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Errors
    Error,
    /// Errors and warnings
    Warning,
    /// Anything
    Note,
    /// Nothing
    Never,
}

#[derive(Debug, Args)]
pub(crate) struct SimulateArgs {
    /// A file of cases, one JSON object a line; may be repeated
    #[arg(long, value_name = "FILE", required_unless_present = "iam", conflicts_with_all = ["iam", "principal", "RequestArgs"])]
    pub(crate) cases: Vec<PathBuf>,

    /// Ask one request against this snapshot: a folder, or one file
    #[arg(long, value_name = "SNAPSHOT", requires_all = ["principal", "RequestArgs"])]
    pub(crate) iam: Option<PathBuf>,

    /// Who asks: the ARN of a user, a role, a root user or a role's session
    ///
    /// Also `anonymous`, a service such as `cloudtrail.amazonaws.com`, or the ARN of somebody in an
    /// account that the snapshot does not have.
    #[arg(long, value_name = "ARN", requires = "iam")]
    pub(crate) principal: Option<String>,

    #[command(flatten)]
    pub(crate) request: Option<RequestArgs>,

    /// Take condition keys that are not given for unknown where the catalogue says that the request may have them
    ///
    /// By default a simulated request has the keys that are given, and no others.
    #[arg(long, requires = "iam")]
    pub(crate) unknown_by_default: bool,

    /// Exit with 1 if the decision is another one
    #[arg(long, value_name = "DECISION", value_enum, requires = "iam")]
    pub(crate) expect: Option<Expected>,
}

#[derive(Debug, Args)]
pub(crate) struct RequestArgs {
    /// The action, such as `s3:GetObject`
    #[arg(long, value_name = "ACTION", required = false)]
    pub(crate) action: String,

    /// The resource's ARN; `*` for an action without a resource
    #[arg(long, value_name = "ARN", required = false)]
    pub(crate) resource: String,

    /// The account that owns the resource, where its ARN has none (S3) [default: the principal's]
    #[arg(long, value_name = "ID")]
    pub(crate) resource_account: Option<String>,

    /// A condition key of the request; repeated with the same key it has several values
    ///
    /// `aws:PrincipalArn`, `aws:PrincipalAccount`, the principal's tags and the resource's are taken
    /// from the snapshot where it has them.
    #[arg(long, value_name = "KEY=VALUE", value_parser = name_and_value)]
    pub(crate) context: Vec<(String, String)>,

    /// A condition key of which nothing is known; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) unknown: Vec<String>,

    /// A condition key that the request does not have; may be repeated
    #[arg(long, value_name = "KEY")]
    pub(crate) absent: Vec<String>,

    /// The VPC endpoint that the request comes through
    #[arg(long, value_name = "ID")]
    pub(crate) vpc_endpoint: Option<String>,
}

/// A decision that is expected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "snake_case")]
pub(crate) enum Expected {
    /// Allowed
    Allowed,
    /// No statement allows it, or a limiting layer does not
    ImplicitDeny,
    /// A statement denies it
    ExplicitDeny,
    /// What is unknown could change the answer
    Undetermined,
}

impl Expected {
    /// The decision's name.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Allowed => "allowed",
            Self::ImplicitDeny => "implicit_deny",
            Self::ExplicitDeny => "explicit_deny",
            Self::Undetermined => "undetermined",
        }
    }
}

#[derive(Debug, Args)]
pub(crate) struct WhoCanArgs {
    /// The snapshot of policies: a folder, or one file
    #[arg(long, value_name = "SNAPSHOT")]
    pub(crate) iam: PathBuf,

    #[command(flatten)]
    pub(crate) request: RequestArgs,

    /// Take condition keys that are not given for absent
    ///
    /// By default one that the request may have, by the catalogue, is unknown: a principal whose
    /// decision hangs on it is listed as undetermined, with the key.
    #[arg(long)]
    pub(crate) absent_by_default: bool,

    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,
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
pub(crate) fn moment(text: &str) -> Result<Timestamp, String> {
    Timestamp::parse(text)
        .or_else(|| Timestamp::parse(&format!("{text}T00:00:00Z")))
        .ok_or_else(|| {
            "expected a date such as `2026-11-02` or an instant such as `2026-11-02T09:30:00Z`"
                .to_owned()
        })
}

/// `NAME=VALUE`
fn name_and_value(text: &str) -> Result<(String, String), String> {
    text.split_once('=')
        .filter(|(name, _)| !name.is_empty())
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "expected `NAME=VALUE`".to_owned())
}
