"""Clicks in, components and confidences out: the encoder of the paper at test time, in numpy.

Stands between the bundle and the rankers (`recommender → encoder → ranking`). Only the history's rows of the two
tables are touched, never all M. Must not import torch: the network was trained elsewhere, this is its arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from macrid.service.arrays import Float32Array, Float64Array, Int64Array

# Below this length a vector has no direction; the same floor torch.nn.functional.normalize uses.
SHORTEST = 1e-12
# Users · concepts · items at a time, where what is expected goes by every item: 16 MB.
LOGITS_AT_ONCE = 4_000_000
# Items that are multiplied at a time there.
ITEMS_AT_ONCE = 512


@dataclass(frozen=True)
class Encoding:
    """What a history says of a user.

    Attributes:
        components: (K, d) float32, unit rows; one vector per concept.
        confidences: (K,) float32, Σ_i c_{i,k} over the history; they sum to the number of items in it.
    """

    components: Float32Array
    confidences: Float32Array


@dataclass(frozen=True)
class Landmarks:
    """What is to be expected of users, from a few vectors that stand for all items of a concept.

    Attributes:
        vectors: (K, S, d) float32.
        log_masses: (K, S) float32, −inf for one that stands for no item.
        temperature: τ.
    """

    vectors: Float32Array
    log_masses: Float32Array
    temperature: np.float32

    @staticmethod
    def with_masses(vectors: Float32Array, masses: Float32Array, temperature: float) -> "Landmarks":
        """Prepare them from the arrays of a bundle, named as in `artifacts/schema.py`."""
        with np.errstate(divide="ignore"):
            return Landmarks(vectors, np.log(masses), np.float32(temperature))

    def of(self, components: Float32Array) -> Float32Array:
        """Return Σ_j p_j r_{j,k} h_j, (K, B, d), of users with these components, (K, B, d)."""
        logits = components @ self.vectors.transpose(0, 2, 1) / self.temperature + self.log_masses[:, None]  # (K, B, S)
        expected: Float32Array = _shares(logits, axis=(0, 2)) @ self.vectors
        return expected


@dataclass(frozen=True)
class EveryItem:
    """What is to be expected of users, from all items: log c_{j,k} + ⟨z_k, h_j⟩/τ = ⟨z_k + m_k, h_j⟩/τ − A_j.

    Attributes:
        item_embeddings: (M, d) float32, unit rows.
        prototypes: (K, d) float32.
        log_partition: (M,) float64, A_j.
        temperature: τ.
    """

    item_embeddings: Float32Array
    prototypes: Float32Array
    log_partition: Float64Array
    temperature: np.float32

    def of(self, components: Float32Array) -> Float32Array:
        """Return Σ_j p_j r_{j,k} h_j, (K, B, d), of users with these components, (K, B, d)."""
        expected = np.empty_like(components)
        at_once = max(1, LOGITS_AT_ONCE // (len(components) * len(self.log_partition)))
        for start in range(0, components.shape[1], at_once):
            users = slice(start, start + at_once)
            expected[:, users] = self._of_some(components[:, users])
        return expected

    def _of_some(self, components: Float32Array) -> Float32Array:
        """Block of items after block: OpenBLAS takes small products as they are, and copies large ones first."""
        queries: Float32Array = (components + self.prototypes[:, None]) / self.temperature  # (K, b, d)
        asked = queries.reshape(-1, queries.shape[-1])  # (K·b, d)
        columns = np.ascontiguousarray(asked.T)
        blocks = [slice(at, at + ITEMS_AT_ONCE) for at in range(0, len(self.item_embeddings), ITEMS_AT_ONCE)]
        logits = np.empty((len(asked), len(self.item_embeddings)), dtype=np.float32)  # (K·b, M)
        for block in blocks:
            logits[:, block] = (self.item_embeddings[block] @ columns).T
        logits -= self.log_partition.astype(np.float32)
        shares = _shares(logits.reshape(*queries.shape[:2], -1), axis=(0, 2)).reshape(logits.shape)
        total = np.zeros_like(asked)
        for block in blocks:
            total += shares[:, block] @ self.item_embeddings[block]
        return total.reshape(queries.shape)


@dataclass(frozen=True)
class Refinement:
    """A step of components uphill on the log likelihood of what their user clicked (docs/decisions/0010).

    The gradient, times τ, is what was clicked less what was to be expected: Σ_i r_{i,k} h_i / n − Σ_j p_j r_{j,k} h_j. Here r are
    the concepts' shares of an item's score and p the model's distribution over all items, for which landmarks may stand.

    Attributes:
        step: how far, as a multiple of τ.
        expectation: what is to be expected.
        item_embeddings: (M, d) float32, unit rows.
        temperature: τ.
    """

    step: np.float32
    expectation: Landmarks | EveryItem
    item_embeddings: Float32Array
    temperature: np.float32

    @staticmethod
    def of(step: float, items: EveryItem, landmarks: tuple[Float32Array, Float32Array] | None = None) -> "Refinement":
        """Prepare it from the arrays of a bundle; `landmarks` with their masses, where the bundle has them."""
        stand = None if landmarks is None else Landmarks.with_masses(*landmarks, float(items.temperature))
        return Refinement(np.float32(step), stand or items, items.item_embeddings, items.temperature)

    def refined(
        self, components: Float32Array, history: Int64Array, weights: Float64Array, left_out: Int64Array | None = None
    ) -> Float32Array:
        """Move components, (K, B, d) unit vectors, of B histories that are one history, or one but for a click each.

        Args:
            components: of the histories.
            history: (n,) item indices. Of no clicks nothing follows, and the components stay.
            weights: (n, K) float64, c_{i,k} of them.
            left_out: (B,) the place in the history of what each lacks; None where none lacks any.
        """
        clicks = len(history) - (left_out is not None)
        if not clicks:
            return components
        rows = self.item_embeddings[history]  # (n, d)
        with np.errstate(divide="ignore"):  # a weight of 0: its share is 0
            log_weights = np.log(weights).astype(np.float32).T[:, None]  # (K, 1, n)
        shares = _shares(components @ rows.T / self.temperature + log_weights, axis=(0,))  # (K, B, n)
        if left_out is not None:
            shares[:, np.arange(len(left_out)), left_out] = 0
        moved: Float32Array = shares @ rows
        moved /= np.float32(clicks)
        moved -= self.expectation.of(components)
        moved *= self.step
        moved += components
        return _unit(moved)


@dataclass(frozen=True)
class Encoder:
    """The arrays of a bundle that the encoder needs; names and shapes as in `artifacts/schema.py`."""

    concept_weights: Float32Array  # (M, K) rows sum to 1
    context_embeddings: Float32Array  # (M, d)
    input_bias: Float32Array  # (d,)
    mean_weight: Float32Array  # (d, d)
    mean_bias: Float32Array  # (d,)
    refinement: Refinement | None = None

    @property
    def goes_by_every_item(self) -> bool:
        """Whether an encoding takes time in proportion to the catalogue."""
        return self.refinement is not None and isinstance(self.refinement.expectation, EveryItem)

    def encode(self, history: Int64Array) -> Encoding:
        """Encode a history (PAPER.md, equation 6 and "Encoder"; soft assignment, z = μ).

        Args:
            history: (n,) item indices, n ≥ 1. A history is a set: repeats and order change nothing.
        """
        return self.encode_each([np.unique(history)])[0]  # sorted, so that the same set gives the same bits

    def encode_each(self, histories: Sequence[Int64Array]) -> list[Encoding]:
        """Encode histories together: to the last bit what `encode` makes of each, in less time.

        Args:
            histories: U of them, item indices, each (n,), sorted and without repeats.
        """
        sizes = np.array([len(history) for history in histories])
        rows, ends = np.concatenate(histories), np.cumsum(sizes)
        parts = [slice(*edges) for edges in zip((ends - sizes).tolist(), ends.tolist(), strict=True)]
        weights = self.concept_weights[rows].astype(np.float64)  # (Σ n, K); squares of tiny float32 weights underflow
        lengths = np.sqrt(_sums_of_parts(np.square(weights), sizes))  # (U, K)
        lengths = np.repeat(np.maximum(lengths, np.finfo(np.float64).tiny), sizes, axis=0)
        shares, contexts = (weights / lengths).astype(np.float32), self.context_embeddings[rows]
        inputs = np.empty((len(parts), weights.shape[1], contexts.shape[1]), dtype=np.float32)  # (U, K, d)
        for user, part in enumerate(parts):
            np.matmul(shares[part].T, contexts[part], out=inputs[user])
        confidences = _sums_of_parts(weights, sizes).astype(np.float32)
        components = self._components_of(inputs)
        if self.refinement is not None:
            for user, (history, part) in enumerate(zip(histories, parts, strict=True)):
                alone = components[user, :, None]  # (K, 1, d)
                components[user] = self.refinement.refined(alone, history, weights[part])[:, 0]
        return [Encoding(*one) for one in zip(components, confidences, strict=True)]

    def components_of(self, inputs: Float32Array) -> Float32Array:
        """Run the network behind the sums over a history: inputs (…, d) → components (…, d), unit vectors."""
        return self._components_of(inputs.reshape(-1, inputs.shape[-1])).reshape(inputs.shape)

    def _components_of(self, inputs: Float32Array) -> Float32Array:
        """The same, with a product for each of the last matrices, which BLAS rounds alike however many there are."""
        rows: Float32Array = inputs + self.input_bias
        np.tanh(rows, out=rows)  # in place: `explain.py` sends hundreds of rows, and fresh memory costs more than tanh
        means: Float32Array = rows @ self.mean_weight
        means += self.mean_bias
        return _unit(means)


def _sums_of_parts(rows: Float64Array, sizes: Int64Array) -> Float64Array:
    """Add up rows, (Σ n, K), by parts of so many, (U,): (U, K), each as if it were alone; a part may be empty."""
    sums = np.zeros((len(sizes), rows.shape[1]))
    there = sizes > 0
    if there.any():
        sums[there] = np.add.reduceat(rows, (np.cumsum(sizes) - sizes)[there], axis=0)
    return sums


def _unit(vectors: Float32Array) -> Float32Array:
    """Scale vectors, (…, d), to length one in place."""
    lengths = np.sqrt(np.einsum("...d,...d->...", vectors, vectors))  # without the squares of a norm, and in one pass
    vectors /= np.maximum(lengths, np.float32(SHORTEST))[..., None]
    return vectors


def _shares(logits: Float32Array, axis: tuple[int, ...]) -> Float32Array:
    """Exponentials as shares of their sum over some axes, in place."""
    logits -= logits.max(axis=axis, keepdims=True)
    np.exp(logits, out=logits)
    logits /= logits.sum(axis=axis, keepdims=True)
    return logits


def unit_rows(vectors: Float32Array) -> Float32Array:
    """Scale every row to length one; a row without direction stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Float32Array = vectors / np.maximum(lengths, np.float32(SHORTEST))
    return scaled
