//! The tables are a frozen format: a change of a schema shows here, and must be one that only adds.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "tests may fail loudly"
)]

use std::io::Write;

use parquet::file::reader::{FileReader, SerializedFileReader};
use parquet::schema::printer::print_schema;
use retrial_tables::{
    ActionSets, Changes, Coverage, Decisions, Findings, Needs, Permissions, Rejects, RoleNeeds,
    Sessions, Table, TableWriter, Usage, WhatIfs, schema_markdown,
};

/// The Parquet schema of a file of `T`, as a reader sees it.
fn schema<T: Table>() -> String {
    let writer = TableWriter::<T, Vec<u8>>::new(Vec::new()).unwrap();
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(&writer.finish().unwrap().output).unwrap();
    let reader = SerializedFileReader::new(file).unwrap();
    let mut text = Vec::new();
    let root = reader
        .metadata()
        .file_metadata()
        .schema_descr()
        .root_schema();
    print_schema(&mut text, root);
    String::from_utf8(text).unwrap()
}

#[test]
fn schemas_stay_as_they_are() {
    let schemas = [
        schema::<Decisions>(),
        schema::<Sessions>(),
        schema::<Needs>(),
        schema::<Changes>(),
        schema::<Coverage>(),
        schema::<Rejects>(),
        schema::<Usage>(),
        schema::<Permissions>(),
        schema::<ActionSets>(),
        schema::<WhatIfs>(),
        schema::<RoleNeeds>(),
        schema::<Findings>(),
        schema::<RoleNeeds>(),
    ];
    let actual = schemas.concat();
    assert!(
        actual == include_str!("schemas.txt"),
        "the schemas are not those of tests/schemas.txt; they are:\n{actual}"
    );
}

#[test]
fn the_page_is_made_from_the_columns() {
    let expected = schema_markdown();
    assert!(
        expected == include_str!("../README.md"),
        "crates/tables/README.md is out of date; the command in it makes it anew"
    );
}
