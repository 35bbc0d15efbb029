"""The whole page on the demo shop and on real films, as a visitor goes through it. Pictures of the screens: test-results/screens.

The films' posters have addresses that no test may ask for: each must become a typographic cover.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from macrid.artifacts.store import Store
from tests.browser.conftest import serve
from tests.support.visits import fragment, history, items, model_version

pytestmark = pytest.mark.slow

SCREENS = Path(__file__).parents[2] / "test-results" / "screens"
FIRST_LOAD = 200_000  # bytes, compressed, without pictures


@pytest.fixture(scope="module", params=["demo", pytest.param("films", marks=pytest.mark.real_data)])
def shop(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """What is sold, and the address of its page."""
    outcome, _ = request.getfixturevalue("small_run" if request.param == "demo" else "film_run")
    store = tmp_path_factory.mktemp("store")
    Store(store).publish(outcome.folder)
    with serve(store) as address:
        yield request.param, address


@pytest.fixture
def visit(page: Page, shop: tuple[str, str], expected_errors: list[str]) -> Iterator[Page]:
    """The page of a shop; nothing but pictures may be asked for elsewhere, and those do not come."""
    _, address = shop
    elsewhere: list[str] = []

    def refuse(route: Route) -> None:
        elsewhere.append(route.request.resource_type)
        route.abort()

    expected_errors.append("ERR_FAILED")
    page.route(re.compile(f"^(?!{re.escape(address)})https?:"), refuse)
    yield page
    assert set(elsewhere) <= {"image"}


@pytest.fixture
def ids(page: Page, shop: tuple[str, str]) -> list[str]:
    """A history of six popular things."""
    return [item["item_id"] for item in items(page, shop[1])[:6]]


def test_one_starts_with_a_search_a_click_or_a_few_choices(visit: Page, shop: tuple[str, str]) -> None:
    name, address = shop
    visit.goto(address)
    expect(visit.locator(".question-side")).to_have_count(2)
    expect(visit.locator(".card").first).to_be_visible()
    keep(visit, f"{name}-start")
    assert 0 < loaded_bytes(visit) < FIRST_LOAD
    if name == "films":
        expect(visit.locator(".card .cover-title").first).to_be_visible()
    expected = answer_choices(visit, address)
    expect(visit.get_by_role("heading", name="Your list", level=2)).to_be_visible()
    assert in_address(visit) == expected
    wanted = items(visit, address)[7]["title"]
    visit.get_by_role("searchbox").fill(wanted.split("(")[0])
    visit.get_by_role("button", name=f"Add {wanted} to your history", exact=True).first.click()
    expect(history(visit)).to_have_count(len(expected) + 1)
    assert model_version(visit, address) in visit.url


def test_one_turns_the_parts_of_a_taste_and_the_list_follows(
    visit: Page, shop: tuple[str, str], ids: list[str]
) -> None:
    name, address = shop
    visit.goto(address + fragment(ids))
    slider = visit.locator(".turn input").first
    expect(slider).to_be_visible()
    expect(visit.locator(".card-why b").first).to_be_visible()
    slider.press("End" if float(slider.input_value()) < 0.5 else "Home")
    expect(visit.locator(".card-move").first).to_be_visible()
    keep(visit, f"{name}-turned")
    settle(visit)
    card = visit.locator(".ranking .card").first
    card.hover()
    card.get_by_role("button", name=re.compile("^More like")).click()
    expect(visit.locator(".list-note", has_text="More like")).to_be_visible()
    visit.get_by_role("button", name="Undo").click()
    expect(visit.locator(".list-note", has_text="More like")).to_have_count(0)
    mute_all_but_the_last(visit)
    pin = visit.locator(".component-pin").last
    label = visit.locator(".component-label").last.inner_text()
    pin.click()
    expect(visit.locator(".component-label").first).to_have_text(label)
    assert "k=" in visit.url


def test_one_looks_closer_walks_and_finds_the_walk_on_the_map(
    visit: Page, shop: tuple[str, str], ids: list[str]
) -> None:
    name, address = shop
    visit.goto(address + fragment(ids))
    expect(visit.locator(".card-why b").first).to_be_visible()
    visit.locator(".ranking .card-picture").first.click()
    expect(visit.locator(".why-dimensions li").first).to_be_visible()
    figure = visit.locator("dialog .walk-figure")
    expect(figure.locator(".frame")).to_have_count(7)
    expect(visit.locator("dialog .walk-other")).to_have_count(2)
    keep(visit, f"{name}-item")
    start = visit.locator("#item-title").inner_text()
    figure.locator(".frame[data-start=false] button").last.click()
    expect(visit.locator("#item-title")).not_to_have_text(start)
    visit.get_by_role("button", name="See it on the map").click()
    expect(visit.locator(".map-walk circle").first).to_be_visible()
    visit.get_by_role("button", name="Show everything").click()
    visit.locator(".map-window").press("ArrowRight")
    expect(visit.locator(".map-tip")).to_be_visible()
    keep(visit, f"{name}-map")
    visit.get_by_role("button", name="Choose all in sight").click()
    total = visit.request.get(address + "items?limit=1").json()["total"]
    expect(visit.get_by_role("region", name=f"{total:,} things")).to_be_visible()


def test_operators_see_what_answers_and_a_phone_has_room_for_all(
    visit: Page, shop: tuple[str, str], ids: list[str]
) -> None:
    name, address = shop
    visit.emulate_media(color_scheme="dark")
    visit.goto(address + fragment(ids))
    expect(visit.locator(".card-why b").first).to_be_visible()
    visit.get_by_role("button", name="For operators").click()
    panel = visit.locator("#operators")
    expect(panel).to_contain_text(model_version(visit, address))
    expect(panel.locator(".command")).to_contain_text(re.compile(rf"^curl (-X POST )?'{re.escape(address)}(?!version)"))
    expect(panel.locator("dt", has_text="test").first).to_be_visible()  # the bundle's metrics
    expect(visit.locator(".footer-line")).to_contain_text(re.compile(r"\d+ ms"))
    visit.set_viewport_size({"width": 360, "height": 740})
    for place in (fragment(ids), fragment(ids, item=ids[0]), fragment(ids, v="map"), ""):
        visit.goto("about:blank")
        visit.goto(address + place)
        expect(visit.locator(".picture, .map-points").first).to_be_visible()
        assert visit.evaluate("document.documentElement.scrollWidth") == 360, place
    keep(visit, f"{name}-phone")


def keep(page: Page, name: str) -> None:
    """Leave a picture of the screen for whoever wants to look."""
    SCREENS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=SCREENS / f"{name}.png")


def loaded_bytes(page: Page) -> int:
    """What came over the wire for all but pictures."""
    page.wait_for_load_state("networkidle")
    entries = 'performance.getEntries().filter((entry) => entry.encodedBodySize && entry.initiatorType !== "img")'
    return int(page.evaluate(f"{entries}.reduce((sum, entry) => sum + entry.encodedBodySize, 0)"))


def answer_choices(page: Page, address: str) -> list[str]:
    """Always take the left side; returns the history that the API's choices make of that."""
    choices: list[dict[str, Any]] = page.request.get(address + "choices").json()["choices"]
    pairs = [choice for choice in choices if choice["dim"] is None][:3]
    liked = [choice["sides"][0]["concept"] for choice in pairs]
    further = [
        next(choice for choice in choices if choice["dim"] is not None and choice["sides"][0]["concept"] == concept)
        for concept in liked
    ]
    asked = [*pairs, *further][:5]
    for number in range(1, len(asked) + 1):
        expect(page.get_by_text(f"question {number} of")).to_be_visible()
        page.locator(".question-side").first.click()
    sides = [choice["sides"][0]["items"] for choice in asked]
    return list(dict.fromkeys(item["item_id"] for side in sides for item in side))


def mute_all_but_the_last(page: Page) -> None:
    cards = page.locator(".component")
    card, muted = cards.first, 0
    while card.get_by_role("radio", name="Mute").is_enabled():  # what has no evidence does not count
        card.get_by_role("radio", name="Mute").check()
        settle(page)
        muted += 1
        card = cards.nth(muted)
    assert muted > 0
    expect(card).to_contain_text("cannot be muted: nothing would be left to rank")


def settle(page: Page) -> None:
    expect(page.locator(".ranking .grid")).to_have_attribute("aria-busy", "false")


def in_address(page: Page) -> list[str]:
    found = page.evaluate("[...new URLSearchParams(location.hash.slice(1))]")
    return [value for name, value in found if name == "i"]
