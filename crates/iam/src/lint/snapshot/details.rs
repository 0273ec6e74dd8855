//! A page of `get-account-authorization-details`, as far as it holds documents.

use std::borrow::Cow;

use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::{Members, array, members, string};

/// A page's principals and policies.
#[derive(Default)]
pub(super) struct Page<'a> {
    pub(super) users: Vec<Principal<'a>>,
    pub(super) groups: Vec<Principal<'a>>,
    pub(super) roles: Vec<Principal<'a>>,
    pub(super) policies: Vec<Policy<'a>>,
}

pub(super) struct Principal<'a> {
    pub(super) arn: Cow<'a, str>,
    /// Its inline policies that have a document, by name.
    pub(super) inline: Vec<(Cow<'a, str>, &'a RawValue)>,
    pub(super) trust: Option<&'a RawValue>,
}

pub(super) struct Policy<'a> {
    pub(super) arn: Cow<'a, str>,
    /// The documents of its default versions.
    pub(super) defaults: Vec<&'a RawValue>,
}

impl<'a> Page<'a> {
    /// Of a text that is one page of AWS's form.
    pub(super) fn of_text(text: &'a str) -> Option<Page<'a>> {
        let form = serde_json::from_str::<PageForm<'a>>(text).ok()?;
        Some(form.page())
    }

    /// Of a value that may be none: then there is nothing in it, and the reader of snapshots says what is wrong.
    pub(super) fn of(value: &'a RawValue) -> Page<'a> {
        match serde_json::from_str::<PageForm<'a>>(value.get()) {
            Ok(page) => page.page(),
            // Something in it is not of AWS's form: what can be told is taken from the rest. Each part is read
            // again for each object that it is in, which is six times as much work.
            Err(_) => lenient(&members(value)),
        }
    }
}

/// What AWS prints. An object with a member twice is not of this form.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PageForm<'a> {
    #[serde(borrow)]
    user_detail_list: Option<Vec<PrincipalForm<'a>>>,
    group_detail_list: Option<Vec<PrincipalForm<'a>>>,
    role_detail_list: Option<Vec<PrincipalForm<'a>>>,
    policies: Option<Vec<PolicyForm<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PrincipalForm<'a> {
    #[serde(borrow)]
    arn: Option<Text<'a>>,
    user_policy_list: Option<Vec<InlineForm<'a>>>,
    group_policy_list: Option<Vec<InlineForm<'a>>>,
    role_policy_list: Option<Vec<InlineForm<'a>>>,
    #[serde(default, deserialize_with = "some")]
    assume_role_policy_document: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct InlineForm<'a> {
    #[serde(borrow)]
    policy_name: Option<Text<'a>>,
    #[serde(default, deserialize_with = "some")]
    policy_document: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyForm<'a> {
    #[serde(borrow)]
    arn: Option<Text<'a>>,
    policy_version_list: Option<Vec<VersionForm<'a>>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct VersionForm<'a> {
    is_default_version: Option<bool>,
    #[serde(borrow, default, deserialize_with = "some")]
    document: Option<&'a RawValue>,
}

/// A text, borrowed where nothing in it is escaped.
#[derive(Deserialize)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

/// A value that is there, also where it is `null`.
fn some<'de: 'a, 'a, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<&'a RawValue>, D::Error> {
    <&RawValue>::deserialize(deserializer).map(Some)
}

fn text(text: Option<Text<'_>>) -> Cow<'_, str> {
    text.map_or(Cow::Borrowed(""), |Text(text)| text)
}

impl<'a> PageForm<'a> {
    fn page(self) -> Page<'a> {
        let principals = |list: Option<Vec<PrincipalForm<'a>>>, inline: Inline<'a>| {
            let list = list.into_iter().flatten();
            list.map(|principal| principal.principal(inline)).collect()
        };
        let policies = self.policies.into_iter().flatten();
        Page {
            users: principals(self.user_detail_list, |form| form.user_policy_list.take()),
            groups: principals(self.group_detail_list, |form| form.group_policy_list.take()),
            roles: principals(self.role_detail_list, |form| form.role_policy_list.take()),
            policies: policies.map(PolicyForm::policy).collect(),
        }
    }
}

/// The inline policies of one kind of principal.
type Inline<'a> = fn(&mut PrincipalForm<'a>) -> Option<Vec<InlineForm<'a>>>;

impl<'a> PrincipalForm<'a> {
    fn principal(mut self, inline: Inline<'a>) -> Principal<'a> {
        let inline = inline(&mut self).into_iter().flatten();
        let inline =
            inline.filter_map(|form| Some((text(form.policy_name), form.policy_document?)));
        Principal {
            inline: inline.collect(),
            arn: text(self.arn),
            trust: self.assume_role_policy_document,
        }
    }
}

impl<'a> PolicyForm<'a> {
    fn policy(self) -> Policy<'a> {
        let versions = self.policy_version_list.into_iter().flatten();
        let defaults = versions.filter(|version| version.is_default_version == Some(true));
        Policy {
            arn: text(self.arn),
            defaults: defaults.filter_map(|version| version.document).collect(),
        }
    }
}

/// What can be told of a page whatever its form.
fn lenient<'a>(page: &Members<'a>) -> Page<'a> {
    let principals = |list: &str, inline: &str| {
        let entries = page.get(list).copied().into_iter().flat_map(array);
        let principal = |entry| lenient_principal(&members(entry), inline);
        entries.map(principal).collect()
    };
    let policies = page.get("Policies").copied().into_iter().flat_map(array);
    Page {
        users: principals("UserDetailList", "UserPolicyList"),
        groups: principals("GroupDetailList", "GroupPolicyList"),
        roles: principals("RoleDetailList", "RolePolicyList"),
        policies: policies
            .map(|policy| lenient_policy(&members(policy)))
            .collect(),
    }
}

fn lenient_principal<'a>(principal: &Members<'a>, inline: &str) -> Principal<'a> {
    let policies = principal.get(inline).copied().into_iter().flat_map(array);
    let policies = policies.filter_map(|policy| {
        let policy = members(policy);
        let document = policy.get("PolicyDocument").copied()?;
        Some((string(&policy, "PolicyName").into(), document))
    });
    Principal {
        arn: string(principal, "Arn").into(),
        inline: policies.collect(),
        trust: principal.get("AssumeRolePolicyDocument").copied(),
    }
}

fn lenient_policy<'a>(policy: &Members<'a>) -> Policy<'a> {
    let versions = policy.get("PolicyVersionList").copied();
    let versions = versions.into_iter().flat_map(array).map(members);
    let is_default = |version: &Members<'_>| {
        let flag = version.get("IsDefaultVersion");
        flag.is_some_and(|flag| flag.get() == "true")
    };
    Policy {
        arn: string(policy, "Arn").into(),
        defaults: versions
            .filter(is_default)
            .filter_map(|version| version.get("Document").copied())
            .collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(page: &Page<'_>) -> Vec<String> {
        let principals = page.users.iter().chain(&page.groups).chain(&page.roles);
        let principals = principals.map(|principal| {
            let inline = principal.inline.iter();
            let inline: Vec<String> = inline
                .map(|(name, document)| format!("{name}={document}"))
                .collect();
            let trust = principal.trust.map(RawValue::get);
            format!("{} {inline:?} {trust:?}", principal.arn)
        });
        let policies = page.policies.iter();
        let policies = policies.map(|policy| {
            let defaults: Vec<&str> = policy.defaults.iter().map(|one| one.get()).collect();
            format!("{} {defaults:?}", policy.arn)
        });
        principals.chain(policies).collect()
    }

    /// Reads a page both ways.
    #[track_caller]
    fn check(text: &str, is_of_the_form: bool, expect: &[&str]) -> Result<(), serde_json::Error> {
        let value: &RawValue = serde_json::from_str(text)?;
        let form = serde_json::from_str::<PageForm<'_>>(text);
        assert_eq!(form.is_ok(), is_of_the_form, "{text}");
        assert_eq!(told(&Page::of(value)), expect, "{text}");
        assert_eq!(told(&lenient(&members(value))), expect, "{text}");
        Ok(())
    }

    #[test]
    fn read_both_ways() -> Result<(), serde_json::Error> {
        check("{}", true, &[])?;
        check("[]", false, &[])?;
        check("7", false, &[])?;
        check(
            r#"{"RoleDetailList": [{"Arn": "a\u002f1", "Path": "/", "RolePolicyList": [{"PolicyName": "p", "PolicyDocument": {"x":1}},
                {"PolicyName": "q"}, {"PolicyDocument": null}], "UserPolicyList": [], "AssumeRolePolicyDocument": "%7B"}],
                "UserDetailList": [{"Arn": "u", "RolePolicyList": [{"PolicyDocument": 1}]}], "GroupDetailList": null,
                "Policies": [{"Arn": "m", "PolicyVersionList": [{"IsDefaultVersion": false, "Document": 1},
                {"IsDefaultVersion": true, "Document": {}}, {"IsDefaultVersion": true}]}], "IsTruncated": false}"#,
            true,
            &[
                "u [] None",
                r#"a/1 ["p={\"x\":1}", "=null"] Some("\"%7B\"")"#,
                r#"m ["{}"]"#,
            ],
        )?;
        check(
            r#"{"RoleDetailList": [{"Arn": 7, "RolePolicyList": {}, "AssumeRolePolicyDocument": null}, 1, {"Arn": "r"}],
                "UserDetailList": "x", "Policies": [{"Arn": "m", "PolicyVersionList": [{"IsDefaultVersion": "true", "Document": 1}]}]}"#,
            false,
            &[r#" [] Some("null")"#, " [] None", "r [] None", "m []"],
        )?;
        check(
            r#"{"GroupDetailList": [{"Arn": "g", "Arn": "h"}]}"#,
            false,
            &["h [] None"],
        )
    }
}
