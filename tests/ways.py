#!/usr/bin/env python3
"""Every way to use io_uring plays the everyday teardowns exactly: all verdicts hold, the kernel's
counters among them, and the result says which way it was. Arms of a comparison that are played in
different ways have rings and listeners of their own, and none takes the other's connections."""

from ringchurn_testing import TEARDOWNS, Failures, failed_verdicts, result_of

WAYS = ["plain", "plain+shutdown-call", "sqpoll", "accept-one", "wait-one", "wait-batch",
        "never-sleep", "plain+sqpoll+accept-one+wait-batch"]
CONNECTIONS = 2_000


def check_run(failures, ways):
    mix = ",".join(f"{name}=1" for name in TEARDOWNS)
    exit_code, result = result_of("run", "--mix", mix, "--connections", CONNECTIONS,
                                  "--layout", "single", "--ring", ways)
    failures.equal(exit_code, 0, f"{ways}: exit code")
    failures.equal(failed_verdicts(result), {}, f"{ways}: failed verdicts")
    failures.equal(result["context"]["ring"], ways, f"{ways}: what the result says")
    failures.equal(sum(scenario["client"]["finished"] for scenario in result["scenarios"]),
                   CONNECTIONS, f"{ways}: finished")


def check_comparison(failures):
    arms = ["graceful", "graceful@plain", "half-close@plain+shutdown-call", "graceful@sqpoll"]
    exit_code, result = result_of("compare", *arms, "--duration", "500ms")
    failures.equal(exit_code, 0, "compare: exit code")
    failures.equal(failed_verdicts(result), {}, "compare: failed verdicts")
    comparison = result["comparison"]
    failures.equal([comparison["baseline"], *(arm["name"] for arm in comparison["arms"])], arms,
                   "compare: arms")
    failures.equal([scenario["name"] for scenario in result["scenarios"]],
                   ["graceful", "half-close"], "compare: scenarios, each once")
    failures.equal(result["context"]["ring"], None, "compare: of all arms together")


def main():
    failures = Failures()
    for ways in WAYS:
        check_run(failures, ways)
    check_comparison(failures)
    failures.finish("every way plays the same connections")


main()
