"""Every combination of options: nothing that was left out comes back, nothing twice, and as many as there are."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.derived import log_partition
from macrid.model.index import build
from macrid.service.loaded_model import LoadedModel
from macrid.service.ranking import inverted_lists
from macrid.service.ranking.inverted_lists import InvertedListsRanker
from macrid.service.ranking.items import Items
from macrid.service.ranking.selection import SHALLOWEST
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import RecommendRequest

IDS = [f"item-{at}" for at in range(8, 60)]


def by_lists(bundle):
    arrays = bundle.item_embeddings, bundle.prototypes, 0.1
    index = build(bundle.item_embeddings, log_partition(*arrays), 0.1)
    return InvertedListsRanker(Items(*arrays), index, 1)


@pytest.fixture(scope="module", params=["exact", "by_concept", "inverted_lists"])
def recommenders(request, bundle_folder):
    """A recommender to ask, and the reference, which scores every item."""
    bundle = Bundle.open(bundle_folder)
    limits = Limits(max_n=100)
    reference = Recommender(LoadedModel.prepare(bundle, "exact"), limits)
    if request.param != "inverted_lists":
        yield Recommender(LoadedModel.prepare(Bundle.open(bundle_folder), request.param), limits), reference
        return
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(inverted_lists, "FEW", 5)
        patch.setattr("macrid.service.loaded_model.choose_ranker", lambda *_: by_lists(bundle))
        yield Recommender(LoadedModel.prepare(Bundle.open(bundle_folder)), limits), reference


ids = st.lists(st.sampled_from(IDS), max_size=12, unique=True)
filters = st.sampled_from(
    [
        None,
        {"column": "department", "in": ["bags", "lamps"]},
        {"not": {"column": "year", "lt": 2010}},
        {"and": [{"column": "price", "gte": 3}, {"column": "department", "equals": "shoes"}]},
        {"column": "year", "lt": 0},
    ]
)
weights = st.sampled_from(
    [[], [{"concept": 1, "weight": 0}], [{"concept": 0, "weight": 5}, {"concept": 2, "weight": 0.0}]]
)
options = st.fixed_dictionaries(
    {
        "history": ids,
        "exclude": ids,
        "exclude_history": st.booleans(),
        "filter": filters,
        "concepts": weights,
        "liked": st.lists(st.sampled_from(IDS[:10]), max_size=2, unique=True),
        "disliked": st.lists(st.sampled_from(IDS[10:20]), max_size=2, unique=True),
    }
)
shown = st.fixed_dictionaries(
    {
        "n": st.integers(1, 60),
        "offset": st.sampled_from([0, 0, 3, 20]),
        "min_score": st.sampled_from([None, 0.0, 4.0, 50.0]),
        "per_concept": st.sampled_from([None, 1, 5]),
        "diversity": st.sampled_from([0.0, 0.4, 1.0]),
    }
)


def filled(items, least, shown):
    """Return how many places of a page can be filled with these items."""
    fitting = [item for item in items if item.score is None or item.score >= least]
    counts = np.bincount([item.concept for item in fitting], minlength=3)
    places = int(np.minimum(counts, shown["per_concept"] or len(IDS) * 2).sum())
    return max(0, min(shown["n"], places - shown["offset"]))


@settings(deadline=None, max_examples=150)
@given(wanted=options, shown=shown)
def test_what_comes_back_is_allowed_distinct_and_as_many_as_there_are(recommenders, wanted, shown):
    recommender, reference = recommenders
    everything = reference.recommend(RecommendRequest(**wanted, n=60))
    allowed = {item.item_id: item for item in everything.items}
    left_out = {*wanted["exclude"], *wanted["disliked"]}
    if wanted["exclude_history"]:
        left_out |= {*wanted["history"], *wanted["liked"]} - set(wanted["disliked"])
    assert not left_out & allowed.keys()

    answer = recommender.recommend(RecommendRequest(**wanted, **shown))
    returned = [item.item_id for item in answer.items]
    assert len(set(returned)) == len(returned)
    assert set(returned) <= allowed.keys()
    popular = answer.fallback is not None
    least = -np.inf if popular or shown["min_score"] is None else shown["min_score"]
    most = filled(allowed.values(), least, shown)
    if answer.ranking.certified or least == -np.inf:
        assert len(returned) == most
    else:  # an item that reaches the score may not have been found; what stands in the first stage has been
        first_stage = recommender.recommend(RecommendRequest(**wanted, n=SHALLOWEST)).items
        assert filled(first_stage, least, shown) <= len(returned) <= most
    assert [item.rank for item in answer.items] == list(range(shown["offset"] + 1, shown["offset"] + len(returned) + 1))
    assert all(item.score is None or item.score >= least for item in answer.items)
    if shown["per_concept"]:
        assert np.bincount([item.concept for item in answer.items], minlength=1).max(initial=0) <= shown["per_concept"]


@settings(deadline=None, max_examples=60)
@given(wanted=options, shown=shown, size=st.integers(1, 9))
def test_pages_fit_together(recommenders, wanted, shown, size):
    recommender, _ = recommenders
    shown = {**shown, "offset": 0, "n": 30}
    whole = recommender.recommend(RecommendRequest(**wanted, **shown))
    pages = [
        item
        for offset in range(0, 30, size)
        for item in recommender.recommend(
            RecommendRequest(**wanted, **{**shown, "offset": offset, "n": min(size, 30 - offset)})
        ).items
    ]
    assert [(item.item_id, item.rank) for item in pages] == [(item.item_id, item.rank) for item in whole.items]
