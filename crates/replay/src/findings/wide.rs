//! What statements about all resources are used for.

use std::collections::BTreeSet;

use retrial_iam::{Principal, StatementRef, StatementView};
use rustc_hash::FxHashMap;

use super::kept::{Calls, Join};
use crate::CallRequest;
use crate::seen_call::SeenCall;

/// Resources, or prefixes, that are told apart; of a statement used for more there is nothing to say.
pub(crate) const MOST_PREFIXES: usize = 3;
/// Actions of a statement that are told apart.
const MOST_ACTIONS: usize = 200;

/// Use of statements about all resources.
///
/// # Memory
/// Some texts per principal, statement of the snapshot and action.
#[derive(Debug, Default)]
pub(crate) struct WideUse<'s> {
    statements: FxHashMap<Place<'s>, Option<Wide>>,
}

/// A statement of one principal.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place<'s> {
    pub(crate) principal_arn: &'s str,
    pub(crate) policy: &'s str,
    pub(crate) index: u32,
}

/// How a statement about all resources was used.
#[derive(Debug, Default)]
pub(crate) struct Wide {
    pub(crate) calls: Calls,
    pub(crate) resources: Few,
    pub(crate) prefixes: Few,
    pub(crate) actions: BTreeSet<String>,
    /// An action was used that acts on no resource, or on one that is not known.
    pub(crate) needs_all: bool,
}

/// A few texts, the first in the order of bytes, and whether there are others.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Few {
    pub(crate) texts: BTreeSet<String>,
    pub(crate) more: bool,
}

impl Few {
    fn see(&mut self, text: &str) {
        if self.texts.contains(text) {
            return;
        }
        let is_last = self.texts.last().is_some_and(|last| text > last.as_str());
        if self.texts.len() >= MOST_PREFIXES && is_last {
            self.more = true;
            return;
        }
        self.texts.insert(text.to_owned());
        self.trim();
    }

    fn join(&mut self, other: Few) {
        self.texts.extend(other.texts);
        self.more |= other.more;
        self.trim();
    }

    fn trim(&mut self) {
        while self.texts.len() > MOST_PREFIXES {
            self.texts.pop_last();
            self.more = true;
        }
    }
}

impl<'s> WideUse<'s> {
    /// Takes in a request that a statement allowed.
    pub(crate) fn see(
        &mut self,
        principal: &'s Principal,
        statement: &StatementRef<'_>,
        request: &CallRequest<'_>,
        seen: &SeenCall<'_>,
    ) {
        let found = principal
            .identity
            .iter()
            .find(|policy| *policy.id == *statement.policy);
        let Some(policy) = found else { return };
        let place = Place {
            principal_arn: &principal.arn,
            policy: &policy.id,
            index: statement.index,
        };
        let wide = self.statements.entry(place).or_insert_with(|| {
            let view = policy.policy.as_ref().ok()?.statement(statement.index)?;
            is_about_all(&view).then(Wide::default)
        });
        if let Some(wide) = wide {
            wide.see(request, seen);
        }
    }

    pub(crate) fn merge(&mut self, later: WideUse<'s>) {
        for (place, wide) in later.statements {
            let known = self.statements.entry(place).or_insert(None);
            match (known.as_mut(), wide) {
                (Some(known), Some(wide)) => known.join(wide),
                (None, Some(wide)) => *known = Some(wide),
                (_, None) => {}
            }
        }
    }

    /// The statements about all resources that were used, in order.
    pub(crate) fn used(&self) -> Vec<(Place<'s>, &Wide)> {
        let statements = self.statements.iter();
        let mut used: Vec<_> = statements
            .filter_map(|(place, wide)| Some((*place, wide.as_ref()?)))
            .collect();
        used.sort_unstable_by_key(|(place, _)| *place);
        used
    }
}

impl Wide {
    fn see(&mut self, request: &CallRequest<'_>, seen: &SeenCall<'_>) {
        self.calls.see(seen.event_time, seen.event_id);
        if !self.actions.contains(request.action) {
            self.actions.insert(request.action.to_owned());
            if self.actions.len() > MOST_ACTIONS {
                self.actions.pop_last();
            }
        }
        if request.resource_arn == "*" || !request.resource_known {
            self.needs_all = true;
            return;
        }
        // Two resources that nobody told apart so far make no difference any more.
        if !(self.resources.more && self.prefixes.more) {
            self.resources.see(request.resource_arn);
            self.prefixes.see(&prefix_of(request.resource_arn));
        }
    }

    fn join(&mut self, other: Wide) {
        self.calls.join(other.calls);
        self.resources.join(other.resources);
        self.prefixes.join(other.prefixes);
        self.actions.extend(other.actions);
        while self.actions.len() > MOST_ACTIONS {
            self.actions.pop_last();
        }
        self.needs_all |= other.needs_all;
    }
}

/// Whether a statement's `Resource` is everything, or everything of a service.
pub(crate) fn is_about_all(view: &StatementView<'_>) -> bool {
    !view.is_not_resource()
        && view.resources().any(|resource| {
            resource == "*" || {
                let mut parts = resource.splitn(6, ':');
                parts.nth(5) == Some("*")
            }
        })
}

/// What an ARN and its neighbours begin with, then `*`: of an S3 object its bucket and its first folder,
/// of another resource its first folder, where its name has any; else the ARN itself.
///
/// What comes before the name says no more than the kind of resource: `training-job/*` is all of them.
pub(crate) fn prefix_of(arn: &str) -> String {
    let resource_at = arn
        .match_indices(':')
        .nth(4)
        .map_or(0, |(place, _)| place + 1);
    let (head, resource) = arn.split_at_checked(resource_at).unwrap_or((arn, ""));
    let slashes: Vec<usize> = resource
        .match_indices('/')
        .map(|(place, _)| place + 1)
        .collect();
    // `log-group:/aws/sagemaker/…` begins with one.
    let is_path = resource.contains(":/");
    let cut = match head.contains(":s3:") {
        true => slashes.get(1).or(slashes.first()),
        false if is_path => slashes.get(2),
        false => slashes.get(1),
    };
    match cut.and_then(|cut| resource.get(..*cut)) {
        Some(prefix) => format!("{head}{prefix}*"),
        None => arn.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prefixes() {
        let check = |arn: &str, expect: &str| assert_eq!(prefix_of(arn), expect);
        check(
            "arn:aws:s3:::data/raw/2026/a.csv",
            "arn:aws:s3:::data/raw/*",
        );
        check("arn:aws:s3:::data/a.csv", "arn:aws:s3:::data/*");
        check("arn:aws:s3:::data", "arn:aws:s3:::data");
        check(
            "arn:aws:sagemaker:eu-west-1:111122223333:training-job/churn-1",
            "arn:aws:sagemaker:eu-west-1:111122223333:training-job/churn-1",
        );
        check(
            "arn:aws:ecr:eu-west-1:111122223333:repository/legacy/scorer",
            "arn:aws:ecr:eu-west-1:111122223333:repository/legacy/*",
        );
        check(
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/sagemaker/jobs:log-stream:a/b",
            "arn:aws:logs:eu-west-1:111122223333:log-group:/aws/sagemaker/*",
        );
        check("*", "*");
    }
}
