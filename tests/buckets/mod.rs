//! The program over buckets: a real S3 server, and networks that break.

mod ahead;
mod faults;
mod kill;
mod permissions;
mod whole;

use std::fs;
use std::path::Path;

use serde_json::Value;

use crate::s3::server::{ACCESS_KEY, SECRET_KEY, Server, server};
use crate::support::corpora::{bytes_of, same_bytes};
use crate::support::process::{Running, start_with};
use crate::support::{Ran, books_balance, retrial_with, text, with_peak_memory, write};

/// What the AWS SDKs read, so that nothing of this machine's is found.
const ENVIRONMENT: [(&str, &str); 6] = [
    ("AWS_ACCESS_KEY_ID", ACCESS_KEY),
    ("AWS_SECRET_ACCESS_KEY", SECRET_KEY),
    ("AWS_REGION", "us-east-1"),
    ("AWS_EC2_METADATA_DISABLED", "true"),
    ("AWS_CONFIG_FILE", "/dev/null"),
    ("AWS_SHARED_CREDENTIALS_FILE", "/dev/null"),
];

/// A place in a bucket, and the way to it: the server itself, or a proxy before it.
#[derive(Clone)]
pub(crate) struct Place {
    server: &'static Server,
    /// `bucket/prefix`.
    name: String,
    endpoint: String,
    /// The output's prefix in it.
    out: String,
}

impl Place {
    /// An empty one; `None`, said aloud, where there is no server.
    pub(crate) fn new() -> Option<Place> {
        let server = server()?;
        Some(Place {
            server,
            name: server.new_place(),
            endpoint: format!("http://127.0.0.1:{}", server.port()),
            out: "out".to_owned(),
        })
    }

    /// One that holds a folder's files below `in/`.
    pub(crate) fn holding(folder: &Path) -> Option<Place> {
        let place = Place::new()?;
        place.put_folder("in", folder);
        Some(place)
    }

    /// The same place by way of what listens on this port.
    pub(crate) fn through(&self, port: u16) -> Place {
        Place {
            endpoint: format!("http://127.0.0.1:{port}"),
            ..self.clone()
        }
    }

    /// The same place with another output.
    pub(crate) fn with_output(&self, out: &str) -> Place {
        Place {
            out: out.to_owned(),
            ..self.clone()
        }
    }

    /// The server's port.
    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    /// `s3://bucket/prefix/key`.
    pub(crate) fn address(&self, key: &str) -> String {
        format!("s3://{}/{key}", self.name)
    }

    pub(crate) fn put(&self, key: &str, bytes: &[u8]) {
        self.server.put(&self.name, key, bytes);
    }

    pub(crate) fn get(&self, key: &str) -> Vec<u8> {
        self.server.get(&self.name, key)
    }

    /// An object of the output, if it is there.
    pub(crate) fn find(&self, key: &str) -> Option<Vec<u8>> {
        self.server.find(&self.name, &format!("{}/{key}", self.out))
    }

    pub(crate) fn keys(&self) -> Vec<String> {
        self.server.keys(&self.name)
    }

    pub(crate) fn put_folder(&self, prefix: &str, folder: &Path) {
        let mut objects = Vec::new();
        let mut folders = vec![folder.to_owned()];
        while let Some(next) = folders.pop() {
            for entry in fs::read_dir(&next).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    folders.push(path);
                } else {
                    let key = text(path.strip_prefix(folder).unwrap());
                    objects.push((format!("{prefix}/{key}"), path));
                }
            }
        }
        self.server.put_files(&self.name, objects);
    }

    /// Copies what lies below `prefix` into a folder.
    pub(crate) fn fetch(&self, prefix: &str, folder: &Path) {
        for key in self.keys() {
            if let Some(below) = key.strip_prefix(&format!("{prefix}/")) {
                write(folder, below, &self.get(&key));
            }
        }
    }

    /// The objects of the output; what names the source is the same wherever that is.
    pub(crate) fn output(&self) -> Vec<(String, Vec<u8>)> {
        let folder = tempfile::tempdir().unwrap();
        self.fetch(&self.out, folder.path());
        comparable(folder.path(), &self.address("in"))
    }

    fn arguments<'a>(&'a self, arguments: &[&'a str]) -> Vec<&'a str> {
        let reach = ["--endpoint-url", &self.endpoint, "--path-style"];
        let patience = ["--read-timeout", "2", "--max-attempts", "4"];
        [arguments, &reach[..], &patience[..]].concat()
    }

    /// Runs `retrial`.
    pub(crate) fn retrial(&self, arguments: &[&str]) -> Ran {
        retrial_with(&self.arguments(arguments), &ENVIRONMENT)
    }

    /// `retrial analyze` of `in` into the output.
    fn analysis(&self, iam: &Path, more: &[&str]) -> Vec<String> {
        let (source, out) = (self.address("in"), self.address(&self.out));
        let fixed = ["analyze", &source, "--iam", text(iam), "--out", &out];
        let all = [&fixed[..], more].concat();
        all.into_iter().map(str::to_owned).collect()
    }

    /// Starts it, without a summary.
    pub(crate) fn start_analysis(&self, iam: &Path, more: &[&str]) -> Running {
        let arguments = self.analysis(iam, &[&["--quiet"], more].concat());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let program = Path::new(env!("CARGO_BIN_EXE_retrial"));
        start_with(program, &self.arguments(&arguments), &ENVIRONMENT)
    }

    /// Its status and its JSON, after the books were seen to balance.
    #[track_caller]
    pub(crate) fn analyze(&self, iam: &Path, more: &[&str]) -> (i32, Value) {
        let arguments = self.analysis(iam, &[&["--format", "json"], more].concat());
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        let ran = self.retrial(&arguments);
        assert!(ran.status == 0 || ran.status == 3, "{ran:?}");
        let report = ran.json();
        books_balance(&report);
        (ran.status, report)
    }
}

/// The log files of a folder in a bucket give what they gave in the folder, and need no more than so many
/// bytes of memory.
#[track_caller]
pub(crate) fn same_over_a_bucket((logs, iam): (&Path, &Path), out: &Path, memory: u64) {
    let Some(place) = Place::holding(logs) else {
        return;
    };
    let arguments = place.analysis(iam, &["--format", "json"]);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let (ran, peak) = with_peak_memory(&place.arguments(&arguments), &ENVIRONMENT);
    assert!(ran.status == 0 || ran.status == 3, "{ran:?}");
    books_balance(&ran.json());
    assert!(peak < memory, "{} MB at the peak", peak >> 20);
    same_bytes(
        &comparable(out, text(logs)),
        &place.output(),
        "a folder and a bucket",
    );
}

/// An output's files with their bytes; the name of the source and the writers' count apart.
pub(crate) fn comparable(out: &Path, source: &str) -> Vec<(String, Vec<u8>)> {
    let mut files = bytes_of(out);
    // The lock is the folder's own.
    files.retain(|(key, _)| key != ".retrial-lock");
    for (key, bytes) in &mut files {
        if key.starts_with("_retrial/plans/") || key.starts_with("_retrial/retry/") {
            let lines = String::from_utf8(std::mem::take(bytes)).unwrap();
            *bytes = lines.replace(source, "SOURCE").into_bytes();
        }
    }
    files
}
