"""Clicks in, components and confidences out: the encoder of the paper at test time, in numpy.

Stands between the bundle and the rankers (`recommender → encoder → ranking`). Only the history's rows of the two
tables are touched, never all M. Must not import torch: the network was trained elsewhere, this is its arithmetic.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from macrid.service.arrays import Float32Array, Int64Array

# Below this length a vector has no direction; the same floor torch.nn.functional.normalize uses.
SHORTEST = 1e-12


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
class Encoder:
    """The arrays of a bundle that the encoder needs; names and shapes as in `artifacts/schema.py`."""

    concept_weights: Float32Array  # (M, K) rows sum to 1
    context_embeddings: Float32Array  # (M, d)
    input_bias: Float32Array  # (d,)
    mean_weight: Float32Array  # (d, d)
    mean_bias: Float32Array  # (d,)

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
        sizes = [len(history) for history in histories]
        rows, ends = np.concatenate(histories), np.cumsum(sizes).tolist()
        parts = [slice(end - size, end) for size, end in zip(sizes, ends, strict=True)]
        weights = self.concept_weights[rows].astype(np.float64)  # (Σ n, K); squares of tiny float32 weights underflow
        squares = np.square(weights)
        lengths = np.sqrt(np.stack([squares[part].sum(axis=0) for part in parts]))  # (U, K)
        lengths = np.repeat(np.maximum(lengths, np.finfo(np.float64).tiny), sizes, axis=0)
        shares, contexts = (weights / lengths).astype(np.float32), self.context_embeddings[rows]
        inputs = np.stack([shares[part].T @ contexts[part] for part in parts])  # (U, K, d)
        confidences = np.stack([weights[part].sum(axis=0) for part in parts]).astype(np.float32)
        return [Encoding(*one) for one in zip(self._components_of(inputs), confidences, strict=True)]

    def components_of(self, inputs: Float32Array) -> Float32Array:
        """Run the network behind the sums over a history: inputs (…, d) → components (…, d), unit vectors."""
        return self._components_of(inputs.reshape(-1, inputs.shape[-1])).reshape(inputs.shape)

    def _components_of(self, inputs: Float32Array) -> Float32Array:
        """The same, with a product for each of the last matrices, which BLAS rounds alike however many there are."""
        rows: Float32Array = inputs + self.input_bias
        np.tanh(rows, out=rows)  # in place: `explain.py` sends hundreds of rows, and fresh memory costs more than tanh
        means: Float32Array = rows @ self.mean_weight
        means += self.mean_bias
        lengths = np.sqrt(np.einsum("...d,...d->...", means, means))  # without the squares of a norm, and in one pass
        means /= np.maximum(lengths, np.float32(SHORTEST))[..., None]
        return means


def unit_rows(vectors: Float32Array) -> Float32Array:
    """Scale every row to length one; a row without direction stays as it is."""
    lengths = np.linalg.norm(vectors, axis=1, keepdims=True)
    scaled: Float32Array = vectors / np.maximum(lengths, np.float32(SHORTEST))
    return scaled
