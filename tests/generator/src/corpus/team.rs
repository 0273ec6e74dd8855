//! The principals of a corpus: as many as asked for, each made from its number alone.

use serde_json::{Value, json};

use super::cases::Issued;
use crate::account::{Account, Policies};
use crate::caller::{self, Identity, Session};
use crate::record::Caller;
use crate::rng::{Rng, mix};

pub(super) const ACCOUNTS: [&str; 4] = [
    "200000000011",
    "200000000022",
    "200000000033",
    "200000000044",
];
pub(super) const REGIONS: [&str; 2] = ["eu-west-1", "us-east-1"];
/// Buckets per account and region.
pub(super) const BUCKETS: u64 = 8;

/// What a principal is; each kind has its policies and its cases.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// An execution role.
    Job,
    /// A role of IAM Identity Center.
    Person,
    /// An IAM user with a long-term key.
    User,
}

/// A user or role by its number.
#[derive(Debug, Clone)]
pub(super) struct Member {
    pub(super) number: u64,
    pub(super) kind: Kind,
    pub(super) identity: Identity,
}

/// Of twenty principals of an account twelve are jobs, four persons, four users.
pub(super) fn kind(number: u64) -> Kind {
    match number / ACCOUNTS.len() as u64 % 20 {
        0..12 => Kind::Job,
        12..16 => Kind::Person,
        _ => Kind::User,
    }
}

impl Member {
    pub(super) fn new(seed: u64, number: u64) -> Member {
        let mut rng = Rng::new(mix(seed ^ 0x7465_616d, number));
        let account = ACCOUNTS[(number % ACCOUNTS.len() as u64) as usize];
        let kind = kind(number);
        let (path, name) = match kind {
            Kind::Job => ("/service-role/", format!("team-{number:06}-training")),
            Kind::Person => (
                "/aws-reserved/sso.amazonaws.com/eu-west-1/",
                format!("AWSReservedSSO_Team{number:06}_{}", rng.hex(16)),
            ),
            Kind::User => ("/apps/", format!("team-{number:06}-batch")),
        };
        let prefix = if kind == Kind::User { "AIDA" } else { "AROA" };
        let id = format!("{prefix}{}", rng.upper(17));
        Member {
            number,
            kind,
            identity: Identity {
                account: account.into(),
                path: path.into(),
                name,
                id,
            },
        }
    }

    /// The prefix of its objects.
    pub(super) fn prefix(&self) -> String {
        format!("team-{:06}", self.number)
    }

    /// The caller as of a moment: a role in a session of its own.
    pub(super) fn caller(&self, at: i64, rng: &mut Rng) -> (Caller, Option<Issued>) {
        let address = format!(
            "{}.{}.{}",
            rng.below(256),
            rng.below(256),
            rng.range(1, 255)
        );
        let key = rng.upper(16);
        let (name, before) = match self.kind {
            Kind::User => {
                let address = format!("10.{address}");
                let key = format!("AKIA{key}");
                return (caller::user(&self.identity, &key, &address, JAVA), None);
            }
            Kind::Person => (format!("person{}@example.com", self.number), 1800),
            Kind::Job => (String::from("SageMaker"), 960),
        };
        let issued = Issued {
            name,
            access_key: format!("ASIA{key}"),
            created: at - before,
        };
        let session = Session::new(&issued.name, &issued.access_key, issued.created);
        let caller = match self.kind {
            Kind::Job => Caller {
                vpc_endpoint: Some(super::vpc_endpoint(&self.identity.account)),
                ..caller::session(&self.identity, &session, &format!("10.{address}"), TRAINER)
            },
            _ => caller::session(&self.identity, &session, &format!("198.{address}"), BOTO),
        };
        (caller, Some(issued))
    }
}

const BOTO: &str = "Boto3/1.42.11 md/Botocore#1.42.11 ua/2.1 os/linux#6.8.0-1029-aws md/arch#x86_64 lang/python#3.12.8 md/pyimpl#CPython m/N,Z,b,E cfg/retry-mode#standard Botocore/1.42.11";
const JAVA: &str = "aws-sdk-java/2.35.6 ua/2.1 os/Linux#5.10.245-241.976.amzn2.x86_64 lang/java#21.0.8 md/OpenJDK_64-Bit_Server_VM#21.0.8+9-LTS md/vendor#Amazon.com_Inc. md/en m/D,N";
const TRAINER: &str = "Boto3/1.42.11 md/Botocore#1.42.11 ua/2.1 os/linux#5.10.245-241.976.amzn2.x86_64 md/arch#x86_64 lang/python#3.11.9 md/pyimpl#CPython exec-env/AWS_SageMaker_Training m/N,Z,b,E,n cfg/retry-mode#adaptive Botocore/1.42.11 s3fs/2025.9.0 aiobotocore/2.25.0 pyarrow/21.0.0 torch/2.8.0+cu128 sagemaker-training-toolkit/5.1.1 exec-role-runtime/4.12.0";

/// IAM Identity Center's provider in an account.
pub(super) fn saml_provider(account: &str) -> String {
    format!("arn:aws:iam::{account}:saml-provider/AWSSSO_5f6a7b8c_DO_NOT_DELETE")
}

pub(super) fn allow(sid: &str, actions: &[&str], resources: &[&str]) -> Value {
    json!({"Sid": sid, "Effect": "Allow", "Action": actions, "Resource": resources})
}

pub(super) fn document(statements: &[Value]) -> Value {
    json!({"Version": "2012-10-17", "Statement": statements})
}

/// Adds a principal, with a policy of its own where it is a role, to its account.
pub(super) fn enroll(account: &mut Account, member: &Member) {
    let id = &member.identity.account;
    let managed = |name: &str| format!("arn:aws:iam::{id}:policy/{name}");
    let created = "2025-03-03T09:00:00+00:00";
    let trust = |service: &str| {
        document(&[
            json!({"Effect": "Allow", "Principal": {"Service": service}, "Action": "sts:AssumeRole"}),
        ])
    };
    match member.kind {
        Kind::Job => {
            let objects = format!("arn:aws:s3:::corpus-{id}-*/{}/*", member.prefix());
            let buckets = format!("arn:aws:s3:::corpus-{id}-*");
            let actions = [
                "s3:AbortMultipartUpload",
                "s3:DeleteObject",
                "s3:GetObject",
                "s3:PutObject",
            ];
            let own = document(&[
                allow("Objects", &actions, &[&objects]),
                allow("List", &["s3:ListBucket"], &[&buckets]),
            ]);
            let policies = Policies::inline("Team", own).with(&managed("JobCommon"));
            account.role(
                &member.identity,
                created,
                &trust("sagemaker.amazonaws.com"),
                &policies,
            );
        }
        Kind::Person => {
            let mut pass = allow(
                "Pass",
                &["iam:PassRole"],
                &[&format!(
                    "arn:aws:iam::{id}:role/service-role/team-*-training"
                )],
            );
            pass["Condition"] =
                json!({"StringEquals": {"iam:PassedToService": "sagemaker.amazonaws.com"}});
            let policies = Policies::inline("AwsSSOInlinePolicy", document(&[pass]))
                .with(&managed("PersonCommon"));
            let sign_in = document(&[json!({
                "Effect": "Allow", "Principal": {"Federated": saml_provider(id)}, "Action": "sts:AssumeRoleWithSAML",
            })]);
            account.role(&member.identity, created, &sign_in, &policies);
        }
        Kind::User => {
            let policies = Policies {
                groups: vec!["Batch".into()],
                ..Policies::default()
            };
            account.user(&member.identity, created, &policies);
        }
    }
}

/// The policies that all principals of a kind share.
pub(super) fn common(account: &mut Account, id: &str) {
    let created = "2025-03-03T09:00:00+00:00";
    let mut put = |name: &str, tag: &str, document: Value| {
        account.policy(
            &format!("arn:aws:iam::{id}:policy/{name}"),
            tag,
            &[("v1", created, document)],
        );
    };
    let repositories = format!("arn:aws:ecr:*:{id}:repository/*");
    let pull = [
        "ecr:BatchCheckLayerAvailability",
        "ecr:BatchGetImage",
        "ecr:GetDownloadUrlForLayer",
    ];
    let job = document(&[
        allow(
            "Keys",
            &["kms:Decrypt", "kms:GenerateDataKey"],
            &[&format!("arn:aws:kms:*:{id}:key/*")],
        ),
        allow("Token", &["ecr:GetAuthorizationToken"], &["*"]),
        allow("Pull", &pull, &[&repositories]),
        allow(
            "Push",
            &["ecr:PutImage"],
            &[&format!("arn:aws:ecr:*:{id}:repository/images/*")],
        ),
        allow(
            "Watch",
            &[
                "cloudwatch:DescribeAlarms",
                "ec2:DescribeInstances",
                "logs:CreateLogStream",
            ],
            &["*"],
        ),
    ]);
    put("JobCommon", "JOBCOMMON", job);
    let mut delete = allow("DeleteOwn", &["sagemaker:DeleteEndpoint"], &["*"]);
    delete["Condition"] = json!({"StringEquals": {"sagemaker:ResourceTag/owner": "platform"}});
    let build = [
        "sagemaker:AddTags",
        "sagemaker:Create*",
        "sagemaker:Describe*",
        "sagemaker:List*",
    ];
    put(
        "PersonCommon",
        "PERSONCOMM",
        document(&[
            allow("Build", &build, &["*"]),
            delete,
            allow("Look", &["iam:Get*", "iam:List*"], &["*"]),
        ]),
    );
    let frozen = json!({"Sid": "Frozen", "Effect": "Deny", "Action": "machinelearning:UpdateMLModel", "Resource": "*"});
    let batch = [
        "machinelearning:Create*",
        "machinelearning:Update*",
        "sagemaker:InvokeEndpoint",
        "sagemaker:StopTrainingJob",
    ];
    put(
        "BatchCommon",
        "BATCHCOMM",
        document(&[allow("Batch", &batch, &["*"]), frozen]),
    );
    let policies = Policies::attached(&[&format!("arn:aws:iam::{id}:policy/BatchCommon")]);
    account.group(id, "Batch", "BATCH", &policies);
}
