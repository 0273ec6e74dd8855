//! Rows that outlive what they were read from.

use bumpalo::Bump;

use crate::column::{Cells, DeterminedBy};
use crate::map::TextListMap;
use crate::table::Table;

/// A row with all its texts and lists in `arena`.
pub fn copy_row<'r, 'a, T: Table>(row: &'r T::Row<'r>, arena: &'a Bump) -> &'a T::Row<'a> {
    let text = |text: &str| -> &'a str { arena.alloc_str(text) };
    let texts = |texts: &[&str]| -> &'a [&'a str] {
        arena.alloc_slice_fill_iter(texts.iter().map(|item| text(item)))
    };
    let copy = arena.alloc(T::Row::default());
    for column in T::COLUMNS {
        match column.cells() {
            Cells::Text(get, set, _) => set(copy, text(get(row))),
            Cells::OptionalText(get, set, _) => set(copy, get(row).map(text)),
            Cells::OptionalTimestamp(get, set) => set(copy, get(row)),
            Cells::Integer(get, set) => set(copy, get(row)),
            Cells::OptionalInteger(get, set) => set(copy, get(row)),
            Cells::Boolean(get, set) => set(copy, get(row)),
            Cells::OptionalBoolean(get, set) => set(copy, get(row)),
            Cells::TextList(get, set) => set(copy, texts(get(row))),
            Cells::TextMap(get, set) => {
                let pairs = get(row).iter().map(|(key, value)| (text(key), text(value)));
                set(copy, arena.alloc_slice_fill_iter(pairs));
            }
            Cells::TextListMap(get, set) => {
                let entries = get(row)
                    .iter()
                    .map(|(key, values)| (text(key), texts(values)));
                set(
                    copy,
                    TextListMap::Pairs(arena.alloc_slice_fill_iter(entries)),
                );
            }
            Cells::DeterminedBy(get, set) => {
                let statements = get(row).iter().map(|statement| DeterminedBy {
                    layer: text(statement.layer),
                    policy: text(statement.policy),
                    index: statement.index,
                    sid: statement.sid.map(text),
                    effect: text(statement.effect),
                });
                set(copy, arena.alloc_slice_fill_iter(statements));
            }
        }
    }
    copy
}

/// What [`copy_row`] takes in memory, about: the same for equal rows.
pub fn row_bytes<'r, T: Table>(row: &'r T::Row<'r>) -> usize {
    let texts = |texts: &[&str]| -> usize {
        texts
            .iter()
            .map(|text| size_of::<&str>() + text.len())
            .sum()
    };
    let of_columns = T::COLUMNS.iter().map(|column| match column.cells() {
        Cells::Text(get, ..) => get(row).len(),
        Cells::OptionalText(get, ..) => get(row).map_or(0, str::len),
        Cells::OptionalTimestamp(..)
        | Cells::Integer(..)
        | Cells::OptionalInteger(..)
        | Cells::Boolean(..)
        | Cells::OptionalBoolean(..) => 0,
        Cells::TextList(get, _) => texts(get(row)),
        Cells::TextMap(get, _) => {
            let pairs = get(row).iter();
            pairs.map(|(key, value)| texts(&[key, value])).sum()
        }
        Cells::TextListMap(get, _) => {
            let entries = get(row).iter();
            let entry = |(key, values): (&str, &[&str])| {
                size_of_val(values) + texts(&[key]) + texts(values)
            };
            entries.map(entry).sum()
        }
        Cells::DeterminedBy(get, _) => {
            let statements = get(row).iter();
            let statement = |by: &DeterminedBy<'_>| {
                let sid = by.sid.map_or(0, str::len);
                size_of::<DeterminedBy<'_>>()
                    + by.layer.len()
                    + by.policy.len()
                    + sid
                    + by.effect.len()
            };
            statements.map(statement).sum()
        }
    });
    size_of::<T::Row<'_>>() + of_columns.sum::<usize>()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DecisionRow, Decisions, SessionRow, Sessions};

    /// Every kind of column, copied out of texts that are gone by then.
    #[test]
    fn copies_outlive_what_they_are_of() {
        let arena = Bump::new();
        let (decision, session) = {
            let texts: Vec<String> = ["p", "s3:GetObject", "k", "v", "w", "identity"]
                .map(str::to_owned)
                .to_vec();
            let values = [texts[3].as_str(), texts[4].as_str()];
            let decision = DecisionRow {
                principal_arn: Some(&texts[0]),
                action: Some(&texts[1]),
                event_time: Some(7),
                required: Some(true),
                copy: true,
                record_index: 9,
                context: TextListMap::Pairs(&[(&texts[2], &values), ("none", &[])]),
                unknown_keys: &values,
                determined_by: &[DeterminedBy {
                    layer: &texts[5],
                    policy: &texts[0],
                    index: 3,
                    sid: Some(&texts[2]),
                    effect: "Allow",
                }],
                ..DecisionRow::default()
            };
            let session = SessionRow {
                access_key_id: &texts[2],
                tags: &[(&texts[2], &texts[3])],
                ..SessionRow::default()
            };
            (
                copy_row::<Decisions>(&decision, &arena),
                copy_row::<Sessions>(&session, &arena),
            )
        };
        let expect = DecisionRow {
            principal_arn: Some("p"),
            action: Some("s3:GetObject"),
            event_time: Some(7),
            required: Some(true),
            copy: true,
            record_index: 9,
            context: TextListMap::Pairs(&[("k", &["v", "w"]), ("none", &[])]),
            unknown_keys: &["v", "w"],
            determined_by: &[DeterminedBy {
                layer: "identity",
                policy: "p",
                index: 3,
                sid: Some("k"),
                effect: "Allow",
            }],
            ..DecisionRow::default()
        };
        assert_eq!(*decision, expect);
        let expect = SessionRow {
            access_key_id: "k",
            tags: &[("k", "v")],
            ..SessionRow::default()
        };
        assert_eq!(*session, expect);
    }

    #[test]
    fn bytes_are_those_of_the_texts() {
        let empty = row_bytes::<Sessions>(&SessionRow::default());
        let session = SessionRow {
            access_key_id: "12345",
            region: Some("123"),
            tags: &[("1", "12")],
            ..SessionRow::default()
        };
        let texts = 5 + 3 + 2 * size_of::<&str>() + 3;
        assert_eq!(row_bytes::<Sessions>(&session), empty + texts);
    }
}
