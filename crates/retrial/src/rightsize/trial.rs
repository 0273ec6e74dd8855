//! Proposals tried on recorded calls, by what-if's machinery: each laid over the snapshot.
//!
//! All are tried at once: what a principal may do has no part in what another one may. There is one way in
//! which it has: the new version of a managed policy is also that of the sessions that were given the policy
//! as their session policy. So where anything is broken, those that make versions are tried alone, and then
//! all calls count.

use std::path::Path;

use retrial_cloudtrail::Timestamp;
use retrial_iam::{SnapshotFile, overlay};
use retrial_pipeline::{WhatIfGroup, WhatIfKey, WhatIfReport, WhatIfRun, Window, what_if};
use retrial_replay::{ChangeEffect, Proposal, Replayer, WhatIf};
use serde_json::{Map, Value, json};

use super::RightsizeArgs;
use super::current::{Current, CurrentPolicies};
use super::named::{INLINE_OF_SET, Named, NamedDocument, To, last};
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
pub(crate) struct Tried(Option<WhatIfReport>);

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
    pub(crate) fn of(&self, proposal: &Proposal) -> Trial {
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

impl Trials<'_, '_> {
    /// Replays the whole window under proposals: what each of them does, in their order.
    pub(crate) fn whole(
        &self,
        (proposals, end): (&[Named<'_>], Timestamp),
        args: &RightsizeArgs,
    ) -> Result<Vec<Trial>, ProgramError> {
        let tried = |proposals: &[&Named<'_>]| self.run((proposals, None, end), args);
        let every: Vec<&Named<'_>> = proposals.iter().collect();
        let together = tried(&every)?;
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
    pub(crate) fn run(
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
    let mut lists = [Map::new(), Map::new(), Map::new()];
    let [users, roles, policies] = &mut lists;
    for named in proposals {
        for arn in named.proposal.principals() {
            let (list, inline) = match named.kind() {
                "user" => (&mut *users, "UserPolicyList"),
                _ => (&mut *roles, "RolePolicyList"),
            };
            let after = After::of(named, current.of(arn));
            let inlines: Vec<Value> = after
                .inline
                .iter()
                .map(|(name, document)| json!({"PolicyName": name, "PolicyDocument": document}))
                .collect();
            let attached: Vec<Value> = after
                .attached
                .iter()
                .map(|arn| json!({"PolicyName": last(arn), "PolicyArn": arn}))
                .collect();
            let entry = json!({inline: inlines, "AttachedManagedPolicies": attached});
            list.insert(arn.clone(), entry);
        }
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
    let [users, roles, policies] = lists;
    json!({"UserDetailList": users, "GroupDetailList": {}, "RoleDetailList": roles, "Policies": policies})
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

/// What a user or role has with a proposal.
struct After {
    inline: Vec<(String, Value)>,
    attached: Vec<String>,
}

impl After {
    fn of(named: &Named<'_>, current: Option<&CurrentPolicies>) -> After {
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
        let attached = current.map_or(&[][..], |current| &current.attached);
        let attached = attached.iter().filter(|arn| match is_edit {
            // What stands in a new version stays attached.
            true => !replaced(arn) || named.has_version_of(arn),
            false => stays(arn),
        });
        let mut after = After {
            inline: Vec::new(),
            attached: attached.cloned().collect(),
        };
        if let Some(current) = current.filter(|_| is_edit) {
            after.inline = current.inline.clone();
        }
        for document in &named.documents {
            match &document.to {
                To::Policy { arn, .. } if document.written.is_some() => {
                    after.attached.push(arn.clone());
                }
                To::Inline(name) => after.put(name, document.value()),
                To::Set => after.put(INLINE_OF_SET, document.value()),
                To::Policy { .. } | To::Version(..) => {}
            }
        }
        after
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
