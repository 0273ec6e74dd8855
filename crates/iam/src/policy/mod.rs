//! Policy documents.
//!
//! [`json`] reads the text and keeps places, [`document`] checks the elements, and this module
//! compiles them: patterns parsed, values of conditions typed, statements indexed by action, so
//! that a request looks only at the statements about its own.

mod document;
pub(crate) mod error;
mod index;
pub(crate) mod json;
mod principal;
mod statement_view;

pub(crate) use document::{ConditionSource, Version};
pub use error::{PolicyError, PolicyErrorKind};
pub(crate) use principal::{PrincipalElement, PrincipalName, PrincipalTruth};
pub use statement_view::{ConditionView, StatementView};

use crate::Effect;
use crate::condition::Condition;
use crate::context::Keys;
use crate::pattern::{ActionElement, ActionName, ResourceElement, ResourceText};
use crate::truth::Truth;
use document::{Document, StatementSource};
use index::StatementIndex;

/// A policy document, parsed, checked and compiled for matching. Made once per content and shared.
#[derive(Debug)]
pub struct CompiledPolicy {
    statements: Box<[Statement]>,
    index: StatementIndex,
    is_public: Truth,
    version: Version,
}

/// What an `Allow` statement names, as far as one action goes.
#[derive(Debug, Clone, Copy)]
pub struct PolicyGrant<'p> {
    /// The statement's index in the document, from 0.
    pub index: u32,
    /// Its `Sid`.
    pub sid: Option<&'p str>,
    /// Its `Resource` or `NotResource`.
    pub resources: GrantedResources<'p>,
}

/// The resources of a [`PolicyGrant`], as the document writes them.
#[derive(Debug, Clone, Copy)]
pub enum GrantedResources<'p> {
    /// `Resource`
    These(&'p [Box<str>]),
    /// `NotResource`
    AllBut(&'p [Box<str>]),
}

/// One statement, compiled.
#[derive(Debug)]
pub(crate) struct Statement {
    pub(crate) index: u32,
    pub(crate) sid: Option<Box<str>>,
    pub(crate) effect: Effect,
    /// `None` where the principal is implied.
    pub(crate) principal: Option<PrincipalElement>,
    pub(crate) action: ActionElement,
    pub(crate) resource: ResourceElement,
    pub(crate) conditions: Box<[Condition]>,
}

impl CompiledPolicy {
    /// Parses and compiles `text` as an identity policy (or a boundary or session policy: the same form).
    pub fn identity(text: &str) -> Result<CompiledPolicy, PolicyError> {
        Ok(CompiledPolicy::new(document::read_identity(text)?))
    }

    /// Parses and compiles `text` as a policy that names its principals: of a resource, a trust
    /// policy, a VPC endpoint's, a resource control policy.
    pub fn resource(text: &str) -> Result<CompiledPolicy, PolicyError> {
        Ok(CompiledPolicy::new(document::read_resource(text)?))
    }

    /// The `Sid` of a statement.
    pub fn sid(&self, index: u32) -> Option<&str> {
        self.statements.get(index as usize)?.sid.as_deref()
    }

    /// Whether the policy grants access to everybody, as S3 Block Public Access sees it; open where
    /// conditions may narrow it.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html>
    pub(crate) fn is_public(&self) -> Truth {
        self.is_public
    }

    /// The condition keys that it reads, some more than once.
    pub(crate) fn keys_read(&self) -> impl Iterator<Item = &str> {
        self.statements.iter().flat_map(|statement| {
            let conditions = statement.conditions.iter();
            conditions
                .flat_map(Condition::keys_read)
                .chain(statement.resource.variable_keys())
        })
    }

    /// The `Allow` statements about an action, in the document's order.
    pub fn grants(&self, action: &str) -> Vec<PolicyGrant<'_>> {
        let mut buffer = String::new();
        let statements = self.about(ActionName::fold(action, &mut buffer));
        statements
            .filter(|statement| statement.effect == Effect::Allow)
            .map(|statement| PolicyGrant {
                index: statement.index,
                sid: statement.sid.as_deref(),
                resources: match statement.resource.is_negated() {
                    true => GrantedResources::AllBut(statement.resource.source()),
                    false => GrantedResources::These(statement.resource.source()),
                },
            })
            .collect()
    }

    /// Whether `${…}` is a policy variable in it: whether its version is `2012-10-17`.
    pub fn has_policy_variables(&self) -> bool {
        self.version == Version::V2012
    }

    /// How many statements it has.
    pub fn statement_count(&self) -> usize {
        self.statements.len()
    }

    fn new(document: Document) -> CompiledPolicy {
        let version = document.version;
        let statements: Box<[Statement]> = (0_u32..)
            .zip(document.statements)
            .map(|(index, source)| Statement::new(index, source, version))
            .collect();
        CompiledPolicy {
            index: StatementIndex::new(&statements),
            is_public: statements
                .iter()
                .map(Statement::is_public)
                .fold(Truth::False, Truth::or),
            version,
            statements,
        }
    }

    pub(crate) fn statements(&self) -> &[Statement] {
        &self.statements
    }

    /// The statements about `action`, in the document's order.
    pub(crate) fn about<'p>(
        &'p self,
        action: ActionName<'_>,
    ) -> impl Iterator<Item = &'p Statement> {
        self.index.about(&self.statements, action, None)
    }

    /// The same, perhaps without some that cannot apply because of the resource.
    pub(crate) fn about_request<'p>(
        &'p self,
        action: ActionName<'_>,
        resource: ResourceText<'_>,
    ) -> impl Iterator<Item = &'p Statement> {
        self.index.about(&self.statements, action, Some(resource))
    }
}

impl Statement {
    fn new(index: u32, source: StatementSource, version: Version) -> Statement {
        Statement {
            index,
            sid: source.sid.map(String::into_boxed_str),
            effect: source.effect,
            principal: source.principal.map(PrincipalElement::new),
            action: ActionElement::new(source.action.negated, &source.action.values),
            resource: ResourceElement::new(
                source.resource.negated,
                &source.resource.values,
                version,
            ),
            conditions: source
                .conditions
                .into_iter()
                .map(|condition| Condition::new(condition, version))
                .collect(),
        }
    }

    fn is_public(&self) -> Truth {
        let names_everybody = self
            .principal
            .as_ref()
            .is_some_and(PrincipalElement::names_everybody);
        match (self.effect, names_everybody) {
            (Effect::Allow, true) if self.conditions.is_empty() => Truth::True,
            (Effect::Allow, true) if self.conditions.iter().any(Condition::fixes_who_asks) => {
                Truth::False
            }
            (Effect::Allow, true) => Truth::Unknown,
            _ => Truth::False,
        }
    }

    /// Whether the statement applies, but for its principal, to a request whose action it is about.
    pub(crate) fn applies<'a>(&'a self, resource: ResourceText<'_>, keys: &Keys<'a>) -> Truth {
        let mut truth = self.resource.matches(resource, keys);
        for condition in &self.conditions {
            if truth == Truth::False {
                return truth;
            }
            truth = truth.and(condition.holds(keys));
        }
        truth
    }

    /// Calls `push` with what leaves the statement open: condition keys as the policy spells them,
    /// and `resource`.
    pub(crate) fn unknown_keys<'p>(
        &'p self,
        resource: ResourceText<'_>,
        keys: &Keys<'_>,
        push: &mut impl FnMut(&'p str),
    ) {
        if self.resource.matches(resource, keys) == Truth::Unknown {
            if self.resource.leans_on_resource(resource, keys) {
                push("resource");
            }
            self.resource
                .unknown_variables(resource, *keys)
                .for_each(&mut *push);
        }
        for condition in &self.conditions {
            if condition.holds(keys) == Truth::Unknown {
                condition.unknown_keys(keys, push);
            }
        }
    }
}
