"""Who is compared with whom: command lines, and where each tells its rate."""

import dataclasses
import json
import pathlib
import re
import shlex
import shutil
import subprocess
import time

from peers_parts import network
from peers_parts.measure import Failed, Pair, Turn, process_cpu_s, run

PORT = 8080  # in the script's own network
URL = f"http://127.0.0.1:{PORT}/"
IN_FLIGHT = 64
CONNECTIONS_PER_SECOND_OF_LOAD = 20_000
PAGE_BYTES = 4096
PEERS = {"wrk": "wrk", "ab": "apache2-utils", "httperf": "httperf"}  # with their Debian packages

NGINX = f"""
daemon off; master_process off; pid nginx.pid; error_log error.log crit; worker_processes 1;
events {{ worker_connections 8192; }}
http {{
  access_log off; keepalive_timeout 0;
  client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
  uwsgi_temp_path uwsgi; scgi_temp_path scgi;
  server {{ listen 127.0.0.1:{PORT} backlog=4096; root .; }}
}}
"""

# http-close, whose client resets where the other one sends its FIN.
HTTP_RESET = r'''about = "The server closes behind its answer, and the client resets what is left."
[client]
steps = [
  "connect",
  'send "GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"',
  'recv until "\r\n\r\n"',
  "recv-eof",
  "linger 0",
  "close",
]
[server]
steps = ["accept", 'recv until "\r\n\r\n"', 'send "HTTP/1.1 200 OK\r\n\r\n"', "close"]
'''


class Nginx:
    """One worker that answers with a page and closes."""

    def __init__(self, folder):
        self.folder, self.process = folder, None
        (folder / "nginx.conf").write_text(NGINX, encoding="ascii")
        (folder / "index.html").write_text("x" * PAGE_BYTES, encoding="ascii")

    def __enter__(self):
        if self.process is None:
            self.process = subprocess.Popen(["nginx", "-p", str(self.folder), "-c", "nginx.conf"],
                                            stderr=subprocess.PIPE, text=True)
            while not self.listens():
                if self.process.poll() is not None:
                    raise Failed(f"nginx ended: {self.process.stderr.read().strip()}")
                time.sleep(0.02)
        return self

    def listens(self):
        lines = pathlib.Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
        return any(line.split()[1].endswith(f":{PORT:04X}") and line.split()[3] == "0A"
                   for line in lines)

    def __exit__(self, *_):
        if self.process is not None:
            self.process.terminate()
            self.process.wait(timeout=10)
            self.process.stderr.close()
            self.process = None

    def cpu_s(self):
        return process_cpu_s(self.process.pid)


@dataclasses.dataclass
class Client:
    """A program that loads nginx. Connections are those that the kernel has counted; the rate is
    what the program says, which must have met no error."""
    name: str
    version: str
    server: Nginx
    command: object  # of the number of connections: the words
    rate: object     # of the output: connections a second
    failures: object  # of the output: how many
    in_flight: int = IN_FLIGHT
    # Of the output: CPU us per connection while the load ran. None: the program does not tell, and
    # its CPU time from start to end is taken, of which its own start is a few ms.
    cpu_us: object = None
    teardown: str = ""  # as it was seen

    @property
    def shown(self):
        return shlex.join(self.command("N"))

    def turn(self, connections):
        opened, served_s = network.active_opens(), self.server.cpu_s()
        output, cpu_s = run(self.command(connections))
        opened, served_s = network.active_opens() - opened, self.server.cpu_s() - served_s
        if failed := self.failures(output):
            raise Failed(f"{self.name}: {failed} of {opened} connections failed")
        client_us = self.cpu_us(output) if self.cpu_us else 1e6 * cpu_s / opened
        return Turn(opened, self.rate(output), client_us, 1e6 * served_s / opened)

    def look(self, connections):
        """A turn in which it is seen how connections end; the first time."""
        if not self.teardown:
            with network.Ends(PORT) as ends:
                self.turn(connections)
            self.teardown = ends.told()
        return self.teardown


class BothEnds:
    """A program, or a client and a server of one kind, that plays both ends itself for some
    seconds. The rate is the kernel's count between two moments in the middle; CPU is that of both
    ends."""

    def __init__(self, folder, name, version, commands):
        self.folder = folder  # neper leaves files where it is started
        self.name, self.version, self.commands = name, version, commands
        self.in_flight = IN_FLIGHT

    @property
    def shown(self):
        return " & ".join(shlex.join(words) for words in self.commands("S"))

    def turn(self, connections):
        seconds = max(2, connections // CONNECTIONS_PER_SECOND_OF_LOAD)
        processes = [subprocess.Popen(words, cwd=self.folder, stdout=subprocess.DEVNULL,
                                      stderr=subprocess.DEVNULL)
                     for words in self.commands(seconds)]
        try:
            time.sleep(0.25 * seconds)
            begun = self.moment(processes)
            time.sleep(0.5 * seconds)
            over = self.moment(processes)
            for process in processes:
                process.wait(timeout=seconds + 10)
        finally:
            for process in processes:
                process.kill()
                process.wait()
        took_s, opened, cpu_s = (after - before for before, after in zip(begun, over))
        if opened <= 0 or any(process.returncode != 0 for process in processes):
            codes = [process.returncode for process in processes]
            raise Failed(f"'{self.shown}' opened {opened} connections in {took_s:.1f} s, and ended "
                         f"with exit codes {codes}")
        return Turn(opened, opened / took_s, both_cpu_us_per_connection=1e6 * cpu_s / opened)

    def moment(self, processes):
        """What the kernel has counted so far; of a process that has ended it tells nothing."""
        try:
            return (time.monotonic(), network.active_opens(processes[-1].pid),
                    sum(process_cpu_s(process.pid) for process in processes))
        except OSError as error:
            codes = [process.poll() for process in processes]
            if all(code is None for code in codes):
                raise
            raise Failed(f"'{self.shown}' ended too early, with exit codes {codes}") from error

    def look(self, connections):
        self.turn(connections)
        return ""


def said(output, pattern):
    found = re.search(pattern, output)
    if not found:
        raise Failed(f"no '{pattern}' in what was printed: {' '.join(output.split())[:200]}")
    return float(found[1])


def first_line(words, pattern):
    """A program's version, from what it prints when asked."""
    done = subprocess.run(words, capture_output=True, text=True, timeout=10, check=False)
    found = re.search(pattern, done.stdout + done.stderr)
    return found[1] if found else f"{words[0]} of unknown version"


def drive(arguments, server, scenario, in_flight, version):
    """Our client, against the same server."""
    def command(connections):
        return [arguments.ringchurn, "drive", f"127.0.0.1:{PORT}", "--scenario", str(scenario),
                "--connections", str(connections), "--concurrency", str(in_flight), "--quiet",
                "--json", "-"]

    return Client("ringchurn", version, server, command,
                  lambda text: json.loads(text)["cost"]["connections_per_second"],
                  lambda text: sum(row["count"] for row in json.loads(text)["errors"]
                                   if not row["expected"]), in_flight,
                  lambda text: json.loads(text)["cost"]["cpu_us_per_connection"])


def wrk(server):
    def command(connections):
        seconds = "S" if connections == "N" else \
            max(1, connections // CONNECTIONS_PER_SECOND_OF_LOAD)
        return ["wrk", "-t1", f"-c{IN_FLIGHT}", f"-d{seconds}s", URL]

    return Client("wrk", first_line(["wrk", "--version"], r"(wrk \S+)"), server, command,
                  lambda text: said(text, r"Requests/sec:\s+([\d.]+)"),
                  lambda text: "Socket errors" in text and text[text.index("Socket errors"):])


def ab(server):
    return Client("ab", first_line(["ab", "-V"], r"(ApacheBench, Version \S+)"), server,
                  lambda n: ["ab", "-q", "-n", str(n), "-c", str(IN_FLIGHT), URL],
                  lambda text: said(text, r"Requests per second:\s+([\d.]+)"),
                  lambda text: int(said(text, r"Failed requests:\s+(\d+)")))


def httperf(server, *options):
    return Client(" ".join(["httperf", *options]),
                  first_line(["httperf", "--version"], r"(httperf-\S+)"), server,
                  lambda n: ["httperf", "--server", "127.0.0.1", "--port", str(PORT), "--num-conns",
                             str(n), "--hog", *options],
                  lambda text: said(text, r"Connection rate: ([\d.]+)"),
                  lambda text: int(said(text, r"Errors: total (\d+)")), 1)


def against_nginx(arguments, folder, version, missing):
    """The peers that are here, each with our equal. httperf has one connection at a time."""
    asked = set(arguments.peers)
    absent = {name for name in asked if not shutil.which(name)}
    missing += [f"{name}: apt-get install {PEERS[name]}" for name in sorted(absent)]
    present = asked - absent
    if not present:
        return
    if not shutil.which("nginx"):
        missing.append("nginx, and all that load it: apt-get install nginx-light")
        return
    server = Nginx(folder)
    reset = folder / "http-reset.toml"
    reset.write_text(HTTP_RESET, encoding="ascii")
    many, one = (drive(arguments, server, "http-close", n, version) for n in (IN_FLIGHT, 1))
    for name, ours, make in (("wrk", many, wrk), ("ab", many, ab), ("httperf", one, httperf)):
        if name in present:
            yield Pair(ours, make(server), server)
    if "httperf" in present:
        yield Pair(drive(arguments, server, reset, 1, version),
                   httperf(server, "--close-with-reset"), server)


def neper(folder, path, *options):
    words = [path, "-T", "1", "-F", str(IN_FLIGHT), *options]

    return BothEnds(folder, " ".join(["neper tcp_crr", *options]), "neper",
                    lambda seconds: [[*words, "-l", str(seconds)],
                                     [*words, "-c", "-H", "127.0.0.1", "-l", str(seconds)]])


def netbench(folder, path):
    tx = f"io_uring_single --threads 1 --per_thread {IN_FLIGHT} --size 1 --resp 1"
    return BothEnds(folder, "netbench io_uring_single", "netbench",
                    lambda seconds: [[path, "--rx", "epoll", "--tx", tx, "--time", str(seconds)]])


def both_ends(arguments, folder, version):
    """Those that play both ends, each with our equal."""
    def ours(scenario):
        return BothEnds(folder, "ringchurn", version, lambda seconds: [
            [arguments.ringchurn, "run", "--scenario", scenario, "--duration", f"{seconds}s",
             "--concurrency", str(IN_FLIGHT), "--progress", "never"]])

    if arguments.neper:
        yield Pair(ours("rst-client"), neper(folder, arguments.neper))
        yield Pair(ours("graceful"), neper(folder, arguments.neper, "--time-wait"))
    if arguments.netbench:
        yield Pair(ours("graceful"), netbench(folder, arguments.netbench))


def pairs(arguments, folder, missing):
    """Every comparison that can be made here; what is missing for others goes to `missing`."""
    version = first_line([arguments.ringchurn, "--version"], r"(ringchurn \S+)")
    return [*against_nginx(arguments, folder, version, missing),
            *both_ends(arguments, folder, version)]
