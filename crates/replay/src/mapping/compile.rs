//! From a data file to a [`ServicePlan`], checked against the catalogue.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use retrial_iam::{Action, Catalogue};
use rustc_hash::FxHashMap;
use toml::Spanned;

use super::Certainty;
use super::condition::Condition;
use super::error::{MappingError, MappingProblem, Source};
use super::form::{KeyForm, KeyRuleForm, OneOrMore, PathForm, RecordedForm, RequestForm, ResourceForm, ServiceForm};
use super::keys::{KeyPlan, KeySource};
use super::path::Path;
use super::plan::{EventPlan, RequestPlan, ServicePlan, Targets};
use super::resource::{Otherwise, ResourcePlan};
use super::template::{Template, field_of};

/// Turns one file into its plan.
pub(super) struct Compiler<'f> {
    pub(super) catalogue: &'static Catalogue,
    pub(super) source: Source,
    /// The keys of `sources.toml`.
    pub(super) common_keys: &'f [KeyPlan],
}

type Result<T> = std::result::Result<T, MappingError>;

impl Compiler<'_> {
    /// The plan of a service's file.
    pub(super) fn service(&self, form: ServiceForm) -> Result<ServicePlan> {
        let service = form.service.get_ref().clone();
        if !self.catalogue.has_service(&service) {
            return Err(self.source.error(&form.service.span(), MappingProblem::UnknownService { service }));
        }
        if form.pages.is_empty() {
            return Err(self.source.error(&form.service.span(), MappingProblem::NoPages));
        }
        let mut plan = ServicePlan::same_name_only(&service, self.catalogue);
        plan.same_name_certainty = form.same_name;
        plan.names_certainty = form.names;
        plan.lower_case = form.lower_case;
        plan.covered_types = form.covered_types;
        plan.reviewed = form.same_name == Certainty::Verified;
        for (name, resource) in form.resources {
            let resource = self.resource(&plan, &name, resource)?;
            plan.resources.insert(name.into_inner().into(), Arc::new(resource));
        }
        plan.keys = self.service_keys(form.keys)?;
        for (names, requests) in form.events {
            self.event(&mut plan, &names, &requests, &form.conditions)?;
        }
        for (names, _) in form.no_action {
            self.insert(&mut plan, &names, || EventPlan::NoAction)?;
        }
        for (names, _) in form.no_permission {
            self.insert(&mut plan, &names, || EventPlan::NoPermission)?;
        }
        Ok(plan)
    }

    fn event(&self, plan: &mut ServicePlan, names: &Spanned<String>, requests: &[Spanned<RequestForm>], conditions: &BTreeMap<String, String>) -> Result<()> {
        for name in names.get_ref().split_whitespace() {
            let mut compiled = Vec::new();
            for request in requests {
                self.request(plan, name, request, conditions, &mut compiled)?;
            }
            let event = Spanned::new(names.span(), name.to_owned());
            let mut compiled = Some(compiled);
            self.insert(plan, &event, || EventPlan::Requests(compiled.take().unwrap_or_default()))?;
        }
        Ok(())
    }

    fn insert(&self, plan: &mut ServicePlan, names: &Spanned<String>, mut event: impl FnMut() -> EventPlan) -> Result<()> {
        for name in names.get_ref().split_whitespace() {
            let twice = match name.strip_suffix('*') {
                Some(prefix) => {
                    let twice = plan.event_prefixes.iter().any(|(other, _)| **other == *prefix);
                    plan.event_prefixes.push((prefix.into(), event()));
                    twice
                }
                None => plan.events.insert(name.into(), event()).is_some(),
            };
            if twice {
                return Err(self.source.error(&names.span(), MappingProblem::EventTwice { event: name.to_owned() }));
            }
        }
        Ok(())
    }

    fn request(&self, plan: &ServicePlan, event: &str, row: &Spanned<RequestForm>, conditions: &BTreeMap<String, String>, compiled: &mut Vec<RequestPlan>) -> Result<()> {
        let span = row.span();
        let form = row.get_ref();
        let when = form.when.as_ref().map(|text| self.condition(text, conditions, &span)).transpose()?;
        let mut keys = Vec::new();
        for (key, rule) in &form.keys {
            keys.push(self.key(key, rule, &span)?);
        }
        if let Some(to) = &form.to {
            keys.push(KeyPlan { key: "iam:PassedToService".into(), multivalued: false, present_name: None, source: KeySource::Value(to.as_str().into()) });
        }
        if !form.pass_role.0.is_empty() {
            for field in &form.pass_role.0 {
                compiled.push(self.pass_role(plan, form, field, when.as_ref(), &keys, &span)?);
            }
            return Ok(());
        }
        let action = self.action(plan, form.action.as_deref().unwrap_or(event), &span)?;
        compiled.push(RequestPlan {
            action: action.full_name,
            targets: self.targets(plan, action, form, &span)?,
            when,
            possible: form.possible,
            certainty: form.certainty.unwrap_or(Certainty::Verified),
            keys,
            service_keys: OnceLock::new(),
        });
        Ok(())
    }

    /// `iam:PassRole` is asked when the field is sent.
    /// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html>.
    fn pass_role(&self, plan: &ServicePlan, form: &RequestForm, field: &str, when: Option<&Condition>, keys: &[KeyPlan], span: &Range<usize>) -> Result<RequestPlan> {
        let role = ResourceForm {
            kind: Some("role".to_owned()),
            service: Some("iam".to_owned()),
            recorded: RecordedForm::Never,
            arn: OneOrMore(vec![field.to_owned()]),
            name: BTreeMap::from([("RoleNameWithPath".to_owned(), OneOrMore(vec![field.to_owned()]))]),
            path: Some(PathForm::Role),
            ..ResourceForm::default()
        };
        let name = Spanned::new(span.clone(), "role".to_owned());
        let sent = match when {
            Some(when) => when.clone(),
            None => self.condition(field, &BTreeMap::new(), span)?,
        };
        Ok(RequestPlan {
            action: self.action(plan, "iam:PassRole", span)?.full_name,
            targets: Targets::Each(vec![Arc::new(self.resource(plan, &name, role)?)]),
            when: Some(sent),
            possible: form.possible,
            certainty: form.certainty.unwrap_or(Certainty::Verified),
            keys: keys.to_vec(),
            service_keys: OnceLock::new(),
        })
    }

    fn action(&self, plan: &ServicePlan, name: &str, span: &Range<usize>) -> Result<Action<'static>> {
        let (service, short) = name.split_once(':').unwrap_or((&plan.service, name));
        let unknown = || self.source.error(span, MappingProblem::UnknownAction { action: format!("{service}:{short}") });
        self.catalogue.action(service, short).ok_or_else(unknown)
    }

    fn targets(&self, plan: &ServicePlan, action: Action<'static>, form: &RequestForm, span: &Range<usize>) -> Result<Targets> {
        let Some(OneOrMore(names)) = &form.on else {
            return Ok(plan.listed_targets(action, self.catalogue));
        };
        if names.iter().any(|name| name == "*") {
            return Ok(Targets::Any);
        }
        let mut plans = Vec::new();
        for name in names {
            let resource = match plan.resources.get(name.as_str()) {
                Some(resource) => Arc::clone(resource),
                None => plan.resource_of_type(&plan.service, name, self.catalogue).ok_or_else(|| {
                    self.source.error(span, MappingProblem::UnknownResource { resource: name.clone() })
                })?,
            };
            let taken = self.catalogue.resource_types(action).any(|kind| kind.name == &*resource.kind);
            if !taken && form.excused.is_none() {
                let problem = MappingProblem::TypeNotTaken { action: action.full_name.to_owned(), kind: resource.kind.to_string() };
                return Err(self.source.error(span, problem));
            }
            plans.push(resource);
        }
        Ok(Targets::Each(plans))
    }

    fn resource(&self, plan: &ServicePlan, name: &Spanned<String>, form: ResourceForm) -> Result<ResourcePlan> {
        let span = name.span();
        let service = form.service.clone().unwrap_or_else(|| plan.service.to_string());
        let kind = form.kind.clone().unwrap_or_else(|| name.get_ref().clone());
        let Some(kind) = self.catalogue.resource_type(&service, &kind) else {
            return Err(self.source.error(&span, MappingProblem::UnknownType { service, kind }));
        };
        let template = Template::parse(kind.arn);
        let own = |variable: &String| template.variables().iter().any(|other| **other == **variable);
        if let Some(variable) = form.name.keys().find(|variable| !own(variable)) {
            let problem = MappingProblem::UnknownVariable { resource: name.get_ref().clone(), variable: variable.clone() };
            return Err(self.source.error(&span, problem));
        }
        let mut names = Vec::new();
        for variable in template.variables() {
            let fields = form.name.get(&**variable).map(|fields| fields.0.clone());
            let fields = fields.unwrap_or_else(|| vec![field_of(variable)]);
            names.push(fields.iter().map(|field| self.path(field, &span)).collect::<Result<Vec<_>>>()?);
        }
        let paths = |fields: &[String]| fields.iter().map(|field| self.path(field, &span)).collect::<Result<Vec<_>>>();
        Ok(ResourcePlan {
            service: service.into(),
            kind: kind.name.into(),
            recorded: form.recorded,
            arn: paths(&form.arn.0)?,
            names,
            not: form.not.map(Into::into),
            account: form.account.as_deref().map(|field| self.path(field, &span)).transpose()?,
            foreign: form.foreign,
            path: form.path,
            lower_case: plan.lower_case,
            url_encoded: form.url_encoded,
            or_ending: form.or_ending.map(Into::into),
            otherwise: form.otherwise.map(|text| if text == "caller" { Otherwise::Caller } else { Otherwise::Literal(Template::parse(&text)) }),
            unknown: form.unknown.as_deref().map(Template::parse),
            through_access_point: form.through_access_point.as_deref().map(Template::parse),
            any_arn_field: false,
            names_certainty: plan.names_certainty,
            certainty: form.certainty.unwrap_or(Certainty::Verified),
            template,
        })
    }

    fn path(&self, text: &str, span: &Range<usize>) -> Result<Path> {
        Path::parse(text).ok_or_else(|| self.source.error(span, MappingProblem::Path { path: text.to_owned() }))
    }

    /// A condition; `@name` stands for one of the file's own.
    pub(super) fn condition(&self, text: &str, conditions: &BTreeMap<String, String>, span: &Range<usize>) -> Result<Condition> {
        let named = |part: &str| part.trim().strip_prefix('@').and_then(|name| conditions.get(name));
        let parts: Vec<&str> = text.split('|').map(|part| named(part).map_or(part, String::as_str)).collect();
        Condition::parse(&parts.join("|")).map_err(|condition| self.source.error(span, MappingProblem::Condition { condition }))
    }

    fn service_keys(&self, forms: BTreeMap<Spanned<String>, KeyForm>) -> Result<Vec<KeyPlan>> {
        let mut keys = Vec::new();
        for (name, form) in forms {
            let key = self.key(name.get_ref(), &form, &name.span())?;
            if let KeyForm::Rule(rule) = &form {
                let old = |name: &String| KeyPlan { key: name.as_str().into(), present_name: Some(key.key.clone()), ..key.clone() };
                keys.extend(rule.old_names.iter().map(old));
            }
            keys.push(key);
        }
        let common = self.common_keys.iter().filter(|common| !keys.iter().any(|key| key.key == common.key));
        let common: Vec<KeyPlan> = common.cloned().collect();
        keys.extend(common);
        Ok(keys)
    }

    /// One key's rule.
    pub(super) fn key(&self, key: &str, form: &KeyForm, span: &Range<usize>) -> Result<KeyPlan> {
        let rule = match form {
            KeyForm::Field(field) => &KeyRuleForm { from: OneOrMore(vec![field.clone()]), ..KeyRuleForm::default() },
            KeyForm::Fields(fields) => &KeyRuleForm { from: OneOrMore(fields.clone()), ..KeyRuleForm::default() },
            KeyForm::Rule(rule) => rule,
        };
        let paths = |fields: &OneOrMore| fields.0.iter().map(|field| self.path(field, span)).collect::<Result<Vec<_>>>();
        let mut sources = Vec::new();
        if !rule.from.0.is_empty() {
            sources.push(KeySource::Fields {
                from: paths(&rule.from)?,
                part: rule.part.as_deref().map(Into::into),
                default: rule.default.as_deref().map(Into::into),
                unknown_if_not_sent: rule.unknown_if_not_sent,
                arn_only: rule.arn_only,
            });
        }
        sources.extend(rule.value.as_deref().map(|value| KeySource::Value(value.into())));
        sources.extend(rule.absent.then_some(KeySource::Absent));
        sources.extend(rule.unknown.then_some(KeySource::Unknown));
        sources.extend(rule.map.as_deref().map(|field| self.path(field, span).map(KeySource::Map)).transpose()?);
        if !rule.tags.0.is_empty() {
            sources.push(KeySource::Tags(paths(&rule.tags)?));
        }
        if !rule.names_of.0.is_empty() {
            sources.push(KeySource::NamesOf(paths(&rule.names_of)?));
        }
        let (Some(source), true) = (sources.pop(), sources.is_empty()) else {
            return Err(self.source.error(span, MappingProblem::KeySource { key: key.to_owned() }));
        };
        let plan = KeyPlan { key: key.into(), multivalued: false, present_name: None, source };
        let Some(known) = self.catalogue.condition_key(&plan.example()) else {
            return Err(self.source.error(span, MappingProblem::UnknownKey { key: key.to_owned() }));
        };
        Ok(KeyPlan { multivalued: known.multivalued, ..plan })
    }
}

impl ServicePlan {
    /// A service that no file describes: events are the actions of the same name.
    pub(super) fn same_name_only(service: &str, catalogue: &'static Catalogue) -> Self {
        let short = |action: Action<'static>| action.full_name.split_once(':').map(|(_, name)| (name, (action, OnceLock::new())));
        Self {
            service: service.into(),
            events: FxHashMap::default(),
            event_prefixes: Vec::new(),
            resources: FxHashMap::default(),
            keys: Vec::new(),
            kinds: OnceLock::new(),
            same_name: catalogue.actions(service).filter_map(short).collect(),
            same_name_certainty: Certainty::Derived,
            names_certainty: Certainty::Guessed,
            lower_case: false,
            covered_types: Vec::new(),
            reviewed: false,
            unlisted: FxHashMap::default(),
        }
    }

    /// The event with the name of this action.
    pub(super) fn same_name_event(&self, action: Action<'static>, catalogue: &'static Catalogue) -> EventPlan {
        EventPlan::Requests(vec![RequestPlan {
            action: action.full_name,
            targets: self.listed_targets(action, catalogue),
            when: None,
            possible: false,
            certainty: self.same_name_certainty,
            keys: Vec::new(),
            service_keys: OnceLock::new(),
        }])
    }

    fn listed_targets(&self, action: Action<'static>, catalogue: &'static Catalogue) -> Targets {
        let (service, _) = action.full_name.split_once(':').unwrap_or((action.full_name, ""));
        let mut required = Vec::new();
        let mut optional = Vec::new();
        for kind in catalogue.resource_types(action) {
            let covered = !kind.required && self.covered_types.iter().any(|covered| covered == kind.name);
            if let Some(resource) = self.resource_of_type(service, kind.name, catalogue).filter(|_| !covered) {
                if kind.required { &mut required } else { &mut optional }.push(resource);
            }
        }
        if catalogue.resource_types(action).next().is_none() {
            let literal = self.unlisted.get(action.full_name).or_else(|| self.unlisted.get(service));
            return literal.map_or(Targets::Any, |arn| Targets::Literal(arn.clone()));
        }
        Targets::Listed { required, optional }
    }

    /// How to find a resource of this type: the file's way, or by the names of its ARN's variables.
    fn resource_of_type(&self, service: &str, kind: &str, catalogue: &'static Catalogue) -> Option<Arc<ResourcePlan>> {
        if *service == *self.service
            && let Some(resource) = self.resources.get(kind)
        {
            return Some(Arc::clone(resource));
        }
        let kind = catalogue.resource_type(service, kind)?;
        let template = Template::parse_first(kind.arn);
        // The name, or a list of names.
        let fields = |variable: &str| [field_of(variable), format!("{}s", field_of(variable))];
        let names = template.variables().iter().map(|variable| fields(variable).iter().filter_map(|field| Path::parse(field)).collect()).collect();
        Some(Arc::new(ResourcePlan {
            service: service.into(),
            kind: kind.name.into(),
            template,
            recorded: RecordedForm::All,
            arn: Vec::new(),
            names,
            not: None,
            account: None,
            foreign: false,
            path: None,
            lower_case: self.lower_case,
            url_encoded: false,
            or_ending: None,
            otherwise: None,
            unknown: None,
            through_access_point: None,
            any_arn_field: true,
            names_certainty: self.names_certainty,
            certainty: Certainty::Verified,
        }))
    }
}
