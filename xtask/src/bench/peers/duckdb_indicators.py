"""Counts rows of logs whose client address, path or user agent is on a list of typed indicators.

    duckdb_indicators.py LOGS INDICATORS.csv THREADS SEPARATOR ADDRESS PATH AGENT

The last three are the names of the columns. Logs are read together with those that begin with the same head.
"""

import pathlib
import sys

import duckdb

logs, indicators, threads, separator, *columns = sys.argv[1:]
kinds = ["ip", "url_path", "user_agent"]
database = duckdb.connect(config={"threads": int(threads)})
database.execute(
    "create table indicators as select type, lower(value) as value from read_csv(?, header = true, all_varchar = true)",
    [indicators],
)
groups = {}
for path in sorted(pathlib.Path(logs).rglob("*")):
    if path.is_file():
        with open(path, encoding="utf-8-sig", errors="replace") as log:
            head = next((line for line in log if line.startswith("#Fields:")), None)
        if head is not None:
            groups.setdefault(head, []).append(str(path))
hits = 0
for fields, files in groups.items():
    names = fields[len("#Fields:") :].strip().split(separator)
    wanted = " or ".join(
        f"lower(\"{column}\") in (select value from indicators where type = '{kind}')"
        for column, kind in zip(columns, kinds)
    )
    struct = ", ".join(f"'{name}': 'VARCHAR'" for name in names)
    hits += database.execute(
        f"""
        select count(*)
        from read_csv($files, delim = $separator, quote = $quote, escape = $quote, comment = '#', header = false,
                      auto_detect = false, ignore_errors = true, columns = {{{struct}}})
        where {wanted}
        """,
        {"files": files, "separator": separator, "quote": '"' if separator == "," else ""},
    ).fetchone()[0]
print(hits)
