"""A network namespace of the script's own, what its kernel counts there, and who ends a connection
in it, as seen on the wire."""

import collections
import ctypes
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import sys
import threading

from peers_parts.measure import Failed

SETTINGS = {"net/core/somaxconn": "65535", "net/ipv4/tcp_max_tw_buckets": "4000000",
            "net/ipv4/ip_local_reserved_ports": "8080"}
# A client that closes first may take its ports again, or only the kernel's search for one is
# measured (bench/README.md).
WIDE_PORTS = {"net/ipv4/ip_local_port_range": "1024 65535", "net/ipv4/tcp_tw_reuse_delay": "1"}
MARKER = "RINGCHURN_PEERS_NAMESPACE"


def enter(default_ports):
    """Goes on in the namespace, with lo up; the script starts anew there."""
    if os.environ.get(MARKER) == os.readlink("/proc/self/ns/net"):
        subprocess.run(["ip", "link", "set", "lo", "up"], check=True)
        for name, value in (SETTINGS | ({} if default_ports else WIDE_PORTS)).items():
            try:
                pathlib.Path("/proc/sys", name).write_text(value, encoding="ascii")
            except OSError:
                print(f"left as it is: {name.replace('/', '.')}")
        return
    for program, package in (("unshare", "util-linux"), ("ip", "iproute2")):
        if not shutil.which(program):
            raise Failed(f"{program} is missing: apt-get install {package}")
    unshare = ["unshare", "--net"] + (["--user", "--map-root-user"] if os.geteuid() != 0 else [])
    probe = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        raise Failed(f"no network namespace may be made here: {probe.stderr.strip()}")
    sys.stdout.flush()
    start = f"{MARKER}=$(readlink /proc/self/ns/net) exec \"$@\""
    os.execvp(unshare[0], [*unshare, "sh", "-c", start, "sh", sys.executable, *sys.argv])


def client_ports():
    """What the programs may choose from, as the namespace has it."""
    settings = [pathlib.Path("/proc/sys", name) for name in WIDE_PORTS]
    return ", ".join(" ".join([path.name, *path.read_text(encoding="ascii").split()])
                     for path in settings if path.exists())


def active_opens(pid="self"):
    """Connections that were begun in the network of the process."""
    snmp = pathlib.Path(f"/proc/{pid}/net/snmp").read_text(encoding="ascii")
    names, values = [line.split() for line in snmp.splitlines() if line.startswith("Tcp:")]
    return int(values[names.index("ActiveOpens")])


class Ends:
    """Who sends FIN or RST first, and what the other one answers: of the first connections to
    `port`, on lo. Use as a context; then told()."""

    ENOUGH = 400  # segments with FIN or RST
    FIN, RST = 1, 4
    # Of TCP over IPv4, those with FIN or RST: classic BPF, as tcpdump -dd prints it for
    # 'tcp[13] & 5 != 0'.
    FILTER = ((0x28, 0, 0, 12), (0x15, 0, 8, 0x0800), (0x30, 0, 0, 23), (0x15, 0, 6, 6),
              (0x28, 0, 0, 20), (0x45, 4, 0, 0x1fff), (0xb1, 0, 0, 14), (0x50, 0, 0, 27),
              (0x45, 0, 1, 5), (0x06, 0, 0, 0x40000), (0x06, 0, 0, 0))
    ALL, OUTGOING, SO_ATTACH_FILTER = 0x0003, 4, 26

    def __init__(self, port):
        self.port, self.signs = port, collections.defaultdict(list)
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(self.ALL))
        code = b"".join(struct.pack("HBBI", *line) for line in self.FILTER)
        self.code = ctypes.create_string_buffer(code)
        program = struct.pack("HL", len(self.FILTER), ctypes.addressof(self.code))
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_ATTACH_FILTER, program)
        self.socket.bind(("lo", 0))
        self.socket.settimeout(0.2)
        self.over = threading.Event()
        self.thread = threading.Thread(target=self.listen)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join()
        self.socket.close()

    def listen(self):
        seen = 0
        while seen < self.ENOUGH and not self.over.is_set():
            try:
                frame, address = self.socket.recvfrom(2048)
            except TimeoutError:
                continue
            if address[2] == self.OUTGOING:  # lo shows each one twice
                continue
            header = 14 + 4 * (frame[14] & 15)
            source, destination = struct.unpack_from("!HH", frame, header)
            if self.port not in (source, destination):
                continue
            sign = "RST" if frame[header + 13] & self.RST else "FIN"
            side = "server" if source == self.port else "client"
            self.signs[destination if side == "server" else source].append(f"{side} {sign}")
            seen += 1

    def told(self):
        """What the connections did that were seen to their end, the commonest first, and how many of
        them. The ends are two processes: who is first may be a race."""
        ended = [signs for signs in self.signs.values()
                 if any(sign.endswith("RST") for sign in signs) or len(signs) > 1]
        stories = collections.Counter(", then ".join(dict.fromkeys(signs)) for signs in ended)
        if not stories:
            return ""
        told = ", ".join(f"{story}: {count}" for story, count in stories.most_common(2))
        return f"{told} of {len(ended)} connections that were looked at"
