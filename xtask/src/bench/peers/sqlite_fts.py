"""Full-text search over lines of logs in SQLite (FTS5), as responders build it who have no cluster.

    sqlite_fts.py make LOGS DATABASE
    sqlite_fts.py ask DATABASE TEXT

Prints how many lines were taken in, or hold the text.
"""

import pathlib
import sqlite3
import sys

task, *rest = sys.argv[1:]


def lines(logs):
    for path in sorted(pathlib.Path(logs).rglob("*")):
        if path.is_file():
            with open(path, encoding="utf-8-sig", errors="replace") as log:
                for line in log:
                    if not line.startswith("#"):
                        yield str(path), line.rstrip("\r\n")


if task == "make":
    logs, database = rest
    pathlib.Path(database).unlink(missing_ok=True)
    connection = sqlite3.connect(database)
    connection.execute("pragma journal_mode = off")
    connection.execute("pragma synchronous = off")
    connection.execute("create virtual table lines using fts5(path unindexed, line, tokenize = \"unicode61 tokenchars '.:'\")")
    connection.executemany("insert into lines values (?, ?)", lines(logs))
    connection.commit()
    print(connection.execute("select count(*) from lines").fetchone()[0])
else:
    database, text = rest
    connection = sqlite3.connect(f"file:{database}?mode=ro", uri=True)
    print(connection.execute("select count(*) from lines where lines match ?", [f'"{text}"']).fetchone()[0])
