#!/usr/bin/env python3
"""A connection costs no system call but io_uring_enter: under strace(1), five times the connections
cause no more of any other call, and io_uring_enter is called as often as the result says."""

import os
import pathlib
import re
import subprocess
import tempfile

from ringchurn_testing import (TEARDOWNS, Failures, environment, fail, parse_json,
                               require_programs, run_ringchurn, skip)

FEW, MANY = 5_000, 25_000
# Less than one call in 100 connections is no call per connection. A few more or fewer come from
# threads that wait for each other (futex, sched_yield), from the other processes in /proc, and from
# the result, which has more different latencies to tell of (mmap).
TOLERABLE_GROWTH = (MANY - FEW) // 100

UNDER_STRACE = "detect_leaks=0:quarantine_size_mb=0:thread_local_quarantine_size_kb=0"

THE_ONE = "io_uring_enter"
# The main thread looks every 20 ms whether the load is done: as many calls as the run has time.
PACED_BY_TIME = {"clock_nanosleep"}


def require_ptrace():
    require_programs({"strace": "strace"})
    probe = subprocess.run(["strace", "-o", os.devnull, "true"], capture_output=True, text=True,
                           check=False)
    if probe.returncode != 0:
        skip(f"strace may not trace here: {probe.stderr.strip()}")


def count_calls(summary):
    """{system call: calls} from what strace -c wrote."""
    counts = {}
    for line in summary.splitlines():
        row = re.fullmatch(r"\s*(\w+)\s+(\d+)\s*", line)
        if row and row[1] != "total":
            counts[row[1]] = int(row[2])
    return counts


def trace(folder, name, connections, arguments):
    """Calls by name, and the result, of one run. ASan's leak check does not work under strace, and
    its quarantine gives no memory back, so that writing a longer result would map ever more."""
    summary = pathlib.Path(folder, f"{name}-{connections}.calls")
    json_path = pathlib.Path(folder, f"{name}-{connections}.json")
    strace = ["strace", "-f", "-c", "-U", "name,calls", "-o", str(summary)]
    asan = os.environ.get("ASAN_OPTIONS", "")
    done = run_ringchurn("run", *arguments, "--connections", connections, "--json", json_path,
                         command=strace,
                         env=environment(ASAN_OPTIONS=f"{asan}:{UNDER_STRACE}".lstrip(":")))
    if not json_path.exists():
        fail(f"{name}: no result: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    return count_calls(summary.read_text("utf-8")), parse_json(json_path.read_text("utf-8"))


def check(failures, folder, name, arguments):
    few, _ = trace(folder, name, FEW, arguments)
    many, result = trace(folder, name, MANY, arguments)
    opened = sum(scenario["opened"] for scenario in result["scenarios"])
    failures.equal(opened, MANY, f"{name}: connections opened")
    for call in sorted((few.keys() | many.keys()) - {THE_ONE} - PACED_BY_TIME):
        grown = many.get(call, 0) - few.get(call, 0)
        failures.check(grown <= TOLERABLE_GROWTH,
                       f"{name}: {call}: {grown} more calls with {MANY - FEW:,} more connections")
    cost = result["cost"]
    failures.equal(round(cost["syscalls_per_connection"] * cost["connections"], 6), many[THE_ONE],
                   f"{name}: {THE_ONE} by the result, against strace")


def main():
    require_ptrace()
    failures = Failures()
    everything = ",".join(f"{name}=1" for name in TEARDOWNS)
    with tempfile.TemporaryDirectory() as folder:
        check(failures, folder, "all scenarios", ["--mix", everything])
        check(failures, folder, "graceful", ["--scenario", "graceful"])
        check(failures, folder, "graceful, one thread", ["--layout", "single"])
    failures.finish(f"{THE_ONE} alone is called per connection")


main()
