"""The arrays of `embeddings.safetensors`: written with the safetensors library, mapped here, and held to their invariants.

The library's numpy reader copies; so the header (eight bytes of length, then JSON) is read here and every array becomes a
read-only view of the file, whose pages all workers share.
"""

import json
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from macrid.artifacts.errors import BundleError
from macrid.artifacts.schema import ARRAYS, Float32Array

MAX_HEADER_BYTES = 1_000_000
ROWS_AT_ONCE = 65_536  # invariants are checked in slices: memory stays bounded at any catalogue size
TOLERANCE = 1e-3

_SAFETENSORS_NAMES = {np.dtype(np.float32): "F32", np.dtype(np.int64): "I64"}


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write exactly the arrays of `schema.ARRAYS`, C-contiguous and little-endian."""
    save_file({name: np.ascontiguousarray(arrays[name]) for name in ARRAYS}, str(path))


def map_arrays(path: Path, sizes: Mapping[str, int]) -> dict[str, np.ndarray]:
    """Map the file's arrays, read-only.

    Args:
        path: the safetensors file.
        sizes: what M, K and d are.

    Raises:
        BundleError: the header is broken, or an array is missing, surplus, or of another dtype or shape.
    """
    header, start = _header(path)
    header.pop("__metadata__", None)
    if header.keys() != ARRAYS.keys():
        raise BundleError(f"{path}: holds the arrays {', '.join(sorted(header))}; expected {', '.join(sorted(ARRAYS))}")
    try:
        whole = np.memmap(path, dtype=np.uint8, mode="r")
    except (OSError, ValueError) as error:
        raise BundleError(f"{path}: cannot be mapped: {error}") from error
    return {name: _view(path, name, entry, whole[start:], sizes) for name, entry in header.items()}


def _header(path: Path) -> tuple[dict[str, object], int]:
    try:
        with path.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            if length > MAX_HEADER_BYTES:
                raise BundleError(f"{path}: its header claims {length} bytes; expected at most {MAX_HEADER_BYTES}")
            header = json.loads(stream.read(length).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise BundleError(f"{path}: its header cannot be read: {error}") from error
    if not isinstance(header, dict):
        raise BundleError(f"{path}: its header is {header!r:.40}, expected an object")
    return header, 8 + length


def _view(path: Path, name: str, entry: object, data: np.ndarray, sizes: Mapping[str, int]) -> np.ndarray:
    spec = ARRAYS[name]
    dtype, shape = np.dtype(spec.dtype), [sizes[letter] for letter in spec.shape]
    if not isinstance(entry, dict) or entry.get("dtype") != _SAFETENSORS_NAMES[dtype] or entry.get("shape") != shape:
        raise BundleError(f"{path}: array {name} is {entry!r:.120}, expected {dtype} of shape {tuple(shape)}")
    offsets, expected = entry.get("data_offsets"), int(np.prod(shape)) * dtype.itemsize
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(offset) is int for offset in offsets):
        raise BundleError(f"{path}: array {name} has the offsets {offsets!r:.40}, expected two whole numbers")
    begin, end = offsets
    if begin < 0 or end > len(data) or end - begin != expected or begin % dtype.itemsize:
        raise BundleError(
            f"{path}: array {name} lies at {begin} to {end}; expected {expected} bytes within {len(data)}"
        )
    view: np.ndarray = data[begin:end].view(dtype).reshape(shape)
    return view


def check_arrays(arrays: Mapping[str, np.ndarray], temperature: float, where: str) -> None:
    """Hold arrays to the invariants of the format.

    Raises:
        BundleError: a name, dtype or shape is not the declared one; a number is not finite; rows are not unit vectors;
            concept weights are not softmax(<h, m> / temperature); a popularity is negative.
    """
    check_declared(arrays, where)
    for name in ARRAYS:
        for rows in _slices(len(arrays[name])):
            if not np.isfinite(arrays[name][rows]).all():
                raise BundleError(f"{where}: array {name} holds numbers that are not finite")
    _check_unit_rows("prototypes", arrays["prototypes"], where)
    if (arrays["popularity"] < 0).any():
        raise BundleError(f"{where}: array popularity holds negative counts")
    for rows in _slices(len(arrays["item_embeddings"])):
        _check_unit_rows("item_embeddings", arrays["item_embeddings"][rows], where)
        logits = arrays["item_embeddings"][rows] @ arrays["prototypes"].T / temperature
        exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
        expected = exponentials / exponentials.sum(axis=1, keepdims=True)
        if np.abs(expected - arrays["concept_weights"][rows]).max() > TOLERANCE:
            raise BundleError(f"{where}: array concept_weights is not softmax(<h_i, m_k> / temperature {temperature})")


def check_declared(arrays: Mapping[str, np.ndarray], where: str) -> dict[str, int]:
    """Hold arrays to the names, dtypes and shapes of `schema.ARRAYS`; returns what M, K and d are.

    Raises:
        BundleError: names the array, what it is and what was expected.
    """
    if arrays.keys() != ARRAYS.keys():
        raise BundleError(f"{where}: the arrays are {', '.join(sorted(arrays))}; expected {', '.join(sorted(ARRAYS))}")
    sizes: dict[str, int] = {}
    for name, spec in ARRAYS.items():
        array = arrays[name]
        fits = array.dtype == spec.dtype and array.ndim == len(spec.shape) and 0 not in array.shape
        known = tuple(sizes.setdefault(letter, size) for letter, size in zip(spec.shape, array.shape, strict=False))
        if not fits or array.shape != known:
            expected = f"{np.dtype(spec.dtype)} of shape ({', '.join(spec.shape)}) with {sizes}"
            raise BundleError(f"{where}: array {name} is {array.dtype} of shape {array.shape}, expected {expected}")
    return sizes


def _check_unit_rows(name: str, rows: Float32Array, where: str) -> None:
    norms = np.linalg.norm(rows, axis=1)
    worst = int(np.abs(norms - 1).argmax())
    if abs(norms[worst] - 1) > TOLERANCE:
        raise BundleError(f"{where}: array {name} has a row of length {norms[worst]:.6g}, expected 1")


def _slices(rows: int) -> list[slice]:
    return [slice(at, at + ROWS_AT_ONCE) for at in range(0, rows, ROWS_AT_ONCE)]
