//! The distinct texts of one Parquet column of a row group, numbered as they come.

use std::collections::HashMap;

/// Where the texts that came last lie, so many of them: a power of two.
const PLACES: usize = 1 << 9;

/// Distinct texts and their numbers.
///
/// Most texts of a row are the very ones, in memory, that other rows have (whoever makes rows keeps what
/// repeats once): where one lies then tells its number, and it is neither hashed nor compared.
#[derive(Default)]
pub(crate) struct Dictionary<'r> {
    numbers: HashMap<&'r str, u32, ahash::RandomState>,
    texts: Vec<&'r str>,
    /// Texts by the hash of where they lie, each with its number.
    places: Vec<(&'r str, u32)>,
}

impl<'r> Dictionary<'r> {
    /// The number of a text, which is probably `guess`.
    #[inline]
    pub(crate) fn number_near(&mut self, text: &'r str, guess: u32) -> u32 {
        match self.texts.get(guess as usize) {
            Some(known) if std::ptr::eq(*known, text) || *known == text => guess,
            _ => self.number(text),
        }
    }

    /// The number of a text.
    #[inline]
    pub(crate) fn number(&mut self, text: &'r str) -> u32 {
        match self.places.get(place_of(text)) {
            Some((known, number)) if std::ptr::eq(*known, text) && *number != u32::MAX => *number,
            _ => self.looked_up(text),
        }
    }

    fn looked_up(&mut self, text: &'r str) -> u32 {
        if self.places.is_empty() {
            self.places.resize(PLACES, ("", u32::MAX));
        }
        let next = self.texts.len() as u32;
        let number = *self.numbers.entry(text).or_insert(next);
        match self.texts.get_mut(number as usize) {
            // Where it lies now, the next is likely to lie, too.
            Some(known) => *known = text,
            None => self.texts.push(text),
        }
        if let Some(place) = self.places.get_mut(place_of(text)) {
            *place = (text, number);
        }
        number
    }

    /// The texts by their numbers.
    pub(crate) fn into_texts(self) -> Vec<&'r str> {
        self.texts
    }
}

fn place_of(text: &str) -> usize {
    let address = text.as_ptr().addr() as u64 ^ (text.len() as u64) << 48;
    (address.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 55) as usize
}

/// Puts the texts of a dictionary into an order in which zstd finds those before alike, and their numbers
/// with them: by length, then by their bytes. What a text then shares with the one before lies at the same
/// distance each time.
pub(crate) fn put_in_order(texts: &mut Vec<&str>, numbers: &mut [u32]) {
    let mut by_length: Vec<(usize, u32)> = texts.iter().map(|text| text.len()).zip(0..).collect();
    by_length.sort_unstable();
    let mut in_order = Vec::with_capacity(texts.len());
    let mut places = vec![0; texts.len()];
    let mut keys = Vec::new();
    for alike in by_length.chunk_by(|(a, _), (b, _)| a == b) {
        sort_by_bytes(texts, alike, &mut keys);
        for Key { text, number, .. } in keys.drain(..) {
            if let Some(place) = places.get_mut(number as usize) {
                *place = in_order.len() as u32;
            }
            in_order.push(text);
        }
    }
    *texts = in_order;
    for number in numbers {
        *number = places.get(*number as usize).copied().unwrap_or_default();
    }
}

/// A text to be sorted among others of its length.
struct Key<'r> {
    /// Its first bytes behind what all begin with, as a number of the same order.
    first: u64,
    text: &'r str,
    number: u32,
}

/// Sorts texts of one length, which are given by their numbers. ARNs and times begin alike: what all
/// begin with is not compared.
fn sort_by_bytes<'r>(texts: &[&'r str], alike: &[(usize, u32)], keys: &mut Vec<Key<'r>>) {
    let of = |(_, number): &(usize, u32)| texts.get(*number as usize).copied();
    let Some(example) = alike.first().and_then(of).map(str::as_bytes) else {
        return;
    };
    let common = alike.iter().filter_map(of).fold(example, |common, text| {
        if text.as_bytes().starts_with(common) {
            return common;
        }
        let pairs = common.iter().zip(text.as_bytes());
        let length = pairs.take_while(|(a, b)| a == b).count();
        common.get(..length).unwrap_or_default()
    });
    let first = |text: &str| {
        let behind = text.as_bytes().get(common.len()..).unwrap_or_default();
        match behind.first_chunk() {
            Some(first) => u64::from_be_bytes(*first),
            None => behind
                .iter()
                .fold(0, |key, byte| key << 8 | u64::from(*byte)),
        }
    };
    keys.extend(alike.iter().filter_map(|alike| {
        let text = of(alike)?;
        let (first, number) = (first(text), alike.1);
        Some(Key {
            first,
            text,
            number,
        })
    }));
    keys.sort_unstable_by(|a, b| a.first.cmp(&b.first).then_with(|| a.text.cmp(b.text)));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn in_order_each_text_keeps_its_places() {
        let lengthy = "x".repeat(70_000);
        let all = [
            "10:05",
            "",
            &lengthy,
            "9",
            "10:04",
            "é",
            "è",
            "arn:bucket/b",
            "arn:bucket/a",
            "arn:backup/c",
        ];
        let mut texts = Vec::from(all);
        let before = [3, 0, 7, 7, 1, 2, 9, 4, 6, 5, 8];
        let mut numbers = before;
        put_in_order(&mut texts, &mut numbers);
        let expect = [
            "",
            "9",
            "è",
            "é",
            "10:04",
            "10:05",
            "arn:backup/c",
            "arn:bucket/a",
            "arn:bucket/b",
            &lengthy,
        ];
        assert_eq!(texts, expect);
        let text = |number: u32| expect[number as usize];
        assert_eq!(numbers.map(text), before.map(|number| all[number as usize]));
    }

    #[test]
    fn equal_texts_have_one_number_wherever_they_lie() {
        let text = "abcab".to_owned();
        let mut dictionary = Dictionary::default();
        let parts = [
            &text[0..2],
            &text[3..5],
            &text[0..3],
            "",
            &text[0..0],
            &text[1..2],
        ];
        let numbers: Vec<u32> = parts.iter().map(|part| dictionary.number(part)).collect();
        for guess in 0..6 {
            let parts = parts.iter();
            let near = parts.map(|part| dictionary.number_near(part, guess));
            assert_eq!(near.collect::<Vec<u32>>(), numbers);
        }
        assert_eq!(numbers, [0, 0, 1, 2, 2, 3]);
        let again: Vec<u32> = parts.iter().map(|part| dictionary.number(part)).collect();
        assert_eq!(again, numbers);
        assert_eq!(dictionary.into_texts(), ["ab", "abc", "", "b"]);
    }
}
