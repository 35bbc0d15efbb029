"""Turning one's taste on the page: what a visitor can do to the list, and how it can be undone and passed on."""

import re
from contextlib import suppress
from typing import Any

import pytest
from playwright.sync_api import Error, Locator, Page, Request, Route, expect

from tests.support.visits import fragment, items, model_version

pytestmark = pytest.mark.slow

N = 24  # how many items the page asks for


@pytest.fixture
def ids(page: Page, address: str) -> list[str]:
    """A history of six popular items."""
    return [item["item_id"] for item in items(page, address)[:6]]


@pytest.fixture
def listed(page: Page, address: str, ids: list[str]) -> Page:
    """The page with a list, and its first card of taste open."""
    page.goto(address + fragment(ids))
    expect(sliders(page).first).to_be_visible()
    return page


def test_a_slider_moved_with_the_keys_changes_the_list_and_marks_what_moved(
    listed: Page, address: str, ids: list[str]
) -> None:
    concept, control = strongest_control(listed, address, ids)
    before = titles(listed)
    slider = sliders(listed).first
    slider.press("End")
    answer = recommend(listed, address, ids, adjust=[{"concept": concept, "dim": control["dim"], "quantile": 1}])
    assert answer["steering"]["entered"], "the dimension does nothing"
    expect(listed.locator(".card-move[data-way=new]")).to_have_count(len(answer["steering"]["entered"]))
    assert titles(listed) == [item["title"] for item in answer["items"]] != before
    moved = [item for item in answer["items"] if item["item_id"] not in answer["steering"]["entered"]]
    risen = [item for item in moved if item["rank"] < item["rank_before"]]
    fallen = [item for item in moved if item["rank"] > item["rank_before"]]
    signs = listed.locator(".card-move:not([data-way=new])").all_inner_texts()
    assert sorted(signs) == sorted(
        [f"▲ {item['rank_before'] - item['rank']}" for item in risen]
        + [f"▼ {item['rank'] - item['rank_before']}" for item in fallen]
    )
    expect(listed.locator(".list-left")).to_contain_text(answer["steering"]["left"][0]["title"])
    expect(slider).to_have_attribute("aria-valuetext", re.compile("^(beyond )?100 % of "))
    listed.get_by_role("button", name="Undo").click()
    expect(listed.locator(".card-move")).to_have_count(0)
    assert titles(listed) == before


def test_moves_in_a_quick_row_are_one_step(listed: Page) -> None:
    before = titles(listed)
    slider = sliders(listed).first
    slider.evaluate(  # from within the page, so that no busy machine comes between them
        """slider => {
            for (const value of [0.4, 0.1, 0]) {
                slider.value = value;
                slider.dispatchEvent(new Event("input", { bubbles: true }));
                slider.dispatchEvent(new Event("change", { bubbles: true }));
            }
        }"""
    )
    expect(listed.locator(".card-move").first).to_be_visible()
    expect(slider).to_have_value("0")
    listed.get_by_role("button", name="Undo").click()
    expect(listed.locator(".card-move")).to_have_count(0)
    assert titles(listed) == before


def test_the_list_follows_while_the_slider_moves_and_one_move_is_one_step(listed: Page) -> None:
    before = titles(listed)
    box = sliders(listed).first.bounding_box()
    assert box
    middle = box["y"] + box["height"] / 2
    listed.mouse.move(box["x"] + box["width"] / 2, middle)
    listed.mouse.down()
    for part in (0.8, 0.9, 0.995):
        listed.mouse.move(box["x"] + box["width"] * part, middle)
    expect(listed.locator(".card-move").first).to_be_visible()
    assert titles(listed) != before
    assert "t=" not in listed.url
    expect(listed.get_by_role("button", name="Undo")).to_have_count(0)
    listed.mouse.up()
    expect(listed.get_by_role("button", name="Undo")).to_be_enabled()
    assert "t=" in listed.url
    listed.get_by_role("button", name="Undo").click()
    expect(listed.locator(".card-move")).to_have_count(0)
    assert titles(listed) == before
    expect(listed.get_by_role("button", name="Undo")).to_be_disabled()


def test_an_answer_that_comes_after_a_newer_one_is_dropped(listed: Page) -> None:
    held: list[Route] = []

    def hold_the_low_end(route: Route, request: Request) -> None:
        if request.post_data_json.get("adjust", [{}])[0].get("quantile") == 0:
            held.append(route)
        else:
            route.continue_()

    listed.route("**/recommend", hold_the_low_end)
    with listed.expect_request(lambda request: '"quantile":0}' in (request.post_data or "")):
        move(sliders(listed).first, 0)
    move(sliders(listed).first, 1)
    expect(listed.locator(".card-move").first).to_be_visible()
    newest = titles(listed)
    with suppress(Error):  # the page has given this request up, or must ignore its answer
        held[0].continue_()
    listed.get_by_role("button", name=re.compile("^Hide")).first.focus()
    listed.evaluate("() => new Promise((done) => setTimeout(done, 100))")
    assert titles(listed) == newest


def test_a_muted_concept_leaves_the_list_and_undo_redo_and_reset_lead_there_and_back(listed: Page) -> None:
    before = titles(listed)
    card = listed.locator(".component").first
    label = card.locator(".component-label").inner_text()
    expect(listed.locator(".ranking .chip", has_text=label).first).to_be_visible()
    card.get_by_role("radio", name="Mute").check()
    expect(listed.locator(".ranking .chip", has_text=label)).to_have_count(0)
    muted = titles(listed)
    second = listed.locator(".component").nth(1).get_by_role("radio", name="More")
    second.check()
    listed.get_by_role("button", name="Undo").click()
    expect(second).not_to_be_checked()
    expect(card.get_by_role("radio", name="Mute")).to_be_checked()
    assert titles(listed) == muted
    listed.get_by_role("button", name="Redo").click()
    expect(second).to_be_checked()
    listed.get_by_role("button", name="Reset all").click()
    expect(listed.locator(".ranking .chip", has_text=label).first).to_be_visible()
    expect(card.get_by_role("radio", name="As is")).to_be_checked()
    assert titles(listed) == before
    listed.get_by_role("button", name="Undo").click()
    expect(second).to_be_checked()


def test_the_address_passes_the_steering_on(listed: Page) -> None:
    move(sliders(listed).first, 1)
    listed.locator(".component").nth(1).get_by_role("radio", name="Less").check()
    gone = titles(listed)[0]
    hidden = listed.locator(".ranking .card").first
    hidden.hover()
    hidden.get_by_role("button", name="Hide").click()
    expect(listed.locator(".list-note", has_text=f"Hidden: {gone}")).to_be_visible()
    wanted = titles(listed)
    assert gone not in wanted
    link = listed.url
    listed.goto("about:blank")
    listed.goto(link)
    expect(sliders(listed).first).to_have_value("1")
    expect(listed.locator(".component").nth(1).get_by_role("radio", name="Less")).to_be_checked()
    expect(listed.locator(".list-note", has_text=f"Hidden: {gone}")).to_be_visible()
    assert titles(listed) == wanted
    listed.get_by_role("button", name="Take back").click()
    expect(listed.locator(".list-note", has_text="Hidden")).to_have_count(0)
    assert gone in titles(listed)
    listed.get_by_role("button", name=re.compile("^Put .* to .* back$")).click()
    expect(sliders(listed).first).not_to_have_value("1")


def test_a_steering_made_for_another_model_is_put_back_and_the_page_says_so(
    page: Page, address: str, ids: list[str], expected_errors: list[str]
) -> None:
    expected_errors.append("409")
    page.goto(address + fragment(ids, w="0:0", t="0:1:1", m="another-model-1"))
    expect(page.get_by_text("What you turned was made for the model another-model-1.")).to_be_visible()
    expect(page.locator(".ranking .card").first).to_be_visible()
    expect(page.locator(".card-move")).to_have_count(0)
    assert titles(page) == [item["title"] for item in recommend(page, address, ids)["items"]]
    assert "t=" not in page.url
    assert model_version(page, address) in page.url


def test_what_is_held_back_is_said_and_what_has_no_evidence_has_no_sliders(listed: Page) -> None:
    def hold_back(route: Route, request: Request) -> None:
        if request.post_data_json.get("explain"):
            route.continue_()
            return
        answer = route.fetch().json()
        for component in (answer["steering"] or {"components": []})["components"]:
            component["scale"] = 0.5
            for edit in component["edits"]:
                edit["quantile_applied"] = 0.61
        route.fulfill(json=answer)

    label = listed.locator(".component-label").first.inner_text()
    expect(listed.get_by_text(re.compile("Held back"))).to_have_count(0)
    listed.route("**/recommend", hold_back)
    move(sliders(listed).first, 1)
    expect(listed.get_by_text(f"Held back to stay within {label}: 50 % of the way.")).to_be_visible()
    expect(listed.locator(".turn-note")).to_have_text(re.compile(r"^Went to 61 %: "))
    expect(listed.locator(".turn-stop")).to_have_count(1)
    expect(listed.locator(".faint input")).to_have_count(0)


def test_the_reasons_of_a_card_and_of_its_drawer_are_those_of_the_service(
    listed: Page, address: str, ids: list[str]
) -> None:
    why = recommend(listed, address, ids, explain=True)["items"][0]["why"]
    card = listed.locator(".ranking .card").first
    expect(card.locator(".card-why")).to_contain_text(why["clicks"][0]["item"]["title"])
    card.locator(".card-picture").click()
    expect(listed.locator(".why .weights li").first).to_contain_text(why["shares"][0]["label"])
    expect(listed.locator(".why .weights li").first).to_contain_text(f"{round(why['shares'][0]['share'] * 100)} %")
    for place, click in enumerate(why["clicks"]):
        expect(listed.locator(".why-clicks li").nth(place)).to_contain_text(click["item"]["title"])
    title = listed.locator("#item-title").inner_text()
    listed.get_by_role("button", name="Less like this").click()
    listed.keyboard.press("Escape")
    expect(listed.locator(".list-note", has_text=f"Less like: {title}")).to_be_visible()
    assert title not in titles(listed)


def test_on_a_phone_the_taste_is_one_tap_away_and_the_list_stays_in_sight(
    page: Page, address: str, ids: list[str]
) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto(address + fragment(ids))
    expect(page.locator(".ranking .card").first).to_be_visible()
    expect(sliders(page).first).to_be_hidden()
    page.get_by_role("button", name="Turn your taste").click()
    expect(sliders(page).first).to_be_in_viewport()
    sliders(page).first.press("End")
    expect(page.locator(".card-move").first).to_be_attached()
    expect(page.locator(".ranking .card-picture").first).to_be_in_viewport()
    assert page.evaluate("document.documentElement.scrollWidth") == 360


def sliders(page: Page) -> Locator:
    return page.locator(".turn input")


def move(slider: Locator, value: float) -> None:
    """Put a slider somewhere and let go of it."""
    slider.fill(str(value))
    slider.dispatch_event("change")


def titles(page: Page) -> list[str]:
    """The titles of the list once it has settled, best first."""
    expect(page.locator(".ranking .grid")).to_have_attribute("aria-busy", "false")
    texts = page.locator(".ranking .card-title").all_inner_texts()
    return [re.sub(r"^\d+\s*", "", text) for text in texts]


def recommend(page: Page, address: str, ids: list[str], **fields: Any) -> dict[str, Any]:
    answer = page.request.post(address + "recommend", data={"history": ids, "n": N, **fields})
    assert answer.ok, answer.text()
    return dict(answer.json())


def strongest_control(page: Page, address: str, ids: list[str]) -> tuple[int, dict[str, Any]]:
    """The concept of the first card, and the dimension of its first slider."""
    components = page.request.post(address + "controls", data={"history": ids, "n": N}).json()["components"]
    strongest = max(components, key=lambda component: component["share"])
    return strongest["concept"], strongest["dimensions"][0]
