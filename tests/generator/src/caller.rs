//! The forms of `userIdentity`.
//!
//! See <https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-user-identity.html>.

use crate::clock::iso;
use crate::json::Obj;
use crate::record::Caller;

/// An IAM user or role of the made-up organisation.
#[derive(Debug, Clone)]
pub(crate) struct Identity {
    pub(crate) account: String,
    /// With its slashes.
    pub(crate) path: String,
    pub(crate) name: String,
    /// `AROA…` or `AIDA…`
    pub(crate) id: String,
}

impl Identity {
    /// `tag` makes the unique id: `AROA` or `AIDA`, `EXAMPLE`, the tag, zeros up to 21 characters.
    pub(crate) fn new(account: &str, path: &str, name: &str, kind: &str, tag: &str) -> Identity {
        let id = format!("{kind}EXAMPLE{tag:0<10}");
        Identity {
            account: account.into(),
            path: path.into(),
            name: name.into(),
            id,
        }
    }

    pub(crate) fn role(account: &str, path: &str, name: &str, tag: &str) -> Identity {
        Identity::new(account, path, name, "AROA", tag)
    }

    pub(crate) fn user(account: &str, path: &str, name: &str, tag: &str) -> Identity {
        Identity::new(account, path, name, "AIDA", tag)
    }

    pub(crate) fn is_role(&self) -> bool {
        self.id.starts_with("AROA")
    }

    pub(crate) fn arn(&self) -> String {
        let kind = if self.is_role() { "role" } else { "user" };
        format!(
            "arn:aws:iam::{}:{kind}{}{}",
            self.account, self.path, self.name
        )
    }
}

/// What distinguishes one session of a role from another.
#[derive(Debug, Clone)]
pub(crate) struct Session<'a> {
    pub(crate) name: &'a str,
    pub(crate) access_key: &'a str,
    pub(crate) created: i64,
    pub(crate) mfa: bool,
    /// `webIdFederationData` as JSON.
    pub(crate) web_identity: Option<String>,
    pub(crate) source_identity: Option<&'a str>,
    pub(crate) invoked_by: Option<&'a str>,
}

impl<'a> Session<'a> {
    pub(crate) fn new(name: &'a str, access_key: &'a str, created: i64) -> Session<'a> {
        Session {
            name,
            access_key,
            created,
            mfa: false,
            web_identity: None,
            source_identity: None,
            invoked_by: None,
        }
    }
}

/// A session of a role.
pub(crate) fn session(
    role: &Identity,
    session: &Session<'_>,
    source_ip: &str,
    user_agent: &str,
) -> Caller {
    let arn = format!(
        "arn:aws:sts::{}:assumed-role/{}/{}",
        role.account, role.name, session.name
    );
    let issuer = Obj::new()
        .s("type", "Role")
        .s("principalId", &role.id)
        .s("arn", &role.arn())
        .s("accountId", &role.account)
        .s("userName", &role.name)
        .end();
    let mut context = Obj::new().raw("sessionIssuer", &issuer);
    if let Some(web_identity) = &session.web_identity {
        context = context.raw("webIdFederationData", web_identity);
    }
    context = context.raw("attributes", &attributes(session.created, session.mfa));
    if let Some(source_identity) = session.source_identity {
        context = context.s("sourceIdentity", source_identity);
    }
    let context = context.end();
    let mut identity = Obj::new()
        .s("type", "AssumedRole")
        .s("principalId", &format!("{}:{}", role.id, session.name))
        .s("arn", &arn)
        .s("accountId", &role.account)
        .s("accessKeyId", session.access_key)
        .raw("sessionContext", &context);
    if let Some(service) = session.invoked_by {
        identity = identity.s("invokedBy", service);
    }
    Caller {
        principal_arn: Some(role.arn()),
        arn,
        identity: identity.end(),
        source_ip: session.invoked_by.unwrap_or(source_ip).into(),
        user_agent: session.invoked_by.unwrap_or(user_agent).into(),
        ..Caller::default()
    }
}

fn attributes(created: i64, mfa: bool) -> String {
    Obj::new()
        .s("creationDate", &iso(created))
        .s("mfaAuthenticated", if mfa { "true" } else { "false" })
        .end()
}

/// An IAM user with a long-term key.
pub(crate) fn user(user: &Identity, access_key: &str, source_ip: &str, user_agent: &str) -> Caller {
    user_with(user, access_key, None, source_ip, user_agent)
}

/// An IAM user in the console, signed in with MFA.
pub(crate) fn console_user(
    who: &Identity,
    access_key: &str,
    created: i64,
    source_ip: &str,
    user_agent: &str,
) -> Caller {
    let context = Obj::new()
        .raw("attributes", &attributes(created, true))
        .end();
    Caller {
        console: true,
        ..user_with(who, access_key, Some(context), source_ip, user_agent)
    }
}

fn user_with(
    user: &Identity,
    access_key: &str,
    context: Option<String>,
    source_ip: &str,
    user_agent: &str,
) -> Caller {
    let arn = user.arn();
    let mut identity = Obj::new()
        .s("type", "IAMUser")
        .s("principalId", &user.id)
        .s("arn", &arn)
        .s("accountId", &user.account)
        .s("accessKeyId", access_key)
        .s("userName", &user.name);
    if let Some(context) = context {
        identity = identity.raw("sessionContext", &context);
    }
    Caller {
        principal_arn: Some(arn.clone()),
        arn,
        identity: identity.end(),
        source_ip: source_ip.into(),
        user_agent: user_agent.into(),
        ..Caller::default()
    }
}

/// The account's root user in the console.
pub(crate) fn root(
    account: &str,
    access_key: &str,
    created: i64,
    source_ip: &str,
    user_agent: &str,
) -> Caller {
    let arn = format!("arn:aws:iam::{account}:root");
    let context = Obj::new()
        .raw("attributes", &attributes(created, true))
        .end();
    let identity = Obj::new()
        .s("type", "Root")
        .s("principalId", account)
        .s("arn", &arn)
        .s("accountId", account)
        .s("accessKeyId", access_key)
        .raw("sessionContext", &context)
        .end();
    Caller {
        principal_arn: Some(arn.clone()),
        arn,
        identity,
        source_ip: source_ip.into(),
        user_agent: user_agent.into(),
        console: true,
        ..Caller::default()
    }
}

/// An AWS service in its own name.
pub(crate) fn service(name: &str) -> Caller {
    Caller {
        identity: Obj::new()
            .s("type", "AWSService")
            .s("invokedBy", name)
            .end(),
        source_ip: name.into(),
        user_agent: name.into(),
        ..Caller::default()
    }
}

/// AWS itself, as in service events.
pub(crate) fn internal(account: &str) -> Caller {
    Caller {
        identity: Obj::new()
            .s("accountId", account)
            .s("invokedBy", "AWS Internal")
            .end(),
        source_ip: "AWS Internal".into(),
        user_agent: "AWS Internal".into(),
        ..Caller::default()
    }
}

/// Somebody in another account, of whom CloudTrail shows the resource's owner no more than this.
pub(crate) fn other_account(
    account: &str,
    principal_id: &str,
    source_ip: &str,
    user_agent: &str,
) -> Caller {
    Caller {
        identity: Obj::new()
            .s("type", "AWSAccount")
            .s("principalId", principal_id)
            .s("accountId", account)
            .end(),
        source_ip: source_ip.into(),
        user_agent: user_agent.into(),
        ..Caller::default()
    }
}

/// Somebody with a token of an OpenID Connect provider, before it has a role.
pub(crate) fn web_identity(
    provider_arn: &str,
    audience: &str,
    subject: &str,
    source_ip: &str,
    user_agent: &str,
) -> Caller {
    let identity = Obj::new()
        .s("type", "WebIdentityUser")
        .s(
            "principalId",
            &format!("{provider_arn}:{audience}:{subject}"),
        )
        .s("userName", subject)
        .s("identityProvider", provider_arn)
        .end();
    Caller {
        identity,
        source_ip: source_ip.into(),
        user_agent: user_agent.into(),
        ..Caller::default()
    }
}

/// Somebody with a SAML assertion, before it has a role; the provider is shown by a hash only.
pub(crate) fn saml(name: &str, provider_hash: &str, source_ip: &str, user_agent: &str) -> Caller {
    let identity = Obj::new()
        .s("type", "SAMLUser")
        .s("principalId", &format!("{provider_hash}:{name}"))
        .s("userName", name)
        .s("identityProvider", provider_hash)
        .end();
    Caller {
        identity,
        source_ip: source_ip.into(),
        user_agent: user_agent.into(),
        ..Caller::default()
    }
}

/// A session of `GetFederationToken`.
pub(crate) fn federated_user(
    user: &Identity,
    session: &Session<'_>,
    source_ip: &str,
    user_agent: &str,
) -> Caller {
    let arn = format!(
        "arn:aws:sts::{}:federated-user/{}",
        user.account, session.name
    );
    let issuer = Obj::new()
        .s("type", "IAMUser")
        .s("principalId", &user.id)
        .s("arn", &user.arn())
        .s("accountId", &user.account)
        .s("userName", &user.name)
        .end();
    let context = Obj::new()
        .raw("sessionIssuer", &issuer)
        .raw("webIdFederationData", "{}")
        .raw("attributes", &attributes(session.created, session.mfa))
        .end();
    let identity = Obj::new()
        .s("type", "FederatedUser")
        .s("principalId", &format!("{}:{}", user.account, session.name))
        .s("arn", &arn)
        .s("accountId", &user.account)
        .s("accessKeyId", session.access_key)
        .raw("sessionContext", &context)
        .end();
    Caller {
        principal_arn: Some(user.arn()),
        arn,
        identity,
        source_ip: source_ip.into(),
        user_agent: user_agent.into(),
        ..Caller::default()
    }
}
