#!/usr/bin/env python3
"""The open loop of `ringchurn run`: as many connections begin as the rate, the ramp and the
duration say, evenly or as Poisson arrivals; each has its times; what a warm-up leaves out is left
out of nothing but times; and a load that cannot be kept up says what it did not begin. The ledger
closes and the kernel agrees each time."""

import math

from ringchurn_testing import (IN_ORDER, Failures, check_account, failed_verdicts, result_of,
                               verdict)

RATE, DURATION_S, CONCURRENCY = 1000, 2, 64
PHASES = ("connect", "first_byte", "teardown_step", "peer_heard", "gone", "teardown", "lifetime")


def play(failures, what, *arguments):
    """The result of a run that must be good, whether its pace was kept or not."""
    exit_code, result = result_of("run", *IN_ORDER, *arguments)
    failures.equal((exit_code, failed_verdicts(result)), (0, {}), f"{what}: exit code, verdicts")
    check_account(failures, what, result)
    agreement = verdict(result, "kernel agrees")
    failures.check(agreement["ok"], f"{what}: kernel agrees: {agreement['evidence']}")
    ledger = result["scenarios"][0]["client"]
    failures.equal(ledger["finished"], ledger["opened"], f"{what}: finished")
    return result


def check_times(failures, what, result, warm_up):
    """Every connection that begins has its lag and its times. Of those that were in flight when a
    warm-up ended, the times that end later count, and no others."""
    loop = result["pace"]["open_loop"]
    failures.equal(loop["lag_ns"]["count"], loop["begun"], f"{what}: lags")
    opened = result["scenarios"][0]["opened"]
    spare = CONCURRENCY if warm_up else 0
    for phase in PHASES:
        count = result["scenarios"][0]["latency_ns"][phase]["count"]
        failures.check(0 <= count - loop["begun"] <= spare,
                       f"{what}: {count} times of {phase}, {loop['begun']} begun")
    failures.check(0 < loop["begun"] < opened if warm_up else loop["begun"] == opened,
                   f"{what}: {loop['begun']} begun of {opened} opened")


def check_pace(failures, arrivals, *options):
    """As many are due as the area under the rate: all of it, without half of the ramp."""
    what = " ".join([arrivals, *options])
    warm_up, ramp_s = "--warm-up" in options, 0.5 if "--ramp" in options else 0
    result = play(failures, what, "--rate", RATE, "--duration", f"{DURATION_S}s", "--arrivals",
                  arrivals, *options)
    loop = result["pace"]["open_loop"]
    failures.equal((loop["asked_per_s"], loop["arrivals"]), (RATE, arrivals), f"{what}: pace")
    failures.equal(result["pace"]["warm_up_s"], 0.5 if warm_up else 0, f"{what}: warm-up")
    check_times(failures, what, result, warm_up)
    expected = RATE * (DURATION_S - ramp_s / 2)
    due = result["scenarios"][0]["opened"] + loop["never_begun"]
    tolerance = 0 if arrivals == "constant" else 5 * math.sqrt(expected)
    failures.check(abs(due - expected) <= tolerance, f"{what}: {due} were due, not {expected}")
    failures.check(result["cost"]["connections"] <= result["scenarios"][0]["opened"],
                   f"{what}: cost of {result['cost']['connections']}")
    return result


def check_seed(failures):
    """The seed decides when Poisson arrivals come, and nothing else does."""
    first, again, other = (check_pace(failures, "poisson", "--seed", seed) for seed in "112")
    late = [result["pace"]["open_loop"]["never_begun"] for result in (first, again)]
    opened = [result["scenarios"][0]["opened"] for result in (first, again)]
    failures.check(any(late) or opened[0] == opened[1], f"the same seed: {opened}")
    failures.check(other["context"]["seed"] == 2, "another seed")


def check_overload(failures):
    """One at a time, each for 10 ms, cannot be 1,000 a second: all but the first wait, and that
    they did is part of their times."""
    what = "overload"
    result = play(failures, what, "--scenario", "idle-then-reset", "--set", "idle=10ms",
                  "--concurrency", 1, "--rate", 1000, "--duration", "500ms")
    loop = result["pace"]["open_loop"]
    begun, longest = loop["begun"], loop["lag_ns"]["max"]
    failures.check(1 < begun <= 51, f"{what}: {begun} begun")
    failures.equal(begun + loop["never_begun"], 500, f"{what}: due")
    failures.equal(loop["held_back"], begun - 1, f"{what}: held back")
    # The last began when the others had had their 10 ms, and was due a millisecond after another.
    failures.check(longest >= (begun - 1) * 9e6, f"{what}: {begun} begun, longest lag {longest}")
    lifetime = result["scenarios"][0]["latency_ns"]["lifetime"]
    failures.check(lifetime["max"] >= longest, f"{what}: lifetimes {lifetime}, lag {longest}")
    warning = verdict(result, "generator kept up")
    failures.equal((warning["ok"], warning["advisory"]), (False, True), f"{what}: a warning")
    for part in (f"{loop['never_begun']} never did", f"{begun - 1} waited", "--concurrency 1 "):
        failures.check(part in warning["evidence"] + warning["remedy"],
                       f"{what}: no {part!r} in {warning}")


def check_number(failures):
    """--connections: exactly so many, however late."""
    what = "1,000 connections"
    result = play(failures, what, "--connections", 1000, "--rate", 20000, "--arrivals", "poisson")
    loop = result["pace"]["open_loop"]
    failures.equal((loop["begun"], loop["never_begun"]), (1000, 0), f"{what}: begun")
    check_times(failures, what, result, warm_up=False)


def check_closed_loop(failures):
    """A ramp and a warm-up of a closed loop, which has no pace to keep."""
    what = "closed loop"
    result = play(failures, what, "--ramp", "500ms", "--warm-up", "200ms", "--duration", "1s")
    failures.equal(result["pace"]["open_loop"], None, f"{what}: open_loop")
    opened = result["scenarios"][0]["opened"]
    for phase in PHASES:
        count = result["scenarios"][0]["latency_ns"][phase]["count"]
        failures.check(0 < count < opened, f"{what}: {count} times of {phase}, {opened} opened")
    failures.check(0 < result["cost"]["connections"] < opened, f"{what}: cost")


def check_all_warm_up(failures):
    """A run that is over before its warm-up has no times, and says so."""
    exit_code, result = result_of("run", *IN_ORDER, "--connections", 100, "--warm-up", "5s")
    failures.equal((exit_code, list(failed_verdicts(result))), (3, ["load completed"]), "warm-up")
    check_account(failures, "warm-up", result)
    for phase in PHASES:
        failures.equal(result["scenarios"][0]["latency_ns"][phase]["count"], 0, f"warm-up: {phase}")
    failures.check("--warm-up" in verdict(result, "load completed")["remedy"], "warm-up: remedy")


def main():
    failures = Failures()
    for arrivals in ("constant", "poisson"):
        for options in ([], ["--ramp", "500ms"], ["--warm-up", "500ms"], ["--threads", "2"]):
            check_pace(failures, arrivals, *options)
    check_seed(failures)
    check_overload(failures)
    check_number(failures)
    check_closed_loop(failures)
    check_all_warm_up(failures)
    failures.finish("as many begin as the pace says, and each has its times")


main()
