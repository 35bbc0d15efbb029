"""Pictures of the demo shop's items: one SVG drawing per item, from its department and factors."""

from __future__ import annotations

from collections.abc import Sequence
from xml.sax.saxutils import escape


def draw(department: str, factors: Sequence[float], title: str) -> str:
    """Draw an item: a self-contained SVG of 200 × 200 units.

    Args:
        department: One of `demo_shop.DEPARTMENTS`.
        factors: Size, hue, price and shape, each in [0, 1].
        title: What a screen reader says.
    """
    size, hue, _price, shape = factors
    width = 70 + 100 * size
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200"><title>' + escape(title) + "</title>"
        '<rect width="200" height="200" rx="16" fill="#f3f0ea"/>'
        f'<rect x="{100 - width / 2:.1f}" y="{180 - width:.1f}" width="{width:.1f}" height="{width:.1f}" '
        f'rx="{(1 - shape) * width / 2:.1f}" fill="hsl({230 + 130 * hue:.0f} 50% 50%)"/></svg>\n'
    )
