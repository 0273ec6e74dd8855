//! `snapshot.json`: when a snapshot was taken, and which layers were collected.

use std::collections::BTreeSet;

use rustc_hash::FxHashMap;
use serde::Deserialize;

/// A layer that has a status of its own in `snapshot.json`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum StatusLayer {
    Identity,
    Scp,
    Rcp,
    ResourcePolicy,
    KmsGrants,
    S3Acl,
    VpcEndpointPolicy,
    ResourceTags,
}

impl StatusLayer {
    fn parse(name: &str) -> Option<Self> {
        match name {
            "identity" => Some(Self::Identity),
            "scp" => Some(Self::Scp),
            "rcp" => Some(Self::Rcp),
            "resource_policy" => Some(Self::ResourcePolicy),
            "kms_grants" => Some(Self::KmsGrants),
            "s3_acl" => Some(Self::S3Acl),
            "vpc_endpoint_policy" => Some(Self::VpcEndpointPolicy),
            "resource_tags" => Some(Self::ResourceTags),
            _ => None,
        }
    }

    fn bit(self) -> u8 {
        1 << self as u8
    }

    /// The name in `snapshot.json`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Identity => "identity",
            Self::Scp => "scp",
            Self::Rcp => "rcp",
            Self::ResourcePolicy => "resource_policy",
            Self::KmsGrants => "kms_grants",
            Self::S3Acl => "s3_acl",
            Self::VpcEndpointPolicy => "vpc_endpoint_policy",
            Self::ResourceTags => "resource_tags",
        }
    }
}

impl Status {
    /// The name in `snapshot.json`.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Complete => "complete",
            Self::Partial => "partial",
            Self::Failed => "failed",
        }
    }
}

/// How far a layer was collected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Status {
    /// All of it.
    Complete,
    /// Some of it.
    Partial,
    /// Nothing, or nobody knows what.
    Failed,
}

/// The decoded `snapshot.json`.
#[derive(Debug, Default)]
pub(super) struct Statuses {
    pub(super) taken_at: Option<String>,
    pub(super) collected_by: Option<String>,
    /// By account; `*` is one of the keys.
    entries: FxHashMap<String, Vec<Entry>>,
    /// The layers that some entry is about, a bit for each: of the others nothing has to be looked up.
    mentioned: u8,
}

#[derive(Debug)]
struct Entry {
    layer: StatusLayer,
    service: String,
    region: String,
    status: Status,
}

/// What a status is asked of. An empty region is one that nobody knows.
#[derive(Debug, Clone, Copy)]
pub(super) struct Part<'q> {
    pub(super) account: &'q str,
    pub(super) layer: StatusLayer,
    pub(super) service: &'q str,
    pub(super) region: &'q str,
}

#[derive(Deserialize)]
pub(super) struct StatusFile {
    taken_at: Option<String>,
    collected_by: Option<String>,
    #[serde(default)]
    layers: Vec<LayerEntry>,
}

#[derive(Deserialize)]
struct LayerEntry {
    account: String,
    layer: String,
    #[serde(default = "any")]
    service: String,
    #[serde(default = "any")]
    region: String,
    status: String,
}

fn any() -> String {
    "*".to_owned()
}

impl Statuses {
    /// The statuses, and what of the file could not be understood.
    pub(super) fn from_file(file: StatusFile) -> (Self, Vec<String>) {
        let mut problems = Vec::new();
        if let Some(taken_at) = &file.taken_at
            && taken_at.parse::<jiff::Timestamp>().is_err()
        {
            problems.push(format!(
                "`taken_at` is `{taken_at}`, which is no time of ISO 8601 with its offset"
            ));
        }
        let mut entries: FxHashMap<String, Vec<Entry>> = FxHashMap::default();
        let mut mentioned = 0;
        for entry in file.layers {
            let Some(layer) = StatusLayer::parse(&entry.layer) else {
                problems.push(format!(
                    "`layers` names the layer `{}`, which is unknown",
                    entry.layer
                ));
                continue;
            };
            let status = match entry.status.as_str() {
                "complete" => Status::Complete,
                "partial" => Status::Partial,
                "failed" => Status::Failed,
                other => {
                    problems.push(format!("layer `{}` has the status `{other}`, which is unknown and taken for `failed`", entry.layer));
                    Status::Failed
                }
            };
            let parsed = Entry {
                layer,
                service: entry.service,
                region: entry.region,
                status,
            };
            mentioned |= layer.bit();
            entries.entry(entry.account).or_default().push(parsed);
        }
        (
            Self {
                taken_at: file.taken_at,
                collected_by: file.collected_by,
                entries,
                mentioned,
            },
            problems,
        )
    }

    /// Whether an entry is about a layer.
    pub(super) fn mentions(&self, layer: StatusLayer) -> bool {
        self.mentioned & layer.bit() != 0
    }

    /// What the entries say of a part: of several that fit, the most specific one, and of equally
    /// specific ones the worst. Where the region is not known, each region's entry could be the one.
    pub(super) fn of(&self, part: Part<'_>) -> Option<Status> {
        if !self.mentions(part.layer) {
            return None;
        }
        let fits = |pattern: &str, value: &str| pattern == "*" || pattern == value;
        let mut best: Option<(u8, Status)> = None;
        let mut some_region: Option<Status> = None;
        let of_account = self
            .entries
            .get(part.account)
            .into_iter()
            .flatten()
            .map(|entry| (4, entry));
        let of_all = self
            .entries
            .get("*")
            .into_iter()
            .flatten()
            .map(|entry| (0, entry));
        for (account_weight, entry) in of_account.chain(of_all) {
            if entry.layer != part.layer || !fits(&entry.service, part.service) {
                continue;
            }
            if part.region.is_empty() && entry.region != "*" {
                some_region = some_region.max(Some(entry.status));
                continue;
            }
            if !fits(&entry.region, part.region) {
                continue;
            }
            let specific = |pattern: &str, weight: u8| if pattern == "*" { 0 } else { weight };
            let weight = account_weight + specific(&entry.service, 2) + specific(&entry.region, 1);
            best = match best {
                Some((most, status)) if most == weight => Some((most, status.max(entry.status))),
                Some((most, status)) if most > weight => Some((most, status)),
                _ => Some((weight, entry.status)),
            };
        }
        match (best, some_region) {
            (Some((_, status)), Some(regional)) => Some(status.max(regional)),
            (Some((_, status)), None) => Some(status),
            // Complete in the regions that are named says nothing of the others.
            (None, Some(regional)) => Some(regional.max(Status::Partial)),
            (None, None) => None,
        }
    }

    /// The Regions that entries for a layer name.
    pub(super) fn regions(&self, layer: StatusLayer) -> BTreeSet<&str> {
        let entries = self.entries.values().flatten();
        entries
            .filter(|entry| entry.layer == layer && entry.region != "*")
            .map(|entry| entry.region.as_str())
            .collect()
    }

    /// The accounts that entries for a layer name.
    pub(super) fn accounts(&self, layer: StatusLayer) -> impl Iterator<Item = &str> {
        let named = self.entries.iter().filter(move |(account, entries)| {
            *account != "*" && entries.iter().any(|entry| entry.layer == layer)
        });
        named.map(|(account, _)| account.as_str())
    }
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;

    fn statuses(layers: &str) -> (Statuses, Vec<String>) {
        Statuses::from_file(serde_json::from_str(&format!(r#"{{"layers": [{layers}]}}"#)).unwrap())
    }

    #[track_caller]
    fn check(layers: &str, (account, service, region): (&str, &str, &str), expect: Option<Status>) {
        let part = Part {
            account,
            layer: StatusLayer::ResourcePolicy,
            service,
            region,
        };
        assert_eq!(statuses(layers).0.of(part), expect);
    }

    #[test]
    fn the_most_specific_entry_counts() {
        let layers = r#"
            {"account": "*", "layer": "resource_policy", "status": "complete"},
            {"account": "111122223333", "layer": "resource_policy", "service": "s3", "status": "failed"},
            {"account": "111122223333", "layer": "resource_policy", "service": "kms", "region": "eu-west-1", "status": "partial"},
            {"account": "*", "layer": "scp", "status": "failed"}"#;
        check(layers, ("444455556666", "s3", ""), Some(Status::Complete));
        check(layers, ("111122223333", "s3", ""), Some(Status::Failed));
        check(
            layers,
            ("111122223333", "kms", "eu-west-1"),
            Some(Status::Partial),
        );
        check(
            layers,
            ("111122223333", "kms", "us-east-1"),
            Some(Status::Complete),
        );
        // Nobody knows whether it is the region that was collected in part.
        check(layers, ("111122223333", "kms", ""), Some(Status::Partial));
        check("", ("111122223333", "kms", ""), None);
        let regional = r#"{"account": "*", "layer": "resource_policy", "region": "eu-west-1", "status": "complete"}"#;
        check(
            regional,
            ("111122223333", "kms", "eu-west-1"),
            Some(Status::Complete),
        );
        check(regional, ("111122223333", "kms", "us-east-1"), None);
        check(regional, ("111122223333", "kms", ""), Some(Status::Partial));
    }

    #[test]
    fn what_is_not_understood_is_said() {
        let (_, problems) = statuses(
            r#"{"account": "*", "layer": "moon", "status": "complete"}, {"account": "*", "layer": "scp", "status": "fine"}"#,
        );
        assert_eq!(
            problems,
            [
                "`layers` names the layer `moon`, which is unknown",
                "layer `scp` has the status `fine`, which is unknown and taken for `failed`"
            ]
        );
        let file = serde_json::from_str(r#"{"taken_at": "yesterday"}"#).unwrap();
        assert_eq!(Statuses::from_file(file).1.len(), 1);
        let file = serde_json::from_str(
            r#"{"taken_at": "2026-10-27T10:00:00+02:00", "collected_by": "aws-cli"}"#,
        )
        .unwrap();
        assert_eq!(Statuses::from_file(file).1.len(), 0);
    }
}
