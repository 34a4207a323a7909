#!/usr/bin/env python3
"""What nginx and HAProxy do to their clients, by the settings that decide how they tear connections
down: `ringchurn drive` plays clients against each, and what comes back is what SETTINGS says. Each
ledger closes, and each server survives. RSTs are counted on the wire, by the port they come from,
and all of them together are nstat's OutRsts.

    tests/drive_servers.py --table 70000   # the same with so many connections, as Markdown

What the servers call (strace, nginx 1.22, HAProxy 2.6):
- nginx closes at once, with lingering_close (on: only if a client may still send) it calls
  shutdown(SHUT_WR) and reads to EOF first. A body that it refuses itself (413) it reads and drops
  whatever lingering_close says; a URI that is too long it does not.
- reset_timedout_connection sets SO_LINGER {1, 0} for what has timed out, and for `return 444`.
- HAProxy calls shutdown(SHUT_WR) and close(2) and reads nothing in between; option nolinger sets
  SO_LINGER {1, 0} in between, so that an RST is right behind the FIN."""

import argparse
import collections
import ctypes
import dataclasses
import os
import pathlib
import pwd
import shutil
import socket
import struct
import subprocess
import tempfile
import time

from ringchurn_testing import (DEADLINE_S, MANY_PORTS, Failures, enter_network_namespace, fail,
                               parse_json, read_nstat, require_programs, run_ringchurn)

PORT, BACKEND_PORT = 8090, 8080  # in a network of the test's own
CONNECTIONS = 1000
MOST_OF_OTHERS = 5000  # connections of each scenario that is not of the mix of pages
BATCH = 20000    # connections of each scenario in one drive, which has a deadline
PAGE = 16384     # bytes: larger than what http-abort-mid-response reads
LARGE = 1 << 20  # bytes: larger than a send buffer, so that the RST comes while the server sends
BODY = 1000000   # bytes: more than the kernel takes while nobody reads
LONG_PATH = "/" + "a" * 60000  # longer than any server's buffer for the request line

NGINX = """
daemon off; master_process off; pid nginx.pid; error_log error.log crit;
events {{ worker_connections 8192; }}
http {{
  access_log off;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  {settings}
  server {{
    listen 127.0.0.1:{port} backlog=4096;
    root .;
    location /no-answer {{ return 444; }}
    location /refuse {{ return 413; }}
  }}
}}
"""
HAPROXY = """
global
  maxconn 8192
  nbthread 1
defaults
  mode http
  timeout connect 10s
  timeout client 10s
  timeout server 10s
  {settings}
frontend clients
  bind 127.0.0.1:{port} backlog 4096
  http-request deny deny_status 413 if {{ path /refuse }}
  default_backend servers
backend servers
  server nginx 127.0.0.1:{backend_port}
"""

# What is played: (its name, scenarios, their parameters).
PAGES = ("pages", ["http-close", "http-half-close", "http-abort-mid-response"],
         ["http-abort-mid-response.path=/large.html"])
LONG_URI = ("URI too long", ["http-close"], [f"http-close.path={LONG_PATH}"])
NO_ANSWER = ("`return 444`", ["http-close"], ["http-close.path=/no-answer"])
REFUSED_BODY = ("refused body", ["http-post-refused"],
                ["http-post-refused.path=/refuse", f"http-post-refused.body={BODY}"])

# The least share of a load's connections; what is not named does not happen at all.
ALL, MOST, SOME = 1, 0.5, 0


@dataclasses.dataclass
class Setting:
    """A server with a setting: what its clients meet, {(load, scenario): (least share, errors)},
    where each such connection meets one of the errors; the RSTs it sends, {load: least share}; and
    what that means."""
    name: str
    template: str
    lines: str
    loads: tuple
    meets: dict
    resets: dict
    meaning: str


def nginx(lingering, reset, meaning):
    meets = {("`return 444`", "http-close"):
             (ALL, {"recv ECONNRESET" if reset == "on" else "recv EOF"})}
    resets = {"`return 444`": ALL} if reset == "on" else {}
    if lingering == "off":
        meets["URI too long", "http-close"] = (ALL, {"recv ECONNRESET"})
        resets["URI too long"] = ALL
    return Setting(f"nginx, `lingering_close {lingering}`, `reset_timedout_connection {reset}`",
                   NGINX, f"lingering_close {lingering}; reset_timedout_connection {reset};",
                   (PAGES, LONG_URI, NO_ANSWER, REFUSED_BODY), meets, resets, meaning)


# A send under way meets the RST, or first the FIN; one that the kernel has taken whole, nothing.
BODY_CUT_OFF = {"send EPIPE", "send ECONNRESET"}


def haproxy(name, lines, meets, resets, meaning):
    meets = {("refused body", "http-post-refused"): (MOST, BODY_CUT_OFF)} | meets
    resets = {"URI too long": SOME, "refused body": ALL} | resets
    return Setting(f"HAProxy, {name}", HAPROXY, lines, (PAGES, LONG_URI, REFUSED_BODY), meets,
                   resets, meaning)


SETTINGS = [
    nginx("off", "off", "A close over bytes that were not read is an RST behind the whole answer."),
    nginx("off", "on", "As above, and what timed out is reset: no TIME_WAIT, no FIN_WAIT2."),
    nginx("on", "off", "The default: drains where a client may still send; nobody is reset."),
    nginx("on", "on", "Drains, and resets what timed out alone."),
    nginx("always", "off", "For clients the same as on; the server waits for each FIN of theirs."),
    nginx("always", "on", "The same, and what timed out is reset."),
    haproxy("default", "", {}, {},
            "Never drains: a client that still sends is cut off before it sees the answer."),
    haproxy("`option nolinger`", "option nolinger",
            {("pages", "http-close"): (SOME, {"recv ECONNRESET"}),
             ("pages", "http-half-close"):
             (SOME, {"shutdown ENOTCONN", "recv ECONNRESET"}),
             ("URI too long", "http-close"): (SOME, {"recv ECONNRESET", "send EPIPE",
                                                     "send ECONNRESET"})},
            {"pages": SOME},
            "No TIME_WAIT: an RST is right behind the FIN, and a client may meet it first."),
    haproxy("`option http-server-close`", "option http-server-close", {}, {},
            "For clients as by default: only the connection to the server behind differs."),
]


class Server:
    """A server of an ordinary user's, in the foreground, in a folder of its own."""

    def __init__(self, folder, command, configuration, port):
        folder.mkdir()
        (folder / "conf").write_text(configuration, encoding="ascii")
        (folder / "index.html").write_bytes(b"x" * PAGE)
        (folder / "large.html").write_bytes(b"x" * LARGE)
        user = {}
        if os.geteuid() == 0:
            nobody = pwd.getpwnam("nobody")
            user = {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}
            for path in (folder, *folder.iterdir()):
                shutil.chown(path, nobody.pw_uid, nobody.pw_gid)
        self.log = folder / "log"
        with open(self.log, "wb") as log:
            self.process = subprocess.Popen(command, cwd=folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, **user)
        self._wait_for(port)

    def _wait_for(self, port):
        deadline = time.monotonic() + DEADLINE_S
        while self.process.poll() is None and time.monotonic() < deadline:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                return
            except ConnectionRefusedError:
                time.sleep(0.01)
        self.stop()
        fail(f"{self.process.args[0]} does not listen: {self.log.read_text(encoding='utf-8')}")

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(timeout=DEADLINE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            fail(f"{self.process.args[0]} does not end")


def start_servers(folder, setting):
    """The server that clients meet, and, in front of the list, what is behind it."""
    if setting.template == NGINX:
        return [start_nginx(folder / "nginx", setting.lines, PORT)]
    behind = start_nginx(folder / "nginx", "", BACKEND_PORT)
    configuration = HAPROXY.format(settings=setting.lines, port=PORT, backend_port=BACKEND_PORT)
    return [behind, Server(folder / "haproxy", ["haproxy", "-db", "-f", "conf"], configuration,
                           PORT)]


def start_nginx(folder, lines, port):
    command = ["nginx", "-e", "stderr", "-p", str(folder), "-c", str(folder / "conf")]
    return Server(folder, command, NGINX.format(settings=lines, port=port), port)


class RstCounter:
    """Counts the RSTs that arrive over IPv4, from one port or from all. The kernel's filter does:
    what passes is counted, whether it is read or, as here, dropped when the buffer is full."""

    SO_ATTACH_FILTER, SOL_PACKET, PACKET_STATISTICS, ETH_P_IP = 26, 263, 6, 0x0800
    IS_RST = [(0x30, 0, 0, 9), (0x15, 0, None, socket.IPPROTO_TCP),  # the protocol
              (0xb1, 0, 0, 0),                                       # X: the IP header's length
              (0x50, 0, 0, 13), (0x45, 0, None, 0x04)]               # the flags
    COUNTED, NOT_COUNTED = (0x06, 0, 0, 1), (0x06, 0, 0, 0)

    def __init__(self, port=None):
        program = list(self.IS_RST)
        if port:
            program += [(0x48, 0, 0, 0), (0x15, 0, None, port)]
        program += [self.COUNTED, self.NOT_COUNTED]
        last = len(program) - 1
        code = b"".join(struct.pack("HBBI", op, true, last - at - 1 if false is None else false, k)
                        for at, (op, true, false, k) in enumerate(program))
        buffer = ctypes.create_string_buffer(code, len(code))
        self.socket = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, self.SO_ATTACH_FILTER,
                               struct.pack("HP", len(program), ctypes.addressof(buffer)))
        self.socket.bind(("lo", self.ETH_P_IP))

    def count(self):
        """Since the last call."""
        statistics = self.socket.getsockopt(self.SOL_PACKET, self.PACKET_STATISTICS, 8)
        return struct.unpack("II", statistics)[0]


class Observed:
    """What came of a load: connections by scenario, errors by (scenario, step, error), RSTs of the
    server's."""

    def __init__(self):
        self.connections, self.errors = collections.Counter(), collections.Counter()
        self.resets = 0

    def add(self, result, resets):
        self.resets += resets
        for scenario in result["scenarios"]:
            self.connections[scenario["name"]] += scenario["opened"]
        for error in result["errors"]:
            if not error["expected"]:
                step = (error["scenario"], error["step"].split(" ")[0], error["errno"])
                self.errors[step, f"{error['operation']} {error['errno']}"] += error["count"]


def drive(failures, what, load, connections):
    """Plays one load by batches."""
    _, scenarios, parameters = load
    arguments = ["--mix", ",".join(f"{name}=1" for name in scenarios)]
    for parameter in parameters:
        arguments += ["--set", parameter]
    observed = Observed()
    while connections:
        batch = min(connections, BATCH)
        connections -= batch
        resets = RstCounter(PORT)
        done = run_ringchurn("drive", f"127.0.0.1:{PORT}", "--connections", batch * len(scenarios),
                             *arguments, "--seed", connections + 1, "--json", "-")
        if done.returncode not in (0, 3):
            fail(f"{what}: exit code {done.returncode}: {done.stderr}")
        result = parse_json(done.stdout)
        check_drive(failures, what, result, batch * len(scenarios))
        observed.add(result, resets.count())
    return observed


def check_drive(failures, what, result, connections):
    """Every connection is accounted for, and the server is as well as before."""
    for scenario in result["scenarios"]:
        ledger = scenario["client"]
        failures.equal(ledger["finished"] + ledger["unexpected"], ledger["opened"],
                       f"{what}: {scenario['name']}: the ledger")
    opened = sum(scenario["opened"] for scenario in result["scenarios"])
    failures.equal(opened, connections, f"{what}: connections")
    failures.equal(result["server"]["survival"], "survived",
                   f"{what}: the server: {result['server']['evidence']}")
    is_allowed = {"no unexpected errors"}  # they are what this is about
    failed = {verdict["name"] for verdict in result["verdicts"]
              if not verdict["ok"] and not verdict["advisory"]} - is_allowed
    failures.equal(failed, set(), f"{what}: failed verdicts")


def check_errors(failures, what, setting, load_name, observed):
    met = collections.Counter()
    for ((scenario, _, _), error), count in observed.errors.items():
        met[scenario] += count
        _, allowed = setting.meets.get((load_name, scenario), (None, ()))
        failures.check(error in allowed,
                       f"{what}: {scenario}: {error}, {count} times, expected {allowed or 'none'}")
    for scenario, count in observed.connections.items():
        least, _ = setting.meets.get((load_name, scenario), (0, ()))
        failures.check(least * count <= met[scenario] <= count,
                       f"{what}: {scenario}: {met[scenario]} errors in {count} connections")


def check_resets(failures, what, setting, load_name, observed):
    """The connections that look after the server when the load is over may be reset, too; data that
    comes behind an RST draws one more; and with the ends on two CPUs a late segment draws one now
    and then (bench/README.md)."""
    count = sum(observed.connections.values())
    least = setting.resets.get(load_name)
    is_expected = observed.resets <= count / 100 if least is None else \
        observed.resets >= least * count
    failures.check(is_expected, f"{what}: {observed.resets} RSTs of the server's in {count} "
                   f"connections, expected a share of {least}")


def per_thousand(count, connections):
    rate = 1000 * count / connections
    return f"{rate:,.0f}" if rate >= 10 else f"{rate:.2g}"


def table_row(setting, observed):
    """As README.md has it."""
    errors, resets = [], []
    for name, load in observed.items():
        for ((scenario, step, errno), _), count in sorted(load.errors.items()):
            rate = per_thousand(count, load.connections[scenario])
            errors.append(f"{name}, `{scenario}`: {step} {errno} {rate}")
        if load.resets:
            resets.append(f"{name}: {per_thousand(load.resets, sum(load.connections.values()))}")
    return (f"| {setting.name} | {'; '.join(errors) or 'none'} | {'; '.join(resets) or 'none'} | "
            f"{setting.meaning} |")


def play(failures, setting, connections):
    """All loads against one setting: {name: Observed}."""
    observed = {}
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        folder.chmod(0o755)  # the server is another user's
        on_the_wire, before = RstCounter(), read_nstat(folder / "nstat-history")
        servers = start_servers(folder, setting)
        try:
            for load in setting.loads:
                what = f"{setting.name}: {load[0]}"
                count = connections if load[0] == "pages" else min(connections, MOST_OF_OTHERS)
                observed[load[0]] = drive(failures, what, load, count)
                check_errors(failures, what, setting, load[0], observed[load[0]])
                check_resets(failures, what, setting, load[0], observed[load[0]])
        finally:
            for server in reversed(servers):
                server.stop()
        sent = read_nstat(folder / "nstat-history")["OutRsts"] - before["OutRsts"]
        failures.equal(on_the_wire.count(), sent, f"{setting.name}: RSTs on the wire, and OutRsts")
    return observed


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--table", type=int, metavar="N", help="print what was seen with N "
                        f"connections of each scenario (default: {CONNECTIONS}, no table)")
    arguments = parser.parse_args()
    os.environ["PATH"] += ":/usr/sbin"  # where Debian has them, and ordinary users do not look
    require_programs({"nginx": "nginx-light", "haproxy": "haproxy", "nstat": "iproute2"})
    # A client that had a server's port would keep the next server from it for a minute.
    enter_network_namespace(MANY_PORTS | {
        "net/ipv4/ip_local_reserved_ports": f"{PORT},{BACKEND_PORT}"})
    failures = Failures()
    if arguments.table:
        print("| server and setting | errors at the client, per 1,000 connections | "
              "RSTs by the server, per 1,000 | what it means |\n|---|---|---|---|")
    for setting in SETTINGS:
        observed = play(failures, setting, arguments.table or CONNECTIONS)
        if arguments.table:
            print(table_row(setting, observed), flush=True)
    failures.finish("each setting tears down as the table says")


main()
