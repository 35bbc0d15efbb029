"""Catalogues of any size for benchmarks, drawn to look like trained ones: shelves, soft concepts, skewed popularity.

Concepts differ in size. Each holds shelves, 10·√M in all, whose sizes fall by Zipf's law; a shelf lies off its prototype in
a subspace of the concept's own, whose directions matter less and less, and its items lie around it, some between two
concepts. Users click what is popular on a few shelves, and are encoded by an encoder like a trained one. The numbers below
are chosen so that what matters to an index looks as in trained bundles, or is harder for it; the command prints them side
by side:

    python -m benchmarks.generated BUNDLE…
"""

import argparse
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import faiss
import numpy as np

from macrid.artifacts.arrays import softmax
from macrid.artifacts.bundle import Bundle
from macrid.service.arrays import Float32Array, Float64Array, Int64Array
from macrid.service.encoder import Encoder, unit_rows
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.index import concept_vectors
from macrid.service.ranking.items import Items
from macrid.service.ranking.protocol import Ranking

BLOCK = 65_536
SHELVES = 10.0  # times √M
TOWARDS_PROTOTYPE, TOWARDS_SHELF, OWN = 0.5, 0.75, 0.65  # what a row is made of, before it is brought to length 1
BETWEEN_CONCEPTS = 0.25  # share of items that lie between their prototype and another
SPECTRUM = 0.4  # the j-th direction of a concept has standard deviation j^-SPECTRUM
NOTHING = np.array([], dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Generated:
    """A generated catalogue.

    Attributes:
        item_embeddings: (M, d) float32, unit rows.
        prototypes: (K, d) float32, unit rows.
        popularity: (M,) int64.
        shelves: (M,) int32, the shelf of each item.
        temperature: τ.
    """

    item_embeddings: Float32Array
    prototypes: Float32Array
    popularity: Int64Array
    shelves: np.ndarray
    temperature: float = 0.1

    def concept_weights(self) -> Float32Array:
        """Return c_{i,k}: (M, K) float32."""
        blocks = (self.item_embeddings[start : start + BLOCK] for start in range(0, len(self.item_embeddings), BLOCK))
        return np.concatenate([softmax(rows @ self.prototypes.T / self.temperature) for rows in blocks])

    def encoder_arrays(self, rows: Int64Array | slice = slice(None)) -> dict[str, Float32Array]:
        """Return what a bundle holds of the encoder, for some items: what is clicked says what is wanted."""
        d = self.prototypes.shape[1]
        rng = np.random.default_rng(0)
        items = self.item_embeddings[rows]
        return {
            "concept_weights": softmax(items @ self.prototypes.T / self.temperature),
            "context_embeddings": 1.5 * items,
            "input_bias": (0.02 * rng.standard_normal(d)).astype(np.float32),
            "mean_weight": (np.eye(d) + 0.02 * rng.standard_normal((d, d))).astype(np.float32),
            "mean_bias": (0.02 * rng.standard_normal(d)).astype(np.float32),
        }

    def histories(self, users: int, clicks: int, seed: int = 1) -> Iterator[Int64Array]:
        """Yield users' histories: four fifths of the clicks on one to five shelves, the rest anywhere, popular items first."""
        rng = np.random.default_rng(seed)
        order = np.argsort(self.shelves, kind="stable")
        starts = np.searchsorted(self.shelves[order], np.arange(self.shelves.max() + 2))
        cumulated = np.cumsum(self.popularity, dtype=np.float64)
        for _ in range(users):
            anywhere = popular(cumulated, clicks, rng)
            wanted = self.shelves[popular(cumulated, int(rng.integers(1, 6)), rng)]
            members = np.concatenate([order[starts[shelf] : starts[shelf + 1]] for shelf in wanted])
            there = members[popular(np.cumsum(self.popularity[members], dtype=np.float64), 4 * clicks, rng)]
            yield np.unique(np.concatenate([there[: 4 * clicks // 5], anywhere[: clicks // 5]]))

    def components(self, users: int, clicks: int = 50, seed: int = 1) -> list[Float32Array]:
        """Return users' components, (K, d) each."""
        return [
            Encoder(**self.encoder_arrays(history)).encode(np.arange(len(history))).components
            for history in self.histories(users, clicks, seed)
        ]


def popular(cumulated: Float64Array, count: int, rng: np.random.Generator) -> Int64Array:
    """Draw places by popularity, with repeats."""
    return np.searchsorted(cumulated, rng.random(count) * cumulated[-1])


def generate(items: int, seed: int = 0, concepts: int = 7, dimensions: int = 100) -> Generated:
    """Draw a catalogue; the same arguments give the same one."""
    rng = np.random.default_rng(seed)
    prototypes = unit_rows(rng.standard_normal((concepts, dimensions), dtype=np.float32))
    directions = np.stack([np.linalg.qr(rng.standard_normal((dimensions, dimensions)))[0] for _ in range(concepts)])
    scales = np.arange(1, dimensions + 1) ** -SPECTRUM
    scales /= np.sqrt(np.square(scales).sum())
    bases = (directions * scales[:, None]).astype(np.float32)  # (K, d, d): a standard normal times it has length ~ 1
    shelves = max(concepts, int(SHELVES * np.sqrt(items)))
    homes = rng.choice(concepts, size=shelves, p=rng.dirichlet(np.full(concepts, 4.0)))
    homes[:concepts] = np.arange(concepts)
    centres = np.einsum("sd,sde->se", rng.standard_normal((shelves, dimensions), dtype=np.float32), bases[homes])
    centres = TOWARDS_PROTOTYPE * prototypes[homes] + TOWARDS_SHELF * unit_rows(centres)
    sizes = (rng.permutation(shelves) + 10.0) ** -0.7
    rows = np.empty((items, dimensions), dtype=np.float32)
    shelf_of = rng.choice(shelves, size=items, p=sizes / sizes.sum()).astype(np.int32)
    for start in range(0, items, BLOCK):
        rows[start : start + BLOCK] = _rows(shelf_of[start : start + BLOCK], homes, centres, prototypes, bases, rng)
    appeal = rng.permutation(items) + 0.005 * items + 5.0
    popularity = np.ceil(20.0 * (appeal / items) ** -0.9).astype(np.int64)
    return Generated(rows, prototypes, popularity, shelf_of)


def _rows(
    shelf_of: np.ndarray,
    homes: Int64Array,
    centres: Float32Array,
    prototypes: Float32Array,
    bases: Float32Array,
    rng: np.random.Generator,
) -> Float32Array:
    """Draw a block of items around their shelves."""
    concepts, dimensions = prototypes.shape
    own = rng.standard_normal((len(shelf_of), dimensions), dtype=np.float32)
    for k in range(concepts):
        here = homes[shelf_of] == k
        own[here] = own[here] @ bases[k]
    own *= np.float32(OWN) * rng.uniform(0.6, 1.4, size=(len(own), 1)).astype(np.float32)
    rows: Float32Array = centres[shelf_of] + own
    between = np.flatnonzero(rng.random(len(rows)) < BETWEEN_CONCEPTS)
    lean = rng.uniform(0.1, 0.4, size=(len(between), 1)).astype(np.float32)
    rows[between] += lean * prototypes[rng.integers(0, concepts, size=len(between))]
    return unit_rows(rows)


# --- Does it look like a trained one? -----------------------------------------------------------------------------


def main() -> None:
    """Print what matters to an index, of trained bundles and of generated ones of the same size."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bundles", nargs="+", type=Path)
    print("| catalogue | items | " + " | ".join(MEASURES) + " |\n|---|---|" + "---|" * len(MEASURES))
    for folder in parser.parse_args().bundles:
        bundle = Bundle.open(folder)
        found = Generated(
            bundle.item_embeddings,
            bundle.prototypes,
            bundle.popularity,
            np.zeros(bundle.manifest.items, np.int32),
            bundle.manifest.temperature,
        )
        encoder = Encoder(
            bundle.concept_weights,
            bundle.context_embeddings,
            bundle.input_bias,
            bundle.mean_weight,
            bundle.mean_bias,
        )
        users = [encoder.encode(history).components for history in found.histories(100, 50)]
        _print_row(bundle.manifest.name, found, users)
        concepts, dimensions = bundle.prototypes.shape
        like = generate(bundle.manifest.items, concepts=concepts, dimensions=dimensions)
        _print_row("generated", like, like.components(100))


MEASURES = (
    "largest c, quartiles",
    "cosine to own prototype",
    "cosine to neighbour 1, 10, 100",
    "τ · score at rank 1, 20, 100",
    "concepts among the best 20",
    "directions of the largest concept",
    "share of the most popular 10 %",
    "to be searched for 90, 99 % of the best 100",
)


def _print_row(name: str, found: Generated, users: list[Float32Array]) -> None:
    weights, items = found.concept_weights(), found.item_embeddings
    main = weights.argmax(axis=1)
    sample = np.random.default_rng(0).choice(len(items), min(300, len(items)), replace=False)
    cosines = np.sort(items[sample] @ items.T, axis=1)
    ranker = ExactRanker(Items(items, found.prototypes, found.temperature))
    rankings = [ranker.rank(components, 100, NOTHING) for components in users]
    largest = items[main == np.bincount(main).argmax()]
    spectrum = np.linalg.eigvalsh(np.cov(largest.T))
    popular_first = np.sort(found.popularity)[::-1]
    values = (
        np.quantile(weights.max(axis=1), [0.25, 0.5, 0.75]),
        np.median((items * found.prototypes[main]).sum(axis=1)),
        np.median(cosines[:, [-2, -11, -101]], axis=0),
        found.temperature * np.mean([ranking.scores[[0, 19, 99]] for ranking in rankings], axis=0),
        np.mean([len(np.unique(ranking.concepts[:20])) for ranking in rankings]),
        spectrum.sum() ** 2 / np.square(spectrum).sum(),
        popular_first[: len(items) // 10].sum() / popular_first.sum(),
        np.quantile(np.concatenate(to_be_searched(found, users, rankings)), [0.9, 0.99]),
    )
    cells = [", ".join(f"{number:.2f}" for number in np.atleast_1d(value)) for value in values]
    print(f"| {name} | {len(items):,} | " + " | ".join(cells) + " |", flush=True)


def to_be_searched(found: Generated, users: list[Float32Array], rankings: list[Ranking]) -> Iterator[Float64Array]:
    """Yield, for each item of each ranking, the share of all items in the cells up to its own, nearest cells first."""
    vectors = concept_vectors(found.item_embeddings, found.prototypes, found.temperature)
    cells = min(int(4 * np.sqrt(len(vectors))), len(vectors) // 39)
    clusters = faiss.Kmeans(found.prototypes.shape[1], cells, niter=8, spherical=True, seed=1)
    clusters.train(np.ascontiguousarray(found.item_embeddings))
    _, assigned = clusters.assign(np.ascontiguousarray(found.item_embeddings))
    sizes = np.bincount(assigned, minlength=cells)
    means = np.zeros((cells, vectors.shape[1]))
    np.add.at(means, assigned, vectors)
    means /= np.maximum(sizes, 1)[:, None]
    for components, ranking in zip(users, rankings, strict=True):
        questions = np.pad(components + found.prototypes, ((0, 0), (0, 1)), constant_values=1.0)
        order = np.argsort(-(questions @ means.T).max(axis=0))
        searched = np.empty(cells)
        searched[order] = np.cumsum(sizes[order]) / len(vectors)
        yield searched[assigned[ranking.indices]]


if __name__ == "__main__":
    main()
