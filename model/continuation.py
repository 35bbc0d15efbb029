"""Training that goes on from a bundle: where it starts, and which of its concepts and dimensions are those of before.

A retraining that starts anew numbers its concepts and axes anew, and saved links, names and labels silently change their meaning.
Here training starts from the bundle's own tables; afterwards the result is laid over the bundle (orthogonal Procrustes on the
items they share), axes and concepts are matched one to one (Hungarian), and whatever agrees keeps its place, sign and id.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import torch
import torch.nn.functional as F
from scipy import sparse
from scipy.optimize import linear_sum_assignment

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.schema import Float32Array, Float64Array, Int64Array
from macrid.model.errors import ContinuationError
from macrid.model.network import MacridVAE

AGREES = 0.5  # cosine of prototypes and share of items of a concept, correlation of an axis: below, it is another one
_DIMENSION_ID = re.compile(r"c(\d+)d(\d+)")


@dataclass(frozen=True)
class Arrangement:
    """How a network's concepts and axes are laid out in a bundle, and what they are called.

    Attributes:
        axes: (d, d) orthogonal; the bundle's coordinates are the network's times this.
        order: (K,) the network's concept at each place of the bundle.
        concept_numbers: (K,) of the ids "c3".
        axis_numbers: (d,) of the ids "c3d17".
        record: for the manifest.
    """

    axes: Float64Array
    order: Int64Array
    concept_numbers: tuple[int, ...]
    axis_numbers: tuple[int, ...]
    record: dict[str, object]


class Predecessor:
    """The bundle that training goes on from.

    Raises:
        ContinuationError: its concepts or dimensions have ids of another kind than `export` gives.
    """

    def __init__(self, bundle: Bundle) -> None:
        self.model_version = bundle.manifest.model_version
        self._bundle = bundle
        self._row_of = {
            item.item_id: row for row, item in enumerate(bundle.catalogue.items(range(bundle.manifest.items)))
        }
        self._concepts = np.asarray(bundle.concept_weights.argmax(axis=1), dtype=np.int64)
        self._concept_numbers, self._axis_numbers = _numbers(bundle)
        earlier = bundle.manifest.training.get("continued")
        earlier = earlier if isinstance(earlier, dict) else {}
        self._next_concept = max(int(earlier.get("next_concept", 0)), 1 + max(self._concept_numbers))
        self._next_axis = max(int(earlier.get("next_dimension", 0)), 1 + max(self._axis_numbers))

    def settings(self) -> dict[str, object]:
        """The settings that a continuation takes over, unless others are asked for."""
        manifest = self._bundle.manifest
        return {"concepts": manifest.concepts, "dimensions": manifest.dimensions, "temperature": manifest.temperature}

    def start(
        self, item_ids: Sequence[str], network: MacridVAE, training: sparse.csr_matrix, generator: torch.Generator
    ) -> torch.Tensor:
        """Set a new network to the bundle's tables, as far as they go: the encoder's half for the variance starts anew.

        An item that the bundle does not know starts at the mean of what its users have besides; without such, at random. More
        concepts than the bundle has start at random, of fewer the largest are taken.

        Returns:
            (M, K) the concept weights with which the items start, to which `anchor` holds them.

        Raises:
            ContinuationError: another number of dimensions or temperature, or no item in common.
        """
        self._refuse_another_shape(network)
        ours, theirs = self._common(item_ids)
        bundle, d = self._bundle, network.config.dimensions
        items, contexts = (
            _filled(network_table, ours, np.asarray(table[theirs]), training)
            for network_table, table in (
                (F.normalize(network.item_embeddings.detach(), dim=1), bundle.item_embeddings),
                (network.context_embeddings.detach(), bundle.context_embeddings),
            )
        )
        prototypes = F.normalize(network.prototypes.detach(), dim=1)
        sizes = np.bincount(self._concepts, minlength=len(bundle.prototypes))
        kept = np.sort(np.argsort(-sizes, kind="stable")[: len(prototypes)])
        prototypes[: len(kept)] = torch.tensor(bundle.prototypes[kept])
        with torch.no_grad():
            for parameter, directions in ((network.item_embeddings, items), (network.prototypes, prototypes)):
                scale = parameter.norm(dim=1, keepdim=True)  # Adam's steps are relative to the tables' scale
                parameter.copy_(F.normalize(directions, dim=1) * scale)
            network.context_embeddings.copy_(contexts)
            network.input_bias.copy_(torch.tensor(bundle.input_bias))
            network.output_weight[:, :d].copy_(torch.tensor(bundle.mean_weight))
            network.output_bias[:d].copy_(torch.tensor(bundle.mean_bias))
            return network.concept_logits(network.unit_items()).softmax(dim=1)

    def arrange(
        self,
        item_ids: Sequence[str],
        unit_items: Float32Array,
        prototypes: Float32Array,
        *,
        turn: bool,
    ) -> Arrangement:
        """Match a network with the bundle.

        Args:
            item_ids: of its M items.
            unit_items: (M, d).
            prototypes: (K, d), unit rows.
            turn: whether the axes are turned onto the bundle's; False leaves them as trained, but for their order and sign.
                Climbing on to the most independent axes from there, as `basis` does, was rejected: it turns weak axes at will,
                by up to .5 in a coordinate when nothing was trained at all.
        """
        ours, theirs = self._common(item_ids)
        new, old = unit_items[ours].astype(np.float64), self._bundle.item_embeddings[theirs].astype(np.float64)
        main = (unit_items @ prototypes.T).argmax(axis=1)
        axes = np.eye(unit_items.shape[1])
        if turn:
            left, _, right = np.linalg.svd(new.T @ old)
            axes = left @ right
        correlation = _correlations(new @ axes, old, self._concepts[theirs])  # (d, d)
        of_old, at_new = linear_sum_assignment(np.abs(correlation).T, maximize=True)
        column = at_new[np.argsort(of_old)]  # the new axis in place of each old one
        agreement = correlation[column, np.arange(len(column))]
        axes = axes[:, column] * np.where(agreement < 0, -1.0, 1.0)
        axis_numbers, next_axis = _kept_or_new(np.abs(agreement) >= AGREES, self._axis_numbers, self._next_axis)

        cosines = (prototypes @ axes) @ self._bundle.prototypes.T.astype(np.float64)  # (K, K')
        matched_new, matched_old = linear_sum_assignment(np.where(cosines >= AGREES, cosines, 0), maximize=True)
        by_place = np.argsort(matched_old)
        rest = [k for k in range(len(prototypes)) if k not in matched_new]
        order = np.array([*matched_new[by_place], *rest], dtype=np.int64)
        places = matched_old[by_place]
        cosine = cosines[order[: len(places)], places]
        kept = np.array([_share(main[ours] == order[at], self._concepts[theirs] == k) for at, k in enumerate(places)])
        same = np.array([*((cosine >= AGREES) & (kept >= AGREES)), *[False] * len(rest)])
        before = [*(self._concept_numbers[k] for k in places), *[-1] * len(rest)]
        concept_numbers, next_concept = _kept_or_new(same, before, self._next_concept)
        place_of = np.full(self._bundle.manifest.concepts, -1)
        place_of[places] = order[: len(places)]
        record: dict[str, object] = {
            "from": self.model_version,
            "items_in_common": len(ours),
            "new_items": len(item_ids) - len(ours),
            "items_keeping_their_concept": float((main[ours] == place_of[self._concepts[theirs]]).mean()),
            "concepts": [
                {
                    "id": f"c{number}",
                    "was": f"c{was}" if stays else None,
                    "nearest": f"c{was}" if was >= 0 else None,
                    "cosine": float(cosine[at]) if at < len(places) else None,
                    "items_kept": float(kept[at]) if at < len(places) else None,
                }
                for at, (number, was, stays) in enumerate(zip(concept_numbers, before, same, strict=True))
            ],
            "dimensions": [
                {"id": f"d{number}", "nearest": f"d{was}", "correlation": float(abs(value))}
                for number, was, value in zip(axis_numbers, self._axis_numbers, agreement, strict=True)
            ],
            "next_concept": next_concept,
            "next_dimension": next_axis,
        }
        return Arrangement(axes, order, concept_numbers, axis_numbers, record)

    def _common(self, item_ids: Sequence[str]) -> tuple[Int64Array, Int64Array]:
        """Rows of the items that both have, in `item_ids` and in the bundle."""
        pairs = [(at, self._row_of[item_id]) for at, item_id in enumerate(item_ids) if item_id in self._row_of]
        if not pairs:
            raise ContinuationError(
                f"cannot continue from {self.model_version}: none of its {len(self._row_of)} items is among the "
                f"{len(item_ids)} of the clicks; its ids look like {next(iter(self._row_of))!r}, theirs like {item_ids[0]!r}"
            )
        ours, theirs = np.array(pairs, dtype=np.int64).T
        return ours, theirs

    def _refuse_another_shape(self, network: MacridVAE) -> None:
        for name in ("dimensions", "temperature"):
            expected, found = self.settings()[name], getattr(network.config, name)
            if found != expected:
                raise ContinuationError(
                    f"cannot continue from {self.model_version} with {name} {found}: the bundle has {expected}, and its tables "
                    "mean nothing with another; leave the option out, or train anew"
                )


def _numbers(bundle: Bundle) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """The numbers in the ids of concepts (K,) and axes (d,), places in the bundle's order."""
    axes: dict[int, int] = {}
    concepts = []
    for concept in bundle.concepts:
        for dimension in concept.dimensions:
            found = _DIMENSION_ID.fullmatch(dimension.id)
            if (
                not found
                or f"c{found[1]}" != concept.id
                or axes.setdefault(dimension.dim, int(found[2])) != int(found[2])
            ):
                raise ContinuationError(
                    f"cannot continue from {bundle.manifest.model_version}: dimension {dimension.dim} of the concept "
                    f"{concept.id!r} has the id {dimension.id!r}, expected ids such as 'c3' and 'c3d17'"
                )
        concepts.append(int(concept.id[1:]))
    return tuple(concepts), tuple(axes[j] for j in sorted(axes))


def _filled(start: torch.Tensor, ours: Int64Array, known: Float32Array, training: sparse.csr_matrix) -> torch.Tensor:
    """A table (M, d): known rows, and for the others the mean over their users of the mean of their known items."""
    table = start.clone()
    of_users = training[:, ours]  # (U, known)
    users = sparse.diags(1 / np.maximum(np.diff(of_users.indptr), 1)) @ (of_users @ known)  # (U, d)
    new = np.setdiff1d(np.arange(len(table)), ours)
    means = (training[:, new].T @ users) / np.maximum(np.asarray(training[:, new].sum(axis=0)).reshape(-1, 1), 1)
    has_any = np.linalg.norm(means, axis=1) > 1e-6
    table[torch.from_numpy(new[has_any])] = torch.tensor(means[has_any], dtype=table.dtype)
    table[torch.from_numpy(ours)] = torch.tensor(known)
    return table


def _correlations(new: Float64Array, old: Float64Array, concepts: Int64Array) -> Float64Array:
    """Of every axis of one with every axis of the other, (d, d), over items around the means of their concepts."""
    centred = []
    for coordinates in (new, old):
        rest = coordinates.copy()
        for k in np.unique(concepts):
            rest[concepts == k] -= rest[concepts == k].mean(axis=0)
        centred.append(rest / np.maximum(np.linalg.norm(rest, axis=0), 1e-12))
    return np.asarray(centred[0].T @ centred[1])


def _share(now: npt.NDArray[np.bool_], before: npt.NDArray[np.bool_]) -> float:
    """Of those before, how many are there now; 0 when there were none."""
    return float(now[before].mean()) if before.any() else 0.0


def _kept_or_new(same: npt.NDArray[np.bool_], before: Sequence[int], following: int) -> tuple[tuple[int, ...], int]:
    """Numbers: that of before where it is the same, else one that was never given; and the next one free."""
    numbers = []
    for stays, number in zip(same, before, strict=True):
        numbers.append(number if stays else following)
        following += not stays
    return tuple(numbers), following
