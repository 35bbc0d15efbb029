"""From the numbers of `explain.py` to the `why` of each recommended item, with names and clicked items."""

import numpy as np

from macrid.service.arrays import Float32Array, Float64Array, Int64Array
from macrid.service.explain import Target, agreements, click_contributions, concept_shares
from macrid.service.loaded_model import LoadedModel
from macrid.service.presentation import summaries
from macrid.service.ranking.protocol import Ranking
from macrid.service.schemas import AgreeingDimension, ConceptShare, SpeakingClick, Why

CLICKS_SHOWN = 3
DIMENSIONS_SHOWN = 4


def whys(
    model: LoadedModel,
    history: Int64Array,
    components: Float32Array,
    ranking: Ranking,
    concept_weights: Float64Array | None = None,
) -> list[Why]:
    """Explain every item of a ranking.

    Args:
        model: the model that ranked.
        history: (n,) item indices that were encoded, n ≥ 1: the clicks and what is liked, without what is disliked.
        components: (K, d) as they were ranked by, altered ones included. The clicks are weighed by what the encoder makes
            of them, without alterations, which are not of their making.
        ranking: what is to be explained.
        concept_weights: (K,) ω, None when no concept was muted or strengthened.
    """
    if not len(ranking.indices):
        return []
    target = Target.of(
        model.item_embeddings[ranking.indices],
        model.bundle.prototypes,
        model.bundle.manifest.temperature,
        concept_weights,
    )
    shares = shares_shown(model, concept_shares(target, components))
    clicks = clicks_shown(model, *click_contributions(model.encoder, history, target))
    dimensions = dimensions_shown(model, target.rows, components, ranking.concepts)
    return [Why(*reasons) for reasons in zip(shares, clicks, dimensions, strict=True)]


def shares_shown(model: LoadedModel, shares: Float64Array) -> list[list[ConceptShare]]:
    """Return all concepts of each item, largest share first: (L, K) → L lists."""
    order = np.argsort(-shares, axis=1, kind="stable").tolist()
    labels = [concept.label for concept in model.bundle.concepts]
    return [
        [ConceptShare(k, labels[k], row[k]) for k in ranked] for ranked, row in zip(order, shares.tolist(), strict=True)
    ]


def clicks_shown(model: LoadedModel, clicks: Int64Array, contributions: Float64Array) -> list[list[SpeakingClick]]:
    """Return the clicks that speak for each item, strongest first: (b,), (L, b) → L lists.

    A click whose absence would not lower the score does not speak for the item, and is not shown.
    """
    order = np.argsort(-contributions, axis=1, kind="stable")[:, :CLICKS_SHOWN]  # (L, 3)
    values = np.take_along_axis(contributions, order, axis=1)
    shown = np.unique(clicks[order[values > 0]]).tolist()
    by_index = dict(zip(shown, summaries(model, shown), strict=True))
    return [
        [SpeakingClick(by_index[click], value) for click, value in zip(*row, strict=True) if value > 0]
        for row in zip(clicks[order].tolist(), values.tolist(), strict=True)
    ]


def dimensions_shown(
    model: LoadedModel, rows: Float64Array, components: Float32Array, concepts: Int64Array
) -> list[list[AgreeingDimension]]:
    """Return the dimensions on which each item agrees with its concept's component: (L, d), (K, d), (L,) → L lists."""
    of_item = components[concepts]  # (L, d)
    dims, parts = agreements(rows, of_item, DIMENSIONS_SHOWN)
    columns = (dims, np.take_along_axis(rows, dims, 1), np.take_along_axis(of_item, dims, 1), parts)
    return [
        [agreeing(model, concept, *entry) for entry in zip(*entries, strict=True) if entry[-1] > 0]
        for concept, *entries in zip(concepts.tolist(), *(column.tolist() for column in columns), strict=True)
    ]


def agreeing(
    model: LoadedModel, concept: int, dim: int, item_value: float, component_value: float, contribution: float
) -> AgreeingDimension:
    """Return a dimension on which an item agrees, with its names."""
    named = model.dimension(concept, dim)
    return AgreeingDimension(
        dim, named.id, named.low.label, named.high.label, item_value, component_value, contribution
    )
