//! The snapshot of a corpus: every account fully collected.

use std::path::Path;
use std::{fs, io};

use serde_json::{Map, Value, json};

use super::team::{self, ACCOUNTS, BUCKETS, Member, REGIONS};
use super::{Options, bucket_name, key_id, planted, recreated, vpc_endpoint};
use crate::account::{Account, Policies, layer};

const REPOSITORIES: [&str; 2] = ["images/train", "retired/train"];

pub(super) fn write(options: &Options) -> io::Result<()> {
    let folder = options.out.join("iam");
    let layers = [
        "identity",
        "scp",
        "rcp",
        "resource_policy",
        "kms_grants",
        "s3_acl",
        "vpc_endpoint_policy",
    ];
    let layers: Vec<Value> = layers
        .iter()
        .map(|name| layer("*", name, "*", "complete"))
        .collect();
    let head =
        json!({"taken_at": "2026-11-09T00:00:00Z", "collected_by": "made up", "layers": layers});
    put(&folder, "snapshot.json", &head)?;
    for (index, id) in ACCOUNTS.iter().enumerate() {
        let folder = folder.join("accounts").join(id);
        put(
            &folder,
            "authorization-details.json",
            &details(options, index, id),
        )?;
        resources(&folder, id)?;
    }
    if options.planted {
        planted::write_snapshot(&folder)?;
    }
    Ok(())
}

fn put(folder: &Path, path: &str, value: &Value) -> io::Result<()> {
    let path = folder.join(path);
    fs::create_dir_all(path.parent().unwrap_or(folder))?;
    fs::write(path, value.to_string())
}

fn details(options: &Options, index: usize, id: &str) -> Value {
    let mut account = Account::default();
    team::common(&mut account, id);
    for number in (index as u64..options.principals).step_by(ACCOUNTS.len()) {
        team::enroll(&mut account, &Member::new(options.seed, number));
    }
    let trust = json!({"Version": "2012-10-17", "Statement": []});
    account.role(
        &recreated(id, true),
        "2026-11-08T09:00:00+00:00",
        &trust,
        &Policies::default(),
    );
    account.json()
}

fn resources(folder: &Path, id: &str) -> io::Result<()> {
    let (mut policies, mut buckets, mut repositories, mut keys, mut grants) =
        (Map::new(), Map::new(), Map::new(), Map::new(), Map::new());
    for region in REGIONS {
        for number in 0..BUCKETS {
            let name = bucket_name(id, region, number);
            policies.insert(format!("arn:aws:s3:::{name}"), Value::Null);
            let controls = json!({"Rules": [{"ObjectOwnership": "BucketOwnerEnforced"}]});
            buckets.insert(
                name,
                json!({"OwnershipControls": controls, "OwnerAccount": id}),
            );
        }
        for name in REPOSITORIES {
            repositories.insert(
                format!("arn:aws:ecr:{region}:{id}:repository/{name}"),
                Value::Null,
            );
        }
        let key = format!("arn:aws:kms:{region}:{id}:key/{}", key_id(id, region));
        let delegate = json!({
            "Sid": "Enable IAM User Permissions", "Effect": "Allow", "Principal": {"AWS": format!("arn:aws:iam::{id}:root")},
            "Action": "kms:*", "Resource": "*",
        });
        keys.insert(
            key.clone(),
            json!({"Version": "2012-10-17", "Statement": [delegate]}),
        );
        grants.insert(key, json!([]));
    }
    put(
        folder,
        "resource-policies/s3.json",
        &Value::Object(policies),
    )?;
    put(
        folder,
        "resource-policies/ecr.json",
        &Value::Object(repositories),
    )?;
    put(folder, "resource-policies/kms.json", &Value::Object(keys))?;
    put(folder, "kms-grants.json", &Value::Object(grants))?;
    put(folder, "s3-buckets.json", &Value::Object(buckets))?;
    let open = json!({"Version": "2008-10-17", "Statement": [{"Effect": "Allow", "Principal": "*", "Action": "*", "Resource": "*"}]});
    let endpoint = json!({"VpcEndpointId": vpc_endpoint(id), "VpcEndpointType": "Gateway", "State": "available", "PolicyDocument": open.to_string()});
    put(
        folder,
        "vpc-endpoints.json",
        &json!({"VpcEndpoints": [endpoint]}),
    )
}
