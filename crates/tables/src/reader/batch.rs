//! Some rows, out of Arrow arrays.
//!
//! Nothing is copied per text: a row borrows from the decompressed pages, and its lists and maps are
//! slices of flat lists that are made once for all rows of the batch.

use std::marker::PhantomData;

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{
    Array, ArrayRef, BooleanArray, Int64Array, RecordBatch, StringViewArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::OffsetBuffer;
use bumpalo::Bump;

use crate::column::{Cells, Column, ColumnType, DeterminedBy};
use crate::error::ReadError;
use crate::map::TextListMap;
use crate::table::Table;

/// Some rows of a table.
pub struct Batch<T: Table> {
    rows: usize,
    columns: Vec<(&'static Column<T>, Values)>,
    table: PhantomData<fn() -> T>,
}

/// The values of one column.
enum Values {
    Text(StringViewArray),
    Timestamp(TimestampMicrosecondArray),
    Integer(Int64Array),
    Boolean(BooleanArray),
    TextList {
        rows: OffsetBuffer<i32>,
        items: StringViewArray,
    },
    TextMap {
        rows: OffsetBuffer<i32>,
        keys: StringViewArray,
        values: StringViewArray,
    },
    TextListMap {
        rows: OffsetBuffer<i32>,
        keys: StringViewArray,
        lists: OffsetBuffer<i32>,
        values: StringViewArray,
    },
    DeterminedBy(Box<Statements>),
}

/// The values of a column of statements.
struct Statements {
    rows: OffsetBuffer<i32>,
    layer: StringViewArray,
    policy: StringViewArray,
    index: Int64Array,
    sid: StringViewArray,
    effect: StringViewArray,
}

impl Values {
    /// `None` where the array is of another type.
    fn of(kind: ColumnType, array: &ArrayRef) -> Option<Values> {
        Some(match kind {
            ColumnType::Text => Self::Text(texts(array)?),
            ColumnType::Timestamp => Self::Timestamp(
                array
                    .as_primitive_opt::<TimestampMicrosecondType>()?
                    .clone(),
            ),
            ColumnType::Integer => Self::Integer(array.as_primitive_opt::<Int64Type>()?.clone()),
            ColumnType::Boolean => Self::Boolean(array.as_boolean_opt()?.clone()),
            ColumnType::TextList => {
                let list = array.as_list_opt::<i32>()?;
                Self::TextList {
                    rows: list.offsets().clone(),
                    items: texts(list.values())?,
                }
            }
            ColumnType::TextMap => {
                let map = array.as_map_opt()?;
                Self::TextMap {
                    rows: map.offsets().clone(),
                    keys: texts(map.keys())?,
                    values: texts(map.values())?,
                }
            }
            ColumnType::TextListMap => {
                let map = array.as_map_opt()?;
                let lists = map.values().as_list_opt::<i32>()?;
                Self::TextListMap {
                    rows: map.offsets().clone(),
                    keys: texts(map.keys())?,
                    lists: lists.offsets().clone(),
                    values: texts(lists.values())?,
                }
            }
            ColumnType::DeterminedBy => {
                let list = array.as_list_opt::<i32>()?;
                let statements = list.values().as_struct_opt()?;
                Self::DeterminedBy(Box::new(Statements::of(list.offsets(), statements)?))
            }
        })
    }
}

impl Statements {
    fn of(rows: &OffsetBuffer<i32>, statements: &StructArray) -> Option<Statements> {
        let [layer, policy, index, sid, effect] = statements.columns() else {
            return None;
        };
        Some(Statements {
            rows: rows.clone(),
            layer: texts(layer)?,
            policy: texts(policy)?,
            index: index.as_primitive_opt::<Int64Type>()?.clone(),
            sid: texts(sid)?,
            effect: texts(effect)?,
        })
    }
}

fn texts(array: &ArrayRef) -> Option<StringViewArray> {
    array.as_string_view_opt().cloned()
}

/// All texts of an array, one after the other.
fn flat(array: &StringViewArray) -> Vec<&str> {
    (0..array.len()).map(|place| array.value(place)).collect()
}

fn value_at(array: &StringViewArray, place: usize) -> Option<&str> {
    array.is_valid(place).then(|| array.value(place))
}

/// What the lists of a column are slices of.
enum Items<'x> {
    /// No list.
    None,
    Texts(Vec<&'x str>),
    Pairs(Vec<(&'x str, &'x str)>),
    Statements(Vec<DeterminedBy<'x>>),
}

impl<'x> Items<'x> {
    fn of(values: &'x Values) -> Items<'x> {
        match values {
            Values::Text(_) | Values::Timestamp(_) | Values::Integer(_) | Values::Boolean(_) => {
                Self::None
            }
            Values::TextList { items, .. } => Self::Texts(flat(items)),
            Values::TextListMap { values, .. } => Self::Texts(flat(values)),
            Values::TextMap { keys, values, .. } => {
                let pair = |place| (keys.value(place), values.value(place));
                Self::Pairs((0..keys.len().min(values.len())).map(pair).collect())
            }
            Values::DeterminedBy(statements) => {
                let Statements {
                    layer,
                    policy,
                    index,
                    sid,
                    effect,
                    ..
                } = &**statements;
                let statement = |place| DeterminedBy {
                    layer: layer.value(place),
                    policy: policy.value(place),
                    index: u32::try_from(index.value(place)).unwrap_or(u32::MAX),
                    sid: value_at(sid, place),
                    effect: effect.value(place),
                };
                // The fields of a struct array are all of its length.
                Self::Statements((0..layer.len()).map(statement).collect())
            }
        }
    }
}

/// The entries of a column that is a map of lists.
type Entries<'x> = Vec<(&'x str, &'x [&'x str])>;

fn entries<'x>(values: &'x Values, items: &'x Items<'x>) -> Entries<'x> {
    let (Values::TextListMap { keys, lists, .. }, Items::Texts(texts)) = (values, items) else {
        return Vec::new();
    };
    slices(lists, texts)
        .enumerate()
        .take(keys.len())
        .map(|(place, list)| (keys.value(place), list))
        .collect()
}

/// The slice of each row, or of each entry.
fn slices<'x, I>(
    offsets: &'x OffsetBuffer<i32>,
    items: &'x [I],
) -> impl Iterator<Item = &'x [I]> + 'x {
    offsets.windows(2).map(move |bounds| {
        let place = |bound: Option<&i32>| usize::try_from(*bound?).ok();
        place(bounds.first())
            .zip(place(bounds.last()))
            .and_then(|(start, end)| items.get(start..end))
            .unwrap_or_default()
    })
}

impl<T: Table> Batch<T> {
    pub(super) fn new(batch: &RecordBatch, places: &[usize]) -> Result<Self, ReadError> {
        let mut columns = Vec::with_capacity(places.len());
        for (place, array) in places.iter().zip(batch.columns()) {
            let column = T::COLUMNS
                .get(*place)
                .and_then(|column| Some((column, Values::of(column.kind(), array)?)))
                .ok_or_else(|| {
                    ReadError::damaged(T::NAME, format!("column {place} has another type"))
                })?;
            columns.push(column);
        }
        Ok(Self {
            rows: batch.num_rows(),
            columns,
            table: PhantomData,
        })
    }

    /// How many rows there are.
    pub fn len(&self) -> usize {
        self.rows
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.rows == 0
    }

    /// Lends the rows.
    pub fn with_rows<O>(&self, read: impl for<'r> FnOnce(&'r [T::Row<'r>]) -> O) -> O {
        let arena = Bump::new();
        let items: Vec<Items<'_>> = self
            .columns
            .iter()
            .map(|(_, values)| Items::of(values))
            .collect();
        let entries: Vec<Entries<'_>> = self
            .columns
            .iter()
            .zip(&items)
            .map(|((_, values), items)| entries(values, items))
            .collect();
        // In an arena: a row borrows for as long as it is lent, and a `Vec` of them could not be dropped.
        let rows = arena.alloc_slice_fill_with(self.rows, |_| T::Row::default());
        for (((column, values), items), entries) in self.columns.iter().zip(&items).zip(&entries) {
            fill(rows, column, values, (items, entries));
        }
        read(rows)
    }
}

/// Puts each value of a column into its row.
fn fill<'x, T: Table>(
    rows: &mut [T::Row<'x>],
    column: &Column<T>,
    values: &'x Values,
    (items, entries): (&'x Items<'x>, &'x Entries<'x>),
) {
    let count = |value: i64| u64::try_from(value).unwrap_or_default();
    match (column.cells(), values, items) {
        (Cells::Text(_, set, _), Values::Text(array), _) => {
            for_each(rows, |row, place| set(row, array.value(place)));
        }
        (Cells::OptionalText(_, set, _), Values::Text(array), _) => {
            for_each(rows, |row, place| set(row, value_at(array, place)));
        }
        (Cells::OptionalTimestamp(_, set), Values::Timestamp(array), _) => {
            for_each(rows, |row, place| {
                set(row, array.is_valid(place).then(|| array.value(place)));
            });
        }
        (Cells::Integer(_, set), Values::Integer(array), _) => {
            for_each(rows, |row, place| set(row, count(array.value(place))));
        }
        (Cells::OptionalInteger(_, set), Values::Integer(array), _) => {
            for_each(rows, |row, place| {
                set(
                    row,
                    array.is_valid(place).then(|| count(array.value(place))),
                );
            });
        }
        (Cells::Boolean(_, set), Values::Boolean(array), _) => {
            for_each(rows, |row, place| set(row, array.value(place)));
        }
        (Cells::OptionalBoolean(_, set), Values::Boolean(array), _) => {
            for_each(rows, |row, place| {
                set(row, array.is_valid(place).then(|| array.value(place)));
            });
        }
        (Cells::TextList(_, set), Values::TextList { rows: at, .. }, Items::Texts(items)) => {
            for_each_list(rows, slices(at, items), *set);
        }
        (Cells::TextMap(_, set), Values::TextMap { rows: at, .. }, Items::Pairs(items)) => {
            for_each_list(rows, slices(at, items), *set);
        }
        (Cells::TextListMap(_, set), Values::TextListMap { rows: at, .. }, _) => {
            let maps = slices(at, entries).map(TextListMap::Pairs);
            for_each_list(rows, maps, *set);
        }
        (Cells::DeterminedBy(_, set), Values::DeterminedBy(columns), Items::Statements(items)) => {
            for_each_list(rows, slices(&columns.rows, items), *set);
        }
        // Values and items are made by the column's own kind.
        _ => {}
    }
}

fn for_each<R>(rows: &mut [R], mut set: impl FnMut(&mut R, usize)) {
    for (place, row) in rows.iter_mut().enumerate() {
        set(row, place);
    }
}

fn for_each_list<R, V>(rows: &mut [R], lists: impl Iterator<Item = V>, set: impl Fn(&mut R, V)) {
    for (row, list) in rows.iter_mut().zip(lists) {
        set(row, list);
    }
}
