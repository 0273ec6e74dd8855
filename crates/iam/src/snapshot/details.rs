//! The output of `aws iam get-account-authorization-details`.
//! See <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>.

use std::borrow::Cow;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::json::{JsonProblem, read_pages};

#[derive(Debug, Deserialize)]
struct Page<'a> {
    #[serde(borrow, rename = "UserDetailList")]
    users: Option<Vec<UserDetail<'a>>>,
    #[serde(borrow, rename = "GroupDetailList")]
    groups: Option<Vec<GroupDetail<'a>>>,
    #[serde(borrow, rename = "RoleDetailList")]
    roles: Option<Vec<RoleDetail<'a>>>,
    #[serde(borrow, rename = "Policies")]
    policies: Option<Vec<PolicyDetail<'a>>>,
}

/// All pages of one file. Documents stay where they are in its text.
#[derive(Debug, Default)]
pub(super) struct Details<'a> {
    pub(super) users: Vec<UserDetail<'a>>,
    pub(super) groups: Vec<GroupDetail<'a>>,
    pub(super) roles: Vec<RoleDetail<'a>>,
    pub(super) policies: Vec<PolicyDetail<'a>>,
}

/// Why a file holds no authorization details.
#[derive(Debug)]
pub(super) enum DetailsProblem {
    Json(JsonProblem),
    /// None of its objects has any of the four lists.
    NoLists,
    /// An entry whose ARN is not that of a user, group, role or policy.
    Arn {
        list: &'static str,
        arn: String,
    },
}

impl std::fmt::Display for DetailsProblem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Json(problem) => problem.fmt(out),
            Self::NoLists => out.write_str("the file has no `UserDetailList`, `GroupDetailList`, `RoleDetailList` or `Policies`"),
            Self::Arn { list, arn } => write!(out, "`{list}` has an entry with the ARN `{arn}`, which is not one of its kind"),
        }
    }
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct UserDetail<'a> {
    #[serde(borrow)]
    pub(super) arn: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) user_name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) user_id: Cow<'a, str>,
    pub(super) create_date: Option<String>,
    // The lists of policies, groups and tags are left out by AWS where they are empty.
    #[serde(borrow, default)]
    pub(super) user_policy_list: Vec<InlinePolicy<'a>>,
    #[serde(borrow, default)]
    pub(super) attached_managed_policies: Vec<AttachedManagedPolicy<'a>>,
    #[serde(default)]
    pub(super) group_list: Vec<String>,
    #[serde(borrow)]
    pub(super) permissions_boundary: Option<PermissionsBoundary<'a>>,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct GroupDetail<'a> {
    #[serde(borrow)]
    pub(super) arn: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) group_name: Cow<'a, str>,
    #[serde(borrow, default)]
    pub(super) group_policy_list: Vec<InlinePolicy<'a>>,
    #[serde(borrow, default)]
    pub(super) attached_managed_policies: Vec<AttachedManagedPolicy<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleDetail<'a> {
    #[serde(borrow)]
    pub(super) arn: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) role_name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) role_id: Cow<'a, str>,
    pub(super) create_date: Option<String>,
    #[serde(borrow)]
    pub(super) assume_role_policy_document: Option<&'a RawValue>,
    #[serde(borrow, default)]
    pub(super) role_policy_list: Vec<InlinePolicy<'a>>,
    #[serde(borrow, default)]
    pub(super) attached_managed_policies: Vec<AttachedManagedPolicy<'a>>,
    #[serde(borrow)]
    pub(super) permissions_boundary: Option<PermissionsBoundary<'a>>,
    #[serde(default)]
    pub(super) tags: Vec<Tag>,
    pub(super) role_last_used: Option<RoleLastUsed>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct InlinePolicy<'a> {
    #[serde(borrow)]
    pub(super) policy_name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) policy_document: &'a RawValue,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct AttachedManagedPolicy<'a> {
    #[serde(borrow)]
    pub(super) policy_arn: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PermissionsBoundary<'a> {
    #[serde(borrow)]
    pub(super) permissions_boundary_arn: Cow<'a, str>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct Tag {
    pub(super) key: String,
    pub(super) value: String,
}

/// Without a date where the role was not used in the tracking period.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct RoleLastUsed {
    pub(super) last_used_date: Option<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyDetail<'a> {
    #[serde(borrow)]
    pub(super) arn: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) policy_name: Cow<'a, str>,
    #[serde(borrow)]
    pub(super) default_version_id: Option<Cow<'a, str>>,
    #[serde(borrow, default)]
    pub(super) policy_version_list: Vec<PolicyVersion<'a>>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(super) struct PolicyVersion<'a> {
    #[serde(borrow)]
    version_id: Cow<'a, str>,
    is_default_version: Option<bool>,
    create_date: Option<String>,
    #[serde(borrow)]
    document: &'a RawValue,
}

impl<'a> PolicyVersion<'a> {
    pub(super) fn document(&self) -> &'a RawValue {
        self.document
    }
}

impl<'a> PolicyDetail<'a> {
    /// The document in force: that of the version marked as the default one.
    pub(super) fn default_document(&self) -> Option<&'a RawValue> {
        self.default_version().map(|version| version.document)
    }

    /// When the version in force was made.
    pub(super) fn default_version_created(&self) -> Option<&str> {
        self.default_version()?.create_date.as_deref()
    }

    fn default_version(&self) -> Option<&PolicyVersion<'a>> {
        let marked = self
            .policy_version_list
            .iter()
            .find(|version| version.is_default_version == Some(true));
        let named = || {
            self.policy_version_list
                .iter()
                .find(|version| self.default_version_id.as_ref() == Some(&version.version_id))
        };
        marked.or_else(named)
    }
}

impl Details<'_> {
    /// The accounts of all entries; AWS managed policies have none.
    pub(super) fn accounts(&self) -> impl Iterator<Item = &str> {
        let users = self
            .users
            .iter()
            .filter_map(|user| IamArn::parse(&user.arn, "user", &user.user_name));
        let groups = self
            .groups
            .iter()
            .filter_map(|group| IamArn::parse(&group.arn, "group", &group.group_name));
        let roles = self
            .roles
            .iter()
            .filter_map(|role| IamArn::parse(&role.arn, "role", &role.role_name));
        let policies = self
            .policies
            .iter()
            .filter_map(|policy| IamArn::parse(&policy.arn, "policy", &policy.policy_name));
        users
            .chain(groups)
            .chain(roles)
            .chain(policies)
            .map(|arn| arn.account)
            .filter(|account| *account != "aws")
    }
}

/// An ARN of IAM, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct IamArn<'a> {
    pub(super) partition: &'a str,
    /// Twelve digits, or `aws` for an AWS managed policy.
    pub(super) account: &'a str,
    /// With its slashes: `/`, `/team/`.
    pub(super) path: &'a str,
}

impl<'a> IamArn<'a> {
    /// The parts of an ARN of this kind (`user`, `role`, …) with this name at its end.
    pub(super) fn parse(arn: &'a str, kind: &str, name: &str) -> Option<Self> {
        let mut parts = arn.splitn(6, ':');
        let ("arn", partition, "iam", "") =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?)
        else {
            return None;
        };
        let (account, resource) = (parts.next()?, parts.next()?);
        let path = resource.strip_prefix(kind)?.strip_suffix(name)?;
        let is_account = is_account_id(account) || (account == "aws" && kind == "policy");
        (is_account && !name.is_empty() && path.starts_with('/') && path.ends_with('/')).then_some(
            Self {
                partition,
                account,
                path,
            },
        )
    }
}

/// Whether a text is an account id: twelve digits.
pub(super) fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// Reads a file: one page, several, or the merged object that the AWS CLI prints.
pub(super) fn read(text: &str) -> Result<Details<'_>, DetailsProblem> {
    let pages: Vec<Page<'_>> = read_pages(text).map_err(DetailsProblem::Json)?;
    let mut details = Details::default();
    let mut lists = 0;
    for page in pages {
        lists += usize::from(page.users.is_some()) + usize::from(page.groups.is_some());
        lists += usize::from(page.roles.is_some()) + usize::from(page.policies.is_some());
        details.users.extend(page.users.unwrap_or_default());
        details.groups.extend(page.groups.unwrap_or_default());
        details.roles.extend(page.roles.unwrap_or_default());
        details.policies.extend(page.policies.unwrap_or_default());
    }
    if lists == 0 {
        return Err(DetailsProblem::NoLists);
    }
    let wrong = |list, arn: &str| DetailsProblem::Arn {
        list,
        arn: arn.to_owned(),
    };
    let users = details
        .users
        .iter()
        .map(|user| ("UserDetailList", "user", &user.arn, &user.user_name));
    let groups = details
        .groups
        .iter()
        .map(|group| ("GroupDetailList", "group", &group.arn, &group.group_name));
    let roles = details
        .roles
        .iter()
        .map(|role| ("RoleDetailList", "role", &role.arn, &role.role_name));
    let policies = details
        .policies
        .iter()
        .map(|policy| ("Policies", "policy", &policy.arn, &policy.policy_name));
    for (list, kind, arn, name) in users.chain(groups).chain(roles).chain(policies) {
        IamArn::parse(arn, kind, name).ok_or_else(|| wrong(list, arn))?;
    }
    Ok(details)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arns() {
        let parse = |arn, kind, name| {
            IamArn::parse(arn, kind, name).map(|arn| (arn.partition, arn.account, arn.path))
        };
        assert_eq!(
            parse("arn:aws:iam::111122223333:role/build", "role", "build"),
            Some(("aws", "111122223333", "/"))
        );
        assert_eq!(
            parse(
                "arn:aws-cn:iam::111122223333:user/a/b/zhang",
                "user",
                "zhang"
            ),
            Some(("aws-cn", "111122223333", "/a/b/"))
        );
        assert_eq!(
            parse(
                "arn:aws:iam::aws:policy/job-function/Billing",
                "policy",
                "Billing"
            ),
            Some(("aws", "aws", "/job-function/"))
        );
        assert_eq!(parse("arn:aws:iam::aws:role/build", "role", "build"), None);
        assert_eq!(
            parse("arn:aws:iam::111122223333:role/rebuild", "role", "build"),
            None
        );
        assert_eq!(parse("arn:aws:iam::111122223333:role/", "role", ""), None);
        assert_eq!(
            parse("arn:aws:sts::111122223333:role/build", "role", "build"),
            None
        );
        assert_eq!(parse("", "role", "build"), None);
    }
}
