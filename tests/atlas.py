#!/usr/bin/env python3
"""`ringchurn atlas` from outside: which scenarios a word stands for, that what no expectation allows
is told and makes exit code 3, that the story of one connection is one to paste into a bug report,
and that an interrupt leaves the part that was done."""

import os
import pathlib
import platform
import re
import signal
import tempfile
import time

from ringchurn_testing import (DEADLINE_S, Failures, builtin_folders, builtin_text, fail,
                               parse_json, result_of, run_ringchurn, start_ringchurn)

GOOD, UNEXPECTED, INTERRUPTED = 0, 3, 130

# No kernel says EXDEV to a receive, and none counts so many RSTs for one connection.
WRONG = """about = "A file that expects what never comes."
[client]
steps = ["connect", "send 1", "recv -> EXDEV", "close"]
[server]
steps = ["accept", "recv 1", "linger 0", "close"]
[kernel]
OutRsts = 7
"""
RESTING = """about = "It rests."
[client]
steps = ["connect", "pause 20s", "close"]
[server]
steps = ["accept", "recv-eof", "close"]
"""


def check_selection(failures):
    folders = builtin_folders()
    in_pipe = sorted(name for name, folder in folders.items() if folder == "pipe")
    exit_code, result = result_of("atlas", "pipe/", "graceful", "graceful", "--runs", 2)
    failures.equal(exit_code, GOOD, "exit code of a folder and a name")
    failures.equal(sorted(entry["name"] for entry in result["scenarios"]),
                   sorted([*in_pipe, "graceful"]), "scenarios of a folder and a name")
    exit_code, result = result_of("atlas", "S001-13", "--runs", 2)
    failures.equal(exit_code, GOOD, "exit code of a claim")
    bearing = [name for name in folders if re.search("^S001-13 ", builtin_text(name), re.MULTILINE)]
    failures.equal(sorted(entry["name"] for entry in result["scenarios"]), sorted(bearing),
                   "scenarios of a claim")
    verdicts = {claim["id"]: claim["verdict"] for claim in result["claims"]}
    failures.equal(verdicts["S001-13"], "wrong", "the claim's verdict")
    # Only part of what bears on the others was played.
    whole = run_ringchurn("atlas", "graceful", "--runs", 1).stdout
    failures.check("CLAIMS" not in whole and "Part of the evidence on" in whole,
                   f"a verdict on part of the evidence: {whole}")


def check_unexpected(failures, folder):
    path = folder / "wrong.toml"
    path.write_text(WRONG, encoding="utf-8")
    done = run_ringchurn("atlas", path, "--engine", "syscall")
    failures.equal(done.returncode, UNEXPECTED, "exit code where nothing is as expected")
    text = re.sub(r"\s+", " ", done.stdout)
    for part in ("UNEXPECTED wrong", "client 3 recv: expected EXDEV, got ECONNRESET in 20 of 20",
                 "OutRsts: expected 140, measured 20", "1 NOT as expected"):
        failures.check(part in text, f"the report lacks {part!r}: {done.stdout}")
    exit_code, result = result_of("atlas", path, "--runs", 5)
    failures.equal(exit_code, UNEXPECTED, "exit code with --json -")
    entry = result["scenarios"][0]
    failures.equal((entry["expected"], entry["runs"]), (False, 5), "expected and runs")
    failures.equal(entry["outcomes"][2]["answers"],
                   [{"outcome": "ECONNRESET", "count": 5, "expected": False}], "answers")
    done = run_ringchurn("atlas", "--explain", path)
    failures.equal(done.returncode, UNEXPECTED, "exit code of the story")
    failures.check("expected EXDEV" in done.stdout and "never reached: client 4 close" in done.stdout,
                   f"the story does not say what was unexpected: {done.stdout}")


def check_story(failures):
    done = run_ringchurn("atlas", "--explain", "recv-after-reset", "--engine", "syscall")
    failures.equal(done.returncode, GOOD, "exit code of a story")
    text = re.sub(r" +", " ", done.stdout)
    for part in ("reset/recv-after-reset\n", f"Linux {platform.release()} ", "ringchurn ",
                 "\nby io_uring, as expected\n", "\nby plain system calls, as expected\n",
                 " client server\n", "5 recv -> ECONNRESET (104),", " OutRsts 1 1 yes\n",
                 " TCPAbortOnClose 1 1 yes\n"):
        failures.check(part in text, f"the story lacks {part!r}: {done.stdout}")
    story = done.stdout.partition("by plain system calls")[0]
    times = [float(time_ms) for time_ms in re.findall(r"^ +(\d+\.\d{3})  ", story, re.MULTILINE)]
    failures.check(len(times) > 10 and times == sorted(times), f"not in time order: {times}")
    failures.check(all(len(line) <= 80 for line in done.stdout.splitlines()), "lines of the story")


def wait_until_under_way(process):
    """Until it has a process that plays a scenario."""
    children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
    deadline = time.monotonic() + DEADLINE_S
    while not children.read_text(encoding="ascii"):
        if process.poll() is not None or time.monotonic() > deadline:
            fail(f"nothing was played: {process.communicate()}")
        time.sleep(0.01)


def check_interrupted(failures, folder):
    resting, path = folder / "resting.toml", folder / "interrupted.json"
    resting.write_text(RESTING, encoding="utf-8")
    process = start_ringchurn("atlas", "graceful", resting, "--json", path)
    wait_until_under_way(process)
    began = time.monotonic()
    process.send_signal(signal.SIGINT)
    text, complaint = process.communicate(timeout=DEADLINE_S)
    failures.equal(process.returncode, INTERRUPTED, f"exit code when interrupted: {complaint}")
    failures.check(time.monotonic() - began < 5, "an interrupted atlas does not end")
    if not path.exists():
        fail(f"no result when interrupted: {text}{complaint}")
    result = parse_json(path.read_text(encoding="utf-8"))
    failures.equal(result["interrupted"], True, "interrupted, in the result")
    skipped = {entry["name"]: entry["skipped"] for entry in result["scenarios"]}
    failures.check(skipped["resting"] is not None, "what was interrupted counts as played")
    failures.check("Interrupted" in text, f"the report does not say so: {text}")
    failures.equal([name for name in os.listdir(folder) if ".tmp-" in name], [], "temporary files")


def main():
    failures = Failures()
    check_selection(failures)
    check_story(failures)
    with tempfile.TemporaryDirectory() as folder:
        check_unexpected(failures, pathlib.Path(folder))
        check_interrupted(failures, pathlib.Path(folder))
    failures.finish("the atlas tells what was played and what was not as expected")


main()
