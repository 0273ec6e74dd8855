//! All tables and columns as data, for the documentation, the SQL checks and the tests.

use std::fmt::Write;

use crate::rows::changes::Changes;
use crate::rows::coverage::Coverage;
use crate::rows::decisions::Decisions;
use crate::rows::findings::Findings;
use crate::rows::needs::Needs;
use crate::rows::permissions::{ActionSets, Permissions};
use crate::rows::rejects::Rejects;
use crate::rows::role_needs::RoleNeeds;
use crate::rows::sessions::Sessions;
use crate::rows::usage::Usage;
use crate::rows::what_if::WhatIfs;
use crate::table::Table;

/// What is said about a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TableDescription {
    /// Its name, which is its folder's.
    pub name: &'static str,
    /// What a row is.
    pub doc: &'static str,
    /// The Hive column of its folders.
    pub folder: &'static str,
    /// The columns its rows are sorted by within each row group.
    pub sorted_by: &'static [&'static str],
    /// Its columns, in order.
    pub columns: Vec<ColumnDescription>,
}

/// What is said about a column.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ColumnDescription {
    /// Its name.
    pub name: &'static str,
    /// Its type, as DuckDB prints it.
    pub sql_type: &'static str,
    /// Whether it can be null.
    pub nullable: bool,
    /// What it means.
    pub doc: &'static str,
}

/// All tables, facts of the log first.
pub fn tables() -> Vec<TableDescription> {
    vec![
        describe::<Decisions>(),
        describe::<Sessions>(),
        describe::<Needs>(),
        describe::<Changes>(),
        describe::<Usage>(),
        describe::<Coverage>(),
        describe::<Rejects>(),
        describe::<Permissions>(),
        describe::<Findings>(),
        describe::<ActionSets>(),
        describe::<WhatIfs>(),
        describe::<RoleNeeds>(),
    ]
}

fn describe<T: Table>() -> TableDescription {
    TableDescription {
        name: T::NAME,
        doc: T::DOC,
        folder: T::FOLDER,
        sorted_by: T::SORTED_BY,
        columns: T::COLUMNS
            .iter()
            .map(|column| ColumnDescription {
                name: column.name(),
                sql_type: column.kind().sql(),
                nullable: column.nullable(),
                doc: column.doc(),
            })
            .collect(),
    }
}

const INTRODUCTION: &str = "\
# The tables

What Retrial writes under `--out`, as Parquet (zstd) in Hive folders: `<table>/<folder>=<value>/…`.
Timestamps are UTC. Rows are sorted within row groups; null comes first. A list or map is never null:
what has nothing in it is empty.

<!-- Written by `cargo run --release -p retrial-tables --example schema > crates/tables/README.md`
from the columns in `src/rows`; a test compares. -->
";

/// The page `crates/tables/README.md`.
pub fn schema_markdown() -> String {
    let mut page = INTRODUCTION.to_owned();
    for table in tables() {
        // Writing to a `String` cannot fail.
        let _ = write_table(&mut page, &table);
    }
    page
}

fn write_table(page: &mut String, table: &TableDescription) -> std::fmt::Result {
    writeln!(page, "\n## `{}`\n\n{}\n", table.name, table.doc)?;
    let sorted_by = table.sorted_by.join("`, `");
    writeln!(
        page,
        "Folders: `{}`. Sorted by `{sorted_by}`.\n",
        table.folder
    )?;
    writeln!(
        page,
        "| column | type | null | meaning |\n|---|---|---|---|"
    )?;
    for column in &table.columns {
        let null = if column.nullable { "yes" } else { "no" };
        let ColumnDescription {
            name,
            sql_type,
            doc,
            ..
        } = column;
        writeln!(page, "| `{name}` | `{sql_type}` | {null} | {doc} |")?;
    }
    Ok(())
}
