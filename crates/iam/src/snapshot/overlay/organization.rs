//! `organization.json`, changed entry by entry.

use std::borrow::Cow;
use std::collections::BTreeSet;

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::documents::Documents;
use super::super::json::{Entries, read_one, text_of};
use super::super::organization::{Organization, PolicyType};
use super::entries::{
    ChangeFile, Entry, Given, Listed, Members, OverlayEffect, form, object, with_members,
};
use super::error::{OverlayError, OverlayProblem, Place};
use super::listing::with_text;
use super::organization_reach::OrganizationReach;
use super::{OverlayChange, OverlayEntry};
use crate::SnapshotFile;

const POLICIES: &str = "Policies";
const LISTS: [(&str, OverlayEntry); 4] = [
    ("Roots", OverlayEntry::OrganizationNode),
    ("OrganizationalUnits", OverlayEntry::OrganizationNode),
    ("Accounts", OverlayEntry::OrganizationNode),
    (POLICIES, OverlayEntry::OrganizationPolicy),
];

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Node {
    id: String,
    parent_id: Option<String>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyEntry<'a> {
    policy_summary: Summary,
    #[serde(borrow)]
    content: Option<&'a RawValue>,
    #[serde(default)]
    targets: Vec<Target>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Summary {
    id: String,
    #[serde(rename = "Type")]
    policy_type: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Target {
    target_id: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct PolicyName {
    policy_summary: SummaryName,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SummaryName {
    id: String,
    arn: Option<String>,
}

/// What the changed organization is, and for whom it is another.
pub(super) struct ChangedOrganization {
    pub(super) text: String,
    pub(super) changes: Vec<OverlayChange>,
    /// What is decided otherwise now.
    pub(super) reach: OrganizationReach,
    /// Accounts that the snapshot's own file did not have.
    pub(super) new_accounts: BTreeSet<String>,
}

/// The file of the snapshot as it is changed.
struct Draft<'a> {
    organization: Option<&'a RawValue>,
    lists: Vec<(&'static str, Listed<'a>)>,
    others: Members<'a>,
}

impl<'a> Draft<'a> {
    /// `None` where the file is not of its form.
    fn new(members: Members<'a>) -> Option<Draft<'a>> {
        let mut draft = Draft {
            organization: None,
            lists: LISTS
                .iter()
                .map(|(name, _)| (*name, Listed::default()))
                .collect(),
            others: Vec::new(),
        };
        for (name, raw) in members {
            let list = draft.lists.iter_mut().find(|(list, _)| *list == name);
            match (list, &*name) {
                (Some((list, listed)), _) => {
                    let name_of = name_in(list);
                    let raw: Vec<&'a RawValue> = serde_json::from_str(raw.get()).ok()?;
                    let named = raw.into_iter().map(|raw| Some((name_of(raw.get())?, raw)));
                    *listed = Listed::new(named.collect::<Option<Vec<_>>>()?);
                }
                (None, "Organization") => draft.organization = Some(raw),
                (None, _) => draft.others.push((name, raw)),
            }
        }
        Some(draft)
    }

    fn list(&mut self, name: &str) -> Option<&mut Listed<'a>> {
        let found = self.lists.iter_mut().find(|(list, _)| *list == name);
        found.map(|(_, listed)| listed)
    }

    fn text(&self) -> String {
        let lists: Vec<(&str, String)> = self
            .lists
            .iter()
            .map(|(name, listed)| (*name, listed.list()))
            .collect();
        let organization = self.organization.map(|raw| ("Organization", raw.get()));
        let lists = lists.iter().map(|(name, list)| (*name, list.as_str()));
        let others = self.others.iter().map(|(name, raw)| (&**name, raw.get()));
        object(organization.into_iter().chain(lists).chain(others))
    }
}

fn name_in(list: &str) -> fn(&str) -> Option<String> {
    match list {
        POLICIES => |entry| {
            let name: PolicyName = serde_json::from_str(entry).ok()?;
            Some(name.policy_summary.id)
        },
        _ => |entry| Some(serde_json::from_str::<Node>(entry).ok()?.id),
    }
}

/// Lays the change over the snapshot's file, where there is one.
pub(super) fn lay_over<'a>(
    file: ChangeFile<'a>,
    base: Option<&SnapshotFile<'a>>,
) -> Result<ChangedOrganization, OverlayError> {
    let unreadable = || file.wrong_at(Place(None), OverlayProblem::SnapshotUnreadable);
    let base_text = base.map(|base| text_of(base.bytes).map_err(|_| unreadable()));
    let base_text = base_text.transpose()?;
    let members = base_text
        .map(read_one::<Entries<'a, &'a RawValue>>)
        .transpose();
    let members = members.map_err(|_| unreadable())?.map(|entries| entries.0);
    let mut draft = Draft::new(members.unwrap_or_default()).ok_or_else(unreadable)?;
    let before = base_text.map(|text| read_one(text).map_err(|_| unreadable()));
    let before = before
        .transpose()?
        .map(|read| Organization::from_file(read).0);
    let mut laying = Laying {
        file,
        documents: Documents::default(),
        changes: Vec::new(),
    };
    let given = laying.members(&mut draft)?;
    let text = draft.text();
    let after = read_one(&text).map_err(|problem| {
        let problem = OverlayProblem::Form(problem.reason().to_owned());
        file.wrong_at(Place(None), problem)
    })?;
    let (after, _) = Organization::from_file(after);
    laying.check(&given, &after)?;
    let reach = OrganizationReach::of(before.as_ref(), &after);
    let known = |account: &&str| {
        before
            .as_ref()
            .is_some_and(|before| before.has_account(account))
    };
    let new_accounts = after.accounts().filter(|account| !known(account));
    Ok(ChangedOrganization {
        changes: laying.changes,
        reach,
        new_accounts: new_accounts.map(str::to_owned).collect(),
        text,
    })
}

/// An entry that the change gives, to be looked at when all are in place.
struct GivenEntry<'a> {
    list: &'static str,
    id: String,
    raw: &'a RawValue,
    text: String,
}

struct Laying<'a> {
    file: ChangeFile<'a>,
    documents: Documents<'a>,
    changes: Vec<OverlayChange>,
}

impl<'a> Laying<'a> {
    fn members(&mut self, draft: &mut Draft<'a>) -> Result<Vec<GivenEntry<'a>>, OverlayError> {
        let file = self.file;
        let whole: &'a RawValue = read_one(file.text).map_err(|problem| file.json(&problem))?;
        let mut given = Vec::new();
        for (name, raw) in file.members(whole)? {
            if name == "Organization" {
                let effect = match draft.organization.replace(raw) {
                    None => OverlayEffect::Added,
                    Some(before) if before.get() == raw.get() => OverlayEffect::Unchanged,
                    Some(_) => OverlayEffect::Replaced,
                };
                self.changed((OverlayEntry::OrganizationNode, "Organization"), effect);
                continue;
            }
            let Some((list, entry)) = LISTS.into_iter().find(|(list, _)| *list == name) else {
                let (id, member) = ("the organization".to_owned(), name.into_owned());
                return Err(file.wrong(raw, OverlayProblem::UnknownMember { id, member }));
            };
            for one in file.entries((list, raw), name_in(list))? {
                let listed = draft.list(list);
                let Some(listed) = listed else { continue };
                let one = by_id(one, list, listed);
                let (effect, text) = self.entry((list, &one), listed)?;
                self.changed((entry, &one.name), effect);
                given.extend(text.map(|text| GivenEntry {
                    list,
                    id: one.name.into_owned(),
                    raw: one.raw,
                    text,
                }));
            }
        }
        Ok(given)
    }

    fn changed(&mut self, (entry, id): (OverlayEntry, &str), effect: OverlayEffect) {
        self.changes.push(OverlayChange {
            path: self.file.path.to_owned(),
            entry,
            id: id.to_owned(),
            effect,
            concerns: None,
        });
    }

    fn entry(
        &mut self,
        (list, entry): (&'static str, &Entry<'a>),
        listed: &mut Listed<'a>,
    ) -> Result<(OverlayEffect, Option<String>), OverlayError> {
        let file = self.file;
        let id = &*entry.name;
        let wrong = |problem| file.wrong(entry.raw, problem);
        let members = match &entry.given {
            Given::Deleted if listed.get(id).is_none() => {
                return Err(wrong(OverlayProblem::NotThere(id.to_owned())));
            }
            Given::Deleted if list != POLICIES => {
                let why = "only policies can be".to_owned();
                let id = id.to_owned();
                return Err(wrong(OverlayProblem::NotDeletable { id, why }));
            }
            Given::Deleted => {
                listed.remove(id);
                return Ok((OverlayEffect::Deleted, None));
            }
            Given::Whole(members) | Given::Members(members) => members,
        };
        let mut text = match (&entry.given, listed.get(id)) {
            (Given::Members(_), Some(before)) => with_members(before, members),
            (Given::Members(_), None) if list != POLICIES => {
                let own = object([("Id", &*super::entries::quoted(id))].into_iter());
                with_members(&own, members)
            }
            _ => Ok(entry.raw.get().to_owned()),
        }
        .map_err(|error| wrong(form(error)))?;
        let content = members.iter().find(|(name, _)| name == "Content");
        if let Some((_, raw)) = content.filter(|_| list == POLICIES) {
            text = with_text(&text, "Content", raw).map_err(|error| wrong(form(error)))?;
        }
        let own = name_in(list)(&text);
        match own {
            Some(own) if own == id => Ok((listed.set(id, text.clone()), Some(text))),
            Some(own) => {
                let key = id.to_owned();
                Err(wrong(OverlayProblem::OtherName { key, id: own }))
            }
            None => {
                let what = match list {
                    POLICIES => "a policy needs its `PolicySummary` with `Id` and `Type`",
                    _ => "it needs its `Id`",
                };
                Err(wrong(OverlayProblem::Form(what.to_owned())))
            }
        }
    }

    /// Whether what was given means something in the organization as it is now.
    fn check(
        &mut self,
        given: &[GivenEntry<'a>],
        after: &Organization,
    ) -> Result<(), OverlayError> {
        let file = self.file;
        for entry in given {
            let dangling = |named: &str| {
                let (id, named) = (entry.id.clone(), named.to_owned());
                file.wrong(entry.raw, OverlayProblem::Dangling { id, named })
            };
            if entry.list == POLICIES {
                self.check_policy(entry, after)?;
                continue;
            }
            let node: Node =
                serde_json::from_str(&entry.text).map_err(|e| file.wrong(entry.raw, form(e)))?;
            if let Some(parent) = node.parent_id.filter(|parent| !after.has_node(parent)) {
                return Err(dangling(&parent));
            }
            if entry.list == "Accounts" && !super::super::details::is_account_id(&node.id) {
                let (id, expected) = (node.id, "an account's id, twelve digits");
                return Err(file.wrong(entry.raw, OverlayProblem::OtherForm { id, expected }));
            }
        }
        let has_policies = given.iter().any(|entry| entry.list == POLICIES);
        if has_policies && !after.tells_management_account() {
            return Err(file.wrong_at(Place(None), OverlayProblem::NoManagementAccount));
        }
        Ok(())
    }

    fn check_policy(
        &mut self,
        entry: &GivenEntry<'a>,
        after: &Organization,
    ) -> Result<(), OverlayError> {
        let file = self.file;
        let wrong = |problem| file.wrong(entry.raw, problem);
        let policy: PolicyEntry<'_> =
            serde_json::from_str(&entry.text).map_err(|error| wrong(form(error)))?;
        let PolicyEntry {
            policy_summary: Summary {
                id, policy_type, ..
            },
            content,
            targets,
        } = &policy;
        let Some(kind) = PolicyType::of_name(policy_type) else {
            let (id, policy_type) = (id.clone(), policy_type.clone());
            return Err(wrong(OverlayProblem::PolicyType { id, policy_type }));
        };
        if content.is_none() && *id != kind.full_access() {
            return Err(wrong(OverlayProblem::Form(format!(
                "policy `{id}` has no `Content`"
            ))));
        }
        // The document as it stands in the change, so that its places are the file's.
        let members = file.members(entry.raw)?;
        let content = members.into_iter().find(|(name, _)| name == "Content");
        if let Some((_, raw)) = content {
            let owner = format!("policy `{id}`");
            let compiled = match kind {
                PolicyType::ServiceControl => self.documents.identity(raw),
                PolicyType::ResourceControl => self.documents.resource(raw),
            };
            compiled.map_err(|problem| super::document(file, (owner, raw), &problem))?;
        }
        for target in targets {
            let (id, target) = (id.clone(), target.target_id.clone());
            if !after.has_node(&target) {
                return Err(wrong(OverlayProblem::Dangling { id, named: target }));
            }
            if !after.is_enabled_above(&target, kind) {
                return Err(wrong(OverlayProblem::TypeNotEnabled { id, target }));
            }
        }
        Ok(())
    }
}

/// A policy can be named by its ARN, too.
fn by_id<'a>(entry: Entry<'a>, list: &str, listed: &Listed<'_>) -> Entry<'a> {
    if list != POLICIES || !entry.name.starts_with("arn:") {
        return entry;
    }
    let is_named = |(_, text): &(&str, &str)| {
        let name = serde_json::from_str::<PolicyName>(text);
        name.is_ok_and(|name| name.policy_summary.arn.as_deref() == Some(&*entry.name))
    };
    let id = listed.items().find(is_named).map(|(id, _)| id.to_owned());
    Entry {
        name: id.map_or_else(|| entry.name.clone(), Cow::Owned),
        ..entry
    }
}
