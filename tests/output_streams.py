#!/usr/bin/env python3
"""Output goes where it belongs: nothing but JSON to stdout with --json -, the live line and colours
to a terminal only; and where it cannot go, on a full disk or to a reader who has left, ringchurn
neither crashes nor calls it a success, and the JSON file is written all the same."""

import os
import pathlib
import re
import signal
import tempfile

from ringchurn_testing import (DEADLINE_S, TEARDOWNS, Failures, Terminal, builtin_text,
                               environment, failed_verdicts, parse_json, run_ringchurn, start_ringchurn)

ESCAPE = "\x1b["
SHORT_RUN = ("run", "--duration", "1s")


def check_closed_output(failures, folder):
    """Nobody reads the report any more, as in `ringchurn run | head -1`: no hang, no crash, and the
    JSON is written all the same. The mix makes the report longer than any buffer of stdio."""
    path = folder / "result.json"
    mix = ",".join(f"{name}=1" for name in TEARDOWNS)
    process = start_ringchurn("run", "--mix", mix, "--connections", "200", "--layout", "single",
                              "--json", path)
    process.stdout.close()
    complaint = process.stderr.read()
    process.wait(timeout=DEADLINE_S)
    failures.check(process.returncode in (0, 1, -signal.SIGPIPE),
                   f"closed output: exit code {process.returncode}: {complaint}")
    failures.check(path.exists(), "closed output: no JSON")
    if path.exists():
        result = parse_json(path.read_text(encoding="utf-8"))
        failures.equal(failed_verdicts(result), {}, "closed output: failed verdicts")
        path.unlink()
    failures.equal(list(folder.iterdir()), [], "closed output: files that are left behind")


def check_full_disk(failures):
    """What could not be written is not a success."""
    for what, json_path, stdout in (("the report", None, "/dev/full"),
                                    ("the JSON on stdout", "-", "/dev/full"),
                                    ("the JSON in a file", "/dev/full", os.devnull)):
        options = ["--json", json_path] if json_path else []
        with open(stdout, "wb") as output:
            process = start_ringchurn("run", "--connections", "100", *options, stdout=output)
            complaint = process.communicate(timeout=DEADLINE_S)[1]
        failures.equal(process.returncode, 1, f"no room for {what}: exit code")
        failures.check("ringchurn: " in complaint and "No space left on device" in complaint,
                       f"no room for {what}: {complaint[-200:]!r}")


def check_json_on_stdout(failures):
    """--json -: stdout is JSON and nothing else, the report goes to stderr, and there is no live
    line or colour, because neither is a terminal."""
    done = run_ringchurn(*SHORT_RUN, "--json", "-")
    failures.equal(parse_json(done.stdout)["interrupted"], False, "--json -")
    failures.check("CONNECTIONS" in done.stderr, "--json -: no report on stderr")
    plain = run_ringchurn(*SHORT_RUN)
    failures.equal(plain.stderr, "", "no terminal: stderr")
    for text in (done.stdout, done.stderr, plain.stdout):
        failures.check("\r" not in text and ESCAPE not in text and "in flight" not in text,
                       f"no terminal: {text[:300]!r}")


def check_quiet(failures):
    """--quiet: nothing at all where nothing fails, be it a terminal; else what failed, on stderr."""
    exit_code, text = Terminal(*SHORT_RUN, "--quiet").finish()
    failures.equal((exit_code, text), (0, ""), "--quiet on a terminal")
    done = run_ringchurn("compare", "--duration", "1s", "--quiet", "--json", "-")
    result = parse_json(done.stdout)
    failures.equal(done.stderr.count("\n"), len(failed_verdicts(result)),  # a busy machine voids it
                   f"--quiet --json -: stderr: {done.stderr!r}")
    failures.check("comparison" in result, "--quiet --json -: no comparison")
    done = run_ringchurn("atlas", "graceful", "--quiet", env=environment(RINGCHURN_QUIET="0"))
    failures.equal((done.returncode, done.stdout, done.stderr), (0, "", ""),
                   "--quiet of atlas, against RINGCHURN_QUIET=0")
    done = run_ringchurn("doctor", "--quiet", command=["prlimit", "--nofile=100:100"])
    failures.equal((done.returncode, done.stdout), (3, ""), "doctor --quiet, too few descriptors")
    failures.check("ringchurn: FAIL open files: RLIMIT_NOFILE is 100" in done.stderr,
                   f"doctor --quiet, too few descriptors: {done.stderr!r}")
    with tempfile.NamedTemporaryFile("w", suffix=".toml") as wrong:
        wrong.write(builtin_text("graceful").replace("TW = 1", "TW = 3"))
        wrong.flush()
        for command, line in (("run --connections 100 --scenario", "kernel agrees: "),
                              ("atlas --runs 2", "TW")):
            done = run_ringchurn(*command.split(), wrong.name, "--quiet")
            failures.equal((done.returncode, done.stdout), (3, ""), f"{command} --quiet, failing")
            failures.check(re.fullmatch(r"ringchurn: FAIL .+\n", done.stderr) and
                           line in done.stderr, f"{command} --quiet, failing: {done.stderr!r}")


def visible(text):
    """The lines that stay on a terminal: what comes behind a carriage return overwrites."""
    lines = []
    for line in text.replace("\r\n", "\n").split("\n"):
        shown = ""
        for piece in line.split("\r"):
            shown = piece + shown[len(piece):]
        lines.append(re.sub(r"\x1b\[[0-9;]*m", "", shown).rstrip())
    return lines


def check_live_line(failures, command):
    exit_code, text = Terminal(command, "--duration", "1s").finish()
    # A busy machine may void a comparison.
    failures.check(exit_code in ((0, 3) if command == "compare" else (0,)),
                   f"{command} on a terminal: exit code {exit_code}")
    live = [piece for piece in text.split("\r") if "in flight" in piece]
    failures.check(len(live) > 1, f"{command} on a terminal: live lines: {live}")
    for piece in live:
        failures.check(re.match(r"\[[#.]{8}\] \d+ s left  [\d,]+/s  [\d,]+ in flight  "
                                r"\d+ unexpected", piece),
                       f"{command} on a terminal: live line {piece!r}")
    lines = visible(text)
    failures.check(not any("left  " in line or "in flight" in line for line in lines),
                   f"{command} on a terminal: the live line stays: {lines[:3]}")
    return lines


def check_terminal(failures):
    lines = check_live_line(failures, "run")
    failures.check(re.fullmatch(r"[\d,]+ connections in [\d.]+ s: [\d,]+ a second", lines[0]),
                   f"the report does not begin where the live line was: {lines[0]!r}")
    check_live_line(failures, "compare")
    for variables, has_colour in (({}, True), ({"NO_COLOR": "1"}, False), ({"TERM": "dumb"}, False),
                                  ({"RINGCHURN_NO_COLOR": "true"}, False),
                                  ({"NO_COLOR": ""}, True)):  # empty counts as unset: no-color.org
        _, text = Terminal(*SHORT_RUN, **variables).finish()
        failures.equal(ESCAPE in text, has_colour, f"colour on a terminal with {variables}")
        failures.check("in flight" in text, f"on a terminal with {variables}: no live line")
    _, text = Terminal(*SHORT_RUN, "--no-color").finish()
    failures.check(ESCAPE not in text and "in flight" in text, "--no-color on a terminal")


def check_half_a_terminal(failures):
    """One of the streams goes elsewhere: no live line, and no colour but on the terminal."""
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        _, text = Terminal(*SHORT_RUN, stdout=file).finish()
        file.seek(0)
        report = file.read()
    failures.equal(text, "", "stdout to a file: on the terminal")
    failures.check("CONNECTIONS" in report, f"stdout to a file: no report: {report!r}")
    failures.check(ESCAPE not in report, "stdout to a file: colour in it")
    with tempfile.TemporaryFile("w+", encoding="utf-8") as file:
        _, text = Terminal(*SHORT_RUN, stderr=file).finish()
        file.seek(0)
        failures.equal(file.read(), "", "stderr to a file: in it")
    failures.check("in flight" not in text, "stderr to a file: a live line on stdout")


def main():
    failures = Failures()
    with tempfile.TemporaryDirectory() as folder:
        check_closed_output(failures, pathlib.Path(folder))
    check_full_disk(failures)
    check_json_on_stdout(failures)
    check_quiet(failures)
    check_terminal(failures)
    check_half_a_terminal(failures)
    failures.finish("output goes where it belongs")


main()
