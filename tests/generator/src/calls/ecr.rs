//! Amazon ECR: docker pulls and pushes.
//!
//! See <https://docs.aws.amazon.com/AmazonECR/latest/userguide/logging-using-cloudtrail.html>.

use crate::json::{Obj, list};
use crate::record::{Caller, Draft, call, read};
use crate::rng::Rng;

/// A repository by its parts.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Repository<'a> {
    pub(crate) name: &'a str,
    pub(crate) account: &'a str,
    pub(crate) region: &'static str,
}

impl Repository<'_> {
    pub(crate) fn arn(&self) -> String {
        format!(
            "arn:aws:ecr:{}:{}:repository/{}",
            self.region, self.account, self.name
        )
    }

    fn request(&self) -> Obj {
        Obj::new()
            .s("registryId", self.account)
            .s("repositoryName", self.name)
    }

    fn draft(&self, name: &'static str, request: String) -> Draft {
        let resources = format!(
            "[{}]",
            Obj::new()
                .s("ARN", &self.arn())
                .s("accountId", self.account)
                .end()
        );
        Draft {
            host: format!("api.ecr.{}.amazonaws.com", self.region),
            ..call("ecr", name, self.region, request)
        }
        .on(resources)
    }

    fn reads(&self, name: &'static str, request: String) -> Draft {
        Draft {
            read_only: true,
            ..self.draft(name, request)
        }
    }
}

fn digest(rng: &mut Rng) -> String {
    format!("sha256:{}", rng.hex(64))
}

pub(crate) fn get_authorization_token(region: &'static str) -> Draft {
    let draft = read("ecr", "GetAuthorizationToken", region, String::from("null"));
    Draft {
        host: format!("api.ecr.{region}.amazonaws.com"),
        ..draft
    }
}

pub(crate) fn batch_get_image(repository: Repository<'_>, tag: &str) -> Draft {
    let request = repository
        .request()
        .raw("imageIds", &list(&[Obj::new().s("imageTag", tag).end()]))
        .raw("acceptedMediaTypes", r#"["application/vnd.docker.distribution.manifest.v2+json","application/vnd.oci.image.manifest.v1+json"]"#)
        .end();
    repository.reads("BatchGetImage", request)
}

pub(crate) fn get_download_url(repository: Repository<'_>, rng: &mut Rng) -> Draft {
    repository.reads(
        "GetDownloadUrlForLayer",
        repository.request().s("layerDigest", &digest(rng)).end(),
    )
}

pub(crate) fn describe_images(repository: Repository<'_>) -> Draft {
    repository.reads(
        "DescribeImages",
        repository.request().n("maxResults", 100).end(),
    )
}

/// The calls of one push before its manifest.
pub(crate) fn push_layers(repository: Repository<'_>, rng: &mut Rng) -> Vec<Draft> {
    let layer = digest(rng);
    let upload = rng.uuid();
    let check = repository
        .request()
        .raw("layerDigests", &format!("[\"{layer}\"]"))
        .end();
    let part = repository
        .request()
        .s("uploadId", &upload)
        .n("partFirstByte", 0)
        .n("partLastByte", rng.range(90_000, 20_000_000))
        .end();
    let complete = repository
        .request()
        .s("uploadId", &upload)
        .raw("layerDigests", &format!("[\"{layer}\"]"))
        .end();
    vec![
        repository.reads("BatchCheckLayerAvailability", check),
        repository.draft("InitiateLayerUpload", repository.request().end()),
        repository.draft("UploadLayerPart", part),
        repository.draft("CompleteLayerUpload", complete),
    ]
}

pub(crate) fn put_image(repository: Repository<'_>, tag: &str, rng: &mut Rng) -> Draft {
    let manifest = format!(
        "{{\n   \"schemaVersion\": 2,\n   \"config\": {{\n      \"size\": {},\n      \"digest\": \"{}\"\n   }}\n}}",
        rng.range(2000, 9000),
        digest(rng)
    );
    let request = repository
        .request()
        .s("imageTag", tag)
        .s("imageManifest", &manifest)
        .end();
    let image = repository
        .request()
        .raw(
            "imageId",
            &Obj::new()
                .s("imageDigest", &digest(rng))
                .s("imageTag", tag)
                .end(),
        )
        .end();
    repository
        .draft("PutImage", request)
        .answers(Obj::new().raw("image", &image).end())
}

/// What ECR says to a push that no policy allows.
pub(crate) fn denied_put_image(
    repository: Repository<'_>,
    tag: &str,
    caller: &Caller,
    rng: &mut Rng,
) -> Draft {
    put_image(repository, tag, rng).denied(caller, "ecr:PutImage", &repository.arn())
}

/// A lifecycle policy expired images: an event, not a call.
pub(crate) fn policy_execution(repository: Repository<'_>) -> Draft {
    let details = Obj::new()
        .s("repositoryName", repository.name)
        .raw("lifecycleEventPolicy", r#"{"lifecycleEventRules":[]}"#)
        .n("lifecycleEventImageActions", 3)
        .end();
    let draft = repository.draft("PolicyExecutionEvent", String::from("null"));
    Draft {
        event_type: "AwsServiceEvent",
        read_only: true,
        more: format!(",\"serviceEventDetails\":{details}"),
        ..draft
    }
}
