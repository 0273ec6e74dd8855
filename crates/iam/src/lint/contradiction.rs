//! Conditions on one key that no value satisfies together.
//!
//! A positive condition leaves only a few values worth trying (its own, or for ranges the bounds and
//! what lies between them); if the evaluator refuses each of them, no request satisfies all.

use super::LintRule;
use super::document::{Condition, Statement};
use super::report::Report;
use crate::condition;
use crate::condition::operator::{Base, Operator, SetOperator};
use crate::condition::value;
use crate::context::Keys;
use crate::policy::{ConditionSource, Version};
use crate::truth::Truth;
use crate::{Catalogue, Context, KeyState, MissingKeys, Values};

/// Reports the keys whose conditions contradict each other; whether there are any.
pub(super) fn check(statement: &Statement, catalogue: &Catalogue, report: &mut Report<'_>) -> bool {
    let mut keys: Vec<String> = statement
        .conditions
        .iter()
        .map(|condition| condition.key.text.to_ascii_lowercase())
        .collect();
    keys.sort_unstable();
    keys.dedup();
    let mut found = false;
    for key in keys {
        let on_key: Vec<&Condition> = statement
            .conditions
            .iter()
            .filter(|condition| condition.key.text.eq_ignore_ascii_case(&key))
            .collect();
        let (Some(last), true) = (on_key.last(), contradict(&on_key, catalogue)) else {
            continue;
        };
        found = true;
        let operators: Vec<String> = on_key
            .iter()
            .map(|condition| format!("`{}`", condition.operator.text))
            .collect();
        let message = format!(
            "no value of `{}` satisfies {} together",
            last.key.text,
            operators.join(" and ")
        );
        report
            .add(LintRule::ContradictoryConditions, last.key.offset, message)
            .hint("operators and keys are joined by AND, the values of one key by OR");
    }
    found
}

fn contradict(on_key: &[&Condition], catalogue: &Catalogue) -> bool {
    let parsed: Vec<(Operator, &Condition)> = on_key
        .iter()
        .map(|condition| (Operator::parse(&condition.operator.text), *condition))
        .collect();
    let untold = |(operator, condition): &(Operator, &Condition)| {
        operator.base == Base::Unknown
            || operator.set != SetOperator::None
            || condition
                .values
                .iter()
                .any(|value| value.text.contains("${") || value.text.contains('<'))
    };
    if on_key.len() < 2 || parsed.iter().any(untold) {
        return false;
    }
    let compiled: Vec<condition::Condition> = on_key
        .iter()
        .map(|condition| {
            let source = ConditionSource {
                operator: condition.operator.text.clone(),
                key: condition.key.text.clone(),
                values: condition
                    .values
                    .iter()
                    .map(|one| one.text.clone())
                    .collect(),
            };
            condition::Condition::new(source, Version::V2008)
        })
        .collect();
    let refused = |state: Option<&str>| {
        let Some(first) = on_key.first() else {
            return false;
        };
        let mut context = Context::new(MissingKeys::Absent);
        let state = state.map_or(KeyState::Absent, |value| {
            KeyState::Known(Values::One(value))
        });
        context.set(&first.key.text, state);
        let keys = Keys {
            context: &context,
            catalogue,
            action: "",
        };
        compiled
            .iter()
            .any(|condition| condition.holds(&keys) == Truth::False)
    };
    let Some(candidates) = candidates(&parsed) else {
        return false;
    };
    refused(None) && candidates.iter().all(|value| refused(Some(value)))
}

/// Values of which one satisfies all conditions, if any value does; `None` where nobody can tell.
fn candidates(parsed: &[(Operator, &Condition)]) -> Option<Vec<String>> {
    let texts = |condition: &Condition| -> Vec<String> {
        condition
            .values
            .iter()
            .map(|value| value.text.clone())
            .collect()
    };
    let positive = |wanted: fn(Base) -> bool| {
        parsed
            .iter()
            .find(|(operator, _)| !operator.negated && wanted(operator.base))
    };
    if let Some((_, condition)) = positive(|base| base == Base::StringEquals) {
        return Some(texts(condition));
    }
    if let Some((_, condition)) = positive(|base| base == Base::Arn) {
        let texts = texts(condition);
        return (!texts.iter().any(|text| text.contains(['*', '?']))).then_some(texts);
    }
    if parsed
        .iter()
        .all(|(operator, _)| matches!(operator.base, Base::Bool | Base::Null))
    {
        return Some(vec!["true".to_owned(), "false".to_owned()]);
    }
    if parsed
        .iter()
        .all(|(operator, _)| matches!(operator.base, Base::Numeric(_)))
    {
        return between(parsed);
    }
    if parsed
        .iter()
        .all(|(operator, _)| matches!(operator.base, Base::Date(_)))
    {
        return between_dates(parsed);
    }
    if parsed
        .iter()
        .all(|(operator, _)| operator.base == Base::IpAddress && !operator.negated)
    {
        // Ranges are nested or disjoint: the narrowest one's first address is in all or in none.
        let addresses = parsed.iter().flat_map(|(_, condition)| texts(condition));
        return Some(
            addresses
                .map(|text| text.split('/').next().unwrap_or_default().to_owned())
                .collect(),
        );
    }
    // A key that must be absent and, by any other positive operator, there.
    let must_be_absent = parsed.iter().any(|(operator, condition)| {
        operator.base == Base::Null
            && condition
                .values
                .iter()
                .all(|value| value.text.eq_ignore_ascii_case("true"))
    });
    must_be_absent.then(Vec::new)
}

/// The bounds, what lies between two of them, and what lies beyond the outermost.
fn between(parsed: &[(Operator, &Condition)]) -> Option<Vec<String>> {
    let mut bounds = Vec::new();
    for value in parsed.iter().flat_map(|(_, condition)| &condition.values) {
        bounds.push(value::number(&value.text)?);
    }
    bounds.sort_by(f64::total_cmp);
    let mut all = bounds.clone();
    all.extend(bounds.first().map(|first| first - 1.0));
    all.extend(bounds.last().map(|last| last + 1.0));
    all.extend(
        bounds
            .iter()
            .zip(bounds.iter().skip(1))
            .map(|(low, high)| low + (high - low) / 2.0),
    );
    Some(all.iter().map(|value| format!("{value:.6}")).collect())
}

/// The same with dates, as epoch seconds.
fn between_dates(parsed: &[(Operator, &Condition)]) -> Option<Vec<String>> {
    const SECOND: i128 = 1_000_000_000;
    let mut bounds = Vec::new();
    for value in parsed.iter().flat_map(|(_, condition)| &condition.values) {
        bounds.push(value::date(&value.text)?);
    }
    bounds.sort_unstable();
    let mut all = bounds.clone();
    all.extend(bounds.first().map(|first| first - SECOND));
    all.extend(bounds.last().map(|last| last + SECOND));
    all.extend(
        bounds
            .iter()
            .zip(bounds.iter().skip(1))
            .map(|(low, high)| low + (high - low) / 2),
    );
    Some(
        all.iter()
            .filter(|value| **value >= 0)
            .map(|value| format!("{}.{:09}", value / SECOND, value % SECOND))
            .collect(),
    )
}
