//! Edits of today's documents: statements, their order and all of them that is not about actions and
//! resources stay, and only what nothing needs is taken out.
//!
//! An edited statement allows what any of its actions needs on what any of them needs it: it stays one
//! statement. So an edit may allow more than new policies would, and never more than today's do.

use std::collections::{BTreeMap, BTreeSet};

use retrial_iam::{
    ActionPattern, AttachedPolicy, CompiledPolicy, Effect, PolicySource, PrincipalKind,
    ResourcePattern,
};
use serde_json::Value;

use super::document::{
    MAX_INLINE_CHARACTERS, MAX_INLINE_CHARACTERS_OF_GROUP, MAX_INLINE_CHARACTERS_OF_USER,
    MAX_POLICY_CHARACTERS, ProposedDocument,
};
use super::evidence::StatementPlace;
use super::fold::Folding;
use super::maker::{Assigned, BOUNDS, Maker, denying};
use super::own::{Own, actions_of};
use super::proposal::{
    DroppedActions, LeftPolicy, NoProposal, Proposal, ProposedFor, RightsizingMode, WhyLeft,
};
use super::shared::is_of_aws;
use super::statement::{Element, Evidence, Granted, Origin, StatementReason, least};

/// A document of today, edited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedPolicy {
    /// The managed policy's ARN, or `<principal ARN>#<name>` of an inline one.
    pub policy: String,
    /// Where the edited document goes.
    pub place: EditPlace,
    /// What becomes of each statement, in the document's order.
    pub statements: Vec<EditedStatement>,
}

/// Where an edited document goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EditPlace {
    /// Into the inline policy.
    Inline,
    /// Into a new version of the managed policy.
    Version,
    /// Into a managed policy of the principal's own, or of the group's: nobody can edit a policy of AWS.
    CopyOfAws,
}

/// One statement of an edited document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EditedStatement {
    /// The statement.
    pub origin: Origin,
    /// What becomes of it.
    pub edit: StatementEdit,
}

/// What becomes of a statement.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StatementEdit {
    /// It stays as it is.
    Stays,
    /// Nothing of it is needed.
    Goes,
    /// It has these actions and these resources; `None`: its own.
    Narrowed(Option<Element>, Option<Element>),
}

impl EditedPolicy {
    /// Whether nothing of it is left.
    pub fn is_gone(&self) -> bool {
        let mut statements = self.statements.iter();
        statements.all(|statement| statement.edit == StatementEdit::Goes)
    }

    fn changes(&self) -> bool {
        let mut statements = self.statements.iter();
        statements.any(|statement| statement.edit != StatementEdit::Stays)
    }

    /// The edited document; `None` where the document is not the one that was edited.
    pub fn applied_to(&self, document: &Value) -> Option<Value> {
        let written = document.get("Statement")?;
        let statements = match written {
            Value::Array(statements) => statements.iter().collect(),
            one => vec![one],
        };
        if statements.len() != self.statements.len() {
            return None;
        }
        let mut left = Vec::new();
        for (statement, edited) in statements.into_iter().zip(&self.statements) {
            match &edited.edit {
                StatementEdit::Stays => left.push(statement.clone()),
                StatementEdit::Goes => {}
                StatementEdit::Narrowed(actions, resources) => {
                    left.push(narrowed(statement, actions.as_ref(), resources.as_ref())?);
                }
            }
        }
        let mut all = document.as_object()?.clone();
        let statements = match (written, left.as_slice()) {
            (Value::Object(_), [one]) => one.clone(),
            _ => Value::Array(left),
        };
        all.insert("Statement".to_owned(), statements);
        Some(Value::Object(all))
    }
}

fn narrowed(
    statement: &Value,
    actions: Option<&Element>,
    resources: Option<&Element>,
) -> Option<Value> {
    let mut members = statement.as_object()?.clone();
    for (element, name) in [(actions, "Action"), (resources, "Resource")] {
        let Some(element) = element else {
            continue;
        };
        let negated = format!("Not{name}");
        members.retain(|member, _| member != name && *member != negated);
        let (name, values) = match element {
            Element::These(values) => (name.to_owned(), values),
            Element::AllBut(values) => (negated, values),
        };
        let value = match values.as_slice() {
            [one] => Value::from(one.as_str()),
            values => Value::from(values),
        };
        members.insert(name, value);
    }
    Some(Value::Object(members))
}

/// A policy that can be edited.
struct Editable<'i> {
    place: usize,
    attached: &'i AttachedPolicy,
    policy: &'i CompiledPolicy,
    to: EditPlace,
}

/// What comes of the policies of a principal.
#[derive(Default)]
struct Edits {
    /// With the bound of each.
    documents: Vec<(Option<usize>, ProposedDocument)>,
    left: Vec<LeftPolicy>,
}

impl<'i> Maker<'i, '_> {
    /// Whether today's documents are edited.
    pub(super) fn edits(&self) -> bool {
        // A permission set has one inline policy, and none of the managed ones can be edited for it alone.
        let is_set = matches!(self.proposed_for, ProposedFor::PermissionSet(_));
        matches!(self.inputs.mode, RightsizingMode::Edit(_)) && !is_set
    }

    /// The proposal that edits today's documents.
    pub(super) fn edit(self) -> Result<Proposal, NoProposal> {
        let entries = self.entries(&self.evidence);
        let assigned = self.assigned(&entries);
        let mut edits = Edits::default();
        let (inline, managed): (Vec<_>, Vec<_>) = self
            .editable()
            .into_iter()
            .partition(|policy| policy.to == EditPlace::Inline);
        self.edit_together(&inline, &assigned, &mut edits);
        for policy in managed {
            self.edit_together(&[policy], &assigned, &mut edits);
        }
        if edits.documents.is_empty() {
            let fits = |left: &LeftPolicy| left.why != WhyLeft::DoesNotFit;
            return Err(match edits.left.iter().all(fits) {
                true => NoProposal::NothingGoes,
                false => NoProposal::DoesNotFit,
            });
        }
        let bounds: Option<Vec<usize>> = edits.documents.iter().map(|(bound, _)| *bound).collect();
        let documents: Vec<ProposedDocument> = edits
            .documents
            .into_iter()
            .map(|(_, document)| document)
            .collect();
        let edited: Vec<&EditedPolicy> = documents
            .iter()
            .filter_map(|document| document.edit.as_ref())
            .collect();
        let dropped = self.dropped_by(&edited, &assigned);
        let narrowed = self.narrowed_by(&edited, &assigned);
        let replaced = edited.iter().map(|edited| edited.policy.clone()).collect();
        let left = [self.left.clone(), edits.left].concat();
        Ok(Proposal {
            documents,
            replaced,
            left,
            dropped,
            narrowed,
            bound: bounds.and_then(|bounds| bounds.into_iter().min()),
            ..self.bare()
        })
    }

    fn editable(&self) -> Vec<Editable<'i>> {
        let identity = self.principal.identity.iter().enumerate();
        let all = identity.filter_map(|(place, attached)| self.editable_at(place, attached));
        all.filter(|policy| self.is_to_be_edited(policy)).collect()
    }

    fn editable_at(&self, place: usize, attached: &'i AttachedPolicy) -> Option<Editable<'i>> {
        let policy = attached.policy.as_ref().ok()?;
        let to = match attached.source {
            PolicySource::Inline => EditPlace::Inline,
            PolicySource::Group(_) if attached.id.contains('#') => EditPlace::Inline,
            PolicySource::Managed | PolicySource::Group(_) if is_of_aws(&attached.id) => {
                EditPlace::CopyOfAws
            }
            PolicySource::Managed | PolicySource::Group(_) => EditPlace::Version,
            _ => return None,
        };
        Some(Editable {
            place,
            attached,
            policy,
            to,
        })
    }

    /// The principal's own policies; or the one that several have, at the place where it was found first.
    fn is_to_be_edited(&self, policy: &Editable<'_>) -> bool {
        match &self.proposed_for {
            ProposedFor::SharedPolicy(shared) => {
                let mut identity = self.principal.identity.iter();
                let first = identity.position(|attached| *attached.id == *shared.policy);
                first == Some(policy.place)
            }
            _ => !self.left_places.contains(&policy.place),
        }
    }

    /// Edits policies that share a quota: the least that fits.
    fn edit_together(&self, policies: &[Editable<'i>], assigned: &Assigned<'_>, edits: &mut Edits) {
        let characters = |document: &ProposedDocument| document.json().chars().count();
        let today: usize = policies
            .iter()
            .map(|policy| characters(&self.edited(policy, (assigned, None, true))))
            .sum();
        let most = policies
            .first()
            .map_or(0, |policy| self.most(policy, (today, assigned)));
        let mut fits = None;
        for bound in BOUNDS.map(Some).into_iter().chain([None]) {
            let documents: Vec<ProposedDocument> = policies
                .iter()
                .map(|policy| self.edited(policy, (assigned, bound, false)))
                .collect();
            if documents.iter().map(characters).sum::<usize>() <= most {
                fits = Some((bound, documents));
                break;
            }
        }
        let is_narrow = fits.as_ref().is_some_and(|(bound, _)| bound.is_some());
        let (bound, documents) = fits.unwrap_or_default();
        let changes = |document: &ProposedDocument| {
            let edit = document.edit.as_ref();
            edit.is_some_and(|edit| edit.changes())
        };
        let mut documents = documents.into_iter();
        for policy in policies {
            match documents.next().filter(changes) {
                Some(document) => edits.documents.push((bound, document)),
                None => edits.left.push(LeftPolicy {
                    policy: policy.attached.id.to_string(),
                    why: match is_narrow || !self.has_less(policy, assigned) {
                        true => WhyLeft::NothingGoes,
                        false => WhyLeft::DoesNotFit,
                    },
                }),
            }
        }
    }

    /// Whether anything could go of a policy if there was room to say so.
    fn has_less(&self, policy: &Editable<'i>, assigned: &Assigned<'_>) -> bool {
        let narrow = self.edited(policy, (assigned, BOUNDS.first().copied(), false));
        narrow.edit.is_some_and(|edit| edit.changes())
    }

    /// How long policies that share a quota may be. What is there today has room.
    fn most(&self, policy: &Editable<'_>, (today, assigned): (usize, &Assigned<'_>)) -> usize {
        if let (EditPlace::Inline, PolicySource::Group(group)) =
            (policy.to, &policy.attached.source)
        {
            return self.most_in_group(group, (today, assigned));
        }
        match (policy.to, self.principal.kind) {
            (EditPlace::Inline, PrincipalKind::User) => MAX_INLINE_CHARACTERS_OF_USER.max(today),
            (EditPlace::Inline, _) => MAX_INLINE_CHARACTERS.max(today),
            (EditPlace::Version, _) => MAX_POLICY_CHARACTERS.max(today),
            _ => MAX_POLICY_CHARACTERS,
        }
    }

    /// How long one inline policy of a group may be: what is left of the quota of all of them is shared out, since
    /// each of them is edited by itself.
    fn most_in_group(&self, group: &str, (today, assigned): (usize, &Assigned<'_>)) -> usize {
        let identity = self.principal.identity.iter().enumerate();
        let of_group = identity.filter(|(_, attached)| {
            let source = &attached.source;
            matches!(source, PolicySource::Group(of) if **of == *group) && attached.id.contains('#')
        });
        let all: Vec<usize> = of_group
            .filter_map(|(place, attached)| self.editable_at(place, attached))
            .map(|policy| self.edited(&policy, (assigned, None, true)))
            .map(|document| document.json().chars().count())
            .collect();
        let left = MAX_INLINE_CHARACTERS_OF_GROUP.saturating_sub(all.iter().sum());
        today + left.checked_div(all.len()).unwrap_or(0)
    }

    /// The document, edited; with `as_it_is`, as it is today.
    fn edited(
        &self,
        policy: &Editable<'i>,
        (assigned, bound, as_it_is): (&Assigned<'_>, Option<usize>, bool),
    ) -> ProposedDocument {
        let mut statements = Vec::new();
        let mut edited = Vec::new();
        for statement in policy.policy.statement_views() {
            let origin = Origin {
                policy: policy.attached.id.to_string(),
                index: statement.index(),
                sid: statement.sid().map(str::to_owned),
            };
            let granted = Granted::of(statement, policy.policy.has_policy_variables());
            let place = (policy.place, statement.index());
            let own = self.own.get(&place);
            let edit = match own.filter(|_| !as_it_is && statement.effect() == Effect::Allow) {
                Some(own) => self.statement_edit((place, own), assigned, bound),
                None => StatementEdit::Stays,
            };
            let mut shown = denying(origin.clone(), statement, granted);
            shown.sid = origin.sid.clone().unwrap_or_default();
            shown.effect = statement.effect();
            if let Some(own) = own {
                shown.reason = self.edit_reason((place, own), assigned);
                shown.actions = actions_of(statement);
            }
            if let StatementEdit::Narrowed(actions, resources) = &edit {
                shown.actions = actions.clone().unwrap_or(shown.actions);
                shown.resources = resources.clone().unwrap_or(shown.resources);
            }
            if edit != StatementEdit::Goes {
                statements.push(shown);
            }
            edited.push(EditedStatement { origin, edit });
        }
        ProposedDocument {
            statements,
            edit: Some(EditedPolicy {
                policy: policy.attached.id.to_string(),
                place: policy.to,
                statements: edited,
            }),
        }
    }

    fn statement_edit(
        &self,
        (place, own): (StatementPlace, &Own<'_>),
        assigned: &Assigned<'_>,
        bound: Option<usize>,
    ) -> StatementEdit {
        if own.dropped.is_empty() {
            return StatementEdit::Stays;
        }
        let stays = staying((place, own), assigned);
        if stays.is_empty() {
            return StatementEdit::Goes;
        }
        let Some(bound) = bound else {
            return StatementEdit::Stays;
        };
        let actions = self.edited_actions(own, &stays);
        let resources = self.edited_resources((place, own), assigned, bound);
        match (&actions, &resources) {
            (None, None) => StatementEdit::Stays,
            _ => StatementEdit::Narrowed(actions, resources),
        }
    }

    /// The actions without those that go; `None` where none does.
    fn edited_actions(&self, own: &Own<'_>, stays: &BTreeSet<String>) -> Option<Element> {
        let gone: Vec<ActionPattern> = own
            .dropped
            .values()
            .flatten()
            .filter(|action| !stays.contains(*action))
            .map(|action| ActionPattern::new(action))
            .collect();
        if gone.is_empty() {
            return None;
        }
        let folded = |stays: &BTreeSet<String>| {
            Folding::new(own.statement, (stays, &own.dead), self.inputs.catalogue).patterns()
        };
        if own.statement.is_not_action() {
            return Some(Element::These(folded(stays)));
        }
        let mut actions: Vec<String> = Vec::new();
        for value in own.statement.actions() {
            let pattern = ActionPattern::new(value);
            let narrower = match gone.iter().any(|gone| gone.is_within(&pattern)) {
                false => vec![value.to_owned()],
                true => {
                    let is_of_it =
                        |action: &&String| ActionPattern::new(action).is_within(&pattern);
                    folded(&stays.iter().filter(is_of_it).cloned().collect())
                }
            };
            for action in narrower {
                if !actions.contains(&action) {
                    actions.push(action);
                }
            }
        }
        (!actions.is_empty()).then_some(Element::These(actions))
    }

    /// The resources without those that nothing needs; `None` where all are needed.
    fn edited_resources(
        &self,
        (place, own): (StatementPlace, &Own<'_>),
        assigned: &Assigned<'_>,
        bound: usize,
    ) -> Option<Element> {
        let Element::These(values) = &own.granted.resources else {
            return None;
        };
        // `${*}` is no variable in a document of an older version: nothing says there what is meant literally.
        if !own.granted.has_variables {
            return None;
        }
        let mut needed: BTreeSet<String> = BTreeSet::new();
        for action in &own.all_kept {
            let suited = own.suited(action, self.inputs.catalogue);
            needed.extend(suited.values().iter().cloned());
        }
        let of_place = assigned.iter().filter(|((of, _, _), _)| *of == place);
        for (_, entries) in of_place {
            let resources = self.resources(own, entries, bound);
            needed.extend(resources.values().iter().cloned());
        }
        let edited = in_place(values, &needed);
        (!edited.is_empty() && edited != *values).then_some(Element::These(edited))
    }

    fn edit_reason(
        &self,
        (place, own): (StatementPlace, &Own<'_>),
        assigned: &Assigned<'_>,
    ) -> StatementReason {
        let [mut seen, mut open] = [Evidence::default(), Evidence::default()];
        let of_place = assigned.iter().filter(|((of, _, _), _)| *of == place);
        for ((_, is_open, _), entries) in of_place {
            let evidence = if *is_open { &mut open } else { &mut seen };
            entries.iter().for_each(|entry| evidence.add(entry.seen));
        }
        let kept: BTreeMap<_, Vec<String>> = own
            .kept
            .iter()
            .map(|(why, actions)| (*why, actions.iter().cloned().collect()))
            .collect();
        let none = Evidence::default();
        match (seen == none, open == none, kept.is_empty()) {
            (_, true, true) if seen.requests == 0 && seen.jobs > 0 => StatementReason::Needed(seen),
            (false, true, true) => StatementReason::Observed(seen),
            (true, false, true) => StatementReason::Undetermined(open),
            (true, true, _) => StatementReason::Kept(kept),
            _ => StatementReason::Several(seen, open, kept),
        }
    }

    fn own_of<'m>(
        &'m self,
        edited: &'m [&EditedPolicy],
    ) -> impl Iterator<Item = (StatementPlace, &'m Own<'i>, &'m StatementEdit)> {
        self.own.iter().filter_map(|(place, own)| {
            let policy = edited.iter().find(|one| one.policy == own.origin.policy)?;
            let statement = policy.statements.get(place.1 as usize)?;
            Some((*place, own, &statement.edit))
        })
    }

    fn dropped_by(&self, edited: &[&EditedPolicy], assigned: &Assigned<'_>) -> Vec<DroppedActions> {
        let mut all = Vec::new();
        for (place, own, edit) in self.own_of(edited) {
            // Without new actions none goes.
            if matches!(
                edit,
                StatementEdit::Stays | StatementEdit::Narrowed(None, _)
            ) {
                continue;
            }
            let stays = staying((place, own), assigned);
            for (state, actions) in &own.dropped {
                let gone: Vec<String> = actions.difference(&stays).cloned().collect();
                if !gone.is_empty() {
                    all.push(DroppedActions {
                        origin: own.origin.clone(),
                        state: *state,
                        actions: gone,
                    });
                }
            }
        }
        all
    }

    fn narrowed_by(&self, edited: &[&EditedPolicy], assigned: &Assigned<'_>) -> u64 {
        let mut narrowed = 0;
        for (place, own, edit) in self.own_of(edited) {
            if let StatementEdit::Narrowed(_, Some(_)) = edit {
                narrowed += staying((place, own), assigned).len() as u64;
            }
        }
        narrowed
    }
}

/// The actions of a statement that stay.
fn staying((place, own): (StatementPlace, &Own<'_>), assigned: &Assigned<'_>) -> BTreeSet<String> {
    let of_place = assigned.keys().filter(|(of, _, _)| *of == place);
    let used = of_place.map(|(_, _, action)| action.clone());
    own.all_kept.iter().cloned().chain(used).collect()
}

/// What is needed of some values: where a value stood, it stands, or what of it is needed.
fn in_place(values: &[String], needed: &BTreeSet<String>) -> Vec<String> {
    let whole: Vec<ResourcePattern> = values
        .iter()
        .filter(|value| needed.contains(*value))
        .map(|value| ResourcePattern::new(value))
        .collect();
    let parts = needed.iter().filter(|value| !values.contains(value));
    let mut parts = least(parts.cloned().collect());
    parts.retain(|part| {
        let part = ResourcePattern::new(part);
        !whole.iter().any(|whole| part.is_within(whole))
    });
    let mut edited = Vec::new();
    for value in values {
        if needed.contains(value) {
            edited.push(value.clone());
            continue;
        }
        let value = ResourcePattern::new(value);
        let of_it = |part: &mut String| ResourcePattern::new(part).is_within(&value);
        edited.extend(parts.extract_if(.., of_it));
    }
    edited.extend(parts);
    edited
}
