//! What the tables `coverage` and `changes` tell: what would have been seen, and how old things are.

use retrial_replay::{Covered, CoveredHour, Outcome, RecordedWrite, RecordedWrites};
use retrial_tables::{Changes, Coverage, Table};

use super::pass::Source;
use crate::analyze::PipelineError;

pub(super) fn read(source: &Source<'_>) -> Result<(Covered, RecordedWrites), PipelineError> {
    let mut covered = Covered::default();
    let columns = [
        "account_id",
        "region",
        "service",
        "hour",
        "data_events",
        "digest_state",
    ];
    source.each_row::<Coverage>(&columns, &mut |row| {
        let (Some(account), Some(hour)) = (row.account_id, row.hour) else {
            return;
        };
        if source.window.has(Some(hour)) {
            covered.add(CoveredHour {
                account,
                region: row.region.unwrap_or_default(),
                event_source: row.service.unwrap_or_default(),
                hour,
                data_events: row.data_events > 0,
                digest: row.digest_state.is_some(),
            });
        }
    })?;
    let mut writes = RecordedWrites::default();
    let columns = [
        "event_time",
        "account_id",
        "event_name",
        "outcome",
        "kind",
        "target_arn",
        "policy_arn",
        "policy_name",
        "document",
    ];
    source.each_row::<Changes>(&columns, &mut |row| {
        let (Some(account), Some(event_name), Some(time)) =
            (row.account_id, row.event_name, row.event_time)
        else {
            return;
        };
        if row.outcome == Outcome::Succeeded.name() && source.window.has(Some(time)) {
            writes.add(&RecordedWrite {
                account,
                event_name,
                time,
                target: row.target_arn,
                policy: row.policy_name.or(row.policy_arn),
                document: row.document,
            });
        }
    })?;
    debug_assert_eq!(Changes::FOLDER, Coverage::FOLDER);
    Ok((covered, writes))
}
