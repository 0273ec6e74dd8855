//! A few digest files, as log file validation delivers them every hour: here two hours of one day.
//!
//! Their hashes are real, their signatures are not: those are made with AWS's private key.
//! See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-validation-digest-file-structure.html>.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::organisation::{IRELAND, PLATFORM, RESEARCH, TRAIL, VIRGINIA};
use super::{Files, LEVEL, LogFile};
use crate::clock::{DAY, HOUR, MONDAY, day_path, iso, long_stamp};
use crate::log_file::{ORGANIZATION, compressed};
use crate::rng::Rng;

/// Tuesday, 12:00 and 13:00.
const HOURS: [i64; 2] = [MONDAY + DAY + 12 * HOUR, MONDAY + DAY + 13 * HOUR];

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes)
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

pub(super) fn of(logs: &[LogFile], rng: &mut Rng) -> Files {
    let mut files = Files::new();
    for (account, region) in [
        (RESEARCH, IRELAND),
        (RESEARCH, VIRGINIA),
        (PLATFORM, IRELAND),
    ] {
        let mut previous = None;
        for start in HOURS {
            let key = digest_key(account, region, start + HOUR);
            let digest = digest((account, region), start, &key, logs, previous.as_ref(), rng);
            let text = serde_json::to_string(&digest).expect("a value has text");
            previous = Some((key.clone(), sha256(text.as_bytes())));
            files.insert(
                key,
                compressed(text.as_bytes(), LEVEL).expect("memory does not fail"),
            );
        }
    }
    files
}

fn digest_key(account: &str, region: &str, end: i64) -> String {
    format!(
        "AWSLogs/{ORGANIZATION}/{account}/CloudTrail-Digest/{region}/{}/{account}_CloudTrail-Digest_{region}_organization_{IRELAND}_{}.json.gz",
        day_path(end),
        long_stamp(end)
    )
}

fn digest(
    place: (&str, &str),
    start: i64,
    key: &str,
    logs: &[LogFile],
    previous: Option<&(String, String)>,
    rng: &mut Rng,
) -> Value {
    let covered: Vec<&LogFile> = logs
        .iter()
        .filter(|log| {
            (log.account.as_str(), log.region) == place
                && (start..start + HOUR).contains(&log.delivered)
        })
        .collect();
    let entries: Vec<Value> = covered
        .iter()
        .map(|log| {
            json!({
                "s3Bucket": TRAIL.name, "s3Object": log.key, "hashValue": sha256(log.text.as_bytes()), "hashAlgorithm": "SHA-256",
                "newestEventTime": iso(log.times.1), "oldestEventTime": iso(log.times.0),
            })
        })
        .collect();
    json!({
        "awsAccountId": place.0, "digestStartTime": iso(start), "digestEndTime": iso(start + HOUR),
        "digestS3Bucket": TRAIL.name, "digestS3Object": key,
        "digestPublicKeyFingerprint": "0123456789abcdef0123456789abcdef", "digestSignatureAlgorithm": "SHA256withRSA",
        "newestEventTime": covered.iter().map(|log| log.times.1).max().map(iso),
        "oldestEventTime": covered.iter().map(|log| log.times.0).min().map(iso),
        "previousDigestS3Bucket": previous.map(|_| TRAIL.name), "previousDigestS3Object": previous.map(|(key, _)| key),
        "previousDigestHashValue": previous.map(|(_, hash)| hash), "previousDigestHashAlgorithm": previous.map(|_| "SHA-256"),
        "previousDigestSignature": previous.map(|_| rng.hex(512)),
        "logFiles": entries,
    })
}
