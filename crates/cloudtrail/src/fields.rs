//! The members of a record that have a field, found in one pass over them.

use crate::parser::Wrapper;
use crate::{Json, JsonKind, Parameters, Record, SessionIssuer, Timestamp, UserIdentity};

/// A record's top-level members as they stand. Of a key that occurs twice the first counts, as in
/// [`Json::get`].
#[derive(Default)]
pub(crate) struct Fields<'a> {
    event_version: Option<Json<'a>>,
    event_time: Option<Json<'a>>,
    event_source: Option<Json<'a>>,
    event_name: Option<Json<'a>>,
    aws_region: Option<Json<'a>>,
    source_ip_address: Option<Json<'a>>,
    user_agent: Option<Json<'a>>,
    error_code: Option<Json<'a>>,
    error_message: Option<Json<'a>>,
    request_id: Option<Json<'a>>,
    event_id: Option<Json<'a>>,
    event_type: Option<Json<'a>>,
    event_category: Option<Json<'a>>,
    recipient_account_id: Option<Json<'a>>,
    shared_event_id: Option<Json<'a>>,
    vpc_endpoint_id: Option<Json<'a>>,
    vpc_endpoint_account_id: Option<Json<'a>>,
    read_only: Option<Json<'a>>,
    management_event: Option<Json<'a>>,
    session_credential_from_console: Option<Json<'a>>,
    user_identity: Option<Json<'a>>,
    resources: Option<Json<'a>>,
    request_parameters: Option<Json<'a>>,
    response_elements: Option<Json<'a>>,
    additional_event_data: Option<Json<'a>>,
    service_event_details: Option<Json<'a>>,
    event_context: Option<Json<'a>>,
    tls_details: Option<Json<'a>>,
    addendum: Option<Json<'a>>,
    insight_details: Option<Json<'a>>,
    detail: Option<Json<'a>>,
    detail_type: Option<Json<'a>>,
    cloud_trail_event: Option<Json<'a>>,
    message: Option<Json<'a>>,
    records: Option<Json<'a>>,
}

impl<'a> Fields<'a> {
    pub(crate) fn of(record: Json<'a>) -> Self {
        let mut fields = Self::default();
        for (key, value) in record.byte_members() {
            if let Some(field) = fields.field(key) {
                field.get_or_insert(value);
            }
        }
        fields
    }

    /// By length first: comparing each of 25 keys with each of 35 names is a tenth of the parsing. Not by
    /// patterns, which compare byte by byte.
    fn field(&mut self, key: &[u8]) -> Option<&mut Option<Json<'a>>> {
        Some(match key.len() {
            6 if key == b"detail" => &mut self.detail,
            7 => match () {
                _ if key == b"eventID" => &mut self.event_id,
                _ if key == b"message" => &mut self.message,
                _ if key == b"Records" => &mut self.records,
                _ => return None,
            },
            8 => match () {
                _ if key == b"readOnly" => &mut self.read_only,
                _ if key == b"addendum" => &mut self.addendum,
                _ => return None,
            },
            9 => match () {
                _ if key == b"eventTime" => &mut self.event_time,
                _ if key == b"eventName" => &mut self.event_name,
                _ if key == b"eventType" => &mut self.event_type,
                _ if key == b"awsRegion" => &mut self.aws_region,
                _ if key == b"userAgent" => &mut self.user_agent,
                _ if key == b"requestID" => &mut self.request_id,
                _ if key == b"resources" => &mut self.resources,
                _ if key == b"errorCode" => &mut self.error_code,
                _ => return None,
            },
            10 if key == b"tlsDetails" => &mut self.tls_details,
            11 => match () {
                _ if key == b"eventSource" => &mut self.event_source,
                _ if key == b"detail-type" => &mut self.detail_type,
                _ => return None,
            },
            12 => match () {
                _ if key == b"eventVersion" => &mut self.event_version,
                _ if key == b"userIdentity" => &mut self.user_identity,
                _ if key == b"errorMessage" => &mut self.error_message,
                _ if key == b"eventContext" => &mut self.event_context,
                _ => return None,
            },
            13 => match () {
                _ if key == b"eventCategory" => &mut self.event_category,
                _ if key == b"sharedEventID" => &mut self.shared_event_id,
                _ if key == b"vpcEndpointId" => &mut self.vpc_endpoint_id,
                _ => return None,
            },
            14 if key == b"insightDetails" => &mut self.insight_details,
            15 => match () {
                _ if key == b"sourceIPAddress" => &mut self.source_ip_address,
                _ if key == b"managementEvent" => &mut self.management_event,
                _ if key == b"CloudTrailEvent" => &mut self.cloud_trail_event,
                _ => return None,
            },
            16 if key == b"responseElements" => &mut self.response_elements,
            17 if key == b"requestParameters" => &mut self.request_parameters,
            18 if key == b"recipientAccountId" => &mut self.recipient_account_id,
            19 => match () {
                _ if key == b"additionalEventData" => &mut self.additional_event_data,
                _ if key == b"serviceEventDetails" => &mut self.service_event_details,
                _ => return None,
            },
            20 if key == b"vpcEndpointAccountId" => &mut self.vpc_endpoint_account_id,
            28 if key == b"sessionCredentialFromConsole" => {
                &mut self.session_credential_from_console
            }
            _ => return None,
        })
    }

    /// The record that this one only wraps, where it is a wrapper: an object or a string of JSON.
    ///
    /// No CloudTrail record has these members, and a wrapper has none of the fields that tell a
    /// record, so that nothing inside a record is ever taken for one.
    pub(crate) fn wrapped(&self) -> Option<(Wrapper, Json<'a>)> {
        if self.event_version.is_some() || self.event_source.is_some() || self.event_name.is_some()
        {
            return None;
        }
        let is = |json: &Json<'a>, kind| json.kind() == kind;
        if let Some(event) = self.cloud_trail_event
            && (is(&event, JsonKind::String) || is(&event, JsonKind::Object))
        {
            return Some((Wrapper::CloudTrailEvent, event));
        }
        if let (Some(detail), Some(_)) = (self.detail, self.detail_type)
            && is(&detail, JsonKind::Object)
        {
            return Some((Wrapper::Detail, detail));
        }
        let message = self.message?;
        let holds_object = message.as_str()?.trim_ascii_start().starts_with('{');
        holds_object.then_some((Wrapper::Message, message))
    }

    /// Whether this is a list of records, in a place where one record belongs.
    pub(crate) fn holds_records(&self) -> bool {
        self.event_name.is_none()
            && self
                .records
                .is_some_and(|list| list.kind() == JsonKind::Array)
    }

    pub(crate) fn into_record(self, json: Json<'a>) -> Record<'a> {
        let event_time_text = text(self.event_time);
        Record {
            json,
            event_version: text(self.event_version),
            event_time_text,
            event_time: event_time_text.and_then(Timestamp::parse),
            event_source: text(self.event_source),
            event_name: text(self.event_name),
            aws_region: text(self.aws_region),
            source_ip_address: text(self.source_ip_address),
            user_agent: text(self.user_agent),
            error_code: text(self.error_code),
            error_message: text(self.error_message),
            request_id: text(self.request_id),
            event_id: text(self.event_id),
            event_type: text(self.event_type),
            event_category: text(self.event_category),
            recipient_account_id: text(self.recipient_account_id),
            shared_event_id: text(self.shared_event_id),
            vpc_endpoint_id: text(self.vpc_endpoint_id),
            vpc_endpoint_account_id: text(self.vpc_endpoint_account_id),
            read_only: self.read_only.and_then(Json::as_bool),
            management_event: self.management_event.and_then(Json::as_bool),
            session_credential_from_console: self
                .session_credential_from_console
                .and_then(Json::as_bool),
            user_identity: self.user_identity.and_then(user_identity),
            resources_json: present(self.resources),
            request_parameters: parameters(self.request_parameters),
            response_elements: present(self.response_elements),
            additional_event_data: present(self.additional_event_data),
            service_event_details: present(self.service_event_details),
            event_context: present(self.event_context),
            tls_details: present(self.tls_details),
            addendum: present(self.addendum),
            insight_details: present(self.insight_details),
        }
    }
}

fn text<'a>(value: Option<Json<'a>>) -> Option<&'a str> {
    value.and_then(Json::as_str)
}

fn present<'a>(value: Option<Json<'a>>) -> Option<Json<'a>> {
    value.filter(|json| !json.is_null())
}

fn parameters(value: Option<Json<'_>>) -> Parameters<'_> {
    let Some(json) = value else {
        return Parameters::Missing;
    };
    match json.kind() {
        JsonKind::Null => Parameters::Null,
        JsonKind::Object if is_omitted(json) => Parameters::Omitted,
        JsonKind::Object => Parameters::Object(json),
        _ => Parameters::Redacted,
    }
}

/// `{"omitted": true, "originalSize": …, "reason": …}` stands for parameters over 100 KB.
/// A request may have a parameter of that name; it is told by what stands beside it.
fn is_omitted(parameters: Json<'_>) -> bool {
    parameters.get("omitted").and_then(Json::as_bool) == Some(true)
        && (parameters.get("originalSize").is_some() || parameters.members().count() == 1)
}

fn user_identity(json: Json<'_>) -> Option<UserIdentity<'_>> {
    if json.kind() != JsonKind::Object {
        return None;
    }
    let mut identity = UserIdentity::default();
    let mut session_context = None;
    for (key, value) in json.byte_members() {
        let field = match () {
            _ if key == b"type" => &mut identity.kind,
            _ if key == b"arn" => &mut identity.arn,
            _ if key == b"principalId" => &mut identity.principal_id,
            _ if key == b"accountId" => &mut identity.account_id,
            _ if key == b"accessKeyId" => &mut identity.access_key_id,
            _ if key == b"userName" => &mut identity.user_name,
            _ if key == b"invokedBy" => &mut identity.invoked_by,
            _ if key == b"identityProvider" => &mut identity.identity_provider,
            _ if key == b"sessionContext" => {
                session_context.get_or_insert(value);
                continue;
            }
            _ => continue,
        };
        if let (None, Some(text)) = (*field, value.as_str()) {
            *field = Some(text);
        }
    }
    if let Some(context) = session_context {
        read_session_context(&mut identity, context);
    }
    Some(identity)
}

fn read_session_context<'a>(identity: &mut UserIdentity<'a>, context: Json<'a>) {
    let [issuer, attributes, source, federation, ec2, assumed_root] = first_members(
        context,
        [
            "sessionIssuer",
            "attributes",
            "sourceIdentity",
            "webIdFederationData",
            "ec2RoleDelivery",
            "assumedRoot",
        ],
    );
    let [mfa, created] = attributes.map_or([None; 2], |attributes| {
        first_members(attributes, ["mfaAuthenticated", "creationDate"])
    });
    identity.session_issuer = issuer.and_then(session_issuer);
    identity.mfa_authenticated = mfa.and_then(Json::as_bool);
    identity.session_created_text = text(created);
    identity.session_created = identity.session_created_text.and_then(Timestamp::parse);
    identity.source_identity = text(source);
    identity.federated_provider =
        text(federation.and_then(|federation| federation.get("federatedProvider")));
    identity.ec2_role_delivery = text(ec2);
    identity.assumed_root = assumed_root.and_then(Json::as_bool);
}

/// The members of these names, in one walk over the object; of each name the first.
fn first_members<'a, const N: usize>(object: Json<'a>, names: [&str; N]) -> [Option<Json<'a>>; N] {
    let mut found = [None; N];
    for (key, value) in object.byte_members() {
        for (place, name) in found.iter_mut().zip(names) {
            if key == name.as_bytes() {
                place.get_or_insert(value);
                break;
            }
        }
    }
    found
}

fn session_issuer(json: Json<'_>) -> Option<SessionIssuer<'_>> {
    json.members().next()?;
    let names = ["type", "principalId", "arn", "accountId", "userName"];
    let [kind, principal_id, arn, account_id, user_name] = first_members(json, names).map(text);
    Some(SessionIssuer {
        kind,
        principal_id,
        arn,
        account_id,
        user_name,
    })
}
