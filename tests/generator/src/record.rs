//! One CloudTrail record, written in the field order of real ones.
//!
//! See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html>.

use crate::clock::iso;
use crate::json::quote;
use crate::rng::Rng;

/// Who calls, with `userIdentity` ready to be written.
#[derive(Debug, Clone, Default)]
pub(crate) struct Caller {
    /// The role or user whose policies count, with its path; `None` where the record does not say.
    pub(crate) principal_arn: Option<String>,
    /// `userIdentity.arn`: a session's STS ARN, else as `principal_arn`.
    pub(crate) arn: String,
    /// `userIdentity` as JSON.
    pub(crate) identity: String,
    pub(crate) source_ip: String,
    pub(crate) user_agent: String,
    /// `vpcEndpointId`
    pub(crate) vpc_endpoint: Option<String>,
    /// Whether the session credentials come from the console.
    pub(crate) console: bool,
}

/// What is called, and how AWS answered.
#[derive(Debug, Clone)]
pub(crate) struct Draft {
    /// `s3`, without `.amazonaws.com`.
    pub(crate) source: &'static str,
    pub(crate) name: &'static str,
    pub(crate) region: &'static str,
    /// JSON; `null` is usual.
    pub(crate) request: String,
    pub(crate) response: String,
    /// `additionalEventData`; empty is none.
    pub(crate) additional: String,
    /// `resources` with its brackets; empty is none.
    pub(crate) resources: String,
    pub(crate) read_only: bool,
    /// A data event.
    pub(crate) data: bool,
    pub(crate) error: Option<(&'static str, String)>,
    /// `tlsDetails.clientProvidedHostHeader`; empty is no TLS details.
    pub(crate) host: String,
    pub(crate) event_type: &'static str,
    /// More members, each as `,"key":value`.
    pub(crate) more: String,
}

/// A management call with nothing but its names and request.
pub(crate) fn call(
    source: &'static str,
    name: &'static str,
    region: &'static str,
    request: String,
) -> Draft {
    Draft {
        source,
        name,
        region,
        request,
        response: String::from("null"),
        additional: String::new(),
        resources: String::new(),
        read_only: false,
        data: false,
        error: None,
        host: format!("{source}.{region}.amazonaws.com"),
        event_type: "AwsApiCall",
        more: String::new(),
    }
}

/// The same for a call that changes nothing.
pub(crate) fn read(
    source: &'static str,
    name: &'static str,
    region: &'static str,
    request: String,
) -> Draft {
    Draft {
        read_only: true,
        ..call(source, name, region, request)
    }
}

impl Draft {
    pub(crate) fn answers(mut self, response: String) -> Draft {
        self.response = response;
        self
    }

    pub(crate) fn on(mut self, resources: String) -> Draft {
        self.resources = resources;
        self
    }

    /// AWS denied it, and says what was missing where.
    pub(crate) fn denied(self, caller: &Caller, action: &str, resource: &str) -> Draft {
        let message = format!(
            "User: {} is not authorized to perform: {action} on resource: {resource} because no identity-based policy allows the {action} action",
            caller.arn
        );
        self.failed("AccessDenied", message)
    }

    /// It failed, whatever the reason.
    pub(crate) fn failed(mut self, code: &'static str, message: impl Into<String>) -> Draft {
        self.error = Some((code, message.into()));
        self.response = String::from("null");
        self
    }

    /// `succeeded`, `denied`, `failed_after_authorization` or `failed`: stated, for the few codes that are used here.
    pub(crate) fn outcome(&self) -> &'static str {
        match self.error.as_ref().map(|(code, _)| *code) {
            None => "succeeded",
            Some("AccessDenied") => "denied",
            Some("NoSuchKey" | "NoSuchBucketPolicy" | "NoSuchEntityException") => {
                "failed_after_authorization"
            }
            Some(_) => "failed",
        }
    }
}

/// Appends a record and returns its event id.
pub(crate) fn write(
    out: &mut String,
    caller: &Caller,
    account: &str,
    at: i64,
    draft: &Draft,
    rng: &mut Rng,
) -> String {
    let event_id = rng.uuid();
    out.push_str(r#"{"eventVersion":"1.11","userIdentity":"#);
    out.push_str(&caller.identity);
    text(out, "eventTime", &iso(at));
    out.push_str(",\"eventSource\":\"");
    out.push_str(draft.source);
    out.push_str(".amazonaws.com\"");
    text(out, "eventName", draft.name);
    text(out, "awsRegion", draft.region);
    text(out, "sourceIPAddress", &caller.source_ip);
    user_agent(out, caller, draft);
    if let Some((code, message)) = &draft.error {
        text(out, "errorCode", code);
        text(out, "errorMessage", message);
    }
    raw(out, "requestParameters", &draft.request);
    raw(out, "responseElements", &draft.response);
    if !draft.additional.is_empty() {
        raw(out, "additionalEventData", &draft.additional);
    }
    // S3 has request ids of its own.
    let request_id = if draft.source == "s3" {
        rng.upper(16)
    } else {
        rng.uuid()
    };
    text(out, "requestID", &request_id);
    text(out, "eventID", &event_id);
    raw(
        out,
        "readOnly",
        if draft.read_only { "true" } else { "false" },
    );
    if !draft.resources.is_empty() {
        raw(out, "resources", &draft.resources);
    }
    text(out, "eventType", draft.event_type);
    raw(
        out,
        "managementEvent",
        if draft.data { "false" } else { "true" },
    );
    text(out, "recipientAccountId", account);
    out.push_str(&draft.more);
    tail(out, caller, draft);
    event_id
}

fn tail(out: &mut String, caller: &Caller, draft: &Draft) {
    if let Some(endpoint) = caller
        .vpc_endpoint
        .as_ref()
        .filter(|_| draft.source == "s3")
    {
        text(out, "vpcEndpointId", endpoint);
    }
    text(
        out,
        "eventCategory",
        if draft.data { "Data" } else { "Management" },
    );
    if !draft.host.is_empty()
        && caller
            .source_ip
            .starts_with(|letter: char| letter.is_ascii_digit())
    {
        out.push_str(r#","tlsDetails":{"tlsVersion":"TLSv1.3","cipherSuite":"TLS_AES_128_GCM_SHA256","clientProvidedHostHeader":"#);
        quote(out, &draft.host);
        out.push('}');
    }
    if caller.console {
        out.push_str(r#","sessionCredentialFromConsole":"true""#);
    }
    out.push('}');
}

/// S3 writes its user agents in square brackets.
fn user_agent(out: &mut String, caller: &Caller, draft: &Draft) {
    match draft.source == "s3" && caller.user_agent.contains('/') {
        true => text(out, "userAgent", &format!("[{}]", caller.user_agent)),
        false => text(out, "userAgent", &caller.user_agent),
    }
}

fn text(out: &mut String, key: &str, value: &str) {
    out.push_str(",\"");
    out.push_str(key);
    out.push_str("\":");
    quote(out, value);
}

fn raw(out: &mut String, key: &str, value: &str) {
    out.push_str(",\"");
    out.push_str(key);
    out.push_str("\":");
    out.push_str(value);
}
