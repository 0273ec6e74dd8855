//! Texts that rows repeat, kept once.
//!
//! Most of a row is what the row before had too: account, principal, the keys of its context and most of
//! their values. Copied for each row, they were most of what a slice held in memory.

use std::cell::Cell;

use bumpalo::Bump;
use retrial_replay::KeepTexts;

/// How many texts are remembered: so many that one file's common ones have a place each, so few that
/// they stay in the processor's cache.
const SLOTS: usize = 2048;

/// How often another text must have asked for the place of one that was asked for often, before it has it.
const MOST_HITS: u8 = 15;

/// Texts that were kept, one for each value of a hash: a text takes the place of another with
/// its hash, so that no choice of texts makes this larger or slower. Those that come again and again stay
/// where they are: most texts come once, and in a few hundred records there are more of them than slots.
pub(crate) struct Texts<'f> {
    slots: Box<[Cell<Slot<'f>>]>,
}

/// The text stands here, and not behind its list alone: to look for it is a look at one place less, and most
/// that are others are told by the tag, without any.
#[derive(Clone, Copy)]
struct Slot<'f> {
    text: &'f str,
    /// The text as a list of one, for the conditions that have a single value.
    list: &'f [&'f str; 1],
    /// A part of what the text is hashed to.
    tag: u32,
    /// How often it came again, less how often another one came.
    hits: u8,
}

impl Default for Slot<'_> {
    fn default() -> Self {
        Self {
            text: "",
            list: &[""],
            tag: 0,
            hits: 0,
        }
    }
}

impl Default for Texts<'_> {
    fn default() -> Self {
        Self {
            slots: vec![Cell::default(); SLOTS].into(),
        }
    }
}

impl<'f> Texts<'f> {
    /// The text, in an arena.
    pub(crate) fn keep(&self, text: &str, arena: &'f Bump) -> &'f str {
        let [kept] = self.one(text, arena);
        kept
    }

    /// The texts, in an arena.
    pub(crate) fn keep_all(&self, texts: &[&str], arena: &'f Bump) -> &'f [&'f str] {
        match texts {
            [] => &[],
            [text] => self.one(text, arena),
            _ => arena.alloc_slice_fill_iter(texts.iter().map(|text| self.keep(text, arena))),
        }
    }

    fn one(&self, text: &str, arena: &'f Bump) -> &'f [&'f str; 1] {
        let (at, tag) = slot_of(text);
        let Some(place) = self.slots.get(at) else {
            return arena.alloc([&*arena.alloc_str(text)]);
        };
        let slot = place.get();
        if slot.tag == tag && slot.text == text {
            if slot.hits < MOST_HITS {
                let hits = slot.hits + 1;
                place.set(Slot { hits, ..slot });
            }
            return slot.list;
        }
        let text: &'f str = arena.alloc_str(text);
        let list: &'f [&'f str; 1] = arena.alloc([text]);
        place.set(match slot.hits.checked_sub(1) {
            Some(hits) => Slot { hits, ..slot },
            None => Slot {
                text,
                list,
                tag,
                hits: 0,
            },
        });
        list
    }
}

/// Texts with the arena that they are kept in.
#[derive(Clone, Copy)]
pub(crate) struct Keeping<'f, 'r>(pub(crate) &'r Texts<'f>, pub(crate) &'f Bump);

impl<'f> KeepTexts<'f> for Keeping<'f, '_> {
    fn keep(&self, text: &str) -> &'f str {
        self.0.keep(text, self.1)
    }

    fn keep_all(&self, texts: &[&str]) -> &'f [&'f str] {
        self.0.keep_all(texts, self.1)
    }

    fn arena(&self) -> &'f Bump {
        self.1
    }
}

/// The slot of a text, and its tag. They decide no more than which text takes whose place: texts of one length
/// seldom have the same beginning and the same end.
fn slot_of(text: &str) -> (usize, u32) {
    let bytes = text.as_bytes();
    let number = |chunk: Option<&[u8; 8]>| chunk.map(|chunk| u64::from_le_bytes(*chunk));
    let (beginning, end) = match (number(bytes.first_chunk()), number(bytes.last_chunk())) {
        (Some(beginning), Some(end)) => (beginning, end),
        _ => (
            0,
            bytes
                .iter()
                .fold(0, |end, byte| end << 8 | u64::from(*byte)),
        ),
    };
    let mixed = (beginning.rotate_left(23) ^ end)
        .wrapping_add(bytes.len() as u64)
        .wrapping_mul(0x9e37_79b9_7f4a_7c15);
    ((mixed >> 53) as usize % SLOTS, (mixed >> 21) as u32)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_kept_as_they_are() {
        let arena = Bump::new();
        let texts = Texts::default();
        // More than there are slots, twice: some take the places of others.
        for _ in 0..2 {
            for number in 0..2 * SLOTS {
                let text = number.to_string();
                assert_eq!(texts.keep(&text, &arena), text);
            }
        }
        assert_eq!(texts.keep("", &arena), "");
        assert!(texts.keep_all(&[], &arena).is_empty());
        assert_eq!(texts.keep_all(&[""], &arena), [""]);
        assert_eq!(texts.keep_all(&["a", "", "a"], &arena), ["a", "", "a"]);
    }

    #[test]
    fn a_repeated_text_is_kept_once() {
        let arena = Bump::new();
        let texts = Texts::default();
        let first = texts.keep("111122223333", &arena);
        assert!(std::ptr::eq(first, texts.keep("111122223333", &arena)));
        let list = texts.keep_all(&["111122223333"], &arena);
        assert!(std::ptr::eq(
            list,
            texts.keep_all(&["111122223333"], &arena)
        ));
    }
}
