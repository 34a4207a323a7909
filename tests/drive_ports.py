#!/usr/bin/env python3
"""Client ports and `ringchurn drive`, in a network of the test's own: what will not last is said
before the run, with the remedy; a connect without a free port waits for one, is counted, and loses
nothing; the server is not blamed; and --source really comes from its addresses."""

import collections
import pathlib
import re
import tempfile

from ringchurn_testing import (DEADLINE_S, Failures, active_opens, check_account,
                               enter_network_namespace, fail, failed_verdicts, parse_json,
                               run_ringchurn, server, skip, start_ringchurn, verdict)

GOOD, VERDICT_FAILED = 0, 3
MANY = 100000
# Linux's defaults: TIME_WAIT on loopback gives its port back after a second.
DEFAULTS = {"net/ipv4/ip_local_port_range": "32768\t60999", "net/ipv4/tcp_tw_reuse": "2"}
FEW_PORTS = {"net/ipv4/ip_local_port_range": "20000 20149", "net/ipv4/tcp_tw_reuse": "0"}

CLIENT_FIN = r"""about = "The client has the response and closes first: TIME_WAIT is its own."
[client]
steps = ["connect", 'send "GET / HTTP/1.1\r\n\r\n"', 'recv until "\r\n\r\n" plus 1', "close"]
[server]
steps = ["accept", 'recv until "\r\n\r\n"', 'send "HTTP/1.1 200 OK\r\n\r\n"', "send 1",
         "recv-eof", "close"]
"""


def settings(values):
    for name, value in values.items():
        try:
            pathlib.Path("/proc/sys", name).write_text(value, encoding="ascii")
        except OSError as error:
            skip(f"{name} may not be set here: {error}")


def drive(failures, what, target, *arguments):
    """Its exit code, its result and what stands above the report; the account closes."""
    done = run_ringchurn("drive", target, *arguments, "--json", "-")
    return done.returncode, whole(failures, what, done.stdout), notice_above(done.stderr)


def notice_above(text):
    """The lines above the report, whose first is "100 connections in 1.00 s: 100 a second"."""
    lines = text.splitlines(keepends=True)
    report = next(i for i, line in enumerate(lines) if " connections in " in line)
    return "".join(lines[:report])


def whole(failures, what, text):
    try:
        result = parse_json(text)
    except ValueError as error:
        fail(f"{what}: no JSON: {error}\n{text}")
    check_account(failures, what, result)
    return result


def check_all_finished(failures, what, number, exit_code, result):
    failures.equal(exit_code, GOOD, f"{what}: exit code; failed: {failed_verdicts(result)}")
    failures.equal(result["scenarios"][0]["client"],
                   {"opened": number, "finished": number, "unexpected": 0, "open_at_deadline": 0},
                   f"{what}: ledger")
    failures.equal(result["errors"], [row for row in result["errors"] if row["expected"]],
                   f"{what}: errors")
    failures.equal(result["server"]["survival"], "survived", f"{what}: survival")


def check_port_verdict(failures, what, result):
    """The warning is there exactly if a connect found no port."""
    warnings = [v for v in result["verdicts"] if v["name"] == "client ports"]
    failures.equal(len(warnings), int(result["pace"]["port_limited"] > 0),
                   f"{what}: port verdicts: {warnings}")
    for warning in warnings:
        failures.equal((warning["ok"], warning["advisory"]), (False, True), f"{what}: a warning")
        failures.check("--source" in warning["remedy"], f"{what}: {warning}")


def check_many(failures, target, scenario):
    """Three times as many connections as ports, each left in TIME_WAIT by the client."""
    what = "client's FIN"
    process = start_ringchurn("drive", target, "--scenario", scenario, "--connections", MANY,
                              "--json", "-")
    notice = process.stderr.readline() + process.stderr.readline()
    failures.check(active_opens() < MANY, f"{what}: the notice comes after the run")
    text, _ = process.communicate(timeout=DEADLINE_S)
    result = whole(failures, what, text)
    check_all_finished(failures, what, MANY, process.returncode, result)
    check_port_verdict(failures, what, result)
    for part in ("28,232 client ports", "TIME_WAIT", "EADDRNOTAVAIL after 28,232", "Remedy: ",
                 "--source 127.0.1.0/24", "ip_local_port_range"):
        failures.check(part in notice, f"{what}: no {part!r} in {notice!r}")


def check_too_few(failures, target):
    """Twice as many at once as there are ports: the others wait until one is given back. A reset
    leaves no TIME_WAIT."""
    settings(FEW_PORTS)
    for pace in ([], ["--rate", 1000]):
        what = " ".join(map(str, ["150 ports", *pace]))
        exit_code, result, notice = drive(failures, what, target, "--scenario", "idle-then-reset",
                                          "--connections", 600, "--concurrency", 300, *pace)
        check_all_finished(failures, what, 600, exit_code, result)
        failures.check(result["pace"]["port_limited"] > 0, f"{what}: a port for everybody")
        check_port_verdict(failures, what, result)
        if pace:
            failures.check("Only 150 client ports" in notice, f"{what}: notice {notice!r}")


def check_sources(failures, target, peers):
    """More addresses, more ports; the server sees every one of them, and no other."""
    what = "--source"
    settings(FEW_PORTS)
    before = len(peers.read_text(encoding="ascii").splitlines())
    exit_code, result, notice = drive(failures, what, target, "--scenario", "idle-then-reset",
                                      "--connections", 1016, "--concurrency", 300,
                                      "--source", "127.0.1.0/24")
    check_all_finished(failures, what, 1016, exit_code, result)
    failures.equal(result["pace"]["port_limited"], 0, f"{what}: port_limited")
    check_port_verdict(failures, what, result)
    failures.equal(notice, "", f"{what}: notice")
    seen = collections.Counter(peers.read_text(encoding="ascii").splitlines()[before:])
    # Two probes come from wherever the kernel likes, and one connection is played afterwards.
    probes = seen.pop("127.0.0.1", 0)
    failures.check(probes <= 2, f"{what}: {probes} from 127.0.0.1")
    strangers = [peer for peer in seen if not re.fullmatch(r"127\.0\.1\.\d+", peer)]
    failures.equal(strangers, [], f"{what}: strangers")
    failures.equal(sum(seen.values()), 1017, f"{what}: connections from the prefix")
    failures.check(len(seen) >= 254, f"{what}: only {len(seen)} addresses")


def check_exhausted(failures, target, scenario):
    """TIME_WAIT keeps all ports for a minute: the run ends by itself, and says that it was for want
    of a port; nothing is said against the server."""
    what = "no port for a minute"
    settings(FEW_PORTS)
    exit_code, result, notice = drive(failures, what, target, "--scenario", scenario,
                                      "--connections", 600)
    failures.equal(exit_code, VERDICT_FAILED, f"{what}: exit code")
    failures.check("TIME_WAIT holds each for 60 s" in notice, f"{what}: notice {notice!r}")
    check_port_verdict(failures, what, result)
    ledger = result["scenarios"][0]["client"]
    failures.check(0 < ledger["finished"] <= 150, f"{what}: {ledger}")
    failures.equal((ledger["open_at_deadline"], ledger["unexpected"]), (64, 0), f"{what}: {ledger}")
    failures.equal(sorted(failed_verdicts(result)), ["load completed", "nothing left open"],
                   f"{what}: failed verdicts")
    failures.check("free client port" in verdict(result, "nothing left open")["remedy"],
                   f"{what}: remedy")
    failures.equal(result["server"]["survival"], "survived", f"{what}: survival")
    failures.equal(result["server"]["script_finished"], None, f"{what}: script")
    again = run_ringchurn("drive", target, "--connections", 1)
    failures.equal(again.returncode, 1, f"{what}: exit code of a drive that finds no port at all")
    failures.check("EADDRNOTAVAIL; no client port is free" in again.stderr, again.stderr)


def main():
    enter_network_namespace(DEFAULTS)
    failures = Failures()
    with tempfile.TemporaryDirectory() as folder:
        scenario, peers = pathlib.Path(folder, "client-fin.toml"), pathlib.Path(folder, "peers")
        scenario.write_text(CLIENT_FIN, encoding="utf-8")
        with server("--body", 1) as (_, target):
            check_many(failures, target, scenario)
        with server("--body", 1, "--peers-file", peers) as (_, target):
            check_sources(failures, target, peers)
            check_too_few(failures, target)
            check_exhausted(failures, target, scenario)
    failures.finish("ports are foretold, waited for and counted")


main()
