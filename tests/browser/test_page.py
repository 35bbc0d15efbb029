"""The page in a real browser: what a visitor can do, and what must never happen while they do it."""

import json
import re
from contextlib import suppress
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Error, Page, Request, Route, expect

from macrid.service.page import WEB
from tests.support.visits import fragment, history, items, model_version, tab_to

pytestmark = pytest.mark.slow

FIRST_LOAD = 200_000  # bytes, compressed, without pictures


def test_the_page_loads_small_and_nothing_but_pictures_from_elsewhere(page: Page, address: str) -> None:
    requests: list[Request] = []
    page.on("request", lambda request: requests.append(request))
    page.goto(address, wait_until="networkidle")
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your taste, in parts.")
    sizes = page.evaluate(
        """() => performance.getEntries().filter((entry) => entry.encodedBodySize && entry.initiatorType !== "img")
                            .map((entry) => entry.encodedBodySize)"""
    )
    elsewhere = {request.resource_type for request in requests if not request.url.startswith(address)}
    assert elsewhere <= {"image"}
    assert 0 < sum(sizes) < FIRST_LOAD


def test_every_module_is_named_in_the_index_so_that_none_waits_for_another() -> None:
    index = (WEB / "index.html").read_text(encoding="utf-8")
    named = set(re.findall(r'(?:href|src)="web/([\w/-]+\.js)"', index))
    assert named == {path.relative_to(WEB).as_posix() for path in WEB.rglob("*.js")}


def test_searching_and_clicking_puts_items_into_the_history(page: Page, address: str) -> None:
    wanted = items(page, address)[3]
    page.goto(address)
    page.get_by_role("searchbox").fill(wanted["title"])
    card = page.get_by_role("button", name=f"Add {wanted['title']} to your history", exact=True).first
    expect(page.get_by_role("heading", level=2).first).to_contain_text(wanted["title"])
    card.click()
    expect(card).to_have_attribute("aria-pressed", "true")
    expect(history(page)).to_have_count(1)
    expect(history(page)).to_have_attribute("aria-label", f"Remove {wanted['title']}")


def test_a_search_without_result_says_so(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("searchbox").fill("qqxqqx")
    expect(page.get_by_role("heading", name="Nothing for “qqxqqx”")).to_be_visible()


def test_only_the_answer_to_the_latest_search_is_shown(page: Page, address: str) -> None:
    first, second = items(page, address)[:2]
    held: list[Route] = []
    page.route(re.compile(r"q=overtaken"), lambda route: held.append(route))
    page.goto(address)
    with page.expect_request(re.compile(r"q=overtaken")):
        page.get_by_role("searchbox").fill("overtaken")
    page.get_by_role("searchbox").fill(second["title"])
    expect(page.get_by_role("heading", level=2).first).to_contain_text(second["title"])
    with suppress(Error):  # the page has given this request up, or must ignore its answer
        held[0].fulfill(json={"model_version": "late", "total": 1, "items": [first]})
    page.wait_for_timeout(100)
    expect(page.locator("main .card")).not_to_contain_text(first["title"])
    expect(page.get_by_role("heading", level=2).first).to_contain_text(second["title"])


def test_the_list_shows_components_with_shares_and_items_with_concepts(page: Page, address: str) -> None:
    ids = [item["item_id"] for item in items(page, address)[:3]]
    page.goto(address + fragment(ids))
    answer = page.request.post(address + "recommend", data={"history": ids, "n": 24}).json()
    strongest = max(answer["components"], key=lambda component: component["share"])
    expect(page.locator(".component").first).to_contain_text(strongest["label"])
    expect(page.locator(".component").first).to_contain_text(f"{round(strongest['share'] * 100)} %")
    confidence = f"confidence {strongest['confidence']:.1f} of 3 clicks"
    expect(page.locator(".component").first).to_contain_text(confidence)
    ranked = page.get_by_label("Recommendations, best first").get_by_role("listitem")
    expect(ranked).to_have_count(len(answer["items"]))
    labels = {component["concept"]: component["label"] for component in answer["components"]}
    for place in (0, len(answer["items"]) - 1):
        expect(ranked.nth(place)).to_contain_text(answer["items"][place]["title"])
        expect(ranked.nth(place).locator(".chip")).to_have_text(labels[answer["items"][place]["concept"]])


def test_components_without_evidence_are_set_apart(page: Page, address: str) -> None:
    ids = [items(page, address)[0]["item_id"]]
    page.goto(address + fragment(ids))
    components = page.request.post(address + "recommend", data={"history": ids}).json()["components"]
    faint = [component for component in components if component["share"] < 0.5 / len(components)]
    expect(page.locator(".ranking .card").first).to_be_visible()
    expect(page.locator(".faint li")).to_have_count(len(faint))
    expect(page.locator(".component")).to_have_count(len(components) - len(faint))


def test_a_ready_made_example_is_one_click_from_a_list(page: Page, address: str) -> None:
    page.goto(address)
    page.locator(".example").first.click()
    expect(page.get_by_role("heading", name="Your list", level=2)).to_be_visible()
    expect(page.locator(".ranking .card").first).to_be_visible()
    assert history(page).count() > 0


def test_removing_an_item_changes_the_list_and_removing_the_last_leads_back(page: Page, address: str) -> None:
    first, second = items(page, address)[:2]
    page.goto(address + fragment([first["item_id"], second["item_id"]]))
    expect(history(page)).to_have_count(2)
    page.get_by_role("button", name=f"Remove {first['title']}", exact=True).click()
    expect(history(page)).to_have_count(1)
    page.get_by_role("button", name=f"Remove {second['title']}", exact=True).click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("Your taste, in parts.")


def test_a_walk_shows_its_steps_in_order_around_its_start(page: Page, address: str) -> None:
    item = items(page, address)[0]["item_id"]
    detail = page.request.get(f"{address}items/{quote(item, safe='')}").json()
    dim = detail["top_dimensions"][0]["dim"]
    walk = page.request.get(f"{address}items/{quote(item, safe='')}/walk?dim={dim}").json()
    page.goto(address + fragment([], item=item, dim=dim))
    others = [step for step in walk["steps"] if step["step"] != walk["start"]["step"]]
    values = {step["item"]["title"]: step["value"] for step in others} | {detail["title"]: walk["start"]["value"]}
    figure = page.locator("dialog .walk-figure")
    expect(figure.locator(".frame")).to_have_count(7)
    shown = [text.removeprefix("Start ") for text in figure.locator(".frame-title").all_inner_texts()]
    assert shown == sorted(values, key=values.__getitem__)
    expect(figure.locator(".frame[data-start=true] .frame-title")).to_have_text(f"Start {detail['title']}")
    ends = figure.locator(".walk-ends span")
    expect(ends.first).to_have_text(walk["low_label"] or "no clear name")
    expect(ends.last).to_have_text(walk["high_label"] or "no clear name")


def test_a_walk_goes_on_from_any_frame_and_back_again(page: Page, address: str) -> None:
    item = items(page, address)[0]
    page.goto(address + fragment([], item=item["item_id"]))
    last = page.locator("dialog .walk-figure .frame[data-start=false]").last
    title = last.locator(".frame-title").inner_text()
    dimension = page.locator("dialog .dimension[aria-pressed=true]").inner_text()
    last.get_by_role("button").click()
    expect(page.locator("#item-title")).to_have_text(title)
    expect(page.locator("dialog .walk-figure .frame[data-start=true]")).to_contain_text(title)
    expect(page.locator("dialog .dimension[aria-pressed=true]")).to_have_text(dimension)
    page.get_by_role("button", name="Back").click()
    expect(page.locator("#item-title")).to_have_text(item["title"])


def test_the_address_restores_the_whole_state_and_back_undoes_a_click(
    page: Page, browser: Browser, address: str
) -> None:
    first, second = items(page, address)[:2]
    page.goto(address + fragment([first["item_id"], second["item_id"]]))
    page.locator(".ranking .card-badge").first.click()
    expect(history(page)).to_have_count(3)
    page.locator(".ranking .card-picture").nth(1).click()
    page.locator("dialog .dimension").nth(1).click()
    title = page.locator("#item-title").inner_text()
    chosen = page.locator("dialog .dimension[aria-pressed=true]")
    expect(chosen).to_have_count(1)
    expect(page.locator("dialog .frame").first).to_be_visible()
    assert model_version(page, address) in page.url
    with browser.new_context() as elsewhere:
        other = elsewhere.new_page()
        other.goto(page.url)
        expect(other.locator("#item-title")).to_have_text(title)
        expect(other.locator("dialog .dimension[aria-pressed=true]")).to_have_text(chosen.inner_text())
        expect(history(other)).to_have_count(3)
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()
    page.locator(".ranking .card-badge").nth(2).click()
    expect(history(page)).to_have_count(4)
    page.go_back()
    expect(history(page)).to_have_count(3)


def test_a_link_made_with_another_model_says_so(page: Page, address: str) -> None:
    page.goto(address + fragment([items(page, address)[0]["item_id"]], m="another-model-1"))
    expect(page.get_by_text("The model has changed since")).to_be_visible()


def test_items_the_model_does_not_know_are_shown_as_such(page: Page, address: str) -> None:
    page.goto(address + fragment(["no/such item"]))
    expect(history(page)).to_have_attribute("aria-label", "Remove no/such item: not in this catalogue")
    expect(page.get_by_text("simply what is popular")).to_be_visible()


def test_a_visitor_without_a_mouse_gets_from_search_to_walk(page: Page, address: str) -> None:
    wanted = items(page, address)[5]
    page.goto(address)
    expect(page.locator(".card").first).to_be_visible()
    page.keyboard.press("/")
    expect(page.get_by_role("searchbox")).to_be_focused()
    page.keyboard.type(wanted["title"])
    expect(page.get_by_role("heading", level=2).first).to_contain_text(wanted["title"])
    page.keyboard.press("Enter")
    page.keyboard.press("Space")
    expect(history(page)).to_have_count(1)
    tab_to(page, page.get_by_role("button", name="See your list"))
    page.keyboard.press("Enter")
    expect(page.locator(".ranking .card").first).to_be_visible()
    tab_to(page, page.locator(".ranking .card-picture").first)
    page.keyboard.press("ArrowRight")
    expect(page.locator(".ranking .card-picture").nth(1)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("dialog .frame").first).to_be_visible()
    tab_to(page, page.locator("dialog .frame-picture").first)
    page.keyboard.press("End")
    expect(page.locator("dialog .walk-figure .frame-picture").last).to_be_focused()
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_be_hidden()


def test_nothing_reaches_beyond_a_narrow_phone(page: Page, address: str) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    ids = [item["item_id"] for item in items(page, address)[:8]]
    for place in ("", fragment(ids), fragment(ids, v="find"), fragment(ids, item=ids[0])):
        page.goto("about:blank")
        page.goto(address + place)
        expect(page.locator(".card").last).to_be_visible()
        assert page.evaluate("document.documentElement.scrollWidth") == 360, place
    expect(page.locator("dialog .frame").first).to_be_visible()
    assert page.locator("dialog").evaluate("(dialog) => dialog.scrollWidth <= dialog.clientWidth")


def test_a_failure_is_shown_in_the_words_of_the_service(page: Page, address: str, expected_errors: list[str]) -> None:
    expected_errors.append("503")
    problem = {"title": "Not ready", "status": 503, "detail": "The store holds no published version."}
    page.route("**/recommend", lambda route: route.fulfill(status=503, body=json.dumps(problem)))
    page.goto(address + fragment([items(page, address)[0]["item_id"]]))
    expect(page.get_by_role("alert")).to_contain_text("The store holds no published version.")
    page.unroute("**/recommend")
    page.get_by_role("button", name="Try again").click()
    expect(page.locator(".ranking .card").first).to_be_visible()


def test_a_picture_that_does_not_load_becomes_a_cover(page: Page, address: str, expected_errors: list[str]) -> None:
    expected_errors.append("ERR_FAILED")
    page.route("**/picture", lambda route: route.abort())
    page.goto(address)
    expect(page.locator(".card").first.locator(".cover-title")).to_be_visible()
    expect(page.locator(".card").first.locator("img")).to_have_count(0)


def test_the_chosen_colours_outlast_a_reload(page: Page, address: str) -> None:
    page.goto(address)
    page.get_by_role("button", name="Use dark colours").click()
    page.reload()
    expect(page.get_by_role("button", name="Use light colours")).to_be_visible()
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "dark"


def test_operators_see_the_model_and_the_calls_as_commands(page: Page, address: str) -> None:
    page.goto(address + fragment([items(page, address)[0]["item_id"]]))
    expect(page.locator(".ranking .card").first).to_be_visible()
    page.get_by_role("button", name="For operators").click()
    page.locator(".calls button", has_text="POST /recommend").first.click()
    expect(page.locator(".command")).to_contain_text(f"curl -X POST '{address}recommend'")
    expect(page.locator("#operators")).to_contain_text(model_version(page, address))
