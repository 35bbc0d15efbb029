"""How well does RecBole's MacridVAE rank, beside ours? Same splits, settings and users, each at its best epoch on validation.

Ours are the fits that `macrid evaluate --compare SOURCE --seeds … --out OUT` left in OUT/fits. RecBole's is trained with the same
settings as far as it has them, and asked every few epochs; `training_speed.py` says how to make its environment.

    python -m benchmarks.recbole_quality recbole/bin/python ml-latest-small --seeds 98765 --fits runs/compare-ml-latest-small/fits
"""

import argparse
import hashlib
import json
import tempfile
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import numpy as np
from scipy import sparse

from benchmarks.machine import describe
from benchmarks.training_ablation import held_out, plain, print_table
from benchmarks.training_speed import Scores, recbole_command, run_in
from macrid.model import pipeline
from macrid.model.evaluation import evaluate
from macrid.model.settings import Settings
from macrid.model.splitting import Split
from macrid.model.training import resolved


def main() -> None:
    """Train RecBole's on every split that is not done yet, and print both beside each other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("recbole", type=Path, help="the Python of an environment with RecBole")
    parser.add_argument("source")
    parser.add_argument("--from", dest="folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", required=True)
    parser.add_argument("--fits", type=Path, required=True)
    parser.add_argument("--epochs", type=int, help="of RecBole's; default: as ours")
    parser.add_argument("--every", type=int, default=5, help="epochs from one look at validation users to the next")
    parser.add_argument("--out", type=Path, default=Path("runs/recbole"))
    arguments = parser.parse_args()
    source = pipeline.load_source(arguments.source, pipeline.SourceOptions(folder=arguments.folder))
    print(f"{source.name}; {describe()}, 1 thread; test users; seeds {arguments.seeds}", flush=True)
    splits, ours, theirs = [], [], []
    for seed in arguments.seeds:
        splits.append(pipeline.split_source(source, None, seed))
        kept = fit_of_ours(arguments.fits, seed, splits[-1])
        ours.append({"test": kept["values"], "epoch": 0})
        config = pipeline.training_config(source, cast(Settings, kept["settings"]))
        config = resolved(config, *splits[-1].training.shape)
        settings = {**asdict(config), **asdict(config.network), "seed": seed, "threads": 1}
        epochs = arguments.epochs or config.epochs
        settings |= {"epochs": epochs, "score_every": min(arguments.every, epochs)}
        theirs.append(kept_or_trained(arguments.recbole, source.name, splits[-1], settings, arguments.out))
        means = [np.mean(one[-1]["test"]["ndcg@100"]) for one in (ours, theirs)]
        print(f"seed {seed}: ours {means[0]:.4f}, RecBole's {means[1]:.4f}, epoch {theirs[-1]['epoch']}", flush=True)
    print_table({"ours": ours, "RecBole": theirs}, splits, "test")


def fit_of_ours(folder: Path, seed: int, split: Split) -> dict[str, Any]:
    """The kept fit of MacridVAE on a split."""
    for path in folder.glob("macridvae-*.json"):
        kept = cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
        if kept["seed"] == seed and kept["users"] == list(split.test.user_ids):
            return kept
    raise SystemExit(f"{folder}: no fit of MacridVAE on seed {seed}; make it with macrid evaluate --compare")


def kept_or_trained(python: Path, name: str, split: Split, settings: dict[str, Any], folder: Path) -> dict[str, Any]:
    """Values of test users at the epoch that ranks validation users best, and its number."""
    said = hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:10]
    path = folder / f"{name}-{split.seed}-{said}.json"
    if path.is_file():
        return cast(dict[str, Any], json.loads(path.read_text(encoding="utf-8")))
    asked = {on: held_out(split, on) for on in ("validation", "test")}
    with tempfile.TemporaryDirectory() as scratch:
        run = Path(scratch)
        (run / "settings.json").write_text(json.dumps(settings))
        sparse.save_npz(run / "training.npz", split.training)
        sparse.save_npz(run / "fold_in.npz", sparse.vstack([one.fold_in for one in asked.values()]).tocsr())
        run_in(run, recbole_command(python, run), settings["threads"])
        best: dict[str, Any] = {}
        for epoch in range(settings["score_every"], settings["epochs"] + 1, settings["score_every"]):
            parts = np.split(np.load(run / f"scores-{epoch}.npy"), [len(asked["validation"].user_ids)])
            found = {on: evaluate(Scores(part), asked[on]) for on, part in zip(asked, parts, strict=True)}
            reached = found["validation"].mean("ndcg@100")
            if reached > best.get("reached", -1.0):
                best = {"epoch": epoch, "reached": reached, **{on: plain(one) for on, one in found.items()}}
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(best), encoding="utf-8")
    return best


if __name__ == "__main__":
    main()
