//! What is looked for, and how much it matters.
//!
//! Kinds are called as IAM Access Analyzer calls them where it has one.
//! <https://docs.aws.amazon.com/access-analyzer/latest/APIReference/API_FindingSummaryV2.html>

/// How much a finding matters; in the order of reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingSeverity {
    /// Something will break, or somebody can take over.
    High,
    /// Worth a look this week.
    Medium,
    /// Worth a look when the policy is changed anyway.
    Low,
    /// Said for completeness; the first page does not list it.
    Information,
}

impl FindingSeverity {
    /// All of them, the worst first.
    pub const ALL: [FindingSeverity; 4] = [Self::High, Self::Medium, Self::Low, Self::Information];

    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::High => "high",
            Self::Medium => "medium",
            Self::Low => "low",
            Self::Information => "information",
        }
    }

    /// The one of this name.
    pub fn of_name(name: &str) -> Option<FindingSeverity> {
        Self::ALL
            .into_iter()
            .find(|severity| severity.name() == name)
    }
}

macro_rules! kinds {
    ($($kind:ident, $doc:literal, $title:literal;)*) => {
        /// What a finding is about; in the order of reports among findings of one severity.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum FindingKind { $(#[doc = $doc] $kind,)* }

        impl FindingKind {
            /// All of them, in the order of reports.
            pub const ALL: &'static [FindingKind] = &[$(Self::$kind,)*];

            /// The name in tables and reports.
            pub fn name(self) -> &'static str {
                match self { $(Self::$kind => stringify!($kind),)* }
            }

            /// What it is, in one line.
            pub fn summary(self) -> &'static str {
                match self { $(Self::$kind => $doc,)* }
            }

            /// What several of them are called above a list.
            pub fn title(self) -> &'static str {
                match self { $(Self::$kind => $title,)* }
            }
        }
    };
}

kinds! {
    WouldBeDenied, "calls that went through and would be denied today", "would be denied today";
    PrivilegeEscalation, "a way for a principal to permissions that it does not have", "ways to more permissions";
    ExternalTrust, "a role that trusts somebody outside the accounts of the snapshot", "roles that trust outsiders";
    MissingRoleNeed, "an execution role lacks what its jobs will ask for", "execution roles that lack something";
    PassRoleToAnyService, "iam:PassRole without a condition on iam:PassedToService", "iam:PassRole to any service";
    TimeConditionDenies, "calls that a condition on the time denies today", "denied by a condition on the time";
    DenialCluster, "calls that are denied again and again", "denied again and again";
    UnusedIAMRole, "a role that nobody used", "unused roles";
    UnusedIAMUser, "a user that made no call", "unused users";
    UnusedIAMUserAccessKey, "an access key that is active and was not used", "unused access keys";
    UnusedIAMUserPassword, "a console password that was not used", "unused passwords";
    UnusedPermission, "permissions of a principal that it did not use", "unused permissions";
    OverBroadResource, "a statement about all resources, used for a few", "resources wider than what is used";
    UnusedPolicy, "a policy of which nothing is used, or that is attached to nobody", "unused policies";
    UnusedTrust, "a principal that a role trusts and that never assumed it", "trust that nobody used";
    RoleNeverPassed, "roles that a principal may pass to a service and never passed", "roles never passed";
    ExpiredTimeCondition, "a statement whose time is over", "statements whose time is over";
    DeadStatement, "a statement that can apply to no request", "statements that never apply";
    UsedOnceLongAgo, "permissions or a principal used on one day, long ago", "used once, long ago";
    ExcessRoleNeed, "an execution role may do what none of its jobs asks for", "execution roles with more than their jobs need";
    BlindSpot, "use that the trail cannot show", "where the trail is blind";
    WouldBeAllowed, "calls that were denied and would go through today", "would be allowed today";
    PrincipalRecreated, "calls of a principal that was deleted and made again", "principals made again";
    PrincipalDeleted, "calls of a principal that is gone", "principals that are gone";
    RoleAssumption, "who assumed a role", "who assumed which role";
}

impl FindingKind {
    /// Whether the resource is what tells a finding from others of the kind.
    pub(crate) fn is_about_one_resource(self) -> bool {
        matches!(
            self,
            Self::ExternalTrust | Self::UnusedTrust | Self::UnusedIAMUserAccessKey
        )
    }

    /// The one of this name, whatever its case, hyphens and underscores: `would-be-denied`.
    pub fn of_name(name: &str) -> Option<FindingKind> {
        let folded = |name: &str| -> String {
            let letters = name.chars().filter(|letter| !matches!(letter, '-' | '_'));
            letters.map(|letter| letter.to_ascii_lowercase()).collect()
        };
        let name = folded(name);
        Self::ALL
            .iter()
            .copied()
            .find(|kind| folded(kind.name()) == name)
    }
}

/// Why a call would be answered otherwise today than it was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cause {
    /// A recorded write, or a policy version, after the call.
    PolicyChanged,
    /// A condition on the time decides.
    TimeCondition,
    /// The same was let through after the last write, or after the snapshot: the error is ours.
    Contradicted,
    /// None of these can be shown.
    Unexplained,
}

impl Cause {
    /// The name in tables and reports.
    pub fn name(self) -> &'static str {
        match self {
            Self::PolicyChanged => "policy_changed",
            Self::TimeCondition => "time_condition",
            Self::Contradicted => "contradicted",
            Self::Unexplained => "unexplained",
        }
    }
}
