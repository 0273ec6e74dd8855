//! The condition keys that the policies of a snapshot read.

use std::collections::BTreeSet;

use crate::CompiledPolicy;
use crate::catalogue::FoldedIndex;

/// Keys that the evaluator reads whatever the policies say: those of AWS managed keys, and the family
/// that KMS grants constrain.
const ALWAYS: [&str; 4] = [
    "kms:CallerAccount",
    "kms:EncryptionContext:*",
    "kms:RequestAlias",
    "kms:ViaService",
];

/// A grant that wants an exact encryption context reads all of it.
const ENCRYPTION_CONTEXT: &str = "kms:EncryptionContext:";

/// Condition keys, whatever their case.
#[derive(Debug, Default)]
pub(super) struct KeysRead {
    names: Vec<Box<str>>,
    index: FoldedIndex,
}

impl KeysRead {
    /// Those of all policies.
    pub(super) fn of<'p>(policies: impl Iterator<Item = &'p CompiledPolicy>) -> KeysRead {
        let names: BTreeSet<String> = policies
            .flat_map(CompiledPolicy::keys_read)
            .chain(ALWAYS)
            .map(str::to_ascii_lowercase)
            .collect();
        let names: Vec<Box<str>> = names.into_iter().map(String::into_boxed_str).collect();
        KeysRead {
            index: FoldedIndex::new(names.iter().map(|name| &**name)),
            names,
        }
    }

    /// Whether a decision can depend on `key`: on a family (`aws:PrincipalTag/*`) where it can on any
    /// key of it.
    pub(super) fn reads(&self, key: &str) -> bool {
        if let Some(family) = key.strip_suffix('*') {
            return self.names.iter().any(|name| begins(name, family));
        }
        self.index
            .get(key, |number| self.names.get(number).map(|name| &**name))
            .is_some()
            || begins(key, ENCRYPTION_CONTEXT)
    }
}

fn begins(text: &str, start: &str) -> bool {
    text.get(..start.len())
        .is_some_and(|text| text.eq_ignore_ascii_case(start))
}
