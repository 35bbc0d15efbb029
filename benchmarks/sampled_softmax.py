"""Sampled softmax: what an update costs as the catalogue grows, and what sampling costs in accuracy.

python -m benchmarks.sampled_softmax speed [--items 10000 100000 1000000] [--samples 4096] [--full 10000 100000]
python -m benchmarks.sampled_softmax quality [SOURCE] [--from FOLDER] [--epochs 40] [--samples 0 4096] [--sampling log_uniform]

speed: users are generated with 20 to 60 clicks, items drawn from a long tail (Zipf's law). Every size runs in a process of
its own, whose peak Linux tells; what it held before the network was made is taken off, so it is the network, its average,
Adam's moments and an update's own. All of a training's update is there, the anchor and the average included; validation is
not. The first updates, which make the moments, are not counted; of the others the median is taken, in seconds of the process.

quality: the same split, seed and number of epochs for each number of samples, 0 for all items.
"""

import argparse
import dataclasses
import json
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch
from scipy import sparse

from benchmarks.machine import describe
from macrid.model import pipeline, training
from macrid.model.evaluation import MEASURES, evaluate
from macrid.model.network import MacridVAE, NetworkConfig

SEED = 98765
USERS, FEWEST, MOST = 4000, 20, 60
BATCH = 250
NOT_COUNTED, COUNTED = 3, 12


def main() -> None:
    """Measure one or the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    speed = kinds.add_parser("speed")
    speed.add_argument("--items", type=int, nargs="+", default=[10_000, 100_000, 1_000_000])
    speed.add_argument(
        "--full", type=int, nargs="*", default=[10_000, 100_000], help="sizes measured with all items too"
    )
    speed.add_argument("--samples", type=int, default=training.SAMPLES)
    speed.add_argument("--dimensions", type=int, default=100)
    speed.add_argument(
        "--repeats", type=int, default=3, help="processes for each sampled size, in turns; their median counts"
    )
    one = kinds.add_parser("one", help="what `speed` runs: one size")
    for name in ("items", "samples", "dimensions"):
        one.add_argument(name, type=int)
    quality = kinds.add_parser("quality")
    quality.add_argument("source", nargs="?", default="alishop-7c")
    quality.add_argument("--from", dest="folder", type=Path)
    quality.add_argument("--epochs", type=int, default=40)
    quality.add_argument("--samples", type=int, nargs="+", default=[0, training.SAMPLES])
    quality.add_argument("--sampling", nargs="+", default=["log_uniform"])
    arguments = parser.parse_args()
    {"speed": measure_speed, "one": measure_one, "quality": measure_quality}[arguments.kind](arguments)


def measure_speed(arguments: argparse.Namespace) -> None:
    """Print a table: sizes, samples, seconds, memory."""
    cases = [(items, arguments.samples) for items in arguments.items] + [(items, 0) for items in arguments.full]
    measured: dict[tuple[int, int], list[dict[str, float]]] = {case: [] for case in cases}
    for turn in range(arguments.repeats):
        for items, samples in cases if turn == 0 else cases[: len(arguments.items)]:
            command = [sys.executable, "-m", "benchmarks.sampled_softmax", "one"]
            command += [str(items), str(samples), str(arguments.dimensions)]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            measured[items, samples].append(json.loads(done.stdout))
    print(
        f"{describe()}, {torch.get_num_threads()} thread; seed {SEED}; K = 7, d = {arguments.dimensions}, batches of {BATCH} "
        f"users, {FEWEST} to {MOST} clicks\n"
    )
    print("| items | samples | ms per update | of the smallest | items looked at | peak memory | of M·d floats |")
    print("|---" * 7 + "|")
    smallest = {}
    for (items, samples), runs in measured.items():
        seconds, peak, rows = (float(np.median([run[name] for run in runs])) for name in ("seconds", "peak", "rows"))
        smallest.setdefault(samples > 0, seconds)
        print(
            f"| {items:,} | {samples or 'all'} | {1000 * seconds:.0f} | {seconds / smallest[samples > 0]:.2f} | {rows:,.0f} | "
            f"{peak / 1e6:,.0f} MB | {peak / (4 * items * arguments.dimensions):.1f} |",
            flush=True,
        )


def measure_one(arguments: argparse.Namespace) -> None:
    """Print seconds per update, peak memory and rows as JSON."""
    clicks = generated_clicks(arguments.items)
    config = training.TrainingConfig(
        network=NetworkConfig(dimensions=arguments.dimensions), epochs=1, batch_size=BATCH, samples=arguments.samples
    )
    stamps, rows = [], []
    before = _status("VmRSS")
    update = training._update

    def timed(state: training.TrainingState, *given: object) -> float:
        began = time.process_time()
        loss = update(state, *given)  # type: ignore[arg-type]
        stamps.append(time.process_time() - began)
        gradient = state.network.item_embeddings.grad
        assert gradient is not None
        rows.append(len(gradient.coalesce().indices()[0]) if gradient.is_sparse else arguments.items)
        return loss

    training._update = timed
    training.refit(clicks, config, 1, start=_anchored)
    counted = slice(NOT_COUNTED, NOT_COUNTED + COUNTED)
    found = {
        "seconds": float(np.median(stamps[counted])),
        "peak": _status("VmHWM") - before,
        "rows": float(np.median(rows[counted])),
    }
    print(json.dumps(found))


def generated_clicks(items: int) -> sparse.csr_matrix:
    """(USERS, M) implicit clicks with a long tail, the popular items anywhere among the rest."""
    rng = np.random.default_rng(SEED)
    users = np.repeat(np.arange(USERS), rng.integers(FEWEST, MOST + 1, USERS))
    ranks = np.minimum((items + 1.0) ** rng.random(len(users)) - 1, items - 1).astype(np.int64)
    clicked = rng.permutation(items)[ranks]
    matrix = sparse.csr_matrix((np.ones(len(users), np.float32), (users, clicked)), shape=(USERS, items))
    matrix.data[:] = 1.0
    return matrix


def _anchored(network: MacridVAE, _: sparse.csr_matrix, generator: torch.Generator) -> torch.Tensor:
    """Concept weights to hold the items to, at random: finding groups in clicks at random would measure nothing."""
    return torch.rand(len(network.item_embeddings), network.config.concepts, generator=generator).softmax(dim=1)


def _status(name: str) -> int:
    with Path("/proc/self/status").open() as lines:
        return int(next(line.split()[1] for line in lines if line.startswith(name))) * 1024


def measure_quality(arguments: argparse.Namespace) -> None:
    """Train with each number of samples and print a row when it is known."""
    source = pipeline.load_source(arguments.source, pipeline.SourceOptions(folder=arguments.folder))
    split = pipeline.split_source(source, None, SEED)
    users, items = split.training.shape
    print(
        f"{source.name}; {describe()}; seed {SEED}; {users:,} training users, {items:,} items; {arguments.epochs} epochs\n"
    )
    print(
        f"| samples | {' | '.join(MEASURES)} | epoch kept | seconds of updates |\n|---|---|---|---|---|---|", flush=True
    )
    for sampling in arguments.sampling:
        for samples in arguments.samples:
            if samples == 0 and sampling != arguments.sampling[0]:
                continue
            given = {"samples": samples, "sampling": sampling, "epochs": arguments.epochs}
            config = dataclasses.replace(pipeline.training_config(source, given), seed=SEED)
            trained = training.train(split, config)
            found = evaluate(trained.network, split.test).summary()
            cells = " | ".join(f"{found[name]['mean']:.4f} ± {found[name]['standard_error']:.4f}" for name in MEASURES)
            seconds = sum(epoch.seconds for epoch in trained.history)
            name = f"{samples:,} {sampling.replace('_', '-')}" if samples else "all"
            print(f"| {name} | {cells} | {trained.best_epoch} | {seconds:.0f} |", flush=True)


if __name__ == "__main__":
    main()
