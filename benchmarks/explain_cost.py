"""What do explanations cost, as a multiple of the recommendation they explain? And do long histories keep their best clicks?

Asked of the facade, items and history drawn at random, plain and explained in turns. Counted is the processor time of the one
thread that answers, which a busy machine distorts least. Catalogues beyond the published one hold copies of its items, a little
moved, which changes nothing about the work. The second table asks long histories: of the three clicks that truly contribute most
to each of 20 items, how many stand among the 100 that were re-encoded, beside 100 chosen by simpler rules.

    OMP_NUM_THREADS=1 python -m benchmarks.explain_cost [--store artifacts/store] [--repeats 100] [--seed 0]
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np

from benchmarks.machine import describe
from macrid.artifacts.bundle import Bundle, BundleContents, write_bundle
from macrid.artifacts.catalogue import Column, write_catalogue
from macrid.artifacts.schema import ARRAYS
from macrid.artifacts.store import Store
from macrid.service import explain
from macrid.service.explain import HistorySums, Target, click_contributions, first_order, most_telling
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import RecommendRequest

ITEMS = 20
CLICKS = (1, 10, 100, 200, 500, 2000)
LONG = (250, 500, 1000, 1900)
MOVED = 0.05


def larger(model: LoadedModel, items: int, folder: Path, rng: np.random.Generator) -> LoadedModel:
    """A model whose catalogue holds every item of another several times."""
    bundle = model.bundle
    rows = np.arange(items) % model.shape[0]
    moved = bundle.item_embeddings[rows] + MOVED * rng.normal(size=(items, model.shape[2])) / np.sqrt(model.shape[2])
    arrays = {name: array for name in ARRAYS if (array := getattr(bundle, name)) is not None}
    arrays.pop("item_places", None)  # of the items there were
    arrays["item_embeddings"] = (moved / np.linalg.norm(moved, axis=1, keepdims=True)).astype(np.float32)
    affinities = arrays["item_embeddings"].astype(np.float64) @ arrays["prototypes"].T / bundle.manifest.temperature
    weights = np.exp(affinities - affinities.max(axis=1, keepdims=True))
    arrays["concept_weights"] = (weights / weights.sum(axis=1, keepdims=True)).astype(np.float32)
    arrays["context_embeddings"] = arrays["context_embeddings"][rows]
    arrays["popularity"] = arrays["popularity"][rows]
    known = bundle.catalogue.items(rows.tolist())
    names = [item.item_id if at < model.shape[0] else f"{item.item_id}-{at}" for at, item in enumerate(known)]
    columns = [Column(column.name, column.kind) for column in bundle.catalogue.columns]
    write_catalogue(
        folder / "catalogue.sqlite",
        item_ids=names,
        titles=[item.title for item in known],
        images=[item.image for item in known],
        columns=columns,
        rows=[[item.metadata[column.name] for column in columns] for item in known],
        pictures={},
    )
    sizes = np.bincount(arrays["concept_weights"].argmax(axis=1), minlength=len(bundle.concepts))
    contents = BundleContents(
        name="larger",
        temperature=bundle.manifest.temperature,
        arrays=arrays,
        catalogue=folder / "catalogue.sqlite",
        concepts=tuple(replace(concept, size=int(size)) for concept, size in zip(bundle.concepts, sizes, strict=True)),
    )
    write_bundle(folder / "bundle", contents)
    return LoadedModel.prepare(Bundle.open(folder / "bundle"))


def milliseconds(asked: list[Callable[[], object]], repeats: int) -> list[float]:
    """Median processor time of each of some calls, made in turns."""
    times = np.empty((repeats, len(asked)))
    for row in range(repeats):
        for column, ask in enumerate(asked):
            start = time.thread_time()
            ask()
            times[row, column] = time.thread_time() - start
    return [float(value) for value in 1000 * np.median(times[repeats // 10 :], axis=0)]


def cost(recommender: Recommender, clicks: int, repeats: int, rng: np.random.Generator) -> list[float]:
    """Milliseconds of a recommendation of 20 items without and with explanations, and the same as JSON."""
    model = recommender.model
    rows = rng.choice(model.shape[0], min(clicks, model.shape[0] - ITEMS), replace=False)
    history = [item.item_id for item in model.bundle.catalogue.items(rows.tolist())]
    plain, explained = (RecommendRequest(history=history, n=ITEMS, explain=wanted) for wanted in (False, True))
    return milliseconds(
        [
            lambda: recommender.recommend(plain),
            lambda: recommender.recommend(explained),
            lambda: recommender.recommend(plain).model_dump_json(),
            lambda: recommender.recommend(explained).model_dump_json(),
        ],
        repeats,
    )


def kept(model: LoadedModel, clicks: int, users: int, rng: np.random.Generator) -> list[float]:
    """Share of the true three best clicks of 20 items kept by: turns, largest estimates, likeness, confidence."""
    shares = []
    for _ in range(users):
        history = np.sort(rng.choice(model.shape[0], clicks, replace=False))
        encoding = model.encoder.encode(history)
        shown = model.ranker.rank(encoding.components, ITEMS, history).indices
        target = Target.of(model.item_embeddings[shown], model.bundle.prototypes, model.bundle.manifest.temperature)
        best = np.argsort(-every_contribution(model, history, target), axis=1)[:, :3]
        sums = HistorySums.of(model.encoder, history)
        estimates = first_order(model.encoder, sums, target)
        likeness = model.item_embeddings[history] @ model.item_embeddings[shown].T
        rules = [estimates.max(axis=0), likeness.max(axis=1), sums.weights.max(axis=1)]
        chosen = [most_telling(estimates, explain.CLICKS_REENCODED)]
        chosen += [np.argsort(-rule)[: explain.CLICKS_REENCODED] for rule in rules]
        shares.append([np.isin(best, picked).mean() for picked in chosen])
    return [float(value) for value in np.mean(shares, axis=0)]


def every_contribution(model: LoadedModel, history: np.ndarray, target: Target) -> np.ndarray:
    """Contributions of all clicks, none screened: (L, n)."""
    limit, explain.CLICKS_REENCODED = explain.CLICKS_REENCODED, len(history)
    try:
        return click_contributions(model.encoder, history, target)[1]
    finally:
        explain.CLICKS_REENCODED = limit


def main() -> None:
    """Measure the current version of a store and print Markdown tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("artifacts/store"))
    parser.add_argument("--repeats", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    rng = np.random.default_rng(arguments.seed)
    model = LoadedModel.prepare(Store(arguments.store).open_current())
    print(
        f"{model.version}; {describe()}; seed {arguments.seed}, median of {arguments.repeats}, {ITEMS} items a time\n"
    )
    print(
        "| items | clicks | plain, ms | explained, ms | ratio | plain with JSON, ms | explained with JSON, ms | ratio |"
    )
    print("|---|---|---|---|---|---|---|---|")
    with tempfile.TemporaryDirectory() as scratch:
        for items in (model.shape[0], 20_000):
            asked = model if items == model.shape[0] else larger(model, items, Path(scratch), rng)
            for clicks in CLICKS:
                if clicks + ITEMS <= items:
                    a, b, c, d = cost(Recommender(asked, Limits()), clicks, arguments.repeats, rng)
                    print(
                        f"| {items:,} | {clicks:,} | {a:.2f} | {b:.2f} | {b / a:.2f} | {c:.2f} | {d:.2f} | {d / c:.2f} |"
                    )
    print(
        "\n| clicks | in turns (used) | largest estimates | likeness to an item | concept weight |\n|---|---|---|---|---|"
    )
    for clicks in LONG:
        print(f"| {clicks:,} | " + " | ".join(f"{share:.3f}" for share in kept(model, clicks, 5, rng)) + " |")


if __name__ == "__main__":
    main()
