//! A request's condition keys: known, absent or unknown.

use crate::Catalogue;

/// What is known of one condition key of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState<'a> {
    /// The key is in the request with these values.
    Known(Values<'a>),
    /// The key is not in the request.
    Absent,
    /// Nobody recorded whether the key was in the request, or with which value.
    Unknown,
}

/// The values of a key that is in the request.
///
/// A single-valued key and a multivalued key with one value behave differently under an operator
/// without `ForAllValues`/`ForAnyValue`.
/// See <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_policies_condition-single-vs-multi-valued-context-keys.html>.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Values<'a> {
    /// A single-valued key.
    One(&'a str),
    /// A multivalued key; may be empty.
    Many(&'a [&'a str]),
}

impl<'a> Values<'a> {
    /// The values in their order.
    pub fn iter(&self) -> impl Iterator<Item = &'a str> + '_ {
        let (one, many): (Option<&'a str>, &'a [&'a str]) = match self {
            Self::One(value) => (Some(value), &[]),
            Self::Many(values) => (None, values),
        };
        one.into_iter().chain(many.iter().copied())
    }
}

/// What a key that [`Context`] does not hold is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MissingKeys {
    /// Absent: the context is complete, as in a simulation.
    Absent,
    /// Absent where the key is neither global nor in the catalogue for the action; else unknown.
    ByCatalogue,
}

/// A request has some 25 keys: room for them, and for what is set besides once they are cloned, spares
/// the growing.
const USUAL_ENTRIES: usize = 32;

/// What a request has besides shared keys.
const USUAL_OWN_ENTRIES: usize = 16;

/// The condition keys of one request.
#[derive(Debug)]
pub struct Context<'a> {
    /// What it was begun with.
    shared: SharedKeys<'a>,
    /// Whether one of the entries takes the place of a shared one.
    overrides: bool,
    entries: Vec<ContextEntry<'a>>,
    /// The fingerprints that are there: most keys that are set or asked for are told to be new without a
    /// look at the others.
    seen: Seen,
    /// Whether one of the entries is of a family.
    has_families: bool,
    /// Whether one of the entries was unknown when it was set.
    has_unknown: bool,
    missing: MissingKeys,
}

/// One key of a request and what is known of it.
#[derive(Debug, Clone, Copy)]
pub struct ContextEntry<'a> {
    fingerprint: Fingerprint,
    key: &'a str,
    state: KeyState<'a>,
}

/// Keys that many requests share: each begins with them, and none copies them.
#[derive(Debug, Clone, Copy, Default)]
pub struct SharedKeys<'a> {
    /// No two of them are the same key.
    entries: &'a [ContextEntry<'a>],
    seen: Seen,
    has_families: bool,
    has_unknown: bool,
}

impl<'a> SharedKeys<'a> {
    /// Those of `context`, which is over no others: `entries` are its entries, wherever they are kept.
    pub fn new(context: &Context<'_>, entries: &'a [ContextEntry<'a>]) -> Self {
        Self {
            entries,
            seen: context.seen,
            has_families: context.has_families,
            has_unknown: context.has_unknown,
        }
    }
}

/// Tells most keys apart at a glance, whatever their case: the end of the key, where keys of one service
/// differ, and its length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Fingerprint {
    end: u64,
    length: usize,
}

impl Fingerprint {
    fn of(key: &str) -> Fingerprint {
        // The bit by which ASCII's cases differ.
        const CASE: u64 = 0x2020_2020_2020_2020;
        let bytes = key.as_bytes();
        let end = match bytes.last_chunk() {
            Some(end) => u64::from_le_bytes(*end),
            None => bytes
                .iter()
                .fold(0, |end, byte| end << 8 | u64::from(*byte)),
        };
        Fingerprint {
            end: end | CASE,
            length: bytes.len(),
        }
    }
}

impl Fingerprint {
    fn bit(self) -> Bit {
        let mixed = (self.end ^ self.length as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        Bit {
            word: (mixed >> 61) as usize,
            bit: 1 << (mixed >> 55 & 63),
        }
    }
}

/// One of the bits of [`Seen`].
#[derive(Debug, Clone, Copy)]
struct Bit {
    word: usize,
    bit: u64,
}

/// A set of fingerprints, a bit for each: 512 of them, so that hardly any of some 25 keys is taken for another.
#[derive(Debug, Clone, Copy, Default)]
struct Seen([u64; 8]);

impl Seen {
    #[inline]
    fn add(&mut self, bit: Bit) {
        if let Some(word) = self.0.get_mut(bit.word) {
            *word |= bit.bit;
        }
    }

    /// `false`: it was not added.
    #[inline]
    fn may_have(&self, bit: Bit) -> bool {
        self.0.get(bit.word).is_some_and(|word| word & bit.bit != 0)
    }
}

impl Clone for Context<'_> {
    fn clone(&self) -> Self {
        let least = match self.shared.entries {
            [] => USUAL_ENTRIES,
            _ => USUAL_OWN_ENTRIES,
        };
        let room = self.entries.len().max(least - least / 4) + least / 4;
        let mut entries = Vec::with_capacity(room);
        entries.extend_from_slice(&self.entries);
        Self { entries, ..*self }
    }
}

impl<'a> ContextEntry<'a> {
    /// The entry with its texts where they were moved to: the same key, and the same state.
    pub fn moved<'k>(&self, key: &'k str, state: KeyState<'k>) -> ContextEntry<'k> {
        ContextEntry {
            fingerprint: self.fingerprint,
            key,
            state,
        }
    }

    /// The key.
    pub fn key(&self) -> &'a str {
        self.key
    }

    /// What is known of it.
    pub fn state(&self) -> KeyState<'a> {
        self.state
    }

    #[inline]
    fn is(&self, key: &str, fingerprint: Fingerprint) -> bool {
        self.fingerprint == fingerprint && (self.key == key || self.key.eq_ignore_ascii_case(key))
    }
}

impl<'a> Context<'a> {
    /// An empty context.
    pub fn new(missing: MissingKeys) -> Self {
        Self {
            shared: SharedKeys::default(),
            overrides: false,
            entries: Vec::with_capacity(USUAL_ENTRIES),
            seen: Seen::default(),
            has_families: false,
            has_unknown: false,
            missing,
        }
    }

    /// A context that begins with keys that other requests have, too.
    pub fn over(shared: SharedKeys<'a>, missing: MissingKeys) -> Self {
        Self {
            shared,
            overrides: false,
            entries: Vec::with_capacity(USUAL_OWN_ENTRIES),
            seen: Seen::default(),
            has_families: false,
            has_unknown: false,
            missing,
        }
    }

    /// Sets `key`, in AWS's spelling (`aws:SourceIp`, `aws:RequestTag/team`), replacing what it was.
    /// A key that ends in `*` (`aws:PrincipalTag/*`, `kms:EncryptionContext:*`) stands for the keys of
    /// its family that are not set themselves.
    pub fn set(&mut self, key: &'a str, state: KeyState<'a>) {
        let fingerprint = Fingerprint::of(key);
        self.has_families |= key.as_bytes().last() == Some(&b'*');
        self.has_unknown |= matches!(state, KeyState::Unknown);
        let bit = fingerprint.bit();
        if self.seen.may_have(bit)
            && let Some(entry) = self
                .entries
                .iter_mut()
                .find(|entry| entry.is(key, fingerprint))
        {
            entry.state = state;
            return;
        }
        self.seen.add(bit);
        let shared = self
            .shared
            .seen
            .may_have(bit)
            .then(|| find(self.shared.entries, key, fingerprint))
            .flatten();
        self.overrides |= shared.is_some();
        self.entries.push(ContextEntry {
            fingerprint,
            key: shared.map_or(key, |shared| shared.key),
            state,
        });
    }

    /// What was set for `key` or else for its family, whatever its case; `None` where nothing was.
    pub fn get(&self, key: &str) -> Option<KeyState<'a>> {
        let fingerprint = Fingerprint::of(key);
        let bit = fingerprint.bit();
        let own = self
            .seen
            .may_have(bit)
            .then(|| find(&self.entries, key, fingerprint))
            .flatten();
        let entry = own.or_else(|| {
            self.shared
                .seen
                .may_have(bit)
                .then(|| find(self.shared.entries, key, fingerprint))
                .flatten()
        });
        match entry {
            Some(entry) => Some(entry.state),
            None if self.has_families || self.shared.has_families => self.family(key),
            None => None,
        }
    }

    /// What was set for the first family that `key` belongs to.
    fn family(&self, key: &str) -> Option<KeyState<'a>> {
        self.iter()
            .find(|(name, _)| is_family_of(name, key))
            .map(|(_, state)| state)
    }

    /// How many keys were set.
    pub fn len(&self) -> usize {
        match self.overrides {
            true => self.iter().count(),
            false => self.shared.entries.len() + self.entries.len(),
        }
    }

    /// Whether none was.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Whether a key was set to be unknown; where none is, none was.
    pub fn may_have_unknown(&self) -> bool {
        self.has_unknown || self.shared.has_unknown
    }

    /// What a key that was not set is.
    pub fn missing(&self) -> MissingKeys {
        self.missing
    }

    /// All keys that were set, in the order in which they were set first: the shared ones, each as it is
    /// for this request, then its own.
    pub fn iter(&self) -> impl Iterator<Item = (&'a str, KeyState<'a>)> + '_ {
        let shared = self.shared.entries.iter().map(|shared| {
            let own = self
                .overrides
                .then(|| find(&self.entries, shared.key, shared.fingerprint))
                .flatten();
            (shared.key, own.unwrap_or(shared).state)
        });
        shared.chain(self.own())
    }

    /// The keys that were set besides the shared ones.
    fn own(&self) -> impl Iterator<Item = (&'a str, KeyState<'a>)> + '_ {
        let own = self.entries.iter().filter(|own| {
            !self.overrides || find(self.shared.entries, own.key, own.fingerprint).is_none()
        });
        own.map(|entry| (entry.key, entry.state))
    }

    /// The keys that were set besides the shared ones; `None` where one of these is another for this
    /// request.
    pub fn besides_shared(&self) -> Option<&[ContextEntry<'a>]> {
        (!self.overrides).then_some(self.entries.as_slice())
    }

    /// Whether it was begun with shared keys.
    pub fn has_shared(&self) -> bool {
        !self.shared.entries.is_empty()
    }

    /// The keys that were set; in a context that is over shared keys, those that were set besides.
    pub fn entries(&self) -> &[ContextEntry<'a>] {
        &self.entries
    }
}

fn find<'e, 'a>(
    entries: &'e [ContextEntry<'a>],
    key: &str,
    fingerprint: Fingerprint,
) -> Option<&'e ContextEntry<'a>> {
    entries.iter().find(|entry| entry.is(key, fingerprint))
}

/// Whether `name` is a family (`aws:PrincipalTag/*`) that `key` belongs to.
fn is_family_of(name: &str, key: &str) -> bool {
    let Some(prefix) = name.strip_suffix('*') else {
        return false;
    };
    key.len() > prefix.len()
        && key
            .as_bytes()
            .iter()
            .zip(prefix.as_bytes())
            .all(|(a, b)| a.eq_ignore_ascii_case(b))
}

/// The condition keys of one request, with the answer for those that the context does not hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Keys<'a> {
    pub(crate) context: &'a Context<'a>,
    pub(crate) catalogue: &'a Catalogue,
    pub(crate) action: &'a str,
}

impl<'a> Keys<'a> {
    /// The state of `key`. An empty list of values is a known absence.
    pub(crate) fn state(&self, key: &str) -> KeyState<'a> {
        match self.context.get(key) {
            Some(KeyState::Known(Values::Many([]))) => KeyState::Absent,
            Some(state) => state,
            None => match self.context.missing() {
                MissingKeys::Absent => KeyState::Absent,
                MissingKeys::ByCatalogue if self.may_be_present(key) => KeyState::Unknown,
                MissingKeys::ByCatalogue => KeyState::Absent,
            },
        }
    }

    fn may_be_present(&self, key: &str) -> bool {
        self.catalogue.key_applies(self.action, key)
    }
}
