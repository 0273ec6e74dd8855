//! From authorization details to principals with the policies that count for them.

use std::{
    cell::OnceCell,
    collections::{BTreeMap, HashMap, HashSet, hash_map::Entry},
    sync::Arc,
};

use rustc_hash::FxHashMap;
use serde_json::value::RawValue;

use super::{
    AttachedPolicy, PolicyDocument, PolicySource, PolicyUnavailable, Principal, PrincipalKind,
    details::{
        self, AttachedManagedPolicy, Details, DetailsProblem, GroupDetail, IamArn, InlinePolicy,
        PermissionsBoundary, PolicyDetail, RoleDetail, Tag, UserDetail,
    },
    documents::{DocumentProblem, Documents},
    json::Lines,
    read::Issues,
};
use crate::{CompiledPolicy, ManagedPolicies};

/// The authorization details of all accounts, before any document is compiled.
#[derive(Debug, Default)]
pub(super) struct Accounts<'a> {
    files: Vec<DetailsFile<'a>>,
    pub(super) accounts: BTreeMap<String, AccountDetails<'a>>,
    /// By ARN, with the number of the file: accounts collected at different times can differ.
    aws_managed: HashMap<String, Vec<(usize, PolicyDetail<'a>)>>,
}

#[derive(Debug)]
struct DetailsFile<'a> {
    path: &'a str,
    text: &'a str,
    /// Made when the first error in the file needs it.
    lines: OnceCell<Lines>,
}

/// The details of one account, each entry with the number of its file.
#[derive(Debug, Default)]
pub(super) struct AccountDetails<'a> {
    partition: Option<String>,
    users: Vec<(usize, UserDetail<'a>)>,
    groups: Vec<(usize, GroupDetail<'a>)>,
    roles: Vec<(usize, RoleDetail<'a>)>,
    customer_managed: HashMap<String, (usize, PolicyDetail<'a>)>,
    files: HashSet<usize>,
}

/// What an account's details become.
#[derive(Debug, Default)]
pub(super) struct BuiltAccount {
    pub(super) principals: Vec<BuiltPrincipal>,
    /// By name.
    pub(super) group_arns: FxHashMap<String, String>,
    /// By name; AWS managed policies are not among them.
    pub(super) policy_arns: FxHashMap<String, String>,
}

#[derive(Debug)]
pub(super) struct BuiltPrincipal {
    pub(super) principal: Principal,
    pub(super) trust_policy: Option<PolicyDocument>,
    /// `None` where nothing is told of it.
    pub(super) last_used: Option<Option<String>>,
}

/// Why a file's details are not used.
#[derive(Debug)]
pub(super) enum FileProblem {
    Details(DetailsProblem),
    /// It stands in the folder of another account.
    OtherAccount {
        found: String,
    },
    /// It has neither a folder that names its account nor any entry that does.
    NoAccount,
}

impl std::fmt::Display for FileProblem {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Details(problem) => problem.fmt(out),
            Self::OtherAccount { found } => write!(
                out,
                "the file stands in the folder of another account than `{found}`, which it holds"
            ),
            Self::NoAccount => out.write_str(
                "the file names no account: it has no user, group, role or customer managed policy",
            ),
        }
    }
}

impl<'a> Accounts<'a> {
    /// Reads one file. `folder` is the account whose folder it stands in; without one, the ARNs tell
    /// the accounts. Returns the accounts that the file holds.
    pub(super) fn read_file(
        &mut self,
        path: &'a str,
        text: &'a str,
        folder: Option<&str>,
    ) -> Result<Vec<String>, FileProblem> {
        let details = details::read(text).map_err(FileProblem::Details)?;
        let mut found: Vec<String> = details.accounts().map(str::to_owned).collect();
        found.sort_unstable();
        found.dedup();
        match folder {
            Some(folder) => {
                if let Some(other) = found.into_iter().find(|account| account != folder) {
                    return Err(FileProblem::OtherAccount { found: other });
                }
                found = vec![folder.to_owned()];
            }
            None if found.is_empty() => return Err(FileProblem::NoAccount),
            None => {}
        }
        let file = self.files.len();
        self.files.push(DetailsFile {
            path,
            text,
            lines: OnceCell::new(),
        });
        for account in &found {
            self.accounts
                .entry(account.clone())
                .or_default()
                .files
                .insert(file);
        }
        self.distribute(details, file);
        Ok(found)
    }

    fn distribute(&mut self, details: Details<'a>, file: usize) {
        for user in details.users {
            self.account_of(&user.arn, "user", &user.user_name)
                .users
                .push((file, user));
        }
        for group in details.groups {
            self.account_of(&group.arn, "group", &group.group_name)
                .groups
                .push((file, group));
        }
        for role in details.roles {
            self.account_of(&role.arn, "role", &role.role_name)
                .roles
                .push((file, role));
        }
        for policy in details.policies {
            let arn = policy.arn.to_string();
            if IamArn::parse(&arn, "policy", &policy.policy_name)
                .is_some_and(|arn| arn.account == "aws")
            {
                self.aws_managed
                    .entry(arn)
                    .or_default()
                    .push((file, policy));
            } else {
                let account = self.account_of(&arn, "policy", &policy.policy_name);
                account
                    .customer_managed
                    .entry(arn)
                    .or_insert((file, policy));
            }
        }
    }

    /// The account in an ARN that [`details::read`] has checked.
    fn account_of(&mut self, arn: &str, kind: &str, name: &str) -> &mut AccountDetails<'a> {
        let parsed = IamArn::parse(arn, kind, name);
        let account = self
            .accounts
            .entry(parsed.map_or("", |arn| arn.account).to_owned())
            .or_default();
        if account.partition.is_none() {
            account.partition = parsed.map(|arn| arn.partition.to_owned());
        }
        account
    }

    /// Makes the principals of one account, without its root user.
    pub(super) fn build(
        &self,
        account: &AccountDetails<'a>,
        documents: &mut Documents<'a>,
        issues: &mut Issues,
    ) -> BuiltAccount {
        let mut builder = Builder {
            all: self,
            account,
            documents,
            issues,
            managed: HashMap::new(),
            groups: HashMap::new(),
            built: BuiltAccount::default(),
        };
        builder.groups();
        builder.users();
        builder.roles();
        builder.built.policy_arns = account
            .customer_managed
            .values()
            .map(|(_, policy)| (policy.policy_name.to_string(), policy.arn.to_string()))
            .collect();
        builder.built
    }

    /// A managed policy as the account's own files have it, or else as any other account's do.
    fn managed_policy<'s>(
        &'s self,
        account: &'s AccountDetails<'a>,
        arn: &str,
    ) -> Option<&'s (usize, PolicyDetail<'a>)> {
        account.customer_managed.get(arn).or_else(|| {
            let copies = self.aws_managed.get(arn)?;
            copies
                .iter()
                .find(|(file, _)| account.files.contains(file))
                .or(copies.first())
        })
    }

    /// The documents of all managed policies by ARN, also of those that are attached to nobody: a
    /// session can be given any of them. What cannot be read is left out; where it is attached, the
    /// principal's issues say so.
    pub(super) fn managed_policies(
        &self,
        documents: &mut Documents<'a>,
    ) -> FxHashMap<Box<str>, Arc<CompiledPolicy>> {
        let customer = self
            .accounts
            .values()
            .flat_map(|account| &account.customer_managed)
            .map(|(arn, (_, policy))| (arn, policy));
        let of_aws = self
            .aws_managed
            .iter()
            .filter_map(|(arn, copies)| Some((arn, &copies.first()?.1)));
        customer
            .chain(of_aws)
            .filter_map(|(arn, policy)| {
                let compiled = documents.identity(policy.default_document()?).ok()?;
                Some((arn.as_str().into(), compiled))
            })
            .collect()
    }

    /// When the version in force of each managed policy was made, by ARN.
    pub(super) fn policies_created(&self) -> FxHashMap<Box<str>, String> {
        let customer = self
            .accounts
            .values()
            .flat_map(|account| &account.customer_managed)
            .map(|(arn, (_, policy))| (arn, policy));
        let of_aws = self
            .aws_managed
            .iter()
            .filter_map(|(arn, copies)| Some((arn, &copies.first()?.1)));
        customer
            .chain(of_aws)
            .filter_map(|(arn, policy)| {
                let created = policy.default_version_created()?.to_owned();
                Some((arn.as_str().into(), created))
            })
            .collect()
    }

    fn path(&self, file: usize) -> &'a str {
        self.files.get(file).map_or("", |file| file.path)
    }

    /// Where and why a document is no policy.
    fn describe(&self, file: usize, raw: &RawValue, problem: &DocumentProblem) -> String {
        let (line, column) = self
            .files
            .get(file)
            .map_or((1, 1), |file| file.place(raw.get()));
        problem.describe((line, column))
    }
}

impl AccountDetails<'_> {
    /// The partition of its ARNs.
    pub(super) fn partition(&self) -> &str {
        self.partition.as_deref().unwrap_or("aws")
    }
}

impl DetailsFile<'_> {
    /// The line and column of something borrowed from the text.
    fn place(&self, part: &str) -> (usize, usize) {
        let offset = (part.as_ptr() as usize).saturating_sub(self.text.as_ptr() as usize);
        self.lines
            .get_or_init(|| Lines::of(self.text))
            .place(offset)
    }
}

/// Makes the principals of one account.
struct Builder<'b, 'a> {
    all: &'b Accounts<'a>,
    account: &'b AccountDetails<'a>,
    documents: &'b mut Documents<'a>,
    issues: &'b mut Issues,
    /// Managed policies of this account that were asked for.
    managed: HashMap<String, AttachedPolicy>,
    /// A group's policies, by its name.
    groups: HashMap<&'b str, Vec<AttachedPolicy>>,
    built: BuiltAccount,
}

impl<'b, 'a> Builder<'b, 'a> {
    fn groups(&mut self) {
        for (file, group) in &self.account.groups {
            let source = PolicySource::Group(Arc::from(&*group.arn));
            let mut policies = self.inline(*file, &group.arn, &group.group_policy_list, &source);
            policies.extend(self.attached(
                *file,
                &group.arn,
                &group.attached_managed_policies,
                &source,
            ));
            match self.groups.entry(&group.group_name) {
                Entry::Vacant(place) => {
                    place.insert(policies);
                    self.built
                        .group_arns
                        .insert(group.group_name.to_string(), group.arn.to_string());
                }
                Entry::Occupied(_) => self.twice(*file, &group.arn),
            }
        }
    }

    fn users(&mut self) {
        let mut seen = HashSet::new();
        for (file, user) in &self.account.users {
            if !seen.insert(&user.arn) {
                self.twice(*file, &user.arn);
                continue;
            }
            let mut identity = self.inline(
                *file,
                &user.arn,
                &user.user_policy_list,
                &PolicySource::Inline,
            );
            identity.extend(self.attached(
                *file,
                &user.arn,
                &user.attached_managed_policies,
                &PolicySource::Managed,
            ));
            for group in &user.group_list {
                identity.extend(self.group(*file, user, group));
            }
            let boundary = self.boundary(*file, &user.arn, user.permissions_boundary.as_ref());
            let arn = IamArn::parse(&user.arn, "user", &user.user_name);
            let principal = Principal {
                arn: user.arn.to_string(),
                unique_id: user.user_id.to_string(),
                kind: PrincipalKind::User,
                account: arn.map_or("", |arn| arn.account).to_owned(),
                name: user.user_name.to_string(),
                path: arn.map_or("/", |arn| arn.path).to_owned(),
                created: user.create_date.clone(),
                tags: tags(&user.tags),
                identity,
                boundary,
            };
            self.built.principals.push(BuiltPrincipal {
                principal,
                trust_policy: None,
                last_used: None,
            });
        }
    }

    fn roles(&mut self) {
        let mut seen = HashSet::new();
        for (file, role) in &self.account.roles {
            if !seen.insert(&role.arn) {
                self.twice(*file, &role.arn);
                continue;
            }
            let mut identity = self.inline(
                *file,
                &role.arn,
                &role.role_policy_list,
                &PolicySource::Inline,
            );
            identity.extend(self.attached(
                *file,
                &role.arn,
                &role.attached_managed_policies,
                &PolicySource::Managed,
            ));
            let boundary = self.boundary(*file, &role.arn, role.permissions_boundary.as_ref());
            let arn = IamArn::parse(&role.arn, "role", &role.role_name);
            let principal = Principal {
                arn: role.arn.to_string(),
                unique_id: role.role_id.to_string(),
                kind: PrincipalKind::Role,
                account: arn.map_or("", |arn| arn.account).to_owned(),
                name: role.role_name.to_string(),
                path: arn.map_or("/", |arn| arn.path).to_owned(),
                created: role.create_date.clone(),
                tags: tags(&role.tags),
                identity,
                boundary,
            };
            let trust_policy = role
                .assume_role_policy_document
                .map(|raw| self.trust_policy(*file, &role.arn, raw));
            let last_used = role.role_last_used.as_ref();
            let last_used = last_used.map(|used| used.last_used_date.clone());
            self.built.principals.push(BuiltPrincipal {
                principal,
                trust_policy,
                last_used,
            });
        }
    }

    fn trust_policy(&mut self, file: usize, role: &str, raw: &'a RawValue) -> PolicyDocument {
        let policy = self.documents.resource(raw).map_err(|problem| {
            let why = self.all.describe(file, raw, &problem);
            self.issues.add(
                self.all.path(file),
                format!("trust policy of `{role}`: {why}"),
            );
            PolicyUnavailable::Unreadable
        });
        PolicyDocument {
            text: self.documents.text(raw),
            attached: AttachedPolicy {
                id: role.into(),
                source: PolicySource::Resource,
                policy,
                bundled_date: None,
            },
        }
    }

    /// The policies that a user has from a group. A group that is not in the snapshot stands for
    /// policies that nobody knows.
    fn group(&mut self, file: usize, user: &UserDetail<'_>, name: &str) -> Vec<AttachedPolicy> {
        if let Some(policies) = self.groups.get(name) {
            return policies.clone();
        }
        let account =
            IamArn::parse(&user.arn, "user", &user.user_name).map_or("", |arn| arn.account);
        let arn: Arc<str> = format!(
            "arn:{}:iam::{account}:group/{name}",
            self.account.partition()
        )
        .into();
        self.issues.add(
            self.all.path(file),
            format!(
                "user `{}` is in the group `{name}`, which is not in the snapshot",
                user.arn
            ),
        );
        vec![AttachedPolicy {
            id: arn.clone(),
            source: PolicySource::Group(arn),
            policy: Err(PolicyUnavailable::NotCollected),
            bundled_date: None,
        }]
    }

    fn inline(
        &mut self,
        file: usize,
        owner: &str,
        policies: &[InlinePolicy<'a>],
        source: &PolicySource,
    ) -> Vec<AttachedPolicy> {
        let mut attached = Vec::with_capacity(policies.len());
        for inline in policies {
            let id: Arc<str> = format!("{owner}#{}", inline.policy_name).into();
            let policy = self
                .documents
                .identity(inline.policy_document)
                .map_err(|problem| {
                    let why = self.all.describe(file, inline.policy_document, &problem);
                    self.issues.add(
                        self.all.path(file),
                        format!("inline policy `{}` of `{owner}`: {why}", inline.policy_name),
                    );
                    PolicyUnavailable::Unreadable
                });
            attached.push(AttachedPolicy {
                id,
                source: source.clone(),
                policy,
                bundled_date: None,
            });
        }
        attached
    }

    fn attached(
        &mut self,
        file: usize,
        owner: &str,
        policies: &[AttachedManagedPolicy<'a>],
        source: &PolicySource,
    ) -> Vec<AttachedPolicy> {
        policies
            .iter()
            .map(|attached| AttachedPolicy {
                source: source.clone(),
                ..self.managed(file, owner, &attached.policy_arn)
            })
            .collect()
    }

    fn boundary(
        &mut self,
        file: usize,
        owner: &str,
        boundary: Option<&PermissionsBoundary<'a>>,
    ) -> Option<AttachedPolicy> {
        boundary.map(|boundary| self.managed(file, owner, &boundary.permissions_boundary_arn))
    }

    /// A managed policy; what is wrong with it is said once, with the first principal that has it.
    fn managed(&mut self, file: usize, owner: &str, arn: &str) -> AttachedPolicy {
        if let Some(found) = self.managed.get(arn) {
            return found.clone();
        }
        let mut bundled_date = None;
        let policy =
            self.managed_document(arn, &mut bundled_date)
                .map_err(|(unavailable, at, why)| {
                    let path = self.all.path(at.unwrap_or(file));
                    self.issues.add(
                        path,
                        format!("managed policy `{arn}`, attached to `{owner}`: {why}"),
                    );
                    unavailable
                });
        let attached = AttachedPolicy {
            id: arn.into(),
            source: PolicySource::Managed,
            policy,
            bundled_date,
        };
        self.managed.insert(arn.to_owned(), attached.clone());
        attached
    }

    /// The policy, or why there is none, with the number of the file that is to blame.
    fn managed_document(
        &mut self,
        arn: &str,
        bundled_date: &mut Option<&'static str>,
    ) -> Result<Arc<CompiledPolicy>, (PolicyUnavailable, Option<usize>, String)> {
        if let Some((file, policy)) = self.all.managed_policy(self.account, arn) {
            let Some(raw) = policy.default_document() else {
                return Err((
                    PolicyUnavailable::Unreadable,
                    Some(*file),
                    "none of its versions is the default one".to_owned(),
                ));
            };
            return self.documents.identity(raw).map_err(|problem| {
                (
                    PolicyUnavailable::Unreadable,
                    Some(*file),
                    self.all.describe(*file, raw, &problem),
                )
            });
        }
        let bundled = ManagedPolicies::bundled();
        let Some(policy) = bundled.get(arn) else {
            return Err((
                PolicyUnavailable::NotCollected,
                None,
                "the snapshot does not hold it".to_owned(),
            ));
        };
        *bundled_date = Some(bundled.date());
        self.documents
            .identity_of_text(policy.document)
            .map_err(|problem| {
                let why = match problem {
                    DocumentProblem::Malformed { error, .. } => {
                        format!("the compiled-in copy at {error}")
                    }
                    DocumentProblem::NotUtf8 => "the compiled-in copy is not UTF-8".to_owned(),
                };
                (PolicyUnavailable::Unreadable, None, why)
            })
    }

    fn twice(&mut self, file: usize, arn: &str) {
        self.issues.add(
            self.all.path(file),
            format!("`{arn}` is listed more than once: the first entry counts"),
        );
    }
}

fn tags(tags: &[Tag]) -> Vec<(String, String)> {
    tags.iter()
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect()
}
