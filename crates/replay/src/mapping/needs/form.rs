//! The form of a file of needs, exactly as a reviewer reads it.
//!
//! `crates/replay/mapping/needs/README.md` is its documentation. Everything here is strict: a name
//! that the form does not know is an error with its line.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use crate::mapping::Certainty;
use crate::mapping::form::OneOrMore;

/// One service's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct NeedsForm {
    /// The IAM prefix of the service whose jobs these are.
    pub(super) service: Spanned<String>,
    /// The AWS pages behind the rows.
    pub(super) pages: Vec<String>,
    /// Rows by the name under which jobs use them.
    pub(super) rows: BTreeMap<Spanned<String>, Vec<Spanned<RowForm>>>,
    pub(super) jobs: Vec<Spanned<JobForm>>,
}

/// What the events of a kind will need.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct JobForm {
    /// Event names.
    pub(super) events: String,
    /// AWS's page about them.
    pub(super) page: String,
    /// Where in the request the job is described; by default the whole of it.
    #[serde(default)]
    pub(super) at: OneOrMore,
    /// The fields with the role.
    #[serde(default)]
    pub(super) role: OneOrMore,
    /// The service that acts in its own name instead.
    pub(super) principal: Option<String>,
    /// The thing that has the role, where other requests name only the thing.
    pub(super) of: Option<String>,
    pub(super) needs: Vec<Spanned<UseForm>>,
}

/// Rows, as a job uses them.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct UseForm {
    /// Names of rows.
    pub(super) rows: String,
    /// Where in the job their fields are.
    pub(super) at: Option<String>,
    /// What `${Of}` stands for.
    pub(super) of: Option<String>,
    /// How sure they are here at most.
    pub(super) certainty: Option<Certainty>,
}

/// One thing that is needed.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct RowForm {
    /// `service:Name`, or `service:*`.
    pub(super) actions: OneOrMore,
    /// On what: a form of [`super::plan::On`] by name, or ARNs.
    pub(super) on: OneOrMore,
    /// Another spelling of the ARN, with which AWS may compare it.
    pub(super) or: Option<String>,
    /// The fields that say on what; each value is one.
    #[serde(default)]
    pub(super) from: OneOrMore,
    /// Needed only when this holds.
    pub(super) when: Option<String>,
    /// Needed only under a circumstance that the request does not show.
    #[serde(default)]
    pub(super) possible: bool,
    pub(super) certainty: Option<Certainty>,
    /// What in the job needs it.
    pub(super) why: String,
    /// AWS's page about it, where it is another than the job's.
    pub(super) page: Option<String>,
    /// Condition keys that the request will have.
    #[serde(default)]
    pub(super) keys: BTreeMap<String, String>,
}
