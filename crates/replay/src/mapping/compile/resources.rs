//! Compiling how resources are found.

use toml::Spanned;

use super::{Compiler, Result};
use crate::mapping::Certainty;
use crate::mapping::error::MappingProblem;
use crate::mapping::form::ResourceForm;
use crate::mapping::path::Path;
use crate::mapping::plan::ServicePlan;
use crate::mapping::resource::{Otherwise, ResourcePlan};
use crate::mapping::template::{Template, fields_of};

impl Compiler<'_> {
    pub(super) fn resource(
        &self,
        plan: &ServicePlan,
        name: &Spanned<String>,
        form: ResourceForm,
    ) -> Result<ResourcePlan> {
        let span = name.span();
        let service = form
            .service
            .clone()
            .unwrap_or_else(|| plan.service.to_string());
        let kind = form.kind.clone().unwrap_or_else(|| name.get_ref().clone());
        let Some(kind) = self.catalogue.resource_type(&service, &kind) else {
            return Err(self
                .source
                .error(&span, MappingProblem::UnknownType { service, kind }));
        };
        let template = Template::parse(kind.arn);
        let names = self.names(plan, name, &form, &template)?;
        let paths = |fields: &[String]| {
            fields
                .iter()
                .map(|field| self.path(field, &span))
                .collect::<Result<Vec<_>>>()
        };
        Ok(ResourcePlan {
            service: service.into(),
            kind: kind.name.into(),
            recorded: form.recorded,
            arn: paths(&form.arn.0)?,
            names,
            not: form.not.map(Into::into),
            begins: form.begins.map(Into::into),
            account: form
                .account
                .as_deref()
                .map(|field| self.path(field, &span))
                .transpose()?,
            foreign: form.foreign,
            path: form.path,
            lower_case: plan.lower_case,
            url_encoded: form.url_encoded,
            or_ending: form.or_ending.map(Into::into),
            otherwise: form.otherwise.map(|text| {
                if text == "caller" {
                    Otherwise::Caller
                } else {
                    Otherwise::Literal(Template::parse(&text))
                }
            }),
            unknown: form.unknown.as_deref().map(Template::parse),
            through_access_point: form.through_access_point.as_deref().map(Template::parse),
            any_arn_field: false,
            names_certainty: plan.names_certainty,
            certainty: form.certainty.unwrap_or(Certainty::Verified),
            template,
        })
    }

    /// For each variable of the template the fields that fill it.
    fn names(
        &self,
        plan: &ServicePlan,
        name: &Spanned<String>,
        form: &ResourceForm,
        template: &Template,
    ) -> Result<Vec<Vec<Path>>> {
        let span = name.span();
        let own = |variable: &String| {
            template
                .variables()
                .iter()
                .any(|other| **other == **variable)
        };
        if let Some(variable) = form.name.keys().find(|variable| !own(variable)) {
            let problem = MappingProblem::UnknownVariable {
                resource: name.get_ref().clone(),
                variable: variable.clone(),
            };
            return Err(self.source.error(&span, problem));
        }
        let mut names = Vec::new();
        for variable in template.variables() {
            let fields = form.name.get(&**variable).map(|fields| fields.0.clone());
            let fields = fields.unwrap_or_else(|| fields_of(variable, plan.nested));
            names.push(
                fields
                    .iter()
                    .map(|field| self.path(field, &span))
                    .collect::<Result<Vec<_>>>()?,
            );
        }
        Ok(names)
    }
}
