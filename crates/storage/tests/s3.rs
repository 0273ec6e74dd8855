//! Buckets: the conformance suite against a real server, and what a network does to us, by a proxy.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::print_stderr,
    reason = "tests may fail loudly"
)]

mod conformance;
#[path = "../../../tests/s3/mod.rs"]
mod s3;

use std::io::{Read, Write};

use retrial_storage::{
    Condition, Range, S3Bucket, S3Options, S3Source, S3Store, Source, Store, key,
};
use s3::proxy::{Fault, Proxy, Seen};
use s3::server::{Server, connect, options, server};

fn raw(key: &str) -> String {
    String::from_utf8(key::decode_bytes(key).unwrap().into_owned()).unwrap()
}

#[test]
fn the_bucket_source_conforms() {
    let Some(server) = server() else { return };
    let bucket = server.new_place();
    for (key, text) in conformance::FILES {
        server.put(&bucket, &raw(key), text.as_bytes());
        server.put(
            &bucket,
            &format!("some/prefix/{}", raw(key)),
            text.as_bytes(),
        );
    }
    // What lies beside the prefix is not below it.
    server.put(&bucket, "some/prefix-b/x", b"x");
    let source = |prefix: &str| {
        S3Source::new(connect(server.port(), &format!("s3://{bucket}/{prefix}"))).unwrap()
    };
    // SeaweedFS orders by folders: to it `AWSLogs/…` stands before `AWSLogs-old/…`, so that what
    // starts after the latter leaves out the former. S3's order is that of bytes.
    let not_in_byte_order = ["AWSLogs-old/zzz"];
    conformance::source(&source("some/prefix"), &not_in_byte_order);
    conformance::source(&source("some/prefix/"), &not_in_byte_order);

    let single = source("some/prefix/AWSLogs/111122223333/b.json.gz");
    let listed: Vec<_> = single.list(&Range::default()).map(Result::unwrap).collect();
    assert_eq!(listed.len(), 1);
    assert_eq!((listed[0].key.as_str(), listed[0].size), ("b.json.gz", 2));
    let mut text = String::new();
    let mut body = single.open("b.json.gz").unwrap();
    body.read_to_string(&mut text).unwrap();
    assert_eq!(text, "bb");
}

#[test]
fn the_bucket_store_conforms() {
    let Some(server) = server() else { return };
    conformance::store(&|| {
        let bucket = server.new_place();
        Box::new(S3Store::new(connect(
            server.port(),
            &format!("s3://{bucket}/out"),
        )))
    });
}

#[test]
fn more_than_a_page_is_listed() {
    let Some(server) = server() else { return };
    let bucket = server.new_place();
    let keys: Vec<String> = (0..1_100).map(|number| format!("n/{number:05}")).collect();
    for key in &keys {
        server.put(&bucket, key, b"x");
    }
    let source = S3Source::new(connect(server.port(), &format!("s3://{bucket}"))).unwrap();
    let listed = |range: &Range| -> Vec<String> {
        source.list(range).map(|entry| entry.unwrap().key).collect()
    };
    assert_eq!(listed(&Range::default()), keys);
    let after = Range {
        prefix: "n/".to_owned(),
        start_after: Some("n/00009".to_owned()),
    };
    assert_eq!(listed(&after), keys[10..]);
}

/// A large object of bytes that repeat at no round distance.
fn large() -> Vec<u8> {
    (0..=250).cycle().take(20_000_003).collect()
}

#[test]
fn a_large_upload_is_multipart_and_whole() {
    let Some(server) = server() else { return };
    let bucket = server.new_place();
    let proxy = Proxy::start(server.port(), |_| Fault::None);
    let store = S3Store::new(connect(proxy.port(), &format!("s3://{bucket}/out")));
    let mut upload = store.begin("big").unwrap();
    upload.write_all(&large()).unwrap();
    assert_eq!(store.list("").unwrap(), [], "invisible until complete");
    assert_eq!(upload.complete().unwrap(), 20_000_003);
    assert!(store.read("big").unwrap().unwrap().bytes == large());
    let parts = proxy
        .seen()
        .iter()
        .filter(|seen| seen.method == "PUT" && seen.path.contains("partNumber="))
        .count();
    assert_eq!(parts, 3);

    // Of two, the second loses.
    let mut second = store.begin("big").unwrap();
    second.write_all(&large()).unwrap();
    let error = second.complete().unwrap_err();
    assert!(error.is_conflict(), "{error}");
}

/// Reads `object` through a proxy with a rule.
fn read_through(
    server: &Server,
    rule: impl Fn(&Seen) -> Fault + Send + Sync + 'static,
) -> Result<Vec<u8>, String> {
    let bucket = server.new_place();
    server.put(&bucket, "object", &large());
    let proxy = Proxy::start(server.port(), rule);
    let source = S3Source::new(connect(proxy.port(), &format!("s3://{bucket}"))).unwrap();
    let mut bytes = Vec::new();
    let mut body = source.open("object").map_err(|error| error.to_string())?;
    match body.read_to_end(&mut bytes) {
        Ok(_) => Ok(bytes),
        Err(error) => Err(error.to_string()),
    }
}

#[test]
fn broken_downloads_go_on_where_they_broke() {
    let Some(server) = server() else { return };
    for fault in [
        Fault::Answer(503, "SlowDown"),
        Fault::Answer(500, "InternalError"),
        Fault::CutAfter(0),
        Fault::CutAfter(5_000_000),
        Fault::StallAfter(100_000),
        Fault::LoseAnswer,
    ] {
        let name = format!("{fault:?}");
        let rule = move |seen: &Seen| match seen.before {
            0 | 1 if seen.method == "GET" => fault.clone(),
            _ => Fault::None,
        };
        let bytes = read_through(server, rule).unwrap();
        assert!(bytes == large(), "{name}: {} bytes", bytes.len());
    }
}

#[test]
fn a_download_that_never_works_says_so() {
    let Some(server) = server() else { return };
    let check = |fault: Fault, expect: &str| {
        let rule = move |seen: &Seen| match seen.method.as_str() {
            "GET" => fault.clone(),
            _ => Fault::None,
        };
        assert_eq!(read_through(server, rule).unwrap_err(), expect);
    };
    check(
        Fault::Answer(403, "AccessDenied"),
        "cannot open `object`: access denied: it takes `s3:GetObject`",
    );
    check(
        Fault::Answer(503, "SlowDown"),
        "cannot open `object`: S3 asks to slow down (503 SlowDown), again and again",
    );
    check(
        Fault::Answer(403, "RequestTimeTooSkewed"),
        "cannot open `object`: this machine's clock and S3's differ too much",
    );
    check(
        Fault::CutAfter(0),
        "cannot read `object`: the connection broke again and again",
    );
}

#[test]
fn a_listing_that_is_refused_is_one_error() {
    let Some(server) = server() else { return };
    let bucket = server.new_place();
    let proxy = Proxy::start(server.port(), |seen| {
        match seen.path.contains("list-type") {
            true => Fault::Answer(403, "AccessDenied"),
            false => Fault::None,
        }
    });
    let source = S3Source::new(connect(proxy.port(), &format!("s3://{bucket}/a"))).unwrap();
    let listed: Vec<_> = source.list(&Range::under("AWSLogs/")).collect();
    let [Err(error)] = listed.as_slice() else {
        panic!("{listed:?}");
    };
    assert_eq!(
        error.to_string(),
        "cannot list `AWSLogs/`: access denied: it takes `s3:ListBucket`"
    );
    assert!(error.is_retryable());
    let none = connect(server.port(), "s3://no-such-bucket");
    let listed: Vec<_> = S3Source::new(none)
        .unwrap()
        .list(&Range::default())
        .collect();
    assert_eq!(
        listed[0].as_ref().unwrap_err().to_string(),
        "cannot list `s3://no-such-bucket`: the bucket does not exist"
    );
}

/// A write whose answer is lost: the SDK tries again and meets its own first attempt.
#[test]
fn a_lost_answer_is_not_a_conflict() {
    let Some(server) = server() else { return };
    let bucket = server.new_place();
    let proxy = Proxy::start(server.port(), |seen| match seen.method.as_str() {
        "PUT" | "POST" if seen.before == 0 && !seen.path.contains("partNumber") => {
            match seen.path.ends_with("?uploads") {
                true => Fault::None,
                false => Fault::LoseAnswer,
            }
        }
        _ => Fault::None,
    });
    let store = S3Store::new(connect(proxy.port(), &format!("s3://{bucket}")));
    let first = store.put("state", b"1", Condition::IfAbsent).unwrap();
    let direct = S3Store::new(connect(server.port(), &format!("s3://{bucket}")));
    assert_eq!(direct.read("state").unwrap().unwrap().version, first);
    let conflict = store.put("state", b"2", Condition::IfAbsent).unwrap_err();
    assert!(conflict.is_conflict());

    for (key, bytes) in [("small", b"small".to_vec()), ("large", large())] {
        let mut upload = store.begin(key).unwrap();
        upload.write_all(&bytes).unwrap();
        assert_eq!(upload.complete().unwrap(), bytes.len() as u64);
        assert!(direct.read(key).unwrap().unwrap().bytes == bytes);
    }
}

/// Each request of a write refused for good, in turn: a clear error, and nothing half.
#[test]
fn a_refused_write_leaves_nothing() {
    let Some(server) = server() else { return };
    let check = |part: &'static str, method: &'static str, bytes: &[u8]| {
        let bucket = server.new_place();
        let proxy = Proxy::start(server.port(), move |seen| {
            match seen.method == method && seen.path.contains(part) {
                true => Fault::Answer(403, "AccessDenied"),
                false => Fault::None,
            }
        });
        let store = S3Store::new(connect(proxy.port(), &format!("s3://{bucket}")));
        let mut upload = store.begin("t/x").unwrap();
        let written = upload.write_all(bytes).map_err(|error| error.to_string());
        let error = match written {
            Err(error) => error,
            Ok(()) => upload.complete().unwrap_err().to_string(),
        };
        assert!(error.starts_with("cannot "), "{error}");
        assert!(
            error.ends_with("`t/x`: access denied: it takes `s3:PutObject`"),
            "{error}"
        );
        assert_eq!(store.list("").unwrap(), []);
    };
    check("/t/x", "PUT", b"small");
    check("?uploads", "POST", &large());
    check("partNumber=1", "PUT", &large());
    check("partNumber=3", "PUT", &large());
    check("uploadId=", "POST", &large());
}

/// What is announced is fetched before it is asked for, and no more of it than there is memory for.
#[test]
fn what_is_announced_is_fetched_within_bounds() {
    let Some(server) = server() else { return };
    let place = server.new_place();
    let bytes = vec![7; 4 << 20];
    let keys: Vec<String> = (0..12)
        .map(|number| format!("{number:02}.json.gz"))
        .collect();
    for key in &keys {
        server.put(&place, key, &bytes);
    }
    let proxy = Proxy::start(server.port(), |_| Fault::None);
    let source = S3Source::new(connect(proxy.port(), &format!("s3://{place}"))).unwrap();
    let next: Vec<(&str, u64)> = keys.iter().map(|key| (key.as_str(), 4 << 20)).collect();
    let asked = || {
        let seen = proxy.seen();
        let asked = |seen: &&Seen| seen.method == "GET";
        seen.iter().filter(asked).count()
    };
    let reaches = |count: usize| {
        let begun = std::time::Instant::now();
        while asked() < count && begun.elapsed().as_secs() < 20 {
            std::thread::yield_now();
        }
        assert_eq!(asked(), count);
    };
    source.announce(&next);
    // 32 MB of 48.
    reaches(8);
    let mut body = Vec::new();
    source
        .open(&keys[0])
        .unwrap()
        .read_to_end(&mut body)
        .unwrap();
    assert!(body == bytes);
    // Its room is another's.
    reaches(9);
    // One that was not begun is asked for at once, and not again.
    body.clear();
    source
        .open(&keys[11])
        .unwrap()
        .read_to_end(&mut body)
        .unwrap();
    assert!(body == bytes);
    for key in &keys[1..11] {
        body.clear();
        source.open(key).unwrap().read_to_end(&mut body).unwrap();
        assert!(body == bytes, "{key}");
    }
    assert_eq!(asked(), 12);
    // What is not there is said when it is asked for; what is let go is asked for anew.
    source.announce(&[("none.json.gz", 10), ("00.json.gz", 4 << 20)]);
    let error = source.open("none.json.gz").err().unwrap();
    assert_eq!(error.to_string(), "cannot open `none.json.gz`: not found");
    reaches(14);
    source.announce(&[]);
    body.clear();
    source
        .open("00.json.gz")
        .unwrap()
        .read_to_end(&mut body)
        .unwrap();
    assert!(body == bytes);
    assert_eq!(asked(), 15);
}

/// Every request that writes says how what it writes is to be kept, and who pays.
#[test]
fn options_of_what_is_written() {
    // No server: what is asked counts, not what is answered.
    let proxy = Proxy::start(1, |seen| {
        let begun =
            "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>";
        let ended = "<CompleteMultipartUploadResult><ETag>e</ETag></CompleteMultipartUploadResult>";
        Fault::Document(match seen.method.as_str() {
            "POST" if seen.path.contains("uploads") => begun.to_owned(),
            "POST" => ended.to_owned(),
            _ => String::new(),
        })
    });
    let options = S3Options {
        request_payer: true,
        sse_kms_key_id: Some("alias/tables".to_owned()),
        bucket_owner_full_control: true,
        ..options(proxy.port())
    };
    let bucket = S3Bucket::open("s3://tables/out".parse().unwrap(), options).unwrap();
    let store = S3Store::new(bucket);
    store.put("small", b"1", Condition::Always).unwrap();
    for bytes in [b"small".to_vec(), large()] {
        let mut upload = store.begin("t").unwrap();
        upload.write_all(&bytes).unwrap();
        upload.complete().unwrap();
    }
    store.read("small").unwrap();
    store.size("small").unwrap();
    store.delete("small").unwrap();
    let seen = proxy.seen();
    let begins = |seen: &&Seen| {
        let is_part = seen.path.contains("partNumber") || seen.path.contains("uploadId");
        matches!(seen.method.as_str(), "PUT" | "POST") && !is_part
    };
    assert_eq!(seen.iter().filter(begins).count(), 3, "{seen:?}");
    for seen in seen.iter().filter(begins) {
        let header = |name| seen.header(name);
        assert_eq!(header("x-amz-server-side-encryption"), Some("aws:kms"));
        let key = header("x-amz-server-side-encryption-aws-kms-key-id");
        assert_eq!(key, Some("alias/tables"));
        assert_eq!(header("x-amz-acl"), Some("bucket-owner-full-control"));
    }
    for seen in &seen {
        assert_eq!(
            seen.header("x-amz-request-payer"),
            Some("requester"),
            "{seen:?}"
        );
    }
}

/// Keys that no folder could have, and a listing that nobody can read.
#[test]
fn keys_that_are_none_are_said() {
    let Some(server) = server() else { return };
    let listing = |keys: &[&str]| -> Vec<String> {
        let contents: String = keys
            .iter()
            .map(|key| format!("<Contents><Key>p/{key}</Key><Size>1</Size></Contents>"))
            .collect();
        let document = format!(
            "<ListBucketResult><IsTruncated>false</IsTruncated>{contents}</ListBucketResult>"
        );
        let proxy = Proxy::start(server.port(), move |seen| match seen.method.as_str() {
            "GET" => Fault::Document(document.clone()),
            _ => Fault::Answer(404, "NoSuchKey"),
        });
        let source = S3Source::new(connect(proxy.port(), "s3://logs/p")).unwrap();
        let listed = source.list(&Range::default());
        listed
            .map(|entry| entry.map_or_else(|error| error.to_string(), |entry| entry.key))
            .collect()
    };
    assert_eq!(
        listing(&["fine", "a//b", "../x", "%FF", "with+space", "%1B%5B2J"]),
        [
            "%1B[2J",
            "`../x` cannot be a key: it has a component `.` or `..`",
            "`a//b` cannot be a key: it has an empty component",
            "fine",
            "`p/%25FF` cannot be a key: it is not encoded as a key",
            "with space",
        ]
    );
}
