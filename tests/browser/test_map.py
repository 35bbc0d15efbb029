"""The map in a real browser: what is on it, pointing at it, drawing around some of it, walking over it."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Route, expect

from macrid.artifacts.store import Store
from tests.browser.conftest import serve
from tests.support.visits import fragment, history, items

pytestmark = pytest.mark.slow

WITHOUT_PLACES = Path(__file__).parents[1] / "golden" / "format-1"


@pytest.fixture
def ids(page: Page, address: str) -> list[str]:
    """A history of four popular items."""
    return [item["item_id"] for item in items(page, address)[:4]]


@pytest.fixture
def mapped(page: Page, address: str, ids: list[str]) -> Page:
    """The map, with a history on it."""
    page.goto(address + fragment(ids, v="map"))
    expect(page.locator(".map-star")).to_have_count(3)
    expect(page.locator(".map-click")).to_have_count(4)
    return page


@pytest.fixture(scope="session")
def address_without_places(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    store = tmp_path_factory.mktemp("without-places")
    Store(store).publish(WITHOUT_PLACES)
    with serve(store) as address:
        yield address


def test_every_concept_has_its_colour_a_star_and_a_name(mapped: Page, address: str) -> None:
    concepts = mapped.request.get(address + "concepts").json()["concepts"]
    assert mapped.locator(".map-star text").all_text_contents() == [concept["label"] for concept in concepts]
    mapped.evaluate("() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))")
    seen = mapped.evaluate(COLOURS_SEEN, [f"var(--concept-{concept['concept']})" for concept in concepts])
    assert min(seen) > 50, seen  # pixels; twenty items of each concept, most of them apart


def test_the_map_shows_where_the_visitor_stands(mapped: Page, address: str, ids: list[str]) -> None:
    user = mapped.request.post(address + "map", data={"history": ids}).json()
    evident = [c for c in user["components"] if c["share"] >= 0.5 / len(user["components"])]
    pins = mapped.locator(".map-component text")
    assert pins.all_text_contents() == [f"{round(component['share'] * 100)}%" for component in evident]
    expect(mapped.locator(".map-click")).to_have_count(len(ids))


def test_pointing_at_an_item_shows_it(mapped: Page) -> None:
    window = mapped.locator(".map-window")
    window.focus()
    window.press("ArrowRight")
    title = mapped.locator(".map-tip-title").inner_text()
    box = mapped.locator(".map-ring").bounding_box()
    window.press("Escape")
    expect(mapped.locator(".map-tip")).to_have_count(0)
    assert box
    mapped.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    expect(mapped.locator(".map-tip-title")).to_have_text(title)
    expect(mapped.locator(".map-tip .picture")).to_be_visible()
    mapped.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    mapped.get_by_role("button", name="Look closer").click()
    expect(mapped.locator("#item-title")).to_have_text(title)


def test_a_lasso_adds_what_it_caught(page: Page, address: str) -> None:
    page.goto(address + "#v=map")
    expect(page.locator(".map-star")).to_have_count(3)
    page.get_by_role("button", name="Draw around things").click()
    draw_around_everything(page)
    caught = page.get_by_role("region", name="60 things")
    expect(caught.locator("li")).to_have_count(12)
    popular = page.request.get(address + "map").json()["item_ids"][:12]
    caught.get_by_role("button", name="Add the 12 most popular to your history").click()
    expect(history(page)).to_have_count(12)
    expect(page.locator(".map-click")).to_have_count(12)
    found = [value for name, value in page.evaluate("[...new URLSearchParams(location.hash.slice(1))]") if name == "i"]
    assert found == popular
    page.go_back()
    expect(page.locator(".map-click")).to_have_count(0)


def test_the_keyboard_goes_from_item_to_item_adds_and_opens(page: Page, address: str) -> None:
    page.goto(address + "#v=map")
    window = page.locator(".map-window")
    window.focus()
    window.press("ArrowDown")
    first = page.locator(".map-tip-title").inner_text()
    window.press("ArrowRight")
    expect(page.locator(".map-tip-title")).not_to_have_text(first)
    title = page.locator(".map-tip-title").inner_text()
    window.press("+")
    window.press("Space")
    expect(history(page)).to_have_attribute("aria-label", f"Remove {title}")
    window.press("Enter")
    expect(page.locator("#item-title")).to_have_text(title)
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Show everything").click()
    page.get_by_role("button", name="Choose all in sight").click()
    expect(page.get_by_role("region", name="60 things")).to_be_visible()


def test_a_walk_is_drawn_as_a_path_and_the_link_holds_it(mapped: Page, address: str, ids: list[str]) -> None:
    mapped.goto("about:blank")
    mapped.goto(address + fragment(ids, item=ids[0]))
    frames = mapped.locator("dialog .walk-figure .frame")
    expect(frames.first).to_be_visible()
    count = frames.count()
    mapped.get_by_role("button", name="See it on the map").click()
    expect(mapped.locator("dialog")).to_be_hidden()
    walk = mapped.locator(".map-walk circle")
    expect(walk).to_have_count(count)
    expect(mapped.locator(".map-walk circle[data-start=true]")).to_have_count(1)
    link = mapped.url
    assert re.search(r"[#&]p=\d+%3A", link)
    mapped.goto("about:blank")
    mapped.goto(link)
    expect(walk).to_have_count(count)
    mapped.get_by_role("button", name="Take the walk off the map").click()
    expect(walk).to_have_count(0)
    assert "p=" not in mapped.url


def test_a_walk_that_comes_late_does_not_move_a_map_that_was_moved_meanwhile(
    page: Page, address: str, ids: list[str]
) -> None:
    held: list[Route] = []
    page.route(re.compile(r"/walk\?"), lambda route: held.append(route))
    page.goto(address + fragment(ids, v="map", p=f"0:{ids[0]}"))
    page.get_by_role("button", name="Nearer").click()
    page.get_by_role("button", name="Show everything").click()
    expect(page.locator(".map-walk circle")).to_have_count(0)
    assert held
    for route in held:
        route.continue_()
    expect(page.locator(".map-walk circle").first).to_be_attached()
    page.get_by_role("button", name="Choose all in sight").click()
    expect(page.get_by_role("region", name="60 things")).to_be_visible()


def test_a_concept_can_be_lit(mapped: Page, address: str) -> None:
    paint = "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
    colours = ["var(--concept-0)", "var(--concept-1)"]
    lit = mapped.locator(".map-concept").first
    lit.click()
    expect(lit).to_have_attribute("aria-pressed", "true")
    mapped.evaluate(paint)
    first, second = mapped.evaluate(COLOURS_SEEN, colours)
    assert first > 50
    assert second == 0
    lit.click()
    mapped.evaluate(paint)
    assert mapped.evaluate(COLOURS_SEEN, colours)[1] > 50


def test_a_model_without_places_says_so(page: Page, address_without_places: str, expected_errors: list[str]) -> None:
    expected_errors.append("404")
    page.goto(address_without_places + "#v=map")
    expect(page.get_by_role("heading", name="This model has no map")).to_be_visible()


def test_on_a_phone_the_map_is_moved_and_pointed_at_with_a_finger(page: Page, address: str, ids: list[str]) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(address + fragment(ids, v="map"))
    expect(page.locator(".map-click").first).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == 360
    before = page.locator(".map-click").first.bounding_box()
    swipe(page.locator(".map-window"), 40)
    after = page.locator(".map-click").first.bounding_box()
    assert before
    assert after
    assert after["x"] - before["x"] == pytest.approx(40, abs=1.5)


# How many pixels of the map have each of some colours.
COLOURS_SEEN = """(colours) => {
  const canvas = document.querySelector(".map-points");
  const { data } = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height);
  const pixels = new Uint32Array(data.buffer);
  const probe = document.body.appendChild(document.createElement("span"));
  const wanted = colours.map((colour) => {
    probe.style.color = colour;
    const [red, green, blue] = getComputedStyle(probe).color.match(/\\d+/g).map(Number);
    return ((255 << 24) | (blue << 16) | (green << 8) | red) >>> 0;
  });
  return wanted.map((colour) => pixels.reduce((sum, pixel) => sum + (pixel === colour), 0));
}"""


def draw_around_everything(page: Page) -> None:
    box = page.locator(".map-window").bounding_box()
    assert box
    left, top, right, bottom = (
        box["x"] + 4,
        box["y"] + 4,
        box["x"] + box["width"] - 4,
        box["y"] + box["height"] - 4,
    )
    page.mouse.move((left + right) / 2, top)
    page.mouse.down()
    for corner in ((right, top), (right, bottom), (left, bottom), (left, top)):
        page.mouse.move(*corner)
    page.mouse.up()


def swipe(element: Locator, right: int) -> None:
    """Move one finger to the right over the middle of an element."""
    element.evaluate(
        """(element, right) => {
          const { left, top, width, height } = element.getBoundingClientRect();
          const at = { clientY: top + height / 2, pointerId: 9, pointerType: "touch", button: 0, bubbles: true };
          element.setPointerCapture = () => {};
          const send = (type, x) => element.dispatchEvent(new PointerEvent(type, { ...at, clientX: left + width / 2 + x }));
          send("pointerdown", 0);
          for (let x = 10; x <= right; x += 10) send("pointermove", x);
          send("pointerup", right);
        }""",
        right,
    )
