//! A column: everything that is said about it, in one value.
//!
//! Columns are constants. Whether a column can be null is part of its accessor's type, so that a
//! required column cannot be handed a null.

use std::cmp::Ordering;
use std::sync::Arc;

use arrow_schema::{DataType, Field, Fields, TimeUnit};

use crate::map::TextListMap;
use crate::table::Table;

/// A map from text to text, in the order it is to be written.
pub type TextMap<'a> = &'a [(&'a str, &'a str)];

/// One statement that determined a decision.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DeterminedBy<'a> {
    /// Where its policy stands: `identity`, `permissions_boundary`, `session`, `resource`, …
    pub layer: &'a str,
    /// The managed policy's ARN, or `<principal or group ARN>#<name>` for an inline policy.
    pub policy: &'a str,
    /// The statement's index in the document, from 0.
    pub index: u32,
    /// Its `Sid`.
    pub sid: Option<&'a str>,
    /// `Allow` or `Deny`.
    pub effect: &'a str,
}

/// How a column's values are encoded before they are compressed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// Through a dictionary, until it outgrows its page: values repeat.
    Dictionary,
    /// As they are, texts behind all their lengths: values are unique, and a dictionary would only be
    /// built to be thrown away.
    Plain,
    /// As differences: numbers near each other, and times (a third smaller than through a
    /// dictionary, and cheaper).
    Delta,
}

/// A column's type, without its nullability.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnType {
    /// UTF-8.
    Text,
    /// Microseconds since the epoch, UTC.
    Timestamp,
    /// 64 bits, signed.
    Integer,
    /// True or false.
    Boolean,
    /// A list of texts. Never null: nothing is the empty list.
    TextList,
    /// A map from text to text. Never null.
    TextMap,
    /// A map from text to a list of texts. Never null.
    TextListMap,
    /// A list of [`DeterminedBy`]. Never null.
    DeterminedBy,
}

/// The names that the Parquet specification gives the parts of lists and maps.
const LIST_ITEM: &str = "element";
const MAP_ENTRIES: &str = "key_value";
const MAP_KEY: &str = "key";
const MAP_VALUE: &str = "value";

impl ColumnType {
    /// As DuckDB's `DESCRIBE` prints it.
    pub fn sql(self) -> &'static str {
        match self {
            Self::Text => "VARCHAR",
            Self::Timestamp => "TIMESTAMP WITH TIME ZONE",
            Self::Integer => "BIGINT",
            Self::Boolean => "BOOLEAN",
            Self::TextList => "VARCHAR[]",
            Self::TextMap => "MAP(VARCHAR, VARCHAR)",
            Self::TextListMap => "MAP(VARCHAR, VARCHAR[])",
            Self::DeterminedBy => {
                "STRUCT(layer VARCHAR, \"policy\" VARCHAR, \"index\" BIGINT, sid VARCHAR, effect VARCHAR)[]"
            }
        }
    }

    /// Whether it is a list or a map.
    pub(crate) fn is_nested(self) -> bool {
        matches!(
            self,
            Self::TextList | Self::TextMap | Self::TextListMap | Self::DeterminedBy
        )
    }

    /// The Arrow type to write from. Texts have 64-bit offsets in memory, so that no hostile length
    /// overflows one; in the file both are the same.
    pub(crate) fn arrow(self) -> DataType {
        self.with_texts(&DataType::LargeUtf8)
    }

    /// The Arrow type to read into: texts stay where they are in the decompressed pages, those of a
    /// dictionary once for all rows.
    pub(crate) fn arrow_views(self) -> DataType {
        self.with_texts(&DataType::Utf8View)
    }

    fn with_texts(self, text: &DataType) -> DataType {
        match self {
            Self::Text => text.clone(),
            Self::Timestamp => DataType::Timestamp(TimeUnit::Microsecond, Some("UTC".into())),
            Self::Integer => DataType::Int64,
            Self::Boolean => DataType::Boolean,
            Self::TextList => list_of(text.clone()),
            Self::TextMap => map_of(text, text.clone()),
            Self::TextListMap => map_of(text, list_of(text.clone())),
            Self::DeterminedBy => list_of(DataType::Struct(determined_by_fields(text))),
        }
    }
}

/// A list without null items.
fn list_of(item: DataType) -> DataType {
    DataType::List(Arc::new(Field::new(LIST_ITEM, item, false)))
}

fn map_of(key: &DataType, value: DataType) -> DataType {
    let entries = DataType::Struct(Fields::from(vec![
        Field::new(MAP_KEY, key.clone(), false),
        Field::new(MAP_VALUE, value, false),
    ]));
    DataType::Map(Arc::new(Field::new(MAP_ENTRIES, entries, false)), false)
}

fn determined_by_fields(text: &DataType) -> Fields {
    Fields::from(vec![
        Field::new("layer", text.clone(), false),
        Field::new("policy", text.clone(), false),
        Field::new("index", DataType::Int64, false),
        Field::new("sid", text.clone(), true),
        Field::new("effect", text.clone(), false),
    ])
}

/// Takes a text of each row. Most columns are texts: one call for many rows is a third of the work.
pub(crate) type GatherTexts<T> = for<'r> fn(&[&'r <T as Table>::Row<'r>], &mut Vec<&'r str>);

/// Takes a text of each row that can be null.
pub(crate) type GatherOptionalTexts<T> =
    for<'r> fn(&[&'r <T as Table>::Row<'r>], &mut Vec<Option<&'r str>>);

/// How a cell is taken from a row, and put into one.
pub(crate) enum Cells<T: Table + ?Sized> {
    Text(
        for<'r> fn(&'r T::Row<'r>) -> &'r str,
        for<'r> fn(&mut T::Row<'r>, &'r str),
        GatherTexts<T>,
    ),
    OptionalText(
        for<'r> fn(&'r T::Row<'r>) -> Option<&'r str>,
        for<'r> fn(&mut T::Row<'r>, Option<&'r str>),
        GatherOptionalTexts<T>,
    ),
    OptionalTimestamp(
        for<'r> fn(&'r T::Row<'r>) -> Option<i64>,
        for<'r> fn(&mut T::Row<'r>, Option<i64>),
    ),
    Integer(
        for<'r> fn(&'r T::Row<'r>) -> u64,
        for<'r> fn(&mut T::Row<'r>, u64),
    ),
    OptionalInteger(
        for<'r> fn(&'r T::Row<'r>) -> Option<u64>,
        for<'r> fn(&mut T::Row<'r>, Option<u64>),
    ),
    Boolean(
        for<'r> fn(&'r T::Row<'r>) -> bool,
        for<'r> fn(&mut T::Row<'r>, bool),
    ),
    OptionalBoolean(
        for<'r> fn(&'r T::Row<'r>) -> Option<bool>,
        for<'r> fn(&mut T::Row<'r>, Option<bool>),
    ),
    TextList(
        for<'r> fn(&'r T::Row<'r>) -> &'r [&'r str],
        for<'r> fn(&mut T::Row<'r>, &'r [&'r str]),
    ),
    TextMap(
        for<'r> fn(&'r T::Row<'r>) -> TextMap<'r>,
        for<'r> fn(&mut T::Row<'r>, TextMap<'r>),
    ),
    TextListMap(
        for<'r> fn(&'r T::Row<'r>) -> TextListMap<'r>,
        for<'r> fn(&mut T::Row<'r>, TextListMap<'r>),
    ),
    DeterminedBy(
        for<'r> fn(&'r T::Row<'r>) -> &'r [DeterminedBy<'r>],
        for<'r> fn(&mut T::Row<'r>, &'r [DeterminedBy<'r>]),
    ),
}

/// What a row is sorted by in one column.
#[derive(Debug, Clone, Copy)]
pub(crate) enum SortValue<'r> {
    /// Before all others.
    Null,
    Text(&'r str),
    /// In the order of the values.
    Number(u64),
}

/// A column that is the field of its name: `column!(text, log_file, "what it is")`.
macro_rules! column {
    (text, $field:ident, $doc:expr) => {
        $crate::column::column!(of_texts text, $field, $doc)
    };
    (unique_text, $field:ident, $doc:expr) => {
        $crate::column::column!(of_texts unique_text, $field, $doc)
    };
    (optional_text, $field:ident, $doc:expr) => {
        $crate::column::column!(of_texts optional_text, $field, $doc)
    };
    (optional_unique_text, $field:ident, $doc:expr) => {
        $crate::column::column!(of_texts optional_unique_text, $field, $doc)
    };
    (of_texts $kind:ident, $field:ident, $doc:expr) => {
        Column::$kind(
            stringify!($field),
            $doc,
            |row| row.$field,
            |row, value| row.$field = value,
            |rows, texts| texts.extend(rows.iter().map(|row| row.$field)),
        )
    };
    ($kind:ident, $field:ident, $doc:expr) => {
        Column::$kind(
            stringify!($field),
            $doc,
            |row| row.$field,
            |row, value| row.$field = value,
        )
    };
}
pub(crate) use column;

/// One column of table `T`.
pub struct Column<T: Table + ?Sized> {
    name: &'static str,
    doc: &'static str,
    encoding: Encoding,
    cells: Cells<T>,
}

impl<T: Table + ?Sized> Column<T> {
    const fn new(
        name: &'static str,
        doc: &'static str,
        encoding: Encoding,
        cells: Cells<T>,
    ) -> Self {
        Self {
            name,
            doc,
            encoding,
            cells,
        }
    }

    pub(crate) const fn text(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> &'r str,
        set: for<'r> fn(&mut T::Row<'r>, &'r str),
        gather: GatherTexts<T>,
    ) -> Self {
        Self::new(
            name,
            doc,
            Encoding::Dictionary,
            Cells::Text(get, set, gather),
        )
    }

    pub(crate) const fn optional_text(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> Option<&'r str>,
        set: for<'r> fn(&mut T::Row<'r>, Option<&'r str>),
        gather: GatherOptionalTexts<T>,
    ) -> Self {
        Self::new(
            name,
            doc,
            Encoding::Dictionary,
            Cells::OptionalText(get, set, gather),
        )
    }

    /// Text whose values are (nearly) all different.
    pub(crate) const fn unique_text(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> &'r str,
        set: for<'r> fn(&mut T::Row<'r>, &'r str),
        gather: GatherTexts<T>,
    ) -> Self {
        Self::new(name, doc, Encoding::Plain, Cells::Text(get, set, gather))
    }

    /// Text that can be null, whose other values are (nearly) all different.
    pub(crate) const fn optional_unique_text(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> Option<&'r str>,
        set: for<'r> fn(&mut T::Row<'r>, Option<&'r str>),
        gather: GatherOptionalTexts<T>,
    ) -> Self {
        Self::new(
            name,
            doc,
            Encoding::Plain,
            Cells::OptionalText(get, set, gather),
        )
    }

    pub(crate) const fn optional_timestamp(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> Option<i64>,
        set: for<'r> fn(&mut T::Row<'r>, Option<i64>),
    ) -> Self {
        Self::new(
            name,
            doc,
            Encoding::Delta,
            Cells::OptionalTimestamp(get, set),
        )
    }

    pub(crate) const fn integer(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> u64,
        set: for<'r> fn(&mut T::Row<'r>, u64),
    ) -> Self {
        Self::new(name, doc, Encoding::Delta, Cells::Integer(get, set))
    }

    pub(crate) const fn optional_integer(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> Option<u64>,
        set: for<'r> fn(&mut T::Row<'r>, Option<u64>),
    ) -> Self {
        Self::new(name, doc, Encoding::Delta, Cells::OptionalInteger(get, set))
    }

    pub(crate) const fn boolean(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> bool,
        set: for<'r> fn(&mut T::Row<'r>, bool),
    ) -> Self {
        Self::new(name, doc, Encoding::Plain, Cells::Boolean(get, set))
    }

    pub(crate) const fn optional_boolean(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> Option<bool>,
        set: for<'r> fn(&mut T::Row<'r>, Option<bool>),
    ) -> Self {
        Self::new(name, doc, Encoding::Plain, Cells::OptionalBoolean(get, set))
    }

    pub(crate) const fn text_list(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> &'r [&'r str],
        set: for<'r> fn(&mut T::Row<'r>, &'r [&'r str]),
    ) -> Self {
        Self::new(name, doc, Encoding::Dictionary, Cells::TextList(get, set))
    }

    pub(crate) const fn text_map(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> TextMap<'r>,
        set: for<'r> fn(&mut T::Row<'r>, TextMap<'r>),
    ) -> Self {
        Self::new(name, doc, Encoding::Dictionary, Cells::TextMap(get, set))
    }

    pub(crate) const fn text_list_map(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> TextListMap<'r>,
        set: for<'r> fn(&mut T::Row<'r>, TextListMap<'r>),
    ) -> Self {
        Self::new(
            name,
            doc,
            Encoding::Dictionary,
            Cells::TextListMap(get, set),
        )
    }

    pub(crate) const fn determined_by(
        name: &'static str,
        doc: &'static str,
        get: for<'r> fn(&'r T::Row<'r>) -> &'r [DeterminedBy<'r>],
        set: for<'r> fn(&mut T::Row<'r>, &'r [DeterminedBy<'r>]),
    ) -> Self {
        Self::new(
            name,
            doc,
            Encoding::Dictionary,
            Cells::DeterminedBy(get, set),
        )
    }

    /// The name, in snake_case, in AWS's words.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What it means, in one line.
    pub const fn doc(&self) -> &'static str {
        self.doc
    }

    /// How its values are encoded.
    pub const fn encoding(&self) -> Encoding {
        self.encoding
    }

    /// Its type.
    pub const fn kind(&self) -> ColumnType {
        match self.cells {
            Cells::Text(..) | Cells::OptionalText(..) => ColumnType::Text,
            Cells::OptionalTimestamp(..) => ColumnType::Timestamp,
            Cells::Integer(..) | Cells::OptionalInteger(..) => ColumnType::Integer,
            Cells::Boolean(..) | Cells::OptionalBoolean(..) => ColumnType::Boolean,
            Cells::TextList(..) => ColumnType::TextList,
            Cells::TextMap(..) => ColumnType::TextMap,
            Cells::TextListMap(..) => ColumnType::TextListMap,
            Cells::DeterminedBy(..) => ColumnType::DeterminedBy,
        }
    }

    /// Whether it can be null.
    pub const fn nullable(&self) -> bool {
        matches!(
            self.cells,
            Cells::OptionalText(..)
                | Cells::OptionalTimestamp(..)
                | Cells::OptionalInteger(..)
                | Cells::OptionalBoolean(..)
        )
    }

    pub(crate) const fn cells(&self) -> &Cells<T> {
        &self.cells
    }

    pub(crate) fn field(&self) -> Field {
        Field::new(self.name, self.kind().arrow(), self.nullable())
    }

    pub(crate) fn field_of_views(&self) -> Field {
        Field::new(self.name, self.kind().arrow_views(), self.nullable())
    }

    /// What rows are sorted by in this column.
    pub(crate) fn sort_value<'r>(&self, row: &'r T::Row<'r>) -> SortValue<'r> {
        let text = |text: Option<&'r str>| text.map_or(SortValue::Null, SortValue::Text);
        // Behind null. The greatest number of all would stand with the second greatest; no time or
        // count comes near.
        let number = |number: Option<u64>| {
            number.map_or(SortValue::Null, |number| {
                SortValue::Number(number.saturating_add(1))
            })
        };
        match self.cells {
            Cells::Text(get, ..) => text(Some(get(row))),
            Cells::OptionalText(get, ..) => text(get(row)),
            Cells::OptionalTimestamp(get, _) => {
                number(get(row).map(|time| time.cast_unsigned() ^ (1 << 63)))
            }
            Cells::Integer(get, _) => number(Some(get(row))),
            Cells::OptionalInteger(get, _) => number(get(row)),
            Cells::Boolean(get, _) => number(Some(u64::from(get(row)))),
            Cells::OptionalBoolean(get, _) => number(get(row).map(u64::from)),
            Cells::TextList(..)
            | Cells::TextMap(..)
            | Cells::TextListMap(..)
            | Cells::DeterminedBy(..) => SortValue::Null,
        }
    }

    /// The order of two rows by this column, null first. Lists and maps have none.
    pub(crate) fn compare<'r>(&self, a: &'r T::Row<'r>, b: &'r T::Row<'r>) -> Ordering {
        match self.cells {
            Cells::Text(get, ..) => compare_texts(get(a), get(b)),
            Cells::OptionalText(get, ..) => match (get(a), get(b)) {
                (Some(a), Some(b)) => compare_texts(a, b),
                (a, b) => a.cmp(&b),
            },
            Cells::OptionalTimestamp(get, _) => get(a).cmp(&get(b)),
            Cells::Integer(get, _) => get(a).cmp(&get(b)),
            Cells::OptionalInteger(get, _) => get(a).cmp(&get(b)),
            Cells::Boolean(get, _) => get(a).cmp(&get(b)),
            Cells::OptionalBoolean(get, _) => get(a).cmp(&get(b)),
            Cells::TextList(..)
            | Cells::TextMap(..)
            | Cells::TextListMap(..)
            | Cells::DeterminedBy(..) => Ordering::Equal,
        }
    }
}

/// The order of two texts. Most rows have the very one that the row before has.
fn compare_texts(a: &str, b: &str) -> Ordering {
    match std::ptr::eq(a, b) {
        true => Ordering::Equal,
        false => a.cmp(b),
    }
}
