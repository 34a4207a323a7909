"""The page: sections of figures and tables, in HTML that needs nothing from anywhere else. The
policy in its head has the browser refuse any request and any script."""

import html
import pathlib
from dataclasses import dataclass, field
from typing import Optional

from report_parts.chart import Chart, render

STYLE_SHEET = pathlib.Path(__file__).with_name("style.css")

# A table of more rows is folded away until it is asked for, and not printed.
OPEN_ROWS = 16

# Letters of a cell that is not wrapped.
SHORT = 16


class Markup(str):
    """HTML, as opposed to text that must be escaped."""


def escaped(value):
    return value if isinstance(value, Markup) else Markup(html.escape(str(value)))


def element(name, content, **attributes):
    """<name ...>content</name>; `class_` stands for class, and an underscore for a hyphen."""
    written = "".join(f' {key.strip("_").replace("_", "-")}="{html.escape(str(value))}"'
                      for key, value in attributes.items())
    return Markup(f"<{name}{written}>{escaped(content)}</{name}>")


def joined(parts):
    return Markup("".join(map(escaped, parts)))


def _cell_style(column, cell):
    """Numbers stand at the right, and short words stay on their line."""
    if column.startswith("#"):
        return {"class_": "number"}
    return {"class_": "short"} if 0 < len(cell) <= SHORT and not isinstance(cell, Markup) else {}


@dataclass
class Table:
    """`columns` whose name begins with '#' hold numbers; the first column names the row."""
    caption: str
    columns: list
    rows: list
    note: str = ""
    is_wide: bool = False  # scrolls on a narrow page, instead of wrapping each cell

    def _row(self, cells):
        written = []
        for column, cell in zip(self.columns, cells, strict=True):
            attributes = _cell_style(column, cell) | ({} if written else {"scope": "row"})
            written.append(element("td" if written else "th", cell, **attributes))
        return element("tr", joined(written))

    def html(self):
        head = joined(element("th", column.removeprefix("#"), scope="col",
                              **_cell_style(column, "")) for column in self.columns)
        body = joined(self._row(row) for row in self.rows)
        table = element("table", joined([element("caption", self.caption),
                                         element("thead", element("tr", head)),
                                         element("tbody", body)]))
        style = "scroll wide" if self.is_wide else "scroll"
        box = element("div", table, class_=style, tabindex=0, role="region",
                      aria_label=f"Table: {self.caption}")
        note = element("p", self.note, class_="note") if self.note else ""
        return joined([box, note])

    def folded(self):
        """With a line that opens and closes it."""
        is_open = ' open=""' if len(self.rows) <= OPEN_ROWS else ""
        rows = "1 row" if len(self.rows) == 1 else f"{len(self.rows):,} rows"
        summary = element("summary", f"The numbers, {rows}")
        return Markup(f"<details{is_open}>{summary}{self.html()}</details>")


@dataclass
class Section:
    """A heading, what it shows in a sentence, a figure if there is one, and its tables: the first
    is the figure's."""
    id: str
    title: str
    sentence: object = ""
    chart: Optional[Chart] = None
    tables: list = field(default_factory=list)
    body: Markup = Markup("")

    def html(self):
        parts = [element("h2", self.title, id=f"{self.id}-heading"), self.body]
        if self.chart:
            caption = element("figcaption", self.sentence)
            drawing = Markup(render(self.chart, self.id, self.title))
            parts.append(element("figure", joined([caption, drawing])))
        elif self.sentence:
            parts.append(element("p", self.sentence))
        parts += [table.folded() if self.chart and table is self.tables[0] else table.html()
                  for table in self.tables]
        return element("section", joined(parts), id=self.id, aria_labelledby=f"{self.id}-heading")


def document(title, facts, sections):
    """The whole page; `facts` stand below its title, a line each."""
    links = joined(element("li", element("a", section.title, href=f"#{section.id}"))
                   for section in sections)
    header = joined([element("h1", title), *(element("p", fact) for fact in facts)])
    main = joined([element("nav", element("ul", links), aria_label="Contents"),
                   *(section.html() for section in sections)])
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>{escaped(title)} - ringchurn</title>
<style>
{STYLE_SHEET.read_text(encoding="utf-8")}</style>
</head>
<body>
{element("header", header)}
{element("main", main)}
</body>
</html>
"""
