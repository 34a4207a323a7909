#!/usr/bin/env python3
"""What a teardown is called is what it does on the wire: tcpdump(8) captures every built-in
scenario, and each connection's SYNs, data, FINs and RSTs are what it says, by end and in order."""

import collections
import pathlib
import signal
import socket
import struct
import subprocess
import tempfile
import time

from ringchurn_testing import (DEADLINE_S, IN_ORDER, Failures, builtin_scenarios,
                               enter_network_namespace, fail, require_programs, result_of)

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

# The last thing in a capture, so that nothing is still under way when it is closed.
SENTINEL = b"here ends what ringchurn did"

ETHERNET = 1  # LINKTYPE_ETHERNET, which lo has too
IPV4, IPV6, TCP = 0x0800, 0x86DD, 6
FIN, SYN, RST = 0x01, 0x02, 0x04

Segment = collections.namedtuple("Segment", "source destination sequence flags data_bytes")


def packets(capture):
    """The frames of a pcap file (pcap-savefile(5)) in the machine's own byte order."""
    magic, *_, link_type = struct.unpack_from("=IHHiIII", capture)
    if magic != 0xA1B2C3D4 or link_type != ETHERNET:
        fail(f"tcpdump wrote magic {magic:#x} and link type {link_type}")
    at = 24
    while at < len(capture):
        captured_bytes = struct.unpack_from("=IIII", capture, at)[2]
        yield capture[at + 16:at + 16 + captured_bytes]
        at += 16 + captured_bytes


def addresses_and_tcp(frame):
    """(source, destination, TCP segment) of an Ethernet frame; None if it holds no TCP."""
    ether_type, packet = struct.unpack_from("!H", frame, 12)[0], frame[14:]
    if ether_type == IPV4 and packet[9] == TCP:
        header_bytes = (packet[0] & 15) * 4
        return packet[12:16], packet[16:20], packet[header_bytes:]
    if ether_type == IPV6 and packet[6] == TCP:
        return packet[8:24], packet[24:40], packet[40:]
    return None


def segments(capture):
    """The TCP segments of a pcap file, each once: a retransmission is no second FIN."""
    seen = set()
    for frame in packets(capture):
        found = addresses_and_tcp(frame)
        if not found:
            continue
        source, destination, tcp = found
        source_port, destination_port, sequence = struct.unpack_from("!HHI", tcp)
        data_bytes = len(tcp) - (tcp[12] >> 4) * 4
        segment = Segment((source, source_port), (destination, destination_port), sequence, tcp[13],
                          data_bytes)
        if segment not in seen:
            seen.add(segment)
            yield segment


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


class Capture:
    """tcpdump on lo, from when it listens until it has written all that came before its end."""

    def __init__(self, path):
        self.path = path
        # Short snapshots: the kernel's buffer holds frames of that size, and 32 of the full one.
        # As root, or else it gives up root and may not write here.
        command = ["tcpdump", "-i", "lo", "-n", "-s", "128", "-B", "16384", "-U",
                   "--immediate-mode", "-Z", "root", "-w", str(path), "tcp or udp"]
        self.tcpdump = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        line = ""
        for line in self.tcpdump.stderr:
            if "listening on lo" in line:
                return
        fail(f"tcpdump does not listen: {line.strip()}")

    def finish(self):
        """Returns the pcap file."""
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as datagrams:
            datagrams.sendto(SENTINEL, ("127.0.0.1", 9))
        deadline = time.monotonic() + DEADLINE_S
        while SENTINEL not in self.path.read_bytes():
            if time.monotonic() > deadline:
                fail("tcpdump did not capture the last packet")
            time.sleep(0.01)
        self.tcpdump.send_signal(signal.SIGINT)
        _, summary = self.tcpdump.communicate(timeout=DEADLINE_S)
        if "0 packets dropped by kernel" not in summary:
            fail(f"tcpdump missed packets: {summary.strip()}")
        return self.path.read_bytes()


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
    failures.equal(sorted(EXPECTED), sorted(builtin_scenarios()), "scenarios in this test's table")
    with tempfile.TemporaryDirectory() as folder:
        for scenario in EXPECTED:
            for family in ("ipv4", "ipv6"):
                check(failures, scenario, family, folder)
    failures.finish("the wire shows what the scenarios say")


main()
