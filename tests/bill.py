#!/usr/bin/env python3
"""The bill of `compare --bill` and `run --bill`: its parts add up to the whole, each step is in one
part, the figures are those of its blocks, and what cannot be billed says why."""

from ringchurn_testing import Failures, failed_verdicts, result_of

PARTS = ["establishing", "exchange", "teardown, active side", "teardown, passive side",
         "io-wq workers", "waiting and wake-ups"]
# Bytes of an object x 60 s: what a TIME_WAIT socket takes.
SECONDS = 60


def close(one, other):
    return abs(one - other) <= 1e-6 * max(1, abs(one), abs(other))


def check_arithmetic(failures, bill):
    name, whole, parts = bill["of"], bill["whole"], {p["name"]: p for p in bill["parts"]}
    failures.equal(list(parts), PARTS, f"{name}: parts")
    total = sum(part["us"] for part in bill["parts"])
    failures.check(close(total, whole["us"]), f"{name}: parts are {total}, whole {whole['us']}")
    for figure in [whole, *bill["parts"], *bill["steps"]]:
        failures.check(figure["ci_low"] <= figure["us"] <= figure["ci_high"], f"{name}: {figure}")
    for part in PARTS[:4]:
        steps = sum(step["us"] for step in bill["steps"] if step["part"] == part)
        failures.check(close(steps, parts[part]["us"]), f"{name}: steps of {part} are {steps}")
    rows = [row for row in bill["blocks"]["rows"] if not row[4]]
    lockstep = sum(row[2] for row in rows)
    failures.check(close(sum(row[0] for row in rows) / sum(row[1] for row in rows), whole["us"]),
                   f"{name}: whole is not that of its blocks")
    for index, step in enumerate(bill["steps"]):
        us = sum(row[5 + index] for row in rows) / lockstep
        failures.check(close(us, step["us"]), f"{name}: {step['step']} of the blocks is {us}")
    failures.check(close(sum(row[3] for row in rows) / lockstep, parts["io-wq workers"]["us"]),
                   f"{name}: workers are not those of the blocks")


def check_deferred(failures, bill, sockets):
    later = bill["deferred"]
    failures.equal(later["time_wait_per_connection"], sockets, f"{bill['of']}: TIME_WAIT")
    if later["object_bytes"] is None:
        failures.check(later["object_unknown"] and later["byte_seconds"] is None,
                       f"{bill['of']}: {later}")
    else:
        failures.equal(later["byte_seconds"], sockets * later["object_bytes"] * SECONDS,
                       f"{bill['of']}: byte-seconds")


def check_comparison(failures):
    names = ["graceful", "rst-client", "half-close", "lingering-close"]
    code, result = result_of("compare", *names, "graceful=1,rst-client=1", "--bill",
                             "--duration", "1s")
    failures.equal((code, failed_verdicts(result)), (0, {}), "compare: exit code, verdicts")
    *bills, mix = result["bills"]
    failures.equal([bill["of"] for bill in bills], names, "arms with a bill")
    for bill, sockets in zip(bills, (1, 0, 1, 1)):
        failures.equal(bill["obstacle"], None, f"{bill['of']}: obstacle")
        check_arithmetic(failures, bill)
        check_deferred(failures, bill, sockets)
    failures.check("a mix" in mix["obstacle"] and mix["whole"] is None and not mix["parts"],
                   f"{mix['of']}: {mix['obstacle']}")
    workers = {bill["of"]: bill["parts"][4]["us"] for bill in bills}
    # Only a shutdown has a worker.
    for name in names:
        failures.equal(workers[name] > 0.1, name.endswith("-close"), f"{name}: {workers[name]} us")


def check_run(failures):
    code, result = result_of("run", "--mix", "disconnect=1,refused=1", "--connections", "500",
                             "--bill")
    failures.equal((code, failed_verdicts(result)), (0, {}), "run: exit code, verdicts")
    failures.equal(result["cost"]["connections"], 500, "connections: the bill's are not the load's")
    disconnect, refused = result["bills"]
    failures.equal((disconnect["of"], disconnect["obstacle"]), ("disconnect", None), "run: bill")
    check_arithmetic(failures, disconnect)
    failures.check("nobody listens" in refused["obstacle"], f"refused: {refused['obstacle']}")


def main():
    failures = Failures()
    check_comparison(failures)
    check_run(failures)
    failures.finish("bills add up, step by step and block by block")


if __name__ == "__main__":
    main()
