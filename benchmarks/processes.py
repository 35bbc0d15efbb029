"""One training in one process and in two: what it comes to, and how fast it is.

python -m benchmarks.processes quality [SOURCE] [--from FOLDER] [--seeds 1 2 3] [--epochs 60]
python -m benchmarks.processes speed [SOURCE] [--from FOLDER] [--epochs 3] [--turns 3] [--initialisation random]

quality: for each seed (of split and training) test NDCG@100 of one and of two processes, each with one thread, and its standard
error over the test users. speed: users per second while updates last, the fastest epoch of each run, as others on the machine
only slow it down; one process with one thread, one with two, two with one each, in turns. Needs as many cores as are used, and
nobody else on them. Processor seconds are those that training takes of the first process for an epoch, validation included; they
do not count waiting, for others or for a core.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import torch

from benchmarks.machine import describe
from macrid.model import pipeline, training
from macrid.model.evaluation import evaluate
from macrid.model.ranks import joined

WAYS = {"one process, one thread": (1, 1), "one process, two threads": (1, 2), "two processes, one thread each": (2, 1)}


def main() -> None:
    """Measure one or the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("kind", choices=["quality", "speed", "one"], help="`one` is what each process runs")
    parser.add_argument("source", nargs="?", default="ml-latest-small")
    parser.add_argument("--from", dest="folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--initialisation", choices=["co_clicks", "random"], help="random begins at once")
    arguments = parser.parse_args()
    {"quality": measure_quality, "speed": measure_speed, "one": train_once}[arguments.kind](arguments)


def measure_quality(arguments: argparse.Namespace) -> None:
    """Print a row for each seed, and the largest difference in standard errors."""
    epochs = arguments.epochs or 60
    print(f"{arguments.source}, {describe()}; at most {epochs} epochs\n")
    print("| seed | one process | epoch kept | two processes | epoch kept | difference in standard errors |")
    print("|---" * 6 + "|", flush=True)
    apart = []
    for seed in arguments.seeds:
        one, two = (started(arguments, processes, 1, seed, epochs) for processes in (1, 2))
        apart.append((two["ndcg"] - one["ndcg"]) / one["error"])
        cells = " | ".join(f"{each['ndcg']:.4f} ± {each['error']:.4f} | {each['epoch']}" for each in (one, two))
        print(f"| {seed} | {cells} | {apart[-1]:+.2f} |", flush=True)
    means = np.mean(apart)
    print(f"\nmean {means:+.3f}, largest {max(map(abs, apart)):.3f} standard errors")


def measure_speed(arguments: argparse.Namespace) -> None:
    """Print a row for each way."""
    epochs = arguments.epochs or 3
    measured: dict[str, list[dict[str, float | int]]] = {}
    for _ in range(arguments.turns):
        for way, (processes, threads) in WAYS.items():
            if threads > len(os.sched_getaffinity(0)):
                continue  # threads that wait for one another on one core measure nothing
            measured.setdefault(way, []).append(started(arguments, processes, threads, arguments.seeds[0], epochs))
    print(f"{arguments.source}, {describe()}; {epochs} epochs, {arguments.turns} turns\n")
    print("| | users per second, each turn | median | of the first | processor seconds |\n|---|---|---|---|---|")
    medians = {
        way: {name: float(np.median([run[name] for run in runs])) for name in runs[0]} for way, runs in measured.items()
    }
    first = next(iter(medians.values()))["speed"]
    for way, runs in measured.items():
        speeds, median = ", ".join(f"{run['speed']:,.0f}" for run in runs), medians[way]
        print(
            f"| {way} | {speeds} | {median['speed']:,.0f} | {median['speed'] / first:.2f} | {median['seconds']:.2f} |"
        )


def started(
    arguments: argparse.Namespace, processes: int, threads: int, seed: int, epochs: int
) -> dict[str, float | int]:
    """What the first of so many processes prints."""
    launcher = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, *launcher, "-m", "benchmarks.processes", "one", arguments.source]
    command += ["--seeds", str(seed), "--epochs", str(epochs)]
    for option, value in {"--from": arguments.folder, "--initialisation": arguments.initialisation}.items():
        command += [] if value is None else [option, str(value)]
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads)}
    done = subprocess.run(command, env=environment, check=True, stdout=subprocess.PIPE, text=True)
    found: dict[str, float | int] = json.loads(done.stdout)
    return found


def train_once(arguments: argparse.Namespace) -> None:
    """Train, and in the first process print figures as JSON."""
    torch.set_num_threads(int(os.environ["OMP_NUM_THREADS"]))
    (seed,) = arguments.seeds
    with joined() as ranks:
        source = pipeline.load_source(arguments.source, pipeline.SourceOptions(folder=arguments.folder))
        split = pipeline.split_source(source, None, seed)
        given = {"seed": seed, "epochs": arguments.epochs, "initialisation": arguments.initialisation}
        config = pipeline.training_config(source, given)
        began = time.process_time()
        trained = training.train(split, config, ranks=ranks)
        seconds = (time.process_time() - began) / len(trained.history)
        if ranks.rank == 0:
            found = evaluate(trained.network, split.test).summary()["ndcg@100"]
            speed = max(epoch.users_per_second for epoch in trained.history)
            figures = {"ndcg": found["mean"], "error": found["standard_error"], "epoch": trained.best_epoch}
            print(json.dumps(figures | {"speed": speed, "seconds": seconds}))


if __name__ == "__main__":
    main()
