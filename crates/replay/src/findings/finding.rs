//! A finding.

use std::collections::BTreeMap;
use std::fmt::Write;

use sha2::{Digest, Sha256};

use super::kind::{Cause, FindingKind, FindingSeverity};

/// Something for a person to act on, with its evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub kind: FindingKind,
    /// How much it matters.
    pub severity: FindingSeverity,
    /// The account of the principal, or else of the policy or resource.
    pub account_id: Option<String>,
    /// The user or role.
    pub principal_arn: Option<String>,
    /// The managed policy's ARN, or `<principal or group ARN>#<name>` for an inline policy.
    pub policy: Option<String>,
    /// The statement's index in the document, from 0.
    pub statement_index: Option<u32>,
    /// Its `Sid`.
    pub sid: Option<String>,
    /// The action.
    pub action: Option<String>,
    /// The resource, or what several have in common.
    pub resource_arn: Option<String>,
    /// Why calls would be answered otherwise.
    pub cause: Option<Cause>,
    /// Who is to act, by a tag of the principal.
    pub owner: Option<String>,
    /// What was found, in one line.
    pub message: String,
    /// What to do about it, in one line.
    pub remedy: String,
    /// The calls that show it.
    pub calls: u64,
    /// The first of them, in microseconds since the epoch.
    pub first_time: Option<i64>,
    /// The last of them.
    pub last_time: Option<i64>,
    /// On how many days they were made.
    pub days: u64,
    /// Some of them, by event id, the latest last.
    pub event_ids: Vec<String>,
    /// Lists that belong to it, by name: `resources`, `actions`, `services`, `statements`, …
    pub details: BTreeMap<&'static str, Vec<String>>,
    /// Why reports do not show it; `None` where they do.
    pub hidden: Option<Hidden>,
}

/// Why a finding is not shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Hidden {
    /// Of a service-linked role: nobody can change it.
    ServiceLinkedRole,
    /// An exclusion covers it: its reason.
    Excluded(String),
}

impl Hidden {
    /// As the table has it.
    pub fn text(&self) -> String {
        match self {
            Self::ServiceLinkedRole => "service_linked_role".to_owned(),
            Self::Excluded(reason) => format!("excluded: {reason}"),
        }
    }
}

/// How many entries a list of a finding has at most; a last entry says how many are left out.
pub(crate) const MOST_ENTRIES: usize = 50;

impl Finding {
    /// A finding that says no more than this.
    pub(crate) fn new(
        kind: FindingKind,
        severity: FindingSeverity,
        message: String,
        remedy: impl Into<String>,
    ) -> Finding {
        Finding {
            kind,
            severity,
            account_id: None,
            principal_arn: None,
            policy: None,
            statement_index: None,
            sid: None,
            action: None,
            resource_arn: None,
            cause: None,
            owner: None,
            message,
            remedy: remedy.into(),
            calls: 0,
            first_time: None,
            last_time: None,
            days: 0,
            event_ids: Vec::new(),
            details: BTreeMap::new(),
            hidden: None,
        }
    }

    /// With the principal that it is about.
    pub(crate) fn of(mut self, arn: &str) -> Finding {
        self.account_id = arn.split(':').nth(4).map(str::to_owned);
        self.principal_arn = Some(arn.to_owned());
        self
    }

    /// With a list; nothing where it is empty.
    pub(crate) fn list<T: Into<String>>(
        self,
        name: &'static str,
        entries: impl IntoIterator<Item = T>,
    ) -> Finding {
        let entries: Vec<String> = entries.into_iter().map(Into::into).collect();
        let all = entries.len() as u64;
        self.list_of(name, entries, all)
    }

    /// The first of so many entries.
    pub(crate) fn list_of(
        mut self,
        name: &'static str,
        mut entries: Vec<String>,
        all: u64,
    ) -> Finding {
        entries.truncate(MOST_ENTRIES);
        let more = all.saturating_sub(entries.len() as u64);
        if more > 0 {
            entries.push(format!("{more} more"));
        }
        if !entries.is_empty() {
            self.details.insert(name, entries);
        }
        self
    }

    /// The name of what makes it the same finding next week: 16 hex digits.
    ///
    /// Counts, times, samples and words are no part of it, nor is the place of a statement that has a
    /// `Sid`, nor what resources that are folded have in common: that changes with every call.
    pub fn id(&self) -> String {
        let statement = match (&self.sid, self.statement_index) {
            (Some(sid), _) => Some(format!("sid {sid}")),
            (None, Some(index)) => Some(format!("index {index}")),
            (None, None) => None,
        };
        let parts = [
            Some(self.kind.name()),
            self.account_id.as_deref(),
            self.principal_arn.as_deref(),
            self.policy.as_deref(),
            statement.as_deref(),
            self.action.as_deref(),
            self.resource_arn
                .as_deref()
                .filter(|_| self.kind.is_about_one_resource()),
            self.cause.map(Cause::name),
        ];
        let mut hash = Sha256::new();
        for part in parts {
            // A length before each, so that no two lists of parts are the same bytes.
            let length = part.map_or(u64::MAX, |part| part.len() as u64);
            hash.update(length.to_le_bytes());
            hash.update(part.unwrap_or_default());
        }
        hash.finalize()
            .iter()
            .take(8)
            .fold(String::with_capacity(16), |mut id, byte| {
                // Writing to a `String` cannot fail.
                let _ = write!(id, "{byte:02x}");
                id
            })
    }

    /// The order of reports: what matters most first, then what has most calls.
    pub(crate) fn rank(&self) -> impl Ord + use<'_> {
        (
            self.severity,
            self.kind,
            std::cmp::Reverse(self.calls),
            &self.principal_arn,
            &self.action,
            (&self.policy, self.statement_index, &self.resource_arn),
            self.cause,
        )
    }
}
