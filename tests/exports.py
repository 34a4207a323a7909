#!/usr/bin/env python3
"""Every export is read back by who it is for: compare.py of Google Benchmark, promtool and a strict
parser of OpenMetrics, xmllint with the JUnit schema of Jenkins' xUnit plugin, Python's csv; for
readers that Debian has not, by their own rules. And the numbers that arrive are the result's. The
example workflows are YAML, and call what there is."""

import csv
import io
import json
import os
import pathlib
import re
import subprocess
import tempfile

from ringchurn_testing import (SOURCE, Failures, parse_json, require_programs, result_of,
                               run_ringchurn, skip)

COMPARE_PY = pathlib.Path("/usr/share/benchmark/compare.py")
# What Debian's packages of Python modules are for, whichever python3 comes first in PATH.
DEBIAN_PYTHON = "/usr/bin/python3"

failures = Failures()


def read_by(command, text=None):
    """What a program that reads an export says; it must be content."""
    done = subprocess.run(command, input=text, capture_output=True, text=True, check=False,
                          env=os.environ | {"LC_ALL": "C.UTF-8"})
    failures.equal(done.returncode, 0, f"{command[0]}: {done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout + done.stderr


class Exported:
    """A result file, and its exports."""

    def __init__(self, folder, name, result):
        self.folder = pathlib.Path(folder)
        self.name = name
        self.result = result
        self.path = self.folder / f"{name}.json"
        self.path.write_text(json.dumps(result), encoding="utf-8")

    def text(self, export_format, *options):
        done = run_ringchurn("export", self.path, "--format", export_format, *options)
        failures.equal(done.returncode, 0, f"{self.name} as {export_format}: {done.stderr}")
        return done.stdout

    def file(self, export_format, *options):
        path = self.folder / f"{self.name}.{export_format}"
        done = run_ringchurn("export", self.path, "--format", export_format, "-o", path, *options)
        failures.equal(done.returncode, 0, f"{self.name} as {export_format}: {done.stderr}")
        failures.equal(done.stdout, "", f"{self.name} as {export_format}: standard output")
        return path


def samples(folder):
    """Real results of a run, a comparison, a sweep and an atlas; and gates with all that a reader
    could stumble over."""
    _, run = result_of("run", "--mix", "graceful=7,unread-data=3", "--connections", 500,
                       "--bill")
    _, compare = result_of("compare", "--duration", "2s")
    _, billed = result_of("compare", "graceful", "half-close", "refused", "--bill", "--duration",
                          "1s")
    _, atlas = result_of("atlas", "reset/", "--runs", 2)
    _, single = result_of("run", "--scenario", "rst-client", "--connections", 500)
    _, sweep = result_of("sweep", "--scenario", "graceful", "--vary", "request=1,1024",
                         "--duration", "1s")
    _, gate = result_of("gate", "--baseline", "graceful", "--candidate", "rst-client", "--duration",
                        "1s", "--require", "errors.unexpected == 0")
    run_file = Exported(folder, "candidate", single).path
    _, alone = result_of("gate", "--candidate", run_file, "--require", "connections.finished > 5")
    hostile = alone | {"gate": alone["gate"] | {
        "verdict": "undecided", "baseline": "old 'a' \"b\"", "candidate": "new <&> | \u00e9",
        "ratio": {"value": 1.04, "ci_low": 1.01, "ci_high": 1.07},
        "requirements": [{"text": "latency.teardown.p99 < 5ms", "value": None, "ok": False}],
        "sentence": "undecided: new <&> costs 4% more"}}
    results = {"run": run, "single": single, "compare": compare, "billed": billed,
               "atlas": atlas, "sweep": sweep, "gate": gate, "gate_alone": alone,
               "gate_hostile": hostile}
    return {name: Exported(folder, name, result) for name, result in results.items()}


def check_google_benchmark(exported):
    """compare.py takes metrics and repetitions; github-action-benchmark (googlecpp) and Bencher
    (cpp_google) ask for the fields that are checked here."""
    path = exported["run"].file("google-benchmark")
    report = read_by([DEBIAN_PYTHON, COMPARE_PY, "--no-color", "benchmarks", path, path])
    failures.check("load/cpu_us_per_connection " in report, f"compare.py shows no cost: {report}")
    blocks = exported["compare"].file("google-benchmark", "--rows", "blocks")
    report = read_by([DEBIAN_PYTHON, COMPARE_PY, "--no-color", "filters", blocks, "^graceful",
                      "^rst-client"])
    count = exported["compare"].result["comparison"]["blocks"]
    failures.check(f"U Test, Repetitions: {count} vs {count}" in report,
                   f"compare.py did not test {count} repetitions: {report}")
    for name in ("run", "single", "compare", "billed", "sweep", "gate"):
        google = parse_json(exported[name].text("google-benchmark"))
        failures.check(isinstance(google["context"]["caches"], list), f"{name}: no caches")
        names = [row["name"] for row in google["benchmarks"]]
        failures.equal(len(names), len(set(names)), f"{name}: names of benchmarks that differ")
        for row in google["benchmarks"]:
            failures.check(row["time_unit"] in ("ns", "us") and row["real_time"] >= 0 and
                           row["cpu_time"] == row["real_time"], f"{name}: {row}")


def check_dashboards(exported):
    """Bencher Metric Format and customSmallerIsBetter, as bencher.dev's reference and the readme of
    github-action-benchmark have them."""
    for name in ("run", "single", "compare", "billed", "sweep", "gate", "gate_alone",
                 "gate_hostile"):
        bmf = parse_json(exported[name].text("bmf"))
        for benchmark, measures in bmf.items():
            failures.check(benchmark.strip() == benchmark != "", f"{name}: benchmark '{benchmark}'")
            for measure, metric in measures.items():
                failures.check(0 < len(measure) <= 64, f"{name}: a name of a measure: {measure}")
                ends = {"lower_value", "upper_value"}
                failures.check(set(metric) in ({"value"}, {"value"} | ends) and
                               all(isinstance(number, (int, float)) for number in metric.values()),
                               f"{name}: {benchmark} {measure}: {metric}")
        for entry in parse_json(exported[name].text("github-smaller")):
            failures.check({"name", "unit", "value"} <= set(entry) <=
                           {"name", "unit", "value", "range", "extra"} and
                           isinstance(entry["value"], (int, float)), f"{name}: {entry}")
    arm = exported["compare"].result["comparison"]["arms"][0]
    bmf = parse_json(exported["compare"].text("bmf"))
    failures.equal(bmf[arm["name"]]["cpu_ratio"],
                   {"value": arm["ratio"], "lower_value": arm["ci_low"],
                    "upper_value": arm["ci_high"]}, "the ratio at Bencher")


def check_go_benchmark(exported):
    """The rules of golang.org/design/14313-benchmark-format and of benchstat's units."""
    for name, rows in (("run", "metrics"), ("compare", "metrics"), ("compare", "blocks"),
                       ("gate_hostile", "metrics")):
        text = exported[name].text("go-benchmark", "--rows", rows)
        seen = 0
        for line in text.splitlines():
            if not line.startswith("Benchmark"):
                failures.check(re.fullmatch(r"[a-z]+: .+|Unit \S+ better=(lower|higher)", line),
                               f"{name}: no line of the format: {line}")
                continue
            fields = line.split()
            seen += 1
            failures.check(len(fields) >= 4 and len(fields) % 2 == 0 and fields[1].isdigit() and
                           re.fullmatch(r"Benchmark[A-Z]\S*-\d+", fields[0]), f"{name}: {line}")
            for value in fields[2::2]:
                float(value)
        if rows == "blocks":
            arms = 2 + len(exported[name].result["comparison"]["arms"])
            failures.equal(seen, arms * exported[name].result["comparison"]["blocks"],
                           f"{name}: lines of blocks")
        failures.check(seen > 0, f"{name}: no benchmark")


def csv_values(of):
    """{(kind, subject, metric): value} of an export."""
    return {(row["kind"], row["subject"], row["metric"]): float(row["value"])
            for row in csv.DictReader(io.StringIO(of.text("csv")), strict=True)}


def check_figures(exported):
    """What the result says of a cost and of an arm arrives, figure by figure, and null does not."""
    comparison = exported["compare"].result["comparison"]
    owners = [("run", ("load", ""), exported["run"].result["cost"]),
              ("compare", ("control", ""), {"p_value": comparison["a_a"]["p_value"]})]
    owners += [("compare", ("arm", arm["name"]), arm) for arm in comparison["arms"]]
    baseline = {key.removeprefix("baseline_"): value for key, value in comparison.items()}
    owners.append(("compare", ("arm", comparison["baseline"]), baseline))
    for name, owner, figures in owners:
        values = csv_values(exported[name])
        for figure in figures:
            if figure.endswith("_per_connection") or figure in (
                    "p_value", "p_holm", "minimum_detectable_effect", "user_share"):
                failures.equal(values.get((*owner, figure)), figures[figure],
                               f"{name}: {figure} of {owner}")


def check_bills(exported):
    """The whole and each part of a bill arrive with their intervals, and nothing of what has
    none."""
    for name, kind in (("run", "scenario"), ("billed", "arm")):
        rows = {(row["subject"], row["metric"]): row
                for row in csv.DictReader(io.StringIO(exported[name].text("csv")))
                if row["kind"] == kind and "bill_" in row["metric"]}
        expected = {}
        for bill in exported[name].result["bills"]:
            figures = {"": bill["whole"]} if bill["whole"] else {}
            figures |= {f"{re.sub('[^a-z]+', '_', part['name'])}_": part for part in bill["parts"]}
            for label, figure in figures.items():
                family = "bill_part" if label else "bill"
                expected[bill["of"], f"{label}{family}_cpu_us_per_connection"] = figure
        failures.equal(set(rows), set(expected), f"{name}: figures of the bills")
        for key in set(rows) & set(expected):
            failures.equal([float(rows[key][end]) for end in ("value", "ci_low", "ci_high")],
                           [expected[key][end] for end in ("us", "ci_low", "ci_high")],
                           f"{name}: {key}")


def check_csv(exported):
    for name, of in exported.items():
        rows = list(csv.DictReader(io.StringIO(of.text("csv")), strict=True))
        failures.check(rows and all(None not in row and None not in row.values() for row in rows),
                       f"{name}: rows of another length")
        for row in rows:
            float(row["value"])
    rows = csv_values(exported["run"])
    run = exported["run"].result
    for scenario in run["scenarios"]:
        for phase, times in scenario["latency_ns"].items():
            for quantile in ("p50", "p99", "p9999", "max"):
                got = rows.get(("scenario", scenario["name"], f"{phase}_{quantile}_latency_ns"))
                failures.equal(got, times[quantile], f"{scenario['name']} {phase} {quantile}")
    for counter, row in run["kernel"].items():
        failures.equal(rows.get(("load", "", f"{counter}_kernel_delta")), row["measured"], counter)


def check_junit(exported):
    for name, of in exported.items():
        read_by(["xmllint", "--noout", "--schema", SOURCE / "tests" / "junit-10.xsd",
                 of.file("junit")])
        result = of.result
        cases = len(result["scenarios"]) if name == "atlas" else len(result["verdicts"])
        cases += 1 + len(result["gate"]["requirements"]) if "gate" in result else 0
        text = of.text("junit")
        failures.equal(text.count("<testcase "), cases, f"{name}: test cases")
        failures.check(f'tests="{cases}"' in text, f"{name}: tests= is not {cases}")
        failures.equal(text.count("<error "), int(name == "gate_hostile"),
                       f"{name}: errors")


OPENMETRICS = """
import json, sys
from prometheus_client.openmetrics.parser import text_string_to_metric_families
print(json.dumps([[sample.name, sample.labels, sample.value]
                  for family in text_string_to_metric_families(sys.stdin.read())
                  for sample in family.samples]))
"""


def check_openmetrics(exported):
    """promtool and node_exporter read Prometheus' older format, the parser the strict newer one:
    both get the same text."""
    for name in ("run", "single", "compare", "billed", "sweep", "gate", "gate_alone",
                 "gate_hostile"):
        text = exported[name].text("openmetrics")
        report = read_by(["promtool", "check", "metrics"], text)
        failures.equal(report, "", f"{name}: what promtool finds")
        found = json.loads(read_by([DEBIAN_PYTHON, "-c", OPENMETRICS], text))
        if name != "run":
            continue
        for counter, row in exported[name].result["kernel"].items():
            arrived = ["ringchurn_kernel_delta", {"counter": counter}, row["measured"]]
            failures.check(arrived in found, f"{counter} did not arrive as {row['measured']}")
        cost = exported[name].result["cost"]["cpu_us_per_connection"]
        arrived = [value for key, _, value in found if key == "ringchurn_connection_cpu_seconds"]
        failures.check(len(arrived) == 1 and abs(arrived[0] * 1e6 / cost - 1) < 1e-9,
                       f"CPU seconds {arrived} for {cost} us")


def check_markdown(exported):
    for name, of in exported.items():
        text = of.text("markdown")
        failures.check(text.startswith("## ringchurn: "), f"{name}: {text[:80]}")
        widths = [len(re.findall(r"(?<!\\)\|", line)) for line in text.splitlines()]
        for above, width in zip(widths, widths[1:]):
            failures.check(0 in (above, width) or above == width, f"{name}: a table's row: {width}")
    verdict = exported["gate"].result["gate"]["verdict"]
    failures.check(exported["gate"].text("markdown").startswith(f"## ringchurn: {verdict}\n"),
                   "a gate does not begin with its verdict")


def check_hgrm(exported):
    """As HdrHistogram's plotFiles.html reads it: four fields make a point."""
    times = exported["single"].result["scenarios"][0]["latency_ns"]
    for options, phase in (((), "lifetime"), (("--histogram", "rst-client/teardown"), "teardown"),
                           (("--histogram", "rst-client/peer_heard"), "peer_heard")):
        lines = exported["single"].text("hgrm", *options).splitlines()
        failures.equal(lines[0].split(), ["Value", "Percentile", "TotalCount", "1/(1-Percentile)"],
                       "the heading")
        points = [list(map(float, line.split())) for line in lines[2:] if len(line.split()) == 4]
        failures.check(len(points) > 5 and points == sorted(points), f"{phase}: not ascending")
        median = next(point[0] for point in points if point[1] == 0.5)
        failures.check(abs(median * 1e3 - times[phase]["p50"]) < 1, f"{phase}: median {median}")
        last = next(line.split() for line in lines if " 1.000000000000 " in line)
        failures.equal([round(float(last[0]) * 1e3), int(last[2])],
                       [times[phase]["max"], times[phase]["count"]], f"{phase}: the last line")


def check_refusals(exported):
    """What cannot be exported gets one line, and leaves what was there."""
    folder = exported["run"].folder
    kept = folder / "kept"
    kept.write_text("mine", encoding="utf-8")
    broken = folder / "broken.json"
    broken.write_text("{}", encoding="utf-8")
    for arguments, words in (
            ((exported["atlas"].path, "--format", "bmf", "-o", kept), "junit, csv or markdown"),
            ((exported["run"].path, "--format", "hgrm", "-o", kept), "--histogram"),
            ((broken, "-o", kept), "schema_version"),
            ((exported["run"].path, "-o", exported["run"].path), "the result itself"),
            ((exported["run"].path, "-o", folder / "none" / "x"), "folder that exists")):
        done = run_ringchurn("export", *arguments)
        failures.equal(done.returncode, 2, f"{arguments}: exit code; {done.stderr}")
        failures.check(words in done.stderr and done.stderr.count("\n") == 1, done.stderr)
    failures.equal(kept.read_text(encoding="utf-8"), "mine", "the file that was there")
    failures.equal(parse_json(exported["run"].path.read_text(encoding="utf-8")),
                   exported["run"].result, "the result itself")
    failures.equal([path.name for path in folder.glob("*.tmp-*")], [], "temporary files")


WORKFLOW = """
import json, sys, yaml
print(json.dumps(yaml.load(open(sys.argv[1]), yaml.BaseLoader)))
"""


def check_workflows():
    """The examples are YAML, have the keys that their CI systems ask for, and every `ringchurn`
    command in them is one that this binary has."""
    commands = set(re.findall(r"^  (\w+) ", run_ringchurn("--help").stdout, re.MULTILINE))
    examples = sorted((SOURCE / "scripts" / "ci").glob("*.yml"))
    failures.check(len(examples) == 2, f"examples: {examples}")
    for path in examples:
        workflow = json.loads(read_by([DEBIAN_PYTHON, "-c", WORKFLOW, path]))
        jobs = workflow.get("jobs") or {"gate": workflow["teardown-cost"]}
        for job in jobs.values():
            failures.check("steps" in job or "script" in job, f"{path.name}: a job does nothing")
        text = path.read_text(encoding="utf-8")
        called = set(re.findall(r"\bringchurn (\w+)", re.sub(r"#.*", "", text)))
        failures.check({"export", "gate"} <= called, f"{path.name} calls {called}")
        failures.check(called <= commands, f"{path.name}: unknown commands {called - commands}")


def require_readers():
    require_programs({"promtool": "prometheus, or see scripts/check", "xmllint": "libxml2-utils"})
    if not COMPARE_PY.exists():
        skip("compare.py is missing: apt-get install libbenchmark-tools")
    for module, package in (("scipy", "python3-scipy"), ("yaml", "python3-yaml"),
                            ("prometheus_client", "python3-prometheus-client")):
        if subprocess.run([DEBIAN_PYTHON, "-c", f"import {module}"], capture_output=True,
                          check=False).returncode != 0:
            skip(f"{module} is missing: apt-get install {package}")


require_readers()
with tempfile.TemporaryDirectory() as temporary:
    all_exported = samples(temporary)
    for check in (check_google_benchmark, check_dashboards, check_go_benchmark, check_csv,
                  check_figures, check_bills, check_junit, check_openmetrics, check_markdown,
                  check_hgrm, check_refusals):
        check(all_exported)
check_workflows()
failures.finish("every export was read back by who it is for")
