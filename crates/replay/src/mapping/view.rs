//! One record as the mapping reads it: what is shown of its request, and what follows from that.

use std::cell::OnceCell;

use bumpalo::Bump;
use bumpalo::collections::Vec as BumpVec;
use percent_encoding::percent_decode_str;
use retrial_cloudtrail::{Json, Parameters, Record, RecordResource};

use crate::omission::is_hidden;

use super::Facts;
use super::kinds::Kinds;
use super::template::account_of;

/// A record, the facts about its call and the arena for derived text.
pub(super) struct View<'a, 'r> {
    pub(super) record: &'r Record<'a>,
    pub(super) facts: &'r Facts<'a>,
    pub(super) arena: &'a Bump,
    pub(super) shown: Shown<'a>,
    /// The resource types of the event's service.
    pub(super) kinds: Option<&'a Kinds>,
    copy_source: OnceCell<Option<CopySource<'a>>>,
    access_point: OnceCell<Option<&'a str>>,
    members: OnceCell<(&'a [(&'a str, Json<'a>)], MemberBits)>,
    resources: OnceCell<&'a [RecordResource<'a>]>,
    recorded: OnceCell<&'a [Recorded<'a>]>,
    sent: OnceCell<&'a [Recorded<'a>]>,
}

/// A request's parameters, mostly.
const USUAL_MEMBERS: usize = 8;

/// An S3 object and its bucket.
const USUAL_RESOURCES: usize = 2;

/// One of 64 bits for the name of a member: nearly all names that are not there are told by it.
#[derive(Debug, Clone, Copy)]
pub(super) struct MemberBit(u64);

/// Those of several members.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct MemberBits(u64);

impl FromIterator<MemberBit> for MemberBits {
    fn from_iter<I: IntoIterator<Item = MemberBit>>(members: I) -> Self {
        Self(members.into_iter().fold(0, |bits, member| bits | member.0))
    }
}

impl MemberBit {
    pub(super) fn of(name: &str) -> Self {
        let bytes = name.as_bytes();
        let end = |byte: Option<&u8>| byte.map_or(0, |byte| usize::from(*byte));
        let mixed = bytes.len() * 5 + end(bytes.first()) * 3 + end(bytes.last());
        Self(1 << (mixed % 64))
    }
}

/// An ARN in the record and its type among those of the event's service.
#[derive(Clone, Copy)]
pub(super) struct Recorded<'a> {
    pub(super) arn: &'a str,
    pub(super) account: Option<&'a str>,
    pub(super) kind: Option<&'static str>,
    pub(super) place: Place,
    /// The member that holds it, in a request or a response.
    pub(super) member: &'a str,
}

/// Where an ARN stands.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Place {
    Resources,
    Request,
    Response,
}

/// What is shown of `requestParameters`.
#[derive(Clone, Copy)]
pub(super) enum Shown<'a> {
    /// All of it.
    Object(Json<'a>),
    /// The call succeeded and the record has none: it sent none, or CloudTrail never logs them.
    Empty,
    /// Left out for their size, redacted, or not recorded because the call failed.
    Hidden,
}

/// `x-amz-copy-source`, taken apart.
/// See <https://docs.aws.amazon.com/AmazonS3/latest/API/API_CopyObject.html>.
#[derive(Clone, Copy)]
pub(super) struct CopySource<'a> {
    arn: Option<&'a str>,
    bucket: Option<&'a str>,
    key: Option<&'a str>,
    version: Option<&'a str>,
}

impl<'a, 'r> View<'a, 'r> {
    pub(super) fn new(record: &'r Record<'a>, facts: &'r Facts<'a>, arena: &'a Bump) -> Self {
        let shown = match record.request_parameters {
            Parameters::Object(parameters) => Shown::Object(parameters),
            // A denied call's parameters are often left out (seen: IAM, STS, RDS, Lambda, …).
            Parameters::Missing | Parameters::Null if facts.failed_with.is_none() => Shown::Empty,
            Parameters::Missing | Parameters::Null | Parameters::Omitted | Parameters::Redacted => {
                Shown::Hidden
            }
        };
        Self {
            record,
            facts,
            arena,
            shown,
            kinds: None,
            copy_source: OnceCell::new(),
            access_point: OnceCell::new(),
            members: OnceCell::new(),
            resources: OnceCell::new(),
            recorded: OnceCell::new(),
            sent: OnceCell::new(),
        }
    }

    /// The same record, with one of the objects in its request in the place of the request.
    pub(super) fn within(&self, object: Json<'a>) -> Self {
        Self {
            record: self.record,
            facts: self.facts,
            arena: self.arena,
            shown: Shown::Object(object),
            kinds: self.kinds,
            copy_source: OnceCell::new(),
            access_point: OnceCell::new(),
            members: OnceCell::new(),
            resources: OnceCell::new(),
            recorded: OnceCell::new(),
            sent: OnceCell::new(),
        }
    }

    /// A member of the request; the first, where a name occurs twice.
    pub(super) fn member(&self, name: &str) -> Option<Json<'a>> {
        let (members, _) = self.members();
        let (_, value) = members.iter().find(|(own, _)| *own == name)?;
        Some(*value)
    }

    /// Whether it is shown that the request has none of these members.
    pub(super) fn has_none(&self, members: MemberBits) -> bool {
        match self.shown {
            Shown::Object(_) => self.members().1.0 & members.0 == 0,
            Shown::Empty => true,
            Shown::Hidden => false,
        }
    }

    /// Whether the request may have a member of such a name; `false` where it has none.
    pub(super) fn may_have(&self, member: MemberBit) -> bool {
        let (_, bits) = self.members();
        bits.0 & member.0 != 0
    }

    fn members(&self) -> (&'a [(&'a str, Json<'a>)], MemberBits) {
        *self.members.get_or_init(|| {
            let mut members = BumpVec::new_in(self.arena);
            if let Shown::Object(parameters) = self.shown {
                members.reserve(USUAL_MEMBERS);
                members.extend(parameters.members());
            }
            let bits = members.iter().map(|(name, _)| MemberBit::of(name));
            let bits = bits.collect();
            (members.into_bump_slice(), bits)
        })
    }

    fn kind_of(&self, arn: &str) -> Option<&'static str> {
        self.kinds.and_then(|kinds| kinds.of_arn(arn))
    }

    /// The items of `resources`. An S3 record is asked for them twice.
    fn resources(&self) -> &'a [RecordResource<'a>] {
        self.resources.get_or_init(|| {
            let mut all = BumpVec::with_capacity_in(USUAL_RESOURCES, self.arena);
            all.extend(self.record.resources());
            all.into_bump_slice()
        })
    }

    /// The items of `resources` that have an ARN.
    pub(super) fn recorded(&self) -> &'a [Recorded<'a>] {
        self.recorded.get_or_init(|| {
            let resources = self.resources();
            let mut all = BumpVec::with_capacity_in(resources.len(), self.arena);
            for item in resources {
                if let Some(arn) = item.arn {
                    all.push(Recorded {
                        arn,
                        account: item.account_id,
                        kind: self.kind_of(arn),
                        place: Place::Resources,
                        member: "",
                    });
                }
            }
            all.into_bump_slice()
        })
    }

    /// The members of the request and of the response, and their members, that are ARNs of the
    /// event's service.
    pub(super) fn sent(&self) -> &'a [Recorded<'a>] {
        self.sent.get_or_init(|| {
            let mut all = BumpVec::new_in(self.arena);
            if let Shown::Object(parameters) = self.shown {
                self.scan(parameters, Place::Request, true, &mut all);
            }
            if let Some(response) = self.record.response_elements {
                self.scan(response, Place::Response, true, &mut all);
            }
            all.into_bump_slice()
        })
    }

    fn scan(
        &self,
        value: Json<'a>,
        place: Place,
        deeper: bool,
        found: &mut BumpVec<'a, Recorded<'a>>,
    ) {
        for (name, member) in value.members() {
            if let Some(arn) = member.as_str() {
                if arn.starts_with("arn:")
                    && let Some(kind) = self.kind_of(arn)
                {
                    found.push(Recorded {
                        arn,
                        account: None,
                        kind: Some(kind),
                        place,
                        member: name,
                    });
                }
            } else if deeper {
                self.scan(member, place, false, found);
            }
        }
    }

    /// The object that a copy reads from; `None` where the request is no copy.
    pub(super) fn copy_source(&self) -> Option<CopySource<'a>> {
        *self.copy_source.get_or_init(|| {
            let header = self.copy_source_header()?;
            CopySource::parse(header, self.arena)
        })
    }

    /// Whether the record hides which object a copy reads from.
    pub(super) fn hides_copy_source(&self) -> bool {
        self.copy_source_header().is_some_and(is_hidden)
    }

    fn copy_source_header(&self) -> Option<&'a str> {
        let Shown::Object(parameters) = self.shown else {
            return None;
        };
        let header = parameters.get("x-amz-copy-source")?;
        header
            .as_str()
            .or_else(|| header.items().next().and_then(Json::as_str))
    }

    /// A field of the record itself that conditions and keys may name.
    pub(super) fn record_field(&self, field: RecordField) -> Option<&'a str> {
        match field {
            RecordField::ErrorCode => self.record.error_code,
            RecordField::EventName => self.record.event_name,
            RecordField::EventSource => self.record.event_source,
            RecordField::AwsRegion => self.record.aws_region,
            // Who calls with a principal's permissions on its behalf is an AWS service; the console is
            // the principal itself.
            RecordField::ByAwsService => {
                let service = self.record.user_identity?.invoked_by?;
                (service != "signin.amazonaws.com").then_some("true")
            }
            RecordField::SameKey => self.same_key(),
            RecordField::AccessPointArn => self.access_point_arn(),
            RecordField::AccessPointAccount => self.access_point_arn().and_then(account_of),
            RecordField::AccessPointAlias => self
                .access_point_arn()
                .filter(|arn| account_of(arn).is_none()),
        }
    }

    /// Whether the two keys of a ReEncrypt are one; CloudTrail records both.
    fn same_key(&self) -> Option<&'a str> {
        let mut keys = self.recorded().iter().map(|item| item.arn);
        let first = keys.next()?;
        Some(match keys.next() {
            Some(second) if second != first => "false",
            Some(_) => "true",
            None => return None,
        })
    }

    /// The access point that the request went through, or its alias, which hides the ARN. Three keys and
    /// as many conditions ask for it.
    fn access_point_arn(&self) -> Option<&'a str> {
        *self
            .access_point
            .get_or_init(|| self.find_access_point_arn())
    }

    fn find_access_point_arn(&self) -> Option<&'a str> {
        let recorded = self.resources().iter().find_map(|item| {
            let arn = item.arn?;
            item.kind?.ends_with("AccessPoint").then_some(arn)
        });
        let Shown::Object(parameters) = self.shown else {
            return recorded;
        };
        recorded.or_else(|| {
            let bucket = parameters.get("bucketName").and_then(Json::as_str)?;
            let is_access_point = bucket.contains(":accesspoint/") || bucket.ends_with("-s3alias");
            is_access_point.then_some(bucket)
        })
    }
}

/// What [`View::record_field`] knows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum RecordField {
    ErrorCode,
    EventName,
    EventSource,
    AwsRegion,
    ByAwsService,
    SameKey,
    AccessPointArn,
    AccessPointAccount,
    AccessPointAlias,
}

impl RecordField {
    pub(super) fn of_name(name: &str) -> Option<Self> {
        Some(match name {
            "errorCode" => Self::ErrorCode,
            "eventName" => Self::EventName,
            "eventSource" => Self::EventSource,
            "awsRegion" => Self::AwsRegion,
            "byAwsService" => Self::ByAwsService,
            "sameKey" => Self::SameKey,
            "accessPointArn" => Self::AccessPointArn,
            "accessPointAccount" => Self::AccessPointAccount,
            "accessPointAlias" => Self::AccessPointAlias,
            _ => return None,
        })
    }
}

impl<'a> CopySource<'a> {
    fn parse(text: &'a str, arena: &'a Bump) -> Option<Self> {
        let (object, version) = match text.rsplit_once("?versionId=") {
            Some((object, version)) => (object, Some(version)),
            None => (text, None),
        };
        let object = decode(object.strip_prefix('/').unwrap_or(object), arena);
        if object.starts_with("arn:") {
            return Some(Self {
                arn: Some(object),
                bucket: None,
                key: None,
                version,
            });
        }
        let (bucket, key) = object.split_once('/')?;
        Some(Self {
            arn: None,
            bucket: Some(bucket),
            key: Some(key),
            version,
        })
    }

    /// One of its parts by name.
    pub(super) fn part(self, name: &str) -> Option<&'a str> {
        match name {
            "arn" => self.arn,
            "bucket" => self.bucket,
            "key" => self.key,
            "version" => self.version,
            _ => None,
        }
    }
}

/// The parts that [`CopySource::part`] knows.
pub(super) const COPY_SOURCE_PARTS: [&str; 4] = ["arn", "bucket", "key", "version"];

/// URL-decoded, where that gives text.
pub(super) fn decode<'a>(text: &'a str, arena: &'a Bump) -> &'a str {
    if !text.contains('%') {
        return text;
    }
    match percent_decode_str(text).decode_utf8() {
        Ok(decoded) => arena.alloc_str(&decoded),
        Err(_) => text,
    }
}
