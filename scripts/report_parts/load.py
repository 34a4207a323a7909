"""Figures of a load, however it came about: what it cost, how long it took, and its errors."""

import math

from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, FuncFormatter

from report_parts.chart import (INK, LOOKS, VERMILLION, Chart, bare_rows, interval_line,
                                log_axis, plain_axis, row_label)
from report_parts.numbers import (amount, count, interval, listed, microseconds, plural, shortened)
from report_parts.page import Section, Table
from report_parts.result import PHASES


def _threads(cost):
    """[(part, us)] of the process's CPU, by thread."""
    known = [("client threads", cost["client_us"]), ("server threads", cost["server_us"])]
    parts = [(name, us) for name, us in known if us is not None]
    if not parts:
        return [("the process, all threads", cost["cpu_us_per_connection"])]
    return parts + [("io-wq workers and main thread", cost["worker_us"])]


def _draw_bar(axes, row, left, width, look):
    """What is less than nothing goes back from where the parts before it end, as an outline."""
    fill = {"color": look.colour, "edgecolor": INK} if width >= 0 else {
        "facecolor": "none", "edgecolor": INK, "linestyle": (0, (3, 2)), "zorder": 3}
    axes.barh(-row, width, 0.36, left, hatch=look.hatch, linewidth=1, **fill)


def draw_sum(sheet, title, parts, beside, most):
    """The sum as one bar of its parts, and each part below where it stands in the sum. `parts` and
    `beside`: (name, us, interval or None)."""
    total = sum(us for _, us, _ in parts)
    first = 1 if len(parts) > 1 else 0  # a sum of one part is that part
    rows = first + len(parts) + len(beside)
    axes = sheet.panel(42 * rows, title, below=44, left=8)
    if first:
        row_label(axes, 0, "together", f"{amount(total)} us", weight="bold")
    left = 0
    for row, (name, us, reach) in enumerate(parts + beside, first):
        look = LOOKS[(row - first) % len(LOOKS)]
        is_beside = row - first >= len(parts)
        _draw_bar(axes, row, left, us, look)
        if first and not is_beside:
            _draw_bar(axes, 0, left, us, look)
        if reach:
            interval_line(axes, row, left + reach[0], left + reach[1], INK)
        share = "beside it" if is_beside else f"{round(100 * us / total)}%" if total else ""
        row_label(axes, row, shortened(name, 60 if sheet.is_wide else 30),
                  f"{amount(us)} us, {share}")
        left += us
    bare_rows(axes, rows)
    axes.set_xlim(0, most * 1.03)
    plain_axis(axes.xaxis, 8 if sheet.is_wide else 5)
    axes.set_xlabel("us of CPU per connection")


def bill(result):
    """What a connection cost, stacked by part."""
    cost = result.get("cost")
    if not cost or not cost["connections"]:
        return None
    threads = [(name, us, None) for name, us in _threads(cost)]
    beside = [(name, us, None) for name, us in (
        ("ksoftirqd, whole machine", cost["ksoftirqd_us"]),
        ("the server's processes", (result.get("server") or {}).get("cpu_us_per_connection")))
        if us is not None]
    most = sum(us for _, us, _ in threads + beside)

    def draw(sheet):
        draw_sum(sheet, None, threads, beside, most)

    rows = [["by thread", name, amount(us)] for name, us, _ in threads]
    rows += [["beside the process", name, amount(us)] for name, us, _ in beside]
    return Section("cost", "What a connection cost", _bill_sentence(result, threads),
                   Chart("Bars laid end to end: the CPU time of a connection, and below it each of "
                         "its parts in its place.", draw),
                   [Table("CPU time of a connection, microseconds", ["bill", "part", "#us"], rows),
                    _per_connection(cost)])


def _bill_sentence(result, threads):
    cost = result["cost"]
    total = cost["cpu_us_per_connection"]
    sentence = f"A connection cost {amount(total)} us of CPU"
    if len(threads) > 1 and total:
        name, us, _ = max(threads, key=lambda part: part[1])
        sentence += f", {100 * us / total:.0f}% of it on {name}"
    if cost["ksoftirqd_us"] is not None and total:
        sentence += (f". ksoftirqd worked {amount(cost['ksoftirqd_us'])} us beside it "
                     f"({100 * cost['ksoftirqd_us'] / total:.1f}%), which is on nobody's bill")
    if result.get("comparison"):
        sentence += ". All arms together, warm-up and control included"
    return sentence + "."


def _per_connection(cost):
    younger = [["of them, acknowledgements alone", cost.get("pure_acks_per_connection")],
               ["wake-ups of playing threads", cost.get("wake_ups_per_connection")]]
    return Table("Besides CPU time, per connection", ["what", "#per connection"],
                 [["TCP segments sent", amount(cost["segments_per_connection"])]]
                 + [[what, amount(figure)] for what, figure in younger if figure is not None] + [
                  ["TIME_WAIT sockets made", amount(cost["time_wait_per_connection"])],
                  ["io_uring_enter calls", amount(cost["syscalls_per_connection"])],
                  ["share of the CPU time in user mode", f"{100 * cost['user_share']:.1f}%"]])


LAG = "start lag"
NAMED = (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p999", 0.999), ("p9999", 0.9999))
# More lines than there are looks cannot be told apart.
MOST_LINES = len(LOOKS) - 1  # the lag is one, too


def _nines(share):
    """The axis of percentiles: 0.9 is 1, 0.99 is 2."""
    return -math.log10(1 - share)


def _curve(histogram):
    """Points (place on the axis, us): the buckets' two ends, or the named percentiles."""
    points, below, total = [], 0, histogram["count"]
    for nanoseconds, number in histogram.get("buckets") or []:
        above, us = below + number, nanoseconds / 1000
        end = math.log10(total) if above >= total else _nines(above / total)
        # A step that is smaller than a pixel is not drawn.
        if not points or above >= total or end > points[-1][0] + 0.01 or us > 1.02 * points[-1][1]:
            points += [(_nines(below / total), us), (end, us)]
        below = above
    if points:
        return points
    return [(_nines(share), histogram[name] / 1000) for name, share in NAMED
            if histogram.get(name) and total * (1 - share) >= 0.999]


def _draw_latency(sheet, panels, names):
    looks = dict(zip(names, LOOKS))
    if len(names) > 1:
        sheet.legend([Line2D([], [], label=shortened(name, 40), **looks[name].line())
                      for name in names])
    curves = [curve for drawn in panels.values() for _, curve in drawn]
    # The first few percent are steep, and nobody asks how quick the quickest was.
    low = min(_at(curve, _nines(0.05)) for curve in curves)
    high = max(curve[-1][1] for curve in curves)
    longest = max(max(place for curve in curves for place, _ in curve), 1)
    titles = [f"{phase}, us" for phase in panels]
    for axes, drawn in zip(sheet.panels(titles, 190, 2 if sheet.is_wide else 1, below=44),
                           panels.values()):
        for name, curve in drawn:
            _draw_curve(axes, curve, looks[name])
        axes.set_yscale("log")
        axes.set_ylim(max(low * 0.8, 0.001), max(high * 1.25, 0.01))
        log_axis(axes.yaxis)
        axes.set_xlim(0, longest)
        axes.set_xlabel("percentile")
        axes.xaxis.set_major_locator(FixedLocator(
            [place for place in map(_nines, (0.5, 0.9, 0.99, 0.999, 0.9999, 0.99999))
             if place <= longest]))
        axes.xaxis.set_major_formatter(FuncFormatter(
            lambda place, _: f"{100 * (1 - 10 ** -place):.6g}"))


def _draw_curve(axes, curve, look):
    axes.plot(*zip(*curve), color=look.colour, linestyle=look.dashes)
    places = [_nines(share) for _, share in NAMED if _nines(share) <= curve[-1][0]] or [curve[0][0]]
    axes.plot(places, [_at(curve, place) for place in places], look.marker, color=look.colour,
              markeredgecolor=INK, markeredgewidth=0.7)


def _at(curve, place):
    """The first value at or right of a place on the axis, or the last."""
    return next((us for x, us in curve if x >= place - 1e-9), curve[-1][1])


def _latency_panels(result, names):
    """{phase: [(scenario, curve)]} of what has samples."""
    panels = {}
    for key, phase in PHASES.items():
        curves = [(scenario["name"], _curve(scenario["latency_ns"][key]))
                  for scenario in result["scenarios"] if scenario["name"] in names]
        panels[phase] = [(name, curve) for name, curve in curves if curve]
    open_loop = result["pace"].get("open_loop")
    if open_loop:
        panels[LAG] = [(LAG, curve) for curve in [_curve(open_loop["lag_ns"])] if curve]
    return {phase: curves for phase, curves in panels.items() if curves}


def _most_played(result):
    """The scenarios whose lines are drawn, in the result's order."""
    def samples(scenario):
        return max(scenario["latency_ns"][key]["count"] for key in PHASES)

    ranked = sorted(result["scenarios"], key=samples, reverse=True)[:MOST_LINES]
    return [scenario["name"] for scenario in result["scenarios"] if scenario in ranked]


def latency(result):
    """How long it took, up to the slowest."""
    if "scenarios" not in result:
        return None
    names = _most_played(result)
    panels = _latency_panels(result, names)
    if not panels:
        return None
    rows = []
    for scenario in result["scenarios"]:
        rows += [[scenario["name"], phase, *_percentiles(scenario["latency_ns"][key])]
                 for key, phase in PHASES.items() if scenario["latency_ns"][key]["count"]]
    if LAG in panels:
        rows.append(["all", LAG, *_percentiles(result["pace"]["open_loop"]["lag_ns"])])
    drawn = names + ([LAG] if LAG in panels else [])
    return Section("latency", "How long it took", _latency_sentence(result, names),
                   Chart("A panel for each phase: microseconds against the percentile, both "
                         "logarithmic, so that the slowest have as much room as the rest; a line "
                         "for each scenario.",
                         lambda sheet: _draw_latency(sheet, panels, drawn)),
                   [Table("Latency seen by the client, us",
                          ["scenario", "phase", "#p50", "#p90", "#p99", "#p99.9", "#p99.99",
                           "#most", "#samples"], rows)])


def _percentiles(histogram):
    return [*(microseconds(histogram.get(key)) for key in ("p50", "p90", "p99", "p999", "p9999",
                                                           "max")), count(histogram["count"])]


def _latency_sentence(result, names):
    lives = {scenario["name"]: scenario["latency_ns"]["lifetime"]
             for scenario in result["scenarios"]}
    known = {name: life for name, life in lives.items() if life["p50"] and life["p99"]}
    sentence = ""
    if known:
        quick, slow = (pick(known, key=lambda name: known[name]["p50"]) for pick in (min, max))
        tail = max(known, key=lambda name: known[name]["p99"])
        sentence = (f"Half of {quick}'s connections lived "
                    f"{microseconds(known[quick]['p50'])} us or less")
        if slow != quick:
            sentence += f", of {slow}'s {microseconds(known[slow]['p50'])} us"
        sentence += (f"; one in a hundred of {tail}'s lived longer than "
                     f"{microseconds(known[tail]['p99'])} us. ")
    if result["pace"].get("open_loop"):
        sentence += "Times count from the intended start. "
    sentence += ("A teardown ends with its script, not with its last packet: compare it over time, "
                 "not across scenarios.")
    if len(names) < len(result["scenarios"]):
        sentence += (f" Drawn are the {len(names)} of {len(result['scenarios'])} scenarios with "
                     "the most connections; the table has all.")
    return sentence


MOST_ROWS = 20


def _per_thousand(result, error):
    """Errors per 1,000 connections of that scenario and side; None if nobody counted those."""
    ledgers = [scenario[error["side"]] for scenario in result["scenarios"]
               if scenario["name"] == error["scenario"] and scenario.get(error["side"])]
    opened = sum(ledger["opened"] for ledger in ledgers)
    return 1000 * error["count"] / opened if opened else None


def _error_rates(result):
    """[(scenario, class, side, is expected, per 1,000)], unexpected ones first, then the most."""
    rates = {}
    for error in result["errors"]:
        rate = _per_thousand(result, error)
        if rate:
            key = (error["scenario"], error["class"], error["side"], error["expected"])
            rates[key] = rates.get(key, 0) + rate
    return sorted(((*key, rate) for key, rate in rates.items()), key=lambda row: (row[3], -row[4]))


def _draw_errors(sheet, rates):
    axes = sheet.panel(42 * len(rates), below=44, left=8)
    low, high = (pick(rate for *_, rate in rates) for pick in (min, max))
    is_wide_span = high > 20 * low
    start = low / 3 if is_wide_span else 0
    classes = list(dict.fromkeys(name for _, name, *_ in rates))
    for row, (scenario, name, side, is_expected, rate) in enumerate(rates):
        look = LOOKS[classes.index(name) % len(LOOKS)]
        colour = look.colour if is_expected else VERMILLION
        axes.plot([start, rate], [-row, -row], color=colour,
                  linestyle="-" if is_expected else (0, (2, 1)))
        axes.plot(rate, -row, look.marker, color=colour, markersize=9, markeredgecolor=INK)
        text = f"{scenario}, {side}: {name}" + ("" if is_expected else ", UNEXPECTED")
        row_label(axes, row, shortened(text, 80 if sheet.is_wide else 38), amount(rate),
                  weight="normal" if is_expected else "bold")
    bare_rows(axes, len(rates))
    if is_wide_span:
        axes.set_xscale("log")
    axes.set_xlim(start, high * (1.6 if is_wide_span else 1.05))
    (log_axis if is_wide_span else plain_axis)(axes.xaxis)
    axes.set_xlabel(f"errors per 1,000 connections{', logarithmic' if is_wide_span else ''}")


def errors(result):
    """Which errors each scenario met, how often."""
    if not result.get("errors"):
        return None
    rates = _error_rates(result)
    rows = [[error["scenario"], error["side"], f"{error['step_number']:.0f} {error['step']}",
             error["errno"], error["class"], "expected" if error["expected"] else "UNEXPECTED",
             count(error["count"]), amount(_per_thousand(result, error))]
            for error in sorted(result["errors"], key=lambda error: error["expected"])]
    return Section("errors", "Errors, by class", _errors_sentence(result, rates),
                   Chart("A row for each scenario and class of errors, with a marker at how many "
                         "there were per 1,000 connections.",
                         lambda sheet: _draw_errors(sheet, rates[:MOST_ROWS])) if rates else None,
                   [Table("Every outcome other than success",
                          ["scenario", "side", "step", "error", "class", "part of the scenario",
                           "#count", "#per 1,000"], rows)])


def _errors_sentence(result, rates):
    unexpected = sum(error["count"] for error in result["errors"] if not error["expected"])
    expected = sum(error["count"] for error in result["errors"] if error["expected"])
    classes = dict.fromkeys(error["class"] for error in result["errors"])
    sentence = (f"{plural(expected, 'error')} that the scenarios expect, "
                f"{count(unexpected) if unexpected else 'none'} that they do not; "
                f"{'class' if len(classes) == 1 else 'classes'} {listed(classes)}.")
    if len(rates) > MOST_ROWS:
        sentence += f" Drawn are {MOST_ROWS} of {len(rates)} rows; the table has all."
    return sentence
