//! From JSON values to statements, with the place of every value; what is not a policy's grammar is
//! reported, and the rest is kept.
//!
//! Grammar: <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_grammar.html>.

use super::report::Report;
use super::{LintRule, PolicyKind};
use crate::Effect;
use crate::policy::json::{Member, Node, Value};

/// A text and its place.
#[derive(Debug, Clone)]
pub(super) struct Located {
    pub(super) offset: usize,
    pub(super) text: String,
}

/// What could be read of a document.
#[derive(Debug, Default)]
pub(super) struct Policy {
    /// Whether it says `2012-10-17`; without it `${…}` is plain text.
    pub(super) has_variables: bool,
    pub(super) statements: Vec<Statement>,
}

/// What could be read of a statement.
#[derive(Debug, Default)]
pub(super) struct Statement {
    pub(super) offset: usize,
    pub(super) effect: Option<Effect>,
    /// Whether there is an `Effect`, of whatever value.
    pub(super) says_effect: bool,
    pub(super) action: Option<Element>,
    pub(super) resource: Option<Element>,
    pub(super) principal: Option<Element>,
    pub(super) conditions: Vec<Condition>,
}

impl Statement {
    /// What the statement does, in a message: "allow" or "deny".
    pub(super) fn verb(&self) -> &'static str {
        match self.effect {
            Some(Effect::Deny) => "deny",
            Some(Effect::Allow) | None => "allow",
        }
    }
}

/// `Action`, `Resource`, `Principal` or the `Not…` twin.
#[derive(Debug)]
pub(super) struct Element {
    pub(super) offset: usize,
    pub(super) negated: bool,
    pub(super) values: Vec<Located>,
}

/// One operator on one key.
#[derive(Debug)]
pub(super) struct Condition {
    pub(super) operator: Located,
    pub(super) key: Located,
    pub(super) values: Vec<Located>,
}

/// Reads a document.
pub(super) struct Reader<'r, 't> {
    pub(super) report: &'r mut Report<'t>,
    pub(super) kind: PolicyKind,
}

const STATEMENT_ELEMENTS: [&str; 9] = [
    "Sid",
    "Effect",
    "Principal",
    "NotPrincipal",
    "Action",
    "NotAction",
    "Resource",
    "NotResource",
    "Condition",
];

impl Reader<'_, '_> {
    pub(super) fn document(&mut self, root: Node) -> Policy {
        let mut policy = Policy::default();
        let offset = root.offset;
        let Value::Object(members) = root.value else {
            let message = format!(
                "a policy document must be an object, not {}",
                root.value.type_name()
            );
            self.report.add(LintRule::WrongType, offset, message);
            return policy;
        };
        let names: Vec<&str> = members.iter().map(|member| member.name.as_str()).collect();
        if !names.contains(&"Statement") && (names.contains(&"Effect") || names.contains(&"Action"))
        {
            self.report
                .add(
                    LintRule::StatementFragment,
                    offset,
                    "this is a statement, not a policy document: the document has no `Statement`",
                )
                .hint("put it into the `Statement` array of a document");
            // Nothing is said of its version, so nothing is said of its variables either.
            policy.has_variables = true;
            policy.statements.push(self.statement(offset, members));
            return policy;
        }
        if !names.contains(&"Statement") {
            self.report.add(
                LintRule::MissingElement,
                offset,
                "the document has no `Statement`",
            );
        }
        for member in members {
            match member.name.as_str() {
                "Version" => policy.has_variables = self.version(member.node),
                "Id" => drop(self.string("Id", member.node)),
                "Statement" => policy.statements = self.statements(member.node),
                name => self.unknown_element(name, member.offset, "document"),
            }
        }
        policy
    }

    fn unknown_element(&mut self, name: &str, offset: usize, place: &'static str) {
        let (rule, message) = (
            LintRule::UnknownElement,
            if place == "document" {
                format!("unknown top-level element `{name}`")
            } else {
                format!("unknown element `{name}` in the statement")
            },
        );
        let known: &[&str] = match place {
            "document" => &["Version", "Id", "Statement"],
            _ => &STATEMENT_ELEMENTS,
        };
        let finding = self.report.add(rule, offset, message);
        if place == "document" && STATEMENT_ELEMENTS.contains(&name) {
            finding.hint(format!("`{name}` belongs in a statement"));
        } else if let Some(meant) = super::suggest::nearest(name, known.iter().copied()) {
            finding.hint(format!("did you mean `{meant}`?"));
        }
    }

    fn version(&mut self, node: Node) -> bool {
        let offset = node.offset;
        match self.string("Version", node).as_deref() {
            Some("2012-10-17") => true,
            Some("2008-10-17") | None => false,
            Some(other) => {
                let message = format!("unknown policy version `{other}`");
                self.report
                    .add(LintRule::InvalidValue, offset, message)
                    .hint("the versions are `2012-10-17` and `2008-10-17`");
                true
            }
        }
    }

    fn statements(&mut self, node: Node) -> Vec<Statement> {
        let nodes = match node.value {
            Value::Array(nodes) => nodes,
            value => vec![Node {
                offset: node.offset,
                value,
            }],
        };
        let mut statements = Vec::with_capacity(nodes.len());
        for node in nodes {
            match node.value {
                Value::Object(members) => statements.push(self.statement(node.offset, members)),
                other => {
                    let found = other.type_name();
                    self.wrong_type("Statement", "an object", node.offset, found);
                }
            }
        }
        statements
    }

    fn statement(&mut self, offset: usize, members: Vec<Member>) -> Statement {
        let mut statement = Statement {
            offset,
            ..Statement::default()
        };
        for member in members {
            self.element(member, &mut statement);
        }
        self.required(&statement);
        statement
    }

    /// The elements that this kind of policy must have and must not have.
    fn required(&mut self, statement: &Statement) {
        let mut missing = |rule, element: &str, hint: &str| {
            let message = format!("the statement has no `{element}`");
            self.report
                .add(rule, statement.offset, message)
                .hint(hint.to_owned());
        };
        if !statement.says_effect {
            missing(LintRule::MissingElement, "Effect", "add `Allow` or `Deny`");
        }
        if statement.action.is_none() {
            missing(LintRule::MissingElement, "Action", "name the actions");
        }
        // A trust policy's resource is its role, and ECR's repository policies have no `Resource`.
        let may_lack_resource = matches!(self.kind, PolicyKind::Trust | PolicyKind::Resource);
        if statement.resource.is_none() && !may_lack_resource {
            missing(
                LintRule::MissingElement,
                "Resource",
                "name the ARNs that it is about, or `\"*\"`",
            );
        }
        if statement.principal.is_none() && self.kind.has_principal() {
            missing(
                LintRule::MissingElement,
                "Principal",
                "a policy of this kind says whom it is about",
            );
        }
    }

    fn element(&mut self, member: Member, statement: &mut Statement) {
        let negated = member.name.starts_with("Not");
        match member.name.as_str() {
            "Sid" => drop(self.string("Sid", member.node)),
            "Effect" => {
                statement.says_effect = true;
                statement.effect = self.effect(member.node);
            }
            "Action" | "NotAction" => self.one_of(member, negated, &mut statement.action),
            "Resource" | "NotResource" => {
                if self.kind == PolicyKind::Trust {
                    self.misplaced(&member, "a trust policy is about its role");
                }
                self.one_of(member, negated, &mut statement.resource);
            }
            "Principal" | "NotPrincipal" => {
                if !self.kind.has_principal() {
                    self.misplaced(
                        &member,
                        "the principal is whoever or whatever the policy is attached to",
                    );
                }
                self.principal(member, negated, statement);
            }
            "Condition" => statement.conditions = self.conditions(member.node),
            name => self.unknown_element(name, member.offset, "statement"),
        }
    }

    fn misplaced(&mut self, member: &Member, why: &str) {
        let message = format!(
            "`{}` cannot stand in {}",
            member.name,
            self.kind.with_article()
        );
        self.report
            .add(LintRule::MisplacedElement, member.offset, message)
            .hint(why.to_owned());
    }

    fn effect(&mut self, node: Node) -> Option<Effect> {
        let offset = node.offset;
        match self.string("Effect", node)?.as_str() {
            "Allow" => Some(Effect::Allow),
            "Deny" => Some(Effect::Deny),
            other => {
                let message = format!("`Effect` must be `Allow` or `Deny`, not `{other}`");
                self.report.add(LintRule::InvalidValue, offset, message);
                None
            }
        }
    }

    fn one_of(&mut self, member: Member, negated: bool, slot: &mut Option<Element>) {
        if slot.is_some() {
            self.conflict(&member);
            return;
        }
        let offset = member.offset;
        let values = self.values(&member.name, member.node, false);
        if values.is_empty() {
            let message = format!("`{}` is empty", member.name);
            self.report.add(LintRule::InvalidValue, offset, message);
        }
        *slot = Some(Element {
            offset,
            negated,
            values,
        });
    }

    fn conflict(&mut self, member: &Member) {
        let element = member.name.trim_start_matches("Not");
        let message = format!("the statement has both `{element}` and `Not{element}`");
        self.report
            .add(LintRule::ConflictingElements, member.offset, message);
    }

    /// `"*"`, or an object of `AWS`, `Service`, `Federated` and `CanonicalUser`.
    fn principal(&mut self, member: Member, negated: bool, statement: &mut Statement) {
        if statement.principal.is_some() {
            self.conflict(&member);
            return;
        }
        let offset = member.offset;
        let mut values = Vec::new();
        match member.node.value {
            Value::Object(kinds) => {
                for kind in kinds {
                    if !["AWS", "Service", "Federated", "CanonicalUser"]
                        .contains(&kind.name.as_str())
                    {
                        let message = format!("unknown kind of principal `{}`", kind.name);
                        self.report
                            .add(LintRule::InvalidValue, kind.offset, message)
                            .hint(
                                "the kinds are `AWS`, `Service`, `Federated` and `CanonicalUser`",
                            );
                    }
                    values.extend(self.values(&kind.name, kind.node, false));
                }
            }
            Value::String(text) => {
                if text != "*" {
                    let message = format!("`{}` must be `*` or an object", member.name);
                    self.report
                        .add(LintRule::InvalidValue, member.node.offset, message)
                        .hint("such as `{\"AWS\": \"<account id>\"}`");
                }
                values.push(Located {
                    offset: member.node.offset,
                    text,
                });
            }
            other => self.wrong_type(
                &member.name,
                "`*` or an object",
                member.node.offset,
                other.type_name(),
            ),
        }
        statement.principal = Some(Element {
            offset,
            negated,
            values,
        });
    }

    fn conditions(&mut self, node: Node) -> Vec<Condition> {
        let mut conditions = Vec::new();
        let Value::Object(operators) = node.value else {
            self.wrong_type(
                "Condition",
                "an object",
                node.offset,
                node.value.type_name(),
            );
            return conditions;
        };
        for operator in operators {
            let Value::Object(keys) = operator.node.value else {
                let found = operator.node.value.type_name();
                self.wrong_type(&operator.name, "an object", operator.node.offset, found);
                continue;
            };
            for key in keys {
                conditions.push(Condition {
                    operator: Located {
                        offset: operator.offset,
                        text: operator.name.clone(),
                    },
                    values: self.values(&key.name, key.node, true),
                    key: Located {
                        offset: key.offset,
                        text: key.name,
                    },
                });
            }
        }
        conditions
    }

    /// One value or an array of them; numbers and booleans only in conditions.
    fn values(&mut self, element: &str, node: Node, scalars: bool) -> Vec<Located> {
        let nodes = match node.value {
            Value::Array(nodes) => nodes,
            value => vec![Node {
                offset: node.offset,
                value,
            }],
        };
        let mut values = Vec::with_capacity(nodes.len());
        for node in nodes {
            let text = match node.value {
                Value::String(text) => text,
                Value::Number(spelled) if scalars => spelled,
                Value::Bool(value) if scalars => value.to_string(),
                other => {
                    let wanted = if scalars {
                        "a string, number or boolean, or an array of them"
                    } else {
                        "a string or an array of strings"
                    };
                    self.wrong_type(element, wanted, node.offset, other.type_name());
                    continue;
                }
            };
            values.push(Located {
                offset: node.offset,
                text,
            });
        }
        values
    }

    fn string(&mut self, element: &str, node: Node) -> Option<String> {
        match node.value {
            Value::String(text) => Some(text),
            other => {
                self.wrong_type(element, "a string", node.offset, other.type_name());
                None
            }
        }
    }

    fn wrong_type(&mut self, element: &str, wanted: &str, offset: usize, found: &str) {
        let message = format!("`{element}` must be {wanted}, not {found}");
        self.report.add(LintRule::WrongType, offset, message);
    }
}
