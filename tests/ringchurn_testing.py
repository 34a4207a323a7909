"""What the tests share that drive ringchurn from outside: running it, reading its JSON, and a
network namespace of the test's own. Not executable, so not a test."""

import concurrent.futures
import contextlib
import errno
import fcntl
import json
import os
import pathlib
import pty
import shutil
import subprocess
import sys
import termios

SKIPPED = 77

if "RINGCHURN" not in os.environ:
    sys.exit("RINGCHURN must be the path of the binary to test")
RINGCHURN = os.path.abspath(os.environ["RINGCHURN"])

SOURCE = pathlib.Path(os.environ.get("RINGCHURN_TREE", pathlib.Path(__file__).parent.parent))

# Settings of a network in which the ports last.
MANY_PORTS = {"net/ipv4/ip_local_port_range": "1024 65535", "net/core/somaxconn": "65535"}

# Ends a program that hangs; it is not what a test measures.
DEADLINE_S = 120

# Options for a run that another program observes in the test's own namespace. Loopback has a queue
# for each CPU: with a thread on each, it now and then reorders the last segments of a connection,
# TIME_WAIT answers the late one, and that answer draws an RST that no scenario asked for.
IN_ORDER = ("--layout", "single")


def skip(reason):
    print(f"skipped: {reason}")
    sys.exit(SKIPPED)


def fail(message):
    sys.exit(f"FAILED: {message}")


def require_programs(packages):
    """Skips unless every program in `packages`, {program: Debian package}, is installed."""
    for program, package in packages.items():
        if not shutil.which(program):
            skip(f"{program} is missing: apt-get install {package}")


class Failures:
    """What went wrong, collected, so that one run of a test tells all of it."""

    def __init__(self):
        self.messages = []
        self.checks = 0

    def check(self, is_good, message):
        self.checks += 1
        if not is_good:
            self.messages.append(message)

    def equal(self, actual, expected, what):
        self.check(actual == expected, f"{what}: {actual!r}, expected {expected!r}")

    def finish(self, proven):
        """Ends the test. A test that checked nothing has not passed."""
        for message in self.messages:
            print(f"FAILED: {message}")
        if self.messages:
            fail(f"{len(self.messages)} of {self.checks} checks")
        if self.checks == 0:
            fail("nothing was checked")
        print(f"{proven} ({self.checks} checks)")
        sys.exit(0)


def environment(**changes):
    """The environment without ringchurn's own variables, which would change what a test runs."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("RINGCHURN")}
    return kept | changes


def run_ringchurn(*arguments, command=(), env=None):
    """Runs ringchurn to its end, by `command` if one is given (strace and the like). Skips the test
    where io_uring is not available."""
    done = subprocess.run([*command, RINGCHURN, *map(str, arguments)], capture_output=True,
                          text=True, timeout=DEADLINE_S, check=False, env=env or environment())
    if done.returncode == SKIPPED:
        skip(done.stderr.strip())
    return done


def parse_json(text):
    """JSON as the standard has it: Python would accept NaN and Infinity."""

    def reject(constant):
        raise ValueError(f"{constant} is not JSON")

    return json.loads(text, parse_constant=reject)


def result_of(*arguments):
    """Runs `ringchurn ARGUMENTS --json -`: its exit code and its result."""
    done = run_ringchurn(*arguments, "--json", "-")
    try:
        return done.returncode, parse_json(done.stdout)
    except ValueError as error:
        return fail(f"{' '.join(map(str, arguments))}: exit code {done.returncode}, and no JSON: "
                    f"{error}\n{done.stdout}{done.stderr}")


def failed_verdicts(result):
    """Names and evidence of the verdicts that failed and are more than advice."""
    return {verdict["name"]: verdict["evidence"] for verdict in result["verdicts"]
            if not verdict["ok"] and not verdict["advisory"]}


# What voids a comparison though nothing is wrong with it: neighbours, and once in 1,000, chance.
VOIDING = {"CPU is ours", "A/A control"}


def comparison_of(*arguments):
    """As result_of(), of a comparison; played again, at most twice, while the machine voids it."""
    for _ in range(3):
        code, result = result_of(*arguments)
        failed = set(failed_verdicts(result))
        if not failed or not failed <= VOIDING:
            break
    return code, result


def verdict(result, name):
    """The verdict of that name, which every result has."""
    return next(verdict for verdict in result["verdicts"] if verdict["name"] == name)


def builtin_folders():
    """The built-in scenarios, {name: folder}."""
    folders, folder = {}, ""
    for line in run_ringchurn("scenarios").stdout.splitlines():
        if line.endswith("/") and not line.startswith(" "):
            folder = line.removesuffix("/")
        elif line:
            folders[line.split()[0]] = folder
    return folders


# The teardowns that the documentation compares: two ends, ordinary steps, exact counters. Tests that
# play scenarios by the thousand, or outside of the lab, play these; the atlas's tests play all.
TEARDOWNS = ["abort-before-accept", "disconnect", "graceful", "graceful-server", "half-close",
             "lingering-close", "refused", "rst-client", "rst-server", "simultaneous-close",
             "unread-data", "write-after-fin"]


def builtin_scenarios():
    """Names of the built-in scenarios."""
    return list(builtin_folders())


def builtin_text(name):
    """The file of a built-in scenario."""
    return run_ringchurn("scenarios", name).stdout


def play_each(names, *options):
    """Plays each scenario alone, once, in a call of `ringchurn atlas` of its own, of which some are
    under way at a time: most of the time they wait. Yields name, exit code, result."""
    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        results = pool.map(lambda name: result_of("atlas", name, "--runs", 1, *options), names)
        for name, (exit_code, result) in zip(names, results):
            yield name, exit_code, result


def read_nstat(history, command=()):
    """All counters by the names that scenarios use, of the namespace that `command` enters. nstat
    -s leaves its history file alone."""
    done = subprocess.run([*command, "nstat", "-asz", "--json"], capture_output=True, text=True,
                          check=True, env=os.environ | {"NSTAT_HISTORY": str(history)})
    counters = {}
    for name, value in json.loads(done.stdout)["kernel"].items():
        for group in ("TcpExt", "Tcp"):
            if name.startswith(group):
                counters[name.removeprefix(group)] = value
                break
    return counters


def active_opens(process="self"):
    """Connections that were begun in the network namespace of the process, by pid."""
    snmp = pathlib.Path(f"/proc/{process}/net/snmp").read_text(encoding="ascii")
    names, values = [line.split() for line in snmp.splitlines() if line.startswith("Tcp:")]
    return int(values[names.index("ActiveOpens")])


def start_ringchurn(*arguments, command=(), **options):
    """ringchurn as it runs, by `command` if one is given; its output in pipes, unless `options` of
    Popen say otherwise."""
    options = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True} | options
    return subprocess.Popen([*command, RINGCHURN, *map(str, arguments)], env=environment(),
                            **options)


class Terminal:
    """ringchurn on a terminal of its own, except for the streams that are given instead."""

    def __init__(self, *arguments, stdout=None, stderr=None, **variables):
        env = {"TERM": "xterm"} | environment()
        env.pop("NO_COLOR", None)
        self.text = ""
        self.master, terminal = pty.openpty()
        self.process = subprocess.Popen(
            [RINGCHURN, *arguments], stdin=terminal, stdout=stdout or terminal,
            stderr=stderr or terminal, env=env | variables, start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(terminal, termios.TIOCSCTTY, 0))  # Ctrl-C reaches it
        os.close(terminal)

    def read(self):
        """Waits for more text; False at its end."""
        try:
            piece = os.read(self.master, 65536)
        except OSError as error:
            if error.errno != errno.EIO:  # what Linux says when the last writer is gone
                raise
            piece = b""
        self.text += piece.decode()
        return bool(piece)

    def type(self, keys):
        os.write(self.master, keys)

    def finish(self):
        """Reads to the end; returns the exit code and all that the terminal received."""
        while self.read():
            pass
        os.close(self.master)
        return self.process.wait(timeout=DEADLINE_S), self.text


@contextlib.contextmanager
def server(*arguments):
    """servers.py with these arguments, killed in the end: its process, and its address as `drive`
    takes it."""
    program = pathlib.Path(__file__).with_name("servers.py")
    process = subprocess.Popen([sys.executable, str(program), *map(str, arguments)],
                               stdout=subprocess.PIPE, text=True)
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def check_account(failures, what, result):
    """Each side that was played, of every scenario: opened = finished + unexpected + open at the
    deadline."""
    for scenario in result["scenarios"]:
        for side in ("client", "server"):
            ledger = scenario[side]
            if ledger is None:
                continue
            accounted = ledger["finished"] + ledger["unexpected"] + ledger["open_at_deadline"]
            failures.equal(accounted, ledger["opened"], f"{what}: {scenario['name']} {side} ledger")
    opened = sum(scenario["opened"] for scenario in result["scenarios"])
    failures.check(opened > 0, f"{what}: nothing was opened")


def result_validator():
    """A validator of JSON results. Skips where there is none."""
    try:
        from jsonschema import Draft202012Validator
    except ImportError:
        skip("python3-jsonschema (4.0 or later) is missing: apt-get install python3-jsonschema")
    schema = (SOURCE / "bench" / "result.schema.json").read_text(encoding="utf-8")
    return Draft202012Validator(json.loads(schema))


def enter_network_namespace(settings=None):
    """Goes on in a network namespace that is the test's own, with lo up and `settings` (sysctls by
    path below /proc/sys; by default many client ports); the script starts anew there. Skips where
    the kernel does not permit it."""
    marker = "RINGCHURN_TEST_NAMESPACE"
    if os.environ.get(marker) == os.readlink("/proc/self/ns/net"):
        _set_up_network(MANY_PORTS if settings is None else settings)
        return
    require_programs({"unshare": "util-linux", "ip": "iproute2"})
    # A user needs a user namespace, and keeps the name: tcpdump gives up what looks like root.
    unshare = ["unshare", "--net"]
    if os.geteuid() != 0:
        unshare += ["--user", "--map-current-user", "--keep-caps"]
    probe = subprocess.run([*unshare, "true"], capture_output=True, text=True, check=False)
    if probe.returncode != 0:
        skip(f"no network namespace may be made here: {probe.stderr.strip()}")
    start = f"{marker}=$(readlink /proc/self/ns/net) exec \"$@\""
    os.execvp(unshare[0], [*unshare, "sh", "-c", start, "sh", sys.executable, *sys.argv])


class OtherNetwork:
    """A second network namespace, joined to the test's own by a veth pair: another machine, as far
    as TCP can tell. The test must be in a namespace of its own (enter_network_namespace)."""

    HERE = {4: "10.77.0.1", 6: "fd77::1"}
    THERE = {4: "10.77.0.2", 6: "fd77::2"}

    def __init__(self):
        # cat holds the namespace, and ends with its standard input, whatever becomes of the test.
        self.holder = subprocess.Popen(["unshare", "--net", "cat"], stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)
        self.holder.stdin.write(b"\n")
        self.holder.stdin.flush()
        if not self.holder.stdout.readline():  # it answers when it is where it should be
            skip("no second network namespace may be made here")
        self.command = ["nsenter", f"--net=/proc/{self.holder.pid}/ns/net"]  # runs another there

    def __enter__(self):
        done = subprocess.run(["ip", "link", "add", "here", "type", "veth", "peer", "name", "there",
                               "netns", str(self.holder.pid)], capture_output=True, text=True,
                              check=False)
        if done.returncode != 0:
            self.__exit__()
            skip(f"no veth pair may be made here: {done.stderr.strip()}")
        _set_up_network(MANY_PORTS, self.command)
        for name, addresses, command in (("here", self.HERE, ()),
                                         ("there", self.THERE, self.command)):
            for address, options in ((f"{addresses[4]}/24", []), (f"{addresses[6]}/64", ["nodad"])):
                subprocess.run([*command, "ip", "address", "add", address, "dev", name, *options],
                               check=True)
            subprocess.run([*command, "ip", "link", "set", name, "up"], check=True)
        return self

    def __exit__(self, *_):
        self.holder.stdin.close()
        self.holder.wait(timeout=DEADLINE_S)
        self.holder.stdout.close()


def _set_up_network(settings, command=()):
    """Brings lo up, where `command` leads, and makes `settings`; a container may not give room."""
    subprocess.run([*command, "ip", "link", "set", "lo", "up"], check=True)
    for name, value in settings.items():
        subprocess.run([*command, "sh", "-c", f"echo {value} > /proc/sys/{name}"],
                       stderr=subprocess.DEVNULL, check=False)
