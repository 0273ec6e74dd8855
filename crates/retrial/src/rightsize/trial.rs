//! Proposals tried on recorded calls, by what-if's machinery: each laid over the snapshot.

use std::path::Path;

use retrial_cloudtrail::Timestamp;
use retrial_iam::{SnapshotFile, overlay};
use retrial_pipeline::{WhatIfGroup, WhatIfKey, WhatIfReport, WhatIfRun, Window, what_if};
use retrial_replay::{ChangeEffect, Proposal, Replayer, WhatIf, WhyLeft};
use serde_json::{Map, Value, json};

use super::RightsizeArgs;
use super::named::Named;
use crate::error::ProgramError;
use crate::input;
use crate::location::OpenOutput;

/// What proposals are tried on.
pub(crate) struct Trials<'t, 's> {
    /// The snapshot's files.
    pub(crate) files: &'t [(String, Vec<u8>)],
    pub(crate) iam: &'t Path,
    pub(crate) current: Replayer<'s>,
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
    /// The part of one principal.
    pub(crate) fn of(&self, proposal: &Proposal) -> Trial {
        let mut trial = Trial::default();
        let Some(report) = &self.0 else {
            return trial;
        };
        trial.not_listed = report.not_listed;
        let own = |key: &WhatIfKey| is_of(proposal, &key.principal_arn);
        for (key, group) in report.groups.iter().filter(|(key, _)| own(key)) {
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
fn is_of(proposal: &Proposal, arn: &str) -> bool {
    if arn == proposal.principal_arn {
        return true;
    }
    let parts = |arn: &str| -> Option<(String, String, String)> {
        let rest = arn.splitn(6, ':').nth(5)?;
        let (kind, _) = rest.split_once('/')?;
        let name = rest.rsplit('/').next()?;
        let account = arn.split(':').nth(4)?;
        Some((account.to_owned(), kind.to_owned(), name.to_owned()))
    };
    parts(arn).is_some_and(|own| Some(own) == parts(&proposal.principal_arn))
}

impl Trials<'_, '_> {
    /// Replays the calls between two moments under proposals.
    pub(crate) fn run(
        &self,
        (proposals, since, until): (&[Named<'_>], Option<Timestamp>, Timestamp),
        args: &RightsizeArgs,
    ) -> Result<Tried, ProgramError> {
        if proposals.is_empty() {
            return Ok(Tried(None));
        }
        let change = change(proposals).to_string();
        let change = SnapshotFile {
            path: "authorization-details.json",
            bytes: change.as_bytes(),
        };
        let base: Vec<SnapshotFile<'_>> = self
            .files
            .iter()
            .map(|(path, bytes)| SnapshotFile { path, bytes })
            .collect();
        let laid = overlay(&base, &[change]).map_err(|cause| ProgramError::Change {
            path: self.iam.display().to_string(),
            cause: Box::new(cause),
        })?;
        let files: Vec<(String, Vec<u8>)> = laid
            .files
            .into_iter()
            .map(|(path, bytes)| (path.into_owned(), bytes.into_owned()))
            .collect();
        let (changed, _) = input::snapshot_of(self.iam, &files)?;
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
pub(crate) fn change(proposals: &[Named<'_>]) -> Value {
    let mut lists = [Map::new(), Map::new(), Map::new()];
    for named in proposals {
        let proposal = named.proposal;
        let [users, roles, policies] = &mut lists;
        let (list, inline) = match named.kind() {
            "user" => (users, "UserPolicyList"),
            _ => (roles, "RolePolicyList"),
        };
        let mut attached = Vec::new();
        let left = proposal
            .left
            .iter()
            .filter(|left| left.why == WhyLeft::NotKnown);
        for left in left.filter(|left| !left.policy.contains('#')) {
            let name = left.policy.rsplit('/').next();
            attached.push(json!({"PolicyName": name, "PolicyArn": left.policy}));
        }
        for (name, document) in named.policies.iter().zip(&proposal.documents) {
            let arn = named.policy_arn(name);
            attached.push(json!({"PolicyName": name, "PolicyArn": arn}));
            let document: Value = serde_json::from_str(&document.json()).unwrap_or_default();
            policies.insert(
                arn,
                json!({"PolicyName": name, "Path": "/", "DefaultVersionId": "v1",
                       "PolicyVersionList": [
                           {"VersionId": "v1", "IsDefaultVersion": true, "Document": document}]}),
            );
        }
        list.insert(
            proposal.principal_arn.clone(),
            json!({inline: [], "AttachedManagedPolicies": attached}),
        );
    }
    let [users, roles, policies] = lists;
    json!({"UserDetailList": users, "GroupDetailList": {}, "RoleDetailList": roles, "Policies": policies})
}
