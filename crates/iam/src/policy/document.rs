//! From JSON to a policy's elements, with the place of whatever is not one.
//!
//! Grammar: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.
//! The names of elements and the values of `Effect` and `Version` count with their case; action
//! names, condition operators and condition keys do not.

use super::error::{PolicyError, PolicyErrorKind};
use super::json::{self, Member, Node, Value, error_at};
use crate::Effect;

/// A policy document.
#[derive(Debug)]
pub(crate) struct Document {
    pub(crate) version: Version,
    pub(crate) statements: Vec<StatementSource>,
}

/// The version of the policy language.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Version {
    /// `2008-10-17`, and where there is no `Version`: `${…}` is plain text.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_version.html>
    V2008,
    /// `2012-10-17`: with policy variables.
    V2012,
}

/// One statement.
#[derive(Debug)]
pub(crate) struct StatementSource {
    pub(crate) sid: Option<String>,
    pub(crate) effect: Effect,
    /// `None` in the grammar of identity policies.
    pub(crate) principal: Option<PrincipalSource>,
    pub(crate) action: ElementSource,
    pub(crate) resource: ElementSource,
    pub(crate) conditions: Vec<ConditionSource>,
}

/// `Principal` or `NotPrincipal`.
#[derive(Debug)]
pub(crate) struct PrincipalSource {
    pub(crate) negated: bool,
    /// The type of each value (`AWS`, `Service`, …) and the value; `*` alone is of the type `AWS`.
    pub(crate) values: Vec<(PrincipalType, String)>,
}

/// The types of principals that a policy can name.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_principal.html>
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PrincipalType {
    Aws,
    CanonicalUser,
    Federated,
    Service,
}

impl PrincipalType {
    fn parse(name: &str) -> Option<PrincipalType> {
        Some(match name {
            "AWS" => Self::Aws,
            "CanonicalUser" => Self::CanonicalUser,
            "Federated" => Self::Federated,
            "Service" => Self::Service,
            _ => return None,
        })
    }

    /// As a policy spells it.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Aws => "AWS",
            Self::CanonicalUser => "CanonicalUser",
            Self::Federated => "Federated",
            Self::Service => "Service",
        }
    }
}

/// Which elements a statement has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grammar {
    /// Identity policies, boundaries, session policies, service control policies: the principal is implied.
    Identity,
    /// Policies of resources and of endpoints, trust policies, resource control policies: the
    /// principal is named; without a `Resource` (trust policies, ECR) the statement is about the
    /// resource that the policy stands on.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_resource.html>
    Resource,
}

/// `Action` or `NotAction`, `Resource` or `NotResource`.
#[derive(Debug)]
pub(crate) struct ElementSource {
    pub(crate) negated: bool,
    pub(crate) values: Vec<String>,
}

/// One operator on one key.
#[derive(Debug)]
pub(crate) struct ConditionSource {
    pub(crate) operator: String,
    pub(crate) key: String,
    pub(crate) values: Vec<String>,
}

/// Reads an identity policy: the principal is implied.
pub(crate) fn read_identity(text: &str) -> Result<Document, PolicyError> {
    let grammar = Grammar::Identity;
    Reader { text, grammar }.document(json::parse(text)?)
}

/// Reads a policy that names its principals.
pub(crate) fn read_resource(text: &str) -> Result<Document, PolicyError> {
    let grammar = Grammar::Resource;
    Reader { text, grammar }.document(json::parse(text)?)
}

struct Reader<'a> {
    text: &'a str,
    grammar: Grammar,
}

/// The elements of a statement while it is read.
#[derive(Default)]
struct Draft {
    sid: Option<String>,
    effect: Option<Effect>,
    principal: Option<PrincipalSource>,
    action: Option<ElementSource>,
    resource: Option<ElementSource>,
    conditions: Vec<ConditionSource>,
}

impl Reader<'_> {
    fn error(&self, offset: usize, kind: PolicyErrorKind) -> PolicyError {
        error_at(self.text, offset, kind)
    }

    fn wrong_type(&self, element: &str, wanted: &'static str, node: &Node) -> PolicyError {
        let kind = PolicyErrorKind::WrongType {
            element: element.into(),
            wanted,
            found: node.value.type_name(),
        };
        self.error(node.offset, kind)
    }

    fn document(&self, node: Node) -> Result<Document, PolicyError> {
        let Value::Object(members) = node.value else {
            return Err(self.error(
                node.offset,
                PolicyErrorKind::NotAnObject {
                    found: node.value.type_name(),
                },
            ));
        };
        let mut version = Version::V2008;
        let mut statements = None;
        for member in members {
            match member.name.as_str() {
                "Version" => version = self.version(member)?,
                "Id" => drop(self.string(member)?),
                "Statement" => statements = Some(self.statements(member.node)?),
                name => {
                    let kind = PolicyErrorKind::UnknownElement {
                        name: name.into(),
                        place: "document",
                    };
                    return Err(self.error(member.offset, kind));
                }
            }
        }
        match statements {
            Some(statements) => Ok(Document {
                version,
                statements,
            }),
            None => Err(self.error(
                node.offset,
                PolicyErrorKind::MissingElement {
                    element: "Statement",
                    place: "document",
                },
            )),
        }
    }

    fn version(&self, member: Member) -> Result<Version, PolicyError> {
        let offset = member.node.offset;
        let value = self.string(member)?;
        match value.as_str() {
            "2012-10-17" => Ok(Version::V2012),
            "2008-10-17" => Ok(Version::V2008),
            other => Err(self.error(
                offset,
                PolicyErrorKind::UnknownVersion {
                    value: other.into(),
                },
            )),
        }
    }

    fn statements(&self, node: Node) -> Result<Vec<StatementSource>, PolicyError> {
        match node.value {
            Value::Object(members) => Ok(vec![self.statement(node.offset, members)?]),
            Value::Array(elements) => {
                let mut statements = Vec::with_capacity(elements.len());
                for element in elements {
                    let Value::Object(members) = element.value else {
                        return Err(self.wrong_type(
                            "Statement",
                            "an object or an array of objects",
                            &element,
                        ));
                    };
                    statements.push(self.statement(element.offset, members)?);
                }
                Ok(statements)
            }
            _ => Err(self.wrong_type("Statement", "an object or an array of objects", &node)),
        }
    }

    fn statement(
        &self,
        offset: usize,
        members: Vec<Member>,
    ) -> Result<StatementSource, PolicyError> {
        let mut draft = Draft::default();
        for member in members {
            self.element(member, &mut draft)?;
        }
        let missing = |element| {
            self.error(
                offset,
                PolicyErrorKind::MissingElement {
                    element,
                    place: "statement",
                },
            )
        };
        let effect = draft.effect.ok_or_else(|| missing("Effect"))?;
        if self.grammar == Grammar::Resource && draft.principal.is_none() {
            return Err(missing("Principal"));
        }
        let action = draft.action.ok_or_else(|| missing("Action"))?;
        let itself = || ElementSource {
            negated: false,
            values: vec!["*".to_owned()],
        };
        let resource = match self.grammar {
            Grammar::Identity => draft.resource.ok_or_else(|| missing("Resource"))?,
            Grammar::Resource => draft.resource.unwrap_or_else(itself),
        };
        Ok(StatementSource {
            sid: draft.sid,
            effect,
            principal: draft.principal,
            action,
            resource,
            conditions: draft.conditions,
        })
    }

    fn element(&self, member: Member, draft: &mut Draft) -> Result<(), PolicyError> {
        match member.name.as_str() {
            "Sid" => draft.sid = Some(self.string(member)?),
            "Effect" => draft.effect = Some(self.effect(member)?),
            "Action" => self.one_of("Action", false, member, &mut draft.action)?,
            "NotAction" => self.one_of("Action", true, member, &mut draft.action)?,
            "Resource" => self.one_of("Resource", false, member, &mut draft.resource)?,
            "NotResource" => self.one_of("Resource", true, member, &mut draft.resource)?,
            "Condition" => draft.conditions = self.conditions(member)?,
            "Principal" => self.principal("Principal", false, member, draft)?,
            "NotPrincipal" => self.principal("NotPrincipal", true, member, draft)?,
            name => {
                let kind = PolicyErrorKind::UnknownElement {
                    name: name.into(),
                    place: "statement",
                };
                return Err(self.error(member.offset, kind));
            }
        }
        Ok(())
    }

    fn effect(&self, member: Member) -> Result<Effect, PolicyError> {
        let offset = member.node.offset;
        let value = self.string(member)?;
        match value.as_str() {
            "Allow" => Ok(Effect::Allow),
            "Deny" => Ok(Effect::Deny),
            other => Err(self.error(
                offset,
                PolicyErrorKind::BadEffect {
                    value: other.into(),
                },
            )),
        }
    }

    /// Reads an element that excludes its `Not…` twin.
    fn one_of(
        &self,
        element: &'static str,
        negated: bool,
        member: Member,
        slot: &mut Option<ElementSource>,
    ) -> Result<(), PolicyError> {
        if slot.is_some() {
            return Err(self.error(member.offset, PolicyErrorKind::BothElements { element }));
        }
        let offset = member.node.offset;
        let values = self.values(&member.name, member.node, ValueTypes::Strings)?;
        let mut texts = Vec::with_capacity(values.len());
        for (offset, value) in values {
            if element == "Action" && !value.contains(':') && !is_all_stars(&value) {
                return Err(self.error(
                    offset,
                    PolicyErrorKind::ActionWithoutService {
                        value: value.as_str().into(),
                    },
                ));
            }
            texts.push(value);
        }
        if texts.is_empty() {
            // IAM refuses it; and an empty NotAction or NotResource must not mean "everything".
            return Err(self.error(offset, PolicyErrorKind::EmptyElement { element }));
        }
        *slot = Some(ElementSource {
            negated,
            values: texts,
        });
        Ok(())
    }

    /// `"*"`, or lists of principals by their type.
    fn principal(
        &self,
        element: &'static str,
        negated: bool,
        member: Member,
        draft: &mut Draft,
    ) -> Result<(), PolicyError> {
        if self.grammar == Grammar::Identity {
            return Err(self.error(member.offset, PolicyErrorKind::PrincipalElement { element }));
        }
        if draft.principal.is_some() {
            let kind = PolicyErrorKind::BothElements {
                element: "Principal",
            };
            return Err(self.error(member.offset, kind));
        }
        let offset = member.node.offset;
        let values = match member.node.value {
            Value::String(name) => vec![(PrincipalType::Aws, name)],
            Value::Object(types) => self.principals_by_type(types)?,
            value => {
                let node = Node { offset, value };
                return Err(self.wrong_type(element, "`*` or an object", &node));
            }
        };
        if values.is_empty() {
            // An empty NotPrincipal must not mean everybody.
            return Err(self.error(offset, PolicyErrorKind::EmptyElement { element }));
        }
        draft.principal = Some(PrincipalSource { negated, values });
        Ok(())
    }

    fn principals_by_type(
        &self,
        types: Vec<Member>,
    ) -> Result<Vec<(PrincipalType, String)>, PolicyError> {
        let mut all = Vec::new();
        for member in types {
            let Some(principal_type) = PrincipalType::parse(&member.name) else {
                let kind = PolicyErrorKind::UnknownElement {
                    name: member.name.as_str().into(),
                    place: "principal",
                };
                return Err(self.error(member.offset, kind));
            };
            let values = self.values(&member.name, member.node, ValueTypes::Strings)?;
            all.extend(values.into_iter().map(|(_, value)| (principal_type, value)));
        }
        Ok(all)
    }

    fn conditions(&self, member: Member) -> Result<Vec<ConditionSource>, PolicyError> {
        let Value::Object(operators) = member.node.value else {
            return Err(self.wrong_type("Condition", "an object", &member.node));
        };
        let mut conditions = Vec::new();
        for operator in operators {
            let Value::Object(keys) = operator.node.value else {
                return Err(self.wrong_type(&operator.name, "an object", &operator.node));
            };
            for key in keys {
                let values = self.values(&key.name, key.node, ValueTypes::Scalars)?;
                conditions.push(ConditionSource {
                    operator: operator.name.clone(),
                    key: key.name,
                    values: values.into_iter().map(|(_, value)| value).collect(),
                });
            }
        }
        Ok(conditions)
    }

    fn string(&self, member: Member) -> Result<String, PolicyError> {
        match member.node.value {
            Value::String(string) => Ok(string),
            _ => Err(self.wrong_type(&member.name, "a string", &member.node)),
        }
    }

    /// One value or an array of values, each with its place.
    fn values(
        &self,
        element: &str,
        node: Node,
        types: ValueTypes,
    ) -> Result<Vec<(usize, String)>, PolicyError> {
        let nodes = match node.value {
            Value::Array(nodes) => nodes,
            _ => vec![node],
        };
        let mut values = Vec::with_capacity(nodes.len());
        for node in nodes {
            let value = match (types, node.value) {
                (_, Value::String(string)) => string,
                (ValueTypes::Scalars, Value::Number(spelled)) => spelled,
                (ValueTypes::Scalars, Value::Bool(value)) => value.to_string(),
                (types, value) => {
                    let wanted = types.name();
                    return Err(self.wrong_type(
                        element,
                        wanted,
                        &Node {
                            offset: node.offset,
                            value,
                        },
                    ));
                }
            };
            values.push((node.offset, value));
        }
        Ok(values)
    }
}

/// What an element's values may be.
#[derive(Clone, Copy)]
enum ValueTypes {
    Strings,
    /// Conditions: "string", number or boolean.
    Scalars,
}

impl ValueTypes {
    fn name(self) -> &'static str {
        match self {
            Self::Strings => "a string or an array of strings",
            Self::Scalars => "a string, number or boolean, or an array of them",
        }
    }
}

/// `*`: every action of every service.
fn is_all_stars(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte == b'*')
}
