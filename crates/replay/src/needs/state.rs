//! The states of a need, and what stands in the way of two of them.

/// What came of a need.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeedState {
    /// The role may do it.
    Present,
    /// The job needs it, and the role may not do it.
    Missing,
    /// The role may do it, and no need covers it.
    Excess,
    /// Nobody can tell.
    Unverifiable,
}

impl NeedState {
    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::Present => "present",
            Self::Missing => "missing",
            Self::Excess => "excess",
            Self::Unverifiable => "unverifiable",
        }
    }
}

/// Why a need is unverifiable.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum NeedDoubt {
    /// The request does not name the role.
    RoleNotTold,
    /// The role's account was not collected.
    RoleNotInSnapshot,
    /// The account was collected, and has no such role.
    RoleDeleted,
    /// It is not allowed, and whether the job needs it depends on what the request does not show.
    MayNotNeed,
    /// The role may do it on some of what the request can mean.
    ResourceNotTold,
    /// It depends on condition keys that nobody knows.
    UnknownKeys,
    /// It depends on layers that were not collected.
    LayersNotCollected,
    /// It is not allowed, and what the request means is guessed.
    Guessed,
    /// Another spelling of the ARN, which AWS may compare, leads to another answer.
    SpellingsDisagree,
    /// An image of another account, which may be AWS's own: that needs no permission.
    OtherAccount,
}

impl NeedDoubt {
    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::RoleNotTold => "role_not_told",
            Self::RoleNotInSnapshot => "role_not_in_snapshot",
            Self::RoleDeleted => "role_deleted",
            Self::MayNotNeed => "may_not_need",
            Self::ResourceNotTold => "resource_not_told",
            Self::UnknownKeys => "unknown_keys",
            Self::LayersNotCollected => "layers_not_collected",
            Self::Guessed => "guessed_mapping",
            Self::SpellingsDisagree => "spellings_disagree",
            Self::OtherAccount => "other_account",
        }
    }
}
