//! Where the issuing records of sessions stand, and who issues them.

use super::Planted;
use super::cuts;
use super::stage::{CLI, Started};
use super::stage::{MINUTE, Stage};
use super::world::*;
use crate::caller;
use crate::caller::Identity;
use crate::calls::sts;
use crate::calls::sts::{Cut, Issue};
use crate::clock::HOUR;
use crate::truth::AGREES;

pub(super) fn plant(planted: &mut Planted) {
    let mut stage = Stage::new(planted);
    whereabouts(&mut stage);
    issuers(&mut stage);
    cuts::policies(&mut stage);
    cuts::tags(&mut stage);
    cuts::federation(&mut stage);
}

/// Where the issuing record stands, against the calls.
fn whereabouts(stage: &mut Stage<'_>) {
    type Row = (&'static str, i64, &'static str, bool, &'static str);
    const ROWS: [Row; 10] = [
        (
            "issuer-in-the-same-file",
            0,
            IRELAND,
            true,
            "the issuing record stands in the same file",
        ),
        (
            "issuer-in-another-file",
            -5 * MINUTE,
            IRELAND,
            true,
            "the issuing record stands in an earlier file",
        ),
        (
            "issuer-in-another-region",
            -3 * MINUTE,
            VIRGINIA,
            true,
            "the issuing record stands in another region's file",
        ),
        (
            "issuer-10-minutes-later",
            10 * MINUTE,
            IRELAND,
            true,
            "the issuing record is delivered later than the calls",
        ),
        (
            "issuer-15-minutes-later",
            15 * MINUTE,
            VIRGINIA,
            true,
            "the issuing record is delivered at the end of the horizon",
        ),
        (
            "issuer-16-minutes-later",
            16 * MINUTE,
            IRELAND,
            false,
            "the issuing record is delivered after the horizon",
        ),
        (
            "issuer-20-hours-earlier",
            -20 * HOUR,
            IRELAND,
            true,
            "the issuing record was delivered on the day before",
        ),
        (
            "issuer-36-hours-earlier",
            -36 * HOUR,
            VIRGINIA,
            true,
            "the issuing record was delivered at the start of the horizon",
        ),
        (
            "issuer-36-hours-and-a-minute-earlier",
            -36 * HOUR - MINUTE,
            IRELAND,
            false,
            "the issuing record was delivered before the horizon",
        ),
        (
            "issuer-37-hours-earlier",
            -37 * HOUR,
            IRELAND,
            false,
            "the issuing record was delivered before the horizon",
        ),
    ];
    let operator = operator();
    for (id, offset, region, known, why) in ROWS {
        let started = stage.session(&operator, None);
        let slot = (started.slot.0 + offset, region);
        stage.issue(&operator, &started, slot, Cut::default());
        stage.is_known(id, &started, known, why);
    }
    let started = stage.session(&operator, None);
    stage.is_known(
        "issuer-never",
        &started,
        false,
        "nobody recorded the issuing call",
    );
}

/// Who issues it.
fn issuers(stage: &mut Stage<'_>) {
    let operator = operator();
    let started = stage.session(&operator, None);
    let service = caller::service("sagemaker.amazonaws.com");
    stage.issue_by(&service, &operator, &started, started.slot, Cut::default());
    stage.is_known(
        "issued-by-a-service",
        &started,
        true,
        "SageMaker assumed the role",
    );

    let started = stage.session(&operator, None);
    let token = caller::web_identity(
        GITHUB,
        "sts.amazonaws.com",
        "repo:planted",
        "203.0.113.52",
        CLI,
    );
    let issue = Issue::plain(&operator, "work", &started.key, started.at - 120);
    let draft =
        sts::assume_role_with_web_identity(issue, GITHUB, "repo:planted", &mut stage.planted.rng);
    stage
        .planted
        .put(started.slot, started.at - 120, &token, &draft, AGREES);
    stage.is_known(
        "issued-by-web-identity",
        &started,
        true,
        "a token of the build service was exchanged",
    );

    let started = stage.session(&operator, None);
    sign_in(stage, &operator, &started, Cut::default());
    stage.is_known(
        "issued-by-saml",
        &started,
        true,
        "somebody signed in at IAM Identity Center",
    );

    let first = stage.cut(&operator, Cut::default());
    let second = stage.session(&operator, None);
    stage.issue_by(
        &first.caller,
        &operator,
        &second,
        second.slot,
        Cut::default(),
    );
    stage.is_known(
        "issued-by-a-session",
        &second,
        true,
        "a session assumed the role: a role chain",
    );
}

pub(super) fn sign_in(stage: &mut Stage<'_>, role: &Identity, started: &Started, cut: Cut<'_>) {
    let saml = caller::saml("work", "c2FtbC1wcm92aWRlcg=", "203.0.113.53", CLI);
    let issue = Issue {
        cut,
        ..Issue::plain(role, "work", &started.key, started.at - 120)
    };
    let provider = super::super::team::saml_provider(ACCOUNT);
    let draft = sts::assume_role_with_saml(issue, &provider, IRELAND, &mut stage.planted.rng);
    stage
        .planted
        .put(started.slot, started.at - 120, &saml, &draft, AGREES);
}
