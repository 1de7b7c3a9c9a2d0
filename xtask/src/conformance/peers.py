"""Counts what other tools read of the same files, beside what Allclear's readers said of them.

Usage: peers.py INPUTS OURS. INPUTS holds SYSTEM, mft.bin and ntfs.bin (then table.bin is written beside them); OURS the
lines that the example `records` printed of SYSTEM, mft.bin and table.bin. `peers.py prepare ARCHIVES INPUTS` takes the
inputs out of the source archives and writes table.bin. Prints a row of a Markdown table for each comparison.
"""

import collections
import gzip
import json
import pathlib
import sys
import tarfile


def prepare(archives, inputs):
    """Takes test data out of source archives; the table of files of the image is copied out by the peer."""
    wanted = {"SYSTEM.gz", "mft.bin.gz", "ntfs.bin.gz"}
    for archive in sorted(archives.glob("*.tar.gz")):
        with tarfile.open(archive) as opened:
            for member in opened:
                name = pathlib.PurePosixPath(member.name).name
                if name in wanted and member.isfile():
                    packed = opened.extractfile(member).read()
                    (inputs / name.removesuffix(".gz")).write_bytes(gzip.decompress(packed))
    from dissect.ntfs import NTFS

    with open(inputs / "ntfs.bin", "rb") as image:
        table = NTFS(image).mft.fh
        table.seek(0)
        (inputs / "table.bin").write_bytes(table.read())


def said(path):
    """What our reader said of one file: its records by source, and how much it could not read."""
    records, others = collections.defaultdict(list), collections.Counter()
    for line in path.read_text().splitlines():
        for what, value in json.loads(line).items():
            if what == "record":
                records[value["source"]].append(value["fields"])
            else:
                others[what] += 1
    return records, others


def row(what, data, peer, theirs, ours, differing):
    print(f"| {what} | {data} | {peer} | {theirs:,} | {ours:,} | {differing:,} |")


def table_of_files(name, opened, ours):
    """Every record with a name: used or deleted, and its path."""
    mine = {
        int(fields["record"].split("-")[0]): fields
        for fields in ours["files:mft"]
        if fields["kind"] != "stream"
    }
    theirs = {}
    for record in opened.segments():
        try:
            file_name = record.filename
        except Exception:  # the peer gives up on records of its own in many ways
            continue
        if not file_name or record.header.BaseFileRecordSegment.SegmentNumberLowPart:
            continue
        theirs[record.segment] = (file_name, bool(record.header.Flags & 1), record)
    differing = len(set(mine) ^ set(theirs))
    for number in set(mine) & set(theirs):
        file_name, used, record = theirs[number]
        fields = mine[number]
        path = record.full_path().replace("/", "\\").lstrip("\\") if opened.ntfs else None
        same = fields["name"] == file_name and used == ("deleted" not in fields)
        if path is not None:
            same = same and fields["TargetFilename"].split(":", 1)[1].lstrip("\\") == path
        differing += not same
    row("files, used and deleted" + (", with paths" if opened.ntfs else ""), name, "dissect.ntfs", len(theirs), len(mine), differing)


def hive(inputs, ours):
    from regipy.plugins.system.services import ServicesPlugin
    from regipy.plugins.system.shimcache import ShimCachePlugin
    from regipy.registry import RegistryHive

    opened = RegistryHive(str(inputs / "SYSTEM"))
    services = ServicesPlugin(opened, as_json=True)
    services.run()
    theirs = {service["name"] for value in services.entries.values() for service in value["services"]}
    mine = {fields["name"] for fields in ours["registry.services"]}
    row("services", "SYSTEM", "regipy", len(theirs), len(mine), len(theirs ^ mine))
    programs = ShimCachePlugin(opened, as_json=True)
    programs.run()
    theirs = {(entry["path"], entry["last_mod_date"][:19]) for entry in programs.entries}
    mine = {
        (fields["path"], fields["file_modified"][:19])
        for fields in ours["registry.shimcache"]
        if "file_modified" in fields
    }
    row("programs that Windows looked at, with times", "SYSTEM", "regipy", len(theirs), len(mine), len(theirs ^ mine))


def main():
    if sys.argv[1] == "prepare":
        return prepare(pathlib.Path(sys.argv[2]), pathlib.Path(sys.argv[3]))
    from dissect.ntfs import NTFS
    from dissect.ntfs.mft import Mft

    inputs, outputs = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
    hive(inputs, said(outputs / "SYSTEM.jsonl")[0])
    with open(inputs / "mft.bin", "rb") as table, open(inputs / "ntfs.bin", "rb") as image:
        table_of_files("mft.bin", Mft(table), said(outputs / "mft.bin.jsonl")[0])
        table_of_files("ntfs.bin", NTFS(image).mft, said(outputs / "table.bin.jsonl")[0])


main()
