"""What scripts/peers and scripts/report share: how they are told what to do, how they give up, and
how they write a file."""

import argparse
import errno
import os
import pathlib
import sys

EXIT_CANNOT_RUN, EXIT_USAGE = 1, 2


def give_up(exit_code, message):
    """One line that says what was wrong, where, and what to do."""
    printable = "".join(c if c.isprintable() else "?" for c in message)
    print(f"{pathlib.Path(sys.argv[0]).name}: {printable}", file=sys.stderr)
    sys.exit(exit_code)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        give_up(EXIT_USAGE, f"{message}; see {self.prog} --help")


def is_no_file(path):
    """Whether there is something that can only be written as it is: a pipe, a terminal."""
    return pathlib.Path(path).exists() and not pathlib.Path(path).is_file()


def file_beside(path):
    """The file that a link leads to, and the one that is written in its place until it is whole."""
    target = pathlib.Path(path).resolve()
    return target, target.with_name(f"{target.name}.tmp-{os.getpid()}")


def check_writable(path):
    """Raises OSError where no file can be written: before the work that is to be written there, and
    without a trace of it."""
    if os.path.isdir(path):
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), path)
    if not is_no_file(path):
        _, temporary = file_beside(path)
        temporary.touch()
        temporary.unlink()


def write(path, content):
    """Writes the bytes, whole or not at all; what is no file, as a pipe, is written as it is."""
    if is_no_file(path):
        pathlib.Path(path).write_bytes(content)
        return
    target, temporary = file_beside(path)
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
