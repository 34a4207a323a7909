"""Turns, rounds and ratios: what every contestant is measured by, whoever it is."""

import dataclasses
import resource
import statistics
import subprocess
import sys
import time

WARM_UP_CONNECTIONS = 500
MOST_S = 120  # ends a turn that hangs


class Failed(Exception):
    """What could not be measured, in one line."""


@dataclasses.dataclass
class Turn:
    """What one contestant did in one turn: its rate, and CPU time by connection."""
    connections: int
    connections_per_second: float
    client_cpu_us_per_connection: float | None = None
    server_cpu_us_per_connection: float | None = None
    both_cpu_us_per_connection: float | None = None  # of who plays both ends, instead

    def figures(self):
        return {name: value for name, value in dataclasses.asdict(self).items()
                if name != "connections" and value is not None}


@dataclasses.dataclass
class Pair:
    """Two contestants and the server that both load, if there is one."""
    ours: object
    theirs: object
    server: object = None


def cpu_s_of_children():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def process_cpu_s(pid):
    """CPU time of a whole process, by its clock (clock_getcpuclockid(3))."""
    return time.clock_gettime((~pid << 3) | 2)


def run(command):
    """Runs a program to its end: its output, and the CPU seconds that it and its threads took, from
    start to end."""
    before = cpu_s_of_children()
    done = subprocess.run(command, capture_output=True, text=True, timeout=MOST_S, check=False)
    if done.returncode != 0:
        raise Failed(f"'{' '.join(command)}' ended with exit code {done.returncode}: "
                     f"{' '.join((done.stderr or done.stdout).split())[-300:]}")
    return done.stdout, cpu_s_of_children() - before


def ratios(rounds, figure):
    """Ours over theirs, a ratio for each round: of the sums of its two turns each."""
    def values(turns):
        return [turn.figures()[figure] for turn in turns]

    each = [sum(values(ours)) / sum(values(theirs)) for ours, theirs in rounds]
    return {"median": statistics.median(each), "low": min(each), "high": max(each), "rounds": each,
            "ours": statistics.median(sum((values(ours) for ours, _ in rounds), [])),
            "theirs": statistics.median(sum((values(theirs) for _, theirs in rounds), []))}


def described(contestant, teardown):
    return {"name": contestant.name, "version": contestant.version, "command": contestant.shown,
            "in_flight": contestant.in_flight, "teardown": teardown}


def compare(pair, rounds, connections, stack):
    """Plays the rounds, in turn ABBA and BAAB, after a warm-up in which it is seen how connections
    end; what is told of them is JSON."""
    if pair.server:
        stack.enter_context(pair.server)
    teardowns = [who.look(WARM_UP_CONNECTIONS) for who in (pair.ours, pair.theirs)]
    played = []
    for number in range(rounds):
        turns = {True: [], False: []}
        first = number % 2 == 0
        for is_ours in (first, not first, not first, first):
            if sys.stderr.isatty():
                print(f"\r{pair.theirs.name}: round {number + 1} of {rounds} ", end="",
                      file=sys.stderr)
            turns[is_ours].append((pair.ours if is_ours else pair.theirs).turn(connections))
        played.append((turns[True], turns[False]))
    if sys.stderr.isatty():
        print("\r" + " " * 60 + "\r", end="", file=sys.stderr)
    as_json = [{"ours": [dataclasses.asdict(turn) for turn in ours],
                "theirs": [dataclasses.asdict(turn) for turn in theirs]} for ours, theirs in played]
    return {"ours": described(pair.ours, teardowns[0]),
            "theirs": described(pair.theirs, teardowns[1]), "rounds": as_json,
            "ratios": {figure: ratios(played, figure) for figure in played[0][0][0].figures()}}
