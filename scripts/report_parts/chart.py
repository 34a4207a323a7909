"""Charts as SVG inside the page. Each is drawn twice, for a wide and for a narrow page, because
text that shrinks with its figure cannot be read on a telephone; the style sheet shows one of them.
Colours are variables of the page, so that one drawing serves light, dark and paper. Nothing is told
by colour alone: markers, dashes, hatches and words say it, too."""

import html
import io
import re
import warnings
from dataclasses import dataclass
from typing import Callable

from matplotlib import rc_context
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter, MaxNLocator

from report_parts.numbers import tick

# What is written into the drawing, and the variable of the style sheet that takes its place.
INK, MUTED, GRID, BAND, PAGE = "#010101", "#020202", "#030303", "#040404", "#050505"
# Okabe and Ito's colours. Their yellow and black are left out: no page shows both.
BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY = ("#0072b2", "#d55e00", "#009e73", "#cc79a7",
                                               "#e69f00", "#56b4e9")
VARIABLES = {INK: "ink", MUTED: "muted", GRID: "grid", BAND: "band", PAGE: "page", BLUE: "blue",
             VERMILLION: "vermillion", GREEN: "green", PURPLE: "purple", ORANGE: "orange",
             SKY: "sky"}


@dataclass(frozen=True)
class Look:
    """How one of several lines, or parts, is told from the others."""
    colour: str
    marker: str
    dashes: object
    hatch: str

    def line(self):
        """Properties of a line, for matplotlib."""
        return {"color": self.colour, "linestyle": self.dashes, "marker": self.marker}


LOOKS = (Look(BLUE, "o", "-", ""), Look(VERMILLION, "s", (0, (6, 2)), "////"),
         Look(GREEN, "^", (0, (2, 1.5)), "...."), Look(PURPLE, "D", (0, (8, 2, 2, 2)), "xxxx"),
         Look(ORANGE, "v", (0, (4, 1, 1, 1, 1, 1)), "\\\\\\\\"),
         Look(SKY, "P", (0, (1, 1)), "++++"), Look(INK, "X", (0, (10, 3)), "----"))

STYLE = {
    "svg.fonttype": "none", "svg.hashsalt": "ringchurn", "text.parse_math": False,
    "font.size": 12, "axes.titlesize": 12, "axes.titlelocation": "left", "axes.titlepad": 7,
    "axes.titleweight": "bold", "axes.labelsize": 12, "text.color": INK, "axes.labelcolor": INK,
    "axes.titlecolor": INK, "axes.edgecolor": MUTED, "xtick.color": MUTED, "ytick.color": MUTED,
    "xtick.labelcolor": INK, "ytick.labelcolor": INK, "axes.facecolor": "none",
    "axes.spines.top": False, "axes.spines.right": False, "axes.grid": True, "grid.color": GRID,
    "grid.linewidth": 1, "axes.axisbelow": True, "axes.linewidth": 1, "lines.linewidth": 1.8,
    "lines.markersize": 6, "path.simplify": False, "hatch.color": INK, "hatch.linewidth": 0.8,
    "legend.frameon": False, "legend.borderaxespad": 0, "legend.borderpad": 0,
    "legend.handlelength": 2.6,
}


@dataclass(frozen=True)
class Chart:
    """A figure to be: `draw` fills a sheet, `form` says in words what kind of figure that is."""
    form: str
    draw: Callable


class Sheet:
    """A figure that grows downwards. All lengths are CSS pixels at its natural size."""

    def __init__(self, name, width):
        self.name, self.width, self.top = name, width, 4
        self.figure = Figure(dpi=72)
        self.placed = []

    @property
    def is_wide(self):
        return self.name == "wide"

    def panels(self, titles, height, columns=1, below=26, left=46):
        """Axes below what is there, one for each title, `columns` of them side by side."""
        placed, share = [], (self.width - 8) / columns
        for start in range(0, len(titles), columns):
            row = titles[start:start + columns]
            self.top += 22 if any(row) else 0
            for index, title in enumerate(row):
                axes = self.figure.add_axes([0, 0, 1, 1], label=f"{len(self.placed)}")
                axes.set_title(title or "")
                self.placed.append((axes, index * share + left, self.top, share - left - 12,
                                    height))
                placed.append(axes)
            self.top += height + below
        return placed

    def panel(self, height, title=None, **space):
        return self.panels([title], height, **space)[0]

    def legend(self, handles):
        """The key to the lines, in as many columns as fit."""
        widest = max(len(handle.get_label()) for handle in handles)
        columns = max(1, min(len(handles), int(self.width / (7.3 * widest + 54))))
        rows = -(-len(handles) // columns)
        axes = self.panel(rows * 19, below=6, left=4)
        axes.axis("off")
        axes.legend(handles=handles, loc="upper left", ncol=columns, labelspacing=0.45)

    def svg(self):
        for axes, left, top, width, height in self.placed:
            axes.set_position([left / self.width, 1 - (top + height) / self.top,
                               width / self.width, height / self.top])
        self.figure.set_size_inches(self.width / 72, self.top / 72)
        text = io.StringIO()
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph")  # the browser has other fonts
            self.figure.savefig(text, format="svg", transparent=True,
                                metadata={"Date": None, "Creator": None})
        return text.getvalue()


SHEETS = (("wide", 800), ("narrow", 360))


def plain_axis(axis, most=6):
    """Few round numbers, written short."""
    axis.set_major_locator(MaxNLocator(most, steps=[1, 2, 2.5, 5, 10]))
    axis.set_major_formatter(FuncFormatter(tick))


def log_axis(axis):
    """One number a decade; if less than two decades are seen, some between."""
    low, high = axis.get_view_interval()
    between = (1.0,) if high / low > 50 else (1.0, 2.0, 5.0)
    axis.get_major_locator().set_params(subs=between)
    axis.set_major_formatter(FuncFormatter(tick))
    axis.set_minor_locator(MaxNLocator(1))
    axis.set_minor_formatter(FuncFormatter(lambda *_: ""))


def bare_rows(axes, rows):
    """Axes whose rows carry their names in the picture: no vertical axis."""
    axes.set_ylim(-rows + 0.35, 0.75)
    axes.yaxis.set_visible(False)
    axes.spines["left"].set_visible(False)
    axes.grid(False, axis="y")


def row_label(axes, row, name, value, **properties):
    """Above a row: its name at the left, its value at the right."""
    paper = {"facecolor": PAGE, "edgecolor": "none", "pad": 1}  # no line runs through the words
    place = {"transform": axes.get_yaxis_transform(), "va": "center", "bbox": paper} | properties
    axes.text(0, -row + 0.4, name, ha="left", **place)
    axes.text(1, -row + 0.4, value, ha="right", **place)


def interval_line(axes, row, low, high, colour):
    """An interval, with an end to either side."""
    axes.plot([low, high], [-row, -row], color=colour, marker="|", markersize=10,
              markeredgewidth=1.6)


def _inline(svg, sheet, prefix, title, form):
    """What matplotlib wrote, fit to stand in a page: ids that are the page's own, its colours, its
    fonts, and words for who cannot see it."""
    body = re.sub(r"<(metadata|style)\b.*?</\1>", "", svg[svg.index(">", svg.index("<svg")) + 1:],
                  flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = re.sub(r'(\bid="|url\(#)', rf"\g<1>{prefix}-", body)
    body = body.replace('xlink:href="#', f'href="#{prefix}-')
    body = re.sub(r"font: ([^;\"]*?px) [^;\"]*", r"font: \1 var(--font)", body)
    body = re.sub(r"#[0-9a-f]{6}\b", lambda match: f"var(--{VARIABLES[match[0]]})"
                  if match[0] in VARIABLES else match[0], body)
    body = re.sub(r"\n\s*", "\n", body)
    # A hundredth of a pixel is enough, and half of the size.
    body = re.sub(r'(?<= d=")[^"]*', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), body)
    return (f'<svg class="{sheet.name}" viewBox="0 0 {sheet.width} {sheet.top:g}" role="img" '
            f'aria-labelledby="{prefix}-title {prefix}-form">'
            f'<title id="{prefix}-title">{html.escape(title)}</title>'
            f'<desc id="{prefix}-form">{html.escape(form)}</desc>{body}')


def render(chart, figure_id, title):
    """The chart as SVG, for wide pages and for narrow ones."""
    drawings = []
    for name, width in SHEETS:
        with rc_context(STYLE):
            sheet = Sheet(name, width)
            chart.draw(sheet)
            drawings.append(_inline(sheet.svg(), sheet, f"{figure_id}-{name}", title, chart.form))
    return "".join(drawings)
