#!/usr/bin/env python3
"""Everything at once: `ringchurn run` plays a mix of all built-in scenarios, 256 connections in
flight. What passes alone in the atlas must pass here, where other scenarios' connections use the
same ring, slots, ports and counters: every ledger closes, no step ends unexpectedly, and the kernel
agrees. And all classes of errors are there to be counted.

Scenarios that take longer than 0.3 s alone have a run of their own, with few connections, except
for those that hold up the ring's thread by a lingering close: what stands beside them is late.

Both ends on one thread: `die` forks, and until the child has closed what it inherited, a descriptor
that another thread closes is not gone (bench/README.md), which a pipe's HUP would show."""

import collections
import re

from ringchurn_testing import (Failures, builtin_scenarios, builtin_text, failed_verdicts,
                               play_each, result_of)

CONNECTIONS, CONCURRENCY = 20_000, 256
SLOW_S = 0.3
CONNECTIONS_OF_A_SLOW_ONE = 20

# The classes that have a name, with their errnos; any other errno is a class of its own.
CLASSES = {
    "reset": {"ECONNRESET"},
    "broken_pipe": {"EPIPE"},
    "not_connected": {"ENOTCONN"},
    "aborted": {"ECONNABORTED"},
    "refused": {"ECONNREFUSED"},
    "timed_out": {"ETIMEDOUT"},
    "unreachable": {"EHOSTUNREACH", "ENETUNREACH", "ENETDOWN", "EHOSTDOWN"},
    "address": {"EADDRNOTAVAIL", "EADDRINUSE"},
    "exhausted": {"EMFILE", "ENFILE", "ENOBUFS", "ENOMEM"},
    "cancelled": {"ECANCELED"},
    "descriptor": {"EBADF", "ENOTSOCK"},
    "argument": {"EINVAL", "ENOPROTOOPT", "EDOM", "EISCONN", "EFAULT", "EALREADY", "EOPNOTSUPP"},
}


def holds_up_the_ring(name):
    """True for a scenario that closes with SO_LINGER and data queued, or waits for that."""
    return re.search(r'"linger [1-9]', builtin_text(name)) is not None


def check_ledger(failures, what, scenario):
    """What was opened is finished, on both sides, and both sides have seen the same connections."""
    for side in ("client", "server"):
        ledger = scenario[side]
        if ledger is None:
            continue  # a script that plays both ends itself
        failures.equal((ledger["unexpected"], ledger["open_at_deadline"]), (0, 0),
                       f"{what}, {side}: unexpected, left open")
        failures.equal(ledger["finished"], ledger["opened"], f"{what}, {side}: finished")
    if scenario["server"] is not None:
        failures.equal(scenario["server"]["opened"], scenario["established"],
                       f"{what}: accepted, of those that were established")
    for direction, count in scenario["bytes"].items():
        failures.equal(count["received"], count["declared"], f"{what}: bytes {direction}")


def check_run(failures, what, names, connections):
    """Plays the mix; returns {class: {errno: count}} of its expected errors."""
    mix = ",".join(f"{name}=1" for name in names)
    exit_code, result = result_of("run", "--mix", mix, "--connections", connections,
                                  "--concurrency", CONCURRENCY, "--layout", "single")
    print(f"{what}: {len(names)} scenarios, {connections} connections in "
          f"{result['context']['elapsed_s']:.1f} s", flush=True)
    failures.equal(exit_code, 0, f"{what}: exit code")
    failures.equal(failed_verdicts(result), {}, f"{what}: failed verdicts")
    failures.equal(sum(scenario["opened"] for scenario in result["scenarios"]), connections,
                   f"{what}: opened")
    failures.equal(sorted(scenario["name"] for scenario in result["scenarios"]), sorted(names),
                   f"{what}: scenarios")
    for scenario in result["scenarios"]:
        failures.check(scenario["opened"] > 0, f"{what}: {scenario['name']} was never drawn")
        check_ledger(failures, f"{what}: {scenario['name']}", scenario)
    errors = collections.defaultdict(collections.Counter)
    for error in result["errors"]:
        failures.check(error["expected"], f"{what}: unexpected: {error}")
        errors[error["class"]][error["errno"]] += error["count"]
    return errors


def main():
    failures = Failures()
    names = builtin_scenarios()
    times = {name: result["context"]["elapsed_s"] for name, _, result in play_each(names)}
    quick = [name for name in names if times[name] <= SLOW_S]
    slow = [name for name in names if times[name] > SLOW_S]
    holding = [name for name in slow if holds_up_the_ring(name)]
    print(f"left out, as they hold up the ring: {', '.join(holding)}")
    slow = [name for name in slow if name not in holding]
    all_errors = [
        check_run(failures, "all that are quick", quick, CONNECTIONS),
        check_run(failures, "the slow ones", slow, CONNECTIONS_OF_A_SLOW_ONE * len(slow))]
    for name, errnos in CLASSES.items():
        seen = sum((errors[name] for errors in all_errors), collections.Counter())
        print(f"  {name}: {dict(seen)}")
        failures.check(seen, f"no error of class {name}")
        failures.check(set(seen) <= errnos, f"class {name} has {dict(seen)}, wanted {errnos} only")
    failures.finish("all scenarios at once: the ledgers close, every class of errors was counted")


main()
