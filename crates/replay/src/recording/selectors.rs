//! A trail's selectors: which events it records.
//!
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_EventSelector.html> and
//! <https://docs.aws.amazon.com/awscloudtrail/latest/APIReference/API_AdvancedFieldSelector.html>. The
//! requests of `PutEventSelectors` spell the same members in lower case.

use serde::Deserialize;

use super::RecordKind;

/// <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/logging-data-events-with-cloudtrail.html>
const DYNAMODB_STREAM: &str = "AWS::DynamoDB::Stream";
const DYNAMODB_TABLE: &str = "AWS::DynamoDB::Table";

/// How much of a kind of events is recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Records {
    None,
    /// Of some resources or callers.
    Part,
    All,
}

/// One selector, of either kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Selector {
    Basic(BasicSelector),
    Advanced(Vec<FieldSelector>),
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct BasicSelector {
    #[serde(alias = "readWriteType")]
    read_write_type: Option<String>,
    #[serde(alias = "includeManagementEvents")]
    include_management_events: Option<bool>,
    #[serde(default, alias = "dataResources")]
    data_resources: Vec<DataResource>,
    #[serde(default, alias = "excludeManagementEventSources")]
    exclude_management_event_sources: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
struct DataResource {
    #[serde(rename = "Type", alias = "type")]
    kind: String,
    #[serde(default, alias = "values")]
    values: Vec<String>,
}

#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct AdvancedSelector {
    #[serde(alias = "fieldSelectors")]
    pub(crate) field_selectors: Vec<FieldSelector>,
}

#[derive(Debug, Clone, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "PascalCase", default)]
pub(crate) struct FieldSelector {
    #[serde(alias = "field")]
    field: String,
    #[serde(alias = "equals")]
    equals: Vec<String>,
    #[serde(alias = "startsWith")]
    starts_with: Vec<String>,
    #[serde(alias = "endsWith")]
    ends_with: Vec<String>,
    #[serde(alias = "notEquals")]
    not_equals: Vec<String>,
    #[serde(alias = "notStartsWith")]
    not_starts_with: Vec<String>,
    #[serde(alias = "notEndsWith")]
    not_ends_with: Vec<String>,
}

/// The events that show an action.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Events<'a> {
    pub(crate) kind: RecordKind,
    /// `kms.amazonaws.com`
    pub(crate) event_source: &'a str,
    /// `None` where it is not known.
    pub(crate) read_only: Option<bool>,
}

impl Selector {
    /// What a trail without selectors of its own records.
    pub(crate) fn default_ones() -> Vec<Selector> {
        vec![Selector::Basic(BasicSelector {
            read_write_type: None,
            include_management_events: None,
            data_resources: Vec::new(),
            exclude_management_event_sources: Vec::new(),
        })]
    }

    pub(crate) fn records(&self, events: Events<'_>) -> Records {
        match self {
            Self::Basic(selector) => selector.records(events),
            Self::Advanced(fields) => {
                let fields = fields.iter().map(|field| field.records(events));
                fields.min().unwrap_or(Records::None)
            }
        }
    }
}

/// What several selectors record together. Two that record parts may make a whole; nobody adds them up.
pub(crate) fn recorded(selectors: &[Selector], events: Events<'_>) -> Records {
    let found = selectors.iter().map(|selector| selector.records(events));
    found.max().unwrap_or(Records::None)
}

impl BasicSelector {
    fn records(&self, events: Events<'_>) -> Records {
        let read_write = match (self.read_write_type.as_deref(), events.read_only) {
            (None | Some("All"), _) => Records::All,
            (Some("ReadOnly"), Some(true)) | (Some("WriteOnly"), Some(false)) => Records::All,
            (_, None) => Records::Part,
            _ => Records::None,
        };
        let of_kind = match events.kind {
            RecordKind::Management => self.management(events.event_source),
            RecordKind::Data(resource_type) => self.data(resource_type),
            RecordKind::Never => Records::None,
        };
        read_write.min(of_kind)
    }

    fn management(&self, event_source: &str) -> Records {
        let excluded = &self.exclude_management_event_sources;
        let is_excluded = excluded.iter().any(|excluded| excluded == event_source);
        match self.include_management_events == Some(false) || is_excluded {
            true => Records::None,
            false => Records::All,
        }
    }

    fn data(&self, resource_type: &str) -> Records {
        let of_type = |resource: &&DataResource| resource.kind == resource_type;
        let mut values = self
            .data_resources
            .iter()
            .filter(of_type)
            .flat_map(|resource| &resource.values)
            .peekable();
        if values.peek().is_none() {
            return Records::None;
        }
        // "arn:aws:s3", "arn:aws:s3:::", "arn:aws:lambda", "arn:aws:dynamodb": all of them.
        match values.any(|value| value.trim_end_matches(':').split(':').count() <= 3) {
            true => Records::All,
            false => Records::Part,
        }
    }
}

impl FieldSelector {
    /// How many of the events pass this field.
    fn records(&self, events: Events<'_>) -> Records {
        match self.field.as_str() {
            "eventCategory" => self.passes(match events.kind {
                RecordKind::Management => "Management",
                RecordKind::Data(_) => "Data",
                RecordKind::Never => return Records::None,
            }),
            "resources.type" => match events.kind {
                // That of tables selects the events of their streams, too.
                RecordKind::Data(DYNAMODB_STREAM) => self
                    .passes(DYNAMODB_STREAM)
                    .max(self.passes(DYNAMODB_TABLE)),
                RecordKind::Data(resource_type) => self.passes(resource_type),
                _ => Records::None,
            },
            "eventSource" => self.passes(events.event_source),
            "readOnly" => match events.read_only {
                Some(true) => self.passes("true"),
                Some(false) => self.passes("false"),
                None => Records::Part,
            },
            // Names of events, ARNs of resources and of callers, and fields that are to come.
            _ => Records::Part,
        }
    }

    fn passes(&self, value: &str) -> Records {
        let any = |list: &[String], holds: fn(&str, &str) -> bool| {
            list.iter().any(|wanted| holds(value, wanted))
        };
        let is = |value: &str, wanted: &str| value == wanted;
        let starts = |value: &str, wanted: &str| value.starts_with(wanted);
        let ends = |value: &str, wanted: &str| value.ends_with(wanted);
        let wants =
            !self.equals.is_empty() || !self.starts_with.is_empty() || !self.ends_with.is_empty();
        let wanted = !wants
            || any(&self.equals, is)
            || any(&self.starts_with, starts)
            || any(&self.ends_with, ends);
        let refused = any(&self.not_equals, is)
            || any(&self.not_starts_with, starts)
            || any(&self.not_ends_with, ends);
        match wanted && !refused {
            true => Records::All,
            false => Records::None,
        }
    }
}
