#!/usr/bin/env python3
"""`ringchurn gate` as CI calls it: exit code 0, 98 or 99 and one result, whether scenarios, commands
or files are compared; nothing is left behind when it is interrupted or a command fails. What the
interval says is gate_test.cc's; here a candidate costs the same, or twice as much."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

from ringchurn_testing import (Failures, RINGCHURN, comparison_of, environment, run_ringchurn)

RUN = f"{RINGCHURN} run --layout single --duration 150ms --json -"

# Prints the result of a run whose connections cost what the first argument says.
FAKE = """
import json, pathlib, random, sys
result = json.loads(pathlib.Path(sys.argv[2]).read_text())
result["cost"]["cpu_us_per_connection"] = float(sys.argv[1]) * random.uniform(0.99, 1.01)
print(json.dumps(result))
"""


def gate(failures, what, code, verdict, *arguments):
    """The result's gate, once exit code and verdict are as expected."""
    actual, result = comparison_of("gate", *arguments)
    failures.equal((actual, result["gate"]["verdict"]), (code, verdict), what)
    failures.check(result["gate"]["sentence"].startswith(verdict), result["gate"]["sentence"])
    return result["gate"]


def check_scenarios(failures):
    """An upload of 60 kB costs more than one byte on any machine; whether a scenario costs what it
    costs is not asked here: noise may leave that undecided."""
    found = gate(failures, "an upload against a byte", 99, "regression", "--baseline", "graceful",
                 "--candidate", "large.toml", "--duration", "1s",
                 "--require", "errors.unexpected == 0")
    failures.equal((found["method"], found["requirements"][0]["ok"]), ("in-process", True),
                   "method, requirement")
    failures.check(found["ratio"]["ci_low"] > 1.05, f"ratio {found['ratio']}")
    code, result = comparison_of("gate", "--baseline", "large.toml", "--candidate", "graceful",
                                 "--duration", "1s")
    failures.equal((code, result["gate"]["verdict"]), (0, "fine"), "a byte against an upload")
    failures.check("comparison" in result and "scenarios" in result, "the account is not there")


def fake(cost):
    return f"{sys.executable} fake.py {cost} run.json"


def check_programs(failures):
    found = gate(failures, "equal programs", 0, "fine", "--baseline", fake(20), "--candidate",
                 fake(20), "--duration", "100ms")
    failures.equal((found["method"], found["pairs"] >= 8), ("programs", True), "method, pairs")
    gate(failures, "a dearer program", 99, "regression", "--baseline", fake(20), "--candidate",
         fake(23), "--duration", "100ms")
    gate(failures, "a program at the margin", 98, "undecided", "--baseline", fake(20),
         "--candidate", fake(21), "--duration", "100ms")
    gate(failures, "a requirement alone", 99, "regression", "--candidate", RUN, "--require",
         "connections.finished < 5")
    gate(failures, "requirements alone", 0, "fine", "--candidate", RUN, "--require",
         "connections.finished > 5", "--require", "errors.unexpected == 0")


def check_files(failures):
    for name, cost in (("a1", 20), ("a2", 20.1), ("b1", 40), ("b2", 40.2)):
        result = json.loads(pathlib.Path("run.json").read_text(encoding="utf-8"))
        result["cost"]["cpu_us_per_connection"] = cost
        pathlib.Path(f"{name}.json").write_text(json.dumps(result), encoding="utf-8")
    gate(failures, "files", 99, "regression", "--baseline", "a1.json", "--candidate", "b1.json")
    found = gate(failures, "several files", 0, "fine", "--baseline", "b1.json", "--baseline",
                 "b2.json", "--candidate", "a1.json", "--candidate", "a2.json")
    failures.equal((found["method"], found["pairs"]), ("files", 2), "method, pairs")


def check_failing_command(failures):
    for command, code, words in (("exit 3; #/", 3, "exit code 3"), ("./nothing/here", 1, "127"),
                                 ("echo no JSON /", 2, "no JSON"),
                                 ("echo '{}' /", 2, "is not a result")):
        done = run_ringchurn("gate", "--baseline", command, "--candidate", command, "--json",
                             "failed.json")
        failures.equal((done.returncode, done.stdout), (code, ""), f"{command}: {done.stderr}")
        failures.check(words in done.stderr and done.stderr.count("\n") == 1,
                       f"{command}: '{words}' is not in: {done.stderr}")
        failures.check(not pathlib.Path("failed.json").exists(), f"{command}: a result was written")


def check_interruption(failures):
    """Ctrl-C ends the command that runs, and the gate says that it knows too little."""
    command = [RINGCHURN, "gate", "--baseline", f"{RINGCHURN} run --duration 60s --json - # /a",
               "--candidate", f"{RINGCHURN} run --duration 60s --json - # /b", "--json", "i.json"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          env=environment()) as process:
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=30)
    failures.equal(process.returncode, 130, "exit code after Ctrl-C")
    result = json.loads(pathlib.Path("i.json").read_text(encoding="utf-8"))
    failures.equal((result["interrupted"], result["gate"]["verdict"]), (True, "undecided"),
                   "the result after Ctrl-C")
    left = subprocess.run(["pgrep", "-f", "run --duration 60s"], capture_output=True, check=False)
    failures.equal(left.stdout, b"", "processes that are left")


def main():
    failures = Failures()
    with tempfile.TemporaryDirectory() as name:
        os.chdir(name)
        pathlib.Path("fake.py").write_text(FAKE, encoding="utf-8")
        scenario = run_ringchurn("scenarios", "graceful").stdout
        pathlib.Path("large.toml").write_text(
            scenario.replace("request = 1 ", "request = 600000 ", 1), encoding="utf-8")
        run_ringchurn("run", "--layout", "single", "--duration", "150ms", "--json", "run.json")
        check_scenarios(failures)
        check_programs(failures)
        check_files(failures)
        check_failing_command(failures)
        check_interruption(failures)
        os.chdir("/")
    failures.finish("a gate is fine, a regression or undecided, and says so to CI")


main()
