"""Reads a JSON result of ringchurn, and refuses what is none. Only the fields that the report uses
are checked: a result of a later version may have more, one of an earlier version fewer of those
that are optional here. bench/result.schema.json says what they mean."""

import json

SCHEMA_VERSION = 1


class BadInput(Exception):
    """One line: what was wrong, where, and what to do."""


class Optional:
    """A field that may be absent or null, and else has a shape."""

    def __init__(self, shape):
        self.shape = shape


class Map:
    """An object whose keys are data."""

    def __init__(self, shape):
        self.shape = shape


NUMBER, TEXT, TRUTH = "a number", "a text", "true or false"
RANGE, SIDE = "a number or [least, most]", "client or server"


def _is_number(value):
    # 1e999 is JSON, and infinite in Python.
    return isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e20


IS = {
    NUMBER: _is_number,
    RANGE: lambda value: _is_number(value) or (isinstance(value, list) and len(value) == 2 and
                                               all(map(_is_number, value))),
    SIDE: lambda value: value in ("client", "server"),
    TEXT: lambda value: isinstance(value, str),
    TRUTH: lambda value: isinstance(value, bool),
}
NUMBER_OR_NULL = Optional(NUMBER)

# A dict is an object with these fields, a list an array of these elements, a tuple an array of
# exactly these.
HISTOGRAM = {"p50": NUMBER_OR_NULL, "p90": NUMBER_OR_NULL, "p99": NUMBER_OR_NULL,
             "p999": NUMBER_OR_NULL, "p9999": NUMBER_OR_NULL, "max": NUMBER_OR_NULL,
             "count": NUMBER, "buckets": Optional([(NUMBER, NUMBER)])}
NO_TIMES = {"p50": None, "p90": None, "p99": None, "p999": None, "p9999": None, "max": None,
            "count": 0, "buckets": []}
# What is timed, and how it is called.
PHASES = {"connect": "connect", "first_byte": "first byte", "teardown_step": "teardown step",
          "peer_heard": "peer heard", "gone": "gone", "teardown": "teardown",
          "lifetime": "lifetime"}
YOUNGER_PHASES = ("teardown_step", "peer_heard", "gone")
LEDGER = {"opened": NUMBER, "finished": NUMBER, "unexpected": NUMBER, "open_at_deadline": NUMBER}
DIRECTION = {"sent": NUMBER_OR_NULL, "received": NUMBER_OR_NULL, "lost": NUMBER_OR_NULL}
RATIO = {"ci_low": NUMBER_OR_NULL, "ci_high": NUMBER_OR_NULL}
CONTEXT = {"version": TEXT, "command": TEXT, "kernel": TEXT, "cpu_model": TEXT, "cpus": NUMBER,
           "lab": TEXT, "layout": TEXT, "ring": Optional(TEXT), "family": TEXT,
           "concurrency": NUMBER, "threads": NUMBER,
           "server_threads": Optional(NUMBER), "started_at": TEXT, "elapsed_s": NUMBER,
           "side": TEXT, "target": Optional(TEXT), "sysctls": Map(TEXT)}
VERDICT = {"name": TEXT, "ok": TRUTH, "advisory": TRUTH, "evidence": TEXT, "remedy": TEXT}
SCENARIO = {"name": TEXT, "about": TEXT, "weight": NUMBER, "client": Optional(LEDGER),
            "server": Optional(LEDGER),
            "bytes": {"client_to_server": DIRECTION, "server_to_client": DIRECTION},
            "latency_ns": {name: Optional(HISTOGRAM) if name in YOUNGER_PHASES else HISTOGRAM
                           for name in PHASES}}
ERROR = {"scenario": TEXT, "side": SIDE, "step": TEXT, "step_number": NUMBER, "errno": TEXT,
         "class": TEXT, "expected": TRUTH, "count": NUMBER}
COST = {"connections": NUMBER, "connections_per_second": NUMBER, "cpu_us_per_connection": NUMBER,
        "client_us": NUMBER_OR_NULL, "server_us": NUMBER_OR_NULL, "worker_us": NUMBER,
        "ksoftirqd_us": NUMBER_OR_NULL, "user_share": NUMBER, "segments_per_connection": NUMBER,
        "time_wait_per_connection": NUMBER, "syscalls_per_connection": NUMBER,
        "pure_acks_per_connection": Optional(NUMBER), "wake_ups_per_connection": Optional(NUMBER)}
FIGURE = {"us": NUMBER, "ci_low": NUMBER, "ci_high": NUMBER}
BILL = {"of": TEXT, "obstacle": Optional(TEXT), "whole": Optional(FIGURE),
        "parts": [{"name": TEXT} | FIGURE],
        "steps": [{"side": SIDE, "step": TEXT, "part": TEXT} | FIGURE], "who_pays": TEXT,
        "deferred": Optional({"time_wait_per_connection": NUMBER_OR_NULL,
                              "object_bytes": NUMBER_OR_NULL, "seconds": NUMBER,
                              "byte_seconds": NUMBER_OR_NULL})}
ARM = {"name": TEXT, "connections": NUMBER, "value": NUMBER, "ratio": NUMBER_OR_NULL,
       "difference": NUMBER_OR_NULL, "difference_ci_low": NUMBER_OR_NULL,
       "difference_ci_high": NUMBER_OR_NULL, "verdict": Optional(TEXT)} | RATIO
SLICE = (NUMBER, NUMBER_OR_NULL, NUMBER, NUMBER, NUMBER)
COMPARISON = {"baseline": TEXT, "whose": TEXT, "baseline_connections": NUMBER,
              "baseline_value": NUMBER, "arms": [ARM], "blocks": NUMBER, "slice_ms": NUMBER,
              "a_a": Optional({"ratio": NUMBER, "ci_low": NUMBER, "ci_high": NUMBER}),
              "sentence": TEXT, "slices": Optional({"columns": [TEXT], "rows": [SLICE]})}
SAMPLE = {"t_s": NUMBER, "connections": NUMBER, "in_flight": NUMBER_OR_NULL,
          "cpu_us": NUMBER_OR_NULL, "time_wait": NUMBER_OR_NULL, "errors": Map(NUMBER),
          "unexpected_errors": NUMBER, "kernel": Map(NUMBER_OR_NULL)}
POINT = {"arm": TEXT, "values": Map(TEXT), "cpu_us_per_connection": NUMBER_OR_NULL,
         "cpu_us_ci": Optional((NUMBER, NUMBER)), "teardown_p99_us": NUMBER_OR_NULL,
         "teardown_p99_us_ci": Optional((NUMBER, NUMBER)),
         "time_wait_per_connection": NUMBER_OR_NULL,
         "lost_bytes_per_connection": NUMBER_OR_NULL, "errors_per_connection": NUMBER_OR_NULL,
         "on_front": TRUTH}
GATE = {"verdict": TEXT, "margin": NUMBER, "baseline": TEXT, "candidate": TEXT, "sentence": TEXT,
        "ratio": Optional({"value": NUMBER, "ci_low": NUMBER, "ci_high": NUMBER}),
        "requirements": [{"text": TEXT, "value": NUMBER_OR_NULL, "ok": TRUTH}]}
LOAD = {"scenarios": [SCENARIO], "errors": [ERROR], "cost": COST,
        "kernel": Map({"measured": NUMBER_OR_NULL, "declared": Optional(RANGE),
                       "agrees": Optional(TRUTH)}),
        "pace": {"open_loop": Optional({"asked_per_s": NUMBER, "begun": NUMBER,
                                        "never_begun": NUMBER, "lag_ns": HISTOGRAM})},
        "server": Optional({"survival": TEXT, "evidence": TEXT, "remarks": [TEXT],
                             "cpu_us_per_connection": NUMBER_OR_NULL}),
        "comparison": Optional(COMPARISON), "sweep": Optional({"scenario": TEXT,
                                                               "points": [POINT]}),
        "bills": Optional([BILL]),
        "series": Optional({"interval_s": NUMBER, "samples": [SAMPLE]})}
RESULT = {"context": CONTEXT, "verdicts": [VERDICT], "interrupted": TRUTH, "gate": Optional(GATE)}

# Columns of a slice, by name: what SLICE has in the same order.
SLICE_COLUMNS = ["block", "arm", "began_s", "cpu_us", "connections"]


def _check(value, shape, path):
    """Raises ValueError, which names the path, unless `value` has the shape. Fields that may be
    absent, and are, become null."""
    if isinstance(shape, Optional):
        if value is not None:
            _check(value, shape.shape, path)
    elif isinstance(shape, str):
        if not IS[shape](value):
            raise ValueError(f"{path} is not {shape}")
    elif isinstance(shape, (dict, Map)):
        if not isinstance(value, dict):
            raise ValueError(f"{path} is not an object")
        fields = shape if isinstance(shape, dict) else dict.fromkeys(value, shape.shape)
        for name, field in fields.items():
            if name not in value and not isinstance(field, Optional):
                raise ValueError(f"{path}.{name} is missing")
            _check(value.setdefault(name, None), field, f"{path}.{name}")
    else:
        _check_array(value, shape, path)


def _check_array(value, shape, path):
    if not isinstance(value, list):
        raise ValueError(f"{path} is not an array")
    shapes = shape * len(value) if isinstance(shape, list) else shape
    if len(value) != len(shapes):
        raise ValueError(f"{path} has {len(value)} elements, not {len(shapes)}")
    for index, (element, element_shape) in enumerate(zip(value, shapes)):
        _check(element, element_shape, f"{path}[{index}]")


def _check_result(result):
    """Raises ValueError unless it is a result that the report can show."""
    if not isinstance(result, dict) or "schema_version" not in result or "context" not in result:
        raise ValueError("it is not a result of ringchurn")
    if result["schema_version"] != SCHEMA_VERSION:
        raise ValueError(f"its schema_version is {result['schema_version']}, and this report reads "
                         f"version {SCHEMA_VERSION}")
    if "claims" in result:
        raise ValueError("it is a result of ringchurn atlas, which has no figures")
    _check(result, RESULT, "result")
    # A gate that compared programs or files has played nothing itself.
    if "scenarios" in result or "gate" not in result:
        _check(result, LOAD, "result")
    for scenario in result.get("scenarios", []):
        for phase, histogram in scenario["latency_ns"].items():
            if histogram is None:
                scenario["latency_ns"][phase] = histogram = NO_TIMES
            _check_buckets(histogram, f"result.scenarios '{scenario['name']}' latency_ns.{phase}")
    if result.get("comparison"):
        _check_slices(result["comparison"])


def _check_buckets(histogram, path):
    buckets = histogram.get("buckets") or []
    if buckets and sum(number for _, number in buckets) != histogram["count"]:
        raise ValueError(f"the counts in {path}.buckets do not add up to its count")


def _check_slices(comparison):
    slices = comparison.get("slices")
    if not slices:
        return
    if slices["columns"] != SLICE_COLUMNS:
        raise ValueError(f"result.comparison.slices.columns is not {SLICE_COLUMNS}")
    arms = {None, *range(len(comparison["arms"]) + 1)}
    strange = next((row[1] for row in slices["rows"] if row[1] not in arms), None)
    if strange is not None:
        raise ValueError(f"result.comparison.slices is of an arm {strange} that is not there")


def _no_constant(name):
    raise ValueError(f"{name} is not JSON")


def read(path):
    """The result in the file at `path`."""
    try:
        with open(path, encoding="utf-8") as file:
            result = json.load(file, parse_constant=_no_constant)
    except OSError as error:
        raise BadInput(f"cannot read '{path}': {error.strerror}; name a file that ringchurn "
                       "--json wrote") from error
    except (ValueError, RecursionError) as error:
        raise BadInput(f"'{path}' is not JSON: {' '.join(str(error).split())}; name a file that "
                       "ringchurn --json wrote") from error
    try:
        _check_result(result)
    except ValueError as error:
        raise BadInput(f"'{path}': {error}; name a result of run, drive, serve, merge, compare, "
                       "sweep or gate") from error
    return result


def kind(result):
    """The command that made it, by what it holds."""
    for command, field in (("gate", "gate"), ("sweep", "sweep"), ("compare", "comparison"),
                           ("merge", "merged")):
        if result.get(field) is not None:
            return command
    if result["context"]["side"] == "server":
        return "serve"
    return "drive" if result["context"]["side"] == "client" else "run"


def failed(result):
    """The verdicts that failed and are more than advice."""
    return [verdict for verdict in result["verdicts"]
            if not verdict["ok"] and not verdict["advisory"]]


def warnings(result):
    return [verdict for verdict in result["verdicts"] if not verdict["ok"] and verdict["advisory"]]
