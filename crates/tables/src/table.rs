//! A table: a row type, its columns, its order.

use std::cmp::Ordering;

use crate::column::{Column, SortValue};
use crate::dictionary::Dictionary;

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

/// The most columns that a table is sorted by.
const SORT_COLUMNS: usize = 5;

/// Where a row stands among those that it was made with: the order of keys is [`sort_order`]'s.
pub type SortKey = [u64; SORT_COLUMNS];

/// A key for each row. Texts are compared once for each distinct one and not once for each comparison of
/// two rows: most of a million rows have one of a few thousand accounts and principals.
///
/// A table that is sorted by more columns than a key has does not compile.
pub fn sort_keys<'r, T: Table>(rows: impl Iterator<Item = &'r T::Row<'r>> + Clone) -> Vec<SortKey> {
    const { assert!(T::SORTED_BY.len() <= SORT_COLUMNS) };
    let mut keys = vec![[0; SORT_COLUMNS]; rows.clone().count()];
    for (place, (_, column)) in sort_columns::<T>().enumerate() {
        // Of texts, each one's number first, then its rank among all. Null is 0.
        let mut texts = Dictionary::default();
        let mut last = u32::MAX;
        let values = keys.iter_mut().filter_map(|key| key.get_mut(place));
        for (row, value) in rows.clone().zip(values) {
            *value = match column.sort_value(row) {
                SortValue::Null => 0,
                SortValue::Text(text) => {
                    last = texts.number_near(text, last);
                    u64::from(last) + 1
                }
                SortValue::Number(number) => number,
            };
        }
        let ranks = ranks(&texts.into_texts());
        if ranks.is_empty() {
            continue;
        }
        for value in keys.iter_mut().filter_map(|key| key.get_mut(place)) {
            let number = value.checked_sub(1);
            let rank = number.and_then(|number| ranks.get(number as usize));
            *value = rank.copied().unwrap_or_default();
        }
    }
    keys
}

/// The place of each text in the order of all, from 1.
fn ranks(texts: &[&str]) -> Vec<u64> {
    let mut order: Vec<(&str, usize)> = texts.iter().copied().zip(0..).collect();
    order.sort_unstable();
    let mut ranks = vec![0; texts.len()];
    for (rank, (_, number)) in (1..).zip(order) {
        if let Some(place) = ranks.get_mut(number) {
            *place = rank;
        }
    }
    ranks
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
