"""Which index? Alternatives for ranking by concept, on generated catalogues: time, recall, build time, memory.

Three ways to ask: one index over [h_i, −τ·A_i] that all concepts share; one index for each concept over the items with
c_{i,k} ≥ ε (a threshold); one for each concept over the items that belong to it most (hard assignment). Several ways to
store and search: flat, inverted lists (IVF) with fp32, fp16, SQ8 or PQ codes, and graphs (HNSW). Inverted lists are asked in
two ways: every concept looks into the cells that are best for it ("each"); or the pairs of concept and cell that are best
of all are looked into ("pairs"), so that a concept which has nothing to offer costs nothing. Every method yields each
concept's best items; their union is rescored exactly, and the best 100 are compared with those of scoring everything. The
effort (cells probed for a concept, or in all; or the beam of a graph) is raised until recall@100 is at least the target,
and that row is printed; or the last one tried. Vectors are padded with zeros to a multiple of 16 numbers: FAISS compares
codes of 101 numbers one by one (576 ns for fp16, 346 for SQ8), those of 112 sixteen at a time (49 and 35).

    python -m benchmarks.index_comparison [--items 100000] [--methods …] [--target 0.99] [--users 100]
"""

import argparse
import resource
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial

import faiss
import numpy as np

from benchmarks.generated import NOTHING, Generated, generate
from benchmarks.machine import describe
from macrid.service.arrays import Float32Array, Int64Array
from macrid.service.ranking.exact import ExactRanker
from macrid.service.ranking.index import concept_vectors
from macrid.service.ranking.items import Items
from macrid.service.ranking.scores import log_sum_over_concepts

EFFORTS = (1, 2, 4, 8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512, 768, 1024, 1536, 2048)
LANES = 16
WIDTH = 200  # items in each concept's list
BUILD_BLOCK = 262_144
ITEMS_PER_CELL, MOST_CELLS, TRAINING_PER_CELL = 24, 16_384, 24

Search = Callable[[Float32Array, int], Int64Array]  # (K, d+1) questions and an effort -> candidates, with repeats


@dataclass(frozen=True)
class Built:
    """An index that answers, and its size in bytes."""

    search: Search
    size: int


def main() -> None:
    """Build each index, raise its effort until its recall is enough, print a Markdown row."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=100_000)
    parser.add_argument("--methods", default=",".join(METHODS))
    parser.add_argument("--target", type=float, default=0.99)
    parser.add_argument("--users", type=int, default=100)
    arguments = parser.parse_args()
    faiss.omp_set_num_threads(1)
    world = generate(arguments.items)
    users = world.components(arguments.users)
    ranker = ExactRanker(Items(world.item_embeddings, world.prototypes, world.temperature))
    truth, times = timed(lambda components: ranker.rank(components, 100, NOTHING).indices, users)
    embeddings = world.item_embeddings.nbytes
    print(f"{describe()}, one core; {arguments.items:,} generated items, K = 7, d = 100, {len(users)} users\n")
    print("| method | effort | recall@20 | recall@100 | p50, ms | p95, ms | faster | build, s | index / embeddings |")
    print("|---|---|---|---|---|---|---|---|---|")
    p50 = np.median(times)
    print(f"| exact | | 1 | 1 | {1e3 * p50:.2f} | {1e3 * np.quantile(times, 0.95):.2f} | 1 | | 0 |", flush=True)
    for name in arguments.methods.split(","):
        start = time.perf_counter()
        built = METHODS[name](world)
        seconds = time.perf_counter() - start
        for effort in EFFORTS if name != "flat" else (1,):
            found, times = timed(partial(rank, world, built, effort), users)
            recalls = [recall(found, truth, n) for n in (20, 100)]
            if recalls[1] >= arguments.target:
                break
        print(
            f"| {name} | {effort} | {recalls[0]:.4f} | {recalls[1]:.4f} | {1e3 * np.median(times):.2f} | "
            f"{1e3 * np.quantile(times, 0.95):.2f} | {p50 / np.median(times):.0f} | {seconds:.0f} | "
            f"{built.size / embeddings:.2f} |",
            flush=True,
        )
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(f"\npeak memory of the whole run: {peak:.1f} GiB")


def recall(found: Sequence[Int64Array], truth: Sequence[Int64Array], n: int) -> float:
    """Return the mean share of the true first n that are among those found."""
    return float(np.mean([len(np.intersect1d(f[:n], t[:n])) / n for f, t in zip(found, truth, strict=True)]))


def timed(rank_one: Callable[[Float32Array], Int64Array], users: Iterable[Float32Array]) -> tuple[list, np.ndarray]:
    """Rank for each user; returns the rankings and the seconds each took."""
    found, seconds = [], []
    for components in users:
        start = time.perf_counter()
        found.append(rank_one(components))
        seconds.append(time.perf_counter() - start)
    return found, np.array(seconds)


def rank(world: Generated, built: Built, effort: int, components: Float32Array) -> Int64Array:
    """Return the best 100 of the union of the concepts' lists."""
    queries = components + world.prototypes
    candidates = np.unique(built.search(asked(world, queries), effort))
    candidates = candidates[candidates >= 0]
    rows = world.item_embeddings[candidates]
    scores = log_sum_over_concepts(rows, queries, world.temperature)
    scores -= log_sum_over_concepts(rows, world.prototypes, world.temperature)
    return candidates[np.argsort(-scores, kind="stable")[:100]]


def asked(world: Generated, queries: Float32Array) -> Float32Array:
    """Return the questions [z + m, 1], padded."""
    questions = np.zeros((len(queries), padded(world)), dtype=np.float32)
    questions[:, : queries.shape[1]], questions[:, queries.shape[1]] = queries, 1.0
    return questions


# --- What is searched ---------------------------------------------------------------------------------------------


def blocks(world: Generated, members: Int64Array | None = None) -> Iterable[tuple[Float32Array, Float32Array]]:
    """Yield rows of h and of [h, −τ·A] in blocks, of all items or of some."""
    count = len(world.item_embeddings) if members is None else len(members)
    for start in range(0, count, BUILD_BLOCK):
        chosen = slice(start, start + BUILD_BLOCK)
        rows = world.item_embeddings[chosen if members is None else members[chosen]]
        vectors = concept_vectors(rows, world.prototypes, world.temperature)
        yield rows, np.pad(vectors, ((0, 0), (0, padded(world) - vectors.shape[1])))


def padded(world: Generated) -> int:
    """How long vectors are."""
    return -(-(world.prototypes.shape[1] + 1) // LANES) * LANES


def flat(world: Generated, members: Int64Array | None = None) -> faiss.Index:
    """Every vector, one after the other."""
    index = faiss.IndexFlatIP(padded(world))
    for _, vectors in blocks(world, members):
        index.add(vectors)
    return index


def inverted_lists(code: str, world: Generated, members: Int64Array | None = None) -> faiss.IndexIVF:
    """Cells of items that lie together, each represented by the mean of its vectors."""
    sample = world.item_embeddings if members is None else world.item_embeddings[members]
    count, dimensions = sample.shape
    cells = max(1, min(count // ITEMS_PER_CELL, MOST_CELLS * count // len(world.item_embeddings)))
    chosen = np.random.default_rng(0).choice(count, min(count, TRAINING_PER_CELL * cells), replace=False)
    directions = faiss.Kmeans(dimensions, cells, niter=6, spherical=True, seed=1)
    directions.train(np.ascontiguousarray(sample[np.sort(chosen)]))
    nearest = faiss.IndexFlatIP(dimensions)
    nearest.add(directions.centroids)
    index = new_inverted_lists(code, padded(world), cells)
    index.train(np.concatenate([vectors for _, vectors in blocks(world, np.sort(chosen)[:100_000])]))
    means, sizes = np.zeros((cells, padded(world))), np.zeros(cells)
    for rows, vectors in blocks(world, members):
        assigned = np.ascontiguousarray(nearest.search(rows, 1)[1][:, 0])
        index.add_core(len(vectors), faiss.swig_ptr(vectors), None, faiss.swig_ptr(assigned))
        np.add.at(means, assigned, vectors)
        sizes += np.bincount(assigned, minlength=cells)
    index.quantizer.reset()
    index.quantizer.add((means / np.maximum(sizes, 1)[:, None]).astype(np.float32))
    return index


def new_inverted_lists(code: str, width: int, cells: int) -> faiss.IndexIVF:
    """An empty index whose codes need no residuals."""
    quantizer = faiss.IndexFlatIP(width)
    quantizer.add(np.zeros((cells, width), dtype=np.float32))  # replaced when the cells' means are known
    metric = faiss.METRIC_INNER_PRODUCT
    if code == "fp32":
        index = faiss.IndexIVFFlat(quantizer, width, cells, metric)
    elif code == "pq":  # a byte for two numbers
        index = faiss.IndexIVFPQ(quantizer, width, cells, width // 2, 8, metric)
        index.by_residual = False
    else:
        kind = {"fp16": faiss.ScalarQuantizer.QT_fp16, "sq8": faiss.ScalarQuantizer.QT_8bit}[code]
        index = faiss.IndexIVFScalarQuantizer(quantizer, width, cells, kind, metric, False)
    quantizer.this.disown()
    index.own_fields = True
    index.quantizer_trains_alone = 2  # the cells are given
    return index


def graph(world: Generated, code: str = "fp16", links: int = 16, members: Int64Array | None = None) -> faiss.Index:
    """A navigable small world over the vectors."""
    width = padded(world)
    metric = faiss.METRIC_INNER_PRODUCT
    kind = {"fp16": faiss.ScalarQuantizer.QT_fp16, "sq8": faiss.ScalarQuantizer.QT_8bit}.get(code)
    index = faiss.IndexHNSWFlat(width, links, metric) if kind is None else faiss.IndexHNSWSQ(width, kind, links, metric)
    index.hnsw.efConstruction = 40
    for _, vectors in blocks(world, members):
        if not index.is_trained:
            index.train(vectors)
        index.add(vectors)
    return index


# --- How it is asked ----------------------------------------------------------------------------------------------


def parameters(index: faiss.Index, effort: int) -> faiss.SearchParameters | None:
    """How hard to search: cells to probe, or how many neighbours a graph keeps in view."""
    if isinstance(index, faiss.IndexIVF):
        return faiss.SearchParametersIVF(nprobe=effort)
    if isinstance(index, faiss.IndexHNSW):
        return faiss.SearchParametersHNSW(efSearch=max(WIDTH, 8 * effort))
    return None


def size_of(index: faiss.Index) -> int:
    """Bytes when written."""
    writer = faiss.VectorIOWriter()
    faiss.write_index(index, writer)
    return int(writer.data.size())


def shared(make: Callable[[Generated], faiss.Index]) -> Callable[[Generated], Built]:
    """One index that every concept asks its own question."""

    def build(world: Generated) -> Built:
        index = make(world)
        return Built(
            lambda questions, effort: index.search(questions, WIDTH, params=parameters(index, effort))[1],
            size_of(index),
        )

    return build


def in_pairs(make: Callable[[Generated], faiss.IndexIVF]) -> Callable[[Generated], Built]:
    """One index whose best pairs of concept and cell are looked into."""

    def build(world: Generated) -> Built:
        index = make(world)
        means = np.ascontiguousarray(index.quantizer.reconstruct_n(0, index.nlist).T)  # (d', cells)

        def search(questions: Float32Array, effort: int) -> Int64Array:
            values = questions @ means  # (K, cells)
            least = np.partition(values.max(axis=0), -min(effort, index.nlist))[-min(effort, index.nlist)]
            concepts, cells = np.nonzero(values >= least)
            counts = np.bincount(concepts)
            keys = np.full((len(counts), counts.max()), -1)
            keys[np.arange(counts.max()) < counts[:, None]] = cells
            return search_cells(index, questions[: len(counts)], keys)

        return Built(search, size_of(index))

    return build


def search_cells(index: faiss.IndexIVF, questions: Float32Array, keys: Int64Array) -> Int64Array:
    """Return the best items of each question's cells; −1 fills up."""
    values, found = np.empty((len(keys), WIDTH), np.float32), np.empty((len(keys), WIDTH), np.int64)
    unused = np.zeros(keys.shape, np.float32)
    pointers = (faiss.swig_ptr(array) for array in (keys, unused, values, found))
    index.search_preassigned_c(
        len(keys), faiss.swig_ptr(questions), WIDTH, *pointers, False, faiss.SearchParametersIVF(nprobe=keys.shape[1])
    )
    return found


def for_each_concept(
    make: Callable[[Generated, Int64Array], faiss.Index], threshold: float | None
) -> Callable[[Generated], Built]:
    """An index for each concept over its items: those above a threshold of c, or those that belong to it most (None)."""

    def build(world: Generated) -> Built:
        weights = world.concept_weights()
        main = weights.argmax(axis=1)
        members = [
            np.flatnonzero(main == k if threshold is None else weights[:, k] >= threshold)
            for k in range(weights.shape[1])
        ]
        indices = [make(world, rows) for rows in members]

        def search(questions: Float32Array, effort: int) -> Int64Array:
            lists = []
            for question, index, rows in zip(questions, indices, members, strict=True):
                places = index.search(question[None], WIDTH, params=parameters(index, effort))[1][0]
                lists.append(rows[places[places >= 0]])
            return np.concatenate(lists)

        return Built(search, sum(size_of(index) + rows.nbytes for index, rows in zip(indices, members, strict=True)))

    return build


def ivf(code: str) -> Callable[..., faiss.Index]:
    """Inverted lists of a code."""
    return lambda world, members=None: inverted_lists(code, world, members)


METHODS: dict[str, Callable[[Generated], Built]] = {
    "flat": shared(flat),
    "ivf fp32 each": shared(ivf("fp32")),
    "ivf sq8 each": shared(ivf("sq8")),
    "ivf fp32 pairs": in_pairs(ivf("fp32")),
    "ivf fp16 pairs": in_pairs(ivf("fp16")),
    "ivf sq8 pairs": in_pairs(ivf("sq8")),
    "ivf pq pairs": in_pairs(ivf("pq")),
    "c ≥ .01 ivf sq8": for_each_concept(ivf("sq8"), 0.01),
    "c ≥ .1 ivf sq8": for_each_concept(ivf("sq8"), 0.1),
    "hard ivf sq8": for_each_concept(ivf("sq8"), None),
    "hnsw sq8": shared(lambda world: graph(world, "sq8", 32)),
    "hnsw fp32": shared(lambda world: graph(world, "fp32", 32)),
}

if __name__ == "__main__":
    main()
