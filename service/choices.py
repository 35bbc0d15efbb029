"""This set or that set? Questions that start a history: two small sets of items to choose between, equally popular.

Stands between `recommender` and one loaded model. A question is about two concepts, or about the two ends of one dimension of a
concept. What is chosen should say what somebody likes and not what everybody clicks: both sides are as popular as the less
popular side can be.
"""

from dataclasses import dataclass

import numpy as np

from macrid.artifacts.schema import Dimension
from macrid.service.arrays import Float64Array, Int64Array
from macrid.service.loaded_model import LoadedModel
from macrid.service.presentation import summaries
from macrid.service.schemas import Choice, ChoiceSide

ITEMS = 3  # on each side
# Sides are taken from the tenth of a concept's items that shows it, or an end of a dimension, most surely.
TELLING, FEWEST = 0.1, 12


@dataclass(frozen=True)
class Pool:
    """Items that could stand for one side: item indices, and what they stand for."""

    label: str | None
    concept: int
    items: Int64Array


def find_choices(model: LoadedModel) -> list[Choice]:
    """Return questions about pairs of concepts, the largest first, then one about a dimension of each concept.

    A concept with fewer than two sides' worth of items is in no question; neither is the last of an odd number of concepts.
    """
    large = [k for k in by_size(model) if len(model.members(k)) >= 2 * ITEMS]
    pairs = [(surest(model, one), surest(model, other)) for one, other in zip(large[::2], large[1::2], strict=False)]
    choices = [choice_between(model, low, high, None) for low, high in pairs]
    for concept in large:
        dimension = most_telling(model.bundle.concepts[concept].dimensions)
        choices.append(choice_between(model, *ends(model, concept, dimension), dimension))
    return choices


def by_size(model: LoadedModel) -> list[int]:
    """Return the concepts, those with most items first."""
    sizes = [len(model.members(concept)) for concept in range(model.shape[1])]
    return sorted(range(len(sizes)), key=lambda concept: (-sizes[concept], concept))


def most_telling(dimensions: tuple[Dimension, ...]) -> Dimension:
    """Return the dimension whose ends are named best; where none is named, the one that matters most."""
    return max(
        dimensions, key=lambda one: (bool(one.low.label and one.high.label), one.strength, one.importance, -one.dim)
    )


def surest(model: LoadedModel, concept: int) -> Pool:
    """Return the items that belong to a concept most surely."""
    members = model.members(concept)
    weights = model.bundle.concept_weights[members, concept]
    order = members[np.argsort(-weights, kind="stable")]
    return Pool(model.bundle.concepts[concept].label, concept, order[: tenth(members, len(members))])


def ends(model: LoadedModel, concept: int, dimension: Dimension) -> tuple[Pool, Pool]:
    """Return the items at both ends of a dimension; no item is at both."""
    members = model.members(concept)
    order = members[np.argsort(model.item_embeddings[members, dimension.dim], kind="stable")]
    size = tenth(members, len(members) // 2)
    return Pool(dimension.low.label, concept, order[:size]), Pool(dimension.high.label, concept, order[-size:])


def tenth(members: Int64Array, most: int) -> int:
    """Return how many of these items are the most telling ones: at most so many."""
    return min(max(FEWEST, round(TELLING * len(members))), most)


def choice_between(model: LoadedModel, low: Pool, high: Pool, dimension: Dimension | None) -> Choice:
    """Return the question that takes items of like popularity from two pools."""
    popularity = np.log1p(model.bundle.popularity)
    level = min(reachable(popularity[pool.items]) for pool in (low, high))
    sides = [
        ChoiceSide(
            label=pool.label,
            concept=pool.concept,
            items=summaries(model, pool.items[nearest_to(level, popularity[pool.items])].tolist()),
        )
        for pool in (low, high)
    ]
    return Choice(dim=None if dimension is None else dimension.dim, sides=sides)


def reachable(popularity: Float64Array) -> float:
    """Return how popular a pool's ITEMS most popular items are, on average."""
    return float(np.sort(popularity)[-ITEMS:].mean())


def nearest_to(level: float, popularity: Float64Array) -> Int64Array:
    """Return which ITEMS items are popular to that degree, the most popular first: positions in the pool."""
    chosen = np.argsort(np.abs(popularity - level), kind="stable")[:ITEMS]
    return chosen[np.argsort(-popularity[chosen], kind="stable")]
