#!/usr/bin/env python3
"""A run that does not come to its planned end still gives its account: interrupted by SIGINT, by
SIGTERM or by Ctrl-C on a terminal, or stalled by a peer that never answers. The text and the JSON
are complete and say what happened, and every ledger closes."""

import os
import pathlib
import signal
import subprocess
import tempfile
import time

from ringchurn_testing import (DEADLINE_S, Failures, Terminal, active_opens, check_account,
                               fail, failed_verdicts, parse_json, start_ringchurn)

INTERRUPTED, VERDICT_FAILED = 130, 3
# An interrupted run waits a second for what is under way. It was asked for 30 s.
PROMPT_S = 5

# Both send and nobody reads: no buffer holds that much, so neither send ever ends.
STALLING = """about = "Neither end reads what the other must get rid of."
[client]
steps = ["connect", "send 1000000000", "close"]
[server]
steps = ["accept", "send 1000000000", "close"]
"""
RESTING = """about = "The client rests for longer than anybody wants to wait."
[client]
steps = ["connect", "pause 60s", "close"]
[server]
steps = ["accept", "recv-eof", "close"]
"""


def connections_opened(process):
    """ActiveOpens in the namespace of the process, if that is not our own."""
    try:
        namespace = os.readlink(f"/proc/{process.pid}/ns/net")
        opened = active_opens(process.pid)
    except OSError:
        return 0
    return opened if namespace != os.readlink("/proc/self/ns/net") else 0


def wait_until_under_way(process):
    deadline = time.monotonic() + DEADLINE_S
    while connections_opened(process) == 0:
        if process.poll() is not None:
            fail(f"ended before it began: exit code {process.returncode}: {process.stderr.read()}")
        if time.monotonic() > deadline:
            fail("no connection was opened")
        time.sleep(0.01)


def check_interrupted(failures, folder, what, arguments, signal_number):
    """The signal in the middle of a run: exit code 130, and a complete result that says so."""
    path = folder / "interrupted.json"
    process = start_ringchurn(*arguments, "--json", str(path))
    wait_until_under_way(process)
    sent = time.monotonic()
    process.send_signal(signal_number)
    try:
        text, complaint = process.communicate(timeout=DEADLINE_S)
    except subprocess.TimeoutExpired:
        process.kill()
        fail(f"{what}: does not end")
    took_s = time.monotonic() - sent
    failures.check(took_s < PROMPT_S, f"{what}: took {took_s:.1f} s to end")
    failures.equal(process.returncode, INTERRUPTED, f"{what}: exit code")
    failures.equal(complaint, "", f"{what}: stderr")
    failures.check("Interrupted: " in text, f"{what}: the text does not say so: {text!r}")
    failures.check("CONNECTIONS" in text and "VERDICTS" in text, f"{what}: half a report: {text!r}")
    result = parse_json(path.read_text(encoding="utf-8"))
    failures.equal(result["interrupted"], True, f"{what}: interrupted in the JSON")
    failures.equal([v["ok"] for v in result["verdicts"] if v["name"] == "load completed"],
                   [False] if "run" in arguments else [], f"{what}: load completed")
    failures.equal(list(folder.iterdir()), [path], f"{what}: files that are left behind")
    check_account(failures, what, result)
    path.unlink()
    return result


def check_signals(failures, folder):
    for name in ("SIGINT", "SIGTERM"):
        for command in ("run", "compare"):
            result = check_interrupted(failures, folder, f"{command}, {name}",
                                       [command, "--duration", "30s"], getattr(signal, name))
            failures.equal("comparison" in result, command == "compare", f"{command}: comparison")


def check_bill(failures, folder):
    """The load is over, and its bill is being measured."""
    path = folder / "bill.json"
    process = start_ringchurn("run", "--connections", "100", "--bill", "--json", str(path))
    wait_until_under_way(process)
    time.sleep(1)
    process.send_signal(signal.SIGTERM)
    text, complaint = process.communicate(timeout=DEADLINE_S)
    failures.equal((process.returncode, complaint), (INTERRUPTED, ""), "a bill: exit code, stderr")
    result = parse_json(path.read_text(encoding="utf-8"))
    failures.equal((result["interrupted"], failed_verdicts(result)), (True, {}), "a bill: result")
    failures.check("the run was interrupted" in text, f"a bill: {text}")
    path.unlink()


def check_rest(failures, folder, scenario):
    """Connections that are in a long pause are given up, and counted as open."""
    result = check_interrupted(failures, folder, "in a pause, SIGINT",
                               ["run", "--scenario", scenario, "--connections", "100"],
                               signal.SIGINT)
    for side in ("client", "server"):
        ledger = result["scenarios"][0][side]
        failures.equal(ledger["open_at_deadline"], ledger["opened"], f"in a pause: {side}")


def check_stall(failures, process):
    """A peer that never answers: the run ends by itself, and what hangs is accounted for."""
    text, complaint = process.communicate(timeout=DEADLINE_S)
    failures.equal(process.returncode, VERDICT_FAILED, f"a stall: exit code: {complaint}")
    result = parse_json(text)
    failures.equal(result["interrupted"], False, "a stall: interrupted")
    for side in ("client", "server"):
        failures.equal(result["scenarios"][0][side],
                       {"opened": 2, "finished": 0, "unexpected": 0, "open_at_deadline": 2},
                       f"a stall: the {side}'s ledger")
    failures.equal(list(failed_verdicts(result)), ["load completed", "nothing left open"],
                   "a stall: failed verdicts")


def check_ctrl_c(failures):
    """Ctrl-C as it is typed: the terminal sends SIGINT to what runs on it."""
    terminal = Terminal("run", "--duration", "30s")
    while "in flight" not in terminal.text and terminal.read():
        pass
    terminal.type(b"\x03")
    exit_code, text = terminal.finish()
    failures.equal(exit_code, INTERRUPTED, "Ctrl-C: exit code")
    failures.check("Interrupted: " in text, f"Ctrl-C: the text does not say so: {text[-300:]!r}")


def main():
    failures = Failures()
    with tempfile.TemporaryDirectory() as scenarios, tempfile.TemporaryDirectory() as folder:
        stalling = pathlib.Path(scenarios, "stall.toml")
        resting = pathlib.Path(scenarios, "rest.toml")
        stalling.write_text(STALLING, encoding="utf-8")
        resting.write_text(RESTING, encoding="utf-8")
        # Ten seconds without an end make a stall; they pass beside the other checks.
        stalled = start_ringchurn("run", "--scenario", stalling, "--connections", "5",
                                  "--concurrency", "2", "--json", "-")
        check_signals(failures, pathlib.Path(folder))
        check_bill(failures, pathlib.Path(folder))
        check_rest(failures, pathlib.Path(folder), resting)
        check_ctrl_c(failures)
        check_stall(failures, stalled)
    failures.finish("every end gives its account")


main()
