#!/usr/bin/env python3
"""Completion as the shells do it: bash, zsh and fish are given what a user has typed so far, and
must offer what may come next."""

import contextlib
import os
import pathlib
import pty
import re
import shutil
import subprocess
import tempfile
import threading
import time

from ringchurn_testing import (DEADLINE_S, RINGCHURN, Failures, environment, fail, require_programs,
                               run_ringchurn)

# (typed so far, some that must be offered, some that must not)
CASES = [
    ("ringchurn ", ["run", "compare"], ["graceful", "--seed"]),
    ("ringchurn --v", ["--version"], ["run", "--seed"]),
    ("ringchurn comp", ["compare", "completion"], ["run"]),
    ("ringchurn run --", ["--mix", "--layout", "--quiet", "--help"], ["--target", "--explain"]),
    ("ringchurn run --layout ", ["pair", "single", "wide"], ["graceful", "run"]),
    ("ringchurn run --layout s", ["single"], ["pair"]),
    ("ringchurn run --layout=s", ["single"], ["pair"]),
    ("ringchurn run --seed 1 --scenario unread", ["unread-data"], ["graceful", "unread.txt.not"]),
    ("ringchurn run --mix graceful=70,rst-c", ["rst-client"], ["graceful"]),
    ("ringchurn run --json res", ["result-file.json"], ["rst-client"]),
    ("ringchurn compare graceful rst", ["rst-client", "rst-server"], ["graceful"]),
    ("ringchurn compare graceful --dur", ["--duration"], ["--threads"]),
    ("ringchurn scenarios half-c", ["half-close"], ["--help"]),
    ("ringchurn scenarios --format ", ["text", "markdown"], ["csv", "graceful"]),
    ("ringchurn export result-file.json --format ", [], ["text", "graceful"]),
    ("ringchurn completion ", ["bash", "zsh", "fish"], ["graceful"]),
    ("ringchurn merge res", ["result-file.json"], ["rst-client"]),
    ("ringchurn run --seed ", [], ["graceful", "result-file.json", "run"]),
]

# Splits as bash does at '=', and prints what the function would offer.
BASH = r"""
source "$1"
words=$(sed 's/=/ = /g' <<<"$2")
read -ra COMP_WORDS <<<"$words"
[[ $2 == *[\ =] ]] && COMP_WORDS+=('')
COMP_CWORD=$((${#COMP_WORDS[@]} - 1)) COMP_LINE=$2 COMP_POINT=${#2}
completer=$(complete -p ringchurn)
[[ $completer =~ -F\ ([^ ]+) ]] && "${BASH_REMATCH[1]}" ringchurn
printf '%s\n' "${COMPREPLY[@]}"
"""


def completed(*command):
    done = subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False,
                          env=environment(LC_ALL="C.UTF-8", TERM="dumb"))
    return done.returncode, done.stdout, done.stderr


def offered_by_bash(script, typed):
    return completed("bash", "--norc", "-c", BASH, "bash", script, typed)[1].split("\n")


def offered_by_fish(script, typed):
    text = completed("fish", "--no-config", "-c", f"source {script}; complete -C '{typed}'")[1]
    return [line.split("\t")[0] for line in text.split("\n")]


# Everything that completion offers goes through compadd: it is written down, and then that Tab is
# done. What zsh shows depends on how fast a user types.
ZSH = r"""
autoload -U compinit; compinit -u -D; source $SCRIPT
compadd() {
  [[ ${@[1,(i)(-|--)]} == *-(O|A|D)\ * ]] || {
    local -a offered
    builtin compadd -A offered "$@"
    print -rl -- $offered >> $OFFERED
  }
  builtin compadd "$@"
}
note() { zle complete-word; zle kill-whole-line; print TAB >> $OFFERED }
zle -N note
bindkey '^I' note
"""


class Zsh:
    """zsh at a terminal, as its completion wants to have it."""

    def __init__(self, script):
        self.offers = pathlib.Path(script).with_name("offered")
        self.master, terminal = pty.openpty()
        self.process = subprocess.Popen(
            ["zsh", "-f", "-i"], stdin=terminal, stdout=terminal, stderr=terminal,
            start_new_session=True,
            env=environment(TERM="dumb", LC_ALL="C.UTF-8", SCRIPT=script, OFFERED=self.offers))
        os.close(terminal)
        # Nobody reads what it shows, and it must not wait for that.
        threading.Thread(target=self.drain, daemon=True).start()
        pathlib.Path("setup").write_text(ZSH, encoding="utf-8")
        os.write(self.master, b"source ./setup\n")

    def drain(self):
        with contextlib.suppress(OSError):  # the terminal is gone
            while os.read(self.master, 65536):
                pass

    def offered(self, typed):
        self.offers.write_text("", encoding="utf-8")
        os.write(self.master, f"{typed}\t".encode())
        until = time.monotonic() + DEADLINE_S
        while time.monotonic() < until:
            lines = self.offers.read_text(encoding="utf-8").split("\n")
            if "TAB" in lines:
                return lines
            time.sleep(0.01)
        return fail(f"zsh: no completion of {typed!r}")

    def end(self):
        self.process.kill()
        self.process.wait()
        os.close(self.master)


def check(failures, shell, offer):
    for typed, wanted, unwanted in CASES:
        offered = offer(typed)
        # fish repeats what stands before '=' and ',', zsh has '=' behind an option.
        names = {re.split("[=,]", name.rstrip("="))[-1] for name in offered}
        missing = [name for name in wanted if name not in names]
        failures.check(not missing, f"{shell}: {typed!r} lacks {missing}: {offered[:20]}")
        wrong = [name for name in unwanted if name in names and name not in typed.split()]
        failures.check(not wrong, f"{shell}: {typed!r} offers {wrong}")


def main():
    require_programs({"bash": "bash"})
    failures = Failures()
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        with open("result-file.json", "w", encoding="utf-8"):
            pass
        for shell in ("bash", "zsh", "fish"):
            if not shutil.which(shell):
                print(f"{shell} is not here")
                continue
            script = os.path.join(folder, shell)
            done = run_ringchurn("completion", shell)
            with open(script, "w", encoding="utf-8") as file:
                file.write(done.stdout)
            failures.equal(completed(shell, "-n", script), (0, "", ""), f"{shell} -n")
            if shell == "zsh":
                zsh = Zsh(script)
                check(failures, shell, zsh.offered)
                zsh.end()
            else:
                offer = offered_by_bash if shell == "bash" else offered_by_fish
                check(failures, shell, lambda typed, offer=offer: offer(script, typed))
        os.chdir("/")
    failures.finish("shells complete commands, options and values")


main()
