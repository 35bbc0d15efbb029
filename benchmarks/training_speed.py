"""How fast is training, beside RecBole's MacridVAE from PyPI: the same users, shapes, batches and threads, in turns?

For every seed (of split and training) each trains so many epochs, in a process of its own, and is then asked for the test users.
Time is that of the epochs without the first, by the median of each run; memory is how much the process grew above what it had
before the first batch (ours: before the network was made). Ours starts at random here and does not average weights, as the other.

    python -m venv recbole
    recbole/bin/pip install recbole==1.2.1 torch==2.13.0 "numpy<2" "scipy<1.12" "pandas<2.3" kmeans-pytorch setuptools
    python -m benchmarks.training_speed recbole/bin/python [SOURCE] [--from FOLDER] [--seeds 1 2 3] [--epochs 20] [--batch 500]
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import torch
from scipy import sparse

from benchmarks.machine import describe
from benchmarks.resident import forget_peak, memory
from macrid.artifacts.schema import Float32Array, Float64Array
from macrid.model import pipeline
from macrid.model.evaluation import Evaluation, evaluate
from macrid.model.splitting import Split
from macrid.model.training import TrainingConfig, refit, resolved

Way = Literal["RecBole", "float32", "bf16"]
NAMES: dict[Way, str] = {"RecBole": "RecBole", "float32": "ours", "bf16": "ours, bf16"}
PLAIN = TrainingConfig(initialisation="random", averaging=0.0)


class Scores:
    """Scores that were made elsewhere, for users who are asked in their order."""

    def __init__(self, scores: Float32Array) -> None:
        """Take (users, items)."""
        self._scores, self._asked = scores, 0

    def score(self, histories: sparse.csr_matrix) -> Float32Array:
        """Return those of the next users."""
        start, self._asked = self._asked, self._asked + histories.shape[0]
        return self._scores[start : self._asked].copy()


def main() -> None:
    """Train both in turns, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recbole", type=Path, help="the Python of an environment with RecBole")
    parser.add_argument("source", nargs="?", default="ml-1m")
    parser.add_argument("--from", dest="folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int, default=20)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--threads", type=int, default=1)
    parser.add_argument(
        "--precisions", nargs="+", choices=["float32", "bf16"], default=["float32", "bf16"], help="of ours"
    )
    parser.add_argument("--ours", type=Path, help="internal: train ours with the settings in this folder")
    arguments = parser.parse_args()
    if arguments.ours is not None:
        train_ours(arguments.ours)
        return
    source = pipeline.load_source(arguments.source, pipeline.SourceOptions(folder=arguments.folder))
    print(
        f"{arguments.source}; {describe()}, {arguments.threads} thread(s); {arguments.epochs} epochs of {arguments.batch} users\n"
    )
    print("| seed | | s per epoch | times | memory grew by, MB | NDCG@100 | Recall@50 |\n|---|---|---|---|---|---|---|")
    ways: list[Way] = ["RecBole", *arguments.precisions]
    ratios, apart = {way: list[float]() for way in ways}, {way: list[Float64Array]() for way in ways}
    for seed in arguments.seeds:
        split = pipeline.split_source(source, None, seed)
        config = replace(PLAIN, seed=seed, epochs=arguments.epochs, batch_size=arguments.batch)
        found = {way: run(way, arguments, split, config) for way in ways}
        pace = {way: float(np.median(one["seconds"][1:])) for way, (one, _) in found.items()}
        for way, (one, said) in found.items():
            ratios[way].append(pace["RecBole"] / pace[way])
            apart[way].append(said.values["ndcg@100"] - found["RecBole"][1].values["ndcg@100"])
            error = said.summary()["ndcg@100"]["standard_error"]
            print(
                f"| {seed} | {NAMES[way]} | {pace[way]:.3f} | {ratios[way][-1]:.2f} | {one['grown']:.0f} | "
                f"{said.mean('ndcg@100'):.4f} ± {error:.4f} | {said.mean('recall@50'):.4f} |",
                flush=True,
            )
    print()
    for way in arguments.precisions:
        values = np.concatenate(apart[way])
        error = values.std(ddof=1) / np.sqrt(len(values))
        print(
            f"{NAMES[way]}: {np.median(ratios[way]):.2f} times as fast; "
            f"NDCG@100 less RecBole's: {values.mean():+.4f} ± {error:.4f}"
        )


def run(
    way: Way, arguments: argparse.Namespace, split: Split, config: TrainingConfig
) -> tuple[dict[str, Any], Evaluation]:
    """Train one of them; what it printed, and what the test users say."""
    network = config.network
    settings = {
        "seed": config.seed, "epochs": config.epochs, "batch_size": config.batch_size, "learning_rate": config.learning_rate,
        "beta": config.beta, "anneal_epochs": config.anneal_epochs, "threads": arguments.threads, "concepts": network.concepts,
        "dimensions": network.dimensions, "keep_probability": network.keep_probability, "prior_std": network.prior_std,
        "temperature": network.temperature, "precision": way,
    }  # fmt: skip
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        (folder / "settings.json").write_text(json.dumps(settings))
        sparse.save_npz(folder / "training.npz", split.training)
        sparse.save_npz(folder / "fold_in.npz", split.test.fold_in)
        command = [sys.executable, "-m", "benchmarks.training_speed", str(arguments.recbole), "--ours", scratch]
        if way == "RecBole":
            command = recbole_command(arguments.recbole, folder)
        printed = run_in(folder, command, arguments.threads)
        return printed, evaluate(Scores(np.load(folder / "scores.npy")), split.test)


def recbole_command(python: Path, folder: Path) -> list[str]:
    """What trains RecBole's as the settings in a folder say, given the Python of its environment."""
    return [str(python.absolute()), "-m", "benchmarks.recbole_training", str(folder)]


def run_in(folder: Path, command: list[str], threads: int) -> dict[str, Any]:
    """Run a training in its folder, for RecBole writes logs where it is started; what it prints last, as JSON."""
    paths = ":".join([str(Path(__file__).parents[1]), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "PYTHONPATH": paths}
    done = subprocess.run(command, env=environment, cwd=folder, check=True, capture_output=True, text=True)
    return cast(dict[str, Any], json.loads(done.stdout.splitlines()[-1]))


def train_ours(folder: Path) -> None:
    """Train as the settings in a folder say, score, and print."""
    given = json.loads((folder / "settings.json").read_text())
    torch.set_num_threads(given["threads"])
    training, seconds = sparse.load_npz(folder / "training.npz").tocsr(), list[float]()
    config = TrainingConfig(
        seed=given["seed"],
        epochs=given["epochs"],
        batch_size=given["batch_size"],
        initialisation="random",
        averaging=0.0,
        precision=given["precision"],
    )
    torch.optim.Adam([torch.zeros(1)])  # the first of a process imports 100 MB of PyTorch; the other's is made here too
    forget_peak()
    before = memory("VmRSS")
    config = resolved(config, *training.shape)
    network = refit(training, config, given["epochs"], on_pass=lambda done: seconds.append(done.seconds))
    grown = memory("VmHWM") - before
    np.save(folder / "scores.npy", network.score(sparse.load_npz(folder / "fold_in.npz").tocsr()))
    print(json.dumps({"seconds": seconds, "grown": grown}))


if __name__ == "__main__":
    main()
