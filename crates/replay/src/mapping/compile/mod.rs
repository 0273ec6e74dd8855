//! From a data file to a [`ServicePlan`], checked against the catalogue.

mod keys;
mod resources;

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use retrial_iam::{Action, Catalogue};
use toml::Spanned;

use crate::mapping::Certainty;
use crate::mapping::condition::Condition;
use crate::mapping::error::{MappingError, MappingProblem, Source};
use crate::mapping::form::{
    OneOrMore, PathForm, RecordedForm, RequestForm, ResourceForm, ServiceForm,
};
use crate::mapping::keys::{KeyPlan, KeySource};
use crate::mapping::path::Path;
use crate::mapping::plan::{EventPlan, RequestPlan, ServicePlan, Targets};

/// Turns one file into its plan.
pub(in crate::mapping) struct Compiler<'f> {
    pub(in crate::mapping) catalogue: &'static Catalogue,
    pub(in crate::mapping) source: Source,
    /// The keys of `sources.toml`.
    pub(in crate::mapping) common_keys: &'f [KeyPlan],
}

type Result<T> = std::result::Result<T, MappingError>;

impl Compiler<'_> {
    /// The plan of a service's file.
    pub(in crate::mapping) fn service(&self, form: ServiceForm) -> Result<ServicePlan> {
        let service = form.service.get_ref().clone();
        if !self.catalogue.has_service(&service) {
            return Err(self.source.error(
                &form.service.span(),
                MappingProblem::UnknownService { service },
            ));
        }
        if form.pages.is_empty() {
            return Err(self
                .source
                .error(&form.service.span(), MappingProblem::NoPages));
        }
        let mut plan = ServicePlan::same_name_only(&service, self.catalogue);
        plan.file = Some(self.source.file);
        plan.same_name_certainty = form.same_name;
        plan.names_certainty = form.names;
        plan.lower_case = form.lower_case;
        plan.nested = form.nested;
        plan.made_by = form.made_by;
        plan.covered_types = form.covered_types;
        plan.reviewed = form.same_name == Certainty::Verified;
        for (name, resource) in form.resources {
            let resource = self.resource(&plan, &name, resource)?;
            plan.resources
                .insert(name.into_inner().into(), Arc::new(resource));
        }
        plan.keys = self.service_keys(form.keys)?;
        for request in &form.also {
            let mut also = std::mem::take(&mut plan.also);
            self.request(&plan, "", request, &form.conditions, &mut also)?;
            plan.also = also;
        }
        for (names, requests) in form.events {
            self.event(&mut plan, &names, &requests, &form.conditions)?;
        }
        if let Some(names) = &form.newer {
            self.newer(&mut plan, names)?;
        }
        for (names, why) in form.no_action {
            let event = || EventPlan::NoAction(why.as_str().into());
            self.insert(&mut plan, &names, event)?;
        }
        for (names, page) in form.no_permission {
            let event = || EventPlan::NoPermission(page.as_str().into());
            self.insert(&mut plan, &names, event)?;
        }
        Ok(plan)
    }

    fn event(
        &self,
        plan: &mut ServicePlan,
        names: &Spanned<String>,
        requests: &[Spanned<RequestForm>],
        conditions: &BTreeMap<String, String>,
    ) -> Result<()> {
        for name in names.get_ref().split_whitespace() {
            let mut compiled = Vec::new();
            for request in requests {
                self.request(plan, name, request, conditions, &mut compiled)?;
            }
            let event = Spanned::new(names.span(), name.to_owned());
            let mut compiled = Some(compiled);
            self.insert(plan, &event, || {
                EventPlan::Requests(compiled.take().unwrap_or_default())
            })?;
        }
        Ok(())
    }

    /// Events whose actions the catalogue does not have yet: of the same name, on nobody knows what.
    fn newer(&self, plan: &mut ServicePlan, names: &Spanned<String>) -> Result<()> {
        for name in names.get_ref().split_whitespace() {
            let action = format!("{}:{name}", plan.service);
            if self.catalogue.action(&plan.service, name).is_some() {
                let problem = MappingProblem::NotNewer { action };
                return Err(self.source.error(&names.span(), problem));
            }
            let event = Spanned::new(names.span(), name.to_owned());
            self.insert(plan, &event, || {
                EventPlan::Requests(vec![RequestPlan {
                    action: action.as_str().into(),
                    targets: Targets::Unknown,
                    when: None,
                    possible: false,
                    certainty: Certainty::Guessed,
                    keys: Vec::new(),
                    service_keys: OnceLock::new(),
                }])
            })?;
        }
        Ok(())
    }

    fn insert(
        &self,
        plan: &mut ServicePlan,
        names: &Spanned<String>,
        mut event: impl FnMut() -> EventPlan,
    ) -> Result<()> {
        for name in names.get_ref().split_whitespace() {
            let twice = match name.strip_suffix('*') {
                Some(prefix) => {
                    let twice = plan
                        .event_prefixes
                        .iter()
                        .any(|(other, _)| **other == *prefix);
                    plan.event_prefixes.push((prefix.into(), event()));
                    twice
                }
                None => plan.events.insert(name.into(), event()).is_some(),
            };
            if twice {
                return Err(self.source.error(
                    &names.span(),
                    MappingProblem::EventTwice {
                        event: name.to_owned(),
                    },
                ));
            }
        }
        Ok(())
    }

    fn request(
        &self,
        plan: &ServicePlan,
        event: &str,
        row: &Spanned<RequestForm>,
        conditions: &BTreeMap<String, String>,
        compiled: &mut Vec<RequestPlan>,
    ) -> Result<()> {
        let span = row.span();
        let form = row.get_ref();
        let when = form
            .when
            .as_ref()
            .map(|text| self.condition(text, conditions, &span))
            .transpose()?;
        let mut keys = Vec::new();
        for (key, rule) in &form.keys {
            keys.push(self.key(key, rule, &span)?);
        }
        if let Some(to) = &form.to {
            keys.push(KeyPlan {
                key: "iam:PassedToService".into(),
                multivalued: false,
                present_name: None,
                unknown_if_sent: None,
                members: None,
                source: KeySource::Value(to.as_str().into()),
            });
        }
        if !form.pass_role.0.is_empty() {
            for field in &form.pass_role.0 {
                compiled.push(self.pass_role(plan, form, field, when.as_ref(), &keys, &span)?);
            }
            return Ok(());
        }
        let action = self.action(plan, form.action.as_deref().unwrap_or(event), &span)?;
        compiled.push(RequestPlan {
            action: action.full_name.into(),
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
    fn pass_role(
        &self,
        plan: &ServicePlan,
        form: &RequestForm,
        field: &str,
        when: Option<&Condition>,
        keys: &[KeyPlan],
        span: &Range<usize>,
    ) -> Result<RequestPlan> {
        let role = ResourceForm {
            kind: Some("role".to_owned()),
            service: Some("iam".to_owned()),
            recorded: RecordedForm::Never,
            arn: OneOrMore(vec![field.to_owned()]),
            name: BTreeMap::from([(
                "RoleNameWithPath".to_owned(),
                OneOrMore(vec![field.to_owned()]),
            )]),
            path: Some(PathForm::Role),
            ..ResourceForm::default()
        };
        let name = Spanned::new(span.clone(), "role".to_owned());
        let sent = match when {
            Some(when) => when.clone(),
            None => self.condition(field, &BTreeMap::new(), span)?,
        };
        Ok(RequestPlan {
            action: self.action(plan, "iam:PassRole", span)?.full_name.into(),
            targets: Targets::Each(vec![Arc::new(self.resource(plan, &name, role)?)]),
            when: Some(sent),
            possible: form.possible,
            certainty: form.certainty.unwrap_or(Certainty::Verified),
            keys: keys.to_vec(),
            service_keys: OnceLock::new(),
        })
    }

    fn action(
        &self,
        plan: &ServicePlan,
        name: &str,
        span: &Range<usize>,
    ) -> Result<Action<'static>> {
        let (service, short) = name.split_once(':').unwrap_or((&plan.service, name));
        let unknown = || {
            self.source.error(
                span,
                MappingProblem::UnknownAction {
                    action: format!("{service}:{short}"),
                },
            )
        };
        self.catalogue.action(service, short).ok_or_else(unknown)
    }

    fn targets(
        &self,
        plan: &ServicePlan,
        action: Action<'static>,
        form: &RequestForm,
        span: &Range<usize>,
    ) -> Result<Targets> {
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
                None => plan
                    .resource_of_type(&plan.service, name, self.catalogue)
                    .ok_or_else(|| {
                        self.source.error(
                            span,
                            MappingProblem::UnknownResource {
                                resource: name.clone(),
                            },
                        )
                    })?,
            };
            let taken = self
                .catalogue
                .resource_types(action)
                .any(|kind| kind.name == &*resource.kind);
            if !taken && form.excused.is_none() {
                let problem = MappingProblem::TypeNotTaken {
                    action: action.full_name.to_owned(),
                    kind: resource.kind.to_string(),
                };
                return Err(self.source.error(span, problem));
            }
            plans.push(resource);
        }
        Ok(Targets::Each(plans))
    }

    fn path(&self, text: &str, span: &Range<usize>) -> Result<Path> {
        Path::parse(text).ok_or_else(|| {
            self.source.error(
                span,
                MappingProblem::Path {
                    path: text.to_owned(),
                },
            )
        })
    }

    /// A condition; `@name` stands for one of the file's own.
    pub(in crate::mapping) fn condition(
        &self,
        text: &str,
        conditions: &BTreeMap<String, String>,
        span: &Range<usize>,
    ) -> Result<Condition> {
        let named = |part: &str| {
            part.trim()
                .strip_prefix('@')
                .and_then(|name| conditions.get(name))
        };
        let parts: Vec<&str> = text
            .split('|')
            .map(|part| named(part).map_or(part, String::as_str))
            .collect();
        Condition::parse(&parts.join("|")).map_err(|condition| {
            self.source
                .error(span, MappingProblem::Condition { condition })
        })
    }
}
