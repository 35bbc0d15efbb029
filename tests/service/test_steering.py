"""`recommend` with wishes: what they do to a ranking, what is said about it, and which wishes cannot be understood."""

import numpy as np
import pytest

from macrid.service.errors import InvalidError, TooLargeError
from macrid.service.schemas import RecommendRequest

HISTORY = ["item-9", "item-20", "item-34"]


@pytest.fixture(scope="session")
def bundle(recommender):
    return recommender.model.bundle


def recommend(recommender, *, history=HISTORY, n=10, **options):
    return recommender.recommend(RecommendRequest.model_validate({"history": history, "n": n, **options}))


def ids(items):
    return [item.item_id for item in items]


def scores_of(bundle, components, weights=(1, 1, 1)):
    """The model's formula, for all items."""
    logits = bundle.item_embeddings.astype(np.float64) @ components.T / 0.1
    return np.log(np.sum(np.array(weights) * bundle.concept_weights * np.exp(logits), axis=1))


def best_ids(bundle, scores, n, without):
    scores = scores.copy()
    scores[[bundle.catalogue.indices([item_id])[item_id] for item_id in without]] = -np.inf
    return [bundle.catalogue.item(index).item_id for index in np.argsort(-scores)[:n].tolist()]


def encode(recommender, *item_ids):
    return recommender.model.encoder.encode(
        np.array(sorted(recommender.model.bundle.catalogue.indices(item_ids).values()))
    )


class TestUnsteered:
    @pytest.mark.parametrize("nothing", [{}, {"adjust": [], "concepts": [], "critiques": [], "liked": []}])
    def test_says_nothing_of_steering(self, recommender, nothing):
        answer = recommend(recommender, **nothing)
        assert answer.steering is None
        assert [item.rank_before for item in answer.items] == [None] * 10

    def test_ranks_only_once(self, recommender, monkeypatch):
        asked = []
        rank = type(recommender.model.ranker).rank
        monkeypatch.setattr(
            type(recommender.model.ranker), "rank", lambda *arguments: asked.append(arguments) or rank(*arguments)
        )
        recommend(recommender)
        assert len(asked) == 1


class TestConcepts:
    def test_weights_enter_the_models_formula(self, recommender, bundle):
        answer = recommend(recommender, concepts=[{"concept": 2, "weight": 5.0}, {"concept": 0, "weight": 0.5}])
        scores = scores_of(bundle, encode(recommender, *HISTORY).components, (0.5, 1, 5))
        assert ids(answer.items) == best_ids(bundle, scores, 10, HISTORY)
        assert [(entry.concept, entry.weight) for entry in answer.steering.weights] == [(0, 0.5), (2, 5.0)]

    def test_a_muted_concept_puts_nothing_there(self, recommender):
        assert 1 in {item.concept for item in recommend(recommender, n=30).items}
        answer = recommend(recommender, n=30, concepts=[{"concept": 1, "weight": 0}])
        assert 1 not in {item.concept for item in answer.items}

    def test_weights_of_one_move_nothing(self, recommender):
        answer = recommend(recommender, concepts=[{"concept": 1, "weight": 1}])
        assert ids(answer.items) == ids(recommend(recommender).items)
        assert (answer.steering.entered, answer.steering.left) == ([], [])


class TestAdjust:
    def test_the_ranking_is_that_of_the_altered_component(self, recommender, bundle):
        answer = recommend(recommender, adjust=[{"concept": 0, "dim": 3, "quantile": 1.0}])
        edit = answer.steering.components[0].edits[0]
        members = recommender.model.members(0)
        assert edit.requested == bundle.item_embeddings[members, 3].max()
        components = encode(recommender, *HISTORY).components.astype(np.float64)
        assert edit.before == pytest.approx(components[0, 3])
        components[0, 3] = min(edit.requested, edit.range.high)
        components[0] /= np.linalg.norm(components[0])
        assert edit.applied == pytest.approx(components[0, 3], abs=1e-6)
        assert ids(answer.items) == best_ids(bundle, scores_of(bundle, components), 10, HISTORY)

    def test_it_names_the_dimension_and_its_ends(self, recommender):
        answer = recommend(recommender, adjust=[{"concept": 1, "dim": 2, "shift": 0.1}])
        (component,) = answer.steering.components
        assert (component.concept, component.id, component.scale) == (1, "c1", 1.0)
        edit = component.edits[0]
        assert (edit.id, edit.low_label, edit.high_label) == ("c1d2", "small", "large")
        assert edit.quantile_before <= edit.quantile_applied

    def test_a_shift_by_nothing_moves_nothing(self, recommender):
        plain = recommend(recommender)
        answer = recommend(recommender, adjust=[{"concept": 0, "dim": 3, "shift": 0}])
        assert [(item.item_id, item.score) for item in answer.items] == [
            (item.item_id, item.score) for item in plain.items
        ]
        assert [item.rank_before for item in answer.items] == list(range(1, 11))
        assert (answer.steering.entered, answer.steering.left) == ([], [])

    def test_components_are_shown_as_they_were_before(self, recommender):
        answer = recommend(recommender, adjust=[{"concept": 0, "dim": 3, "quantile": 1.0}])
        assert answer.components == recommend(recommender).components


class TestWhatMoved:
    @pytest.fixture
    def answers(self, recommender):
        plain = recommend(recommender)
        muted = [{"concept": plain.items[0].concept, "weight": 0.0}]
        return recommend(recommender, n=50), plain, recommend(recommender, concepts=muted)

    def test_every_item_says_where_it_was(self, answers):
        everything, _, steered = answers
        before = {item.item_id: item.rank for item in everything.items}
        assert [item.rank_before for item in steered.items] == [before[item.item_id] for item in steered.items]
        assert [item.rank for item in steered.items] == list(range(1, 11))

    def test_entered_and_left_are_the_differences_of_the_two_lists(self, answers):
        _, plain, steered = answers
        assert steered.steering.entered == [i for i in ids(steered.items) if i not in ids(plain.items)] != []
        assert ids(steered.steering.left) == [i for i in ids(plain.items) if i not in ids(steered.items)]
        before = {item.item_id: (item.rank, item.concept) for item in plain.items}
        for item in steered.steering.left:
            assert (item.rank_before, item.concept) == before[item.item_id]

    def test_the_first_n_have_one_at_any_n(self, recommender, monkeypatch):
        monkeypatch.setattr("macrid.service.recommender.DEPTH_BEFORE", 3)
        unmoved = recommend(recommender, adjust=[{"concept": 0, "dim": 3, "shift": 0}])
        assert [item.rank_before for item in unmoved.items] == list(range(1, 11))

    def test_an_item_from_below_the_depth_has_no_rank_before(self, recommender, monkeypatch):
        monkeypatch.setattr("macrid.service.recommender.DEPTH_BEFORE", 3)
        full = {item.item_id: item.rank for item in recommend(recommender, n=50).items}
        muted = [{"concept": k, "weight": 0} for k in range(3) if k != recommend(recommender, n=50).items[-1].concept]
        before = [(full[item.item_id], item.rank_before) for item in recommend(recommender, n=4, concepts=muted).items]
        assert any(rank > 4 for rank, _ in before), "the case does not arise"
        assert [reported for _, reported in before] == [rank if rank <= 4 else None for rank, _ in before]


class TestLikedAndDisliked:
    def test_liked_items_join_the_history(self, recommender):
        liked = recommend(recommender, liked=["item-40", "item-9"])
        joined = recommend(recommender, history=[*HISTORY, "item-40"])
        assert ids(liked.items) == ids(joined.items)
        assert liked.components == joined.components

    def test_liked_items_come_back_where_the_history_does(self, recommender):
        options = {"liked": ["item-40"], "exclude_history": False, "n": 50}
        assert "item-40" in ids(recommend(recommender, **options).items)

    def test_a_disliked_item_never_comes_back_and_leaves_the_history(self, recommender, bundle):
        answer = recommend(recommender, n=50, disliked=["item-9"], exclude_history=False)
        assert "item-9" not in ids(answer.items)
        assert answer.components == recommend(recommender, history=HISTORY[1:]).components

    def test_its_likes_fall_behind(self, recommender, bundle):
        first = recommend(recommender).items[0]
        answer = recommend(recommender, n=50, disliked=[first.item_id])
        (component,) = answer.steering.components
        main = recommender.model.main_concepts[bundle.catalogue.indices([first.item_id])[first.item_id]]
        assert (component.concept, component.edits) == (main, [])
        components = encode(recommender, *HISTORY).components.astype(np.float64)
        row = bundle.item_embeddings[bundle.catalogue.indices([first.item_id])[first.item_id]]
        components[main] -= component.scale * 0.25 * row
        components[main] /= np.linalg.norm(components[main])
        expected = best_ids(bundle, scores_of(bundle, components), 10, [*HISTORY, first.item_id])
        assert ids(answer.items)[:10] == expected
        assert first.item_id in ids(answer.steering.left)

    def test_unknown_ones_are_reported_and_otherwise_ignored(self, recommender):
        answer = recommend(recommender, history=["nope", "item-9"], liked=["neither"], disliked=["nor", "nope"])
        assert answer.unknown_items == ["nope", "neither", "nor"]
        assert ids(answer.items) == ids(recommend(recommender, history=["item-9"]).items)

    def test_with_nothing_left_of_the_history_popular_items_are_returned_without_the_disliked(self, recommender):
        popular = ids(recommend(recommender, history=[]).items)
        answer = recommend(recommender, history=["item-9"], disliked=["item-9", popular[0]])
        assert answer.fallback == "popular"
        assert answer.steering is None
        assert popular[0] not in ids(answer.items)

    def test_what_is_liked_is_enough_of_a_history_and_moves_from_the_popular_items(self, recommender, bundle):
        answer = recommend(recommender, history=[], liked=["item-9"])
        assert answer.fallback is None
        order = np.argsort(-bundle.popularity, kind="stable")
        popular = [bundle.catalogue.item(index).item_id for index in order.tolist()]
        assert [item.rank_before for item in answer.items] == [popular.index(item) + 1 for item in ids(answer.items)]


class TestCritiques:
    def test_more_than_an_item_raises_its_concepts_component_and_likes_the_item(self, recommender, bundle):
        row = bundle.catalogue.indices(["item-40"])["item-40"]
        main = int(recommender.model.main_concepts[row])
        answer = recommend(recommender, critiques=[{"item": "item-40", "dim": 5, "direction": "more"}])
        (component,) = answer.steering.components
        (edit,) = component.edits
        assert (component.concept, edit.dim) == (main, 5)
        coordinates = bundle.item_embeddings[recommender.model.members(main), 5]
        quantile = np.mean(coordinates < bundle.item_embeddings[row, 5]) + 0.5 / len(coordinates)
        bound = np.quantile(coordinates.astype(np.float64), min(1, quantile + 0.15), method="hazen")
        assert edit.requested == pytest.approx(max(edit.before, bound))
        assert answer.components == recommend(recommender, history=[*HISTORY, "item-40"]).components
        assert "item-40" not in ids(answer.items)

    def test_more_and_less_point_opposite_ways(self, recommender):
        applied = {
            direction: recommend(recommender, critiques=[{"item": "item-40", "dim": 5, "direction": direction}])
            .steering.components[0].edits[0].requested
            for direction in ("more", "less")
        }  # fmt: skip
        assert applied["less"] < applied["more"]


class TestOrder:
    def test_wishes_in_any_order_give_the_same_answer(self, recommender):
        wishes = {
            "adjust": [{"concept": 0, "dim": 3, "quantile": 0.9}, {"concept": 0, "dim": 1, "shift": -0.2},
                       {"concept": 2, "dim": 3, "value": 0.1}],
            "critiques": [{"item": "item-40", "dim": 5, "direction": "more"},
                          {"item": "item-41", "dim": 5, "direction": "less"}],
            "concepts": [{"concept": 1, "weight": 2}, {"concept": 0, "weight": 0.5}],
            "liked": ["item-12", "item-13"],
            "disliked": ["item-14", "item-17", "item-20"],
        }  # fmt: skip
        reverse = {name: wish[::-1] for name, wish in wishes.items()}
        assert recommend(recommender, **wishes) == recommend(recommender, **reverse)


ADJUST = {"concept": 0, "dim": 3, "value": 0.1}
MORE = {"item": "item-40", "dim": 3, "direction": "more"}


class TestWhatCannotBeUnderstood:
    @pytest.mark.parametrize(
        ("wishes", "field", "says"),
        [
            ({"concepts": [{"concept": 3, "weight": 1}]}, "concepts[0].concept", "numbered 0 to 2"),
            ({"concepts": [{"concept": 1, "weight": 1}] * 2}, "concepts[1].concept", "twice"),
            ({"concepts": [{"concept": k, "weight": 0} for k in range(3)]}, "concepts", "every concept is muted"),
            ({"adjust": [{**ADJUST, "concept": -1}]}, "adjust[0].concept", "numbered 0 to 2"),
            ({"adjust": [ADJUST, {**ADJUST, "dim": 8}]}, "adjust[1].dim", "numbered 0 to 7"),
            ({"adjust": [ADJUST, {**ADJUST, "value": 0.2}]}, "adjust[1]", "adjusted twice"),
            ({"critiques": [{**MORE, "dim": 10**30}]}, "critiques[0].dim", "numbered 0 to 7"),
            ({"critiques": [MORE, {**MORE, "item": "nope"}]}, "critiques[1].item", "no item has this id"),
            ({"liked": ["item-9"], "disliked": ["item-12", "item-9"]}, "disliked[1]", "also liked"),
            ({"critiques": [MORE], "disliked": ["item-40"]}, "disliked[0]", "also liked or criticised"),
        ],
    )
    def test_it_is_refused_by_field(self, recommender, wishes, field, says):
        with pytest.raises(InvalidError, match=says) as refusal:
            recommend(recommender, **wishes)
        assert refusal.value.field == field

    def test_a_concept_without_items_has_nothing_to_turn(self, recommender, monkeypatch):
        monkeypatch.setattr(type(recommender.model), "members", lambda *_: np.array([], dtype=np.int64))
        with pytest.raises(InvalidError, match="nothing can be turned"):
            recommend(recommender, adjust=[ADJUST])

    @pytest.mark.parametrize("field", ["liked", "disliked"])
    def test_more_items_than_a_history_may_hold_are_refused(self, recommender, field):
        with pytest.raises(TooLargeError, match=f"{field} holds 9 item ids"):
            recommend(recommender, **{field: ["item-40"] * 9})
