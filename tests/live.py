#!/usr/bin/env python3
"""What a run tells while it runs: the bar on a terminal, lines in a log, and samples over time, in a
file and in the result. Samples never go backwards, and the last one is the result's account to the
unit, also after an interrupt; a killed run leaves whole lines."""

import os
import pathlib
import re
import signal
import subprocess
import tempfile
import time

from ringchurn_testing import (DEADLINE_S, IN_ORDER, Failures, Terminal, fail, failed_verdicts,
                               parse_json, run_ringchurn, start_ringchurn, verdict)

INTERRUPTED = 130
SAMPLED = ("--interval", "100ms")
# Errors of both ends, expected: every class of the series must be found in the result.
MIX = ("--mix", "graceful=4,rst-client=2,rst-server=2,refused=1,half-close=1")


def lines_of(path):
    """The file's samples; every line must be whole."""
    text = path.read_text(encoding="utf-8")
    if text and not text.endswith("\n"):
        fail(f"{path.name} ends in half a line: {text[-200:]!r}")
    return [parse_json(line) for line in text.splitlines()]


def flat(sample):
    """Everything in a sample that only grows, {name: count}."""
    grows = {name: value for name, value in sample.items()
             if name not in ("in_flight", "time_wait", "errors", "kernel")}
    for group in ("errors", "kernel"):
        grows |= {f"{group}.{name}": value for name, value in sample[group].items()}
    return grows


def check_growth(failures, what, samples):
    for before, after in zip(samples, samples[1:]):
        then, now = flat(before), flat(after)
        for name, value in then.items():
            failures.check(now.get(name, -1) >= value,
                           f"{what}: {name} falls from {value} to {now.get(name)}")
        failures.check(after["t_s"] > before["t_s"], f"{what}: time stands still: {after['t_s']}")


def check_account(failures, what, result, side="client"):
    """The last sample against the ledgers, the rows of errors and the kernel's counters."""
    last = result["series"]["samples"][-1]
    ended = sum(scenario[side]["finished"] + scenario[side]["unexpected"]
                for scenario in result["scenarios"])
    failures.equal(last["connections"], ended, f"{what}: connections of the last sample")
    failures.equal(last["in_flight"], 0, f"{what}: in flight at the end")
    classes = {}
    for row in result["errors"]:
        classes[row["class"]] = classes.get(row["class"], 0) + row["count"]
    failures.equal(last["errors"], classes, f"{what}: errors by class")
    for is_expected in (True, False):
        rows = sum(row["count"] for row in result["errors"] if row["expected"] == is_expected)
        failures.equal(last["expected_errors" if is_expected else "unexpected_errors"], rows,
                       f"{what}: errors, expected: {is_expected}")
    measured = {name: counter["measured"] for name, counter in result["kernel"].items()}
    failures.equal(last["kernel"], measured, f"{what}: the kernel's counters")
    cost = result["cost"]
    failures.check(abs(last["cpu_us"] - cost["cpu_us_per_connection"] * cost["connections"]) < 1,
                   f"{what}: {last['cpu_us']} us of CPU, the result says {cost}")


def check_run(failures, what, folder, *arguments):
    """A run with a series in a file and in the result: both are the same."""
    series, path = folder / "series.jsonl", folder / "result.json"
    done = run_ringchurn("run", *arguments, *SAMPLED, "--jsonl", series, "--json", path)
    result = parse_json(path.read_text(encoding="utf-8"))
    failures.equal(failed_verdicts(result), {}, f"{what}: failed verdicts")
    failures.equal(done.stderr, "", f"{what}: stderr")
    samples = lines_of(series)
    failures.equal(result["series"], {"interval_s": 0.1, "samples": samples}, f"{what}: series")
    failures.check(len(samples) > 1, f"{what}: {len(samples)} samples")
    check_growth(failures, what, samples)
    check_account(failures, what, result)
    failures.check(verdict(result, "samples written")["ok"], f"{what}: not all was written")
    return result


def check_runs(failures, folder):
    result = check_run(failures, "a mix", folder, *MIX, *IN_ORDER, "--duration", "1s")
    failures.check({"reset", "refused"} <= set(result["series"]["samples"][-1]["errors"]),
                   "a mix: not the errors that it should have")
    # Networks of their own: their counters and their TIME_WAIT are added up.
    check_run(failures, "side networks", folder, "--mix", "graceful=9,time-wait-holds-port=1",
              *IN_ORDER, "--connections", "30000")


def check_stdout(failures):
    done = run_ringchurn("run", "--connections", "100", "--jsonl", "-")
    samples = [parse_json(line) for line in done.stdout.splitlines()]
    failures.equal(samples[-1]["connections"], 100, "--jsonl -")
    failures.check("CONNECTIONS" in done.stderr, "--jsonl -: no report on stderr")


def check_full_disk(failures):
    """The run goes on, and says what is missing."""
    done = run_ringchurn("run", "--connections", "100", "--jsonl", "/dev/full", "--json", "-")
    failures.equal(done.returncode, 0, "a full disk: exit code")
    result = parse_json(done.stdout)
    written = verdict(result, "samples written")
    failures.equal((written["ok"], written["advisory"]), (False, True), "a full disk: verdict")
    failures.check("1 lost: No space left on device" in written["evidence"],
                   f"a full disk: {written['evidence']}")
    failures.equal(len(result["series"]["samples"]), 1, "a full disk: samples in the result")


def wait_for_lines(process, path):
    deadline = time.monotonic() + DEADLINE_S
    while not path.exists() or path.read_text(encoding="utf-8").count("\n") < 3:
        if process.poll() is not None or time.monotonic() > deadline:
            process.kill()
            fail(f"no samples come: {process.communicate()}")
        time.sleep(0.02)


def check_end(failures, folder, signal_number):
    """Samples can be read while the run goes on, and are whole when it is stopped or killed."""
    what = signal.Signals(signal_number).name
    series, path = folder / "cut.jsonl", folder / "cut.json"
    series.unlink(missing_ok=True)
    process = start_ringchurn("run", *MIX, *IN_ORDER, "--duration", "60s", *SAMPLED,
                              "--jsonl", series, "--json", path)
    wait_for_lines(process, series)
    process.send_signal(signal_number)
    process.communicate(timeout=DEADLINE_S)
    samples = lines_of(series)
    check_growth(failures, what, samples)
    if signal_number == signal.SIGKILL:
        return
    failures.equal(process.returncode, INTERRUPTED, f"{what}: exit code")
    result = parse_json(path.read_text(encoding="utf-8"))
    failures.equal(result["series"]["samples"], samples, f"{what}: series")
    check_account(failures, what, result)


def check_two_sides(failures, folder):
    """A serve and its drive each have a series of their own, which a merge keeps."""
    paths = {side: folder / f"{side}.json" for side in ("serve", "drive", "both", "served")}
    with open(paths["served"], "wb") as served:
        serve = start_ringchurn("serve", "--mix", "graceful=1,rst-client=1", "--max-connections",
                                "2000", *SAMPLED, "--json", paths["serve"], stdout=served)
    deadline = time.monotonic() + DEADLINE_S
    while not paths["served"].read_text(encoding="utf-8").endswith("\n"):
        if serve.poll() is not None or time.monotonic() > deadline:
            fail(f"serve does not begin: {serve.communicate()[1]}")
        time.sleep(0.02)
    drive = run_ringchurn("drive", "--from-serve", paths["served"], "--connections", "2000",
                          *SAMPLED, "--json", paths["drive"])
    failures.equal(drive.returncode, 0, f"drive: exit code: {drive.stdout}{drive.stderr}")
    serve.communicate(timeout=DEADLINE_S)
    run_ringchurn("merge", paths["drive"], paths["serve"], "--json", paths["both"])
    results = {name: parse_json(paths[name].read_text(encoding="utf-8"))
               for name in ("serve", "drive", "both")}
    check_account(failures, "drive", results["drive"])
    check_account(failures, "serve", results["serve"], "server")
    merged = results["both"]["merged"]
    failures.equal(merged["client"]["series"], results["drive"]["series"], "merge: the client's")
    failures.equal(merged["server"]["series"], results["serve"]["series"], "merge: the server's")
    failures.check("series" not in results["both"], "merge: a series that nobody measured")


def check_log(failures):
    """--progress always: a line for each interval where there is no terminal."""
    for command in ("run", "compare"):
        done = run_ringchurn(command, "--duration", "1s", "--progress", "always", *SAMPLED)
        lines = done.stderr.splitlines()
        failures.check(len(lines) > 1, f"{command}, a log: {lines}")
        for line in lines:
            failures.check(re.match(r"\[[#.]{8}\] \d+ s left  [\d,]+/s  ", line),
                           f"{command}, a log: {line!r}")


def check_bar(failures):
    exit_code, text = Terminal("run", *MIX, "--connections", "20000").finish()
    failures.equal(exit_code, 0, "a bar: exit code")
    drawn = [piece for piece in text.split("\r") if "in flight" in piece]
    failures.check(drawn, "a bar: none was drawn")
    bars = [piece.count("#") for piece in drawn]
    failures.equal(bars, sorted(bars), "a bar: it grows")
    failures.check(any(re.search(r"~\d+ s left .* 0 unexpected  [\d,]+ reset", piece)
                       for piece in drawn), f"a bar: {drawn[-1:]}")


def check_wishes(failures):
    _, text = Terminal("run", "--duration", "500ms", "--progress", "never").finish()
    failures.check("in flight" not in text, "--progress never: a live line")
    process = Terminal("run", "--duration", "500ms", "--progress", "always",
                       stdout=subprocess.DEVNULL)
    _, text = process.finish()
    failures.check("\r[" in text and "in flight" in text, f"--progress always: {text!r}")


def main():
    failures = Failures()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        check_runs(failures, folder)
        check_end(failures, folder, signal.SIGINT)
        check_end(failures, folder, signal.SIGKILL)
        check_two_sides(failures, folder)
    check_stdout(failures)
    if os.path.exists("/dev/full"):
        check_full_disk(failures)
    check_log(failures)
    check_bar(failures)
    check_wishes(failures)
    failures.finish("what is told while it runs is what the result says")


main()
