"""`POST /recommend/batch`: each user gets what `POST /recommend` would answer alone."""

import pytest

HISTORIES = [["item-9", "item-20"], ["nope", "item-9", "nope"], [], ["nope"], ["a/walk", "naïve ☃"]]


@pytest.mark.parametrize("exclude_history", [True, False])
def test_each_user_gets_what_one_would_alone(client, exclude_history):
    wanted = {"n": 7, "exclude_history": exclude_history}
    answer = client.post("/recommend/batch", json={"histories": HISTORIES, **wanted}).json()
    assert len(answer["users"]) == len(HISTORIES)
    for history, user in zip(HISTORIES, answer["users"], strict=True):
        alone = client.post("/recommend", json={"history": history, **wanted}).json()
        assert user == {name: alone[name] for name in ("fallback", "unknown_items", "items")}
        assert answer["model_version"] == alone["model_version"]


@pytest.mark.parametrize(
    ("body", "status", "words"),
    [
        ({"histories": []}, 422, "at least 1 item"),
        ({"histories": [["a"]] * 1001}, 422, "at most 1000 items"),
        ({"histories": [["a"]] * 500, "n": 41}, 422, "at most 20000 items can be asked for in all, for 500 users"),
        ({"histories": [["a"]], "n": 1001}, 422, "at most 1000 items can be asked for at once"),
        ({"histories": [["a"] * 2001]}, 413, "history holds 2001 item ids"),
        ({"histories": [["a"]], "model_version": "other-000000000000"}, 409, "other-000000000000"),
    ],
)
def test_what_is_too_much_is_refused_by_name(client, body, status, words):
    response = client.post("/recommend/batch", json=body)
    assert response.status_code == status
    assert words in response.text
