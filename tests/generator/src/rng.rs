//! A small random number generator whose stream never changes: the same seed gives the same bytes
//! for ever, which no general-purpose crate promises across versions.

use std::fmt::Write;

/// xoshiro256++ seeded by splitmix64 (<https://prng.di.unimi.it/>).
#[derive(Debug, Clone)]
pub(crate) struct Rng([u64; 4]);

/// One step of splitmix64; also a good mix of a seed with an index.
pub(crate) fn mix(seed: u64, index: u64) -> u64 {
    let mut z = seed ^ index.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}

const UPPER: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
const BASE64: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
const HEX: &[u8; 16] = b"0123456789abcdef";

impl Rng {
    pub(crate) fn new(seed: u64) -> Rng {
        Rng([mix(seed, 0), mix(seed, 1), mix(seed, 2), mix(seed, 3)])
    }

    pub(crate) fn next(&mut self) -> u64 {
        let s = &mut self.0;
        let result = s[0].wrapping_add(s[3]).rotate_left(23).wrapping_add(s[0]);
        let t = s[1] << 17;
        s[2] ^= s[0];
        s[3] ^= s[1];
        s[1] ^= s[2];
        s[0] ^= s[3];
        s[2] ^= t;
        s[3] = s[3].rotate_left(45);
        result
    }

    /// A number in `0..end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        ((u128::from(self.next()) * u128::from(end)) >> 64) as u64
    }

    /// A number in `low..high`.
    pub(crate) fn range(&mut self, low: u64, high: u64) -> u64 {
        low + self.below(high - low)
    }

    /// True with the probability `share`.
    pub(crate) fn chance(&mut self, share: f64) -> bool {
        ((self.next() >> 11) as f64) < share * (1u64 << 53) as f64
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> &'a T {
        &of[self.below(of.len() as u64) as usize]
    }

    fn letters(&mut self, out: &mut String, count: usize, alphabet: &[u8]) {
        let bits = alphabet.len().trailing_zeros();
        let per_word = 64 / bits;
        let mut word = 0;
        for index in 0..count {
            if (index as u32).is_multiple_of(per_word) {
                word = self.next();
            }
            out.push(char::from(
                alphabet[(word & (alphabet.len() as u64 - 1)) as usize],
            ));
            word >>= bits;
        }
    }

    /// Upper-case letters and digits, as in access keys.
    pub(crate) fn upper(&mut self, count: usize) -> String {
        let mut out = String::with_capacity(count);
        self.letters(&mut out, count, UPPER);
        out
    }

    pub(crate) fn base64(&mut self, count: usize) -> String {
        let mut out = String::with_capacity(count);
        self.letters(&mut out, count, BASE64);
        out
    }

    pub(crate) fn hex(&mut self, count: usize) -> String {
        let mut out = String::with_capacity(count);
        self.letters(&mut out, count, HEX);
        out
    }

    /// A random (version 4) UUID.
    pub(crate) fn uuid(&mut self) -> String {
        let (high, low) = (self.next(), self.next());
        let high = (high & 0xffff_ffff_ffff_0fff) | 0x4000;
        let low = (low & 0x3fff_ffff_ffff_ffff) | 0x8000_0000_0000_0000;
        let mut out = String::with_capacity(36);
        let _ = write!(
            out,
            "{:08x}-{:04x}-{:04x}-{:04x}-{:012x}",
            high >> 32,
            (high >> 16) & 0xffff,
            high & 0xffff,
            low >> 48,
            low & 0xffff_ffff_ffff
        );
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// If this changes, every committed file changes.
    #[test]
    fn the_stream_is_fixed() {
        let mut rng = Rng::new(1);
        assert_eq!(rng.uuid(), "e8de4571-b110-499c-81dc-81e3f38159d6");
        assert_eq!(rng.upper(16).len(), 16);
        assert!((0..1000).all(|_| (5..9).contains(&rng.range(5, 9))));
    }
}
