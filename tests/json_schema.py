#!/usr/bin/env python3
"""The JSON result is what bench/*.schema.json say: real results of `run`, `compare`, `sweep`,
`atlas` and `doctor` are checked against them, and the schemas themselves are checked to be
valid, documented and strict."""

import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

SKIPPED = 77

try:
    from jsonschema import Draft202012Validator
except ImportError:
    print("python3-jsonschema (4.0 or later) is missing: apt-get install python3-jsonschema")
    sys.exit(SKIPPED)

RINGCHURN = os.environ["RINGCHURN"]
SOURCE = pathlib.Path(os.environ.get("RINGCHURN_TREE", pathlib.Path(__file__).parent.parent))


# Objects whose keys are data.
OPEN = re.compile(r"result\.(kernel|series\.samples\[\d+\]\.(kernel|errors)|context\.sysctls|scenarios\[\d+\]\.(claims|declared\.kernel)"
                  r"|.*\.counters)")

# What has been seen to be strict once; checking each of a thousand answers would take minutes.
SHAPE = re.compile(r"\[\d+\]")


def fail(message):
    sys.exit(f"FAILED: {message}")


def load(text):
    """JSON as the standard has it: Python would accept NaN and Infinity."""

    def reject(constant):
        fail(f"{constant} is not JSON")

    return json.loads(text, parse_constant=reject)


def undocumented(schema, path="schema"):
    """Paths of the properties that have no description."""
    for key, value in schema.items():
        if key in ("properties", "$defs"):
            for name, field in value.items():
                if not field.get("description"):
                    yield f"{path}.{name}"
                yield from undocumented(field, f"{path}.{name}")
        elif isinstance(value, dict):
            yield from undocumented(value, f"{path}.{key}")


def objects(value, path="result"):
    """Every object within a result whose keys the schema fixes, with its path."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from objects(item, f"{path}[{index}]")
    if isinstance(value, dict):
        if not OPEN.fullmatch(path):
            yield path, value
        for key, item in value.items():
            yield from objects(item, f"{path}.{key}")


def check_strict(validator, result):
    """A result that lacks any field, or has one more anywhere, must be refused."""
    seen = set()
    for index, (path, _) in enumerate(objects(result)):
        if SHAPE.sub("[]", path) in seen:
            continue
        seen.add(SHAPE.sub("[]", path))
        changed = copy.deepcopy(result)
        target = list(objects(changed))[index][1]
        target["surplus"] = 1
        if validator.is_valid(changed):
            fail(f"the schema allows an unknown field in {path}")
        del target["surplus"]
        for key in list(target):
            # What some commands alone write, and what is named by the scenario's file.
            if path == "result" and key in ("bills", "comparison", "series",
                                            "sweep") or path.endswith(".values"):
                continue
            value = target.pop(key)
            if validator.is_valid(changed):
                fail(f"the schema does not miss {path}.{key}")
            target[key] = value


def result_of(validator, folder, *arguments):
    """Runs ringchurn and returns its result, once it is valid."""
    path = pathlib.Path(folder) / "result.json"
    done = subprocess.run([RINGCHURN, *arguments, "--json", str(path)], capture_output=True,
                          text=True, timeout=120, check=False)
    if done.returncode == SKIPPED:
        print(done.stderr.strip())
        sys.exit(SKIPPED)
    # 3: a verdict failed, which is not this test's business; the result is written all the same.
    if done.returncode not in (0, 3):
        fail(f"{' '.join(arguments)}: exit code {done.returncode}\n{done.stdout}{done.stderr}")
    result = load(path.read_text(encoding="utf-8"))
    for error in validator.iter_errors(result):
        fail(f"{' '.join(arguments)}: {error.json_path}: {error.message}")
    if list(pathlib.Path(folder).iterdir()) != [path]:
        fail("a temporary file stayed behind")
    return result


def validator_of(name):
    """A validator for a schema of that name, once the schema itself is good."""
    schema = load((SOURCE / "bench" / name).read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    missing = list(undocumented(schema))
    if missing:
        fail(f"{name}: no description: {', '.join(missing)}")
    return Draft202012Validator(schema)


def check_doctor():
    validator = validator_of("doctor.schema.json")
    with tempfile.TemporaryDirectory() as folder:
        doctor = result_of(validator, folder, "doctor")
    check_strict(validator, doctor)


def check_run_and_compare():
    validator = validator_of("result.schema.json")
    with tempfile.TemporaryDirectory() as folder:
        run = result_of(validator, folder, "run", "--scenario", "graceful", "--connections", "200",
                        "--bill")
        compare = result_of(validator, folder, "compare", "--duration", "1s", "--bill")
        sweep = result_of(validator, folder, "sweep", "--scenario", "graceful",
                          "--vary", "request=1,9000", "--resolution", "20%", "--max-time", "1s")
    if "comparison" in run or "comparison" not in compare:
        fail("`comparison` belongs to the result of compare, and to no other")
    if [[bill["of"] for bill in result["bills"]] for result in (run, compare)] != [
            ["graceful"], ["graceful", "rst-client"]] or "bills" in sweep:
        fail("a run has a bill for each scenario, a comparison one for each arm, a sweep none")
    if "series" not in run or "series" in compare:
        fail("`series` belongs to the result of run, and not to that of compare")
    if [scenario["name"] for scenario in run["scenarios"]] != ["graceful"]:
        fail("the run did not play graceful alone")
    if run["scenarios"][0]["opened"] != 200:
        fail(f"200 connections were asked for, {run['scenarios'][0]['opened']} opened")
    arms = [compare["comparison"]["baseline"]]
    arms += [arm["name"] for arm in compare["comparison"]["arms"]]
    if arms != ["graceful", "rst-client"]:
        fail(f"compare compared {arms}")
    names = [point["arm"] for point in sweep["sweep"]["points"]]
    if names != ["request=1", "request=9000"]:
        fail(f"sweep played {names}")
    if [scenario["name"] for scenario in sweep["scenarios"]] != names:
        fail("the scenarios of a sweep are not its points")
    check_slices(compare["comparison"])
    check_slices(sweep["comparison"])
    for result in (run, compare, sweep):
        check_strict(validator, result)


def check_slices(comparison):
    """Two slices of each arm and of the control in each block, which add up to the arm's account."""
    rows = comparison["slices"]["rows"]
    arms = 1 + len(comparison["arms"])
    if len(rows) != 2 * comparison["blocks"] * (arms + 1):
        fail(f"{len(rows)} slices in {comparison['blocks']} blocks of {arms} arms and a control")
    if [row[2] for row in rows] != sorted(row[2] for row in rows):
        fail("slices are not in the order of time")
    played = sum(row[4] for row in rows if row[1] in (0, None))  # the control is its other half
    if played != comparison["baseline_connections"]:
        fail(f"slices of the baseline: {played} of {comparison['baseline_connections']}")


def check_atlas():
    validator = validator_of("atlas.schema.json")
    with tempfile.TemporaryDirectory() as folder:
        atlas = result_of(validator, folder, "atlas", "rst-client", "graceful", "S001-14",
                          "--engine", "syscall", "--runs", "3")
    names = [scenario["name"] for scenario in atlas["scenarios"]]
    if names[:2] != ["rst-client", "graceful"] or len(names) != len(set(names)):
        fail(f"the atlas played {names}")
    for scenario in atlas["scenarios"]:
        if scenario["runs"] != 3 and scenario["skipped"] is None:
            fail(f"{scenario['name']}: {scenario['runs']} runs instead of 3")
    engines = {step["engine"] for step in atlas["scenarios"][0]["outcomes"]}
    if engines != {"ring", "syscall"}:
        fail(f"rst-client was played by {engines}")
    if "S001-14" not in {claim["id"] for claim in atlas["claims"]}:
        fail("the claim that was asked for is not in the result")
    check_strict(validator, atlas)


check_run_and_compare()
check_atlas()
check_doctor()
print("valid: a run, a comparison, an atlas, a doctor's findings, and the schemas themselves")
