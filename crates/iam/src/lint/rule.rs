//! The rules, by the names that reports and configurations use.

/// How much a finding matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Severity {
    /// Worth knowing; the policy may be meant so.
    Note,
    /// Most probably not what was meant.
    Warning,
    /// AWS refuses it, or it can never do what it says.
    Error,
}

impl Severity {
    /// The name in reports, which is also SARIF's level.
    pub fn name(self) -> &'static str {
        match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        }
    }
}

/// What is looked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(
    missing_docs,
    reason = "each rule's one line is its summary, which reports print"
)]
pub enum LintRule {
    JsonSyntax,
    DuplicateElement,
    UnknownElement,
    MissingElement,
    ConflictingElements,
    MisplacedElement,
    WrongType,
    InvalidValue,
    StatementFragment,
    KindRestriction,
    PolicyTooLarge,
    Placeholder,
    InvalidAction,
    UnknownService,
    RetiredService,
    UnknownAction,
    InvalidArn,
    WhitespaceInArn,
    EmptyArnField,
    MalformedS3Arn,
    ArnMatchesNoType,
    AnyAccount,
    ExactObjectKey,
    ActionTakesNoResource,
    DeadAction,
    DeadResource,
    DeadPairs,
    DeadStatement,
    ScopableAction,
    FullServiceAccess,
    PassRoleWithoutService,
    UnknownOperator,
    UnknownConditionKey,
    KeyNotForAction,
    OperatorType,
    ConditionValue,
    SetOperatorRequired,
    VacuousForAllValues,
    ContradictoryConditions,
    VariableInOldVersion,
}

impl LintRule {
    /// Every rule.
    pub const ALL: [LintRule; 40] = [
        Self::JsonSyntax,
        Self::DuplicateElement,
        Self::UnknownElement,
        Self::MissingElement,
        Self::ConflictingElements,
        Self::MisplacedElement,
        Self::WrongType,
        Self::InvalidValue,
        Self::StatementFragment,
        Self::KindRestriction,
        Self::PolicyTooLarge,
        Self::Placeholder,
        Self::InvalidAction,
        Self::UnknownService,
        Self::RetiredService,
        Self::UnknownAction,
        Self::InvalidArn,
        Self::WhitespaceInArn,
        Self::EmptyArnField,
        Self::MalformedS3Arn,
        Self::ArnMatchesNoType,
        Self::AnyAccount,
        Self::ExactObjectKey,
        Self::ActionTakesNoResource,
        Self::DeadAction,
        Self::DeadResource,
        Self::DeadPairs,
        Self::DeadStatement,
        Self::ScopableAction,
        Self::FullServiceAccess,
        Self::PassRoleWithoutService,
        Self::UnknownOperator,
        Self::UnknownConditionKey,
        Self::KeyNotForAction,
        Self::OperatorType,
        Self::ConditionValue,
        Self::SetOperatorRequired,
        Self::VacuousForAllValues,
        Self::ContradictoryConditions,
        Self::VariableInOldVersion,
    ];

    /// Its stable name: `unknown_action`.
    pub fn id(self) -> &'static str {
        self.row().0
    }

    /// How much it matters.
    pub fn severity(self) -> Severity {
        self.row().1
    }

    /// What it is about, in one line.
    pub fn summary(self) -> &'static str {
        self.row().2
    }

    fn row(self) -> (&'static str, Severity, &'static str) {
        use Severity::{Error, Note, Warning};
        match self {
            Self::JsonSyntax => ("json_syntax", Error, "the document is not JSON"),
            Self::DuplicateElement => (
                "duplicate_element",
                Error,
                "an object names the same member twice, which IAM refuses",
            ),
            Self::UnknownElement => (
                "unknown_element",
                Error,
                "an element that IAM does not know at this place",
            ),
            Self::MissingElement => ("missing_element", Error, "a required element is missing"),
            Self::ConflictingElements => (
                "conflicting_elements",
                Error,
                "an element beside its `Not…` twin",
            ),
            Self::MisplacedElement => (
                "misplaced_element",
                Error,
                "an element that this kind of policy does not have",
            ),
            Self::WrongType => ("wrong_type", Error, "a value of the wrong JSON type"),
            Self::InvalidValue => (
                "invalid_value",
                Error,
                "a value that the element cannot have",
            ),
            Self::StatementFragment => (
                "statement_fragment",
                Error,
                "a statement without the document around it",
            ),
            Self::KindRestriction => (
                "kind_restriction",
                Error,
                "something that this kind of policy may not say",
            ),
            Self::PolicyTooLarge => (
                "policy_too_large",
                Error,
                "the document is larger than AWS's quota",
            ),
            Self::Placeholder => (
                "placeholder",
                Warning,
                "a placeholder that was not filled in",
            ),
            Self::InvalidAction => ("invalid_action", Error, "an action without its service"),
            Self::UnknownService => ("unknown_service", Error, "no service has this IAM prefix"),
            Self::RetiredService => ("retired_service", Warning, "AWS has ended this service"),
            Self::UnknownAction => (
                "unknown_action",
                Error,
                "the service has no action of this name",
            ),
            Self::InvalidArn => (
                "invalid_arn",
                Error,
                "a resource that is neither an ARN nor `*`",
            ),
            Self::WhitespaceInArn => (
                "whitespace_in_arn",
                Error,
                "white space inside an ARN: it matches nothing",
            ),
            Self::EmptyArnField => (
                "empty_arn_field",
                Error,
                "a field of the ARN is empty that no real ARN leaves empty",
            ),
            Self::MalformedS3Arn => (
                "malformed_s3_arn",
                Error,
                "an S3 ARN with an account or without its three colons",
            ),
            Self::ArnMatchesNoType => (
                "arn_matches_no_type",
                Warning,
                "no resource type of the service has ARNs of this form",
            ),
            Self::AnyAccount => (
                "any_account",
                Note,
                "an ARN that reaches resources of every account",
            ),
            Self::ExactObjectKey => (
                "exact_object_key",
                Warning,
                "an S3 ARN of one key where a prefix was probably meant",
            ),
            Self::ActionTakesNoResource => (
                "action_takes_no_resource",
                Warning,
                "the action supports only `*` as its resource",
            ),
            Self::DeadAction => (
                "dead_action",
                Warning,
                "no resource of the statement is one that the action acts on",
            ),
            Self::DeadResource => (
                "dead_resource",
                Warning,
                "no action of the statement acts on this resource",
            ),
            Self::DeadPairs => (
                "dead_pairs",
                Note,
                "some actions never meet some resources of their statement",
            ),
            Self::DeadStatement => (
                "dead_statement",
                Warning,
                "the statement can apply to no request",
            ),
            Self::ScopableAction => (
                "scopable_action",
                Note,
                "an action on `*` that could be limited to resources",
            ),
            Self::FullServiceAccess => (
                "full_service_access",
                Warning,
                "every action of a service on every resource",
            ),
            Self::PassRoleWithoutService => (
                "pass_role_without_service",
                Note,
                "`iam:PassRole` without a condition on `iam:PassedToService`",
            ),
            Self::UnknownOperator => (
                "unknown_operator",
                Error,
                "no condition operator of this name is documented",
            ),
            Self::UnknownConditionKey => (
                "unknown_condition_key",
                Warning,
                "no condition key of this name is documented",
            ),
            Self::KeyNotForAction => (
                "key_not_for_action",
                Warning,
                "no request of the statement's actions has this condition key",
            ),
            Self::OperatorType => (
                "operator_type",
                Warning,
                "an operator for another type than the key's",
            ),
            Self::ConditionValue => (
                "condition_value",
                Error,
                "a value that the operator cannot compare",
            ),
            Self::SetOperatorRequired => (
                "set_operator_required",
                Warning,
                "a multivalued key without `ForAllValues` or `ForAnyValue`",
            ),
            Self::VacuousForAllValues => (
                "vacuous_for_all_values",
                Note,
                "`ForAllValues` in an allow, which an absent key satisfies",
            ),
            Self::ContradictoryConditions => (
                "contradictory_conditions",
                Warning,
                "conditions that no request satisfies together",
            ),
            Self::VariableInOldVersion => (
                "variable_in_old_version",
                Warning,
                "a policy variable without `\"Version\": \"2012-10-17\"` is plain text",
            ),
        }
    }
}
