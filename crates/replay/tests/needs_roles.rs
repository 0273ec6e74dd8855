//! Roles against what their jobs need: the property of exact roles, and the states by example.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    missing_docs,
    unreachable_pub,
    reason = "tests may fail loudly"
)]

mod needs_support;

use needs_support::{ACCOUNT, Event, needs};
use proptest::prelude::*;
use retrial_iam::{Catalogue, Snapshot, SnapshotFile};
use retrial_replay::{AskedNeed, Mapping, Need, NeedDoubt, NeedState, RoleCheck};
use serde_json::{Value, json};

const ROLE: &str = "arn:aws:iam::111122223333:role/service-role/job";
const KEYS: [&str; 2] = ["k-out", "k-vol"];

/// A snapshot of one account with one role of this policy, where all that could grant was collected.
fn snapshot(statements: &[Value]) -> Snapshot {
    let details = json!({
        "RoleDetailList": [{
            "Arn": ROLE, "Path": "/service-role/", "RoleName": "job", "RoleId": "AROAEXAMPLEJOB",
            "CreateDate": "2026-01-01T00:00:00Z",
            "AssumeRolePolicyDocument": {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "sts:AssumeRole", "Principal": {"Service": "sagemaker.amazonaws.com"}}]},
            "RolePolicyList": if statements.is_empty() { json!([]) } else { json!([{"PolicyName": "needs", "PolicyDocument": {"Version": "2012-10-17", "Statement": statements}}]) },
            "AttachedManagedPolicies": [], "InstanceProfileList": [], "Tags": [],
        }],
        "UserDetailList": [], "GroupDetailList": [], "Policies": [],
    });
    let key_policies: Value = KEYS
        .iter()
        .map(|key| {
            let policy = json!({"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "kms:*", "Resource": "*", "Principal": {"AWS": format!("arn:aws:iam::{ACCOUNT}:root")}}]});
            (format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}"), policy)
        })
        .collect::<serde_json::Map<String, Value>>()
        .into();
    let grants: Value = KEYS
        .iter()
        .map(|key| {
            (
                format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{key}"),
                json!([]),
            )
        })
        .collect::<serde_json::Map<String, Value>>()
        .into();
    let mut buckets = serde_json::Map::new();
    for name in ["in", "out", "models", "more", "ck", "feat"] {
        for number in 0..3 {
            buckets.insert(
                format!("{name}{number}"),
                json!({"OwnerAccount": ACCOUNT, "OwnershipControls": {"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]}}),
            );
        }
    }
    let path = |file: &str| format!("accounts/{ACCOUNT}/{file}");
    let files = [
        (path("authorization-details.json"), details.to_string()),
        (path("resource-policies/s3.json"), "{}".to_owned()),
        (path("resource-policies/ecr.json"), "{}".to_owned()),
        (path("resource-policies/logs.json"), "{}".to_owned()),
        (path("resource-policies/kms.json"), key_policies.to_string()),
        (path("kms-grants.json"), grants.to_string()),
        (path("s3-buckets.json"), Value::Object(buckets).to_string()),
    ];
    let files: Vec<SnapshotFile<'_>> = files
        .iter()
        .map(|(path, text)| SnapshotFile {
            path,
            bytes: text.as_bytes(),
        })
        .collect();
    Snapshot::read(&files, Catalogue::bundled())
        .map(|(snapshot, issues)| {
            assert!(issues.is_empty(), "{issues:?}");
            snapshot
        })
        .unwrap_or_else(|error| panic!("{error}"))
}

fn asked<'a>(need: &Need<'a>) -> AskedNeed<'a> {
    AskedNeed {
        action: need.action,
        resource_arn: need.resource_arn,
        resource_known: need.resource_known,
        spellings: need.spellings,
        required: need.required,
        certainty: need.certainty,
        context: need.context,
    }
}

/// The states of a role's needs under a snapshot.
fn states(mapping: &Mapping, snapshot: &Snapshot, needs: &[Need<'_>]) -> Vec<NeedState> {
    let mut role = RoleCheck::new((Catalogue::bundled(), mapping), snapshot, ROLE);
    needs
        .iter()
        .map(|need| role.check(&asked(need)).state)
        .collect()
}

fn statement(need: &Need<'_>) -> Value {
    json!({"Effect": "Allow", "Action": need.action, "Resource": need.resource_arn})
}

/// A role with exactly what a job needs misses nothing; without one of it, it misses that.
fn exact_roles(event: &str, request: &Value) -> Result<(), TestCaseError> {
    let mapping = Mapping::bundled(Catalogue::bundled()).unwrap();
    let request = request.to_string();
    let event = Event {
        source: "sagemaker.amazonaws.com",
        name: event,
        request: &request,
        error: None,
    };
    needs(&mapping, &event, |needs| {
        let needs: Vec<Need<'_>> = needs.iter().filter(|need| need.required).copied().collect();
        prop_assert!(!needs.is_empty(), "{}", request);
        let all: Vec<Value> = needs.iter().map(statement).collect();
        let all_states = states(&mapping, &snapshot(&all), &needs);
        for (need, state) in needs.iter().zip(&all_states) {
            prop_assert_eq!(*state, NeedState::Present, "{:?}", need);
        }
        for left_out in 0..needs.len() {
            let mut others = all.clone();
            others.remove(left_out);
            let states = states(&mapping, &snapshot(&others), &needs);
            for (at, (need, state)) in needs.iter().zip(&states).enumerate() {
                let expect = match at == left_out {
                    true => NeedState::Missing,
                    false => NeedState::Present,
                };
                prop_assert_eq!(*state, expect, "without {:?}: {:?}", needs[left_out], need);
            }
        }
        Ok(())
    })
}

/// The optional parts of a request.
#[derive(Debug, Clone, Copy)]
struct Parts {
    inputs: usize,
    output_key: bool,
    volume_key: bool,
    network: bool,
    image: bool,
    checkpoints: bool,
}

fn parts() -> impl Strategy<Value = Parts> {
    (0_usize..3, any::<[bool; 5]>()).prop_map(
        |(inputs, [output_key, volume_key, network, image, checkpoints])| Parts {
            inputs,
            output_key,
            volume_key,
            network,
            image,
            checkpoints,
        },
    )
}

impl Parts {
    fn put(self, request: &mut Value, on: bool, at: &str, value: Value) {
        if on {
            let mut place = request;
            for name in at.split('.') {
                place = &mut place[name];
            }
            *place = value;
        }
    }

    fn inputs(self) -> Value {
        let prefix = |n: usize| json!({"dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3Uri": format!("s3://in{n}/set/a")}}});
        (0..self.inputs).map(prefix).collect()
    }

    fn vpc() -> Value {
        json!({"subnets": ["subnet-1", "subnet-2"], "securityGroupIds": ["sg-1"]})
    }

    fn image_uri() -> Value {
        json!(format!(
            "{ACCOUNT}.dkr.ecr.eu-west-1.amazonaws.com/team/app:1"
        ))
    }

    fn training(self, role: &str) -> Value {
        let mut request = json!({"roleArn": role, "inputDataConfig": self.inputs(), "outputDataConfig": {"s3OutputPath": "s3://out0/models"}});
        self.put(
            &mut request,
            self.image,
            "algorithmSpecification.trainingImage",
            Self::image_uri(),
        );
        self.put(
            &mut request,
            self.output_key,
            "outputDataConfig.kmsKeyId",
            json!(KEYS[0]),
        );
        self.put(
            &mut request,
            self.volume_key,
            "resourceConfig.volumeKmsKeyId",
            json!(KEYS[1]),
        );
        self.put(&mut request, self.network, "vpcConfig", Self::vpc());
        self.put(
            &mut request,
            self.checkpoints,
            "checkpointConfig.s3Uri",
            json!("s3://ck0/p"),
        );
        request
    }

    fn processing(self) -> Value {
        let input = |n: usize| json!({"s3Input": {"s3Uri": format!("s3://in{n}/raw/"), "s3DataType": "S3Prefix"}});
        let inputs: Value = (0..self.inputs).map(input).collect();
        let mut request = json!({"roleArn": ROLE, "processingInputs": inputs, "processingOutputConfig": {"outputs": [{"s3Output": {"s3Uri": "s3://out0/a"}}, {"s3Output": {"s3Uri": "s3://out1/b/"}}]}});
        self.put(
            &mut request,
            self.image,
            "appSpecification.imageUri",
            Self::image_uri(),
        );
        self.put(
            &mut request,
            self.output_key,
            "processingOutputConfig.kmsKeyId",
            json!(KEYS[0]),
        );
        self.put(
            &mut request,
            self.volume_key,
            "processingResources.clusterConfig.volumeKmsKeyId",
            json!(KEYS[1]),
        );
        self.put(
            &mut request,
            self.network,
            "networkConfig.vpcConfig",
            Self::vpc(),
        );
        request
    }

    fn model(self) -> Value {
        let more = |n: usize| json!({"modelDataUrl": format!("s3://more{n}/m.tar.gz")});
        let more: Value = (0..self.inputs).map(more).collect();
        let mut request = json!({"modelName": "m", "executionRoleArn": ROLE, "primaryContainer": {"modelDataUrl": "s3://models0/a/model.tar.gz"}, "containers": more});
        self.put(
            &mut request,
            self.image,
            "primaryContainer.image",
            Self::image_uri(),
        );
        self.put(&mut request, self.network, "vpcConfig", Self::vpc());
        request
    }

    /// A transform job, and the model whose role it runs as.
    fn transform(self) -> Value {
        let mut request = json!({
            "modelName": "m", "transformJobName": "t",
            "transformInput": {"dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3Uri": "s3://in0/set"}}},
            "transformOutput": {"s3OutputPath": "s3://out0/t"},
        });
        self.put(
            &mut request,
            self.output_key,
            "transformOutput.kmsKeyId",
            json!(KEYS[0]),
        );
        self.put(
            &mut request,
            self.volume_key,
            "transformResources.volumeKmsKeyId",
            json!(KEYS[1]),
        );
        self.put(
            &mut request,
            self.checkpoints,
            "dataCaptureConfig.destinationS3Uri",
            json!("s3://ck0/p"),
        );
        request
    }

    fn automl(self, inputs: &str, security: &str) -> Value {
        let mut request =
            json!({"roleArn": ROLE, "outputDataConfig": {"s3OutputPath": "s3://out0/o"}});
        self.put(&mut request, true, inputs, self.inputs());
        self.put(
            &mut request,
            self.output_key,
            "outputDataConfig.kmsKeyId",
            json!(KEYS[0]),
        );
        self.put(
            &mut request,
            self.volume_key,
            &format!("{security}.volumeKmsKeyId"),
            json!(KEYS[1]),
        );
        self.put(
            &mut request,
            self.network,
            &format!("{security}.vpcConfig"),
            Self::vpc(),
        );
        request
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn training_jobs(parts in parts()) {
        exact_roles("CreateTrainingJob", &parts.training(ROLE))?;
    }

    #[test]
    fn tuning_jobs(parts in parts(), several in any::<bool>()) {
        let definition = parts.training(ROLE);
        let request = match several {
            true => json!({"trainingJobDefinitions": [definition]}),
            false => json!({"trainingJobDefinition": definition}),
        };
        exact_roles("CreateHyperParameterTuningJob", &request)?;
    }

    #[test]
    fn processing_jobs(parts in parts()) {
        exact_roles("CreateProcessingJob", &parts.processing())?;
    }

    #[test]
    fn models(parts in parts()) {
        exact_roles("CreateModel", &parts.model())?;
    }

    #[test]
    fn transform_jobs(parts in parts()) {
        exact_roles("CreateTransformJob", &parts.transform())?;
    }

    #[test]
    fn automatic_machine_learning(parts in parts()) {
        exact_roles("CreateAutoMLJob", &parts.automl("inputDataConfig", "autoMLJobConfig.securityConfig"))?;
        exact_roles("CreateAutoMLJobV2", &parts.automl("autoMLJobInputDataConfig", "securityConfig"))?;
    }
}

#[test]
fn domains() {
    let request = json!({"kmsKeyId": KEYS[0], "defaultUserSettings": {"executionRole": ROLE}});
    exact_roles("CreateDomain", &request).unwrap();
}

/// One need of a training job, under these statements.
#[track_caller]
fn check(
    statements: &[Value],
    about: &str,
    request: &Value,
    expect: (NeedState, Option<NeedDoubt>),
) {
    let mapping = Mapping::bundled(Catalogue::bundled()).unwrap();
    let snapshot = snapshot(statements);
    let request = request.to_string();
    let event = Event {
        source: "sagemaker.amazonaws.com",
        name: "CreateTrainingJob",
        request: &request,
        error: None,
    };
    needs(&mapping, &event, |needs| {
        let need = needs.iter().find(|need| need.action == about).unwrap();
        let mut role = RoleCheck::new((Catalogue::bundled(), &mapping), &snapshot, need.role_arn);
        let checked = role.check(&asked(need));
        assert_eq!((checked.state, checked.doubt), expect, "{need:?}");
    });
}

fn allow(action: &str, resource: &str) -> Value {
    json!({"Effect": "Allow", "Action": action, "Resource": resource})
}

/// S3-39: the seed's `arn:aws:s3:::outputbucket/path` is one key, and jobs write below it.
#[test]
fn an_output_path_without_a_star_is_missing() {
    let request = json!({"roleArn": ROLE, "outputDataConfig": {"s3OutputPath": "s3://out0/path"}});
    let missing = (NeedState::Missing, None);
    check(
        &[allow("s3:PutObject", "arn:aws:s3:::out0/path")],
        "s3:PutObject",
        &request,
        missing,
    );
    let present = (NeedState::Present, None);
    check(
        &[allow("s3:PutObject", "arn:aws:s3:::out0/path/*")],
        "s3:PutObject",
        &request,
        present,
    );
    check(&[allow("s3:*", "*")], "s3:PutObject", &request, present);
}

/// S3-41: the seed's repository ARN without an account matches none.
#[test]
fn a_repository_without_an_account_is_missing() {
    let request =
        json!({"roleArn": ROLE, "algorithmSpecification": {"trainingImage": Parts::image_uri()}});
    let never = allow(
        "ecr:BatchGetImage",
        "arn:aws:ecr:eu-west-1::repository/team/app",
    );
    check(
        &[never],
        "ecr:BatchGetImage",
        &request,
        (NeedState::Missing, None),
    );
}

/// S3-40: an image of another account may be AWS's own, which needs no permission.
#[test]
fn an_image_of_another_account_cannot_be_told() {
    let request = json!({"roleArn": ROLE, "algorithmSpecification": {"trainingImage": "763104351884.dkr.ecr.eu-west-1.amazonaws.com/pytorch-training:2.0"}});
    let other = (NeedState::Unverifiable, Some(NeedDoubt::OtherAccount));
    check(&[], "ecr:BatchGetImage", &request, other);
}

/// Unknown stays unverifiable: a key that nobody knows, a part of a prefix, what a manifest names.
#[test]
fn the_unknown_is_unverifiable() {
    let request = json!({"roleArn": ROLE, "inputDataConfig": [{"dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3Uri": "s3://in0/a"}}}]});
    let part = (NeedState::Unverifiable, Some(NeedDoubt::ResourceNotTold));
    check(
        &[allow("s3:GetObject", "arn:aws:s3:::in0/a")],
        "s3:GetObject",
        &request,
        part,
    );
    let narrowed = json!({"Effect": "Allow", "Action": "s3:ListBucket", "Resource": "*", "Condition": {"StringLike": {"s3:prefix": "a*"}}});
    let keys = (NeedState::Unverifiable, Some(NeedDoubt::UnknownKeys));
    check(&[narrowed], "s3:ListBucket", &request, keys);
    let may = (NeedState::Unverifiable, Some(NeedDoubt::MayNotNeed));
    check(&[], "kms:Decrypt", &request, may);
    let stranger = json!({"roleArn": "arn:aws:iam::444455556666:role/r"});
    let elsewhere = (NeedState::Unverifiable, Some(NeedDoubt::RoleNotInSnapshot));
    check(&[], "cloudwatch:PutMetricData", &stranger, elsewhere);
    let gone = json!({"roleArn": "arn:aws:iam::111122223333:role/gone"});
    let deleted = (NeedState::Unverifiable, Some(NeedDoubt::RoleDeleted));
    check(&[], "cloudwatch:PutMetricData", &gone, deleted);
}

/// S3-42: with an alias only a policy on all keys is known to suffice.
#[test]
fn an_alias_names_no_key() {
    let request = json!({"roleArn": ROLE, "resourceConfig": {"volumeKmsKeyId": "alias/vol"}});
    let one_key = allow(
        "kms:CreateGrant",
        &format!("arn:aws:kms:eu-west-1:{ACCOUNT}:key/{}", KEYS[1]),
    );
    let told = (NeedState::Unverifiable, Some(NeedDoubt::ResourceNotTold));
    check(&[one_key], "kms:CreateGrant", &request, told);
}

/// What a role is granted and no need covers.
#[test]
fn excess_is_what_no_need_covers() {
    let mapping = Mapping::bundled(Catalogue::bundled()).unwrap();
    let statements = [
        allow("s3:GetObject", "arn:aws:s3:::in0/a/*"),
        allow("s3:GetObject", "arn:aws:s3:::other/*"),
        allow("s3:PutObject", "*"),
        // An object action on a bucket grants nothing, and is no excess.
        allow("s3:DeleteObject", "arn:aws:s3:::in0"),
        allow("s3:DeleteObject", "arn:aws:s3:::in0/*"),
        allow("ec2:CreateNetworkInterface", "*"),
        // No job of this kind is about these.
        allow("robomaker:CreateSimulationJob", "*"),
        json!({"Effect": "Deny", "Action": "s3:DeleteObject", "Resource": "arn:aws:s3:::*"}),
    ];
    let snapshot = snapshot(&statements);
    let request = json!({"roleArn": ROLE, "inputDataConfig": [{"dataSource": {"s3DataSource": {"s3DataType": "S3Prefix", "s3Uri": "s3://in0/a"}}}], "outputDataConfig": {"s3OutputPath": "s3://out0/"}}).to_string();
    let event = Event {
        source: "sagemaker.amazonaws.com",
        name: "CreateTrainingJob",
        request: &request,
        error: None,
    };
    let found = needs(&mapping, &event, |needs| {
        let mut role = RoleCheck::new((Catalogue::bundled(), &mapping), &snapshot, ROLE);
        role.ran("CreateTrainingJob");
        for need in needs {
            role.check(&asked(need));
        }
        let excess = role.finish();
        excess
            .iter()
            .map(|excess| format!("{} {}", excess.action, excess.resource))
            .collect::<Vec<_>>()
    });
    assert_eq!(
        found,
        [
            "ec2:CreateNetworkInterface *",
            "s3:GetObject arn:aws:s3:::other/*",
            "s3:PutObject *",
        ]
    );
}
