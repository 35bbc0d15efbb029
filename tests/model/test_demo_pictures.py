"""Every factor can be seen in every picture, and every picture is safe to show."""

import re
from xml.etree import ElementTree

import numpy as np
import pytest

from macrid.model.demo_pictures import draw
from macrid.model.demo_pictures.colours import hexadecimal, mix, polar, ramp
from macrid.model.demo_pictures.drawing import GOLD, Look, box
from macrid.model.demo_shop import DEPARTMENTS

SVG = "{http://www.w3.org/2000/svg}"
EVEN = np.linspace(0, 1, 6).tolist()
all_departments = pytest.mark.parametrize("department", DEPARTMENTS)


def parse(department: str, *, size=0.5, hue=0.5, price=0.5, shape=0.5) -> ElementTree.Element:
    return ElementTree.fromstring(draw(department, (size, hue, price, shape), "An item"))


def on_curve(data: str) -> list[tuple[float, float]]:
    """Return points of a path: corners, ends of arcs, and quadratic curves at a quarter, a half and three quarters."""
    points: list[tuple[float, float]] = []
    for command, body in re.findall(r"([MLQHVaZ])([^MLQHVaZ]*)", data):
        numbers = [float(number) for number in re.findall(r"-?\d+\.?\d*", body)]
        x, y = points[-1] if points else (0.0, 0.0)
        if command in "ML":
            points.append((numbers[0], numbers[1]))
        elif command == "Q":
            control, end = numbers[:2], numbers[2:]
            for t in (0.25, 0.5, 0.75, 1.0):
                weights = ((1 - t) ** 2, 2 * t * (1 - t), t**2)
                points.append(tuple(np.dot(weights, axis) for axis in zip((x, y), control, end, strict=True)))
        elif command == "a":
            points.append((x + numbers[5], y + numbers[6]))
    return points


def drawn_points(picture: ElementTree.Element) -> np.ndarray:
    """Return points of the object in units of the frame, without its shadow and what is cut off: (n, 2)."""
    group = picture.find(f"{SVG}g")
    scale = float(re.search(r"scale\(([\d.]+)\)", group.get("transform")).group(1))
    shadow = 2
    paths = [*group.findall(f"{SVG}path")[shadow:], *group.findall(f"{SVG}clipPath/{SVG}path")]
    return np.array([point for path in paths for point in on_curve(path.get("d"))]) * scale + [100, 180]


def extent(picture: ElementTree.Element) -> float:
    return np.ptp(drawn_points(picture), axis=0).max()


def gold(picture: ElementTree.Element) -> float:
    """Return the total width of the gold lines."""
    return sum(float(path.get("stroke-width")) for path in picture.iter(f"{SVG}path") if path.get("stroke") == GOLD)


def body(picture: ElementTree.Element) -> str:
    return picture.find(f".//{SVG}clipPath/{SVG}path").get("d")


def base_colour(picture: ElementTree.Element) -> str:
    return picture.find(f"{SVG}g/{SVG}g/{SVG}path").get("fill")


class TestFactors:
    @all_departments
    def test_size_is_the_extent_on_a_common_ground(self, department):
        pictures = [parse(department, size=size) for size in EVEN]
        extents = [extent(picture) for picture in pictures]
        assert (np.diff(extents) > 10).all()
        assert 60 < extents[0] < 80
        assert 150 < extents[-1] < 180
        for picture in pictures:
            assert drawn_points(picture)[:, 1].max() == pytest.approx(180, abs=4)

    @all_departments
    def test_hue_is_the_colour_of_the_body(self, department):
        assert [base_colour(parse(department, hue=hue)) for hue in EVEN] == [hexadecimal(ramp(hue)) for hue in EVEN]

    @all_departments
    def test_price_is_the_amount_of_gold_and_gloss(self, department):
        pictures = [parse(department, price=price) for price in EVEN]
        amounts = [gold(picture) for picture in pictures]
        assert amounts[0] == 0
        assert (np.diff(amounts) > 0.3).all()
        assert all(path.get("fill") != "#fff" for path in pictures[0].iter())
        assert any(path.get("fill") == "#fff" for path in pictures[-1].iter())

    @all_departments
    def test_shape_sharpens_the_corners_of_the_body(self, department):
        assert body(parse(department, shape=0.0)).count("Q") >= 4
        assert body(parse(department, shape=0.0)) != body(parse(department, shape=0.5))
        assert body(parse(department, shape=1.0)).count("Q") == 0

    @all_departments
    def test_the_object_stays_within_the_frame(self, department):
        for shape in (0.0, 0.5, 1.0):
            points = drawn_points(parse(department, size=1.0, price=1.0, shape=shape))
            assert points.min() > 6
            assert points.max() < 194


class TestOutline:
    SQUARE = box(0, 0, 10, 10)

    def test_a_round_square_joins_the_middles_of_its_edges(self):
        assert (
            Look.of(0.5, 0.5, 0.0).outline(self.SQUARE) == "M0 5Q0 0 5 0L5 0Q10 0 10 5L10 5Q10 10 5 10L5 10Q0 10 0 5Z"
        )

    def test_an_angular_square_has_its_corners(self):
        assert Look.of(0.5, 0.5, 1.0).outline(self.SQUARE) == "M0 0L10 0L10 10L0 10Z"

    def test_an_open_line_keeps_its_ends(self):
        line = Look.of(0.5, 0.5, 0.5).outline([(0, 0), (0, -8), (8, -8)], closed=False)
        assert line == "M0 0L0-6Q0-8 2-8L8-8"


class TestColours:
    def test_known_colours(self):
        # The values of white and of red that the definition of OKLab gives.
        assert hexadecimal(np.array([1.0, 0.0, 0.0])) == "#ffffff"
        assert hexadecimal(np.array([0.627955, 0.224863, 0.125846])) == "#ff0000"
        assert hexadecimal(polar(0.0, 0.0, 0.0)) == "#000000"

    def test_equal_steps_of_the_ramp_are_equally_far_apart(self):
        steps = np.linalg.norm(np.diff([ramp(hue) for hue in np.linspace(0, 1, 21)], axis=0), axis=1)
        assert steps.max() < 1.35 * steps.min()

    def test_the_ramp_is_no_circle(self):
        colours = np.array([ramp(hue) for hue in np.linspace(0, 1, 21)])
        angles = np.rad2deg(np.unwrap(np.arctan2(colours[:, 2], colours[:, 1])))
        assert (np.diff(angles) < 0).all()
        assert 240 < angles[0] - angles[-1] < 270  # from indigo through green to crimson, and no way back by purple

    def test_the_middle_of_a_mixture_is_half_way(self):
        np.testing.assert_allclose(mix(np.zeros(3), np.ones(3), 0.5), 0.5)


class TestDocument:
    @all_departments
    def test_pictures_are_small_self_contained_and_without_scripts(self, department):
        rng = np.random.default_rng(1)
        for factors in [*rng.random((20, 4)), np.zeros(4), np.ones(4)]:
            text = draw(department, factors, "An item")
            picture = ElementTree.fromstring(text)
            assert picture.get("viewBox") == "0 0 200 200"
            assert len(text.encode()) <= 3500
            assert {element.tag.removeprefix(SVG) for element in picture.iter()} <= {
                "svg", "title", "rect", "path", "g", "clipPath",
            }  # fmt: skip
            assert not re.search(r"href|url\((?!#)|\bon\w+=|nan|inf", text)

    def test_the_title_is_escaped(self):
        picture = ElementTree.fromstring(draw("mugs", (0.5, 0.5, 0.5, 0.5), 'A <b>"mug"</b> & more'))
        assert picture.find(f"{SVG}title").text == 'A <b>"mug"</b> & more'

    def test_pictures_on_one_page_do_not_share_ids(self):
        pairs = [draw("bags", (0.5, 0.5, 0.5, shape), "A bag") for shape in (0.1, 0.2)] + [
            draw("hats", (0.5, 0.5, 0.5, 0.1), "A hat")
        ]
        assert len({re.search(r'id="(\w+)"', text).group(1) for text in pairs}) == 3

    def test_a_department_without_a_drawing_is_an_error(self):
        with pytest.raises(KeyError, match="boats"):
            draw("boats", (0.5, 0.5, 0.5, 0.5), "A boat")
