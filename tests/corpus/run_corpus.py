#!/usr/bin/python3
"""Run `netflow decode` over a folder of capture cases and compare with what they should give.

    run_corpus.py [-v] [--program NETFLOW] [FOLDER]

The program defaults to netflow in $NETFLOW_BIN_DIR or on the path, the folder to $NETFLOW_CORPUS.

Classes below the folder: conformance, load (case.pcap and expected.jsonl: every event must be equal), robustness,
conformance-unconfirmed (case.pcap: no crash; differences from reference.jsonl, which binds nobody, are shown with -v)
and softflowd (captures with totals.json: sums of packets and octets by protocol). Cases of versions the decoder does not speak are
skipped with a count. Exit status 1 on a difference, 77 when there is no corpus.
"""
import argparse
import json
import os
import pathlib
import shutil
import subprocess
import sys

SUPPORTED = {"1", "5", "7", "9", "10", "sflow5"}
TIMEOUT_S = 120


class Failure(Exception):
    pass


def decode(program, capture):
    done = subprocess.run([program, "decode", str(capture)], capture_output=True, timeout=TIMEOUT_S)
    if done.returncode < 0 or b"Sanitizer" in done.stderr:
        raise Failure(f"crashed ({done.returncode}): {done.stderr[-400:].decode(errors='replace')}")
    if done.returncode not in (0, 1):
        raise Failure(f"exit status {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()], done


def read_lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file if line.strip()]


def versions(case):
    meta = json.loads((case / "meta.json").read_text(encoding="utf-8"))
    return {str(v) for v in meta.get("versions", [])}


def compare(expected, got):
    for i, (want, have) in enumerate(zip(expected, got)):
        if want != have:
            raise Failure(f"line {i + 1}: expected {str(want)[:160]} got {str(have)[:160]}")
    if len(expected) != len(got):
        extra = (expected if len(expected) > len(got) else got)[min(len(expected), len(got))]
        raise Failure(f"{len(expected)} events expected, {len(got)} got; first other: {str(extra)[:160]}")


def check_exact(program, case):
    got, done = decode(program, case / "case.pcap")
    if done.returncode:
        raise Failure(f"exit status {done.returncode}: {done.stderr[-200:].decode(errors='replace')}")
    compare(read_lines(case / "expected.jsonl"), got)


def check_robust(program, case, verbose):
    got, _ = decode(program, case / "case.pcap")
    try:
        compare(read_lines(case / "reference.jsonl"), got)
    except Failure as difference:
        if verbose:
            print(f"  note  {case.name}: differs from the reference: {difference}")


def first_number(record, *elements):
    for element in elements:
        for pen, ident, _, octets in record["fields"]:
            if (pen, ident) == element:
                return int(octets, 16)
    return 0


def summed(events, reverse):
    """{protocol: [octets, packets]} of all records, both directions of a biflow."""
    totals = {}
    for event in events:
        if event["ev"] == "v5":
            proto, octets, packets = event["prot"], event["dOctets"], event["dPkts"]
        elif event["ev"] == "record":
            proto = first_number(event, (0, 4))
            octets, packets = first_number(event, (0, 1)), first_number(event, (0, 2))
            if reverse:
                octets += first_number(event, (29305, 1))
                packets += first_number(event, (29305, 2))
        else:
            continue
        row = totals.setdefault(proto, [0, 0])
        row[0] += octets
        row[1] += packets
    return totals


def check_totals(program, folder, entry):
    capture = folder / f"{entry['traffic']}.{entry['variant']}.pcap"
    events, _ = decode(program, capture)
    records = sum(e["ev"] in ("record", "v5") for e in events)
    if records != entry["records"]:
        raise Failure(f"{entry['records']} records expected, {records} got")
    if "option_records" in entry:
        options = sum(e["ev"] == "options" for e in events)
        if options != entry["option_records"]:
            raise Failure(f"{entry['option_records']} options records expected, {options} got")
    totals = summed(events, "biflow" in entry["variant"])
    for row in entry.get("per_protocol", []):
        have = totals.get(row["proto"], [0, 0])
        if have != [row["octets"], row["packets"]]:
            raise Failure(f"protocol {row['proto']}: {row['octets']} octets in {row['packets']} packets expected, got {have}")


def cases_of(corpus, arguments):
    """(class, name, versions, check) of every case."""
    program = arguments.program
    for kind in ("conformance", "conformance-unconfirmed", "load", "robustness"):
        for case in sorted((corpus / kind).glob("*")):
            if not (case / "case.pcap").exists():
                continue
            if not (case / "expected.jsonl").exists():
                yield kind, case.name, versions(case), lambda c=case: check_robust(program, c, arguments.verbose)
            else:
                yield kind, case.name, versions(case), lambda c=case: check_exact(program, c)
    totals = corpus / "softflowd" / "totals.json"
    if totals.exists():
        for entry in json.loads(totals.read_text(encoding="utf-8")):
            name = f"{entry['traffic']}.{entry['variant']}"
            if not (totals.parent / f"{name}.pcap").exists():
                continue
            version = {"psamp": "10"}.get(entry["variant"], entry["variant"].split("-")[0].lstrip("v"))
            yield "softflowd", name, {version}, lambda e=entry: check_totals(program, totals.parent, e)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--program", default=shutil.which("netflow", path=os.environ.get("NETFLOW_BIN_DIR")))
    parser.add_argument("corpus", nargs="?", default=os.environ.get("NETFLOW_CORPUS"))
    parser.add_argument("-v", "--verbose", action="store_true")
    arguments = parser.parse_args()
    if not arguments.corpus or not pathlib.Path(arguments.corpus).is_dir():
        print("no corpus: set NETFLOW_CORPUS to its folder; skipped")
        return 77
    if not arguments.program or not os.access(arguments.program, os.X_OK):
        parser.error("no netflow program: build it, then set NETFLOW_BIN_DIR or --program")
    counts = {}
    failures = []
    for kind, name, wanted, check in cases_of(pathlib.Path(arguments.corpus), arguments):
        row = counts.setdefault(kind, [0, 0, 0])
        if kind != "robustness" and not wanted <= SUPPORTED:
            row[2] += 1
            continue
        try:
            check()
            row[0] += 1
        except (Failure, subprocess.TimeoutExpired, ValueError) as reason:
            row[1] += 1
            failures.append((kind, name, str(reason)))
    for kind, name, reason in failures:
        print(f"  FAIL  {kind}/{name}: {reason}")
    print(f"{'class':26}{'passed':>8}{'failed':>8}{'skipped':>9}")
    for kind, (passed, failed, skipped) in counts.items():
        print(f"{kind:26}{passed:8}{failed:8}{skipped:9}")
    passed, failed, skipped = (sum(row[i] for row in counts.values()) for i in range(3))
    spoken = ", ".join(sorted(SUPPORTED, key=lambda version: (len(version), version)))
    print(f"{passed} passed, {failed} failed, {skipped} skipped (versions other than {spoken})")
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
