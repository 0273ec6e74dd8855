//! From an `eventSource` and an event's name to the service that authorizes it.

use rustc_hash::FxHashMap;

use super::compile::Compiler;
use super::condition::{Condition, Holds};
use super::error::{MappingError, MappingProblem};
use super::form::SourcesForm;
use super::template::Template;
use super::view::View;

/// The compiled `sources.toml`.
#[derive(Debug)]
pub(super) struct Sources {
    /// The IAM prefixes of an `eventSource`, in the order in which they are tried.
    prefixes: FxHashMap<Box<str>, Vec<Box<str>>>,
    /// `eventSource`s that services share, told apart by the record.
    shared: Vec<(Box<str>, Condition, Box<str>)>,
    without_action: Vec<Box<str>>,
    unlisted: Vec<(Box<str>, Template)>,
}

impl Sources {
    /// Checks and compiles the form.
    pub(super) fn compile(
        form: SourcesForm,
        compiler: &Compiler<'_>,
    ) -> Result<Self, MappingError> {
        let mut prefixes = FxHashMap::default();
        for (event_source, services) in form.sources {
            for service in &services.get_ref().0 {
                if !compiler.catalogue.has_service(service) {
                    return Err(compiler.source.error(
                        &services.span(),
                        MappingProblem::UnknownService {
                            service: service.clone(),
                        },
                    ));
                }
            }
            prefixes.insert(
                event_source.into_inner().into(),
                services
                    .into_inner()
                    .0
                    .into_iter()
                    .map(Into::into)
                    .collect(),
            );
        }
        let mut shared = Vec::new();
        for row in form.when {
            let service = row.service.get_ref().clone();
            if !compiler.catalogue.has_service(&service) {
                return Err(compiler.source.error(
                    &row.service.span(),
                    MappingProblem::UnknownService { service },
                ));
            }
            let condition = compiler.condition(
                row.when.get_ref(),
                &std::collections::BTreeMap::new(),
                &row.when.span(),
            )?;
            shared.push((row.event_source.into(), condition, service.into()));
        }
        let without_action = form
            .event_types_without_action
            .into_iter()
            .map(Into::into)
            .collect();
        let unlisted = form
            .unlisted_resources
            .into_iter()
            .map(|(name, arn)| (name.into(), Template::parse(&arn)))
            .collect();
        Ok(Self {
            prefixes,
            shared,
            without_action,
            unlisted,
        })
    }

    /// What AWS compares for actions of this service that have no resource type.
    pub(super) fn unlisted(&self, service: &str) -> FxHashMap<Box<str>, Template> {
        let of_service = |name: &str| name.split(':').next() == Some(service);
        self.unlisted
            .iter()
            .filter(|(name, _)| of_service(name))
            .cloned()
            .collect()
    }

    /// Why a record of this `eventType` is no call that IAM authorizes.
    pub(super) fn without_action(&self, event_type: &str) -> Option<&'static str> {
        let known = self
            .without_action
            .iter()
            .any(|kind| kind.eq_ignore_ascii_case(event_type));
        known.then_some("an event that is no API call of a principal")
    }

    /// The service of a record whose `eventSource` two services share.
    pub(super) fn told_apart(&self, event_source: &str, view: &View<'_, '_>) -> Option<&str> {
        let row = self.shared.iter().find(|(shared, condition, _)| {
            **shared == *event_source && condition.holds(view) == Holds::Yes
        })?;
        Some(&row.2)
    }

    /// The IAM prefixes under which the calls of an `eventSource` are authorized: by default the
    /// first part of its name.
    pub(super) fn prefixes<'s>(&'s self, event_source: &'s str) -> impl Iterator<Item = &'s str> {
        let listed = self.prefixes.get(event_source);
        let first = event_source.split('.').next().filter(|_| listed.is_none());
        listed
            .into_iter()
            .flatten()
            .map(|prefix| &**prefix)
            .chain(first)
    }
}

/// The event's name without the version that some services add: `CreateFunction20150331`,
/// `UpdateFunctionCode20150331v2`, `CreateFunction2020_05_31`.
pub(super) fn without_version(event: &str) -> Option<&str> {
    let bare = match event.rsplit_once('v') {
        Some((bare, digits))
            if !digits.is_empty()
                && digits.bytes().all(|byte| byte.is_ascii_digit())
                && ends_in_date(bare) =>
        {
            bare
        }
        _ => event,
    };
    let date = |length: usize, underscores: &[usize]| {
        let (name, date) = bare.split_at_checked(bare.len().checked_sub(length)?)?;
        let fits = date.bytes().enumerate().all(|(index, byte)| {
            if underscores.contains(&index) {
                byte == b'_'
            } else {
                byte.is_ascii_digit()
            }
        });
        (fits && !name.is_empty()).then_some(name)
    };
    date(10, &[4, 7]).or_else(|| date(8, &[]))
}

fn ends_in_date(text: &str) -> bool {
    text.len() > 8 && text.bytes().rev().take(8).all(|byte| byte.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::without_version;

    #[track_caller]
    fn check(event: &str, expect: Option<&str>) {
        assert_eq!(without_version(event), expect);
    }

    #[test]
    fn versions_are_dates() {
        check("CreateFunction20150331", Some("CreateFunction"));
        check("UpdateFunctionCode20150331v2", Some("UpdateFunctionCode"));
        check("CreateFunction2020_05_31", Some("CreateFunction"));
        check("ListObjectsV2", None);
        check("CreateAutoMLJobV2", None);
        check("20150331", None);
        check("GetX2015", None);
    }
}
