//! What is remembered of a caller changes nothing: each record of the sample logs, and each of its
//! variations, is replayed with and without.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::print_stderr,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "tests may fail loudly, and read files"
)]

use std::fs;
use std::path::{Path, PathBuf};

use bumpalo::Bump;
use flate2::read::MultiGzDecoder;
use retrial_cloudtrail::RecordParser;
use retrial_iam::{Catalogue, Scratch, Snapshot, SnapshotFile};
use retrial_replay::{
    Assumptions, Call, CallRequest, KeepTexts, KnownCaller, KnownCallers, Mapping, Replayer,
    SessionKnowledge,
};
use serde_json::{Value, json};

/// Records of each kind of event of a file that are varied.
const OF_A_KIND: usize = 1;

struct InArena<'k>(&'k Bump);

impl<'k> KeepTexts<'k> for InArena<'k> {
    fn keep(&self, text: &str) -> &'k str {
        self.0.alloc_str(text)
    }

    fn keep_all(&self, texts: &[&str]) -> &'k [&'k str] {
        self.0
            .alloc_slice_fill_iter(texts.iter().map(|text| self.keep(text)))
    }

    fn arena(&self) -> &'k Bump {
        self.0
    }
}

fn files_under(folder: &Path, end: &str) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(files_under(&path, end));
        } else if path.to_str().unwrap().ends_with(end) {
            files.push(path);
        }
    }
    files.sort();
    files
}

/// A record without each of its members and those of its identity, and with another value in it.
fn variations(record: &Value) -> Vec<Value> {
    let mut all = vec![record.clone()];
    for pointer in [
        "",
        "/userIdentity",
        "/userIdentity/sessionContext",
        "/userIdentity/sessionContext/sessionIssuer",
        "/userIdentity/sessionContext/attributes",
        "/tlsDetails",
    ] {
        let Some(Value::Object(members)) = record.pointer(pointer) else {
            continue;
        };
        for (key, value) in members {
            let mut change = |change: &dyn Fn(&mut serde_json::Map<String, Value>)| {
                let mut varied = record.clone();
                change(
                    varied
                        .pointer_mut(pointer)
                        .unwrap()
                        .as_object_mut()
                        .unwrap(),
                );
                all.push(varied);
            };
            change(&|members| {
                members.remove(key);
            });
            match value {
                Value::String(text) if text == "true" || text == "false" => {
                    let other = if text == "true" { "false" } else { "true" };
                    change(&|members| members[key] = json!(other));
                }
                Value::String(text) => change(&|members| members[key] = json!(format!("{text}x"))),
                Value::Bool(truth) => change(&|members| members[key] = json!(!truth)),
                _ => {}
            }
        }
    }
    let more = json!({"invokedBy": "athena.amazonaws.com", "accessKeyId": "AKIAEXAMPLEKEYOFANA0", "identityProvider": "p", "userName": "somebody"});
    for (key, value) in more.as_object().unwrap() {
        let mut varied = record.clone();
        if let Some(identity) = varied["userIdentity"].as_object_mut() {
            identity.insert(key.clone(), value.clone());
            all.push(varied);
        }
    }
    for (key, value) in [
        ("vpcEndpointId", "vpce-0example"),
        ("vpcEndpointId", "AWS Internal"),
        ("sourceIPAddress", "AWS Internal"),
    ] {
        let mut varied = record.clone();
        varied[key] = json!(value);
        all.push(varied);
    }
    all
}

/// All that is told of a call.
fn told(call: &Call<'_>, known: Option<&KnownCaller<'_>>) -> String {
    let request = |request: &CallRequest<'_>| {
        let mut context = request.context.to_vec();
        if !request.context_is_whole {
            context.extend(known.unwrap().context);
            context.sort_by_key(|(key, _)| *key);
        }
        assert!(context.windows(2).all(|pair| pair[0].0 < pair[1].0));
        let whole = CallRequest {
            context: &context,
            context_is_whole: true,
            ..*request
        };
        format!("{whole:?}")
    };
    let requests: Vec<String> = call.requests.iter().map(request).collect();
    format!(
        "{:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {:?} {requests:#?}",
        call.caller,
        call.outcome,
        call.denial,
        call.decision,
        call.verdict,
        call.reason,
        call.copy,
        call.omission,
        call.change,
        call.needs,
        call.session_policy_id,
        call.identity_provider
    )
}

#[test]
fn what_is_remembered_of_a_caller_changes_nothing() {
    let logs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sample-logs");
    let files: Vec<(String, Vec<u8>)> = files_under(&logs.join("iam"), "")
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(logs.join("iam")).unwrap();
            (name.to_str().unwrap().to_owned(), fs::read(&path).unwrap())
        })
        .collect();
    let files: Vec<SnapshotFile<'_>> = files
        .iter()
        .map(|(path, bytes)| SnapshotFile { path, bytes })
        .collect();
    let (snapshot, _) = Snapshot::read(&files, Catalogue::bundled()).unwrap();
    let mapping = Mapping::bundled(Catalogue::bundled()).unwrap();
    let replayer = Replayer::new(
        Catalogue::bundled(),
        &mapping,
        &snapshot,
        Assumptions::Named,
    );
    let mut parser = RecordParser::new();
    let mut compared = 0;
    let mut remembered = 0;
    for file in files_under(&logs, ".json.gz") {
        let log: Value =
            serde_json::from_reader(MultiGzDecoder::new(fs::File::open(file).unwrap())).unwrap();
        let kept = Bump::new();
        let mut callers = KnownCallers::default();
        let mut seen: Vec<(&str, usize)> = Vec::new();
        for record in log["Records"].as_array().into_iter().flatten() {
            let kind = record["eventName"].as_str().unwrap_or_default();
            let times = match seen.iter_mut().find(|(name, _)| *name == kind) {
                Some((_, times)) => times,
                None => {
                    seen.push((kind, 0));
                    &mut seen.last_mut().unwrap().1
                }
            };
            *times += 1;
            let varied = match *times {
                1..=OF_A_KIND => variations(record),
                _ => vec![record.clone()],
            };
            // Behind each variation the record itself, which is remembered.
            for record in varied.iter().flat_map(|varied| [varied, record]) {
                let text = record.to_string();
                let arena = Bump::new();
                let parsed = parser.parse(text.as_bytes(), |record| {
                    let mut scratch = Scratch::default();
                    let session = SessionKnowledge::NotSeen;
                    let plain_call = replayer.replay(record, session, &arena, &mut scratch);
                    let plain = told(&plain_call, None);
                    let (call, known) = replayer.replay_known(
                        (record, session),
                        (&arena, &mut scratch),
                        (&mut callers, &InArena(&kept)),
                    );
                    assert_eq!(told(&call, known.as_ref()), plain);
                    for (request, plain) in call.requests.iter().zip(plain_call.requests) {
                        let Some(known) = known.filter(|_| !request.context_is_whole) else {
                            assert_eq!(request.context, plain.context);
                            continue;
                        };
                        let keep = InArena(&kept);
                        let joined = callers.context(&known, request.context, &keep);
                        assert_eq!(joined.keys.len(), joined.values.len());
                        let joined = joined
                            .keys
                            .iter()
                            .copied()
                            .zip(joined.values.iter().copied());
                        assert!(joined.eq(plain.context.iter().copied()));
                    }
                    let known = known.map(|known| {
                        let identity = record.user_identity.unwrap();
                        assert_eq!(known.access_key_id, identity.access_key_id);
                        assert_eq!(known.invoked_by, identity.invoked_by);
                        assert_eq!(known.source_ip_address, record.source_ip_address);
                        assert_eq!(known.aws_region, record.aws_region);
                    });
                    remembered += usize::from(known.is_some());
                });
                parsed.unwrap();
                compared += 1;
            }
        }
    }
    assert!(remembered > 10_000, "{remembered} of {compared}");
}
