#!/usr/bin/env python3
"""The kernel agrees, says somebody else: for every built-in scenario four accounts of the kernel's
counters are the same, to the unit: what nstat(8) reads before and after, what ringchurn measured,
what ringchurn says was declared, and what the scenario's [kernel] declares, as read here."""

import pathlib
import tempfile
import time
import tomllib

from ringchurn_testing import (IN_ORDER, TEARDOWNS, Failures, enter_network_namespace,
                               failed_verdicts, read_nstat, require_programs, result_of,
                               run_ringchurn, verdict)

CONNECTIONS = 400
# What the kernel may still owe after the last close. ringchurn itself waits 50 ms.
SETTLE_S = 0.1


def as_range(declared, factor=1):
    """A number or [least, most], as a range."""
    least, most = declared if isinstance(declared, list) else (declared, declared)
    return [least * factor, most * factor]


def variants(scenario):
    """Parameters to play a scenario with: its own, and no exchange at all where it allows that."""
    params = scenario.get("params", {})
    yield {}
    if isinstance(params.get("request"), int) and "response" in params:
        yield {"request": 0, "response": 0}


def check_in_own_namespace(failures, what, arguments, kernel, history):
    """Four accounts of one run in this namespace, where no other program opens a connection."""
    before = read_nstat(history)
    _, result = result_of(*arguments, "--lab", "host", *IN_ORDER)
    time.sleep(SETTLE_S)
    after = read_nstat(history)
    what = f"{what}, by nstat"
    failures.equal(failed_verdicts(result), {}, f"{what}: failed verdicts")
    failures.equal(result["scenarios"][0]["finished"], CONNECTIONS, f"{what}: finished")
    failures.equal(sorted(result["kernel"]), sorted(kernel), f"{what}: counters in the result")
    for counter, declared in kernel.items():
        least, most = as_range(declared, CONNECTIONS)
        by_nstat = after[counter] - before[counter]
        row = result["kernel"].get(counter, {"measured": None, "declared": 0, "agrees": False})
        failures.equal(row["measured"], by_nstat, f"{what}: {counter} measured")
        failures.equal(as_range(row["declared"]), [least, most], f"{what}: {counter} declared")
        failures.check(least <= by_nstat <= most,
                       f"{what}: {counter} moved by {by_nstat}, [kernel] says {least} to {most}")
        failures.equal(row["agrees"], least <= by_nstat <= most, f"{what}: {counter} agrees")


def check_in_private_lab(failures, what, arguments):
    exit_code, result = result_of(*arguments)
    what = f"{what}, private lab"
    failures.equal(result["context"]["lab"], "private", f"{what}: lab")
    failures.equal(failed_verdicts(result), {}, f"{what}: failed verdicts")
    failures.equal(exit_code, 0, f"{what}: exit code")
    failures.equal(verdict(result, "kernel agrees")["ok"], True, f"{what}: kernel agrees")


def check_wrong_declarations(failures, text, folder):
    """Each number of [kernel] in turn made wrong by one: every time it must be noticed."""
    kernel = tomllib.loads(text)["kernel"]
    path = pathlib.Path(folder, "wrong.toml")
    for counter, declared in kernel.items():
        right, wrong = f"\n{counter} = {declared}\n", f"\n{counter} = {declared + 1}\n"
        failures.equal(text.count(right), 1, f"lines with {counter} in the scenario")
        path.write_text(text.replace(right, wrong), encoding="utf-8")
        exit_code, result = result_of("run", "--scenario", path, "--connections", CONNECTIONS)
        failures.equal(exit_code, 3, f"{counter} declared too high by 1: exit code")
        failures.equal(list(failed_verdicts(result)), ["kernel agrees"],
                       f"{counter} declared too high by 1: failed verdicts")
        failures.check(counter in verdict(result, "kernel agrees")["evidence"],
                       f"{counter} declared too high by 1: {verdict(result, 'kernel agrees')}")


def main():
    require_programs({"nstat": "iproute2"})
    enter_network_namespace()
    failures = Failures()
    with tempfile.TemporaryDirectory() as folder:
        history = pathlib.Path(folder, "nstat-history")
        for name in TEARDOWNS:
            scenario = tomllib.loads(run_ringchurn("scenarios", name).stdout)
            for params in variants(scenario):
                for family in ("ipv4", "ipv6"):
                    arguments = ["run", "--scenario", name, "--connections", CONNECTIONS,
                                 "--family", family]
                    settings = [f"{param}={value}" for param, value in params.items()]
                    for setting in settings:
                        arguments += ["--set", setting]
                    what = " ".join([name, family, *settings])
                    check_in_own_namespace(failures, what, arguments, scenario["kernel"], history)
                    # Without an exchange, a close on one CPU may overtake a delayed ACK on the other,
                    # which draws an RST (bench/README.md): exact is only one thread.
                    layout = ["--layout", "single"] if params else []
                    check_in_private_lab(failures, what, arguments + layout)
        check_wrong_declarations(failures, run_ringchurn("scenarios", "rst-client").stdout, folder)
    failures.finish("nstat, ringchurn and the scenario files agree")


main()
