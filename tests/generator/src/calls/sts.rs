//! AWS STS, and signing in.
//!
//! See <https://docs.aws.amazon.com/IAM/latest/UserGuide/cloudtrail-integration.html>.

use crate::caller::Identity;
use crate::clock::{HOUR, wordy};
use crate::json::Obj;
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
}

impl Issue<'_> {
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
        Obj::new()
            .raw("credentials", &credentials(self.access_key, self.at, rng))
            .raw("assumedRoleUser", &user)
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
    let draft = read(
        "sts",
        "AssumeRole",
        region,
        issue.request().n("durationSeconds", 3600).end(),
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
    let request = issue.request().n("durationSeconds", 3600).end();
    read("sts", "AssumeRoleWithWebIdentity", "eu-west-1", request)
        .answers(response)
        .on(issue.resources())
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
