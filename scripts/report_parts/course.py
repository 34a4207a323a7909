"""The course of a load over time: its series, drawn by intervals."""

import math

from matplotlib.lines import Line2D

from report_parts.chart import INK, LOOKS, Chart, plain_axis
from report_parts.numbers import amount, count, median, plural
from report_parts.page import Section, Table

# Rows of the table under a time series; a long one is summed up.
MOST_INTERVALS = 60


def _between(samples, interval_s):
    """What happened between samples: their differences, per second. The last is joined to the one
    before it if it is short, because a few milliseconds have no rate worth drawing."""
    start = {"t_s": 0.0, "connections": 0, "cpu_us": 0.0, "unexpected_errors": 0, "errors": {},
             "kernel": {}}
    if len(samples) > 1 and samples[-1]["t_s"] - samples[-2]["t_s"] < interval_s / 2:
        samples = samples[:-2] + samples[-1:]
    rows = []
    for before, after in zip([start, *samples], samples):
        elapsed = after["t_s"] - before["t_s"]
        if elapsed > 0:
            rows.append(_difference(before, after, elapsed))
    return rows


def _difference(before, after, elapsed):
    def rates(field):
        return {name: (value - (before[field].get(name) or 0)) / elapsed
                for name, value in after[field].items() if value is not None}

    connections = after["connections"] - before["connections"]
    cpu_us = None
    if connections > 0 and after.get("cpu_us") is not None and before.get("cpu_us") is not None:
        cpu_us = (after["cpu_us"] - before["cpu_us"]) / connections
    return {"t_s": after["t_s"], "rate": connections / elapsed, "cpu_us": cpu_us,
            "in_flight": after.get("in_flight"), "time_wait": after.get("time_wait"),
            "unexpected": (after["unexpected_errors"] - before["unexpected_errors"]) / elapsed,
            "errors": rates("errors"), "kernel": rates("kernel")}


def _lines(rows, field):
    """{name: values over time} of a field that is a map; the busiest, and none that never moved."""
    names = dict.fromkeys(name for row in rows for name in row[field])
    lines = {name: [row[field].get(name, 0) for row in rows] for name in names}
    moved = [name for name in names if any(lines[name])]
    moved.sort(key=lambda name: -sum(lines[name]))
    return {name: lines[name] for name in moved[:len(LOOKS)]}


def _unless_still(values):
    return {"unexpected": values} if any(values) else {}


def _series_panels(rows):
    """{title: {line's name: values}} of what was measured."""
    panels = {"connections per second": {"rate": [row["rate"] for row in rows]},
              "us of CPU per connection": {"CPU": [row["cpu_us"] for row in rows]},
              "errors per second, by class": _lines(rows, "errors"),
              "UNEXPECTED errors per second": _unless_still([row["unexpected"] for row in rows]),
              "sockets in TIME_WAIT": {"TIME_WAIT": [row["time_wait"] for row in rows]},
              "connections in flight": {"in flight": [row["in_flight"] for row in rows]},
              "kernel counters, per second": _lines(rows, "kernel")}
    known = {title: {name: values for name, values in lines.items()
                     if any(value is not None for value in values)}
             for title, lines in panels.items()}
    return {title: lines for title, lines in known.items() if lines}


def _draw_series(sheet, times, panels):
    for index, (title, lines) in enumerate(panels.items()):
        is_last = index == len(panels) - 1
        looks = dict(zip(lines, LOOKS))
        axes = sheet.panel(100, title, below=46 if is_last else 26)
        for name, values in lines.items():
            axes.plot(times, [math.nan if value is None else value for value in values],
                      markevery=max(1, len(times) // 12), markeredgecolor=INK, markeredgewidth=0.7,
                      **looks[name].line())
        axes.set_ylim(0, 1.1 * max([value for values in lines.values() for value in values
                                    if value is not None]) or 1)
        axes.set_xlim(0, times[-1])
        plain_axis(axes.yaxis, 4)
        plain_axis(axes.xaxis)
        if is_last:
            axes.set_xlabel("seconds since the start of the load")
        if len(lines) > 1:
            sheet.legend([Line2D([], [], label=name, **looks[name].line()) for name in lines])


def series(result):
    """The course of a load over time."""
    samples = (result.get("series") or {}).get("samples")
    rows = _between(samples, result["series"]["interval_s"]) if samples else []
    if len(rows) < 2:
        return None
    times, panels = [row["t_s"] for row in rows], _series_panels(rows)
    return Section("series", "Over time", _series_sentence(rows),
                   Chart("A panel for each quantity, over the seconds of the load.",
                         lambda sheet: _draw_series(sheet, times, panels)),
                   [_series_table(samples, result["series"]["interval_s"])])


def _series_table(samples, interval_s):
    step = -(-len(samples) // MOST_INTERVALS)
    # From the end, so that the last sample is among them.
    rows = _between(samples[::-1][::step][::-1], interval_s * step)
    counters = list(_lines(rows, "kernel"))
    return Table(f"By intervals of about {amount(interval_s * step)} s; rates are per second",
                 ["until, s", "#connections", "#CPU, us each", "#errors", "#unexpected",
                  "#TIME_WAIT", "#in flight", *(f"#{name}" for name in counters)],
                 [[f"{row['t_s']:.2f}", amount(row["rate"]), amount(row["cpu_us"]),
                   amount(sum(row["errors"].values())), amount(row["unexpected"]),
                   count(row["time_wait"]), count(row["in_flight"]),
                   *(amount(row["kernel"].get(name)) for name in counters)] for row in rows])


def _series_sentence(rows):
    slowest = min(rows, key=lambda row: row["rate"])
    fastest = max(rows, key=lambda row: row["rate"])
    middle = median([row["rate"] for row in rows])
    sentence = (f"{count(middle)} connections a second in the median interval, "
                f"{count(slowest['rate'])} at the least (until {slowest['t_s']:.1f} s), "
                f"{count(fastest['rate'])} at the most (until {fastest['t_s']:.1f} s).")
    alive = [row for row in rows if row["time_wait"] is not None]
    if alive:
        peak = max(alive, key=lambda row: row["time_wait"])
        sentence += f" At most {plural(peak['time_wait'], 'socket')} in TIME_WAIT."
    first = next((row for row in rows if row["unexpected"]), None)
    sentence += (f" Unexpected errors began in the interval until {first['t_s']:.1f} s." if first
                 else " No unexpected errors.")
    return sentence
