//! What a policy's statements allow, in the catalogue's actions.
//!
//! A wildcard stands for actions; whoever asks which of them are used needs them by name. A document is
//! expanded once, however many principals have it.

use crate::catalogue::{Action, Catalogue};
use crate::condition::Condition;
use crate::condition::operator::{Base, SetOperator};
use crate::pattern::{ActionElement, ActionName, arn_part};
use crate::policy::{CompiledPolicy, Statement};
use crate::{Effect, Layer};

/// What one `Allow` statement is about.
#[derive(Debug, Clone)]
pub struct Allowance<'p, 'c> {
    /// The statement's index in the document, from 0.
    pub index: u32,
    /// Its `Sid`.
    pub sid: Option<&'p str>,
    /// The catalogue's actions that it is about, sorted by name.
    pub actions: Vec<AllowedAction<'c>>,
    /// The patterns that match no action of the catalogue, as written.
    pub unknown: Vec<&'p str>,
    /// The Regions that its resources or conditions keep it to, sorted; `None` where they do not.
    pub regions: Option<Vec<&'p str>>,
    /// The services that `iam:PassedToService` keeps it to, sorted; `None` where nothing does.
    pub passed_to: Option<Vec<&'p str>>,
}

/// An action that a statement is about.
#[derive(Debug, Clone, Copy)]
pub struct AllowedAction<'c> {
    /// The action.
    pub action: Action<'c>,
    /// Whether the statement spells it out; else a wildcard stands for it, or a `NotAction`.
    pub spelled: bool,
}

impl CompiledPolicy {
    /// What its `Allow` statements are about, in the document's order.
    pub fn allowances<'p, 'c>(&'p self, catalogue: &'c Catalogue) -> Vec<Allowance<'p, 'c>> {
        let allow = |statement: &&Statement| statement.effect == Effect::Allow;
        let statements = self.statements().iter().filter(allow);
        statements
            .map(|statement| Allowance::of(statement, catalogue))
            .collect()
    }
}

impl<'p, 'c> Allowance<'p, 'c> {
    fn of(statement: &'p Statement, catalogue: &'c Catalogue) -> Self {
        let element = &statement.action;
        let mut actions = match names_actions(element) {
            true => named(element, catalogue),
            false => matching(element, catalogue),
        };
        // What a wildcard stands for comes in order, and a stable sort makes use of that.
        actions.sort_by_key(|allowed| allowed.action.full_name);
        actions.dedup_by_key(|allowed| allowed.action.full_name);
        Allowance {
            index: statement.index,
            sid: statement.sid.as_deref(),
            unknown: unknown((element, &actions), catalogue),
            actions,
            regions: regions(statement),
            passed_to: kept_to(statement, "iam:PassedToService"),
        }
    }
}

/// Whether an `Action` has names and no patterns: then nothing else has to be looked at.
fn names_actions(element: &ActionElement) -> bool {
    let mut source = element.source().iter();
    !element.is_negated() && source.all(|name| name.contains(':') && !name.contains(['*', '?']))
}

/// The actions of an element that has only names.
fn named<'c>(element: &ActionElement, catalogue: &'c Catalogue) -> Vec<AllowedAction<'c>> {
    let names = element.source().iter();
    let found = names.filter_map(|name| catalogue.action_named(name));
    let spelled = |action| AllowedAction {
        action,
        spelled: true,
    };
    found.map(spelled).collect()
}

/// The actions that an element matches, of all that there are.
fn matching<'c>(element: &ActionElement, catalogue: &'c Catalogue) -> Vec<AllowedAction<'c>> {
    let mut actions = Vec::new();
    let mut buffer = String::new();
    let is_everything = element.is_every_action();
    for (number, service) in catalogue.services_by_name() {
        let slot = element.slot(service.prefix);
        if slot.is_none() && element.is_limited_to_services() {
            continue;
        }
        if slot.is_none() && is_everything {
            actions.extend(catalogue.actions_of_service_by_name(number).map(|action| {
                AllowedAction {
                    action,
                    spelled: false,
                }
            }));
            continue;
        }
        for action in catalogue.actions_of_service_by_name(number) {
            let name = ActionName::fold(action.full_name, &mut buffer);
            if element.matches(name, slot) {
                actions.push(AllowedAction {
                    action,
                    spelled: element.spells(name, slot),
                });
            }
        }
    }
    actions
}

/// The patterns of an `Action` that match nothing.
fn unknown<'p>(
    (element, found): (&'p ActionElement, &[AllowedAction<'_>]),
    catalogue: &Catalogue,
) -> Vec<&'p str> {
    // Of a single pattern it is known already.
    let is_found = element.source().len() == 1 && !found.is_empty();
    if element.is_negated() || is_found {
        return Vec::new();
    }
    let mut unknown: Vec<&str> = element.source().iter().map(AsRef::as_ref).collect();
    unknown.retain(|pattern| !matches_any(pattern, found, catalogue));
    unknown.sort_unstable();
    unknown.dedup();
    unknown
}

/// Whether a pattern of an `Action` matches any of the actions that all its patterns match, by name.
fn matches_any(pattern: &str, found: &[AllowedAction<'_>], catalogue: &Catalogue) -> bool {
    let Some((service, name)) = pattern.split_once(':') else {
        return true;
    };
    let is_wild = |text: &str| text.contains(['*', '?']);
    if !is_wild(pattern) {
        return catalogue.action(service, name).is_some();
    }
    let candidates = match is_wild(service) {
        true => found,
        false => of_service(found, &service.to_ascii_lowercase()),
    };
    let element = ActionElement::new(false, &[pattern.to_owned()]);
    let mut buffer = String::new();
    candidates.iter().any(|allowed| {
        let name = ActionName::fold(allowed.action.full_name, &mut buffer);
        element.matches(name, element.slot(name.service))
    })
}

/// The actions of a service, of some that are by name.
fn of_service<'f, 'c>(found: &'f [AllowedAction<'c>], service: &str) -> &'f [AllowedAction<'c>] {
    let place = |allowed: &AllowedAction<'_>| {
        let name = allowed.action.full_name.bytes();
        name.take(service.len() + 1)
            .cmp(service.bytes().chain([b':']))
    };
    let begin = found.partition_point(|allowed| place(allowed).is_lt());
    let rest = found.get(begin..).unwrap_or_default();
    let end = rest.partition_point(|allowed| place(allowed).is_eq());
    rest.get(..end).unwrap_or_default()
}

/// The Regions that a statement is kept to.
fn regions(statement: &Statement) -> Option<Vec<&str>> {
    let by_condition = kept_to(statement, "aws:RequestedRegion");
    let by_resource = regions_of_resources(statement);
    match (by_condition, by_resource) {
        (Some(mut regions), Some(other)) => {
            regions.retain(|region| other.contains(region));
            Some(regions)
        }
        (found, other) => found.or(other),
    }
}

/// Where every pattern of `Resource` names a Region.
fn regions_of_resources(statement: &Statement) -> Option<Vec<&str>> {
    const REGION: usize = 3;
    if statement.resource.is_negated() {
        return None;
    }
    let patterns = statement.resource.source().iter();
    let mut regions = patterns
        .map(|pattern| {
            arn_part(pattern, REGION)
                .filter(|region| !region.is_empty() && !region.contains(['*', '?', '$']))
        })
        .collect::<Option<Vec<&str>>>()?;
    regions.sort_unstable();
    regions.dedup();
    (!regions.is_empty()).then_some(regions)
}

/// The values of a condition that a request must have one of, where it spells them out.
fn kept_to<'p>(statement: &'p Statement, key: &str) -> Option<Vec<&'p str>> {
    let condition = statement.conditions.iter().find(|condition| {
        is_plain_equality(condition) && condition.key().eq_ignore_ascii_case(key)
    })?;
    let mut values: Vec<&str> = condition
        .source()
        .values
        .iter()
        .map(String::as_str)
        .collect();
    if values.iter().any(|value| value.contains(['*', '?', '$'])) {
        return None;
    }
    values.sort_unstable();
    values.dedup();
    Some(values)
}

fn is_plain_equality(condition: &Condition) -> bool {
    let operator = condition.operator();
    operator.set == SetOperator::None
        && !operator.negated
        && !operator.if_exists
        && matches!(
            operator.base,
            Base::StringEquals | Base::StringEqualsIgnoreCase | Base::StringLike
        )
}

/// Whether a policy that limits takes an action away whole: whatever the resource, whatever the keys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Takes {
    Whole,
    NotWhole,
}

/// The layers that take actions away from a principal, as far as they were collected.
#[derive(Debug, Clone, Copy)]
pub struct Limits<'s> {
    pub(crate) boundary: Option<&'s crate::AttachedPolicy>,
    pub(crate) levels: &'s [crate::snapshot::Level],
    pub(crate) complete: bool,
}

impl Limits<'_> {
    /// The layer that takes the action away from the principal on every resource and under all
    /// conditions; `None` also where that cannot be told.
    pub fn blocks(&self, action: &str) -> Option<Layer> {
        if self.boundary.is_none() && self.levels.is_empty() {
            return None;
        }
        let mut buffer = String::new();
        let action = ActionName::fold(action, &mut buffer);
        if self.boundary_takes(action) == Takes::Whole {
            return Some(Layer::PermissionsBoundary);
        }
        (self.scp_takes(action) == Takes::Whole).then_some(Layer::Scp)
    }

    /// Whether two principals' limits are the same ones.
    pub fn are(&self, other: &Limits<'_>) -> bool {
        let document = |limits: &Limits<'_>| {
            let policy = limits
                .boundary
                .map(|boundary| boundary.policy.as_ref().ok());
            policy.map(|policy| policy.map(std::sync::Arc::as_ptr))
        };
        document(self) == document(other)
            && std::ptr::eq(self.levels, other.levels)
            && self.complete == other.complete
    }

    fn boundary_takes(&self, action: ActionName<'_>) -> Takes {
        let Some(Ok(policy)) = self.boundary.map(|boundary| &boundary.policy) else {
            return Takes::NotWhole;
        };
        match !allows_any(policy, action) || denies_all(policy, action) {
            true => Takes::Whole,
            false => Takes::NotWhole,
        }
    }

    fn scp_takes(&self, action: ActionName<'_>) -> Takes {
        use crate::snapshot::FullAccess;
        for level in self.levels {
            let mut policies = level.policies.iter();
            let readable = || level.policies.iter().flat_map(|policy| &policy.policy);
            if readable().any(|policy| denies_all(policy, action)) {
                return Takes::Whole;
            }
            if self.complete
                && level.full_access == FullAccess::NotAttached
                && policies.all(|policy| policy.policy.is_ok())
                && !readable().any(|policy| allows_any(policy, action))
            {
                return Takes::Whole;
            }
        }
        Takes::NotWhole
    }
}

fn allows_any(policy: &CompiledPolicy, action: ActionName<'_>) -> bool {
    policy
        .about(action)
        .any(|statement| statement.effect == Effect::Allow)
}

fn denies_all(policy: &CompiledPolicy, action: ActionName<'_>) -> bool {
    policy.about(action).any(|statement| {
        statement.effect == Effect::Deny
            && statement.conditions.is_empty()
            && !statement.resource.is_negated()
            && statement
                .resource
                .source()
                .iter()
                .any(|pattern| **pattern == *"*")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Names are looked up, patterns compared with all there is: both must find the same.
    #[test]
    fn names_are_found_as_patterns_are() {
        let catalogue = Catalogue::bundled();
        let mut names: Vec<String> = catalogue
            .services()
            .flat_map(|service| catalogue.actions(service.prefix).step_by(7))
            .map(|action| action.full_name.to_owned())
            .collect();
        names.extend(["S3:getobject", "s3:GetObject", "s3:NoSuch", "no:Such"].map(str::to_owned));
        let shown = |mut found: Vec<AllowedAction<'_>>| -> Vec<(String, bool)> {
            found.sort_unstable_by_key(|allowed| allowed.action.full_name);
            found.dedup_by_key(|allowed| allowed.action.full_name);
            let found = found.into_iter();
            found
                .map(|allowed| (allowed.action.full_name.to_owned(), allowed.spelled))
                .collect()
        };
        for names in names.chunks(40) {
            let element = ActionElement::new(false, names);
            assert!(names_actions(&element));
            let found = shown(named(&element, catalogue));
            assert_eq!(found, shown(matching(&element, catalogue)));
        }
    }

    #[test]
    fn patterns_are_no_names() {
        let is_names = |negated, names: &[&str]| {
            let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
            names_actions(&ActionElement::new(negated, &names))
        };
        assert!(is_names(false, &["s3:GetObject", "ec2:RunInstances"]));
        assert!(!is_names(false, &["s3:GetObject", "ec2:Run*"]));
        assert!(!is_names(false, &["*"]));
        assert!(!is_names(false, &["s3:?etObject"]));
        assert!(!is_names(true, &["s3:GetObject"]));
    }
}
