//! README shows what is so: its first command prints what it shows, and its queries work as pasted.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;

use crate::support::{duckdb, log, retrial, root, run, snapshot_of_ana, text, write};

/// The bodies of README's fenced blocks of this language.
fn blocks(language: &str) -> Vec<String> {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let fence = format!("```{language}\n");
    readme
        .split(&fence)
        .skip(1)
        .map(|rest| rest.split("```").next().unwrap().to_owned())
        .collect()
}

/// Runs README's command in a folder that holds nothing but the sample logs.
fn run_in(folder: &Path, arguments: &[&str]) -> String {
    symlink(root().join("sample-logs"), folder.join("sample-logs")).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_retrial"));
    run(command.args(arguments).current_dir(folder))
        .expect_status(0)
        .stdout
}

/// The command of a block prints what is shown under it.
#[track_caller]
fn check(folder: &Path, block: &str) {
    let (command, shown) = block.split_once('\n').unwrap();
    let arguments: Vec<&str> = command
        .strip_prefix("$ cargo run --release -- ")
        .unwrap()
        .split(' ')
        .collect();
    assert_eq!(run_in(folder, &arguments).trim_end(), shown.trim_end());
}

#[test]
fn the_first_run_prints_what_readme_shows() {
    let folder = tempfile::tempdir().unwrap();
    let block = &blocks("console")[0];
    check(folder.path(), block);
}

/// The command that is shown as it is typed, on the output of the first one.
#[test]
fn the_findings_are_those_that_readme_shows() {
    let folder = tempfile::tempdir().unwrap();
    let first = "analyze sample-logs --iam sample-logs/iam --out out --quiet";
    let arguments: Vec<&str> = first.split(' ').collect();
    run_in(folder.path(), &arguments);
    fs::remove_file(folder.path().join("sample-logs")).unwrap();
    let blocks = blocks("console");
    let block = blocks
        .iter()
        .find(|block| block.starts_with("$ cargo run --release -- findings"))
        .expect("README shows the command");
    check(folder.path(), block);
}

/// The proposals are printed as they are shown, and so does a certificate begin.
#[test]
fn the_proposals_are_those_that_readme_shows() {
    let folder = tempfile::tempdir().unwrap();
    let first = "analyze sample-logs --iam sample-logs/iam --out out --quiet";
    run_in(folder.path(), &first.split(' ').collect::<Vec<_>>());
    fs::remove_file(folder.path().join("sample-logs")).unwrap();
    let consoles = blocks("console");
    let beginning = "$ cargo run --release -- rightsize";
    let commands = consoles.iter().filter(|block| block.starts_with(beginning));
    let mut shown_of = 0;
    for block in commands {
        shown_of += 1;
        check(folder.path(), block);
        fs::remove_file(folder.path().join("sample-logs")).unwrap();
    }
    assert_eq!(shown_of, 2, "new policies, and an edit");
    let certificate = consoles.iter().find(|block| block.starts_with("$ head"));
    let (command, shown) = certificate.unwrap().split_once('\n').unwrap();
    let file = command.rsplit(' ').next().unwrap();
    let certificate = fs::read_to_string(folder.path().join(file)).unwrap();
    assert!(certificate.starts_with(shown.trim_end()), "{certificate}");
}

#[test]
fn the_change_does_what_readme_shows() {
    let folder = tempfile::tempdir().unwrap();
    let changes = blocks("json");
    let change = changes.iter().find(|block| block.contains("OnlyIreland"));
    let change = change.expect("README shows the change");
    write(folder.path(), "change/organization.json", change.as_bytes());
    let analyze = "analyze sample-logs --iam sample-logs/iam --out out --quiet";
    run_in(folder.path(), &analyze.split(' ').collect::<Vec<_>>());
    fs::remove_file(folder.path().join("sample-logs")).unwrap();
    let consoles = blocks("console");
    let block = consoles.iter().find(|block| block.contains("what-if"));
    check(folder.path(), block.unwrap());
}

#[test]
fn the_queries_work_as_pasted() {
    let folder = tempfile::tempdir().unwrap();
    run_in(
        folder.path(),
        &[
            "analyze",
            "sample-logs",
            "--iam",
            "sample-logs/iam",
            "--out",
            "out",
            "--quiet",
        ],
    );
    let queries = blocks("sql");
    assert_eq!(queries.len(), 3);
    let views = fs::read_to_string(root().join("dashboards/duckdb/views.sql")).unwrap();
    for query in &queries {
        let rows = duckdb(folder.path(), &format!("{views}\n{query}"));
        assert!(!rows.is_empty(), "{query}");
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(root().join("dashboards/duckdb/queries")).unwrap() {
        files.push(fs::read_to_string(entry.unwrap().path()).unwrap());
    }
    for query in queries {
        assert!(
            files.contains(&query),
            "dashboards/duckdb/queries holds no file with\n{query}"
        );
    }
}

/// Each status of README's table, by a run that ends with it.
#[test]
fn the_exit_statuses_are_the_documented_ones() {
    let readme = fs::read_to_string(root().join("README.md")).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let iam = snapshot_of_ana(folder.path());
    write(folder.path(), "good/a.json", log(&["a"]).as_bytes());
    write(
        folder.path(),
        "broken/a.json",
        b"{\"Records\":[{\"eventName\":\"List",
    );
    let analyze = |logs: &str, out: &str| {
        let (logs, out) = (folder.path().join(logs), folder.path().join(out));
        retrial(&[
            "analyze",
            text(&logs),
            "--iam",
            text(&iam),
            "--out",
            text(&out),
            "--quiet",
        ])
        .status
    };
    let ana = "arn:aws:iam::111122223333:user/ana";
    let missed = [
        "simulate",
        "--iam",
        text(&iam),
        "--principal",
        ana,
        "--action",
        "s3:ListAllMyBuckets",
        "--resource",
        "*",
        "--expect",
        "allowed",
    ];
    let check = |row: &str, status: i32| {
        assert!(
            readme.contains(&format!("| {status} | {row}")),
            "{status} {row}"
        );
    };
    check("done", analyze("good", "out"));
    check(
        "a threshold that was asked for was passed",
        retrial(&missed).status,
    );
    check(
        "could not run, or not to its end",
        analyze("nowhere", "out2"),
    );
    check(
        "ran, but some input was rejected",
        analyze("broken", "out3"),
    );
}
