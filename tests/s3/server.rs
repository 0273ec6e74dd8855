//! A real S3 server on this machine: SeaweedFS, which `tests/run` installs.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use aws_sdk_s3::Client;
use aws_sdk_s3::config::{BehaviorVersion, Credentials, Region};
use aws_sdk_s3::primitives::ByteStream;
use retrial_storage::{S3Address, S3Bucket, S3Options};
use tempfile::TempDir;
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

/// How long the server may take to answer after its start.
const PATIENCE: Duration = Duration::from_secs(60);

const BUCKET: &str = "logs";

/// Puts under way at once.
const AT_ONCE: usize = 16;

pub(crate) const ACCESS_KEY: &str = "AKIAIOSFODNN7EXAMPLE";
pub(crate) const SECRET_KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";

/// Runs what follows, and ends it when its own standard input ends: with the tests, however they end.
/// The folder goes then too.
const UNTIL_THE_TESTS_END: &str =
    r#"folder=$1; shift; "$@" </dev/null & cat >/dev/null; kill -9 $!; rm -rf "$folder""#;

pub(crate) struct Server {
    process: Child,
    port: u16,
}

/// One server for all tests of a program.
pub(crate) fn server() -> Option<&'static Server> {
    static SERVER: OnceLock<Option<Server>> = OnceLock::new();
    SERVER.get_or_init(Server::start).as_ref()
}

/// The program, beside the tests' Python; `None`, said aloud, where the tests were not set up.
fn program() -> Option<PathBuf> {
    let python = std::env::var_os("RETRIAL_TEST_PYTHON").map(PathBuf::from);
    let program = python.and_then(|python| Some(python.parent()?.join("weed")));
    match program {
        Some(program) if program.exists() => Some(program),
        _ if std::env::var_os("CI").is_some() => panic!("no S3 server: run tests/run"),
        _ => {
            eprintln!("SKIPPED: no S3 server beside RETRIAL_TEST_PYTHON; tests/run sets it up");
            None
        }
    }
}

/// Ports that are free now; all listeners are held until all are known, so that no two are the same.
fn free_ports<const N: usize>() -> [u16; N] {
    let listeners = [(); N].map(|()| TcpListener::bind("127.0.0.1:0").unwrap());
    listeners.map(|listener| listener.local_addr().unwrap().port())
}

impl Server {
    fn start() -> Option<Server> {
        let program = program()?;
        // Another process may take a port in between: then the server ends, and other ports are tried.
        for _ in 0..5 {
            if let Some(server) = Self::try_start(&program) {
                return Some(server);
            }
        }
        panic!("the S3 server does not start");
    }

    fn try_start(program: &PathBuf) -> Option<Server> {
        let folder = TempDir::new().unwrap().keep();
        let config = folder.join("s3.json");
        let identity = format!(
            r#"{{"identities": [{{"name": "tests", "credentials": [{{"accessKey": "{ACCESS_KEY}", "secretKey": "{SECRET_KEY}"}}], "actions": ["Admin", "Read", "List", "Tagging", "Write"]}}]}}"#
        );
        fs::write(&config, identity).unwrap();
        let data = folder.join("data");
        fs::create_dir(&data).unwrap();
        let names = [
            "master.port",
            "master.port.grpc",
            "volume.port",
            "volume.port.grpc",
            "filer.port",
            "filer.port.grpc",
            "s3.port",
            "s3.port.grpc",
        ];
        let ports: [u16; 8] = free_ports();
        let mut command = Command::new("sh");
        command
            .args(["-c", UNTIL_THE_TESTS_END, "sh"])
            .args([&folder, program])
            .arg("server")
            .arg(format!("-dir={}", data.display()))
            .arg("-ip=127.0.0.1")
            .arg("-ip.bind=127.0.0.1")
            .arg("-s3")
            .arg(format!("-s3.config={}", config.display()))
            .arg("-s3.port.iceberg=0")
            .arg("-s3.port.lance=0")
            .arg("-master.telemetry=false")
            .arg("-volume.max=100")
            .arg("-master.volumeSizeLimitMB=64")
            .current_dir(&folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        for (name, port) in names.iter().zip(ports) {
            command.arg(format!("-{name}={port}"));
        }
        let mut server = Server {
            process: command.spawn().unwrap(),
            port: ports[6],
        };
        server.is_ready().then_some(server)
    }

    /// Waits until the server makes a bucket, which takes all its parts.
    fn is_ready(&mut self) -> bool {
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE {
            if self.process.try_wait().unwrap().is_some() {
                return false;
            }
            if TcpStream::connect(("127.0.0.1", self.port)).is_ok() && self.make_bucket().is_ok() {
                return true;
            }
            std::thread::yield_now();
        }
        false
    }

    fn make_bucket(&self) -> Result<(), String> {
        let client = client(self.port);
        runtime().block_on(async {
            // A part of the server that is not up yet may fail the put behind the first bucket.
            let _ = client.create_bucket().bucket(BUCKET).send().await;
            let put = client.put_object().bucket(BUCKET).key("first");
            let put = put.body(b"x".to_vec().into()).send().await;
            put.map(drop).map_err(|error| format!("{error:?}"))
        })
    }

    /// An empty place in the one bucket (each bucket would take the server a dozen volumes):
    /// `bucket/prefix`.
    pub(crate) fn new_place(&self) -> String {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        format!("{BUCKET}/place-{}", NEXT.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn port(&self) -> u16 {
        self.port
    }

    /// Puts an object into a place.
    pub(crate) fn put(&self, place: &str, key: &str, bytes: &[u8]) {
        let (bucket, prefix) = place.split_once('/').unwrap();
        let request = client(self.port).put_object().bucket(bucket);
        let request = request.key(format!("{prefix}/{key}"));
        runtime()
            .block_on(request.body(bytes.to_vec().into()).send())
            .unwrap();
    }

    /// Puts files into a place under these keys, many at once.
    pub(crate) fn put_files(&self, place: &str, files: Vec<(String, PathBuf)>) {
        let (bucket, prefix) = place.split_once('/').unwrap();
        let client = client(self.port);
        let permits = Arc::new(Semaphore::new(AT_ONCE));
        runtime().block_on(async {
            let mut puts = JoinSet::new();
            for (key, path) in files {
                let request = client.put_object().bucket(bucket);
                let request = request.key(format!("{prefix}/{key}"));
                let permit = Arc::clone(&permits).acquire_owned().await.unwrap();
                puts.spawn(async move {
                    let body = ByteStream::from_path(path).await.unwrap();
                    request.body(body).send().await.unwrap();
                    drop(permit);
                });
            }
            puts.join_all().await;
        });
    }

    /// The keys of a place.
    pub(crate) fn keys(&self, place: &str) -> Vec<String> {
        let (bucket, prefix) = place.split_once('/').unwrap();
        let root = format!("{prefix}/");
        let client = client(self.port);
        let mut keys = Vec::new();
        let mut token = None;
        loop {
            let request = client.list_objects_v2().bucket(bucket).prefix(&root);
            let request = request.set_continuation_token(token);
            let page = runtime().block_on(request.send()).unwrap();
            let names = page.contents().iter().map(|object| object.key().unwrap());
            keys.extend(names.map(|key| key.strip_prefix(&root).unwrap().to_owned()));
            token = page.next_continuation_token().map(str::to_owned);
            if token.is_none() {
                return keys;
            }
        }
    }

    /// An object of a place.
    pub(crate) fn get(&self, place: &str, key: &str) -> Vec<u8> {
        self.find(place, key).unwrap_or_else(|| panic!("no {key}"))
    }

    /// An object of a place, if it is there.
    pub(crate) fn find(&self, place: &str, key: &str) -> Option<Vec<u8>> {
        let (bucket, prefix) = place.split_once('/').unwrap();
        let request = client(self.port).get_object().bucket(bucket);
        let request = request.key(format!("{prefix}/{key}"));
        runtime().block_on(async {
            match request.send().await {
                Ok(answer) => Some(answer.body.collect().await.unwrap().to_vec()),
                Err(error) if error.as_service_error()?.is_no_such_key() => None,
                Err(error) => panic!("{error:?}"),
            }
        })
    }

    /// Takes an object out of a place.
    pub(crate) fn delete(&self, place: &str, key: &str) {
        let (bucket, prefix) = place.split_once('/').unwrap();
        let request = client(self.port).delete_object().bucket(bucket);
        let request = request.key(format!("{prefix}/{key}"));
        runtime().block_on(request.send()).unwrap();
    }
}

fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| {
        tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap()
    })
}

fn client(port: u16) -> Client {
    let config = aws_sdk_s3::Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .endpoint_url(format!("http://127.0.0.1:{port}"))
        .credentials_provider(Credentials::new(
            ACCESS_KEY, SECRET_KEY, None, None, "tests",
        ))
        .force_path_style(true)
        .build();
    Client::from_conf(config)
}

/// Options for a server, or a proxy before it, at `port`.
pub(crate) fn options(port: u16) -> S3Options {
    S3Options {
        region: Some("us-east-1".to_owned()),
        endpoint_url: Some(format!("http://127.0.0.1:{port}")),
        path_style: true,
        credentials: Some((ACCESS_KEY.to_owned(), SECRET_KEY.to_owned())),
        attempts: 4,
        patience: Duration::from_secs(2),
        ..S3Options::default()
    }
}

pub(crate) fn connect(port: u16, address: &str) -> S3Bucket {
    let address: S3Address = address.parse().unwrap();
    S3Bucket::open(address, options(port)).unwrap()
}
