"""A bundle made ready to serve: its arrays, a ranker over them, and what is derived once and used by every request.

`reload.py` makes one and swaps it as a whole; a request holds one from its beginning to its end, and the bundle's
files are let go when the last request that holds it has finished.
"""

import math
import weakref
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import faiss
import numpy as np

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.catalogue import CatalogueItem
from macrid.artifacts.schema import Dimension
from macrid.service.arrays import Float32Array, Int64Array
from macrid.service.encoder import Encoder, EveryItem, Refinement
from macrid.service.ranking.by_concept import ByConceptRanker
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.index import build_index, has_lists, read_index
from macrid.service.ranking.inverted_lists import InvertedListsRanker
from macrid.service.ranking.items import Items
from macrid.service.ranking.protocol import Ranker

# What a manifest may say of its index: beyond, numbers are no longer held as they are looked up.
MOST_PROBES, LARGEST_MARGIN = 2**31, 1e9
# Up to so many items their ids and metadata are kept in memory: half a kilobyte each. Beyond, every request asks the
# catalogue, which costs a tenth of a millisecond, and workers stay small.
KEPT_ITEMS = 50_000

RankerChoice = Literal["auto", "exact", "by_concept"]


@dataclass(frozen=True, eq=False)
class LoadedModel:
    """One bundle and everything the service derives from it; nothing in it ever changes.

    Attributes:
        bundle: the arrays, the concepts, the catalogue.
        encoder: history → components.
        scored_items: the items as rankers score them.
        ranker: components → items.
        main_concepts: (M,) the concept each item belongs to most; of equal ones the first.
        by_popularity: (M,) item indices, most popular first; of equal ones the lower index first.
    """

    bundle: Bundle
    encoder: Encoder
    scored_items: Items
    ranker: Ranker
    main_concepts: Int64Array
    by_popularity: Int64Array

    @staticmethod
    def prepare(bundle: Bundle, ranker: RankerChoice = "auto") -> "LoadedModel":
        """Make a bundle ready to serve. The model closes it once nobody uses the model any more.

        Raises:
            ValueError: the bundle's index is not what its manifest says.
        """
        arrays, temperature = (bundle.item_embeddings, bundle.prototypes), bundle.manifest.temperature
        items = Items(*arrays, temperature, bundle.log_partition)
        every_item = EveryItem(*arrays, bundle.log_partition, np.float32(temperature))
        model = LoadedModel(
            bundle=bundle,
            encoder=Encoder(
                bundle.concept_weights,
                bundle.context_embeddings,
                bundle.input_bias,
                bundle.mean_weight,
                bundle.mean_bias,
                Refinement.of(bundle.step, every_item, bundle.landmarks_and_masses) if bundle.step else None,
            ),
            scored_items=items,
            ranker=choose_ranker(bundle, items, ranker),
            main_concepts=bundle.main_concepts,
            by_popularity=bundle.items_by_popularity,
        )
        weakref.finalize(model, bundle.close)
        return model

    def indices(self, item_ids: Sequence[str]) -> dict[str, int]:
        """Return the rows of those ids that are known."""
        known = self._rows_of_ids
        if known is None:
            return self.bundle.catalogue.indices(item_ids)
        return {item_id: known[item_id] for item_id in item_ids if item_id in known}

    def items(self, indices: Sequence[int]) -> list[CatalogueItem]:
        """Return the items of these rows, in this order."""
        kept = self._kept_items
        return self.bundle.catalogue.items(indices) if kept is None else [kept[index] for index in indices]

    @property
    def version(self) -> str:
        """The bundle's model version."""
        return self.bundle.manifest.model_version

    @property
    def shape(self) -> tuple[int, int, int]:
        """(M, K, d): items, concepts, dimensions."""
        items, concepts = self.bundle.concept_weights.shape
        return items, concepts, self.bundle.prototypes.shape[1]

    @property
    def item_embeddings(self) -> Float32Array:
        """(M, d), unit rows."""
        return self.bundle.item_embeddings

    def members(self, concept: int) -> Int64Array:
        """Return the items of a concept, those that belong to it more than to any other: item indices, ascending."""
        return self._members[concept]

    def items_range(self, concept: int) -> Float32Array:
        """Return where a concept's items are along each coordinate: (2, d), lowest and highest. It holds at least one."""
        if concept not in self._items_ranges:
            rows = self.item_embeddings[self.members(concept)]
            self._items_ranges[concept] = np.stack([rows.min(axis=0), rows.max(axis=0)])
        return self._items_ranges[concept]

    def dimension(self, concept: int, dim: int) -> Dimension:
        """Return a dimension as seen from a concept."""
        return self._dimensions[concept][dim]

    @cached_property
    def _rows_of_ids(self) -> dict[str, int] | None:
        """The row of every id, in a small catalogue."""
        return None if self._kept_items is None else {item.item_id: item.index for item in self._kept_items}

    @cached_property
    def _kept_items(self) -> list[CatalogueItem] | None:
        """Every item of a small catalogue, read at once: before a version serves, for warming up asks for some.

        Kept as they are asked for, they would lie scattered among what requests leave behind, and the memory of a version
        that has gone could not be given back.
        """
        items = self.shape[0]
        return None if items > KEPT_ITEMS else self.bundle.catalogue.items(range(items))

    @cached_property
    def _members(self) -> list[Int64Array]:
        sizes = np.bincount(self.main_concepts, minlength=self.shape[1])
        return np.split(self.bundle.items_by_concept, np.cumsum(sizes)[:-1])

    @cached_property
    def _items_ranges(self) -> dict[int, Float32Array]:
        """Filled when asked for: one pass over a concept's items, the same for every request."""
        return {}

    @cached_property
    def _dimensions(self) -> list[dict[int, Dimension]]:
        return [{entry.dim: entry for entry in concept.dimensions} for concept in self.bundle.concepts]


def choose_ranker(bundle: Bundle, items: Items, choice: RankerChoice) -> Ranker:
    """Return the ranker that was asked for.

    "auto" scores every item where they are kept in eight bits, takes the bundle's inverted lists where a larger catalogue has
    them, and otherwise scores every item too: a flat index reads as many numbers as the matrix product, less efficiently
    (measured on one core, K = 7, d = 100: 4 ms against 6 with 20,000 items, 170 against 350 with a million). docs/ranking.md
    says which is for what.

    Raises:
        ValueError: the bundle's index is not what its manifest says.
    """
    if choice == "exact" or (choice == "auto" and (items.in_eight_bits is not None or bundle.index_path is None)):
        return ExactRanker(items)
    if bundle.index_path is None:
        return ByConceptRanker(items, build_index(items.rows, items.prototypes, items.temperature))
    index = read_index(bundle.index_path, *bundle.item_embeddings.shape)
    if has_lists(faiss.downcast_index(index)):
        return InvertedListsRanker(items, index, *stated_effort(bundle))
    return ExactRanker(items) if choice == "auto" else ByConceptRanker(items, index)


def stated_effort(bundle: Bundle) -> tuple[int, float]:
    """Return how the bundle's inverted lists are to be searched, as their recall was measured.

    Returns:
        How many pairs of concept and cell to look into at most, and how much less than the best ones they may promise, in
        logits: infinitely much in bundles of format 6 and before, which state no margin.

    Raises:
        ValueError: the manifest does not say, or nothing that can be.
    """
    described = bundle.manifest.index
    probes = described.get("probes")
    where = f"{bundle.folder}/manifest.json: index"
    if isinstance(probes, bool) or not isinstance(probes, int) or not 1 <= probes <= MOST_PROBES:
        raise ValueError(f"{where}.probes is {probes!r:.50}, expected a whole number from 1 to {MOST_PROBES}")
    if "margin" not in described:
        return probes, math.inf
    margin = described["margin"]
    if isinstance(margin, bool) or not isinstance(margin, int | float) or not 0 < margin <= LARGEST_MARGIN:
        raise ValueError(f"{where}.margin is {margin!r:.50}, expected a number above 0, at most {LARGEST_MARGIN:.0e}")
    return probes, margin
