//! A table: a row type, its columns, its order.

use std::cmp::Ordering;

use crate::column::Column;

/// A table that is written as Parquet, in folders by [`Table::FOLDER`].
pub trait Table: 'static {
    /// The plain, borrowed row.
    type Row<'r>: Copy + Default + Sync + 'r;
    /// The table's name: that of its folder.
    const NAME: &'static str;
    /// What a row is.
    const DOC: &'static str;
    /// The Hive column of the folders, which is not in the files.
    const FOLDER: &'static str = "event_date";
    /// The columns that rows are sorted by within each row group, null first, texts by byte.
    const SORTED_BY: &'static [&'static str];
    /// All columns, in order.
    const COLUMNS: &'static [Column<Self>];
}

/// The order of [`Table::SORTED_BY`], in which rows are to be handed to the writer. Rows that are
/// equal in it may come in any order that is the same every time.
pub fn sort_order<'r, T: Table>(a: &'r T::Row<'r>, b: &'r T::Row<'r>) -> Ordering {
    sort_columns::<T>()
        .map(|(_, column)| column.compare(a, b))
        .find(|order| order.is_ne())
        .unwrap_or(Ordering::Equal)
}

/// The columns of [`Table::SORTED_BY`] with their places.
pub(crate) fn sort_columns<T: Table>() -> impl Iterator<Item = (usize, &'static Column<T>)> {
    T::SORTED_BY.iter().filter_map(|name| {
        T::COLUMNS
            .iter()
            .enumerate()
            .find(|(_, column)| column.name() == *name)
    })
}
