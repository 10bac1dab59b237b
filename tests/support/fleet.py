"""Runs the SQL recipes in DuckDB and in the shell of SQLite, and prints the rows of each query.

Arguments: the folder of the recipes, and queries. The working folder has the collected lines. It fails if the engines
disagree.
"""

import json
import subprocess
import sys
from pathlib import Path

import duckdb

recipes = Path(sys.argv[1])
names = sys.argv[2:]
views = ["views.sql", "listening_ports.sql"]


def query(name):
    return (recipes / f"{name}.sql").read_text() if (recipes / f"{name}.sql").exists() else name


database = duckdb.connect()
for name in ["load-duckdb.sql", *views]:
    database.execute((recipes / name).read_text())
found = {}
for name in names:
    cursor = database.execute(query(name))
    columns = [column[0] for column in cursor.description]
    found[name] = [dict(zip(columns, row)) for row in cursor.fetchall()]

shell = ["sqlite3", "-bail", "fleet.db"]
reads = "".join(f".read {recipes / name}\n" for name in ["load-sqlite.sql", *views])
subprocess.run(shell, input=reads, text=True, check=True)
for name in names:
    run = subprocess.run([*shell, "-json"], input=query(name) + ";", stdout=subprocess.PIPE, text=True, check=True)
    rows = json.loads(run.stdout or "[]")
    assert rows == found[name], f"{name}:\nDuckDB {found[name]}\nSQLite {rows}"
print(json.dumps(found))
