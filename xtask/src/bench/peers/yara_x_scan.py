"""Scans all files below a folder with YARA-X, as its own library does it.

    yara_x_scan.py RULES.yar FOLDER THREADS

Prints a line for each match: the rule and the path.
"""

import pathlib
import sys
import threading

import yara_x

rules_path, folder, threads = sys.argv[1], sys.argv[2], int(sys.argv[3])
compiler = yara_x.Compiler()
compiler.add_source(pathlib.Path(rules_path).read_text(encoding="utf-8"))
rules = compiler.build()
files = [str(path) for path in sorted(pathlib.Path(folder).rglob("*")) if path.is_file()]
following = iter(files)
taking = threading.Lock()
found = []


def scan():
    scanner = yara_x.Scanner(rules)
    while True:
        with taking:
            path = next(following, None)
        if path is None:
            return
        for rule in scanner.scan_file(path).matching_rules:
            found.append(f"{rule.identifier} {path}")


workers = [threading.Thread(target=scan) for _ in range(threads)]
for worker in workers:
    worker.start()
for worker in workers:
    worker.join()
print("\n".join(sorted(found)))
