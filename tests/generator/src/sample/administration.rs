//! The administrator of the research account, and all that happens once.

use serde_json::Value;

use super::Week;
use super::organisation::*;
use super::policies as documents;
use super::research::{CLI, scientist, signed_in, sit, temporary_key, training_job};
use super::sitting::Sitting;
use super::snapshot::{BOUNDARY, BUILDER, DEPLOY, FORECAST, PASS_ROLE, PUBLISH_BEFORE};
use crate::caller::{self, Session};
use crate::calls::{kms, others, s3, sts};
use crate::clock::{DAY, HOUR, MONDAY};
use crate::record::Caller;
use crate::truth::*;

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0";

/// The administrator's round in the console.
pub(super) fn carol(week: &mut Week, people: &People, at: i64) {
    let key = temporary_key(week);
    let mut carol = sit(
        week,
        caller::console_user(&people.carol, &key, at - 30, "198.51.100.7", BROWSER),
        at,
    );
    carol.expects(sts::console_login(), NOT_AN_ACTION);
    for list in ["ListUsers", "ListRoles", "ListPolicies", "ListGroups"] {
        carol.does(others::iam_list(list));
    }
    for role in [&people.training, &people.scientist, &people.builder] {
        carol.does(others::role_read("GetRole", &role.name));
        carol.does(others::role_read("ListAttachedRolePolicies", &role.name));
    }
    let missing = others::role_read("GetRole", "ResearchTrainingRole2");
    carol.does(missing.failed(
        "NoSuchEntityException",
        "The role with name ResearchTrainingRole2 cannot be found.",
    ));
    for bucket in [DATASETS, OUTPUT] {
        let draft = s3::bucket_read(bucket, "GetBucketEncryption", "encryption", carol.rng());
        carol.does(draft);
    }
    let draft = s3::bucket_read(OUTPUT, "GetBucketPolicy", "policy", carol.rng());
    carol.does(draft.failed("NoSuchBucketPolicy", "The bucket policy does not exist"));
    let draft = s3::head_bucket(OUTPUT, carol.rng());
    carol.does(draft);
    let draft = s3::copy_object(
        OUTPUT,
        "models/churn/output/model.tar.gz",
        NOTEBOOKS,
        "archive/model.tar.gz",
        carol.rng(),
    );
    carol.does(draft);
    carol.does(kms::list_keys(IRELAND));
    carol.does(kms::list_aliases(IRELAND));
    carol.does(kms::describe_key(DATA_KEY));
    carol.does(others::describe_trails(IRELAND));
}

pub(super) fn administrator(people: &People) -> Caller {
    caller::user(&people.carol, "AKIAEXAMPLECAROLCLI1", "198.51.100.7", CLI)
}

/// What was changed during the week: the reason for nearly all that is planted.
pub(super) fn changes(week: &mut Week, people: &People) {
    let version = |arn: &str, document: Value, created: &str| {
        others::create_policy_version(arn, &document.to_string(), "v2", created)
    };
    let mut wednesday = Sitting::new(
        week,
        administrator(people),
        RESEARCH,
        MONDAY + 2 * DAY + 9 * HOUR,
        (60, 61),
    );
    wednesday.planted(
        "policy-changes",
        version(
            FORECAST,
            documents::forecast(true),
            "Nov 4, 2026, 9:00:00 AM",
        ),
        AGREES,
    );
    let mut thursday = Sitting::new(
        week,
        administrator(people),
        RESEARCH,
        MONDAY + 3 * DAY + 14 * HOUR,
        (60, 61),
    );
    thursday.planted(
        "policy-changes",
        version(DEPLOY, documents::deploy(true), "Nov 5, 2026, 2:00:00 PM"),
        AGREES,
    );
    let mut friday = Sitting::new(
        week,
        administrator(people),
        RESEARCH,
        MONDAY + 4 * DAY + 18 * HOUR,
        (60, 61),
    );
    let drafts = [
        version(
            PASS_ROLE,
            documents::pass_role(&[&people.training.arn()]),
            "Nov 6, 2026, 6:00:00 PM",
        ),
        version(
            BUILDER,
            documents::builder(&PUBLISH_BEFORE[..2]),
            "Nov 6, 2026, 6:01:00 PM",
        ),
        version(
            BOUNDARY,
            documents::boundary(&["s3:Get*", "s3:List*"]),
            "Nov 6, 2026, 6:02:00 PM",
        ),
        others::put_policy(
            "PutUserPolicy",
            ("userName", &people.forecast.name),
            "FreezeModels",
            &documents::freeze_models().to_string(),
        ),
        others::put_policy(
            "PutRolePolicy",
            ("roleName", &people.training.name),
            "ResearchTraining",
            &documents::training().to_string(),
        ),
    ];
    for draft in drafts {
        friday.planted("policy-changes", draft, AGREES);
    }
}

/// The record that shows that the change bites: it was denied then, and is now.
pub(super) fn after_the_changes(week: &mut Week, people: &People) {
    let at = MONDAY + 4 * DAY + 18 * HOUR + 1800;
    let who = signed_in(week, people, "ada@example.com", at);
    let mut ada = sit(week, who, at);
    let caller = ada.caller.clone();
    let role = people.old_training.arn();
    ada.planted(
        "old-role-was-and-is-denied",
        training_job("churn-legacy-20261106-9", &role).denied(&caller, "iam:PassRole", &role),
        AGREES,
    );
}

/// What happens once: the root user, a break-glass session, calls that need no permission, an addendum.
pub(super) fn once(week: &mut Week, people: &People) {
    let at = MONDAY + 2 * DAY + 11 * HOUR;
    let key = temporary_key(week);
    let mut root = sit(
        week,
        caller::root(RESEARCH, &key, at - 20, "198.51.100.7", BROWSER),
        at,
    );
    root.expects(sts::console_login(), NOT_AN_ACTION);
    root.planted("root-user", others::get_account_summary(), AGREES);
    let at = MONDAY + 3 * DAY + 15 * HOUR;
    let mut carol = sit(week, administrator(people), at);
    for _ in 0..2 {
        let draft = sts::get_session_token(carol.rng(), at);
        carol.planted("no-permission-needed", draft, NO_PERMISSION);
    }
    let key = temporary_key(carol.week);
    let issue = sts::Issue::plain(&people.break_glass, "carol", &key, carol.at);
    let draft = sts::assume_role(issue, VIRGINIA, carol.rng());
    carol.does(draft);
    let at = carol.at;
    let mut session = sit(
        week,
        caller::session(
            &people.break_glass,
            &Session::new("carol", &key, at),
            "198.51.100.7",
            CLI,
        ),
        at,
    );
    for list in ["ListUsers", "ListRoles", "GetAccountAuthorizationDetails"] {
        session.does(others::iam_list(list));
    }
    let original = week.planted["old-execution-role"][0].clone();
    let who = scientist(week, people, "ada@example.com", MONDAY + HOUR * 13);
    let mut late = sit(week, who, MONDAY + HOUR * 14);
    let draft = others::addendum(
        training_job("churn-legacy-20261102-0", &people.old_training.arn()),
        &original,
    );
    late.planted("addendum", draft, ADDENDUM);
}
