//! AWS STS, and signing in.
//!
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html>.

use crate::caller::Identity;
use crate::clock::{HOUR, wordy};
use crate::json::{Obj, list, quote};
use crate::record::{Draft, call, read};
use crate::rng::Rng;

pub(crate) fn get_caller_identity(region: &'static str) -> Draft {
    read("sts", "GetCallerIdentity", region, String::from("null"))
}

pub(crate) fn get_session_token(rng: &mut Rng, at: i64) -> Draft {
    let response = Obj::new()
        .raw(
            "credentials",
            &credentials(&format!("ASIA{}", rng.upper(16)), at, rng),
        )
        .end();
    read(
        "sts",
        "GetSessionToken",
        "us-east-1",
        Obj::new().n("durationSeconds", 3600).end(),
    )
    .answers(response)
}

fn credentials(access_key: &str, at: i64, rng: &mut Rng) -> String {
    Obj::new()
        .s("accessKeyId", access_key)
        .s("sessionToken", &rng.base64(64))
        .s("expiration", &wordy(at + HOUR))
        .end()
}

/// What issues a session.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Issue<'a> {
    pub(crate) role: &'a Identity,
    pub(crate) session: &'a str,
    pub(crate) access_key: &'a str,
    pub(crate) at: i64,
    pub(crate) cut: Cut<'a>,
}

/// What the session's policies, tags and source identity are.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cut<'a> {
    /// The inline session policy, as text.
    pub(crate) policy: Option<&'a str>,
    /// ARNs of managed session policies.
    pub(crate) policy_arns: &'a [&'a str],
    pub(crate) tags: &'a [(&'a str, &'a str)],
    /// Keys of the tags that the sessions of a role chain inherit.
    pub(crate) transitive: &'a [&'a str],
    /// The tags that were inherited from the caller's session.
    pub(crate) incoming: &'a [(&'a str, &'a str)],
    pub(crate) source_identity: Option<&'a str>,
}

impl Cut<'_> {
    /// The members of a request, tags as `tags`.
    fn request(&self, mut request: Obj) -> Obj {
        if let Some(policy) = self.policy {
            request = request.s("policy", policy);
        }
        if !self.policy_arns.is_empty() {
            let arns = self.policy_arns.iter().map(|arn| Obj::new().s("arn", arn));
            request = request.raw("policyArns", &list(&arns.map(Obj::end).collect::<Vec<_>>()));
        }
        if !self.incoming.is_empty() {
            request = request.raw("incomingTransitiveTags", &map(self.incoming));
        }
        self.common(request)
    }

    fn common(&self, mut request: Obj) -> Obj {
        if !self.transitive.is_empty() {
            let mut keys = Vec::new();
            for key in self.transitive {
                let mut text = String::new();
                quote(&mut text, key);
                keys.push(text);
            }
            request = request.raw("transitiveTagKeys", &list(&keys));
        }
        match self.source_identity {
            Some(identity) => request.s("sourceIdentity", identity),
            None => request,
        }
    }

    /// `tags` of `AssumeRole`, a list.
    fn tag_list(&self, request: Obj) -> Obj {
        if self.tags.is_empty() {
            return request;
        }
        let tags = self.tags.iter();
        let tags = tags.map(|(key, value)| Obj::new().s("value", value).s("key", key).end());
        request.raw("tags", &list(&tags.collect::<Vec<_>>()))
    }

    /// `principalTags` of an assertion or token, an object.
    fn principal_tags(&self, request: Obj) -> Obj {
        match self.tags.is_empty() {
            true => request,
            false => request.raw("principalTags", &map(self.tags)),
        }
    }
}

fn map(tags: &[(&str, &str)]) -> String {
    let object = tags.iter();
    object
        .fold(Obj::new(), |object, (key, value)| object.s(key, value))
        .end()
}

impl<'a> Issue<'a> {
    /// A session without policies, tags or source identity.
    pub(crate) fn plain(
        role: &'a Identity,
        session: &'a str,
        access_key: &'a str,
        at: i64,
    ) -> Issue<'a> {
        Issue {
            role,
            session,
            access_key,
            at,
            cut: Cut::default(),
        }
    }

    fn response(&self, rng: &mut Rng) -> Obj {
        let user = Obj::new()
            .s(
                "assumedRoleId",
                &format!("{}:{}", self.role.id, self.session),
            )
            .s(
                "arn",
                &format!(
                    "arn:aws:sts::{}:assumed-role/{}/{}",
                    self.role.account, self.role.name, self.session
                ),
            )
            .end();
        let response = Obj::new()
            .raw("credentials", &credentials(self.access_key, self.at, rng))
            .raw("assumedRoleUser", &user);
        match self.cut.source_identity {
            Some(identity) => response.s("sourceIdentity", identity),
            None => response,
        }
    }

    fn resources(&self) -> String {
        format!(
            "[{}]",
            Obj::new()
                .s("accountId", &self.role.account)
                .s("type", "AWS::IAM::Role")
                .s("ARN", &self.role.arn())
                .end()
        )
    }

    fn request(&self) -> Obj {
        Obj::new()
            .s("roleArn", &self.role.arn())
            .s("roleSessionName", self.session)
    }
}

pub(crate) fn assume_role(issue: Issue<'_>, region: &'static str, rng: &mut Rng) -> Draft {
    let shared = format!(",\"sharedEventID\":\"{}\"", rng.uuid());
    let request = issue.cut.tag_list(issue.cut.request(issue.request()));
    let draft = read(
        "sts",
        "AssumeRole",
        region,
        request.n("durationSeconds", 3600).end(),
    );
    Draft {
        more: shared,
        ..draft
    }
    .answers(issue.response(rng).end())
    .on(issue.resources())
}

pub(crate) fn assume_role_with_web_identity(
    issue: Issue<'_>,
    provider_arn: &str,
    subject: &str,
    rng: &mut Rng,
) -> Draft {
    let response = issue
        .response(rng)
        .s("subjectFromWebIdentityToken", subject)
        .s("provider", provider_arn)
        .s("audience", "sts.amazonaws.com")
        .end();
    let request = issue.cut.principal_tags(issue.cut.request(issue.request()));
    let request = request.n("durationSeconds", 3600).end();
    read("sts", "AssumeRoleWithWebIdentity", "eu-west-1", request)
        .answers(response)
        .on(issue.resources())
}

/// The session of a SAML assertion; IAM Identity Center issues its sessions so.
pub(crate) fn assume_role_with_saml(
    issue: Issue<'_>,
    provider_arn: &str,
    region: &'static str,
    rng: &mut Rng,
) -> Draft {
    let response = issue
        .response(rng)
        .s("subjectType", "persistent")
        .s("subject", issue.session)
        .s("issuer", "https://portal.sso.example.com/saml/assertion")
        .s("nameQualifier", &format!("{}=", rng.base64(27)))
        .s("audience", "https://signin.aws.amazon.com/saml")
        .end();
    let request = Obj::new()
        .s("sAMLAssertionID", &format!("_{}", rng.uuid()))
        .s("roleSessionName", issue.session);
    let request = issue.cut.principal_tags(issue.cut.request(request));
    let request = request
        .n("durationSeconds", 3600)
        .s("roleArn", &issue.role.arn())
        .s("principalArn", provider_arn)
        .end();
    read("sts", "AssumeRoleWithSAML", region, request)
        .answers(response)
        .on(issue.resources())
}

/// A session of the user that asks, under a name, cut by what is given.
pub(crate) fn get_federation_token(
    name: &str,
    access_key: &str,
    account: &str,
    at: i64,
    cut: Cut<'_>,
    rng: &mut Rng,
) -> Draft {
    let user = Obj::new()
        .s("federatedUserId", &format!("{account}:{name}"))
        .s(
            "arn",
            &format!("arn:aws:sts::{account}:federated-user/{name}"),
        )
        .end();
    let response = Obj::new()
        .raw("credentials", &credentials(access_key, at, rng))
        .raw("federatedUser", &user)
        .n("packedPolicySize", 6)
        .end();
    let request = cut.tag_list(cut.request(Obj::new().s("name", name)));
    let request = request.n("durationSeconds", 3600).end();
    read("sts", "GetFederationToken", "us-east-1", request).answers(response)
}

/// Signing in is an event of the console, not a call that IAM authorizes.
pub(crate) fn console_login() -> Draft {
    let additional = Obj::new()
        .s("LoginTo", "https://console.aws.amazon.com/console/home")
        .s("MobileVersion", "No")
        .s("MFAUsed", "Yes")
        .end();
    let draft = call("signin", "ConsoleLogin", "us-east-1", String::from("null"))
        .answers(String::from(r#"{"ConsoleLogin":"Success"}"#));
    Draft {
        additional,
        event_type: "AwsConsoleSignIn",
        host: String::from("us-east-1.signin.aws.amazon.com"),
        ..draft
    }
}
