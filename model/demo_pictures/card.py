"""The card on which an object of the demo shop stands, and the one function that draws an item.

A walk along a factor should be something one sees: size is the scale of the object over a common ground line, hue its
colour, shape the rounding of its corners, and price its trim, its gloss and its gold.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from xml.sax.saxutils import escape

from macrid.model.demo_pictures.drawing import Look, Silhouette, disc, filled
from macrid.model.demo_pictures.homeware import draw_chair, draw_lamp, draw_mug, draw_vase
from macrid.model.demo_pictures.wear import draw_bag, draw_hat, draw_shoe

GROUND = 180.0  # y of the line on which everything stands
SMALLEST, LARGEST = 70.0, 164.0  # the larger extent of an object of size 0 and 1, of 200

SILHOUETTES: dict[str, Callable[[Look], Silhouette]] = {
    "bags": draw_bag,
    "shoes": draw_shoe,
    "lamps": draw_lamp,
    "mugs": draw_mug,
    "chairs": draw_chair,
    "hats": draw_hat,
    "vases": draw_vase,
}


def draw(department: str, factors: Sequence[float], title: str) -> str:
    """Draw an item: a self-contained SVG of 200 × 200 units, without scripts or references to other files.

    Args:
        department: One of `demo_shop.DEPARTMENTS`.
        factors: Size, hue, price and shape, each in [0, 1].
        title: What a screen reader says.

    Raises:
        KeyError: There is no drawing for this department.
    """
    size, hue, price, shape = factors
    look = Look.of(hue, price, shape)
    silhouette = SILHOUETTES[department](look)
    scale = (SMALLEST + (LARGEST - SMALLEST) * size) / 100.0
    # Unique, since a page may hold several of these drawings inline.
    clip = f"c{zlib.crc32(repr((department, tuple(factors))).encode()):08x}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200"><title>{escape(title)}</title>'
        '<rect width="200" height="200" rx="14" fill="#f3f1ed"/>'
        '<path d="M0 160H200V186A14 14 0 0 1 186 200H14A14 14 0 0 1 0 186Z" fill="#e6e2db"/>'
        f'<g transform="translate(100 {GROUND:g}) scale({scale:.3f})" stroke-linejoin="round">'
        f"{_shadow(silhouette.footprint)}{silhouette.behind}"
        f'<clipPath id="{clip}"><path d="{silhouette.body}"/></clipPath>'
        f'<g clip-path="url(#{clip})"><path d="M-60-110H60V5H-60Z" fill="{look.base}"/>{silhouette.surface}</g>'
        f"{silhouette.front}</g></svg>\n"
    )


def _shadow(half_width: float) -> str:
    return "".join(filled(disc(2, 0, half_width * spread, 4.5 * spread), "#3a2f28", 0.1) for spread in (1.0, 1.18))
