"""Drawing tools of the demo shop's pictures: outlines from round to angular, and the colours and materials of one item.

Everything is drawn in units of the object: its larger extent is 100, it stands on y = 0, x = 0 is its middle, y grows
downwards as SVG has it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from macrid.model.demo_pictures.colours import hexadecimal, mix, polar, ramp, tone

Point = tuple[float, float]

_GOLD, _GOLD_LIGHT = polar(0.72, 0.125, 82), polar(0.88, 0.09, 90)
_RUBBER, _LEATHER = polar(0.95, 0.015, 85), polar(0.30, 0.03, 50)
GOLD, GOLD_LIGHT, CREAM, DARK = (hexadecimal(colour) for colour in (_GOLD, _GOLD_LIGHT, _RUBBER, _LEATHER))


@dataclass(frozen=True)
class Look:
    """What the factors other than size mean for the drawing.

    Attributes:
        angularity: 0 is round, 1 is angular.
        price: 0 is plain, 1 is richly made.
        base, light, shade, deep: The item's colour and its tones.
        trim: Edges and straps: the item's own colour when cheap, dark leather when dear.
        ribbon: The same for broader bands.
        sole: From rubber to dark leather.
        metal: Buttons and clasps: the item's own colour when cheap, gold from a price of 0.3.
    """

    angularity: float
    price: float
    base: str
    light: str
    shade: str
    deep: str
    trim: str
    ribbon: str
    sole: str
    metal: str

    @staticmethod
    def of(hue: float, price: float, shape: float) -> Look:
        """Return the look of an item with these factors."""
        colour = ramp(hue)
        deep = tone(colour, 0.7)
        made = (  # from cheap to dear
            mix(tone(colour, 0.8), _LEATHER, price),
            mix(deep, _LEATHER, price),
            mix(_RUBBER, _LEATHER, price),
            mix(deep, _GOLD, min(price / 0.3, 1.0)),
        )
        tones = (colour, tone(colour, 1.1), tone(colour, 0.88), deep, *made)
        return Look(shape, price, *(hexadecimal(each) for each in tones))

    def between(self, low: float, high: float) -> float:
        """Return how far the price has come from `low` to `high`, within [0, 1]."""
        return min(max((self.price - low) / (high - low), 0.0), 1.0)

    def blend(self, round_value: float, angular_value: float) -> float:
        """Return the value between these two that suits the item's shape."""
        return round_value + self.angularity * (angular_value - round_value)

    def morph(self, round_points: Sequence[Point], angular_points: Sequence[Point]) -> list[Point]:
        """Return the corners between those of the quite round and of the quite angular object, pair by pair."""
        pairs = zip(round_points, angular_points, strict=True)
        return [(self.blend(soft[0], sharp[0]), self.blend(soft[1], sharp[1])) for soft, sharp in pairs]

    def outline(self, points: Sequence[Point], softest: float | Sequence[float] = 1.0, *, closed: bool = True) -> str:
        """Return the path data of a polygon whose corners are rounded as the item is round.

        Args:
            points: The corners.
            softest: The rounding of every corner of a quite round item: 0 keeps it sharp, 1 rounds from the middle of
                one edge to the middle of the next.
            closed: Whether the last corner is joined to the first.
        """
        limits = [softest] * len(points) if isinstance(softest, (int, float)) else list(softest)
        corners = []
        for position, corner in enumerate(points):
            cut = limits[position] * (1.0 - self.angularity) / 2.0
            if cut == 0 or (not closed and position in (0, len(points) - 1)):
                corners.append(_at(corner))
                continue
            before, after = points[position - 1], points[(position + 1) % len(points)]
            corners.append(f"{_at(_toward(corner, before, cut))}Q{_at(corner)} {_at(_toward(corner, after, cut))}")
        return ("M" + "L".join(corners) + ("Z" if closed else "")).replace(" -", "-")


@dataclass(frozen=True)
class Silhouette:
    """The layers of an object, from back to front.

    Attributes:
        footprint: Half the width of its shadow.
        behind: What the body covers.
        body: Path data of the body's outline.
        surface: What lies on the body and is cut off at its outline.
        front: What lies over everything.
    """

    footprint: float
    behind: str
    body: str
    surface: str
    front: str


def filled(data: str, colour: str, opacity: float = 1.0) -> str:
    """Return a filled path, or nothing when it would not be seen."""
    return f'<path d="{data}" fill="{colour}"{_opacity(opacity)}/>' if opacity > 0.01 else ""


def stroked(data: str, colour: str, width: float, fill: str = "none") -> str:
    """Return a stroked path, filled as well if a fill is named, or nothing when it would not be seen."""
    if width < 0.05 and fill == "none":
        return ""
    return f'<path d="{data}" fill="{fill}" stroke="{colour}" stroke-width="{_short(width)}"/>'


def line(*points: Point) -> str:
    """Return the path data of straight lines through the points."""
    return "M" + "L".join(_at(point) for point in points)


def disc(x: float, y: float, radius_x: float, radius_y: float) -> str:
    """Return the path data of an ellipse."""
    arc = f"a{_short(radius_x)} {_short(radius_y)} 0 1 0"
    return f"M{_at((x - radius_x, y))}{arc} {_short(2 * radius_x)} 0{arc} {_short(-2 * radius_x)} 0Z"


def box(left: float, top: float, width: float, height: float) -> tuple[Point, Point, Point, Point]:
    """Return the corners of a rectangle, clockwise from the top left."""
    return (left, top), (left + width, top), (left + width, top + height), (left, top + height)


def mirrored(left: Sequence[Point]) -> list[Point]:
    """Return a symmetric polygon from the corners of its left side, listed from the ground up."""
    return [*left, *((-x, y) for x, y in reversed(left))]


def band(y: float) -> str:
    """Return the path data of a level line across the whole object, to be cut off at its outline."""
    return line((-60, y), (60, y))


def belt(look: Look, y: float, narrow: float, broad: float) -> str:
    """Return a belt around the object that broadens with the price and gains a gold line along either edge."""
    width = narrow + look.price * (broad - narrow)
    edges = band(y - width / 2) + band(y + width / 2)
    return stroked(band(y), look.trim, width) + stroked(edges, GOLD, 4 * look.price)


def shading(look: Look, left: float, top: float) -> str:
    """Return the shaded right side of a body, from x = left at the top: bounded by a curve, or an edge when angular."""
    bulge = left + look.blend(16, 0)
    return filled(f"M{_at((left, top))}Q{_at((bulge, top / 2))} {_at((left - 4, 5))}H60V{top:g}Z", look.shade)


def gloss(look: Look, left: float, top: float, height: float, lean: float = 0.0) -> str:
    """Return a highlight that comes with the price."""
    points = [(left, top), (left + 7, top), (left + 7 + lean, top + height), (left + lean, top + height)]
    return filled(look.outline(points), "#fff", 0.6 * look.between(0.15, 1.0))


def facet(look: Look, *points: Point) -> str:
    """Return a lit plane that comes with angularity."""
    return filled(line(*points), look.light, 0.9 * look.angularity)


def buttons(look: Look, radius: float, *places: Point) -> str:
    """Return buttons at these places, with a glint on those of gold."""
    if radius < 0.3:
        return ""
    rings = "".join(look.outline(box(x - radius, y - radius, 2 * radius, 2 * radius)) for x, y in places)
    glints = "".join(disc(x - radius / 3, y - radius / 3, radius / 3, radius / 3) for x, y in places)
    return filled(rings, look.metal) + filled(glints, GOLD_LIGHT, look.between(0.2, 0.6))


def _toward(point: Point, other: Point, share: float) -> Point:
    return point[0] + share * (other[0] - point[0]), point[1] + share * (other[1] - point[1])


def _at(point: Point) -> str:
    return f"{_short(point[0])} {_short(point[1])}".replace(" -", "-")


def _short(number: float) -> str:
    return f"{round(number, 1) + 0.0:g}"


def _opacity(opacity: float) -> str:
    return f' opacity="{opacity:.2g}"' if opacity < 0.995 else ""
