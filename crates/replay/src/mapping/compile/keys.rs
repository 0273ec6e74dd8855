//! Compiling the rules of condition keys.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;

use super::{Compiler, Result};
use crate::mapping::error::MappingProblem;
use crate::mapping::form::{KeyForm, KeyRuleForm, OneOrMore};
use crate::mapping::keys::{KeyPlan, KeySource};
use crate::mapping::path::Path;
use crate::mapping::template::Template;

impl Compiler<'_> {
    pub(super) fn service_keys(
        &self,
        forms: BTreeMap<Spanned<String>, KeyForm>,
    ) -> Result<Vec<KeyPlan>> {
        let mut keys = Vec::new();
        for (name, form) in forms {
            let key = self.key(name.get_ref(), &form, &name.span())?;
            if let KeyForm::Rule(rule) = &form {
                let old = |name: &String| KeyPlan {
                    key: name.as_str().into(),
                    present_name: Some(key.key.clone()),
                    ..key.clone()
                };
                keys.extend(rule.old_names.iter().map(old));
            }
            keys.push(key);
        }
        let common = self
            .common_keys
            .iter()
            .filter(|common| !keys.iter().any(|key| key.key == common.key));
        let common: Vec<KeyPlan> = common.cloned().collect();
        keys.extend(common);
        Ok(keys)
    }

    /// One key's rule.
    pub(in crate::mapping) fn key(
        &self,
        key: &str,
        form: &KeyForm,
        span: &Range<usize>,
    ) -> Result<KeyPlan> {
        let rule = match form {
            KeyForm::Field(field) => &KeyRuleForm {
                from: OneOrMore(vec![field.clone()]),
                ..KeyRuleForm::default()
            },
            KeyForm::Fields(fields) => &KeyRuleForm {
                from: OneOrMore(fields.clone()),
                ..KeyRuleForm::default()
            },
            KeyForm::Rule(rule) => rule,
        };
        let mut sources = self.sources(key, rule, span)?;
        let (Some(source), true) = (sources.pop(), sources.is_empty()) else {
            let key = key.to_owned();
            return Err(self.source.error(span, MappingProblem::KeySource { key }));
        };
        let plan = KeyPlan {
            key: key.into(),
            multivalued: false,
            present_name: None,
            unknown_if_sent: rule
                .unknown_if_sent
                .as_deref()
                .map(|field| self.path(field, span))
                .transpose()?,
            members: source.members(),
            source,
        };
        let Some(known) = self.catalogue.condition_key(&plan.example()) else {
            return Err(self.source.error(
                span,
                MappingProblem::UnknownKey {
                    key: key.to_owned(),
                },
            ));
        };
        Ok(KeyPlan {
            multivalued: known.multivalued,
            ..plan
        })
    }

    /// The ARN template of `arn_of`, a type of the key's service, and what fills all but its last variable.
    fn arn_template(
        &self,
        key: &str,
        rule: &KeyRuleForm,
        span: &Range<usize>,
    ) -> Result<Option<(Template, Vec<Path>)>> {
        let Some(kind) = &rule.arn_of else {
            return Ok(None);
        };
        let service = key.split(':').next().unwrap_or_default();
        let found = self.catalogue.resource_type(service, kind);
        let template = found.map(|found| Template::parse(found.arn));
        let within = rule.within.0.iter().map(|field| self.path(field, span));
        let within = within.collect::<Result<Vec<_>>>()?;
        template
            .filter(|template| template.variables().len() == within.len() + 1)
            .map(|template| Some((template, within)))
            .ok_or_else(|| {
                let (service, kind) = (service.to_owned(), kind.clone());
                self.source
                    .error(span, MappingProblem::UnknownType { service, kind })
            })
    }

    /// What a rule says of where the values come from; a good one says it once.
    fn sources(
        &self,
        key: &str,
        rule: &KeyRuleForm,
        span: &Range<usize>,
    ) -> Result<Vec<KeySource>> {
        let paths = |fields: &OneOrMore| {
            fields
                .0
                .iter()
                .map(|field| self.path(field, span))
                .collect::<Result<Vec<_>>>()
        };
        let mut sources = Vec::new();
        if !rule.from.0.is_empty() {
            sources.push(KeySource::Fields {
                from: paths(&rule.from)?,
                part: rule.part.as_deref().map(Into::into),
                default: rule.default.as_deref().map(Into::into),
                unknown_if_not_sent: rule.unknown_if_not_sent,
                arn_only: rule.arn_only,
                before: rule.before.as_deref().map(Into::into),
                arn_of: self.arn_template(key, rule, span)?,
            });
        }
        sources.extend(
            rule.value
                .as_deref()
                .map(|value| KeySource::Value(value.into())),
        );
        sources.extend(rule.absent.then_some(KeySource::Absent));
        sources.extend(rule.unknown.then_some(KeySource::Unknown));
        sources.extend(
            rule.map
                .as_deref()
                .map(|field| self.path(field, span).map(KeySource::Map))
                .transpose()?,
        );
        if !rule.tags.0.is_empty() {
            sources.push(KeySource::Tags(paths(&rule.tags)?));
        }
        if !rule.names_of.0.is_empty() {
            sources.push(KeySource::NamesOf(paths(&rule.names_of)?));
        }
        Ok(sources)
    }
}
