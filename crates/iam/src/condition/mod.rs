//! `Condition`: operators, keys and values.
//!
//! Operators and keys are joined by AND, the values of a key by OR, under a negated operator by NOR.
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-logic-multiple-context-keys-or-values.html>

mod example;
pub(crate) mod operator;
pub(crate) mod value;

use std::net::IpAddr;

use crate::context::{KeyState, Keys, Values};
use crate::pattern::{ArnPattern, ArnText, Pattern, Syntax, Text};
use crate::policy::{ConditionSource, Version};
use crate::truth::Truth;
use operator::{Base, Comparison, Operator, SetOperator};
use value::Cidr;

/// One operator on one key, compiled.
#[derive(Debug)]
pub(crate) struct Condition {
    operator: Operator,
    wanted: Wanted,
    source: ConditionSource,
}

/// The policy's values, parsed; `None` is a value that is none of its type.
#[derive(Debug)]
enum Wanted {
    /// Equals and Like; the syntax is in the patterns.
    Texts(Box<[Pattern]>),
    TextsIgnoringCase(Box<[Pattern]>),
    Numbers(Comparison, Box<[Option<f64>]>),
    Dates(Comparison, Box<[Option<i128>]>),
    Bools(Box<[Pattern]>),
    Binaries(Box<[Option<Box<str>>]>),
    Ranges(Box<[Option<Cidr>]>),
    Arns(Box<[ArnPattern]>),
    /// `true`: the key must be absent.
    Null(Box<[Option<bool>]>),
    Unknown,
}

/// How one value of the request and one value of the policy compare.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compared {
    Is(Truth),
    /// One of them is not of the operator's type. That is no match; what a negated operator makes of
    /// it is not documented.
    WrongType,
}

/// Why a condition does not hold, or cannot be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ConditionReason {
    /// The values differ.
    Values,
    /// The key is not in the request.
    KeyAbsent,
    /// Whether the key is in the request, or with which value, is unknown.
    KeyUnknown,
    /// A policy variable's value is unknown.
    VariableUnknown,
    /// No operator of this name is documented.
    OperatorUnknown,
    /// A value is not of the operator's type (`NumericEquals` on `abc`, an ARN with fewer than six
    /// parts), and what AWS makes of it is not documented.
    WrongType,
    /// The key has several values and the operator has neither `ForAllValues` nor `ForAnyValue`.
    NeedsSetOperator,
}

impl Condition {
    pub(crate) fn new(source: ConditionSource, version: Version) -> Condition {
        let operator = Operator::parse(&source.operator);
        Condition {
            operator,
            wanted: Wanted::new(operator.base, &source.values, version),
            source,
        }
    }

    /// The operator, the key and the values as written.
    pub(crate) fn source(&self) -> &ConditionSource {
        &self.source
    }

    pub(crate) fn operator(&self) -> Operator {
        self.operator
    }

    pub(crate) fn key(&self) -> &str {
        &self.source.key
    }

    /// The keys that it reads: its own, and those of its variables.
    pub(crate) fn keys_read(&self) -> impl Iterator<Item = &str> {
        let texts = self.wanted.patterns().iter();
        let arns = self.wanted.arns().iter();
        std::iter::once(self.key())
            .chain(texts.flat_map(Pattern::variable_keys))
            .chain(arns.flat_map(ArnPattern::variable_keys))
    }

    /// Whether the condition holds for a request with these keys.
    pub(crate) fn holds<'a>(&'a self, keys: &Keys<'a>) -> Truth {
        if matches!(self.wanted, Wanted::Unknown) {
            return Truth::Unknown;
        }
        let state = keys.state(&self.source.key);
        if let Wanted::Null(wanted) = &self.wanted {
            return null_holds(wanted, state);
        }
        match state {
            KeyState::Unknown => Truth::Unknown,
            KeyState::Absent => Truth::from(self.holds_on_absent()),
            KeyState::Known(Values::One(value)) => self.holds_on(value, keys),
            KeyState::Known(Values::Many(values)) => match self.operator.set {
                // Documented only as "requires a set operator"; observed as no match.
                SetOperator::None => Truth::False,
                SetOperator::All => values.iter().fold(Truth::True, |all, value| {
                    all.and(self.holds_on(value, keys))
                }),
                SetOperator::Any => values.iter().fold(Truth::False, |any, value| {
                    any.or(self.holds_on(value, keys))
                }),
            },
        }
    }

    /// A set operator comes before `…IfExists`, and that before the negation.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>
    fn holds_on_absent(&self) -> bool {
        match self.operator.set {
            SetOperator::All => true,
            SetOperator::Any => false,
            SetOperator::None => self.operator.if_exists || self.operator.negated,
        }
    }

    /// Whether the operator holds between one value of the request and the policy's values.
    fn holds_on<'a>(&'a self, value: &str, keys: &Keys<'a>) -> Truth {
        let negated = self.operator.negated;
        let mut any = Truth::False;
        self.wanted.compare(value, keys, |compared| {
            any = any.or(match compared {
                Compared::Is(truth) => truth,
                Compared::WrongType if negated => Truth::Unknown,
                Compared::WrongType => Truth::False,
            });
            any == Truth::True
        });
        if negated { !any } else { any }
    }

    /// Whether it makes a statement for everybody one that S3 does not take for public: a key of these must
    /// have fixed values, without wildcards or variables.
    /// <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-control-block-public-access.html#access-control-block-public-access-policy-status>
    pub(crate) fn fixes_who_asks(&self) -> bool {
        const KEYS: [&str; 8] = [
            "aws:principalorgid",
            "aws:sourcearn",
            "aws:sourcevpc",
            "aws:sourcevpce",
            "aws:sourceowner",
            "aws:sourceaccount",
            "s3:dataaccesspointarn",
            "s3:dataaccesspointaccount",
        ];
        let operator = self.operator;
        let is_positive = !operator.negated && !operator.if_exists;
        let is_fixed = match &self.wanted {
            Wanted::Texts(patterns) => patterns.iter().all(Pattern::is_fixed),
            Wanted::Arns(patterns) => patterns.iter().all(ArnPattern::is_fixed),
            _ => false,
        };
        is_positive
            && operator.set != SetOperator::All
            && is_fixed
            && KEYS.iter().any(|key| key.eq_ignore_ascii_case(self.key()))
    }

    /// Calls `push` with the unknown keys that leave the condition open: its own, those of its
    /// variables; its own also where something else does.
    pub(crate) fn unknown_keys<'p>(&'p self, keys: &Keys<'_>, push: &mut impl FnMut(&'p str)) {
        let mut variables = self.unknown_variables(*keys).peekable();
        if matches!(keys.state(self.key()), KeyState::Unknown) || variables.peek().is_none() {
            push(self.key());
        }
        variables.for_each(push);
    }

    fn unknown_variables<'p>(&'p self, keys: Keys<'_>) -> impl Iterator<Item = &'p str> {
        let in_texts = self
            .wanted
            .patterns()
            .iter()
            .flat_map(move |pattern| pattern.unknown_variables(keys));
        in_texts.chain(
            self.wanted
                .arns()
                .iter()
                .flat_map(move |pattern| pattern.unknown_variables(keys)),
        )
    }

    /// How a value of the request and each of the policy's values compare.
    pub(crate) fn compare_each<'a>(&'a self, value: &str, keys: &Keys<'a>) -> Vec<Compared> {
        if matches!(self.wanted, Wanted::Null(_) | Wanted::Unknown) {
            return vec![Compared::Is(Truth::False); self.source.values.len()];
        }
        let mut all = Vec::new();
        self.wanted.compare(value, keys, |compared| {
            all.push(compared);
            false
        });
        all
    }

    pub(crate) fn has_set_operator(&self) -> bool {
        self.operator.set != SetOperator::None
    }

    /// The keys of the variables in its values.
    pub(crate) fn variables(&self) -> impl Iterator<Item = &str> {
        let in_texts = self.wanted.patterns().iter();
        let in_arns = self.wanted.arns().iter();
        in_texts
            .flat_map(Pattern::variable_keys)
            .chain(in_arns.flat_map(ArnPattern::variable_keys))
    }

    /// Why the condition is false or unknown.
    pub(crate) fn reason(&self, keys: &Keys<'_>) -> ConditionReason {
        if matches!(self.wanted, Wanted::Unknown) {
            return ConditionReason::OperatorUnknown;
        }
        let state = keys.state(self.key());
        match state {
            KeyState::Unknown => return ConditionReason::KeyUnknown,
            KeyState::Absent => return ConditionReason::KeyAbsent,
            KeyState::Known(Values::Many(_))
                if self.operator.set == SetOperator::None
                    && !matches!(self.wanted, Wanted::Null(_)) =>
            {
                return ConditionReason::NeedsSetOperator;
            }
            KeyState::Known(_) => {}
        }
        let open_variables = self.unknown_variables(*keys).next().is_some();
        match self.holds(keys) {
            Truth::Unknown if open_variables => ConditionReason::VariableUnknown,
            Truth::Unknown => ConditionReason::WrongType,
            Truth::True | Truth::False => ConditionReason::Values,
        }
    }
}

fn null_holds(wanted: &[Option<bool>], state: KeyState<'_>) -> Truth {
    let wants = |absent| wanted.contains(&Some(absent));
    match state {
        KeyState::Absent => Truth::from(wants(true)),
        KeyState::Known(_) => Truth::from(wants(false)),
        KeyState::Unknown if wants(true) == wants(false) => Truth::from(wants(true)),
        KeyState::Unknown => Truth::Unknown,
    }
}

impl Wanted {
    /// Variables count in texts, booleans and ARNs alone.
    /// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_variables.html#policy-vars-wheretouse>
    fn new(base: Base, values: &[String], version: Version) -> Wanted {
        let variables = version == Version::V2012;
        let patterns = |wildcards| {
            values
                .iter()
                .map(|value| {
                    Pattern::parse(
                        value,
                        Syntax {
                            wildcards,
                            variables,
                        },
                    )
                })
                .collect()
        };
        match base {
            Base::StringEquals => Wanted::Texts(patterns(false)),
            Base::StringLike => Wanted::Texts(patterns(true)),
            Base::StringEqualsIgnoreCase => Wanted::TextsIgnoringCase(patterns(false)),
            Base::Bool => Wanted::Bools(patterns(false)),
            Base::Numeric(comparison) => Wanted::Numbers(
                comparison,
                values.iter().map(|value| value::number(value)).collect(),
            ),
            Base::Date(comparison) => Wanted::Dates(
                comparison,
                values.iter().map(|value| value::date(value)).collect(),
            ),
            Base::Binary => Wanted::Binaries(
                values
                    .iter()
                    .map(|value| value::canonical_base64(value))
                    .collect(),
            ),
            Base::IpAddress => {
                Wanted::Ranges(values.iter().map(|value| Cidr::parse(value)).collect())
            }
            Base::Arn => Wanted::Arns(
                values
                    .iter()
                    .map(|value| ArnPattern::new(value, version))
                    .collect(),
            ),
            Base::Null => Wanted::Null(values.iter().map(|value| boolean(value)).collect()),
            Base::Unknown => Wanted::Unknown,
        }
    }

    fn patterns(&self) -> &[Pattern] {
        match self {
            Self::Texts(patterns) | Self::TextsIgnoringCase(patterns) | Self::Bools(patterns) => {
                patterns
            }
            _ => &[],
        }
    }

    fn arns(&self) -> &[ArnPattern] {
        match self {
            Self::Arns(patterns) => patterns,
            _ => &[],
        }
    }

    /// Compares a value of the request with the policy's values until `done` says so.
    fn compare<'a>(&'a self, value: &str, keys: &Keys<'a>, mut done: impl FnMut(Compared) -> bool) {
        match self {
            Self::Texts(patterns) => {
                patterns
                    .iter()
                    .any(|pattern| done(Compared::Is(pattern.test(Text::Exact(value), keys))));
            }
            Self::TextsIgnoringCase(patterns) => {
                patterns
                    .iter()
                    .any(|pattern| done(Compared::Is(equals_ignoring_case(pattern, value, keys))));
            }
            Self::Bools(patterns) => {
                let is_bool = boolean(value).is_some();
                patterns.iter().any(|pattern| {
                    done(if is_bool {
                        Compared::Is(equals_ignoring_case(pattern, value, keys))
                    } else {
                        Compared::WrongType
                    })
                });
            }
            Self::Numbers(comparison, wanted) => typed(
                value::number(value),
                wanted,
                |found, wanted| comparison.holds(found, *wanted),
                done,
            ),
            Self::Dates(comparison, wanted) => typed(
                value::date(value),
                wanted,
                |found, wanted| comparison.holds(found, *wanted),
                done,
            ),
            Self::Binaries(wanted) => {
                let found = value.trim_end_matches('=');
                typed(
                    Some(found),
                    wanted,
                    |found, wanted| found == wanted.as_ref(),
                    done,
                );
            }
            Self::Ranges(wanted) => typed(
                value.parse::<IpAddr>().ok(),
                wanted,
                |found, range| range.contains(found),
                done,
            ),
            Self::Arns(patterns) => {
                let found = ArnText::split(value);
                patterns
                    .iter()
                    .any(|pattern| done(compare_arn(found, pattern, keys)));
            }
            Self::Null(_) | Self::Unknown => {}
        }
    }
}

/// Compares with parsed values.
fn typed<T: Copy, W>(
    found: Option<T>,
    wanted: &[Option<W>],
    holds: impl Fn(T, &W) -> bool,
    mut done: impl FnMut(Compared) -> bool,
) {
    wanted.iter().any(|wanted| {
        done(match (found, wanted) {
            (Some(found), Some(wanted)) => Compared::Is(Truth::from(holds(found, wanted))),
            _ => Compared::WrongType,
        })
    });
}

fn compare_arn<'a>(
    found: Option<ArnText<'_>>,
    pattern: &'a ArnPattern,
    keys: &Keys<'a>,
) -> Compared {
    let Some(found) = found else {
        return Compared::WrongType;
    };
    match pattern.test(found, keys) {
        // AWS documents six parts; whether the missing ones are filled up is not documented.
        Truth::True if !pattern.is_complete() => Compared::Is(Truth::Unknown),
        hit => Compared::Is(hit),
    }
}

/// Whether a pattern without wildcards is `value` but for the case; a variable without a value equals nothing.
fn equals_ignoring_case<'a>(pattern: &'a Pattern, value: &str, keys: &Keys<'a>) -> Truth {
    match pattern.resolved(keys) {
        Truth::True if pattern.unknown_variables(*keys).next().is_none() => {
            Truth::from(pattern.equals_ignoring_case(value, keys))
        }
        Truth::True | Truth::Unknown => Truth::Unknown,
        Truth::False => Truth::False,
    }
}

fn boolean(text: &str) -> Option<bool> {
    if text.eq_ignore_ascii_case("true") {
        Some(true)
    } else if text.eq_ignore_ascii_case("false") {
        Some(false)
    } else {
        None
    }
}
