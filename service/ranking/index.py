"""FAISS indices over [h_i, −τ·A_i]: built, mapped from a bundle, and searched among the items that are allowed.

Asked with [z_k + m_k, 1], an inner-product index over these vectors lists the items of concept k in the order of their share
of the score (`by_concept.py`).
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import faiss
import numpy as np

from macrid.artifacts.derived import log_partition
from macrid.service.arrays import BoolArray, Float32Array, Int64Array

# What FAISS puts where a list has places left.
NO_ITEM = -1
# FAISS compares codes sixteen numbers at a time where their count is a multiple of this, and one by one otherwise.
LANES = 16
# Up to so many excluded items are looked up in a set; for more a bit for each item of the catalogue is quicker to make.
FEW_EXCLUDED = 1000
# Items per block when an index is built: bounds the float64 working memory to about 50 MB at d = 100.
BUILD_BLOCK = 65_536


def concept_vectors(item_embeddings: Float32Array, prototypes: Float32Array, temperature: float) -> Float32Array:
    """Return the rows of the index, [h_i, −τ·A_i]: (M, d), (K, d) → (M, d+1) float32."""
    column = -temperature * log_partition(item_embeddings, prototypes, temperature)  # (M,)
    return np.column_stack([item_embeddings, column.astype(np.float32)])


def build_index(item_embeddings: Float32Array, prototypes: Float32Array, temperature: float) -> faiss.Index:
    """Build the flat index of a bundle that carries none."""
    items, dimensions = item_embeddings.shape
    index = faiss.IndexFlatIP(dimensions + 1)
    for start in range(0, items, BUILD_BLOCK):
        index.add(concept_vectors(item_embeddings[start : start + BUILD_BLOCK], prototypes, temperature))
    return index


def questions_of(queries: Float32Array, width: int) -> Float32Array:
    """Return what an index is asked with, [z_k + m_k, 1] and zeros: (Q, d) → (Q, width)."""
    questions = np.zeros((len(queries), width), dtype=np.float32)
    questions[:, : queries.shape[1]] = queries
    questions[:, queries.shape[1]] = 1.0
    return questions


def padded(dimensions: int) -> int:
    """Return how many numbers a vector of an index with inverted lists has: d + 1, brought to a multiple of `LANES`."""
    return -(-(dimensions + 1) // LANES) * LANES


def read_index(path: Path, items: int, dimensions: int) -> faiss.Index:
    """Map a bundle's index into memory; workers that serve the same bundle share its pages.

    Raises:
        ValueError: it cannot be read, or is not an inner-product index of a kind we know over `items` vectors of
            `dimensions` + 1 numbers.
    """
    try:
        index = faiss.read_index(str(path), faiss.IO_FLAG_MMAP_IFC)  # owns the mapping: a downcast alone would dangle
    except RuntimeError as error:
        raise ValueError(f"{path}: FAISS cannot read it: {error}") from error
    found = faiss.downcast_index(index)
    kind, inner_product = type(found), index.metric_type == faiss.METRIC_INNER_PRODUCT
    shape = (index.ntotal, index.d)
    flat = issubclass(kind, faiss.IndexFlat) and inner_product and shape == (items, dimensions + 1)
    lists = has_lists(found) and inner_product and shape == (items, padded(dimensions))
    if not flat and not lists:
        raise ValueError(
            f"{path} holds a {kind.__name__} of {index.ntotal} × {index.d}, expected a flat inner-product index of "
            f"{items} × {dimensions + 1}, or inverted lists of {items} × {padded(dimensions)}"
        )
    return index


def has_lists(index: faiss.Index) -> bool:
    """Say whether an index has inverted lists of a kind whose cells we can choose ourselves."""
    return isinstance(index, faiss.IndexIVFFlat | faiss.IndexIVFScalarQuantizer) and isinstance(
        faiss.downcast_index(index.quantizer), faiss.IndexFlat
    )


def search(
    index: faiss.Index, questions: Float32Array, width: int, allowed: BoolArray | None
) -> tuple[Float32Array, Int64Array]:
    """Return each question's best values and items among those allowed.

    Args:
        index: over M vectors of d+1 numbers.
        questions: (Q, d+1).
        width: how many items of each.
        allowed: (M,), None for all.

    Returns:
        (Q, width) values, falling, and (Q, width) items; `NO_ITEM` at the ends where fewer are allowed.
    """
    with among(allowed) as selection:
        values, lists = index.search(questions, width, params=parameters_of(selection))
    return values, lists


def search_above(index: faiss.Index, question: Float32Array, value: float, allowed: BoolArray | None) -> Int64Array:
    """Return the items among those allowed whose value for a question, (d+1,), is at least this: (L,), in no order."""
    lower = float(np.nextafter(np.float32(value), np.float32(-np.inf)))  # FAISS takes what is above, and in float32
    with among(allowed) as selection:
        _, _, found = index.range_search(question[None], lower, params=parameters_of(selection))
    items: Int64Array = found
    return items


def parameters_of(selection: faiss.IDSelector | None) -> faiss.SearchParameters | None:
    """Return the parameters of a search of a flat index among a selection."""
    if selection is None:
        return None
    parameters = faiss.SearchParameters()
    parameters.sel = selection
    return parameters


@contextmanager
def among(allowed: BoolArray | None) -> Iterator[faiss.IDSelector | None]:
    """Yield the selection of what is allowed, (M,), None for all; it holds only as long as this is open."""
    if allowed is None:
        yield None
        return
    bits = np.packbits(allowed, bitorder="little")
    yield faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))  # FAISS owns neither


@contextmanager
def eligible(allowed: BoolArray | None, excluded: Int64Array, items: int) -> Iterator[faiss.IDSelector | None]:
    """Yield the selection of what is allowed, (M,), None for all, and not excluded, (e,); it holds only while this is open."""
    if allowed is None and not len(excluded):
        yield None
    elif allowed is None and len(excluded) <= FEW_EXCLUDED:
        some = faiss.IDSelectorBatch(excluded)
        yield faiss.IDSelectorNot(some)
    else:
        remaining = np.ones(items, dtype=np.bool_) if allowed is None else allowed.copy()
        remaining[excluded] = False
        with among(remaining) as selection:
            yield selection
