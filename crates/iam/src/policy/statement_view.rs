//! A statement as others read it: its elements as written, and what it says of time.

use super::{CompiledPolicy, ConditionSource, Statement};
use crate::Effect;
use crate::condition::operator::{Base, Comparison, Operator};
use crate::condition::value;
use crate::pattern::ActionName;

/// One statement of a [`CompiledPolicy`], to be looked at.
#[derive(Debug, Clone, Copy)]
pub struct StatementView<'p>(&'p Statement);

/// One operator on one key, as written.
#[derive(Debug, Clone, Copy)]
pub struct ConditionView<'p>(&'p ConditionSource);

impl CompiledPolicy {
    /// Its statements, in the document's order.
    pub fn statement_views(&self) -> impl Iterator<Item = StatementView<'_>> {
        self.statements.iter().map(StatementView)
    }

    /// The statement with this index.
    pub fn statement(&self, index: u32) -> Option<StatementView<'_>> {
        self.statements.get(index as usize).map(StatementView)
    }

    /// The statements whose `Action` is about an action, whatever their resource and conditions.
    pub fn statements_about(&self, action: &str) -> Vec<StatementView<'_>> {
        let mut buffer = String::new();
        let action = ActionName::fold(action, &mut buffer);
        self.about(action).map(StatementView).collect()
    }
}

impl<'p> StatementView<'p> {
    /// The statement's index in the document, from 0.
    pub fn index(&self) -> u32 {
        self.0.index
    }

    /// Its `Sid`.
    pub fn sid(&self) -> Option<&'p str> {
        self.0.sid.as_deref()
    }

    /// Its effect.
    pub fn effect(&self) -> Effect {
        self.0.effect
    }

    /// Whether it has `NotAction`.
    pub fn is_not_action(&self) -> bool {
        self.0.action.is_negated()
    }

    /// The values of `Action` or `NotAction`.
    pub fn actions(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        self.0.action.source().iter().map(|text| &**text)
    }

    /// Whether it has `NotResource`.
    pub fn is_not_resource(&self) -> bool {
        self.0.resource.is_negated()
    }

    /// The values of `Resource` or `NotResource`; `*` where a policy that stands on a resource has none.
    pub fn resources(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        self.0.resource.source().iter().map(|text| &**text)
    }

    /// Whether it has `NotPrincipal`.
    pub fn is_not_principal(&self) -> bool {
        self.0
            .principal
            .as_ref()
            .is_some_and(|principal| principal.is_negated())
    }

    /// The values of `Principal` or `NotPrincipal`, each with its type (`AWS:arn:…`, `Service:…`), or
    /// `*`; none where the principal is implied.
    pub fn principals(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        let source = self
            .0
            .principal
            .as_ref()
            .map(|principal| principal.source());
        source.into_iter().flatten().map(|text| &**text)
    }

    /// Its conditions.
    pub fn conditions(&self) -> impl Iterator<Item = ConditionView<'p>> + use<'p> {
        let conditions = self.0.conditions.iter();
        conditions.map(|condition| ConditionView(condition.source()))
    }
}

impl<'p> ConditionView<'p> {
    /// The operator.
    pub fn operator(&self) -> &'p str {
        &self.0.operator
    }

    /// The condition key.
    pub fn key(&self) -> &'p str {
        &self.0.key
    }

    /// The values.
    pub fn values(&self) -> impl Iterator<Item = &'p str> + use<'p> {
        self.0.values.iter().map(String::as_str)
    }

    /// Until which moment (microseconds since the epoch) its key may be for it to hold, where it is an
    /// upper bound on a date.
    pub fn date_before(&self) -> Option<i64> {
        self.bound(|comparison, negated| match comparison {
            Comparison::LessThan | Comparison::LessThanEquals => !negated,
            Comparison::GreaterThan | Comparison::GreaterThanEquals => negated,
            Comparison::Equals => false,
        })
        .into_iter()
        .max()
    }

    /// From which moment on (microseconds since the epoch) its key must be for it to hold, where it is a
    /// lower bound on a date.
    pub fn date_after(&self) -> Option<i64> {
        self.bound(|comparison, negated| match comparison {
            Comparison::LessThan | Comparison::LessThanEquals => negated,
            Comparison::GreaterThan | Comparison::GreaterThanEquals => !negated,
            Comparison::Equals => false,
        })
        .into_iter()
        .min()
    }

    /// The values of a date operator of the asked direction; none where one of them is no date.
    fn bound(&self, wanted: impl Fn(Comparison, bool) -> bool) -> Vec<i64> {
        let operator = Operator::parse(&self.0.operator);
        // `aws:EpochTime` is compared as a number too.
        let (Base::Date(comparison) | Base::Numeric(comparison)) = operator.base else {
            return Vec::new();
        };
        if !wanted(comparison, operator.negated) {
            return Vec::new();
        }
        let micros = |text: &String| {
            let nanoseconds = value::date(text)?;
            i64::try_from(nanoseconds / 1000).ok()
        };
        let values: Option<Vec<i64>> = self.0.values.iter().map(micros).collect();
        values.unwrap_or_default()
    }
}

#[cfg(test)]
#[expect(clippy::expect_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;

    #[track_caller]
    fn check(operator: &str, value: &str, before: Option<i64>, after: Option<i64>) {
        let text = format!(
            r#"{{"Version": "2012-10-17", "Statement": {{"Effect": "Deny", "Action": "*", "Resource": "*",
                "Condition": {{"{operator}": {{"aws:TokenIssueTime": "{value}"}}}}}}}}"#
        );
        let policy = CompiledPolicy::identity(&text).expect("is a policy");
        let statement = policy.statement(0).expect("has a statement");
        let condition = statement.conditions().next().expect("has a condition");
        assert_eq!(
            (condition.date_before(), condition.date_after()),
            (before, after)
        );
    }

    #[test]
    fn bounds_of_dates() {
        let second = 1_767_225_600_000_000;
        check("DateLessThan", "2026-01-01T00:00:00Z", Some(second), None);
        check(
            "DateGreaterThanEquals",
            "2026-01-01T00:00:00Z",
            None,
            Some(second),
        );
        check("NumericLessThan", "1767225600", Some(second), None);
        check("DateLessThanIfExists", "2026-01-01", Some(second), None);
        check("StringEquals", "2026-01-01", None, None);
        check("DateLessThan", "soon", None, None);
    }
}
