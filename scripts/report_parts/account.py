"""What a report says in words and tables: its title, the verdicts, the account of the connections,
and what the numbers are about."""

import re

from report_parts.numbers import amount, count, listed, plural, shortened
from report_parts.page import Section, Table, element, joined
from report_parts.result import LEDGER, failed, kind, warnings

TITLES = {"run": "Churn", "drive": "Churn against a server",
          "serve": "The server's side of a churn", "merge": "Churn between two machines"}


def title(result):
    """What was measured, in a line."""
    gate, comparison = result.get("gate"), result.get("comparison")
    if gate:
        return f"Gate: {shortened(gate['candidate'], 50)} against {shortened(gate['baseline'], 50)}"
    if result.get("sweep"):
        return f"Sweep: {plural(len(result['sweep']['points']), 'setting')} of " \
               f"{result['sweep']['scenario']}"
    if comparison:
        arms = listed([shortened(arm["name"], 40) for arm in comparison["arms"]])
        return f"Comparison: {arms} against {shortened(comparison['baseline'], 40)}"
    names = listed([scenario["name"] for scenario in result["scenarios"]])
    target = result["context"].get("target")
    return f"{TITLES[kind(result)]}{f' at {target}' if target else ''}: {names}"


def origin(context):
    """Where and when, a line each."""
    started = context["started_at"].replace("T", " ").replace("Z", " UTC")
    machine = context["cpu_model"] or "model unknown"
    return [f"ringchurn {context['version']}, {started}",
            f"{context['kernel']}, {plural(context['cpus'], 'CPU')}: {machine}",
            element("code", context["command"])]


def state(result):
    """(class, words) of all verdicts together."""
    names = [verdict["name"] for verdict in failed(result)]
    warned = [verdict["name"] for verdict in warnings(result)]
    interrupted = "Interrupted: this is the part that was done. " if result["interrupted"] else ""
    if names:
        return "bad", f"{interrupted}Failed: {listed(names)}. Do not use these numbers."
    if warned:
        return "warn", f"{interrupted}No verdict failed. Warnings: {listed(warned)}."
    return "warn" if interrupted else "good", f"{interrupted}Every verdict holds."


GATE_STATES = {"fine": ("good", "Fine"), "regression": ("bad", "Regression"),
               "undecided": ("warn", "Undecided")}


def _box(style, words, evidence=()):
    """A coloured box: a state in words, and what it rests on."""
    lines = [element("p", words, class_="state")]
    lines += [element("p", line, class_="evidence") for line in evidence if line]
    return element("div", joined(lines), class_=f"verdict {style}")


def _answer(result):
    """What the result says, a line each."""
    comparison, cost = result.get("comparison"), result.get("cost")
    if result.get("gate"):
        return []
    if comparison:
        return comparison["sentence"].splitlines() or ["No answer: a verdict forbids it."]
    seconds = amount(result["context"]["elapsed_s"])
    return [f"{plural(cost['connections'], 'connection')} in {seconds} s: "
            f"{count(cost['connections_per_second'])} a second, "
            f"{amount(cost['cpu_us_per_connection'])} us of CPU each."]


def _shown(verdict):
    """A verdict's state, in a word and a colour."""
    style, word = (("good", "ok") if verdict["ok"] else
                   ("warn", "WARNS") if verdict["advisory"] else ("bad", "FAILED"))
    return element("span", word, class_=style)


def verdicts(result):
    """May these numbers be trusted? The worst first."""
    boxes = []
    gate, server = result.get("gate"), result.get("server")
    if gate:
        boxes.append(_gate_box(gate))
    answer = [element("span", line, class_="answer") for line in _answer(result)]
    boxes.append(_box(*state(result), answer))
    if server:
        style = "good" if server["survival"] == "survived" else (
            "warn" if server["survival"] == "unknown" else "bad")
        boxes.append(_box(style, f"Server: {server['survival']}",
                          [server["evidence"], *server["remarks"]]))
    ordered = sorted(result["verdicts"], key=lambda verdict: (verdict["ok"], verdict["advisory"]))
    rows = [[verdict["name"], _shown(verdict), "; ".join(filter(None, (verdict["evidence"],
                                                                       verdict["remedy"])))]
            for verdict in ordered]
    tables = [Table("What must hold if the numbers are to be trusted",
                    ["verdict", "state", "evidence"], rows)]
    if gate and gate["requirements"]:
        tables.insert(0, _requirements(gate))
    return Section("verdicts", "Verdict", tables=tables, body=joined(boxes))


def _gate_box(gate):
    style, word = GATE_STATES.get(gate["verdict"], ("warn", gate["verdict"]))
    broken = [requirement["text"] for requirement in gate["requirements"] if not requirement["ok"]]
    style = "bad" if broken else style
    unmet = f"Not met: {listed(broken)}." if broken else ""
    return _box(style, word, [element("span", gate["sentence"], class_="answer"), unmet])


def _requirements(gate):
    rows = [[requirement["text"], amount(requirement["value"]),
             element("span", "met" if requirement["ok"] else "NOT MET",
                     class_="good" if requirement["ok"] else "bad")]
            for requirement in gate["requirements"]]
    return Table("What the gate requires", ["requirement", "#measured", "state"], rows)


def ledgers(result):
    """Every connection and every byte, accounted for."""
    if "scenarios" not in result:
        return None
    connections, sizes = [], []
    for scenario in result["scenarios"]:
        for side in ("client", "server"):
            if scenario.get(side):
                ledger = [count(scenario[side][key]) for key in LEDGER]
                connections.append([scenario["name"], side, *ledger])
        for way in ("client_to_server", "server_to_client"):
            size = scenario["bytes"][way]
            if any(size.values()):
                sizes.append([scenario["name"], way.replace("_", " "),
                              *(count(size[key]) for key in ("sent", "received", "lost"))])
    tables = [Table("Connections: opened = finished + unexpected + open",
                    ["scenario", "side", "#opened", "#finished", "#unexpected", "#open"],
                    connections)]
    if sizes:
        tables.append(Table("Bytes of the application; lost is what was sent and never received",
                            ["scenario", "direction", "#sent", "#received", "#lost"], sizes))
    if result["kernel"]:
        tables.append(_counters(result))
    return Section("account", "The account", tables=tables)


def _declared(value):
    return f"{count(value[0])} to {count(value[1])}" if isinstance(value, list) else count(value)


def _counters(result):
    words = {True: "yes", False: element("span", "NO", class_="bad"), None: "-"}
    rows = [[name, count(counter["measured"]), _declared(counter.get("declared")),
             words[counter.get("agrees")]] for name, counter in result["kernel"].items()]
    return Table("Kernel counters over the whole load, against what the scenarios declare",
                 ["counter", "#measured", "#declared", "agrees"], rows)


def context(result):
    """What is needed to repeat it."""
    names = {"lab": "network", "layout": "layout", "ring": "ways to use io_uring",
             "family": "address family", "congestion_control": "congestion control",
             "threads": "threads", "server_threads": "server threads",
             "concurrency": "connections in flight", "seed": "seed", "liburing": "liburing",
             "compiler": "compiler", "elapsed_s": "seconds", "run_id": "run", "host": "host"}
    about = result["context"]
    rows = [[words, str(about[field])] for field, words in names.items()
            if about.get(field) not in (None, "")]
    rows += [[name, value] for name, value in about["sysctls"].items()]
    return Section("context", "To repeat it",
                   tables=[Table("What the numbers are about", ["what", "value"],
                                 [["command", element("code", about["command"])], *rows])])


def minutes(started_at):
    """A start as people write it: no seconds."""
    return re.sub(r"T(\d\d:\d\d).*", r" \1", started_at)
