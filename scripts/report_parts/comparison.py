"""Figures of a comparison: the arms with their intervals, every slice over time, and the settings
of a sweep."""

from report_parts.chart import (BAND, BLUE, GREEN, INK, MUTED, ORANGE, PAGE, VERMILLION, Chart,
                                bare_rows, interval_line, plain_axis, row_label)
from report_parts.numbers import (amount, count, interval, listed, median, percent, plural,
                                  shortened, tick)
from report_parts.page import Section, Table
from report_parts.result import failed

# An arm's marker and colour, by what its interval says.
MARKS = {"less": ("v", BLUE), "more": ("^", VERMILLION), "no difference found": ("o", INK)}


def _verdict(low, high):
    return "less" if high < 1 else "more" if low > 1 else "no difference found"


def _forest_rows(result):
    """(name, ratio, low, high, verdict) of every arm that has an interval. Among several arms an
    interval that excludes 1 need not be a difference: the result's own verdict says."""
    comparison, gate = result.get("comparison"), result.get("gate")
    if comparison:
        return [(arm["name"], arm["ratio"], arm["ci_low"], arm["ci_high"],
                 arm["verdict"] or _verdict(arm["ci_low"], arm["ci_high"]))
                for arm in comparison["arms"]
                if None not in (arm["ratio"], arm["ci_low"], arm["ci_high"])]
    if gate and gate.get("ratio"):
        ratio = gate["ratio"]
        return [(gate["candidate"], ratio["value"], ratio["ci_low"], ratio["ci_high"],
                 _verdict(ratio["ci_low"], ratio["ci_high"]))]
    return []


def _draw_reach(axes, low, high):
    """An interval as a band through all rows, with an edge that shows without colour."""
    axes.axvspan(100 * (low - 1), 100 * (high - 1), color=BAND, zorder=0)
    for edge in (low, high):
        axes.axvline(100 * (edge - 1), color=MUTED, linestyle=(0, (1, 2)), linewidth=1)


def _draw_interval(axes, row, ratio, low, high, marker, colour):
    interval_line(axes, row, 100 * (low - 1), 100 * (high - 1), colour)
    axes.plot(100 * (ratio - 1), -row, color=colour, marker=marker, markersize=9,
              markeredgecolor=INK)


def _draw_forest(sheet, rows, control, margin, baseline):
    """`control`: the A/A control's row, or None; `margin`: a gate's, or None."""
    axes = sheet.panel(44 * (len(rows) + bool(control)) + 10, below=44, left=8)
    name_length = 60 if sheet.is_wide else 20
    for row, (name, ratio, low, high, verdict) in enumerate(rows):
        _draw_interval(axes, row, ratio, low, high, *MARKS[verdict])
        row_label(axes, row, shortened(name, name_length),
                  f"{percent(ratio)} {interval(low, high, percent)}")
    if control:
        _draw_reach(axes, *control[1:])
        _draw_interval(axes, len(rows), *control, "s", MUTED)
        row_label(axes, len(rows), "A/A control", f"{percent(control[0])} "
                  f"{interval(*control[1:], percent)}")
    axes.axvline(0, color=INK, linewidth=1.2, zorder=1)
    for edge in (-margin, margin) if margin else ():
        axes.axvline(100 * edge, color=ORANGE, linestyle=(0, (6, 3)), linewidth=2)
    bare_rows(axes, len(rows) + bool(control))
    axes.margins(x=0.08)
    plain_axis(axes.xaxis, 7 if sheet.is_wide else 5)
    axes.set_xlabel(f"CPU of a connection against {shortened(baseline, 16)}, %")


def _forest_sentence(rows, control, margin, baseline):
    by_verdict = {verdict: [row[0] for row in rows if row[4] == verdict]
                  for verdict in MARKS}
    words = {"less": "cheaper than", "more": "dearer than",
             "no difference found": "not to be told from"}
    said = [f"{listed(names)} {'is' if len(names) == 1 else 'are'} {words[verdict]} {baseline}"
            for verdict, names in by_verdict.items() if names]
    sentence = "; ".join(said)
    sentence += ". A line is a 95% interval: where it crosses 0, there is no answer."
    if control:
        width = 50 * (control[2] - control[1])
        sentence += (" The band is the baseline against itself, in the same schedule: differences"
                     f" below about {width:.1f}% are beyond this measurement.")
        if not control[1] <= 1 <= control[2]:
            sentence += " It does not hold 0: the method found a difference where there is none."
    if margin:
        sentence += f" The dashed lines are the gate's margin, {tick(100 * margin)}% either way."
    return sentence


def _forest_table(result):
    comparison = result.get("comparison")
    if not comparison:
        ratio = result["gate"]["ratio"]
        return Table("The candidate's CPU of a connection over the baseline's, 95% interval",
                     ["candidate", "#ratio", "#interval"],
                     [[result["gate"]["candidate"], f"{ratio['value']:.3f}",
                       interval(ratio["ci_low"], ratio["ci_high"], "{:.3f}".format)]])
    rows = [[comparison["baseline"], count(comparison["baseline_connections"]),
             amount(comparison["baseline_value"]), "baseline", "", "", ""]]
    for arm in comparison["arms"]:
        ratio = "-" if arm["ratio"] is None else f"{arm['ratio']:.3f}"
        rows.append([arm["name"], count(arm["connections"]), amount(arm["value"]), ratio,
                     interval(arm["ci_low"], arm["ci_high"], "{:.3f}".format),
                     amount(arm["difference"]),
                     interval(arm["difference_ci_low"], arm["difference_ci_high"])])
    control = comparison.get("a_a")
    if control:
        rows.append(["A/A control", "", "", f"{control['ratio']:.3f}",
                     interval(control["ci_low"], control["ci_high"], "{:.3f}".format), "", ""])
    return Table(f"CPU of a connection, {comparison['whose']}, by arm; 95% intervals",
                 ["arm", "#connections", "#CPU, us", "#ratio", "#interval", "#difference, us",
                  "#interval, us"], rows,
                 f"{plural(comparison['blocks'], 'block')} of interleaved slices, "
                 f"{tick(comparison['slice_ms'])} ms each.")


def forest(result):
    """The arms against the baseline."""
    rows = _forest_rows(result)
    if not rows and result.get("comparison"):
        return Section("comparison", "What the arms cost", "Too few blocks for an interval, so "
                       "there is no answer.", tables=[_forest_table(result)])
    if not rows:
        return None
    comparison, gate = result.get("comparison") or {}, result.get("gate")
    control = comparison.get("a_a") and tuple(comparison["a_a"][key]
                                              for key in ("ratio", "ci_low", "ci_high"))
    margin = gate and gate["margin"]
    baseline = (comparison or gate)["baseline"]
    sentence = _forest_sentence(rows, control, margin, baseline)
    if failed(result):
        sentence = "A verdict failed, so these figures prove nothing. " + sentence
    return Section("comparison", "What the arms cost", sentence,
                   Chart("A forest plot: a row for each arm, with its difference from the baseline "
                         "in percent and the 95% interval as a line.",
                         lambda sheet: _draw_forest(sheet, rows, control, margin, baseline)),
                   [_forest_table(result)])


# Parts of the measured time, for the table of slices.
PARTS_OF_TIME = 5


def _slices_by_arm(result):
    """{arm's name: [(began_s, microseconds per connection)]}, the control last."""
    comparison = result["comparison"]
    arms = [comparison["baseline"], *(arm["name"] for arm in comparison["arms"])]
    names = dict(enumerate(arms))
    names[None] = f"{names[0]}, A/A control"
    slices = {name: [] for name in names.values()}
    for _, arm, began_s, cpu_us, connections in comparison["slices"]["rows"]:
        if connections > 0:
            slices[names[arm]].append((began_s, cpu_us / connections))
    return {name: values for name, values in slices.items() if values}


def _draw_slices(sheet, slices):
    everything = [cost for values in slices.values() for _, cost in values]
    # One slice that the machine disturbed must not flatten all others; it stays at the edge.
    low, high = min(everything), max(everything)
    ceiling = min(high, 1.6 * median(everything))
    for index, (name, values) in enumerate(slices.items()):
        axes = sheet.panel(96, shortened(name, 90 if sheet.is_wide else 40), below=14)
        times, costs = zip(*values)
        # One path of dots, not a mark each: a long comparison has tens of thousands.
        axes.plot([x for time in times for x in (time, time, None)],
                  [y for cost in costs for y in (min(cost, ceiling), min(cost, ceiling), None)],
                  color=BLUE, linewidth=4.5, solid_capstyle="round", alpha=0.75)
        run = max(1, len(costs) // 40)
        axes.plot(times, [median(costs[max(0, i - run):i + run + 1]) for i in range(len(costs))],
                  color=INK, linewidth=1.6)
        room = 0.05 * (ceiling - low) or 1
        axes.set_ylim(low - room, ceiling + room)
        axes.set_xlim(0, max(time for values in slices.values() for time, _ in values) * 1.01)
        plain_axis(axes.yaxis, 4)
        plain_axis(axes.xaxis)
        if index < len(slices) - 1:
            axes.tick_params(labelbottom=False)
    axes.set_xlabel("seconds since the start")
    sheet.top += 28


def _parts_of_time(values):
    """Medians of the slices' costs in equal parts of the time; None where a part has none."""
    end = max(time for time, _ in values)
    parts = [[] for _ in range(PARTS_OF_TIME)]
    for time, cost in values:
        parts[min(PARTS_OF_TIME - 1, int(PARTS_OF_TIME * time / end)) if end else 0].append(cost)
    return [median(part) if part else None for part in parts]


def slices(result):
    """Every slice in the order in which it was played."""
    comparison = result.get("comparison")
    if not comparison or not (comparison.get("slices") or {}).get("rows"):
        return None
    by_arm = _slices_by_arm(result)
    if not by_arm:
        return None
    parts = {name: _parts_of_time(values) for name, values in by_arm.items()}
    name, baseline = next(iter(parts.items()))
    sentence = (f"{count(sum(map(len, by_arm.values())))} slices, us of CPU per connection, with "
                "their running median. ")
    if None not in (baseline[0], baseline[-1]):
        sentence += (f"From the first fifth of the time to the last, {name} went from "
                     f"{amount(baseline[0])} to {amount(baseline[-1])} us "
                     f"({percent(baseline[-1] / baseline[0])}): drift that the interleaving takes "
                     "out of the ratios.")
    ceiling = 1.6 * median([cost for values in by_arm.values() for _, cost in values])
    above = sum(cost > ceiling for values in by_arm.values() for _, cost in values)
    if above:
        sentence += f" {plural(above, 'slice')} above {amount(ceiling)} us drawn at the edge."
    rows = [[name, count(len(by_arm[name])), *map(amount, medians),
             amount(min(cost for _, cost in by_arm[name])),
             amount(max(cost for _, cost in by_arm[name]))] for name, medians in parts.items()]
    return Section("slices", "Drift: every slice", sentence,
                   Chart("A panel for each arm: a dot for each slice, microseconds of CPU per "
                         "connection over time, and a line through their running median.",
                         lambda sheet: _draw_slices(sheet, by_arm)),
                   [Table("Median of the slices by fifths of the time, us of CPU per connection",
                          ["arm", "#slices", "#1st fifth", "#2nd", "#3rd", "#4th", "#5th",
                           "#least", "#most"], rows,
                          "Each slice is in comparison.slices of the JSON result.")])


# What a sweep weighs, in words; less is better.
OBJECTIVES = {"cpu_us_per_connection": "CPU, us", "teardown_p99_us": "teardown p99, us",
              "time_wait_per_connection": "TIME_WAIT", "lost_bytes_per_connection": "lost bytes",
              "errors_per_connection": "errors"}
COST = "cpu_us_per_connection"
# Where an objective's interval is, if it has one.
INTERVALS = {COST: "cpu_us_ci", "teardown_p99_us": "teardown_p99_us_ci"}


def _setting(point):
    return ", ".join(f"{name}={value}" for name, value in point["values"].items())


def _panels(points):
    """The objectives, other than the cost, in which points differ."""
    return [objective for objective in OBJECTIVES if objective != COST and
            len({point[objective] for point in points} - {None}) > 1]


def _reach(point, objective):
    """The ends of an objective's interval; both are its value if that is exact."""
    interval_of = INTERVALS.get(objective)
    return interval_of and point[interval_of] or (point[objective], point[objective])


def _draw_front(sheet, points, objectives):
    titles = [f"{OBJECTIVES[objective]}, by CPU" for objective in objectives]
    columns = min(2, len(objectives)) if sheet.is_wide else 1
    for objective, axes in zip(objectives, sheet.panels(titles, 230, columns, below=52)):
        for number, point in enumerate(points, 1):
            x, y = point[COST], point[objective]
            if x is None or y is None:
                continue
            axes.plot(_reach(point, COST), (y, y), color=MUTED, linewidth=1.2)
            axes.plot((x, x), _reach(point, objective), color=MUTED, linewidth=1.2)
            marker = ({"marker": "D", "color": GREEN, "markersize": 10} if point["on_front"] else
                      {"marker": "o", "color": PAGE, "markersize": 8})
            axes.plot(x, y, linestyle="none", markeredgecolor=INK, **marker)
            axes.annotate(str(number), (x, y), (8, 5), textcoords="offset points", zorder=5,
                          weight="bold" if point["on_front"] else "normal")
        axes.margins(x=0.12, y=0.15)
        plain_axis(axes.xaxis, 5)
        plain_axis(axes.yaxis, 5)
        axes.set_xlabel("us of CPU per connection")


def _front_sentence(points):
    front = [point for point in points if point["on_front"]]
    sentence = (f"{count(len(front))} of {plural(len(points), 'setting')} "
                f"{'is' if len(front) == 1 else 'are'} on the front (filled diamonds): no other "
                "setting is better in one figure by more than the intervals, and worse in none.")
    for objective, words in ((COST, "The cheapest"), ("teardown_p99_us", "The quickest teardown")):
        known = [point for point in front if point[objective] is not None]
        if known:
            best = min(known, key=lambda point: point[objective])
            sentence += f" {words}: {_setting(best)}, {amount(best[objective])} us."
    same = [words for objective, words in OBJECTIVES.items()
            if len({point[objective] for point in points}) == 1]
    if same:
        sentence += f" All are alike in {listed(same)}."
    return sentence


def _with_interval(point, objective):
    reach = objective in INTERVALS and point[INTERVALS[objective]]
    return amount(point[objective]) + (f" {interval(*reach)}" if reach else "")


def front(result):
    """The settings of a sweep, and which of them are worth choosing."""
    sweep = result.get("sweep")
    points = sweep and sweep["points"]
    if not points:
        return None
    objectives = _panels(points)
    has_costs = any(point[COST] is not None for point in points)
    parameters = list(dict.fromkeys(name for point in points for name in point["values"]))
    rows = [[f"{number}", *(point["values"].get(name, "-") for name in parameters),
             *(_with_interval(point, objective) for objective in OBJECTIVES),
             "on the front" if point["on_front"] else "beaten"]
            for number, point in enumerate(points, 1)]
    chart = Chart("Scatter plots, CPU per connection against what else matters. The numbers are "
                  "those of the settings in the table; filled diamonds are on the front, lines are "
                  "95% intervals.",
                  lambda sheet: _draw_front(sheet, points, objectives))
    return Section("sweep", f"Which settings of {sweep['scenario']} are worth choosing",
                   _front_sentence(points), chart if objectives and has_costs else None,
                   [Table(f"The settings of {sweep['scenario']}, per connection; less is better",
                          ["number", *parameters,
                           *(f"#{words}" for words in OBJECTIVES.values()), "front"], rows)])
