"""What a change of training alone is worth, on validation users; the served model stays as it is.

Every `--try` is one way of training: settings of `macrid train` as NAME=VALUE. The first is what the others are compared with,
on the same users of the same splits; EASE stands beside them. A training is judged by the best of its epochs, so all of them
are a little too good, EASE is not. Every training is kept in a file below `--out`: what was broken off goes on, and a further
way costs only itself. `--on test` is for the end, when nothing is left to choose.

    python -m benchmarks.training_ablation ml-latest-small --seeds 11 12 13 --try "" --try "batch_size=20"
"""

import argparse
import contextlib
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import numpy as np
import torch
from sklearn.metrics import normalized_mutual_info_score

from benchmarks.machine import describe
from macrid.model import datasets, pipeline, training
from macrid.model.baselines.ease import can_be_fitted, fit_ease
from macrid.model.datasets.dataset import Source
from macrid.model.evaluation import Evaluation, evaluate
from macrid.model.methods import MACRID_KINDS
from macrid.model.network import MacridVAE
from macrid.model.settings import check_settings
from macrid.model.significance import mean_over_users, paired_test
from macrid.model.splitting import HeldOut, Split

MEASURES = ("ndcg@100", "recall@20", "recall@50")


def main() -> None:
    """Train each way on each split, print a row for each training and then the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", choices=list(datasets.ALL))
    parser.add_argument("--from", dest="folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--try", dest="ways", action="append", required=True, metavar="SETTINGS")
    parser.add_argument("--ease", type=float, default=pipeline.EASE_REGULARIZATION, help="EASE's λ")
    parser.add_argument("--on", choices=["validation", "test"], default="validation")
    parser.add_argument("--out", type=Path, default=Path("runs/ablation"))
    arguments = parser.parse_args()
    ways = {way: settings_of(way) for way in arguments.ways}
    source = pipeline.load_source(arguments.source, pipeline.SourceOptions(folder=arguments.folder))
    print(
        f"{source.name}; {describe()}, {torch.get_num_threads()} thread; {arguments.on} users; seeds {arguments.seeds}\n"
    )
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in ways}
    baseline, splits = [], []
    for seed in arguments.seeds:
        splits.append(pipeline.split_source(source, None, seed))
        if can_be_fitted(splits[-1].training):
            ease = fit_ease(splits[-1].training, regularization=arguments.ease)
            baseline.append({arguments.on: plain(evaluate(ease, held_out(splits[-1], arguments.on))), "epoch": 0})
        for way, settings in ways.items():
            found[way].append(kept_or_trained(source, splits[-1], way, settings, arguments.out))
            one = found[way][-1]
            means = " ".join(f"{name} {np.mean(one[arguments.on][name]):.4f}" for name in MEASURES)
            nmi = "" if one["nmi"] is None else f" NMI {one['nmi']:.3f}"
            print(
                f"seed {seed}: {way or 'defaults'}: {means}, epoch {one['epoch']} of {one['epochs']}{nmi}", flush=True
            )
    print_table({**found, **({"EASE": baseline} if baseline else {})}, splits, arguments.on)


def settings_of(way: str) -> dict[str, Any]:
    """`NAME=VALUE …` as settings; values as JSON has them, or else words."""

    def value(text: str) -> object:
        with contextlib.suppress(json.JSONDecodeError):
            return json.loads(text)
        return text

    settings = {name: value(text) for name, text in (each.split("=", 1) for each in way.split())}
    check_settings(settings, MACRID_KINDS, "--try")
    return settings


def held_out(split: Split, on: str) -> HeldOut:
    """Validation or test users."""
    return split.validation if on == "validation" else split.test


def plain(evaluation: Evaluation) -> dict[str, list[float]]:
    """Values of every user as JSON has them."""
    return {name: evaluation.values[name].tolist() for name in MEASURES}


def kept_or_trained(
    source: Source, split: Split, way: str, settings: Mapping[str, Any], folder: Path
) -> dict[str, Any]:
    """Per-user values of the epoch kept on validation and on test users, its number, and the NMI with known categories."""
    said = json.dumps([source.name, sorted(settings.items()), split.seed])
    path = folder / f"{source.name}-{split.seed}-{hashlib.sha256(said.encode()).hexdigest()[:10]}.json"
    if path.is_file():
        return cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
    began = time.perf_counter()
    trained = training.train(split, replace(pipeline.training_config(source, settings), seed=split.seed))
    values = {on: plain(evaluate(trained.network, held_out(split, on))) for on in ("validation", "test")}
    curve = [epoch.validation.mean("ndcg@100") for epoch in trained.history]
    about = {"way": way, "epoch": trained.best_epoch, "epochs": len(curve), "curve": curve}
    about |= {"nmi": agreement(source, split, trained.network), "seconds": time.perf_counter() - began}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({**about, **values}), encoding="utf-8")
    return {**about, **values}


def agreement(source: Source, split: Split, network: MacridVAE) -> float | None:
    """NMI of the items' main concepts with their categories, where those are known."""
    if source.name not in ("alishop-7c", "demo-shop"):
        return None
    categories = [row[0] for row in source.items.aligned(split.item_ids).rows]
    concepts = network.concept_logits(network.unit_items()).argmax(dim=1).numpy()
    return float(normalized_mutual_info_score(categories, concepts))


def print_table(found: Mapping[str, list[dict[str, Any]]], splits: list[Split], on: str) -> None:
    """Means, and differences from the first way, users being clusters."""
    users = [user for split in splits for user in held_out(split, on).user_ids]
    which = np.repeat([split.seed for split in splits], [len(held_out(split, on).user_ids) for split in splits])
    share = len(held_out(splits[0], on).user_ids) / splits[0].training.shape[0]
    print(f"\n| training | {' | '.join(MEASURES)} | NDCG@100, against the first | epochs kept |\n" + "|---" * 6 + "|")
    first = next(iter(found))
    for way, runs in found.items():
        pooled = {name: np.concatenate([run[on][name] for run in runs]) for name in MEASURES}
        means = " | ".join(f"{mean_over_users(pooled[name], users).mean:.4f}" for name in MEASURES)
        other = np.concatenate([run[on]["ndcg@100"] for run in found[first]])
        test = paired_test(pooled["ndcg@100"], other, users, which, share)
        against = "" if way == first else f"{test.difference:+.4f} ± {test.standard_error:.4f}"
        epochs = " ".join(str(run["epoch"]) for run in runs if run["epoch"])
        print(f"| {f'`{way}`' if way not in ('', 'EASE') else way or 'defaults'} | {means} | {against} | {epochs} |")


if __name__ == "__main__":
    main()
