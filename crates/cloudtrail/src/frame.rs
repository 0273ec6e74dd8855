//! Cuts a stream of decompressed bytes into records, without parsing them.
//!
//! It finds the records in each form in which they come: `{"Records": […]}`, a `LookupEvents`
//! page (`{"Events": […]}`), an array of records or of such documents, single objects, and any
//! number of these after each other (JSON Lines, concatenated files). A record that lies within
//! one chunk is handed on where it lies; one that crosses chunks is put together in a buffer.
//!
//! What comes out: every whole record before a break, and one reject for the break. A record that
//! is too large, too deep or no object is one reject, and framing goes on behind it. Whether a
//! record's text is well-formed is for the parser to say.
//!
//! Memory: at most [`Limits::record_bytes`].

use std::ops::ControlFlow;

use crate::Limits;
use crate::document::{DocumentKind, LIST_KEYS, Marks, kind_of};
use crate::members::{Members, Step, begins_value, ends_word, is_space};
use crate::nest::{InString, Nest};
use crate::reject::{Reject, RejectReason, Unterminated};
use crate::span::Span;

/// UTF-8's byte order mark, which Windows tools put before a file.
const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// What a file yields.
#[derive(Debug)]
pub enum Framed<'a> {
    /// One record.
    Record {
        /// its number in the file, from 0
        index: u64,
        /// where it begins in the decompressed file
        offset: u64,
        /// its text: an object from `{` to `}`
        text: &'a mut [u8],
    },
    /// Something that could not be read.
    Rejected(Reject),
}

/// What a file's content is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A log file: it held records, rejected ones included, or an empty list of them.
    Events,
    /// A log file whose records are all Insights events. They are yielded as any others.
    Insight,
    /// A digest file. It is set aside: nothing in it is a record.
    Digest,
    /// Messages of S3, SQS, SNS or Kinesis, which also come as `Records`. Set aside.
    Notification,
    /// No content.
    Empty,
    /// Not to be told: no record came out, and a reject says why.
    Unknown,
}

/// Takes what a file yields; breaking off makes [`Framer::push`] return behind that record.
pub type Sink<'s> = &'s mut dyn FnMut(Framed<'_>) -> ControlFlow<()>;

/// Where framing stands.
#[derive(Debug, Clone, Copy)]
enum State {
    /// At the file's first bytes; so many of the byte order mark were there.
    Begin(usize),
    /// Between documents.
    Between,
    /// Between the elements of an array that is a document.
    Array(Gap),
    /// Within an object that is a document: a record, a wrapper, or something else.
    Document,
    /// Between the elements of a wrapper's list.
    List(Gap),
    /// Within an element of a list or an array.
    Element(Element),
    /// Behind a break, or the end.
    Done,
}

/// What may follow between the elements of an array.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Gap {
    /// an element, or the end
    First,
    /// an element
    Next,
    /// a comma, or the end
    Separator,
}

#[derive(Debug, Clone, Copy)]
enum Element {
    Object,
    Array,
    Text(InString),
    Word,
}

/// Documents without records, one after the other.
#[derive(Debug, Clone, Copy)]
struct Strangers {
    offset: u64,
    documents: u64,
}

impl Strangers {
    fn add(strangers: &mut Option<Self>, offset: u64, documents: u64) {
        let sum = strangers.get_or_insert(Self {
            offset,
            documents: 0,
        });
        sum.offset = sum.offset.min(offset);
        sum.documents += documents;
    }
}

/// The framer of one file: a machine that is pushed.
#[derive(Debug)]
pub struct Framer {
    limits: Limits,
    state: State,
    /// Where the chunk at hand begins, in the decompressed file.
    base: u64,
    /// The number of the next record.
    index: u64,
    /// The text of the record, or of the object that may turn out to be one.
    span: Span,
    /// Within an element.
    nest: Nest,
    /// Within a document.
    members: Members,
    marks: Marks,
    /// The document at hand has a list of records.
    is_wrapper: bool,
    /// Documents are the elements of an array.
    in_array: bool,
    /// What the list at hand holds, by its first object.
    list_kind: Option<DocumentKind>,
    /// Whether a list or array was there at all.
    saw_list: bool,
    only_insights: bool,
    strangers: Option<Strangers>,
    /// Digests or notifications, and which.
    set_aside: Option<(FileKind, Strangers)>,
    rejects: u64,
    broken: bool,
    /// The sink wants a pause.
    paused: bool,
}

impl Framer {
    /// A framer at the beginning of a file.
    pub fn new(limits: Limits) -> Self {
        Self {
            limits,
            state: State::Begin(0),
            base: 0,
            index: 0,
            span: Span::new(limits.record_bytes),
            nest: Nest::default(),
            members: Members::new(),
            marks: Marks::default(),
            is_wrapper: false,
            in_array: false,
            list_kind: None,
            saw_list: false,
            only_insights: true,
            strangers: None,
            set_aside: None,
            rejects: 0,
            broken: false,
            paused: false,
        }
    }

    /// Begins a new file, with the buffer of the last one.
    pub(crate) fn reset(&mut self, limits: Limits) {
        let span = std::mem::replace(&mut self.span, Span::new(0));
        *self = Self {
            span: span.reset(limits.record_bytes),
            ..Self::new(limits)
        };
    }

    /// How many records the file had so far, rejected ones included.
    pub fn records(&self) -> u64 {
        self.index
    }

    /// Whether nothing more can come: behind a break, or the end.
    pub fn is_done(&self) -> bool {
        matches!(self.state, State::Done)
    }

    /// Frames the next bytes of the file. Returns how many it took: all, unless `sink` broke off.
    /// Texts in `chunk` are the sink's to change.
    pub fn push(&mut self, chunk: &mut [u8], sink: Sink<'_>) -> usize {
        let mut at = 0;
        self.paused = false;
        while at < chunk.len() && !self.paused {
            at = match self.state {
                State::Begin(matched) => self.begin(chunk, at, matched, sink),
                State::Between => self.between_documents(chunk, at, sink),
                State::Array(gap) => self.array(chunk, at, gap, sink),
                State::Document => self.document(chunk, at, sink),
                State::List(gap) => self.list(chunk, at, gap, sink),
                State::Element(element) => self.element(chunk, at, element, sink),
                State::Done => chunk.len(),
            };
        }
        self.span.carry(chunk);
        self.base += at as u64;
        at
    }

    /// The file ends here. Says what it was.
    pub fn finish(&mut self, sink: Sink<'_>) -> FileKind {
        let inside = match self.state {
            State::Begin(1 | 2) => {
                self.half_byte_order_mark(sink);
                None
            }
            State::Begin(_) | State::Between | State::Done => None,
            State::Array(_) | State::List(_) => Some(Unterminated::List),
            State::Document if self.members.in_string() => Some(Unterminated::String),
            State::Document if self.in_record() => Some(Unterminated::Record),
            State::Document => Some(Unterminated::Document),
            State::Element(Element::Text(_)) => Some(Unterminated::String),
            State::Element(_) if self.nest.in_string() => Some(Unterminated::String),
            State::Element(_) => Some(Unterminated::Record),
        };
        match inside {
            Some(inside) => self.fail(RejectReason::Unterminated { inside }, sink),
            None => self.end(sink),
        }
    }

    /// The file cannot be read on, for this reason. Says what it was.
    pub fn fail(&mut self, reason: RejectReason, sink: Sink<'_>) -> FileKind {
        if !self.is_done() {
            let offset = if self.in_record() {
                self.span.begin()
            } else {
                self.base
            };
            self.break_off(offset, reason, sink);
        }
        self.kind()
    }

    /// What the file was, once it is done.
    pub fn kind(&self) -> FileKind {
        if self.index > 0 {
            if self.only_insights {
                FileKind::Insight
            } else {
                FileKind::Events
            }
        } else if self.broken {
            FileKind::Unknown
        } else if let Some((kind, _)) = self.set_aside {
            kind
        } else if self.saw_list {
            FileKind::Events
        } else {
            FileKind::Empty
        }
    }

    /// Whether a record has begun and not ended.
    fn in_record(&self) -> bool {
        match self.state {
            State::Element(_) => !self.in_array_element() && !self.list_is_set_aside(),
            State::Document => !self.is_wrapper && self.marks.are_of_record(),
            _ => false,
        }
    }

    /// Whether the element at hand is an array's own, not a wrapper's list's.
    fn in_array_element(&self) -> bool {
        self.in_array && !self.is_wrapper
    }

    fn list_is_set_aside(&self) -> bool {
        self.list_kind == Some(DocumentKind::Notification)
    }

    /// The byte order mark, where there is one.
    fn begin(&mut self, chunk: &[u8], at: usize, matched: usize, sink: Sink<'_>) -> usize {
        let expected = BYTE_ORDER_MARK.get(matched);
        if expected.is_some() && expected == chunk.get(at) {
            self.state = State::Begin(matched + 1);
            return at + 1;
        }
        self.state = State::Between;
        if expected.is_some() && matched > 0 {
            self.half_byte_order_mark(sink);
        }
        at
    }

    fn half_byte_order_mark(&mut self, sink: Sink<'_>) {
        let [byte, ..] = BYTE_ORDER_MARK;
        self.break_off(0, RejectReason::NotJson { byte }, sink);
    }

    fn between_documents(&mut self, chunk: &[u8], at: usize, sink: Sink<'_>) -> usize {
        let Some((at, byte)) = next_mark(chunk, at) else {
            return chunk.len();
        };
        match byte {
            b'{' => self.begin_document(at),
            b'[' => {
                self.in_array = true;
                self.saw_list = true;
                self.state = State::Array(Gap::First);
                at + 1
            }
            _ => {
                let is_first = self.index == 0
                    && self.strangers.is_none()
                    && self.set_aside.is_none()
                    && !self.saw_list;
                let reason = if is_first {
                    RejectReason::NotJson { byte }
                } else {
                    RejectReason::Garbage { byte }
                };
                self.break_off(self.base + at as u64, reason, sink);
                chunk.len()
            }
        }
    }

    fn begin_document(&mut self, at: usize) -> usize {
        self.members = Members::new();
        self.marks = Marks::default();
        self.is_wrapper = false;
        self.list_kind = None;
        self.span.open(self.base, at);
        self.state = State::Document;
        at + 1
    }

    fn array(&mut self, chunk: &[u8], at: usize, gap: Gap, sink: Sink<'_>) -> usize {
        let Some((at, byte)) = next_mark(chunk, at) else {
            return chunk.len();
        };
        match (gap, byte) {
            (Gap::First | Gap::Next, b'{') => self.begin_document(at),
            (Gap::First | Gap::Next, _) if begins_value(byte) => {
                self.is_wrapper = false;
                self.begin_element(at, byte)
            }
            (Gap::First | Gap::Separator, b']') => {
                self.in_array = false;
                self.state = State::Between;
                at + 1
            }
            (Gap::Separator, b',') => {
                self.state = State::Array(Gap::Next);
                at + 1
            }
            _ => self.garbage(chunk, at, byte, sink),
        }
    }

    fn list(&mut self, chunk: &[u8], at: usize, gap: Gap, sink: Sink<'_>) -> usize {
        let Some((at, byte)) = next_mark(chunk, at) else {
            return chunk.len();
        };
        match (gap, byte) {
            (Gap::First | Gap::Next, _) if begins_value(byte) => self.begin_element(at, byte),
            (Gap::First | Gap::Separator, b']') => {
                self.members.value_taken();
                self.state = State::Document;
                at + 1
            }
            (Gap::Separator, b',') => {
                self.state = State::List(Gap::Next);
                at + 1
            }
            _ => self.garbage(chunk, at, byte, sink),
        }
    }

    fn begin_element(&mut self, at: usize, first: u8) -> usize {
        self.span.open(self.base, at);
        self.nest = Nest::default();
        let (element, length) = match first {
            b'{' => (Element::Object, 0),
            b'[' => (Element::Array, 0),
            b'"' => (Element::Text(InString::default()), 1),
            _ => (Element::Word, 0),
        };
        self.state = State::Element(element);
        at + length
    }

    fn element(
        &mut self,
        chunk: &mut [u8],
        at: usize,
        mut element: Element,
        sink: Sink<'_>,
    ) -> usize {
        let rest = chunk.get(at..).unwrap_or_default();
        let end = match &mut element {
            Element::Object | Element::Array => self.nest.advance(rest),
            Element::Text(string) => string.advance(rest),
            Element::Word => rest.iter().position(|byte| ends_word(*byte)),
        };
        let Some(length) = end else {
            self.state = State::Element(element);
            return chunk.len();
        };
        let end = at + length;
        if self.in_array_element() {
            self.stranger();
            self.state = State::Array(Gap::Separator);
            return end;
        }
        self.state = State::List(Gap::Separator);
        match element {
            Element::Object => self.list_object(chunk, end, sink),
            _ => self.list_stranger(sink),
        }
        end
    }

    /// An object of a wrapper's list ended.
    fn list_object(&mut self, chunk: &mut [u8], end: usize, sink: Sink<'_>) {
        if self.list_is_set_aside() {
            self.span.close();
            return;
        }
        let depth = self.nest.deepest();
        if (self.list_kind.is_none() || self.only_insights)
            && let Some(text) = self.span.text(chunk, end)
        {
            let kind = kind_of(text);
            if *self.list_kind.get_or_insert(kind) == DocumentKind::Notification {
                self.set_aside(FileKind::Notification);
                return;
            }
            self.only_insights &= kind == DocumentKind::Insight;
        }
        self.record(chunk, end, depth, sink);
    }

    /// An element of a wrapper's list that is no object ended.
    fn list_stranger(&mut self, sink: Sink<'_>) {
        self.span.close();
        if !self.list_is_set_aside() {
            self.only_insights = false;
            self.report_strangers(sink);
            let index = self.next_index();
            self.reject(
                Reject::of_record(self.span.begin(), index, RejectReason::NotAnObject),
                sink,
            );
        }
    }

    fn document(&mut self, chunk: &mut [u8], at: usize, sink: Sink<'_>) -> usize {
        let (length, step) = self.members.advance(chunk.get(at..).unwrap_or_default());
        let at = at + length;
        let byte = chunk.get(at).copied().unwrap_or_default();
        match step {
            Step::More => {}
            Step::Value if byte == b'[' && LIST_KEYS.contains(&self.members.key()) => {
                self.is_wrapper = true;
                self.saw_list = true;
                self.list_kind = None;
                self.span.close();
                self.state = State::List(Gap::First);
                return at + 1;
            }
            Step::Value => self.members.skip_value(byte),
            Step::Member => self.marks.note(self.members.key(), self.members.head()),
            Step::End => self.end_document(chunk, at, sink),
            Step::Bad => return self.garbage(chunk, at, byte, sink),
        }
        at
    }

    fn end_document(&mut self, chunk: &mut [u8], end: usize, sink: Sink<'_>) {
        self.state = if self.in_array {
            State::Array(Gap::Separator)
        } else {
            State::Between
        };
        if self.is_wrapper {
            return;
        }
        match self.marks.kind() {
            DocumentKind::Stranger => self.stranger(),
            DocumentKind::Digest => self.set_aside(FileKind::Digest),
            DocumentKind::Notification => self.set_aside(FileKind::Notification),
            kind @ (DocumentKind::Record | DocumentKind::Insight) => {
                self.only_insights &= kind == DocumentKind::Insight;
                let depth = self.members.deepest();
                self.record(chunk, end, depth, sink);
            }
        }
    }

    fn record(&mut self, chunk: &mut [u8], end: usize, depth: u64, sink: Sink<'_>) {
        self.report_strangers(sink);
        let index = self.next_index();
        let offset = self.span.begin();
        let reason = if depth > self.limits.depth {
            RejectReason::RecordTooDeep {
                limit: self.limits.depth,
            }
        } else if let Some(text) = self.span.text(chunk, end) {
            self.paused |= sink(Framed::Record {
                index,
                offset,
                text,
            })
            .is_break();
            self.span.close();
            return;
        } else {
            RejectReason::RecordTooLarge {
                limit: self.limits.record_bytes,
            }
        };
        self.only_insights = false;
        self.span.close();
        self.reject(Reject::of_record(offset, index, reason), sink);
    }

    fn next_index(&mut self) -> u64 {
        let index = self.index;
        self.index += 1;
        index
    }

    /// The document or element at hand holds no records.
    fn stranger(&mut self) {
        self.span.close();
        Strangers::add(&mut self.strangers, self.span.begin(), 1);
    }

    /// The document or list at hand is of a kind that holds no records.
    fn set_aside(&mut self, kind: FileKind) {
        self.span.close();
        let offset = self.span.begin();
        match &mut self.set_aside {
            Some((first, documents)) if *first == kind => documents.documents += 1,
            Some(_) => self.stranger(),
            None => {
                self.set_aside = Some((
                    kind,
                    Strangers {
                        offset,
                        documents: 1,
                    },
                ))
            }
        }
    }

    fn garbage(&mut self, chunk: &[u8], at: usize, byte: u8, sink: Sink<'_>) -> usize {
        self.break_off(self.base + at as u64, RejectReason::Garbage { byte }, sink);
        chunk.len()
    }

    /// The one reject of a break. It speaks for documents without records before it, too.
    fn break_off(&mut self, offset: u64, reason: RejectReason, sink: Sink<'_>) {
        let record_index = self.in_record().then_some(self.index);
        self.state = State::Done;
        self.broken = true;
        self.strangers = None;
        self.span.close();
        self.paused |= sink(Framed::Rejected(Reject {
            offset: Some(offset),
            record_index,
            reason,
        }))
        .is_break();
    }

    fn reject(&mut self, reject: Reject, sink: Sink<'_>) {
        self.rejects += 1;
        self.paused |= sink(Framed::Rejected(reject)).is_break();
        let limit = self.limits.rejects;
        if self.rejects >= limit {
            self.break_off(
                self.span.begin(),
                RejectReason::TooManyRejects { limit },
                sink,
            );
        }
    }

    /// One reject for all documents without records since the last record.
    fn report_strangers(&mut self, sink: Sink<'_>) {
        if let Some(Strangers { offset, documents }) = self.strangers.take() {
            let reason = RejectReason::NoRecords { documents };
            self.reject(
                Reject {
                    offset: Some(offset),
                    record_index: None,
                    reason,
                },
                sink,
            );
        }
    }

    /// The end of a file whose JSON is whole.
    fn end(&mut self, sink: Sink<'_>) -> FileKind {
        // Digests and notifications beside records are no reason to set the file aside, and must
        // not vanish.
        let has_others = self.index > 0 || self.strangers.is_some();
        if has_others && let Some((_, documents)) = self.set_aside.take() {
            Strangers::add(&mut self.strangers, documents.offset, documents.documents);
        }
        self.broken |= self.index == 0 && self.strangers.is_some();
        self.report_strangers(sink);
        self.state = State::Done;
        self.kind()
    }
}

/// The next byte that is not white space, and its place.
fn next_mark(chunk: &[u8], at: usize) -> Option<(usize, u8)> {
    let rest = chunk.get(at..)?;
    let skipped = rest.iter().position(|byte| !is_space(*byte))?;
    Some((at + skipped, *rest.get(skipped)?))
}
