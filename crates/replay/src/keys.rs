//! Condition keys of a call, as far as its record shows them.
//!
//! Each key is known, known to be absent, or unknown; see
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
//! Keys that the request's own parameters feed come from the mapping; here are the global ones, and
//! those of KMS and S3 that other fields of the record feed.

use std::net::IpAddr;

use bumpalo::Bump;
use retrial_cloudtrail::{Json, Parameters, Record};
use retrial_iam::{Context, KeyState, MissingKeys, Principal, PrincipalKind, Values};

use crate::caller::{Caller, CallerKind};

/// A call's record, its caller and, where the snapshot knows it, the principal.
#[derive(Clone, Copy)]
pub(crate) struct KeySource<'a, 'r> {
    pub(crate) record: &'r Record<'a>,
    pub(crate) caller: &'r Caller<'a>,
    pub(crate) principal: Option<&'a Principal>,
    pub(crate) arena: &'a Bump,
}

/// Whether another AWS service made the call for the caller (a forward access session).
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/access_forward_access_sessions.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Via<'a> {
    /// The caller itself.
    Direct,
    /// This service, with the caller's credentials.
    Service(&'a str),
    /// The record does not tell.
    Unknown,
}

fn one(text: &str) -> KeyState<'_> {
    KeyState::Known(Values::One(text))
}

fn one_or_absent(text: Option<&str>) -> KeyState<'_> {
    text.map_or(KeyState::Absent, one)
}

const TRUE_FALSE: [&str; 2] = ["false", "true"];

fn truth(value: bool) -> KeyState<'static> {
    let [no, yes] = TRUE_FALSE;
    one(if value { yes } else { no })
}

/// `invokedBy` beside a role or user is not always a forward access session: `signin.amazonaws.com`
/// is the console's direct call, and a service-linked role acts for its service.
pub(crate) fn via<'a>(record: &Record<'a>, caller: &Caller<'a>) -> Via<'a> {
    let Some(identity) = record.user_identity else {
        return Via::Unknown;
    };
    let arn = caller.principal_arn.unwrap_or_default();
    match identity.invoked_by {
        None | Some("signin.amazonaws.com") => Via::Direct,
        Some("AWS Internal") => Via::Unknown,
        Some(_) if arn.contains(":role/aws-service-role/") => Via::Direct,
        Some(service) => match caller.kind {
            CallerKind::User | CallerKind::Root | CallerKind::FederatedSession => {
                Via::Service(service)
            }
            CallerKind::RoleSession
                if arn.contains(":role/aws-reserved/sso.amazonaws.com/")
                    || identity.federated_provider.is_some() =>
            {
                Via::Service(service)
            }
            // A session issued to a service has `invokedBy` too; only its issuing record can tell.
            _ => Via::Unknown,
        },
    }
}

/// The keys that all requests of a call share.
pub(crate) fn call_keys<'a>(source: KeySource<'a, '_>) -> Context<'a> {
    let mut context = Context::new(MissingKeys::ByCatalogue);
    principal_keys(source, &mut context);
    session_keys(source, &mut context);
    network_keys(source, &mut context);
    via_keys(source, &mut context);
    time_keys(source, &mut context);
    match source.record.event_source {
        Some("kms.amazonaws.com") => kms_keys(source, &mut context),
        Some("s3.amazonaws.com") => s3_keys(source, &mut context),
        _ => {}
    }
    context
}

fn principal_keys<'a>(source: KeySource<'a, '_>, context: &mut Context<'a>) {
    let KeySource {
        record,
        caller,
        principal,
        arena,
    } = source;
    // A federated user's own session ARN, not its user's.
    let arn = match caller.kind {
        CallerKind::FederatedSession => record.user_identity.and_then(|identity| identity.arn),
        _ => caller.principal_arn,
    };
    if let Some(arn) = arn {
        context.set("aws:PrincipalArn", one(arn));
    }
    if let Some(account) = caller.account {
        context.set("aws:PrincipalAccount", one(account));
    }
    let kind = match caller.kind {
        CallerKind::User => Some("User"),
        CallerKind::RoleSession => Some("AssumedRole"),
        CallerKind::FederatedSession => Some("FederatedUser"),
        CallerKind::Root => Some("Account"),
        CallerKind::Anonymous => Some("Anonymous"),
        CallerKind::Service | CallerKind::Federated | CallerKind::NotShown => None,
    };
    let Some(kind) = kind else { return };
    context.set("aws:PrincipalType", one(kind));
    if let Some(id) = caller.user_id {
        context.set("aws:userid", one(id));
    }
    context.set(
        "aws:username",
        one_or_absent(caller.user_name.filter(|_| caller.kind == CallerKind::User)),
    );
    context.set("aws:PrincipalIsAWSService", truth(false));
    context.set("aws:PrincipalServiceName", KeyState::Absent);
    context.set("aws:PrincipalServiceNamesList", KeyState::Absent);
    // A role session may carry tags that only its issuing record shows, and they override the role's.
    let tags: Option<&[(String, String)]> = match principal {
        Some(principal)
            if matches!(principal.kind, PrincipalKind::User | PrincipalKind::Root)
                && caller.kind != CallerKind::FederatedSession =>
        {
            Some(&principal.tags)
        }
        _ => None,
    };
    if let Some(tags) = tags {
        tag_keys("aws:PrincipalTag/", tags, arena, context);
    }
}

/// Sets `prefix` + each tag, and the rest of the family absent.
fn tag_keys<'a>(
    prefix: &str,
    tags: &'a [(String, String)],
    arena: &'a Bump,
    context: &mut Context<'a>,
) {
    for (key, value) in tags {
        context.set(arena.alloc_str(&format!("{prefix}{key}")), one(value));
    }
    context.set(arena.alloc_str(&format!("{prefix}*")), KeyState::Absent);
}

fn session_keys<'a>(source: KeySource<'a, '_>, context: &mut Context<'a>) {
    let KeySource {
        record,
        caller,
        arena,
        ..
    } = source;
    let Some(identity) = record.user_identity else {
        return;
    };
    let long_term = identity
        .access_key_id
        .is_some_and(|key| key.starts_with("AKIA"));
    if long_term {
        for key in [
            "aws:MultiFactorAuthPresent",
            "aws:MultiFactorAuthAge",
            "aws:TokenIssueTime",
        ] {
            context.set(key, KeyState::Absent);
        }
    } else {
        if let Some(mfa) = identity.mfa_authenticated {
            context.set("aws:MultiFactorAuthPresent", truth(mfa));
            match (mfa, record.event_time, identity.session_created) {
                (false, ..) => context.set("aws:MultiFactorAuthAge", KeyState::Absent),
                (true, Some(now), Some(created)) => {
                    let seconds = (now.micros() - created.micros()) / 1_000_000;
                    context.set(
                        "aws:MultiFactorAuthAge",
                        one(arena.alloc_str(&seconds.to_string())),
                    );
                }
                (true, ..) => {}
            }
        }
        if let Some(created) = identity.session_created_text {
            context.set("aws:TokenIssueTime", one(created));
        }
    }
    if caller.kind != CallerKind::Service {
        context.set(
            "aws:SourceIdentity",
            one_or_absent(identity.source_identity),
        );
        context.set(
            "aws:FederatedProvider",
            one_or_absent(identity.federated_provider),
        );
    }
}

fn network_keys<'a>(source: KeySource<'a, '_>, context: &mut Context<'a>) {
    let record = source.record;
    let address = record
        .source_ip_address
        // Exports mask addresses as 0.0.0.0, from which nothing ever calls.
        .filter(|text| {
            text.parse::<IpAddr>()
                .is_ok_and(|address| !address.is_unspecified())
        });
    match (record.vpc_endpoint_id, address) {
        // Through an endpoint the address is a private one: the other key's.
        (Some(endpoint), _) => {
            context.set("aws:SourceIp", KeyState::Absent);
            context.set("aws:VpcSourceIp", address.map_or(KeyState::Unknown, one));
            context.set(
                "aws:SourceVpce",
                if endpoint == "AWS Internal" {
                    KeyState::Unknown
                } else {
                    one(endpoint)
                },
            );
        }
        (None, Some(address)) => {
            context.set("aws:SourceIp", one(address));
            for key in ["aws:VpcSourceIp", "aws:SourceVpce", "aws:SourceVpc"] {
                context.set(key, KeyState::Absent);
            }
        }
        // A service's name hides the address that AWS evaluated: all of these stay unknown.
        (None, None) => {}
    }
    if let Some(region) = record.aws_region {
        context.set("aws:RequestedRegion", one(region));
    }
    if let Some(agent) = record.user_agent {
        context.set("aws:UserAgent", one(agent));
    }
    if record
        .tls_details
        .is_some_and(|tls| tls.get("tlsVersion").is_some())
    {
        context.set("aws:SecureTransport", truth(true));
    }
}

fn via_keys<'a>(source: KeySource<'a, '_>, context: &mut Context<'a>) {
    match via(source.record, source.caller) {
        Via::Direct if source.caller.kind != CallerKind::Service => {
            context.set("aws:ViaAWSService", truth(false));
            for key in [
                "aws:CalledVia",
                "aws:CalledViaFirst",
                "aws:CalledViaLast",
                "aws:SourceArn",
                "aws:SourceAccount",
            ] {
                context.set(key, KeyState::Absent);
            }
        }
        Via::Service(service) => {
            context.set("aws:ViaAWSService", truth(true));
            context.set("aws:CalledViaLast", one(service));
        }
        Via::Direct | Via::Unknown => {}
    }
}

fn time_keys<'a>(source: KeySource<'a, '_>, context: &mut Context<'a>) {
    let KeySource { record, arena, .. } = source;
    let (Some(time), Some(text)) = (record.event_time, record.event_time_text) else {
        return;
    };
    context.set("aws:CurrentTime", one(text));
    context.set(
        "aws:EpochTime",
        one(arena.alloc_str(&(time.micros().div_euclid(1_000_000)).to_string())),
    );
}

/// See <https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html>.
fn kms_keys<'a>(source: KeySource<'a, '_>, context: &mut Context<'a>) {
    let KeySource {
        record,
        caller,
        arena,
        ..
    } = source;
    if let Some(account) = caller.account {
        context.set("kms:CallerAccount", one(account));
    }
    let via = via(record, caller);
    match (via, record.aws_region) {
        (Via::Direct, _) => context.set("kms:ViaService", KeyState::Absent),
        (Via::Service(service), Some(region)) => {
            let name = service.strip_suffix(".amazonaws.com").unwrap_or(service);
            let value = if name.contains('.') {
                service.to_owned()
            } else {
                format!("{name}.{region}.amazonaws.com")
            };
            context.set("kms:ViaService", one(arena.alloc_str(&value)));
        }
        _ => {}
    }
    let Parameters::Object(parameters) = record.request_parameters else {
        return;
    };
    match parameters.get("encryptionContext") {
        Some(pairs) => encryption_context_keys(pairs, arena, context),
        // A service that acts for the caller may hide the context that it sent.
        None if via == Via::Direct => {
            context.set("kms:EncryptionContext:*", KeyState::Absent);
            context.set("kms:EncryptionContextKeys", KeyState::Absent);
        }
        None => {}
    }
}

fn encryption_context_keys<'a>(pairs: Json<'a>, arena: &'a Bump, context: &mut Context<'a>) {
    let mut names = bumpalo::collections::Vec::new_in(arena);
    for (name, value) in pairs.members() {
        names.push(name);
        if let Some(value) = value.as_str() {
            context.set(
                arena.alloc_str(&format!("kms:EncryptionContext:{name}")),
                one(value),
            );
        }
    }
    context.set("kms:EncryptionContext:*", KeyState::Absent);
    context.set(
        "kms:EncryptionContextKeys",
        KeyState::Known(Values::Many(names.into_bump_slice())),
    );
}

/// See <https://docs.aws.amazon.com/AmazonS3/latest/API/bucket-policy-s3-sigv4-conditions.html>.
fn s3_keys<'a>(source: KeySource<'a, '_>, context: &mut Context<'a>) {
    let extra = |key: &str| {
        source
            .record
            .additional_event_data
            .and_then(|data| data.get(key))
            .and_then(Json::as_str)
    };
    let method = match extra("AuthenticationMethod") {
        Some("AuthHeader") => Some("REST-HEADER"),
        Some("QueryString") => Some("REST-QUERY-STRING"),
        Some(_) => Some("POST"),
        None => None,
    };
    if let Some(method) = method {
        context.set("s3:authType", one(method));
    }
    match extra("SignatureVersion") {
        Some("SigV4") => context.set("s3:signatureversion", one("AWS4-HMAC-SHA256")),
        Some("SigV2") => context.set("s3:signatureversion", one("AWS")),
        _ => {}
    }
    let version = source
        .record
        .tls_details
        .and_then(|tls| tls.get("tlsVersion"))
        .and_then(Json::as_str);
    if let Some(version) = version.and_then(|version| version.strip_prefix("TLSv")) {
        context.set("s3:TlsVersion", one(version));
    }
}

/// The keys of one request's resource: its account and, where the snapshot has them, its tags.
pub(crate) fn resource_keys<'a>(
    service: &str,
    account: Option<&'a str>,
    tags: Option<&'a [(String, String)]>,
    arena: &'a Bump,
    context: &mut Context<'a>,
) {
    if let Some(account) = account {
        context.set("aws:ResourceAccount", one(account));
        if service == "s3" {
            context.set("s3:ResourceAccount", one(account));
        }
    }
    if let Some(tags) = tags {
        tag_keys("aws:ResourceTag/", tags, arena, context);
        tag_keys(&format!("{service}:ResourceTag/"), tags, arena, context);
    }
}
