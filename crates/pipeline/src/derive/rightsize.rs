//! Proposals for the principals of a snapshot, out of the calls of the window: one each from all of it, and
//! one from its first four fifths, to be tried on the last.
//!
//! Nothing is written.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use retrial_iam::{Principal, PrincipalKind};
use retrial_replay::{
    Covered, Gather, MineConditions, NeedState, NeededRequest, NoProposal, PermissionInputs,
    PermissionOptions, PermissionStates, PermissionUses, Proposal, RecordedWrites,
    RightsizingEvidence, RightsizingInputs, RightsizingMode, SeenCall, Trails, permission_set_of,
    permission_sets, permissions, propose, propose_set, propose_shared,
};
use retrial_storage::Store;
use retrial_tables::{RoleNeedRow, Table};
use sha2::{Digest, Sha256};

use super::pass::Source;
use super::stored::{COLUMNS, COLUMNS_OF_A_REPLAY};
use super::{AsOf, Derive, facts, ground_of};
use crate::analyze::PipelineError;
use crate::filter::Filter;
use crate::manifest::{Manifest, ManifestFile};
use crate::plan::parse_delivery_date;
use crate::role_needs::{Checking, NeedsOf, role_needs};
use crate::scratch::Scratch;

/// What is asked.
pub struct Rightsize<'s> {
    /// The snapshot, and what else derivations go by.
    pub derive: Derive<'s>,
    /// The ARNs of the users and roles that are asked for; `None`: all.
    pub chosen: Option<&'s BTreeSet<String>>,
    /// What nobody could have seen goes, too.
    pub drop_unobservable: bool,
    /// New policies, or the present ones edited.
    pub mode: RightsizingMode<'s>,
    /// Whether conditions are looked for that all uses meet.
    pub mine_conditions: bool,
}

/// The proposals of a window.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rightsized {
    /// The window.
    pub window: RightsizingWindow,
    /// From the first four fifths of it, for whom there is one.
    pub first: Vec<Proposal>,
    /// From all of it, or why there is none: by the ARN of a user or role, or the name of a permission set.
    pub all: Vec<(String, Result<Proposal, NoProposal>)>,
    /// The same of policies that several have.
    pub shared: Vec<(String, Result<Proposal, NoProposal>)>,
    /// The calls that got through before the last fifth, by principal.
    pub early_calls: BTreeMap<String, u64>,
    /// SHA-256 of what the manifest lists of the tables that were read.
    pub inputs_digest: String,
}

impl Rightsized {
    /// What came of everybody, and of every policy that several have.
    pub fn found(&self) -> impl Iterator<Item = &(String, Result<Proposal, NoProposal>)> {
        self.all.iter().chain(&self.shared)
    }

    /// The calls before the last fifth of those whom a proposal is for.
    pub fn calls_before_split(&self, proposal: &Proposal) -> u64 {
        let principals = proposal.principals().iter();
        principals.filter_map(|arn| self.early_calls.get(arn)).sum()
    }
}

/// The window that proposals are made from, in microseconds since the epoch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RightsizingWindow {
    /// The beginning of its first day.
    pub begin: i64,
    /// Where its last fifth begins.
    pub split: i64,
    /// The end of its last day.
    pub end: i64,
}

impl RightsizingWindow {
    fn of(end: i64, files: &[ManifestFile]) -> RightsizingWindow {
        let dates = files.iter().filter(|file| file.table == "decisions");
        let first = dates
            .filter_map(|file| parse_delivery_date(&file.event_date).flatten())
            .min();
        let begin = first.map_or(end, |day| day.begin().micros()).min(end);
        RightsizingWindow {
            begin,
            split: begin + (end - begin) / 5 * 4,
            end,
        }
    }
}

/// Makes proposals; `None` where the output has no dated call.
///
/// # Errors
/// Where the output cannot be read.
pub fn rightsize(
    asked: &Rightsize<'_>,
    store: &dyn Store,
    manifest: &Manifest,
) -> Result<Option<Rightsized>, PipelineError> {
    let pool = rayon::ThreadPoolBuilder::new()
        .num_threads(asked.derive.threads)
        .build()?;
    let scratch = Scratch::new(asked.derive.scratch)?;
    pool.install(|| work(asked, (store, manifest), &scratch))
}

fn work(
    asked: &Rightsize<'_>,
    (store, manifest): (&dyn Store, &Manifest),
    scratch: &Scratch,
) -> Result<Option<Rightsized>, PipelineError> {
    let files = manifest.files.as_slice();
    let filter = manifest.header.filter.as_deref().unwrap_or_default();
    let filtered = Filter::leaves_out_calls(filter);
    let Some(whole) = AsOf::of(asked.derive.options.as_of, files) else {
        return Ok(None);
    };
    let window = RightsizingWindow::of(whole.end, files);
    let source = Source {
        derive: &asked.derive,
        store,
        files,
        window: &whole,
    };
    let snapshot = asked.derive.replayer.snapshot();
    let catalogue = asked.derive.replayer.catalogue();
    let new = || Evidence {
        uses: PermissionUses::new(snapshot),
        resources: RightsizingEvidence::new(snapshot, catalogue, asked.chosen)
            .with_conditions(asked.mine_conditions),
    };
    let columns = match asked.mine_conditions {
        true => [COLUMNS, COLUMNS_OF_A_REPLAY].concat(),
        false => COLUMNS.to_vec(),
    };
    let Parts {
        mut first, mut all, ..
    } = source.gather(&columns, || Parts {
        split: window.split,
        first: new(),
        all: new(),
    })?;
    let before_split = AsOf {
        date: whole.date.clone(),
        end: window.split,
    };
    let first_source = Source {
        derive: &asked.derive,
        store,
        files,
        window: &before_split,
    };
    let early_calls = first
        .resources
        .calls()
        .map(|(arn, calls)| (arn.to_owned(), calls))
        .collect();
    // Of four fifths of the window, four fifths of the days can be asked for.
    let days = asked.derive.options.min_window_days;
    let pass = Pass {
        asked,
        source: &first_source,
        min_window_days: days * 4 / 5,
        filtered,
        scratch,
    };
    let early = pass.proposals(&mut first, None)?;
    let early = early.0.into_iter().chain(early.1);
    let pass = Pass {
        source: &source,
        min_window_days: days,
        ..pass
    };
    let (all, shared) = pass.proposals(&mut all, Some(&first.resources))?;
    Ok(Some(Rightsized {
        window,
        first: early.filter_map(|(_, found)| found.ok()).collect(),
        all,
        shared,
        early_calls,
        inputs_digest: digest(files),
    }))
}

/// What is gathered from the calls.
struct Evidence<'s> {
    uses: PermissionUses<'s>,
    resources: RightsizingEvidence<'s>,
}

/// The same of all calls, and of those before the last fifth.
struct Parts<'s> {
    split: i64,
    first: Evidence<'s>,
    all: Evidence<'s>,
}

impl Gather for Evidence<'_> {
    fn see(&mut self, call: &SeenCall<'_>) {
        self.uses.see(call);
        self.resources.see(call);
    }

    fn merge(&mut self, later: Self) {
        self.uses.merge(later.uses);
        self.resources.merge(later.resources);
    }
}

impl Gather for Parts<'_> {
    fn see(&mut self, call: &SeenCall<'_>) {
        if call.event_time.is_none_or(|time| time < self.split) {
            self.first.see(call);
        }
        self.all.see(call);
    }

    fn merge(&mut self, later: Self) {
        self.first.merge(later.first);
        self.all.merge(later.all);
    }
}

/// A principal, and what came of it.
type Found = (String, Result<Proposal, NoProposal>);

/// One making of proposals.
#[derive(Clone, Copy)]
struct Pass<'p, 's> {
    asked: &'p Rightsize<'s>,
    source: &'p Source<'p>,
    min_window_days: u64,
    filtered: bool,
    scratch: &'p Scratch,
}

impl Pass<'_, '_> {
    /// From evidence, and from that of the first four fifths where this is all of it: for users, roles and permission
    /// sets, and for policies that several have.
    fn proposals(
        &self,
        evidence: &mut Evidence<'_>,
        early: Option<&RightsizingEvidence<'_>>,
    ) -> Result<(Vec<Found>, Vec<Found>), PipelineError> {
        let asked = self.asked;
        let snapshot = asked.derive.replayer.snapshot();
        let states = self.states(&evidence.uses)?;
        needs(self.source, &mut evidence.resources, self.scratch)?;
        let inputs = RightsizingInputs {
            catalogue: asked.derive.replayer.catalogue(),
            evidence: &evidence.resources,
            states: &states,
            drop_unobservable: asked.drop_unobservable,
            mode: asked.mode,
            mine: match (asked.mine_conditions, early) {
                (false, _) => MineConditions::No,
                (true, None) => MineConditions::Early,
                (true, Some(early)) => MineConditions::Held(early),
            },
        };
        let is_chosen = |principal: &&Principal| {
            let chosen = asked.chosen;
            chosen.is_none_or(|chosen| chosen.contains(&principal.arn))
        };
        let chosen = snapshot
            .principals()
            .filter(|principal| principal.kind != PrincipalKind::Root)
            .filter(is_chosen);
        let (of_sets, others): (Vec<&Principal>, Vec<&Principal>) =
            chosen.partition(|principal| permission_set_of(principal).is_some());
        let others = others
            .into_iter()
            .map(|principal| (principal.arn.clone(), propose(&inputs, principal)));
        let mut all: Vec<Found> = others.collect();
        for (name, roles) in permission_sets(of_sets.into_iter()) {
            let found = propose_set(&inputs, (&name, &roles));
            all.push((format!("permission set {name}"), found));
        }
        Ok((all, self.shared(&inputs)))
    }

    /// For policies that several have, one of the chosen ones among them.
    fn shared(&self, inputs: &RightsizingInputs<'_, '_>) -> Vec<Found> {
        let RightsizingMode::Edit(shared) = self.asked.mode else {
            return Vec::new();
        };
        let chosen = self.asked.chosen;
        let is_asked = |arn: &str| chosen.is_none_or(|chosen| chosen.contains(arn));
        let asked = shared
            .iter()
            .filter(|policy| policy.holders().any(is_asked));
        let found = asked.map(|policy| {
            let title = format!("shared policy {}", policy.subject().title());
            (title, propose_shared(inputs, policy, chosen))
        });
        found.collect()
    }

    fn states(&self, uses: &PermissionUses<'_>) -> Result<PermissionStates, PipelineError> {
        let replayer = self.asked.derive.replayer;
        let snapshot = replayer.snapshot();
        let (covered, writes): (Covered, RecordedWrites) = facts::read(self.source)?;
        let inputs = PermissionInputs {
            snapshot,
            catalogue: replayer.catalogue(),
            uses,
            covered: &covered,
            writes: &writes,
            trails: &Trails::of(snapshot).0,
            ground: &ground_of(replayer),
            options: PermissionOptions {
                min_window_days: self.min_window_days,
                assume_multi_region: self.asked.derive.options.assume_multi_region,
                filtered: self.filtered,
                now: self.source.window.end,
            },
        };
        let states = std::cell::RefCell::new(PermissionStates::new(self.asked.chosen.cloned()));
        permissions(
            &inputs,
            &mut |permission| {
                states.borrow_mut().see(permission);
                Ok::<(), PipelineError>(())
            },
            &mut |set| {
                states.borrow_mut().set(set);
                Ok(())
            },
        )?;
        Ok(states.into_inner())
    }
}

/// Takes in what jobs need of execution roles.
fn needs(
    source: &Source<'_>,
    evidence: &mut RightsizingEvidence<'_>,
    scratch: &Scratch,
) -> Result<(), PipelineError> {
    let replayer = source.derive.replayer;
    let checking = Checking {
        catalogue: replayer.catalogue(),
        mapping: replayer.mapping(),
        snapshot: replayer.snapshot(),
        // Only what is in excess is looked for among the uses, and nothing is made of that here.
        uses: None,
    };
    let needs = NeedsOf {
        store: source.store,
        files: source.files,
        end: source.window.end,
    };
    role_needs(checking, needs, scratch, &mut |row| {
        need(row, evidence);
        Ok(())
    })
}

fn need(row: &RoleNeedRow<'_>, evidence: &mut RightsizingEvidence<'_>) {
    let is_present = row.state == NeedState::Present.name();
    let may_be = row.state == NeedState::Unverifiable.name();
    // What is denied today is not granted.
    let may_be_allowed = may_be && row.decision == Some("undetermined");
    if !(is_present || may_be_allowed) {
        return;
    }
    let own = row
        .determined_by
        .iter()
        .filter(|statement| statement.layer == "identity" && statement.effect == "Allow");
    let statements: Vec<(&str, u32)> = own
        .map(|statement| (statement.policy, statement.index))
        .collect();
    evidence.need(&NeededRequest {
        role_arn: row.role_arn,
        action: row.action,
        resource_arn: row.resource_arn,
        resource_known: row.resource_known,
        is_allowed: is_present,
        statements: &statements,
        jobs: row.jobs,
        times: (row.first_time, row.last_time),
        event_id: row.event_id,
    });
}

/// Of what the manifest lists, in the order of the keys: they name contents.
fn digest(files: &[ManifestFile]) -> String {
    let mut lines: Vec<String> = files
        .iter()
        .filter(|file| {
            ["decisions", "needs", "sessions", "coverage", "changes"].contains(&&*file.table)
        })
        .map(|file| format!("{}\t{}\t{}\n", file.key, file.rows, file.bytes))
        .collect();
    lines.sort_unstable();
    let mut text = String::new();
    for byte in Sha256::digest(lines.concat()) {
        // Writing to a text cannot fail.
        let _ = write!(text, "{byte:02x}");
    }
    debug_assert_eq!(retrial_tables::Decisions::NAME, "decisions");
    text
}
