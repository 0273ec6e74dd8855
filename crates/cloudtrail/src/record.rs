//! One record: the fields that replay and the tables need, borrowed from its text.

use crate::{Json, Timestamp};

/// One CloudTrail event record.
///
/// A field is `None` where the record has it not or has it `null`; an empty string stays empty.
/// See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>.
#[derive(Debug)]
pub struct Record<'a> {
    /// the whole record, as written
    pub json: Json<'a>,
    /// `eventVersion`
    pub event_version: Option<&'a str>,
    /// `eventTime` as written
    pub event_time_text: Option<&'a str>,
    /// `eventTime` where it is an ISO 8601 instant
    pub event_time: Option<Timestamp>,
    /// `eventSource`, such as `s3.amazonaws.com`
    pub event_source: Option<&'a str>,
    /// `eventName`
    pub event_name: Option<&'a str>,
    /// `awsRegion`
    pub aws_region: Option<&'a str>,
    /// `sourceIPAddress`: an address, a service's name or `AWS Internal`
    pub source_ip_address: Option<&'a str>,
    /// `userAgent`
    pub user_agent: Option<&'a str>,
    /// `errorCode`
    pub error_code: Option<&'a str>,
    /// `errorMessage`
    pub error_message: Option<&'a str>,
    /// `requestID`
    pub request_id: Option<&'a str>,
    /// `eventID`
    pub event_id: Option<&'a str>,
    /// `eventType`, such as `AwsApiCall`
    pub event_type: Option<&'a str>,
    /// `eventCategory`
    pub event_category: Option<&'a str>,
    /// `recipientAccountId`
    pub recipient_account_id: Option<&'a str>,
    /// `sharedEventID`
    pub shared_event_id: Option<&'a str>,
    /// `vpcEndpointId`
    pub vpc_endpoint_id: Option<&'a str>,
    /// `vpcEndpointAccountId`
    pub vpc_endpoint_account_id: Option<&'a str>,
    /// `readOnly`
    pub read_only: Option<bool>,
    /// `managementEvent`
    pub management_event: Option<bool>,
    /// `sessionCredentialFromConsole`
    pub session_credential_from_console: Option<bool>,
    /// `userIdentity`; `None` where it is missing or not an object
    pub user_identity: Option<UserIdentity<'a>>,
    /// `resources` as written (an array, a string, …); read it through [`Record::resources`]
    pub resources_json: Option<Json<'a>>,
    /// `requestParameters`
    pub request_parameters: Parameters<'a>,
    /// `responseElements`
    pub response_elements: Option<Json<'a>>,
    /// `additionalEventData`
    pub additional_event_data: Option<Json<'a>>,
    /// `serviceEventDetails`
    pub service_event_details: Option<Json<'a>>,
    /// `eventContext` of enriched events
    pub event_context: Option<Json<'a>>,
    /// `tlsDetails`
    pub tls_details: Option<Json<'a>>,
    /// `addendum`
    pub addendum: Option<Json<'a>>,
    /// `insightDetails`
    pub insight_details: Option<Json<'a>>,
}

/// What became of `requestParameters`.
#[derive(Debug, Clone, Copy)]
pub enum Parameters<'a> {
    /// Not in the record.
    Missing,
    /// `null`: the call has none, or CloudTrail does not log them.
    Null,
    /// Left out for their size: `{"omitted": true, …}`.
    Omitted,
    /// A string such as `HIDDEN_DUE_TO_SECURITY_REASONS`, or anything else, where an object is
    /// normal.
    Redacted,
    /// The parameters.
    Object(Json<'a>),
}

impl<'a> Parameters<'a> {
    /// The parameters, where they are shown.
    pub fn object(self) -> Option<Json<'a>> {
        match self {
            Self::Object(json) => Some(json),
            _ => None,
        }
    }

    /// The member `key`, where the parameters are shown and have it.
    pub fn get(self, key: &str) -> Option<Json<'a>> {
        self.object()?.get(key)
    }
}

/// `userIdentity`: who made the call.
/// See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>.
#[derive(Debug, Clone, Copy, Default)]
pub struct UserIdentity<'a> {
    /// `type`, such as `AssumedRole`
    pub kind: Option<&'a str>,
    /// `arn`; for a session the STS session ARN
    pub arn: Option<&'a str>,
    /// `principalId`, such as `AROA…:session`
    pub principal_id: Option<&'a str>,
    /// `accountId`
    pub account_id: Option<&'a str>,
    /// `accessKeyId`
    pub access_key_id: Option<&'a str>,
    /// `userName`
    pub user_name: Option<&'a str>,
    /// `invokedBy`
    pub invoked_by: Option<&'a str>,
    /// `identityProvider`
    pub identity_provider: Option<&'a str>,
    /// `sessionContext.sessionIssuer`; `None` where missing or `{}`
    pub session_issuer: Option<SessionIssuer<'a>>,
    /// `sessionContext.attributes.mfaAuthenticated`
    pub mfa_authenticated: Option<bool>,
    /// `sessionContext.attributes.creationDate`
    pub session_created: Option<Timestamp>,
    /// `sessionContext.attributes.creationDate` as written
    pub session_created_text: Option<&'a str>,
    /// `sessionContext.sourceIdentity`
    pub source_identity: Option<&'a str>,
    /// `sessionContext.webIdFederationData.federatedProvider`
    pub federated_provider: Option<&'a str>,
    /// `sessionContext.ec2RoleDelivery`
    pub ec2_role_delivery: Option<&'a str>,
    /// `sessionContext.assumedRoot`
    pub assumed_root: Option<bool>,
}

/// `sessionContext.sessionIssuer`: the role or user behind a session.
#[derive(Debug, Clone, Copy, Default)]
pub struct SessionIssuer<'a> {
    /// `type`, such as `Role`
    pub kind: Option<&'a str>,
    /// `principalId`, such as `AROA…`
    pub principal_id: Option<&'a str>,
    /// `arn`, with the role's path
    pub arn: Option<&'a str>,
    /// `accountId`
    pub account_id: Option<&'a str>,
    /// `userName`
    pub user_name: Option<&'a str>,
}

/// One item of `resources`.
#[derive(Debug, Clone, Copy, Default)]
pub struct RecordResource<'a> {
    /// `ARN` (or `arn`)
    pub arn: Option<&'a str>,
    /// `ARNPrefix`
    pub arn_prefix: Option<&'a str>,
    /// `accountId`
    pub account_id: Option<&'a str>,
    /// `type`, such as `AWS::S3::Object`
    pub kind: Option<&'a str>,
}

impl<'a> Record<'a> {
    /// The items of `resources`; none where the field is missing or not an array of objects.
    pub fn resources(&self) -> impl Iterator<Item = RecordResource<'a>> + 'a {
        self.resources_json
            .into_iter()
            .flat_map(|list| list.items())
            .map(|item| {
                // In one walk: of a member that occurs twice the first counts.
                let [mut arn, mut lower, mut arn_prefix, mut account_id, mut kind] = [None; 5];
                for (name, value) in item.members() {
                    let place = match name {
                        "ARN" => &mut arn,
                        "arn" => &mut lower,
                        "ARNPrefix" => &mut arn_prefix,
                        "accountId" => &mut account_id,
                        "type" => &mut kind,
                        _ => continue,
                    };
                    place.get_or_insert(value.as_str());
                }
                RecordResource {
                    arn: arn.flatten().or(lower.flatten()),
                    arn_prefix: arn_prefix.flatten(),
                    account_id: account_id.flatten(),
                    kind: kind.flatten(),
                }
            })
    }
}
