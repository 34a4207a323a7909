#!/usr/bin/env python3
"""`ringchurn drive` against servers that are not ours, on every kind of address: it says of each
what became of it (survived, leaked, stopped accepting, died, stood still), accounts for every
connection, and ends by itself, whatever the server does."""

import concurrent.futures
import contextlib
import os
import pathlib
import re
import signal
import socket
import tempfile
import time

from ringchurn_testing import (DEADLINE_S, Failures, check_account, fail, failed_verdicts,
                               parse_json, result_of, result_validator, run_ringchurn, server,
                               start_ringchurn, verdict)

GOOD, CANNOT_RUN, USAGE, VERDICT_FAILED, INTERRUPTED = 0, 1, 2, 3, 130
BEHAVED = ["http-close", "http-abort-mid-response", "http-half-close", "connect-only",
           "idle-then-reset", "slow-reader-abort"]
STOPPED_S = 3


class Drives:
    """What every drive must get right, whatever the server is."""

    def __init__(self):
        self.failures = Failures()
        self.validator = result_validator()

    def check(self, what, exit_code, result, survival, expected_exit):
        """The result is whole and says `survival`."""
        for error in self.validator.iter_errors(result):
            self.failures.check(False, f"{what}: {error.json_path}: {error.message}")
        check_account(self.failures, what, result)
        self.failures.equal(verdict(result, "ledger closes")["ok"], True, f"{what}: ledger closes")
        self.failures.equal(result["server"]["survival"], survival,
                            f"{what}: survival ({result['server']['evidence']})")
        self.failures.equal(exit_code, expected_exit,
                            f"{what}: exit code; failed: {failed_verdicts(result)}")
        ledger = result["scenarios"][0]["client"]
        lifetimes = result["scenarios"][0]["latency_ns"]["lifetime"]["count"]
        self.failures.equal(lifetimes, ledger["finished"], f"{what}: lifetimes recorded")
        unexpected = sum(row["count"] for row in result["errors"] if not row["expected"])
        self.failures.equal(unexpected, ledger["unexpected"], f"{what}: unexpected errors listed")
        return ledger

    def drive(self, what, survival, expected_exit, *arguments):
        exit_code, result = result_of("drive", *arguments)
        return self.check(what, exit_code, result, survival, expected_exit), result


@contextlib.contextmanager
def under_way(target, peers, *arguments):
    """A drive whose first connections were accepted: its process."""
    process = start_ringchurn("drive", target, *arguments, "--json", "-")
    deadline = time.monotonic() + DEADLINE_S
    # The first is that which finds out whether anybody listens.
    while peers.stat().st_size <= len("127.0.0.1\n"):
        if process.poll() is not None or time.monotonic() > deadline:
            fail(f"drive {target}: nothing came to the server: {process.communicate()}")
        time.sleep(0.01)
    try:
        yield process
    finally:
        process.kill()


def finish(process):
    """Waits for it: its exit code and result."""
    text, complaint = process.communicate(timeout=DEADLINE_S)
    try:
        return process.returncode, parse_json(text)
    except ValueError as error:
        return fail(f"exit code {process.returncode}, and no JSON: {error}\n{text}{complaint}")


# -- the servers ----------------------------------------------------------------------------------


def check_good_server(drives, address):
    """A server that behaves survives each scenario."""
    with server("--listen", address) as (_, target):
        for scenario in BEHAVED:
            what = f"{address}, {scenario}"
            ledger, result = drives.drive(what, "survived", GOOD, target, "--scenario", scenario,
                                          "--connections", 300)
            drives.failures.equal(ledger, {"opened": 300, "finished": 300, "unexpected": 0,
                                           "open_at_deadline": 0}, f"{what}: ledger")
            drives.failures.equal(result["context"]["target"], target, f"{what}: target")
            drives.failures.equal(result["server"]["script_finished"], True, f"{what}: script")


def check_leak(drives):
    """One descriptor for each reset. The connection that is played after the load is reset, too."""
    with server("--mode", "leak") as (_, target):
        ledger, result = drives.drive("leak", "leaked", VERDICT_FAILED, target, "--scenario",
                                      "http-abort-mid-response", "--connections", 500)
    drives.failures.equal(ledger["finished"], 500, "leak: finished")
    evidence = result["server"]["evidence"]
    leaked = re.match(r"leaked ([0-9,]+) descriptors", evidence)
    number = int(leaked[1].replace(",", "")) if leaked else 0
    drives.failures.check(500 <= number <= 501, f"leak: {evidence}")
    drives.failures.equal(list(failed_verdicts(result)), ["server survived"], "leak: verdicts")


def check_deaf_server(drives):
    """Nothing is accepted after the first reset: the run ends all the same, and all that hangs is
    accounted for."""
    with server("--mode", "stop-accepting") as (process, target):
        ledger, result = drives.drive("deaf", "stopped accepting", VERDICT_FAILED, target,
                                      "--scenario", "http-abort-mid-response", "--duration", "30s")
        drives.failures.equal(process.poll(), None, "deaf: the server's exit code")
    # As many as may be in flight hang, those apart that were accepted with the one that was reset.
    drives.failures.check(ledger["open_at_deadline"] > 0, f"deaf: {ledger}")
    drives.failures.check("server survived" in failed_verdicts(result), "deaf: verdict")


def check_killed(drives, folder):
    """Killed in the middle: every connection of the rest is refused, and accounted for."""
    peers = pathlib.Path(folder, "killed")
    with (server("--peers-file", peers) as (process, target),
          under_way(target, peers, "--scenario", "http-close", "--duration", "4s",
                    "--rate", 1000) as drive):
        time.sleep(1)
        process.kill()
        exit_code, result = finish(drive)
    ledger = drives.check("killed", exit_code, result, "died", VERDICT_FAILED)
    loop = result["pace"]["open_loop"]
    drives.failures.equal(ledger["opened"], loop["begun"], "killed: opened and begun")
    drives.failures.equal(loop["begun"] + loop["never_begun"], 4000, "killed: due")
    drives.failures.equal(ledger["open_at_deadline"], 0, "killed: left open")
    refused = sum(row["count"] for row in result["errors"] if row["errno"] == "ECONNREFUSED")
    drives.failures.check(refused > 0, "killed: no connection was refused")


def check_stopped(drives, folder, concurrency):
    """SIGSTOP for a while: the server survives, and the open loop leaves nothing of the silence
    out, however few connections were in flight meanwhile. A third of the arrivals met it."""
    what = f"stopped, {concurrency} in flight"
    peers = pathlib.Path(folder, f"stopped-{concurrency}")
    with (server("--peers-file", peers) as (process, target),
          under_way(target, peers, "--scenario", "http-close", "--connections", 4000,
                    "--rate", 500, "--concurrency", concurrency) as drive):
        time.sleep(2)
        process.send_signal(signal.SIGSTOP)
        time.sleep(STOPPED_S)
        process.send_signal(signal.SIGCONT)
        exit_code, result = finish(drive)
    ledger = drives.check(what, exit_code, result, "survived", GOOD)
    drives.failures.equal(ledger["finished"], 4000, f"{what}: finished")
    remarks = result["server"]["remarks"]
    drives.failures.check(any("state T" in remark for remark in remarks), f"{what}: {remarks}")
    least_s = STOPPED_S - 0.5
    for seen in (result["pace"], result["server"]):
        drives.failures.check(seen["longest_silence_s"] >= least_s,
                              f"{what}: longest silence {seen['longest_silence_s']}")
    lifetime = result["scenarios"][0]["latency_ns"]["lifetime"]
    for name in ("max", "p99"):
        drives.failures.check(lifetime[name] >= least_s * 1e9, f"{what}: {name} of {lifetime}")
    loop = result["pace"]["open_loop"]
    drives.failures.equal((loop["begun"], loop["never_begun"]), (4000, 0), f"{what}: begun")
    drives.failures.check(loop["held_back"] > 0, f"{what}: none was held back")


def check_interrupted(drives, folder):
    """SIGINT: the part that was done, and a server that is not called dead for it."""
    peers = pathlib.Path(folder, "interrupted")
    with (server("--peers-file", peers) as (_, target),
          under_way(target, peers, "--scenario", "http-close", "--duration", "30s",
                    "--rate", 1000) as drive):
        drive.send_signal(signal.SIGINT)
        exit_code, result = finish(drive)
    ledger = drives.check("interrupted", exit_code, result, "survived", INTERRUPTED)
    drives.failures.equal(result["interrupted"], True, "interrupted: in the JSON")
    drives.failures.check(ledger["opened"] < 30000, f"interrupted: {ledger}")


def check_nobody(drives):
    """No server, no load, no result: one line."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        target = f"127.0.0.1:{listener.getsockname()[1]}"
        child = os.fork()
        if child == 0:
            os._exit(0)
        os.waitpid(child, 0)  # its number is nobody's now
        refuse(drives.failures, [target, "--pid", child, "--connections", 1], USAGE, str(child))
    refuse(drives.failures, [target], CANNOT_RUN, "nobody listens there")
    # Who wants to be refused is served well, and nobody has died of it.
    exit_code, result = result_of("drive", target, "--scenario", "refused", "--connections", 100)
    drives.failures.equal((exit_code, "server" in result), (GOOD, False), "refused: exit code")
    check_account(drives.failures, "refused", result)
    refuse(drives.failures, ["unix:/nonexistent/x.sock"], CANNOT_RUN, "/nonexistent/x.sock")
    refuse(drives.failures, ["unix:@ringchurn-nobody"], CANNOT_RUN, "nobody listens there")


def refuse(failures, arguments, exit_code, word):
    what = " ".join(map(str, ["drive", *arguments]))
    done = run_ringchurn("drive", *arguments, "--json", "-")
    failures.equal(done.returncode, exit_code, f"{what}: exit code ({done.stderr.strip()})")
    failures.equal(done.stdout, "", f"{what}: standard output")
    failures.equal(done.stderr.count("\n"), 1, f"{what}: lines of {done.stderr!r}")
    failures.check(word in done.stderr, f"{what}: no {word!r} in {done.stderr!r}")


def main():
    drives = Drives()
    with (tempfile.TemporaryDirectory() as folder,
          concurrent.futures.ThreadPoolExecutor(4) as pool):
        # Ten seconds without an end, or a stop of three: they wait most of the time.
        waiting = [pool.submit(check_deaf_server, drives),
                   pool.submit(check_stopped, drives, folder, 64),
                   pool.submit(check_stopped, drives, folder, 1),
                   pool.submit(check_killed, drives, folder)]
        for address in ("127.0.0.1", "::1", f"unix:{folder}/s", f"unix:@ringchurn-{os.getpid()}"):
            check_good_server(drives, address)
        check_leak(drives)
        check_interrupted(drives, folder)
        check_nobody(drives)
        for check in waiting:
            check.result()
    drives.failures.finish("each server's fate is told, and every connection")


main()
