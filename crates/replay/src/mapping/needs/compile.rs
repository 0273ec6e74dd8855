//! From a file of needs to its plan, checked against the catalogue.

use std::collections::BTreeMap;
use std::ops::Range;
use std::sync::Arc;

use retrial_iam::Catalogue;

use super::form::{JobForm, NeedsForm, RowForm, UseForm};
use super::plan::{JobPlan, On, RowPlan, RunsAs, Text, UsePlan, Variable};
use crate::mapping::Certainty;
use crate::mapping::condition::Condition;
use crate::mapping::error::{MappingError, MappingProblem, Source};
use crate::mapping::form::OneOrMore;
use crate::mapping::path::Path;
use crate::mapping::template::Template;

type Result<T> = std::result::Result<T, MappingError>;

/// A file's service, and its events with their jobs.
pub(super) type Compiled = (String, Vec<(String, Arc<JobPlan>)>);

/// Turns one file into plans.
pub(super) struct Compiler {
    pub(super) catalogue: &'static Catalogue,
    pub(super) source: Source,
}

impl Compiler {
    /// Reads the file and checks it.
    pub(super) fn compile(&self) -> Result<Compiled> {
        let form: NeedsForm = self.source.read()?;
        let span = form.service.span();
        let service = form.service.into_inner();
        if !self.catalogue.has_service(&service) {
            return Err(self.error(&span, MappingProblem::UnknownService { service }));
        }
        if form.pages.is_empty() {
            return Err(self.error(&span, MappingProblem::NoPages));
        }
        let mut rows = BTreeMap::new();
        for (name, of_name) in &form.rows {
            let compiled = of_name
                .iter()
                .map(|row| self.row(row.get_ref(), &row.span()).map(Arc::new));
            rows.insert(
                name.get_ref().as_str(),
                compiled.collect::<Result<Vec<_>>>()?,
            );
        }
        let mut jobs = Vec::new();
        for job in &form.jobs {
            let plan = Arc::new(self.job(job.get_ref(), &rows, &job.span())?);
            let events = job.get_ref().events.split_whitespace();
            jobs.extend(events.map(|event| (event.to_owned(), Arc::clone(&plan))));
            for event in job.get_ref().events.split_whitespace() {
                if self.catalogue.action(&service, event).is_none() {
                    let action = format!("{service}:{event}");
                    return Err(self.error(&job.span(), MappingProblem::UnknownAction { action }));
                }
            }
        }
        Ok((service, jobs))
    }

    fn error(&self, span: &Range<usize>, problem: MappingProblem) -> MappingError {
        self.source.error(span, problem)
    }

    fn job(
        &self,
        form: &JobForm,
        rows: &BTreeMap<&str, Vec<Arc<RowPlan>>>,
        span: &Range<usize>,
    ) -> Result<JobPlan> {
        let runs_as = match (&form.role.0[..], &form.principal) {
            ([], Some(service)) => RunsAs::Service(service.as_str().into()),
            ([], None) if form.of.is_some() => RunsAs::NotTold,
            (role @ [_, ..], None) => RunsAs::Role(self.paths(role, span)?),
            _ => return Err(self.error(span, MappingProblem::RunsAs)),
        };
        let of = form.of.as_deref().map(|text| self.text(text, span));
        let mut uses = Vec::new();
        for used in &form.needs {
            uses.push(self.used(used.get_ref(), rows, &used.span())?);
        }
        Ok(JobPlan {
            at: self.paths(&form.at.0, span)?,
            runs_as,
            of: of.transpose()?,
            page: form.page.as_str().into(),
            uses,
        })
    }

    fn used(
        &self,
        form: &UseForm,
        rows: &BTreeMap<&str, Vec<Arc<RowPlan>>>,
        span: &Range<usize>,
    ) -> Result<UsePlan> {
        let mut used = Vec::new();
        for name in form.rows.split_whitespace() {
            let Some(of_name) = rows.get(name) else {
                let rows = name.to_owned();
                return Err(self.error(span, MappingProblem::UnknownRows { rows }));
            };
            used.extend(of_name.iter().cloned());
        }
        let at = form.at.as_deref().map(|text| self.path(text, span));
        Ok(UsePlan {
            at: at.transpose()?,
            of: form.of.as_deref().map(Into::into),
            certainty: form.certainty.unwrap_or(Certainty::Verified),
            rows: used,
        })
    }

    fn row(&self, form: &RowForm, span: &Range<usize>) -> Result<RowPlan> {
        let on = self.on(&form.on, span)?;
        for action in &form.actions.0 {
            self.check_action(action, &on, span)?;
        }
        let condition = |text: &String| {
            Condition::parse(text)
                .map_err(|condition| self.error(span, MappingProblem::Condition { condition }))
        };
        let mut keys = Vec::new();
        for (key, value) in &form.keys {
            if self.catalogue.condition_key(key).is_none() {
                let key = key.clone();
                return Err(self.error(span, MappingProblem::UnknownKey { key }));
            }
            keys.push((key.as_str().into(), self.text(value, span)?));
        }
        let or = form.or.as_deref().map(|text| self.text(text, span));
        Ok(RowPlan {
            actions: form.actions.0.iter().map(|a| a.as_str().into()).collect(),
            on,
            or: or.transpose()?,
            from: self.paths(&form.from.0, span)?,
            when: form.when.as_ref().map(condition).transpose()?,
            possible: form.possible,
            certainty: form.certainty.unwrap_or(Certainty::Verified),
            why: form.why.as_str().into(),
            page: form.page.as_deref().map(Into::into),
            keys,
        })
    }

    fn on(&self, form: &OneOrMore, span: &Range<usize>) -> Result<On> {
        let [one] = &form.0[..] else {
            let arns = form.0.iter().map(|text| self.text(text, span));
            return Ok(On::Arns(arns.collect::<Result<_>>()?));
        };
        Ok(match one.as_str() {
            "*" => On::Any,
            "?" => On::NotTold,
            "bucket" => On::Bucket,
            "object" => On::Object,
            "prefix" => On::Prefix,
            "below" => On::Below,
            "repository" => On::Repository,
            "key" => On::Key,
            "role" => On::Role,
            arn if arn.starts_with("arn:") => On::Arns(vec![self.text(arn, span)?]),
            other => {
                let resource = other.to_owned();
                return Err(self.error(span, MappingProblem::UnknownResource { resource }));
            }
        })
    }

    /// The action exists, and takes what it is needed on.
    fn check_action(&self, name: &str, on: &On, span: &Range<usize>) -> Result<()> {
        let (service, short) = name.split_once(':').unwrap_or((name, ""));
        if short == "*" && self.catalogue.has_service(service) {
            return Ok(());
        }
        let Some(action) = self.catalogue.action(service, short) else {
            let action = name.to_owned();
            return Err(self.error(span, MappingProblem::UnknownAction { action }));
        };
        let taken = |wanted: &str| {
            let mut kinds = self.catalogue.resource_types(action);
            kinds.any(|kind| kind.name == wanted)
        };
        let not_taken = |kind: &str| {
            Err(self.error(
                span,
                MappingProblem::TypeNotTaken {
                    action: name.to_owned(),
                    kind: kind.to_owned(),
                },
            ))
        };
        match on {
            On::NotTold => Ok(()),
            On::Any => {
                let mut kinds = self.catalogue.resource_types(action);
                match kinds.find(|kind| kind.required) {
                    Some(_) => not_taken("*"),
                    None => Ok(()),
                }
            }
            On::Arns(arns) => {
                for arn in arns {
                    let form = arn.template.form();
                    let kind = self.catalogue.type_of_arn(service, &form);
                    if !kind.is_some_and(|kind| taken(kind.name)) {
                        return not_taken(kind.map_or(&*form, |kind| kind.name));
                    }
                }
                Ok(())
            }
            _ => match on.kind() {
                Some((of, kind)) if of != service || !taken(kind) => not_taken(kind),
                _ => Ok(()),
            },
        }
    }

    fn text(&self, text: &str, span: &Range<usize>) -> Result<Text> {
        let template = Template::parse(text);
        let mut variables = Vec::new();
        for name in template.variables() {
            variables.push(match &**name {
                "Value" => Variable::Value,
                "Of" => Variable::Of,
                field => Variable::Field(self.path(field, span)?),
            });
        }
        Ok(Text {
            template,
            variables,
        })
    }

    fn paths(&self, texts: &[String], span: &Range<usize>) -> Result<Vec<Path>> {
        texts.iter().map(|text| self.path(text, span)).collect()
    }

    fn path(&self, text: &str, span: &Range<usize>) -> Result<Path> {
        Path::parse(text).ok_or_else(|| {
            let path = text.to_owned();
            self.error(span, MappingProblem::Path { path })
        })
    }
}
