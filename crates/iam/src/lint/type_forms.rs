//! The forms of resource types' ARNs, made once for each linter and not for each statement.

use std::sync::{Arc, Mutex, PoisonError};

use rustc_hash::FxHashMap;

use super::action::service_of;
use super::resource::TypeForm;
use crate::{Action, Catalogue};

/// The forms of one template: the reference has several ARNs in some.
type Forms = Arc<[TypeForm]>;

/// The forms of the templates that were asked for.
///
/// # Memory
/// At most those of all the catalogue's resource types, and references to them for each of its actions.
#[derive(Debug)]
pub(super) struct TypeForms<'c> {
    catalogue: &'c Catalogue,
    /// By service and template.
    by_template: Mutex<FxHashMap<(&'c str, &'c str), Forms>>,
    /// Of the types that an action acts on, by its name: thousands of statements are about the same few.
    of_action: Mutex<FxHashMap<&'c str, Arc<[Forms]>>>,
    /// Of all types that are of the service that their ARNs name, by service.
    of_service: Mutex<FxHashMap<String, Arc<ServiceForms<'c>>>>,
}

/// All resource types of a service.
#[derive(Debug)]
pub(super) struct ServiceForms<'c> {
    /// As the catalogue has them.
    pub(super) templates: Vec<&'c str>,
    /// Their forms.
    pub(super) forms: Vec<Forms>,
}

impl<'c> TypeForms<'c> {
    pub(super) fn new(catalogue: &'c Catalogue) -> Self {
        Self {
            catalogue,
            by_template: Mutex::default(),
            of_action: Mutex::default(),
            of_service: Mutex::default(),
        }
    }

    pub(super) fn catalogue(&self) -> &'c Catalogue {
        self.catalogue
    }

    /// The forms of the resources that an action acts on; none for one that supports only `*`.
    pub(super) fn of_action(&self, action: Action<'c>) -> Arc<[Forms]> {
        let mut known = self
            .of_action
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let forms = known.entry(action.full_name).or_insert_with(|| {
            let service = service_of(&action);
            self.catalogue
                .resource_types(action)
                .filter_map(|used| self.catalogue.resource_type(service, used.name))
                .map(|resource_type| self.of_template(service, resource_type.arn))
                .collect()
        });
        Arc::clone(forms)
    }

    /// The forms of one template of a service.
    fn of_template(&self, service: &'c str, template: &'c str) -> Forms {
        // Whoever panicked while it held this left a map of whole entries.
        let mut known = self
            .by_template
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        let forms = known
            .entry((service, template))
            .or_insert_with(|| TypeForm::all(template, self.catalogue, service).into());
        Arc::clone(forms)
    }

    /// What ARNs that name this service look like.
    pub(super) fn of_service(&self, service: &str) -> Arc<ServiceForms<'c>> {
        let mut known = self
            .of_service
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        if let Some(forms) = known.get(service) {
            return Arc::clone(forms);
        }
        let templates: Vec<&'c str> = self
            .catalogue
            .all_resource_types(service)
            .map(|resource_type| resource_type.arn)
            .filter(|arn| arn.split(':').nth(2) == Some(service))
            .collect();
        let forms = templates
            .iter()
            .map(|template| TypeForm::all(template, self.catalogue, service).into());
        let forms = Arc::new(ServiceForms {
            forms: forms.collect(),
            templates,
        });
        // What no service is called would be kept for nothing, and is whatever somebody wrote.
        if !forms.templates.is_empty() {
            known.insert(service.to_owned(), Arc::clone(&forms));
        }
        forms
    }
}
