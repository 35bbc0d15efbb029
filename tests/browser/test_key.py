"""The page of a server that asks for a key: it asks the visitor, keeps the key in the tab, and shows it nowhere."""

import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Locator, Page, Request, expect

from macrid.artifacts.store import Store
from macrid.service.keys import create_key, revoke_key
from tests.browser.conftest import serve
from tests.browser.test_accessibility import serious_findings
from tests.support.bundles import make_bundle
from tests.support.visits import fragment

pytestmark = pytest.mark.slow

HISTORY = ["item-9", "item-10", "item-12"]


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A server that asks for a key, and its keys file: (address, path)."""
    root = tmp_path_factory.mktemp("guarded")
    Store(root / "store").publish(make_bundle(root / "bundle"))
    create_key(root / "keys.json", "another", "use")
    with serve(root / "store", keys_file=root / "keys.json") as address:
        yield address, root / "keys.json"


@pytest.fixture
def key(guarded: tuple[str, Path]) -> Iterator[str]:
    _, keys = guarded
    yield create_key(keys, "visitor", "use")
    revoke_key(keys, "visitor")


@pytest.fixture(autouse=True)
def _refusals_are_expected(expected_errors: list[str]) -> None:
    expected_errors.append("401")


def dialog(page: Page) -> Locator:
    return page.get_by_role("dialog", name="A key, please")


def enter(page: Page, key: str) -> None:
    page.get_by_label("Key", exact=True).fill(key)
    page.get_by_role("button", name="Use this key").click()


def visit(page: Page, address: str) -> None:
    page.goto(address + fragment(HISTORY))
    expect(dialog(page)).to_be_visible()


def test_with_a_key_the_page_goes_on_where_it_was_pictures_included(
    page: Page, guarded: tuple[str, Path], key: str
) -> None:
    visit(page, guarded[0])
    expect(page.get_by_label("Key", exact=True)).to_be_focused()
    enter(page, key)
    expect(dialog(page)).to_be_hidden()
    expect(page.locator(".ranking .card-picture").first).to_be_visible()
    picture = page.locator(".ranking .picture img[src^='blob:']").first
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    page.reload()  # the tab keeps it
    expect(page.locator(".ranking .card-picture").first).to_be_visible()
    expect(dialog(page)).to_be_hidden()


def test_a_key_that_is_not_known_is_refused_in_words_and_may_be_tried_again(
    page: Page, guarded: tuple[str, Path], key: str
) -> None:
    visit(page, guarded[0])
    for wrong in ("macrid_guessed", "schlüssel ☃"):
        enter(page, wrong)
        expect(page.get_by_role("alert")).to_contain_text("does not know this key")
        expect(page.get_by_label("Key", exact=True)).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(dialog(page)).to_be_visible()
    enter(page, f"  {key}\t")
    expect(page.locator(".ranking .card-picture").first).to_be_visible()


def test_the_key_is_in_the_session_and_nowhere_else_and_can_be_forgotten(
    page: Page, guarded: tuple[str, Path], key: str
) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    visit(page, guarded[0])
    enter(page, key)
    expect(page.locator(".ranking .card-picture").first).to_be_visible()
    page.get_by_role("button", name="For operators").click()
    expect(page.locator(".command")).to_contain_text('-H "X-API-Key: $MACRID_API_KEY"')
    assert page.evaluate("Object.values(sessionStorage)") == [key]
    assert page.evaluate("Object.values(localStorage)") == []
    assert page.evaluate("document.cookie") == ""
    assert key not in page.content()
    assert not [url for url in [*asked, page.url] if key in url]
    other = page.context.new_page()  # another tab is asked again
    other.goto(guarded[0])
    expect(dialog(other)).to_be_visible()
    other.close()
    page.get_by_role("button", name="Forget the key").click()
    expect(dialog(page)).to_be_visible()
    assert page.evaluate("Object.values(sessionStorage)") == []
    expect(page.locator(".ranking .card-picture")).to_have_count(0)
    expect(page.get_by_role("button", name="Forget the key")).to_have_count(0)


def test_one_that_is_revoked_while_it_is_used_is_asked_for_again(page: Page, guarded: tuple[str, Path]) -> None:
    address, keys = guarded
    first = create_key(keys, "short-lived", "use")
    unanswered: set[Request] = set()
    page.on("request", lambda request: unanswered.add(request))
    page.on("requestfinished", lambda request: unanswered.discard(request))
    page.on("requestfailed", lambda request: unanswered.discard(request))
    visit(page, address)
    enter(page, first)
    expect(page.locator(".ranking .card-picture").first).to_be_visible()
    quiet = 0  # tenths of a second; once there are five all is answered, so the search is the first to be refused
    while quiet < 5:
        page.wait_for_timeout(100)
        quiet = 0 if unanswered else quiet + 1
    revoke_key(keys, "short-lived")
    second = create_key(keys, "next", "use")
    page.get_by_role("searchbox").fill("item")
    expect(dialog(page)).to_contain_text("no longer known")
    enter(page, second)
    expect(page.get_by_label("Search results")).to_be_visible()
    expect(dialog(page)).to_be_hidden()


def test_axe_finds_nothing_serious_in_the_dialog(page: Page, guarded: tuple[str, Path]) -> None:
    visit(page, guarded[0])
    shots = os.environ.get("MACRID_SHOTS")
    for scheme, width in (("light", 1280), ("dark", 360), ("dark", 1280), ("light", 360)):
        page.emulate_media(color_scheme=scheme)
        page.set_viewport_size({"width": width, "height": 800})
        enter(page, "macrid_guessed")
        expect(page.get_by_role("alert")).to_be_visible()
        only = {} if (scheme, width) in (("light", 1280), ("dark", 360)) else {"runOnly": ["color-contrast"]}
        assert serious_findings(page, **only) == []
        if shots:
            page.screenshot(path=f"{shots}/key-{scheme}-{width}.png")


def test_a_page_whose_server_asks_for_none_has_nothing_of_it(page: Page, address: str) -> None:
    page.goto(address + fragment(HISTORY))
    expect(page.locator(".ranking .card-picture").first).to_be_visible()
    assert page.locator(".ranking img[src^='blob:']").count() == 0
    page.get_by_role("button", name="For operators").click()
    expect(page.locator(".command")).to_contain_text("curl")
    assert "X-API-Key" not in page.locator(".command").inner_text()
    expect(page.get_by_role("button", name="Forget the key")).to_have_count(0)
