//! Policy documents: statements shared out to as few as hold them.

use std::fmt::Write;

use retrial_iam::Effect;

use super::edit::EditedPolicy;
use super::statement::{Element, ProposedStatement};

/// Characters of a managed policy, white space apart.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entity-length>
pub const MAX_POLICY_CHARACTERS: usize = 6_144;
/// Characters of all inline policies of a role together, white space apart; also of a permission set's.
pub(super) const MAX_INLINE_CHARACTERS: usize = 10_240;
/// The same of a user.
pub(super) const MAX_INLINE_CHARACTERS_OF_USER: usize = 2_048;
/// The same of a group.
pub(super) const MAX_INLINE_CHARACTERS_OF_GROUP: usize = 5_120;
/// Managed policies attached to a user or a role, unless AWS raises it.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html#reference_iam-quotas-entities>
pub const MAX_ATTACHED_POLICIES: usize = 10;

/// One policy document of a proposal.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProposedDocument {
    /// Its statements.
    pub statements: Vec<ProposedStatement>,
    /// The document of today that it is an edit of, and what becomes of its statements.
    pub edit: Option<EditedPolicy>,
}

/// A statement does not fit into a document, and cannot be split.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct DoesNotFit;

/// Shares statements out: each goes to the first document that has room for it.
pub(super) fn documents(
    statements: Vec<ProposedStatement>,
    most: usize,
) -> Result<Vec<ProposedDocument>, DoesNotFit> {
    let mut filled: Vec<(usize, ProposedDocument)> = Vec::new();
    let empty = ProposedDocument::default().json().chars().count();
    let mut waiting: Vec<ProposedStatement> = statements;
    waiting.reverse();
    while let Some(statement) = waiting.pop() {
        // With the comma before it, and a number for its name.
        let size = statement_json(&statement).chars().count() + 1 + 6;
        if empty + size > most {
            let (first, second) = split(statement).ok_or(DoesNotFit)?;
            waiting.extend([second, first]);
            continue;
        }
        let place = filled
            .iter_mut()
            .find(|(used, _)| used.saturating_add(size) <= most);
        match place {
            Some((used, document)) => {
                *used += size;
                document.statements.push(statement);
            }
            None => filled.push((
                empty + size,
                ProposedDocument {
                    statements: vec![statement],
                    edit: None,
                },
            )),
        }
    }
    let mut number = 0;
    let mut documents: Vec<ProposedDocument> =
        filled.into_iter().map(|(_, document)| document).collect();
    for statement in documents
        .iter_mut()
        .flat_map(|document| &mut document.statements)
    {
        number += 1;
        statement.sid = format!("{}{number}", statement.reason.word());
    }
    Ok(documents)
}

/// Two statements that say together what one says.
fn split(statement: ProposedStatement) -> Option<(ProposedStatement, ProposedStatement)> {
    let halves = |element: &Element| match element {
        Element::These(values) if values.len() > 1 => {
            let (first, second) = values.split_at(values.len() / 2);
            Some((
                Element::These(first.to_vec()),
                Element::These(second.to_vec()),
            ))
        }
        _ => None,
    };
    let length = |element: &Element| element.values().iter().map(String::len).sum::<usize>();
    let by_actions = length(&statement.actions) >= length(&statement.resources);
    let of_actions = || {
        let (first, second) = halves(&statement.actions)?;
        let other = ProposedStatement {
            actions: second,
            ..statement.clone()
        };
        Some((
            ProposedStatement {
                actions: first,
                ..statement.clone()
            },
            other,
        ))
    };
    let of_resources = || {
        let (first, second) = halves(&statement.resources)?;
        let other = ProposedStatement {
            resources: second,
            ..statement.clone()
        };
        Some((
            ProposedStatement {
                resources: first,
                ..statement.clone()
            },
            other,
        ))
    };
    match by_actions {
        true => of_actions().or_else(of_resources),
        false => of_resources().or_else(of_actions),
    }
}

impl ProposedDocument {
    /// The document in one line, as AWS counts its length.
    pub fn json(&self) -> String {
        let statements: Vec<String> = self.statements.iter().map(statement_json).collect();
        format!(
            r#"{{"Version":"2012-10-17","Statement":[{}]}}"#,
            statements.join(",")
        )
    }

    /// The document for people, with a line end.
    pub fn pretty(&self) -> String {
        let mut out = "{\n  \"Version\": \"2012-10-17\",\n  \"Statement\": [".to_owned();
        for (number, statement) in self.statements.iter().enumerate() {
            out.push_str(if number == 0 { "\n" } else { ",\n" });
            pretty_statement(statement, &mut out);
        }
        out.push_str("\n  ]\n}\n");
        out
    }
}

/// A JSON string.
fn quoted(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// One value as it is, several as a list.
fn list(values: &[String], between: &str) -> String {
    let texts: Vec<String> = values.iter().map(|text| quoted(text)).collect();
    match texts.as_slice() {
        [one] => one.clone(),
        texts => format!("[{}]", texts.join(between)),
    }
}

fn names(statement: &ProposedStatement) -> [(&'static str, &[String]); 2] {
    let action = match &statement.actions {
        Element::These(values) => ("Action", values.as_slice()),
        Element::AllBut(values) => ("NotAction", values.as_slice()),
    };
    let resource = match &statement.resources {
        Element::These(values) => ("Resource", values.as_slice()),
        Element::AllBut(values) => ("NotResource", values.as_slice()),
    };
    [action, resource]
}

fn effect(statement: &ProposedStatement) -> &'static str {
    match statement.effect {
        Effect::Allow => "Allow",
        Effect::Deny => "Deny",
    }
}

fn statement_json(statement: &ProposedStatement) -> String {
    let mut out = format!(
        r#"{{"Sid":{},"Effect":"{}""#,
        quoted(&statement.sid),
        effect(statement)
    );
    for (name, values) in names(statement) {
        // Writing to a text cannot fail.
        let _ = write!(out, r#","{name}":{}"#, list(values, ","));
    }
    if !statement.conditions.is_empty() {
        out.push_str(r#","Condition":{"#);
        for (number, condition) in statement.conditions.iter().enumerate() {
            out.push_str(if number == 0 { "" } else { "," });
            let keys: Vec<String> = condition
                .keys
                .iter()
                .map(|(key, values)| format!("{}:{}", quoted(key), list(values, ",")))
                .collect();
            let _ = write!(
                out,
                "{}:{{{}}}",
                quoted(&condition.operator),
                keys.join(",")
            );
        }
        out.push('}');
    }
    out.push('}');
    out
}

fn pretty_statement(statement: &ProposedStatement, out: &mut String) {
    let _ = write!(
        out,
        "    {{\n      \"Sid\": {},\n      \"Effect\": \"{}\"",
        quoted(&statement.sid),
        effect(statement)
    );
    for (name, values) in names(statement) {
        let values = match values {
            [_] => list(values, ""),
            _ => format!(
                "[\n        {}\n      ]",
                values
                    .iter()
                    .map(|text| quoted(text))
                    .collect::<Vec<_>>()
                    .join(",\n        ")
            ),
        };
        let _ = write!(out, ",\n      \"{name}\": {values}");
    }
    if !statement.conditions.is_empty() {
        out.push_str(",\n      \"Condition\": {");
        for (number, condition) in statement.conditions.iter().enumerate() {
            out.push_str(if number == 0 { "\n" } else { ",\n" });
            let keys: Vec<String> = condition
                .keys
                .iter()
                .map(|(key, values)| format!("          {}: {}", quoted(key), list(values, ", ")))
                .collect();
            let _ = write!(
                out,
                "        {}: {{\n{}\n        }}",
                quoted(&condition.operator),
                keys.join(",\n")
            );
        }
        out.push_str("\n      }");
    }
    out.push_str("\n    }");
}
