//! Callers of the research account for whom the snapshot cannot answer.

use super::organisation::*;
use super::research::{CLI, sit, temporary_key};
use super::{Week, sessions};
use crate::caller::{self, Session};
use crate::calls::{s3, sagemaker};
use crate::clock::{DAY, HOUR, MONDAY};
use crate::truth::*;

/// Callers that the snapshot cannot answer for.
pub(super) fn gone(week: &mut Week, people: &People) {
    let at = MONDAY + 7 * HOUR;
    let key = temporary_key(week);
    let mut migration = sit(
        week,
        caller::session(
            &people.migration,
            &Session::new("migration", &key, at),
            "203.0.113.40",
            CLI,
        ),
        at,
    );
    for index in 0..12 {
        let draft = s3::get_object(DATASETS, &format!("import/{index:03}.csv"), migration.rng());
        migration.planted("role-deleted", draft, DELETED);
    }
    let at = MONDAY + DAY + 7 * HOUR;
    let key = sessions::another_key(week);
    let mut before = sit(
        week,
        caller::session(
            &people.features_before,
            &Session::new("features", &key, at),
            "203.0.113.41",
            CLI,
        ),
        at,
    );
    for _ in 0..9 {
        before.planted(
            "role-recreated",
            sagemaker::list(LAB, "ListFeatureGroups"),
            RECREATED,
        );
    }
    let at = MONDAY + 6 * DAY + 7 * HOUR;
    let key = sessions::another_key(week);
    let features = ("features", key.as_str());
    sessions::assumed_by(
        week,
        "sagemaker.amazonaws.com",
        &people.features,
        features,
        at,
    );
    let mut since = sit(
        week,
        caller::session(
            &people.features,
            &Session::new("features", &key, at),
            "203.0.113.41",
            CLI,
        ),
        at,
    );
    for _ in 0..3 {
        since.does(sagemaker::list(LAB, "ListFeatureGroups"));
    }
    let at = MONDAY + 2 * DAY + 20 * HOUR;
    let mut stranger = sit(
        week,
        caller::other_account(STRANGER, "AIDAEXAMPLESTRANGER00", "192.0.2.66", CLI),
        at,
    );
    for index in 0..6 {
        let draft = s3::get_object(
            DATASETS,
            &format!("churn/2026/01/part-{index}.parquet"),
            stranger.rng(),
        );
        stranger.planted(
            "stranger",
            draft.failed("AccessDenied", "Access Denied"),
            NOT_SHOWN,
        );
    }
}
