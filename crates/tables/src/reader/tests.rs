//! What the writer writes is what the reader reads, for every table; what is no file of ours is said
//! so, whatever bytes it has.

use std::fmt::Debug;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use super::{ReadAt, TableReader};
use crate::column::{Cells, Column, DeterminedBy};
use crate::error::ReadError;
use crate::map::TextListMap;
use crate::table::{Table, sort_order};
use crate::writer::TableWriter;
use crate::{
    Changes, Coverage, DecisionRow, Decisions, Needs, RejectRow, Rejects, Sessions, Usage,
};

/// A value for one cell of a row that lives as long as the test.
#[derive(Debug, Clone, Copy)]
enum Cell {
    Text(&'static str),
    OptionalText(Option<&'static str>),
    OptionalTimestamp(Option<i64>),
    Integer(u64),
    OptionalInteger(Option<u64>),
    Boolean(bool),
    OptionalBoolean(Option<bool>),
    TextList(&'static [&'static str]),
    TextMap(&'static [(&'static str, &'static str)]),
    TextListMap(TextListMap<'static>),
    DeterminedBy(&'static [DeterminedBy<'static>]),
}

fn leaked<I>(items: Vec<I>) -> &'static [I] {
    Box::leak(items.into_boxed_slice())
}

fn text() -> impl Strategy<Value = &'static str> {
    prop_oneof![
        4 => prop::sample::select(vec!["", "a", "b", "111122223333", "twelve bytes", "thirteen bytes"]),
        2 => prop::sample::select(vec!["nul\0inside", "😀\u{202e}", "null", "a text that is longer than a view"]),
        1 => ".{0,40}".prop_map(|text| &*Box::leak(text.into_boxed_str())),
    ]
}

fn texts() -> impl Strategy<Value = &'static [&'static str]> {
    vec(text(), 0..4).prop_map(leaked)
}

fn statement() -> impl Strategy<Value = DeterminedBy<'static>> {
    (text(), text(), any::<u32>(), option::of(text()), text()).prop_map(
        |(layer, policy, index, sid, effect)| DeterminedBy {
            layer,
            policy,
            index,
            sid,
            effect,
        },
    )
}

/// Numbers are 63 bits wide in the file.
fn number() -> impl Strategy<Value = u64> {
    any::<u64>().prop_map(|number| number >> 1)
}

fn cell<T: Table>(column: &Column<T>) -> BoxedStrategy<Cell> {
    match column.cells() {
        Cells::Text(..) => text().prop_map(Cell::Text).boxed(),
        Cells::OptionalText(..) => option::of(text()).prop_map(Cell::OptionalText).boxed(),
        Cells::OptionalTimestamp(..) => option::of(any::<i64>())
            .prop_map(Cell::OptionalTimestamp)
            .boxed(),
        Cells::Integer(..) => number().prop_map(Cell::Integer).boxed(),
        Cells::OptionalInteger(..) => option::of(number()).prop_map(Cell::OptionalInteger).boxed(),
        Cells::Boolean(..) => any::<bool>().prop_map(Cell::Boolean).boxed(),
        Cells::OptionalBoolean(..) => option::of(any::<bool>())
            .prop_map(Cell::OptionalBoolean)
            .boxed(),
        Cells::TextList(..) => texts().prop_map(Cell::TextList).boxed(),
        Cells::TextMap(..) => vec((text(), text()), 0..4)
            .prop_map(|entries| Cell::TextMap(leaked(entries)))
            .boxed(),
        Cells::TextListMap(..) => (vec((text(), texts()), 0..4), any::<bool>())
            .prop_map(|(entries, apart)| {
                let (keys, lists): (Vec<_>, Vec<_>) = entries.iter().copied().unzip();
                Cell::TextListMap(match apart {
                    true => TextListMap::apart(leaked(keys), leaked(lists)),
                    false => TextListMap::Pairs(leaked(entries)),
                })
            })
            .boxed(),
        Cells::DeterminedBy(..) => vec(statement(), 0..3)
            .prop_map(|statements| Cell::DeterminedBy(leaked(statements)))
            .boxed(),
    }
}

fn put<T: Table>(row: &mut T::Row<'static>, column: &Column<T>, cell: Cell) {
    match (column.cells(), cell) {
        (Cells::Text(_, set, _), Cell::Text(value)) => set(row, value),
        (Cells::OptionalText(_, set, _), Cell::OptionalText(value)) => set(row, value),
        (Cells::OptionalTimestamp(_, set), Cell::OptionalTimestamp(value)) => set(row, value),
        (Cells::Integer(_, set), Cell::Integer(value)) => set(row, value),
        (Cells::OptionalInteger(_, set), Cell::OptionalInteger(value)) => set(row, value),
        (Cells::Boolean(_, set), Cell::Boolean(value)) => set(row, value),
        (Cells::OptionalBoolean(_, set), Cell::OptionalBoolean(value)) => set(row, value),
        (Cells::TextList(_, set), Cell::TextList(value)) => set(row, value),
        (Cells::TextMap(_, set), Cell::TextMap(value)) => set(row, value),
        (Cells::TextListMap(_, set), Cell::TextListMap(value)) => set(row, value),
        (Cells::DeterminedBy(_, set), Cell::DeterminedBy(value)) => set(row, value),
        (_, cell) => panic!("{cell:?} is no cell of `{}`", column.name()),
    }
}

/// Rows of random cells, in the table's order.
fn rows<T: Table>(most: usize) -> impl Strategy<Value = Vec<T::Row<'static>>>
where
    T::Row<'static>: Debug,
{
    let cells: Vec<BoxedStrategy<Cell>> = T::COLUMNS.iter().map(cell).collect();
    vec(cells, 0..most).prop_map(|rows| {
        let row = |cells: Vec<Cell>| {
            let mut row = T::Row::default();
            for (column, cell) in T::COLUMNS.iter().zip(cells) {
                put(&mut row, column, cell);
            }
            row
        };
        rows.into_iter().map(row).collect()
    })
}

/// A file of these rows, in row groups of `group` rows each.
fn written<'r, T: Table>(rows: &'r [T::Row<'r>], group: usize) -> Vec<u8> {
    let mut writer = TableWriter::<T, Vec<u8>>::new(Vec::new()).unwrap();
    for group in sorted::<T>(rows).chunks(group) {
        writer.write(group).unwrap();
    }
    writer.finish().unwrap().output
}

fn sorted<'r, T: Table>(rows: &'r [T::Row<'r>]) -> Vec<&'r T::Row<'r>> {
    let mut rows: Vec<&T::Row<'r>> = rows.iter().collect();
    rows.sort_by(|a, b| sort_order::<T>(a, b));
    rows
}

/// Reads everything, and tells each row as `Debug` does.
fn read<T: Table>(file: Vec<u8>, columns: Option<&[&str]>) -> Result<Vec<String>, ReadError>
where
    for<'r> T::Row<'r>: Debug,
{
    let mut reader = TableReader::<T, Vec<u8>>::open(file)?;
    if let Some(columns) = columns {
        reader = reader.with_columns(columns)?;
    }
    let mut told = Vec::new();
    for row_group in 0..reader.row_groups() {
        for batch in reader.batches(row_group)? {
            let batch = batch?;
            batch.with_rows(|rows| told.extend(rows.iter().map(|row| format!("{row:?}"))));
        }
    }
    assert_eq!(told.len() as u64, reader.rows());
    Ok(told)
}

fn told<'r, T: Table>(rows: &'r [T::Row<'r>], group: usize) -> Vec<String>
where
    T::Row<'r>: Debug,
{
    let rows = sorted::<T>(rows);
    let groups = rows.chunks(group);
    groups.flatten().map(|row| format!("{row:?}")).collect()
}

macro_rules! round_trips {
    ($($name:ident: $table:ty),+ $(,)?) => {
        proptest! {
            #![proptest_config(ProptestConfig { cases: 40, failure_persistence: None, ..ProptestConfig::default() })]
            $(
                #[test]
                fn $name(rows in rows::<$table>(30), group in 1_usize..20) {
                    let expected = told::<$table>(&rows, group);
                    prop_assert_eq!(read::<$table>(written::<$table>(&rows, group), None).unwrap(), expected);
                }
            )+
        }
    };
}

round_trips! {
    decisions: Decisions,
    sessions: Sessions,
    needs: Needs,
    changes: Changes,
    usage: Usage,
    coverage: Coverage,
    rejects: Rejects,
}

#[test]
fn many_batches_of_one_row_group() {
    let files: Vec<String> = (0..3_000)
        .map(|number| format!("{:04}.json.gz", number / 7))
        .collect();
    let rows: Vec<RejectRow<'_>> = files
        .iter()
        .zip(0_u64..)
        .map(|(file, number)| RejectRow {
            log_file: file,
            record_index: Some(number),
            reason: "truncated",
            ..RejectRow::default()
        })
        .collect();
    let expected = told::<Rejects>(&rows, rows.len());
    assert_eq!(
        read::<Rejects>(written::<Rejects>(&rows, rows.len()), None).unwrap(),
        expected
    );
}

fn decision() -> DecisionRow<'static> {
    DecisionRow {
        event_id: Some("e"),
        action: Some("s3:GetObject"),
        context: TextListMap::Pairs(&[("aws:SourceVpce", &[]), ("aws:SourceIp", &["203.0.113.7"])]),
        unknown_layers: &["resource"],
        spellings: &["arn:aws:s3:::b/%2F"],
        resource_known: Some(true),
        conflict: true,
        amends: Some("f"),
        record_index: 3,
        ..DecisionRow::default()
    }
}

#[test]
fn only_what_is_asked_for() {
    let file = written::<Decisions>(&[decision()], 1);
    let expected = DecisionRow {
        action: Some("s3:GetObject"),
        context: decision().context,
        ..DecisionRow::default()
    };
    assert_eq!(
        read::<Decisions>(file.clone(), Some(&["context", "action"])).unwrap(),
        [format!("{expected:?}")]
    );
    assert_eq!(
        read::<Decisions>(file.clone(), Some(&[])).unwrap(),
        [format!("{:?}", DecisionRow::default())]
    );
    let error = read::<Decisions>(file, Some(&["context", "colour"])).unwrap_err();
    assert_eq!(
        error.to_string(),
        "the table `decisions` has no column `colour`"
    );
}

/// `decisions` as it was before its last columns were added.
#[derive(Debug, Clone, Copy)]
struct OldDecisions;

impl Table for OldDecisions {
    type Row<'r> = DecisionRow<'r>;
    const NAME: &'static str = "decisions";
    const DOC: &'static str = "";
    const SORTED_BY: &'static [&'static str] = &["account_id"];
    const COLUMNS: &'static [Column<Self>] = &[
        crate::column::column!(optional_unique_text, event_id, ""),
        crate::column::column!(optional_timestamp, event_time, ""),
    ];
}

#[test]
fn columns_that_an_older_file_lacks_are_their_default() {
    let file = written::<OldDecisions>(&[decision()], 1);
    let expected = DecisionRow {
        event_id: Some("e"),
        ..DecisionRow::default()
    };
    assert_eq!(
        read::<Decisions>(file.clone(), None).unwrap(),
        [format!("{expected:?}")]
    );
    assert_eq!(
        read::<Decisions>(file, Some(&["context"])).unwrap(),
        [format!("{:?}", DecisionRow::default())]
    );
    // The other way round, an older version cannot know what it would leave out.
    let error = read::<OldDecisions>(written::<Decisions>(&[decision()], 1), None).unwrap_err();
    assert_eq!(
        error.to_string(),
        "column `account_id` of the table `decisions` is not known to this version of Retrial"
    );
}

#[test]
fn what_is_not_ours() {
    let check = |bytes: &[u8], expect: &str| {
        let error = read::<Decisions>(bytes.to_vec(), None).unwrap_err();
        assert_eq!(error.to_string(), expect);
    };
    check(b"", "no whole Parquet file");
    check(b"PAR1", "no whole Parquet file");
    check(b"{\"Records\": []}", "no whole Parquet file");
    check(b"PAR1\xff\xff\xff\xffPAR1", "no whole Parquet file");
    let rejects = written::<Rejects>(&[RejectRow::default()], 1);
    check(
        &rejects,
        "a file of the table `rejects`, not of `decisions`",
    );
    let half = written::<Decisions>(&[decision()], 1);
    check(&half[..half.len() / 2], "no whole Parquet file");
}

#[test]
fn a_source_that_refuses_is_named_with_its_own_words() {
    struct Gone;
    impl ReadAt for Gone {
        fn len(&self) -> u64 {
            1_000
        }
        fn read_at(&self, _: u64, _: usize) -> std::io::Result<Vec<u8>> {
            Err(std::io::Error::other("planted"))
        }
    }
    let error = TableReader::<Decisions, Gone>::open(Gone).err().unwrap();
    assert_eq!(
        error.to_string(),
        "cannot read the table `decisions`: planted"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    /// Whatever damage gives, rows or an error, it is given in good order.
    #[test]
    fn damage_is_survived(at in 0.0_f64..1.0, byte in any::<u8>(), more in vec((0.0_f64..1.0, any::<u8>()), 0..3)) {
        let rows = [decision(), DecisionRow { account_id: Some("111122223333"), ..decision() }];
        let mut file = written::<Decisions>(&rows, 1);
        let length = file.len();
        for (at, byte) in [(at, byte)].into_iter().chain(more) {
            file[(at * length as f64) as usize] = byte;
        }
        match read::<Decisions>(file, None) {
            Ok(_) => {}
            Err(error) => prop_assert!(!error.to_string().contains('\n'), "{}", error),
        }
    }
}
