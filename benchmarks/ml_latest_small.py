"""MacridVAE beside EASE and popularity on ml-latest-small, over several split seeds, each split exactly as PAPER.md says.

python -m benchmarks.ml_latest_small [--seeds 98765 1 2 3 4]
"""

import argparse

import numpy as np

from benchmarks.machine import describe
from macrid.model import pipeline
from macrid.model.evaluation import MEASURES
from macrid.model.training import train

NAME = "ml-latest-small"


def main() -> None:
    """Train once per seed and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, nargs="+", default=[98765, 1, 2, 3, 4])
    seeds = parser.parse_args().seeds
    source = pipeline.load_source(NAME, pipeline.SourceOptions())
    print(
        f"{NAME}, {describe()}\n\n| seed | method | {' | '.join(MEASURES)} | epoch kept |\n|---|---|---|---|---|---|",
        flush=True,
    )
    means: dict[str, list[float]] = {}
    for seed in seeds:
        split = pipeline.split_source(source, None, seed)
        trained = train(split, pipeline.training_config(source, {"seed": seed}))
        for method, values in pipeline.compare(trained.network, split).items():
            cells = " | ".join(
                f"{values[name]['mean']:.4f} ± {values[name]['standard_error']:.4f}" for name in MEASURES
            )
            print(
                f"| {seed} | {method} | {cells} | {trained.best_epoch if method == 'MacridVAE' else ''} |", flush=True
            )
            means.setdefault(method, []).append(values["ndcg@100"]["mean"])
    for method, values_of_seeds in means.items():
        print(f"\n{method}: mean NDCG@100 over {len(seeds)} seeds {np.mean(values_of_seeds):.4f}", end="")
    print(f"\n\nMacridVAE / EASE: {np.mean(means['MacridVAE']) / np.mean(means['EASE']):.3f}")


if __name__ == "__main__":
    main()
