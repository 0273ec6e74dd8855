//! What is remembered of a record: 24 bytes.

use twox_hash::{XxHash3_64, XxHash3_128};

/// An entry's bytes in a run.
pub(crate) const ENTRY_BYTES: usize = 24;

/// The body of a *mark*, an entry that stands for no record (see [`super::marks`]).
pub(super) const MARK: u64 = u64::MAX;

// The hashes are stored across runs and versions: neither the seeds nor the hash may ever change
// within a format.
const ACCOUNT_SEED: u64 = 0x243f_6a88_85a3_08d3;
const CONTENT_SEED: u64 = 0x1319_8a2e_0370_7344;

/// The hash of a record's text as it stands in its log file (XXH3, 64 bits).
///
/// Not a cryptographic hash, and none is needed: what would be lost by a collision is a record that
/// has the same event id, and AWS gives the ids.
pub(crate) fn body_hash(text: &[u8]) -> u64 {
    XxHash3_64::oneshot(text).min(MARK - 1)
}

/// What tells a record from others. In order of the id, then the body, then the minute.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct Fingerprint {
    // The id's 96 bits in two parts, which keeps the struct at 24 bytes.
    pub(super) id_high: u64,
    pub(super) id_low: u32,
    pub(super) body: u64,
    pub(super) minute: u32,
}

impl Fingerprint {
    /// Of a record with this body, delivered in this minute (since the Unix epoch). One without an
    /// event id, or with an empty one, is told from others by its body alone.
    pub(crate) fn new(
        event_id: Option<&str>,
        recipient_account: Option<&str>,
        body: u64,
        minute: u32,
    ) -> Self {
        let id = match event_id.filter(|id| !id.is_empty()) {
            Some(id) => {
                let account = recipient_account.unwrap_or_default();
                // The account seeds the id's hash: no separator is needed that either could hold.
                let seed = XxHash3_64::oneshot_with_seed(ACCOUNT_SEED, account.as_bytes());
                XxHash3_128::oneshot_with_seed(seed, id.as_bytes())
            }
            None => XxHash3_128::oneshot_with_seed(CONTENT_SEED, &body.to_le_bytes()),
        };
        Self {
            id_high: (id >> 64) as u64,
            id_low: id as u32,
            body: body.min(MARK - 1),
            minute,
        }
    }

    pub(super) fn same_id(&self, other: &Self) -> bool {
        self.id_high == other.id_high && self.id_low == other.id_low
    }

    /// The place of a body and minute among those with this id.
    pub(super) fn at(&self, body: u64, minute: u32) -> Self {
        Self {
            body,
            minute,
            ..*self
        }
    }

    pub(super) fn is_mark(&self) -> bool {
        self.body == MARK
    }

    /// As it stands in a run: the order of the bytes is the order of the fingerprints.
    pub(crate) fn to_bytes(self) -> [u8; ENTRY_BYTES] {
        let mut bytes = [0; ENTRY_BYTES];
        let parts = self
            .id_high
            .to_be_bytes()
            .into_iter()
            .chain(self.id_low.to_be_bytes())
            .chain(self.body.to_be_bytes())
            .chain(self.minute.to_be_bytes());
        for (byte, part) in bytes.iter_mut().zip(parts) {
            *byte = part;
        }
        bytes
    }

    pub(crate) fn from_bytes(bytes: &[u8; ENTRY_BYTES]) -> Self {
        let [
            a,
            b,
            c,
            d,
            e,
            f,
            g,
            h, //
            i,
            j,
            k,
            l, //
            m,
            n,
            o,
            p,
            q,
            r,
            s,
            t, //
            u,
            v,
            w,
            x,
        ] = *bytes;
        Self {
            id_high: u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            id_low: u32::from_be_bytes([i, j, k, l]),
            body: u64::from_be_bytes([m, n, o, p, q, r, s, t]),
            minute: u32::from_be_bytes([u, v, w, x]),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_keep_value_and_order() {
        let parts = [0, 1, 255, 256, u64::from(u32::MAX), u64::MAX];
        let mut all = Vec::new();
        for id in parts {
            for body in parts {
                for minute in [0, 1, u32::MAX] {
                    all.push(Fingerprint {
                        id_high: id,
                        id_low: id as u32,
                        body,
                        minute,
                    });
                }
            }
        }
        for a in &all {
            assert_eq!(Fingerprint::from_bytes(&a.to_bytes()), *a);
            for b in &all {
                assert_eq!(a.to_bytes().cmp(&b.to_bytes()), a.cmp(b));
            }
        }
        assert_eq!(size_of::<Fingerprint>(), ENTRY_BYTES);
    }

    #[test]
    fn what_tells_records_apart() {
        let check = |a: (Option<&str>, Option<&str>, u64),
                     b: (Option<&str>, Option<&str>, u64),
                     same| {
            let [a, b] = [a, b].map(|(id, account, body)| Fingerprint::new(id, account, body, 7));
            assert_eq!(a.same_id(&b), same, "{a:?} {b:?}");
        };
        check((Some("a"), Some("1"), 1), (Some("a"), Some("1"), 2), true);
        check((Some("a"), Some("1"), 1), (Some("a"), Some("2"), 1), false);
        check(
            (Some("a1"), Some("1"), 1),
            (Some("a"), Some("11"), 1),
            false,
        );
        check((Some("a"), None, 1), (Some("a"), Some("1"), 1), false);
        check((None, Some("1"), 1), (None, Some("2"), 1), true);
        check((None, None, 1), (None, None, 2), false);
        check((Some(""), None, 1), (None, None, 1), true);
    }

    /// The stored form: these values come from the reference implementation (xxhsum 0.8, XXH3).
    #[test]
    fn the_hashes_are_xxh3() {
        assert_eq!(body_hash(b""), 0x2d06_8005_38d3_94c2);
        assert_eq!(
            XxHash3_128::oneshot(b""),
            0x99aa_06d3_0147_98d8_6001_c324_468d_497f
        );
    }
}
