//! Latency is hidden: many requests wait for the network at once.

use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use super::Place;
use crate::s3::proxy::{Fault, Proxy, Seen};
use crate::support::corpora::{Corpus, same_bytes};
use crate::support::{analyze, gzip, log, snapshot_of_ana, text, write};

/// Holds requests back until so many are there at once.
struct Gate {
    wanted: usize,
    /// How many are there, and the most that ever were.
    there: Mutex<(usize, usize)>,
    changed: Condvar,
}

impl Gate {
    fn new(wanted: usize) -> Arc<Gate> {
        Arc::new(Gate {
            wanted,
            there: Mutex::default(),
            changed: Condvar::new(),
        })
    }

    fn pass(&self) {
        let mut there = self.there.lock().unwrap();
        there.0 += 1;
        there.1 = there.1.max(there.0);
        self.changed.notify_all();
        // Longer than the program takes to send them, shorter than its patience.
        let patience = Duration::from_millis(1_500);
        let waits = |there: &mut (usize, usize)| there.1 < self.wanted;
        let waited = self.changed.wait_timeout_while(there, patience, waits);
        waited.unwrap().0.0 -= 1;
    }

    /// The most that were there at once.
    fn most(&self) -> usize {
        self.there.lock().unwrap().1
    }
}

fn is_download(seen: &Seen) -> bool {
    seen.method == "GET" && seen.path.contains(".json.gz")
}

#[test]
fn many_log_files_are_on_their_way_at_once() {
    let corpus = Corpus::new(&[
        "--events",
        "4000",
        "--files",
        "200",
        "--principals",
        "400",
        "--days",
        "1",
    ]);
    let Some(place) = Place::holding(&corpus.path()) else {
        return;
    };
    let gate = Gate::new(60);
    let held = Arc::clone(&gate);
    let proxy = Proxy::start(place.port(), move |seen| {
        if is_download(seen) {
            held.pass();
        }
        Fault::None
    });
    let (status, report) = place.through(proxy.port()).analyze(&corpus.iam(), &[]);
    assert_eq!(status, 0);
    let files = usize::try_from(report["files"]["read"].as_u64().unwrap()).unwrap();
    assert!(files >= 100, "{files}");
    assert!(gate.most() >= 60, "{} at once", gate.most());
    // None is asked for twice.
    let seen = proxy.seen();
    assert_eq!(seen.iter().filter(|seen| is_download(seen)).count(), files);

    // With 100 ms before each answer: one by one they would take that many times as long.
    let latency = Duration::from_millis(100);
    let slow = Proxy::start(place.port(), move |seen| match is_download(seen) {
        true => Fault::Delay(latency),
        false => Fault::None,
    });
    let begun = Instant::now();
    let later = place.with_output("slow");
    later.through(slow.port()).analyze(&corpus.iam(), &[]);
    let (took, waits) = (begun.elapsed(), latency * u32::try_from(files).unwrap());
    eprintln!("{files} objects, each {latency:?} later: {took:?}, one by one {waits:?}");
    assert!(took < waits / 2, "{took:?} of {waits:?}");
    same_bytes(&place.output(), &later.output(), "slow");
}

/// An organization's accounts and Regions: their listings wait together.
#[test]
fn many_places_are_listed_at_once() {
    let Some(place) = Place::new() else { return };
    let folder = tempfile::tempdir().unwrap();
    let logs = folder.path().join("logs");
    for account in 0..40 {
        let account = format!("2000000000{account:02}");
        let day = format!("AWSLogs/o-exampleorg1/{account}/CloudTrail/eu-west-1/2026/11/02");
        let name = format!("{account}_CloudTrail_eu-west-1_20261102T0930Z_0123456789abcdef");
        let bytes = gzip(log(&[&account]).as_bytes());
        write(&logs, &format!("{day}/{name}.json.gz"), &bytes);
    }
    place.put_folder("in", &logs);
    let gate = Gate::new(30);
    let held = Arc::clone(&gate);
    let proxy = Proxy::start(place.port(), move |seen| {
        if seen.path.contains("list-type=2") && seen.path.contains("CloudTrail%2Feu-west-1%2F") {
            held.pass();
        }
        Fault::None
    });
    let iam = snapshot_of_ana(folder.path());
    place.through(proxy.port()).analyze(&iam, &[]);
    assert!(gate.most() >= 30, "{} at once", gate.most());
    let out = folder.path().join("out");
    analyze(&logs, &iam, &out, &[]);
    same_bytes(
        &super::comparable(&out, text(&logs)),
        &place.output(),
        "listed",
    );
}
