#!/usr/bin/env python3
"""Layout wide: any number of client threads meets any number of server threads. Every ledger
closes, both ends agree and so does the kernel, however many there are of each, in both families;
each server thread has a listener of its own at the same port; and the account is whole when a load
is tiny, has a rate, has networks of its own, has Unix sockets, or is interrupted."""

import os
import pathlib
import signal
import tempfile
import time

from ringchurn_testing import (DEADLINE_S, TEARDOWNS, Failures, active_opens, check_account, fail,
                               failed_verdicts, parse_json, result_of, start_ringchurn, verdict)

INTERRUPTED = 130
LISTEN = "0A"  # st of /proc/net/tcp
MIX = "graceful=4,rst-client=2,half-close=2,unread-data=1,refused=1"


def wide(clients, servers):
    return ("--layout", "wide", "--threads", clients, "--server-threads", servers)


def check_wide(failures, what, clients, servers, *arguments, connections):
    """A load of so many connections is played and accounted for; its result."""
    exit_code, result = result_of("run", *wide(clients, servers), "--connections", connections,
                                  *arguments)
    what = f"{what}, {clients}:{servers}"
    failures.equal((exit_code, failed_verdicts(result)), (0, {}), what)
    context = result["context"]
    failures.equal((context["layout"], context["threads"], context["server_threads"]),
                   ("wide", clients, servers), f"{what}: what the result names")
    check_account(failures, what, result)
    opened = sum(scenario["opened"] for scenario in result["scenarios"])
    failures.equal(opened, connections, f"{what}: connections")
    for scenario in result["scenarios"]:
        if scenario["server"] is not None:
            failures.equal(scenario["server"]["opened"], scenario["established"],
                           f"{what}: {scenario['name']}: accepted, of those established")
    return result


def check_threads(failures):
    for clients, servers in ((1, 1), (2, 1), (1, 2), (3, 2)):
        for family in ("ipv4", "ipv6"):
            result = check_wide(failures, family, clients, servers, "--mix", MIX, "--family",
                                family, connections=2000)
            cost = result["cost"]
            failures.check(cost["client_us"] > 0 and cost["server_us"] > 0,
                           f"{family}, {clients}:{servers}: CPU of both sides: {cost}")
            enough = clients + servers <= result["context"]["cpus"]
            failures.equal(verdict(result, "CPU for each thread")["ok"], enough,
                           f"{clients} + {servers} threads have a CPU each")


def check_few(failures):
    """Some threads have nothing to begin, and none waits for what nobody begins."""
    result = check_wide(failures, "one connection", 3, 2, connections=1)
    failures.check(result["context"]["elapsed_s"] < 5, f"one connection takes {result['context']}")
    exit_code, result = result_of("run", "--threads", 3, "--connections", 2)
    failures.equal((exit_code, failed_verdicts(result)), (0, {}), "two connections of three pairs")
    failures.check(result["context"]["elapsed_s"] < 5, f"two connections: {result['context']}")


def listeners(process):
    """{port: how many listen there} in the network of the process, its own if it has one yet."""
    try:
        if os.readlink(f"/proc/{process.pid}/ns/net") == os.readlink("/proc/self/ns/net"):
            return {}
        if active_opens(process.pid) == 0:
            return {}
        lines = pathlib.Path(f"/proc/{process.pid}/net/tcp").read_text(encoding="ascii")
    except OSError:
        return {}
    ports = {}
    for line in lines.splitlines()[1:]:
        fields = line.split()
        if fields[3] == LISTEN:
            port = int(fields[1].split(":")[1], 16)
            ports[port] = ports.get(port, 0) + 1
    return ports


def check_interrupted(failures, folder):
    """Seen from outside: as many listeners at each port as servers. Then Ctrl-C."""
    path = folder / "interrupted.json"
    process = start_ringchurn("run", *wide(2, 3), "--mix", "graceful=1,rst-client=1", "--duration",
                              "30s", "--json", str(path))
    deadline = time.monotonic() + DEADLINE_S
    while not (ports := listeners(process)):
        if process.poll() is not None or time.monotonic() > deadline:
            fail(f"wide, 2:3: nothing listens: {process.communicate()}")
        time.sleep(0.01)
    failures.equal(sorted(ports.values()), [3, 3], "listeners at the port of each scenario")
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=DEADLINE_S)
    failures.equal(process.returncode, INTERRUPTED, "interrupted: exit code")
    result = parse_json(path.read_text(encoding="utf-8"))
    failures.equal(result["interrupted"], True, "interrupted: the JSON says so")
    check_account(failures, "interrupted", result)


def main():
    failures = Failures()
    check_threads(failures)
    check_few(failures)
    mix = ",".join(f"{name}=1" for name in TEARDOWNS)
    check_wide(failures, "every teardown", 3, 2, "--mix", mix, connections=3000)
    check_wide(failures, "Unix sockets beside TCP", 2, 3, "--mix", "graceful=1,unix-unread-close=1",
               connections=1000)
    check_wide(failures, "a network of its own beside", 2, 2, "--mix",
               "graceful=9,fastopen-connect=1", connections=200)
    result = check_wide(failures, "a rate", 3, 2, "--rate", 2000, connections=600)
    failures.equal(result["pace"]["open_loop"]["begun"], 600, "a rate: begun")
    with tempfile.TemporaryDirectory() as folder:
        check_interrupted(failures, pathlib.Path(folder))
    failures.finish("clients and servers in any number agree with each other and with the kernel")


main()
