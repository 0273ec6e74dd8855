//! One row, before it is written.

use std::cmp::Ordering;
use std::rc::Rc;

use retrial_iam::{AttachedPolicy, PolicySource, PolicyUnavailable, Principal, PrincipalKind};

use super::standing::Found;
use super::uses::Use;
use super::{Permission, PermissionReason, PermissionState};

/// One row, before it is written.
pub(super) struct Row<'r> {
    pub(super) policy: &'r AttachedPolicy,
    pub(super) statement: Option<(u32, Option<&'r str>)>,
    pub(super) subject: Subject<'r>,
    pub(super) found: Found,
    /// What is found where what used it is left out.
    pub(super) otherwise: (PermissionState, Option<PermissionReason>),
    pub(super) used: Option<&'r Use>,
}

/// What a row is about.
#[derive(Default)]
pub(super) struct Subject<'r> {
    pub(super) service: Option<&'r str>,
    pub(super) action: Option<&'r str>,
    pub(super) actions: u64,
    pub(super) set: Option<Rc<str>>,
}

impl<'r> Subject<'r> {
    pub(super) fn action(name: &'r str, actions: u64) -> Self {
        Self {
            service: name.split_once(':').map(|(service, _)| service),
            action: Some(name),
            actions,
            set: None,
        }
    }
}

impl<'r> Row<'r> {
    pub(super) fn of_unavailable(
        policy: &'r AttachedPolicy,
        unavailable: PolicyUnavailable,
    ) -> Self {
        let reason = match unavailable {
            PolicyUnavailable::NotCollected => PermissionReason::PolicyNotCollected,
            PolicyUnavailable::Unreadable => PermissionReason::PolicyUnreadable,
        };
        Row {
            policy,
            statement: None,
            subject: Subject::default(),
            found: Found::plain(PermissionState::Unobservable, Some(reason)),
            otherwise: (PermissionState::Unobservable, Some(reason)),
            used: None,
        }
    }

    pub(super) fn group(&self) -> Option<&'r str> {
        match &self.policy.source {
            PolicySource::Group(arn) => Some(arn),
            _ => None,
        }
    }

    /// The order of the table, and of equal rows.
    pub(super) fn order(&self, other: &Self) -> Ordering {
        let policy = |row: &Self| (&*row.policy.id, row.group());
        // Most neighbours are of one attachment.
        let by_policy = match std::ptr::eq(self.policy, other.policy) {
            true => Ordering::Equal,
            false => policy(self).cmp(&policy(other)),
        };
        let rest = |row: &Self| {
            let index = row.statement.map(|(index, _)| index);
            (index, row.subject.service, row.subject.action, row.found)
        };
        by_policy.then_with(|| rest(self).cmp(&rest(other)))
    }

    pub(super) fn permission(&'r self, principal: &'r Principal) -> Permission<'r> {
        let window = self.found.window;
        let last = self.used.and_then(|used| used.last);
        Permission {
            account_id: &principal.account,
            principal_arn: &principal.arn,
            principal_type: match principal.kind {
                PrincipalKind::User => "user",
                PrincipalKind::Role | PrincipalKind::Root => "role",
            },
            policy: &self.policy.id,
            attachment: match self.policy.source {
                PolicySource::Group(_) => "group",
                PolicySource::Managed => "managed",
                _ => "inline",
            },
            group_arn: self.group(),
            statement_index: self.statement.map(|(index, _)| index),
            sid: self.statement.and_then(|(_, sid)| sid),
            service: self.subject.service,
            action: self.subject.action,
            actions: self.subject.actions,
            action_set: self.subject.set.as_deref(),
            state: self.found.state,
            reason: self.found.reason,
            otherwise: self.otherwise,
            calls: self.used.map_or(0, |used| used.calls),
            first_time: self.used.and_then(|used| used.first),
            last_time: self.found.last.or(last),
            days: self.used.map_or(0, |used| used.days.len()),
            window_begin: window.map(|window| window.begin),
            window_end: window.map(|window| window.end),
            window_days: window.map_or(0, |window| window.days),
        }
    }
}
