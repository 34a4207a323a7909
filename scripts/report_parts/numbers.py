"""Numbers and names as a reader meets them: four digits that count, thousands set apart, units in
the text beside them."""

NOT_MEASURED = "-"


def count(value):
    return NOT_MEASURED if value is None else f"{value:,.0f}"


def amount(value):
    """Digits enough to compare, and not more than a measurement can have."""
    if value is None:
        return NOT_MEASURED
    size = abs(value)
    if size == 0:
        return "0"
    if size >= 1000:
        return f"{value:,.0f}"
    if size >= 100:
        return f"{value:.1f}"
    if size >= 0.1:
        return f"{value:.2f}"
    return f"{value:.2g}"


def tick(value, _position=None):
    """A number on an axis: as short as it can be."""
    for size, suffix in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{suffix}"
    return f"{value:.4g}"


def microseconds(nanoseconds):
    return NOT_MEASURED if nanoseconds is None else amount(nanoseconds / 1000)


def percent(ratio):
    """What a ratio says of a difference: 0.9 is -10.0%."""
    return f"{100 * (ratio - 1):+.1f}%".replace("-", "\N{MINUS SIGN}")


def interval(low, high, number=amount):
    return NOT_MEASURED if low is None or high is None else f"[{number(low)}, {number(high)}]"


def plural(number, noun):
    return f"{count(number)} {noun}" + ("" if number == 1 else "s")


def listed(names, most=4):
    """`a, b and c`; of many, the first ones and how many more there are."""
    names = list(names)
    if len(names) > most:
        return ", ".join(names[:most - 1]) + f" and {len(names) - most + 1} more"
    return " and ".join(filter(None, [", ".join(names[:-1]), *names[-1:]]))


def shortened(name, most):
    """A name with its middle left out, because long ones differ at their ends."""
    if len(name) <= most:
        return name
    half = (most - 1) // 2
    return f"{name[:most - 1 - half]}\N{HORIZONTAL ELLIPSIS}{name[-half:]}"


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2
