#!/usr/bin/env python3
"""The scenarios are right, says somebody else. For scenarios of every folder that plays TCP a table
says how many SYNs, FINs and RSTs each end must send, and which of the kernel's counters must move.
It is worked out by hand, from the script and RFC 9293; what the scenario's file declares is not
read. tcpdump(8) counts the segments and nstat(8) the counters; what ringchurn says of the run is
not read either, but for its exit code.

How the counters follow from the states (RFC 4022; the names are the kernel's):
  OutRsts       an RST that a kernel sent; not one that a scenario forges
  EstabResets   an end went from ESTABLISHED or CLOSE_WAIT to CLOSE at once; both ends are here
  AttemptFails  an end went from SYN_SENT or SYN_RECV to CLOSE at once
  TW            a TIME_WAIT was made, or the stand-in for an orphan in FIN_WAIT2
  TCPAbortOn... why a socket was given up: linger 0 or data for nobody (Data), unread bytes (Close),
                no answer (Timeout), an orphan that may not wait in FIN_WAIT2 (Linger)"""

import collections
import pathlib
import re
import tempfile
import time

from ringchurn_testing import (IN_ORDER, Failures, builtin_folders, builtin_text,
                               enter_network_namespace, read_nstat, require_programs,
                               run_ringchurn)
from wire import FIN, RST, SYN, Capture, all_segments

# What the kernel may still owe after the last close.
SETTLE_S = 0.1
CONNECTIONS = 10
CONNECTIONS_OF_A_SLOW_ONE = 2

# Every one that moves must be in the table.
COUNTERS = ("OutRsts", "EstabResets", "AttemptFails", "TCPAbortOnData", "TCPAbortOnClose",
            "TCPAbortOnTimeout", "TCPAbortOnLinger", "TCPTimeWaitOverflow", "TW")

# Folders whose scenarios send TCP segments; the others have no wire.
FOLDERS = {"accept", "connect", "exhaustion", "half-close", "io_uring", "linger", "options",
           "process", "reset", "teardown", "timeout", "unreachable"}


class Case:
    """What one play of a script must put on the wire, all its connections together, and into the
    counters. The client of a connection is who sent its first SYN. `client` and `server` name the
    segments that each sends, in no order; a retransmission is not counted again."""

    def __init__(self, why, client, server, *, slow=False, family=None, sysctl=None, **counters):
        self.why = why
        self.segments = {(end, flag): text.split().count(flag)
                         for end, text in (("client", client), ("server", server))
                         for flag in ("SYN", "FIN", "RST")}
        self.connections = CONNECTIONS_OF_A_SLOW_ONE if slow else CONNECTIONS
        self.families = [family] if family else ["ipv4", "ipv6"]
        self.sysctl = sysctl or {}  # that this test sets, and not ringchurn
        self.counters = {name: counters.pop(name, 0) for name in COUNTERS}
        assert not counters, counters


def reset_by(end, **counters):
    """One end resets an established connection that the other end has not closed: both leave
    ESTABLISHED for CLOSE."""
    client, server = ("SYN RST", "SYN") if end == "client" else ("SYN", "SYN RST")
    return Case(f"the {end} resets, both ends were ESTABLISHED", client, server, OutRsts=1,
                EstabResets=2, **counters)


def orderly(why, **options):
    """Two FINs, one TIME_WAIT, at whoever was first."""
    return Case(why, "SYN FIN", "SYN FIN", TW=1, **options)


FASTOPEN = {"net.ipv4.tcp_fastopen": "519"}
NO_TIME_WAIT = {"net.ipv4.tcp_max_tw_buckets": "0"}
NO_REUSE = {"net.ipv4.tcp_tw_reuse": "0"}

CASES = {
    # -- accept
    "abort-before-accept": reset_by("client", TCPAbortOnData=1),
    "inherited-linger": reset_by("server", TCPAbortOnData=1),
    "data-fin-before-accept": orderly("all of it happens before accept, and is no different"),
    "aborted-then-next": Case(
        "the first client resets, the second closes first and is closed", "SYN RST SYN FIN",
        "SYN SYN FIN", OutRsts=1, EstabResets=2, TCPAbortOnData=1, TW=1),
    "fin-before-accept": Case(
        "client closes; the server's byte finds FIN_WAIT2's stand-in, which resets CLOSE_WAIT",
        "SYN FIN RST", "SYN", OutRsts=1, EstabResets=1, TW=1),
    "listener-close-queued": Case(
        "two clients that nobody accepted, both reset when the listener closes", "SYN SYN",
        "SYN SYN RST RST", OutRsts=2, EstabResets=4),
    "listener-close-accepted": Case(
        "the accepted one ends in order, a later SYN is refused by RST", "SYN FIN SYN",
        "SYN FIN RST", OutRsts=1, AttemptFails=1, TW=1),
    "defer-accept-reset": Case(
        "linger 0 in ESTABLISHED; the server is still in SYN_RECV", "SYN RST", "SYN", OutRsts=1,
        EstabResets=1, AttemptFails=1, TCPAbortOnData=1),
    # -- connect
    "refused": Case("an RST to the SYN", "SYN", "RST", OutRsts=1, AttemptFails=1),
    "connect-port-0": Case("an RST to the SYN", "SYN", "RST", OutRsts=1, AttemptFails=1),
    "refused-again": Case("two refusals, then a connection", "SYN SYN SYN FIN", "RST RST SYN FIN",
                          OutRsts=2, AttemptFails=2, TW=1),
    "connect-any": orderly("an ordinary connection of loopback"),
    "fastopen-nothing-sent": Case("no send, no SYN", "", "", sysctl=FASTOPEN),
    "self-connect": Case(
        "an ordinary connection, and one whose every segment is its sender's own: the SYN+ACK "
        "repeats its SYN, the one FIN is both", "SYN FIN SYN FIN", "SYN FIN", TW=2),
    "unconnected": Case("a socket that never connects", "", ""),
    # -- exhaustion
    "reset-frees-port": Case("two connections by one port, both reset", "SYN RST SYN RST",
                             "SYN SYN", OutRsts=2, EstabResets=4, TCPAbortOnData=2,
                             sysctl=NO_REUSE),
    "time-wait-at-server": Case(
        "the first ends in order, the server first; the second, by the same port, is reset",
        "SYN FIN SYN RST", "SYN FIN SYN", OutRsts=1, EstabResets=2, TCPAbortOnData=1, TW=1,
        sysctl=NO_REUSE),
    "stale-connection": Case(
        "the first client vanishes (a state left, no segment); the second's SYN draws a challenge "
        "ACK, that an RST, which ends the stale end; SYN again, and at last an RST by linger 0",
        "SYN SYN RST RST", "SYN SYN", OutRsts=2, EstabResets=4, TCPAbortOnData=1, slow=True),
    "final-ack-reset": Case(
        "three clients are answered, the third one's data is reset; Linux counts its SYN_RECV "
        "under EmbryonicRsts", "SYN SYN SYN FIN FIN", "SYN SYN SYN FIN FIN RST", OutRsts=1,
        EstabResets=1, TW=2, sysctl={"net.ipv4.tcp_abort_on_overflow": "1"}),
    # -- half-close
    "half-close": orderly("SHUT_WR is a FIN, close behind both FINs is nothing"),
    "half-close-unread-answer": Case(
        "client FIN, then its close over an unread byte: FIN_WAIT2 here, CLOSE_WAIT there",
        "SYN FIN RST", "SYN", OutRsts=1, EstabResets=1, TCPAbortOnClose=1),
    "shutdown-rdwr-then-data": Case(
        "client FIN; the server's byte will not be read: reset from FIN_WAIT2", "SYN FIN RST",
        "SYN", OutRsts=1, EstabResets=1, TCPAbortOnData=1),
    # -- io_uring
    "linked-shutdown": orderly("shutdown and close: one FIN"),
    "linked-connect-refused": Case("an RST to the SYN", "SYN", "RST", OutRsts=1, AttemptFails=1),
    "batched-linger-close": reset_by("client", TCPAbortOnData=1),
    "pending-recv-linger-zero": reset_by("client", TCPAbortOnData=1),
    "pending-connect-destroy": Case("SOCK_DESTROY in SYN_SENT sends nothing", "SYN", "",
                                    AttemptFails=1),
    # -- linger
    "linger-zero-both-ends": reset_by("client", TCPAbortOnData=1),
    "linger-timed-unread-data": reset_by("client", TCPAbortOnClose=1),
    "linger-off-again": orderly("SO_LINGER was taken back"),
    "linger-zero-after-shutdown": Case("FIN, and then RST from FIN_WAIT2 to CLOSE_WAIT",
                                       "SYN FIN RST", "SYN", OutRsts=1, EstabResets=1,
                                       TCPAbortOnData=1),
    "linger-zero-in-close-wait": Case(
        "server FIN; linger 0 in CLOSE_WAIT; FIN_WAIT2 at the server is a stand-in", "SYN RST",
        "SYN FIN", OutRsts=1, EstabResets=1, TCPAbortOnData=1, TW=1),
    "linger-zero-in-last-ack": Case(
        "both FINs are out, the server's end is in TIME_WAIT: linger 0 gives up LAST_ACK, no RST",
        "SYN FIN", "SYN FIN", TCPAbortOnData=1, TW=1),
    "linger2-negative-close": Case(
        "client FIN; its ACK is answered with RST instead of FIN_WAIT2, as data for nobody is",
        "SYN FIN RST", "SYN", OutRsts=1, EstabResets=1, TCPAbortOnData=1),
    "linger2-negative-fin-wait2": Case(
        "client FIN; its close must not wait in FIN_WAIT2", "SYN FIN RST", "SYN", OutRsts=1,
        EstabResets=1, TCPAbortOnLinger=1),
    # -- options
    "socket-option-after-connect": orderly("a refused option changes nothing"),
    # -- process
    "process-exit": Case(
        "exit is close: server FIN; the client's byte draws an RST from FIN_WAIT2's stand-in",
        "SYN", "SYN FIN RST", OutRsts=1, EstabResets=1, TW=1),
    "process-exit-unread": reset_by("server", TCPAbortOnClose=1),
    "process-killed": orderly("SIGKILL is close"),
    "process-killed-linger-zero": reset_by("server", TCPAbortOnData=1),
    # -- reset
    "rst-server": reset_by("server", TCPAbortOnData=1),
    "unread-data": reset_by("server", TCPAbortOnClose=1),
    "unread-at-both-ends": reset_by("client", TCPAbortOnClose=1),
    "disconnect": reset_by("client"),
    "destroy-then-recv": reset_by("client"),
    "disconnect-shutdown-reconnect": Case(
        "the first connection is dissolved, the second ended by linger 0", "SYN RST SYN RST",
        "SYN SYN", OutRsts=2, EstabResets=4, TCPAbortOnData=1),
    "write-after-fin": Case(
        "server FIN; the client's byte draws an RST from FIN_WAIT2's stand-in", "SYN",
        "SYN FIN RST", OutRsts=1, EstabResets=1, TW=1),
    "forged-rst-in-window": Case(
        "an RST as if from the server, not believed; then an orderly end", "SYN FIN",
        "SYN FIN RST", TW=1),
    "forged-rst-exact": Case(
        "an RST as if from the server, believed; the server's byte is answered with RST",
        "SYN RST", "SYN RST", OutRsts=1, EstabResets=2),
    "forged-syn": Case("a second SYN as if from the server; then an orderly end", "SYN FIN",
                       "SYN SYN FIN", TW=1),
    "forged-fin": Case(
        "a FIN as if from the server; its real bytes are behind it, and reset in CLOSE_WAIT",
        "SYN RST", "SYN FIN", OutRsts=1, EstabResets=2, TCPAbortOnData=1),
    "middlebox-rst-shutdown": Case(
        "client FIN, an RST as if from the server to FIN_WAIT1; the server's own FIN finds nobody",
        "SYN FIN RST", "SYN RST FIN", OutRsts=1),
    "vanished-peer-idle": Case(
        "the client vanishes without a segment; the server's FIN is answered with RST", "SYN RST",
        "SYN FIN", OutRsts=1, EstabResets=1),
    "vanished-peer-send": Case(
        "the client vanishes without a segment; the server's data is answered with RST",
        "SYN RST", "SYN", OutRsts=1, EstabResets=2),
    "time-wait-table-full-send": Case(
        "client FIN, and no place for its FIN_WAIT2; the server's byte finds a closed port",
        "SYN FIN RST", "SYN", OutRsts=1, EstabResets=1, TCPTimeWaitOverflow=1,
        sysctl=NO_TIME_WAIT),
    # -- teardown
    "graceful": orderly("the client first"),
    "graceful-server": orderly("the server first"),
    "shutdown-both-ends": orderly("two shutdowns; two closes of what is closed"),
    "crossing-fins": Case("the FINs cross, and so each end has its TIME_WAIT", "SYN FIN",
                          "SYN FIN", TW=2, slow=True),
    "time-wait-table-full": Case("no place for the one TIME_WAIT", "SYN FIN", "SYN FIN",
                                 TCPTimeWaitOverflow=1, sysctl=NO_TIME_WAIT),
    # -- timeout
    "user-timeout-recv": Case(
        "no ACK, no RST; the server, which hears again, closes: its FIN is answered with RST",
        "SYN RST", "SYN FIN", OutRsts=1, EstabResets=1, TCPAbortOnTimeout=1, slow=True),
    "keepalive-unanswered": Case(
        "the probes' end sends an RST into the void; the server's later FIN draws one more",
        "SYN RST RST", "SYN FIN", OutRsts=2, EstabResets=1, TCPAbortOnTimeout=1, slow=True),
    "keepalive-after-restart": Case(
        "the client vanishes without a segment; the server's probe is answered with RST",
        "SYN RST", "SYN", OutRsts=1, EstabResets=2, slow=True),
    "orphan-user-timeout": Case(
        "the client's FIN is never acknowledged, its orphan times out in FIN_WAIT1; the server's "
        "byte is answered with RST", "SYN FIN RST", "SYN", OutRsts=1, EstabResets=1,
        TCPAbortOnTimeout=1, slow=True),
    "connect-user-timeout": Case("a SYN, again, and nobody answers", "SYN", "", AttemptFails=1,
                                 TCPAbortOnTimeout=1, slow=True),
    "fin-wait2-linger2": Case(
        "client FIN; FIN_WAIT2's time is up; the server's FIN, in LAST_ACK, is answered with RST",
        "SYN FIN RST", "SYN FIN", OutRsts=1, slow=True),
    # -- unreachable
    "connect-icmp-host": Case("a SYN, and an ICMP message for it", "SYN", "", AttemptFails=1,
                              family="ipv4"),
    "connect-icmpv6-port": Case("a SYN, and an ICMPv6 message for it", "SYN", "", AttemptFails=1,
                                family="ipv6"),
    "connect-reset-in-syn-sent": Case("a SYN, and an RST as if from the server", "SYN", "RST",
                                      AttemptFails=1),
    "soft-error-taken": orderly("an ICMP message about a connection is only remembered",
                                family="ipv4"),
}


def ends_of(capture):
    """How many segments of each kind each end sent: {("client", "FIN"): 10}. A SYN or FIN counts
    once for each sequence number that it has; an RST is never retransmitted."""
    clients, seen, counts = {}, set(), collections.Counter()
    for segment in all_segments(capture):
        client = clients.setdefault(frozenset((segment.source, segment.destination)),
                                    segment.source)
        end = "client" if segment.source == client else "server"
        position = (segment.sequence + segment.data_bytes) % 2**32
        for flag, name, at in ((SYN, "SYN", segment.sequence), (FIN, "FIN", position)):
            if segment.flags & flag and (segment.source, segment.destination, name, at) not in seen:
                seen.add((segment.source, segment.destination, name, at))
                counts[end, name] += 1
        counts[end, "RST"] += bool(segment.flags & RST)
    return counts


def set_sysctl(name, value):
    """Sets it in this test's namespace; returns what it was."""
    path = pathlib.Path("/proc/sys", name.replace(".", "/"))
    before = path.read_text(encoding="ascii").strip()
    path.write_text(value, encoding="ascii")
    return before


def check(failures, name, case, family, folder):
    # Settings are this test's own, or ringchurn would play in a namespace that nobody here sees.
    path = pathlib.Path(folder, f"{name}.toml")
    path.write_text(re.sub(r"^sysctl = .*\n", "", builtin_text(name), flags=re.MULTILINE),
                    encoding="utf-8")
    history = pathlib.Path(folder, "nstat-history")
    settings = {setting: set_sysctl(setting, value) for setting, value in case.sysctl.items()}
    before = read_nstat(history)
    capture = Capture(pathlib.Path(folder, f"{name}-{family}.pcap"))
    done = run_ringchurn("run", "--scenario", path, "--family", family, "--connections",
                         case.connections, "--concurrency", 1, "--lab", "host", *IN_ORDER)
    time.sleep(SETTLE_S)
    sent = ends_of(capture.finish())
    after = read_nstat(history)
    for setting, value in settings.items():
        set_sysctl(setting, value)
    what = f"{name}, {family} ({case.why})"
    failures.equal(done.returncode, 0, f"{what}: exit code; {done.stdout[-2000:]}{done.stderr}")
    for (end, flag), count in case.segments.items():
        failures.equal(sent[end, flag], count * case.connections,
                       f"{what}: {flag}s from the {end} in {case.connections} plays, by tcpdump")
    for counter, count in case.counters.items():
        failures.equal(after[counter] - before[counter], count * case.connections,
                       f"{what}: {counter} in {case.connections} plays, by nstat")


def main():
    require_programs({"tcpdump": "tcpdump", "nstat": "iproute2"})
    enter_network_namespace()
    failures = Failures()
    folders = builtin_folders()
    failures.equal({folders[name] for name in CASES}, FOLDERS, "folders in this test's table")
    with tempfile.TemporaryDirectory() as folder:
        for name, case in CASES.items():
            for family in case.families:
                check(failures, name, case, family, folder)
    failures.finish(f"the wire and nstat say what RFC 9293 says of {len(CASES)} scenarios")


main()
