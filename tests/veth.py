#!/usr/bin/env python3
"""`--lab veth`: both ends in networks of their own, joined by a veth pair. The ledger closes and the
kernel's counters, of both networks together, agree, as in the private lab; each connection does cross
the pair; what needs both ends in one network is refused in one line."""

import os

from ringchurn_testing import Failures, check_account, failed_verdicts, result_of, run_ringchurn

CONNECTIONS = 1_000
MIX = "graceful=3,rst-client=2,half-close=2,unread-data=1,disconnect=1,refused=1"
# What the client sends to a server that is not in its network, with an address of the pair's.
DIFFERENT_NETWORKS = [
    ("unix-eof", "uses Unix sockets"),
    ("user-timeout-icmp-host", "forges a packet"),
    ("time-wait-holds-port", "needs settings"),
]


def check_run(failures, layout, family):
    what = f"{layout}, {family}"
    code, result = result_of("run", "--lab", "veth", "--layout", layout, "--family", family,
                             "--mix", MIX, "--connections", CONNECTIONS)
    failures.equal((code, failed_verdicts(result)), (0, {}), f"{what}: exit code, verdicts")
    check_account(failures, what, result)
    context = result["context"]
    failures.equal((context["lab"], context["family"]), ("veth", family), f"{what}: lab, family")
    # Steering takes the rights of the machine's own root, and two CPUs.
    if os.geteuid() != 0 or layout == "single" or len(os.sched_getaffinity(0)) < 2:
        failures.equal(context["received_by"], "sender", f"{what}: who processes packets")
    else:
        failures.check(context["received_by"] in ("sender", "receiver"), f"{what}: received_by")
    failures.check(result["kernel"]["OutRsts"]["measured"] > 0, f"{what}: no RST was counted")


def check_warm_up(failures):
    """What is counted behind a warm-up is of both networks, too."""
    code, result = result_of("run", "--lab", "veth", "--scenario", "graceful-server",
                             "--warm-up", "200ms", "--duration", "400ms")
    failures.equal((code, failed_verdicts(result)), (0, {}), "warm-up: exit code, verdicts")
    cost = result["cost"]
    # A FIN of the server and the client's answer may share segments, and the edge cuts some in two.
    failures.check(9 < cost["segments_per_connection"] < 11, f"warm-up: segments: {cost}")
    failures.check(0.9 < cost["time_wait_per_connection"] < 1.1, f"warm-up: TIME_WAIT: {cost}")


def check_bills(failures):
    """Each bill of a run has a pair of its own, by the same name."""
    code, result = result_of("run", "--lab", "veth", "--mix", "graceful=1,rst-client=1",
                             "--connections", CONNECTIONS, "--bill")
    failures.equal((code, failed_verdicts(result)), (0, {}), "bills: exit code, verdicts")
    for bill in result["bills"]:
        failures.equal(bill["obstacle"], None, f"bill of {bill['of']}")


def check_refusals(failures):
    for scenario, words in DIFFERENT_NETWORKS:
        done = run_ringchurn("run", "--lab", "veth", "--scenario", scenario, "--connections", 10)
        failures.equal((done.returncode, done.stdout, done.stderr.count("\n")), (2, "", 1),
                       f"{scenario}: exit code, output, lines: {done.stderr}")
        failures.check(words in done.stderr, f"{scenario}: '{words}' is not in: {done.stderr}")


def main():
    failures = Failures()
    for layout in ("single", "pair"):
        for family in ("ipv4", "ipv6"):
            check_run(failures, layout, family)
    code, result = result_of("compare", "graceful", "rst-client", "--lab", "veth",
                             "--duration", "1s")
    failures.equal((code, failed_verdicts(result)), (0, {}), "comparison: exit code, verdicts")
    failures.equal(result["context"]["received_by"], "sender", "comparison: who processes packets")
    # The server's TIME_WAIT or the client's: the arms' counters are of both networks.
    arms = result["comparison"]["arms"]
    failures.equal(arms[0]["time_wait_per_connection"], 0, "rst-client: TIME_WAIT")
    check_warm_up(failures)
    check_bills(failures)
    check_refusals(failures)
    failures.finish("what crosses a veth pair is counted on both sides of it")


main()
