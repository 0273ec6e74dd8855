//! What happens in a corpus: each case is a kind of call with a stated verdict and a share.

use super::team::{Kind, Member, saml_provider};
use super::{Scene, bucket, key, place};
use crate::caller::{self, Session};
use crate::calls::sagemaker::TrainingJob;
use crate::calls::{ecr, kms, machinelearning, others, s3, sagemaker, sts};
use crate::record::{Caller, Draft};
use crate::rng::Rng;
use crate::truth::*;

/// Who acts in a case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Actor {
    /// A principal of the snapshot.
    Member(Kind),
    /// A job, where S3 asks KMS for it.
    ViaS3,
    /// `cloudtrail.amazonaws.com`
    Service,
    /// AWS itself.
    Internal,
    /// A role that is no longer there.
    Deleted,
    /// A role of a known name with another unique id.
    Recreated,
    /// A caller of another account, without an ARN.
    Stranger,
}

/// A kind of call.
pub(super) struct Case {
    pub(super) name: &'static str,
    /// Of about 10,000.
    pub(super) share: u64,
    pub(super) actor: Actor,
    pub(super) expect: Expect,
    pub(super) draft: fn(&Scene<'_>, &mut Rng) -> Draft,
}

impl Case {
    /// What is to be said where the caller's session was seen to be issued, or was not. An allow that
    /// assumed nothing but that the session's own policy is no obstacle then assumes nothing.
    pub(super) fn expect(&self, issued: bool) -> Expect {
        match self.expect {
            UNDER_ASSUMPTION if issued => WOULD_BE_ALLOWED,
            expect => expect,
        }
    }
}

const JOB: Actor = Actor::Member(Kind::Job);
const PERSON: Actor = Actor::Member(Kind::Person);
const USER: Actor = Actor::Member(Kind::User);

macro_rules! cases {
    ($($name:literal $share:literal $actor:expr, $expect:expr, $draft:expr;)*) => {
        &[$(Case { name: $name, share: $share, actor: $actor, expect: $expect, draft: $draft }),*]
    };
}

/// Nearly half S3 data events, a fifth KMS, a seventh SageMaker and ECR, then all the rest.
pub(super) const CASES: &[Case] = cases![
    "get" 2350 JOB, AGREES, |scene, rng| s3::get_object(bucket(scene), &key(scene, rng), rng);
    "put" 1000 JOB, AGREES, |scene, rng| s3::put_object(bucket(scene), &key(scene, rng), rng);
    "head" 300 JOB, AGREES, |scene, rng| s3::head_object(bucket(scene), &key(scene, rng), rng);
    "head-missing" 80 JOB, AGREES, |scene, rng| s3::head_object(bucket(scene), &key(scene, rng), rng).failed("NoSuchKey", s3::NO_SUCH_KEY);
    "list" 330 JOB, AGREES, |scene, rng| s3::list_objects(bucket(scene), &format!("{}/", scene.member.prefix()), rng);
    "upload-part" 200 JOB, AGREES, |scene, rng| upload_part(scene, rng);
    "delete" 100 JOB, AGREES, |scene, rng| s3::delete_object(bucket(scene), &key(scene, rng), rng);
    "other-teams-object" 80 JOB, AGREES, |scene, rng| other_teams(scene, rng).failed("AccessDenied", "Access Denied");
    "outside-the-prefix" 60 JOB, WOULD_BE_DENIED, |scene, rng| s3::put_object(bucket(scene), &format!("scratch/{}/{}.tmp", scene.member.number, rng.uuid()), rng);
    "decrypt" 1150 Actor::ViaS3, AGREES, |scene, rng| kms::decrypt(scene.key(), &bucket(scene).object_arn(&key(scene, rng)));
    "data-key" 700 Actor::ViaS3, AGREES, |scene, rng| kms::generate_data_key(scene.key(), &bucket(scene).object_arn(&key(scene, rng)));
    "service-data-key" 110 Actor::Service, SERVICE, |scene, rng| kms::generate_data_key(scene.key(), &bucket(scene).object_arn(&rng.hex(16)));
    "describe-job" 300 PERSON, AGREES, |scene, rng| sagemaker::describe_training_job(place(scene), &job_name(scene, rng));
    "list-jobs" 100 PERSON, AGREES, |scene, _| sagemaker::list(place(scene), "ListTrainingJobs");
    "train" 170 PERSON, AGREES, |scene, rng| train(scene, &format!("team-{:06}-training", rng.below(100)), rng);
    "train-with-a-retired-role" 20 PERSON, WOULD_BE_DENIED, |scene, rng| train(scene, "retired-training", rng);
    "delete-endpoint-by-tag" 120 PERSON, UNKNOWN_KEYS, |scene, rng| sagemaker::delete_endpoint(place(scene), &format!("endpoint-{}", rng.below(500)));
    "denied-to-a-session" 80 PERSON, UNDER_ASSUMPTION, |scene, rng| denied_endpoint(scene, rng);
    "throttled" 50 PERSON, NOT_COMPARABLE, |scene, _| sagemaker::list(place(scene), "ListTrainingJobs").failed("ThrottlingException", "Rate exceeded");
    "invoke" 330 USER, AGREES, |scene, rng| sagemaker::invoke_endpoint(place(scene), &format!("endpoint-{}", rng.below(50)));
    "stop-was-denied" 30 USER, WOULD_BE_ALLOWED, |scene, rng| denied_stop(scene, rng);
    "create-model" 60 USER, AGREES, |scene, rng| machinelearning::create_model(&format!("ml-{}-{}", scene.member.number, rng.hex(8)), &format!("ds-{}", rng.hex(8)));
    "frozen-model" 12 USER, WOULD_BE_DENIED, |scene, rng| machinelearning::update_model(&format!("ml-{}-{}", scene.member.number, rng.hex(8)), "0.5");
    "token" 80 JOB, AGREES, |scene, _| ecr::get_authorization_token(scene.region);
    "pull" 120 JOB, AGREES, |scene, _| ecr::batch_get_image(scene.repository("images/train"), "latest");
    "layer" 150 JOB, AGREES, |scene, rng| ecr::get_download_url(scene.repository("images/train"), rng);
    "push" 40 JOB, AGREES, |scene, rng| ecr::put_image(scene.repository("images/train"), &rng.hex(7), rng);
    "push-to-a-retired-repository" 13 JOB, WOULD_BE_DENIED, |scene, rng| ecr::put_image(scene.repository("retired/train"), &rng.hex(7), rng);
    "who-am-i" 250 JOB, AGREES, |scene, _| sts::get_caller_identity(scene.region);
    "get-role" 150 PERSON, AGREES, |_, rng| others::role_read("GetRole", &format!("team-{:06}-training", rng.below(100)));
    "log-stream" 400 JOB, AGREES, |scene, rng| others::create_log_stream(scene.region, "/aws/sagemaker/TrainingJobs", &format!("{}/algo-1-{}", job_name(scene, rng), rng.below(1 << 40)));
    "instances" 400 JOB, AGREES, |scene, _| others::ec2_describe("DescribeInstances", scene.region, "instancesSet");
    "alarms" 250 JOB, AGREES, |scene, _| others::describe_alarms(scene.region);
    "service-assumes-role" 90 Actor::Service, AGREES, |scene, rng| assumed(scene, rng);
    "console-login" 30 PERSON, NOT_AN_ACTION, |_, _| sts::console_login();
    "images-expire" 20 Actor::Internal, NOT_AN_ACTION, |scene, _| ecr::policy_execution(scene.repository("images/train"));
    "deleted-role" 40 Actor::Deleted, DELETED, |scene, rng| s3::get_object(bucket(scene), &key(scene, rng), rng);
    "recreated-role" 30 Actor::Recreated, RECREATED, |scene, _| sagemaker::list(place(scene), "ListModels");
    "unheard-of" 10 PERSON, UNMAPPED, |scene, _| sagemaker::unheard_of(place(scene));
    "stranger" 10 Actor::Stranger, NOT_SHOWN, |scene, rng| s3::get_object(bucket(scene), &key(scene, rng), rng);
    "session-token" 5 USER, NO_PERMISSION, |scene, rng| sts::get_session_token(rng, scene.at);
];

fn job_name(scene: &Scene<'_>, rng: &mut Rng) -> String {
    format!("train-{}-{}", scene.member.number, rng.hex(8))
}

fn upload_part(scene: &Scene<'_>, rng: &mut Rng) -> Draft {
    let key = key(scene, rng);
    let [_, part, _] = s3::multipart(bucket(scene), &key, rng);
    part
}

fn other_teams(scene: &Scene<'_>, rng: &mut Rng) -> Draft {
    s3::get_object(
        bucket(scene),
        &format!(
            "team-{:06}/private/{}.parquet",
            scene.member.number + 1,
            rng.hex(12)
        ),
        rng,
    )
}

fn train(scene: &Scene<'_>, role: &str, rng: &mut Rng) -> Draft {
    let (name, role) = (
        job_name(scene, rng),
        format!("arn:aws:iam::{}:role/service-role/{role}", scene.account),
    );
    let bucket = bucket(scene).name;
    let job = TrainingJob {
        name: &name,
        role: &role,
        image: &format!(
            "{}.dkr.ecr.{}.amazonaws.com/images/train:latest",
            scene.account, scene.region
        ),
        input: &format!("s3://{bucket}/{}/input/", scene.member.prefix()),
        output: &format!("s3://{bucket}/{}/output/", scene.member.prefix()),
    };
    sagemaker::create_training_job(place(scene), job)
}

fn denied_endpoint(scene: &Scene<'_>, rng: &mut Rng) -> Draft {
    let name = format!("endpoint-{}", rng.hex(6));
    let resource = place(scene).arn(&format!("endpoint/{name}"));
    sagemaker::create_endpoint(place(scene), "CreateEndpoint", &name, "config-1").denied(
        scene.caller,
        "sagemaker:CreateEndpoint",
        &resource,
    )
}

fn denied_stop(scene: &Scene<'_>, rng: &mut Rng) -> Draft {
    let name = job_name(scene, rng);
    let resource = place(scene).arn(&format!("training-job/{name}"));
    sagemaker::stop_training_job(place(scene), &name).denied(
        scene.caller,
        "sagemaker:StopTrainingJob",
        &resource,
    )
}

fn assumed(scene: &Scene<'_>, rng: &mut Rng) -> Draft {
    let access_key = format!("ASIA{}", rng.upper(16));
    let issue = sts::Issue::plain(&scene.member.identity, "SageMaker", &access_key, scene.at);
    sts::assume_role(issue, scene.region, rng)
}

/// Picks cases by their shares in constant time.
pub(super) struct Wheel(Vec<u16>);

impl Wheel {
    pub(super) fn new() -> Wheel {
        Wheel(
            CASES
                .iter()
                .enumerate()
                .flat_map(|(index, case)| std::iter::repeat_n(index as u16, case.share as usize))
                .collect(),
        )
    }

    pub(super) fn spin(&self, rng: &mut Rng) -> usize {
        usize::from(*rng.pick(&self.0))
    }
}

/// Somebody of a cast.
pub(super) struct Role {
    /// Whose names the calls use.
    pub(super) member: Member,
    pub(super) caller: Caller,
    pub(super) session: Option<Issued>,
    /// Whether the trail shows who issued the session.
    pub(super) issued: bool,
}

/// A session of a role: its name, its access key, when it began.
#[derive(Clone)]
pub(super) struct Issued {
    pub(super) name: String,
    pub(super) access_key: String,
    pub(super) created: i64,
}

impl Role {
    /// The same session where S3 asks KMS for it.
    pub(super) fn via_s3(&self) -> Role {
        let session = self.session.clone().expect("a job is a role's session");
        let via = Session {
            invoked_by: Some("AWS Internal"),
            ..Session::new(&session.name, &session.access_key, session.created)
        };
        Role {
            member: self.member.clone(),
            caller: caller::session(&self.member.identity, &via, "", ""),
            session: Some(session),
            issued: self.issued,
        }
    }
}

/// Who acts in a few files.
pub(super) struct Cast {
    pub(super) jobs: Vec<Role>,
    /// The jobs, where S3 asks KMS for them.
    pub(super) decrypts: Vec<Role>,
    pub(super) persons: Vec<Role>,
    pub(super) users: Vec<Role>,
    /// Those of whom there is one each.
    pub(super) others: [(Actor, Role); 5],
}

impl Cast {
    /// Who makes a call.
    pub(super) fn of(&self, actor: Actor, rng: &mut Rng) -> &Role {
        match actor {
            Actor::Member(Kind::Job) => rng.pick(&self.jobs),
            Actor::ViaS3 => rng.pick(&self.decrypts),
            Actor::Member(Kind::Person) => rng.pick(&self.persons),
            Actor::Member(Kind::User) => rng.pick(&self.users),
            other => {
                let found = self.others.iter().find(|(actor, _)| *actor == other);
                &found.expect("everybody else is there").1
            }
        }
    }

    /// What issues the session of the cast's `index`-th role; `None` after the last.
    pub(super) fn issuer(&self, index: usize) -> Option<Issuer<'_>> {
        let role = self.jobs.iter().chain(&self.persons).nth(index)?;
        let service = matches!(role.member.kind, Kind::Job);
        let (_, sagemaker) = &self.others[0];
        let session = role.session.as_ref()?;
        let assertion = (!service).then(|| {
            caller::saml(
                &session.name,
                "c2FtbC1wcm92aWRlcg=",
                "198.51.100.7",
                BROWSER,
            )
        });
        Some(Issuer {
            role,
            session,
            service: &sagemaker.caller,
            assertion,
        })
    }
}

const BROWSER: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:144.0) Gecko/20100101 Firefox/144.0";

/// The call that issues a session: SageMaker's for a job, a sign-in for a person.
pub(super) struct Issuer<'c> {
    role: &'c Role,
    session: &'c Issued,
    service: &'c Caller,
    assertion: Option<Caller>,
}

impl Issuer<'_> {
    pub(super) fn caller(&self) -> &Caller {
        self.assertion.as_ref().unwrap_or(self.service)
    }

    pub(super) fn created(&self) -> i64 {
        self.session.created
    }

    pub(super) fn draft(&self, region: &'static str, rng: &mut Rng) -> Draft {
        let role = &self.role.member.identity;
        let (name, key) = (&self.session.name, &self.session.access_key);
        let issue = sts::Issue::plain(role, name, key, self.session.created);
        match self.assertion {
            Some(_) => {
                sts::assume_role_with_saml(issue, &saml_provider(&role.account), region, rng)
            }
            None => sts::assume_role(issue, region, rng),
        }
    }
}
