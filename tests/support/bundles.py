"""Small valid bundles from a seed, for everybody's tests."""

import tempfile
from pathlib import Path

import numpy as np

from macrid.artifacts.bundle import BundleContents, write_bundle
from macrid.artifacts.catalogue import Column, Picture, write_catalogue
from macrid.artifacts.schema import Concept, Dimension, DimensionEnd

TEMPERATURE = 0.1
AWKWARD_IDS = ("a/walk", "a", "naïve ☃", "50%25", "x?y#z", "with space", 'quo"te', "..a")
DEPARTMENTS = ("bags", "shoes", "lamps", "mugs", "chairs", "hats", "vases")
SVG = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 9 9"><circle cx="4.5" cy="4.5" r="{radius}"/></svg>'


def random_arrays(rng, *, items, concepts, dimensions, temperature=TEMPERATURE):
    """Arrays of schema.ARRAYS: items in clusters around their prototypes, everything consistent."""
    prototypes = unit(rng.normal(size=(concepts, dimensions)))
    home = np.arange(items) % concepts
    item_embeddings = unit(prototypes[home] + 0.7 * unit(rng.normal(size=(items, dimensions))))
    logits = item_embeddings @ prototypes.T / temperature
    exponentials = np.exp(logits - logits.max(axis=1, keepdims=True))
    arrays = {
        "item_embeddings": item_embeddings,
        "context_embeddings": item_embeddings + 0.1 * rng.normal(size=(items, dimensions)),
        "prototypes": prototypes,
        "concept_weights": exponentials / exponentials.sum(axis=1, keepdims=True),
        "input_bias": 0.01 * rng.normal(size=dimensions),
        "mean_weight": np.eye(dimensions) + 0.1 * rng.normal(size=(dimensions, dimensions)),
        "mean_bias": 0.01 * rng.normal(size=dimensions),
    }
    arrays["item_places"] = item_embeddings[:, [0, -1]]
    arrays = {name: np.ascontiguousarray(array, dtype=np.float32) for name, array in arrays.items()}
    arrays["popularity"] = rng.integers(1, 500, size=items)
    stand = rng.integers(items, size=64)
    arrays["landmarks"] = np.repeat(arrays["item_embeddings"][None, stand], concepts, axis=0) * np.float32(0.9)
    arrays["landmark_masses"] = np.where(np.arange(64) % 3 == 2, np.float32(0), arrays["concept_weights"][stand].T)
    arrays["refinement_step"] = np.ones(1, dtype=np.float32)
    return arrays


def unit(rows):
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def item_ids_for(items):
    """Awkward ids first, then item-8, item-9 …"""
    return (*AWKWARD_IDS[:items], *(f"item-{at}" for at in range(len(AWKWARD_IDS), items)))


def make_contents(scratch, *, items=60, concepts=3, dimensions=8, seed=0, **overrides):
    """Contents of a bundle; `overrides` replace fields of BundleContents."""
    rng = np.random.default_rng(seed)
    arrays = overrides.pop("arrays", None) or random_arrays(rng, items=items, concepts=concepts, dimensions=dimensions)
    item_ids = item_ids_for(items)
    home = np.argmax(arrays["concept_weights"], axis=1)
    catalogue = Path(scratch) / "catalogue.sqlite"
    write_catalogue(
        catalogue,
        item_ids=item_ids,
        titles=[f"Item {at} of {DEPARTMENTS[home[at] % 7]}" for at in range(items)],
        images=["https://example.org/picture.png" if at % 10 == 3 else None for at in range(items)],
        columns=[Column("department", "text"), Column("year", "integer"), Column("price", "real")],
        rows=[(DEPARTMENTS[home[at] % 7], 1990 + at, None if at % 7 == 0 else at / 4) for at in range(items)],
        pictures={
            at: Picture("image/svg+xml", SVG.format(radius=1 + at % 4).encode()) for at in range(items) if at % 2 == 0
        },
    )
    described = tuple(describe(k, arrays, home, item_ids) for k in range(concepts))
    fields = {
        "name": "test-shop",
        "temperature": TEMPERATURE,
        "arrays": arrays,
        "catalogue": catalogue,
        "concepts": described,
    }
    return BundleContents(**{**fields, **overrides})


def describe(k, arrays, home, item_ids):
    h, members = arrays["item_embeddings"], np.flatnonzero(home == k)
    spread = h[members].var(axis=0) if len(members) else np.ones(h.shape[1])
    spread = spread / spread.sum()
    dimensions = []
    for j in np.argsort(-spread, kind="stable"):
        along = [item_ids[i] for i in members[np.argsort(h[members, j], kind="stable")]]
        named = j % 2 == 0
        dimensions.append(
            Dimension(
                id=f"c{k}d{j}",
                dim=int(j),
                importance=float(spread[j]),
                strength=0.6 if named else 0.0,
                low=DimensionEnd("small" if named else None, tuple(along[:3])),
                high=DimensionEnd("large" if named else None, tuple(along[::-1][:3])),
            )
        )
    surest = members[np.argsort(-arrays["concept_weights"][members, k], kind="stable")][:12]
    return Concept(
        f"c{k}", k, DEPARTMENTS[k % 7].capitalize(), len(members), tuple(item_ids[i] for i in surest), tuple(dimensions)
    )


def make_bundle(folder, *, items=60, concepts=3, dimensions=8, seed=0, **overrides):
    """Write a small valid bundle into `folder`, which must not exist; returns the folder."""
    with tempfile.TemporaryDirectory() as scratch:
        contents = make_contents(scratch, items=items, concepts=concepts, dimensions=dimensions, seed=seed, **overrides)
        write_bundle(Path(folder), contents)
    return Path(folder)
