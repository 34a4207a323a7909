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
    check_refusals(failures)
    failures.finish("what crosses a veth pair is counted on both sides of it")


main()
