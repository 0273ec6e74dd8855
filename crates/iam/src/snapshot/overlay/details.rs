//! Users, groups, roles and managed policies, changed entry by entry.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;
use serde_json::value::RawValue;

use super::super::details::{self, IamArn, InlinePolicy, PolicyVersion};
use super::super::documents::Documents;
use super::super::json::{read_pages, text_of};
use super::entries::{
    ChangeFile, Entry, Given, Listed, Members, OverlayEffect, form, object, quoted, with_members,
};
use super::error::{OverlayError, OverlayProblem};
use super::{OverlayChange, OverlayEntry};
use crate::{ManagedPolicies, SnapshotFile};

/// One of the four lists of authorization details.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum List {
    Users,
    Groups,
    Roles,
    Policies,
}

impl List {
    const ALL: [List; 4] = [Self::Users, Self::Groups, Self::Roles, Self::Policies];

    fn name(self) -> &'static str {
        match self {
            Self::Users => "UserDetailList",
            Self::Groups => "GroupDetailList",
            Self::Roles => "RoleDetailList",
            Self::Policies => "Policies",
        }
    }

    /// The kind in the entries' ARNs.
    fn kind(self) -> &'static str {
        match self {
            Self::Users => "user",
            Self::Groups => "group",
            Self::Roles => "role",
            Self::Policies => "policy",
        }
    }

    fn entry(self) -> OverlayEntry {
        match self {
            Self::Users => OverlayEntry::User,
            Self::Groups => OverlayEntry::Group,
            Self::Roles => OverlayEntry::Role,
            Self::Policies => OverlayEntry::ManagedPolicy,
        }
    }

    /// The members that AWS prints of an entry.
    /// See <https://docs.aws.amazon.com/IAM/latest/APIReference/API_GetAccountAuthorizationDetails.html>.
    fn members(self) -> &'static [&'static str] {
        match self {
            Self::Users => &[
                "Path",
                "UserName",
                "UserId",
                "Arn",
                "CreateDate",
                "UserPolicyList",
                "GroupList",
                "AttachedManagedPolicies",
                "PermissionsBoundary",
                "Tags",
            ],
            Self::Groups => &[
                "Path",
                "GroupName",
                "GroupId",
                "Arn",
                "CreateDate",
                "GroupPolicyList",
                "AttachedManagedPolicies",
            ],
            Self::Roles => &[
                "Path",
                "RoleName",
                "RoleId",
                "Arn",
                "CreateDate",
                "AssumeRolePolicyDocument",
                "InstanceProfileList",
                "RolePolicyList",
                "AttachedManagedPolicies",
                "PermissionsBoundary",
                "Tags",
                "RoleLastUsed",
            ],
            Self::Policies => &[
                "PolicyName",
                "PolicyId",
                "Arn",
                "Path",
                "DefaultVersionId",
                "AttachmentCount",
                "PermissionsBoundaryUsageCount",
                "IsAttachable",
                "Description",
                "CreateDate",
                "UpdateDate",
                "PolicyVersionList",
            ],
        }
    }
}

/// The lists of one page; none where it leaves a list out.
#[derive(Debug, Deserialize)]
#[serde(expecting = "an object with lists")]
struct Page<'a> {
    #[serde(borrow, rename = "UserDetailList")]
    users: Option<&'a RawValue>,
    #[serde(borrow, rename = "GroupDetailList")]
    groups: Option<&'a RawValue>,
    #[serde(borrow, rename = "RoleDetailList")]
    roles: Option<&'a RawValue>,
    #[serde(borrow, rename = "Policies")]
    policies: Option<&'a RawValue>,
}

impl<'a> Page<'a> {
    fn lists(&self) -> impl Iterator<Item = (List, &'a RawValue)> {
        let lists = [self.users, self.groups, self.roles, self.policies];
        let named = List::ALL.into_iter().zip(lists);
        named.filter_map(|(list, raw)| Some((list, raw?)))
    }
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Named {
    arn: String,
}

fn arn_of(entry: &str) -> Option<String> {
    Some(serde_json::from_str::<Named>(entry).ok()?.arn)
}

/// What an entry is attached to, and a member of.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
struct References {
    user_name: String,
    attached_managed_policies: Vec<Attached>,
    permissions_boundary: Option<Boundary>,
    group_list: Vec<String>,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Attached {
    policy_arn: String,
}

#[derive(Debug, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Boundary {
    permissions_boundary_arn: String,
}

impl References {
    fn of(entry: &str) -> References {
        serde_json::from_str(entry).unwrap_or_default()
    }

    fn boundary(&self) -> Option<&str> {
        let boundary = self.permissions_boundary.as_ref()?;
        Some(&boundary.permissions_boundary_arn)
    }

    fn policies(&self) -> impl Iterator<Item = &str> {
        let attached = self.attached_managed_policies.iter();
        attached
            .map(|attached| &*attached.policy_arn)
            .chain(self.boundary())
    }
}

/// A file of details of the snapshot.
#[derive(Debug)]
struct DetailsFile<'a> {
    path: &'a str,
    /// By what its folder and its entries say.
    accounts: BTreeSet<String>,
    lists: BTreeMap<List, Listed<'a>>,
    changed: bool,
}

/// All details of the snapshot, while they are changed.
#[derive(Debug, Default)]
pub(super) struct AllDetails<'a> {
    files: Vec<DetailsFile<'a>>,
    /// Files that cannot be read, by their folders' accounts.
    unreadable: BTreeSet<Option<&'a str>>,
    documents: Documents<'a>,
    given: Vec<GivenEntry<'a>>,
}

/// An entry that the change gives, to be looked at when all are in place.
#[derive(Debug)]
struct GivenEntry<'a> {
    file: ChangeFile<'a>,
    raw: &'a RawValue,
    list: List,
    arn: String,
    before: References,
}

/// Who and what the changed details can make a difference for.
#[derive(Debug, Default)]
pub(super) struct DetailsReach {
    /// Users and roles, by ARN.
    pub(super) principals: BTreeSet<String>,
    /// Managed policies, by ARN.
    pub(super) policies: BTreeSet<String>,
    /// Users and roles that were not there, or are not there any more.
    pub(super) existence: bool,
}

impl<'a> AllDetails<'a> {
    /// Reads a file of the snapshot.
    pub(super) fn read_base(&mut self, file: &SnapshotFile<'a>, folder: Option<&'a str>) {
        let pages = text_of(file.bytes).and_then(read_pages::<Page<'a>>);
        let Ok(pages) = pages else {
            self.unreadable.insert(folder);
            return;
        };
        let mut read = DetailsFile {
            path: file.path,
            accounts: folder.map(str::to_owned).into_iter().collect(),
            lists: BTreeMap::new(),
            changed: false,
        };
        let mut items: BTreeMap<List, Vec<(String, &'a RawValue)>> = BTreeMap::new();
        for (list, raw) in pages.iter().flat_map(Page::lists) {
            let Ok(entries) = serde_json::from_str::<Vec<&'a RawValue>>(raw.get()) else {
                self.unreadable.insert(folder);
                return;
            };
            for entry in entries {
                let Some(arn) = arn_of(entry.get()) else {
                    self.unreadable.insert(folder);
                    return;
                };
                let account = account_of(&arn);
                read.accounts
                    .extend((account != "aws").then(|| account.to_owned()));
                items.entry(list).or_default().push((arn, entry));
            }
        }
        for list in List::ALL {
            let items = items.remove(&list).unwrap_or_default();
            read.lists.insert(list, Listed::new(items));
        }
        self.files.push(read);
    }

    pub(super) fn has_account(&self, account: &str) -> bool {
        self.files
            .iter()
            .any(|file| file.accounts.contains(account))
    }

    /// Reads a file of the change and lays it over.
    pub(super) fn lay_over(
        &mut self,
        file: ChangeFile<'a>,
        folder: Option<&str>,
        changes: &mut Vec<OverlayChange>,
    ) -> Result<(), OverlayError> {
        let pages: Vec<Page<'a>> = read_pages(file.text).map_err(|problem| file.json(&problem))?;
        let mut any = false;
        for (list, raw) in pages.iter().flat_map(Page::lists) {
            any = true;
            for entry in file.entries((list.name(), raw), arn_of)? {
                self.entry(file, (list, &entry), folder, changes)?;
            }
        }
        match any {
            true => Ok(()),
            false => Err(file.wrong_at(
                super::error::Place(None),
                OverlayProblem::Form(details::DetailsProblem::NoLists.to_string()),
            )),
        }
    }

    fn entry(
        &mut self,
        file: ChangeFile<'a>,
        (list, entry): (List, &Entry<'a>),
        folder: Option<&str>,
        changes: &mut Vec<OverlayChange>,
    ) -> Result<(), OverlayError> {
        let arn = &*entry.name;
        let wrong = |problem| file.wrong(entry.raw, problem);
        let account = checked_account(list, arn).map_err(wrong)?;
        let is_of_aws = account == "aws";
        if let Some(folder) = folder.filter(|folder| !is_of_aws && *folder != account) {
            let (id, found) = (arn.to_owned(), account.to_owned());
            debug_assert_ne!(folder, found);
            return Err(wrong(OverlayProblem::OtherAccount { id, found }));
        }
        let home = if is_of_aws { folder } else { Some(account) };
        if self.unreadable.contains(&home) {
            return Err(wrong(OverlayProblem::SnapshotUnreadable));
        }
        if home.is_some_and(|account| !self.has_account(account)) {
            let account = home.unwrap_or_default().to_owned();
            return Err(wrong(OverlayProblem::UnknownAccount(account)));
        }
        let before = self.get(list, arn).map(str::to_owned);
        let effect = match &entry.given {
            Given::Deleted if before.is_none() => {
                return Err(wrong(OverlayProblem::NotThere(arn.to_owned())));
            }
            Given::Deleted if is_of_aws => {
                let why = "it is AWS's own".to_owned();
                let id = arn.to_owned();
                return Err(wrong(OverlayProblem::NotDeletable { id, why }));
            }
            Given::Deleted => self.delete(list, arn),
            Given::Whole(members) | Given::Members(members) => {
                let text = self.text(file, (list, entry), members, before.as_deref())?;
                self.set(list, (arn, home), text)
            }
        };
        self.given.push(GivenEntry {
            file,
            raw: entry.raw,
            list,
            arn: arn.to_owned(),
            before: before.as_deref().map(References::of).unwrap_or_default(),
        });
        changes.push(OverlayChange {
            path: file.path.to_owned(),
            entry: list.entry(),
            id: arn.to_owned(),
            effect,
            concerns: None,
        });
        Ok(())
    }

    /// The whole entry as it is to stand, checked.
    fn text(
        &mut self,
        file: ChangeFile<'a>,
        (list, entry): (List, &Entry<'a>),
        members: &Members<'a>,
        before: Option<&str>,
    ) -> Result<String, OverlayError> {
        let arn = &*entry.name;
        let wrong = |problem| file.wrong(entry.raw, problem);
        if matches!(entry.given, Given::Members(_))
            && let Some((member, raw)) = members
                .iter()
                .find(|(member, _)| !list.members().contains(&&**member))
        {
            let (id, member) = (arn.to_owned(), member.clone().into_owned());
            return Err(file.wrong(raw, OverlayProblem::UnknownMember { id, member }));
        }
        self.check_documents(file, arn, members)?;
        let text = match (&entry.given, before) {
            (Given::Members(_), Some(before)) => with_members(before, members),
            (Given::Members(_), None) => {
                with_members(&object([("Arn", &*quoted(arn))].into_iter()), members)
            }
            _ => Ok(entry.raw.get().to_owned()),
        }
        .map_err(|error| wrong(form(error)))?;
        let own = arn_of(&text).unwrap_or_default();
        if own != arn {
            let key = arn.to_owned();
            return Err(wrong(OverlayProblem::OtherName { key, id: own }));
        }
        let alone = format!("{{\"{}\": [{text}]}}", list.name());
        match details::read(&alone) {
            Ok(_) => Ok(text),
            Err(details::DetailsProblem::Json(problem)) => {
                Err(wrong(OverlayProblem::Form(problem.reason().to_owned())))
            }
            Err(problem) => Err(wrong(OverlayProblem::Form(problem.to_string()))),
        }
    }

    /// A policy that cannot be read would leave every decision open: it is a mistake in the change.
    fn check_documents(
        &mut self,
        file: ChangeFile<'a>,
        arn: &str,
        members: &Members<'a>,
    ) -> Result<(), OverlayError> {
        for (member, raw) in members {
            let unreadable = |error| file.wrong(raw, form(error));
            match &**member {
                "UserPolicyList" | "GroupPolicyList" | "RolePolicyList" if raw.get() != "null" => {
                    let policies: Vec<InlinePolicy<'a>> =
                        serde_json::from_str(raw.get()).map_err(unreadable)?;
                    for policy in policies {
                        let owner = format!("inline policy `{}` of `{arn}`", policy.policy_name);
                        self.check_identity(file, owner, policy.policy_document)?;
                    }
                }
                "PolicyVersionList" if raw.get() != "null" => {
                    let versions: Vec<PolicyVersion<'a>> =
                        serde_json::from_str(raw.get()).map_err(unreadable)?;
                    for version in versions {
                        let owner = format!("managed policy `{arn}`");
                        self.check_identity(file, owner, version.document())?;
                    }
                }
                "AssumeRolePolicyDocument" if raw.get() != "null" => {
                    let owner = format!("trust policy of `{arn}`");
                    let compiled = self.documents.resource(raw);
                    compiled.map_err(|problem| super::document(file, (owner, raw), &problem))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    fn check_identity(
        &mut self,
        file: ChangeFile<'a>,
        owner: String,
        raw: &'a RawValue,
    ) -> Result<(), OverlayError> {
        let compiled = self.documents.identity(raw);
        compiled.map_err(|problem| super::document(file, (owner, raw), &problem))?;
        Ok(())
    }

    fn get(&self, list: List, arn: &str) -> Option<&str> {
        let lists = self.files.iter().filter_map(|file| file.lists.get(&list));
        lists.into_iter().find_map(|list| list.get(arn))
    }

    fn all(&self, list: List) -> impl Iterator<Item = (&str, &str)> {
        let lists = self
            .files
            .iter()
            .filter_map(move |file| file.lists.get(&list));
        lists.flat_map(Listed::items)
    }

    /// Sets an entry in every file that has it (AWS's managed policies stand in several), else in the
    /// first one of its account.
    fn set(
        &mut self,
        list: List,
        (arn, home): (&str, Option<&str>),
        text: String,
    ) -> OverlayEffect {
        let mut effect = None;
        for file in &mut self.files {
            let Some(entries) = file.lists.get_mut(&list) else {
                continue;
            };
            if entries.get(arn).is_some() {
                let done = entries.set(arn, text.clone());
                file.changed |= done != OverlayEffect::Unchanged;
                effect = effect.min(Some(done)).or(Some(done));
            }
        }
        if let Some(effect) = effect {
            return effect;
        }
        let file = self
            .files
            .iter_mut()
            .find(|file| home.is_none_or(|account| file.accounts.contains(account)));
        if let Some(file) = file
            && let Some(entries) = file.lists.get_mut(&list)
        {
            entries.set(arn, text);
            file.changed = true;
        }
        OverlayEffect::Added
    }

    fn delete(&mut self, list: List, arn: &str) -> OverlayEffect {
        for file in &mut self.files {
            if let Some(entries) = file.lists.get_mut(&list) {
                file.changed |= entries.remove(arn);
            }
        }
        OverlayEffect::Deleted
    }

    /// Looks at what the changed entries name, and takes what was deleted out of where it is named.
    pub(super) fn settle(&mut self, changes: &mut [OverlayChange]) -> Result<(), OverlayError> {
        for given in std::mem::take(&mut self.given) {
            match self.get(given.list, &given.arn) {
                Some(text) => {
                    let now = References::of(text);
                    self.check_references(&given, &now)?;
                }
                None if given.list == List::Policies => self.detach(&given)?,
                None if given.list == List::Groups => self.leave(&given.arn),
                None => {}
            }
        }
        for change in changes
            .iter_mut()
            .filter(|change| change.entry == OverlayEntry::ManagedPolicy)
        {
            let attached = |list| {
                let all = self.all(list);
                let holders = all.filter(|(_, text)| {
                    References::of(text).policies().any(|arn| arn == change.id)
                });
                holders.count() as u64
            };
            let holders = [List::Users, List::Groups, List::Roles].map(attached);
            change.concerns = Some(holders.iter().sum());
        }
        Ok(())
    }

    /// What the change newly names must be there; what was missing before may still be.
    fn check_references(
        &self,
        given: &GivenEntry<'a>,
        now: &References,
    ) -> Result<(), OverlayError> {
        let account = account_of(&given.arn);
        let before: BTreeSet<&str> = given.before.policies().collect();
        let is_there = |arn: &&str| {
            self.get(List::Policies, arn).is_some() || ManagedPolicies::bundled().get(arn).is_some()
        };
        let policy = now
            .policies()
            .find(|arn| !before.contains(arn) && !is_there(arn));
        let is_group = |name: &&String| {
            let mut groups = self.all(List::Groups);
            groups.any(|(arn, _)| account_of(arn) == account && name_of(arn) == **name)
        };
        let group = now
            .group_list
            .iter()
            .find(|name| !given.before.group_list.contains(name) && !is_group(name));
        match policy.or(group.map(String::as_str)) {
            Some(named) => Err(given.file.wrong(
                given.raw,
                OverlayProblem::Dangling {
                    id: given.arn.clone(),
                    named: named.to_owned(),
                },
            )),
            None => Ok(()),
        }
    }

    /// A deleted managed policy is attached to nobody any more, as IAM asks for before it deletes one.
    /// See <https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html>.
    fn detach(&mut self, given: &GivenEntry<'a>) -> Result<(), OverlayError> {
        let arn = given.arn.as_str();
        for list in [List::Users, List::Roles] {
            let bounded = self
                .all(list)
                .find(|(_, text)| References::of(text).boundary() == Some(arn));
            if let Some((principal, _)) = bounded {
                let problem = OverlayProblem::NotDeletable {
                    id: arn.to_owned(),
                    why: format!("it is the permissions boundary of `{principal}`"),
                };
                return Err(given.file.wrong(given.raw, problem));
            }
        }
        let without = |_: &str, text: &str| {
            let attached = References::of(text).attached_managed_policies;
            let names_it = attached.iter().any(|attached| attached.policy_arn == arn);
            names_it.then(|| {
                let rest: Vec<String> = attached
                    .iter()
                    .filter(|attached| attached.policy_arn != arn)
                    .map(|attached| format!("{{\"PolicyArn\": {}}}", quoted(&attached.policy_arn)))
                    .collect();
                replaced(
                    text,
                    "AttachedManagedPolicies",
                    &format!("[{}]", rest.join(",")),
                )
            })?
        };
        for list in [List::Users, List::Groups, List::Roles] {
            self.edit(list, without);
        }
        Ok(())
    }

    /// A deleted group has no members.
    fn leave(&mut self, group: &str) {
        let (account, name) = (account_of(group), name_of(group));
        self.edit(List::Users, |arn, text| {
            let groups = References::of(text).group_list;
            if account_of(arn) != account || !groups.iter().any(|group| group == name) {
                return None;
            }
            let rest: Vec<String> = groups
                .iter()
                .filter(|group| *group != name)
                .map(|group| quoted(group))
                .collect();
            replaced(text, "GroupList", &format!("[{}]", rest.join(",")))
        });
    }

    fn edit(&mut self, list: List, mut change: impl FnMut(&str, &str) -> Option<String>) {
        for file in &mut self.files {
            if let Some(entries) = file.lists.get_mut(&list) {
                file.changed |= entries.edit(&mut change);
            }
        }
    }

    /// Who the changed entries make a difference for, by the snapshot `before` and the one after.
    pub(super) fn reach(&self, before: &AllDetails<'_>, changes: &[OverlayChange]) -> DetailsReach {
        let mut reach = DetailsReach::default();
        let mut groups: BTreeSet<&str> = BTreeSet::new();
        for change in changes {
            let id = change.id.as_str();
            match (change.entry, change.effect) {
                (_, OverlayEffect::Unchanged) => {}
                (OverlayEntry::User | OverlayEntry::Role, effect) => {
                    reach.principals.insert(id.to_owned());
                    reach.existence |= effect != OverlayEffect::Replaced;
                }
                (OverlayEntry::Group, _) => drop(groups.insert(id)),
                (OverlayEntry::ManagedPolicy, _) => drop(reach.policies.insert(id.to_owned())),
                _ => {}
            }
        }
        if groups.is_empty() && reach.policies.is_empty() {
            return reach;
        }
        for world in [before, self] {
            let holds = |references: &References| {
                references
                    .policies()
                    .any(|arn| reach.policies.contains(arn))
            };
            let by_policy = world.all(List::Groups);
            let changed: BTreeSet<(&str, &str)> = by_policy
                .filter(|(arn, text)| groups.contains(arn) || holds(&References::of(text)))
                .map(|(arn, _)| (account_of(arn), name_of(arn)))
                .collect();
            for (arn, text) in world.all(List::Users).chain(world.all(List::Roles)) {
                let references = References::of(text);
                let in_group = |name: &String| changed.contains(&(account_of(arn), name.as_str()));
                if holds(&references) || references.group_list.iter().any(in_group) {
                    reach.principals.insert(arn.to_owned());
                }
            }
        }
        reach
    }

    /// The changed files.
    pub(super) fn into_files(self) -> impl Iterator<Item = (&'a str, String)> {
        let changed = self.files.into_iter().filter(|file| file.changed);
        changed.map(|file| {
            let lists: Vec<(&str, String)> = file
                .lists
                .iter()
                .map(|(list, entries)| (list.name(), entries.list()))
                .collect();
            let members = lists.iter().map(|(name, list)| (*name, list.as_str()));
            (file.path, object(members))
        })
    }
}

fn replaced(text: &str, member: &'static str, value: &str) -> Option<String> {
    let value: &RawValue = serde_json::from_str(value).ok()?;
    with_members(text, &vec![(member.into(), value)]).ok()
}

/// The account of an entry's ARN, which must be one of its list's.
fn checked_account(list: List, arn: &str) -> Result<&str, OverlayProblem> {
    match IamArn::parse(arn, list.kind(), name_of(arn)) {
        Some(parsed) => Ok(parsed.account),
        None => Err(OverlayProblem::OtherForm {
            id: arn.to_owned(),
            expected: match list {
                List::Users => "the ARN of a user",
                List::Groups => "the ARN of a group",
                List::Roles => "the ARN of a role",
                List::Policies => "the ARN of a managed policy",
            },
        }),
    }
}

fn account_of(arn: &str) -> &str {
    arn.split(':').nth(4).unwrap_or_default()
}

fn name_of(arn: &str) -> &str {
    arn.rsplit('/').next().unwrap_or_default()
}
