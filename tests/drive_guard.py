#!/usr/bin/env python3
"""`ringchurn drive` sends nothing to a host that the user is not said to be authorised to load: exit
code 2, one line, and under strace(1) no internet socket, no resolver and no ring, through which
strace could not see what is sent. Runs where no network but loopback is, in case it does."""

import os
import pathlib
import re
import subprocess
import tempfile

from ringchurn_testing import (Failures, enter_network_namespace, environment, require_programs,
                               run_ringchurn, skip)

USAGE = 2

# (target, options, what the message must say)
REFUSED = [
    ("10.255.255.1:80", [], ["10.255.255.1", "--authorized-target 10.255.255.1"]),
    ("169.254.169.254:80", [], ["--authorized-target 169.254.169.254"]),
    ("guarded.invalid:8080", [], ["not loopback", "--authorized-target guarded.invalid"]),
    ("[2001:db8::5]:80", [], ["--authorized-target 2001:db8::5"]),
    ("[fe80::1%lo]:80", [], ["--authorized-target fe80::1%lo"]),
    ("[::ffff:10.255.255.1]:80", [], ["--authorized-target"]),
    ("10.255.255.1:80", ["--authorized-target", "10.255.255.2"], ["names '10.255.255.2'"]),
    ("guarded.invalid:80", ["--authorized-target", "other.invalid"], ["names 'other.invalid'"]),
    ("127.0.0.1:80", ["--authorized-target", "10.255.255.1"], ["names '10.255.255.1'"]),
    ("unix:/run/x.sock", ["--authorized-target", "guarded.invalid"], ["leave", "out"]),
    ("0.0.0.0:80", ["--authorized-target", "0.0.0.0"], ["unspecified"]),
    ("224.0.0.1:80", ["--authorized-target", "224.0.0.1"], ["multicast"]),
    ("255.255.255.255:80", ["--authorized-target", "255.255.255.255"], ["broadcast"]),
    ("127.255.255.255:80", [], ["broadcast address of lo"]),
    ("[::]:80", ["--authorized-target", "::"], ["unspecified"]),
    ("[ff02::1]:80", ["--authorized-target", "ff02::1"], ["multicast"]),
    ("127.1:80", ["--authorized-target", "127.1"], ["four decimal numbers"]),
    ("127.0.0.1", [], ["no port", "127.0.0.1:PORT"]),
    ("127.0.0.1:0", [], ["port 0"]),
    ("127.0.0.1:65536", [], ["65536"]),
    ("::1:80", [], ["[::1]:80"]),
    (":80", [], ["no host"]),
    ("unix:", [], ["no path"]),
    ("unix:" + "p" * 108, [], ["107"]),
]

# A netlink socket asks the kernel for its interfaces, an AF_UNIX socket carries such questions.
HARMLESS = re.compile(r"socket\(AF_(NETLINK|UNIX|LOCAL), |\{sa_family=AF_NETLINK,")
# connect() to AF_UNIX counts: so is a resolver's daemon asked, nscd or systemd-resolved.
SENDING = re.compile(r"\b(socket|connect|sendto|sendmsg|sendmmsg|io_uring_setup|io_uring_enter)\(")


def strace(output):
    return ["strace", "-f", "-e", "trace=network,io_uring_setup,io_uring_enter", "-o", str(output)]


def suspicious(output):
    """The traced calls that send, or could."""
    lines = output.read_text("utf-8", "replace").splitlines()
    return [line for line in lines if SENDING.search(line) and not HARMLESS.search(line)]


def drive(folder, target, options):
    """Runs `ringchurn drive TARGET OPTIONS`; what it said, and its suspicious calls. ASan's leak
    check does not work under strace."""
    output = pathlib.Path(folder, "calls")
    asan = os.environ.get("ASAN_OPTIONS", "")
    done = run_ringchurn("drive", target, *options, "--connections", 1, command=strace(output),
                         env=environment(ASAN_OPTIONS=f"{asan}:detect_leaks=0".lstrip(":")))
    return done, suspicious(output)


def check_that_the_trace_sees(failures, folder):
    """The same look finds a connect to an internet address, and the resolver once it is allowed."""
    output = pathlib.Path(folder, "calls")
    probe = subprocess.run([*strace(output), "python3", "-c",
                            "import socket; socket.socket().connect_ex(('127.0.0.1', 1))"],
                           capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        skip(f"strace may not trace here: {probe.stderr.strip()}")
    failures.check(any("connect(" in line for line in suspicious(output)),
                   "the trace does not show a connect")
    done, calls = drive(folder, "guarded.invalid:80", ["--authorized-target", "guarded.invalid"])
    failures.check(done.returncode in (1, USAGE), f"an unknown name: exit code {done.returncode}")
    failures.check(calls, f"an authorised name is not resolved: {done.stderr}")


def main():
    require_programs({"strace": "strace"})
    enter_network_namespace()
    failures = Failures()
    with tempfile.TemporaryDirectory() as folder:
        check_that_the_trace_sees(failures, folder)
        for target, options, parts in REFUSED:
            done, calls = drive(folder, target, options)
            what = " ".join(["drive", target, *options])
            failures.equal(done.returncode, USAGE, f"{what}: exit code")
            failures.equal(done.stdout, "", f"{what}: standard output")
            failures.equal(done.stderr.count("\n"), 1, f"{what}: lines of {done.stderr!r}")
            for part in parts:
                failures.check(part in done.stderr, f"{what}: no {part!r} in {done.stderr!r}")
            failures.equal(calls, [], f"{what}: calls that may send")
    failures.finish("nothing is sent to a host before it is authorised")


main()
