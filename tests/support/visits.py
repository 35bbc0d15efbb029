"""What a test needs to find its way on the page: items to click, addresses to open, places to look at."""

from typing import Any
from urllib.parse import urlencode

from playwright.sync_api import Locator, Page


def items(page: Page, address: str) -> list[dict[str, Any]]:
    """The most popular items with pairwise different titles, as the API lists them."""
    found = page.request.get(address + "items?limit=20").json()["items"]
    return list({item["title"]: item for item in found}.values())


def model_version(page: Page, address: str) -> str:
    return str(page.request.get(address + "concepts").json()["model_version"])


def fragment(history: list[str], **fields: object) -> str:
    return "#" + urlencode([*(("i", item_id) for item_id in history), *fields.items()])


def history(page: Page) -> Locator:
    return page.get_by_label("Your history", exact=True).get_by_role("button")


def tab_to(page: Page, target: Locator) -> None:
    """Press Tab until the target has the focus; a visitor gives up at some point."""
    for _ in range(30):
        if target.evaluate("(element) => element === document.activeElement"):
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{target} is not reached with 30 presses of Tab")
