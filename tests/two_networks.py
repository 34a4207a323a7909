#!/usr/bin/env python3
"""`serve`, `drive` and `merge` between two networks, a veth pair between them: one account of every
connection, and the counters of both kernels together as the scenarios declare, to the unit, as
nstat(8) reads them, too. And what a user meets around that: a host is not loaded without leave, nor
fast unless asked to; a server says what it exposes, and each way to end it leaves a result.

Both ends keep to one CPU. A veth pair queues packets per CPU, as loopback does, so that a close on
one CPU overtakes an ACK that the other sends from its delayed-ACK timer, and an RST answers the
late ACK (bench/README.md). Seen in 20,000 connections on two CPUs: 34 to 63 such RSTs with
connect-only, whose ACKs are due at the next tick, and none in the teardowns with an exchange, whose
ACKs would have to wait for 40 ms, as on a busy machine. On one CPU there were none, with as many
delayed ACKs."""

import json
import os
import pathlib
import signal
import subprocess
import tempfile
import time

from ringchurn_testing import (DEADLINE_S, SKIPPED, Failures, OtherNetwork,
                               enter_network_namespace, fail, failed_verdicts, parse_json,
                               read_nstat, require_programs, run_ringchurn, skip, start_ringchurn,
                               verdict)

try:
    from jsonschema import Draft202012Validator
except ImportError:
    skip("python3-jsonschema (4.0 or later) is missing: apt-get install python3-jsonschema")

SOURCE = pathlib.Path(os.environ.get("RINGCHURN_TREE", pathlib.Path(__file__).parent.parent))
USAGE = 2
CONNECTIONS = 20000
RATE = 20000

# Of each, how many of the bytes that one end sends the other never gets.
TEARDOWNS = {"graceful": 0, "graceful-server": 0, "half-close": 0, "lingering-close": 0,
             "rst-client": 0, "rst-server": 0, "disconnect": 0, "unread-data": 1024,
             "connect-only": 0, "http-post-refused": 0}
MIX = ",".join(f"{name}=1" for name in TEARDOWNS)


class Serve:
    """`ringchurn serve` in the test's own network, once it has said where it listens."""

    def __init__(self, folder, address, *arguments):
        self.result_path = folder / "serve.json"
        self.ports_path = folder / "ports.json"
        self.result_path.unlink(missing_ok=True)
        with open(self.ports_path, "w", encoding="utf-8") as ports:
            self.process = start_ringchurn("serve", "--listen", address, "--json", self.result_path,
                                           *arguments, stdout=ports)
        self.ports = self._wait_for_ports()

    def _wait_for_ports(self):
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            try:
                return json.loads(self.ports_path.read_text(encoding="utf-8"))
            except ValueError:
                if self.process.poll() is not None:
                    break
                time.sleep(0.01)
        exit_code, text = self.end(signal.SIGKILL)
        return skip(text.strip()) if exit_code == SKIPPED else fail(f"serve: no ports: {text}")

    def end(self, signal_number=None):
        """Its exit code and what it told, when it has ended; by itself without a signal."""
        if signal_number:
            self.process.send_signal(signal_number)
        try:
            _, text = self.process.communicate(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            fail("serve does not end")
        return self.process.returncode, text

    def result(self):
        return parse_json(self.result_path.read_text(encoding="utf-8"))


class Test:
    """What every check needs: where the ends are, where files go, what failed."""

    def __init__(self, other, folder, failures):
        self.other, self.folder, self.failures = other, folder, failures
        self.drive_path = folder / "drive.json"
        schema = parse_json((SOURCE / "bench/result.schema.json").read_text(encoding="utf-8"))
        self.validator = Draft202012Validator(schema)

    def drive(self, serve, address, *arguments):
        """Drives `serve` from the other network, with leave."""
        return run_ringchurn("drive", "--from-serve", serve.ports_path, "--authorized-target",
                             address, "--json", self.drive_path, *arguments,
                             command=self.other.command)

    def drive_result(self):
        return parse_json(self.drive_path.read_text(encoding="utf-8"))

    def nstat(self):
        """The counters of both networks, added."""
        history = self.folder / "nstat-history"
        here, there = read_nstat(history), read_nstat(history, self.other.command)
        return {name: value + there[name] for name, value in here.items()}


def check_account(failures, what, merged):
    """Both ledgers, connection by connection and byte by byte."""
    opened = sum(scenario["opened"] for scenario in merged["scenarios"])
    failures.equal(opened, CONNECTIONS, f"{what}: connections")
    failures.equal({scenario["name"] for scenario in merged["scenarios"]}, set(TEARDOWNS),
                   f"{what}: scenarios")
    for scenario in merged["scenarios"]:
        name, count = scenario["name"], scenario["opened"]
        ledger = {"opened": count, "finished": count, "unexpected": 0, "open_at_deadline": 0}
        failures.check(count > 0, f"{what}: {name} was not played")
        failures.equal(scenario["client"], ledger, f"{what}: {name}, the client's ledger")
        failures.equal(scenario["server"], ledger, f"{what}: {name}, the server's ledger")
        bytes_of = scenario["bytes"]
        for direction, lost in (("client_to_server", TEARDOWNS[name]), ("server_to_client", 0)):
            sent, received = bytes_of[direction]["sent"], bytes_of[direction]["received"]
            failures.equal(sent - received, lost * count, f"{what}: {name}, {direction}, lost")
            failures.equal(bytes_of[direction]["lost"], lost * count,
                           f"{what}: {name}, {direction}, lost in the result")
    failures.check(all(error["expected"] for error in merged["errors"]),
                   f"{what}: unexpected errors: {merged['errors']}")


def check_kernel(failures, what, merged, moved):
    """The counters of both networks together: as declared, and as nstat has read them."""
    for counter in ("ActiveOpens", "PassiveOpens", "OutRsts", "EstabResets", "TW",
                    "TCPAbortOnData", "TCPAbortOnClose"):
        row = merged["kernel"][counter]
        failures.equal(row["measured"], row["declared"], f"{what}: {counter}")
        failures.equal(row["measured"], moved[counter], f"{what}: {counter} by nstat")
    agrees = verdict(merged, "kernel agrees")
    failures.check(agrees["ok"] and agrees["evidence"].endswith("as declared, to the unit"),
                   f"{what}: {agrees}")


def check_exact(test, family):
    """The whole way, as one would go it on two machines."""
    what, address, failures = f"IPv{family}", test.other.HERE[family], test.failures
    before = test.nstat()
    serve = Serve(test.folder, address, "--mix", MIX, "--max-connections", CONNECTIONS)
    driven = test.drive(serve, address, "--rate", RATE, "--connections", CONNECTIONS)
    exit_code, text = serve.end()
    after = test.nstat()
    failures.equal(driven.returncode, 0, f"{what}: drive: {driven.stderr}{driven.stdout}")
    failures.equal(exit_code, 0, f"{what}: serve: {text}")
    for scenario in serve.ports["scenarios"]:
        place = f"{scenario['port']} ({scenario['name']})"
        failures.check(place in text, f"{what}: serve does not say that {place} is open")
    failures.check(f"open to everybody who reaches {address}:" in text,
                   f"{what}: serve does not say whom {address} is open to")

    path = test.folder / "both.json"
    done = run_ringchurn("merge", test.drive_path, serve.result_path, "--json", path)
    failures.equal(done.returncode, 0, f"{what}: merge: {done.stderr}{done.stdout}")
    merged = parse_json(path.read_text(encoding="utf-8"))
    for error in test.validator.iter_errors(merged):
        failures.check(False, f"{what}: merged: {error.json_path}: {error.message}")
    failures.equal(failed_verdicts(merged), {}, f"{what}: failed verdicts")
    failures.equal(merged["merged"]["same_network"], False, f"{what}: same_network")
    for side in (test.drive_result(), serve.result()):
        failures.equal(side["context"]["family"], f"ipv{family}", f"{what}: family")
    check_account(failures, what, merged)
    check_kernel(failures, what, merged, {name: after[name] - before[name] for name in after})


def check_guard(test, family):
    """Without leave nothing is sent; with it, no faster than 1,000/s unless asked to. SIGINT is one
    of the ways to end a server."""
    what, address, failures = f"guard, IPv{family}", test.other.HERE[family], test.failures
    serve = Serve(test.folder, address, "--scenario", "graceful")
    before = test.nstat()
    refused = run_ringchurn("drive", "--from-serve", serve.ports_path, "--connections", 1,
                            command=test.other.command)
    after = test.nstat()
    failures.equal(refused.returncode, USAGE, f"{what}: drive without leave: {refused.stdout}")
    failures.check(f"--authorized-target {address}" in refused.stderr,
                   f"{what}: drive without leave says: {refused.stderr!r}")
    failures.equal(after["OutSegs"] - before["OutSegs"], 0, f"{what}: segments without leave")

    driven = test.drive(serve, address, "--connections", 500)
    failures.equal(driven.returncode, 0, f"{what}: drive: {driven.stderr}{driven.stdout}")
    failures.check("at 1,000 connections a second unless --rate says otherwise" in driven.stderr,
                   f"{what}: the default rate is not told: {driven.stderr!r}")
    failures.equal(test.drive_result()["pace"]["open_loop"]["asked_per_s"], 1000,
                   f"{what}: the default rate")
    check_served(test, serve, signal.SIGINT, 500, f"{what}, SIGINT")


def check_served(test, serve, signal_number, connections, what):
    """A server that has ended gives its account, which is not called interrupted."""
    exit_code, text = serve.end(signal_number)
    test.failures.equal(exit_code, 0, f"{what}: exit code: {text}")
    result = serve.result()
    test.failures.equal(result["interrupted"], False, f"{what}: interrupted")
    test.failures.equal(result["scenarios"][0]["server"],
                        {"opened": connections, "finished": connections, "unexpected": 0,
                         "open_at_deadline": 0}, f"{what}: ledger")
    for error in test.validator.iter_errors(result):
        test.failures.check(False, f"{what}: {error.json_path}: {error.message}")


def check_ends(test):
    """--duration, and SIGTERM with nobody ever there. (--max-connections: check_exact.)"""
    address = test.other.HERE[4]
    serve = Serve(test.folder, address, "--scenario", "graceful", "--duration", "5s")
    driven = test.drive(serve, address, "--connections", 100, "--rate", RATE)
    test.failures.equal(driven.returncode, 0, f"drive, --duration: {driven.stderr}{driven.stdout}")
    check_served(test, serve, None, 100, "serve --duration")
    serve = Serve(test.folder, address, "--scenario", "graceful")
    check_served(test, serve, signal.SIGTERM, 0, "serve, SIGTERM")


def check_other_run(test):
    """The results of two runs are not merged, however alike they are."""
    address = test.other.HERE[4]
    results = []
    for name in ("one", "other"):
        serve = Serve(test.folder, address, "--scenario", "graceful", "--max-connections", 10)
        driven = test.drive(serve, address, "--connections", 10)
        test.failures.equal(driven.returncode, 0, f"{name} run: {driven.stderr}{driven.stdout}")
        serve.end()
        results.append(serve.result_path.rename(test.folder / f"{name}.json"))
    done = run_ringchurn("merge", test.drive_path, results[0])
    test.failures.equal(done.returncode, USAGE, f"merge of two runs: {done.stdout}")
    test.failures.check("give two results of one run" in done.stderr,
                        f"merge of two runs says: {done.stderr!r}")
    done = run_ringchurn("merge", test.drive_path, results[1])
    test.failures.equal(done.returncode, 0, f"merge of one run: {done.stderr}")


def main():
    require_programs({"nsenter": "util-linux", "nstat": "iproute2"})
    enter_network_namespace()
    os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    failures = Failures()
    with OtherNetwork() as other, tempfile.TemporaryDirectory() as folder:
        test = Test(other, pathlib.Path(folder), failures)
        for family in (4, 6):
            check_exact(test, family)
            check_guard(test, family)
        check_ends(test)
        check_other_run(test)
    failures.finish("two networks, one account")


main()
