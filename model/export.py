"""Trained network -> bundle: the only crossing from torch to numpy, and the end of the trainer's part of the flow."""

import itertools
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt
import torch
from scipy import sparse

from macrid.artifacts.bundle import Bundle, BundleContents, write_bundle
from macrid.artifacts.catalogue import write_catalogue
from macrid.artifacts.derived import log_partition
from macrid.artifacts.schema import Concept, Dimension, DimensionEnd, Float32Array, Int64Array, Manifest
from macrid.model.basis import independent_basis
from macrid.model.continuation import Arrangement, Predecessor
from macrid.model.errors import TrainingError
from macrid.model.index import DEFAULT_BUDGET, MEASURED_USERS, choose_index
from macrid.model.items import Items
from macrid.model.labelling import Vocabulary
from macrid.model.network import Histories, Landmarks, MacridVAE, NetworkConfig, Refinement
from macrid.model.projection import item_places

CONCEPT_EXEMPLARS = 12
END_EXEMPLARS = 3
SUREST_SHARE = 0.1  # exemplars are the most popular among this share of a concept's surest items
USERS_FOR_IMPORTANCE = 5_000
MAP_SEED = USERS_SEED = 0


@dataclass(frozen=True)
class Provenance:
    """What the manifest tells of where a bundle comes from; see `artifacts.schema.Manifest`."""

    name: str
    fitted_on: Literal["training_users", "all_users"]
    data: Mapping[str, object]
    training: Mapping[str, object]
    metrics: Mapping[str, object]


Basis = Literal["independent", "trained"]


def export(
    network: MacridVAE,
    training: sparse.csr_matrix,
    items: Items,
    provenance: Provenance,
    folder: Path,
    basis: Basis = "independent",
    index_budget: float = DEFAULT_BUDGET,
    predecessor: Predecessor | None = None,
) -> Manifest:
    """Write the bundle of a trained network.

    Args:
        network: over M items.
        training: (U, M) the matrix it was fitted on, for popularity and for what matters to users.
        items: metadata of the M items, in the network's order.
        provenance: for the manifest.
        folder: must not exist yet.
        basis: "independent" turns the axes as `basis.independent_basis` says, which changes no score; "trained" leaves them.
        index_budget: how large the index may be, as a multiple of the item embeddings; see `index.choose_index`.
        predecessor: the bundle that training went on from, with which concepts and dimensions are matched.

    Raises:
        TrainingError: the network is not of cosines, so the server would rank otherwise than it does.
        BundleError: the folder exists, or what would be written breaks the format.
    """
    refuse_unservable(network.config)
    arrays = network_arrays(network, training)
    whole = sampled_components(network, training)
    beginning = network.components(Histories.from_matrix(beginnings(training))).numpy()
    components = np.concatenate([whole, beginning], axis=1)
    arrangement = None
    if predecessor is not None:
        arrangement = predecessor.arrange(
            items.item_ids,
            arrays["item_embeddings"],
            arrays["prototypes"],
            turn=basis == "independent",
        )
        arrays = turned(arrays, arrangement.axes)
        by_concept = {"prototypes": 0, "concept_weights": 1, "landmarks": 0, "landmark_masses": 0}
        for name, axis in ((name, axis) for name, axis in by_concept.items() if name in arrays):
            arrays[name] = np.ascontiguousarray(arrays[name].take(arrangement.order, axis=axis))
        components = (components[arrangement.order] @ arrangement.axes).astype(np.float32)
    elif basis == "independent":
        axes = independent_basis(
            arrays["item_embeddings"], arrays["concept_weights"].argmax(axis=1), arrays["popularity"]
        )
        arrays = turned(arrays, axes)
        components = (components @ axes).astype(np.float32)
    temperature = network.config.temperature
    partition = log_partition(arrays["item_embeddings"], arrays["prototypes"], temperature)
    whole, beginning = np.split(components, [whole.shape[1]], axis=1)
    built = choose_index(arrays, partition, temperature, beginning.transpose(1, 0, 2), index_budget)
    with tempfile.TemporaryDirectory() as scratch:
        catalogue = Path(scratch) / "catalogue.sqlite"
        write_catalogue(
            catalogue,
            item_ids=items.item_ids,
            titles=items.titles,
            images=items.images,
            columns=items.columns,
            rows=items.rows,
            pictures=items.pictures,
        )
        contents = BundleContents(
            name=provenance.name,
            temperature=temperature,
            arrays={**arrays, "item_places": item_places(arrays["item_embeddings"], np.random.default_rng(MAP_SEED))},
            catalogue=catalogue,
            concepts=describe_concepts(arrays, items, whole, arrangement),
            fitted_on=provenance.fitted_on,
            data=dict(provenance.data),
            training={**provenance.training, **({} if arrangement is None else {"continued": arrangement.record})},
            metrics=dict(provenance.metrics),
            index=built.described,
            index_bytes=built.content,
        )
        return write_bundle(folder, contents)


@torch.no_grad()
def refuse_unservable(config: NetworkConfig) -> None:
    """Refuse a network that ranks otherwise than the server does.

    Raises:
        TrainingError: it is not of cosines.
    """
    if config.similarity != "cosine":
        raise TrainingError(f"similarity is {config.similarity!r}; only a network of 'cosine' can be served")


def network_arrays(network: MacridVAE, training: sparse.csr_matrix) -> dict[str, np.ndarray]:
    """The arrays of `artifacts.schema.ARRAYS`, with unit rows where the format asks for them."""
    d = network.config.dimensions
    unit_items = network.unit_items()
    arrays: dict[str, np.ndarray] = {
        "item_embeddings": _array(unit_items),
        "context_embeddings": _array(network.context_embeddings),
        "prototypes": _array(torch.nn.functional.normalize(network.prototypes, dim=1)),
        "concept_weights": _array(network.concept_logits(unit_items).softmax(dim=1)),
        "input_bias": _array(network.input_bias),
        "mean_weight": _array(network.output_weight[:, :d]),
        "mean_bias": _array(network.output_bias[:d]),
        "popularity": np.asarray(training.sum(axis=0)).ravel().astype(np.int64),
    }
    if network.refinement is not None:
        arrays["refinement_step"] = np.array([network.refinement.step], dtype=np.float32)
        if network.refinement.landmarks is not None:
            arrays["landmarks"] = _array(network.refinement.landmarks.vectors)
            arrays["landmark_masses"] = _array(network.refinement.landmarks.masses)
    return arrays


def turned(arrays: Mapping[str, np.ndarray], axes: npt.NDArray[np.float64]) -> dict[str, np.ndarray]:
    """The same model in other axes: everything that lives in the space of components, times an orthogonal (d, d)."""
    items, prototypes = (_unit(arrays[name].astype(np.float64) @ axes) for name in ("item_embeddings", "prototypes"))
    rest = {
        name: (arrays[name].astype(np.float64) @ axes).astype(np.float32)
        for name in ("mean_weight", "mean_bias", "landmarks")
        if name in arrays
    }
    return {**arrays, "item_embeddings": items, "prototypes": prototypes, **rest}


def _unit(rows: npt.NDArray[np.float64]) -> Float32Array:
    return np.asarray(rows / np.linalg.norm(rows, axis=1, keepdims=True), dtype=np.float32)


def _array(tensor: torch.Tensor) -> Float32Array:
    return np.ascontiguousarray(tensor.detach().numpy(), dtype=np.float32)


def restore(bundle: Bundle) -> MacridVAE:
    """The network a bundle was made from, as far as the bundle goes: without the encoder's half for the variance."""
    config = NetworkConfig(
        concepts=bundle.manifest.concepts,
        dimensions=bundle.manifest.dimensions,
        temperature=bundle.manifest.temperature,
    )
    network = MacridVAE(bundle.manifest.items, config, torch.Generator())
    d = config.dimensions
    with torch.no_grad():
        network.item_embeddings.copy_(torch.tensor(bundle.item_embeddings))
        network.context_embeddings.copy_(torch.tensor(bundle.context_embeddings))
        network.prototypes.copy_(torch.tensor(bundle.prototypes))
        network.input_bias.copy_(torch.tensor(bundle.input_bias))
        network.output_weight[:, :d].copy_(torch.tensor(bundle.mean_weight))
        network.output_bias[:d].copy_(torch.tensor(bundle.mean_bias))
    if bundle.step is not None:
        arrays = bundle.landmarks_and_masses
        network.refinement = Refinement(bundle.step, None if arrays is None else Landmarks(*map(torch.tensor, arrays)))
    return network


def sampled_components(network: MacridVAE, training: sparse.csr_matrix) -> Float32Array:
    """Components of up to USERS_FOR_IMPORTANCE training users, evenly spaced, (K, B, d)."""
    rows = evenly_spaced(training.shape[0], USERS_FOR_IMPORTANCE)
    return network.components(Histories.from_matrix(training[rows])).numpy()


def beginnings(training: sparse.csr_matrix) -> sparse.csr_matrix:
    """Some clicks of up to MEASURED_USERS training users, evenly spaced: how many is drawn log-uniformly from one to all.

    A server is asked for users of whom little is known as for others, and what few clicks say is spread over more of the
    catalogue than what many say, and harder to search for.
    """
    rng = np.random.default_rng(USERS_SEED)
    rows = training[evenly_spaced(training.shape[0], MEASURED_USERS)].tocsr()
    clicks = [rng.permutation(rows.indices[start:end]) for start, end in itertools.pairwise(rows.indptr)]
    clicks = [items[: int(np.exp(rng.uniform(0, np.log(len(items) + 1))))] for items in clicks]
    edges = np.cumsum([0, *map(len, clicks)])
    return sparse.csr_matrix((np.ones(edges[-1], dtype=np.float32), np.concatenate(clicks), edges), rows.shape)


def evenly_spaced(count: int, most: int) -> Int64Array:
    """Up to so many of the numbers below `count`, evenly spaced."""
    return np.unique(np.linspace(0, count - 1, min(most, count)).astype(np.int64))


def describe_concepts(
    arrays: Mapping[str, np.ndarray],
    items: Items,
    components: Float32Array,
    arrangement: Arrangement | None = None,
) -> tuple[Concept, ...]:
    """Labels, sizes, exemplars and ordered dimensions of every concept.

    Args:
        arrays: of the bundle.
        items: aligned with them.
        components: (K, B, d) of sample users, who say which dimensions matter.
        arrangement: gives the numbers of the ids; None for 0, 1, 2 …
    """
    weights = arrays["concept_weights"]
    concepts = weights.shape[1]
    assignment = weights.argmax(axis=1)
    numbers = range(concepts) if arrangement is None else arrangement.concept_numbers
    axes = range(components.shape[2]) if arrangement is None else arrangement.axis_numbers
    vocabulary = Vocabulary(items)
    labels = vocabulary.concept_labels(assignment, concepts)
    return tuple(
        Concept(
            id=f"c{numbers[k]}",
            index=k,
            label=labels[k],
            size=int((assignment == k).sum()),
            exemplars=tuple(
                items.item_ids[i] for i in concept_exemplars(weights[:, k], assignment == k, arrays["popularity"])
            ),
            dimensions=_dimensions(
                [f"c{numbers[k]}d{axis}" for axis in axes],
                arrays["item_embeddings"],
                np.flatnonzero(assignment == k),
                components[k],
                items,
                vocabulary,
            ),
        )
        for k in range(concepts)
    )


def concept_exemplars(
    weight: Float32Array, members: npt.NDArray[np.bool_], popularity: npt.NDArray[np.int64]
) -> list[int]:
    """Items that show a concept: the most popular among the tenth of its items that belong to it most surely."""
    rows = np.flatnonzero(members)
    surest = rows[np.argsort(-weight[rows], kind="stable")[: max(CONCEPT_EXEMPLARS, int(SUREST_SHARE * len(rows)))]]
    return [int(row) for row in surest[np.argsort(-popularity[surest], kind="stable")][:CONCEPT_EXEMPLARS]]


def importance(embeddings: Float32Array, components: Float32Array) -> npt.NDArray[np.float64]:
    """How much each coordinate moves a concept's ranking: Var_i(h_ij) · E_u(z_uj²), as shares that sum to 1, (d,).

    The coordinate's part of the variance over items of ⟨z_u, h_i⟩, averaged over users, as if coordinates were uncorrelated.
    """
    if len(embeddings) < 2:
        return np.full(components.shape[1], 1.0 / components.shape[1])
    parts = embeddings.var(axis=0, dtype=np.float64) * np.square(components, dtype=np.float64).mean(axis=0)
    return np.asarray(parts / parts.sum()) if parts.any() else np.full(len(parts), 1.0 / len(parts))


def _dimensions(
    ids: Sequence[str],
    h: Float32Array,
    members: npt.NDArray[np.int64],
    components: Float32Array,
    items: Items,
    vocabulary: Vocabulary,
) -> tuple[Dimension, ...]:
    shares = importance(h[members], components)
    result = []
    for j in np.argsort(-shares, kind="stable"):
        order = members[np.argsort(h[members, j], kind="stable")]
        names = vocabulary.end_names(members, h[members, j])
        low, high = ([items.item_ids[i] for i in end[:END_EXEMPLARS]] for end in (order, order[::-1]))
        result.append(
            Dimension(
                id=ids[j],
                dim=int(j),
                importance=float(shares[j]),
                strength=names.strength,
                low=DimensionEnd(names.low, tuple(low)),
                high=DimensionEnd(names.high, tuple(high)),
            )
        )
    return tuple(result)
