"""Logs of web servers in DuckDB: written as Parquet, or asked as they are.

    duckdb_logs.py make LOGS PARQUET THREADS
    duckdb_logs.py ask LOGS|PARQUET COLUMN TEXT THREADS

Prints how many rows were taken in, or have the text in the column. A folder that holds Parquet files is asked as such. Logs are
read together with those that begin with the same head; rows under a later head with other columns are lost.
"""

import pathlib
import sys

import duckdb

task, logs, *rest, threads = sys.argv[1:]
database = duckdb.connect(config={"threads": int(threads)})


def tables():
    groups = {}
    for path in sorted(pathlib.Path(logs).rglob("*")):
        if path.is_file():
            with open(path, encoding="utf-8-sig", errors="replace") as log:
                head = next((line for line in log if line.startswith("#Fields:")), None)
            if head is not None:
                groups.setdefault(head, []).append(str(path))
    for fields, files in groups.items():
        struct = ", ".join(f"'{name}': 'VARCHAR'" for name in fields[len("#Fields:") :].split())
        names = ", ".join("'" + file.replace("'", "''") + "'" for file in files)
        yield f"""read_csv([{names}], delim = ' ', quote = '', escape = '', comment = '#', header = false,
                           auto_detect = false, ignore_errors = true, filename = true, columns = {{{struct}}})"""


rows = 0
if task == "make":
    (folder,) = rest
    pathlib.Path(folder).mkdir(parents=True, exist_ok=True)
    for number, table in enumerate(tables()):
        rows += database.execute(f"copy (from {table}) to '{folder}/{number}.parquet' (compression zstd)").fetchone()[0]
else:
    column, text = rest
    parquet = list(pathlib.Path(logs).rglob("*.parquet"))
    sources = [f"read_parquet('{logs}/**/*.parquet')"] if parquet else tables()
    for source in sources:
        rows += database.execute(f'select count(*) from {source} where "{column}" = ?', [text]).fetchone()[0]
print(rows)
