"""Does what the analysis of HttpProxy logs in the vendor's script does.

Reads each row of each log as CSV by the names of its columns, and keeps those that carry a routing hint.
"""

import csv
import pathlib
import sys

hits = 0
for path in pathlib.Path(sys.argv[1]).rglob("*"):
    if path.is_file() and path.suffix.lower() == ".log" and "httpproxy" in str(path).lower():
        with open(path, newline="", encoding="utf-8", errors="replace") as log:
            head = None
            for row in csv.reader(line.replace("\0", "") for line in log):
                if row and row[0].startswith("#Fields:"):
                    head = [row[0][9:].strip()] + row[1:]
                elif head and row and not row[0].startswith("#"):
                    named = dict(zip(head, row))
                    if named.get("AuthenticatedUser") == "" and "ServerInfo~" in named.get("AnchorMailbox", ""):
                        hits += 1
print(hits)
