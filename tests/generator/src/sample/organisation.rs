//! Who is who, and what is where, in the small organisation.

use crate::caller::Identity;
use crate::calls::ecr::Repository;
use crate::calls::kms::Key;
use crate::calls::s3::Bucket;
use crate::calls::sagemaker::Place;

pub(crate) const RESEARCH: &str = "111122223333";
pub(crate) const PLATFORM: &str = "444455556666";
/// In the trail, not in the snapshot.
pub(crate) const SANDBOX: &str = "777788889999";
/// Outside the organisation.
pub(crate) const STRANGER: &str = "999988887777";
pub(crate) const IRELAND: &str = "eu-west-1";
pub(crate) const VIRGINIA: &str = "us-east-1";

const fn bucket(
    name: &'static str,
    account: &'static str,
    region: &'static str,
) -> Bucket<'static> {
    Bucket {
        name,
        account,
        region,
    }
}

/// Has a bucket policy: nothing without TLS.
pub(crate) const DATASETS: Bucket<'static> = bucket("research-datasets", RESEARCH, IRELAND);
pub(crate) const NOTEBOOKS: Bucket<'static> = bucket("research-notebooks", RESEARCH, IRELAND);
pub(crate) const OUTPUT: Bucket<'static> = bucket("research-training-output", RESEARCH, IRELAND);
pub(crate) const CACHE: Bucket<'static> = bucket("research-build-cache", RESEARCH, IRELAND);
pub(crate) const FORECASTS: Bucket<'static> = bucket("research-forecasts", RESEARCH, VIRGINIA);
pub(crate) const FINANCE: Bucket<'static> = bucket("research-finance", RESEARCH, IRELAND);
pub(crate) const MODELS: Bucket<'static> = bucket("platform-models", PLATFORM, IRELAND);
pub(crate) const TRAIL: Bucket<'static> = bucket("platform-cloudtrail-logs", PLATFORM, IRELAND);
pub(crate) const BUCKETS: [Bucket<'static>; 8] = [
    DATASETS, NOTEBOOKS, OUTPUT, CACHE, FORECASTS, FINANCE, MODELS, TRAIL,
];

/// Encrypts the datasets; its policy and grants are collected.
pub(crate) const DATA_KEY: Key<'static> = Key {
    id: "0a1b2c3d-1111-4111-8111-0123456789ab",
    account: RESEARCH,
    region: IRELAND,
};
/// The serving role's policy names it.
pub(crate) const MODEL_KEY: Key<'static> = Key {
    id: "0a1b2c3d-2222-4222-8222-0123456789ab",
    account: PLATFORM,
    region: IRELAND,
};
/// The serving role's policy is silent about it.
pub(crate) const FEATURE_KEY: Key<'static> = Key {
    id: "0a1b2c3d-3333-4333-8333-0123456789ab",
    account: PLATFORM,
    region: IRELAND,
};

/// Through it training jobs reach S3.
pub(crate) const VPC_ENDPOINT: &str = "vpce-0a1b2c3d4e5f60718";

const fn repository(name: &'static str, account: &'static str) -> Repository<'static> {
    Repository {
        name,
        account,
        region: IRELAND,
    }
}

pub(crate) const XGBOOST: Repository<'static> = repository("training/xgboost", RESEARCH);
pub(crate) const TABNET: Repository<'static> = repository("training/tabnet", RESEARCH);
/// No longer in the image builder's policy.
pub(crate) const SCORER: Repository<'static> = repository("legacy/scorer", RESEARCH);
pub(crate) const SERVING: Repository<'static> = repository("serving/xgboost", PLATFORM);
pub(crate) const REPOSITORIES: [Repository<'static>; 4] = [XGBOOST, TABNET, SCORER, SERVING];

pub(crate) const LAB: Place<'static> = Place {
    account: RESEARCH,
    region: IRELAND,
};
pub(crate) const LAB_VIRGINIA: Place<'static> = Place {
    account: RESEARCH,
    region: VIRGINIA,
};
pub(crate) const PRODUCTION: Place<'static> = Place {
    account: PLATFORM,
    region: IRELAND,
};

/// The users and roles.
#[derive(Debug)]
pub(crate) struct People {
    pub(crate) scientist: Identity,
    pub(crate) training: Identity,
    pub(crate) old_training: Identity,
    pub(crate) builder: Identity,
    pub(crate) break_glass: Identity,
    pub(crate) forecast: Identity,
    pub(crate) carol: Identity,
    /// As the log knows it: the snapshot has another role of this name.
    pub(crate) features_before: Identity,
    pub(crate) features: Identity,
    /// Not in the snapshot of its account.
    pub(crate) migration: Identity,
    pub(crate) ops: Identity,
    pub(crate) serving: Identity,
    pub(crate) scoring: Identity,
    pub(crate) auditor: Identity,
    pub(crate) scaling: Identity,
    pub(crate) visitor: Identity,
}

impl People {
    pub(crate) fn new() -> People {
        let sso = "/aws-reserved/sso.amazonaws.com/eu-west-1/";
        let linked = "/aws-service-role/sagemaker.application-autoscaling.amazonaws.com/";
        People {
            scientist: Identity::role(
                RESEARCH,
                sso,
                "AWSReservedSSO_DataScientist_0a1b2c3d4e5f6071",
                "SCIENTIST",
            ),
            training: Identity::role(
                RESEARCH,
                "/service-role/",
                "ResearchTrainingRole",
                "TRAINING",
            ),
            old_training: Identity::role(
                RESEARCH,
                "/service-role/",
                "AmazonSageMaker-ExecutionRole-20240115T101010",
                "OLDTRAIN",
            ),
            builder: Identity::role(RESEARCH, "/ci/", "ImageBuilder", "BUILDER"),
            break_glass: Identity::role(RESEARCH, "/", "BreakGlass", "BREAKGLASS"),
            forecast: Identity::user(RESEARCH, "/legacy/", "forecast-batch", "FORECAST"),
            carol: Identity::user(RESEARCH, "/", "carol", "CAROL"),
            features_before: Identity::role(RESEARCH, "/", "FeatureEngineering", "FEATURES1"),
            features: Identity::role(RESEARCH, "/", "FeatureEngineering", "FEATURES2"),
            migration: Identity::role(RESEARCH, "/", "TemporaryMigration", "MIGRATION"),
            ops: Identity::user(PLATFORM, "/deploy/", "ops-deploy", "OPSDEPLOY"),
            serving: Identity::role(PLATFORM, "/service-role/", "PlatformServingRole", "SERVING"),
            scoring: Identity::role(PLATFORM, "/apps/", "ScoringApi", "SCORING"),
            auditor: Identity::role(
                PLATFORM,
                sso,
                "AWSReservedSSO_ReadOnly_7160f5e4d3c2b1a0",
                "AUDITOR",
            ),
            scaling: Identity::role(
                PLATFORM,
                linked,
                "AWSServiceRoleForApplicationAutoScaling_SageMakerEndpoint",
                "SCALING",
            ),
            visitor: Identity::user(SANDBOX, "/", "visitor", "VISITOR"),
        }
    }
}

pub(crate) fn image(repository: Repository<'_>, tag: &str) -> String {
    format!(
        "{}.dkr.ecr.{}.amazonaws.com/{}:{tag}",
        repository.account, repository.region, repository.name
    )
}
