#!/usr/bin/env python3
"""scripts/peers on a small scale: on the wire ours plays the teardown that the peer plays, every
connection that was asked for is there, and the ratios are those of the turns that it tells. A
peer that fails does not spoil the others. What is wrong with its command line is told in one
line."""

import json
import os
import pathlib
import shutil
import statistics
import subprocess
import sys
import tempfile

from ringchurn_testing import DEADLINE_S, RINGCHURN, SOURCE, Failures, environment, fail, skip

CONNECTIONS = 500
PEERS = {"wrk": "wrk", "ab": "apache2-utils", "httperf": "httperf"}
# Who resets has read the answer, and does not wait for the server's FIN: that may come later.
TEARDOWN = ("server FIN, then client FIN",)
# httperf closes when it has read what Content-Length says, and does not wait for the FIN.
TEARDOWN_RACE = ("client FIN, then server FIN",)
TEARDOWN_BY_RESET = ("server FIN, then client RST", "client RST, then server FIN")
CANNOT_RUN, USAGE = 1, 2


def peers(*arguments):
    return subprocess.run([sys.executable, str(SOURCE / "scripts" / "peers"), *arguments],
                          capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                          env=environment())


def check_bad_input(failures):
    for arguments, words in ((["--rounds", "0"], ["--rounds", "'0'", "1 to 50"]),
                             (["--peers", "wrk,abc"], ["'abc'", "wrk, ab, httperf"]),
                             (["--ringchurn", "/nowhere"], ["/nowhere", "build it"]),
                             (["--neper", "/nowhere"], ["/nowhere/tcp_crr"]),
                             (["-o", "/nowhere/result.json"], ["/nowhere/result.json", "write"]),
                             (["-o", "/"], ["'/'", "directory"]),
                             (["--bogus"], ["--bogus", "--help"])):
        if "--ringchurn" not in arguments:
            arguments = ["--ringchurn", RINGCHURN, *arguments]
        done = peers(*arguments)
        failures.equal((done.returncode, done.stdout), (USAGE, ""), f"{arguments}: exit code")
        failures.check(done.stderr.count("\n") == 1 and all(word in done.stderr for word in words),
                       f"{arguments}: {done.stderr!r} is not one line with {words}")


def check_nothing_half_written(failures, folder, healthy):
    """Where there is nothing to tell, the result that was there is left, and none is begun."""
    old, new = folder / "old.json", folder / "new.json"
    old.write_text("old", encoding="ascii")
    for path in (old, new):
        for arguments, exit_code in ((["--rounds", "0"], USAGE),
                                     (["--ringchurn", "/nowhere"], USAGE),
                                     (["--ringchurn", "/bin/false"], CANNOT_RUN)):
            done = peers("--ringchurn", RINGCHURN, "-o", str(path), "--peers", healthy, *arguments)
            failures.equal(done.returncode, exit_code, f"-o {path.name} {arguments}: exit code")
            failures.equal(({found.name for found in folder.iterdir()}, old.read_bytes()),
                           ({"old.json"}, b"old"), f"-o {path.name} {arguments}: what is left")
            failures.equal(done.stderr.count("\n"), 1, f"-o {path.name} {arguments}: lines")


def check_failing_peer(failures, folder, healthy):
    """A peer that fails is named, and the others are compared all the same."""
    path, output = folder / "tcp_crr", folder / "beside-a-failing-peer.json"
    path.write_text("#!/bin/sh\nexit 3\n", encoding="ascii")
    path.chmod(0o755)
    done = peers("--ringchurn", RINGCHURN, "--rounds", "1", "--connections", str(CONNECTIONS),
                 "--peers", healthy, "--neper", str(folder), "-o", str(output))
    failures.equal((done.returncode, done.stderr), (0, ""), "beside a failing peer: exit code")
    if done.returncode != 0:
        return
    result = json.loads(output.read_text(encoding="utf-8"))
    failures.check(result["comparisons"] and
                   all(healthy in comparison["theirs"]["name"]
                       for comparison in result["comparisons"]),
                   f"beside a failing peer: {result['comparisons']}")
    failures.equal(len(result["missing"]), 2, "a failing peer, in two teardowns")
    for missing in result["missing"]:
        failures.check("neper tcp_crr" in missing and "exit codes [3, 3]" in missing and
                       f"left out: {missing}\n" in done.stdout, f"a failing peer: {missing}")


def check_comparison(failures, comparison):
    name = comparison["theirs"]["name"]
    wanted = TEARDOWN_BY_RESET if "--close-with-reset" in name else TEARDOWN
    if name == "httperf":
        wanted += TEARDOWN_RACE
    for who in ("ours", "theirs"):
        teardown = comparison[who]["teardown"]
        failures.check(teardown.startswith(tuple(f"{story}:" for story in wanted)),
                       f"{name}, {who}: {teardown!r}")
        for turns in comparison["rounds"]:
            failures.equal(len(turns[who]), 2, f"{name}, {who}: turns of a round")
            for turn in turns[who]:
                failures.check(turn["connections"] >= CONNECTIONS, f"{name}, {who}: {turn}")
    figures = {"connections_per_second", "client_cpu_us_per_connection",
               "server_cpu_us_per_connection"}
    failures.equal(set(comparison["ratios"]), figures, f"{name}: figures")
    for figure, ratios in comparison["ratios"].items():
        each = [sum(turn[figure] for turn in turns["ours"]) /
                sum(turn[figure] for turn in turns["theirs"]) for turns in comparison["rounds"]]
        failures.equal((ratios["rounds"], ratios["median"], ratios["low"], ratios["high"]),
                       (each, statistics.median(each), min(each), max(each)), f"{name}: {figure}")
        failures.check(min(each) > 0, f"{name}: {figure}: {each}")


def main():
    os.environ["PATH"] += ":/usr/sbin"
    present = [name for name in PEERS if shutil.which(name)]
    if not shutil.which("nginx") or not present:
        skip("nginx, or each of its clients, is missing: apt-get install nginx-light "
             + " ".join(PEERS.values()))
    failures = Failures()
    check_bad_input(failures)
    with tempfile.TemporaryDirectory() as folder:
        check_nothing_half_written(failures, pathlib.Path(folder), present[0])
        path = pathlib.Path(folder, "result.json")
        done = peers("--ringchurn", RINGCHURN, "--rounds", "1", "--connections", str(CONNECTIONS),
                     "-o", str(path))
        if "no network namespace may be made here" in done.stderr:
            skip(done.stderr.strip())
        if done.returncode != 0:
            fail(f"exit code {done.returncode}: {done.stdout}{done.stderr}")
        result = json.loads(path.read_text(encoding="utf-8"))
        usual = peers("--ringchurn", RINGCHURN, "--rounds", "1", "--connections", str(CONNECTIONS),
                      "--peers", present[0], "--default-ports")
        check_failing_peer(failures, pathlib.Path(folder), present[0])
    failures.check("ip_local_port_range 1024 65535" in result["client_ports"] and
                   result["client_ports"] in done.stdout, f"ports: {result['client_ports']}")
    failures.check("ip_local_port_range 32768 60999" in usual.stdout,
                   f"--default-ports: {usual.stdout}{usual.stderr}")
    expected = len(present) + ("httperf" in present)
    failures.equal(len(result["comparisons"]), expected, f"comparisons with {present}")
    failures.equal(len(result["missing"]), len(PEERS) - len(present), result["missing"])
    for comparison in result["comparisons"]:
        failures.check(comparison["theirs"]["version"] in done.stdout, "the version is printed")
        check_comparison(failures, comparison)
    failures.finish("peers play one teardown, and the ratios are those of their turns")


main()
