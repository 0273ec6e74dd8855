//! Answers that were given before.

use std::collections::HashMap;
use std::marker::PhantomData;

use crate::session::Session;
use crate::verdict::Judged;

/// Remembers answers by their questions, so that equal ones are evaluated once. What comes out is the
/// same with any limit.
///
/// It is for one replayer. It tells sessions apart by where they are in memory, and therefore lives no
/// longer than they do.
///
/// # Memory
/// Questions of some hundred bytes each, up to the limit; then all are forgotten.
#[derive(Debug)]
pub struct Memo<'x> {
    pub(crate) answers: Answers<Option<Judged>>,
    sessions: PhantomData<&'x Session>,
}

impl Memo<'_> {
    /// For questions of up to this many bytes together.
    pub fn new(limit: usize) -> Self {
        Memo {
            answers: Answers::new(limit),
            sessions: PhantomData,
        }
    }
}

/// Answers of one kind, by their questions.
#[derive(Debug)]
pub(crate) struct Answers<A> {
    // Not keyed by a fast hash: whoever makes calls chooses what stands in a question.
    answers: HashMap<Box<[u8]>, A>,
    bytes: usize,
    limit: usize,
    question: Vec<u8>,
    keys: KeyFacts,
}

impl<A: Clone> Answers<A> {
    /// For questions of up to this many bytes together.
    pub(crate) fn new(limit: usize) -> Self {
        Answers {
            answers: HashMap::new(),
            bytes: 0,
            limit,
            question: Vec::new(),
            keys: KeyFacts::default(),
        }
    }

    /// The answer to what `write` writes; `answer` gives it where it is not known.
    pub(crate) fn ask(
        &mut self,
        write: impl FnOnce(&mut Question<'_>, &mut KeyFacts),
        answer: impl FnOnce(&mut KeyFacts) -> A,
    ) -> A {
        /// What an entry takes besides its question.
        const ENTRY: usize = 64;
        self.question.clear();
        let mut question = Question {
            bytes: &mut self.question,
        };
        write(&mut question, &mut self.keys);
        if let Some(found) = self.answers.get(self.question.as_slice()) {
            return found.clone();
        }
        let answer = answer(&mut self.keys);
        let bytes = self.question.len() + ENTRY;
        if self.bytes + bytes > self.limit {
            self.answers.clear();
            self.bytes = 0;
        }
        self.bytes += bytes;
        self.answers
            .insert(self.question.as_slice().into(), answer.clone());
        answer
    }
}

/// What is looked up of a condition key for every request anew, though there are few of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct KeyFact {
    /// Whether a policy of the snapshot reads it.
    pub(crate) read: bool,
    /// Whether it can have several values.
    pub(crate) multivalued: bool,
}

/// Facts of the keys that came up last, one in each slot.
#[derive(Debug, Default)]
pub(crate) struct KeyFacts {
    slots: Vec<Option<(Box<str>, KeyFact)>>,
}

impl KeyFacts {
    const SLOTS: usize = 512;
    /// Of a tag with the longest name that AWS takes, and more.
    const LONGEST: usize = 256;

    /// The facts of `key`; `find` looks them up.
    pub(crate) fn of(&mut self, key: &str, find: impl FnOnce() -> KeyFact) -> KeyFact {
        self.slots.resize(Self::SLOTS, None);
        let Some(slot) = self.slots.get_mut(Self::slot(key)) else {
            return find();
        };
        match slot {
            Some((known, fact)) if **known == *key => *fact,
            _ if key.len() > Self::LONGEST => find(),
            _ => {
                let fact = find();
                *slot = Some((key.into(), fact));
                fact
            }
        }
    }

    /// Keys of one service differ at their ends, and all in their lengths.
    fn slot(key: &str) -> usize {
        let end = match key.as_bytes().last_chunk() {
            Some(end) => u64::from_le_bytes(*end),
            None => 0,
        };
        let mixed = (end ^ key.len() as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        usize::try_from(mixed >> 55).unwrap_or(0) % Self::SLOTS
    }
}

/// A question, written so that two are equal only where all parts of them are.
pub(crate) struct Question<'q> {
    bytes: &'q mut Vec<u8>,
}

impl<'q> Question<'q> {
    /// An empty one.
    pub(crate) fn new(bytes: &'q mut Vec<u8>) -> Self {
        Self { bytes }
    }

    pub(crate) fn write(&mut self, text: Option<&str>) {
        let Some(text) = text else {
            self.bytes.extend(u32::MAX.to_le_bytes());
            return;
        };
        // Texts of 4 GB do not come up: a record is limited to far less.
        let length = u32::try_from(text.len()).unwrap_or(u32::MAX - 1);
        self.bytes.extend(length.to_le_bytes());
        self.bytes.extend(text.as_bytes());
    }

    pub(crate) fn write_all<'t>(&mut self, texts: impl Iterator<Item = &'t str>) {
        texts.for_each(|text| self.write(Some(text)));
        self.write(None);
    }

    pub(crate) fn write_flag(&mut self, flag: bool) {
        self.bytes.push(u8::from(flag));
    }

    /// Which session, and whether what it is limited by is known.
    pub(crate) fn write_session(&mut self, session: Option<&Session>, is_known: bool) {
        let place = session.map_or(0, |session| std::ptr::from_ref(session).addr());
        self.bytes.extend(place.to_le_bytes());
        self.write_flag(is_known);
    }
}
