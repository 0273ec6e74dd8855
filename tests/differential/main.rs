//! The differential test: random cases, answered by this evaluator and by npm's
//! `@cloud-copilot/iam-simulate`, which runs as a program of its own.
//!
//! `RETRIAL_DIFFERENTIAL_SEED` and `RETRIAL_DIFFERENTIAL_CASES` give a run again or make it longer.

#![allow(
    clippy::disallowed_methods,
    clippy::disallowed_types,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::unreachable,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "tests may fail loudly, and this one runs another program"
)]

mod cases;
mod conditions;
mod documents;
mod enumerated;
mod opponent;
mod points;
mod policies;
mod random;
mod world;

use std::collections::BTreeMap;
use std::hash::{BuildHasher, Hasher, RandomState};
use std::path::PathBuf;

use retrial_iam::{Catalogue, SimulationCase};
use serde_json::Value;

use crate::enumerated::{NAMED_SESSION, POINTS, without_session_limit};
use crate::opponent::Opponent;
use crate::random::Random;

/// As many as the project promises for every run.
const CASES: u64 = 20_000;

fn setting(name: &str) -> Option<u64> {
    let text = std::env::var(name).ok()?;
    Some(
        text.parse()
            .unwrap_or_else(|_| panic!("{name} is not a number: {text}")),
    )
}

fn ours(case: &Value) -> String {
    SimulationCase::parse(&case.to_string())
        .unwrap_or_else(|error| panic!("{error}: {case}"))
        .run(Catalogue::bundled())
        .decision
        .name()
        .to_owned()
}

/// A case on which the two differ.
struct Difference<'c> {
    case: &'c Value,
    ours: String,
    theirs: Result<String, String>,
}

/// The case in the package's words: one point at a time, all of them, and all with O1.
fn rewritten(case: &Value) -> Vec<(&'static str, Value)> {
    let mut variants: Vec<(&'static str, Value)> = POINTS
        .iter()
        .filter_map(|point| {
            let mut variant = case.clone();
            (point.rewrite)(&mut variant);
            (variant != *case).then_some((point.name, variant))
        })
        .collect();
    let mut all = case.clone();
    for point in &POINTS {
        (point.rewrite)(&mut all);
    }
    let named_session = without_session_limit(&all);
    if variants.len() > 1 {
        variants.push(("several points at once", all));
    }
    variants.extend(named_session.map(|variant| (NAMED_SESSION, variant)));
    variants
}

/// The point that explains each difference, where one does.
fn explain(opponent: &Opponent, differences: &[Difference<'_>]) -> Vec<Option<&'static str>> {
    let mut variants = Vec::new();
    for (index, difference) in differences.iter().enumerate() {
        for (point, case) in rewritten(difference.case) {
            // O1 only ever turns their denial into an allow.
            if point != NAMED_SESSION || difference.ours == "allowed" {
                variants.push((index, point, case));
            }
        }
    }
    let cases: Vec<Value> = variants.iter().map(|(_, _, case)| case.clone()).collect();
    let mut explained = vec![None; differences.len()];
    for ((index, point, _), answer) in variants.iter().zip(opponent.answer(&cases)) {
        if explained[*index].is_none() && answer.as_ref() == Ok(&differences[*index].ours) {
            explained[*index] = Some(*point);
        }
    }
    explained
}

/// One case file per unexplained difference, for `retrial simulate --cases`.
fn dump(seed: u64, unexplained: &[&Difference<'_>]) -> PathBuf {
    let folder = std::env::temp_dir().join(format!("retrial-differential-{seed}"));
    std::fs::create_dir_all(&folder).unwrap();
    for difference in unexplained {
        let mut case = difference.case.clone();
        case["note"] = format!(
            "seed {seed}: ours {}, the package's {:?}",
            difference.ours, difference.theirs
        )
        .into();
        let name = case["id"].as_str().unwrap().replace('/', "-");
        std::fs::write(folder.join(format!("{name}.jsonl")), format!("{case}\n")).unwrap();
    }
    folder
}

#[test]
fn random_cases_agree() {
    let Some(opponent) = Opponent::find() else {
        return;
    };
    let seed = setting("RETRIAL_DIFFERENTIAL_SEED")
        .unwrap_or_else(|| RandomState::new().build_hasher().finish());
    let count = setting("RETRIAL_DIFFERENTIAL_CASES").unwrap_or(CASES);
    println!("RETRIAL_DIFFERENTIAL_SEED={seed} RETRIAL_DIFFERENTIAL_CASES={count}");
    let mut random = Random::new(seed);
    let cases: Vec<Value> = (0..count)
        .map(|index| cases::case(&mut random, &format!("random/{index}")))
        .collect();
    let mut decisions: BTreeMap<String, usize> = BTreeMap::new();
    let mut differences = Vec::new();
    for (case, theirs) in cases.iter().zip(opponent.answer(&cases)) {
        let ours = ours(case);
        *decisions.entry(ours.clone()).or_default() += 1;
        if theirs.as_ref() != Ok(&ours) {
            differences.push(Difference { case, ours, theirs });
        }
    }
    let mut enumerated: BTreeMap<&str, usize> = BTreeMap::new();
    let mut unexplained = Vec::new();
    for (difference, point) in differences.iter().zip(explain(&opponent, &differences)) {
        match point {
            Some(point) => *enumerated.entry(point).or_default() += 1,
            None => unexplained.push(difference),
        }
    }
    println!(
        "agreed {}, enumerated {}, unexplained = {}",
        cases.len() - differences.len(),
        differences.len() - unexplained.len(),
        unexplained.len()
    );
    println!("decisions: {decisions:?}\nenumerated: {enumerated:#?}");
    // Agreement says little where nearly everything is denied.
    for decision in ["allowed", "implicit_deny", "explicit_deny"] {
        let share = decisions.get(decision).copied().unwrap_or_default();
        assert!(share * 20 > cases.len(), "{share} {decision}");
    }
    if !unexplained.is_empty() {
        let folder = dump(seed, &unexplained);
        let first = unexplained[0];
        panic!(
            "{} unexplained differences in {}; the first: ours {}, the package's {:?}: {}",
            unexplained.len(),
            folder.display(),
            first.ours,
            first.theirs,
            first.case
        );
    }
}
