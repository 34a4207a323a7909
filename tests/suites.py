#!/usr/bin/env python3
"""The suite of Google Benchmark: every teardown that the floor can play is there beside its floor,
and what it writes is read by Google Benchmark's own compare.py."""

import pathlib
import subprocess
import tempfile

from ringchurn_testing import (DEADLINE_S, RINGCHURN, TEARDOWNS, Failures, environment, parse_json,
                               skip)

SUITES = pathlib.Path(RINGCHURN).with_name("ringchurn_benchmarks")
COMPARE_PY = pathlib.Path("/usr/share/benchmark/compare.py")
DEBIAN_PYTHON = "/usr/bin/python3"  # that of its modules
# One thread cannot play them in turn: bench/README.md says why.
NO_FLOOR = {"abort-before-accept", "write-after-fin", "recv-timeout"}
PLAYED = "teardown/disconnect/connect_close"
FIGURES = ("ring_cpu_us", "floor_cpu_us", "ratio", "ratio_ci_low", "ratio_ci_high")


def run(*command):
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                          env=environment(LC_ALL="C.UTF-8"))


def check_list(failures):
    names = run(SUITES, "--benchmark_list_tests").stdout.split()
    for name in [*TEARDOWNS, "recv-timeout"]:
        is_there = any(line.split("/")[:2] == ["teardown", name] for line in names)
        failures.equal(is_there, name not in NO_FLOOR, f"teardown/{name} beside its floor")


def check_compare_py(failures, folder):
    path = folder / "suite.json"
    done = run(SUITES, f"--benchmark_filter=^{PLAYED}/|^tally_record", f"--benchmark_out={path}")
    failures.equal(done.returncode, 0, f"the suite: {done.stdout}{done.stderr}")
    rows = {row["name"]: row for row in parse_json(path.read_text(encoding="utf-8"))["benchmarks"]}
    played = [row for name, row in rows.items() if name.startswith(PLAYED)]
    failures.equal(len(played), 1, f"{PLAYED} among {list(rows)}")
    for row in played:
        failures.check(all(row[figure] > 0 for figure in FIGURES), f"figures of {row}")
        failures.check(row["ratio_ci_low"] <= row["ratio"] <= row["ratio_ci_high"], f"{row}")
    done = run(DEBIAN_PYTHON, COMPARE_PY, "--no-color", "benchmarks", path, path)
    failures.equal(done.returncode, 0, f"compare.py: {done.stdout}{done.stderr}")
    for name in rows:
        failures.check(name in done.stdout, f"compare.py does not show {name}: {done.stdout}")


def main():
    if not SUITES.exists():
        skip(f"{SUITES} is not built")
    if not COMPARE_PY.exists():
        skip(f"{COMPARE_PY} is missing: apt-get install libbenchmark-tools")
    failures = Failures()
    check_list(failures)
    with tempfile.TemporaryDirectory() as folder:
        check_compare_py(failures, pathlib.Path(folder))
    failures.finish("teardowns stand beside their floors, and compare.py reads them")


main()
