//! What the mapping does, for people: which row asks, and where each value came from.

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use retrial_cloudtrail::Record;
use retrial_iam::{KeyState, Snapshot, Values};

use crate::denial::{Denial, denial_of};

use super::condition::Holds;
use super::keys::{KeyPlan, KeySource};
use super::path::{Path, Sent};
use super::plan::{EventPlan, RequestPlan, ServicePlan, Targets};
use super::resource::{Origin, ResourcePlan};
use super::template::Template;
use super::view::View;
use super::{Certainty, Facts, MappedResource, Mapping};

/// What AWS asks for an event, by one service, and why.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Traced {
    /// The IAM prefix.
    pub service: String,
    /// The event, as the caller spelt it.
    pub event: String,
    /// The data file with the rows of the service.
    pub file: Option<&'static str>,
    /// Whether the event has a row there; otherwise it is by the same-name rule.
    pub has_row: bool,
    /// Whether the record's `eventType` alone answers.
    pub by_event_type: bool,
    /// What is asked.
    pub answer: TracedAnswer,
}

/// What is asked for an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum TracedAnswer {
    /// These requests.
    Requests(Vec<TracedRequest>),
    /// It needs no permission, and where AWS says so.
    NoPermissionNeeded(String),
    /// No action authorizes it, and why.
    NotAnIamAction(String),
}

/// One row of the mapping, applied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedRequest {
    /// `service:Name`
    pub action: String,
    /// The row's condition.
    pub when: Option<String>,
    /// Whether it is asked.
    pub asked: Asked,
    /// What it is about; one request each.
    pub resources: Vec<TracedResource>,
    /// The condition keys that the request's own fields feed.
    pub keys: Vec<TracedKey>,
}

/// Whether a row's request is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Asked {
    /// It has no condition.
    Always,
    /// There is no record to hold its condition against.
    If,
    /// Its condition holds.
    Yes,
    /// Its condition does not hold.
    No,
    /// The record does not show whether its condition holds.
    NotShown,
}

impl Asked {
    /// The name in reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Always => "always",
            Self::If => "if",
            Self::Yes => "yes",
            Self::No => "no",
            Self::NotShown => "not_shown",
        }
    }
}

/// A resource and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedResource {
    /// The ARN; its template or form where it is not known whole.
    pub arn: String,
    /// Whether it is known whole.
    pub known: bool,
    /// Other spellings that AWS may have compared.
    pub spellings: Vec<String>,
    /// Whether AWS always asks it.
    pub required: bool,
    /// How sure action and resource are.
    pub certainty: Certainty,
    /// The places in the record.
    pub from: String,
}

/// A condition key and where it came from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TracedKey {
    /// Its name.
    pub key: String,
    /// Its values; none where it is absent; `None` where nobody knows.
    pub values: Option<Vec<String>>,
    /// The places in the record.
    pub from: String,
}

impl TracedRequest {
    /// Of a denied call, AWS's own message may name a resource that the record does not show.
    fn name_by(&mut self, denial: &Denial<'_>) {
        let Some(arn) = denial.names(&self.action) else {
            return;
        };
        for resource in self.resources.iter_mut().filter(|resource| !resource.known) {
            resource.arn = arn.to_owned();
            resource.known = true;
            resource.from = "`errorMessage`".to_owned();
        }
    }
}

impl Mapping {
    /// What a record asks for, row by row; `None` where it is unmapped.
    pub fn trace<'a>(
        &'a self,
        record: &Record<'a>,
        snapshot: Option<&'a Snapshot>,
        arena: &'a Bump,
    ) -> Option<Traced> {
        let (event_source, event) = (record.event_source?, record.event_name?);
        let facts = Facts::of(record, self.catalogue, snapshot);
        let kind = record.event_type.unwrap_or_default();
        if self.sources.without_action(kind).is_some() {
            return Some(Traced {
                service: event_source.to_owned(),
                event: event.to_owned(),
                file: None,
                has_row: false,
                by_event_type: true,
                answer: TracedAnswer::NotAnIamAction(format!(
                    "a record of the type {kind} is no call of a principal"
                )),
            });
        }
        let mut view = View::new(record, &facts, arena);
        let (service, plan) = self.found(event_source, event, &view)?;
        view.kinds = Some(service.kinds(self.catalogue));
        let denial = denial_of(record);
        Some(self.traced((service, plan), event, |row| {
            let mut traced = self.row_of(row, service, &view);
            traced.name_by(&denial);
            traced
        }))
    }

    /// What an event asks for, for each service that has one of this name, without a record: the
    /// places where a record would have the values. `service` is an IAM prefix or an `eventSource`.
    pub fn plans(&self, service: Option<&str>, event: &str) -> Vec<Traced> {
        let mut prefixes: Vec<&str> = match service {
            Some(name) => match self.by_event_source.get(name) {
                Some(index) => {
                    let service = self.services.get(*index);
                    service
                        .map(|service| &*service.service)
                        .into_iter()
                        .collect()
                }
                None => self.sources.prefixes(name).collect(),
            },
            None => self.without_file.keys().copied().collect(),
        };
        prefixes.sort_unstable();
        prefixes.dedup();
        let plan = |prefix: &str| {
            let service = self.service(prefix)?;
            // A service without a row for it, and without the action, does not have the event.
            let found = self.found_in(service, event)?;
            let by_beginning = service
                .event_prefixes
                .iter()
                .any(|(_, plan)| std::ptr::eq(plan, found.1));
            let traced = self.traced(found, event, |row| self.row_planned(row, service));
            Some((by_beginning, traced))
        };
        let mut found: Vec<(bool, Traced)> = prefixes.into_iter().filter_map(plan).collect();
        // A row for whatever begins with `Create` does not make every such name an event of its service.
        if found.iter().any(|(by_beginning, _)| !by_beginning) {
            found.retain(|(by_beginning, _)| !by_beginning);
        }
        found.into_iter().map(|(_, traced)| traced).collect()
    }

    fn traced<'a>(
        &self,
        (service, plan): (&'a ServicePlan, &'a EventPlan),
        event: &str,
        row: impl Fn(&'a RequestPlan) -> TracedRequest,
    ) -> Traced {
        let prefixed = service.event_prefixes.iter().map(|(_, plan)| plan);
        let mut rows = service.events.values().chain(prefixed);
        Traced {
            service: service.service.to_string(),
            event: event.to_owned(),
            file: service.file,
            has_row: rows.any(|other| std::ptr::eq(other, plan)),
            by_event_type: false,
            answer: match plan {
                EventPlan::Requests(rows) => TracedAnswer::Requests(rows.iter().map(row).collect()),
                EventPlan::NoAction(why) => TracedAnswer::NotAnIamAction(why.to_string()),
                EventPlan::NoPermission(page) => TracedAnswer::NoPermissionNeeded(page.to_string()),
            },
        }
    }

    fn row_of<'a>(
        &self,
        row: &'a RequestPlan,
        service: &'a ServicePlan,
        view: &View<'a, '_>,
    ) -> TracedRequest {
        let holds = row.when.as_ref().map(|when| when.holds(view));
        let mut traced = TracedRequest {
            action: row.action.to_string(),
            when: row.when.as_ref().map(|when| when.as_str().to_owned()),
            asked: match holds {
                None => Asked::Always,
                Some(Holds::Yes) => Asked::Yes,
                Some(Holds::No) => Asked::No,
                Some(Holds::Unknown) => Asked::NotShown,
            },
            resources: Vec::new(),
            keys: Vec::new(),
        };
        if holds == Some(Holds::No) {
            return traced;
        }
        let usual = |when: &super::condition::Condition| when.holds_for_nothing();
        let hidden = holds == Some(Holds::Unknown);
        let guessed = hidden && row.when.as_ref().is_some_and(usual);
        let certainty = match guessed {
            true => Certainty::Guessed,
            false => row.certainty,
        };
        let mut targets = BumpVec::new_in(view.arena);
        row.targets.find(service, view, &mut targets);
        for target in targets {
            let mut resource = resource_text(&target.found.resource);
            resource.required = !row.possible && !target.possible && (!hidden || guessed);
            resource.certainty = certainty.min(target.found.certainty);
            resource.from = origin_text(target.found.origin, view);
            traced.resources.push(resource);
        }
        for key in row.key_plans(service, self.catalogue) {
            let mut states = BumpVec::new_in(view.arena);
            key.add(view, &mut states);
            if states.is_empty() {
                states.push((&*key.key, KeyState::Unknown));
            }
            let from = key_places(key, Some(view));
            traced
                .keys
                .extend(states.iter().map(|(name, state)| TracedKey {
                    key: (*name).to_owned(),
                    values: state_values(*state),
                    from: from.clone(),
                }));
        }
        traced
    }

    fn row_planned(&self, row: &RequestPlan, service: &ServicePlan) -> TracedRequest {
        let resource = |arn: &str, required, from: String| TracedResource {
            arn: arn.to_owned(),
            known: false,
            spellings: Vec::new(),
            required: required && !row.possible,
            certainty: row.certainty,
            from,
        };
        let planned = |plan: &ResourcePlan, required| {
            let kind = self.catalogue.resource_type(&plan.service, &plan.kind);
            // A row may stand for things of many types.
            let any = plan.unknown.as_ref().map(Template::to_text);
            let form = any.as_deref().or(kind.map(|kind| kind.arn));
            resource(form.unwrap_or("*"), required, ways(plan))
        };
        let resources = match &row.targets {
            Targets::Any => vec![resource("*", true, "the action has no resource".to_owned())],
            Targets::Unknown => vec![resource(
                "*",
                true,
                "the reference does not list it yet".to_owned(),
            )],
            Targets::Literal(_) => vec![resource("*", true, "always the same".to_owned())],
            Targets::Each(plans) => plans.iter().map(|plan| planned(plan, true)).collect(),
            Targets::Listed { required, optional } => {
                let required = required.iter().map(|plan| planned(plan, true));
                required
                    .chain(optional.iter().map(|plan| planned(plan, false)))
                    .collect()
            }
        };
        let keys = row.key_plans(service, self.catalogue);
        TracedRequest {
            action: row.action.to_string(),
            when: row.when.as_ref().map(|when| when.as_str().to_owned()),
            asked: match row.when {
                Some(_) => Asked::If,
                None => Asked::Always,
            },
            resources,
            keys: keys
                .map(|key| TracedKey {
                    key: key.key.to_string(),
                    values: None,
                    from: key_places(key, None),
                })
                .collect(),
        }
    }
}

fn resource_text(resource: &MappedResource<'_>) -> TracedResource {
    let (arn, known, spellings) = match resource {
        MappedResource::Any => ("*", true, &[] as &[&str]),
        MappedResource::Arn { arn, spellings, .. } => (*arn, true, *spellings),
        MappedResource::Unknown { pattern, .. } => (*pattern, false, &[] as &[&str]),
    };
    TracedResource {
        arn: arn.to_owned(),
        known,
        spellings: spellings.iter().map(|text| (*text).to_owned()).collect(),
        required: true,
        certainty: Certainty::Guessed,
        from: String::new(),
    }
}

fn state_values(state: KeyState<'_>) -> Option<Vec<String>> {
    match state {
        KeyState::Known(Values::One(value)) => Some(vec![value.to_owned()]),
        KeyState::Known(Values::Many(values)) => {
            Some(values.iter().map(|value| (*value).to_owned()).collect())
        }
        KeyState::Absent => Some(Vec::new()),
        KeyState::Unknown => None,
    }
}

fn quoted<'p>(paths: impl Iterator<Item = &'p Path>) -> String {
    let mut texts: Vec<String> = paths.map(|path| format!("`{}`", path.as_str())).collect();
    texts.dedup();
    texts.join(", ")
}

fn origin_text(origin: Origin<'_>, view: &View<'_, '_>) -> String {
    match origin {
        Origin::Recorded => "`resources[]`".to_owned(),
        Origin::Field(path) => format!("`{}`", path.as_str()),
        Origin::AnyField(name) => format!("`{name}`, an ARN of its type"),
        Origin::Names(plan) => {
            let first =
                |paths: &'_ Vec<Path>| paths.iter().position(|path| path.text(view).is_some());
            let used = plan
                .names
                .iter()
                .filter_map(|paths| paths.get(first(paths)?));
            quoted(used)
        }
        Origin::AccessPoint => "the access point that the request went through".to_owned(),
        Origin::Usual => "what AWS means where the request names none".to_owned(),
        Origin::Fixed => "the action has no resource".to_owned(),
        Origin::NotRecorded => "not in the record".to_owned(),
    }
}

/// The ways to a resource, in the order in which they are tried.
fn ways(plan: &ResourcePlan) -> String {
    let mut ways = Vec::new();
    if plan.recorded != super::form::RecordedForm::Never {
        ways.push("`resources[]`".to_owned());
    }
    if !plan.arn.is_empty() {
        ways.push(quoted(plan.arn.iter()));
    }
    if plan.any_arn_field {
        ways.push("a field with its ARN".to_owned());
    }
    let named = plan.names.iter().all(|paths| !paths.is_empty());
    if named && !plan.names.is_empty() {
        let each: Vec<String> = plan
            .names
            .iter()
            .map(|paths| quoted(paths.iter()))
            .collect();
        ways.push(each.join(" with "));
    }
    if plan.otherwise.is_some() {
        ways.push("what AWS means where the request names none".to_owned());
    }
    match ways.is_empty() {
        true => "not in the record".to_owned(),
        false => ways.join("; else "),
    }
}

/// The fields that feed a key: with a record those that are sent, if any is.
fn key_places(key: &KeyPlan, view: Option<&View<'_, '_>>) -> String {
    let paths: &[Path] = match &key.source {
        KeySource::Fields { from, .. } => from,
        KeySource::Tags(paths) | KeySource::NamesOf(paths) => paths,
        KeySource::Map(path) => std::slice::from_ref(path),
        KeySource::Absent if key.unknown_if_sent.is_some() => key.unknown_if_sent.as_slice(),
        KeySource::Value(_) | KeySource::Absent => return "by the mapping's row".to_owned(),
        KeySource::Unknown => return "not in the record".to_owned(),
    };
    let Some(view) = view else {
        return quoted(paths.iter());
    };
    let sent = |path: &&Path| path.is_sent(view) == Sent::Yes;
    let hidden = |path: &Path| path.is_sent(view) == Sent::Hidden;
    if paths.iter().any(|path| sent(&path)) {
        return quoted(paths.iter().filter(sent));
    }
    match paths.iter().any(hidden) {
        true => "not shown".to_owned(),
        false => "not sent".to_owned(),
    }
}
