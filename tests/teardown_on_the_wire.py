#!/usr/bin/env python3
"""What a teardown is called is what it does on the wire: tcpdump(8) captures every built-in
scenario, and each connection's SYNs, data, FINs and RSTs are what it says, by end and in order."""

import collections
import pathlib
import tempfile

from ringchurn_testing import (IN_ORDER, TEARDOWNS, Failures, enter_network_namespace,
                               require_programs, result_of)
from wire import FIN, RST, SYN, Capture, segments

CONNECTIONS = 20

HANDSHAKE = "client SYN, server SYN, "
EXCHANGE = HANDSHAKE + "client data, server data, "

# What is on the wire in each scenario, bare ACKs left out. The client is who sent the first SYN. An
# answer that is missing here is forbidden: no RST in graceful, no FIN in rst-client.
EXPECTED = {
    "graceful": [EXCHANGE + "client FIN, server FIN"],
    "graceful-server": [EXCHANGE + "server FIN, client FIN"],
    "half-close": [HANDSHAKE + "client data, client FIN, server data, server FIN"],
    "lingering-close": [EXCHANGE + "server FIN, client FIN"],
    "rst-client": [EXCHANGE + "client RST"],
    "rst-server": [EXCHANGE + "server RST"],
    "disconnect": [EXCHANGE + "client RST"],
    "unread-data": [HANDSHAKE + "client data, server RST"],
    "abort-before-accept": [HANDSHAKE + "client RST"],
    "simultaneous-close": [EXCHANGE + "client FIN, server FIN",
                           EXCHANGE + "server FIN, client FIN"],
    "write-after-fin": [EXCHANGE + "server FIN, client data, server RST"],
    "refused": ["client SYN, server RST"],
}


def stories(capture):
    """What happened on each connection: "client SYN, server SYN, client data, ..."."""
    clients, told = {}, collections.defaultdict(list)
    for segment in segments(capture):
        connection = frozenset((segment.source, segment.destination))
        client = clients.setdefault(connection, segment.source)
        end = "client" if segment.source == client else "server"
        for happened, what in ((segment.flags & SYN, "SYN"), (segment.data_bytes, "data"),
                               (segment.flags & FIN, "FIN"), (segment.flags & RST, "RST")):
            if happened:
                told[connection].append(f"{end} {what}")
    return [", ".join(story) for story in told.values()]


def check(failures, scenario, family, folder):
    capture = Capture(pathlib.Path(folder, f"{scenario}-{family}.pcap"))
    exit_code, _ = result_of("run", "--scenario", scenario, "--family", family,
                             "--connections", CONNECTIONS, "--lab", "host", *IN_ORDER)
    told = stories(capture.finish())
    what = f"{scenario}, {family}"
    failures.equal(exit_code, 0, f"{what}: exit code")
    failures.equal(len(told), CONNECTIONS, f"{what}: connections on the wire")
    for story, count in collections.Counter(told).items():
        failures.check(story in EXPECTED[scenario],
                       f"{what}: {count} connections were \"{story}\", expected one of "
                       f"{EXPECTED[scenario]}")


def main():
    require_programs({"tcpdump": "tcpdump"})
    enter_network_namespace()
    failures = Failures()
    failures.equal(sorted(EXPECTED), TEARDOWNS, "scenarios in this test's table")
    with tempfile.TemporaryDirectory() as folder:
        for scenario in EXPECTED:
            for family in ("ipv4", "ipv6"):
                check(failures, scenario, family, folder)
    failures.finish("the wire shows what the scenarios say")


main()
