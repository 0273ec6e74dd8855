//! Small logs of a made-up account, an output, and a run from one to the other.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};

use retrial_cloudtrail::Limits;
use retrial_iam::{Catalogue, Snapshot, SnapshotFile};
use retrial_pipeline::{
    DeriveOptions, Filter, MANIFEST_KEY, Manifest, Options, PipelineError, PlanOptions, Progress,
    Report, Run, analyze,
};
use retrial_replay::{Assumptions, Mapping, Replayer};
use retrial_storage::{Faults, FolderSource, FolderStore, Source, Step, Store};
use retrial_tables::{Table, TableReader};
use serde_json::{Value, json};
use tempfile::TempDir;

pub(crate) const ACCOUNT: &str = "111122223333";

fn snapshot() -> Snapshot {
    let policies = json!([{"PolicyName": "p", "PolicyDocument": {"Version": "2012-10-17", "Statement": [
        {"Effect": "Allow", "Action": ["sagemaker:List*", "sts:AssumeRole"], "Resource": "*"}
    ]}}]);
    let details = json!({
        "UserDetailList": [{
            "Path": "/", "UserName": "ana", "UserId": "AIDAEXAMPLEUSERANA000", "Arn": format!("arn:aws:iam::{ACCOUNT}:user/ana"),
            "CreateDate": "2024-01-01T00:00:00Z", "GroupList": [], "AttachedManagedPolicies": [], "UserPolicyList": policies
        }],
        "GroupDetailList": [], "Policies": [],
        "RoleDetailList": [{
            "Path": "/", "RoleName": "Trainer", "RoleId": "AROAEXAMPLETRAINER000", "Arn": format!("arn:aws:iam::{ACCOUNT}:role/Trainer"),
            "CreateDate": "2024-01-01T00:00:00Z", "InstanceProfileList": [], "RolePolicyList": policies, "AttachedManagedPolicies": [],
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [
                {"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}}
            ]}
        }]
    })
    .to_string();
    let file = SnapshotFile {
        path: "iam.json",
        bytes: details.as_bytes(),
    };
    let (snapshot, issues) = Snapshot::read(&[file], Catalogue::bundled()).unwrap();
    assert!(issues.is_empty(), "{issues:?}");
    snapshot
}

fn record(id: &str, name: &str, source: &str, identity: Value) -> Value {
    json!({
        "eventVersion": "1.08", "userIdentity": identity, "eventTime": "2026-11-02T08:00:00Z",
        "eventSource": source, "eventName": name, "awsRegion": "eu-west-1", "sourceIPAddress": "198.51.100.7",
        "requestParameters": null, "responseElements": null, "eventID": id, "eventType": "AwsApiCall",
        "recipientAccountId": ACCOUNT, "eventCategory": "Management", "managementEvent": true
    })
}

fn ana() -> Value {
    json!({
        "type": "IAMUser", "principalId": "AIDAEXAMPLEUSERANA000", "arn": format!("arn:aws:iam::{ACCOUNT}:user/ana"),
        "accountId": ACCOUNT, "accessKeyId": "AKIAEXAMPLEKEYOFANA0", "userName": "ana"
    })
}

/// A call of a user, which waits for nothing.
pub(crate) fn user_call(id: &str) -> Value {
    record(id, "ListTrainingJobs", "sagemaker.amazonaws.com", ana())
}

/// A call with the credentials of a session.
pub(crate) fn session_call(id: &str, access_key_id: &str) -> Value {
    let identity = json!({
        "type": "AssumedRole", "principalId": "AROAEXAMPLETRAINER000:s", "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/Trainer/s"),
        "accountId": ACCOUNT, "accessKeyId": access_key_id,
        "sessionContext": {
            "sessionIssuer": {"type": "Role", "principalId": "AROAEXAMPLETRAINER000", "arn": format!("arn:aws:iam::{ACCOUNT}:role/Trainer"), "accountId": ACCOUNT, "userName": "Trainer"},
            "attributes": {"creationDate": "2026-11-02T07:00:00Z", "mfaAuthenticated": "false"}
        }
    });
    record(id, "ListTrainingJobs", "sagemaker.amazonaws.com", identity)
}

/// The record that issues a session, which a session policy keeps from all but listing endpoints.
pub(crate) fn issue(id: &str, access_key_id: &str) -> Value {
    let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sagemaker:ListEndpoints", "Resource": "*"}]});
    let mut issue = record(id, "AssumeRole", "sts.amazonaws.com", ana());
    issue["requestParameters"] = json!({"roleArn": format!("arn:aws:iam::{ACCOUNT}:role/Trainer"), "roleSessionName": "s", "policy": policy.to_string()});
    issue["responseElements"] = json!({
        "credentials": {"accessKeyId": access_key_id, "sessionToken": "t", "expiration": "Nov 2, 2026, 9:00:00 AM"},
        "assumedRoleUser": {"assumedRoleId": "AROAEXAMPLETRAINER000:s", "arn": format!("arn:aws:sts::{ACCOUNT}:assumed-role/Trainer/s")}
    });
    issue
}

/// A folder with logs and outputs.
pub(crate) struct World {
    pub(crate) folder: TempDir,
    snapshot: Snapshot,
    mapping: Mapping,
}

/// What a run is made with, beside the logs.
pub(crate) struct With<'w> {
    pub(crate) threads: usize,
    pub(crate) plan: PlanOptions,
    pub(crate) stop: bool,
    pub(crate) sources: Option<&'w [Box<dyn Source>]>,
}

impl Default for With<'_> {
    fn default() -> Self {
        Self {
            threads: 2,
            plan: PlanOptions::default(),
            stop: false,
            sources: None,
        }
    }
}

impl World {
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            snapshot: snapshot(),
            mapping: Mapping::bundled(Catalogue::bundled()).unwrap(),
        }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A log file that was delivered in a region at a time such as `20261102T0805Z`.
    pub(crate) fn log(&self, region: &str, stamp: &str, records: &[Value]) {
        self.log_of(ACCOUNT, region, stamp, records);
    }

    /// The same in another account's folder.
    pub(crate) fn log_of(&self, account: &str, region: &str, stamp: &str, records: &[Value]) {
        let (year, month, day) = (&stamp[..4], &stamp[4..6], &stamp[6..8]);
        let folder = self.path("logs").join(format!(
            "AWSLogs/{account}/CloudTrail/{region}/{year}/{month}/{day}"
        ));
        fs::create_dir_all(&folder).unwrap();
        let name = format!("{account}_CloudTrail_{region}_{stamp}_0123456789abcdef.json.gz");
        fs::write(folder.join(name), json!({"Records": records}).to_string()).unwrap();
    }

    pub(crate) fn source(&self) -> Box<dyn Source> {
        Box::new(FolderSource::open(&self.path("logs")).unwrap())
    }

    pub(crate) fn run(&self, out: &str) -> Report {
        let store = FolderStore::create(&self.path(out)).unwrap();
        self.run_with(&store, With::default()).unwrap()
    }

    /// Slices of a file or two, batches of a few.
    pub(crate) fn run_with(
        &self,
        store: &dyn Store,
        with: With<'_>,
    ) -> Result<Report, PipelineError> {
        self.work_with(with, |run, options| analyze(run, store, options))
    }

    /// Does some work with what a run is made with.
    pub(crate) fn work_with(
        &self,
        with: With<'_>,
        work: impl FnOnce(&Run<'_>, Options) -> Result<Report, PipelineError>,
    ) -> Result<Report, PipelineError> {
        let own = [self.source()];
        let scratch = self.path("scratch");
        let run = Run {
            sources: with.sources.unwrap_or(&own),
            replayer: Replayer::new(
                Catalogue::bundled(),
                &self.mapping,
                &self.snapshot,
                Assumptions::Named,
            ),
            snapshot_id: self.snapshot.id(),
            mapping_version: self.mapping.version(),
            filter: Filter::default(),
            limits: Limits::default(),
            derive: Some(DeriveOptions::default()),
            threads: with.threads,
            scratch: &scratch,
            stop: &AtomicBool::new(with.stop),
            progress: &Progress::default(),
        };
        let options = Options {
            plan: with.plan,
            slice_bytes: 30_000,
            batch_bytes: 6_000,
        };
        let report = work(&run, options)?;
        assert!(report.books.balance(), "{:?}", report.books);
        Ok(report)
    }

    /// [`objects_of`] an output in a folder.
    pub(crate) fn objects(&self, out: &str) -> BTreeMap<String, Vec<u8>> {
        objects_of(&FolderStore::open(&self.path(out)).unwrap())
    }

    #[track_caller]
    pub(crate) fn same_objects(&self, left: &str, right: &str) {
        same(&self.objects(left), &self.objects(right));
    }

    pub(crate) fn manifest(&self, out: &str) -> Manifest {
        let store = FolderStore::open(&self.path(out)).unwrap();
        Manifest::read(&store).unwrap().unwrap().0
    }

    /// The rows that count of a table, as text, sorted.
    pub(crate) fn rows<T: Table>(&self, out: &str) -> Vec<String>
    where
        for<'r> T::Row<'r>: std::fmt::Debug,
    {
        let mut rows = Vec::new();
        for file in self.manifest(out).files {
            if file.table != T::NAME {
                continue;
            }
            let bytes = fs::read(self.path(out).join(&file.key)).unwrap();
            let reader = TableReader::<T, Vec<u8>>::open(bytes).unwrap();
            for group in 0..reader.row_groups() {
                for batch in reader.batches(group).unwrap() {
                    batch.unwrap().with_rows(|batch| {
                        rows.extend(batch.iter().map(|row| format!("{row:?}")));
                    });
                }
            }
        }
        rows.sort();
        rows
    }
}

/// Fails one durable step, the `at`th.
pub(crate) struct FailAt {
    at: u64,
    counts: Counts,
}

/// The steps that were tried.
#[derive(Clone, Default)]
pub(crate) struct Counts(Arc<Mutex<Vec<Step>>>);

impl FailAt {
    pub(crate) fn new(at: u64) -> (Self, Counts) {
        let counts = Counts::default();
        let faults = Self {
            at,
            counts: counts.clone(),
        };
        (faults, counts)
    }
}

impl Counts {
    pub(crate) fn steps(&self) -> Vec<Step> {
        self.0.lock().unwrap().clone()
    }
}

impl Faults for FailAt {
    fn before(&self, step: Step, _key: &str) -> io::Result<()> {
        let mut steps = self.counts.0.lock().unwrap();
        steps.push(step);
        if steps.len() as u64 == self.at.saturating_add(1) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }
}

pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_folder(&entry.path(), &to);
        } else {
            fs::copy(entry.path(), to).unwrap();
        }
    }
}

/// All objects of an output by key; the manifest without its generation, which counts swaps.
pub(crate) fn objects_of(store: &dyn Store) -> BTreeMap<String, Vec<u8>> {
    let mut objects = BTreeMap::new();
    for entry in store.list("").unwrap() {
        let bytes = store.read(&entry.key).unwrap().unwrap().bytes;
        objects.insert(entry.key, bytes);
    }
    let manifest = objects.get_mut(MANIFEST_KEY).unwrap();
    let text = String::from_utf8(manifest.clone()).unwrap();
    let (header, rest) = text.split_once('\n').unwrap();
    let mut header: Value = serde_json::from_str(header).unwrap();
    header["generation"] = json!(null);
    *manifest = format!("{header}\n{rest}").into_bytes();
    objects
}

/// Two outputs hold the same objects with the same bytes.
#[track_caller]
pub(crate) fn same(left: &BTreeMap<String, Vec<u8>>, right: &BTreeMap<String, Vec<u8>>) {
    let keys =
        |objects: &BTreeMap<String, Vec<u8>>| -> Vec<String> { objects.keys().cloned().collect() };
    assert_eq!(keys(left), keys(right));
    for (key, bytes) in left {
        assert!(bytes == &right[key], "{key} differs");
    }
}
