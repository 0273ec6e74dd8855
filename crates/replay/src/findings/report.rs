//! All findings of a window, in the order of reports, and what stands beside them.

use std::collections::{BTreeMap, BTreeSet};

use retrial_cloudtrail::Timestamp;
use retrial_iam::{Catalogue, Decision, Snapshot};

use super::causes::RecordedChanges;
use super::differences::{self, Contradiction};
use super::escalation::Escalations;
use super::exclusions::Exclusions;
use super::finding::{Finding, Hidden};
use super::gather::FindingEvidence;
use super::idle::PermissionEvidence;
use super::kept::MICROS_PER_DAY;
use super::role_needs::RoleNeedEvidence;
use super::{idle, pass_role, statements, trust};
use crate::permissions::Covered;
use crate::recording::Trails;
use crate::{Outcome, Reason, Verdict};

/// A statement that can apply to no request, as the linter found it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct DeadStatement {
    /// The policy's or resource's ARN, or `<principal or group ARN>#<name>` for an inline policy.
    pub policy: String,
    /// The file of the snapshot, with line and column.
    pub place: String,
    /// Why.
    pub message: String,
}

/// What findings are derived for.
#[derive(Debug, Clone, Copy)]
pub struct Occasion<'a> {
    /// The policies.
    pub snapshot: &'a Snapshot,
    /// What actions there are.
    pub catalogue: &'a Catalogue,
    /// The recorded writes.
    pub changes: &'a RecordedChanges,
    /// "Now": the end of the day that findings are as of, in microseconds since the epoch.
    pub as_of: i64,
    /// For how many days something must have gone unused.
    pub min_window_days: u64,
    /// The keys of the tag that names a principal's owner; the first that is there counts.
    pub owner_tags: &'a [String],
    /// Statements that can apply to no request.
    pub dead_statements: &'a [DeadStatement],
    /// The ways of principals to more permissions.
    pub escalations: &'a Escalations,
    /// What jobs ask of their execution roles, as far as it is wrong.
    pub role_needs: &'a RoleNeedEvidence,
    /// What reports are not to show.
    pub exclusions: &'a Exclusions,
    /// What log files were there.
    pub covered: &'a Covered,
    /// What trails record each account.
    pub trails: &'a Trails,
    /// The output leaves out calls of the window: nothing follows from what it does not show.
    pub filtered: bool,
}

impl Occasion<'_> {
    /// How many of these days are among the last 30.
    pub(crate) fn days_of_last_30(&self, days: &BTreeSet<i64>) -> usize {
        let today = self.as_of.div_euclid(MICROS_PER_DAY);
        days.range(today - 30..).count()
    }

    /// Whether something of this account that the log does not show was not there for long enough.
    pub(crate) fn is_observed(&self, account: &str) -> bool {
        let first = self.covered.first(account);
        !self.filtered
            && first.is_some_and(|first| first <= self.unused_before())
            && self.covered.days(account, self.trails) >= self.min_window_days
    }

    /// The moment before which something must have been last used to count as unused.
    pub(crate) fn unused_before(&self) -> i64 {
        let days = i64::try_from(self.min_window_days).unwrap_or(i64::MAX / MICROS_PER_DAY);
        self.as_of
            .saturating_sub(days.saturating_mul(MICROS_PER_DAY))
    }
}

/// Findings, and what stands in every report beside them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FindingReport {
    /// All of them, those that are hidden too, in the order of reports.
    pub findings: Vec<Finding>,
    /// Calls that were decided: what AWS recorded against what is decided today.
    pub matrix: BTreeMap<(Outcome, Decision), u64>,
    /// Calls by verdict, without copies.
    pub verdicts: BTreeMap<Verdict, u64>,
    /// Calls that were not evaluated.
    pub not_evaluated: BTreeMap<Reason, u64>,
    /// What undetermined calls wait for.
    pub undetermined_by: BTreeMap<String, u64>,
    /// All calls of the window.
    pub calls: u64,
    /// The resource owner's copies among them, which are no evidence.
    pub copies: u64,
    /// The first and the last call's time.
    pub window: (Option<i64>, Option<i64>),
    /// Calls that we would deny and that provably go through, by principal and action.
    pub contradictions: Vec<Contradiction>,
    /// Calls in none of the findings because there were too many groups.
    pub left_out: u64,
    /// Principals that may do everything: no way to more is looked for.
    pub administrators: Vec<String>,
    /// Exclusions that have run out.
    pub expired_exclusions: usize,
    /// Whether the output leaves out calls of the window.
    pub filtered: bool,
}

impl FindingReport {
    /// The calls that are contradicted.
    pub fn contradicted(&self) -> u64 {
        self.contradictions.iter().map(|one| one.calls).sum()
    }

    /// The calls that were compared with their records: decided, and not undetermined.
    pub fn compared(&self) -> u64 {
        let comparable = self.matrix.iter().filter(|((outcome, decision), _)| {
            *outcome != Outcome::Failed && *decision != Decision::Undetermined
        });
        comparable.map(|(_, calls)| calls).sum()
    }

    /// Findings that reports show.
    pub fn shown(&self) -> impl Iterator<Item = &Finding> {
        self.findings
            .iter()
            .filter(|finding| finding.hidden.is_none())
    }
}

/// Derives all findings.
///
/// `permissions` has seen the rows of that table; without them nothing is said of single permissions.
pub fn findings(
    evidence: &FindingEvidence<'_>,
    permissions: &PermissionEvidence,
    occasion: &Occasion<'_>,
) -> FindingReport {
    let (mut all, contradictions) = differences::differences(evidence, occasion);
    all.extend(differences::gone(evidence));
    all.extend(differences::denial_clusters(evidence));
    all.extend(occasion.escalations.findings.iter().cloned());
    all.extend(trust::trust(evidence, occasion));
    all.extend(pass_role::pass_role(evidence, occasion));
    all.extend(statements::statements(evidence, occasion));
    all.extend(idle::idle(evidence, permissions, occasion));
    all.extend(occasion.role_needs.findings());
    for finding in &mut all {
        let principal = finding
            .principal_arn
            .as_deref()
            .and_then(|arn| occasion.snapshot.principal(arn));
        if let Some(principal) = principal {
            finding.owner = owner(&principal.tags, occasion.owner_tags);
        }
        let is_service_linked = finding
            .principal_arn
            .as_deref()
            .is_some_and(|arn| arn.contains(":role/aws-service-role/"));
        if is_service_linked {
            finding.hidden = Some(Hidden::ServiceLinkedRole);
        }
    }
    all.sort_by(|left, right| left.rank().cmp(&right.rank()));
    let mut report = FindingReport {
        findings: all,
        matrix: evidence.matrix.clone(),
        verdicts: evidence.verdicts.clone(),
        not_evaluated: evidence.not_evaluated.clone(),
        undetermined_by: evidence
            .undetermined_by
            .iter()
            .map(|(what, calls)| (what.clone(), *calls))
            .collect(),
        calls: evidence.calls,
        copies: evidence.copies,
        window: (evidence.first, evidence.last),
        contradictions,
        left_out: evidence.left_out(),
        administrators: occasion.escalations.administrators.clone(),
        expired_exclusions: 0,
        filtered: occasion.filtered,
    };
    report.expired_exclusions = occasion.exclusions.apply(&mut report, occasion);
    report
}

/// Keys of tags are compared without regard to case.
/// <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_tags.html#id_tags_rules_creating>
fn owner(tags: &[(String, String)], keys: &[String]) -> Option<String> {
    keys.iter().find_map(|wanted| {
        let tag = tags
            .iter()
            .find(|(key, _)| key.eq_ignore_ascii_case(wanted));
        tag.map(|(_, value)| value.clone())
    })
}

/// A moment as ISO 8601.
pub(crate) fn iso(micros: i64) -> String {
    Timestamp::from_micros(micros).to_iso()
}

/// The day of a moment, as `2026-11-02`.
pub(crate) fn day(micros: i64) -> String {
    let mut text = iso(micros);
    text.truncate(10);
    text
}
