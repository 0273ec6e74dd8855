//! The image pipeline of the research account, and what ECR and KMS do by themselves.

use serde_json::json;

use super::Week;
use super::organisation::*;
use super::research::temporary_key;
use super::sitting::Sitting;
use crate::caller::{self, Session};
use crate::calls::{ecr, kms, s3, sts};
use crate::clock::{DAY, HOUR, MONDAY};
use crate::truth::*;

const RUNNER: &str = "docker/28.5.1 go/go1.24.8 kernel/6.14.0-1012-azure os/linux arch/amd64 UpstreamClient(Docker-Client/28.5.1 (linux))";
const GITHUB: &str = "arn:aws:iam::111122223333:oidc-provider/token.actions.githubusercontent.com";
const GITHUB_SUBJECT: &str = "repo:example-research/images:ref:refs/heads/main";

/// A run of the image pipeline: signs in with a token of the build service, pushes one image.
pub(super) fn build(week: &mut Week, people: &People, day: i64, run: i64, at: i64) {
    let key = temporary_key(week);
    let github = caller::web_identity(
        GITHUB,
        "sts.amazonaws.com",
        GITHUB_SUBJECT,
        "203.0.113.77",
        RUNNER,
    );
    let mut arriving = Sitting::new(week, github, RESEARCH, at, (1, 3));
    let issue = sts::Issue::plain(&people.builder, "GitHubActions", &key, at);
    let draft = sts::assume_role_with_web_identity(issue, GITHUB, GITHUB_SUBJECT, arriving.rng());
    arriving.planted("web-identity-sign-in", draft, AGREES);
    let federation = json!({"federatedProvider": GITHUB, "attributes": {}}).to_string();
    let session = Session {
        web_identity: Some(federation),
        ..Session::new("GitHubActions", &key, at)
    };
    let mut builder = Sitting::new(
        week,
        caller::session(&people.builder, &session, "203.0.113.77", RUNNER),
        RESEARCH,
        at + 4,
        (2, 12),
    );
    builder.does(sts::get_caller_identity(IRELAND));
    builder.does(ecr::get_authorization_token(IRELAND));
    let before = builder.at < MONDAY + 4 * DAY + 18 * HOUR;
    let cached = s3::get_object(CACHE, &format!("layers/{}.tar", day % 3), builder.rng());
    builder.does(cached);
    publish(&mut builder, day, run, before);
    if run == 0 {
        store_cache(&mut builder, day, before);
    }
}

fn publish(builder: &mut Sitting<'_>, day: i64, run: i64, before: bool) {
    let weekend = day >= 5;
    let repository = match run {
        0 => XGBOOST,
        1 if day < 4 || weekend => SCORER,
        _ => TABNET,
    };
    for draft in ecr::push_layers(repository, builder.rng()) {
        builder.does(draft);
    }
    let tag = format!("2026110{}.{run}", day + 2);
    if repository.name != SCORER.name {
        let draft = ecr::put_image(repository, &tag, builder.rng());
        builder.does(draft);
        builder.does(ecr::describe_images(repository));
    } else if before {
        let draft = ecr::put_image(repository, &tag, builder.rng());
        builder.planted("push-to-a-dropped-repository", draft, WOULD_BE_DENIED);
    } else {
        let caller = builder.caller.clone();
        let draft = ecr::denied_put_image(repository, &tag, &caller, builder.rng());
        builder.expects(draft, AGREES);
    }
}

fn store_cache(builder: &mut Sitting<'_>, day: i64, before: bool) {
    let draft = s3::put_object(CACHE, &format!("layers/{}.tar", day % 3), builder.rng());
    match before {
        true => builder.planted("cache-outside-the-boundary", draft, WOULD_BE_DENIED),
        false => builder.expects(draft.failed("AccessDenied", "Access Denied"), AGREES),
    }
}

pub(super) fn expire_images(week: &mut Week, day: i64, at: i64) {
    let mut ecr = Sitting::new(week, caller::internal(RESEARCH), RESEARCH, at, (5, 9));
    ecr.planted(
        "service-events",
        ecr::policy_execution(if day % 2 == 0 { XGBOOST } else { TABNET }),
        NOT_AN_ACTION,
    );
    if day == 2 {
        ecr.planted("service-events", kms::rotate_key(DATA_KEY), NOT_AN_ACTION);
    }
}
