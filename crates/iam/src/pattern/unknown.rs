//! Whether a pattern and a text with unknown parts have a common completion.

/// The longest text that is looked at; IAM's ARNs end before it (2,048 characters). A longer text
/// is said to match, which is the side of caution.
const MAX_TEXT: usize = 2048;

const WORDS: usize = MAX_TEXT / 64 + 1;

/// The product of pattern and text, walked pattern atom by pattern atom: which offsets of the text
/// the pattern so far can have reached.
pub(super) struct Overlap<'t> {
    text: &'t [u8],
    holes: bool,
    too_long: bool,
    reached: Offsets,
}

/// A set of offsets. As a rule it has one or two, of a short text: whoever goes through it goes from one to
/// the next.
struct Offsets {
    words: [u64; WORDS],
    /// All words behind the first so many are empty.
    used: usize,
}

impl Offsets {
    fn insert(&mut self, offset: usize) {
        let place = offset / 64;
        if let Some(word) = self.words.get_mut(place) {
            *word |= 1 << (offset % 64);
            self.used = self.used.max(place + 1);
        }
    }

    fn contains(&self, offset: usize) -> bool {
        let word = self.words.get(offset / 64);
        word.is_some_and(|word| word & (1 << (offset % 64)) != 0)
    }

    fn is_empty(&self) -> bool {
        self.words.iter().take(self.used).all(|word| *word == 0)
    }

    /// Takes 64 of them out.
    fn take_word(&mut self, place: usize) -> u64 {
        self.words.get_mut(place).map_or(0, std::mem::take)
    }

    /// The only one.
    fn single(&self) -> Option<usize> {
        let mut offsets = self.iter();
        let single = offsets.next()?;
        offsets.next().is_none().then_some(single)
    }

    /// In ascending order.
    fn iter(&self) -> impl Iterator<Item = usize> {
        let words = self.words.iter().take(self.used);
        (0..).step_by(64).zip(words).flat_map(|(start, word)| {
            let mut left = *word;
            std::iter::from_fn(move || {
                let offset = (left != 0).then(|| start + left.trailing_zeros() as usize);
                left &= left.wrapping_sub(1);
                offset
            })
        })
    }
}

impl<'t> Overlap<'t> {
    /// With `holes`, each `*` of `text` stands for any text.
    pub(super) fn new(text: &'t [u8], holes: bool) -> Overlap<'t> {
        let mut reached = Offsets {
            words: [0; WORDS],
            used: 0,
        };
        reached.insert(0);
        Overlap {
            text,
            holes,
            too_long: text.len() > MAX_TEXT,
            reached,
        }
    }

    pub(super) fn literal(&mut self, literal: &[u8]) {
        if self.too_long {
            return;
        }
        let behind = self.walk(literal);
        for byte in literal.iter().skip(behind) {
            self.step(|found| found == *byte);
            if self.reached.is_empty() {
                return;
            }
        }
    }

    pub(super) fn any_character(&mut self) {
        if self.text.is_ascii() {
            self.step(|_| true);
        } else {
            // A character is up to four bytes here; any text includes it.
            self.any_text();
        }
    }

    pub(super) fn any_text(&mut self) {
        let first = self.reached.iter().next();
        if let Some(first) = first {
            for offset in first..=self.text.len().min(MAX_TEXT) {
                self.reached.insert(offset);
            }
        }
    }

    /// Whether nothing but holes is left behind an offset: each may be empty.
    pub(super) fn reaches_end(&self) -> bool {
        let tail = self.text.iter().rev();
        let tail = tail.take_while(|byte| self.is_hole(**byte)).count();
        let is_end = |offset: usize| offset + tail >= self.text.len();
        self.too_long || self.reached.iter().any(is_end)
    }

    /// Goes on from a single offset as far as the text has no hole and agrees: how many bytes of the literal are
    /// behind it then.
    fn walk(&mut self, literal: &[u8]) -> usize {
        let Some(offset) = self.reached.single() else {
            return 0;
        };
        let text = self.text.get(offset..).unwrap_or_default();
        let agrees = |(byte, found): &(&u8, &u8)| byte == found && !self.is_hole(**found);
        let length = literal.iter().zip(text).take_while(agrees).count();
        self.reached.take_word(offset / 64);
        self.reached.insert(offset + length);
        length
    }

    fn is_hole(&self, byte: u8) -> bool {
        self.holes && byte == b'*'
    }

    /// One byte of the pattern: a hole gives it and stays open, or is over; a byte of the text must agree. From
    /// the last offset on, in place: what an offset leads to lies behind it, and is not met again.
    fn step(&mut self, agrees: impl Fn(u8) -> bool) {
        for place in (0..self.reached.used).rev() {
            let mut left = self.reached.take_word(place);
            while left != 0 {
                let bit = u64::BITS - 1 - left.leading_zeros();
                left &= !(1 << bit);
                self.step_from(place * 64 + bit as usize, &agrees);
            }
        }
    }

    fn step_from(&mut self, reached: usize, agrees: impl Fn(u8) -> bool) {
        let text = self.text.get(reached..).unwrap_or_default();
        for (offset, byte) in (reached..).zip(text) {
            if !self.is_hole(*byte) {
                if agrees(*byte) {
                    self.reached.insert(offset + 1);
                }
                return;
            }
            if self.reached.contains(offset) {
                // Reached from behind, and so is what follows: a row of holes is gone through once.
                return;
            }
            self.reached.insert(offset);
        }
    }
}
