//! From policies, uses and what would have been seen to the rows of `permissions`.

use std::collections::BTreeMap;
use std::rc::Rc;

use retrial_cloudtrail::Timestamp;
use retrial_iam::{
    AttachedPolicy, Catalogue, Layer, Limits, PolicySource, PolicyUnavailable, Principal,
    PrincipalKind, Snapshot,
};
use rustc_hash::FxHashMap;
use sha2::{Digest, Sha256};

use super::days::DAY;
use super::documents::{Actions, Documents, Statement};
use super::observed::{Covered, Observer, Reach, RecordedWrites, Window, days_between};
use super::uses::{PermissionUses, PrincipalUses, Use};
use super::{Permission, PermissionReason, PermissionState};
use crate::recording::{Recording, Trails};

/// For how long AWS tracks what is used, in days.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_policies_last-accessed.html>
const TRACKING_DAYS: i64 = 400;

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
    /// Which records show an action.
    pub recording: &'i Recording,
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
    /// The end of the window, in microseconds since the epoch: the moment that counts as now.
    pub now: i64,
}

/// AWS's own reports tell of unused access after 90 days by default.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/what-is-access-analyzer.html>
pub const MIN_WINDOW_DAYS: u64 = 90;

/// A set of actions that rows stand for, and its name.
pub type ActionSet<'a> = (&'a str, &'a [&'a str]);

/// The distinct sets of actions that rows of `permissions` stand for.
#[derive(Default)]
struct ActionSets {
    by_name: BTreeMap<String, Vec<u32>>,
}

impl ActionSets {
    /// Names a set by a hash of its actions.
    fn name(&mut self, set: &[u32], actions: &Actions<'_>) -> String {
        let mut hash = Sha256::new();
        for action in set {
            hash.update(actions.name(*action).as_bytes());
            hash.update(b"\n");
        }
        let name: String = hash
            .finalize()
            .iter()
            .take(8)
            .map(|byte| format!("{byte:02x}"))
            .collect();
        if !self.by_name.contains_key(&name) {
            self.by_name.insert(name.clone(), set.to_vec());
        }
        name
    }
}

/// Derives the permissions, in the order of the table; then hands over the sets of actions that they name, in
/// the order of their names.
///
/// # Errors
/// Those of the two functions.
pub fn permissions<E>(
    inputs: &PermissionInputs<'_, '_>,
    permission: &mut dyn FnMut(&Permission<'_>) -> Result<(), E>,
    action_set: &mut dyn FnMut(ActionSet<'_>) -> Result<(), E>,
) -> Result<(), E> {
    let mut deriver = Deriver::new(inputs);
    let mut principals: Vec<&Principal> = inputs
        .snapshot
        .principals()
        .filter(|principal| principal.kind != PrincipalKind::Root)
        .collect();
    principals.sort_by_key(|principal| (&*principal.account, &*principal.arn));
    for of_account in principals.chunk_by(|left, right| left.account == right.account) {
        let mut account = Account::new(inputs, of_account, deriver.actions.len());
        for principal in of_account {
            let mut rows = deriver.principal(&mut account, principal);
            rows.sort_by(|left, right| left.order().cmp(&right.order()));
            for row in &rows {
                permission(&row.permission(principal))?;
            }
        }
    }
    for (name, set) in &deriver.sets.by_name {
        let names: Vec<&str> = set
            .iter()
            .map(|action| deriver.actions.name(*action))
            .collect();
        action_set((name, &names))?;
    }
    Ok(())
}

/// What the permissions of one account share.
struct Account<'i, 's> {
    observer: Observer<'i>,
    /// For each action, what would have been seen of it wherever it may be used.
    observed: Vec<Option<Result<Window, PermissionReason>>>,
    /// For each set of limits that principals of the account have, what they take away.
    limits: Vec<(Limits<'s>, Vec<Option<Option<Layer>>>)>,
    /// The rest of a statement's wildcards for principals of whom there is nothing special to say, by
    /// document, statement and limits.
    rests: FxHashMap<(usize, u32, usize), Rc<Vec<Rest>>>,
}

impl<'i, 's> Account<'i, 's> {
    fn new(
        inputs: &PermissionInputs<'i, 's>,
        principals: &[&'s Principal],
        actions: usize,
    ) -> Self {
        let account = principals
            .first()
            .map_or("", |principal| &*principal.account);
        Self {
            observer: Observer::new(
                account,
                (inputs.covered, inputs.writes),
                (inputs.trails, inputs.recording),
                inputs.options.assume_multi_region,
            ),
            observed: vec![None; actions],
            limits: Vec::new(),
            rests: FxHashMap::default(),
        }
    }

    fn limits_of(&mut self, limits: Limits<'s>, actions: usize) -> usize {
        let known = self.limits.iter().position(|(known, _)| known.are(&limits));
        known.unwrap_or_else(|| {
            self.limits.push((limits, vec![None; actions]));
            self.limits.len() - 1
        })
    }

    fn blocks(&mut self, limits: usize, action: (u32, &str)) -> Option<Layer> {
        let (limits, known) = self.limits.get_mut(limits)?;
        let slot = known.get_mut(action.0 as usize)?;
        *slot.get_or_insert_with(|| limits.blocks(action.1))
    }
}

/// What is special about a principal's permissions by one attachment of a policy.
#[derive(Clone, Copy)]
struct Standing<'p> {
    principal: &'p Principal,
    limits: usize,
    /// Since when the permissions are there, where that is after the logs begin; and what tells it.
    born: Option<(i64, PermissionReason)>,
    /// Since when, and until when, AWS says that the role was not used.
    idle: Option<(i64, i64)>,
    /// Whether AWS tells of its use service by service.
    told: bool,
}

impl Standing<'_> {
    /// Whether what follows for it follows for every principal of the account under the same limits.
    fn is_plain(&self) -> bool {
        self.born.is_none() && self.idle.is_none() && !self.told
    }
}

/// The state of a permission, and what would have been seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Found {
    state: PermissionState,
    reason: Option<PermissionReason>,
    window: Option<Window>,
    /// What AWS says is the last use.
    last: Option<i64>,
}

/// Actions of one service that a wildcard stands for, and of which there is the same to say.
struct Rest {
    found: Found,
    /// Ascending.
    actions: Vec<u32>,
    set: String,
}

/// One row, before it is written.
struct Row<'r> {
    policy: &'r AttachedPolicy,
    statement: Option<(u32, Option<&'r str>)>,
    subject: Subject<'r>,
    found: Found,
    used: Option<&'r Use>,
}

/// What a row is about.
#[derive(Default)]
struct Subject<'r> {
    service: Option<&'r str>,
    action: Option<&'r str>,
    actions: u64,
    set: Option<String>,
}

impl<'r> Subject<'r> {
    fn action(name: &'r str, actions: u64) -> Self {
        Self {
            service: name.split_once(':').map(|(service, _)| service),
            action: Some(name),
            actions,
            set: None,
        }
    }
}

struct Deriver<'d, 's> {
    inputs: &'d PermissionInputs<'d, 's>,
    actions: Actions<'s>,
    documents: Documents<'s>,
    sets: ActionSets,
    texts: FxHashMap<u32, &'d str>,
    now: i64,
}

impl<'d, 's> Deriver<'d, 's> {
    fn new(inputs: &'d PermissionInputs<'d, 's>) -> Self {
        Self {
            actions: Actions::of(inputs.catalogue),
            documents: Documents::default(),
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
        let evidence = Evidence::of(uses, &self.texts, &self.actions);
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
            let place = std::ptr::from_ref::<retrial_iam::CompiledPolicy>(policy).addr();
            let expanded = (self.inputs.catalogue, &self.actions);
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
        let row = |subject, found, used| Row {
            policy: attached,
            statement: Some((statement.index, statement.sid)),
            subject,
            found,
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
            if shown.used.is_some() {
                found.state = PermissionState::Used;
                (found.reason, found.last) = (None, None);
                found.window = account.observe(*action, statement, &self.actions).ok();
            }
            let used = shown.used.or(shown.undetermined);
            let subject = Subject::action(self.actions.name(*action), 1);
            rows.push(row(subject, found, used));
        }
        for (name, used) in &shown.unknown {
            let found = Found::plain(PermissionState::Used, None);
            rows.push(row(Subject::action(name, 0), found, Some(*used)));
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
            let is_own = |action: &&u32| own.binary_search(action).is_ok();
            let apart = rest.actions.iter().filter(is_own).count();
            let left = rest.actions.len() - apart;
            if left > 0 {
                let subject = Subject {
                    service: Some(rest.service(&self.actions)),
                    action: None,
                    actions: left as u64,
                    set: Some(rest.set.clone()),
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
            && let Some(known) = account.rests.get(&key)
        {
            return Rc::clone(known);
        }
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
        let rests: Vec<Rest> = groups
            .into_iter()
            .map(|((_, found), actions)| Rest {
                found,
                set: self.sets.name(&actions, &self.actions),
                actions,
            })
            .collect();
        let rests = Rc::new(rests);
        if standing.is_plain() {
            account.rests.insert(key, Rc::clone(&rests));
        }
        rests
    }

    /// The state of one action that nothing shows to be used.
    fn found(
        &self,
        account: &mut Account<'d, 's>,
        standing: Standing<'s>,
        (action, statement): (u32, &Statement<'s>),
        undetermined: Option<&Use>,
    ) -> Found {
        let name = self.actions.name(action);
        match account.blocks(standing.limits, (action, name)) {
            Some(Layer::Scp) => {
                return Found::plain(PermissionState::Blocked, Some(PermissionReason::Scp));
            }
            Some(_) => {
                let reason = PermissionReason::PermissionsBoundary;
                return Found::plain(PermissionState::Blocked, Some(reason));
            }
            None => {}
        }
        if undetermined.is_some() {
            let reason = PermissionReason::UndeterminedUse;
            return Found::plain(PermissionState::Unobservable, Some(reason));
        }
        let observed = account.observe(action, statement, &self.actions);
        let since_born = observed.map(|window| match standing.born {
            Some((born, _)) if born > window.begin => account.observer.from(born).unwrap_or(window),
            _ => window,
        });
        if let Ok(window) = since_born
            && window.days >= self.inputs.options.min_window_days
        {
            return Found::unused(window, None);
        }
        if let Some(told) = self.told(standing, name) {
            return told;
        }
        match (observed, since_born) {
            (Ok(whole), Ok(window)) => self.too_short(whole, window, standing),
            (Err(reason), _) | (_, Err(reason)) => {
                Found::plain(PermissionState::Unobservable, Some(reason))
            }
        }
    }

    /// Nothing was seen, and not for long enough.
    fn too_short(&self, whole: Window, window: Window, standing: Standing<'_>) -> Found {
        let is_long = whole.days >= self.inputs.options.min_window_days;
        let (state, reason) = match standing.born.filter(|_| is_long) {
            Some((_, reason)) => (PermissionState::TooNew, Some(reason)),
            None => (PermissionState::WindowTooShort, None),
        };
        Found {
            state,
            reason,
            window: Some(window),
            last: None,
        }
    }

    /// What AWS's own information says, where the log does not.
    fn told(&self, standing: Standing<'_>, action: &str) -> Option<Found> {
        let told = match self.last_accessed(standing.principal, action) {
            Some(Accessed::At(time)) => {
                let reason = PermissionReason::LastAccessed;
                return Some(Found {
                    last: Some(time),
                    ..Found::plain(PermissionState::Used, Some(reason))
                });
            }
            Some(Accessed::NotSince(begin, end)) => {
                Some((begin, end, PermissionReason::LastAccessed))
            }
            None => None,
        };
        let idle = standing
            .idle
            .map(|(begin, end)| (begin, end, PermissionReason::RoleNotUsed));
        let (begin, end, reason) = told.or(idle)?;
        let window = |begin: i64| Window {
            begin,
            end,
            days: days_between(begin, end),
        };
        let whole = window(begin);
        let since_born = standing
            .born
            .map_or(whole, |(born, _)| window(begin.max(born)));
        let min = self.inputs.options.min_window_days;
        if since_born.days >= min {
            return Some(Found::unused(since_born, Some(reason)));
        }
        (whole.days >= min).then(|| self.too_short(whole, since_born, standing))
    }

    fn last_accessed(&self, principal: &Principal, action: &str) -> Option<Accessed> {
        let information = self.inputs.snapshot.last_accessed(&principal.arn)?;
        let (service, name) = action.split_once(':')?;
        let service = information.services.get(service)?;
        let end = information.created.as_deref().and_then(micros);
        let end = end.unwrap_or_else(|| self.taken());
        let tracked_since = end - TRACKING_DAYS * DAY;
        let recent = self.now - self.min_window();
        let last_used = service.last_used.as_deref().and_then(micros);
        match service.actions.get(&name.to_ascii_lowercase()) {
            Some(Some(time)) => {
                let time = micros(time)?;
                Some(match time >= recent {
                    true => Accessed::At(time),
                    false => Accessed::NotSince(time, end),
                })
            }
            Some(None) => Some(Accessed::NotSince(tracked_since, end)),
            // Of the action nothing is told; of the service, that it was not used at all.
            None if service.last_used.is_none() => Some(Accessed::NotSince(tracked_since, end)),
            None => last_used
                .filter(|time| *time < recent)
                .map(|time| Accessed::NotSince(time, end)),
        }
    }

    /// Since when, and until when, AWS says that a role was not used (`RoleLastUsed`).
    fn idle(&self, principal: &Principal) -> Option<(i64, i64)> {
        let last = self.inputs.snapshot.role_use(&principal.arn)?;
        let taken = self.taken();
        let tracked_since = taken - TRACKING_DAYS * DAY;
        Some((last.and_then(micros).unwrap_or(tracked_since), taken))
    }

    /// When the snapshot was taken; without a word on it, now.
    fn taken(&self) -> i64 {
        let taken = self.inputs.snapshot.taken_at().and_then(micros);
        taken.unwrap_or(self.now)
    }

    fn min_window(&self) -> i64 {
        let days = i64::try_from(self.inputs.options.min_window_days).unwrap_or(i64::MAX);
        days.saturating_mul(DAY)
    }

    /// Since when the permissions of an attached policy are there, where that is later than what could
    /// have been seen of them.
    fn born(
        &self,
        account: &Account<'_, '_>,
        (principal, attached): (&Principal, &AttachedPolicy),
        is_told: bool,
    ) -> Option<(i64, PermissionReason)> {
        let created = principal.created.as_deref().and_then(micros);
        let (id, name) = attached
            .id
            .split_once('#')
            .map_or((&*attached.id, None), |(owner, name)| (owner, Some(name)));
        let version = match name {
            Some(_) => None,
            None => self
                .inputs
                .snapshot
                .policy_version_created(id)
                .and_then(micros),
        };
        let kind = match principal.kind {
            PrincipalKind::User => "user",
            PrincipalKind::Role | PrincipalKind::Root => "role",
        };
        let owner = match &attached.source {
            PolicySource::Group(arn) => {
                format!("group/{}", arn.rsplit('/').next().unwrap_or_default())
            }
            _ => format!("{kind}/{}", principal.name),
        };
        let put = self
            .inputs
            .writes
            .put(&principal.account, &owner, name.unwrap_or(id));
        let known = [
            created.map(|time| (time, PermissionReason::NewPrincipal)),
            version.map(|time| (time, PermissionReason::NewPolicyVersion)),
            put.map(|time| (time, PermissionReason::NewPolicy)),
        ];
        let born = known.into_iter().flatten().max_by_key(|(time, _)| *time)?;
        let first = account.observer.first();
        (is_told || first.is_some_and(|first| born.0 > first)).then_some(born)
    }
}

/// What last-accessed information says of an action.
enum Accessed {
    At(i64),
    NotSince(i64, i64),
}

fn micros(text: &str) -> Option<i64> {
    Timestamp::parse(text).map(Timestamp::micros)
}

fn service_of(action: &str) -> &str {
    action.split(':').next().unwrap_or_default()
}

impl<'s> Account<'_, 's> {
    fn observe(
        &mut self,
        action: u32,
        statement: &Statement<'_>,
        actions: &Actions<'s>,
    ) -> Result<Window, PermissionReason> {
        let found = actions.get(action).ok_or(PermissionReason::UnknownAction)?;
        let reach = Reach {
            regions: statement.regions.as_deref(),
            passed_to: statement.passed_to.as_deref(),
        };
        if reach.regions.is_some() || reach.passed_to.is_some() {
            return self.observer.observe(found, reach);
        }
        match self.observed.get_mut(action as usize) {
            Some(slot) => *slot.get_or_insert_with(|| self.observer.observe(found, reach)),
            None => self.observer.observe(found, reach),
        }
    }
}

impl Found {
    fn plain(state: PermissionState, reason: Option<PermissionReason>) -> Self {
        Self {
            state,
            reason,
            window: None,
            last: None,
        }
    }

    fn unused(window: Window, reason: Option<PermissionReason>) -> Self {
        Self {
            window: Some(window),
            ..Self::plain(PermissionState::Unused, reason)
        }
    }
}

impl Rest {
    fn service<'s>(&self, actions: &Actions<'s>) -> &'s str {
        let first = self.actions.first().copied().unwrap_or(u32::MAX);
        service_of(actions.name(first))
    }
}

/// What the calls of a principal show, by number of the catalogue's actions.
struct Evidence<'d> {
    used: FxHashMap<(u32, u32), Vec<(&'d str, Option<u32>, &'d Use)>>,
    undetermined: Vec<(u32, &'d Use)>,
}

/// What they show of one statement.
struct Shown<'d> {
    of_action: BTreeMap<u32, ShownAction<'d>>,
    /// Actions that the catalogue does not have.
    unknown: BTreeMap<&'d str, &'d Use>,
}

#[derive(Debug, Clone, Copy, Default)]
struct ShownAction<'d> {
    used: Option<&'d Use>,
    undetermined: Option<&'d Use>,
}

impl<'d> Evidence<'d> {
    fn of(
        uses: Option<&'d PrincipalUses>,
        texts: &FxHashMap<u32, &'d str>,
        actions: &Actions<'_>,
    ) -> Self {
        let mut evidence = Evidence {
            used: FxHashMap::default(),
            undetermined: Vec::new(),
        };
        let Some(uses) = uses else {
            return evidence;
        };
        let name = |number: &u32| texts.get(number).copied().unwrap_or_default();
        for ((policy, statement, action), used) in &uses.used {
            let name = name(action);
            let of_statement = evidence.used.entry((*policy, *statement)).or_default();
            of_statement.push((name, actions.number(name), used));
        }
        for (action, calls) in &uses.undetermined {
            let number = actions.number(name(action));
            evidence
                .undetermined
                .extend(number.map(|number| (number, calls)));
        }
        evidence
    }

    fn of_statement(&self, policy: Option<u32>, statement: &Statement<'_>) -> Shown<'d> {
        let mut shown = Shown {
            of_action: BTreeMap::new(),
            unknown: BTreeMap::new(),
        };
        let of_statement = policy.and_then(|policy| self.used.get(&(policy, statement.index)));
        for (name, number, used) in of_statement.into_iter().flatten() {
            match number {
                Some(number) => shown.of_action.entry(*number).or_default().used = Some(used),
                None => drop(shown.unknown.insert(name, used)),
            }
        }
        for (number, calls) in &self.undetermined {
            let is_about = statement.spelled.binary_search(number).is_ok()
                || statement.wild.binary_search(number).is_ok();
            if is_about {
                shown.of_action.entry(*number).or_default().undetermined = Some(calls);
            }
        }
        shown
    }
}

impl<'r> Row<'r> {
    fn of_unavailable(policy: &'r AttachedPolicy, unavailable: PolicyUnavailable) -> Self {
        let reason = match unavailable {
            PolicyUnavailable::NotCollected => PermissionReason::PolicyNotCollected,
            PolicyUnavailable::Unreadable => PermissionReason::PolicyUnreadable,
        };
        Row {
            policy,
            statement: None,
            subject: Subject::default(),
            found: Found::plain(PermissionState::Unobservable, Some(reason)),
            used: None,
        }
    }

    fn group(&self) -> Option<&'r str> {
        match &self.policy.source {
            PolicySource::Group(arn) => Some(arn),
            _ => None,
        }
    }

    /// The order of the table, and of equal rows.
    fn order(&self) -> impl Ord + '_ {
        let index = self.statement.map(|(index, _)| index);
        let Subject {
            service, action, ..
        } = self.subject;
        (
            &*self.policy.id,
            self.group(),
            index,
            service,
            action,
            self.found,
        )
    }

    fn permission(&'r self, principal: &'r Principal) -> Permission<'r> {
        let window = self.found.window;
        let last = self.used.and_then(|used| used.last);
        Permission {
            account_id: &principal.account,
            principal_arn: &principal.arn,
            principal_type: match principal.kind {
                PrincipalKind::User => "user",
                PrincipalKind::Role | PrincipalKind::Root => "role",
            },
            policy: &self.policy.id,
            attachment: match self.policy.source {
                PolicySource::Group(_) => "group",
                PolicySource::Managed => "managed",
                _ => "inline",
            },
            group_arn: self.group(),
            statement_index: self.statement.map(|(index, _)| index),
            sid: self.statement.and_then(|(_, sid)| sid),
            service: self.subject.service,
            action: self.subject.action,
            actions: self.subject.actions,
            action_set: self.subject.set.as_deref(),
            state: self.found.state,
            reason: self.found.reason,
            calls: self.used.map_or(0, |used| used.calls),
            first_time: self.used.and_then(|used| used.first),
            last_time: self.found.last.or(last),
            days: self.used.map_or(0, |used| used.days.len()),
            window_begin: window.map(|window| window.begin),
            window_end: window.map(|window| window.end),
            window_days: window.map_or(0, |window| window.days),
        }
    }
}
