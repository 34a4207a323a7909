#!/usr/bin/env python3
"""Every expectation can fail. An atlas that says "as expected" of everything proves nothing unless
each thing that a scenario file expects is really looked at. So each of them is made wrong in turn,
in a copy of the file in which nothing else is: every step's outcome, the implicit ok too, for
io_uring and behind `; syscall`; every `after`; every counter of [kernel]; every number of
[delivered]. Each copy must come out unexpected, at the very place that is wrong, and the atlas must
exit with 3.

A step behind which the loader wants the socket closed (`close`, `die`, `disconnect`) cannot be said
to fail: it is said to take 30 s instead, which it never does.

    atlas_perturbed.py [SCENARIO...]    # all built-in ones, if none is named
"""

import collections
import pathlib
import re
import sys
import tempfile
import time
import tomllib
import zlib

from ringchurn_testing import (Failures, builtin_scenarios, builtin_text, fail, play_each,
                               result_of, run_ringchurn)

WRONG = "EXDEV"  # "Invalid cross-device link": no socket ever says that
NEVER = "after 30s"
BOTH_ENGINES = ("--engine", "syscall")
# A scenario that takes longer is made wrong in a few places only: a thousand times a second is a
# quarter of an hour.
SLOW_S = 0.3
PLACES_IN_A_SLOW_ONE = 2
FILES_AT_ONCE = 300  # of one call; the atlas plays twelve of them at a time
# Twice what it takes, also beside a build. Where everything takes longer, as under a sanitizer, what
# is over this budget is left out, and that is said: one copy of each scenario comes first, then the
# others in an order by chance.
BUDGET_S = 480
# What the loader itself refuses as impossible is caught, but then nothing was played.
MOST_REFUSED = 0.02

STRING_COMMENT_OR_END = re.compile(r'''"((?:[^"\\]|\\.)*)"|'([^'\n]*)'|#[^\n]*|\]''')

Timed = collections.namedtuple("Timed", "elapsed_s rows")
Span = collections.namedtuple("Span", "first last text")  # of a step in the file's text


class Copy:
    """A scenario's file with one thing wrong."""

    def __init__(self, scenario, what, text, check, instead=None):
        self.scenario, self.what, self.text, self.check = scenario, what, text, check
        self.instead = instead  # another Copy, if the loader refuses this one

    def __str__(self):
        return f"{self.scenario}, {self.what}"


def step_spans(text, side):
    """Where the steps of [side] stand in the text, in order."""
    head = re.search(rf"^\[{side}\][^\n]*\n(?:#[^\n]*\n|\s)*steps\s*=\s*\[", text, re.MULTILINE)
    at = head.end()
    while True:
        found = STRING_COMMENT_OR_END.search(text, at)
        if found.group() == "]":
            return
        if found.lastindex:
            yield Span(*found.span(found.lastindex), found.group(found.lastindex))
        at = found.end()


def parts(step):
    """A step's verb, outcomes, times, and what follows `; syscall`; what is missing is ""."""
    for_ring, _, for_syscall = step.partition(";")
    verb, _, outcomes = for_ring.partition("->")
    times = re.findall(r"\b(?:after|within) \w+", outcomes)
    outcomes = re.sub(r"\b(?:after|within) \w+", "", outcomes).strip()
    return verb.strip(), outcomes, times, for_syscall.strip().removeprefix("syscall").strip()


def written(verb, outcomes, times, for_syscall):
    """The step that has those parts."""
    text = verb
    if outcomes or times:
        text += " -> " + " ".join([outcomes or "ok", *times])
    return text + (f"; syscall {for_syscall}" if for_syscall else "")


# -- what must be seen ----------------------------------------------------------------------------


def is_answer_unexpected(entry, engine, side, number):
    """True if the answer of that step was not as the file says."""
    return any(not answer["expected"] for row in entry["outcomes"]
               if (row["engine"], row["side"], row["step_number"]) == (engine, side, number)
               for answer in row["answers"])


def by_engine(entry):
    return {performance["engine"]: performance for performance in entry["engines"]}


def wrong_step(side, number, engines):
    """A check: that step, played by those engines, is what is unexpected; others have no fault."""

    def check(entry):
        for engine, performance in by_engine(entry).items():
            if performance["expected"] != (engine not in engines):
                return f"{engine} was {'' if performance['expected'] else 'un'}expected"
            if engine in engines and not is_answer_unexpected(entry, engine, side, number):
                return f"{engine}: another step was unexpected; {performance['failure']}"
        return None

    return check


def wrong_counter(counter):
    """A check: that counter and no other does not agree, whichever the engine."""

    def check(entry):
        for engine, performance in by_engine(entry).items():
            unlike = [name for name, row in performance["counters"].items() if not row["agrees"]]
            if performance["expected"] or unlike != [counter]:
                return f"{engine}: expected {performance['expected']}, disagreeing {unlike}"
        return None

    return check


def wrong_bytes(entry):
    """A check: the bytes are not as declared, whichever the engine."""
    for engine, performance in by_engine(entry).items():
        if performance["expected"] or "bytes received" not in (performance["failure"] or ""):
            return f"{engine}: expected {performance['expected']}, {performance['failure']!r}"
    return None


# -- copies with one thing wrong ------------------------------------------------------------------


def wrong_outcomes(name, text, side, number, span, engines):
    """Copies with the outcome of one step wrong."""
    verb, outcomes, times, for_syscall = parts(span.text)
    what = f"{side} {number} \"{span.text}\""

    def copy(step, wrong_for, instead=None):
        return Copy(name, f"{what} as \"{step}\"", text[:span.first] + step + text[span.last:],
                    wrong_step(side, number, wrong_for), instead)

    words = re.sub(r"^[\w-]+: ", "", verb).split()
    # What is started, and a step of another's making, has no time of its own.
    too_long = None if words[0] in ("start", "link", "hardlink") else copy(
        written(verb, outcomes, [NEVER], for_syscall), engines)
    if words[0] in ("close", "disconnect") or words[0] == "die" and words[1] != "sigpipe":
        yield too_long
        return
    if too_long and any(limit.startswith("after") for limit in times):
        yield too_long
    if for_syscall and "syscall" in engines:
        yield copy(written(verb, WRONG, times, for_syscall), ["ring"], too_long)
        yield copy(written(verb, outcomes or "ok", times, WRONG), ["syscall"])
    else:
        yield copy(written(verb, WRONG, times, for_syscall), engines, too_long)


def one_too_many(value, params):
    """A counter or a number of bytes as the file has it, wrong by one, as TOML."""
    if isinstance(value, list):
        return f"[{value[1] + 1}, {value[1] + 1}]"
    if isinstance(value, str):
        param = params[value.strip("{}")]
        value = param["value"] if isinstance(param, dict) else param
    return str(value + 1)


def wrong_numbers(name, text, table, check_of):
    """Copies with one number of a table wrong."""
    scenario = tomllib.loads(text)
    head = re.search(rf"^\[{table}\]", text, re.MULTILINE)
    for key, value in scenario.get(table, {}).items():
        line = re.compile(rf'^{key}\s*=\s*(\[[^\]]*\]|"[^"]*"|\d+)', re.MULTILINE)
        found = line.search(text, head.end())
        wrong = one_too_many(value, scenario.get("params", {}))
        yield Copy(name, f"{key} = {wrong} for {found.group(1)}",
                   text[:found.start(1)] + wrong + text[found.end(1):], check_of(key))


def copies(name, text, rows):
    """All copies of a scenario with one thing wrong. Steps without an answer in `rows`, the answers
    of the unperturbed scenario, are options of the listener: they have no outcome of their own."""
    scenario = tomllib.loads(text)
    engines = sorted({engine for engine, _, _ in rows})
    for side in ("client", "server"):
        if side not in scenario:
            continue
        spans = list(step_spans(text, side))
        if [span.text for span in spans] != scenario[side]["steps"]:
            fail(f"{name}: this test does not find the steps of [{side}]")
        for number, span in enumerate(spans, 1):
            if ("ring", side, number) in rows:
                yield from wrong_outcomes(name, text, side, number, span, engines)
    yield from wrong_numbers(name, text, "kernel", wrong_counter)
    yield from wrong_numbers(name, text, "delivered", lambda _: wrong_bytes)


def differences(left, right):
    """How many values differ between two tables of TOML."""
    if isinstance(left, dict) and isinstance(right, dict):
        return sum(differences(left.get(key), right.get(key)) for key in left | right)
    if isinstance(left, list) and isinstance(right, list) and len(left) == len(right) and any(
            isinstance(item, str) for item in left):
        return sum(differences(*pair) for pair in zip(left, right))
    return int(left != right)


# -- playing them ---------------------------------------------------------------------------------


def play_unperturbed(failures, names):
    """Each scenario alone, as it is: {name: Timed}."""
    scenarios = {}
    for name, exit_code, result in play_each(names, *BOTH_ENGINES):
        entry = result["scenarios"][0]
        failures.equal((exit_code, entry["expected"]), (0, True), f"{name} as it is: {entry}")
        rows = {(row["engine"], row["side"], row["step_number"]) for row in entry["outcomes"]}
        scenarios[name] = Timed(result["context"]["elapsed_s"], rows)
    return scenarios


def by_hash(copy):
    """An order that is the same each time, and means nothing."""
    return zlib.crc32(f"{copy.scenario} {copy.what}".encode())


def in_order(wrong):
    """One copy of each scenario, then all others."""
    wrong = sorted(wrong, key=by_hash)
    first = {copy.scenario: copy for copy in reversed(wrong)}
    return list(first.values()) + [copy for copy in wrong if first[copy.scenario] is not copy]


class Loader:
    """Writes copies into files, and asks the program which of them it refuses to load."""

    def __init__(self, folder):
        self.folder = pathlib.Path(folder)
        self.count = 0
        # Refused for certain, and last: so the atlas loads every file and plays none.
        self.last = self.folder / "last.toml"
        self.last.write_text("about = \"\"\n", encoding="utf-8")

    def write(self, copy):
        self.count += 1
        path = self.folder / f"{copy.scenario}--{self.count}.toml"
        path.write_text(copy.text, encoding="utf-8")
        return path

    def refused(self, paths):
        """{path: message} of those that cannot be loaded."""
        refusals, at = {}, 0
        while at < len(paths):
            done = run_ringchurn("atlas", *paths[at:], self.last, *BOTH_ENGINES)
            path = pathlib.Path(done.stderr.removeprefix("ringchurn: ").partition(":")[0])
            if done.returncode != 2 or path not in [*paths[at:], self.last]:
                fail(f"exit code {done.returncode}: {done.stderr}")
            if path == self.last:
                break
            refusals[path] = done.stderr.strip()
            at = paths.index(path) + 1
        return refusals


def load(loader, all_copies):
    """{path: copy} of what can be played, and [(copy, message)] of what the loader refuses."""
    playable = {loader.write(copy): copy for copy in all_copies}
    refused = []
    refusals = loader.refused(list(playable))
    seconds = {}
    for path, message in refusals.items():
        copy = playable.pop(path)
        if copy.instead:
            seconds[loader.write(copy.instead)] = copy.instead
        else:
            refused.append((copy, message))
    for path, message in loader.refused(list(seconds)).items():
        refused.append((seconds.pop(path), message))
    return playable | seconds, refused


def check_caught(failures, playable):
    """Plays copies that all are wrong."""
    exit_code, result = result_of("atlas", *playable, "--runs", 1, *BOTH_ENGINES)
    by_name = {path.stem: copy for path, copy in playable.items()}
    failures.equal(exit_code, 3, "exit code with something wrong in every file")
    failures.equal(sorted(entry["name"] for entry in result["scenarios"]), sorted(by_name),
                   "scenarios in the result")
    for entry in result["scenarios"]:
        copy = by_name[entry["name"]]
        failures.equal(entry["expected"], False, f"{copy}: expected")
        failures.equal(copy.check(entry), None, f"{copy}: noticed elsewhere")


def wrong_copies(failures, scenarios):
    """What is to be played, in order, and the names of the scenarios that are too slow for all."""
    texts = {name: builtin_text(name) for name in scenarios}
    slow, wrong = [], []
    for name, timed in scenarios.items():
        of_it = list(copies(name, texts[name], timed.rows))
        if timed.elapsed_s > SLOW_S:
            slow.append(name)
            of_it = sorted(of_it, key=by_hash)[:PLACES_IN_A_SLOW_ONE]
        wrong += of_it
    for copy in wrong:
        before, after = tomllib.loads(texts[copy.scenario]), tomllib.loads(copy.text)
        failures.equal(differences(before, after), 1, f"{copy}: values that this test changed")
    return in_order(wrong), slow


def main():
    began = time.monotonic()
    failures = Failures()
    scenarios = play_unperturbed(failures, sys.argv[1:] or builtin_scenarios())
    wrong, slow = wrong_copies(failures, scenarios)
    played = 0
    with tempfile.TemporaryDirectory() as folder:
        playable, refused = load(Loader(folder), wrong)
        files = list(playable)
        while played < len(files) and time.monotonic() - began < BUDGET_S:
            some = files[played:played + FILES_AT_ONCE]
            # The slow ones first: at the end they would play alone.
            some.sort(key=lambda path: -scenarios[playable[path].scenario].elapsed_s)
            check_caught(failures, {path: playable[path] for path in some})
            played += len(some)
    print(f"{len(scenarios)} scenarios, {played} of {len(playable)} copies played in "
          f"{time.monotonic() - began:.0f} s; wrong in {PLACES_IN_A_SLOW_ONE} places only, because "
          f"they take more than {SLOW_S} s: {', '.join(sorted(slow))}")
    print(f"{len(refused)} copies were caught by the loader:")
    for copy, message in refused:
        print(f"  {copy}: {message}")
    failures.check(played >= len(scenarios), f"there was time for {played} copies only")
    failures.check(len(refused) <= MOST_REFUSED * len(wrong), f"the loader refuses {len(refused)}")
    failures.finish("every expectation that was made wrong was noticed")


main()
