"""The arrays of `embeddings.safetensors`: written with the safetensors library, mapped here, and held to their invariants.

The library's numpy reader copies; so the header (eight bytes of length, then JSON) is read here and every array becomes a
read-only view of the file, whose pages all workers share.
"""

import errno
import json
import math
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import save_file

from macrid.artifacts.derived import derive
from macrid.artifacts.errors import BundleError
from macrid.artifacts.schema import ARRAYS, FORMAT_VERSION, LANDMARKS, REFINEMENT_STEP, Float32Array, arrays_of

MAX_HEADER_BYTES = 1_000_000
ROWS_AT_ONCE = 65_536  # invariants are checked in slices: memory stays bounded at any catalogue size
TOLERANCE = 1e-3
LAST_BITS = 1e-12  # by how much two machines may differ in a sum of float64, relative to it

_SAFETENSORS_NAMES = {np.dtype(np.float32): "F32", np.dtype(np.float64): "F64", np.dtype(np.int64): "I64"}


def write_arrays(path: Path, arrays: Mapping[str, np.ndarray]) -> None:
    """Write the arrays, which are some of `schema.ARRAYS`, C-contiguous and little-endian.

    Raises:
        OSError: the disk cannot be written.
    """
    path.touch()
    mode = path.stat().st_mode
    try:
        save_file({name: np.ascontiguousarray(arrays[name]) for name in ARRAYS if name in arrays}, str(path))
    except SafetensorError as error:  # the arrays are ours, so it is the disk
        raise OSError(errno.EIO, f"{path.name}: {error}") from error
    path.chmod(mode)  # safetensors 0.8 makes files that only their owner may read, and the server is often someone else


def map_arrays(path: Path, sizes: Mapping[str, int], format_version: int = FORMAT_VERSION) -> dict[str, np.ndarray]:
    """Map the file's arrays, read-only.

    Args:
        path: the safetensors file.
        sizes: what M, K and d are.
        format_version: of the bundle; says which arrays there may be.

    Raises:
        BundleError: the header is broken, or an array is missing, surplus, or of another dtype or shape.
        OSError: the disk cannot be read.
    """
    header, start = _header(path)
    header.pop("__metadata__", None)
    _check_names(header, format_version, f"{path}: holds the arrays")
    # As plain arrays over the map: of a np.memmap every slice is another, which takes ten times as long to make.
    data = np.asarray(np.memmap(path, dtype=np.uint8, mode="r"))[start:]
    spans = {name: _span(path, name, entry, sizes) for name, entry in header.items()}
    _check_spans(path, spans, len(data))
    return {name: _view(name, data[begin:end], sizes) for name, (begin, end) in spans.items()}


def _header(path: Path) -> tuple[dict[str, object], int]:
    if not path.is_file():
        raise BundleError(f"{path}: is not there, or is no file")
    with path.open("rb") as stream:
        length = int.from_bytes(stream.read(8), "little")
        if length > MAX_HEADER_BYTES:
            raise BundleError(f"{path}: its header claims {length} bytes; expected at most {MAX_HEADER_BYTES}")
        text = stream.read(length)
    try:
        header = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{path}: its header cannot be read: {error}") from error
    if not isinstance(header, dict):
        raise BundleError(f"{path}: its header is {header!r:.40}, expected an object")
    return header, 8 + length


def _span(path: Path, name: str, entry: object, sizes: Mapping[str, int]) -> tuple[int, int]:
    """Where an array's bytes begin and end, after the header."""
    dtype, shape = np.dtype(ARRAYS[name].dtype), _shape(name, sizes)
    if not isinstance(entry, dict) or entry.get("dtype") != _SAFETENSORS_NAMES[dtype] or entry.get("shape") != shape:
        raise BundleError(f"{path}: array {name} is {entry!r:.120}, expected {dtype} of shape {tuple(shape)}")
    offsets, expected = entry.get("data_offsets"), math.prod(shape) * dtype.itemsize
    if not isinstance(offsets, list) or len(offsets) != 2 or not all(type(offset) is int for offset in offsets):
        raise BundleError(f"{path}: array {name} has the offsets {offsets!r:.80}, expected two whole numbers")
    if offsets[1] - offsets[0] != expected or offsets[0] % dtype.itemsize:
        raise BundleError(f"{path}: array {name} lies at {offsets}, expected {expected} bytes, aligned")
    return offsets[0], offsets[1]


def _check_spans(path: Path, spans: Mapping[str, tuple[int, int]], size: int) -> None:
    """Every byte belongs to one array, as the safetensors library asks too."""
    at = 0
    for name, (begin, end) in sorted(spans.items(), key=lambda span: span[1]):
        if begin != at:
            raise BundleError(f"{path}: array {name} begins at byte {begin} of the data, expected {at}")
        at = end
    if at != size:
        raise BundleError(f"{path}: its arrays take {at} bytes, expected {size}, which is what there is")


def _view(name: str, data: np.ndarray, sizes: Mapping[str, int]) -> np.ndarray:
    view: np.ndarray = data.view(ARRAYS[name].dtype).reshape(_shape(name, sizes))
    return view


def _shape(name: str, sizes: Mapping[str, int]) -> list[int]:
    return [int(letter) if letter.isdigit() else sizes[letter] for letter in ARRAYS[name].shape]


@np.errstate(all="ignore")  # what overflows is refused, not warned of
def check_arrays(arrays: Mapping[str, np.ndarray], temperature: float, where: str) -> dict[str, int]:
    """Hold arrays to the invariants of the format; returns what M, K and d are.

    Raises:
        BundleError: a name, dtype or shape is not the declared one; a number is not finite; rows are not unit vectors;
            concept weights are not softmax(<h, m> / temperature); a popularity is negative; of the refinement's arrays some
            are missing, or have a negative mass or none, or no step.
    """
    sizes = check_declared(arrays, where)
    if not 0 < temperature < math.inf:
        raise BundleError(f"{where}: the temperature is {temperature!r}, expected a number above 0")
    for name, array in arrays.items():
        _check_rows(name, array, lambda rows: np.isfinite(rows), "numbers that are not finite", where)
    _check_rows("popularity", arrays["popularity"], lambda rows: rows >= 0, "negative counts", where)
    for name in ("prototypes", "item_embeddings"):
        _check_unit_rows(name, arrays[name], where)
    _check_concept_weights(arrays, temperature, where)
    _check_refinement(arrays, where)
    _check_derived(arrays, temperature, where)
    return sizes


def check_declared(arrays: Mapping[str, np.ndarray], where: str) -> dict[str, int]:
    """Hold arrays to the names, dtypes and shapes of `schema.ARRAYS`; returns what M, K and d are.

    Derived arrays may be absent: who writes a bundle makes them.

    Raises:
        BundleError: names the array, what it is and what was expected.
    """
    specs = arrays_of(FORMAT_VERSION)
    _check_names(
        {*arrays, *(name for name in specs if specs[name].derived)}, FORMAT_VERSION, f"{where}: the arrays are"
    )
    sizes: dict[str, int] = {}
    for name, spec in ARRAYS.items():
        if name not in arrays:
            continue
        array = arrays[name]
        fits = array.dtype == spec.dtype and array.ndim == len(spec.shape) and 0 not in array.shape
        pairs = zip(spec.shape, array.shape, strict=False)
        known = tuple(int(letter) if letter.isdigit() else sizes.setdefault(letter, size) for letter, size in pairs)
        if not fits or array.shape != known:
            expected = f"{np.dtype(spec.dtype)} of shape ({', '.join(spec.shape)}) with {sizes}"
            raise BundleError(f"{where}: array {name} is {array.dtype} of shape {array.shape}, expected {expected}")
    return sizes


def _check_names(names: Iterable[str], format_version: int, found: str) -> None:
    """Every array that must be there is, and none that may not be."""
    specs, names = arrays_of(format_version), set(names)
    required = {name for name, spec in specs.items() if not spec.optional}
    if not required <= names <= specs.keys():
        spare = ", ".join(sorted(specs.keys() - required))
        expected = ", ".join(sorted(required)) + (f" and, if at all, {spare}" if spare else "")
        raise BundleError(f"{found} {', '.join(sorted(names))}; expected {expected}")


def _check_rows(
    name: str, array: np.ndarray, fits: Callable[[np.ndarray], np.ndarray], unwanted: str, where: str
) -> None:
    for rows in _slices(len(array)):
        fitting = fits(array[rows])
        if not fitting.all():
            place = np.argwhere(~fitting)[0] + [rows.start, *[0] * (array.ndim - 1)]
            raise BundleError(f"{where}: array {name} holds {unwanted}: {array[tuple(place)]} at {place.tolist()}")


def _check_unit_rows(name: str, array: Float32Array, where: str) -> None:
    for rows in _slices(len(array)):
        lengths = np.linalg.norm(array[rows], axis=1)
        worst = int(np.abs(lengths - 1).argmax())
        if not abs(lengths[worst] - 1) <= TOLERANCE:
            row = rows.start + worst
            raise BundleError(f"{where}: array {name} has row {row} of length {lengths[worst]:.6g}, expected 1")


def _check_concept_weights(arrays: Mapping[str, np.ndarray], temperature: float, where: str) -> None:
    for rows in _slices(len(arrays["item_embeddings"])):
        expected = softmax(arrays["item_embeddings"][rows] @ arrays["prototypes"].T / temperature)
        off = np.abs(expected - arrays["concept_weights"][rows]).max(axis=1)
        worst = int(off.argmax())
        if not off[worst] <= TOLERANCE:
            rule = f"softmax(<h_i, m_k> / temperature) with temperature {temperature}"
            raise BundleError(
                f"{where}: array concept_weights has row {rows.start + worst} off by {off[worst]:.3g}, expected {rule}"
            )


def _check_refinement(arrays: Mapping[str, np.ndarray], where: str) -> None:
    """A step of a length and, where landmarks stand for items, in every concept one that does."""
    given = [name for name in (REFINEMENT_STEP, *LANDMARKS) if name in arrays]
    if not given:
        return
    if given not in ([REFINEMENT_STEP], [REFINEMENT_STEP, *LANDMARKS]):
        raise BundleError(
            f"{where}: of the refinement there is only {', '.join(given)}; expected {REFINEMENT_STEP} alone, or with "
            f"{' and '.join(LANDMARKS)}, or none of them"
        )
    (step,) = arrays[REFINEMENT_STEP]
    if not step > 0:
        raise BundleError(f"{where}: array {REFINEMENT_STEP} is {step}, expected more than 0")
    if len(given) > 1:
        masses = arrays["landmark_masses"]
        _check_rows("landmark_masses", masses, lambda rows: rows >= 0, "negative masses", where)
        empty = np.flatnonzero(~masses.any(axis=1))
        if len(empty):
            raise BundleError(
                f"{where}: array landmark_masses has no mass in row {empty[0]}, expected some in every row"
            )


def _check_derived(arrays: Mapping[str, np.ndarray], temperature: float, where: str) -> None:
    """Derived arrays are what they would be if they were made again: answers are proved with them."""
    given = [name for name in arrays if ARRAYS[name].derived]
    expected = derive(arrays, temperature) if given else {}
    for name in given:
        allowed = LAST_BITS * np.maximum(np.abs(expected[name]), 1) if name == "log_partition" else 0
        off = np.flatnonzero(np.abs(arrays[name] - expected[name]) > allowed)
        if len(off):
            at = int(off[0])
            raise BundleError(
                f"{where}: array {name} holds {arrays[name][at]} at [{at}], expected {expected[name][at]} "
                "as it follows from the other arrays"
            )


def softmax(logits: np.ndarray) -> np.ndarray:
    """Rows of exponentials as shares of their sum, (n, K) -> (n, K)."""
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    shares: np.ndarray = exponentials / exponentials.sum(axis=1, keepdims=True)
    return shares


def _slices(rows: int) -> list[slice]:
    return [slice(at, at + ROWS_AT_ONCE) for at in range(0, rows, ROWS_AT_ONCE)]
