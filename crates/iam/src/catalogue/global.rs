//! The global condition keys.

use super::{ConditionKey, KeyType, folded::FoldedIndex, template::KeyTemplate};

const TABLE: &str = include_str!("../../data/global-condition-keys.tsv");

/// The table `data/global-condition-keys.tsv`.
#[derive(Debug)]
pub(super) struct GlobalKeys {
    keys: Vec<GlobalKey>,
    index: FoldedIndex,
}

#[derive(Debug)]
struct GlobalKey {
    key: ConditionKey<'static>,
    /// Whether it can be in any request, or only where the reference lists it.
    any: bool,
    template: Option<KeyTemplate>,
}

impl GlobalKeys {
    /// The compiled-in table; `None` where it is malformed.
    pub(super) fn bundled() -> Option<Self> {
        let mut keys = Vec::new();
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let mut fields = line.split('\t');
            let (name, value_type, place) = (fields.next()?, fields.next()?, fields.next()?);
            let (value_type, multivalued) = KeyType::parse(value_type)?;
            let any = match place {
                "any" => true,
                "listed" => false,
                _ => return None,
            };
            keys.push(GlobalKey {
                key: ConditionKey {
                    name,
                    value_type,
                    multivalued,
                },
                any,
                template: KeyTemplate::of(name),
            });
        }
        let index = FoldedIndex::new(keys.iter().map(|global| global.key.name));
        Some(Self { keys, index })
    }

    /// Whether the key can be in any request, whatever its action.
    pub(super) fn is_in_any_request(&self, key: &str) -> bool {
        self.find(key).is_some_and(|global| global.any) || is_identity_provider_key(key)
    }

    /// The key that has this name, or whose template it fits.
    pub(super) fn get(&self, key: &str) -> Option<ConditionKey<'static>> {
        self.find(key).map(|global| global.key)
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = ConditionKey<'static>> {
        self.keys.iter().map(|global| global.key)
    }

    fn find(&self, key: &str) -> Option<&GlobalKey> {
        match self.index.get(key, |number| {
            self.keys.get(number).map(|global| global.key.name)
        }) {
            Some(number) => self.keys.get(number),
            None => self.keys.iter().find(|global| {
                global
                    .template
                    .is_some_and(|template| template.matches(global.key.name, key))
            }),
        }
    }
}

/// Whether a key is one of an OIDC provider: `accounts.google.com:sub`. A session that such a provider
/// stands behind keeps some of its claims for all its requests, and which ones differs by provider.
/// No service prefix has a dot.
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_iam-condition-keys.html#condition-keys-wif>.
pub(super) fn is_identity_provider_key(key: &str) -> bool {
    key.split_once(':')
        .is_some_and(|(prefix, _)| prefix.contains('.'))
}
