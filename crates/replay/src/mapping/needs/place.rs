//! What a field of a request names: an S3 location, an image, a key, a role.

use std::fmt::Arguments;

use bumpalo::Bump;

use crate::mapping::Certainty;
use crate::mapping::Facts;

/// A text in the arena.
pub(super) fn written<'a>(arena: &'a Bump, text: Arguments<'_>) -> &'a str {
    bumpalo::format!(in arena, "{}", text).into_bump_str()
}

/// What is needed on, as a field names it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Target<'a> {
    /// The ARN; each `*` stands for what the request does not tell where it is not known whole.
    pub(super) arn: &'a str,
    pub(super) known: bool,
    /// How sure it is at most.
    pub(super) certainty: Certainty,
    /// A condition key that follows from how it is named.
    pub(super) key: Option<(&'static str, &'a str)>,
}

impl<'a> Target<'a> {
    /// An ARN that is known whole.
    pub(super) fn whole(arn: &'a str) -> Self {
        Self {
            arn,
            known: true,
            certainty: Certainty::Verified,
            key: None,
        }
    }

    /// The form of an ARN.
    pub(super) fn form(arn: &'a str) -> Self {
        Self {
            known: false,
            ..Self::whole(arn)
        }
    }

    /// The form of an ARN, as nobody knows what a field's value means.
    fn guessed(arn: &'a str) -> Self {
        Self {
            certainty: Certainty::Guessed,
            ..Self::form(arn)
        }
    }
}

/// Which of the objects at an S3 location.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Objects {
    /// The very one.
    One,
    /// Those whose keys begin so.
    Prefix,
    /// Those below it.
    Below,
}

/// `s3://bucket/key`, or the `https` form of it, taken apart.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/VirtualHosting.html>.
fn s3_location(uri: &str) -> Option<(&str, &str)> {
    let (bucket, key) = match uri.split_once("://")? {
        ("s3" | "s3a" | "s3n" | "S3", rest) => rest.split_once('/').unwrap_or((rest, "")),
        ("https" | "http", rest) => {
            let (host, path) = rest.split_once('/').unwrap_or((rest, ""));
            let host = host
                .strip_suffix(".amazonaws.com")
                .or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
            if host == "s3" || host.starts_with("s3.") || host.starts_with("s3-") {
                path.split_once('/').unwrap_or((path, ""))
            } else {
                let end = host.find(".s3.").or_else(|| host.find(".s3-"));
                let bucket = match end {
                    Some(end) => host.get(..end)?,
                    None => host.strip_suffix(".s3")?,
                };
                (bucket, path)
            }
        }
        _ => return None,
    };
    // An access point's ARN has colons; a bucket's name has none.
    (!bucket.is_empty() && !bucket.contains(':')).then_some((bucket, key))
}

/// The bucket of an S3 location.
pub(super) fn bucket<'a>(uri: Option<&str>, facts: &Facts<'_>, arena: &'a Bump) -> Target<'a> {
    let partition = facts.partition;
    match uri.and_then(s3_location) {
        Some((bucket, _)) => Target::whole(written(
            arena,
            format_args!("arn:{partition}:s3:::{bucket}"),
        )),
        None => Target::guessed(written(arena, format_args!("arn:{partition}:s3:::*"))),
    }
}

/// The objects at an S3 location.
pub(super) fn objects<'a>(
    uri: Option<&str>,
    which: Objects,
    facts: &Facts<'_>,
    arena: &'a Bump,
) -> Target<'a> {
    let partition = facts.partition;
    let Some((bucket, key)) = uri.and_then(s3_location) else {
        return Target::guessed(written(arena, format_args!("arn:{partition}:s3:::*/*")));
    };
    let all = |key: &str| {
        Target::form(written(
            arena,
            format_args!("arn:{partition}:s3:::{bucket}/{key}*"),
        ))
    };
    match which {
        Objects::One if !key.is_empty() => Target::whole(written(
            arena,
            format_args!("arn:{partition}:s3:::{bucket}/{key}"),
        )),
        Objects::One | Objects::Prefix => all(key),
        Objects::Below if key.is_empty() || key.ends_with('/') => all(key),
        Objects::Below => Target::form(written(
            arena,
            format_args!("arn:{partition}:s3:::{bucket}/{key}/*"),
        )),
    }
}

/// The repository of `111122223333.dkr.ecr.eu-west-1.amazonaws.com/team/app:latest`.
/// See <https://docs.aws.amazon.com/AmazonECR/latest/userguide/Registries.html>.
pub(super) fn repository<'a>(
    image: Option<&str>,
    facts: &Facts<'_>,
    arena: &'a Bump,
) -> Target<'a> {
    match image.and_then(image_of) {
        Some((account, region, name)) => {
            let partition = match region.starts_with("cn-") {
                true => "aws-cn",
                false => facts.partition,
            };
            let arn = written(
                arena,
                format_args!("arn:{partition}:ecr:{region}:{account}:repository/{name}"),
            );
            Target::whole(arn)
        }
        None => {
            let partition = facts.partition;
            let form = written(arena, format_args!("arn:{partition}:ecr:*:*:repository/*"));
            Target::guessed(form)
        }
    }
}

/// Account, region and name of an image's repository.
fn image_of(image: &str) -> Option<(&str, &str, &str)> {
    let image = image.strip_prefix("https://").unwrap_or(image);
    let (host, rest) = image.split_once('/')?;
    let host = host
        .strip_suffix(".amazonaws.com")
        .or_else(|| host.strip_suffix(".amazonaws.com.cn"))?;
    let mut parts = host.split('.');
    let (account, "dkr", "ecr" | "ecr-fips", region, None) = (
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next()?,
        parts.next(),
    ) else {
        return None;
    };
    let is_account = account.len() == 12 && account.bytes().all(|byte| byte.is_ascii_digit());
    let (name, _) = rest.split_once('@').unwrap_or((rest, ""));
    // A tag's colon is behind the last slash, and a name has none.
    let (name, _) = name.split_once(':').unwrap_or((name, ""));
    (is_account && !name.is_empty()).then_some((account, region, name))
}

/// A key by its id, its ARN, an alias or the alias's ARN. Which key an alias stands for, no request tells.
/// See <https://docs.aws.amazon.com/kms/latest/developerguide/concepts.html#key-id>.
pub(super) fn key<'a>(id: Option<&'a str>, facts: &Facts<'_>, arena: &'a Bump) -> Target<'a> {
    let Facts {
        partition,
        region,
        account,
        ..
    } = facts;
    let Some(id) = id else {
        let form = written(arena, format_args!("arn:{partition}:kms:*:*:key/*"));
        return Target::form(form);
    };
    let behind = |alias: &'a str, form: &'a str| Target {
        key: Some(("kms:RequestAlias", alias)),
        ..Target::form(form)
    };
    if let Some((owner, resource)) = id.strip_prefix("arn:").and_then(|_| last_part(id)) {
        return match resource.starts_with("alias/") {
            true => behind(resource, written(arena, format_args!("{owner}:key/*"))),
            false => Target::whole(id),
        };
    }
    if id.starts_with("alias/") {
        let form = written(
            arena,
            format_args!("arn:{partition}:kms:{region}:{account}:key/*"),
        );
        return behind(id, form);
    }
    let arn = written(
        arena,
        format_args!("arn:{partition}:kms:{region}:{account}:key/{id}"),
    );
    Target::whole(arn)
}

/// An ARN in front of its sixth part, and that.
fn last_part(arn: &str) -> Option<(&str, &str)> {
    let (before, _) = arn.match_indices(':').nth(4)?;
    Some((arn.get(..before)?, arn.get(before + 1..)?))
}

/// A role by its ARN, or by its name: IAM's path is then in the snapshot, or nobody knows it.
pub(super) fn role<'a>(value: &'a str, facts: &Facts<'a>, arena: &'a Bump) -> &'a str {
    if value.starts_with("arn:") {
        return value;
    }
    let known = facts
        .snapshot
        .and_then(|snapshot| snapshot.role_by_name(facts.account, value));
    if let Some(role) = known {
        return &role.arn;
    }
    let (partition, account) = (facts.partition, facts.account);
    written(
        arena,
        format_args!("arn:{partition}:iam::{account}:role/*{value}"),
    )
}
