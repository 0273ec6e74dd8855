//! The house rules that a test can hold: the crate arrows, the purity of the pure crates, the top level.

use std::collections::BTreeSet;
use std::fs;
use std::process::Command;

use crate::support::{root, run};

/// Who may depend on whom. A new arrow is a decision of its own, and is made here and in
/// `crates/README.md` first.
const ARROWS: [(&str, &[&str]); 7] = [
    ("retrial-cloudtrail", &[]),
    ("retrial-iam", &[]),
    ("retrial-replay", &["retrial-cloudtrail", "retrial-iam"]),
    ("retrial-tables", &["retrial-replay"]),
    ("retrial-storage", &[]),
    (
        "retrial-pipeline",
        &[
            "retrial-cloudtrail",
            "retrial-iam",
            "retrial-replay",
            "retrial-storage",
            "retrial-tables",
        ],
    ),
    (
        "retrial",
        &[
            "retrial-cloudtrail",
            "retrial-iam",
            "retrial-pipeline",
            "retrial-replay",
            "retrial-storage",
            "retrial-tables",
        ],
    ),
];

/// Crates without files, network, clock or threads of their own.
const PURE: [&str; 4] = ["cloudtrail", "iam", "replay", "tables"];

/// What a pure crate must never come to depend on, however indirectly.
const IMPURE: [&str; 6] = [
    "tokio",
    "aws-config",
    "reqwest",
    "hyper",
    "clap",
    "indicatif",
];

/// The packages that `package` depends on, to this depth, itself among them.
fn dependencies(package: &str, depth: &str) -> BTreeSet<String> {
    let mut command = Command::new(env!("CARGO"));
    let tree = command
        .args([
            "tree",
            "--offline",
            "-e",
            "normal",
            "--prefix",
            "none",
            "--depth",
            depth,
            "-p",
            package,
        ])
        .current_dir(root());
    let tree = run(tree).expect_status(0).stdout;
    let names: BTreeSet<String> = tree
        .lines()
        .filter_map(|line| line.split(' ').next())
        .map(str::to_owned)
        .collect();
    assert!(
        names.contains(package),
        "cargo tree does not know {package}"
    );
    names
}

#[test]
fn the_crates_depend_on_each_other_as_drawn() {
    for (package, arrows) in ARROWS {
        let mut ours: BTreeSet<String> = dependencies(package, "1")
            .into_iter()
            .filter(|name| name.starts_with("retrial"))
            .collect();
        ours.remove(package);
        let drawn: BTreeSet<String> = arrows.iter().map(|arrow| (*arrow).to_owned()).collect();
        assert!(
            ours.is_subset(&drawn),
            "{package} depends on {ours:?}, drawn are {drawn:?}"
        );
    }
    let generator = dependencies("retrial-generator", "1");
    assert!(
        !generator
            .iter()
            .any(|name| name.starts_with("retrial-") && name != "retrial-generator"),
        "{generator:?}"
    );
}

#[test]
fn the_pure_crates_stay_pure() {
    for pure in PURE {
        let package = format!("retrial-{pure}");
        for dependency in dependencies(&package, "99") {
            let impure =
                IMPURE.contains(&dependency.as_str()) || dependency.starts_with("aws-sdk-");
            assert!(!impure, "{package} has come to depend on {dependency}");
        }
        // The lints that keep files, the clock and the environment out stand beside each pure crate.
        let lints = fs::read_to_string(root().join(format!("crates/{pure}/clippy.toml"))).unwrap();
        for word in [
            "std::fs::File",
            "std::time::SystemTime::now",
            "std::env::var",
        ] {
            assert!(
                lints.contains(word),
                "crates/{pure}/clippy.toml lost {word}"
            );
        }
    }
}

#[test]
fn the_top_level_is_what_it_is() {
    let allowed = [
        "Cargo.lock",
        "Cargo.toml",
        "LICENSE",
        "README.md",
        "crates",
        "dashboards",
        "sample-logs",
        "tests",
    ];
    let output = Command::new("git")
        .args(["ls-files"])
        .current_dir(root())
        .output()
        .unwrap();
    let listed = String::from_utf8(output.stdout).unwrap();
    let top: BTreeSet<&str> = listed
        .lines()
        .map(|line| line.split('/').next().unwrap())
        .filter(|name| !name.starts_with('.'))
        .collect();
    for entry in top {
        assert!(
            allowed.contains(&entry),
            "{entry} does not belong at the top level"
        );
    }
}

#[test]
fn every_crate_is_on_the_map() {
    let map = fs::read_to_string(root().join("crates/README.md")).unwrap();
    for entry in fs::read_dir(root().join("crates")).unwrap() {
        let entry = entry.unwrap();
        if entry.path().is_dir() {
            let name = entry.file_name().into_string().unwrap();
            assert!(
                map.contains(&format!("`crates/{name}`")),
                "crates/README.md does not speak of crates/{name}"
            );
        }
    }
}
