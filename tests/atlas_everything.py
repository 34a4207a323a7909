#!/usr/bin/env python3
"""The whole atlas comes out as expected: every scenario, and for every claim that it tests the
verdict that measurements on Linux 6.18 gave, by other programs than this one (the table below). By
io_uring and by plain system calls, over IPv4 and IPv6, and as an ordinary user, who has no
privilege but what a namespace of one's own gives; and fast enough that nobody waits for it long."""

import os
import pathlib
import shutil
import subprocess
import tempfile
import time

from ringchurn_testing import (RINGCHURN, SKIPPED, Failures, builtin_folders, environment, fail,
                               parse_json, skip)

VERDICTS = {
    "holds": """
        S000-04 S000-07 S000-08 S000-09 S000-10 S000-11 S000-12 S000-13 S000-14 S001-01 S001-02
        S001-03 S001-05 S001-06 S001-07 S001-08 S001-09 S001-10 S001-11 S001-14 S001-18 S001-19
        S001-20 S001-21 S002-03 S002-06 S002-07 S002-09 S002-11 S002-12 S002-13 S002-15 S002-16
        S002-17 S002-18 S002-19 S002-22 S002-23 S002-26 S003-03 S003-04 S003-05 S003-06 S003-07
        S004-01 S004-02 S004-03 S004-04 S004-06 S004-07 S004-09 S004-10 S004-12 S004-13 S004-14""",
    "partly": """
        S000-01 S000-02 S000-05 S000-16 S000-18 S001-04 S001-16 S001-17 S002-10 S002-14 S002-20
        S002-21 S002-24 S003-02 S003-08""",
    "wrong": """
        S000-03 S000-06 S000-15 S000-17 S001-12 S001-13 S001-15 S002-01 S002-02 S002-05 S002-08
        S002-25 S003-01 S004-05 S004-11""",
    # About the text of a program, about numbers in a header, and a question.
    "not_applicable": "S002-04 S004-08 S004-15",
}
EXPECTED = {claim: verdict for verdict, claims in VERDICTS.items() for claim in claims.split()}

NOBODY = "65534"
ORDINARY_USER = ("setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups")

# What somebody waits for without doing something else is a minute. Only twice that fails: this
# machine may be busy.
SLOW_S = 120
DEADLINE_S = 240


def play(binary, *options, command=()):
    """Plays the atlas: its exit code, its result, and how long that took, in seconds."""
    began = time.monotonic()
    done = subprocess.run([*command, binary, "atlas", *options, "--json", "-"], check=False,
                          text=True, capture_output=True, timeout=DEADLINE_S, env=environment(),
                          cwd="/")
    elapsed_s = time.monotonic() - began
    if done.returncode == SKIPPED:
        skip(done.stderr.strip())
    try:
        return done.returncode, parse_json(done.stdout), elapsed_s
    except ValueError:
        return fail(f"atlas {' '.join(options)}: exit code {done.returncode}: {done.stderr}")


def unexpected(entry):
    """What was not as expected in a scenario, to be read."""
    told = [performance["failure"] for performance in entry["engines"] if performance["failure"]]
    told += [f"{performance['engine']}: {name} {row}" for performance in entry["engines"]
             for name, row in performance["counters"].items() if not row["agrees"]]
    told += [f"{row['engine']}: {row['side']} {row['step_number']} \"{row['step']}\" wanted "
             f"{row['declared']}, got {answer['outcome']} {answer['count']} times"
             for row in entry["outcomes"] for answer in row["answers"] if not answer["expected"]]
    return "; ".join(told)


def check_scenarios(failures, what, result):
    folders = {entry["name"]: entry["folder"] for entry in result["scenarios"]}
    failures.equal(folders, builtin_folders(), f"{what}: scenarios and their folders")
    for entry in result["scenarios"]:
        name = f"{what}: {entry['folder']}/{entry['name']}"
        failures.equal(entry["skipped"], None, f"{name}: skipped")
        failures.check(entry["expected"], f"{name}: not as expected: {unexpected(entry)}")
        for performance in entry["engines"]:
            failures.equal(performance["finished"], performance["runs"],
                           f"{name}, {performance['engine']}: finished")


def check_engines(failures, what, result, wanted):
    """Both engines have played what they could; a ring's own scenarios are few."""
    lone = [entry["name"] for entry in result["scenarios"]
            if [performance["engine"] for performance in entry["engines"]] != wanted]
    most = 0 if len(wanted) == 1 else len(result["scenarios"]) // 8
    failures.check(len(lone) <= most, f"{what}: not played by {wanted}: {lone}")


def check_claims(failures, what, result):
    verdicts = {claim["id"]: claim["verdict"] for claim in result["claims"]}
    for claim, verdict in EXPECTED.items():
        failures.equal(verdicts.pop(claim, None), verdict, f"{what}: claim {claim}")
    failures.equal(verdicts, {}, f"{what}: claims that this test does not know")
    for claim in result["claims"]:
        failures.equal(bool(claim["shown_by"]), claim["verdict"] != "not_applicable",
                       f"{what}: claim {claim['id']} is shown by {claim['shown_by']}")


def check(failures, what, binary, *options, command=()):
    exit_code, result, elapsed_s = play(binary, *options, command=command)
    print(f"{what}: {len(result['scenarios'])} scenarios in {elapsed_s:.1f} s", flush=True)
    failures.equal(exit_code, 0, f"{what}: exit code")
    failures.check(elapsed_s < SLOW_S, f"{what}: took {elapsed_s:.1f} s")
    check_scenarios(failures, what, result)
    check_engines(failures, what, result,
                  ["ring", "syscall"] if "syscall" in options else ["ring"])
    check_claims(failures, what, result)


def check_as_ordinary_user(failures):
    """As nobody, with a copy of the program, which may lie where nobody can read it."""
    if os.geteuid() != 0:
        return  # all the others were that
    probe = subprocess.run([*ORDINARY_USER, "unshare", "--user", "--net", "true"], check=False,
                           capture_output=True, text=True)
    if probe.returncode != 0:
        print(f"not played as an ordinary user: {probe.stderr.strip()}")
        return
    with tempfile.TemporaryDirectory() as folder:
        os.chmod(folder, 0o755)
        binary = pathlib.Path(folder, "ringchurn")
        shutil.copy(RINGCHURN, binary)
        binary.chmod(0o755)
        check(failures, "as an ordinary user", binary, command=ORDINARY_USER)


def main():
    failures = Failures()
    check(failures, "io_uring, IPv4", RINGCHURN)
    check(failures, "both engines, IPv4", RINGCHURN, "--engine", "syscall")
    check(failures, "both engines, IPv6", RINGCHURN, "--engine", "syscall", "--family", "ipv6")
    check_as_ordinary_user(failures)
    failures.finish(f"all scenarios are as expected, all {len(EXPECTED)} claims as measured")


main()
