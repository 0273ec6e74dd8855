//! A context that begins with shared keys is the one in which all of them were set one by one.

#![allow(clippy::indexing_slicing, reason = "tests may fail loudly")]

use retrial_iam::{Context, ContextEntry, KeyState, MissingKeys, SharedKeys, Values};

const KEYS: [&str; 10] = [
    "aws:SourceIp",
    "AWS:sourceip",
    "aws:PrincipalTag/*",
    "aws:PrincipalTag/team",
    "aws:principaltag/TEAM",
    "aws:principaltag/*",
    "aws:*",
    "kms:EncryptionContext:*",
    "kms:EncryptionContext:a",
    "s3:TlsVersion",
];

const STATES: [KeyState<'static>; 5] = [
    KeyState::Known(Values::One("1")),
    KeyState::Known(Values::One("2")),
    KeyState::Known(Values::Many(&["1", "2"])),
    KeyState::Absent,
    KeyState::Unknown,
];

/// Numbers without a pattern, the same each time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1);
        (self.0 >> 33) as usize % end
    }

    fn some_keys(&mut self) -> Vec<(&'static str, KeyState<'static>)> {
        let count = self.below(6);
        (0..count)
            .map(|_| {
                (
                    KEYS[self.below(KEYS.len())],
                    STATES[self.below(STATES.len())],
                )
            })
            .collect()
    }
}

#[test]
fn shared_keys_are_as_if_they_were_set() {
    let mut numbers = Numbers(7);
    for _ in 0..20_000 {
        let (shared, own) = (numbers.some_keys(), numbers.some_keys());
        let mut plain = Context::new(MissingKeys::ByCatalogue);
        let mut first = Context::new(MissingKeys::ByCatalogue);
        for (key, state) in &shared {
            plain.set(key, *state);
            first.set(key, *state);
        }
        let entries: Vec<ContextEntry<'_>> = first.entries().to_vec();
        let mut over = Context::over(SharedKeys::new(&first, &entries), MissingKeys::ByCatalogue);
        for (key, state) in &own {
            plain.set(key, *state);
            over.set(key, *state);
        }
        for context in [&over, &over.clone()] {
            let all = context.iter().collect::<Vec<_>>();
            assert_eq!(all, plain.iter().collect::<Vec<_>>(), "{shared:?} {own:?}");
            assert_eq!(context.len(), plain.len());
            assert_eq!(context.is_empty(), plain.is_empty());
            for key in KEYS.iter().chain(&["aws:PrincipalTag/other", "sns:Topic"]) {
                let expect = plain.get(key);
                assert_eq!(context.get(key), expect, "{key} {shared:?} {own:?}");
            }
            let besides = context.besides_shared();
            let overrides = all.iter().take(entries.len());
            let is_shared = overrides
                .zip(&entries)
                .all(|((_, state), entry)| *state == entry.state());
            if let Some(besides) = besides {
                assert!(is_shared, "{shared:?} {own:?}");
                assert_eq!(besides.len() + entries.len(), all.len());
            }
        }
    }
}
