"""Recommendations for many users at once: those of one request, or batches in and batches out on all cores.

The first is what `POST /recommend/batch` calls, the second what `macrid recommend` does.

The caller reads and writes files; nothing here knows of them. Batches are worked on in threads, because nearly all the time
is spent in matrix products, which let other threads run; they come out in the order they went in, and at most two for each
thread are under way, so memory does not grow with the number of users.
"""

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from threadpoolctl import threadpool_limits

from macrid.service.arrays import Float64Array, Int64Array
from macrid.service.loaded_model import LoadedModel
from macrid.service.ranking.many import rank_many
from macrid.service.ranking.protocol import Ranking

# Users whose histories are encoded together: beyond, little more is saved, and long histories take megabytes each.
ENCODED_AT_ONCE = 16


@dataclass(frozen=True)
class Recommended:
    """What came of a batch of B users, flattened.

    Attributes:
        counts: (B,) how many items each user got.
        indices: (Σ counts,) item indices, user by user, best first.
        scores: (Σ counts,) scores; NaN where a user had no known item and got popular ones.
        concepts: (Σ counts,) the concept that put each item there.
    """

    counts: Int64Array
    indices: Int64Array
    scores: Float64Array
    concepts: Int64Array


def recommend_all(
    model: LoadedModel, batches: Iterable[Sequence[Int64Array]], n: int, threads: int, *, exclude_history: bool = True
) -> Iterator[Recommended]:
    """Yield recommendations for batches of users.

    Args:
        model: to ask.
        batches: of histories, each known item indices, sorted and without repeats; may be empty.
        n: how many items for each user.
        threads: how many batches to work on at once.
        exclude_history: whether items of a history are left out.
    """
    waiting: deque[Future[Recommended]] = deque()
    with threadpool_limits(1), ThreadPoolExecutor(threads) as pool:  # each of ours would start as many again
        for batch in batches:
            waiting.append(pool.submit(recommend_batch, model, batch, n, exclude_history=exclude_history))
            if len(waiting) > 2 * threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def recommend_batch(
    model: LoadedModel, histories: Sequence[Int64Array], n: int, *, exclude_history: bool
) -> Recommended:
    """Recommend to one batch of users."""
    rankings = rankings_of(model, histories, n, exclude_history=exclude_history)
    if not rankings:
        nothing = np.empty(0, dtype=np.int64)
        return Recommended(nothing, nothing, np.empty(0), nothing)
    return Recommended(
        np.array([len(ranking.indices) for ranking in rankings], dtype=np.int64),
        np.concatenate([ranking.indices for ranking in rankings]),
        np.concatenate([ranking.scores for ranking in rankings]),
        np.concatenate([ranking.concepts for ranking in rankings]),
    )


def rankings_of(model: LoadedModel, histories: Sequence[Int64Array], n: int, *, exclude_history: bool) -> list[Ranking]:
    """Rank for each history; the most popular items, with NaN for scores, where one is empty."""
    known = [at for at, history in enumerate(histories) if len(history)]
    rankings: list[Ranking] = [popular(model, n)] * len(histories)
    if known:
        components = np.stack(
            [
                encoding.components
                for start in range(0, len(known), ENCODED_AT_ONCE)
                for encoding in model.encoder.encode_each(
                    [histories[at] for at in known[start : start + ENCODED_AT_ONCE]]
                )
            ]
        )
        nothing = np.empty(0, dtype=np.int64)
        excluded = [histories[at] if exclude_history else nothing for at in known]
        for at, ranking in zip(known, rank_many(model.scored_items, components, n, excluded), strict=True):
            rankings[at] = ranking
    return rankings


def popular(model: LoadedModel, n: int) -> Ranking:
    """Return the most popular items."""
    indices = model.by_popularity[:n]
    return Ranking(indices, np.full(len(indices), np.nan), model.main_concepts[indices], True)
