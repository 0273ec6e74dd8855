//! What CloudTrail records, and what nobody can see.
//!
//! That an action was not used can only be said where its use would have been recorded. [`Recording`] says
//! which calls show an action: management events, data events of some type of resource, or none. It is
//! made of the mapping (which events ask for the action), of `mapping/derived/operations.tsv` (which of
//! those CloudTrail records) and of `data/data_events.tsv`. [`Trails`] says which of them the trails of an
//! account ask for.

mod selectors;
mod trails;

pub use trails::{Trail, Trails, TrailsProblem};

pub(crate) use selectors::{Events, Records, Selector};
pub(crate) use trails::{TrailWrite, changes_recording, put_selectors, recorded_since};

use std::sync::LazyLock;

use retrial_iam::{AccessLevel, Action};
use rustc_hash::{FxHashMap, FxHashSet};

use crate::Mapping;

/// Operations, and how CloudTrail records them.
const OPERATIONS: &str = include_str!("../../mapping/derived/operations.tsv");
const DATA_EVENTS: &str = include_str!("../../data/data_events.tsv");

/// One kind of record that shows an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum RecordKind {
    /// Every trail records it, unless its selectors leave it out.
    Management,
    /// Only a trail that asks for this type of resource (`AWS::S3::Object`).
    Data(&'static str),
    /// None.
    Never,
}

/// Which records show that an action was used.
#[derive(Debug)]
pub struct Recording {
    /// Of the services whose operations are known: for each action in lower case, the kinds of its events.
    of_action: FxHashMap<String, Vec<RecordKind>>,
    services: FxHashSet<&'static str>,
}

/// A row of `data_events.tsv`.
struct DataRow {
    service: &'static str,
    actions: &'static str,
    kind: RecordKind,
}

/// The rows of each service, in the file's order.
static DATA_ROWS: LazyLock<FxHashMap<&'static str, Vec<DataRow>>> = LazyLock::new(|| {
    let mut of_services: FxHashMap<&'static str, Vec<DataRow>> = FxHashMap::default();
    let rows = DATA_EVENTS.lines().filter(|line| !line.starts_with('#'));
    let rows = rows.filter_map(|line| {
        let mut columns = line.split('\t');
        Some(DataRow {
            service: columns.next()?,
            actions: columns.next()?,
            kind: match columns.next()? {
                "-" => RecordKind::Never,
                resource_type => RecordKind::Data(resource_type),
            },
        })
    });
    for row in rows {
        of_services.entry(row.service).or_default().push(row);
    }
    of_services
});

/// The service and the name of an action.
pub(crate) fn parts_of(action: &str) -> (&str, &str) {
    // A search that is made for long texts takes longer.
    let colon = action.bytes().position(|byte| byte == b':');
    colon
        .and_then(|at| Some((action.get(..at)?, action.get(at + 1..)?)))
        .unwrap_or((action, ""))
}

/// The rows of a service.
fn data_rows(service: &str) -> &'static [DataRow] {
    DATA_ROWS.get(service).map_or(&[], Vec::as_slice)
}

impl DataRow {
    fn has(&self, name: &str) -> bool {
        self.actions
            .split(' ')
            .any(|listed| match listed.strip_suffix('*') {
                Some(prefix) => name
                    .get(..prefix.len())
                    .is_some_and(|start| start.eq_ignore_ascii_case(prefix)),
                None => listed.eq_ignore_ascii_case(name),
            })
    }
}

/// The types of resources by which trails ask for the data events of a service, as AWS spells them.
pub(crate) fn data_event_types(service: &str) -> Vec<&'static str> {
    let mut types: Vec<&'static str> = Vec::new();
    for row in data_rows(service) {
        if let RecordKind::Data(resource_type) = row.kind
            && !types.contains(&resource_type)
        {
            types.push(resource_type);
        }
    }
    types
}

impl Recording {
    /// Of what the mapping knows.
    pub fn new(mapping: &Mapping) -> Recording {
        let mut recording = Recording {
            of_action: FxHashMap::default(),
            services: FxHashSet::default(),
        };
        let mut of_event: FxHashMap<(&str, String), Vec<RecordKind>> = FxHashMap::default();
        for line in OPERATIONS
            .lines()
            .filter(|line| !line.starts_with('#'))
            .skip(1)
        {
            let mut columns = line.split('\t');
            let (Some(service), Some(_), Some(event), Some(_), Some(_), Some(recorded)) = (
                columns.next(),
                columns.next(),
                columns.next(),
                columns.next(),
                columns.next(),
                columns.next(),
            ) else {
                continue;
            };
            recording.services.insert(service);
            let kind = match recorded {
                "management" => RecordKind::Management,
                "data" => RecordKind::Data(""),
                _ => RecordKind::Never,
            };
            let name = event.to_ascii_lowercase();
            of_event
                .entry((service, name.clone()))
                .or_default()
                .push(kind);
            recording.add(format!("{service}:{name}"), kind);
        }
        for (service, event, action) in mapping.asked_by_rows() {
            if let Some(kinds) = of_event.get(&(service, event.to_ascii_lowercase())) {
                for kind in kinds {
                    recording.add(action.to_ascii_lowercase(), *kind);
                }
            }
        }
        recording
    }

    fn add(&mut self, action: String, kind: RecordKind) {
        let kinds = self.of_action.entry(action).or_default();
        if !kinds.contains(&kind) {
            kinds.push(kind);
        }
    }

    /// The kinds of records that show the action, all of which must be there for its use to be seen; never
    /// none.
    pub fn kinds(&self, action: Action<'_>) -> Vec<RecordKind> {
        let (service, name) = parts_of(action.full_name);
        if let Some(row) = data_rows(service).iter().find(|row| row.has(name)) {
            return vec![row.kind];
        }
        if !self.services.contains(service) {
            return vec![RecordKind::Management];
        }
        match self.of_action.get(&action.full_name.to_ascii_lowercase()) {
            Some(kinds) => {
                let mut kinds = kinds.clone();
                // One event of several shows it: what cannot be recorded takes nothing from that.
                if kinds.iter().any(|kind| *kind != RecordKind::Never) {
                    kinds.retain(|kind| *kind != RecordKind::Never);
                }
                kinds.sort_unstable();
                kinds
            }
            None => vec![RecordKind::Never],
        }
    }

    /// The same of a list of actions, by their places in it.
    pub(crate) fn of_actions<'c>(
        self,
        actions: impl Iterator<Item = Action<'c>>,
    ) -> RecordedActions {
        let mut numbers: FxHashMap<Vec<RecordKind>, usize> = FxHashMap::default();
        let mut of_action = Vec::new();
        for action in actions {
            let next = numbers.len();
            of_action.push(*numbers.entry(self.kinds(action)).or_insert(next));
        }
        let mut distinct: Vec<(usize, Vec<RecordKind>)> = numbers
            .into_iter()
            .map(|(kinds, number)| (number, kinds))
            .collect();
        distinct.sort_unstable();
        RecordedActions {
            of_action,
            distinct: distinct.into_iter().map(|(_, kinds)| kinds).collect(),
            services: self.services,
        }
    }
}

/// Which records show each of a list of actions.
///
/// # Memory
/// Eight bytes for each action.
#[derive(Debug)]
pub(crate) struct RecordedActions {
    /// For each action, which of `distinct` it has.
    of_action: Vec<usize>,
    distinct: Vec<Vec<RecordKind>>,
    services: FxHashSet<&'static str>,
}

impl RecordedActions {
    /// See [`Recording::kinds`]; none for a number that is no action's.
    pub(crate) fn kinds(&self, action: u32) -> &[RecordKind] {
        let of_action = self.of_action.get(action as usize);
        let kinds = of_action.and_then(|number| self.distinct.get(*number));
        kinds.map_or(&[], Vec::as_slice)
    }

    /// Whether the operations of a service are known, and with them which of them ask for `iam:PassRole`.
    pub(crate) fn knows_service(&self, service: &str) -> bool {
        self.services.contains(service)
    }
}

/// Whether CloudTrail marks the calls of an action as `readOnly`; `None` where it is not known.
pub(crate) fn is_read_only(action: Action<'_>) -> Option<bool> {
    match action.access_level {
        AccessLevel::List => Some(true),
        // Their levels say otherwise: they change nothing, and CloudTrail says so.
        // <https://docs.aws.amazon.com/kms/latest/developerguide/logging-using-cloudtrail.html>
        _ if action.full_name.starts_with("kms:") && is_cryptographic(action.full_name) => {
            Some(true)
        }
        _ if action.full_name.starts_with("sts:") => None,
        AccessLevel::Read => Some(true),
        _ => Some(false),
    }
}

fn is_cryptographic(action: &str) -> bool {
    const NAMES: [&str; 9] = [
        "kms:Decrypt",
        "kms:Encrypt",
        "kms:GenerateDataKey",
        "kms:GenerateMac",
        "kms:GenerateRandom",
        "kms:ReEncrypt",
        "kms:Sign",
        "kms:Verify",
        "kms:DeriveSharedSecret",
    ];
    NAMES.iter().any(|name| action.starts_with(name))
}

#[cfg(test)]
mod tests {
    use retrial_iam::Catalogue;

    use super::*;

    #[test]
    fn which_records_show_an_action() {
        let catalogue = Catalogue::bundled();
        let mapping = Mapping::bundled(catalogue).unwrap();
        let recording = Recording::new(&mapping);
        let check = |action: &str, expect: &[RecordKind]| {
            let (service, name) = action.split_once(':').unwrap();
            let action = catalogue.action(service, name).unwrap();
            assert_eq!(recording.kinds(action), expect, "{}", action.full_name);
        };
        check("s3:GetObject", &[RecordKind::Data("AWS::S3::Object")]);
        check("s3:CreateBucket", &[RecordKind::Management]);
        check("s3:ReplicateObject", &[RecordKind::Never]);
        check("sagemaker:CreateTrainingJob", &[RecordKind::Management]);
        check(
            "sagemaker:InvokeEndpoint",
            &[RecordKind::Data("AWS::SageMaker::Endpoint")],
        );
        check(
            "machinelearning:Predict",
            &[RecordKind::Data("AWS::MachineLearning::MlModel")],
        );
        // Asked for by operations of other services, whose names are not its own.
        check("iam:PassRole", &[RecordKind::Management]);
        check(
            "dynamodb:Query",
            &[RecordKind::Data("AWS::DynamoDB::Table")],
        );
        check("dynamodb:CreateTable", &[RecordKind::Management]);
    }

    #[test]
    fn every_row_names_actions_of_the_catalogue() {
        let catalogue = Catalogue::bundled();
        for row in DATA_ROWS.values().flatten() {
            assert!(catalogue.has_service(row.service), "{}", row.service);
            for listed in row.actions.split(' ') {
                let matched = catalogue.actions(row.service).any(|action| {
                    let name = action.full_name.split_once(':').unwrap().1;
                    match listed.strip_suffix('*') {
                        Some(prefix) => name.starts_with(prefix),
                        None => name == listed,
                    }
                });
                assert!(matched, "{}:{listed}", row.service);
            }
        }
    }

    /// A trail asks for data events by their type of resource: without it, nobody could say whether one does.
    #[test]
    fn every_data_event_of_a_known_service_has_a_type_of_resource() {
        let catalogue = Catalogue::bundled();
        let mapping = Mapping::bundled(catalogue).unwrap();
        let recording = Recording::new(&mapping);
        let mut without = Vec::new();
        for service in &recording.services {
            for action in catalogue.actions(service) {
                if recording.kinds(action).contains(&RecordKind::Data("")) {
                    without.push(action.full_name);
                }
            }
        }
        without.sort_unstable();
        assert_eq!(without, Vec::<&str>::new());
    }
}
