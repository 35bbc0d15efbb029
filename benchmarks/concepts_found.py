"""Are the true categories found, for every seed, and at what accuracy? Does it matter that concepts are told by the cosine?

Asked of a source whose items have a known category, the first of their columns. For every training seed the model is
trained with our defaults, with the paper's recipe, and with that recipe and the inner product for the cosine (the paper's Figure
2e), for the same number of epochs of equal batches; the split is the same throughout. Printed are the NMI and ARI of the items'
main concepts with the categories, before the first update and after the epoch kept, how many of the items the largest concept
has, and the test NDCG@100. Beside them, ceilings that see the categories: a logistic probe on 100 singular vectors of the PPMI
of co-clicks (five folds), and each item's neighbours in that graph voting.

The authors' folder of alishop-7c lacks the training users here, so its 4,000 users are split 3,000 / 500 / 500; figures are not
those of the paper's table.

    python -m benchmarks.concepts_found [SOURCE] [--from FOLDER] [--seeds 1 2] [--epochs 40] [--recipes ours,paper,inner_product]
"""

import argparse
from pathlib import Path

import numpy as np
from scipy import sparse
from scipy.sparse import linalg
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import adjusted_rand_score, normalized_mutual_info_score
from sklearn.model_selection import cross_val_predict

from benchmarks.machine import describe
from macrid.model import pipeline
from macrid.model.co_clicks import co_click_graph, co_click_groups
from macrid.model.evaluation import evaluate
from macrid.model.training import train

SPLIT_SEED = 98765
PAPER = {**pipeline.PAPER_RECIPE, "batch_size": None}
RECIPES = {"ours": {}, "paper": PAPER, "inner_product": {**PAPER, "similarity": "inner_product"}}


def main() -> None:
    """Train, measure and print a Markdown table, a row as soon as it is known."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", nargs="?", default="alishop-7c")
    parser.add_argument("--from", dest="folder", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3, 4, 5])
    parser.add_argument("--epochs", type=int, default=40)
    parser.add_argument("--recipes", default="ours,paper,inner_product")
    arguments = parser.parse_args()
    source = pipeline.load_source(arguments.source, pipeline.SourceOptions(folder=arguments.folder))
    split = pipeline.split_source(source, None, SPLIT_SEED)
    categories = np.array([row[0] for row in source.items.aligned(split.item_ids).rows])
    print(
        f"{source.name}; {describe()}; {split.training.shape[0]:,} training users, {split.training.shape[1]:,} items\n"
    )
    _print_ceilings(split.training, categories)
    print("| recipe | seed | NMI at the start | NMI | ARI | largest concept | test NDCG@100 | epoch kept |")
    print("|---|---|---|---|---|---|---|---|", flush=True)
    for recipe in arguments.recipes.split(","):
        found = []
        for seed in arguments.seeds:
            config = pipeline.training_config(source, {**RECIPES[recipe], "epochs": arguments.epochs, "seed": seed})
            start = co_click_groups(split.training, config.network.concepts, seed) if recipe == "ours" else None
            trained = train(split, config)
            concepts = trained.network.concept_logits(trained.network.unit_items()).argmax(dim=1).numpy()
            nmi, ari = normalized_mutual_info_score(categories, concepts), adjusted_rand_score(categories, concepts)
            ndcg = evaluate(trained.network, split.test).mean("ndcg@100")
            before = "" if start is None else f"{normalized_mutual_info_score(categories, start):.3f}"
            largest = np.bincount(concepts).max() / len(concepts)
            found.append((nmi, ndcg))
            print(
                f"| {recipe} | {seed} | {before} | {nmi:.3f} | {ari:.3f} | {largest:.3f} | {ndcg:.4f} | {trained.best_epoch} |",
                flush=True,
            )
        nmis, ndcgs = np.array(found).T
        print(
            f"\n{recipe}: NMI mean {nmis.mean():.3f}, lowest {nmis.min():.3f}; NDCG@100 mean {ndcgs.mean():.4f}\n",
            flush=True,
        )


def _print_ceilings(training: sparse.csr_matrix, categories: np.ndarray) -> None:
    graph, information = co_click_graph(training, 0), _positive_information(training)
    left, values, _ = linalg.svds(information, k=100, v0=np.random.default_rng(0).random(len(categories)))
    probe = cross_val_predict(LogisticRegression(max_iter=1000), left * np.sqrt(values), categories, cv=5)
    labels, coded = np.unique(categories, return_inverse=True)
    votes = graph @ np.eye(len(labels))[coded]
    print(f"NMI of a probe that sees the categories: {normalized_mutual_info_score(categories, probe):.3f}")
    print(
        f"NMI of neighbours' votes: {normalized_mutual_info_score(categories, votes.argmax(axis=1)):.3f}\n", flush=True
    )


def _positive_information(training: sparse.csr_matrix) -> sparse.csr_matrix:
    """max(0, log(n_ij / e_ij)), (M, M), without diagonal."""
    together = (training.T @ training).tocoo()
    clicks = np.asarray(training.sum(axis=0), dtype=np.float64).ravel()
    values = np.log(together.data * training.shape[0] / (clicks[together.row] * clicks[together.col]))
    values[(values < 0) | (together.row == together.col)] = 0.0
    return sparse.csr_matrix((values, (together.row, together.col)), shape=together.shape)


if __name__ == "__main__":
    main()
