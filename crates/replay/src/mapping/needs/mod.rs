//! What a job will ask of its execution role, read from the request that begins it.
//!
//! The knowledge is in data files (`crates/replay/mapping/needs`, with a README), one per service,
//! checked against the catalogue when they are loaded; here is only what applies them. A need is no
//! recorded use and no request of the call: it says what the role that is passed must be able to do.
//!
//! # Memory
//! Nothing for a record that has no needs. For one that has, at most [`MAX_NEEDS`] of them in the
//! arena; AWS's own limits of channels, containers and definitions allow far fewer.

mod compile;
mod derive;
mod form;
mod place;
mod plan;
mod planned;

pub use planned::PlannedNeed;

use std::sync::Arc;

use bumpalo::Bump;
use retrial_cloudtrail::Record;
use retrial_iam::Catalogue;
use rustc_hash::FxHashMap;

use super::error::{MappingError, Source};
use super::view::{Shown, View};
use super::{Certainty, Facts, Mapping};
use compile::Compiler;
use derive::Deriving;
use plan::JobPlan;

/// Needs of one record beyond which no more are told.
const MAX_NEEDS: usize = 4096;

/// What a role will need.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Need<'a> {
    /// The role; with `*` for what the request does not tell of it. Where a service acts in its own
    /// name, that: `machinelearning.amazonaws.com`.
    pub role_arn: &'a str,
    /// `s3:GetObject`; `sagemaker:*` for all of a service's.
    pub action: &'a str,
    /// The resource's ARN; one with `*` for what the request does not tell; `*` where the action has
    /// none.
    pub resource_arn: &'a str,
    /// Whether [`Need::resource_arn`] is a whole ARN, or the `*` of an action without resource.
    /// Otherwise each `*` in it stands for some text.
    pub resource_known: bool,
    /// Other spellings of the ARN that AWS may compare instead.
    pub spellings: &'a [&'a str],
    /// Whether the job needs it for sure; otherwise it depends on what the request does not show.
    pub required: bool,
    /// How sure the row is.
    pub certainty: Certainty,
    /// Condition keys that the request will have.
    pub context: &'a [(&'a str, &'a [&'a str])],
    /// What in the job needs it.
    pub why: &'a str,
    /// The field of the request that says so.
    pub source_field: Option<&'a str>,
    /// AWS's page about it.
    pub page: &'a str,
    /// The thing that has the role: a model, for a request that makes one and for those that name one
    /// in place of a role.
    pub role_of: Option<&'a str>,
}

/// A job and the service that it is of.
type OfService = (Box<str>, Arc<JobPlan>);

/// The files of needs, compiled: jobs by event name, each with the service it is of.
#[derive(Debug, Default)]
pub(super) struct Needs {
    jobs: FxHashMap<Box<str>, Vec<OfService>>,
    /// The actions that some row is about, in order, each once.
    actions: Vec<Box<str>>,
}

impl Needs {
    pub(super) fn load(
        catalogue: &'static Catalogue,
        sources: &[Source],
    ) -> Result<Needs, MappingError> {
        let mut needs = Needs::default();
        for source in sources {
            let compiler = Compiler {
                catalogue,
                source: *source,
            };
            let (service, jobs) = compiler.compile()?;
            for (event, plan) in jobs {
                let of_event = needs.jobs.entry(event.into()).or_default();
                of_event.push((service.as_str().into(), plan));
            }
        }
        let plans = needs.jobs.values().flatten();
        let mut actions: Vec<Box<str>> = plans
            .flat_map(|(_, plan)| plan.actions())
            .map(Into::into)
            .collect();
        actions.sort_unstable();
        actions.dedup();
        needs.actions = actions;
        Ok(needs)
    }
}

impl Mapping {
    /// What the job that a record begins will need; nothing for any other record, and nothing where
    /// the call did not succeed or CloudTrail does not show its request: that names the role.
    pub fn needs<'a>(
        &'a self,
        record: &Record<'a>,
        facts: &Facts<'a>,
        arena: &'a Bump,
    ) -> &'a [Need<'a>] {
        let jobs = record.event_name.and_then(|name| self.needs.jobs.get(name));
        let (Some(jobs), Some(event_source)) = (jobs, record.event_source) else {
            return &[];
        };
        let kind = record.event_type.unwrap_or_default();
        if facts.failed_with.is_some()
            || record.addendum.is_some()
            || self.sources.without_action(kind).is_some()
        {
            return &[];
        }
        let view = View::new(record, facts, arena);
        if !matches!(view.shown, Shown::Object(_)) {
            return &[];
        }
        let service = self
            .by_event_source
            .get(event_source)
            .and_then(|index| self.services.get(*index));
        let mut deriving = Deriving::new(facts, arena);
        for (of, plan) in jobs {
            if service.is_some_and(|service| service.service == *of) {
                deriving.job(plan, &view);
            }
        }
        deriving.into_needs()
    }

    /// The actions that needs are about, in order: `sagemaker:*` stands for all of a service's.
    pub fn needed_actions(&self) -> &[Box<str>] {
        &self.needs.actions
    }

    /// The services whose actions the rows of an event's jobs are about, whether or not their
    /// conditions hold; some more than once.
    pub fn needed_services(&self, event_name: &str) -> impl Iterator<Item = &str> {
        let jobs = self.needs.jobs.get(event_name).into_iter().flatten();
        jobs.flat_map(|(_, plan)| plan.actions())
            .filter_map(|action| action.split_once(':').map(|(service, _)| service))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str =
        "service = \"sagemaker\"\npages = [\"https://docs.aws.amazon.com/\"]\n[rows]\n";
    const JOB: &str = "[[jobs]]\nevents = \"CreateTrainingJob\"\npage = \"https://docs.aws.amazon.com/\"\nrole = \"roleArn\"\n";

    /// What loading a file with this row, and a job that uses the rows of a name, says; nothing where it is good.
    #[track_caller]
    fn check(row: &str, used: &str, expect: &str) {
        let job = format!("{JOB}needs = [{{ rows = \"{used}\" }}]\n");
        let text = Box::leak(format!("{HEAD}{row}\n{job}").into_boxed_str());
        let source = Source {
            file: "needs/sagemaker.toml",
            text,
        };
        let loaded = Needs::load(Catalogue::bundled(), &[source]);
        let said = loaded.err().map(|error| error.to_string());
        assert_eq!(said.unwrap_or_default(), expect);
    }

    /// What is wrong in a file is told with the file and the line.
    #[test]
    fn a_broken_file_names_file_and_line() {
        let row = |text: &str| format!("output = [{{ {text} }}]");
        let good =
            row("actions = \"s3:PutObject\", on = \"below\", from = \"s3OutputPath\", why = \"w\"");
        check(&good, "output", "");
        check(
            &good,
            "outptu",
            "needs/sagemaker.toml:9: no rows `outptu` in this file",
        );
        check(
            &row("actions = \"s3:PutObjekt\", on = \"below\", from = \"a\", why = \"w\""),
            "output",
            "needs/sagemaker.toml:4: no action `s3:PutObjekt` in the catalogue",
        );
    }
}
