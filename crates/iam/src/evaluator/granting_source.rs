//! What besides an identity policy can grant access to a resource, and where a resource control
//! policy applies: the tables of `data/`.

use std::sync::OnceLock;

use rustc_hash::FxHashMap;

use crate::context::Keys;
use crate::pattern::{ActionName, ArnPattern, ArnText, ResourceText, arn_part};
use crate::policy::Version;
use crate::request::Resource;
use crate::truth::Truth;

/// The kind of a resource's own policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum PolicyKind {
    /// Grants beside the identity policy.
    Resource,
    /// Must allow, whatever the identity policy says: a KMS key's.
    Key,
    /// Must allow, whatever the identity policy says: a role's.
    Trust,
}

/// What could grant one request access to its resource.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct GrantingSources<'a> {
    pub(crate) policy: Option<ResourcePolicy<'a>>,
    /// The bucket whose ACL could grant the action; the inner `None`: not told.
    pub(crate) acl: Option<Option<&'a str>>,
    /// The key whose grants could allow the action; the inner `None`: not told.
    pub(crate) kms_grant: Option<Option<&'a str>>,
}

/// The policy of a resource.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ResourcePolicy<'a> {
    pub(crate) kind: PolicyKind,
    /// The ARN of the resource whose policy it is; `None` where it is not told.
    pub(crate) holder: Option<&'a str>,
    /// The service's prefix, in lower case.
    pub(crate) service: &'static str,
}

/// What the tables say of one service.
#[derive(Debug, Default)]
pub(crate) struct ServiceRules {
    rows: Vec<Row>,
    takes_rcps: bool,
}

#[derive(Debug)]
struct Row {
    service: &'static str,
    /// As the table has it.
    written: &'static str,
    resource: ArnPattern,
    kind: Kind,
    /// In lower case; `None`: all.
    actions: Option<Vec<Box<str>>>,
    policy_of: Holder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Policy(PolicyKind),
    Acl,
    KmsGrant,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Holder {
    Itself,
    Pieces(usize),
    NotTold,
}

const SOURCES: &str = include_str!("../../data/granting-sources.tsv");

const RCP_SERVICES: &str = include_str!("../../data/rcp-services.tsv");

/// The rules of the service of `action`.
pub(crate) fn rules_of(action: ActionName<'_>) -> &'static ServiceRules {
    static RULES: OnceLock<FxHashMap<&str, ServiceRules>> = OnceLock::new();
    static NONE: ServiceRules = ServiceRules {
        rows: Vec::new(),
        takes_rcps: false,
    };
    let rules = RULES.get_or_init(|| {
        let mut rules: FxHashMap<&str, ServiceRules> = FxHashMap::default();
        // That every line of the compiled-in table is a row is held by a test.
        for row in table_lines(SOURCES).filter_map(Row::parse) {
            rules.entry(row.service).or_default().rows.push(row);
        }
        for service in table_lines(RCP_SERVICES).filter_map(|line| line.split('\t').next()) {
            rules.entry(service).or_default().takes_rcps = true;
        }
        rules
    });
    rules.get(action.service).unwrap_or(&NONE)
}

/// What the tables say of one action.
#[derive(Debug)]
pub(crate) struct ActionRules {
    /// Those of its service's that are about it, in their order.
    rows: Box<[&'static Row]>,
    /// Resource control policies apply to it.
    pub(crate) rcp_applies: bool,
}

impl ActionRules {
    pub(crate) fn of(action: ActionName<'_>) -> ActionRules {
        let rules = rules_of(action);
        ActionRules {
            rows: (rules.rows.iter())
                .filter(|row| row.grants(action.name))
                .collect(),
            rcp_applies: rules.rcp_applies(action),
        }
    }

    /// What could grant the action on `resource`.
    pub(crate) fn granting_sources<'a>(
        &self,
        (resource, text): (Resource<'a>, ResourceText<'a>),
        keys: &Keys<'_>,
    ) -> GrantingSources<'a> {
        let (Resource::Arn(arn) | Resource::Unknown(arn)) = resource else {
            return GrantingSources::default();
        };
        let text = match text {
            ResourceText::Arn(text) => text,
            // A text that is no ARN may be of any type.
            ResourceText::NoArn | ResourceText::Any => ArnText::with_holes("*"),
        };
        let is_exact = text.exact().is_some();
        let mut sources = GrantingSources::default();
        // A policy, and an ACL or grants, are of the same resources.
        let mut before: Option<(&Row, Option<Option<&'a str>>)> = None;
        for row in &self.rows {
            if row.is_taken(&sources) {
                continue;
            }
            let found = match before {
                Some((other, found)) if other.is_of_same(row) => found,
                _ => (row.resource.test(text, keys) != Truth::False).then(|| {
                    let holder = row.policy_of.holder(arn, text);
                    holder.filter(|holder| is_exact || !holder.contains('*'))
                }),
            };
            before = Some((row, found));
            let Some(holder) = found else { continue };
            match row.kind {
                Kind::Policy(kind) => {
                    sources.policy = Some(ResourcePolicy {
                        kind,
                        holder,
                        service: row.service,
                    })
                }
                Kind::Acl => sources.acl = Some(holder.and_then(|holder| arn_part(holder, 5))),
                Kind::KmsGrant => sources.kms_grant = Some(holder),
            }
        }
        sources
    }
}

impl ServiceRules {
    /// Whether nothing but identity policies grants actions of the service.
    pub(crate) fn have_no_source(&self) -> bool {
        self.rows.is_empty()
    }

    /// Whether resource control policies apply to `action`, one of the service's.
    fn rcp_applies(&self, action: ActionName<'_>) -> bool {
        // "RCPs don't restrict kms:RetireGrant".
        // <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html>
        self.takes_rcps && !action.is("kms", "retiregrant")
    }
}

impl Row {
    /// Whether another row is about the same resources, and the same resource's policy.
    fn is_of_same(&self, other: &Row) -> bool {
        self.written == other.written && self.policy_of == other.policy_of
    }

    /// Whether a row of the same kind came first.
    fn is_taken(&self, sources: &GrantingSources<'_>) -> bool {
        match self.kind {
            Kind::Policy(_) => sources.policy.is_some(),
            Kind::Acl => sources.acl.is_some(),
            Kind::KmsGrant => sources.kms_grant.is_some(),
        }
    }

    fn grants(&self, name: &str) -> bool {
        self.actions
            .as_ref()
            .is_none_or(|actions| actions.iter().any(|action| **action == *name))
    }

    fn parse(line: &'static str) -> Option<Row> {
        let mut columns = line.split('\t');
        let service = columns.next()?;
        // The tables leave out what the ARNs of one service have in common.
        let written = columns.next()?;
        let resource = format!("arn:*:*:{written}");
        let resource = ArnPattern::new(&resource, Version::V2008);
        let kind = match columns.next()? {
            "resource_policy" => Kind::Policy(PolicyKind::Resource),
            "key_policy" => Kind::Policy(PolicyKind::Key),
            "trust_policy" => Kind::Policy(PolicyKind::Trust),
            "acl" => Kind::Acl,
            "kms_grant" => Kind::KmsGrant,
            _ => return None,
        };
        let actions = match columns.next()? {
            "*" => None,
            list => {
                let names = list.split(',');
                Some(names.map(|name| name.to_ascii_lowercase().into()).collect())
            }
        };
        let policy_of = match columns.next()? {
            "self" => Holder::Itself,
            "?" => Holder::NotTold,
            pieces => Holder::Pieces(pieces.parse().ok()?),
        };
        let has_page = columns
            .next()
            .is_some_and(|page| page.starts_with("https://"))
            && columns.next().is_none();
        has_page.then_some(Row {
            service,
            written,
            resource,
            kind,
            actions,
            policy_of,
        })
    }
}

impl Holder {
    fn holder<'a>(self, arn: &'a str, text: ArnText<'a>) -> Option<&'a str> {
        let pieces = match self {
            Self::Itself => return Some(arn),
            Self::Pieces(pieces) => pieces,
            Self::NotTold => return None,
        };
        let resource = match text.exact() {
            Some(_) => text.last(),
            None => arn_part(arn, 5)?,
        };
        let resource_start = arn.len() - resource.len();
        let mut slashes = (0..)
            .zip(resource.bytes())
            .filter(|(_, byte)| *byte == b'/');
        match slashes.nth(pieces.saturating_sub(1)) {
            Some((cut, _)) => arn.get(..resource_start + cut),
            None => Some(arn),
        }
    }
}

/// The lines of a table without its comments and its heading.
fn table_lines(table: &'static str) -> impl Iterator<Item = &'static str> {
    table
        .lines()
        .filter(|line| !line.starts_with('#') && !line.is_empty())
        .skip(1)
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;
    use crate::{Catalogue, Context, MissingKeys};

    #[test]
    fn every_line_of_the_tables_is_a_row() {
        let services: Vec<&str> = table_lines(SOURCES)
            .map(|line| {
                assert!(Row::parse(line).is_some(), "{line}");
                line.split('\t').next().unwrap()
            })
            .collect();
        for service in table_lines(RCP_SERVICES)
            .map(|line| line.split('\t').next().unwrap())
            .chain(services)
        {
            assert!(Catalogue::bundled().has_service(service), "{service}");
        }
    }

    #[test]
    fn every_listed_action_exists() {
        for line in table_lines(SOURCES) {
            let row = Row::parse(line).unwrap();
            for name in row.actions.iter().flatten() {
                assert!(
                    Catalogue::bundled().action(row.service, name).is_some(),
                    "{}:{name}",
                    row.service
                );
            }
        }
    }

    #[track_caller]
    fn check(action: &str, resource: Resource<'_>, expect: &str) {
        let context = Context::new(MissingKeys::Absent);
        let keys = Keys {
            context: &context,
            catalogue: Catalogue::bundled(),
            action,
        };
        let mut buffer = String::new();
        let action = ActionName::fold(action, &mut buffer);
        let text = ResourceText::new(resource);
        let sources = ActionRules::of(action).granting_sources((resource, text), &keys);
        let policy = sources
            .policy
            .map(|policy| format!("{:?} {}", policy.kind, policy.holder.unwrap_or("?")));
        let acl = sources
            .acl
            .map(|bucket| format!("acl {}", bucket.unwrap_or("?")));
        let grant = sources
            .kms_grant
            .map(|key| format!("grant {}", key.unwrap_or("?")));
        let found: Vec<String> = [policy, acl, grant].into_iter().flatten().collect();
        assert_eq!(found.join(", "), expect);
    }

    #[test]
    fn sources_are_told_by_the_arn() {
        check(
            "s3:GetObject",
            Resource::Arn("arn:aws:s3:::b/k/l"),
            "Resource arn:aws:s3:::b, acl b",
        );
        check(
            "s3:GetObject",
            Resource::Unknown("arn:aws:s3:::b/*"),
            "Resource arn:aws:s3:::b, acl b",
        );
        check(
            "s3:GetObject",
            Resource::Unknown("arn:aws:s3:::*"),
            "Resource ?, acl ?",
        );
        check(
            "s3:PutBucketPolicy",
            Resource::Arn("arn:aws:s3:::b"),
            "Resource arn:aws:s3:::b",
        );
        check(
            "s3:DescribeJob",
            Resource::Arn("arn:aws:s3:eu-west-1:111122223333:job/j"),
            "",
        );
        check("s3:ListAllMyBuckets", Resource::Any, "");
        let key = "arn:aws:kms:eu-west-1:111122223333:key/k";
        check(
            "kms:Decrypt",
            Resource::Arn(key),
            &format!("Key {key}, grant {key}"),
        );
        check(
            "kms:PutKeyPolicy",
            Resource::Arn(key),
            &format!("Key {key}"),
        );
        check(
            "kms:CreateAlias",
            Resource::Arn("arn:aws:kms:eu-west-1:111122223333:alias/a"),
            "",
        );
        check(
            "kms:Decrypt",
            Resource::Unknown("arn:aws:kms:*:111122223333:key/*"),
            "Key ?, grant ?",
        );
        check("kms:Decrypt", Resource::Unknown("*"), "Key ?, grant ?");
        let role = "arn:aws:iam::111122223333:role/r";
        check(
            "sts:AssumeRole",
            Resource::Arn(role),
            &format!("Trust {role}"),
        );
        check("iam:PassRole", Resource::Arn(role), "");
        check(
            "sagemaker:CreateTrainingJob",
            Resource::Arn("arn:aws:sagemaker:eu-west-1:111122223333:training-job/j"),
            "",
        );
        check(
            "dynamodb:Query",
            Resource::Arn("arn:aws:dynamodb:eu-west-1:111122223333:table/t/index/i"),
            "Resource arn:aws:dynamodb:eu-west-1:111122223333:table/t",
        );
        check(
            "lambda:InvokeFunction",
            Resource::Arn("arn:aws:lambda:eu-west-1:111122223333:function:f:live"),
            "Resource ?",
        );
    }

    #[test]
    fn rcps_reach_the_listed_services() {
        let applies = |action| {
            let mut buffer = String::new();
            let action = ActionName::fold(action, &mut buffer);
            rules_of(action).rcp_applies(action)
        };
        assert!(applies("s3:GetObject") && applies("KMS:Decrypt"));
        assert!(
            !applies("kms:RetireGrant")
                && !applies("sagemaker:CreateModel")
                && !applies("machinelearning:Predict")
        );
    }
}
