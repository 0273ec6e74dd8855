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
    pub(crate) action: ElementSource,
    pub(crate) resource: ElementSource,
    pub(crate) conditions: Vec<ConditionSource>,
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
    Reader { text }.document(json::parse(text)?)
}

struct Reader<'a> {
    text: &'a str,
}

/// The elements of a statement while it is read.
#[derive(Default)]
struct Draft {
    sid: Option<String>,
    effect: Option<Effect>,
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
        Ok(StatementSource {
            sid: draft.sid,
            effect: draft.effect.ok_or_else(|| missing("Effect"))?,
            action: draft.action.ok_or_else(|| missing("Action"))?,
            resource: draft.resource.ok_or_else(|| missing("Resource"))?,
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
            "Principal" => {
                return Err(self.error(
                    member.offset,
                    PolicyErrorKind::PrincipalElement {
                        element: "Principal",
                    },
                ));
            }
            "NotPrincipal" => {
                return Err(self.error(
                    member.offset,
                    PolicyErrorKind::PrincipalElement {
                        element: "NotPrincipal",
                    },
                ));
            }
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
