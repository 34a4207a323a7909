#!/usr/bin/env python3
"""--metrics: Prometheus finds the newest sample on loopback while the load runs in a network of its
own, as root and as an ordinary user; promtool accepts it; and nothing is left when the load ends,
however it ends."""

import os
import pathlib
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import urllib.request

from ringchurn_testing import (DEADLINE_S, RINGCHURN, Failures, environment, fail, parse_json,
                               run_ringchurn, skip, start_ringchurn, verdict)

ORDINARY_USER = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
LOAD = ("run", "--mix", "graceful=3,rst-client=1", "--layout", "single", "--interval", "100ms")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def start(port, command):
    return subprocess.Popen([*command, *LOAD, "--duration", "60s", "--metrics", str(port)],
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                            env=environment())


def scrape(port):
    """The page, or "" while nobody listens."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=10) as page:
            return page.read().decode()
    except OSError:
        return ""


def values(page):
    return {line.rsplit(" ", 1)[0]: float(line.rsplit(" ", 1)[1])
            for line in page.splitlines() if line.startswith("ringchurn_")}


def wait_for(process, port, wanted):
    """The first page whose values are as wanted."""
    deadline = time.monotonic() + DEADLINE_S
    while time.monotonic() < deadline:
        page = scrape(port)
        if page and wanted(values(page)):
            return page
        if process.poll() is not None:
            fail(f"ended too early: {process.communicate()}")
        time.sleep(0.05)
    process.kill()
    return fail("the page that was waited for does not come")


def check_gone(failures, what, port):
    deadline = time.monotonic() + 10
    while scrape(port) and time.monotonic() < deadline:
        time.sleep(0.05)
    failures.equal(scrape(port), "", f"{what}: the page afterwards")


def listeners(port):
    """Addresses at which somebody listens on that port, as /proc/net/tcp writes them."""
    with open("/proc/net/tcp", encoding="ascii") as table:
        rows = [line.split() for line in table][1:]
    return {row[1].split(":")[0] for row in rows
            if row[3] == "0A" and int(row[1].split(":")[1], 16) == port}


def check_load(failures, what, signal_number, command=(RINGCHURN,)):
    """Two scrapes of one load, of which the second knows more; then the signal."""
    port = free_port()
    process = start(port, command)
    first = values(wait_for(process, port,
                            lambda now: now.get("ringchurn_connections_total", 0) > 0))
    page = wait_for(process, port, lambda now: now["ringchurn_connections_total"]
                    > first["ringchurn_connections_total"])
    second = values(page)
    for name, value in first.items():
        grows = name.split("{")[0].endswith("_total") or name == "ringchurn_elapsed_seconds"
        failures.check(not grows or second.get(name, -1) >= value,
                       f"{what}: {name} falls from {value} to {second.get(name)}")
    for name in ("ringchurn_errors_total{class=\"reset\"}", "ringchurn_time_wait_sockets",
                 "ringchurn_netstat_total{counter=\"OutRsts\"}", "ringchurn_cpu_seconds_total"):
        failures.check(second.get(name, 0) > 0, f"{what}: no {name}: {page}")
    failures.equal(listeners(port), {"0100007F"}, f"{what}: listens at")
    process.send_signal(signal_number)
    process.communicate(timeout=DEADLINE_S)
    check_gone(failures, what, port)
    return page


def check_port_in_use(failures):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = run_ringchurn("run", "--connections", "1", "--metrics", port)
    failures.equal(done.returncode, 2, "a port in use: exit code")
    failures.equal(done.stdout, "", "a port in use: stdout")
    failures.equal(done.stderr, f"ringchurn: --metrics {port}: cannot listen at 127.0.0.1:{port}: "
                                "Address already in use; choose another port\n", "a port in use")


def check_server_killed(failures):
    """Whoever ends the server does not end the load, which says so."""
    port = free_port()
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, "result.json")
        process = start_ringchurn(*LOAD, "--duration", "1s", "--metrics", port, "--json", path)
        while not scrape(port) and process.poll() is None:
            time.sleep(0.02)
        children = pathlib.Path(f"/proc/{process.pid}/task/{process.pid}/children")
        os.kill(int(children.read_text(encoding="ascii").split()[0]), signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)
        served = verdict(parse_json(path.read_text(encoding="utf-8")), "metrics served")
    failures.equal((process.returncode, served["ok"], served["advisory"]), (0, False, True),
                   "a server that is killed: exit code and verdict")


def check_as_user(failures):
    """An ordinary user needs a user namespace for the lab, which a thread would forbid. With a copy
    of the program, which may lie where nobody can read it."""
    probe = subprocess.run([*ORDINARY_USER, "unshare", "--user", "--net", "true"], check=False,
                           capture_output=True, text=True)
    if os.geteuid() != 0 or probe.returncode != 0:
        print(f"not played as an ordinary user: {probe.stderr.strip()}")
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        binary = pathlib.Path(folder, "ringchurn")
        shutil.copy(RINGCHURN, binary)
        binary.chmod(0o755)
        check_load(failures, "as an ordinary user", signal.SIGINT, (*ORDINARY_USER, binary))


def main():
    probe = run_ringchurn("run", "--connections", "1", "--metrics", free_port())
    if "built without prometheus-cpp" in probe.stderr:
        if (probe.returncode, probe.stdout, probe.stderr.count("\n")) != (2, "", 1):
            fail(f"no clear refusal: {probe.returncode}: {probe.stdout}{probe.stderr}")
        skip("built without prometheus-cpp: apt-get install prometheus-cpp-dev, and build again")
    failures = Failures()
    failures.equal(probe.returncode, 0, f"the shortest load: {probe.stderr}")
    page = check_load(failures, "SIGINT", signal.SIGINT)
    check_load(failures, "SIGKILL", signal.SIGKILL)
    check_server_killed(failures)
    check_port_in_use(failures)
    check_as_user(failures)
    if shutil.which("promtool") is None and not failures.messages:
        skip("promtool is missing: apt-get install prometheus")
    linted = subprocess.run(["promtool", "check", "metrics"], input=page, capture_output=True,
                            text=True, check=False)
    failures.equal((linted.returncode, linted.stdout + linted.stderr), (0, ""), "promtool")
    failures.finish("Prometheus finds a load's newest sample")


main()
