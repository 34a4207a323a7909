#!/usr/bin/python3
"""The pages of scripts/report in a browser: real results of `run`, `compare` and `sweep`, opened in
Chromium at two widths, in light, dark and on paper. Nothing is fetched, nothing complains, every
figure is seen, the words are those that a screen reader needs, and the numbers are the result's.
What is no result is refused."""

import concurrent.futures
import copy
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile

from ringchurn_testing import (DEADLINE_S, SOURCE, Failures, parse_json, require_programs,
                               result_of, skip)

try:
    import matplotlib  # noqa: F401, pylint: disable=unused-import
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service
except ImportError as error:
    skip(f"{error}: apt-get install python3-selenium python3-matplotlib")

REPORT = SOURCE / "scripts" / "report"
SCREENS = ((1280, "light"), (400, "dark"))

# As root, in a container, and without what a browser does on its own.
FLAGS = ("headless", "no-sandbox", "disable-gpu", "disable-quic", "no-first-run",
         "disable-background-networking", "disable-component-update", "disable-sync")

# What the browser is asked of a page: figures, as [left, right, height, scale of the text].
FIGURES = """
return [...document.querySelectorAll('figure')].map(figure =>
  [...figure.querySelectorAll('svg')].map(svg => [svg, svg.getBoundingClientRect()])
    .filter(([svg, box]) => box.width > 0 && box.height > 0)
    .map(([svg, box]) => [box.left, box.right, box.height, box.width / svg.viewBox.baseVal.width]))
"""
# What a screen reader meets: each list is of things that should not be.
FAULTS = """
const all = selector => [...document.querySelectorAll(selector)];
const text = ids => (ids || '').split(' ').map(id => document.getElementById(id))
  .map(found => found ? found.textContent.trim() : '');
const named = (elements, name) => elements.map(name).filter((v, i, a) => !v || a.indexOf(v) != i);
const levels = all('h1,h2,h3').map(heading => +heading.tagName[1]);
return {
  'an id twice': named(all('[id]'), element => element.id),
  'an svg without role or words': all('svg').filter(svg => svg.getAttribute('role') != 'img' ||
      text(svg.getAttribute('aria-labelledby')).some(words => !words)).map(svg => svg.outerHTML),
  'a figure without a sentence': all('figure').filter(figure =>
      !figure.querySelector('figcaption')?.textContent.trim()).map(figure => figure.innerText),
  'a figure without its table': all('figure').filter(figure =>
      !figure.parentElement.querySelector('details table')).map(figure => figure.innerText),
  'a table without caption or headings': all('table').filter(table => !table.caption ||
      [...table.querySelectorAll('thead th')].some(th => th.scope != 'col') ||
      [...table.querySelectorAll('tbody tr')].some(row => row.cells[0].scope != 'row'))
      .map(table => table.innerText),
  'a box that scrolls without keyboard or name': named(all('.scroll'), box =>
      box.tabIndex == 0 && box.getAttribute('role') == 'region' && box.getAttribute('aria-label')),
  'a link to nowhere': all('a').filter(a => !document.querySelector(a.getAttribute('href')))
      .map(a => a.outerHTML),
  'a heading that skips a level': levels.filter((level, i) => level > (levels[i - 1] || 0) + 1),
  'not one h1': all('h1').length == 1 ? [] : [all('h1').length],
  'no language': document.documentElement.lang ? [] : [''],
  'a script, or something to fetch': all('script, img, link, iframe, object, [src]').map(
      element => element.outerHTML),
}
"""
# Contrast of every piece of text with what is behind it (WCAG 2.2, 1.4.3), where it is too low.
CONTRAST = """
const light = colour => colour.match(/[0-9.]+/g).slice(0, 3).map(v => v / 255)
  .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
  .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
const behind = element => {
  for (; element; element = element.parentElement) {
    const colour = getComputedStyle(element).backgroundColor;
    if (!/, 0\\)$/.test(colour)) return colour;
  }
};
const words = element => [...element.childNodes].some(n => n.nodeType == 3 && n.data.trim());
return [...document.querySelectorAll('body :not(title, desc)')].filter(words).map(element => {
  const style = getComputedStyle(element);
  const [a, b] = [light(element.closest('svg') ? style.fill : style.color),
                  light(behind(element))].sort((x, y) => y - x);
  return [(a + 0.05) / (b + 0.05), element.outerHTML.slice(0, 120)];
}).filter(([contrast]) => contrast < 4.5).slice(0, 3);
"""
AXE = """
const done = arguments[0];
axe.run(document).then(result => done(result.violations.map(
  violation => `${violation.id}: ${violation.nodes[0].html}`)));
"""

failures = Failures()


def make_page(folder, name, *results):
    """scripts/report of these results: the page's path."""
    page = folder / f"{name}.html"
    done = subprocess.run([str(REPORT), *map(str, results), "-o", str(page)], capture_output=True,
                          text=True, timeout=DEADLINE_S, check=False)
    failures.equal((done.returncode, done.stderr), (0, ""), f"{name}: exit code and stderr")
    return page


def save(folder, name, result):
    path = folder / f"{name}.json"
    path.write_text(json.dumps(result), encoding="utf-8")
    return path


class Browser:
    """Chromium with a profile of its own, and what it says."""

    def __init__(self, profile):
        options = webdriver.ChromeOptions()
        options.binary_location = "/usr/bin/chromium"
        for flag in (*FLAGS, f"user-data-dir={profile}"):
            options.add_argument(f"--{flag}")
        options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service("/usr/bin/chromedriver"))
        self.ask = self.driver.execute_script
        self.driver.get("about:blank")  # it starts with a page of its own

    def show(self, width, scheme="light", media=""):
        self.driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
            "width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False})
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "media": media, "features": [{"name": "prefers-color-scheme", "value": scheme}]})

    def requests(self):
        """Addresses that were asked for since the last call."""
        messages = [json.loads(entry["message"])["message"]
                    for entry in self.driver.get_log("performance")]
        return [message["params"]["request"]["url"] for message in messages
                if message["method"] == "Network.requestWillBeSent"]

    def console(self):
        return [entry["message"] for entry in self.driver.get_log("browser")]


def check_figures(what, browser, width):
    """Each figure is drawn once, within the page, in letters that can be read."""
    failures.check(browser.ask("return document.documentElement.scrollWidth") <= width,
                   f"{what}: the page is wider than the window")
    for number, drawings in enumerate(browser.ask(FIGURES), 1):
        failures.equal(len(drawings), 1, f"{what}: drawings of figure {number} that are seen")
        for left, right, height, scale in drawings:
            failures.check(0 <= left < right <= width and height > 40,
                           f"{what}: figure {number} at {left} to {right}, {height} high")
            failures.check(12 * scale >= 9, f"{what}: letters of {12 * scale:.1f} px in a figure")


def check_page(browser, name, page, sections):
    """Everything that must be so on every page. `sections`: those that have a figure."""
    browser.driver.get(page.as_uri())
    for width, scheme in SCREENS:
        browser.show(width, scheme)
        what = f"{name}, {width} px, {scheme}"
        check_figures(what, browser, width)
        failures.equal(browser.ask(CONTRAST), [], f"{what}: text that is hard to see")
        check_by_axe(browser, what)
    browser.show(700, "dark", "print")
    check_figures(f"{name} on paper", browser, 700)
    failures.equal(browser.ask("return getComputedStyle(document.body).backgroundColor"),
                   "rgb(255, 255, 255)", f"{name}: the paper, of a dark screen")
    browser.show(1280)
    failures.check(browser.driver.execute_cdp_cmd("Page.printToPDF", {})["data"],
                   f"{name}: it cannot be printed")
    for fault, where in browser.ask(FAULTS).items():
        failures.equal(where, [], f"{name}: {fault}")
    drawn = browser.ask("return [...document.querySelectorAll('section')]"
                        ".filter(s => s.querySelector('figure')).map(s => s.id)")
    failures.equal(drawn, sections, f"{name}: sections with a figure")
    failures.equal(browser.ask("return document.querySelector('section').id"), "verdicts",
                   f"{name}: what stands first")
    failures.equal(browser.requests(), [page.as_uri()], f"{name}: what the browser asked for")
    failures.equal(browser.console(), [], f"{name}: the console")


def check_by_axe(browser, what):
    if "AXE_CORE" in os.environ:
        browser.ask(pathlib.Path(os.environ["AXE_CORE"]).read_text(encoding="utf-8"))
        failures.equal(browser.driver.execute_async_script(AXE), [], f"{what}: axe")


def cells(browser, section):
    """The words of all cells of a section's tables."""
    return browser.ask("return [...document.querySelectorAll(arguments[0])]"
                       ".map(cell => cell.textContent)", f"#{section} th, #{section} td")


def check_numbers(browser, page, result):
    """The page of a comparison says what its result says."""
    browser.driver.get(page.as_uri())
    comparison = result["comparison"]
    shown = cells(browser, "comparison")
    for arm in comparison["arms"]:
        for number in (f"{arm['ratio']:.3f}", f"[{arm['ci_low']:.3f}, {arm['ci_high']:.3f}]",
                       f"{arm['connections']:,}"):
            failures.check(number in shown, f"{arm['name']}: {number} is not in the page")
    for verdict in result["verdicts"]:
        failures.check(verdict["name"] in cells(browser, "verdicts"),
                       f"verdict {verdict['name']} is not in the page")
    said = browser.ask("return document.querySelector('.verdict').innerText")
    for line in comparison["sentence"].splitlines():
        failures.check(line in said, f"the answer is not in the page: {line}")
    dots = browser.ask("return [...document.querySelectorAll('#slices svg.wide path')]"
                       ".map(p => (p.getAttribute('d').match(/M/g) || []).length)")
    for arm in {row[1] for row in comparison["slices"]["rows"]}:
        number = sum(row[1] == arm and row[4] > 0 for row in comparison["slices"]["rows"])
        failures.check(number in dots, f"arm {arm}: no panel has {number} slices, but {dots}")
    bars = browser.ask("return [...document.querySelectorAll('#cost svg.wide path[clip-path]')]"
                       ".filter(p => p.getAttribute('d').trim().endsWith('z')).length")
    parts = 1 + (result["cost"]["ksoftirqd_us"] is not None)
    failures.equal(bars, parts, "bars in the sum of the threads")
    check_bills(browser, result["bills"])


def check_bills(browser, bills):
    """Each part of each bill is drawn twice: in the sum, and in its place below it."""
    bars = browser.ask("return [...document.querySelectorAll('#bills svg.wide path[clip-path]')]"
                       ".filter(p => p.getAttribute('d').trim().endsWith('z')).length")
    failures.equal(bars, 2 * sum(len(bill["parts"]) for bill in bills), "bars in the bills")
    shown = cells(browser, "bills")
    for bill in bills:
        steps = sum(word in [f"{step['side']} {step['step']}" for step in bill["steps"]]
                    for word in shown)
        failures.check(steps >= len(bill["steps"]), f"{bill['of']}: {steps} steps in the page")


def course():
    """A series whose rates are known: 1,000, 2,000 and 500 connections a second, of which the last
    interval is told in two samples, the second a few milliseconds after the first."""
    def sample(t_s, connections):
        return {"t_s": t_s, "connections": connections, "in_flight": 64, "time_wait": 64,
                "cpu_us": 20.0 * connections, "errors": {"reset": connections // 10},
                "expected_errors": connections // 10, "unexpected_errors": 0,
                "kernel": {"OutRsts": connections // 10}}

    return {"interval_s": 1.0, "samples": [sample(1.0, 1000), sample(2.0, 3000), sample(3.0, 3450),
                                           sample(3.125, 3562.5)]}


def check_course(browser, page):
    browser.driver.get(page.as_uri())
    shown = cells(browser, "series")
    for words in ("1.00", "1,000", "2.00", "2,000", "3.12", "500.0", "20.00", "100.0", "OutRsts"):
        failures.check(words in shown, f"series: {words} is not in the table: {shown}")
    failures.check("3.00" not in shown, "series: a short last interval stands alone")
    said = browser.ask("return document.querySelector('#series figcaption').textContent")
    failures.check("500 at the least (until 3.1 s)" in said, f"series: the sentence is {said}")


def check_history(browser, page, results):
    """Two results of one load: both are there, and what changed is said."""
    browser.driver.get(page.as_uri())
    shown = " ".join(cells(browser, "verdicts"))
    for result in results:
        rate = f"{result['cost']['connections_per_second']:,.0f}"
        failures.check(rate in shown, f"history: {rate} connections a second are not in the page")
    failures.check("CHANGED: kernel Linux 99.0" in shown, "history: the new kernel is not told")
    failures.equal(cells(browser, "loads").count("A"), 1, "history: loads named A")


def check_escaping(browser, folder, result):
    """What a file holds is shown, not obeyed, by the page and by matplotlib."""
    name = '<img src="http://[::1]/">&amp; $x^2$'
    hostile = copy.deepcopy(result)
    hostile["context"]["command"] = hostile["scenarios"][0]["name"] = name
    hostile["verdicts"][0]["evidence"] = name
    page = make_page(folder, "hostile", save(folder, "hostile", hostile))
    browser.requests()
    browser.driver.get(page.as_uri())
    failures.check(name in cells(browser, "context"), "hostile: the command is not shown as it is")
    labels = browser.ask("return [...document.querySelectorAll('#latency svg text')]"
                         ".map(t => t.textContent)")
    failures.check(name in labels, f"hostile: the scenario is not drawn as it is: {labels}")
    failures.equal(browser.requests(), [page.as_uri()], "hostile: what the browser asked for")


def bad_results(good):
    """{what is wrong: (the file's text, a word of the message)}, each made of a good result."""
    def changed(change):
        result = copy.deepcopy(good)
        change(result)
        return json.dumps(result)

    histogram = next(s["latency_ns"]["connect"] for s in [good["scenarios"][0]])
    return {
        "not JSON": ("{", "not JSON"),
        "an array": ("[]", "not a result"),
        "another program's": ('{"context": {}, "benchmarks": []}', "not a result"),
        "NaN": (changed(lambda r: r.update(interrupted=float("nan"))), "NaN"),
        "another version": (changed(lambda r: r.update(schema_version=2)), "schema_version is 2"),
        "an atlas": (changed(lambda r: r.update(claims=[])), "atlas"),
        "no verdicts": (changed(lambda r: r.pop("verdicts")), "result.verdicts is missing"),
        "a text for a number": (changed(lambda r: r["cost"].update(connections="1")),
                                "result.cost.connections is not a number"),
        "buckets that do not add up": (
            changed(lambda r: r["scenarios"][0]["latency_ns"]["connect"].update(
                count=histogram["count"] + 1)), "do not add up"),
    }


def check_refusals(folder, good):
    """What is no result is refused in one line that names it, and nothing is written."""
    page = folder / "refused.html"

    def refuse(what, word, *arguments):
        done = subprocess.run([str(REPORT), *map(str, arguments)], capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False)
        failures.equal(done.returncode, 2, f"{what}: exit code")
        failures.check(re.fullmatch(r"report: [^\n]+\n", done.stderr) and word in done.stderr,
                       f"{what}: one line with '{word}' expected, got {done.stderr!r}")
        failures.equal((done.stdout, page.exists()), ("", False), f"{what}: what was written")

    for what, (text, word) in bad_results(good).items():
        path = folder / "bad.json"
        path.write_text(text, encoding="utf-8")
        refuse(what, word, path, "-o", page)
        failures.equal(path.read_text(encoding="utf-8"), text, f"{what}: the file afterwards")
    path = save(folder, "good", good)
    refuse("no such file", "missing.json", folder / "missing.json", "-o", page)
    refuse("one bad file of two", "missing.json", path, folder / "missing.json", "-o", page)
    refuse("no output", "-o", path)
    refuse("the result as output", "replace", path, "-o", path)
    refuse("no such folder", "no-such", path, "-o", folder / "no-such" / "page.html")
    failures.equal(parse_json(path.read_text(encoding="utf-8")), good, "the result afterwards")


def check_pipe(page, result):
    """A pipe with a name is written as it is: there is no file beside it to be made."""
    done = subprocess.run([str(REPORT), str(result), "-o", "/dev/stdout"], capture_output=True,
                          timeout=DEADLINE_S, check=False)
    failures.equal((done.returncode, done.stderr), (0, b""), "/dev/stdout: exit code and stderr")
    failures.check(done.stdout == page.read_bytes(), "/dev/stdout: it is not the page of a file")


def check_nothing_half_written(folder, result):
    """Where the page does not fit, the one that was there is left, with nothing beside it."""
    folder.mkdir()
    page = folder / "page.html"
    page.write_text("old", encoding="ascii")
    done = subprocess.run(["prlimit", "--fsize=1000", str(REPORT), str(result), "-o", str(page)],
                          capture_output=True, text=True, timeout=DEADLINE_S, check=False)
    failures.check(done.returncode == 2 and re.fullmatch(r"report: [^\n]+\n", done.stderr),
                   f"a page that does not fit: {done}")
    failures.equal([(path, path.read_text(encoding="utf-8")) for path in folder.iterdir()],
                   [(page, "old")], "a page that does not fit: what is left")


def main():
    require_programs({"chromium": "chromium", "chromedriver": "chromium-driver",
                      "prlimit": "util-linux"})
    load = ("run", "--mix", "graceful=8,rst-client=2", "--duration", "700ms")
    runs = [result_of(*load)[1] for _ in range(2)]
    runs[1]["context"]["kernel"] = "Linux 99.0"  # a machine that was updated between the two
    runs[0]["series"] = course()
    compared = result_of("compare", "graceful", "rst-client", "--duration", "2s",
                         "--bill")[1]
    swept = result_of("sweep", "--scenario", "unread-data", "--vary", "request=1,4096",
                      "--duration", "2s")[1]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        files = [save(folder, f"run{number}", run) for number, run in enumerate(runs)]
        results = {"run": files[:1], "history": files,
                   "comparison": [save(folder, "compared", compared)],
                   "sweep": [save(folder, "swept", swept)]}
        with concurrent.futures.ThreadPoolExecutor(2) as pool:
            pages = dict(zip(results, pool.map(lambda page: make_page(folder, page, *results[page]),
                                               results)))
        check_refusals(folder, runs[0])
        check_pipe(pages["run"], files[0])
        check_nothing_half_written(folder / "full", files[0])
        browser = Browser(folder / "profile")
        try:
            browser.requests()
            check_page(browser, "run", pages["run"], ["cost", "latency", "errors", "series"])
            check_page(browser, "history", pages["history"], ["cost", "rate"])
            check_page(browser, "comparison", pages["comparison"],
                       ["comparison", "cost", "bills", "latency", "errors", "slices"])
            check_page(browser, "sweep", pages["sweep"],
                       ["sweep", "comparison", "cost", "latency", "errors", "slices"])
            check_course(browser, pages["run"])
            check_numbers(browser, pages["comparison"], compared)
            check_history(browser, pages["history"], runs)
            check_escaping(browser, folder, runs[0])
        finally:
            browser.driver.quit()
    failures.finish("the pages are whole, quiet, legible and true")


if __name__ == "__main__":
    sys.exit(main())
