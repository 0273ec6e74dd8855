//! Running the program, asking DuckDB, making log files.

pub(crate) mod corpora;
pub(crate) mod planted;
pub(crate) mod process;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::Value;

/// The project's root.
pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../..")
        .canonicalize()
        .unwrap()
}

/// `../shared`, where it is; a missing one is a failure in CI and a loud skip elsewhere.
pub(crate) fn shared(part: &str) -> Option<PathBuf> {
    let path = root().join("../shared").join(part);
    if path.exists() {
        return Some(path);
    }
    assert!(
        std::env::var_os("CI").is_none(),
        "../shared/{part} is missing, and CI is set"
    );
    eprintln!("SKIPPED: ../shared/{part} is not here, so nothing was tested");
    None
}

/// What a run of the program gave.
#[derive(Debug)]
pub(crate) struct Ran {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Ran {
    fn of(output: Output) -> Ran {
        Ran {
            status: output
                .status
                .code()
                .expect("the program was killed by a signal"),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    #[track_caller]
    pub(crate) fn expect_status(self, status: i32) -> Ran {
        assert_eq!(
            self.status, status,
            "stdout: {}\nstderr: {}",
            self.stdout, self.stderr
        );
        self
    }

    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).expect("one JSON object on standard output")
    }
}

/// Runs a program to its end.
pub(crate) fn run(command: &mut Command) -> Ran {
    Ran::of(command.output().unwrap())
}

/// Runs `retrial` in the project's root.
pub(crate) fn retrial(arguments: &[&str]) -> Ran {
    retrial_with(arguments, &[])
}

/// Runs `retrial` with these variables in its environment.
pub(crate) fn retrial_with(arguments: &[&str], environment: &[(&str, &str)]) -> Ran {
    run(Command::new(env!("CARGO_BIN_EXE_retrial"))
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root()))
}

/// `retrial analyze … --format json`: its JSON, after the books were seen to balance.
#[track_caller]
pub(crate) fn analyze(source: &Path, iam: &Path, out: &Path, more: &[&str]) -> (i32, Value) {
    let mut arguments = vec![
        "analyze",
        text(source),
        "--iam",
        text(iam),
        "--out",
        text(out),
        "--format",
        "json",
    ];
    arguments.extend(more);
    let ran = retrial(&arguments);
    assert!(
        ran.status == 0 || ran.status == 3,
        "status {}: {}",
        ran.status,
        ran.stderr
    );
    let report = ran.json();
    books_balance(&report);
    (ran.status, report)
}

#[track_caller]
pub(crate) fn books_balance(report: &Value) {
    let books = |name: &str| {
        report["books"][name]
            .as_u64()
            .unwrap_or_else(|| panic!("no books.{name} in {report}"))
    };
    let went: u64 = [
        "decided",
        "not_evaluated",
        "filtered",
        "duplicate",
        "rejected",
    ]
    .into_iter()
    .map(books)
    .sum();
    assert_eq!(
        books("records_read"),
        went,
        "the books do not balance: {}",
        report["books"]
    );
    let verdicts: u64 = report["verdicts"]
        .as_object()
        .unwrap()
        .values()
        .map(|count| count.as_u64().unwrap())
        .sum();
    assert_eq!(verdicts, books("decided") + books("not_evaluated"));
}

pub(crate) fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Runs the generator.
pub(crate) fn generator(arguments: &[&str]) -> Ran {
    let program = Path::new(env!("CARGO_BIN_EXE_retrial")).with_file_name("retrial-generator");
    assert!(
        program.exists(),
        "{} is not built: run ./tests/run",
        program.display()
    );
    run(Command::new(program).args(arguments).current_dir(root()))
}

pub(crate) fn python() -> PathBuf {
    let path = std::env::var_os("RETRIAL_TEST_PYTHON")
        .map_or_else(|| root().join("tests/.venv/bin/python"), PathBuf::from);
    assert!(
        path.exists(),
        "no Python environment at {}: run ./tests/run",
        path.display()
    );
    path
}

/// Asks DuckDB, with `folder` as the working folder: the rows as JSON arrays.
#[track_caller]
pub(crate) fn duckdb(folder: &Path, sql: &str) -> Vec<Vec<Value>> {
    let script = root().join("tests/support/ask_duckdb.py");
    let output = Command::new(python())
        .arg(script)
        .arg(sql)
        .current_dir(folder)
        .output()
        .unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "DuckDB refused\n{sql}\n{stderr}");
    serde_json::from_slice(&output.stdout).unwrap()
}

/// One number out of DuckDB.
#[track_caller]
pub(crate) fn duckdb_count(folder: &Path, sql: &str) -> u64 {
    duckdb(folder, sql)[0][0].as_u64().unwrap()
}

/// Runs `retrial` and gives what it gave with its peak memory in bytes.
pub(crate) fn with_peak_memory(arguments: &[&str], environment: &[(&str, &str)]) -> (Ran, u64) {
    let script = root().join("tests/support/peak_memory.py");
    let mut output = Command::new(python())
        .arg(script)
        .arg(env!("CARGO_BIN_EXE_retrial"))
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root())
        .output()
        .unwrap();
    let stderr = String::from_utf8(std::mem::take(&mut output.stderr)).unwrap();
    let (stderr, peak) = stderr
        .trim_end()
        .rsplit_once("PEAK ")
        .expect("the script ends with the peak");
    let peak = peak.trim().parse().unwrap();
    output.stderr = stderr.as_bytes().to_vec();
    (Ran::of(output), peak)
}

/// Gzips.
pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Writes a file and the folders on its way.
pub(crate) fn write(folder: &Path, key: &str, bytes: &[u8]) {
    let path = folder.join(key);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

/// A record of a role session's `ListTrainingJobs`, with this event id.
pub(crate) fn record(event_id: &str) -> Value {
    serde_json::json!({
        "eventVersion": "1.11",
        "userIdentity": {
            "type": "IAMUser",
            "principalId": "AIDAEXAMPLEUSERANA000",
            "arn": "arn:aws:iam::111122223333:user/ana",
            "accountId": "111122223333",
            "accessKeyId": "AKIAEXAMPLEKEYOFANA0",
            "userName": "ana"
        },
        "eventTime": "2026-11-02T09:30:00Z",
        "eventSource": "sagemaker.amazonaws.com",
        "eventName": "ListTrainingJobs",
        "awsRegion": "eu-west-1",
        "sourceIPAddress": "203.0.113.7",
        "userAgent": "aws-cli/2.31.0",
        "requestParameters": null,
        "responseElements": null,
        "requestID": "5f0d7c52-1111-2222-3333-444455556666",
        "eventID": event_id,
        "readOnly": true,
        "eventType": "AwsApiCall",
        "managementEvent": true,
        "recipientAccountId": "111122223333",
        "eventCategory": "Management"
    })
}

/// `{"Records":[…]}` of records with these event ids.
pub(crate) fn log(event_ids: &[&str]) -> String {
    let records: Vec<Value> = event_ids.iter().map(|id| record(id)).collect();
    serde_json::json!({ "Records": records }).to_string()
}

/// A snapshot, as one file, of an account with one user, `ana`, who may list training jobs.
pub(crate) fn snapshot_of_ana(folder: &Path) -> PathBuf {
    let path = folder.join("iam.json");
    let details = serde_json::json!({
        "UserDetailList": [{
            "Path": "/", "UserName": "ana", "UserId": "AIDAEXAMPLEUSERANA000", "Arn": "arn:aws:iam::111122223333:user/ana",
            "CreateDate": "2024-03-01T08:00:00Z", "GroupList": [], "AttachedManagedPolicies": [], "Tags": [],
            "UserPolicyList": [{
                "PolicyName": "jobs",
                "PolicyDocument": {"Version": "2012-10-17", "Statement": [{"Sid": "List", "Effect": "Allow", "Action": "sagemaker:List*", "Resource": "*"}]}
            }]
        }],
        "GroupDetailList": [], "RoleDetailList": [], "Policies": []
    });
    fs::write(&path, details.to_string()).unwrap();
    path
}

/// Every file under a folder with its bytes, by path.
pub(crate) fn files_under(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut folders = vec![folder.to_owned()];
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else {
                files.push((
                    text(path.strip_prefix(folder).unwrap()).to_owned(),
                    fs::read(&path).unwrap(),
                ));
            }
        }
    }
    files.sort();
    files
}
