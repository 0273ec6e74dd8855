//! `retrial rightsize`: the least policies that still allow what was used, each with its certificate.

mod certificate;
mod current;
mod json;
mod markdown;
mod named;
mod steps;
mod terraform;
mod trial;
mod write;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::PathBuf;
use std::{env, thread};

use clap::{Args, ValueEnum};
use retrial_cloudtrail::{Day, Timestamp};
use retrial_iam::{Catalogue, Principal, Snapshot};
use retrial_pipeline::{
    Derive, DeriveOptions, FindingOptions, PipelineError, Rightsize, Rightsized, rightsize,
};
use retrial_replay::{
    Mapping, NoProposal, Proposal, Replayer, RightsizingMode, SharedPolicies, permission_set_of,
    permission_sets,
};

use crate::Exit;
use crate::args::{Format, SnapshotArgs};
use crate::derive;
use crate::error::ProgramError;
use crate::input;
use crate::location::{self, Location, OpenOutput, S3Args};
use crate::printer::{Printer, printable};
use crate::signals;
use current::Current;
use markdown::count;
use named::Named;
use trial::{Trial, Trials};

#[derive(Debug, Args)]
pub(crate) struct RightsizeArgs {
    /// The output of `retrial analyze`, whose tables are read: a folder, or `s3://bucket/prefix`
    #[arg(long, value_name = "FOLDER", value_parser = location::parser())]
    pub(crate) out: Location,

    #[command(flatten)]
    pub(crate) snapshot: SnapshotArgs,

    /// Only this user or role, by its ARN; may be repeated [default: all of them]
    ///
    /// A role of a permission set stands for the set, with all of its roles. A policy that others have too is
    /// edited only where all who have it are asked for.
    #[arg(long = "principal", value_name = "ARN")]
    pub(crate) principals: Vec<String>,

    /// Not the users and roles with this tag, such as `break-glass` or `purpose=disaster-recovery`; may be
    /// repeated
    #[arg(long = "skip-tag", value_name = "KEY[=VALUE]")]
    pub(crate) skip_tags: Vec<String>,

    /// A new or empty folder for policies, certificates, Terraform and AWS CLI steps
    ///
    /// Without it only the summary is printed.
    #[arg(long, value_name = "FOLDER")]
    pub(crate) to: Option<PathBuf>,

    /// The day that counts as today: `2026-11-08` [default: the newest day of the calls]
    ///
    /// Later calls are left out, and ages are counted from its end.
    #[arg(long, value_name = "DAY", value_parser = derive::day)]
    pub(crate) as_of: Option<Day>,

    /// Take away only what went unused for so many days
    #[arg(long, value_name = "DAYS", default_value_t = retrial_replay::MIN_WINDOW_DAYS)]
    pub(crate) min_window: u64,

    /// Regions without log files count as observed: the trail records all Regions
    ///
    /// Without it, a multi-Region trail in the snapshot's `trails.json` says so, or nothing does.
    #[arg(long)]
    pub(crate) assume_multi_region: bool,

    /// New policies, or the present ones edited
    ///
    /// With `edit`, a policy that several users and roles have, and what a group has, is edited once for all who have
    /// it; it is refused if it is also a permissions boundary. AWS's own policies are replaced by an edited copy.
    #[arg(long, value_enum, default_value_t = Mode::New)]
    pub(crate) mode: Mode,

    /// Add conditions that all uses met, each over the last fifth of the window too
    ///
    /// On aws:RequestedRegion, aws:SourceVpce, iam:PassedToService, kms:ViaService and s3:prefix, with five
    /// values at the most. Not with `--mode edit`: an edit keeps the conditions of each statement as they are.
    #[arg(long)]
    pub(crate) mine_conditions: bool,

    /// Exit with 1 if this came of any proposal; may be repeated
    #[arg(long, value_name = "WHAT", value_enum, value_delimiter = ',')]
    pub(crate) fail_on: Vec<FailOn>,

    /// How the answer is printed
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub(crate) format: Format,

    /// Take away what nobody could have seen used, too
    ///
    /// What jobs of an execution role need stays all the same, as far as their requests tell it.
    #[arg(long)]
    pub(crate) drop_unobservable: bool,

    /// How many threads to use; the answer is the same whatever their number [default: all cores]
    #[arg(long, value_name = "N")]
    pub(crate) threads: Option<std::num::NonZeroUsize>,

    #[command(flatten)]
    pub(crate) s3: S3Args,
}

/// What takes the place of the present policies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// New managed policies of the least statements
    New,
    /// The present documents with less in them: statements, their Sids and their order stay
    Edit,
}

/// What can come of a proposal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum FailOn {
    /// Its replay denies a call, leaves one open, or opens one; or the policy is a permissions boundary, too
    Refused,
}

/// What certificates say of what was read, and by what.
pub(crate) struct Subject<'a> {
    pub(crate) snapshot: &'a Snapshot,
    pub(crate) mapping_version: &'a str,
    pub(crate) rightsized: &'a Rightsized,
    pub(crate) args: &'a RightsizeArgs,
    /// Users and roles that are skipped by their tags.
    pub(crate) skipped: &'a [String],
    /// What the proposals do together, where several are for the same user or role.
    pub(crate) together: Option<Trial>,
}

impl Subject<'_> {
    /// How many proposals are refused.
    fn refused(&self, cases: &[Case<'_>]) -> usize {
        let unclean = cases.iter().filter(|case| !case.whole.is_clean());
        let none = self.rightsized.found();
        let none = none.filter_map(|(_, found)| found.as_ref().err());
        unclean.count() + none.filter(|why| why.is_refusal()).count()
    }
}

/// A proposal and what became of it.
pub(crate) struct Case<'a> {
    pub(crate) named: Named<'a>,
    /// The window replayed under it.
    pub(crate) whole: Trial,
    /// The last fifth replayed under one made from the first four fifths; `None` where that one leaves
    /// everything as it is.
    pub(crate) fifth: Option<Trial>,
    /// Its calls in the last fifth.
    pub(crate) fifth_calls: u64,
}

impl<'a> Case<'a> {
    pub(crate) fn proposal(&self) -> &'a Proposal {
        self.named.proposal
    }
}

pub(crate) fn run(args: &RightsizeArgs) -> Result<Exit, ProgramError> {
    let printer = Printer::new(false);
    if args.mine_conditions && args.mode == Mode::Edit {
        return Err(ProgramError::ConditionsInEdits);
    }
    if let Some(to) = &args.to {
        write::check(to)?;
    }
    let iam = &args.snapshot.iam;
    let files = input::snapshot_files(iam).map_err(|cause| ProgramError::SnapshotUnreadable {
        path: iam.display().to_string(),
        cause,
    })?;
    let (loaded, issues) = input::snapshot_of(iam, &files)?;
    input::warn(&issues, &printer);
    let snapshot = &loaded.snapshot;
    let (chosen, skipped) = chosen(args, snapshot)?;
    let output = args.out.output(&args.s3)?;
    let catalogue = Catalogue::bundled();
    let mapping = Mapping::bundled(catalogue)?;
    let assumptions = args.snapshot.assumptions();
    let replayer = Replayer::new(catalogue, &mapping, snapshot, assumptions);
    let policies = Current::read(&files);
    let shared = SharedPolicies::of(snapshot, policies.attachments());
    let asked = Asked {
        chosen: chosen.as_ref(),
        mode: match args.mode {
            Mode::New => RightsizingMode::New,
            Mode::Edit => RightsizingMode::Edit(&shared),
        },
    };
    let rightsized = proposals(args, (replayer, &output), asked)?;
    let trials = Trials {
        files: &files,
        iam,
        current: replayer,
        policies: &policies,
        output: &output,
        threads: threads(args),
    };
    let (cases, together) = cases(args, &trials, &rightsized, snapshot)?;
    let subject = Subject {
        snapshot,
        mapping_version: mapping.version(),
        rightsized: &rightsized,
        args,
        skipped: &skipped,
        together,
    };
    if let Some(to) = &args.to {
        write::all(to, &cases, &subject, &policies)?;
    }
    match args.format {
        Format::Text => printer.data(&text(&cases, &subject))?,
        Format::Json => printer.data(&format!("{}\n", json::object(&cases, &subject)))?,
    }
    let is_met = |fail_on: &FailOn| match fail_on {
        FailOn::Refused => subject.refused(&cases) > 0,
    };
    Ok(if !loaded.whole {
        Exit::Incomplete
    } else if args.fail_on.iter().any(is_met) {
        Exit::Threshold
    } else {
        Exit::Done
    })
}

/// What is asked for beside the arguments.
#[derive(Clone, Copy)]
struct Asked<'a> {
    chosen: Option<&'a BTreeSet<String>>,
    mode: RightsizingMode<'a>,
}

/// Users and roles by their ARNs, where not all are asked for.
type Chosen = Option<BTreeSet<String>>;

/// The principals that are asked for, and those that are skipped.
fn chosen(
    args: &RightsizeArgs,
    snapshot: &Snapshot,
) -> Result<(Chosen, Vec<String>), ProgramError> {
    for arn in &args.principals {
        if snapshot.principal(arn).is_none() {
            return Err(ProgramError::NoSuchPrincipal {
                arn: arn.clone(),
                path: args.snapshot.iam.display().to_string(),
            });
        }
    }
    if args.principals.is_empty() && args.skip_tags.is_empty() {
        return Ok((None, Vec::new()));
    }
    let mut chosen = BTreeSet::new();
    let mut skipped = Vec::new();
    // What is proposed for a permission set is for all of its roles.
    let (of_sets, others): (Vec<&Principal>, Vec<&Principal>) = snapshot
        .principals()
        .partition(|principal| permission_set_of(principal).is_some());
    let sets = permission_sets(of_sets.into_iter());
    let sets = sets.into_iter().map(|(_, roles)| roles);
    for together in others.into_iter().map(|other| vec![other]).chain(sets) {
        let is_asked = |principal: &&Principal| args.principals.contains(&principal.arn);
        if !args.principals.is_empty() && !together.iter().any(is_asked) {
            continue;
        }
        let has_one = |principal: &&Principal| {
            let mut tags = args.skip_tags.iter();
            tags.any(|tag| has_tag(principal, tag))
        };
        let arns = together.iter().map(|principal| principal.arn.clone());
        match together.iter().any(has_one) {
            true => skipped.extend(arns),
            false => chosen.extend(arns),
        }
    }
    skipped.sort_unstable();
    Ok((Some(chosen), skipped))
}

/// `KEY` or `KEY=VALUE`
fn has_tag(principal: &Principal, tag: &str) -> bool {
    let mut tags = principal.tags.iter();
    tags.any(|(key, value)| match tag.split_once('=') {
        Some((wanted, of_value)) => key == wanted && value == of_value,
        None => key == tag,
    })
}

fn proposals(
    args: &RightsizeArgs,
    (replayer, output): (Replayer<'_>, &OpenOutput),
    asked: Asked<'_>,
) -> Result<Rightsized, ProgramError> {
    let path = || args.out.to_string();
    let stop = signals::stop_flag().map_err(ProgramError::Signals)?;
    let rightsizing = Rightsize {
        derive: Derive {
            replayer,
            mapping_version: replayer.mapping().version(),
            options: DeriveOptions {
                as_of: args.as_of,
                min_window_days: args.min_window,
                assume_multi_region: args.assume_multi_region,
                findings: FindingOptions::default(),
            },
            threads: threads(args),
            scratch: &env::temp_dir(),
            stop: Some(&stop),
        },
        chosen: asked.chosen,
        drop_unobservable: args.drop_unobservable,
        mode: asked.mode,
        mine_conditions: args.mine_conditions,
    };
    let found = rightsize(&rightsizing, output.store.as_ref(), &output.state.0);
    let found = found.map_err(|cause| match cause {
        PipelineError::Stopped => ProgramError::Interrupted,
        cause => ProgramError::OutputUnreadable {
            path: path(),
            cause,
        },
    })?;
    found.ok_or_else(|| ProgramError::NoCalls { path: path() })
}

/// Tries all proposals.
fn cases<'a>(
    args: &RightsizeArgs,
    trials: &Trials<'a, '_>,
    rightsized: &'a Rightsized,
    snapshot: &Snapshot,
) -> Result<(Vec<Case<'a>>, Option<Trial>), ProgramError> {
    let window = rightsized.window;
    let all = rightsized
        .found()
        .filter_map(|(_, found)| found.as_ref().ok());
    let known = (snapshot, trials.policies);
    let named = named::all(all, known);
    let first = named::all(rightsized.first.iter(), known);
    let end = Timestamp::from_micros(window.end);
    let whole = trials.whole((&named, end), args)?;
    let split = Timestamp::from_micros(window.split);
    let fifth = trials.between((&first, split, end), args)?;
    let mut early: Vec<(&Proposal, Option<Trial>)> = rightsized
        .first
        .iter()
        .zip(fifth.into_iter().map(Some))
        .collect();
    let case = |(named, whole): (Named<'a>, Trial)| {
        let mut early = early.iter_mut();
        let early = early.find(|(one, _)| one.is_for_the_same(named.proposal));
        let early_calls = rightsized.calls_before_split(named.proposal);
        Case {
            whole,
            fifth: early.and_then(|(_, trial)| trial.take()),
            fifth_calls: named.proposal.calls.saturating_sub(early_calls),
            named,
        }
    };
    let cases = named.into_iter().zip(whole.each).map(case).collect();
    Ok((cases, whole.together))
}

/// What is printed.
fn text(cases: &[Case<'_>], subject: &Subject<'_>) -> String {
    let mut out = String::new();
    // Writing to a text cannot fail.
    let _ = write_text(&mut out, cases, subject);
    out
}

fn write_text(out: &mut String, cases: &[Case<'_>], subject: &Subject<'_>) -> std::fmt::Result {
    let rightsized = subject.rightsized;
    writeln!(
        out,
        "{} for {} users, roles and permission sets{} under snapshot {}, from {} to {}; {} refused",
        count(cases.len(), "proposal"),
        rightsized.all.len(),
        markdown::and_shared(rightsized),
        subject.snapshot.id(),
        day(rightsized.window.begin),
        day(rightsized.window.end - 1),
        subject.refused(cases)
    )?;
    for case in cases {
        let proposal = case.proposal();
        let gone: usize = proposal.dropped.iter().map(|one| one.actions.len()).sum();
        let statements: usize = proposal
            .documents
            .iter()
            .map(|document| document.statements.len())
            .sum();
        writeln!(out, "\n{}", printable(&markdown::title(proposal)))?;
        if let Some(set) = proposal.set() {
            for role in &set.roles {
                writeln!(out, "  with {}", printable(role))?;
            }
        }
        if let Some(shared) = proposal.shared() {
            writeln!(out, "  for {}", printable(&listed(&shared.holders)))?;
        }
        if !case.whole.is_clean() {
            writeln!(
                out,
                "  refused: its replay denies or leaves open {} of {}",
                case.whole.broken(),
                count(proposal.calls, "call")
            )?;
        }
        write!(
            out,
            "  {} less, {} on fewer resources; ",
            count(gone, "action"),
            proposal.narrowed
        )?;
        let edits = proposal
            .documents
            .iter()
            .filter_map(|one| one.edit.as_ref());
        let edits: Vec<_> = edits.collect();
        match edits.is_empty() {
            true => writeln!(
                out,
                "{} in {} in place of {}",
                count(statements, "statement"),
                markdown::policies(proposal.documents.len()),
                proposal.replaced.len(),
            )?,
            false => writeln!(out, "{} edited", markdown::policies(edits.len()))?,
        }
        for edit in edits {
            writeln!(
                out,
                "    {}: {}",
                printable(&edit.policy),
                markdown::how(edit)
            )?;
        }
        let mined: usize = proposal
            .documents
            .iter()
            .flat_map(|document| &document.statements)
            .map(|statement| statement.mined.len())
            .sum();
        if mined > 0 {
            writeln!(out, "  {} that all uses met", count(mined, "new condition"))?;
        }
        writeln!(out, "  {}", certificate::first_line(case, subject))?;
    }
    if let Some(together) = &subject.together {
        writeln!(out, "\n{}", markdown::together(together))?;
    }
    let mut none: BTreeMap<&NoProposal, Vec<&str>> = BTreeMap::new();
    for (arn, found) in rightsized.found() {
        if let Err(why) = found {
            none.entry(why).or_default().push(arn);
        }
    }
    if !none.is_empty() || !subject.skipped.is_empty() {
        writeln!(out, "\nno proposal")?;
    }
    for arn in subject.skipped {
        writeln!(out, "  {}: skipped by its tag", printable(arn))?;
    }
    for (why, principals) in none {
        for arn in principals {
            writeln!(out, "  {}: {}", printable(arn), printable(&why_none(why)))?;
        }
    }
    if let Some(to) = &subject.args.to {
        writeln!(out, "\nwritten to {}", printable(&to.display().to_string()))?;
    }
    Ok(())
}

/// Why there is no proposal.
pub(crate) fn why_none(why: &NoProposal) -> String {
    let text = match why {
        NoProposal::ServiceLinked => "a service-linked role, whose policies AWS alone changes",
        NoProposal::PermissionSet => {
            "a role of IAM Identity Center, and its name tells no permission set"
        }
        NoProposal::NoPolicies => "no policies of its own",
        NoProposal::OnlyShared => {
            "no policies of its own alone: each of them is edited for all who have it"
        }
        NoProposal::Unreadable => "a document of it cannot be read",
        NoProposal::InlineDiffers => {
            "its roles do not have the same inline policy: it is not provisioned everywhere"
        }
        NoProposal::NothingGoes => {
            "nothing to take away: all was used, or is kept for want of evidence"
        }
        NoProposal::DoesNotFit => "nothing that fits into IAM's quotas was found",
        NoProposal::IsBoundary { of, not_shown } => return is_boundary(of, *not_shown),
        NoProposal::HoldersNotShown { shown, counted } => {
            return format!(
                "AWS counts {}, and the snapshot shows {shown}: what the others need is not known",
                count(*counted, "attachment")
            );
        }
        NoProposal::MembersNotKnown => {
            "the snapshot does not have all users of the account: who is in the group is not known"
        }
        NoProposal::HoldersNotChosen(others) => {
            return format!("not asked for, and have it, too: {}", listed(others));
        }
        NoProposal::AttachedBySet => {
            "nothing of it is needed: its permission set must detach it, nobody else can"
        }
    };
    text.to_owned()
}

fn is_boundary(of: &[String], not_shown: u64) -> String {
    let hidden = format!(
        "{} more than the snapshot shows",
        count(not_shown, "principal")
    );
    let of = match (of.is_empty(), not_shown) {
        (false, 0) => listed(of),
        (true, _) => hidden,
        (false, _) => format!("{}, and {hidden}", listed(of)),
    };
    format!("refused: it is also the permissions boundary of {of}")
}

/// The first of some names, and how many more there are.
fn listed(names: &[String]) -> String {
    const LISTED: usize = 12;
    let first = names.get(..LISTED).unwrap_or(names).join(", ");
    match names.len().saturating_sub(LISTED) {
        0 => first,
        more => format!("{first} and {more} more"),
    }
}

fn threads(args: &RightsizeArgs) -> usize {
    args.threads.map_or_else(
        || thread::available_parallelism().map_or(1, |cores| cores.get()),
        |threads| threads.get(),
    )
}

/// The day of a moment.
pub(crate) fn day(micros: i64) -> String {
    let mut text = Timestamp::from_micros(micros).to_iso();
    text.truncate(10);
    text
}
