"""Runs the SQL that it is given and prints the rows as JSON: how the tests read Parquet."""

import datetime
import json
import sys

import duckdb


def plain(value):
    if isinstance(value, (datetime.datetime, datetime.date)):
        return value.isoformat()
    return str(value)


if __name__ == "__main__":
    connection = duckdb.connect()
    connection.execute("SET TimeZone = 'UTC'")
    rows = connection.execute(sys.argv[1]).fetchall()
    json.dump(rows, sys.stdout, default=plain)
