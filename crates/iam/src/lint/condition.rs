//! Conditions: operators, keys and values that fit each other, and conditions that can all hold.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

use super::action::Expanded;
use super::document::{Condition, Located, Statement};
use super::report::Report;
use super::{LintRule, source, suggest};
use crate::condition::operator::{Base, Operator, SetOperator};
use crate::condition::value::{self, Cidr};
use crate::{Catalogue, ConditionKey, Effect, KeyType};

/// The names to suggest for a misspelt operator.
const OPERATORS: [&str; 27] = [
    "StringEquals",
    "StringNotEquals",
    "StringEqualsIgnoreCase",
    "StringNotEqualsIgnoreCase",
    "StringLike",
    "StringNotLike",
    "NumericEquals",
    "NumericNotEquals",
    "NumericLessThan",
    "NumericLessThanEquals",
    "NumericGreaterThan",
    "NumericGreaterThanEquals",
    "DateEquals",
    "DateNotEquals",
    "DateLessThan",
    "DateLessThanEquals",
    "DateGreaterThan",
    "DateGreaterThanEquals",
    "Bool",
    "BinaryEquals",
    "IpAddress",
    "NotIpAddress",
    "ArnEquals",
    "ArnNotEquals",
    "ArnLike",
    "ArnNotLike",
    "Null",
];

/// Checks each condition of a statement by itself; whether one of them can never hold.
pub(super) fn check(
    statement: &Statement,
    actions: &[Expanded<'_>],
    catalogue: &Catalogue,
    report: &mut Report<'_>,
) -> bool {
    let mut dead = false;
    for condition in &statement.conditions {
        let operator = Operator::parse(&condition.operator.text);
        if operator.base == Base::Unknown {
            unknown_operator(&condition.operator, report);
            continue;
        }
        values(condition, operator, report);
        let Some(key) = catalogue.condition_key(&condition.key.text) else {
            unknown_key(&condition.key, catalogue, report);
            continue;
        };
        operator_type(condition, operator, key, report);
        set_operator(statement, condition, operator, key, report);
        let negated_action = statement
            .action
            .as_ref()
            .is_none_or(|element| element.negated);
        // Which actions see a resource's tags the reference does not always say.
        let is_tag = condition
            .key
            .text
            .to_ascii_lowercase()
            .contains(":resourcetag/");
        if !negated_action && !is_tag && !applies(condition, actions, catalogue) {
            dead |= not_for_action(condition, operator, catalogue, report);
        }
    }
    dead
}

fn unknown_operator(operator: &Located, report: &mut Report<'_>) {
    let message = format!("no condition operator `{}` is documented", operator.text);
    let (set, name) = match operator.text.split_once(':') {
        Some((set, name)) => (Some(set), name),
        None => (None, operator.text.as_str()),
    };
    let plain = name.strip_suffix("IfExists").unwrap_or(name);
    let hint = match suggest::nearest(plain, OPERATORS.into_iter()) {
        Some("Null") => "`Null` takes neither `IfExists` nor a set operator".to_owned(),
        Some(meant) => {
            let set = set.map(|set| format!("{set}:")).unwrap_or_default();
            let if_exists = name.get(plain.len()..).unwrap_or_default();
            format!("did you mean `{set}{meant}{if_exists}`?")
        }
        None => "what it would answer is unknown".to_owned(),
    };
    report
        .add(LintRule::UnknownOperator, operator.offset, message)
        .hint(hint);
}

fn unknown_key(key: &Located, catalogue: &Catalogue, report: &mut Report<'_>) {
    let message = format!("no condition key `{}` is documented", key.text);
    let prefix = key.text.split(':').next().unwrap_or_default();
    let of_service = catalogue
        .actions(prefix)
        .flat_map(|action| catalogue.condition_keys(action))
        .map(|known| known.name);
    let global: Vec<&str> = catalogue.global_keys().map(|known| known.name).collect();
    let names = global.into_iter().chain(of_service);
    report
        .add(LintRule::UnknownConditionKey, key.offset, message)
        .hint(match suggest::nearest(&key.text, names) {
            Some(meant) => format!("did you mean `{meant}`? ({})", source(catalogue)),
            None => format!("by {}", source(catalogue)),
        });
}

/// A value that the operator cannot compare makes no match.
fn values(condition: &Condition, operator: Operator, report: &mut Report<'_>) {
    for value in &condition.values {
        let text = value.text.as_str();
        let (fits, wanted) = match operator.base {
            Base::Numeric(_) => (value::number(text).is_some(), "a number"),
            Base::Date(_) => (
                value::date(text).is_some(),
                "a date in ISO 8601 or in epoch seconds",
            ),
            Base::Binary => (value::canonical_base64(text).is_some(), "base64"),
            Base::IpAddress => (Cidr::parse(text).is_some(), "an IP address or a CIDR range"),
            Base::Bool | Base::Null => (
                is_boolean(text) || (operator.base == Base::Bool && text.contains("${")),
                "`true` or `false`",
            ),
            Base::Arn => (
                text.splitn(6, ':').count() == 6 || text.contains("${") || text == "*",
                "an ARN of six parts",
            ),
            _ => (true, ""),
        };
        if !fits && !text.contains('<') {
            let message = format!(
                "`{}` compares with {wanted}; `{text}` is none",
                condition.operator.text
            );
            report.add(LintRule::ConditionValue, value.offset, message);
        }
    }
}

fn is_boolean(text: &str) -> bool {
    text.eq_ignore_ascii_case("true") || text.eq_ignore_ascii_case("false")
}

fn operator_type(
    condition: &Condition,
    operator: Operator,
    key: ConditionKey<'_>,
    report: &mut Report<'_>,
) {
    let is_text = matches!(
        operator.base,
        Base::StringEquals | Base::StringEqualsIgnoreCase | Base::StringLike
    );
    let fits = operator.base == Base::Null
        || match key.value_type {
            // A tag or a part of an encryption context may well hold an ARN.
            KeyType::String => {
                is_text
                    || (operator.base == Base::Arn
                        && condition
                            .values
                            .iter()
                            .all(|value| value.text.starts_with("arn:")))
            }
            // AWS documents string operators on ARN keys, without an ARN's parts.
            KeyType::Arn => operator.base == Base::Arn || is_text,
            KeyType::Bool => operator.base == Base::Bool || is_text,
            KeyType::Numeric => matches!(operator.base, Base::Numeric(_)),
            // `aws:EpochTime` takes both.
            KeyType::Date => matches!(operator.base, Base::Date(_) | Base::Numeric(_)),
            KeyType::IpAddress => operator.base == Base::IpAddress,
            KeyType::Binary => operator.base == Base::Binary,
        };
    if fits {
        return;
    }
    let (type_name, meant) = match key.value_type {
        KeyType::String => ("a string", "StringEquals"),
        KeyType::Arn => ("an ARN", "ArnLike"),
        KeyType::Bool => ("a boolean", "Bool"),
        KeyType::Numeric => ("a number", "NumericEquals"),
        KeyType::Date => ("a date", "DateLessThan"),
        KeyType::IpAddress => ("an IP address", "IpAddress"),
        KeyType::Binary => ("binary", "BinaryEquals"),
    };
    let message = format!(
        "`{}` is {type_name}, and `{}` compares something else",
        condition.key.text, condition.operator.text
    );
    report
        .add(LintRule::OperatorType, condition.operator.offset, message)
        .hint(format!("use `{meant}` or one of its kin"));
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
fn set_operator(
    statement: &Statement,
    condition: &Condition,
    operator: Operator,
    key: ConditionKey<'_>,
    report: &mut Report<'_>,
) {
    if operator.base == Base::Null {
        return;
    }
    if key.multivalued && operator.set == SetOperator::None {
        let message = format!(
            "`{}` can have several values, and `{}` has no set operator: it does not match then",
            condition.key.text, condition.operator.text
        );
        report
            .add(
                LintRule::SetOperatorRequired,
                condition.operator.offset,
                message,
            )
            .hint(format!(
                "write `ForAnyValue:{0}` or `ForAllValues:{0}`",
                condition.operator.text
            ));
    }
    let null_is_checked = statement.conditions.iter().any(|other| {
        Operator::parse(&other.operator.text).base == Base::Null
            && other.key.text.eq_ignore_ascii_case(&condition.key.text)
    });
    if operator.set == SetOperator::All
        && statement.effect == Some(Effect::Allow)
        && !null_is_checked
    {
        let message = format!(
            "`{}` also holds where the request has no `{}`",
            condition.operator.text, condition.key.text
        );
        report
            .add(
                LintRule::VacuousForAllValues,
                condition.operator.offset,
                message,
            )
            .hint(format!(
                "add `\"Null\": {{\"{}\": \"false\"}}` if it must be there",
                condition.key.text
            ));
    }
}

/// Whether some action of the statement has the key in its requests.
fn applies(condition: &Condition, actions: &[Expanded<'_>], catalogue: &Catalogue) -> bool {
    let key = &condition.key.text;
    let known = actions.iter().any(|value| !value.actions.is_empty());
    !known
        || actions.iter().any(|value| {
            value.all
                || value
                    .actions
                    .iter()
                    .any(|action| catalogue.key_applies(action.full_name, key))
        })
}

/// A key that is never in the request; whether the condition can then never hold.
fn not_for_action(
    condition: &Condition,
    operator: Operator,
    catalogue: &Catalogue,
    report: &mut Report<'_>,
) -> bool {
    let holds = match operator.base {
        Base::Null => condition
            .values
            .iter()
            .any(|value| value.text.eq_ignore_ascii_case("true")),
        _ => match operator.set {
            SetOperator::All => true,
            SetOperator::Any => false,
            SetOperator::None => operator.if_exists || operator.negated,
        },
    };
    let message = format!(
        "no request of the statement's actions has `{}`, so the condition {}",
        condition.key.text,
        if holds { "always holds" } else { "never holds" }
    );
    report
        .add(LintRule::KeyNotForAction, condition.key.offset, message)
        .hint(format!("by {}", source(catalogue)));
    !holds
}
