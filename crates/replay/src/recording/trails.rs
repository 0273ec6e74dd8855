//! The trails of accounts, out of `trails.json`.
//!
//! The file puts together what `aws cloudtrail describe-trails` and, of each trail, `aws cloudtrail
//! get-event-selectors` print: `{"trailList": [...], "eventSelectors": [{"TrailARN": …, "EventSelectors":
//! [...]}, …]}`. A trail may carry `IsLogging` of `get-trail-status`.

use std::collections::BTreeMap;
use std::fmt;

use retrial_iam::Snapshot;
use serde::Deserialize;

use super::selectors::{AdvancedSelector, BasicSelector, Events, Records, Selector, recorded};

#[derive(Deserialize)]
struct TrailsFile {
    #[serde(rename = "trailList")]
    trail_list: Vec<TrailEntry>,
    #[serde(rename = "eventSelectors", default)]
    event_selectors: Vec<SelectorsEntry>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct TrailEntry {
    name: String,
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    home_region: Option<String>,
    is_multi_region_trail: Option<bool>,
    is_organization_trail: Option<bool>,
    include_global_service_events: Option<bool>,
    has_custom_event_selectors: Option<bool>,
    is_logging: Option<bool>,
}

#[derive(Deserialize)]
struct SelectorsEntry {
    #[serde(rename = "TrailARN")]
    trail_arn: String,
    #[serde(flatten)]
    lists: SelectorLists,
}

/// The members that hold selectors, as commands print them and as requests spell them.
#[derive(Deserialize)]
struct SelectorLists {
    #[serde(rename = "EventSelectors", alias = "eventSelectors")]
    basic: Option<Vec<BasicSelector>>,
    #[serde(rename = "AdvancedEventSelectors", alias = "advancedEventSelectors")]
    advanced: Option<Vec<AdvancedSelector>>,
}

impl SelectorLists {
    fn selectors(self) -> Vec<Selector> {
        let basic = self
            .basic
            .unwrap_or_default()
            .into_iter()
            .map(Selector::Basic);
        let advanced = self.advanced.unwrap_or_default().into_iter();
        basic
            .chain(advanced.map(|selector| Selector::Advanced(selector.field_selectors)))
            .collect()
    }
}

/// One trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trail {
    /// Its name.
    pub name: String,
    /// Its ARN.
    pub arn: String,
    /// The Region that it was made in.
    pub home_region: Option<String>,
    /// Whether it records all Regions.
    pub multi_region: bool,
    /// Whether it records all accounts of the organization.
    pub organization: bool,
    /// Whether it records the events of global services (IAM, STS, Amazon CloudFront, …).
    pub global_services: bool,
    /// What it records; `None` where that was not collected.
    pub(crate) selectors: Option<Vec<Selector>>,
}

/// What is wrong with a `trails.json`, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrailsProblem {
    /// The file's path.
    pub path: String,
    /// One line.
    pub message: String,
}

impl fmt::Display for TrailsProblem {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "`{}`: {}", self.path.escape_debug(), self.message)
    }
}

/// The trails that record each account.
#[derive(Debug, Default)]
pub struct Trails {
    by_account: BTreeMap<String, Vec<Trail>>,
}

impl Trails {
    /// The trails of a snapshot, and what could not be read of them.
    ///
    /// An organization's trail records every account that `organization.json` lists; a file of an account
    /// lists it besides.
    pub fn of(snapshot: &Snapshot) -> (Trails, Vec<TrailsProblem>) {
        let mut trails = Trails::default();
        let mut problems = Vec::new();
        let mut of_organization: Vec<Trail> = Vec::new();
        for (account, path, text) in snapshot.trails_documents() {
            match read(text) {
                Ok(found) => {
                    let shared = found.iter().filter(|trail| trail.organization).cloned();
                    if snapshot.is_in_organization(account) {
                        of_organization.extend(shared);
                    }
                    trails.by_account.insert(account.to_owned(), found);
                }
                Err(message) => problems.push(TrailsProblem {
                    path: path.to_owned(),
                    message,
                }),
            }
        }
        let members = snapshot
            .accounts()
            .filter(|account| snapshot.is_in_organization(account));
        for account in members {
            let own = trails.by_account.entry(account.to_owned()).or_default();
            for trail in &of_organization {
                if !own.iter().any(|known| known.arn == trail.arn) {
                    own.push(trail.clone());
                }
            }
        }
        (trails, problems)
    }

    /// The trails that record an account; `None` where nothing tells them.
    pub fn of_account(&self, account: &str) -> Option<&[Trail]> {
        let trails = self.by_account.get(account)?;
        (!trails.is_empty()).then_some(trails.as_slice())
    }
}

fn read(text: &str) -> Result<Vec<Trail>, String> {
    let file: TrailsFile = serde_json::from_str(text).map_err(|error| {
        let text = error.to_string();
        let reason = text
            .rsplit_once(" at line ")
            .map_or(text.as_str(), |(reason, _)| reason);
        format!(
            "{}:{}: {reason}",
            error.line().max(1),
            error.column().max(1)
        )
    })?;
    let mut selectors: BTreeMap<String, Vec<Selector>> = BTreeMap::new();
    for entry in file.event_selectors {
        let listed = entry.lists.selectors();
        selectors.entry(entry.trail_arn).or_default().extend(listed);
    }
    let logging = file
        .trail_list
        .into_iter()
        .filter(|entry| entry.is_logging != Some(false));
    Ok(logging
        .map(|entry| Trail {
            selectors: selectors.remove(&entry.trail_arn).or_else(|| {
                (entry.has_custom_event_selectors == Some(false)).then(Selector::default_ones)
            }),
            name: entry.name,
            arn: entry.trail_arn,
            home_region: entry.home_region,
            multi_region: entry.is_multi_region_trail == Some(true),
            organization: entry.is_organization_trail == Some(true),
            global_services: entry.include_global_service_events != Some(false),
        })
        .collect())
}

/// The selectors of a recorded `PutEventSelectors`, and the trail that they were put on (its name or ARN).
pub(crate) fn put_selectors(document: &str) -> Option<(String, Vec<Selector>)> {
    #[derive(Deserialize)]
    struct Request {
        #[serde(rename = "trailName")]
        trail_name: String,
        #[serde(flatten)]
        lists: SelectorLists,
    }
    let request: Request = serde_json::from_str(document).ok()?;
    Some((request.trail_name, request.lists.selectors()))
}

/// One recorded write to a trail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct TrailWrite {
    /// In microseconds since the epoch.
    pub(crate) time: i64,
    /// Its name or ARN.
    pub(crate) trail: String,
    /// The selectors that it had from then on; `None` for a write that made, stopped, started, deleted or updated it:
    /// what it recorded before that, nobody tells.
    pub(crate) selectors: Option<Vec<Selector>>,
}

/// The writes besides `PutEventSelectors` after which a trail may record what it did not record before.
pub(crate) fn changes_recording(event_name: &str) -> bool {
    matches!(
        event_name,
        "CreateTrail" | "UpdateTrail" | "DeleteTrail" | "StartLogging" | "StopLogging"
    )
}

/// How much of some events a trail has recorded without a break until now, and since when; since ever where
/// that is `None`.
pub(crate) fn recorded_since(
    trail: &Trail,
    history: &[TrailWrite],
    events: Events<'_>,
) -> (Records, Option<i64>) {
    let Some(now) = &trail.selectors else {
        return (Records::Part, None);
    };
    let found = recorded(now, events);
    // Newest first. What a write put there held from then on; what held before the first one in the
    // window, nobody tells.
    let of_trail = |put: &&TrailWrite| put.trail == trail.name || put.trail == trail.arn;
    let mut since = None;
    for put in history.iter().rev().filter(of_trail) {
        let Some(selectors) = &put.selectors else {
            since = since.or(Some(put.time));
            break;
        };
        if recorded(selectors, events) != found {
            break;
        }
        since = Some(put.time);
    }
    let newest = history.iter().rev().find(of_trail).map(|put| put.time);
    (found, since.or(newest))
}

#[cfg(test)]
mod tests {
    use super::super::RecordKind;
    use super::*;

    const S3: RecordKind = RecordKind::Data("AWS::S3::Object");

    fn trail(selectors: &str) -> Trail {
        let arn = "arn:aws:cloudtrail:eu-west-1:111122223333:trail/t";
        let text = format!(
            r#"{{"trailList": [{{"Name": "t", "TrailARN": "{arn}", "IsMultiRegionTrail": true}}],
                "eventSelectors": [{{"TrailARN": "{arn}", {selectors}}}]}}"#
        );
        read(&text).unwrap().remove(0)
    }

    #[track_caller]
    fn check(selectors: &str, kind: RecordKind, read_only: Option<bool>, expect: Records) {
        let events = Events {
            kind,
            event_source: "kms.amazonaws.com",
            read_only,
        };
        assert_eq!(
            recorded_since(&trail(selectors), &[], events),
            (expect, None)
        );
    }

    #[test]
    fn basic_selectors() {
        let all = r#""EventSelectors": [{"ReadWriteType": "All", "IncludeManagementEvents": true, "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3"]}]}]"#;
        check(all, RecordKind::Management, None, Records::All);
        check(all, S3, Some(true), Records::All);
        check(
            all,
            RecordKind::Data("AWS::Lambda::Function"),
            Some(true),
            Records::None,
        );
        let some = r#""EventSelectors": [{"ReadWriteType": "WriteOnly", "IncludeManagementEvents": true, "DataResources": [{"Type": "AWS::S3::Object", "Values": ["arn:aws:s3:::bucket/"]}], "ExcludeManagementEventSources": ["kms.amazonaws.com"]}]"#;
        check(some, S3, Some(false), Records::Part);
        check(some, S3, Some(true), Records::None);
        check(some, RecordKind::Management, Some(false), Records::None);
    }

    #[test]
    fn advanced_selectors() {
        let check_fields = |fields: &str, kind, read_only, expect| {
            let text = format!(r#""AdvancedEventSelectors": [{{"FieldSelectors": [{fields}]}}]"#);
            check(&text, kind, read_only, expect);
        };
        let management = r#"{"Field": "eventCategory", "Equals": ["Management"]}"#;
        check_fields(management, RecordKind::Management, None, Records::All);
        check_fields(management, S3, None, Records::None);
        let not_kms = format!(
            r#"{management}, {{"Field": "eventSource", "NotEquals": ["kms.amazonaws.com"]}}"#
        );
        check_fields(&not_kms, RecordKind::Management, None, Records::None);
        let writes = format!(r#"{management}, {{"Field": "readOnly", "Equals": ["false"]}}"#);
        check_fields(&writes, RecordKind::Management, Some(false), Records::All);
        check_fields(&writes, RecordKind::Management, Some(true), Records::None);
        check_fields(&writes, RecordKind::Management, None, Records::Part);
        let objects = r#"{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}"#;
        check_fields(objects, S3, None, Records::All);
        let bucket = format!(
            r#"{objects}, {{"Field": "resources.ARN", "StartsWith": ["arn:aws:s3:::b/"]}}"#
        );
        check_fields(&bucket, S3, None, Records::Part);
    }

    #[test]
    fn the_history_of_selectors() {
        let objects = r#""AdvancedEventSelectors": [{"FieldSelectors": [{"Field": "eventCategory", "Equals": ["Data"]}, {"Field": "resources.type", "Equals": ["AWS::S3::Object"]}]}]"#;
        let events = Events {
            kind: S3,
            event_source: "s3.amazonaws.com",
            read_only: None,
        };
        let put = |time, document: &str| {
            let (trail, selectors) = put_selectors(document).unwrap();
            TrailWrite {
                time,
                trail,
                selectors: Some(selectors),
            }
        };
        let on = r#"{"trailName": "t", "advancedEventSelectors": [{"name": "x", "fieldSelectors": [{"field": "eventCategory", "equals": ["Data"]}, {"field": "resources.type", "equals": ["AWS::S3::Object"]}]}]}"#;
        let off = r#"{"trailName": "arn:aws:cloudtrail:eu-west-1:111122223333:trail/t", "eventSelectors": [{"readWriteType": "All", "includeManagementEvents": true, "dataResources": []}]}"#;
        let since = |history: &[TrailWrite]| recorded_since(&trail(objects), history, events);
        assert_eq!(since(&[]), (Records::All, None));
        // What held before the first write, nobody tells.
        assert_eq!(since(&[put(5, on)]), (Records::All, Some(5)));
        assert_eq!(since(&[put(5, on), put(9, on)]), (Records::All, Some(5)));
        assert_eq!(
            since(&[put(3, off), put(5, on), put(9, on)]),
            (Records::All, Some(5))
        );
        // The snapshot was taken after somebody put it on again, unrecorded: since then at the latest.
        assert_eq!(since(&[put(5, on), put(9, off)]), (Records::All, Some(9)));
        // It was stopped, and started again: what was before, it may have missed.
        let started = TrailWrite {
            selectors: None,
            ..put(7, on)
        };
        assert_eq!(
            since(std::slice::from_ref(&started)),
            (Records::All, Some(7))
        );
        assert_eq!(
            since(&[put(5, on), started.clone(), put(9, on)]),
            (Records::All, Some(9))
        );
        assert_eq!(since(&[put(5, on), started]), (Records::All, Some(7)));
        assert!(put_selectors("{}").is_none() && put_selectors("x").is_none());
    }

    #[test]
    fn what_is_no_file_of_trails() {
        let check = |text: &str, expect: &str| {
            let message = read(text).unwrap_err();
            assert!(message.starts_with(expect), "{message}");
        };
        check("[]", "1:");
        check("{\"trailList\": [\n{\"Name\": 1}]}", "2:");
        check("{\n}", "2:1: missing field `trailList`");
    }
}
