"""What the refinement of components is worth: one training, and its users ranked with steps of several lengths.

The step comes after training (`macrid train --refinement`), so one network tells of every length, on the same users. `all items`
is the same step with every item as its own landmark: what is lost by letting a few stand for all. At the end it says what the
last step costs where a server encodes. Weights are kept below `--out`, so that another length costs no training. `--on test` is
for the end, when nothing is left to choose.

    python -m benchmarks.refinement ml-latest-small --seeds 11 12 13 --settings "batch_size=20 epochs=60"
"""

import argparse
import hashlib
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors.torch import load_file, save_file

from benchmarks.machine import describe
from benchmarks.training_ablation import held_out, plain, print_table, settings_of
from macrid.artifacts.derived import derive
from macrid.model import datasets, pipeline, training
from macrid.model.baselines.ease import can_be_fitted, fit_ease
from macrid.model.datasets.dataset import Source
from macrid.model.evaluation import evaluate
from macrid.model.export import network_arrays
from macrid.model.landmarks import refinement_of
from macrid.model.network import MacridVAE, Refinement
from macrid.model.splitting import Split
from macrid.service.encoder import Encoder, EveryItem
from macrid.service.encoder import Refinement as Refined

USERS_TIMED, TURNS = 200, 7


def main() -> None:
    """Train once for each split, rank with every step, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", choices=list(datasets.ALL))
    parser.add_argument("--from", dest="folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[11, 12, 13])
    parser.add_argument("--settings", type=settings_of, default={}, help="of training, as NAME=VALUE …")
    parser.add_argument("--steps", type=float, nargs="+", default=[0.5, 1.0, 1.5, 2.0])
    parser.add_argument("--ease", type=float, default=pipeline.EASE_REGULARIZATION, help="EASE's λ")
    parser.add_argument("--on", choices=["validation", "test"], default="validation")
    parser.add_argument("--out", type=Path, default=Path("runs/refinement"))
    arguments = parser.parse_args()
    source = pipeline.load_source(arguments.source, pipeline.SourceOptions(folder=arguments.folder))
    threads = torch.get_num_threads()
    print(f"{source.name}; {describe()}, {threads} thread; {arguments.on} users; seeds {arguments.seeds}", flush=True)
    found: dict[str, list[dict[str, Any]]] = {}
    splits = [pipeline.split_source(source, None, seed) for seed in arguments.seeds]
    for split in splits:
        asked = held_out(split, arguments.on)
        network, epoch = kept_or_trained(source, split, arguments.settings, arguments.out)
        steps = {"none": None, **{f"{step:g}": refinement_of(network, step) for step in arguments.steps}}
        steps |= {f"{step:g}, all items": Refinement(step) for step in arguments.steps}
        for name, refinement in steps.items():
            network.refinement = refinement
            found.setdefault(name, []).append({arguments.on: plain(evaluate(network, asked)), "epoch": epoch})
        if can_be_fitted(split.training):
            ease = fit_ease(split.training, regularization=arguments.ease)
            found.setdefault("EASE", []).append({arguments.on: plain(evaluate(ease, asked)), "epoch": 0})
    print_table(found, splits, arguments.on)
    for how, by_landmarks in (("by landmarks", True), ("by every item", False)):
        network.refinement = refinement_of(network, arguments.steps[-1], by_landmarks=by_landmarks)
        print_cost(network, splits[-1], how)


def print_cost(network: MacridVAE, split: Split, how: str) -> None:
    """Processor time of the server's encoder with the step and without, one history after the other, by turns."""
    arrays = network_arrays(network, split.training)
    arrays |= derive(arrays, network.config.temperature)
    names = ("concept_weights", "context_embeddings", "input_bias", "mean_weight", "mean_bias")
    plain = Encoder(*(arrays[name] for name in names))
    every_item = EveryItem(
        *(arrays[name] for name in ("item_embeddings", "prototypes", "log_partition")),
        np.float32(network.config.temperature),
    )
    landmarks = (arrays["landmarks"], arrays["landmark_masses"]) if "landmarks" in arrays else None
    refining = replace(plain, refinement=Refined.of(arrays["refinement_step"][0], every_item, landmarks))
    histories = [row.indices.astype(np.int64) for row in split.test.fold_in[:USERS_TIMED]]
    seconds: tuple[list[float], list[float]] = [], []
    for _ in range(TURNS):
        for encoder, turns in zip((plain, refining), seconds, strict=True):
            began = time.process_time()
            for history in histories:
                encoder.encode(history)
            turns.append(time.process_time() - began)
    without, within = (1e6 * min(turns) / len(histories) for turns in seconds)
    clicks = np.mean([len(history) for history in histories])
    print(f"\nencoding {clicks:.0f} clicks, as the server does: {without:.0f} µs, with the step {how} {within:.0f} µs")


def kept_or_trained(source: Source, split: Split, settings: Mapping[str, Any], folder: Path) -> tuple[MacridVAE, int]:
    """The network of the best epoch, and that epoch's number."""
    said = json.dumps([source.name, sorted(settings.items()), split.seed])
    path = folder / f"{source.name}-{split.seed}-{hashlib.sha256(said.encode()).hexdigest()[:10]}.safetensors"
    config = training.resolved(
        replace(pipeline.training_config(source, settings), seed=split.seed, refinement=0.0), *split.training.shape
    )
    if path.is_file():
        network = MacridVAE(split.training.shape[1], config.network, torch.Generator())
        kept = load_file(path)
        epoch = int(kept.pop("epoch"))
        network.load_state_dict(kept)
        return network, epoch
    trained = training.train(split, config)
    folder.mkdir(parents=True, exist_ok=True)
    save_file({**trained.network.state_dict(), "epoch": torch.tensor(trained.best_epoch)}, path)
    return trained.network, trained.best_epoch


if __name__ == "__main__":
    main()
