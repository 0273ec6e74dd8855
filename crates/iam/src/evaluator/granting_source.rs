//! What besides an identity policy can grant access to a resource, and where a resource control
//! policy applies: the tables of `data/`.

use std::sync::OnceLock;

use crate::context::Keys;
use crate::pattern::{ActionName, Pattern, Syntax, Text};
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

#[derive(Debug)]
struct Row {
    service: &'static str,
    resource: Pattern,
    kind: Kind,
    /// `None`: all.
    actions: Option<Vec<&'static str>>,
    policy_of: Holder,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Policy(PolicyKind),
    Acl,
    KmsGrant,
}

#[derive(Debug, Clone, Copy)]
enum Holder {
    Itself,
    Pieces(usize),
    NotTold,
}

const SOURCES: &str = include_str!("../../data/granting-sources.tsv");

const RCP_SERVICES: &str = include_str!("../../data/rcp-services.tsv");

/// What could grant `action` on `resource`.
pub(crate) fn granting_sources<'a>(
    action: ActionName<'_>,
    resource: Resource<'a>,
    keys: &Keys<'_>,
) -> GrantingSources<'a> {
    let (arn, tail) = match resource {
        Resource::Any => return GrantingSources::default(),
        Resource::Arn(arn) => match tail(arn) {
            Some(tail) => (arn, Text::Exact(tail)),
            None => (arn, Text::Holes("*")),
        },
        Resource::Unknown(arn) => (arn, Text::Holes(tail(arn).unwrap_or("*"))),
    };
    let mut sources = GrantingSources::default();
    for row in rows_of(action.service) {
        if row.is_taken(&sources)
            || !row.grants(action.name)
            || row.resource.test(tail, keys) == Truth::False
        {
            continue;
        }
        let holder = row
            .policy_of
            .holder(arn)
            .filter(|holder| matches!(tail, Text::Exact(_)) || !holder.contains('*'));
        match row.kind {
            Kind::Policy(kind) => {
                sources.policy = Some(ResourcePolicy {
                    kind,
                    holder,
                    service: row.service,
                })
            }
            Kind::Acl => sources.acl = Some(holder.and_then(|holder| holder.rsplit(':').next())),
            Kind::KmsGrant => sources.kms_grant = Some(holder),
        }
    }
    sources
}

/// Whether resource control policies apply to an action.
pub(crate) fn rcp_applies(action: ActionName<'_>) -> bool {
    // "RCPs don't restrict kms:RetireGrant".
    // <https://docs.aws.amazon.com/organizations/latest/userguide/orgs_manage_policies_rcps.html>
    static SERVICES: OnceLock<Vec<&str>> = OnceLock::new();
    let services = SERVICES.get_or_init(|| {
        table_lines(RCP_SERVICES)
            .filter_map(|line| line.split('\t').next())
            .collect()
    });
    services.binary_search(&action.service).is_ok() && !action.is("kms", "retiregrant")
}

/// The ARN from its region on.
fn tail(arn: &str) -> Option<&str> {
    arn.splitn(4, ':').nth(3)
}

impl Row {
    /// Whether a row of the same kind came first.
    fn is_taken(&self, sources: &GrantingSources<'_>) -> bool {
        match self.kind {
            Kind::Policy(_) => sources.policy.is_some(),
            Kind::Acl => sources.acl.is_some(),
            Kind::KmsGrant => sources.kms_grant.is_some(),
        }
    }

    fn grants(&self, name: &str) -> bool {
        self.actions.as_ref().is_none_or(|actions| {
            actions
                .iter()
                .any(|action| action.eq_ignore_ascii_case(name))
        })
    }

    fn parse(line: &'static str) -> Option<Row> {
        let mut columns = line.split('\t');
        let service = columns.next()?;
        let resource = Pattern::parse(
            columns.next()?,
            Syntax {
                wildcards: true,
                variables: false,
            },
        );
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
            list => Some(list.split(',').collect()),
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
            resource,
            kind,
            actions,
            policy_of,
        })
    }
}

impl Holder {
    fn holder(self, arn: &str) -> Option<&str> {
        let pieces = match self {
            Self::Itself => return Some(arn),
            Self::Pieces(pieces) => pieces,
            Self::NotTold => return None,
        };
        let resource = arn.splitn(6, ':').nth(5)?;
        let resource_start = arn.len() - resource.len();
        match resource.match_indices('/').nth(pieces.saturating_sub(1)) {
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

/// The rows of a service. That every line of the compiled-in table is a row is held by a test.
fn rows_of(service: &str) -> &'static [Row] {
    static ROWS: OnceLock<Vec<Row>> = OnceLock::new();
    let rows = ROWS.get_or_init(|| table_lines(SOURCES).filter_map(Row::parse).collect());
    let start = rows.partition_point(|row| row.service < service);
    let end = rows.partition_point(|row| row.service <= service);
    rows.get(start..end).unwrap_or_default()
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
        assert!(services.is_sorted(), "rows are found by binary search");
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
        let sources = granting_sources(ActionName::fold(action, &mut buffer), resource, &keys);
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
        let applies = |action| rcp_applies(ActionName::fold(action, &mut String::new()));
        assert!(
            table_lines(RCP_SERVICES).is_sorted(),
            "services are found by binary search"
        );
        assert!(applies("s3:GetObject") && applies("KMS:Decrypt"));
        assert!(
            !applies("kms:RetireGrant")
                && !applies("sagemaker:CreateModel")
                && !applies("machinelearning:Predict")
        );
    }
}
