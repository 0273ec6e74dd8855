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

#[derive(Clone, Copy)]
struct Offsets([u64; WORDS]);

impl Offsets {
    fn contains(&self, offset: usize) -> bool {
        self.0
            .get(offset / 64)
            .is_some_and(|word| word & (1 << (offset % 64)) != 0)
    }

    fn insert(&mut self, offset: usize) {
        if let Some(word) = self.0.get_mut(offset / 64) {
            *word |= 1 << (offset % 64);
        }
    }

    fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }
}

impl<'t> Overlap<'t> {
    /// With `holes`, each `*` of `text` stands for any text.
    pub(super) fn new(text: &'t [u8], holes: bool) -> Overlap<'t> {
        let mut reached = Offsets([0; WORDS]);
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
        for byte in literal {
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
        let first =
            (0..=self.text.len().min(MAX_TEXT)).find(|offset| self.reached.contains(*offset));
        if let Some(first) = first {
            for offset in first..=self.text.len().min(MAX_TEXT) {
                self.reached.insert(offset);
            }
        }
    }

    pub(super) fn reaches_end(&mut self) -> bool {
        self.too_long || {
            self.leave_holes();
            self.reached.contains(self.text.len())
        }
    }

    fn is_hole(&self, byte: u8) -> bool {
        self.holes && byte == b'*'
    }

    /// A hole may be empty, or end here.
    fn leave_holes(&mut self) {
        for (offset, byte) in self.text.iter().enumerate() {
            if self.is_hole(*byte) && self.reached.contains(offset) {
                self.reached.insert(offset + 1);
            }
        }
    }

    /// One byte of the pattern: a hole gives it and stays open, a byte of the text must agree.
    fn step(&mut self, agrees: impl Fn(u8) -> bool) {
        self.leave_holes();
        let mut next = Offsets([0; WORDS]);
        for (offset, byte) in self.text.iter().enumerate() {
            if !self.reached.contains(offset) {
                continue;
            }
            if self.is_hole(*byte) {
                next.insert(offset);
            } else if agrees(*byte) {
                next.insert(offset + 1);
            }
        }
        self.reached = next;
    }
}
