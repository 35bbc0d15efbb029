"""How figures look: one set of colours and sizes, and how a figure becomes files."""

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

# The page's concept colours (service/web/css/tokens.css, light): in this order they are told apart by colour-blind eyes.
CONCEPT_COLOURS = (
    "#1e55a4", "#b6753b", "#2f9b79", "#6f0000", "#4a1a6f", "#af283d", "#7e6cb5", "#74315e", "#725a74", "#24319b",
    "#3e5700", "#1d4030", "#8d6803", "#6e8aa3", "#547866", "#600a53", "#8d247b", "#2f7990", "#3b643a", "#761247",
)  # fmt: skip
INK, SOFT_INK, LINE = "#1c1a17", "#655f57", "#e0dbd1"
WIDTH = 7.2  # inches, the page's column
DPI = 200

RC: dict[Any, Any] = {
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "font.family": "sans-serif",
    "font.size": 8,
    "axes.titlesize": 8.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.edgecolor": SOFT_INK,
    "axes.linewidth": 0.6,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "text.color": INK,
    "xtick.color": SOFT_INK,
    "ytick.color": SOFT_INK,
    "grid.color": LINE,
    "grid.linewidth": 0.5,
    "legend.frameon": False,
    "svg.fonttype": "none",  # words stay words: to be found, read aloud and set in the page's own type
    "svg.hashsalt": "macrid",  # the same figure gives the same file
}


def colour(index: int) -> str:
    """Of a concept, or of any other of several things; they repeat after twenty."""
    return CONCEPT_COLOURS[index % len(CONCEPT_COLOURS)]


@contextmanager
def drawing(height: float, width: float = WIDTH) -> Iterator[Figure]:
    """Yield an empty figure of this size in inches, in our style; nothing global is changed."""
    with mpl.rc_context(RC):
        yield Figure(figsize=(width, height), dpi=DPI, layout="constrained")


def with_ids_of_its_own(svg: str, prefix: str) -> str:
    """The same SVG with every id, and every reference to one, begun with a prefix: ids are of the whole page."""
    return re.sub(r"\b(id=\"|url\(#|href=\"#)", rf"\g<1>{prefix}-", svg)


def save(figure: Figure, path: Path) -> str:
    """Write path.png and path.svg.

    Returns:
        The SVG element, to stand in a page; its ids begin with the file's name.
    """
    with mpl.rc_context(RC):
        figure.savefig(path.with_suffix(".png"), dpi=DPI, facecolor="white")
        text = io.StringIO()
        figure.savefig(text, format="svg", dpi=DPI, metadata={"Date": None, "Creator": None})
    svg = re.sub(r' id="image[0-9a-f]+"', "", text.getvalue())  # equal for equal panels, and never referred to
    path.with_suffix(".svg").write_text(svg, encoding="utf-8")
    return with_ids_of_its_own(svg[svg.index("<svg") :], path.name)
