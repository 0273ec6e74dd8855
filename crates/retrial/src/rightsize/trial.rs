//! Proposals tried on recorded calls, by what-if's machinery: each laid over the snapshot.
//!
//! All that are for different users and roles are tried at once: what a principal may do has no part in what another
//! one may. Those for policies that several have are tried by turns with the others, so that each is tried alone on
//! the calls of all its holders; and then all of them together. There is one way in which principals have a
//! part in each other: the new version of a managed policy is also that of the sessions that were given the policy
//! as their session policy. So where anything is broken, those that make versions are tried alone, and then
//! all calls count.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use retrial_cloudtrail::Timestamp;
use retrial_iam::{SnapshotFile, overlay};
use retrial_pipeline::{WhatIfGroup, WhatIfKey, WhatIfReport, WhatIfRun, Window, what_if};
use retrial_replay::{ChangeEffect, Proposal, Replayer, WhatIf};
use serde_json::{Map, Value, json};

use super::RightsizeArgs;
use super::current::Current;
use super::named::{INLINE_OF_SET, Named, NamedDocument, To, entity, last};
use crate::error::ProgramError;
use crate::input;
use crate::location::OpenOutput;

/// What proposals are tried on.
pub(crate) struct Trials<'t, 's> {
    /// The snapshot's files.
    pub(crate) files: &'t [(String, Vec<u8>)],
    pub(crate) iam: &'t Path,
    pub(crate) current: Replayer<'s>,
    /// What principals have today.
    pub(crate) policies: &'t Current,
    pub(crate) output: &'t OpenOutput,
    pub(crate) threads: usize,
}

/// Calls replayed under proposals.
struct Tried(Option<WhatIfReport>);

/// What a proposal would have done to its principal's calls.
#[derive(Default)]
pub(crate) struct Trial {
    /// Groups of calls that it would have broken.
    pub(crate) groups: Vec<(WhatIfKey, WhatIfGroup)>,
    pub(crate) denied: u64,
    pub(crate) undetermined: u64,
    /// Calls that would have been opened: never, unless something is wrong.
    pub(crate) opened: u64,
    /// Calls that AWS denied, or that failed, and are decided otherwise.
    pub(crate) others: u64,
    /// Differing calls that could not be told apart by principal.
    pub(crate) not_listed: u64,
}

impl Trial {
    /// Calls that got through and would be denied, or left open.
    pub(crate) fn broken(&self) -> u64 {
        self.denied + self.undetermined
    }

    /// Whether it does nothing to any call that got through.
    pub(crate) fn is_clean(&self) -> bool {
        self.broken() == 0 && self.opened == 0 && self.not_listed == 0
    }
}

impl Tried {
    /// The part of those whom a proposal is for.
    fn of(&self, proposal: &Proposal) -> Trial {
        let arns = proposal.principals();
        self.part(&|key| arns.iter().any(|arn| is_of(arn, &key.principal_arn)))
    }

    /// All of it.
    fn all(&self) -> Trial {
        self.part(&|_| true)
    }

    fn part(&self, counts: &dyn Fn(&WhatIfKey) -> bool) -> Trial {
        let mut trial = Trial::default();
        let Some(report) = &self.0 else {
            return trial;
        };
        trial.not_listed = report.not_listed;
        for (key, group) in report.groups.iter().filter(|(key, _)| counts(key)) {
            let calls = match key.effect {
                ChangeEffect::NewlyDenied => &mut trial.denied,
                ChangeEffect::NewlyUndetermined | ChangeEffect::NoLongerEvaluated => {
                    &mut trial.undetermined
                }
                ChangeEffect::NewlyAllowed | ChangeEffect::NoLongerDenied => &mut trial.opened,
                ChangeEffect::Other => &mut trial.others,
            };
            *calls += group.calls;
            if key.effect != ChangeEffect::Other {
                trial.groups.push((key.clone(), group.clone()));
            }
        }
        trial
    }
}

/// Whether a call's principal is that of a proposal: records may leave the path out.
fn is_of(own: &str, arn: &str) -> bool {
    if arn == own {
        return true;
    }
    let parts = |arn: &str| -> Option<(String, String, String)> {
        let rest = arn.splitn(6, ':').nth(5)?;
        let (kind, _) = rest.split_once('/')?;
        let name = rest.rsplit('/').next()?;
        let account = arn.split(':').nth(4)?;
        Some((account.to_owned(), kind.to_owned(), name.to_owned()))
    };
    parts(arn).is_some_and(|parts_of| Some(parts_of) == parts(own))
}

/// Trials of several proposals.
pub(crate) struct AllTrials {
    /// What each of them does alone, in their order.
    pub(crate) each: Vec<Trial>,
    /// What those do together that do nothing alone; `None` where no two are for the same user or role.
    pub(crate) together: Option<Trial>,
}

/// The places of proposals, no two of which in one batch are for the same user or role.
fn batches(proposals: &[Named<'_>]) -> Vec<Vec<usize>> {
    let mut batches: Vec<(BTreeSet<&str>, Vec<usize>)> = Vec::new();
    for (place, named) in proposals.iter().enumerate() {
        let whom = named.proposal.principals();
        let is_free = |taken: &BTreeSet<&str>| !whom.iter().any(|arn| taken.contains(arn.as_str()));
        let whom = || whom.iter().map(String::as_str);
        match batches.iter_mut().find(|(taken, _)| is_free(taken)) {
            Some((taken, places)) => {
                taken.extend(whom());
                places.push(place);
            }
            None => batches.push((whom().collect(), vec![place])),
        }
    }
    batches.into_iter().map(|(_, places)| places).collect()
}

/// Those at some places.
fn at<'n, 'a>(proposals: &'n [Named<'a>], places: &[usize]) -> Vec<&'n Named<'a>> {
    let places = places.iter();
    places.filter_map(|place| proposals.get(*place)).collect()
}

impl Trials<'_, '_> {
    /// Replays the whole window under proposals.
    pub(crate) fn whole(
        &self,
        (proposals, end): (&[Named<'_>], Timestamp),
        args: &RightsizeArgs,
    ) -> Result<AllTrials, ProgramError> {
        let batches = batches(proposals);
        let mut each: BTreeMap<usize, Trial> = BTreeMap::new();
        for places in &batches {
            let trials = self.batch((&at(proposals, places), end), args)?;
            each.extend(places.iter().copied().zip(trials));
        }
        let each: Vec<Trial> = each.into_values().collect();
        let together = match batches.len() {
            0 | 1 => None,
            _ => {
                let sound = proposals.iter().zip(&each);
                let sound: Vec<&Named<'_>> = sound
                    .filter(|(_, trial)| trial.is_clean())
                    .map(|(named, _)| named)
                    .collect();
                Some(self.run((&sound, None, end), args)?.all())
            }
        };
        Ok(AllTrials { each, together })
    }

    /// Replays the calls between two moments under proposals: what each of them does, in their order.
    pub(crate) fn between(
        &self,
        (proposals, since, until): (&[Named<'_>], Timestamp, Timestamp),
        args: &RightsizeArgs,
    ) -> Result<Vec<Trial>, ProgramError> {
        let mut each: BTreeMap<usize, Trial> = BTreeMap::new();
        for places in batches(proposals) {
            let batch = at(proposals, &places);
            let tried = self.run((&batch, Some(since), until), args)?;
            let trials = batch.iter().map(|named| tried.of(named.proposal));
            each.extend(places.into_iter().zip(trials));
        }
        Ok(each.into_values().collect())
    }

    /// Replays the whole window under proposals for different users and roles: what each of them does, in their
    /// order.
    fn batch(
        &self,
        (every, end): (&[&Named<'_>], Timestamp),
        args: &RightsizeArgs,
    ) -> Result<Vec<Trial>, ProgramError> {
        let tried = |proposals: &[&Named<'_>]| self.run((proposals, None, end), args);
        let together = tried(every)?;
        let own = every.iter().map(|named| together.of(named.proposal));
        let mut trials: Vec<Trial> = own.collect();
        let may_touch_others = every.iter().any(|named| named.makes_versions());
        if !may_touch_others || together.all().is_clean() {
            return Ok(trials);
        }
        for (named, trial) in every.iter().zip(&mut trials) {
            if named.makes_versions() || !trial.is_clean() {
                *trial = tried(&[named])?.all();
            }
        }
        // Two versions may break together what neither does alone.
        let sound = every.iter().zip(&trials);
        let sound: Vec<&Named<'_>> = sound
            .filter(|(_, trial)| trial.is_clean())
            .map(|(named, _)| *named)
            .collect();
        let rest = tried(&sound)?;
        if !rest.all().is_clean() {
            for (named, trial) in every.iter().zip(&mut trials) {
                if trial.is_clean() && named.makes_versions() {
                    *trial = rest.all();
                }
            }
        }
        Ok(trials)
    }

    /// Replays the calls between two moments under proposals.
    fn run(
        &self,
        (proposals, since, until): (&[&Named<'_>], Option<Timestamp>, Timestamp),
        args: &RightsizeArgs,
    ) -> Result<Tried, ProgramError> {
        if proposals.is_empty() {
            return Ok(Tried(None));
        }
        let change = change(proposals, self.policies).to_string();
        let change = SnapshotFile {
            path: "authorization-details.json",
            bytes: change.as_bytes(),
        };
        let base = input::borrowed(self.files);
        let laid = overlay(&base, &[change]).map_err(|cause| ProgramError::Change {
            path: self.iam.display().to_string(),
            cause: Box::new(cause),
        })?;
        let (changed, _) = input::snapshot_of(self.iam, &input::owned(laid.files))?;
        let run = WhatIfRun {
            worlds: WhatIf {
                current: self.current,
                changed: Replayer::new(
                    self.current.catalogue(),
                    self.current.mapping(),
                    &changed.snapshot,
                    self.current.assumptions(),
                ),
                scope: &laid.scope,
            },
            store: self.output.store.as_ref(),
            window: Window {
                since,
                // Calls without a time are in the whole only.
                until: since.map(|_| until).or_else(|| args.as_of.map(|_| until)),
            },
            now: None,
            threads: self.threads,
        };
        let report = what_if(&run, &self.output.state.0.files);
        let report = report.map_err(|cause| ProgramError::OutputUnreadable {
            path: args.out.to_string(),
            cause,
        })?;
        Ok(Tried(Some(report)))
    }
}

/// The change that proposals are, for `retrial what-if --change`.
pub(crate) fn change(proposals: &[&Named<'_>], current: &Current) -> Value {
    let mut entries = Entries {
        current,
        all: BTreeMap::new(),
    };
    let mut policies = Map::new();
    for named in proposals {
        entries.change(named);
        for document in &named.documents {
            let (Some(value), To::Policy { .. } | To::Version(..)) =
                (document.value(), &document.to)
            else {
                continue;
            };
            let (arn, entry) = policy_entry(document, &value);
            policies.insert(arn, entry);
        }
    }
    let list = |kind: &str, inline: &str| -> Map<String, Value> {
        let of_kind = entries.all.iter().filter(|((of, _), _)| *of == kind);
        of_kind
            .map(|((_, arn), after)| (arn.clone(), after.entry(inline)))
            .collect()
    };
    json!({
        "UserDetailList": list("user", "UserPolicyList"), "GroupDetailList": list("group", "GroupPolicyList"),
        "RoleDetailList": list("role", "RolePolicyList"), "Policies": policies,
    })
}

/// What users, groups and roles have with proposals, one laid over the other.
struct Entries<'c> {
    current: &'c Current,
    /// By kind and ARN.
    all: BTreeMap<(&'static str, String), After>,
}

impl Entries<'_> {
    fn change(&mut self, named: &Named<'_>) {
        let shared = named.proposal.shared();
        if let Some(group) = shared.and_then(|shared| shared.group.as_ref()) {
            self.entry("group", group).change(named);
            return;
        }
        if let Some((policy, attached_to)) = named.detached_from_all() {
            for arn in attached_to {
                let (kind, _) = entity(arn);
                let entry = self.entry(kind, arn);
                entry.attached.retain(|attached| attached != policy);
            }
        }
        if shared.is_none() {
            for arn in named.proposal.principals() {
                self.entry(named.kind(), arn).change(named);
            }
        }
    }

    fn entry(&mut self, kind: &'static str, arn: &str) -> &mut After {
        let entry = self.all.entry((kind, arn.to_owned()));
        entry.or_insert_with(|| {
            let current = self.current.of(arn).cloned().unwrap_or_default();
            After {
                inline: current.inline,
                attached: current.attached,
            }
        })
    }
}

/// The entry of a managed policy that is new, or has a new version.
fn policy_entry(document: &NamedDocument<'_>, value: &Value) -> (String, Value) {
    let versions =
        |id: &str| json!([{"VersionId": id, "IsDefaultVersion": true, "Document": value}]);
    match &document.to {
        To::Version(arn, managed) => {
            let next = managed.next();
            let entry = json!({"DefaultVersionId": next, "PolicyVersionList": versions(&next)});
            ((*arn).to_owned(), entry)
        }
        To::Policy { name, arn, .. } => (
            arn.clone(),
            json!({"PolicyName": name, "Path": "/", "DefaultVersionId": "v1",
                   "PolicyVersionList": versions("v1")}),
        ),
        To::Inline(_) | To::Set => (String::new(), Value::Null),
    }
}

/// What a user, group or role has with proposals.
struct After {
    inline: Vec<(String, Value)>,
    attached: Vec<String>,
}

impl After {
    fn entry(&self, list: &str) -> Value {
        let inline: Vec<Value> = self
            .inline
            .iter()
            .map(|(name, document)| json!({"PolicyName": name, "PolicyDocument": document}))
            .collect();
        let attached: Vec<Value> = self
            .attached
            .iter()
            .map(|arn| json!({"PolicyName": last(arn), "PolicyArn": arn}))
            .collect();
        json!({list: inline, "AttachedManagedPolicies": attached})
    }

    fn change(&mut self, named: &Named<'_>) {
        let is_edit = named
            .proposal
            .documents
            .iter()
            .any(|one| one.edit.is_some());
        let left = &named.proposal.left;
        let stays = |id: &str| {
            let mut left = left.iter().filter(|left| left.stays_attached());
            left.any(|left| left.policy == id)
        };
        let replaced = |id: &str| named.proposal.replaced.iter().any(|one| one == id);
        self.attached.retain(|arn| match is_edit {
            // What stands in a new version stays attached.
            true => !replaced(arn) || named.has_version_of(arn),
            false => stays(arn),
        });
        if !is_edit {
            self.inline.clear();
        }
        for document in &named.documents {
            match &document.to {
                To::Policy { arn, .. } if document.written.is_some() => {
                    self.attached.push(arn.clone());
                }
                To::Inline(name) => self.put(name, document.value()),
                To::Set => self.put(INLINE_OF_SET, document.value()),
                To::Policy { .. } | To::Version(..) => {}
            }
        }
    }

    fn put(&mut self, name: &str, document: Option<Value>) {
        let place = self.inline.iter().position(|(of, _)| of == name);
        match (place, document) {
            (Some(place), Some(document)) => {
                if let Some(known) = self.inline.get_mut(place) {
                    known.1 = document;
                }
            }
            (Some(place), None) => {
                self.inline.remove(place);
            }
            (None, Some(document)) => self.inline.push((name.to_owned(), document)),
            (None, None) => {}
        }
    }
}
