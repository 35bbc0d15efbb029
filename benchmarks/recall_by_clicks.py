"""How much of the true answer do inverted lists find for users of few clicks and of many, and behind what they have seen?

The bundle should be a trained one that has inverted lists (`macrid train alishop-7c --publish`). How far is looked
is chosen anew, as an export does it, on the beginnings of half of the histories. The others are asked, with their first
clicks, and without the best items, as one who has seen those.

    python -m benchmarks.recall_by_clicks STORE HISTORIES

HISTORIES is a JSON file: a list of lists of item ids.
"""

import argparse
import json
from pathlib import Path

import faiss
import numpy as np
from scipy import sparse

from benchmarks.machine import describe
from macrid.artifacts.store import Store
from macrid.model import index as indexing
from macrid.model.export import beginnings
from macrid.service.arrays import Float32Array, Int64Array
from macrid.service.loaded_model import LoadedModel
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.index import read_index
from macrid.service.ranking.inverted_lists import InvertedListsRanker

CLICKS, SEEN = (1, 3, 10, 50), (0, 20, 100, 300)


def main() -> None:
    """Choose, ask and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("store", type=Path)
    parser.add_argument("histories", type=Path)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    model = LoadedModel.prepare(Store(arguments.store).open_current(), "exact")
    ids = model.indices([item for history in json.loads(arguments.histories.read_text()) for item in history])
    histories = [[ids[item] for item in history] for history in json.loads(arguments.histories.read_text())]
    half = len(histories) // 2
    assert model.bundle.index_path is not None, f"{arguments.store}: the current version has no index"
    index = read_index(model.bundle.index_path, *model.shape[::2])
    effort, recall = choose(model, index, histories[:half])
    looked = f"within {effort.margin} logits, at most {effort.probes} pairs"
    print(f"{describe()}; {model.shape[0]:,} items, {looked}: {recall}; {half} other users\n")
    print("| clicks | " + " | ".join(f"recall@{n}, {seen} seen" for seen in SEEN for n in (20, 100)) + " |")
    print("|---" * (1 + 2 * len(SEEN)) + "|")
    lists = InvertedListsRanker(model.scored_items, index, effort.probes, effort.margin)
    exact = ExactRanker(model.scored_items)
    for clicks in CLICKS:
        users = [np.unique(history[:clicks]) for history in histories[half:]]
        cells = [
            f"{np.mean([share(model, lists, exact, own, seen, n) for own in users]):.4f}"
            for seen in SEEN
            for n in (20, 100)
        ]
        print(f"| {clicks} | {' | '.join(cells)} |", flush=True)


def choose(
    model: LoadedModel, index: faiss.Index, histories: list[list[int]]
) -> tuple[indexing.Effort, dict[str, float]]:
    """How far an export would have the server look, and what it measures."""
    rows = np.repeat(np.arange(len(histories)), [len(history) for history in histories])
    clicks = (np.ones(len(rows), np.float32), (rows, np.concatenate(histories)))
    cut = beginnings(sparse.csr_matrix(clicks, (len(histories), model.shape[0])))
    users = [model.encoder.encode(np.sort(row.indices).astype(np.int64)).components for row in cut]
    items = model.scored_items
    arrays = {"item_embeddings": items.rows, "prototypes": items.prototypes}
    return indexing.measure(
        faiss.downcast_index(index), arrays, items.log_partition, items.temperature, np.stack(users)
    )


def share(
    model: LoadedModel, lists: InvertedListsRanker, exact: ExactRanker, history: Int64Array, seen: int, n: int
) -> float:
    """Of one user's true next n behind the best that were seen, how many are found."""
    components: Float32Array = model.encoder.encode(history).components
    best = exact.rank(components, seen, history).indices if seen else history[:0]
    excluded = np.union1d(history, best)
    truth = exact.rank(components, n, excluded).indices
    return float(np.isin(truth, lists.rank(components, n, excluded).indices).mean())


if __name__ == "__main__":
    main()
