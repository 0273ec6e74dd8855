//! Which statements of a policy are about an action.
//!
//! For an action that the policy spells out, the statements about it are found when the policy is
//! compiled, with what the resources that they name begin with. For any other action the statements that
//! can be about its service are asked, each time.

use super::Statement;
use crate::pattern::{ActionElement, ActionName, PrefixEnd, ResourceText, hash_of_action};

/// The statements of one policy, by action.
#[derive(Debug)]
pub(super) struct StatementIndex {
    /// The hashes of the actions that are spelled out, sorted: they alone are searched, and lie close.
    hashes: Box<[u64]>,
    /// These actions.
    spelled: Box<[Spelled]>,
    /// Sorted by service: the statements that can be about its actions, in the document's order.
    by_service: Box<[ServiceStatements]>,
    /// The statements that can be about the actions of a service that has no entry.
    any_service: Box<[Candidate]>,
}

/// An action that a statement spells out.
#[derive(Debug)]
struct Spelled {
    /// In lower case.
    action: Box<str>,
    /// The statements about it, in the document's order.
    statements: Box<[Gated]>,
    /// Those of all its statements, one after the other: a list of short things in one place is faster
    /// to walk through than the statements.
    gates: Box<[PrefixEnd]>,
}

/// A statement about an action that is spelled out.
#[derive(Debug, Clone, Copy)]
struct Gated {
    statement: u32,
    /// How many of the gates are the statement's: it is about no ARN that passes none of them. 0 where it
    /// has none and may be about any.
    gates: usize,
}

#[derive(Debug)]
struct ServiceStatements {
    /// In lower case.
    service: Box<str>,
    statements: Box<[Candidate]>,
}

/// A statement that can be about the actions of a service.
#[derive(Debug, Clone, Copy)]
struct Candidate {
    statement: u32,
    /// The service's slot in the statement's `Action`.
    slot: Option<u32>,
}

/// What the look-ups of spelled actions may take to make, in comparisons of a name and a pattern: more than
/// 6,144 characters can ask for, IAM's quota of a policy. In a longer document the services that come after
/// are asked each time.
const MOST_COMPARISONS: usize = 1 << 20;

impl StatementIndex {
    pub(super) fn new(statements: &[Statement]) -> StatementIndex {
        let mut services: Vec<&str> = statements
            .iter()
            .flat_map(|statement| statement.action.services())
            .collect();
        services.sort_unstable();
        services.dedup();
        let by_service: Box<[ServiceStatements]> = services
            .into_iter()
            .map(|service| ServiceStatements {
                service: service.into(),
                statements: candidates(statements, Some(service)),
            })
            .collect();
        let mut spelled = Vec::new();
        let mut comparisons = 0_usize;
        for entry in &by_service {
            let names = entry.names(statements);
            comparisons = comparisons.saturating_add(names.len() * entry.patterns(statements));
            if comparisons > MOST_COMPARISONS {
                break;
            }
            spelled.extend(names.iter().map(|name| entry.spelled(name, statements)));
        }
        spelled.sort_unstable_by_key(|(hash, _)| *hash);
        let (hashes, spelled): (Vec<u64>, Vec<Spelled>) = spelled.into_iter().unzip();
        StatementIndex {
            hashes: hashes.into(),
            spelled: spelled.into(),
            by_service,
            any_service: candidates(statements, None),
        }
    }

    /// The statements about `action`, in the document's order; perhaps without some that
    /// cannot be about `resource`, where one is given.
    pub(super) fn about<'p>(
        &'p self,
        statements: &'p [Statement],
        action: ActionName<'_>,
        resource: Option<ResourceText<'_>>,
    ) -> impl Iterator<Item = &'p Statement> {
        let spelled = self.spelled(action);
        let asked = match spelled {
            Some(_) => &[],
            None => self.of_service(action.service),
        };
        let asked = asked.iter().filter_map(move |candidate| {
            let statement = statements.get(candidate.statement as usize)?;
            candidate
                .is_about(&statement.action, action)
                .then_some(statement)
        });
        let numbers = spelled.map(|entry| entry.passing(resource));
        let known = numbers
            .into_iter()
            .flatten()
            .filter_map(|number| statements.get(number as usize));
        known.chain(asked)
    }

    fn spelled(&self, action: ActionName<'_>) -> Option<&Spelled> {
        let first = self.hashes.partition_point(|hash| *hash < action.hash);
        let hashes = self.hashes.get(first..)?.iter();
        hashes
            .zip(self.spelled.get(first..)?)
            .take_while(|(hash, _)| **hash == action.hash)
            .find_map(|(_, entry)| (*entry.action == *action.text).then_some(entry))
    }

    fn of_service(&self, service: &str) -> &[Candidate] {
        let found = self
            .by_service
            .binary_search_by(|entry| entry.service.as_ref().cmp(service))
            .ok();
        let entry = found.and_then(|index| self.by_service.get(index));
        entry.map_or(&self.any_service, |entry| &entry.statements)
    }
}

impl Spelled {
    /// The statements that may be about the resource; all where none is given.
    fn passing(&self, resource: Option<ResourceText<'_>>) -> impl Iterator<Item = u32> {
        let arn = match resource {
            Some(ResourceText::Arn(arn)) => arn.exact(),
            _ => None,
        };
        let mut rest = self.gates.as_ref();
        self.statements.iter().filter_map(move |gated| {
            let (own, after) = rest.split_at_checked(gated.gates)?;
            rest = after;
            let passes =
                own.is_empty() || arn.is_none_or(|arn| own.iter().any(|gate| gate.is_in(arn)));
            passes.then_some(gated.statement)
        })
    }
}

/// The statements that can be about the actions of a service; `None` for one that no statement names.
fn candidates(statements: &[Statement], service: Option<&str>) -> Box<[Candidate]> {
    let candidate = |(index, statement): (u32, &Statement)| {
        let slot = service.and_then(|service| statement.action.slot(service));
        let possible = slot.is_some() || !statement.action.is_limited_to_services();
        possible.then_some(Candidate {
            statement: index,
            slot: slot.and_then(|slot| u32::try_from(slot).ok()),
        })
    };
    (0..).zip(statements).filter_map(candidate).collect()
}

impl Candidate {
    fn is_about(&self, element: &ActionElement, action: ActionName<'_>) -> bool {
        element.matches(action, self.slot.map(|slot| slot as usize))
    }
}

impl ServiceStatements {
    fn elements<'p>(
        &self,
        statements: &'p [Statement],
    ) -> impl Iterator<Item = (Candidate, &'p Statement)> {
        self.statements.iter().filter_map(|candidate| {
            let statement = statements.get(candidate.statement as usize)?;
            Some((*candidate, statement))
        })
    }

    /// The names that statements spell out, each once.
    fn names<'p>(&self, statements: &'p [Statement]) -> Vec<&'p str> {
        let mut names: Vec<&str> = self
            .elements(statements)
            .filter_map(|(candidate, statement)| statement.action.names(candidate.slot? as usize))
            .flatten()
            .collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// How many patterns one name is compared with, and how many gates it can have.
    fn patterns(&self, statements: &[Statement]) -> usize {
        self.elements(statements)
            .map(|(candidate, statement)| {
                let slot = candidate.slot.map(|slot| slot as usize);
                1 + statement.action.pattern_count(slot) + statement.resource.source().len()
            })
            .sum()
    }

    fn spelled(&self, name: &str, statements: &[Statement]) -> (u64, Spelled) {
        let text = format!("{}:{name}", self.service);
        let mut buffer = String::new();
        let action = ActionName::fold(&text, &mut buffer);
        let mut gates = Vec::new();
        let mut about = Vec::new();
        let is_about = |(candidate, statement): &(Candidate, &Statement)| {
            candidate.is_about(&statement.action, action)
        };
        for (candidate, statement) in self.elements(statements).filter(is_about) {
            let before = gates.len();
            gates.extend(statement.resource.prefix_ends().into_iter().flatten());
            about.push(Gated {
                statement: candidate.statement,
                gates: gates.len() - before,
            });
        }
        let hash = hash_of_action(&text);
        let spelled = Spelled {
            action: text.into(),
            statements: about.into(),
            gates: gates.into(),
        };
        (hash, spelled)
    }
}
