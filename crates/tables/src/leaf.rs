//! From rows to one Parquet column (a *leaf*: lists, maps and structs have several): its levels and values.
//!
//! Repetition and definition levels as the format has them
//! (<https://parquet.apache.org/docs/file-format/nestedencoding/>), for the shapes that our columns have.

use rustc_hash::FxHashMap;

use crate::column::{Cells, Column, DeterminedBy, Encoding};
use crate::dictionary::Dictionary;
use crate::map::TextListMap;
use crate::shape::Shapes;
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
    /// Of maps.
    shapes: Shapes<'r>,
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
    Integers(FxHashMap<i64, u32>, Vec<i64>, Vec<u32>),
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
                Values::Integers(FxHashMap::default(), Vec::new(), Vec::new())
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
            shapes: Shapes::default(),
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
        let all = rows;
        let rows = rows.iter().copied();
        match *cells {
            Cells::Text(_, _, gather) => {
                let mut texts = Vec::with_capacity(all.len());
                gather(all, &mut texts);
                self.values.push_run(texts.into_iter());
            }
            Cells::OptionalText(_, _, gather) => {
                let mut texts = Vec::with_capacity(all.len());
                gather(all, &mut texts);
                let definition = texts.iter().map(|text| u8::from(text.is_some()));
                self.levels.definition.extend(definition);
                self.values.push_run(texts.into_iter().flatten());
            }
            Cells::TextList(get, _) => {
                rows.for_each(|row| self.list(get(row), |texts| texts.iter().copied()));
            }
            Cells::TextMap(get, _) => rows.for_each(|row| match part {
                Part::Key => self.list(get(row), |map| map.iter().map(|(key, _)| *key)),
                _ => self.list(get(row), |map| map.iter().map(|(_, value)| *value)),
            }),
            Cells::TextListMap(get, _) => rows.for_each(|row| match part {
                Part::Key => self.keys(get(row)),
                _ => self.lists(get(row)),
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
    fn list<I, T>(&mut self, items: &'r [I], texts: impl Fn(&'r [I]) -> T)
    where
        T: Iterator<Item = &'r str>,
    {
        if self.item_levels(items.len()) {
            self.values_of_row(|values, stride| values.push_list(texts(items), stride));
        }
    }

    /// The levels of one row's items; whether there are any.
    fn item_levels(&mut self, items: usize) -> bool {
        let Levels {
            repetition,
            definition,
        } = &mut self.levels;
        repetition.push(0);
        let Some(more) = items.checked_sub(1) else {
            definition.push(0);
            return false;
        };
        definition.push(1);
        if more > 0 {
            repetition.resize(repetition.len() + more, 1);
            definition.resize(definition.len() + more, 1);
        }
        true
    }

    fn values_of_row(&mut self, push: impl FnOnce(&mut Values<'r>, usize)) {
        let before = self.values.len();
        push(&mut self.values, self.stride);
        self.stride = (self.values.len() - before).max(1);
    }

    /// The lists of one row's map.
    fn lists(&mut self, map: TextListMap<'r>) {
        match map {
            TextListMap::Apart(apart) => self.lists_of(map, apart.lists().iter().copied()),
            TextListMap::Pairs(pairs) => self.lists_of(map, pairs.iter().map(|(_, list)| *list)),
        }
    }

    fn lists_of(
        &mut self,
        map: TextListMap<'r>,
        lists: impl Iterator<Item = &'r [&'r str]> + Clone,
    ) {
        let Levels {
            repetition,
            definition,
        } = &mut self.levels;
        if map.is_empty() {
            repetition.push(0);
            definition.push(0);
            return;
        }
        let level = |list: &[&str]| if list.is_empty() { 1 } else { 2 };
        if lists.clone().all(|list| list.len() <= 1) {
            repetition.push(0);
            repetition.resize(repetition.len() + map.len() - 1, 1);
            definition.extend(lists.clone().map(level));
        } else {
            let mut of_entry = 0;
            for list in lists.clone() {
                repetition.push(of_entry);
                of_entry = 1;
                definition.push(level(list));
                let more = list.len().saturating_sub(1);
                repetition.resize(repetition.len() + more, 2);
                definition.resize(definition.len() + more, 2);
            }
        }
        self.values_of_lists(map, lists);
    }

    /// The values of one row's map. A key's list is most often the very one that it had before.
    fn values_of_lists(
        &mut self,
        map: TextListMap<'r>,
        lists: impl Iterator<Item = &'r [&'r str]>,
    ) {
        let Values::Repeated(dictionary, numbers) = &mut self.values else {
            return;
        };
        let Some((shape, _)) = self.shapes.of(map) else {
            return;
        };
        shape.values.resize(map.len(), &[]);
        shape.numbers.resize(map.len(), u32::MAX);
        numbers.reserve(map.len());
        let known = shape.values.iter_mut().zip(&mut shape.numbers);
        for (list, (before, number)) in lists.zip(known) {
            match list {
                [] => {}
                [text] => {
                    if !std::ptr::eq(*before, list) {
                        *number = dictionary.number_near(text, *number);
                        *before = list;
                    }
                    numbers.push(*number);
                }
                texts => numbers.extend(texts.iter().map(|text| dictionary.number(text))),
            }
        }
    }

    /// The keys of one row's map.
    fn keys(&mut self, map: TextListMap<'r>) {
        if !self.item_levels(map.len()) {
            return;
        }
        let Values::Repeated(dictionary, numbers) = &mut self.values else {
            return;
        };
        let Some((shape, is_known)) = self.shapes.of(map) else {
            return;
        };
        if !is_known {
            let keys = map.iter().map(|(key, _)| dictionary.number(key));
            shape.numbers.extend(keys);
        }
        numbers.extend_from_slice(&shape.numbers);
    }

    /// One member of each of a row's statements.
    fn statements(&mut self, part: Part, statements: &'r [DeterminedBy<'r>]) {
        match part {
            Part::Layer => self.list(statements, |all| all.iter().map(|s| s.layer)),
            Part::Policy => self.list(statements, |all| all.iter().map(|s| s.policy)),
            Part::Index => {
                if self.item_levels(statements.len()) {
                    let indices = statements.iter().map(|s| s.index);
                    indices.for_each(|index| self.values.push_integer(index.into()));
                }
            }
            Part::Effect => self.list(statements, |all| all.iter().map(|s| s.effect)),
            Part::Sid | Part::Whole | Part::Key | Part::Value => {
                let begin = self.levels.definition.len();
                self.list(statements, |all| all.iter().filter_map(|s| s.sid));
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

    /// Texts of one place in their rows: most are the one before.
    fn push_run(&mut self, texts: impl Iterator<Item = &'r str>) {
        match self {
            Self::Repeated(dictionary, numbers) => {
                let (mut last, mut number) = ("", u32::MAX);
                numbers.reserve(texts.size_hint().1.unwrap_or_default());
                for text in texts {
                    if number == u32::MAX || !std::ptr::eq(last, text) {
                        number = dictionary.number_near(text, number);
                        last = text;
                    }
                    numbers.push(number);
                }
            }
            Self::Unique(all) => all.extend(texts),
            Self::Integers(..) | Self::Numbers(_) | Self::Booleans(_) => {}
        }
    }

    /// Texts of one row, each of which is probably that of `stride` values before.
    #[inline]
    fn push_list(&mut self, texts: impl Iterator<Item = &'r str>, stride: usize) {
        match self {
            Self::Repeated(dictionary, numbers) => {
                for text in texts {
                    let guess = numbers.get(numbers.len().wrapping_sub(stride));
                    let guess = guess.copied().unwrap_or(u32::MAX);
                    numbers.push(dictionary.number_near(text, guess));
                }
            }
            Self::Unique(all) => all.extend(texts),
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
