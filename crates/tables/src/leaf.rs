//! From rows to one Parquet column (a *leaf*: lists, maps and structs have several): its levels and values.
//!
//! Repetition and definition levels as the format has them
//! (<https://parquet.apache.org/docs/file-format/nestedencoding/>), for the shapes that our columns have.

use std::collections::HashMap;

use crate::column::{Cells, Column, DeterminedBy, Encoding};
use crate::dictionary::Dictionary;
use crate::table::Table;

/// One column of a row group as it fills.
///
/// # Memory
/// Per value: a number of 4 bytes (where values are unique, 16 for where the text lies), and a byte for
/// each kind of level. Texts stay where the rows have them.
pub(crate) struct Leaf<'r> {
    pub(crate) levels: Levels,
    pub(crate) values: Values<'r>,
    /// Where pages begin and end.
    pub(crate) pages: Vec<PageEnd>,
    pub(crate) rows: usize,
    /// How many values the row before had that had any: what stands in one place of a list, stood there in
    /// the list before, most often.
    stride: usize,
}

/// Repetition and definition levels of a leaf; either is empty where it is always 0.
#[derive(Default)]
pub(crate) struct Levels {
    pub(crate) repetition: Vec<u8>,
    pub(crate) definition: Vec<u8>,
}

/// What a leaf holds, null and nothing left out.
pub(crate) enum Values<'r> {
    /// Texts that repeat: their numbers.
    Repeated(Dictionary<'r>, Vec<u32>),
    /// Texts that do not.
    Unique(Vec<&'r str>),
    /// Integers, which repeat: their numbers.
    Integers(HashMap<i64, u32>, Vec<i64>, Vec<u32>),
    /// Counts and times.
    Numbers(Vec<i64>),
    Booleans(Vec<bool>),
}

/// Where a page ends.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct PageEnd {
    /// Values before it, null and nothing among them.
    pub(crate) slots: usize,
    /// Values before it.
    pub(crate) values: usize,
}

/// Which leaf of its column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// The column's only one.
    Whole,
    Key,
    Value,
    Layer,
    Policy,
    Index,
    Sid,
    Effect,
}

impl Part {
    /// The leaves of a column, in the order of the file.
    pub(crate) fn of<T: Table>(cells: &Cells<T>) -> &'static [Part] {
        match cells {
            Cells::Text(..)
            | Cells::OptionalText(..)
            | Cells::TextList(..)
            | Cells::OptionalTimestamp(..)
            | Cells::Integer(..)
            | Cells::OptionalInteger(..)
            | Cells::Boolean(..)
            | Cells::OptionalBoolean(..) => &[Self::Whole],
            Cells::TextMap(..) | Cells::TextListMap(..) => &[Self::Key, Self::Value],
            Cells::DeterminedBy(..) => &[
                Self::Layer,
                Self::Policy,
                Self::Index,
                Self::Sid,
                Self::Effect,
            ],
        }
    }
}

impl<'r> Leaf<'r> {
    /// An empty one, of a row group of so many rows.
    pub(crate) fn new<T: Table>(column: &Column<T>, part: Part, rows: usize) -> Self {
        let values = match (column.cells(), column.encoding()) {
            (Cells::OptionalTimestamp(..) | Cells::Integer(..) | Cells::OptionalInteger(..), _) => {
                Values::Numbers(Vec::with_capacity(rows))
            }
            (Cells::Boolean(..) | Cells::OptionalBoolean(..), _) => {
                Values::Booleans(Vec::with_capacity(rows))
            }
            (Cells::DeterminedBy(..), _) if part == Part::Index => {
                Values::Integers(HashMap::new(), Vec::new(), Vec::new())
            }
            (Cells::Text(..) | Cells::OptionalText(..), Encoding::Plain) => {
                Values::Unique(Vec::with_capacity(rows))
            }
            _ => Values::Repeated(Dictionary::default(), Vec::with_capacity(rows)),
        };
        let mut levels = Levels::default();
        if column.nullable() || column.kind().is_nested() {
            levels.definition.reserve(rows);
        }
        Self {
            levels,
            values,
            pages: Vec::new(),
            rows: 0,
            stride: 1,
        }
    }

    /// Ends the page at hand, unless nothing is in it.
    pub(crate) fn end_page(&mut self) {
        let end = PageEnd {
            slots: self.slots(),
            values: self.values.len(),
        };
        if end.slots > self.pages.last().copied().unwrap_or_default().slots {
            self.pages.push(end);
        }
    }

    /// Values, null and nothing among them.
    pub(crate) fn slots(&self) -> usize {
        self.values.len().max(self.levels.definition.len())
    }

    /// Adds what rows have of this leaf.
    pub(crate) fn push<T: Table>(
        &mut self,
        (cells, part): (&Cells<T>, Part),
        rows: &[&'r T::Row<'r>],
    ) {
        self.rows += rows.len();
        let rows = rows.iter().copied();
        match *cells {
            Cells::Text(get, _) => rows.for_each(|row| self.values.push(get(row), 1)),
            Cells::OptionalText(get, _) => rows.for_each(|row| {
                let text = get(row);
                self.levels.definition.push(u8::from(text.is_some()));
                if let Some(text) = text {
                    self.values.push(text, 1);
                }
            }),
            Cells::TextList(get, _) => rows.for_each(|row| {
                self.list(get(row), |values, text, stride| values.push(text, stride));
            }),
            Cells::TextMap(get, _) => rows.for_each(|row| match part {
                Part::Key => self.list(get(row), |values, (key, _), stride| {
                    values.push(key, stride)
                }),
                _ => self.list(get(row), |values, (_, value), stride| {
                    values.push(value, stride)
                }),
            }),
            Cells::TextListMap(get, _) => rows.for_each(|row| match part {
                Part::Key => self.list(get(row), |values, (key, _), stride| {
                    values.push(key, stride)
                }),
                _ => self.lists(get(row).iter().map(|(_, list)| *list)),
            }),
            Cells::DeterminedBy(get, _) => rows.for_each(|row| self.statements(part, get(row))),
            Cells::OptionalTimestamp(get, _) => rows.for_each(|row| self.optional(get(row))),
            Cells::Integer(get, _) => rows.for_each(|row| self.values.push_number(count(get(row)))),
            Cells::OptionalInteger(get, _) => {
                rows.for_each(|row| self.optional(get(row).map(count)));
            }
            Cells::Boolean(get, _) => rows.for_each(|row| self.values.push_truth(get(row))),
            Cells::OptionalBoolean(get, _) => rows.for_each(|row| {
                let truth = get(row);
                self.levels.definition.push(u8::from(truth.is_some()));
                if let Some(truth) = truth {
                    self.values.push_truth(truth);
                }
            }),
        }
    }

    fn optional(&mut self, number: Option<i64>) {
        self.levels.definition.push(u8::from(number.is_some()));
        if let Some(number) = number {
            self.values.push_number(number);
        }
    }

    /// The items of one row, each a value.
    fn list<I>(&mut self, items: &'r [I], mut push: impl FnMut(&mut Values<'r>, &'r I, usize)) {
        let Levels {
            repetition,
            definition,
        } = &mut self.levels;
        if items.is_empty() {
            repetition.push(0);
            definition.push(0);
            return;
        }
        repetition.push(0);
        repetition.resize(repetition.len() + items.len() - 1, 1);
        definition.resize(definition.len() + items.len(), 1);
        let (before, stride) = (self.values.len(), self.stride);
        items
            .iter()
            .for_each(|item| push(&mut self.values, item, stride));
        self.stride = (self.values.len() - before).max(1);
    }

    /// The lists of one row's map.
    fn lists(&mut self, lists: impl Iterator<Item = &'r [&'r str]>) {
        let Levels {
            repetition,
            definition,
        } = &mut self.levels;
        let (before, stride) = (self.values.len(), self.stride);
        let mut of_entry = 0;
        for list in lists {
            repetition.push(of_entry);
            of_entry = 1;
            if list.is_empty() {
                definition.push(1);
                continue;
            }
            // Nearly every list is of one.
            definition.push(2);
            if list.len() > 1 {
                repetition.resize(repetition.len() + list.len() - 1, 2);
                definition.resize(definition.len() + list.len() - 1, 2);
            }
            list.iter().for_each(|text| self.values.push(text, stride));
        }
        self.stride = (self.values.len() - before).max(1);
        if of_entry == 0 {
            repetition.push(0);
            definition.push(0);
        }
    }

    /// One member of each of a row's statements.
    fn statements(&mut self, part: Part, statements: &'r [DeterminedBy<'r>]) {
        match part {
            Part::Layer => self.list(statements, |values, s, stride| values.push(s.layer, stride)),
            Part::Policy => self.list(statements, |values, s, stride| {
                values.push(s.policy, stride)
            }),
            Part::Index => self.list(statements, |values, s, _| {
                values.push_integer(s.index.into())
            }),
            Part::Effect => self.list(statements, |values, s, stride| {
                values.push(s.effect, stride)
            }),
            Part::Sid | Part::Whole | Part::Key | Part::Value => {
                let begin = self.levels.definition.len();
                self.list(statements, |values, s, stride| {
                    if let Some(sid) = s.sid {
                        values.push(sid, stride);
                    }
                });
                // One level more tells null from a text.
                let levels = self.levels.definition.iter_mut().skip(begin);
                for (level, statement) in levels.zip(statements) {
                    *level += u8::from(statement.sid.is_some());
                }
            }
        }
    }
}

/// Counts and offsets here never come near 2⁶³; one that did is kept recognisable.
fn count(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

impl<'r> Values<'r> {
    fn len(&self) -> usize {
        match self {
            Self::Repeated(_, numbers) | Self::Integers(_, _, numbers) => numbers.len(),
            Self::Unique(texts) => texts.len(),
            Self::Numbers(numbers) => numbers.len(),
            Self::Booleans(truths) => truths.len(),
        }
    }

    // A leaf's values are all of one kind, which its column decides.

    fn push_number(&mut self, number: i64) {
        if let Self::Numbers(numbers) = self {
            numbers.push(number);
        }
    }

    fn push_truth(&mut self, truth: bool) {
        if let Self::Booleans(truths) = self {
            truths.push(truth);
        }
    }

    /// A text, which is probably that of so many values before.
    #[inline]
    fn push(&mut self, text: &'r str, before: usize) {
        match self {
            Self::Repeated(dictionary, numbers) => {
                let guess = numbers.get(numbers.len().wrapping_sub(before)).copied();
                numbers.push(dictionary.number_near(text, guess));
            }
            Self::Unique(texts) => texts.push(text),
            Self::Integers(..) | Self::Numbers(_) | Self::Booleans(_) => {}
        }
    }

    fn push_integer(&mut self, integer: i64) {
        if let Self::Integers(known, distinct, numbers) = self {
            if let Some(last) = numbers.last()
                && distinct.get(*last as usize) == Some(&integer)
            {
                numbers.push(*last);
                return;
            }
            let next = distinct.len() as u32;
            let number = *known.entry(integer).or_insert(next);
            if number == next {
                distinct.push(integer);
            }
            numbers.push(number);
        }
    }
}
