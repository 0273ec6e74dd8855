//! Condition keys of a call, as far as its record shows them.
//!
//! Each key is known, known to be absent, or unknown; see
//! <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html>.
//! Keys that the request's own parameters feed come from the mapping; here are the global ones, and
//! those of KMS and S3 that other fields of the record feed.

use std::net::IpAddr;

use bumpalo::Bump;
use retrial_cloudtrail::{Json, Parameters, Record, UserIdentity};
use retrial_iam::{Context, KeyState, MissingKeys, Principal, Values};

use crate::asker::provider;
use crate::caller::{Caller, CallerKind};
use crate::omission::is_hidden;
use crate::session::{IssuedTo, Session};

/// A call's record, its caller and, where they are known, the principal and the session.
#[derive(Clone, Copy)]
pub(crate) struct KeySource<'a, 'r> {
    pub(crate) record: &'r Record<'a>,
    pub(crate) caller: &'r Caller<'a>,
    pub(crate) principal: Option<&'a Principal>,
    pub(crate) session: Option<&'r Session>,
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

pub(crate) fn one(text: &str) -> KeyState<'_> {
    KeyState::Known(Values::One(text))
}

fn one_or_absent(text: Option<&str>) -> KeyState<'_> {
    text.map_or(KeyState::Absent, one)
}

const TRUE_FALSE: [&str; 2] = ["false", "true"];

pub(crate) fn truth(value: bool) -> KeyState<'static> {
    let [no, yes] = TRUE_FALSE;
    one(if value { yes } else { no })
}

/// `invokedBy` beside a role or user is not always a forward access session: `signin.amazonaws.com`
/// is the console's direct call, and a service-linked role acts for its service, as a service does
/// with a session that it asked for itself.
fn via<'a>(source: KeySource<'a, '_>) -> Via<'a> {
    let KeySource { record, caller, .. } = source;
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
            CallerKind::RoleSession => match source.session.map(Session::issued_to) {
                Some(IssuedTo::Service(asked)) if **asked == *service => Via::Direct,
                // A service's session in the hands of another service: S3 asks KMS with the
                // credentials of the SageMaker job that reads the object.
                Some(IssuedTo::Service(_) | IssuedTo::Person) => Via::Service(service),
                // A session issued to a service has `invokedBy` too; only its issuing record can tell.
                Some(IssuedTo::NotShown) | None => Via::Unknown,
            },
            _ => Via::Unknown,
        },
    }
}

/// The keys that all requests of a call share.
pub(crate) fn call_keys<'a>(source: KeySource<'a, '_>) -> Context<'a> {
    let mut context = caller_keys(source);
    record_keys(source, &mut context);
    context
}

/// Those of them that follow from the caller: from `userIdentity`, from where the call came from, from the
/// principal and the session. [`crate::KnownCallers`] tells callers apart by all of it.
pub(crate) fn caller_keys<'a>(source: KeySource<'a, '_>) -> Context<'a> {
    let mut context = Context::new(MissingKeys::ByCatalogue);
    principal_keys(source, &mut context);
    principal_tag_keys(
        Tagged {
            kind: source.caller.kind,
            principal: source.principal,
            session: source.session,
        },
        source.arena,
        &mut context,
    );
    session_keys(source, &mut context);
    network_keys(source, &mut context);
    via_keys(source, &mut context);
    context
}

/// The others.
pub(crate) fn record_keys<'a>(source: KeySource<'a, '_>, context: &mut Context<'a>) {
    identity_provider_keys(source, context);
    time_keys(source, context);
    match source.record.event_source {
        Some("kms.amazonaws.com") => kms_keys(source, context),
        Some("s3.amazonaws.com") => s3_keys(source, context),
        _ => {}
    }
}

fn principal_keys<'a>(source: KeySource<'a, '_>, context: &mut Context<'a>) {
    let KeySource { record, caller, .. } = source;
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
    let is_service = caller.kind == CallerKind::Service;
    if caller.kind != CallerKind::NotShown {
        context.set("aws:PrincipalIsAWSService", truth(is_service));
    }
    if matches!(caller.kind, CallerKind::Service | CallerKind::NotShown) {
        return;
    }
    context.set("aws:PrincipalServiceName", KeyState::Absent);
    context.set("aws:PrincipalServiceNamesList", KeyState::Absent);
    let kind = match caller.kind {
        CallerKind::User => "User",
        CallerKind::RoleSession => "AssumedRole",
        CallerKind::FederatedSession => "FederatedUser",
        CallerKind::Root => "Account",
        CallerKind::Anonymous => "Anonymous",
        CallerKind::Service | CallerKind::Federated | CallerKind::NotShown => return,
    };
    context.set("aws:PrincipalType", one(kind));
    if caller.kind == CallerKind::Anonymous {
        // "Anonymous requests return `anonymous`", and have no ARN and no organization.
        context.set("aws:PrincipalAccount", one("anonymous"));
        for key in [
            "aws:PrincipalArn",
            "aws:PrincipalOrgID",
            "aws:PrincipalOrgPaths",
            "aws:PrincipalTag/*",
        ] {
            context.set(key, KeyState::Absent);
        }
    }
    if let Some(id) = caller.user_id {
        context.set("aws:userid", one(id));
    }
    context.set(
        "aws:username",
        one_or_absent(caller.user_name.filter(|_| caller.kind == CallerKind::User)),
    );
}

/// Whose tags a request has.
#[derive(Clone, Copy)]
pub(crate) struct Tagged<'a, 'r> {
    pub(crate) kind: CallerKind,
    pub(crate) principal: Option<&'a Principal>,
    pub(crate) session: Option<&'r Session>,
}

/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-keys.html#condition-keys-assumedroot>.
pub(crate) const ASSUMED_ROOT: &str = "aws:AssumedRoot";

const PRINCIPAL_TAG: &str = "aws:PrincipalTag/";
const RESOURCE_TAG: &str = "ResourceTag/";

/// Whether a key of such a caller's request to a service is taken from the snapshot, and not, or not
/// only, from the record: under another snapshot it is another. These are what [`principal_tag_keys`]
/// and [`resource_keys`] set.
pub(crate) fn is_of_snapshot(key: &str, kind: CallerKind, service: &str) -> bool {
    let Some((prefix, name)) = key.split_once(':') else {
        return false;
    };
    let begins = |text: &str, start: &str| {
        text.get(..start.len())
            .is_some_and(|text| text.eq_ignore_ascii_case(start))
    };
    // Somebody without credentials is known to have no tags.
    (begins(key, PRINCIPAL_TAG) && kind != CallerKind::Anonymous)
        || (begins(name, RESOURCE_TAG)
            && (prefix.eq_ignore_ascii_case("aws") || prefix.eq_ignore_ascii_case(service)))
}

/// The principal's tags; those of a session override them.
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/id_session-tags.html>.
pub(crate) fn principal_tag_keys<'a>(
    tagged: Tagged<'a, '_>,
    arena: &'a Bump,
    context: &mut Context<'a>,
) {
    let Tagged {
        kind,
        principal,
        session,
    } = tagged;
    // Only the issuing record shows a session's tags.
    let all_known = match kind {
        CallerKind::User | CallerKind::Root => true,
        CallerKind::RoleSession | CallerKind::FederatedSession => {
            session.is_some_and(Session::tags_are_all)
        }
        _ => false,
    };
    if let Some(principal) = principal.filter(|_| all_known) {
        tag_keys(PRINCIPAL_TAG, &principal.tags, arena, context);
    }
    for (key, value) in session.into_iter().flat_map(Session::tags) {
        context.set(
            arena.alloc_str(&format!("{PRINCIPAL_TAG}{key}")),
            one(arena.alloc_str(value)),
        );
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
    if has_long_term_key(identity) {
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
            if !mfa {
                context.set("aws:MultiFactorAuthAge", KeyState::Absent);
            }
        }
        if let Some(created) = identity.session_created_text {
            context.set("aws:TokenIssueTime", one(created));
        }
    }
    if identity.assumed_root == Some(true) {
        context.set(ASSUMED_ROOT, truth(true));
    }
    if matches!(caller.kind, CallerKind::Service | CallerKind::Federated) {
        return;
    }
    let issued_with = source.session.and_then(Session::source_identity);
    let source_identity = identity
        .source_identity
        .or_else(|| Some(&*arena.alloc_str(issued_with?)));
    context.set("aws:SourceIdentity", one_or_absent(source_identity));
    context.set(
        "aws:FederatedProvider",
        one_or_absent(identity.federated_provider),
    );
}

fn has_long_term_key(identity: UserIdentity<'_>) -> bool {
    identity
        .access_key_id
        .is_some_and(|key| key.starts_with("AKIA"))
}

/// What a web or SAML identity's token says, as far as the record of the session's issue shows it.
///
/// The keys of an OIDC provider have its name for a prefix, and are in no catalogue.
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html>.
fn identity_provider_keys<'a>(source: KeySource<'a, '_>, context: &mut Context<'a>) {
    let KeySource {
        record,
        caller,
        arena,
        ..
    } = source;
    let (CallerKind::Federated, Some(provider)) = (caller.kind, provider(record)) else {
        return;
    };
    let answered = |key: &str| record.response_elements?.get(key)?.as_str();
    if record.event_name == Some("AssumeRoleWithSAML") {
        for (key, field) in [
            ("saml:aud", "audience"),
            ("saml:iss", "issuer"),
            ("saml:namequalifier", "nameQualifier"),
            ("saml:sub", "subject"),
            ("saml:sub_type", "subjectType"),
        ] {
            context.set(key, answered(field).map_or(KeyState::Unknown, one));
        }
        return;
    }
    let host = provider
        .split_once(":oidc-provider/")
        .map_or(provider, |(_, host)| host);
    let named = |name: &str| &*arena.alloc_str(&format!("{host}:{name}"));
    let identity = record.user_identity.unwrap_or_default();
    // `principalId` is the provider, the audience and the subject, joined by colons.
    let subject = identity.user_name;
    let audience = answered("audience").or_else(|| {
        let rest = identity
            .principal_id?
            .strip_prefix(provider)?
            .strip_prefix(':')?;
        rest.strip_suffix(subject?)?.strip_suffix(':')
    });
    for (name, value) in [("sub", subject), ("aud", audience)] {
        context.set(named(name), value.map_or(KeyState::Unknown, one));
    }
    context.set(named("*"), KeyState::Unknown);
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
    match via(source) {
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
    if let Some(identity) = record.user_identity
        && identity.mfa_authenticated == Some(true)
        && !has_long_term_key(identity)
        && let Some(created) = identity.session_created
    {
        let seconds = (time.micros() - created.micros()) / 1_000_000;
        context.set(
            "aws:MultiFactorAuthAge",
            one(bumpalo::format!(in arena, "{}", seconds).into_bump_str()),
        );
    }
    context.set("aws:CurrentTime", one(text));
    let seconds = time.micros().div_euclid(1_000_000);
    let seconds = bumpalo::format!(in arena, "{}", seconds).into_bump_str();
    context.set("aws:EpochTime", one(seconds));
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
    let via = via(source);
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
        // Redacted whole: nobody knows which keys there are.
        Some(pairs) if pairs.as_str().is_some_and(is_hidden) => {}
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
            let state = if is_hidden(value) {
                KeyState::Unknown
            } else {
                one(value)
            };
            let key = bumpalo::format!(in arena, "kms:EncryptionContext:{}", name);
            context.set(key.into_bump_str(), state);
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
        tag_keys(&format!("aws:{RESOURCE_TAG}"), tags, arena, context);
        tag_keys(&format!("{service}:{RESOURCE_TAG}"), tags, arena, context);
    }
}
