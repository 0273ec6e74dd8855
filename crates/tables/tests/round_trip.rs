//! What is written is what is read back, hostile or not, whatever the threads.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    clippy::disallowed_types,
    reason = "tests may fail loudly, and the reader wants a file"
)]

use std::fs::File;
use std::io::{self, Write};

use arrow_array::cast::AsArray;
use arrow_array::types::{Int64Type, TimestampMicrosecondType};
use arrow_array::{Array, ArrayRef, RecordBatch};
use arrow_schema::DataType;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;
use parquet::file::metadata::ParquetMetaData;
use parquet::file::reader::{FileReader, SerializedFileReader};
use retrial_tables::{
    CREATED_BY, DecisionRow, Decisions, DeterminedBy, HeldRows, ROW_GROUP_ROWS, RejectRow, Rejects,
    SessionRow, Sessions, Table, TableError, TableWriter, TextListMap, sort_order, tables,
};

fn written<'r, T: Table>(rows: &[&'r T::Row<'r>]) -> Vec<u8> {
    let mut writer = TableWriter::<T, Vec<u8>>::new(Vec::new()).unwrap();
    writer.write(rows).unwrap();
    let written = writer.finish().unwrap();
    assert_eq!(written.rows, rows.len() as u64);
    assert_eq!(written.bytes, written.output.len() as u64);
    written.output
}

fn file(bytes: &[u8]) -> File {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(bytes).unwrap();
    file
}

fn metadata(bytes: &[u8]) -> ParquetMetaData {
    let reader = SerializedFileReader::new(file(bytes)).unwrap();
    reader.metadata().clone()
}

fn batches(bytes: &[u8]) -> Vec<RecordBatch> {
    let reader = ParquetRecordBatchReaderBuilder::try_new(file(bytes)).unwrap();
    reader.build().unwrap().map(Result::unwrap).collect()
}

/// Rows of cells as text: texts as `Debug` writes them, null as `null`.
fn read(bytes: &[u8]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for batch in batches(bytes) {
        for row in 0..batch.num_rows() {
            rows.push(batch.columns().iter().map(|c| cell(c, row)).collect());
        }
    }
    rows
}

fn cell(array: &ArrayRef, row: usize) -> String {
    if array.is_null(row) {
        return "null".to_owned();
    }
    let items = |array: ArrayRef| -> String {
        let items: Vec<_> = (0..array.len()).map(|item| cell(&array, item)).collect();
        format!("[{}]", items.join(", "))
    };
    match array.data_type() {
        DataType::Utf8 => format!("{:?}", array.as_string::<i32>().value(row)),
        DataType::Boolean => array.as_boolean().value(row).to_string(),
        DataType::Int64 => array.as_primitive::<Int64Type>().value(row).to_string(),
        DataType::Timestamp(_, Some(zone)) if &**zone == "UTC" => {
            let array = array.as_primitive::<TimestampMicrosecondType>();
            array.value(row).to_string()
        }
        DataType::List(_) => items(array.as_list::<i32>().value(row)),
        DataType::Map(_, _) => {
            let entries = array.as_map().value(row);
            items(std::sync::Arc::new(entries))
        }
        DataType::Struct(_) => {
            let fields = array.as_struct().columns();
            let fields: Vec<_> = fields.iter().map(|field| cell(field, row)).collect();
            format!("({})", fields.join(", "))
        }
        other => panic!("{other} is not written"),
    }
}

fn text(value: Option<&str>) -> String {
    value.map_or("null".to_owned(), |value| format!("{value:?}"))
}

fn list(values: &[&str]) -> String {
    format!("{values:?}")
}

fn expected(row: &DecisionRow<'_>) -> Vec<String> {
    let context: Vec<String> = row
        .context
        .iter()
        .map(|(key, values)| format!("({key:?}, {})", list(values)))
        .collect();
    let determined_by: Vec<String> = row
        .determined_by
        .iter()
        .map(|s| {
            let sid = text(s.sid);
            format!(
                "({:?}, {:?}, {}, {sid}, {:?})",
                s.layer, s.policy, s.index, s.effect
            )
        })
        .collect();
    let number = |value: Option<i64>| value.map_or("null".to_owned(), |v| v.to_string());
    vec![
        text(row.event_id),
        number(row.event_time),
        text(row.account_id),
        text(row.region),
        text(row.event_source),
        text(row.event_name),
        text(row.principal_arn),
        text(row.principal_type),
        text(row.session_name),
        text(row.principal_id),
        text(row.caller_account_id),
        text(row.access_key_id),
        text(row.source_ip),
        text(row.invoked_by),
        text(row.error_code),
        text(row.denied_action),
        text(row.denied_resource),
        text(row.denied_layer),
        text(row.action),
        text(row.resource_arn),
        text(row.resource_account),
        row.required.map_or("null".to_owned(), |v| v.to_string()),
        format!("[{}]", context.join(", ")),
        text(row.session_policy_id),
        text(Some(row.outcome)),
        text(row.decision),
        text(row.call_decision),
        text(Some(row.verdict)),
        text(row.reason),
        text(row.mapping),
        text(row.layer),
        format!("[{}]", determined_by.join(", ")),
        list(row.unknown_keys),
        list(row.assumes),
        row.copy.to_string(),
        text(Some(row.snapshot_id)),
        text(Some(row.mapping_version)),
        text(Some(row.log_file)),
        row.record_index.to_string(),
        list(row.unknown_layers),
        list(row.spellings),
        row.resource_known
            .map_or("null".to_owned(), |v| v.to_string()),
        row.conflict.to_string(),
        text(row.amends),
        list(row.hidden_keys),
        text(row.identity_provider),
    ]
}

#[track_caller]
fn check(rows: &[DecisionRow<'_>]) {
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by(|a, b| sort_order::<Decisions>(a, b));
    let bytes = written::<Decisions>(&rows);
    let expected: Vec<_> = rows.iter().map(|row| expected(row)).collect();
    assert_eq!(read(&bytes), expected);
    assert_eq!(read(&held_first::<Decisions>(&rows)), expected);
}

/// The file of rows that waited.
fn held_first<'r, T: Table>(rows: &[&'r T::Row<'r>]) -> Vec<u8> {
    let mut held = HeldRows::<T>::default();
    for (place, row) in rows.iter().enumerate() {
        assert_eq!((held.len(), held.is_empty()), (place, place == 0));
        held.hold(row);
    }
    held.with_rows(|rows| written::<T>(&rows.iter().collect::<Vec<_>>()))
}

const HOSTILE: [&str; 10] = [
    "",
    "\"quoted\" 'twice'",
    "a\nb\r\nc\td",
    "nul\0inside",
    "😀 é \u{202e}gpj",
    "'); DROP TABLE decisions; --",
    "<script>alert(1)</script>",
    "\u{1b}[2J",
    "../../etc/passwd",
    "null",
];

#[test]
fn nothing_at_all() {
    check(&[]);
    check(&[DecisionRow::default()]);
    check(&[DecisionRow::default(); 3]);
}

#[test]
fn hostile_texts_in_every_column() {
    let rows: Vec<_> = HOSTILE
        .iter()
        .enumerate()
        .map(|(index, &value)| {
            let text = (index != 3).then_some(value);
            DecisionRow {
                event_id: text,
                event_time: [None, Some(0), Some(-1), Some(i64::MAX), Some(i64::MIN)][index % 5],
                account_id: text,
                region: text,
                event_source: text,
                event_name: text,
                principal_arn: Some(value),
                principal_type: text,
                session_name: text,
                principal_id: text,
                caller_account_id: text,
                access_key_id: text,
                source_ip: text,
                invoked_by: text,
                error_code: text,
                denied_action: text,
                denied_resource: text,
                denied_layer: text,
                action: text,
                resource_arn: text,
                resource_account: text,
                required: [None, Some(true), Some(false)][index % 3],
                context: TextListMap::Pairs(&[("k", &[]), ("", &["", "\n\0'\""]), ("k", &["😀"])]),
                session_policy_id: text,
                outcome: value,
                decision: text,
                call_decision: text,
                verdict: value,
                reason: text,
                mapping: text,
                layer: text,
                determined_by: &[
                    DeterminedBy {
                        layer: "identity",
                        policy: "p\0'\"",
                        index: u32::MAX,
                        sid: None,
                        effect: "Deny",
                    },
                    DeterminedBy {
                        layer: "scp",
                        policy: "",
                        index: 0,
                        sid: Some(""),
                        effect: "Allow",
                    },
                ],
                unknown_keys: &["", "a\nb"],
                unknown_layers: &["resource"],
                assumes: &HOSTILE,
                copy: index % 2 == 0,
                snapshot_id: value,
                mapping_version: value,
                log_file: value,
                record_index: index as u64,
                spellings: &["", "%2F"],
                resource_known: [None, Some(true), Some(false)][index % 3],
                conflict: index % 2 == 1,
                amends: text,
                hidden_keys: &["k:*"],
                identity_provider: text,
            }
        })
        .collect();
    check(&rows);
}

#[test]
fn a_megabyte_in_one_cell() {
    let long = "x\n😀".repeat(175_000);
    let values = [long.as_str(), "short", long.as_str()];
    let context: [(&str, &[&str]); 2] = [("key", &values), (&long, &[])];
    let mut rows = vec![DecisionRow::default(); 20];
    for (index, row) in rows.iter_mut().enumerate() {
        row.record_index = index as u64;
        if index % 10 == 3 {
            *row = DecisionRow {
                event_id: Some(&long),
                resource_arn: Some(&long),
                context: TextListMap::Pairs(&context),
                unknown_keys: &values,
                log_file: &long,
                ..*row
            };
        }
    }
    check(&rows);
}

#[test]
fn session_tags_are_a_map() {
    let row = SessionRow {
        access_key_id: "ASIAEXAMPLE",
        tags: &[("team", "ml"), ("cost 'centre'", "")],
        transitive_tag_keys: &["team"],
        ..SessionRow::default()
    };
    for file in [
        written::<Sessions>(&[&row, &row]),
        held_first::<Sessions>(&[&row, &row]),
    ] {
        let tags = &read(&file)[1][13];
        assert_eq!(tags, r#"[("team", "ml"), ("cost 'centre'", "")]"#);
    }
}

/// Rows with enough variety that dictionaries overflow and pages break.
fn many<'a>(
    texts: &'a [String],
    contexts: &'a [[(&'a str, &'a [&'a str]); 2]],
) -> Vec<DecisionRow<'a>> {
    texts
        .iter()
        .enumerate()
        .map(|(index, text)| DecisionRow {
            event_id: Some(text),
            event_time: Some(index as i64 % 977 * 1_000_000),
            account_id: Some(["111122223333", "444455556666"][index % 2]),
            principal_arn: (index % 7 != 0).then_some(text.get(..30).unwrap_or(text)),
            resource_arn: Some(text),
            context: TextListMap::Pairs(&contexts[index]),
            log_file: text,
            record_index: index as u64,
            ..DecisionRow::default()
        })
        .collect()
}

#[test]
fn bytes_do_not_depend_on_the_threads() {
    let texts: Vec<String> = (0..30_000_u64)
        .map(|n| {
            format!(
                "arn:aws:s3:::bucket-{}/{:x}",
                n % 100,
                n.wrapping_mul(0x9e37_79b9_7f4a_7c15)
            )
        })
        .collect();
    let values: Vec<[&str; 1]> = texts.iter().map(|text| [text.as_str()]).collect();
    let contexts: Vec<[(&str, &[&str]); 2]> = values
        .iter()
        .map(|value| [("aws:SourceVpce", &[][..]), ("aws:userid", &value[..])])
        .collect();
    let rows = many(&texts, &contexts);
    let mut rows: Vec<_> = rows.iter().collect();
    rows.sort_by(|a, b| sort_order::<Decisions>(a, b));
    let in_pool = |threads| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build();
        pool.unwrap().install(|| {
            let mut writer = TableWriter::<Decisions, Vec<u8>>::new(Vec::new()).unwrap();
            for slice in rows.chunks(11_000) {
                writer.write(slice).unwrap();
            }
            writer.finish().unwrap()
        })
    };
    let one = in_pool(1);
    assert_eq!(one.row_groups, 3);
    for threads in [1, 2, 4, 4, 4] {
        assert!(in_pool(threads) == one, "{threads} threads");
    }
    let read = read(&one.output);
    let expected: Vec<_> = rows.iter().map(|row| expected(row)).collect();
    assert!(read == expected);
}

/// Keys in one place or in many, and in between maps that have none of their places: it is the same column.
#[test]
fn maps_in_two_forms_are_the_same_column() {
    let long: [String; 2] = ["v".repeat(80), "w".repeat(80)];
    let keys: [&[&str]; 4] = [&["a", "b"], &["a", "b", "c"], &[], &["a", "b"]];
    let lists: [&[&str]; 5] = [&[], &["x"], &["y"], &["x", "y", "x"], &[&long[0], &long[1]]];
    let apart: Vec<(&[&str], Vec<&[&str]>)> = (0..2_000)
        .map(|row| {
            let keys = keys[row / 3 % keys.len()];
            let list = |at| lists[(row * row + at * 7 + row / 11) % lists.len()];
            (keys, (0..keys.len()).map(list).collect())
        })
        .collect();
    let pairs: Vec<Vec<(&str, &[&str])>> = apart
        .iter()
        .map(|(keys, lists)| keys.iter().copied().zip(lists.iter().copied()).collect())
        .collect();
    let file = |form: &dyn Fn(usize) -> bool| {
        let rows: Vec<DecisionRow<'_>> = (0..apart.len())
            .map(|row| DecisionRow {
                record_index: row as u64,
                context: match form(row) {
                    true => TextListMap::apart(apart[row].0, &apart[row].1),
                    false => TextListMap::Pairs(&pairs[row]),
                },
                ..DecisionRow::default()
            })
            .collect();
        let rows: Vec<_> = rows.iter().collect();
        let file = written::<Decisions>(&rows);
        assert!(held_first::<Decisions>(&rows) == file);
        file
    };
    let in_pairs = file(&|_| false);
    assert!(file(&|_| true) == in_pairs);
    assert!(file(&|row| row / 2 % 2 == 0) == in_pairs);
}

#[test]
fn long_slices_are_cut_into_row_groups() {
    let rows = vec![RejectRow::default(); ROW_GROUP_ROWS * 2 + 1];
    let rows: Vec<_> = rows.iter().collect();
    let metadata = metadata(&written::<Rejects>(&rows));
    let counts: Vec<_> = metadata.row_groups().iter().map(|g| g.num_rows()).collect();
    assert_eq!(counts, [ROW_GROUP_ROWS as i64, ROW_GROUP_ROWS as i64, 1]);
}

#[test]
fn rows_out_of_order_are_refused() {
    let row = |log_file, record_index| RejectRow {
        log_file,
        record_index,
        ..RejectRow::default()
    };
    let rows = [
        row("a", None),
        row("a", Some(1)),
        row("b", None),
        row("a", Some(2)),
    ];
    let mut writer = TableWriter::<Rejects, Vec<u8>>::new(Vec::new()).unwrap();
    let rows: Vec<_> = rows.iter().collect();
    let error = writer.write(&rows).unwrap_err();
    assert!(matches!(error, TableError::NotSorted { row: 3, .. }));
    assert_eq!(
        error.to_string(),
        "row 3 of the table `rejects` is out of order"
    );
    assert_eq!(writer.rows(), 0);
    writer.write(&rows[..3]).unwrap();
    assert_eq!(writer.finish().unwrap().rows, 3);
    // Wherever the rows are cut to be written.
    for late in [255, 256, 257, ROW_GROUP_ROWS, ROW_GROUP_ROWS + 256] {
        let mut rows = vec![row("b", None); ROW_GROUP_ROWS + 300];
        rows[late] = row("a", None);
        let rows: Vec<_> = rows.iter().collect();
        let mut writer = TableWriter::<Rejects, Vec<u8>>::new(Vec::new()).unwrap();
        let error = writer.write(&rows).unwrap_err();
        assert!(matches!(error, TableError::NotSorted { row, .. } if row == late));
    }
}

#[test]
fn a_refusing_output_is_named_with_its_own_words() {
    struct Full(usize);
    impl Write for Full {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.0 < bytes.len() {
                return Err(io::Error::new(io::ErrorKind::StorageFull, "planted"));
            }
            self.0 -= bytes.len();
            Ok(bytes.len())
        }
        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }
    let row = RejectRow::default();
    for room in [0, 3, 100, 500] {
        let outcome = TableWriter::<Rejects, Full>::new(Full(room)).and_then(|mut writer| {
            writer.write(&[&row])?;
            writer.finish().map(|_| ())
        });
        let error = outcome.unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot write the table `rejects`: planted"
        );
        let TableError::Write { cause, .. } = error else {
            panic!("{error}");
        };
        assert_eq!(cause.kind(), io::ErrorKind::StorageFull);
    }
}

#[test]
fn the_metadata_says_who_wrote_what_in_which_order() {
    let metadata = metadata(&written::<Decisions>(&[&DecisionRow::default()]));
    let file = metadata.file_metadata();
    assert_eq!(file.created_by(), Some(CREATED_BY));
    let pairs: Vec<_> = file
        .key_value_metadata()
        .unwrap()
        .iter()
        .map(|pair| (pair.key.as_str(), pair.value.as_deref().unwrap()))
        .collect();
    assert_eq!(
        pairs,
        [("retrial.table", "decisions"), ("retrial.format", "1")]
    );
    let sorting = metadata.row_group(0).sorting_columns().unwrap();
    let schema = file.schema_descr();
    let names: Vec<_> = sorting
        .iter()
        .map(|column| {
            assert!(!column.descending && column.nulls_first);
            schema.column(column.column_idx as usize).path().string()
        })
        .collect();
    assert_eq!(names, ["account_id", "principal_arn", "event_time"]);
    for column in metadata.row_group(0).columns() {
        assert!(column.compression().to_string().starts_with("ZSTD"));
    }
}

#[test]
fn every_column_is_documented_once() {
    for table in tables() {
        let names: Vec<_> = table.columns.iter().map(|column| column.name).collect();
        let mut distinct = names.clone();
        distinct.sort_unstable();
        distinct.dedup();
        assert_eq!(distinct.len(), names.len(), "{}", table.name);
        for sorted_by in table.sorted_by {
            assert!(names.contains(sorted_by), "{}: {sorted_by}", table.name);
        }
        assert!(
            !names.contains(&table.folder),
            "the folder is not in the file"
        );
        for column in &table.columns {
            let snake_case = |c: char| c.is_ascii_lowercase() || c == '_';
            assert!(column.name.chars().all(snake_case), "{}", column.name);
            assert!(!column.doc.is_empty() && !column.doc.contains(['|', '\n']));
        }
    }
}
