//! Rows that wait for more of their table, so that a row group is worth what it says of itself.

use std::marker::PhantomData;
use std::ops::Range;

use bumpalo::Bump;

use crate::column::{Cells, Column, DeterminedBy};
use crate::hybrid::push_varint;
use crate::map::TextListMap;
use crate::table::Table;

/// Copies of rows, one behind the other in a single buffer. A cell that is that of the row before takes a byte.
///
/// ```
/// use retrial_tables::{HeldRows, RejectRow, Rejects};
/// let mut held = HeldRows::<Rejects>::default();
/// {
///     let log_file = String::from("a.json.gz");
///     held.hold(&RejectRow { log_file: &log_file, ..RejectRow::default() });
/// }
/// held.with_rows(|rows| assert_eq!(rows[0].log_file, "a.json.gz"));
/// ```
pub struct HeldRows<T: Table> {
    bytes: Vec<u8>,
    rows: usize,
    /// Where each column's last cell lies that was written out.
    last: Vec<Range<usize>>,
    table: PhantomData<fn() -> T>,
}

impl<T: Table> Default for HeldRows<T> {
    fn default() -> Self {
        Self {
            bytes: Vec::new(),
            rows: 0,
            // Before the first row there are no cells.
            last: vec![0..0; T::COLUMNS.len()],
            table: PhantomData,
        }
    }
}

impl<T: Table> HeldRows<T> {
    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// What they take.
    pub fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// Copies a row behind the others.
    pub fn hold<'r>(&mut self, row: &'r T::Row<'r>) {
        let bytes = &mut self.bytes;
        for (column, last) in T::COLUMNS.iter().zip(&mut self.last) {
            let place = bytes.len();
            bytes.push(CHANGED);
            Out(bytes).cell(column, row);
            let cell = place + 1..bytes.len();
            if bytes.get(cell.clone()) != bytes.get(last.clone()) {
                *last = cell;
                continue;
            }
            bytes.truncate(place);
            bytes.push(AS_BEFORE);
        }
        self.rows += 1;
    }

    /// Lends the rows, in the order in which they came.
    pub fn with_rows<O>(&self, read: impl for<'r> FnOnce(&'r [T::Row<'r>]) -> O) -> O {
        let arena = Bump::new();
        let mut held = Held {
            rest: &self.bytes,
            arena: &arena,
        };
        let mut row = T::Row::default();
        // In the arena: a row borrows for as long as it is lent, and a `Vec` of them could not be dropped.
        let rows = arena.alloc_slice_fill_with(self.rows, |_| {
            for column in T::COLUMNS {
                if held.take(1) == [CHANGED] {
                    held.cell(column, &mut row);
                }
            }
            row
        });
        read(rows)
    }
}

/// Before a cell.
const CHANGED: u8 = 1;

/// In place of a cell.
const AS_BEFORE: u8 = 0;

/// Writes what [`Held`] reads.
struct Out<'b>(&'b mut Vec<u8>);

impl Out<'_> {
    fn cell<'r, T: Table>(&mut self, column: &Column<T>, row: &'r T::Row<'r>) {
        match column.cells() {
            Cells::Text(get, ..) => self.text(get(row)),
            Cells::OptionalText(get, ..) => self.optional(get(row), Self::text),
            Cells::OptionalTimestamp(get, _) => self.optional(get(row), |out, time| {
                out.0.extend_from_slice(&time.to_le_bytes());
            }),
            Cells::Integer(get, _) => self.number(get(row)),
            Cells::OptionalInteger(get, _) => self.optional(get(row), Self::number),
            Cells::Boolean(get, _) => self.truth(get(row)),
            Cells::OptionalBoolean(get, _) => self.optional(get(row), Self::truth),
            Cells::TextList(get, _) => self.list(get(row), |out, text| out.text(text)),
            Cells::TextMap(get, _) => self.list(get(row), |out, (key, value)| {
                out.text(key);
                out.text(value);
            }),
            Cells::TextListMap(get, _) => self.list(get(row), |out, (key, values)| {
                out.text(key);
                out.list(values, |out, value| out.text(value));
            }),
            Cells::DeterminedBy(get, _) => self.list(get(row), |out, statement| {
                let DeterminedBy {
                    layer,
                    policy,
                    index,
                    sid,
                    effect,
                } = statement;
                out.text(layer);
                out.text(policy);
                out.number(u64::from(*index));
                out.optional(*sid, Out::text);
                out.text(effect);
            }),
        }
    }

    fn number(&mut self, number: u64) {
        push_varint(number, self.0);
    }

    fn truth(&mut self, truth: bool) {
        self.number(truth.into());
    }

    fn text(&mut self, text: &str) {
        self.number(text.len() as u64);
        self.0.extend_from_slice(text.as_bytes());
    }

    fn optional<V>(&mut self, value: Option<V>, write: impl Fn(&mut Self, V)) {
        self.truth(value.is_some());
        if let Some(value) = value {
            write(self, value);
        }
    }

    fn list<V>(
        &mut self,
        values: impl IntoIterator<Item = V, IntoIter: ExactSizeIterator>,
        write: impl Fn(&mut Self, V),
    ) {
        let values = values.into_iter();
        self.number(values.len() as u64);
        values.for_each(|value| write(self, value));
    }
}

/// What is still to be read of what [`Out`] has written.
struct Held<'r> {
    rest: &'r [u8],
    arena: &'r Bump,
}

impl<'r> Held<'r> {
    fn cell<T: Table>(&mut self, column: &Column<T>, row: &mut T::Row<'r>) {
        match column.cells() {
            Cells::Text(_, set, _) => set(row, self.text()),
            Cells::OptionalText(_, set, _) => set(row, self.optional(Self::text)),
            Cells::OptionalTimestamp(_, set) => set(row, self.optional(Self::time)),
            Cells::Integer(_, set) => set(row, self.number()),
            Cells::OptionalInteger(_, set) => set(row, self.optional(Self::number)),
            Cells::Boolean(_, set) => set(row, self.truth()),
            Cells::OptionalBoolean(_, set) => set(row, self.optional(Self::truth)),
            Cells::TextList(_, set) => set(row, self.list(Self::text)),
            Cells::TextMap(_, set) => {
                let entry = |held: &mut Self| (held.text(), held.text());
                set(row, self.list(entry));
            }
            Cells::TextListMap(_, set) => {
                let entry = |held: &mut Self| (held.text(), held.list(Self::text));
                set(row, TextListMap::Pairs(self.list(entry)));
            }
            Cells::DeterminedBy(_, set) => set(row, self.list(Self::statement)),
        }
    }

    fn take(&mut self, length: usize) -> &'r [u8] {
        let (taken, rest) = self.rest.split_at_checked(length).unwrap_or_default();
        self.rest = rest;
        taken
    }

    fn number(&mut self) -> u64 {
        let mut number = 0;
        for shift in (0..u64::BITS).step_by(7) {
            let byte = self.take(1).first().copied().unwrap_or_default();
            number |= u64::from(byte & 0x7f) << shift;
            if byte < 0x80 {
                break;
            }
        }
        number
    }

    fn truth(&mut self) -> bool {
        self.number() != 0
    }

    fn time(&mut self) -> i64 {
        let bytes = self.take(size_of::<i64>());
        i64::from_le_bytes(bytes.try_into().unwrap_or_default())
    }

    fn text(&mut self) -> &'r str {
        let length = self.number() as usize;
        str::from_utf8(self.take(length)).unwrap_or_default()
    }

    fn optional<V>(&mut self, read: impl Fn(&mut Self) -> V) -> Option<V> {
        self.truth().then(|| read(self))
    }

    fn list<V: Copy>(&mut self, read: impl Fn(&mut Self) -> V) -> &'r [V] {
        let length = self.number() as usize;
        let arena = self.arena;
        arena.alloc_slice_fill_with(length, |_| read(self))
    }

    fn statement(&mut self) -> DeterminedBy<'r> {
        DeterminedBy {
            layer: self.text(),
            policy: self.text(),
            // It was one.
            index: self.number() as u32,
            sid: self.optional(Self::text),
            effect: self.text(),
        }
    }
}
