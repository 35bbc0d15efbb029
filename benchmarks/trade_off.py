"""What does it cost in accuracy that dimensions carry factors? The demo shop, trained with several β, σ₀ and d.

For each recipe the model is trained, and its items' dimensions are held against the shop's true factors within the
departments, with the axes as training left them and turned by `model/basis.py`. docs/analysis.md defines the measures. Drawn
is the accuracy on the test users against the mean |Spearman| of a factor with its dimension.

    python -m benchmarks.trade_off [--epochs 30] [--seed 98765] [--out docs/images/trade-off.svg]
"""

import argparse
from pathlib import Path

import numpy as np
from sklearn.metrics import normalized_mutual_info_score

from benchmarks.machine import describe
from macrid.model import pipeline
from macrid.model.analysis.factors import FactorMeasures, mean_measures, measure_factors
from macrid.model.basis import independent_basis
from macrid.model.demo_shop import FACTORS
from macrid.model.evaluation import evaluate
from macrid.model.report.style import colour, drawing, save
from macrid.model.training import train

RECIPES = (
    {"beta": 0.2, "prior_std": 0.075, "dimensions": 100},
    {"beta": 1.0, "prior_std": 0.075, "dimensions": 100},
    {"beta": 5.0, "prior_std": 0.075, "dimensions": 100},
    {"beta": 5.0, "prior_std": 0.3, "dimensions": 100},
    {"beta": 0.2, "prior_std": 0.075, "dimensions": 32},
    {"beta": 5.0, "prior_std": 0.3, "dimensions": 32},
    {"beta": 0.2, "prior_std": 0.075, "dimensions": 16},
    {"beta": 5.0, "prior_std": 0.3, "dimensions": 16},
)
NEAR = 0.01  # points of a figure that are drawn on one another


def main() -> None:
    """Train every recipe, print a Markdown table, a row as soon as it is known, and draw."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seed", type=int, default=98765)
    parser.add_argument("--out", type=Path)
    arguments = parser.parse_args()
    source = pipeline.load_source("demo-shop", pipeline.SourceOptions())
    split = pipeline.split_source(source, None, arguments.seed)
    items = source.items.aligned(split.item_ids)
    departments = np.array(items.column("department"))
    factors = np.array([items.column(factor.name) for factor in FACTORS], dtype=np.float64).T  # (M, F)
    popularity = np.asarray(split.training.sum(axis=0), dtype=np.int64).ravel()
    print(f"{describe()}; seed {arguments.seed}, at most {arguments.epochs} epochs\n")
    heads = ("β", "σ₀", "d", "test NDCG@100", "NMI", "axes", "factor", "others", "DCI disentanglement")
    print("| " + " | ".join(heads) + " |\n|" + "---|" * len(heads))
    points = []
    for recipe in RECIPES:
        config = pipeline.training_config(source, {**recipe, "epochs": arguments.epochs, "seed": arguments.seed})
        network = train(split, config).network
        ndcg = evaluate(network, split.test).mean("ndcg@100")
        h = network.unit_items().detach().numpy().astype(np.float64)
        concepts = network.concept_logits(network.unit_items()).argmax(dim=1).numpy()
        nmi = normalized_mutual_info_score(departments, concepts)
        for axes, codes in (("as trained", h), ("turned", h @ independent_basis(h, concepts, popularity))):
            found = measure(codes, departments, factors, arguments.seed)
            points.append((recipe, axes, ndcg, found.alignment.factor))
            print(
                f"| {recipe['beta']} | {recipe['prior_std']} | {recipe['dimensions']} | {ndcg:.4f} | {nmi:.3f} | {axes} | "
                f"{found.alignment.factor:.2f} | {found.alignment.others:.2f} | {found.dci.disentanglement:.2f} |",
                flush=True,
            )
    if arguments.out is not None:
        draw(points, arguments.out)


def measure(codes: np.ndarray, departments: np.ndarray, factors: np.ndarray, seed: int) -> FactorMeasures:
    """Return the mean over departments."""
    groups = [np.flatnonzero(departments == name) for name in np.unique(departments)]
    return mean_measures([measure_factors(codes[members], factors[members], seed) for members in groups])


def draw(points: list[tuple[dict[str, float], str, float, float]], path: Path) -> None:
    """Accuracy against alignment; for each kind of axes a curve through the recipes that no other beats in both."""
    with drawing(height=3.2) as figure:
        ax = figure.subplots()
        for at, axes in enumerate(("as trained", "turned")):
            mine = sorted((factor, ndcg, str(recipe), recipe) for recipe, kind, ndcg, factor in points if kind == axes)
            best = [one for one in mine if not any(beats(other, one) for other in mine)]
            ax.plot(*zip(*(one[:2] for one in best), strict=True), lw=1.0, color=colour(at))
            ax.plot(*zip(*(one[:2] for one in mine), strict=True), "o", ms=4, color=colour(at), label=f"axes {axes}")
            for left, bottom, text in labels(mine):
                ax.annotate(text, (left, bottom), xytext=(4, 4), textcoords="offset points", fontsize=5.5)
        ax.margins(x=0.12, y=0.1)
        ax.set_xlabel("mean |Spearman| of a factor and its dimension")
        ax.set_ylabel("test NDCG@100")
        ax.legend(fontsize=6.5, loc="lower right")
        save(figure, path)


def beats(other: tuple, one: tuple) -> bool:
    """Say whether one point is no worse in both, and better in one."""
    return other[0] >= one[0] and other[1] >= one[1] and other[:2] != one[:2]


def labels(points: list[tuple[float, float, str, dict[str, float]]]) -> list[tuple[float, float, str]]:
    """Say each recipe beside its point; those that differ by β alone and fall together are said at once."""
    found: list[tuple[float, float, list[float], float, float]] = []
    for factor, ndcg, _, recipe in points:
        for left, bottom, betas, prior_std, dimensions in found:
            if (prior_std, dimensions) == (recipe["prior_std"], recipe["dimensions"]) and np.allclose(
                (left, bottom), (factor, ndcg), atol=NEAR
            ):
                betas.append(recipe["beta"])
                break
        else:
            found.append((factor, ndcg, [recipe["beta"]], recipe["prior_std"], recipe["dimensions"]))
    return [
        (left, bottom, f"β {', '.join(f'{beta:g}' for beta in sorted(betas))}; σ₀ {prior_std:g}; d {dimensions}")
        for left, bottom, betas, prior_std, dimensions in found
    ]


if __name__ == "__main__":
    main()
