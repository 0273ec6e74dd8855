//! From rows to the Arrow array of one column.
//!
//! Nothing is allocated per value: texts are appended to one buffer; lists and maps are offsets over
//! flat children (the builders for nested arrays dispatch per item, and a context map has twenty of
//! them in every row).

use std::sync::Arc;

use arrow_array::builder::LargeStringBuilder;
use arrow_array::{
    ArrayRef, BooleanArray, Int64Array, LargeStringArray, ListArray, MapArray, StructArray,
    TimestampMicrosecondArray,
};
use arrow_buffer::{OffsetBuffer, ScalarBuffer};
use arrow_schema::{ArrowError, DataType, FieldRef, Fields};

use crate::column::{Cells, Column, ColumnType, DeterminedBy, TextListMap, TextMap};
use crate::error::TableError;
use crate::table::Table;

/// Why an array could not be made.
pub(crate) enum ArrayError {
    TooManyItems,
    Arrow(ArrowError),
}

impl From<ArrowError> for ArrayError {
    fn from(error: ArrowError) -> Self {
        Self::Arrow(error)
    }
}

/// What a condition key or value takes, for a first guess at a buffer's size.
const TYPICAL_TEXT: usize = 24;

/// The array of `column` over `rows`.
pub(crate) fn array<'r, T: Table>(
    column: &Column<T>,
    rows: &[&'r T::Row<'r>],
) -> Result<ArrayRef, TableError> {
    cells(column.cells(), rows).map_err(|error| match error {
        ArrayError::TooManyItems => TableError::TooManyItems {
            table: T::NAME,
            column: column.name(),
        },
        ArrayError::Arrow(error) => TableError::encode(T::NAME, error),
    })
}

fn cells<'r, T: Table>(cells: &Cells<T>, rows: &[&'r T::Row<'r>]) -> Result<ArrayRef, ArrayError> {
    let rows = rows.iter().copied();
    Ok(match *cells {
        Cells::Text(get, _) => Arc::new(texts(rows.map(get))),
        Cells::OptionalText(get, _) => Arc::new(optional_texts(rows.map(get))),
        Cells::OptionalTimestamp(get, _) => {
            let array: TimestampMicrosecondArray = rows.map(get).collect();
            Arc::new(array.with_timezone("UTC"))
        }
        Cells::Integer(get, _) => Arc::new(Int64Array::from_iter_values(
            rows.map(|row| integer(get(row))),
        )),
        Cells::OptionalInteger(get, _) => {
            let array: Int64Array = rows.map(|row| get(row).map(integer)).collect();
            Arc::new(array)
        }
        Cells::Boolean(get, _) => {
            let array: BooleanArray = rows.map(|row| Some(get(row))).collect();
            Arc::new(array)
        }
        Cells::OptionalBoolean(get, _) => {
            let array: BooleanArray = rows.map(get).collect();
            Arc::new(array)
        }
        Cells::TextList(get, _) => Arc::new(text_lists(rows.map(get))?),
        Cells::TextMap(get, _) => Arc::new(text_maps(rows.map(get))?),
        Cells::TextListMap(get, _) => Arc::new(text_list_maps(rows.map(get))?),
        Cells::DeterminedBy(get, _) => Arc::new(determined_by(rows.map(get))?),
    })
}

/// Counts and offsets here never come near 2⁶³; one that did is kept recognisable.
fn integer(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn texts<'v>(values: impl Iterator<Item = &'v str> + Clone) -> LargeStringArray {
    let (count, bytes) = size(values.clone());
    let mut builder = LargeStringBuilder::with_capacity(count, bytes);
    for value in values {
        builder.append_value(value);
    }
    builder.finish()
}

fn optional_texts<'v>(values: impl Iterator<Item = Option<&'v str>> + Clone) -> LargeStringArray {
    let (count, bytes) = size(values.clone().map(Option::unwrap_or_default));
    let mut builder = LargeStringBuilder::with_capacity(count, bytes);
    for value in values {
        builder.append_option(value);
    }
    builder.finish()
}

fn size<'v>(values: impl Iterator<Item = &'v str>) -> (usize, usize) {
    values.fold((0, 0), |(count, bytes), value| {
        (count + 1, bytes + value.len())
    })
}

/// Offsets from lengths.
fn offsets(lengths: impl Iterator<Item = usize>) -> Result<OffsetBuffer<i32>, ArrayError> {
    let mut end = 0_i32;
    let mut offsets = Vec::with_capacity(lengths.size_hint().0 + 1);
    offsets.push(end);
    for length in lengths {
        end = i32::try_from(length)
            .ok()
            .and_then(|length| end.checked_add(length))
            .ok_or(ArrayError::TooManyItems)?;
        offsets.push(end);
    }
    Ok(OffsetBuffer::new(ScalarBuffer::from(offsets)))
}

fn text_lists<'v>(
    lists: impl Iterator<Item = &'v [&'v str]> + Clone,
) -> Result<ListArray, ArrayError> {
    let offsets = offsets(lists.clone().map(<[&str]>::len))?;
    let values = texts(lists.flatten().copied());
    list_of(offsets, values)
}

fn list_of(offsets: OffsetBuffer<i32>, values: LargeStringArray) -> Result<ListArray, ArrayError> {
    list(ColumnType::TextList, offsets, Arc::new(values))
}

fn list(
    kind: ColumnType,
    offsets: OffsetBuffer<i32>,
    items: ArrayRef,
) -> Result<ListArray, ArrayError> {
    match kind.arrow() {
        DataType::List(item) => Ok(ListArray::try_new(item, offsets, items, None)?),
        other => Err(ArrowError::SchemaError(format!("{other} is no list")).into()),
    }
}

/// The fields of a struct that is the item of a list or the entry of a map.
fn struct_fields(item: &FieldRef) -> Fields {
    match item.data_type() {
        DataType::Struct(fields) => fields.clone(),
        _ => Fields::empty(),
    }
}

fn text_maps<'v>(maps: impl Iterator<Item = TextMap<'v>> + Clone) -> Result<MapArray, ArrayError> {
    let offsets = offsets(maps.clone().map(<[_]>::len))?;
    let entries = maps.flatten();
    let keys = texts(entries.clone().map(|(key, _)| *key));
    let values = texts(entries.map(|(_, value)| *value));
    map(ColumnType::TextMap, offsets, keys, Arc::new(values))
}

/// One pass over the rows: a context is many small pieces, and fetching them is what costs.
fn text_list_maps<'v>(
    maps: impl Iterator<Item = TextListMap<'v>> + Clone,
) -> Result<MapArray, ArrayError> {
    let map_offsets = offsets(maps.clone().map(<[_]>::len))?;
    let entries = maps.clone().map(<[_]>::len).sum::<usize>();
    let mut keys = LargeStringBuilder::with_capacity(entries, entries * TYPICAL_TEXT);
    let mut values = LargeStringBuilder::with_capacity(entries, entries * TYPICAL_TEXT);
    let mut lengths = Vec::with_capacity(entries);
    for (key, list) in maps.flatten() {
        keys.append_value(key);
        lengths.push(list.len());
        for value in *list {
            values.append_value(value);
        }
    }
    let values = list_of(offsets(lengths.into_iter())?, values.finish())?;
    let values: ArrayRef = Arc::new(values);
    map(ColumnType::TextListMap, map_offsets, keys.finish(), values)
}

fn map(
    kind: ColumnType,
    offsets: OffsetBuffer<i32>,
    keys: LargeStringArray,
    values: ArrayRef,
) -> Result<MapArray, ArrayError> {
    match kind.arrow() {
        DataType::Map(field, ordered) => {
            let columns = vec![Arc::new(keys) as ArrayRef, values];
            let entries = StructArray::try_new(struct_fields(&field), columns, None)?;
            Ok(MapArray::try_new(field, offsets, entries, None, ordered)?)
        }
        other => Err(ArrowError::SchemaError(format!("{other} is no map")).into()),
    }
}

fn determined_by<'v>(
    lists: impl Iterator<Item = &'v [DeterminedBy<'v>]> + Clone,
) -> Result<ListArray, ArrayError> {
    let offsets = offsets(lists.clone().map(<[_]>::len))?;
    let statements = lists.flatten();
    let columns: Vec<ArrayRef> = vec![
        Arc::new(texts(statements.clone().map(|s| s.layer))),
        Arc::new(texts(statements.clone().map(|s| s.policy))),
        Arc::new(Int64Array::from_iter_values(
            statements.clone().map(|s| i64::from(s.index)),
        )),
        Arc::new(optional_texts(statements.clone().map(|s| s.sid))),
        Arc::new(texts(statements.map(|s| s.effect))),
    ];
    let DataType::List(item) = ColumnType::DeterminedBy.arrow() else {
        return Err(ArrowError::SchemaError("no list of statements".to_owned()).into());
    };
    let statements = StructArray::try_new(struct_fields(&item), columns, None)?;
    list(ColumnType::DeterminedBy, offsets, Arc::new(statements))
}
