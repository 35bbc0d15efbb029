"""Figure 3: walks along one dimension as strips of pictures, or of titles where the catalogue has no pictures of its own."""

import base64
import html
import re
import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.catalogue import Catalogue
from macrid.artifacts.schema import Concept, Dimension
from macrid.model.analysis.walks import Walker
from macrid.model.report.style import INK, colour, with_ids_of_its_own

CELL = 120  # edge of a picture, px
LINES, LETTERS = 5, 15  # of a title on a card


@dataclass(frozen=True)
class Strip:
    """A walk: the concept and dimension it follows, the item it starts from, and the items passed, coordinates rising."""

    concept: Concept
    dimension: Dimension
    start: str
    titles: tuple[str, ...]
    svg: str


def best_dimensions(concepts: Sequence[Concept]) -> list[tuple[Concept, Dimension]]:
    """Every concept's best named dimension, by strength × importance; best first. A rule, so that nothing is picked by hand."""
    named = [
        (concept, max(found, key=_worth))
        for concept in concepts
        if (found := [d for d in concept.dimensions if d.low.label and d.high.label])
    ]
    return sorted(named, key=lambda pair: -_worth(pair[1]))


def _worth(dimension: Dimension) -> float:
    return dimension.strength * dimension.importance


def walk_strips(bundle: Bundle, walker: Walker, most: int) -> list[Strip]:
    """Walk along the best dimensions of the first so many concepts, each from its concept's best exemplar."""
    strips = []
    everything = np.arange(bundle.manifest.items)
    for concept, dimension in best_dimensions(bundle.concepts)[:most]:
        start = bundle.catalogue.indices(concept.exemplars[:1])[concept.exemplars[0]]
        rows = list(walker(start, dimension.dim, everything))
        titles = tuple(item.title for item in bundle.catalogue.items(rows))
        name = f"{dimension.low.label} to {dimension.high.label}"
        picture = with_ids_of_its_own(svg_strip(bundle.catalogue, rows, name, colour(concept.index)), dimension.id)
        strips.append(Strip(concept, dimension, bundle.catalogue.item(start).title, titles, picture))
    return strips


def svg_strip(catalogue: Catalogue, rows: Sequence[int], name: str, tint: str) -> str:
    """Items side by side in one SVG element: their own pictures, else cards with their titles.

    Args:
        catalogue: of the bundle.
        rows: item indices, left to right.
        name: what the strip shows, for those who cannot see it.
        tint: the cards' colour.
    """
    cells = [
        _cell(catalogue, row, at, title)
        for at, (row, title) in enumerate(zip(rows, _titles(catalogue, rows), strict=True))
    ]
    width = CELL * len(cells)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {CELL}" role="img" aria-label="{html.escape(name)}" '
        f'style="--tint: {tint}">{"".join(cells)}</svg>'
    ).replace("var(--tint)", tint)


def _titles(catalogue: Catalogue, rows: Sequence[int]) -> list[str]:
    return [item.title for item in catalogue.items(rows)]


def _cell(catalogue: Catalogue, row: int, at: int, title: str) -> str:
    picture = catalogue.picture(row)
    place = f'x="{at * CELL}" y="0" width="{CELL}" height="{CELL}"'
    if picture is None:
        return _card(at, title)
    if picture.media_type == "image/svg+xml":
        return _inlined(picture.data.decode(), at, place)
    data = base64.b64encode(picture.data).decode()
    return f'<image {place} href="data:{picture.media_type};base64,{data}"><title>{html.escape(title)}</title></image>'


def _inlined(picture: str, at: int, place: str) -> str:
    """An SVG picture as a part of ours: placed, and with ids of its own, since ids are of the whole file."""
    picture = re.sub(r"<\?xml.*?\?>", "", picture)
    picture = with_ids_of_its_own(picture, f"s{at}")
    head, rest = picture[: picture.index(">")], picture[picture.index(">") :]
    return re.sub(r'\s(width|height|x|y)="[^"]*"', "", head).replace("<svg", f"<svg {place}", 1) + rest


def _card(at: int, title: str) -> str:
    lines = textwrap.wrap(title, LETTERS)
    if len(lines) > LINES:
        lines = [*lines[: LINES - 1], lines[LINES - 1][: LETTERS - 1] + "…"]
    left, top = at * CELL, CELL / 2 - 8 * (len(lines) - 1)
    words = "".join(
        f'<text x="{left + CELL / 2}" y="{top + 16 * row + 4}" text-anchor="middle" font-size="12" fill="{INK}" '
        f'font-family="sans-serif">{html.escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    box = f'<rect x="{left + 4}" y="4" width="{CELL - 8}" height="{CELL - 8}" rx="6" fill="var(--tint)" fill-opacity=".14"/>'
    return f"<g><title>{html.escape(title)}</title>{box}{words}</g>"
