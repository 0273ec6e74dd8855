//! The same-name rule: an event asks for the action of its name, on the resource types that the
//! catalogue lists for it.

use std::sync::{Arc, OnceLock};

use retrial_iam::{Action, Catalogue};
use rustc_hash::FxHashMap;

use super::Certainty;
use super::form::RecordedForm;
use super::path::Path;
use super::plan::{EventPlan, RequestPlan, ServicePlan, Targets};
use super::resource::ResourcePlan;
use super::template::{Template, fields_of};

impl ServicePlan {
    /// A service that no file describes: events are the actions of the same name.
    pub(super) fn same_name_only(service: &str, catalogue: &'static Catalogue) -> Self {
        let short = |action: Action<'static>| {
            action
                .full_name
                .split_once(':')
                .map(|(_, name)| (name, (action, OnceLock::new())))
        };
        Self {
            service: service.into(),
            file: None,
            events: FxHashMap::default(),
            event_prefixes: Vec::new(),
            resources: FxHashMap::default(),
            keys: Vec::new(),
            kinds: OnceLock::new(),
            same_name: catalogue.actions(service).filter_map(short).collect(),
            same_name_certainty: Certainty::Derived,
            names_certainty: Certainty::Guessed,
            lower_case: false,
            nested: false,
            made_by: Vec::new(),
            also: Vec::new(),
            covered_types: Vec::new(),
            reviewed: false,
            unlisted: FxHashMap::default(),
        }
    }

    /// The event with the name of this action.
    pub(super) fn same_name_event(
        &self,
        action: Action<'static>,
        catalogue: &'static Catalogue,
    ) -> EventPlan {
        let mut requests = vec![RequestPlan {
            action: action.full_name.into(),
            targets: self.listed_targets(action, catalogue),
            when: None,
            possible: false,
            certainty: self.same_name_certainty,
            keys: Vec::new(),
            service_keys: OnceLock::new(),
        }];
        if self.made_with(action).next().is_some() {
            requests.extend(self.also.iter().cloned());
        }
        EventPlan::Requests(requests)
    }

    pub(super) fn listed_targets(
        &self,
        action: Action<'static>,
        catalogue: &'static Catalogue,
    ) -> Targets {
        let (service, _) = action
            .full_name
            .split_once(':')
            .unwrap_or((action.full_name, ""));
        let mut required = Vec::new();
        let mut optional = Vec::new();
        for kind in catalogue.resource_types(action) {
            let covered = !kind.required
                && self
                    .covered_types
                    .iter()
                    .any(|covered| covered == kind.name);
            if let Some(mut resource) = self
                .resource_of_type(service, kind.name, catalogue)
                .filter(|_| !covered)
            {
                if self.makes(action, kind.name) {
                    resource = Arc::new(resource.made());
                }
                if kind.required {
                    &mut required
                } else {
                    &mut optional
                }
                .push(resource);
            }
        }
        if catalogue.resource_types(action).next().is_none() {
            let literal = self
                .unlisted
                .get(action.full_name)
                .or_else(|| self.unlisted.get(service));
            return literal.map_or(Targets::Any, |arn| Targets::Literal(arn.clone()));
        }
        Targets::Listed { required, optional }
    }

    /// Whether an action makes a thing of this type: `CreateVpcEndpoint` and `vpc-endpoint`.
    fn makes(&self, action: Action<'static>, kind: &str) -> bool {
        let letters = |text: &str| {
            let letters = text.chars().filter(char::is_ascii_alphanumeric);
            letters.collect::<String>().to_ascii_lowercase()
        };
        self.made_with(action)
            .any(|made| letters(made) == letters(kind))
    }

    /// What an action makes, if it begins with a word of `made_by`.
    fn made_with(&self, action: Action<'static>) -> impl Iterator<Item = &'static str> {
        let name = action.full_name.split(':').nth(1).unwrap_or_default();
        self.made_by
            .iter()
            .filter_map(move |word| name.strip_prefix(word.as_str()))
    }

    /// How to find a resource of this type: the file's way, or by the names of its ARN's variables.
    pub(super) fn resource_of_type(
        &self,
        service: &str,
        kind: &str,
        catalogue: &'static Catalogue,
    ) -> Option<Arc<ResourcePlan>> {
        if *service == *self.service
            && let Some(resource) = self.resources.get(kind)
        {
            return Some(Arc::clone(resource));
        }
        let kind = catalogue.resource_type(service, kind)?;
        let template = Template::parse_first(kind.arn);
        let names = template
            .variables()
            .iter()
            .map(|variable| {
                fields_of(variable, self.nested)
                    .iter()
                    .filter_map(|field| Path::parse(field))
                    .collect()
            })
            .collect();
        Some(Arc::new(ResourcePlan {
            service: service.into(),
            kind: kind.name.into(),
            template,
            recorded: RecordedForm::All,
            arn: Vec::new(),
            names,
            not: None,
            begins: None,
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
