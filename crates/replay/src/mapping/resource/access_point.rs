//! Requests through an S3 access point.

use bumpalo::collections::Vec as BumpVec;
use retrial_cloudtrail::Json;

use super::{Finds, Found, How, Origin, ResourcePlan};
use crate::account_of_arn;
use crate::mapping::MappedResource;
use crate::mapping::template::{Template, account_of};
use crate::mapping::view::{Shown, View};

impl ResourcePlan {
    /// A request through an S3 access point is authorized on the access point's ARN, and with its
    /// policy on the bucket behind it.
    /// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-policies.html>.
    pub(super) fn access_point<'a>(
        &self,
        suffix: &Template,
        view: &View<'a, '_>,
        finds: &mut Finds<'a>,
    ) -> bool {
        let Some(access_point) = access_point_of(view) else {
            return false;
        };
        let mut values = BumpVec::new_in(view.arena);
        for variable in suffix.variables() {
            let index = self
                .template
                .variables()
                .iter()
                .position(|own| own == variable);
            let paths = index.and_then(|index| self.names.get(index));
            values.push(paths.and_then(|paths| paths.iter().find_map(|path| path.text(view))));
        }
        let rest = suffix.fill(view, "", &values);
        let arn = bumpalo::format!(in view.arena, "{}{}", access_point, rest).into_bump_str();
        let account = account_of(access_point);
        if access_point.contains('*') || values.iter().any(Option::is_none) {
            finds.push(Found {
                resource: MappedResource::Unknown {
                    pattern: arn,
                    account,
                },
                certainty: self.certainty,
                how: How::NotFound,
                origin: Origin::NotRecorded,
            });
        } else {
            self.push_arn(arn, account, view, finds);
        }
        let behind = finds.len();
        self.recorded(view, finds);
        for found in finds.iter_mut().skip(behind) {
            found.how = How::Besides;
        }
        true
    }
}

/// The access point that a request went through: recorded, sent as an ARN in place of the bucket,
/// or hidden behind its alias.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/userguide/access-points-alias.html>.
fn access_point_of<'a>(view: &View<'a, '_>) -> Option<&'a str> {
    let is_access_point = |arn: &str| {
        account_of_arn(arn).is_some_and(|account| {
            !account.is_empty()
                && arn
                    .split(':')
                    .nth(5)
                    .is_some_and(|resource| resource.starts_with("accesspoint/"))
        })
    };
    let of_arn = |arn: &'a str| {
        // Hardly any is one: the words are searched in those that may be.
        let may_be = Some(arn).filter(|arn| is_access_point(arn));
        may_be?
            .split("/object/")
            .next()
            .filter(|arn| is_access_point(arn))
    };
    if let Some(arn) = view.recorded().iter().find_map(|item| of_arn(item.arn)) {
        return Some(arn);
    }
    let Shown::Object(parameters) = view.shown else {
        return None;
    };
    let bucket = parameters.get("bucketName").and_then(Json::as_str)?;
    if bucket.starts_with("arn:") {
        return of_arn(bucket);
    }
    if !bucket.ends_with("-s3alias") {
        return None;
    }
    let facts = view.facts;
    let (partition, region, account) = (facts.partition, facts.region, facts.account);
    Some(bumpalo::format!(in view.arena, "arn:{}:s3:{}:{}:accesspoint/*", partition, region, account).into_bump_str())
}
