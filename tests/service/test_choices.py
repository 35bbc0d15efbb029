"""This set or that set: every question is about one thing, and popularity does not answer it."""

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.service.choices import ITEMS, find_choices
from macrid.service.loaded_model import LoadedModel
from tests.support.bundles import make_bundle, random_arrays

DIMENSIONS = 6


@pytest.fixture(scope="module")
def model(tmp_path_factory):
    """Five concepts, of which the first has by far the most popular items."""
    folder = tmp_path_factory.mktemp("choices")
    arrays = random_arrays(np.random.default_rng(3), items=400, concepts=5, dimensions=DIMENSIONS)
    head = arrays["concept_weights"].argmax(axis=1) == 0
    arrays["popularity"] = np.where(head, arrays["popularity"] * 20, arrays["popularity"])
    return LoadedModel.prepare(Bundle.open(make_bundle(folder / "bundle", items=400, concepts=5, arrays=arrays)))


def rows(model, side):
    found = model.bundle.catalogue.indices([item.item_id for item in side.items])
    return [found[item.item_id] for item in side.items]


def popularity(model, side):
    return model.bundle.popularity[rows(model, side)]


def test_there_are_pairs_of_concepts_the_largest_first_and_a_dimension_of_each(model):
    choices = find_choices(model)
    sizes = np.bincount(model.main_concepts, minlength=5)
    about_concepts = [[side.concept for side in choice.sides] for choice in choices if choice.dim is None]
    assert [concept for pair in about_concepts for concept in pair] == np.argsort(-sizes, kind="stable")[:4].tolist()
    about_dimensions = [choice.sides for choice in choices if choice.dim is not None]
    assert sorted(low.concept for low, _ in about_dimensions) == [0, 1, 2, 3, 4]
    assert all(low.concept == high.concept for low, high in about_dimensions)


def test_every_side_shows_what_it_stands_for(model):
    for choice in find_choices(model):
        for side in choice.sides:
            assert len({item.item_id for item in side.items}) == ITEMS
            assert {item.concept for item in side.items} == {side.concept}
        if choice.dim is not None:
            low, high = (model.item_embeddings[rows(model, side), choice.dim] for side in choice.sides)
            members = model.item_embeddings[model.members(choice.sides[0].concept), choice.dim]
            assert low.max() < np.median(members) < high.min()


def test_both_sides_are_equally_popular(model):
    for choice in find_choices(model):
        one, other = (np.log1p(popularity(model, side)).mean() for side in choice.sides)
        assert abs(one - other) < np.log(1.5), choice


def test_without_balance_the_popular_concept_would_win(model):
    best = [np.sort(model.bundle.popularity[model.members(concept)])[-ITEMS:].mean() for concept in range(5)]
    assert best[0] > 5 * max(best[1:])  # so the test above is about something


def test_the_items_of_a_side_are_the_most_popular_first(model):
    for choice in find_choices(model):
        for side in choice.sides:
            assert (np.diff(popularity(model, side)) <= 0).all()


def test_a_concept_of_a_few_items_is_in_no_question(tmp_path):
    bundle = make_bundle(tmp_path / "bundle", items=11, concepts=2, dimensions=4)
    model = LoadedModel.prepare(Bundle.open(bundle))
    small = [concept for concept in range(2) if len(model.members(concept)) < 2 * ITEMS]
    asked = {side.concept for choice in find_choices(model) for side in choice.sides}
    assert small
    assert asked.isdisjoint(small)


def test_the_best_named_dimension_is_asked_about(model):
    for choice in find_choices(model):
        if choice.dim is not None:
            low, high = choice.sides
            chosen = model.dimension(low.concept, choice.dim)
            assert (low.label, high.label) == (chosen.low.label, chosen.high.label)
            assert chosen.strength == max(one.strength for one in model.bundle.concepts[low.concept].dimensions)


def test_it_is_answered_over_http_and_known_to_who_has_it(client):
    answer = client.get("/choices")
    assert answer.status_code == 200
    assert len(answer.json()["choices"]) == 1 + 3
    tag = answer.headers["etag"]
    assert client.get("/choices", headers={"if-none-match": tag}).status_code == 304
