//! The house rules that a test can hold: the crate arrows, the purity of the pure crates, the top level.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::support::root;

/// Who may depend on whom. A new arrow is a decision of its own, and is made here and in
/// `crates/README.md` first.
const ARROWS: [(&str, &[&str]); 7] = [
    ("retrial-cloudtrail", &[]),
    ("retrial-iam", &[]),
    ("retrial-replay", &["retrial-cloudtrail", "retrial-iam"]),
    ("retrial-tables", &["retrial-replay"]),
    ("retrial-storage", &[]),
    ("retrial-pipeline", &["retrial-cloudtrail", "retrial-iam", "retrial-replay", "retrial-storage", "retrial-tables"]),
    (
        "retrial",
        &["retrial-cloudtrail", "retrial-iam", "retrial-pipeline", "retrial-replay", "retrial-storage", "retrial-tables"],
    ),
];

/// Crates without files, network, clock or threads of their own.
const PURE: [&str; 4] = ["cloudtrail", "iam", "replay", "tables"];

/// What a pure crate must never come to depend on, however indirectly.
const IMPURE: [&str; 6] = ["tokio", "aws-config", "reqwest", "hyper", "clap", "indicatif"];

fn metadata() -> Value {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--offline", "--locked"])
        .current_dir(root())
        .output()
        .unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn names(values: &Value, wanted: impl Fn(&Value) -> bool) -> BTreeSet<String> {
    let values = values.as_array().unwrap().iter().filter(|value| wanted(value));
    values.map(|value| value["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn the_crates_depend_on_each_other_as_drawn() {
    let metadata = metadata();
    let allowed: BTreeMap<&str, &[&str]> = ARROWS.into_iter().collect();
    for package in metadata["packages"].as_array().unwrap() {
        let name = package["name"].as_str().unwrap();
        let ours = names(&package["dependencies"], |dependency| {
            dependency["name"].as_str().unwrap().starts_with("retrial") && dependency["kind"].is_null()
        });
        match allowed.get(name) {
            Some(arrows) => {
                let arrows: BTreeSet<String> = arrows.iter().map(|arrow| (*arrow).to_owned()).collect();
                assert!(ours.is_subset(&arrows), "{name} depends on {ours:?}, drawn are {arrows:?}");
            }
            None => assert!(ours.is_empty(), "{name} depends on {ours:?}"),
        }
    }
    let packages = names(&metadata["packages"], |_| true);
    for (name, _) in ARROWS {
        assert!(packages.contains(name), "{name} is drawn and does not exist");
    }
}

#[test]
fn the_pure_crates_stay_pure() {
    let metadata = metadata();
    let nodes: BTreeMap<&str, &Value> =
        metadata["resolve"]["nodes"].as_array().unwrap().iter().map(|node| (node["id"].as_str().unwrap(), node)).collect();
    let name_of: BTreeMap<&str, &str> = metadata["packages"]
        .as_array()
        .unwrap()
        .iter()
        .map(|package| (package["id"].as_str().unwrap(), package["name"].as_str().unwrap()))
        .collect();
    for pure in PURE {
        let name = format!("retrial-{pure}");
        let start = name_of.iter().find(|(_, package)| **package == name).unwrap().0;
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut next = vec![*start];
        while let Some(id) = next.pop() {
            if !seen.insert(id) {
                continue;
            }
            for dependency in nodes[id]["deps"].as_array().unwrap() {
                let normal = dependency["dep_kinds"].as_array().unwrap().iter().any(|kind| kind["kind"].is_null());
                if normal {
                    next.push(dependency["pkg"].as_str().unwrap());
                }
            }
        }
        for id in seen {
            let dependency = name_of[id];
            let impure = IMPURE.contains(&dependency) || dependency.starts_with("aws-sdk-");
            assert!(!impure, "{name} has come to depend on {dependency}");
        }
        // The lints that keep files, the clock and the environment out stand beside each pure crate.
        let lints = fs::read_to_string(root().join(format!("crates/{pure}/clippy.toml"))).unwrap();
        for word in ["std::fs::File", "std::time::SystemTime::now", "std::env::var"] {
            assert!(lints.contains(word), "crates/{pure}/clippy.toml lost {word}");
        }
    }
}

#[test]
fn the_top_level_is_what_it_is() {
    let allowed = ["Cargo.lock", "Cargo.toml", "LICENSE", "README.md", "crates", "dashboards", "sample-logs", "tests"];
    let output = Command::new("git").args(["ls-files"]).current_dir(root()).output().unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let top: BTreeSet<&str> = listed.lines().map(|line| line.split('/').next().unwrap()).filter(|name| !name.starts_with('.')).collect();
    for entry in top {
        assert!(allowed.contains(&entry), "{entry} does not belong at the top level");
    }
}

#[test]
fn every_crate_is_on_the_map() {
    let map = fs::read_to_string(root().join("crates/README.md")).unwrap();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(map.contains(&format!("`crates/{name}`")), "crates/README.md does not speak of crates/{name}");
        }
    }
}
