//! Golden cases of needs, one file per service: a minimal record and what the role will need.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail loudly"
)]

mod needs_support;

use needs_support::{Event, needs};
use retrial_iam::Catalogue;
use retrial_replay::{Mapping, Need};
use serde::Deserialize;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    event_source: String,
    #[serde(rename = "case")]
    cases: Vec<Case>,
}

/// One record and what its role will need.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    /// What it shows, and the row that asks for it.
    shows: String,
    event: String,
    request: Option<String>,
    error: Option<String>,
    /// Only the actions that begin so; all by default.
    #[serde(default)]
    about: Vec<String>,
    /// The lines show the condition keys too.
    #[serde(default)]
    with_keys: bool,
    expect: Vec<String>,
}

/// `train: required verified s3:GetObject ?arn:aws:s3:::in/a* (inputDataConfig[].…)`: the role's name,
/// `?` before a resource that is not known whole, `~` before another spelling.
fn line(need: &Need<'_>, with_keys: bool) -> String {
    let role = need.role_arn.rsplit('/').next().unwrap_or_default();
    let required = match need.required {
        true => "required",
        false => "possible",
    };
    let form = if need.resource_known { "" } else { "?" };
    let mut line = format!(
        "{role}: {required} {} {} {form}{}",
        need.certainty.name(),
        need.action,
        need.resource_arn
    );
    for spelling in need.spellings {
        line.push_str(&format!(" ~{spelling}"));
    }
    if with_keys && !need.context.is_empty() {
        let keys = need.context.iter();
        let keys: Vec<String> = keys
            .map(|(key, values)| format!("{key}={}", values.join(",")))
            .collect();
        line.push_str(&format!(" {{{}}}", keys.join("; ")));
    }
    line
}

fn check(name: &str, text: &str) {
    let mapping = Mapping::bundled(Catalogue::bundled()).unwrap_or_else(|e| panic!("{e}"));
    let file: File = toml::from_str(text).unwrap_or_else(|error| panic!("{name}: {error}"));
    let mut different = Vec::new();
    for case in &file.cases {
        let event = Event {
            source: &file.event_source,
            name: &case.event,
            request: case.request.as_deref().unwrap_or("null"),
            error: case.error.as_deref(),
        };
        let is_about = |need: &&Need<'_>| {
            case.about.is_empty()
                || case
                    .about
                    .iter()
                    .any(|about| need.action.starts_with(about))
        };
        let actual: Vec<String> = needs(&mapping, &event, |needs| {
            let about = needs.iter().filter(is_about);
            about.map(|need| line(need, case.with_keys)).collect()
        });
        if actual != case.expect {
            let expected: String = case
                .expect
                .iter()
                .map(|line| format!("\n  - {line}"))
                .collect();
            let actual: String = actual.iter().map(|line| format!("\n  + {line}")).collect();
            different.push(format!(
                "{name}: {} ({}){expected}{actual}",
                case.event, case.shows
            ));
        }
    }
    assert!(different.is_empty(), "{}", different.join("\n"));
    assert!(!file.cases.is_empty());
}

#[test]
fn sagemaker() {
    check(
        "sagemaker.toml",
        include_str!("needs_golden/sagemaker.toml"),
    );
}

#[test]
fn machinelearning() {
    check(
        "machinelearning.toml",
        include_str!("needs_golden/machinelearning.toml"),
    );
}
