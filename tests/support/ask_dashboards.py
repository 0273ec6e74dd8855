"""Asks each query of `dashboards/` over an output, or each view whole, and prints name -> rows as JSON.

    ask_dashboards.py duckdb queries|views DASHBOARDS OUT    as it stands, in DuckDB
    ask_dashboards.py athena queries|views DASHBOARDS OUT    Athena's text: parsed as Athena's, run in DuckDB

For Athena, a table is made with the columns and types that its DDL states and filled from the files under
its location, by name: a column that only one side has is an error.
"""

import json
import re
import sys
from pathlib import Path

import duckdb
import sqlglot
from sqlglot import exp

from ask_duckdb import plain

PLACE = "s3://BUCKET/PREFIX/"


def connect():
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def from_athena(text):
    (statement,) = sqlglot.transpile(text, read="athena", write="duckdb", unsupported_level=sqlglot.ErrorLevel.RAISE)
    return statement


def make_table(connection, text, out):
    created = sqlglot.parse_one(text, read="athena")
    assert isinstance(created, exp.Create) and created.kind == "TABLE", text
    name = created.this.this.name
    properties = {p.name: p.args["value"].name for p in created.find_all(exp.Property) if type(p) is exp.Property}
    location = created.find(exp.LocationProperty).name
    assert location.startswith(PLACE), location
    place = Path(out) / location.removeprefix(PLACE)
    columns = [c for c in created.this.expressions]
    partition = created.find(exp.PartitionedByProperty)
    if partition:
        (folder,) = partition.this.expressions
        columns.append(folder)
        key = folder.name
        assert properties["projection.enabled"] == "true"
        assert properties[f"projection.{key}.type"] == "date"
        assert properties[f"projection.{key}.format"] == "yyyy-MM-dd"
        assert re.fullmatch(r"\d{4}-\d\d-\d\d,NOW\+1DAYS", properties[f"projection.{key}.range"])
        assert properties["storage.location.template"] == f"{location}{key}=${{{key}}}/"
        files = [f for f in place.glob("*/*.parquet") if re.fullmatch(key + r"=\d{4}-\d\d-\d\d", f.parent.name)]
    else:
        assert not properties, properties
        files = list(place.glob("*.parquet"))
    types = ", ".join(
        f'"{c.name}" {"TIMESTAMPTZ" if c.kind.sql() == "TIMESTAMP" else c.kind.sql("duckdb")}' for c in columns
    )
    connection.execute(f'CREATE TABLE "{name}" ({types})')
    if not files:
        return
    read = "read_parquet($files, hive_partitioning = $hive, hive_types_autocast = false)"
    parameters = {"files": [str(f) for f in files], "hive": bool(partition)}
    there = {row[0]: row[1] for row in connection.execute(f"DESCRIBE FROM {read}", parameters).fetchall()}
    stated = {row[0]: row[1] for row in connection.execute(f'DESCRIBE "{name}"').fetchall()}
    assert there == stated, f"{name}: {set(there.items()) ^ set(stated.items())}"
    connection.execute(f'INSERT INTO "{name}" BY NAME FROM {read}', parameters)


def athena(dashboards, out):
    """The tables and views as Athena's text makes them."""
    connection = connect()
    for path in sorted((dashboards / "athena/tables").glob("*.sql")):
        make_table(connection, path.read_text(), out)
    for path in sorted((dashboards / "athena/views").glob("*.sql")):
        connection.execute(from_athena(path.read_text()))
    return connection


def as_it_stands(dashboards, out):
    """The tables and views as `views.sql` makes them."""
    connection = connect()
    connection.execute("SET VARIABLE retrial_out = $out", {"out": out})
    connection.execute((dashboards / "duckdb/views.sql").read_text())
    return connection


engine, what, dashboards, out = sys.argv[1:]
dashboards = Path(dashboards)
connection = {"duckdb": as_it_stands, "athena": athena}[engine](dashboards, out)
if what == "views":
    questions = {
        path.stem: f"SELECT * FROM {path.stem} ORDER BY ALL" for path in (dashboards / "duckdb/views").glob("*.sql")
    }
else:
    questions = {path.stem: path.read_text() for path in (dashboards / engine / "queries").glob("*.sql")}
    if engine == "athena":
        questions = {name: from_athena(text) for name, text in questions.items()}
json.dump(
    {name: connection.execute(text).fetchall() for name, text in questions.items()},
    sys.stdout,
    default=plain,
)
