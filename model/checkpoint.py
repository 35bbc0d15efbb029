"""Training's state as a file, so that a killed run goes on: plain arrays and JSON in one .npz, replaced in one step.

A run that is resumed on the same machine, thread count and version of torch gives to the bit what it would have given
uninterrupted: weights, their average, Adam's moments, the random generator, the order of this epoch's users and the place in it
are all there.
"""

import dataclasses
import hashlib
import json
import time
import zipfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from macrid.artifacts.files import file_beside, make_folder
from macrid.model.errors import CheckpointError

FORMAT = "macrid-checkpoint-1"
_HEADER = "header"
Tensors = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Checkpoints:
    """Where and how often training keeps its state.

    Attributes:
        path: the file. It is removed by whoever starts training, when what comes of it is safe.
        every_seconds: at most so often, at the end of an update; 0 for after every update.
        resume: go on from the file when it is there; without, a file that is there is an error.
        continues: the version of the model that training began from, if there is one; another is another training.
    """

    path: Path
    every_seconds: float = 60.0
    resume: bool = False
    continues: str | None = None

    def beside(self, name: str) -> "Checkpoints":
        """The same for a second phase of the work, whose state is kept in a file of its own."""
        return dataclasses.replace(self, path=self.path.with_name(f"{self.path.name}.{name}"))


class Keeper:
    """Writes checkpoints of one training when they are due. With `checkpoints` None it does nothing."""

    def __init__(self, checkpoints: Checkpoints | None, identity: dict[str, object]) -> None:
        self._checkpoints, self._identity = checkpoints, identity
        self._last = time.monotonic()

    def due(self) -> bool:
        """Whether enough time has gone since the last."""
        return self._checkpoints is not None and time.monotonic() - self._last >= self._checkpoints.every_seconds

    def keep(self, tensors: Tensors, about: dict[str, object]) -> None:
        """Replace the file by this state."""
        if self._checkpoints is None:
            return
        write(self._checkpoints.path, tensors, {"identity": self._identity, "about": about})
        self._last = time.monotonic()

    def found(self) -> tuple[Tensors, dict[str, object]] | None:
        """What an earlier run left, or None.

        Raises:
            CheckpointError: there is a file but going on was not asked for, or it is of another training, or it is damaged.
        """
        if self._checkpoints is None or not self._checkpoints.path.exists():
            return None
        path = self._checkpoints.path
        if not self._checkpoints.resume:
            raise CheckpointError(
                f"{path} exists: a training that has not ended; add --resume to go on with it, or remove the file"
            )
        tensors, header = read(path)
        _refuse_another(header["identity"], self._identity, path)
        return tensors, header["about"]  # type: ignore[return-value]


def write(path: Path, tensors: Tensors, header: dict[str, object]) -> None:
    """Replace `path` in one step by tensors (numpy's dtypes) and a header of JSON."""
    make_folder(path.parent)
    text = json.dumps({"format": FORMAT, **header}, allow_nan=False).encode()
    arrays = {name: tensor.detach().cpu().numpy() for name, tensor in tensors.items()}
    with file_beside(path) as beside, beside.open("wb") as stream:
        np.savez(stream, **{_HEADER: np.frombuffer(text, dtype=np.uint8)}, **arrays)  # type: ignore[arg-type]


def read(path: Path) -> tuple[Tensors, dict[str, object]]:
    """What `write` wrote.

    Raises:
        CheckpointError: the file is damaged or of another kind.
    """
    try:
        with (
            path.open("rb") as stream,
            np.load(stream) as arrays,
        ):  # numpy refuses what would run code
            header = json.loads(arrays[_HEADER].tobytes())
            if header["format"] != FORMAT:
                raise CheckpointError(f"{path}: the format is {header['format']!r:.80}, expected {FORMAT!r}")
            return {name: torch.from_numpy(arrays[name]) for name in arrays.files if name != _HEADER}, header
    except (ValueError, KeyError, TypeError, EOFError, zipfile.BadZipFile) as error:
        raise CheckpointError(f"{path}: is not a checkpoint that can be read: {error}") from error


def data_fingerprint(*matrices: sparse.csr_matrix) -> str:
    """SHA-256 over implicit matrices: checkpoints are of one set of users and items."""
    digest = hashlib.sha256()
    for matrix in matrices:
        digest.update(repr(matrix.shape).encode())
        digest.update(matrix.indptr.astype(np.int64).tobytes())
        digest.update(matrix.indices.astype(np.int64).tobytes())
    return digest.hexdigest()


def _refuse_another(found: object, expected: dict[str, object], path: Path) -> None:
    assert isinstance(found, dict)
    for name in sorted(found.keys() | expected.keys()):
        if found.get(name) != expected.get(name):
            raise CheckpointError(
                f"{path}: is of another training: {name} was {found.get(name)!s:.80} there and is {expected.get(name)!s:.80} "
                "now; go on with the same data and settings, or remove the file"
            )
