"""The service serves the model that was evaluated: over HTTP, held-out users get the trainer's own top 100."""

import asyncio

import httpx
import numpy as np
import pytest

from macrid.artifacts.store import Store
from macrid.model.evaluation import rank
from macrid.service.app import create_app, lifespan
from macrid.service.settings import Settings

TOP = 100
TOLERANCE = 1e-5


def ask(store, histories, **settings):
    """The top 100 of every history, as the service answers it: [(item id, score), …] each."""

    async def run():
        app = create_app(Settings(store=store, **settings))
        transport = httpx.ASGITransport(app=app)
        async with lifespan(app), httpx.AsyncClient(transport=transport, base_url="http://macrid") as client:
            answers = [await client.post("/recommend", json={"history": history, "n": TOP}) for history in histories]
        return [
            [(item["item_id"], item["score"]) for item in answer.raise_for_status().json()["items"]]
            for answer in answers
        ]

    return asyncio.run(run())


def compare(network, split, answers, recall=1.0):
    """Same items, same order, up to scores that differ by less than the tolerance; of an index, so many of the same items."""
    scores = network.score(split.test.fold_in).astype(np.float64)
    expected = rank(network, split.test.fold_in, TOP)
    row_of = {item_id: row for row, item_id in enumerate(split.item_ids)}
    assert len(answers) == len(split.test.user_ids) > 0
    found = []
    for user, answer in enumerate(answers):
        served = [row_of[item_id] for item_id, _ in answer]
        assert len(set(served)) == len(served) == min(TOP, scores.shape[1])
        np.testing.assert_allclose([score for _, score in answer], scores[user, served], atol=1e-4)
        found.append(np.isin(expected[user], served).mean())
        if recall < 1:
            continue
        # An item at another place than the trainer's is only there because the two scores are the same to within the tolerance.
        np.testing.assert_allclose(scores[user, served], scores[user, expected[user]], atol=TOLERANCE)
    assert recall == 1 or np.mean(found) >= recall


def histories_of(split):
    return [[split.item_ids[item] for item in row.indices] for row in split.test.fold_in]


@pytest.mark.parametrize("ranker", ["exact", "by_concept"])
def test_on_the_small_shop(small_run, tmp_path, ranker):
    outcome, split = small_run
    Store(tmp_path).publish(outcome.folder)
    compare(outcome.trained.network, split, ask(tmp_path, histories_of(split), ranker=ranker))


@pytest.mark.slow
@pytest.mark.real_data
@pytest.mark.parametrize("ranker", ["exact", "by_concept"])
def test_on_ml_latest_small(film_run, tmp_path, ranker):
    outcome, split = film_run
    Store(tmp_path).publish(outcome.folder)
    answers = ask(tmp_path, histories_of(split), ranker=ranker)
    # So many items get an index, and it holds what the manifest says of it.
    compare(outcome.trained.network, split, answers, recall=1.0 if ranker == "exact" else 0.98)


@pytest.mark.slow
@pytest.mark.real_data
def test_a_few_epochs_on_ml_latest_small_already_beat_popularity_by_half(film_run):
    outcome, _ = film_run
    macrid, popularity = (outcome.table[method]["ndcg@100"]["mean"] for method in ("MacridVAE", "popularity"))
    assert macrid > 1.5 * popularity
