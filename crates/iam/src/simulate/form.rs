//! The form of a case in JSON.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustc_hash::FxHashMap;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;

use super::{CaseError, ContextValue, SimulationCase};
use crate::caller::{Caller, CallerIdentity, RoleName, identity_of, last_piece, resource_name};
use crate::kms_grant::KmsGrant;
use crate::pattern::arn_part;
use crate::s3_bucket::{Bucket, BucketForm, PublicAccessBlock};
use crate::snapshot::{
    AttachedPolicy, FullAccess, Level, PolicySource, PolicyUnavailable, Principal, PrincipalKind,
};
use crate::{CompiledPolicy, Decision, Layer, MissingKeys, PolicyError};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct CaseForm<'a> {
    id: String,
    request: RequestForm,
    #[serde(borrow, default)]
    identity_policies: Vec<&'a RawValue>,
    #[serde(borrow, default)]
    permission_boundary: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    session_policies: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    scps: Option<Vec<LevelForm<'a>>>,
    #[serde(borrow, default)]
    rcps: Option<Vec<LevelForm<'a>>>,
    #[serde(borrow, default)]
    resource_policy: Option<&'a RawValue>,
    #[serde(borrow, default)]
    vpc_endpoint_policies: Option<Vec<&'a RawValue>>,
    #[serde(borrow, default)]
    grants: Vec<&'a RawValue>,
    s3_bucket: Option<BucketForm>,
    s3_account: Option<AccountForm>,
    #[serde(default)]
    facts: Facts,
    #[serde(default)]
    context_unknown: Vec<String>,
    #[serde(default)]
    missing_keys: MissingKeysForm,
    #[serde(default)]
    not_collected: Vec<String>,
    expected: Option<String>,
    expected_allowed: Option<bool>,
    // Members that mean nothing to a decision.
    #[serde(default, rename = "name")]
    _name: IgnoredAny,
    #[serde(default, rename = "source")]
    _source: IgnoredAny,
    #[serde(default, rename = "cite")]
    _cite: IgnoredAny,
    #[serde(default, rename = "why")]
    _why: IgnoredAny,
    #[serde(default, rename = "note")]
    _note: IgnoredAny,
    #[serde(default, rename = "confidence")]
    _confidence: IgnoredAny,
    #[serde(default, rename = "expected_by")]
    _expected_by: IgnoredAny,
    #[serde(default, rename = "suite_expected")]
    _suite_expected: IgnoredAny,
    #[serde(default, rename = "adjudication")]
    _adjudication: IgnoredAny,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RequestForm {
    principal: String,
    action: String,
    resource: ResourceForm,
    #[serde(default)]
    context: BTreeMap<String, ValueForm>,
    #[serde(default, rename = "wildcard_only_action")]
    _wildcard_only_action: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ResourceForm {
    arn: String,
    account: Option<String>,
}

#[derive(Deserialize)]
#[serde(
    untagged,
    expecting = "a context key has a string or a list of strings"
)]
enum ValueForm {
    One(String),
    Many(Vec<String>),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LevelForm<'a> {
    #[serde(default)]
    org_identifier: String,
    #[serde(borrow)]
    policies: Vec<&'a RawValue>,
}

/// What `aws s3control get-public-access-block` prints.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase", deny_unknown_fields)]
struct AccountForm {
    public_access_block_configuration: PublicAccessBlock,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Facts {
    principal_account_is_management: bool,
    resource_account_is_management: bool,
    session_issuer_arn: Option<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "snake_case")]
enum MissingKeysForm {
    #[default]
    Absent,
    ByCatalogue,
}

/// Reads cases, and compiles each document once, however many of them have it.
#[derive(Debug, Default)]
pub struct CaseReader {
    documents: Documents,
}

/// The documents that were compiled, by their text.
///
/// # Memory
/// At most [`Documents::MOST`] of each kind, and those of cases that are still held.
#[derive(Debug, Default)]
struct Documents {
    identity: FxHashMap<Box<str>, Arc<CompiledPolicy>>,
    resource: FxHashMap<Box<str>, Arc<CompiledPolicy>>,
}

/// What the elements of a document may be.
#[derive(Debug, Clone, Copy)]
enum Grammar {
    Identity,
    Resource,
}

impl Documents {
    /// More than a file of unit tests has.
    const MOST: usize = 4096;

    fn compile(
        &mut self,
        grammar: Grammar,
        text: &str,
    ) -> Result<Arc<CompiledPolicy>, PolicyError> {
        let (compiled, compile): (_, fn(&str) -> _) = match grammar {
            Grammar::Identity => (&mut self.identity, CompiledPolicy::identity),
            Grammar::Resource => (&mut self.resource, CompiledPolicy::resource),
        };
        if let Some(known) = compiled.get(text) {
            return Ok(Arc::clone(known));
        }
        let policy = Arc::new(compile(text)?);
        if compiled.len() >= Self::MOST {
            compiled.clear();
        }
        compiled.insert(text.into(), Arc::clone(&policy));
        Ok(policy)
    }
}

impl CaseReader {
    /// Reads one line.
    pub fn read(&mut self, json_line: &str) -> Result<SimulationCase, CaseError> {
        parse(json_line, &mut self.documents)
    }
}

fn parse(json_line: &str, documents: &mut Documents) -> Result<SimulationCase, CaseError> {
    let form: CaseForm<'_> = serde_json::from_str(json_line).map_err(form_error)?;
    let not_collected = form
        .not_collected
        .iter()
        .map(|name| layer(name).ok_or_else(|| CaseError::Layer(name.clone())))
        .collect::<Result<Vec<Layer>, CaseError>>()?;
    let expected = form.expected.clone();
    if let Some(expected) = expected.as_ref().filter(|name| !is_decision(name)) {
        return Err(CaseError::Expected(expected.clone()));
    }
    let path_is_unknown = form.facts.session_issuer_arn.is_none();
    let principal = principal(&form, &not_collected, documents)?;
    let bucket = form
        .s3_bucket
        .map(|bucket| Bucket::new(bucket_name(&form.request.resource.arn), bucket));
    Ok(SimulationCase {
        principal,
        id: form.id,
        action: form.request.action,
        caller: form.request.principal,
        path_is_unknown,
        resource: form.request.resource.arn,
        resource_account: form.request.resource.account,
        context: form
            .request
            .context
            .into_iter()
            .map(context_value)
            .collect(),
        context_unknown: form.context_unknown,
        missing_keys: match form.missing_keys {
            MissingKeysForm::Absent => MissingKeys::Absent,
            MissingKeysForm::ByCatalogue => MissingKeys::ByCatalogue,
        },
        session_policies: documents.compile_all(
            "session_policies",
            form.session_policies.as_deref().unwrap_or_default(),
            Grammar::Identity,
        )?,
        resource_policy: form
            .resource_policy
            .map(|raw| {
                let id = "resource_policy".to_owned();
                documents.attached(id, PolicySource::Resource, (raw, Grammar::Resource))
            })
            .transpose()?,
        endpoint_policies: documents.attached_all(
            "vpc_endpoint_policies",
            &PolicySource::VpcEndpoint,
            form.vpc_endpoint_policies.as_deref().unwrap_or_default(),
            Grammar::Resource,
        )?,
        scps: documents.levels("scps", form.scps.as_deref(), Grammar::Identity)?,
        rcps: documents.levels("rcps", form.rcps.as_deref(), Grammar::Resource)?,
        grants: grants(&form.grants)?,
        bucket,
        account_block: form
            .s3_account
            .map(|account| account.public_access_block_configuration)
            .unwrap_or_default(),
        principal_account_is_management: form.facts.principal_account_is_management,
        resource_account_is_management: form.facts.resource_account_is_management,
        not_collected,
        expected,
        expected_allowed: form.expected_allowed,
    })
}

/// The bucket in the ARN of it or one of its objects.
fn bucket_name(arn: &str) -> &str {
    let resource = arn_part(arn, 5).unwrap_or(arn);
    resource.split('/').next().unwrap_or(resource)
}

fn form_error(error: serde_json::Error) -> CaseError {
    let text = error.to_string();
    // serde_json ends its message with the place, which stands at the front of ours.
    let message = text
        .rsplit_once(" at line ")
        .map_or(text.as_str(), |(message, _)| message)
        .to_owned();
    CaseError::Form {
        line: error.line().max(1),
        column: error.column().max(1),
        message,
    }
}

fn context_value((key, value): (String, ValueForm)) -> (String, ContextValue) {
    let value = match value {
        ValueForm::One(value) => ContextValue::One(value),
        ValueForm::Many(values) => ContextValue::Many(values),
    };
    (key, value)
}

fn is_decision(name: &str) -> bool {
    [
        Decision::Allowed,
        Decision::ExplicitDeny,
        Decision::ImplicitDeny,
        Decision::Undetermined,
    ]
    .iter()
    .any(|decision| decision.name() == name)
}

fn layer(name: &str) -> Option<Layer> {
    [
        Layer::Identity,
        Layer::PermissionsBoundary,
        Layer::Session,
        Layer::Resource,
        Layer::Scp,
        Layer::Rcp,
        Layer::VpcEndpoint,
        Layer::KmsGrant,
    ]
    .into_iter()
    .find(|layer| layer.name() == name)
}

fn grants(raw: &[&RawValue]) -> Result<Vec<KmsGrant>, CaseError> {
    raw.iter()
        .enumerate()
        .map(|(index, raw)| {
            KmsGrant::parse(raw.get()).map_err(|error| CaseError::Grant {
                index,
                message: error.to_string(),
            })
        })
        .collect()
}

impl Documents {
    fn compile_member(
        &mut self,
        member: &str,
        (raw, grammar): (&RawValue, Grammar),
    ) -> Result<Arc<CompiledPolicy>, CaseError> {
        self.compile(grammar, raw.get())
            .map_err(|error| CaseError::Policy {
                member: member.to_owned(),
                error,
            })
    }

    fn compile_all(
        &mut self,
        member: &str,
        raw: &[&RawValue],
        grammar: Grammar,
    ) -> Result<Vec<Arc<CompiledPolicy>>, CaseError> {
        raw.iter()
            .enumerate()
            .map(|(index, raw)| self.compile_member(&format!("{member}[{index}]"), (raw, grammar)))
            .collect()
    }

    fn attached(
        &mut self,
        id: String,
        source: PolicySource,
        document: (&RawValue, Grammar),
    ) -> Result<AttachedPolicy, CaseError> {
        let policy = self.compile_member(&id, document)?;
        Ok(AttachedPolicy {
            id: id.into(),
            source,
            policy: Ok(policy),
            bundled_date: None,
        })
    }

    fn attached_all(
        &mut self,
        member: &str,
        source: &PolicySource,
        raw: &[&RawValue],
        grammar: Grammar,
    ) -> Result<Vec<AttachedPolicy>, CaseError> {
        raw.iter()
            .enumerate()
            .map(|(index, raw)| {
                self.attached(format!("{member}[{index}]"), source.clone(), (raw, grammar))
            })
            .collect()
    }

    fn levels(
        &mut self,
        member: &str,
        levels: Option<&[LevelForm<'_>]>,
        grammar: Grammar,
    ) -> Result<Option<Vec<Level>>, CaseError> {
        let level = |(index, form): (usize, &LevelForm<'_>)| {
            let source = PolicySource::Organization(form.org_identifier.as_str().into());
            let policies = self.attached_all(
                &format!("{member}[{index}].policies"),
                &source,
                &form.policies,
                grammar,
            )?;
            Ok(Level {
                full_access: FullAccess::NotAttached,
                policies,
            })
        };
        levels
            .map(|levels| levels.iter().enumerate().map(level).collect())
            .transpose()
    }
}

/// Whoever has the identity policies of the case: the role of a session, the user of a federated one.
fn principal(
    form: &CaseForm<'_>,
    not_collected: &[Layer],
    documents: &mut Documents,
) -> Result<Option<Principal>, CaseError> {
    let text = form.request.principal.as_str();
    let Some(identity) = identity_of(text) else {
        return if is_without_policies(text) {
            Ok(None)
        } else {
            Err(CaseError::Principal(text.to_owned()))
        };
    };
    let mut principal = empty_principal(text, identity, form.facts.session_issuer_arn.as_deref())?;
    principal.identity = documents.attached_all(
        "identity_policies",
        &PolicySource::Managed,
        &form.identity_policies,
        Grammar::Identity,
    )?;
    if not_collected.contains(&Layer::Identity) {
        principal.identity.push(unseen("identity_policies"));
    }
    let boundaries = form.permission_boundary.as_deref().unwrap_or_default();
    principal.boundary = match boundaries {
        _ if not_collected.contains(&Layer::PermissionsBoundary) => {
            Some(unseen("permission_boundary"))
        }
        [] => None,
        [boundary] => Some(documents.attached(
            "permission_boundary[0]".to_owned(),
            PolicySource::Managed,
            (boundary, Grammar::Identity),
        )?),
        more => return Err(CaseError::Boundaries(more.len())),
    };
    Ok(Some(principal))
}

fn unseen(id: &str) -> AttachedPolicy {
    AttachedPolicy {
        id: id.into(),
        source: PolicySource::Managed,
        policy: Err(PolicyUnavailable::NotCollected),
        bundled_date: None,
    }
}

fn empty_principal(
    text: &str,
    identity: CallerIdentity<'_>,
    issuer: Option<&str>,
) -> Result<Principal, CaseError> {
    let partition = text.split(':').nth(1).unwrap_or("aws");
    let (kind, account, name) = match identity {
        CallerIdentity::Root { account } => (PrincipalKind::Root, account, "root"),
        CallerIdentity::User { account, name, .. } => (PrincipalKind::User, account, name),
        CallerIdentity::FederatedUser {
            account, session, ..
        } => (PrincipalKind::User, account, session),
        CallerIdentity::Role { account, role, .. } => {
            let (RoleName::WithPath(name) | RoleName::WithoutPath(name)) = role;
            (PrincipalKind::Role, account, name)
        }
        CallerIdentity::Service(_) | CallerIdentity::WebIdentity(_) | CallerIdentity::Anonymous => {
            return Err(CaseError::Principal(text.to_owned()));
        }
    };
    let mut principal = Principal::root(account);
    principal.kind = kind;
    let resource = match kind {
        PrincipalKind::Root => "root".to_owned(),
        PrincipalKind::User => format!("user/{name}"),
        PrincipalKind::Role => format!("role/{name}"),
    };
    principal.arn = format!("arn:{partition}:iam::{account}:{resource}");
    if let Some(issuer) = issuer {
        let names_it = matches!(
            identity_of(issuer),
            Some(CallerIdentity::Role { account: of, role: RoleName::WithPath(role), .. })
                if of == account && last_piece(role) == last_piece(name)
        );
        if kind != PrincipalKind::Role || !names_it {
            return Err(CaseError::Issuer(issuer.to_owned()));
        }
        principal.arn = issuer.to_owned();
    }
    let full_name = resource_name(&principal.arn).to_owned();
    principal.name = last_piece(&full_name).to_owned();
    principal.path = match full_name.rsplit_once('/') {
        Some((path, _)) => format!("/{path}/"),
        None => "/".to_owned(),
    };
    Ok(principal)
}

fn is_without_policies(text: &str) -> bool {
    let is_provider =
        text.contains(":saml-provider/") || text.contains(":oidc-provider/") || text.contains('.');
    text == "anonymous" || (is_provider && !text.contains(char::is_whitespace))
}

/// A service, an identity provider, or nobody.
pub(super) fn caller_without_policies(text: &str) -> Caller<'static, '_> {
    let is_arn = text.starts_with("arn:");
    if text == "anonymous" {
        Caller::anonymous()
    } else if !is_arn && (text.ends_with(".amazonaws.com") || text.ends_with(".amazonaws.com.cn")) {
        Caller::service(text)
    } else {
        Caller::web_identity(text)
    }
}
