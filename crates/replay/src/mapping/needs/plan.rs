//! A file of needs, compiled.

use std::sync::Arc;

use crate::mapping::Certainty;
use crate::mapping::condition::Condition;
use crate::mapping::path::Path;
use crate::mapping::template::Template;

/// What the events of a kind will need.
#[derive(Debug)]
pub(in crate::mapping) struct JobPlan {
    /// Where in the request the job is described; nowhere: all of it.
    pub(super) at: Vec<Path>,
    pub(super) runs_as: RunsAs,
    pub(super) of: Option<Text>,
    pub(super) page: Box<str>,
    pub(super) uses: Vec<UsePlan>,
}

/// Whose permissions are needed.
#[derive(Debug)]
pub(super) enum RunsAs {
    /// The roles in these fields.
    Role(Vec<Path>),
    /// A service in its own name.
    Service(Box<str>),
    /// The role of a thing that the request names.
    NotTold,
}

/// Rows as a job uses them.
#[derive(Debug)]
pub(super) struct UsePlan {
    pub(super) at: Option<Path>,
    /// What `${Of}` stands for.
    pub(super) of: Option<Box<str>>,
    pub(super) certainty: Certainty,
    pub(super) rows: Vec<Arc<RowPlan>>,
}

/// One thing that is needed.
#[derive(Debug)]
pub(super) struct RowPlan {
    pub(super) actions: Vec<Box<str>>,
    pub(super) on: On,
    pub(super) or: Option<Text>,
    /// None: `on` stands by itself.
    pub(super) from: Vec<Path>,
    pub(super) when: Option<Condition>,
    pub(super) possible: bool,
    pub(super) certainty: Certainty,
    pub(super) why: Box<str>,
    pub(super) page: Option<Box<str>>,
    pub(super) keys: Vec<(Box<str>, Text)>,
}

/// On what something is needed.
#[derive(Debug)]
pub(super) enum On {
    /// `*`: the action has no resource.
    Any,
    /// `?`: the request does not tell.
    NotTold,
    /// `bucket`: the bucket of an S3 URI.
    Bucket,
    /// `object`: the object of an S3 URI.
    Object,
    /// `prefix`: all objects whose keys begin as an S3 URI says.
    Prefix,
    /// `below`: all objects below an S3 URI.
    Below,
    /// `repository`: that of an image.
    Repository,
    /// `key`: a KMS key by id, alias or ARN.
    Key,
    /// `role`: an IAM role by ARN.
    Role,
    /// ARNs.
    Arns(Vec<Text>),
}

impl On {
    /// The service and resource type of a form by name.
    pub(super) fn kind(&self) -> Option<(&'static str, &'static str)> {
        Some(match self {
            Self::Bucket => ("s3", "bucket"),
            Self::Object | Self::Prefix | Self::Below => ("s3", "object"),
            Self::Repository => ("ecr", "repository"),
            Self::Key => ("kms", "key"),
            Self::Role => ("iam", "role"),
            Self::Any | Self::NotTold | Self::Arns(_) => return None,
        })
    }
}

/// A text with variables.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) template: Template,
    pub(super) variables: Vec<Variable>,
}

/// What fills a variable of a [`Text`].
#[derive(Debug)]
pub(super) enum Variable {
    /// `${Value}`: the value of the row's field.
    Value,
    /// `${Of}`: what the job says.
    Of,
    /// A field.
    Field(Path),
}
