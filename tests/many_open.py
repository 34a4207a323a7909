#!/usr/bin/env python3
"""200,000 connections open at once in one process that may have 20,000 descriptors: each ring has
a table of its own. That they are all open is seen from outside, in the kernel's count of sockets;
then each of them ends as scripted, and ringchurn's own memory was at most 300 bytes of each."""

import pathlib
import re
import resource
import subprocess
import tempfile

from ringchurn_testing import (DEADLINE_S, Failures, check_account, failed_verdicts, parse_json,
                               skip, start_ringchurn)

CONNECTIONS, THREADS, DESCRIPTORS = 200_000, 12, 20_000
MOST_BYTES = 300
# What the kernel takes for both ends, with room to spare: about 5 kB a socket.
NEEDED_KB = 4_000_000
# How long each connection rests when it is there. A slow machine takes longer to open them all.
RESTS = ("8s", "24s")

HOLD = """about = "The client rests as soon as it is connected."
[params]
rest = "1s"
[client]
steps = ["connect", "pause {rest}", "close"]
[server]
steps = ["accept", "recv-eof", "close"]
[kernel]
ActiveOpens = 1
PassiveOpens = 1
EstabResets = 0
TW = 1
"""


def sockets(process):
    """TCP sockets in the network of the process."""
    try:
        text = pathlib.Path(f"/proc/{process.pid}/net/sockstat").read_text(encoding="ascii")
    except OSError:
        return 0
    return int(re.search(r"^TCP: inuse (\d+)", text, re.MULTILINE)[1])


def play(scenario, rest):
    """Exit code, result, and the most sockets that were there at once."""
    process = start_ringchurn("run", "--scenario", scenario, "--set", f"rest={rest}",
                              "--connections", CONNECTIONS, "--concurrency", CONNECTIONS,
                              "--threads", THREADS, "--progress", "never", "--quiet", "--json",
                              scenario.with_suffix(".json"))
    most = 0
    while process.poll() is None:
        most = max(most, sockets(process))
        try:
            process.wait(0.1)
        except subprocess.TimeoutExpired:
            pass
    return process, most


def main():
    available = re.search(r"MemAvailable:\s+(\d+)",
                          pathlib.Path("/proc/meminfo").read_text(encoding="ascii"))
    if int(available[1]) < NEEDED_KB:
        skip(f"{available[1]} kB of memory are available, and {NEEDED_KB} are needed")
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard != resource.RLIM_INFINITY and hard < DESCRIPTORS:
        skip(f"RLIMIT_NOFILE is {hard}, and {DESCRIPTORS} are needed")
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(soft, DESCRIPTORS), DESCRIPTORS))
    failures = Failures()
    with tempfile.TemporaryDirectory() as folder:
        scenario = pathlib.Path(folder, "hold.toml")
        scenario.write_text(HOLD, encoding="utf-8")
        for rest in RESTS:
            process, most = play(scenario, rest)
            if most >= 2 * CONNECTIONS:
                break
        text, complaint = process.communicate(timeout=DEADLINE_S)
        failures.equal((process.returncode, text, complaint), (0, "", ""), "exit code, output")
        failures.check(most >= 2 * CONNECTIONS, f"{most} sockets at once, of {2 * CONNECTIONS}")
        result = parse_json(scenario.with_suffix(".json").read_text(encoding="utf-8"))
    check_account(failures, "many", result)
    failures.equal(failed_verdicts(result), {}, "verdicts")
    failures.equal(result["scenarios"][0]["client"]["finished"], CONNECTIONS, "finished")
    memory = result["cost"]["memory_bytes_per_connection"]
    failures.check(memory <= MOST_BYTES, f"{memory} bytes of our own memory for each connection")
    failures.finish(f"{CONNECTIONS:,} connections are open at once, {memory:.0f} bytes each")


main()
