//! The states of a permission.

/// Whether a permission is used, as far as can be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PermissionState {
    /// A request of the window was allowed by it.
    Used,
    /// It would have been seen, for long enough, and was not.
    Unused,
    /// It would have been seen and was not, and the window is shorter than asked for.
    WindowTooShort,
    /// It is younger than that.
    TooNew,
    /// A collected permissions boundary or service control policy takes it away whole.
    Blocked,
    /// Nobody would have seen it.
    Unobservable,
}

impl PermissionState {
    /// All of them, in the order of reports.
    pub const ALL: [PermissionState; 6] = [
        Self::Used,
        Self::Unused,
        Self::WindowTooShort,
        Self::TooNew,
        Self::Blocked,
        Self::Unobservable,
    ];

    /// The one of this name.
    pub fn of_name(name: &str) -> Option<PermissionState> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Used => "used",
            Self::Unused => "unused",
            Self::WindowTooShort => "window_too_short",
            Self::TooNew => "too_new",
            Self::Blocked => "blocked",
            Self::Unobservable => "unobservable",
        }
    }
}

/// Why a permission is in its state.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PermissionReason {
    /// Used, or unused, as AWS's last-accessed information says, and no record of the window.
    LastAccessed,
    /// `RoleLastUsed`: nobody has used the role for longer than the window asked for.
    RoleNotUsed,
    /// Too new: the principal was made after the window began.
    NewPrincipal,
    /// Too new: the policy's version was made after the window began.
    NewPolicyVersion,
    /// Too new: a recorded write put the inline policy there, or attached the policy.
    NewPolicy,
    /// Blocked by the permissions boundary.
    PermissionsBoundary,
    /// Blocked by a service control policy.
    Scp,
    /// Unobservable: nothing of the account was delivered.
    NoLogs,
    /// Unobservable: the run left out calls by a filter.
    FilteredOut,
    /// Unobservable: a data event, and no trail is known to record it.
    DataEventsNotRecorded,
    /// Unobservable: trails leave out such management events.
    ManagementEventsNotRecorded,
    /// Unobservable: trails record it for some resources or callers only.
    RecordedInPart,
    /// Unobservable: CloudTrail records no call that asks for it, as far as is known.
    NeverRecorded,
    /// Unobservable: an action that the catalogue does not have.
    UnknownAction,
    /// Unobservable: some Regions in which it may be used are not known to be recorded.
    RegionsNotObserved,
    /// Unobservable: calls asked for it, and whether this statement let them is not determined.
    UndeterminedUse,
    /// Unobservable: the policy's document was not collected.
    PolicyNotCollected,
    /// Unobservable: the policy's document could not be read.
    PolicyUnreadable,
}

impl PermissionReason {
    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::LastAccessed => "last_accessed",
            Self::RoleNotUsed => "role_not_used",
            Self::NewPrincipal => "new_principal",
            Self::NewPolicyVersion => "new_policy_version",
            Self::NewPolicy => "new_policy",
            Self::PermissionsBoundary => "permissions_boundary",
            Self::Scp => "scp",
            Self::NoLogs => "no_logs",
            Self::FilteredOut => "filtered_out",
            Self::DataEventsNotRecorded => "data_events_not_recorded",
            Self::ManagementEventsNotRecorded => "management_events_not_recorded",
            Self::RecordedInPart => "recorded_in_part",
            Self::NeverRecorded => "never_recorded",
            Self::UnknownAction => "unknown_action",
            Self::RegionsNotObserved => "regions_not_observed",
            Self::UndeterminedUse => "undetermined_use",
            Self::PolicyNotCollected => "policy_not_collected",
            Self::PolicyUnreadable => "policy_unreadable",
        }
    }
}
