"""Several results on one page, in the order in which they were started: what moved, and what else
changed when it did. Only results of the same load are joined by a line."""

from report_parts.account import minutes, state
from report_parts.chart import BLUE, INK, MUTED, VERMILLION, Chart, plain_axis
from report_parts.numbers import amount, count, listed, percent, plural, shortened
from report_parts.page import Section, Table, document, element
from report_parts.result import failed, kind, warnings

# What else may have changed between two results.
SURROUNDINGS = {"kernel": "kernel", "cpu_model": "CPU", "cpus": "number of CPUs",
                "version": "ringchurn"}


def _ring(context):
    """How io_uring was used, where that was not the default. Younger than some results."""
    return f", ring {context['ring']}" if context.get("ring") else ""


def _load(result):
    """What was played and how: results with the same answer can be held against each other."""
    context = result["context"]
    scenarios = result.get("scenarios", [])
    if result.get("comparison"):
        comparison = result["comparison"]
        played = [comparison["baseline"], *(arm["name"] for arm in comparison["arms"])]
    else:
        total = sum(scenario["weight"] for scenario in scenarios) or 1
        played = [f"{scenario['name']} {100 * scenario['weight'] / total:.0f}%"
                  for scenario in scenarios]
    servers = f"+{context['server_threads']:.0f}" if context.get("server_threads") else ""
    return (f"{kind(result)} {', '.join(played)}; {context['layout']}{_ring(context)}, "
            f"{context['family']}, {context['threads']:.0f}{servers}x{context['concurrency']:.0f}")


def _changes(before, after):
    """Words for what changed between two results' surroundings."""
    return [words for field, words in SURROUNDINGS.items()
            if before["context"][field] != after["context"][field]]


def _groups(results):
    """{load: [(place, result)]} of those that played something themselves."""
    groups = {}
    for place, result in enumerate(results, 1):
        if result.get("cost") and result["cost"]["connections"]:
            groups.setdefault(_load(result), []).append((place, result))
    return groups


def _letter(index):
    return chr(ord("A") + index) if index < 26 else f"{index + 1}"


def _draw_lines(sheet, lines, results):
    """`lines`: {title: [(place, value, low, high)]}, a panel for each, because what moved by a
    percent must show beside what is twice as dear; low and high may be None."""
    for title, line in lines.items():
        axes = sheet.panel(120, shortened(title, 110 if sheet.is_wide else 44), below=28)
        places, values = [point[0] for point in line], [point[1] for point in line]
        axes.plot(places, values, color=BLUE, marker="o", markeredgecolor=INK, markeredgewidth=0.7)
        for place, _, low, high in line:
            if low is not None:
                axes.plot([place, place], [low, high], color=BLUE, linewidth=1.5)
        bad = [point for point in line if failed(results[point[0] - 1])]
        axes.plot([point[0] for point in bad], [point[1] for point in bad], "X", color=VERMILLION,
                  markersize=12, markeredgecolor=INK)
        _mark_changes(axes, results, sheet.is_wide)
        _value_axis(axes, line)
        axes.set_xlim(0.5, len(results) + 0.5)
        plain_axis(axes.xaxis)
        axes.xaxis.get_major_locator().set_params(integer=True)
    axes.set_xlabel("number of the result in the table")
    sheet.top += 20


def _value_axis(axes, line):
    """A tenth of the value at least, so that noise does not look like a mountain."""
    ends = [value for point in line for value in point[1:] if value is not None]
    low, high = min(ends), max(ends)
    room = max(0.15 * (high - low), 0.05 * abs(line[0][1]) - (high - low) / 2) or 1
    axes.set_ylim(low - room, high + room)
    plain_axis(axes.yaxis, 4)


def _mark_changes(axes, results, has_room):
    for place, (before, after) in enumerate(zip(results, results[1:]), 1):
        changes = _changes(before, after)
        if changes:
            axes.axvline(place + 0.5, color=MUTED, linestyle=(0, (2, 2)), linewidth=1.5)
        if changes and has_room:
            axes.text(place + 0.54, 0.97, ", ".join(changes), va="top", size=10,
                      transform=axes.get_xaxis_transform())


def _moved(name, line):
    """How a line went from its first result to its last, in words."""
    first, last = line[0][1], line[-1][1]
    if len(line) < 2 or not first:
        return ""
    return f"{name} from {amount(first)} to {amount(last)} ({percent(last / first)})"


def _quantity(section_id, heading, unit, field, groups, results):
    """A section that follows one field of `cost` over the results."""
    lines = {load: [(place, result["cost"][field], None, None) for place, result in group]
             for load, group in groups.items()}
    names = {load: f"load {_letter(index)}" for index, load in enumerate(lines)}
    said = [words for words in (_moved(names[load], line) for load, line in lines.items()) if words]
    sentence = (f"From the first result to the last, {unit}: {'; '.join(said)}." if said else
                "No load was measured twice.")
    titled = {f"{_letter(index)}: {load}": line for index, (load, line) in enumerate(lines.items())}
    rows = [[f"{place}", names[load], amount(value)]
            for load, line in lines.items() for place, value, _, _ in line]
    return Section(section_id, heading, sentence + _marks(results),
                   Chart(f"A panel for each load: {unit}, by result.",
                         lambda sheet: _draw_lines(sheet, titled, results)),
                   [Table(f"{heading}, by result", ["result", "load", f"#{unit}"], rows)])


def _marks(results):
    """What crosses and dashed lines mean, where there are any."""
    words = ""
    if any(map(failed, results)):
        words += " A cross: a verdict failed, and the number is not to be used."
    if any(_changes(before, after) for before, after in zip(results, results[1:])):
        words += (" At a dashed line the kernel, the CPU or ringchurn changed: what moved there "
                  "may be its doing.")
    return words


def _ratios(groups, results):
    """Each arm of each comparison over time, with its interval."""
    lines = {}
    for index, group in enumerate(groups.values()):
        for place, result in group:
            comparison = result.get("comparison") or {"arms": []}
            for arm in comparison["arms"]:
                point = (place, arm["ratio"], arm["ci_low"], arm["ci_high"])
                if None not in point:
                    name = f"{_letter(index)}: {arm['name']} over {comparison['baseline']}"
                    lines.setdefault(name, []).append(point)
    if not lines:
        return None
    rows = [[f"{place}", name, f"{ratio:.3f}", f"[{low:.3f}, {high:.3f}]"]
            for name, line in lines.items() for place, ratio, low, high in line]
    moved = [name for name, line in lines.items()
             if line[0][2] > line[-1][3] or line[0][3] < line[-1][2]]
    sentence = (f"From the first result to the last, {listed(moved) if moved else 'no arm'} moved "
                "by more than the intervals.")
    return Section("ratios", "Comparisons", sentence + _marks(results),
                   Chart("A panel for each arm: the ratio of its CPU per connection to its "
                         "baseline's, with the 95% interval, by result.",
                         lambda sheet: _draw_lines(sheet, lines, results)),
                   [Table("CPU of a connection over the baseline's, 95% intervals",
                          ["result", "arm", "#ratio", "#interval"], rows)])


def _verdict_cell(result):
    style, _ = state(result)
    bad, warned = ([verdict["name"] for verdict in pick(result)] for pick in (failed, warnings))
    words = f"FAILED: {listed(bad)}" if bad else f"warns: {listed(warned)}" if warned else "ok"
    return element("span", ("interrupted; " if result["interrupted"] else "") + words, class_=style)


def _surroundings(before, result):
    """All of them in the first result; then what changed."""
    about = result["context"]
    if not before:
        return "; ".join(f"{words} {about[field]}" for field, words in SURROUNDINGS.items())
    changed = [f"{words} {about[field]}" for field, words in SURROUNDINGS.items()
               if before["context"][field] != about[field]]
    if not changed:
        return "same"
    return element("span", f"CHANGED: {'; '.join(changed)}", class_="changed")


def _results_table(named, letters):
    rows = []
    for number, (path, result) in enumerate(named, 1):
        cost = result.get("cost") or {}
        before = named[number - 2][1] if number > 1 else None
        rows.append([f"{number}", minutes(result["context"]["started_at"]),
                     letters.get(_load(result), "-"), _verdict_cell(result),
                     amount(cost.get("cpu_us_per_connection")),
                     count(cost.get("connections_per_second")),
                     _surroundings(before, result), path])
    return Table("The results, in the order in which they were started (UTC)",
                 ["result", "started", "load", "verdicts", "#CPU, us each", "#per second",
                  "where", "file"], rows, is_wide=True)


def _summary(results):
    """Which results are not to be used, and where their surroundings changed."""
    bad = [str(number) for number, result in enumerate(results, 1) if failed(result)]
    changes = [f"result {number}: {listed(_changes(before, after))}" for number, (before, after)
               in enumerate(zip(results, results[1:]), 2) if _changes(before, after)]
    words = (f"Verdicts failed in {'result' if len(bad) == 1 else 'results'} {listed(bad)}: do not "
             "use those numbers." if bad else "No verdict failed in any result.")
    return words + (f" Changed: {'; '.join(changes)}." if changes else
                    " Kernel, CPU and version are the same in all.")


def _loads(letters):
    rows = [[letter, load] for load, letter in letters.items()]
    return Section("loads", "The loads",
                   "Results of one load can be held against each other; those of different loads "
                   "cannot.", tables=[Table("What was played", [
                       "load", "command, scenarios, layout, threads x in flight"], rows)])


def page(named):
    """The page of several results, as (path, result)."""
    named = sorted(named, key=lambda pair: pair[1]["context"]["started_at"])
    results = [result for _, result in named]
    groups = _groups(results)
    letters = {load: _letter(index) for index, load in enumerate(groups)}
    sections = [Section("verdicts", "Verdicts", _summary(results),
                        tables=[_results_table(named, letters)])]
    if groups:
        sections += [_quantity("cost", "Cost", "us of CPU per connection", "cpu_us_per_connection",
                               groups, results),
                     _quantity("rate", "Rate", "connections per second", "connections_per_second",
                               groups, results),
                     _ratios(groups, results), _loads(letters)]
    first, last = (minutes(result["context"]["started_at"]) for result in (results[0], results[-1]))
    return document(f"{plural(len(results), 'result')} side by side", [f"{first} to {last} UTC"],
                    [section for section in sections if section])
