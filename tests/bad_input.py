#!/usr/bin/env python3
"""Bad input gets one line that says what, where and what to do, and exit code 2, whether it comes
from the command line, the environment, a config file or a scenario file; nothing is run and nothing
is written. And where several sources are good, a flag wins over the environment, and that over the
config file."""

import os
import pathlib
import shlex
import tempfile

from ringchurn_testing import (RINGCHURN, Failures, environment, fail, parse_json,
                               require_programs, result_of, run_ringchurn)

USAGE, CANNOT_RUN = 2, 1

# (arguments, what the message must say)
COMMAND_LINES = [
    ("", ["no command", "give one of those above"]),
    ("churn", ["unknown command", "churn", "--help"]),
    ("--seed 1 run", ["--seed", "needs a command"]),
    ("run --scenario gracefull", ["gracefull", "did you mean 'graceful'", "ringchurn scenarios"]),
    ("run --scenario ''", ["--scenario", "empty"]),
    ("run graceful", ["unexpected 'graceful'", "--scenario"]),
    ("run --scenario graceful=1", ["graceful=1", "--mix"]),
    ("run --mix graceful", ["graceful", "--scenario"]),
    ("run --mix graceful=0,rst-client=1", ["--mix", "graceful=0", "above 0"]),
    ("run --mix graceful=-1,rst-client=1", ["--mix", "graceful=-1", "above 0"]),
    ("run --mix graceful=much,rst-client=1", ["--mix", "graceful=much", "number"]),
    ("run --mix graceful=nan,rst-client=1", ["--mix", "graceful=nan", "number"]),
    ("run --mix graceful=inf,rst-client=1", ["--mix", "graceful=inf", "number"]),
    ("run --mix graceful=,rst-client=1", ["--mix", "graceful=", "number"]),
    ("run --mix graceful,rst-client=1", ["--mix", "graceful", "has no weight"]),
    ("run --mix =1", ["--mix", "names no scenario"]),
    ("run --mix graceful=1,rst-client=1,graceful=2", ["--mix", "graceful", "twice"]),
    ("run --mix graceful=1,rts-client=1", ["rts-client", "did you mean 'rst-client'"]),
    ("run --mix graceful=1 --scenario graceful", ["--mix", "--scenario", "one of them"]),
    ("run --connections 5 --duration 1s", ["--connections", "--duration", "one of them"]),
    ("run --connections 0", ["--connections", "'0'", "1 to 1,000,000,000,000"]),
    ("run --connections 1000000000001", ["--connections", "1 to 1,000,000,000,000"]),
    ("run --connections 1e3", ["--connections", "'1e3'", "whole number"]),
    ("run --connections -5", ["--connections", "'-5'", "whole number"]),
    ("run --connections ''", ["--connections", "whole number"]),
    ("run --connections 5 --connections 6", ["--connections", "once"]),
    ("run --concurrency 0", ["--concurrency", "'0'", "1 to 1,000,000"]),
    ("run --concurrency 1000001", ["--concurrency", "'1000001'", "1 to 1,000,000"]),
    ("run --threads 0", ["--threads", "'0'", "1 to 256"]),
    ("run --threads 257 --concurrency 300", ["--threads", "'257'", "1 to 256"]),
    ("run --threads 4 --concurrency 3", ["threads", "4", "concurrency", "3", "raise"]),
    ("run --seed -1", ["--seed", "'-1'", "0 to 2^64-1"]),
    ("run --seed 18446744073709551616", ["--seed", "0 to 2^64-1"]),
    ("run --duration 99ms", ["--duration", "'99ms'", "100ms to 24h"]),
    ("run --duration 86401s", ["--duration", "'86401s'", "100ms to 24h"]),
    ("run --duration 10", ["--duration", "'10'", "no unit"]),
    ("run --duration soon", ["--duration", "'soon'", "such as"]),
    ("run --layout triple", ["--layout", "triple", "pair or single or wide"]),
    ("run --server-threads 2", ["--server-threads", "add", "--layout wide"]),
    ("compare --layout wide", ["compare has no option --layout"]),
    ("run --ring sqpol", ["--ring", "'sqpol'", "did you mean 'sqpoll'"]),
    ("run --ring plain,sqpoll", ["--ring", "'plain,sqpoll'", "known are plain"]),
    ("run --ring shutdown-call", ["--ring", "plain+shutdown-call"]),
    ("run --ring wait-one+never-sleep", ["--ring", "two ways", "never-sleep"]),
    ("run --ring ''", ["--ring", "empty"]),
    ("run --scenario graceful@plain", ["--scenario", "graceful@plain", "--ring"]),
    ("run --mix graceful=1,rst-client=1@plain", ["--mix", "--ring"]),
    ("run --scenario direct-table-full --ring plain", ["direct-table-full", "leave plain out"]),
    ("compare graceful graceful@nonsense", ["graceful@nonsense", "'nonsense'", "known are plain"]),
    ("compare graceful graceful@", ["graceful@:", "''", "known are plain"]),
    ("compare graceful linked-shutdown@plain+shutdown-call",
     ["linked-shutdown", "leave shutdown-call out"]),
    ("run --family ipx", ["--family", "ipx", "ipv4 or ipv6"]),
    ("run --lab garage", ["--lab", "garage", "private or veth or host"]),
    ("run --conections 5", ["--conections", "--connections"]),
    ("run --connections", ["--connections", "needs a value"]),
    ("run --connections=", ["--connections", "no value"]),
    ("run --connections --seed 1", ["--connections", "--seed", "not a value"]),
    ("run --set nope=5", ["--set", "nope", "no scenario"]),
    ("run --set graceful.nope=5", ["nope", "graceful", "no parameter"]),
    ("run --set rst-client.request=5", ["--set", "rst-client", "does not play"]),
    ("run --set request", ["--set", "'request'", "PARAM=VALUE"]),
    ("run --set request=", ["--set", "'request='", "PARAM=VALUE"]),
    ("run --set request=1 --set request=2", ["--set", "already set"]),
    ("run --set request=many", ["request", "many", "number of bytes"]),
    ("run --set request=1073741825", ["request", "1073741825", "number of bytes"]),
    ("run --scenario lingering-close --set drain_timeout=5",
     ["drain_timeout", "'5'", "us, ms or s"]),
    ("run --scenario unread-data --set request=0", ["request=0"]),
    ("run --json /nonexistent/result.json", ["/nonexistent/result.json", "No such file", "folder"]),
    ("run --json .", ["'.'", "directory"]),
    ("run --json ''", ["--json", "empty"]),
    ("run --jsonl /nonexistent/x.jsonl", ["the samples", "/nonexistent/x.jsonl", "folder"]),
    ("run --jsonl .", ["the samples", "'.'", "directory"]),
    ("run --jsonl ''", ["--jsonl", "empty"]),
    ("run --jsonl same --json same", ["--json and --jsonl", "'same'"]),
    ("run --jsonl - --json -", ["--json and --jsonl", "'-'"]),
    ("compare --jsonl x.jsonl", ["compare has no option --jsonl"]),
    ("run --interval 99ms", ["--interval", "'99ms'", "100ms to 1h"]),
    ("run --interval 61m", ["--interval", "'61m'", "100ms to 1h"]),
    ("run --interval 1", ["--interval", "'1'", "no unit"]),
    ("run --progress sometimes", ["--progress", "sometimes", "auto or always or never"]),
    ("run --metrics 0", ["--metrics", "'0'", "1 to 65535"]),
    ("run --metrics 65536", ["--metrics", "'65536'", "1 to 65535"]),
    ("compare --metrics 9464", ["compare has no option --metrics"]),
    ("run --config missing.toml", ["--config", "missing.toml", "cannot be read"]),
    ("run --config .", ["--config", "'.'", "cannot be read"]),
    ("compare graceful", ["graceful", "two arms"]),
    ("compare --bill --server a --server b", ["bill", "both ends", "leave --bill out"]),
    ("sweep --scenario graceful --vary request=1,2 --bill", ["sweep has no option --bill"]),
    ("compare graceful nope", ["unknown scenario 'nope'", "ringchurn scenarios"]),
    ("compare graceful graceful=x", ["graceful=x", "number"]),
    ("gate", ["gate needs something to judge", "--candidate"]),
    ("gate --candidate graceful", ["--baseline", "--require"]),
    ("gate --baseline graceful --candidate a.json", ["of two kinds"]),
    ("gate --baseline graceful --candidate nope", ["unknown scenario 'nope'"]),
    ("gate --baseline a --candidate b --margin 5", ["--margin", "0.1% to 100%"]),
    ("gate --baseline a --candidate b --margin nan%", ["--margin", "0.1% to 100%"]),
    ("gate --baseline a --candidate b --require speed", ["--require", "has no relation"]),
    ("gate --baseline a.json --candidate b.json --duration 5s", ["--duration", "leave it out"]),
    ("gate --baseline nope.json --candidate b.json", ["cannot be read"]),
    ("gate --baseline graceful --candidate rst-client --mix graceful=1,refused=1",
     ["--mix", "played against servers"]),
    ("sweep --scenario graceful --vary drain_timeout=1s,2s",
     ["--vary drain_timeout", "'graceful' has no such parameter", "request, response"]),
    ("sweep --scenario lingering-close --vary drain_timeout=1s,soon", ["soon", "drain_timeout"]),
    ("compare --threads 2", ["--threads", "compare"]),
    ("compare --connections 5", ["--connections", "compare"]),
    ("compare --duration 0s", ["--duration", "'0s'", "100ms to 24h"]),
    ("compare --resolution 0.5% --duration 2s", ["--duration and --resolution", "one of them"]),
    ("compare --resolution 0.5", ["--resolution", "'0.5'", "0.5% or 0.005"]),
    ("compare --max-time 2s", ["max-time", "--resolution"]),
    ("gate --resolution 1%", ["gate has no option --resolution"]),
    ("compare --concurrency 0", ["--concurrency", "'0'", "1 to 1,000,000"]),
    ("compare --json /nonexistent/result.json", ["/nonexistent/result.json", "folder"]),
    ("run --rate 0", ["--rate", "'0'", "1 to 10,000,000"]),
    ("run --rate 10000001", ["--rate", "'10000001'", "1 to 10,000,000"]),
    ("run --rate 1.5", ["--rate", "'1.5'", "whole number"]),
    ("run --arrivals uniform --rate 5", ["--arrivals", "uniform", "constant or poisson"]),
    ("run --arrivals poisson", ["arrivals", "open loop", "--rate"]),
    ("run --arrivals constant", ["arrivals", "open loop", "--rate"]),
    ("run --ramp nonsense", ["--ramp", "'nonsense'", "such as"]),
    ("run --ramp 5", ["--ramp", "'5'", "no unit"]),
    ("run --ramp 2s --duration 1s", ["ramp", "longer than the load", "--duration"]),
    ("run --warm-up 1s --duration 1s", ["warm-up", "as long as the load", "--duration"]),
    ("run --warm-up 10s", ["warm-up", "as long as the load"]),
    ("run --source 127.0.0.1", ["run has no option --source"]),
    ("compare --rate 5", ["compare has no option --rate"]),
    ("drive", ["target", "HOST:PORT", "unix:PATH", "--from-serve FILE"]),
    ("drive ''", ["HOST:PORT", "empty"]),
    ("drive 127.0.0.1:80 127.0.0.1:81", ["HOST:PORT", "once"]),
    ("drive 127.0.0.1", ["no port", "127.0.0.1:PORT"]),
    ("drive 127.0.0.1:0", ["port 0", "1 to 65535"]),
    ("drive 127.0.0.1:65536", ["65536", "1 to 65535"]),
    ("drive 127.0.0.1:http", ["'http'", "1 to 65535"]),
    ("drive http://127.0.0.1:80", ["URL", "HOST:PORT"]),
    ("drive 127.0.0.1:80 --arrivals poisson", ["arrivals", "--rate"]),
    ("drive 127.0.0.1:80 --warm-up 10s --duration 10s", ["warm-up", "as long as the load"]),
    ("drive 127.0.0.1:80 --pid 0", ["--pid", "'0'", "1 to 4,194,304"]),
    ("drive 127.0.0.1:80 --pid self", ["--pid", "'self'", "whole number"]),
    ("drive 127.0.0.1:80 --source nonsense", ["--source", "'nonsense'", "127.0.0.0/24"]),
    ("drive 127.0.0.1:80 --source ''", ["--source", "empty"]),
    ("drive 127.0.0.1:80 --source ::1", ["--source", "IPv6", "target 127.0.0.1:80 is IPv4"]),
    ("drive [::1]:80 --source 127.0.0.1", ["--source", "IPv4", "target [::1]:80 is IPv6"]),
    ("drive unix:/x --source 127.0.0.1", ["--source", "no use", "unix socket"]),
    ("drive 127.0.0.1:80 --source 127.0.0.0/33", ["--source", "0 to 32"]),
    ("drive 127.0.0.1:80 --source 127.0.0.5/24", ["--source", "127.0.0.0/24", "127.0.0.5 alone"]),
    ("drive 127.0.0.1:80 --source 192.0.2.1", ["192.0.2.1", "not an address of this machine"]),
    ("drive 127.0.0.1:80 --layout single", ["drive has no option --layout"]),
    ("drive 127.0.0.1:80 --scenario gracefull", ["gracefull", "did you mean 'graceful'"]),
    ("drive 127.0.0.1:80 --scenario unix-eof", ["unix-eof", "Unix sockets", "127.0.0.1:80"]),
    ("drive 127.0.0.1:80 --scenario forged-syn", ["forged-syn", "nothing", "drive"]),
    ("drive 127.0.0.1:80 --json /nonexistent/result.json", ["/nonexistent/result.json", "folder"]),
    ("drive 127.0.0.1:80 --from-serve x", ["HOST:PORT", "--from-serve", "one of them"]),
    ("drive --from-serve ''", ["--from-serve", "empty"]),
    ("drive --from-serve missing.json", ["missing.json", "cannot be read"]),
    ("drive --from-serve .", ["'.'", "cannot be read"]),
    ("drive --from-serve x --scenario graceful", ["--from-serve", "--scenario"]),
    ("drive --from-serve x --set request=1", ["--from-serve", "--set"]),
    ("drive --from-serve x --pid 1", ["--from-serve", "--pid"]),
    ("drive --from-serve x --warm-up 1s", ["--warm-up", "server's side"]),
    ("serve --listen 0.0.0.0", ["0.0.0.0", "one address"]),
    ("serve --listen ::", ["::", "one address"]),
    ("serve --listen nonsense", ["--listen", "'nonsense'", "IPv4 or IPv6"]),
    ("serve --listen ''", ["--listen", "empty"]),
    ("serve --listen 127.0.0.1 --family ipv6", ["127.0.0.1", "--family"]),
    ("serve --port 0", ["--port", "'0'", "1 to 65535"]),
    ("serve --port 65535 --mix graceful=1,rst-client=1", ["--port 65535", "above 65535", "lower"]),
    ("serve --max-connections 0", ["--max-connections", "'0'"]),
    ("serve --scenario refused", ["refused", "no server side", "run"]),
    ("serve --scenario unix-eof", ["unix-eof", "Unix sockets"]),
    ("serve --connections 5", ["serve has no option --connections"]),
    ("serve --json -", ["--json -", "file"]),
    ("serve --jsonl -", ["--jsonl -", "file"]),
    ("merge", ["two results", "not 0"]),
    ("merge a.json", ["two results", "not 1"]),
    ("merge a.json b.json c.json", ["two results", "not 3"]),
    ("merge missing.json missing.json", ["missing.json", "cannot be read"]),
    ("merge . .", ["'.'", "cannot be read"]),
    ("atlas gracefull", ["'gracefull'", "did you mean 'graceful'", "ringchurn scenarios"]),
    ("atlas graceful rset/", ["'rset/'", "did you mean 'reset/'"]),
    ("atlas S00-14", ["unknown scenario, folder or claim 'S00-14'", "did you mean"]),
    ("atlas S002-04", ["S002-04", "no scenario", "leave it out"]),
    ("atlas missing.toml", ["missing.toml", "cannot read", "TOML"]),
    ("atlas ''", ["NAME", "empty"]),
    ("atlas --explain reset/", ["'reset/'", "unknown scenario"]),
    ("atlas --explain ''", ["--explain", "empty"]),
    ("atlas graceful --explain rst-client", ["NAME", "--explain", "one of them"]),
    ("atlas --runs 0", ["--runs", "'0'", "1 to 64"]),
    ("atlas --runs 65", ["--runs", "'65'", "1 to 64"]),
    ("atlas --engine epoll", ["--engine", "epoll", "ring or syscall"]),
    ("atlas --lab host", ["--lab", "atlas"]),
    ("atlas graceful --set nope=1", ["--set", "nope", "no scenario"]),
    ("atlas graceful --set rst-client.request=5", ["--set", "rst-client", "does not play"]),
    ("atlas graceful --json /nonexistent/result.json", ["/nonexistent/result.json", "folder"]),
    ("scenarios nope", ["unknown scenario, folder or claim 'nope'"]),
    ("scenarios graceful --format markdown", ["markdown", "graceful", "leave"]),
    ("scenarios --format html", ["--format", "html", "text or markdown"]),
    ("scenarios graceful rst-client", ["NAME|FOLDER", "once"]),
    ("scenarios --json x", ["--json", "scenarios"]),
    ("export", ["export needs a result", "--json"]),
    ("export missing.json", ["missing.json", "cannot be read", "check the path"]),
    ("export missing.json --format xml", ["--format", "'xml'", "google-benchmark", "hgrm"]),
    ("export missing.json --rows blocks", ["--rows", "go-benchmark", "leave it out"]),
    ("export missing.json --histogram graceful", ["--histogram", "hgrm", "leave it out"]),
    ("export missing.json other.json", ["RESULT.json", "2 times"]),
    ("export missing.json --json x", ["--json", "export"]),
    ("doctor now", ["unexpected 'now'", "doctor --help"]),
    ("doctor --json /nonexistent/result.json", ["/nonexistent/result.json", "folder"]),
    ("completion tcsh", ["'tcsh'", "bash or zsh or fish"]),
    ("man run", ["unexpected 'run'", "man --help"]),
    ("run --quiet=loud", ["--quiet", "'loud'", "true or false"]),
    ("run --quiet --quiet", ["--quiet", "once"]),
    ("atlas --explain graceful --quiet", ["--explain", "leave --quiet out"]),
]

# (environment, what the message must say)
ENVIRONMENTS = [
    ({"RINGCHURN_CONCURRENCY": "0"}, ["RINGCHURN_CONCURRENCY", "'0'", "1 to 1,000,000"]),
    ({"RINGCHURN_THREADS": "many"}, ["RINGCHURN_THREADS", "'many'", "1 to 256"]),
    ({"RINGCHURN_SEED": "abc"}, ["RINGCHURN_SEED", "'abc'", "0 to 2^64-1"]),
    ({"RINGCHURN_FAMILY": "ipx"}, ["RINGCHURN_FAMILY", "ipx", "ipv4 or ipv6"]),
    ({"RINGCHURN_LAB": "garage"}, ["RINGCHURN_LAB", "garage", "private or veth or host"]),
    ({"RINGCHURN_LAYOUT": "triple"}, ["RINGCHURN_LAYOUT", "triple", "pair or single"]),
    ({"RINGCHURN_MIX": "graceful=x"}, ["RINGCHURN_MIX", "graceful=x", "number"]),
    ({"RINGCHURN_MIX": "graceful=1", "RINGCHURN_SCENARIO": "graceful"},
     ["RINGCHURN_MIX", "RINGCHURN_SCENARIO", "one of them"]),
    ({"RINGCHURN_SCENARIO": "nope"}, ["unknown scenario 'nope'", "ringchurn scenarios"]),
    ({"RINGCHURN_SET": "nope=1"}, ["nope", "no scenario"]),
    ({"RINGCHURN_CONFIG": "missing.toml"}, ["RINGCHURN_CONFIG", "missing.toml", "cannot be read"]),
    ({"RINGCHURN_CONFIG": ".", "RINGCHURN_SEED": "1"}, ["RINGCHURN_CONFIG", "cannot be read"]),
]

# (config file, what the message must say)
CONFIG_FILES = [
    ("concurency = 5\n", ["bad.toml:1", "concurency", "unknown key", "concurrency"]),
    ("seed = 1\n\n[run]\nthread = 5\n", ["bad.toml:4", "thread", "unknown key", "threads"]),
    ("[runs]\nseed = 1\n",
     ["bad.toml:1", "runs", "unknown table", "unknown table; known are [run], [drive]"]),
    ("[compare]\nthreads = 2\n", ["bad.toml:2", "threads"]),
    ("run = 5\n", ["bad.toml:1", "run"]),
    ("config = \"other.toml\"\n", ["bad.toml:1", "config"]),
    ("concurrency = \"5\"\n", ["bad.toml:1", "concurrency", "without quotes"]),
    ("concurrency = 5.0\n", ["bad.toml:1", "concurrency", "whole number"]),
    ("seed = true\n", ["bad.toml:1", "seed", "whole number"]),
    ("mix = 5\n", ["bad.toml:1", "mix", "string"]),
    ("set = \"request=5\"\n", ["bad.toml:1", "set", "array of strings"]),
    ("set = [5]\n", ["bad.toml:1", "set", "array of strings"]),
    ("\nconcurrency = 0\n", ["bad.toml:2", "concurrency", "'0'", "1 to 1,000,000"]),
    ("\nthreads = 300\n", ["bad.toml:2", "threads", "'300'", "1 to 256"]),
    ("[compare]\nduration = \"5\"\n", ["bad.toml:2", "duration", "no unit"]),
    ("mix = \"graceful=1\"\nscenario = \"graceful\"\n",
     ["bad.toml:1", "bad.toml:2", "one of them"]),
    ("scenario = \"nope\"\n", ["unknown scenario 'nope'", "ringchurn scenarios"]),
    ("seed = \n", ["bad.toml:1", "TOML"]),
    ("seed = 1\nseed = 2\n", ["bad.toml:2", "seed"]),
    (bytes(range(256)), ["bad.toml:1", "TOML"]),
]

GOOD_SCENARIO = """about = "Good as it is; below it is spoiled in many ways."
[client]
steps = ["connect", "send 1", "recv 1", "close"]
[server]
steps = ["accept", "recv 1", "send 1", "recv-eof", "close"]
[kernel]
OutRsts = 0
"""
CLIENT_STEPS = 'steps = ["connect", "send 1", "recv 1", "close"]'
SERVER_STEPS = 'steps = ["accept", "recv 1", "send 1", "recv-eof", "close"]'

# (what of GOOD_SCENARIO, is replaced by what, what the message must say)
SPOILED_SCENARIOS = [
    # a typo in a step
    ("send 1", "snd 1", ["bad.toml:3", "client step 2", "'snd'", "did you mean 'send'"]),
    ("recv-eof", "recveof", ["bad.toml:5", "server step 4", "'recveof'", "recv-eof"]),
    ("\"send 1\"", "\"\"", ["bad.toml:3", "client step 2", "verb"]),
    ("\"send 1\"", "5", ["bad.toml:3", "step", "text"]),
    ("send 1", "send", ["bad.toml:3", "client step 2", "send BYTES"]),
    ("send 1", "send 1 1", ["bad.toml:3", "client step 2", "send BYTES"]),
    ("send 1", "send many", ["bad.toml:3", "client step 2", "'many'", "number of bytes"]),
    ("send 1", "send 1073741825", ["bad.toml:3", "client step 2", "number of bytes"]),
    ("send 1", "send 1 -> EFOO", ["bad.toml:3", "client step 2", "'EFOO'", "errno"]),
    ("send 1", "send 1 ->", ["bad.toml:3", "client step 2", "outcome"]),
    ("send 1", "option TCP_NODELY 1", ["bad.toml:3", "client step 2", "TCP_NODELAY"]),
    ("send 1", "option TCP_NODELAY on", ["bad.toml:3", "client step 2", "'on'", "value"]),
    ("send 1", "linger some", ["bad.toml:3", "client step 2", "'some'"]),
    ("send 1", "wait writeable", ["bad.toml:3", "client step 2", "wait writable"]),
    ("send 1", "shutdown both", ["bad.toml:3", "client step 2", "shutdown rdwr"]),
    ("send 1", "pause 5", ["bad.toml:3", "client step 2", "us, ms or s"]),
    ("send 1", "send {size}", ["bad.toml:3", "size", "[params]"]),
    ("send 1", "send {size", ["bad.toml:3", "send {size", "}"]),
    ("send 1", "send\\n1\\u001b[31m", ["bad.toml:3", "client step 2"]),
    # a step that can never happen
    ("\"connect\", \"send 1\"", "\"recv 1\", \"connect\"",
     ["bad.toml:3", "client step 1", "never happen before 'connect'"]),
    ("\"accept\", \"recv 1\"", "\"recv 1\", \"accept\"",
     ["bad.toml:5", "server step 1", "never happen before 'accept'"]),
    ("\"connect\"", "\"accept\"", ["bad.toml:3", "client step 1", "only the server accepts"]),
    ("\"accept\"", "\"connect\"", ["bad.toml:5", "server step 1", "only the client connects"]),
    ("\"connect\"", "\"connect\", \"connect\"",
     ["bad.toml:3", "client step 2", "second 'connect'"]),
    ("\"close\"", "\"close\", \"send 1\"", ["bad.toml:3", "client step 5", "after 'close'"]),
    (", \"close\"", "", ["bad.toml:3", "client step 3", "open", "'close'"]),
    ("\"send 1\", \"recv 1\"", "\"recv 1\", \"send 1\"",
     ["bad.toml:3", "client step 2", "never happen", "server", "step 2"]),
    ("\"recv 1\", \"close\"", "\"recv 2\", \"close\"", ["bad.toml:3", "client step 3", "never"]),
    ("\"send 1\", \"recv 1\"", "\"shutdown wr\", \"send 1\"",
     ["bad.toml:3", "client step 3", "never succeed after 'shutdown wr'"]),
    (f"[server]\n{SERVER_STEPS}\n", "", ["bad.toml:3", "client step 1", "no [server]"]),
    (f"[client]\n{CLIENT_STEPS}\n", "", ["bad.toml", "[client]", "needs steps"]),
    # the file's shape
    ("about = ", "abuot = ", ["bad.toml:1", "'abuot'", "did you mean 'about'"]),
    ("[kernel]", "[kernl]", ["bad.toml:6", "'kernl'", "did you mean 'kernel'"]),
    (CLIENT_STEPS, "stpes = []", ["bad.toml:3", "'stpes'", "did you mean 'steps'"]),
    (SERVER_STEPS, "steps = \"accept\"", ["bad.toml", "[server]", "steps = ["]),
    (GOOD_SCENARIO.splitlines()[0], "", ["bad.toml", "about"]),
    (f"[client]\n{CLIENT_STEPS}", "client = 5", ["bad.toml:2", "'client'", "table"]),
    ("[client]", "[params]\nsize = 1.5\n[client]", ["bad.toml:3", "'size'", "whole number"]),
    ("[kernel]", "[delivered]\nto_server = 0\n[kernel]", ["bad.toml:7", "'to_server'", "unknown"]),
    ("[kernel]", "[delivered]\nclient_to_server = -1\n[kernel]",
     ["bad.toml:7", "client_to_server", "whole number"]),
    ("OutRsts = 0", "OutRsts = -1", ["bad.toml:7", "'OutRsts'", "whole number"]),
    ("OutRsts = 0", "OutRsts = \"0\"", ["bad.toml:7", "'OutRsts'", "whole number"]),
    ("OutRsts = 0", "OutRsts = [2, 1]", ["bad.toml:7", "'OutRsts'", "[least, most]"]),
    ("OutRsts = 0", "OutRsts = [1]", ["bad.toml:7", "'OutRsts'", "[least, most]"]),
    ("OutRsts = 0", "OutRsts = 0\nOutRsts = 0", ["bad.toml:8", "OutRsts"]),
    # a counter that this kernel does not have
    ("OutRsts = 0", "OutRst = 0", ["bad.toml:7", "'OutRst'", "no such counter", "'OutRsts'"]),
    # no TOML at all
    (GOOD_SCENARIO, "", ["bad.toml", "needs"]),
    (GOOD_SCENARIO, "about = \n", ["bad.toml:1", "value"]),
    (GOOD_SCENARIO, bytes(range(256)), ["bad.toml:1", "expected"]),
    (GOOD_SCENARIO, b"about = \"\xff\xfe\"\n", ["bad.toml:1", "utf-8"]),
]


class Bench:
    """Runs bad input in a folder of its own, where anything that is written shows."""

    def __init__(self, failures, folder):
        self.failures = failures
        self.folder = pathlib.Path(folder)
        os.chdir(folder)

    def refuses(self, what, arguments, words, exit_code=USAGE, command=(), env=None):
        """The input is refused in one line that contains `words`; nothing is run or written."""
        before = sorted(self.folder.rglob("*"))
        done = run_ringchurn(*arguments, command=command, env=environment(**(env or {})))
        check = self.failures.check
        check(done.returncode == exit_code,
              f"{what}: exit code {done.returncode}, expected {exit_code}: {done.stderr.strip()}")
        check(done.stdout == "", f"{what}: on stdout: {done.stdout!r}")
        # Without a command the message stands below the help.
        message = done.stderr if arguments else done.stderr[done.stderr.rfind("\nringchurn: ") + 1:]
        check(message.startswith("ringchurn: ") and message.endswith("\n")
              and message[:-1].isprintable(), f"{what}: not one line: {message!r}")
        missing = [word for word in words if word not in message]
        check(not missing, f"{what}: the message lacks {missing}: {message.strip()}")
        written = [str(path) for path in sorted(self.folder.rglob("*")) if path not in before]
        check(not written, f"{what}: was written: {written}")

    def write(self, content):
        path = self.folder / "bad.toml"
        path.write_bytes(content if isinstance(content, bytes) else content.encode())


def check_command_lines(bench):
    for line, words in COMMAND_LINES:
        arguments = shlex.split(line)
        if arguments and arguments[0] in ("run", "compare", "atlas") and "--json" not in arguments:
            arguments[1:1] = ["--json", "result.json"]
        bench.refuses(line or "no arguments", arguments, words)


def check_files_of_others(bench):
    """Files that are to be read back and that no ringchurn wrote."""
    for content, word in ((b"garbage", "no JSON"), (b"{}", "has no"), (b"[]", ""), (b"", "JSON"),
                          (bytes(range(256)), "JSON")):
        path = bench.folder / "other.json"
        path.write_bytes(content)
        for arguments, what in ((["drive", "--from-serve", "other.json"], "serve"),
                                (["merge", "other.json", "other.json"], "--json")):
            bench.refuses(f"{arguments[0]} with {content!r}", arguments,
                          ["'other.json'", word, what])
        path.unlink()


def check_address_of_others(bench):
    bench.refuses("serve at an address that is not ours", ["serve", "--listen", "192.0.2.1"],
                  ["EADDRNOTAVAIL", "not this machine's"], exit_code=CANNOT_RUN)


def check_environments(bench):
    for env, words in ENVIRONMENTS:
        what = " ".join(f"{name}={value}" for name, value in env.items())
        bench.refuses(what, ["run", "--json", "result.json"], words, env=env)
    # Its words would be pieces of commands, and be run.
    bench.refuses("RINGCHURN_SERVER", ["compare", "--json", "result.json"],
                  ["RINGCHURN_SERVER", "spaces", "--server"],
                  env={"RINGCHURN_SERVER": "touch result.json"})


def check_config_files(bench):
    for content, words in CONFIG_FILES:
        bench.write(content)
        bench.refuses(f"config file {content!r}",
                      ["run", "--config", "bad.toml", "--json", "result.json"], words)


def check_scenario_files(bench):
    play = ["run", "--scenario", "bad.toml", "--connections", "10"]
    bench.write(GOOD_SCENARIO)
    bench.failures.equal(result_of(*play)[0], 0, "exit code of the scenario before it is spoiled")
    for old, new, words in SPOILED_SCENARIOS:
        if old not in GOOD_SCENARIO:
            fail(f"nothing to spoil: {old}")
        bench.write(new if isinstance(new, bytes) else GOOD_SCENARIO.replace(old, new, 1))
        bench.refuses(f"scenario with {new!r} for {old.splitlines()[0]!r}",
                      [*play, "--json", "result.json"], words)
    bench.write("")
    pathlib.Path("folder.toml").mkdir()
    for path in ("folder.toml", "missing.toml"):
        bench.refuses(f"scenario {path}", ["run", "--scenario", path, "--json", "result.json"],
                      [path, "cannot read", "TOML"])


def check_unwritable_json(bench):
    """A folder of the user's own, locked: the private lab must not lend the power to enter it."""
    if os.geteuid() == 0:
        return  # root may write everywhere; a folder that does not exist is in the table above
    pathlib.Path("locked").mkdir(mode=0o500)
    bench.refuses("--json in a folder without permission",
                  ["run", "--connections", "10", "--json", "locked/result.json"],
                  ["locked/result.json", "Permission denied"])


def check_earlier_result_stays(bench):
    result = pathlib.Path("result.json")
    result.write_text("an earlier result", encoding="utf-8")
    bench.refuses("an earlier result and a bad option",
                  ["run", "--json", str(result), "--scenario", "nope"], ["nope"])
    bench.failures.equal(result.read_text(encoding="utf-8"), "an earlier result",
                         "an earlier result, after a run that never began")
    result.unlink()


def check_descriptor_limit(bench):
    """RLIMIT_NOFILE too small is no usage error, but it has the same shape: one line, a remedy."""
    cases = [(64, ["run", "--concurrency", "1000"]), (64, ["compare", "--concurrency", "1000"])]
    # With no descriptor left, UBSan cannot look at an object and calls it broken.
    if b"libubsan" not in pathlib.Path(RINGCHURN).read_bytes():
        cases.append((100, ["run", "--threads", "40", "--concurrency", "40"]))
    for limit, arguments in cases:
        what = f"RLIMIT_NOFILE {limit}: {' '.join(arguments)}"
        bench.refuses(what, [*arguments, "--json", "result.json"], ["RLIMIT_NOFILE", "ulimit -n"],
                      exit_code=CANNOT_RUN, command=["prlimit", f"--nofile={limit}:{limit}"])


def check_precedence(bench):
    """Flag, environment, config file (its [run], then its top), default: the first given wins."""
    pathlib.Path("top.toml").write_text("concurrency = 11\n", encoding="utf-8")
    pathlib.Path("run.toml").write_text("concurrency = 11\n[run]\nconcurrency = 12\n"
                                        "[compare]\nconcurrency = 13\n", encoding="utf-8")
    flag, env = ["--concurrency", "15"], {"RINGCHURN_CONCURRENCY": "14"}
    top, run = ["--config", "top.toml"], ["--config", "run.toml"]
    for expected, arguments, variables in (
            (64, [], {}), (11, top, {}), (12, run, {}), (14, [], env), (14, run, env),
            (15, flag, {}), (15, [*run, *flag], {}), (15, flag, env), (15, [*run, *flag], env),
            (12, [], {"RINGCHURN_CONFIG": "run.toml"}), (11, top, {"RINGCHURN_CONFIG": "run.toml"}),
            (64, [], {"RINGCHURN_CONCURRENCY": ""})):
        done = run_ringchurn("run", "--connections", "10", "--json", "-", *arguments,
                             env=environment(**variables))
        bench.failures.equal(parse_json(done.stdout)["context"]["concurrency"], expected,
                             f"concurrency from {arguments} and {variables}")


def main():
    require_programs({"prlimit": "util-linux"})
    failures = Failures()
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(failures, folder)
        check_command_lines(bench)
        check_files_of_others(bench)
        check_address_of_others(bench)
        check_environments(bench)
        check_config_files(bench)
        check_scenario_files(bench)
        check_unwritable_json(bench)
        check_earlier_result_stays(bench)
        check_descriptor_limit(bench)
        check_precedence(bench)
        os.chdir("/")
    failures.finish("bad input is refused in one line that helps")


main()
