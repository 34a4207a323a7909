"""Where the CPU time of a connection goes: each bill's parts laid end to end."""

from report_parts.chart import Chart
from report_parts.load import draw_sum
from report_parts.numbers import amount, interval, listed
from report_parts.page import Section, Table


def _parts(bill):
    """A nanosecond is nothing: no part shows the noise of a clock as digits."""
    return [(part["name"], round(part["us"], 2) + 0.0, (part["ci_low"], part["ci_high"]))
            for part in bill["parts"]]


def _sentence(made, others, after_a_load):
    said = []
    for bill in made:
        dearest = max(bill["parts"], key=lambda part: part["us"])
        said.append(f"{bill['of']} costs {amount(bill['whole']['us'])} us, most of it for "
                    f"{dearest['name']} ({amount(dearest['us'])} us)")
    sentence = "; ".join(said) + ". " if said else ""
    if made and after_a_load:
        sentence += ("Measured after the load, with both ends on one thread and few in flight: not "
                     "the cost of the load. ")
    if made:
        sentence += made[0]["who_pays"] + " "
    if any(part["us"] < 0 for bill in made for part in bill["parts"]):
        sentence += "An outline that goes back is a part that is less than nothing. "
    if others:
        reasons = [f"{bill['of']} ({bill['obstacle']})" for bill in others]
        sentence += f"Without a bill: {listed(reasons)}."
    return sentence.strip()


def _later(bill):
    later = bill["deferred"]
    return [bill["of"], amount(later["time_wait_per_connection"]), amount(later["object_bytes"]),
            amount(later["seconds"]), amount(later["byte_seconds"])]


def section(result):
    """A sum of parts for each bill."""
    bills = result.get("bills")
    if not bills:
        return None
    made = [bill for bill in bills if bill["obstacle"] is None]
    others = [bill for bill in bills if bill["obstacle"] is not None]
    title = "Where the cost goes"
    after_a_load = not result.get("comparison")
    if not made:
        return Section("bills", title, _sentence(made, others, after_a_load))
    # A sum that goes back reaches further than it ends.
    most = max(sum(max(us, 0) for _, us, _ in _parts(bill)) for bill in made)

    def draw(sheet):
        for bill in made:
            draw_sum(sheet, bill["of"], _parts(bill), [], most)

    rows = [[bill["of"], name, amount(us), interval(*reach)]
            for bill in made for name, us, reach in _parts(bill)]
    steps = [[bill["of"], f"{step['side']} {step['step']}", step["part"], amount(step["us"]),
              interval(step["ci_low"], step["ci_high"])]
             for bill in made for step in bill["steps"]]
    return Section("bills", title, _sentence(made, others, after_a_load),
                   Chart("Bars laid end to end: the CPU time of a connection, both ends, and below "
                         "it each of its parts in its place.", draw),
                   [Table("Each part, microseconds of CPU",
                          ["of", "part", "#us", "#95% interval"], rows),
                    Table("The same step by step", ["of", "step", "part", "#us", "#95% interval"],
                          steps),
                    Table("Left for later, per connection",
                          ["of", "#TIME_WAIT sockets", "#bytes each", "#seconds", "#byte-seconds"],
                          [_later(bill) for bill in made])])
