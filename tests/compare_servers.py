#!/usr/bin/env python3
"""`ringchurn compare --server`: starts two servers in networks of their own, where both may listen on
the same port, compares what one scenario costs them, and ends them. A server that never listens is
told in one line, and a daemon is found by its listener."""

import os
import pathlib
import subprocess
import sys
import tempfile

from ringchurn_testing import Failures, comparison_of, failed_verdicts, run_ringchurn

SERVERS = pathlib.Path(__file__).resolve().parent / "servers.py"


def server(*options):
    return f"exec {sys.executable} {SERVERS} {' '.join(options)}"


def is_running(marker):
    """Whether a process is left whose command line has the marker."""
    found = subprocess.run(["pgrep", "-f", marker], capture_output=True, text=True, check=False)
    return [pid for pid in found.stdout.split() if int(pid) != os.getpid()] != []


def check_looks(failures, comparison):
    """It looked until half the interval was at most what was asked for, or the time was over."""
    resolution, arm = comparison["resolution"], comparison["arms"][0]
    looks = resolution["looks"]
    failures.equal((resolution["asked"], resolution["max_time_s"]), (0.05, 2), "resolution")
    failures.equal(resolution["reached"], resolution["half_width"] <= 0.05, "reached")
    failures.check(resolution["reached"] or comparison["measured_s"] >= 2, "it ended before time")
    failures.check(looks and all(look["half_width"] > 0.05 for look in looks[:-1]),
                   f"it went on though it had reached the resolution: {looks}")
    failures.equal(looks[-1]["blocks"], comparison["blocks"], "blocks of the last look")
    for width in (looks[-1]["half_width"], (arm["ci_high"] - arm["ci_low"]) / 2):
        failures.check(abs(resolution["half_width"] - width) < 1e-12, f"half-width {width}")


def check_comparison(failures, folder):
    # The names of files that nobody else has: by them the processes are known again.
    small, large = folder / "small-peers", folder / "large-peers"
    commands = [server("--body", "1000", "--peers-file", str(small)),
                # As a daemon: the command ends, what it started goes on.
                "(" + server("--body", "60000", "--peers-file", str(large)) + ") & sleep 0.2"]
    code, result = comparison_of("compare", "--server", commands[0], "--server", commands[1],
                                 "--scenario", "http-close", "--resolution", "5%", "--max-time",
                                 "2s")
    failures.equal((code, failed_verdicts(result)), (0, {}), "comparison: exit code, verdicts")
    comparison = result["comparison"]
    failures.equal(comparison["whose"], "the server's processes", "whose CPU")
    failures.equal((comparison["baseline"], [arm["name"] for arm in comparison["arms"]]),
                   (commands[0], [commands[1]]), "arms")
    for value in (comparison["baseline_value"], comparison["arms"][0]["value"]):
        failures.check(value > 0, f"CPU per connection: {value}")
    check_looks(failures, comparison)
    ledger = result["scenarios"][0]["client"]
    failures.check(ledger["opened"] > 100, f"connections: {ledger['opened']}")
    failures.equal(ledger["finished"], ledger["opened"], "connections that finished")
    failures.equal(result["context"]["side"], "client", "side")
    for peers in (small, large):
        failures.check(peers.read_text(encoding="ascii") != "", f"nobody came to {peers.name}")
        failures.check(not is_running(str(peers)), f"the server of {peers.name} is still there")


def check_refusal(failures, what, arguments, code, words):
    done = run_ringchurn("compare", *arguments, "--duration", "1s")
    failures.equal((done.returncode, done.stdout), (code, ""), f"{what}: exit code, output")
    failures.equal(done.stderr.count("\n"), 1, f"{what}: lines: {done.stderr}")
    failures.check(words in done.stderr, f"{what}: '{words}' is not in: {done.stderr}")


def main():
    failures = Failures()
    with tempfile.TemporaryDirectory() as name:
        check_comparison(failures, pathlib.Path(name))
    check_refusal(failures, "ends at once", ["--server", "true", "--server", "true"], 1,
                  "ended without listening on TCP")
    check_refusal(failures, "one alone", ["--server", "true"], 2, "nothing to be compared with")
    check_refusal(failures, "arms, too", ["graceful", "rst-client", "--server", "true", "--server",
                                          "true"], 2, "leave the arms out")
    check_refusal(failures, "on the host", ["--server", "true", "--server", "true", "--lab",
                                            "host"], 2, "leave --lab out")
    failures.finish("two servers are compared, and gone")


main()
