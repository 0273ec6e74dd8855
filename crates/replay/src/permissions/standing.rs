//! The state of one action that nothing shows to be used.

use retrial_cloudtrail::Timestamp;
use retrial_iam::{AttachedPolicy, Layer, PolicySource, Principal, PrincipalKind};

use super::account::Account;
use super::days::DAY;
use super::derive::Deriver;
use super::documents::Statement;
use super::observed::{Window, days_between};
use super::uses::Use;
use super::{PermissionReason, PermissionState};

/// For how long AWS tracks what is used, in days.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html>
pub(super) const TRACKING_DAYS: i64 = 400;

/// What is special about a principal's permissions by one attachment of a policy.
#[derive(Clone, Copy)]
pub(super) struct Standing<'p> {
    pub(super) principal: &'p Principal,
    pub(super) limits: usize,
    /// Since when the permissions are there, where that is after the logs begin; and what tells it.
    pub(super) born: Option<(i64, PermissionReason)>,
    /// Since when, and until when, AWS says that the role was not used.
    pub(super) idle: Option<(i64, i64)>,
    /// Whether AWS tells of its use service by service.
    pub(super) told: bool,
}

impl Standing<'_> {
    /// Whether what follows for it follows for every principal of the account under the same limits.
    pub(super) fn is_plain(&self) -> bool {
        self.born.is_none() && self.idle.is_none() && !self.told
    }
}

/// The state of a permission, and what would have been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Found {
    pub(super) state: PermissionState,
    pub(super) reason: Option<PermissionReason>,
    pub(super) window: Option<Window>,
    /// What AWS says is the last use.
    pub(super) last: Option<i64>,
}

impl Found {
    pub(super) fn plain(state: PermissionState, reason: Option<PermissionReason>) -> Self {
        Self {
            state,
            reason,
            window: None,
            last: None,
        }
    }

    pub(super) fn unused(window: Window, reason: Option<PermissionReason>) -> Self {
        Self {
            window: Some(window),
            ..Self::plain(PermissionState::Unused, reason)
        }
    }
}

/// What there is to say of an action, whoever may do it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// Limits take it away.
    Blocked(PermissionReason),
    /// For how long its use would have been seen, or why not.
    Observed(Result<Window, PermissionReason>),
}

/// What last-accessed information says of an action.
pub(super) enum Accessed {
    At(i64),
    NotSince(i64, i64),
}

pub(super) fn micros(text: &str) -> Option<i64> {
    Timestamp::parse(text).map(Timestamp::micros)
}

impl<'d, 's> Deriver<'d, 's> {
    /// The state of one action that nothing shows to be used.
    pub(super) fn found(
        &self,
        account: &mut Account<'d, 's>,
        standing: Standing<'s>,
        (action, statement): (u32, &Statement<'s>),
        undetermined: Option<&Use>,
    ) -> Found {
        let seen = self.seen(account, standing.limits, (action, statement));
        if undetermined.is_some() && !matches!(seen, Seen::Blocked(_)) {
            let reason = PermissionReason::UndeterminedUse;
            return Found::plain(PermissionState::Unobservable, Some(reason));
        }
        let name = self.actions.name(action);
        self.found_of(account, standing, (seen, name))
    }

    /// What there is to say of an action of a statement whoever of the account has it under these limits.
    pub(super) fn seen(
        &self,
        account: &mut Account<'d, 's>,
        limits: usize,
        (action, statement): (u32, &Statement<'s>),
    ) -> Seen {
        match account.blocks(limits, (action, self.actions.name(action))) {
            Some(Layer::Scp) => Seen::Blocked(PermissionReason::Scp),
            Some(_) => Seen::Blocked(PermissionReason::PermissionsBoundary),
            None => Seen::Observed(account.observe(action, statement, self.actions)),
        }
    }

    /// The state of an action by what is to say of it whoever has it. Its name matters to those alone of whom AWS
    /// tells service by service.
    pub(super) fn found_of(
        &self,
        account: &Account<'d, 's>,
        standing: Standing<'s>,
        (seen, name): (Seen, &str),
    ) -> Found {
        let observed = match seen {
            Seen::Blocked(reason) => return Found::plain(PermissionState::Blocked, Some(reason)),
            Seen::Observed(observed) => observed,
        };
        let since_born = observed.map(|window| match standing.born {
            Some((born, _)) if born > window.begin => account.observer.from(born).unwrap_or(window),
            _ => window,
        });
        if let Ok(window) = since_born
            && window.days >= self.inputs.options.min_window_days
        {
            return Found::unused(window, None);
        }
        if let Some(told) = self.told(standing, name) {
            return told;
        }
        match (observed, since_born) {
            (Ok(whole), Ok(window)) => self.too_short(whole, window, standing),
            (Err(reason), _) | (_, Err(reason)) => {
                Found::plain(PermissionState::Unobservable, Some(reason))
            }
        }
    }

    /// Nothing was seen, and not for long enough.
    pub(super) fn too_short(&self, whole: Window, window: Window, standing: Standing<'_>) -> Found {
        let is_long = whole.days >= self.inputs.options.min_window_days;
        let (state, reason) = match standing.born.filter(|_| is_long) {
            Some((_, reason)) => (PermissionState::TooNew, Some(reason)),
            None => (PermissionState::WindowTooShort, None),
        };
        Found {
            state,
            reason,
            window: Some(window),
            last: None,
        }
    }

    /// What AWS's own information says, where the log does not.
    pub(super) fn told(&self, standing: Standing<'_>, action: &str) -> Option<Found> {
        let accessed = match standing.told {
            true => self.last_accessed(standing.principal, action),
            false => None,
        };
        let told = match accessed {
            Some(Accessed::At(time)) => {
                let reason = PermissionReason::LastAccessed;
                return Some(Found {
                    last: Some(time),
                    ..Found::plain(PermissionState::Used, Some(reason))
                });
            }
            Some(Accessed::NotSince(begin, end)) => {
                Some((begin, end, PermissionReason::LastAccessed))
            }
            None => None,
        };
        let idle = standing
            .idle
            .map(|(begin, end)| (begin, end, PermissionReason::RoleNotUsed));
        let (begin, end, reason) = told.or(idle)?;
        let window = |begin: i64| Window {
            begin,
            end,
            days: days_between(begin, end),
        };
        let whole = window(begin);
        let since_born = standing
            .born
            .map_or(whole, |(born, _)| window(begin.max(born)));
        let min = self.inputs.options.min_window_days;
        if since_born.days >= min {
            return Some(Found::unused(since_born, Some(reason)));
        }
        (whole.days >= min).then(|| self.too_short(whole, since_born, standing))
    }

    pub(super) fn last_accessed(&self, principal: &Principal, action: &str) -> Option<Accessed> {
        let information = self.inputs.snapshot.last_accessed(&principal.arn)?;
        let (service, name) = action.split_once(':')?;
        let service = information.services.get(service)?;
        let end = information.created.as_deref().and_then(micros);
        let end = end.unwrap_or_else(|| self.taken());
        let tracked_since = end - TRACKING_DAYS * DAY;
        let recent = self.now - self.min_window();
        let last_used = service.last_used.as_deref().and_then(micros);
        match service.actions.get(&name.to_ascii_lowercase()) {
            Some(Some(time)) => {
                let time = micros(time)?;
                Some(match time >= recent {
                    true => Accessed::At(time),
                    false => Accessed::NotSince(time, end),
                })
            }
            Some(None) => Some(Accessed::NotSince(tracked_since, end)),
            // Of the action nothing is told; of the service, that it was not used at all.
            None if service.last_used.is_none() => Some(Accessed::NotSince(tracked_since, end)),
            None => last_used
                .filter(|time| *time < recent)
                .map(|time| Accessed::NotSince(time, end)),
        }
    }

    /// Since when, and until when, AWS says that a role was not used (`RoleLastUsed`).
    pub(super) fn idle(&self, principal: &Principal) -> Option<(i64, i64)> {
        let last = self.inputs.snapshot.role_use(&principal.arn)?;
        let taken = self.taken();
        let tracked_since = taken - TRACKING_DAYS * DAY;
        Some((last.and_then(micros).unwrap_or(tracked_since), taken))
    }

    /// When the snapshot was taken; without a word on it, now.
    pub(super) fn taken(&self) -> i64 {
        let taken = self.inputs.snapshot.taken_at().and_then(micros);
        taken.unwrap_or(self.now)
    }

    pub(super) fn min_window(&self) -> i64 {
        let days = i64::try_from(self.inputs.options.min_window_days).unwrap_or(i64::MAX);
        days.saturating_mul(DAY)
    }

    /// Since when the permissions of an attached policy are there, where that is later than what could
    /// have been seen of them.
    pub(super) fn born(
        &self,
        account: &Account<'_, '_>,
        (principal, attached): (&Principal, &AttachedPolicy),
        is_told: bool,
    ) -> Option<(i64, PermissionReason)> {
        let created = principal.created.as_deref().and_then(micros);
        let (id, name) = attached
            .id
            .split_once('#')
            .map_or((&*attached.id, None), |(owner, name)| (owner, Some(name)));
        let version = match name {
            Some(_) => None,
            None => self
                .inputs
                .snapshot
                .policy_version_created(id)
                .and_then(micros),
        };
        let kind = match principal.kind {
            PrincipalKind::User => "user",
            PrincipalKind::Role | PrincipalKind::Root => "role",
        };
        let owner = match &attached.source {
            PolicySource::Group(arn) => {
                format!("group/{}", arn.rsplit('/').next().unwrap_or_default())
            }
            _ => format!("{kind}/{}", principal.name),
        };
        let put = self
            .inputs
            .writes
            .put(&principal.account, &owner, name.unwrap_or(id));
        let known = [
            created.map(|time| (time, PermissionReason::NewPrincipal)),
            version.map(|time| (time, PermissionReason::NewPolicyVersion)),
            put.map(|time| (time, PermissionReason::NewPolicy)),
        ];
        let born = known.into_iter().flatten().max_by_key(|(time, _)| *time)?;
        let first = account.observer.first();
        (is_told || first.is_some_and(|first| born.0 > first)).then_some(born)
    }
}
