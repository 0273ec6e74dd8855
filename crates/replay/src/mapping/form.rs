//! The form of a mapping data file, exactly as a reviewer reads it.
//!
//! `crates/replay/mapping/README.md` is its documentation. Everything here is strict: a name that
//! the form does not know is an error with its line.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::Spanned;

use super::Certainty;

/// `sources.toml`: which IAM prefix an `eventSource` authorizes under.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourcesForm {
    pub(super) sources: BTreeMap<Spanned<String>, Spanned<OneOrMore>>,
    #[serde(default)]
    pub(super) when: Vec<SourceWhenForm>,
    /// The keys that any service's requests may feed.
    #[serde(default)]
    pub(super) keys: BTreeMap<Spanned<String>, KeyForm>,
    /// For an action, or all of a service's, that the catalogue lists without a resource type: what
    /// AWS compares all the same.
    #[serde(default)]
    pub(super) unlisted_resources: BTreeMap<String, String>,
    /// The values of `eventType` that are no call of a principal.
    pub(super) event_types_without_action: Vec<String>,
}

/// An `eventSource` that two services share, told apart by the record.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct SourceWhenForm {
    pub(super) event_source: String,
    pub(super) when: Spanned<String>,
    pub(super) service: Spanned<String>,
}

/// One service's file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ServiceForm {
    /// The IAM prefix.
    pub(super) service: Spanned<String>,
    pub(super) event_sources: Vec<Spanned<String>>,
    /// The AWS pages behind the rows.
    pub(super) pages: Vec<String>,
    /// How sure an event is that has no row and the name of an action.
    #[serde(default = "derived")]
    pub(super) same_name: Certainty,
    /// How sure an ARN is that is built from request fields.
    #[serde(default = "guessed")]
    pub(super) names: Certainty,
    /// Whether the service writes names in ARNs in lower case.
    #[serde(default)]
    pub(super) lower_case: bool,
    /// Whether names stand at any depth of the request, also with a capital letter (Amazon EC2).
    #[serde(default)]
    pub(super) nested: bool,
    /// The words before a type's name in the events that make a thing of that type.
    #[serde(default)]
    pub(super) made_by: Vec<String>,
    /// What the events of `made_by` that have no row ask besides.
    #[serde(default)]
    pub(super) also: Vec<Spanned<RequestForm>>,
    /// Types that another resource of this file covers wherever an action takes both.
    #[serde(default)]
    pub(super) covered_types: Vec<String>,
    #[serde(default)]
    pub(super) conditions: BTreeMap<String, String>,
    #[serde(default)]
    pub(super) resources: BTreeMap<Spanned<String>, ResourceForm>,
    #[serde(default)]
    pub(super) events: BTreeMap<Spanned<String>, Vec<Spanned<RequestForm>>>,
    /// Operations whose actions the catalogue does not have yet.
    pub(super) newer: Option<Spanned<String>>,
    /// Events that look like calls and that no action authorizes, each with the reason.
    #[serde(default)]
    pub(super) no_action: BTreeMap<Spanned<String>, String>,
    /// Events that need no permission, each with the reason.
    #[serde(default)]
    pub(super) no_permission: BTreeMap<Spanned<String>, String>,
    #[serde(default)]
    pub(super) keys: BTreeMap<Spanned<String>, KeyForm>,
}

fn derived() -> Certainty {
    Certainty::Derived
}

fn guessed() -> Certainty {
    Certainty::Guessed
}

/// How a resource is found in a record.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct ResourceForm {
    /// The catalogue's resource type; by default the resource's own name.
    #[serde(rename = "type")]
    pub(super) kind: Option<String>,
    /// The service whose type it is; by default the file's.
    pub(super) service: Option<String>,
    /// Which of the ARNs in `resources[]` of this type count.
    #[serde(default)]
    pub(super) recorded: RecordedForm,
    /// Fields that hold its ARN.
    #[serde(default)]
    pub(super) arn: OneOrMore,
    /// The fields that fill the variables of the catalogue's ARN template.
    #[serde(default)]
    pub(super) name: BTreeMap<String, OneOrMore>,
    /// A name that begins like this is another thing's (`alias/` in a `keyId`).
    pub(super) not: Option<String>,
    /// A name that does not begin like this is another thing's (`i-` in a `resourceId`).
    pub(super) begins: Option<String>,
    /// The field with the account that owns it.
    pub(super) account: Option<String>,
    /// Whether its owner is anyone where the record does not say who.
    #[serde(default)]
    pub(super) foreign: bool,
    /// Where the IAM path of a name comes from.
    pub(super) path: Option<PathForm>,
    /// Whether its name may be URL-encoded in the record.
    #[serde(default)]
    pub(super) url_encoded: bool,
    /// An ending with which policies write its ARN too, and with which AWS may compare it.
    pub(super) or_ending: Option<String>,
    /// What is meant where the request names none: `caller`, or an ARN template taken literally.
    pub(super) otherwise: Option<String>,
    /// The form of the ARN where nothing of it is recorded; by default the catalogue's template.
    pub(super) unknown: Option<String>,
    /// What follows the ARN of the S3 access point that the request went through, if it did.
    pub(super) through_access_point: Option<String>,
    pub(super) certainty: Option<Certainty>,
}

/// Which ARNs of `resources[]` count.
#[derive(Debug, Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum RecordedForm {
    #[default]
    All,
    First,
    Last,
    Never,
}

/// Where the IAM path before a name comes from.
#[derive(Debug, Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum PathForm {
    /// The request's `path`, `/` by default.
    Request,
    /// The role of that name in the snapshot.
    Role,
    /// The user of that name in the snapshot, or the caller.
    User,
    /// The group of that name in the snapshot.
    Group,
    /// Nobody knows.
    Unknown,
}

/// One request that AWS authorizes for an event.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct RequestForm {
    /// `service:Name`, or a name of the file's service; by default the event's own name.
    pub(super) action: Option<String>,
    /// The resources; by default those of the types that the action takes. `*`: none.
    pub(super) on: Option<OneOrMore>,
    /// Asked only when this holds.
    pub(super) when: Option<String>,
    /// AWS may ask it: evidence of use, never a denial.
    #[serde(default)]
    pub(super) possible: bool,
    /// `iam:PassRole` on the role in these fields.
    #[serde(default)]
    pub(super) pass_role: OneOrMore,
    /// The service that the role is passed to (`iam:PassedToService`).
    pub(super) to: Option<String>,
    pub(super) certainty: Option<Certainty>,
    /// Why the catalogue does not list the resource's type for the action.
    pub(super) excused: Option<String>,
    #[serde(default)]
    pub(super) keys: BTreeMap<String, KeyForm>,
}

/// Where a condition key's values come from.
#[derive(Deserialize)]
#[serde(untagged)]
pub(super) enum KeyForm {
    /// A field.
    Field(String),
    /// Fields, all of whose values count.
    Fields(Vec<String>),
    /// Anything else.
    Rule(Box<KeyRuleForm>),
}

/// A condition key's rule; exactly one of the first seven says where its values come from.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct KeyRuleForm {
    /// Fields that hold its values.
    #[serde(default)]
    pub(super) from: OneOrMore,
    /// Always this value.
    pub(super) value: Option<String>,
    /// Never in the request.
    #[serde(default)]
    pub(super) absent: bool,
    /// The record cannot tell.
    #[serde(default)]
    pub(super) unknown: bool,
    /// An object whose members are the key's names and values.
    pub(super) map: Option<String>,
    /// Tags in any of AWS's shapes.
    #[serde(default)]
    pub(super) tags: OneOrMore,
    /// The names of tags, or members of an object.
    #[serde(default)]
    pub(super) names_of: OneOrMore,
    /// Only what follows from here on in a value counts; a value without it counts as not sent.
    pub(super) part: Option<String>,
    /// The value where the request does not send the field.
    pub(super) default: Option<String>,
    /// Nobody knows the value where the request does not send the field.
    #[serde(default)]
    pub(super) unknown_if_not_sent: bool,
    /// Where the request sends this field, the record does not tell the key's values.
    pub(super) unknown_if_sent: Option<String>,
    /// Names that the key had before; policies still use them.
    #[serde(default)]
    pub(super) old_names: Vec<String>,
    /// The key compares ARNs, and the field may hold another form: then the value is unknown.
    #[serde(default)]
    pub(super) arn_only: bool,
    /// What AWS writes before the field's value.
    pub(super) before: Option<String>,
    /// The key compares ARNs of this type, and the field holds a name.
    pub(super) arn_of: Option<String>,
    /// The fields that fill what such an ARN has before the name.
    #[serde(default)]
    pub(super) within: OneOrMore,
}

/// `"a"` or `["a", "b"]`.
#[derive(Deserialize, Clone, Default)]
#[serde(from = "OneOrMoreForm")]
pub(super) struct OneOrMore(pub(super) Vec<String>);

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMoreForm {
    One(String),
    More(Vec<String>),
}

impl From<OneOrMoreForm> for OneOrMore {
    fn from(form: OneOrMoreForm) -> Self {
        match form {
            OneOrMoreForm::One(text) => Self(vec![text]),
            OneOrMoreForm::More(texts) => Self(texts),
        }
    }
}
