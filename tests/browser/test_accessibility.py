"""Every screen of the page under axe-core: nothing serious, on a desktop and on a phone, in light and in dark."""

from collections.abc import Callable
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, expect

from tests.support.visits import fragment, items

pytestmark = pytest.mark.slow

SERIOUS = {"serious", "critical"}
AXE = Axe()


def start(page: Page, address: str, ids: list[str]) -> None:
    page.goto(address)
    expect(page.locator(".specimen .frame").first).to_be_visible()
    expect(page.locator(".question-side").first).to_be_visible()


def search(page: Page, address: str, ids: list[str]) -> None:
    page.goto(address + fragment(ids, v="find"))
    page.get_by_role("searchbox").fill("item")
    expect(page.get_by_label("Search results")).to_be_visible()


def steered_list(page: Page, address: str, ids: list[str]) -> None:
    page.goto(address + fragment(ids, w="0:0.5", x=ids[-1], k="0"))
    expect(page.locator(".ranking .card").first).to_be_visible()
    slider = page.locator(".turn input").first
    slider.fill("1")
    slider.dispatch_event("change")
    expect(page.locator(".card-move").first).to_be_attached()
    expect(page.locator(".card-why b").first).to_be_attached()


def muted_list(page: Page, address: str, ids: list[str]) -> None:
    page.goto(address + fragment(ids, w="0:0"))
    expect(page.locator(".ranking .card").first).to_be_visible()
    page.get_by_role("button", name="For operators").click()
    expect(page.locator("#operators .facts")).to_be_visible()


def item(page: Page, address: str, ids: list[str]) -> None:
    recommended = page.request.post(address + "recommend", data={"history": ids}).json()["items"][0]
    page.goto(address + fragment(ids, item=recommended["item_id"]))
    expect(page.locator("dialog .walk-figure .frame").first).to_be_visible()
    expect(page.locator(".why-clicks").first).to_be_visible()


def item_map(page: Page, address: str, ids: list[str]) -> None:
    page.goto(address + fragment(ids, v="map"))
    expect(page.locator(".map-component").first).to_be_visible()
    page.locator(".map-window").press("ArrowRight")
    expect(page.get_by_role("button", name="Look closer")).to_be_visible()


def caught_items(page: Page, address: str, ids: list[str]) -> None:
    page.goto(address + fragment(ids, v="map"))
    expect(page.locator(".map-component").first).to_be_visible()
    page.get_by_role("button", name="Choose all in sight").click()
    expect(page.locator(".map-catch li button").first).to_be_visible()


def failure(page: Page, address: str, ids: list[str]) -> None:
    page.route(
        "**/recommend", lambda route: route.fulfill(status=503, json={"title": "Not ready", "detail": "No model."})
    )
    page.goto(address + fragment(ids))
    expect(page.get_by_role("alert")).to_be_visible()


SCREENS = [start, search, steered_list, muted_list, item, item_map, caught_items, failure]


@pytest.mark.parametrize("screen", SCREENS, ids=lambda screen: screen.__name__)
def test_axe_finds_nothing_serious(
    page: Page, address: str, expected_errors: list[str], screen: Callable[[Page, str, list[str]], None]
) -> None:
    expected_errors.append("503")
    screen(page, address, [item["item_id"] for item in items(page, address)[:6]])
    assert serious_findings(page) == []
    page.emulate_media(color_scheme="dark")
    assert serious_findings(page, runOnly=["color-contrast"]) == []  # nothing else depends on the colours
    page.set_viewport_size({"width": 360, "height": 740})
    sheet = page.get_by_role("button", name="Turn your taste")
    if sheet.is_visible() and not page.locator("dialog").is_visible():
        sheet.click()
    assert serious_findings(page) == []
    page.emulate_media(color_scheme="light")
    assert serious_findings(page, runOnly=["color-contrast"]) == []


def serious_findings(page: Page, **options: Any) -> list[str]:
    violations = AXE.run(page, options={"resultTypes": ["violations"], **options}).response["violations"]
    return [
        f"{violation['id']}: {node['html'][:160]} {node.get('failureSummary', '')[:300]}"
        for violation in violations
        if violation["impact"] in SERIOUS
        for node in violation["nodes"]
    ]
