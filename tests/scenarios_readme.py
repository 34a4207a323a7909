#!/usr/bin/env python3
"""workloads/scenarios/README.md is what `ringchurn scenarios --format markdown` prints, and every
link in it leads somewhere."""

import os
import pathlib
import re

from ringchurn_testing import Failures, builtin_scenarios, run_ringchurn

SOURCE = pathlib.Path(os.environ.get("RINGCHURN_TREE", pathlib.Path(__file__).parent.parent))
FOLDER = SOURCE / "workloads" / "scenarios"


def anchor(heading):
    """As GitHub makes it."""
    return re.sub(r"[^a-z0-9_ -]", "", heading.lower()).replace(" ", "-")


def main():
    failures = Failures()
    page = run_ringchurn("scenarios", "--format", "markdown").stdout
    committed = (FOLDER / "README.md").read_text(encoding="utf-8")
    failures.check(committed == page, "workloads/scenarios/README.md is not current: "
                   "ringchurn scenarios --format markdown > workloads/scenarios/README.md")
    anchors = {anchor(heading) for heading in re.findall(r"^#+ (.*)$", page, re.MULTILINE)}
    for link in set(re.findall(r"\]\(([^)]+)\)", page)):
        there = link[1:] in anchors if link.startswith("#") else (FOLDER / link).is_file()
        failures.check(there, f"a link leads nowhere: {link}")
    for name in builtin_scenarios():
        failures.check(f"`{name}`" in page, f"{name} is not on the page")
    failures.finish("the scenarios' page is current")


main()
