//! The program as a process that can be watched, told to stop and killed.

use std::fs::{self, File};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::root;

/// Longer than any of these runs takes, on any machine.
const PATIENCE: Duration = Duration::from_secs(300);
/// Between two looks at something that is awaited.
const LOOK: Duration = Duration::from_millis(2);

/// A run under way.
pub(crate) struct Running {
    child: Child,
    /// What it prints goes into files, so that no full pipe holds it up.
    talk: TempDir,
}

/// How a run ended.
#[derive(Debug)]
pub(crate) struct Ended {
    /// `None` where a signal ended it.
    pub(crate) status: Option<i32>,
    pub(crate) stderr: String,
}

/// Starts any program in the project's root.
pub(crate) fn start(program: &Path, arguments: &[&str]) -> Running {
    start_with(program, arguments, &[])
}

/// Starts any program with these variables in its environment.
pub(crate) fn start_with(
    program: &Path,
    arguments: &[&str],
    environment: &[(&str, &str)],
) -> Running {
    let talk = tempfile::tempdir().unwrap();
    let file = |name: &str| File::create(talk.path().join(name)).unwrap();
    let child = Command::new(program)
        .args(arguments)
        .envs(environment.iter().copied())
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(file("stdout"))
        .stderr(file("stderr"))
        .spawn()
        .unwrap();
    Running { child, talk }
}

/// Starts `retrial`.
pub(crate) fn start_retrial(arguments: &[&str]) -> Running {
    start(Path::new(env!("CARGO_BIN_EXE_retrial")), arguments)
}

impl Running {
    pub(crate) fn has_ended(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// SIGKILL: the process has no say.
    pub(crate) fn kill(mut self) -> Ended {
        self.child.kill().unwrap();
        self.end()
    }

    /// SIGTERM: the process may put its things in order.
    pub(crate) fn terminate(&self) {
        // The process may have ended by itself.
        self.signal("TERM");
    }

    /// SIGINT, as Ctrl-C sends it.
    pub(crate) fn interrupt(&self) {
        self.signal("INT");
    }

    fn signal(&self, name: &str) {
        let pid = self.child.id().to_string();
        let script = "kill -\"$1\" \"$2\"";
        Command::new("sh")
            .args(["-c", script, "sh", name, &pid])
            .status()
            .unwrap();
    }

    /// Waits for the end.
    #[track_caller]
    pub(crate) fn finish(mut self) -> Ended {
        let ended = wait_for(|| self.child.try_wait().unwrap().is_some());
        assert!(ended, "the run does not end");
        self.end()
    }

    fn end(mut self) -> Ended {
        let status = self.child.wait().unwrap().code();
        let read = |name: &str| fs::read_to_string(self.talk.path().join(name)).unwrap();
        Ended {
            status,
            stderr: read("stderr"),
        }
    }
}

impl Ended {
    #[track_caller]
    pub(crate) fn expect_status(self, status: i32) -> Ended {
        assert_eq!(self.status, Some(status), "{self:?}");
        self
    }

    /// It could not run, and says so in one clear error.
    #[track_caller]
    pub(crate) fn expect_error(&self, words: &[&str]) {
        assert_eq!(self.status, Some(2), "{self:?}");
        let errors: Vec<&str> = self
            .stderr
            .lines()
            .filter(|line| line.starts_with("retrial: ") && !line.starts_with("retrial: hint: "))
            .collect();
        assert_eq!(errors.len(), 1, "{}", self.stderr);
        assert!(
            words.iter().any(|word| errors[0].contains(word)),
            "none of {words:?} in: {}",
            errors[0]
        );
        assert!(!self.stderr.contains("panicked"), "{}", self.stderr);
    }
}

/// Looks again and again until `condition` holds; false where it never does.
pub(crate) fn wait_for(mut condition: impl FnMut() -> bool) -> bool {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if condition() {
            return true;
        }
        pass(LOOK);
    }
    false
}

/// Lets an instant come: a signal at a random one is what some tests are about.
pub(crate) fn pass(time: Duration) {
    let (_keep, never) = mpsc::channel::<()>();
    let _ = never.recv_timeout(time);
}

/// A fixed stream of numbers from a seed that is printed, so that a failure can be had again:
/// `RETRIAL_TEST_SEED=…`.
pub(crate) struct Dice(u64);

impl Dice {
    pub(crate) fn new(what: &str) -> Dice {
        let seed = match std::env::var("RETRIAL_TEST_SEED") {
            Ok(seed) => seed.parse().expect("RETRIAL_TEST_SEED is a number"),
            Err(_) => std::time::SystemTime::now()
                .duration_since(std::time::UNIX_EPOCH)
                .unwrap()
                .as_nanos() as u64,
        };
        eprintln!("{what}: RETRIAL_TEST_SEED={seed}");
        Dice(seed)
    }

    /// A number from 0 to 1 (splitmix64).
    pub(crate) fn share(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}
