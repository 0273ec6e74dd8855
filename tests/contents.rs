//! What the tables hold is pinned, whatever they are encoded with: whoever makes the program faster changes
//! nothing here, and whoever changes what it finds sees in which columns.

use std::fmt::Write;
use std::path::Path;

use crate::support::corpora::Corpus;
use crate::support::{analyze, duckdb, root};

/// The facts of the log. All else is derived from them.
const TABLES: [&str; 7] = [
    "changes",
    "coverage",
    "decisions",
    "needs",
    "rejects",
    "sessions",
    "usage",
];

/// They name contents that are pinned elsewhere, and would make every other line of no use.
const LEFT_OUT: [&str; 2] = ["mapping_version", "snapshot_id"];

/// Of each table: its rows, and of each column how many values it has and their checksum, in which their
/// order does not count; of whole rows the same, so that no value moves from one to another.
fn contents(out: &Path) -> String {
    let mut text = String::new();
    for table in TABLES {
        if !out.join(table).exists() {
            writeln!(text, "{table}: none").unwrap();
            continue;
        }
        let rows = format!(
            "read_parquet('{table}/*/*.parquet', hive_partitioning = true, hive_types_autocast = false)"
        );
        let columns: Vec<String> = duckdb(out, &format!("DESCRIBE SELECT * FROM {rows}"))
            .iter()
            .map(|column| column[0].as_str().unwrap().to_owned())
            .filter(|column| !LEFT_OUT.contains(&column.as_str()))
            .collect();
        let sum = |of: &str| format!("count({of}), sum(md5_number_lower({of})::HUGEINT)::VARCHAR");
        let of_columns: Vec<String> = columns
            .iter()
            .map(|column| sum(&format!("\"{column}\"::VARCHAR")))
            .collect();
        let listed = columns.join("\", \"");
        let sql = format!(
            "SELECT {}, {} FROM (SELECT row(\"{listed}\")::VARCHAR AS whole, * FROM {rows})",
            sum("whole"),
            of_columns.join(", ")
        );
        let sums = duckdb(out, &sql);
        let names = std::iter::once("rows").chain(columns.iter().map(String::as_str));
        writeln!(text, "{table}").unwrap();
        for (name, sums) in names.zip(sums[0].chunks(2)) {
            let sum = sums[1].as_str().unwrap_or("-");
            writeln!(text, "  {name}: {} {sum}", sums[0]).unwrap();
        }
    }
    text
}

#[test]
fn of_the_sample_logs() {
    let out = tempfile::tempdir().unwrap();
    let logs = root().join("sample-logs");
    analyze(&logs, &logs.join("iam"), out.path(), &[]);
    insta::assert_snapshot!("of the sample logs", contents(out.path()));
}

#[test]
fn of_a_corpus_with_all_planted() {
    let out = tempfile::tempdir().unwrap();
    let corpus = Corpus::with_all_planted("4000", "44");
    analyze(&corpus.path(), &corpus.iam(), out.path(), &[]);
    insta::assert_snapshot!("of a corpus with all planted", contents(out.path()));
}
