//! The package, as a program of its own.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;

/// The program that asks the package, where the test set-up has installed it.
#[derive(Debug)]
pub(crate) struct Opponent {
    node: PathBuf,
    folder: PathBuf,
}

impl Opponent {
    /// `None`, loudly, where it is not installed; in CI that is a failure.
    pub(crate) fn find() -> Option<Opponent> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/differential");
        let node = std::env::var_os("RETRIAL_TEST_NODE").map(PathBuf::from);
        match node {
            Some(node) if folder.join("node_modules").is_dir() => Some(Opponent { node, folder }),
            _ => {
                let missing = "the opponent is not installed (tests/run installs it)";
                assert!(std::env::var_os("CI").is_none(), "{missing}, and CI is set");
                eprintln!("SKIPPED: {missing}, so nothing was compared");
                None
            }
        }
    }

    /// The package's answers, in the order of the cases: decisions, or errors in its words.
    pub(crate) fn answer(&self, cases: &[Value]) -> Vec<Result<String, String>> {
        let mut child = Command::new(&self.node)
            .arg("opponent.mjs")
            .current_dir(&self.folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut input = child.stdin.take().unwrap();
        let lines: String = cases.iter().map(|case| format!("{case}\n")).collect();
        // It answers while it reads: its pipe must be emptied while ours is filled.
        let writer = std::thread::spawn(move || input.write_all(lines.as_bytes()));
        let output = child.wait_with_output().unwrap();
        writer.join().unwrap().unwrap();
        assert!(output.status.success(), "the opponent stopped early");
        let answers: Vec<_> = String::from_utf8(output.stdout)
            .unwrap()
            .lines()
            .map(|line| {
                let answer: Value = serde_json::from_str(line).unwrap();
                match answer["decision"].as_str() {
                    Some(decision) => Ok(decision.to_owned()),
                    None => Err(answer["error"].to_string()),
                }
            })
            .collect();
        assert_eq!(answers.len(), cases.len());
        answers
    }
}
