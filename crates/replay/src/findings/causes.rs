//! Why a call would be answered otherwise today: what was written after it.
//!
//! A write counts only where it can have changed the answer: of the policy that denies, or, where nothing
//! allows any more, of any policy of the layer that stands in the way. What was written after the
//! snapshot was taken is not in the snapshot, and explains nothing that it says.

use std::borrow::Cow;

use retrial_iam::{Effect, Layer, PolicySource, Principal, PrincipalKind, Snapshot};
use rustc_hash::FxHashMap;

use super::idle::moment;
use super::kind::Cause;
use crate::CallRequest;

/// A recorded write that changed authorization: a row of the table `changes`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecordedChange {
    /// `eventID`
    pub event_id: Option<String>,
    /// When, in microseconds since the epoch.
    pub event_time: Option<i64>,
    /// The account whose trail recorded it.
    pub account_id: Option<String>,
    /// The operation.
    pub event_name: Option<String>,
    /// What it changed: the column `kind`.
    pub kind: String,
    /// The principal or resource that it was changed for.
    pub target: Option<String>,
    /// The managed policy.
    pub policy_arn: Option<String>,
    /// The inline policy's name.
    pub policy_name: Option<String>,
}

/// The recorded writes of a window, found by what they are about.
///
/// # Memory
/// One entry per recorded write that can explain a difference; their documents are not kept.
#[derive(Debug, Default)]
pub struct RecordedChanges {
    changes: Vec<RecordedChange>,
    /// By topic: places in `changes`.
    by_topic: FxHashMap<String, Vec<usize>>,
    /// When the snapshot was taken.
    snapshot_time: Option<i64>,
}

/// IAM is eventually consistent: for some time after a write the answer may be the one from before.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/troubleshoot.html#troubleshoot_general_eventual-consistency>
const CONSISTENCY_MICROS: i64 = 5 * 60 * 1_000_000;

/// The write that explains a difference.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Explaining {
    pub(crate) time: i64,
    /// The operation, or `policy version` where only its date is known.
    pub(crate) what: String,
    pub(crate) event_id: Option<String>,
}

impl RecordedChanges {
    /// The writes, and when the snapshot was taken (microseconds since the epoch), where known.
    pub fn new(changes: Vec<RecordedChange>, snapshot_time: Option<i64>) -> RecordedChanges {
        let mut all = RecordedChanges {
            changes,
            snapshot_time,
            ..RecordedChanges::default()
        };
        for (place, change) in all.changes.iter().enumerate() {
            for topic in topics_of(change) {
                all.by_topic.entry(topic).or_default().push(place);
            }
        }
        all
    }

    /// Whether a write of this kind can explain a difference; others need not be read.
    pub fn is_evidence(kind: &str) -> bool {
        // Grants come and go with every job, and a denial for want of one is never firm.
        !matches!(
            kind,
            "kms_grant" | "principal_tags" | "event_selectors" | "trail" | "permission_set"
        )
    }

    /// When the snapshot was taken, where known.
    pub fn snapshot_time(&self) -> Option<i64> {
        self.snapshot_time
    }

    /// The cause of a difference in one request of a call made at `time`.
    pub(crate) fn cause(
        &self,
        time: Option<i64>,
        question: &Differing<'_, '_>,
    ) -> (Cause, Option<Explaining>) {
        if question.hangs_on_time() {
            return (Cause::TimeCondition, None);
        }
        let (Some(time), Some(taken)) = (time, self.snapshot_time) else {
            return (Cause::Unexplained, None);
        };
        let writes = self.writes(question);
        if time > taken {
            let since = writes
                .iter()
                .any(|change| change.event_time.is_some_and(|at| at > taken && at <= time));
            let cause = match since {
                true => Cause::Unexplained,
                false => Cause::Contradicted,
            };
            return (cause, None);
        }
        let last = writes
            .iter()
            .filter_map(|change| Some((change.event_time.filter(|at| *at <= taken)?, *change)))
            .max_by_key(|(at, change)| (*at, change.event_id.as_deref()));
        let version = question
            .version_dates()
            .filter(|at| *at > time && *at <= taken)
            .max();
        match (last, version) {
            (Some((at, change)), _) if at > time => {
                let explaining = Explaining {
                    time: at,
                    what: change.event_name.clone().unwrap_or_default(),
                    event_id: change.event_id.clone(),
                };
                (Cause::PolicyChanged, Some(explaining))
            }
            (_, Some(at)) => {
                let what = "policy version".to_owned();
                let explaining = Explaining {
                    time: at,
                    what,
                    event_id: None,
                };
                (Cause::PolicyChanged, Some(explaining))
            }
            (Some((at, _)), None) if at + CONSISTENCY_MICROS < time => (Cause::Contradicted, None),
            // The answer may still be the one from before the write.
            (_, None) => (Cause::Unexplained, None),
        }
    }

    fn writes(&self, question: &Differing<'_, '_>) -> Vec<&RecordedChange> {
        let mut places: Vec<usize> = question
            .topics()
            .iter()
            .filter_map(|topic| self.by_topic.get(topic))
            .flatten()
            .copied()
            .collect();
        places.sort_unstable();
        places.dedup();
        places
            .into_iter()
            .filter_map(|place| self.changes.get(place))
            .collect()
    }
}

/// What a write is about. One entry per thing that a question can ask for.
fn topics_of(change: &RecordedChange) -> Vec<String> {
    let account = change.account_id.as_deref().unwrap_or_default();
    let target = change.target.as_deref().map(last_piece);
    let mut topics = Vec::new();
    let event = change.event_name.as_deref().unwrap_or_default();
    let owner = if event.contains("Group") {
        "group"
    } else if event.contains("User") {
        "user"
    } else {
        "role"
    };
    match change.kind.as_str() {
        "identity_policy" => {
            if let Some(target) = target {
                topics.push(format!("policies of {owner} {account} {target}"));
                if let Some(name) = &change.policy_name {
                    topics.push(format!("inline {owner} {account} {target} {name}"));
                }
            }
        }
        "attachment" => {
            if let Some(target) = target {
                topics.push(format!("policies of {owner} {account} {target}"));
                if let Some(arn) = &change.policy_arn {
                    topics.push(format!("attached {owner} {account} {target} {arn}"));
                }
            }
        }
        "group_membership" => {
            if let Some(target) = target {
                topics.push(format!("members of {account} {target}"));
            }
            topics.push(format!("memberships {account}"));
        }
        "managed_policy" => {
            topics.extend(
                change
                    .policy_arn
                    .as_ref()
                    .map(|arn| format!("managed {arn}")),
            );
        }
        "permissions_boundary" => {
            topics.extend(target.map(|target| format!("boundary of {owner} {account} {target}")));
        }
        "trust_policy" => {
            topics.extend(target.map(|target| format!("resource role {account} {target}")));
        }
        "principal" => {
            topics.extend(target.map(|target| format!("policies of {owner} {account} {target}")));
        }
        "organization_policy" => topics.push("organization".to_owned()),
        "vpc_endpoint_policy" => topics.push(format!("endpoints {account}")),
        "public_access_block" if target.is_none() => topics.push(format!("buckets {account}")),
        kind => {
            if let Some(target) = target {
                topics.push(format!(
                    "resource {} {account} {target}",
                    service_of_kind(kind)
                ));
            }
        }
    }
    topics
}

/// The service whose resources a kind of write is about.
fn service_of_kind(kind: &str) -> &'static str {
    match kind {
        "bucket_policy"
        | "bucket_acl"
        | "bucket_ownership"
        | "public_access_block"
        | "access_point_policy" => "s3",
        "key_policy" => "kms",
        "repository_policy" => "ecr",
        _ => "other",
    }
}

/// A name without what stands before it in an ARN or a path.
fn last_piece(text: &str) -> &str {
    text.rsplit(['/', ':']).next().unwrap_or(text)
}

/// A request that is answered otherwise today, and who asked.
#[derive(Clone, Copy)]
pub(crate) struct Differing<'q, 's> {
    pub(crate) snapshot: &'s Snapshot,
    pub(crate) principal: Option<&'s Principal>,
    pub(crate) request: &'q CallRequest<'q>,
    /// The account that the resource is in, as far as known.
    pub(crate) account: &'q str,
}

/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>
pub(crate) fn is_time_key(key: &str) -> bool {
    ["aws:CurrentTime", "aws:EpochTime", "aws:TokenIssueTime"]
        .iter()
        .any(|known| key.eq_ignore_ascii_case(known))
}

impl<'s> Differing<'_, 's> {
    /// Whether a condition on the time decides: in a statement that denies, or in one that would allow.
    fn hangs_on_time(&self) -> bool {
        let Some(principal) = self.principal else {
            return false;
        };
        let policies = || principal.identity.iter().chain(&principal.boundary);
        let denies = self
            .request
            .determined_by
            .iter()
            .filter(|statement| statement.effect == Effect::Deny);
        let mut explicit = false;
        for statement in denies {
            explicit = true;
            let found = policies()
                .filter(|policy| *policy.id == *statement.policy)
                .filter_map(|policy| policy.policy.as_ref().ok()?.statement(statement.index));
            if found
                .flat_map(|view| view.conditions())
                .any(|condition| is_time_key(condition.key()))
            {
                return true;
            }
        }
        !explicit
            && policies()
                .filter_map(|policy| policy.policy.as_ref().ok())
                .flat_map(|policy| policy.statements_about(self.request.action))
                .filter(|view| view.effect() == Effect::Allow)
                .flat_map(|view| view.conditions())
                .any(|condition| is_time_key(condition.key()))
    }

    /// The topics of the writes that can have changed the answer.
    fn topics(&self) -> Vec<String> {
        let mut topics = Vec::new();
        let denies: Vec<_> = self
            .request
            .determined_by
            .iter()
            .filter(|statement| statement.effect == Effect::Deny)
            .collect();
        for statement in &denies {
            self.topics_of_policy(statement.layer, statement.policy, &mut topics);
        }
        if denies.is_empty() {
            self.topics_of_layer(&mut topics);
        }
        topics
    }

    /// Of the very policy that denies.
    fn topics_of_policy(&self, layer: Layer, policy: &str, topics: &mut Vec<String>) {
        match layer {
            Layer::Identity | Layer::PermissionsBoundary => {
                if let Some((owner, name)) = policy.split_once('#') {
                    topics.extend(holder(owner).map(|holder| format!("inline {holder} {name}")));
                    topics.extend(group_topics(owner));
                } else {
                    topics.push(format!("managed {policy}"));
                    let principal = self.principal.and_then(|principal| holder(&principal.arn));
                    if let Some(principal) = principal {
                        topics.push(match layer {
                            Layer::Identity => format!("attached {principal} {policy}"),
                            _ => format!("boundary of {principal}"),
                        });
                    }
                    for group in self.groups() {
                        topics.extend(
                            holder(group).map(|holder| format!("attached {holder} {policy}")),
                        );
                        topics.extend(group_topics(group));
                    }
                }
            }
            _ => self.topics_of_other_layers(layer, topics),
        }
    }

    /// Of the layer in which nothing allows.
    fn topics_of_layer(&self, topics: &mut Vec<String>) {
        let layer = self.request.layer.unwrap_or(Layer::Identity);
        let holder = self.principal.and_then(|principal| holder(&principal.arn));
        match layer {
            Layer::Identity => {
                if let (Some(principal), Some(holder)) = (self.principal, holder) {
                    topics.push(format!("policies of {holder}"));
                    if principal.kind == PrincipalKind::User {
                        topics.push(format!("memberships {}", principal.account));
                    }
                    for policy in &principal.identity {
                        topics.push(format!("managed {}", policy.id));
                        if let PolicySource::Group(group) = &policy.source {
                            topics.extend(group_topics(group));
                        }
                    }
                }
                // Where nothing of the caller's allows, the resource's policy may have allowed before.
                self.topics_of_other_layers(Layer::Resource, topics);
            }
            Layer::PermissionsBoundary => {
                topics.extend(holder.map(|holder| format!("boundary of {holder}")));
                let boundary = self.principal.and_then(|who| who.boundary.as_ref());
                topics.extend(boundary.map(|boundary| format!("managed {}", boundary.id)));
            }
            layer => self.topics_of_other_layers(layer, topics),
        }
    }

    fn topics_of_other_layers(&self, layer: Layer, topics: &mut Vec<String>) {
        match layer {
            Layer::Resource => {
                let arn = self.request.resource_arn;
                let account = self.account;
                let service = match arn.split(':').nth(2).unwrap_or_default() {
                    "s3" | "s3express" => "s3",
                    "kms" => "kms",
                    "ecr" => "ecr",
                    // A role's trust policy says who may assume it, and nothing of other actions on it.
                    "iam" if self.request.action.starts_with("sts:") => "role",
                    "iam" => return,
                    _ => "other",
                };
                let name: Cow<'_, str> = match service {
                    "s3" => bucket_of(arn).into(),
                    "ecr" => arn
                        .splitn(2, ":repository/")
                        .last()
                        .map(last_piece)
                        .unwrap_or_default()
                        .into(),
                    _ => last_piece(arn).into(),
                };
                topics.push(format!("resource {service} {account} {name}"));
                if service == "s3" {
                    topics.push(format!("buckets {account}"));
                }
            }
            Layer::Scp | Layer::Rcp => topics.push("organization".to_owned()),
            Layer::VpcEndpoint => topics.push(format!("endpoints {}", self.account)),
            _ => {}
        }
    }

    fn groups(&self) -> impl Iterator<Item = &'s str> {
        let policies = self.principal.into_iter().flat_map(|who| &who.identity);
        policies.filter_map(|policy| match &policy.source {
            PolicySource::Group(group) => Some(&**group),
            _ => None,
        })
    }

    /// When the managed policies that count were last given another version.
    fn version_dates(&self) -> impl Iterator<Item = i64> {
        let denies = self
            .request
            .determined_by
            .iter()
            .filter(|statement| statement.effect == Effect::Deny);
        let denying: Vec<&str> = denies.map(|statement| statement.policy).collect();
        let snapshot = self.snapshot;
        let layer = self.request.layer;
        let policies = self.principal.into_iter().flat_map(move |principal| {
            let of_identity = principal
                .identity
                .iter()
                .filter(move |_| layer != Some(Layer::PermissionsBoundary));
            let of_boundary = principal
                .boundary
                .iter()
                .filter(move |_| layer == Some(Layer::PermissionsBoundary));
            of_identity.chain(of_boundary)
        });
        policies
            .filter(move |policy| denying.is_empty() || denying.contains(&&*policy.id))
            .filter_map(move |policy| version_date(snapshot, &policy.id))
    }
}

/// When a managed policy was given the version that is in force.
fn version_date(snapshot: &Snapshot, policy: &str) -> Option<i64> {
    moment(snapshot.policy_version_created(policy)?)
}

/// `role 111122223333 Name` of a principal's or group's ARN.
fn holder(arn: &str) -> Option<String> {
    let mut parts = arn.splitn(6, ':');
    let account = parts.nth(4)?;
    let (kind, name) = parts.next()?.split_once('/')?;
    Some(format!("{kind} {account} {}", last_piece(name)))
}

/// Of a group that a policy comes from.
fn group_topics(arn: &str) -> Vec<String> {
    let Some(account) = arn.split(':').nth(4).filter(|_| arn.contains(":group/")) else {
        return Vec::new();
    };
    let name = last_piece(arn);
    vec![
        format!("policies of group {account} {name}"),
        format!("members of {account} {name}"),
    ]
}

/// The bucket of an ARN of S3.
fn bucket_of(arn: &str) -> &str {
    let resource = arn.splitn(6, ':').nth(5).unwrap_or_default();
    resource.split('/').next().unwrap_or_default()
}
