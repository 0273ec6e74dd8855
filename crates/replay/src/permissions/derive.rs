//! From policies, uses and what would have been seen to the rows of `permissions`.

use std::cell::OnceCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use retrial_iam::{
    Action, AttachedPolicy, Catalogue, CompiledPolicy, Principal, PrincipalKind, Snapshot,
};
use rustc_hash::FxHashMap;

use super::account::{Account, RestKey};
use super::documents::{Actions, Documents, Statement};
use super::evidence::{Evidence, Shown};
use super::ground::PermissionGround;
use super::observed::{Covered, RecordedWrites};
use super::rest::{ActionSets, Alike, Rest, service_of};
use super::row::{Row, Subject};
use super::standing::{Found, Seen, Standing};
use super::uses::{PermissionUses, PrincipalUses};
use super::{Permission, PermissionReason, PermissionState};
use crate::recording::Trails;

/// What the permissions of a snapshot are derived from.
#[derive(Clone, Copy)]
pub struct PermissionInputs<'i, 's> {
    /// The policies of now.
    pub snapshot: &'s Snapshot,
    /// The actions that wildcards stand for.
    pub catalogue: &'s Catalogue,
    /// What the calls of the window used.
    pub uses: &'i PermissionUses<'s>,
    /// What log files were there.
    pub covered: &'i Covered,
    /// What tells the age of policies and selectors.
    pub writes: &'i RecordedWrites,
    /// What trails record.
    pub trails: &'i Trails,
    /// What follows from snapshot, mapping and catalogue alone.
    pub ground: &'i PermissionGround<'s>,
    /// Since when, at least, and what is assumed.
    pub options: PermissionOptions,
}

/// What a user may say about the window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PermissionOptions {
    /// For how many days a permission must have been seen unused to be called so.
    pub min_window_days: u64,
    /// Regions without log files count as observed.
    pub assume_multi_region: bool,
    /// The output leaves out calls of the window: what it does not show may have been used.
    pub filtered: bool,
    /// The end of the window, in microseconds since the epoch: the moment that counts as now.
    pub now: i64,
}

/// AWS's own reports tell of unused access after 90 days by default.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/what-is-access-analyzer.html>
pub const MIN_WINDOW_DAYS: u64 = 90;

/// A set of actions that rows stand for, and its name.
pub type ActionSet<'a, 'c> = (&'a str, &'a [Action<'c>]);

/// Derives the permissions, in the order of the table; then hands over the sets of actions that they name, in
/// the order of their names.
///
/// # Errors
/// Those of the two functions.
pub fn permissions<'s, E>(
    inputs: &PermissionInputs<'_, 's>,
    permission: &mut dyn FnMut(&Permission<'_>) -> Result<(), E>,
    action_set: &mut dyn FnMut(ActionSet<'_, 's>) -> Result<(), E>,
) -> Result<(), E> {
    let mut deriver = Deriver::new(inputs);
    let mut principals: Vec<&Principal> = inputs
        .snapshot
        .principals()
        .filter(|principal| principal.kind != PrincipalKind::Root)
        .collect();
    principals.sort_by_key(|principal| (&*principal.account, &*principal.arn));
    for of_account in principals.chunk_by(|left, right| left.account == right.account) {
        let mut account = Account::new(inputs, of_account);
        for principal in of_account {
            let mut rows = deriver.principal(&mut account, principal);
            rows.sort_by(Row::order);
            for row in &rows {
                permission(&row.permission(principal))?;
            }
        }
    }
    for (name, set) in &deriver.sets.by_name {
        let set = set.iter();
        let actions: Vec<Action<'s>> = set
            .filter_map(|action| deriver.actions.get(*action))
            .collect();
        action_set((name, &actions))?;
    }
    Ok(())
}

/// Derives, principal by principal.
pub(super) struct Deriver<'d, 's> {
    pub(super) inputs: &'d PermissionInputs<'d, 's>,
    pub(super) actions: &'d Actions<'s>,
    documents: Documents<'s>,
    sets: ActionSets,
    texts: FxHashMap<u32, &'d str>,
    pub(super) now: i64,
}

impl<'d, 's> Deriver<'d, 's> {
    fn new(inputs: &'d PermissionInputs<'d, 's>) -> Self {
        Self {
            actions: &inputs.ground.actions,
            documents: inputs.ground.documents.clone(),
            sets: ActionSets::default(),
            texts: inputs.uses.texts(),
            now: inputs.options.now,
            inputs,
        }
    }

    fn principal(
        &mut self,
        account: &mut Account<'d, 's>,
        principal: &'s Principal,
    ) -> Vec<Row<'d>> {
        let none = PrincipalUses::default();
        let uses = self.inputs.uses.of_principal(&principal.arn);
        let evidence = Evidence::of(uses, &self.texts, self.actions);
        let limits = self.inputs.snapshot.limits_of(principal);
        let limits = account.limits_of(limits, self.actions.len());
        let idle = match uses.unwrap_or(&none).seen {
            true => None,
            false => self.idle(principal),
        };
        let mut rows = Vec::new();
        for attached in &principal.identity {
            let policy = match &attached.policy {
                Ok(policy) => policy,
                Err(unavailable) => {
                    rows.push(Row::of_unavailable(attached, *unavailable));
                    continue;
                }
            };
            let told = self.inputs.snapshot.last_accessed(&principal.arn).is_some();
            let standing = Standing {
                principal,
                limits,
                born: self.born(account, (principal, attached), idle.is_some() || told),
                idle,
                told,
            };
            let place = std::ptr::from_ref::<CompiledPolicy>(policy).addr();
            let expanded = (self.inputs.catalogue, self.actions);
            let statements = self.documents.expand(policy, expanded);
            for statement in statements.iter() {
                let number = self.inputs.uses.number(&attached.id);
                let used = evidence.of_statement(number, statement);
                self.statement(
                    account,
                    (standing, attached, place),
                    (statement, &used),
                    &mut rows,
                );
            }
        }
        rows
    }

    /// The rows of one statement.
    fn statement(
        &mut self,
        account: &mut Account<'d, 's>,
        (standing, attached, place): (Standing<'s>, &'s AttachedPolicy, usize),
        (statement, shown): (&Statement<'s>, &Shown<'d>),
        rows: &mut Vec<Row<'d>>,
    ) {
        let row = |subject, found: Found, used| Row {
            policy: attached,
            statement: Some((statement.index, statement.sid)),
            subject,
            found,
            otherwise: (found.state, found.reason),
            used,
        };
        let with_evidence = shown.of_action.keys().copied();
        let mut own: Vec<u32> = statement
            .spelled
            .iter()
            .copied()
            .chain(with_evidence)
            .collect();
        own.sort_unstable();
        own.dedup();
        let rests = self.rests(account, (standing, place), statement, &mut own);
        for action in &own {
            let shown = shown.of_action.get(action).copied().unwrap_or_default();
            let mut found = self.found(account, standing, (*action, statement), shown.undetermined);
            let otherwise = (found.state, found.reason);
            if shown.used.is_some() {
                found.state = PermissionState::Used;
                (found.reason, found.last) = (None, None);
                found.window = account.observe(*action, statement, self.actions).ok();
            }
            let used = shown.used.or(shown.undetermined);
            let subject = Subject::action(self.actions.name(*action), 1);
            rows.push(Row {
                otherwise,
                ..row(subject, found, used)
            });
        }
        for (name, used) in &shown.unknown {
            let found = Found::plain(PermissionState::Used, None);
            let reason = PermissionReason::UnknownAction;
            rows.push(Row {
                otherwise: (PermissionState::Unobservable, Some(reason)),
                ..row(Subject::action(name, 0), found, Some(*used))
            });
        }
        let is_used = |pattern: &str| {
            let names = shown.unknown.iter();
            names
                .into_iter()
                .any(|(name, _)| name.eq_ignore_ascii_case(pattern))
        };
        for pattern in statement.unknown.iter().filter(|pattern| !is_used(pattern)) {
            let reason = PermissionReason::UnknownAction;
            let found = Found::plain(PermissionState::Unobservable, Some(reason));
            rows.push(row(Subject::action(pattern, 0), found, None));
        }
        for rest in rests.iter() {
            let apart = common(&own, &rest.actions);
            let left = rest.actions.len() - apart;
            if left > 0 {
                let subject = Subject {
                    service: Some(rest.service(self.actions)),
                    action: None,
                    actions: left as u64,
                    set: Some(Rc::clone(&rest.set)),
                };
                rows.push(row(subject, rest.found, None));
            }
        }
    }

    /// What there is to say of the actions that wildcards of a statement stand for. Those that AWS says
    /// were used have rows of their own: they are added to `own`.
    fn rests(
        &mut self,
        account: &mut Account<'d, 's>,
        (standing, place): (Standing<'s>, usize),
        statement: &Statement<'s>,
        own: &mut Vec<u32>,
    ) -> Rc<Vec<Rest>> {
        let key = (place, statement.index, standing.limits);
        if standing.is_plain()
            && let Some(known) = account.rests(key)
        {
            return known;
        }
        let rests = match standing.told {
            true => self.rests_of_told(account, standing, (statement, own)),
            false => self.rests_of_alike(account, (standing, key), statement),
        };
        let rests = Rc::new(rests);
        if standing.is_plain() {
            account.keep_rests(key, &rests);
        }
        rests
    }

    /// For a principal of whom AWS tells service by service: each action by itself.
    fn rests_of_told(
        &mut self,
        account: &mut Account<'d, 's>,
        standing: Standing<'s>,
        (statement, own): (&Statement<'s>, &mut Vec<u32>),
    ) -> Vec<Rest> {
        let mut groups: BTreeMap<(&'s str, Found), Vec<u32>> = BTreeMap::new();
        for action in &statement.wild {
            let found = self.found(account, standing, (*action, statement), None);
            if found.state == PermissionState::Used {
                own.push(*action);
                continue;
            }
            let service = service_of(self.actions.name(*action));
            groups.entry((service, found)).or_default().push(*action);
        }
        own.sort_unstable();
        own.dedup();
        let groups = groups.into_iter();
        let rest = |((_, found), actions): ((&str, Found), Vec<u32>)| Rest {
            found,
            set: self.sets.name(&actions, self.actions),
            actions: actions.into(),
        };
        groups.map(rest).collect()
    }

    /// For any other: what is alike whoever has it stays so.
    fn rests_of_alike(
        &mut self,
        account: &mut Account<'d, 's>,
        (standing, key): (Standing<'s>, RestKey),
        statement: &Statement<'s>,
    ) -> Vec<Rest> {
        let alike = account.alike(key).unwrap_or_else(|| {
            let alike = Rc::new(self.alike(account, standing.limits, statement));
            account.keep_alike(key, &alike);
            alike
        });
        let mut groups: BTreeMap<(&'s str, Found), Vec<&Alike<'s>>> = BTreeMap::new();
        for alike in alike.iter() {
            let found = self.found_of(account, standing, (alike.seen, ""));
            groups
                .entry((alike.service, found))
                .or_default()
                .push(alike);
        }
        let groups = groups.into_iter();
        let rest = |((_, found), alike): ((&str, Found), Vec<&Alike<'s>>)| match *alike {
            [one] => Rest {
                found,
                set: Rc::clone(
                    one.set
                        .get_or_init(|| self.sets.name(&one.actions, self.actions)),
                ),
                actions: Rc::clone(&one.actions),
            },
            _ => {
                let all = alike.iter().flat_map(|alike| alike.actions.iter());
                let mut actions: Vec<u32> = all.copied().collect();
                actions.sort_unstable();
                Rest {
                    found,
                    set: self.sets.name(&actions, self.actions),
                    actions: actions.into(),
                }
            }
        };
        groups.map(rest).collect()
    }

    /// The actions of a statement's wildcards, those together of which there is the same to say.
    fn alike(
        &self,
        account: &mut Account<'d, 's>,
        limits: usize,
        statement: &Statement<'s>,
    ) -> Vec<Alike<'s>> {
        let mut groups: Vec<(&'s str, Seen, Vec<u32>)> = Vec::new();
        for action in &statement.wild {
            let seen = self.seen(account, limits, (*action, statement));
            let service = service_of(self.actions.name(*action));
            // The actions of a service come one after the other.
            let mut of_service = groups
                .iter_mut()
                .rev()
                .take_while(|(other, ..)| *other == service);
            match of_service.find(|(_, other, _)| *other == seen) {
                Some((.., actions)) => actions.push(*action),
                None => groups.push((service, seen, vec![*action])),
            }
        }
        let groups = groups.into_iter();
        let alike = groups.map(|(service, seen, actions)| Alike {
            service,
            seen,
            actions: actions.into(),
            set: OnceCell::new(),
        });
        alike.collect()
    }
}

/// How many numbers two ascending lists have in common.
fn common(left: &[u32], right: &[u32]) -> usize {
    let (short, long) = match left.len() < right.len() {
        true => (left, right),
        false => (right, left),
    };
    let is_in_both = |number: &&u32| long.binary_search(number).is_ok();
    short.iter().filter(is_in_both).count()
}
