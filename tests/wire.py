"""What the tests share that look at the wire: tcpdump(8) on lo, and the TCP segments in what it
wrote. Not executable, so not a test."""

import collections
import signal
import socket
import struct
import subprocess
import time

from ringchurn_testing import DEADLINE_S, fail

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


def tcp_of(frame):
    """(source, destination, TCP segment, its true length) of an Ethernet frame, the segment as far
    as it was captured; None if it holds no TCP."""
    ether_type, packet = struct.unpack_from("!H", frame, 12)[0], frame[14:]
    if ether_type == IPV4 and packet[9] == TCP:
        header_bytes = (packet[0] & 15) * 4
        tcp_bytes = struct.unpack_from("!H", packet, 2)[0] - header_bytes
        return packet[12:16], packet[16:20], packet[header_bytes:], tcp_bytes
    if ether_type == IPV6 and packet[6] == TCP:
        return packet[8:24], packet[24:40], packet[40:], struct.unpack_from("!H", packet, 4)[0]
    return None


def all_segments(capture):
    """The TCP segments of a pcap file, as they were sent."""
    for frame in packets(capture):
        found = tcp_of(frame)
        if not found:
            continue
        source, destination, tcp, tcp_bytes = found
        source_port, destination_port, sequence = struct.unpack_from("!HHI", tcp)
        yield Segment((source, source_port), (destination, destination_port), sequence, tcp[13],
                      tcp_bytes - (tcp[12] >> 4) * 4)


def segments(capture):
    """The TCP segments of a pcap file, each once: a retransmission is no second FIN."""
    return dict.fromkeys(all_segments(capture))


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
