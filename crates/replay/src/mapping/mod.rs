//! What AWS asks for a recorded call.
//!
//! [`Mapping::map`] turns a record into the requests that AWS authorizes for it: action, resource,
//! the condition keys that the request itself feeds, and how sure all that is. The knowledge is in
//! data files (`crates/replay/mapping`, with a README), one per service, checked against the
//! catalogue of actions when they are loaded; here is only the engine that applies them.
//!
//! A service without a file follows the same-name rule: the event's name is the action's, its
//! resource is what CloudTrail recorded. An event that neither finds is [`Mapped::Unmapped`].

mod compile;
mod condition;
mod error;
mod event_context;
mod files;
mod form;
mod keys;
mod kinds;
mod needs;
mod path;
mod plan;
mod resource;
mod same_name;
mod sources;
mod template;
mod trace;
mod view;

use std::sync::OnceLock;

use bumpalo::Bump;
use retrial_cloudtrail::Record;
use retrial_iam::{Action, Catalogue, KeyState, Snapshot};
use rustc_hash::FxHashMap;
use serde::Deserialize;
use sha2::{Digest, Sha256};

use crate::partition_of;

pub use error::MappingError;
pub use needs::{Need, PlannedNeed};
pub use trace::{Asked, Traced, TracedAnswer, TracedKey, TracedRequest, TracedResource};

use compile::Compiler;
use error::{MappingProblem, Source};
use form::{ServiceForm, SourcesForm};
use keys::KeyPlan;
use needs::Needs;
use plan::{EventPlan, ServicePlan};
use sources::{Sources, without_version};
use view::View;

/// The bundled data files, ready to map records. Shared by all threads.
///
/// # Memory
///
/// A few hundred kilobytes, fixed once loaded but for the plans of events that occur.
#[derive(Debug)]
pub struct Mapping {
    catalogue: &'static Catalogue,
    version: String,
    sources: Sources,
    services: Vec<ServicePlan>,
    /// Which of `services` an `eventSource` belongs to.
    by_event_source: FxHashMap<Box<str>, usize>,
    by_prefix: FxHashMap<Box<str>, usize>,
    /// The services that no file describes, each planned when one of its events first occurs.
    without_file: FxHashMap<&'static str, OnceLock<ServicePlan>>,
    common_keys: Vec<KeyPlan>,
    needs: Needs,
}

/// What the mapping needs to know of a call besides its record.
#[derive(Clone, Copy)]
pub struct Facts<'a> {
    /// The catalogue of actions.
    pub catalogue: &'a Catalogue,
    /// The snapshot, for IAM paths.
    pub snapshot: Option<&'a Snapshot>,
    /// `aws`, `aws-cn`, …
    pub partition: &'a str,
    /// The region of the call.
    pub region: &'a str,
    /// The account whose resources are named by default: `recipientAccountId`.
    pub account: &'a str,
    /// The caller's account.
    pub caller_account: Option<&'a str>,
    /// The ARN of the role or user that called.
    pub caller_arn: Option<&'a str>,
    /// The name of the IAM user that called.
    pub caller_name: Option<&'a str>,
    /// The `errorCode` of a call that failed.
    pub failed_with: Option<&'a str>,
}

impl<'a> Facts<'a> {
    /// What the record itself says, and the snapshot.
    pub fn of(
        record: &Record<'a>,
        catalogue: &'a Catalogue,
        snapshot: Option<&'a Snapshot>,
    ) -> Self {
        let identity = record.user_identity.unwrap_or_default();
        let issuer = identity.session_issuer.and_then(|issuer| issuer.arn);
        let caller_arn = issuer.or(identity.arn);
        let region = record.aws_region.unwrap_or_default();
        let owner = record.recipient_account_id.or(identity.account_id);
        let is_user = identity.kind == Some("IAMUser");
        Self {
            catalogue,
            snapshot,
            partition: partition_of(caller_arn, region),
            region,
            account: owner.unwrap_or_default(),
            caller_account: identity.account_id,
            caller_arn,
            caller_name: identity.user_name.filter(|_| is_user),
            failed_with: record.error_code,
        }
    }
}

/// What a record asks for.
#[derive(Debug, Clone, Copy)]
pub enum Mapped<'a> {
    /// These requests; never none.
    Requests(&'a [MappedRequest<'a>]),
    /// A call that needs no permission.
    NoPermissionNeeded,
    /// Not a call that IAM authorizes, and why.
    NotAnIamAction(&'static str),
    /// Nobody knows what AWS asks for it.
    Unmapped,
}

/// One authorization question that AWS asks for a call.
#[derive(Debug, Clone, Copy)]
pub struct MappedRequest<'a> {
    /// `service:Name` in the catalogue's spelling.
    pub action: &'a str,
    /// Whether AWS always asks it for such a call; one that it only may ask never makes a denial.
    pub required: bool,
    /// How sure action and resource are.
    pub certainty: Certainty,
    /// What it is about.
    pub resource: MappedResource<'a>,
    /// The condition keys that the request itself feeds, in AWS's spelling. `aws:RequestTag/*`
    /// absent: no other tags than those listed.
    pub keys: &'a [(&'a str, KeyState<'a>)],
}

/// How sure a request is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certainty {
    /// Built from names by a template that nothing confirms, or assumed.
    Guessed,
    /// The action of the event's name, and a resource that CloudTrail recorded.
    Derived,
    /// A reviewed row of a data file.
    Verified,
}

impl Certainty {
    /// The one of this name.
    pub fn of_name(name: &str) -> Option<Certainty> {
        [Self::Verified, Self::Derived, Self::Guessed]
            .into_iter()
            .find(|certainty| certainty.name() == name)
    }

    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Guessed => "guessed",
            Self::Derived => "derived",
            Self::Verified => "verified",
        }
    }
}

/// The resource of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MappedResource<'a> {
    /// The action has none: IAM compares `*`.
    Any,
    /// This one.
    Arn {
        /// Its ARN.
        arn: &'a str,
        /// Other spellings of it that AWS may have compared instead.
        spellings: &'a [&'a str],
        /// The account that owns it.
        account: Option<&'a str>,
    },
    /// Only its form is known.
    Unknown {
        /// An ARN with `*` for what nobody recorded; `*` alone where nothing is known.
        pattern: &'a str,
        /// The account that owns it.
        account: Option<&'a str>,
    },
}

impl MappedResource<'_> {
    fn is_same(&self, other: &MappedResource<'_>) -> bool {
        match (self, other) {
            (Self::Any, MappedResource::Any) => true,
            (Self::Arn { arn, .. }, MappedResource::Arn { arn: other, .. }) => arn == other,
            (Self::Unknown { pattern, .. }, MappedResource::Unknown { pattern: other, .. }) => {
                pattern == other
            }
            _ => false,
        }
    }
}

impl Mapping {
    /// Loads the data files that are compiled in and checks them against the catalogue.
    pub fn bundled(catalogue: &'static Catalogue) -> Result<Mapping, MappingError> {
        let mut mapping = Self::load(catalogue, files::SOURCES, files::SERVICES)?;
        mapping.needs = Needs::load(catalogue, files::NEEDS)?;
        let services = files::SERVICES.iter().chain(files::NEEDS);
        mapping.version = version_of(files::SOURCES, services);
        Ok(mapping)
    }

    fn load(
        catalogue: &'static Catalogue,
        sources: Source,
        services: &[Source],
    ) -> Result<Mapping, MappingError> {
        let form: SourcesForm = sources.read()?;
        let compiler = Compiler {
            catalogue,
            source: sources,
            common_keys: &[],
        };
        let mut common_keys = Vec::new();
        for (name, key) in &form.keys {
            common_keys.push(compiler.key(name.get_ref(), key, &name.span())?);
        }
        let mut mapping = Mapping {
            catalogue,
            version: version_of(sources, services.iter()),
            sources: Sources::compile(form, &compiler)?,
            services: Vec::with_capacity(services.len()),
            by_event_source: FxHashMap::default(),
            by_prefix: FxHashMap::default(),
            without_file: catalogue
                .services()
                .map(|service| (service.prefix, OnceLock::new()))
                .collect(),
            common_keys,
            needs: Needs::default(),
        };
        for source in services {
            mapping.add(*source)?;
        }
        Ok(mapping)
    }

    fn add(&mut self, source: Source) -> Result<(), MappingError> {
        let form: ServiceForm = source.read()?;
        let index = self.services.len();
        for event_source in &form.event_sources {
            if self
                .by_event_source
                .insert(event_source.get_ref().as_str().into(), index)
                .is_some()
            {
                let problem = MappingProblem::EventTwice {
                    event: event_source.get_ref().clone(),
                };
                return Err(source.error(&event_source.span(), problem));
            }
        }
        let compiler = Compiler {
            catalogue: self.catalogue,
            source,
            common_keys: &self.common_keys,
        };
        let plan = compiler.service(form)?;
        self.by_prefix.insert(plan.service.clone(), index);
        self.services.push(plan);
        Ok(())
    }

    /// A hash of all data files: 16 hex digits.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// What the rows of the data files ask: (IAM prefix, event, action), in no order. An event that has no
    /// row asks for the action of its name.
    pub(crate) fn asked_by_rows(&self) -> impl Iterator<Item = (&str, &str, &str)> {
        self.services.iter().flat_map(|service| {
            service.events.iter().flat_map(move |(event, plan)| {
                let requests: &[plan::RequestPlan] = match plan {
                    EventPlan::Requests(requests) => requests,
                    EventPlan::NoAction(_) | EventPlan::NoPermission(_) => &[],
                };
                requests
                    .iter()
                    .map(move |request| (&*service.service, &**event, &*request.action))
            })
        })
    }

    /// What AWS asks for a record.
    pub fn map<'a>(
        &'a self,
        record: &Record<'a>,
        facts: &Facts<'a>,
        arena: &'a Bump,
    ) -> Mapped<'a> {
        if let Some(kind) = record
            .event_type
            .and_then(|kind| self.sources.without_action(kind))
        {
            return Mapped::NotAnIamAction(kind);
        }
        let (Some(event_source), Some(event)) = (record.event_source, record.event_name) else {
            return Mapped::Unmapped;
        };
        let mut view = View::new(record, facts, arena);
        match self.found(event_source, event, &view) {
            Some((service, plan)) => {
                view.kinds = Some(service.kinds(self.catalogue));
                plan.fill(service, self.catalogue, &view)
            }
            None => Mapped::Unmapped,
        }
    }

    /// The service that authorizes the calls of an `eventSource`, and what it asks for this event.
    fn found<'a>(
        &'a self,
        event_source: &str,
        event: &str,
        view: &View<'_, '_>,
    ) -> Option<(&'a ServicePlan, &'a EventPlan)> {
        if let Some(prefix) = self.sources.told_apart(event_source, view) {
            return self.found_in(self.service(prefix)?, event);
        }
        if let Some(index) = self.by_event_source.get(event_source) {
            return self.found_in(self.services.get(*index)?, event);
        }
        self.sources
            .prefixes(event_source)
            .find_map(|prefix| self.found_in(self.service(prefix)?, event))
    }

    /// The service with this IAM prefix.
    fn service(&self, prefix: &str) -> Option<&ServicePlan> {
        if let Some(index) = self.by_prefix.get(prefix) {
            return self.services.get(*index);
        }
        let (name, plan) = self.without_file.get_key_value(prefix)?;
        Some(plan.get_or_init(|| ServicePlan {
            keys: self.common_keys.clone(),
            unlisted: self.sources.unlisted(name),
            ..ServicePlan::same_name_only(name, self.catalogue)
        }))
    }

    fn found_in<'a>(
        &self,
        service: &'a ServicePlan,
        event: &str,
    ) -> Option<(&'a ServicePlan, &'a EventPlan)> {
        self.planned(service, event)
            .or_else(|| self.planned(service, without_version(event)?))
            .map(|plan| (service, plan))
    }

    fn planned<'s>(&self, service: &'s ServicePlan, event: &str) -> Option<&'s EventPlan> {
        if let Some(plan) = service.events.get(event) {
            return Some(plan);
        }
        if let Some((_, plan)) = service
            .event_prefixes
            .iter()
            .find(|(prefix, _)| event.starts_with(&**prefix))
        {
            return Some(plan);
        }
        if let Some(same_name) = service.same_name.get(event) {
            return Some(self.same_name(service, same_name));
        }
        // IAM compares actions without regard to case, and CloudTrail's spelling is not always AWS's.
        if let Some((_, plan)) = service
            .events
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case(event))
        {
            return Some(plan);
        }
        let action = self.catalogue.action(&service.service, event)?;
        let (_, name) = action.full_name.split_once(':')?;
        service
            .same_name
            .get(name)
            .map(|same_name| self.same_name(service, same_name))
    }

    fn same_name<'s>(
        &self,
        service: &ServicePlan,
        (action, plan): &'s (Action<'static>, OnceLock<EventPlan>),
    ) -> &'s EventPlan {
        plan.get_or_init(|| service.same_name_event(*action, self.catalogue))
    }
}

fn version_of<'s>(sources: Source, services: impl Iterator<Item = &'s Source>) -> String {
    let mut hash = Sha256::new();
    for source in std::iter::once(sources).chain(services.copied()) {
        hash.update(source.file.as_bytes());
        hash.update([0]);
        hash.update(source.text.as_bytes());
        hash.update([0]);
    }
    hash.finalize()
        .iter()
        .take(8)
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOURCES: Source = Source {
        file: "sources.toml",
        text: "event_types_without_action = []\n[sources]\n",
    };

    const HEAD: &str = "service = \"s3\"\nevent_sources = [\"s3.amazonaws.com\"]\npages = [\"https://docs.aws.amazon.com/\"]\n";

    /// What loading a file with these lines after [`HEAD`] says; nothing where it is good.
    fn load(lines: &str) -> String {
        let text: &'static str = Box::leak(format!("{HEAD}{lines}").into_boxed_str());
        let loaded = Mapping::load(
            Catalogue::bundled(),
            SOURCES,
            &[Source {
                file: "s3.toml",
                text,
            }],
        );
        loaded
            .err()
            .map(|error| error.to_string())
            .unwrap_or_default()
    }

    #[track_caller]
    fn check(lines: &str, expect: &str) {
        assert_eq!(load(lines), expect);
    }

    #[test]
    fn a_file_that_says_something_wrong_is_an_error_with_its_line() {
        check("[events]\nGetObject = [{ on = \"object\" }]\n", "");
        check(
            "[events]\nX = [{ action = \"GetObjects\" }]\n",
            "s3.toml:5: no action `s3:GetObjects` in the catalogue",
        );
        check(
            "[events]\nX = [{}]\n",
            "s3.toml:5: no action `s3:X` in the catalogue",
        );
        check("newer = \"GetObjects\"\n", "");
        check(
            "newer = \"GetObject\"\n",
            "s3.toml:4: the catalogue has the action `s3:GetObject` by now",
        );
        check(
            "[events]\nGetObject = [{ on = \"objects\" }]\n",
            "s3.toml:5: no resource `objects` in this file or the catalogue",
        );
        check(
            "[events]\nGetObject = [\n    {},\n    { on = \"bucket\" },\n]\n",
            "s3.toml:7: `s3:GetObject` does not take a resource of type `bucket`",
        );
        check(
            "[events]\nGetObject = [{ on = \"bucket\", excused = \"…\" }]\n",
            "",
        );
        check(
            "[events]\nGetObject = [{ when = \"a b\" }]\n",
            "s3.toml:5: `a b` is no condition",
        );
        check(
            "[events]\nGetObject = [{ pass_role = \"a..b\" }]\n",
            "s3.toml:5: `a..b` is no condition",
        );
        check(
            "[events]\nGetObject = [{}]\n\"PutObject GetObject\" = [{}]\n",
            "s3.toml:6: the event `GetObject` occurs twice",
        );
        check(
            "[resources]\nthing = {}\n",
            "s3.toml:5: no resource type `thing` of `s3` in the catalogue",
        );
        check(
            "[resources]\nbucket = { name = { Name = \"bucketName\" } }\n",
            "s3.toml:5: the ARN of `bucket` has no variable `Name`",
        );
        check(
            "[resources]\nbucket = { arn = \"elsewhere:arn\" }\n",
            "s3.toml:5: `elsewhere:arn` is no place in a record",
        );
        check(
            "[keys]\n\"s3:prefixes\" = \"prefix\"\n",
            "s3.toml:5: no condition key `s3:prefixes` in the catalogue",
        );
        check(
            "[keys]\n\"s3:prefix\" = { from = \"prefix\", value = \"x\" }\n",
            "s3.toml:5: the key `s3:prefix` needs exactly one source of its values",
        );
    }

    #[test]
    fn the_form_is_strict() {
        let error = load("[events]\nGetObject = [{ resource = \"object\" }]\n");
        assert!(
            error.starts_with("s3.toml:5: unknown field `resource`"),
            "{error}"
        );
        assert!(load("[events\n").starts_with("s3.toml:4: "));
    }

    #[test]
    fn the_version_is_a_hash_of_the_files() {
        let mapping = Mapping::bundled(Catalogue::bundled()).unwrap();
        assert_eq!(mapping.version().len(), 16);
        assert_ne!(version_of(SOURCES, std::iter::empty()), mapping.version());
    }
}
