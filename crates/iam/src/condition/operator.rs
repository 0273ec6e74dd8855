//! The names of condition operators.
//!
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_elements_condition_operators.html>

/// A condition operator, taken apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Operator {
    pub(crate) set: SetOperator,
    pub(crate) base: Base,
    /// `StringNotEquals`, `NotIpAddress`, …
    pub(crate) negated: bool,
    /// `…IfExists`
    pub(crate) if_exists: bool,
}

/// How several values of the request count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum SetOperator {
    /// The key must be single-valued.
    None,
    /// `ForAllValues:`
    All,
    /// `ForAnyValue:`
    Any,
}

/// What is compared, and how; without its negation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Base {
    StringEquals,
    StringEqualsIgnoreCase,
    StringLike,
    Numeric(Comparison),
    Date(Comparison),
    Bool,
    Binary,
    IpAddress,
    /// `ArnEquals` and `ArnLike` are the same.
    Arn,
    Null,
    /// No operator of this name is documented.
    Unknown,
}

/// What `Numeric…` and `Date…` ask of the request's value, seen from the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Comparison {
    Equals,
    LessThan,
    LessThanEquals,
    GreaterThan,
    GreaterThanEquals,
}

impl Comparison {
    pub(crate) fn holds<T: PartialOrd>(self, request: T, policy: T) -> bool {
        match self {
            Self::Equals => request == policy,
            Self::LessThan => request < policy,
            Self::LessThanEquals => request <= policy,
            Self::GreaterThan => request > policy,
            Self::GreaterThanEquals => request >= policy,
        }
    }
}

/// Every base operator: its name in lower case, what it compares, whether it is negated.
const BASES: &[(&str, Base, bool)] = &[
    ("stringequals", Base::StringEquals, false),
    ("stringnotequals", Base::StringEquals, true),
    (
        "stringequalsignorecase",
        Base::StringEqualsIgnoreCase,
        false,
    ),
    (
        "stringnotequalsignorecase",
        Base::StringEqualsIgnoreCase,
        true,
    ),
    ("stringlike", Base::StringLike, false),
    ("stringnotlike", Base::StringLike, true),
    ("numericequals", Base::Numeric(Comparison::Equals), false),
    ("numericnotequals", Base::Numeric(Comparison::Equals), true),
    (
        "numericlessthan",
        Base::Numeric(Comparison::LessThan),
        false,
    ),
    (
        "numericlessthanequals",
        Base::Numeric(Comparison::LessThanEquals),
        false,
    ),
    (
        "numericgreaterthan",
        Base::Numeric(Comparison::GreaterThan),
        false,
    ),
    (
        "numericgreaterthanequals",
        Base::Numeric(Comparison::GreaterThanEquals),
        false,
    ),
    ("dateequals", Base::Date(Comparison::Equals), false),
    ("datenotequals", Base::Date(Comparison::Equals), true),
    ("datelessthan", Base::Date(Comparison::LessThan), false),
    (
        "datelessthanequals",
        Base::Date(Comparison::LessThanEquals),
        false,
    ),
    (
        "dategreaterthan",
        Base::Date(Comparison::GreaterThan),
        false,
    ),
    (
        "dategreaterthanequals",
        Base::Date(Comparison::GreaterThanEquals),
        false,
    ),
    ("bool", Base::Bool, false),
    ("binaryequals", Base::Binary, false),
    ("ipaddress", Base::IpAddress, false),
    ("notipaddress", Base::IpAddress, true),
    ("arnequals", Base::Arn, false),
    ("arnnotequals", Base::Arn, true),
    ("arnlike", Base::Arn, false),
    ("arnnotlike", Base::Arn, true),
    ("null", Base::Null, false),
];

impl Operator {
    /// Takes a name apart, whatever its case. An unknown one is kept: what it would answer is unknown.
    pub(crate) fn parse(name: &str) -> Operator {
        let lower = name.to_ascii_lowercase();
        let (set, rest) = match lower.split_once(':') {
            None => (SetOperator::None, lower.as_str()),
            Some(("forallvalues", rest)) => (SetOperator::All, rest),
            Some(("foranyvalue", rest)) => (SetOperator::Any, rest),
            Some(_) => (SetOperator::None, ""),
        };
        let (rest, if_exists) = match rest.strip_suffix("ifexists") {
            Some(base) => (base, true),
            None => (rest, false),
        };
        let found = BASES.iter().find(|(base, _, _)| *base == rest);
        match found {
            // "You can add IfExists to the end of any condition operator name except the Null
            // condition", and Null looks at no value that a set operator could count.
            Some((_, Base::Null, _)) if if_exists || set != SetOperator::None => {
                Operator::unknown()
            }
            Some((_, base, negated)) => Operator {
                set,
                base: *base,
                negated: *negated,
                if_exists,
            },
            None => Operator::unknown(),
        }
    }

    fn unknown() -> Operator {
        Operator {
            set: SetOperator::None,
            base: Base::Unknown,
            negated: false,
            if_exists: false,
        }
    }
}
