//! `usage` is what its documentation says: a GROUP BY of `decisions`.

use std::fs;

use crate::support::corpora::Corpus;
use crate::support::{analyze, duckdb, root};

/// The query in the documentation of the table.
fn documented() -> String {
    let page = fs::read_to_string(root().join("crates/tables/README.md")).unwrap();
    let section = page
        .split("## `usage`")
        .nth(1)
        .expect("the table is documented");
    let block = section.split("```sql\n").nth(1).expect("with its query");
    block.split("```").next().unwrap().to_owned()
}

#[test]
fn is_the_query_of_its_documentation() {
    let corpus = Corpus::with_all_planted("6000", "66");
    let folder = tempfile::tempdir().unwrap();
    analyze(&corpus.path(), &corpus.iam(), folder.path(), &[]);
    let read = |table: &str| {
        format!(
            "SELECT * FROM read_parquet('{table}/*/*.parquet', hive_partitioning = true, hive_types_autocast = false)"
        )
    };
    let sums = "SELECT event_date, account_id, principal_arn, principal_type, action, resource_arn, required, sum(calls) AS calls, sum(succeeded) AS succeeded, sum(denied) AS denied, sum(failed_after_authorization) AS failed_after_authorization, sum(failed) AS failed, min(first_time) AS first_time, max(last_time) AS last_time, first(event_id ORDER BY first_time NULLS LAST, event_id NULLS LAST) AS event_id FROM usage GROUP BY event_date, account_id, principal_arn, principal_type, action, resource_arn, required";
    let sql = format!(
        "WITH decisions AS ({}), usage AS ({}), wanted AS ({}), found AS ({sums}) SELECT (SELECT count(*) FROM found), (SELECT count(*) FROM (FROM found EXCEPT ALL FROM wanted)), (SELECT count(*) FROM (FROM wanted EXCEPT ALL FROM found))",
        read("decisions"),
        read("usage"),
        documented()
    );
    let counts = duckdb(folder.path(), &sql);
    assert!(counts[0][0].as_u64().unwrap() > 1000);
    assert_eq!(counts[0][1], 0, "rows that the query does not give");
    assert_eq!(counts[0][2], 0, "rows that only the query gives");
}
