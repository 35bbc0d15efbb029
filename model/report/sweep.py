"""Figure 4: independence against Recall@20 over random configurations, with and without macro disentanglement.

Ours(d, d') has d-dimensional items and users of d' = K·d dimensions; β-MultVAE(d, d') a last hidden layer of d and a latent layer
of d'. Each configuration is drawn from its number alone, so a sweep goes on where it stopped and may be cut into parts.
"""

import dataclasses
import json
import os
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure

from macrid.artifacts.schema import Float32Array
from macrid.model.analysis.factors import rank_correlations
from macrid.model.analysis.independence import independence
from macrid.model.baselines.mult_vae import BetaMultVae, MultVaeConfig
from macrid.model.errors import DataError
from macrid.model.evaluation import evaluate
from macrid.model.network import Histories, NetworkConfig
from macrid.model.report.style import SOFT_INK, WIDTH, colour, drawing
from macrid.model.splitting import Split
from macrid.model.training import TrainingConfig, train

DIMENSIONS, CONCEPTS = 100, 7
EPOCHS, PATIENCE = 60, 10
RUNNING_MEAN = 15  # configurations, for the lines of the figure


@dataclass(frozen=True)
class Method:
    """A kind of model in the figure: its name, and (split, what was drawn, seed) -> item codes, user codes, scorer."""

    name: str
    fit: Callable[[Split, dict[str, float], int], tuple[Float32Array, Float32Array, Any]]


@dataclass(frozen=True)
class Point:
    """One configuration and what became of it; of items and users their independence and that of random codes beside."""

    method: str
    number: int
    drawn: dict[str, float]
    validation_recall_20: float
    recall_20: float
    ndcg_100: float
    items: float
    items_random: float
    users: float
    users_random: float
    seconds: float


def draw_configuration(seed: int, method: str, number: int) -> dict[str, float]:
    """Learning rate, β and the share of input kept, and σ₀ where there is one: the same for the same numbers.

    Returns:
        learning_rate log-uniform in [3e-4, 1e-2], beta log-uniform in [0.01, 10], keep_probability uniform in [0.3, 1],
        prior_std log-uniform in [0.03, 0.5].
    """
    rng = np.random.default_rng([seed, METHODS_BY_NAME[method][0], number])
    return {
        "learning_rate": float(10 ** rng.uniform(np.log10(3e-4), -2)),
        "beta": float(10 ** rng.uniform(-2, 1)),
        "keep_probability": float(rng.uniform(0.3, 1.0)),
        "prior_std": float(10 ** rng.uniform(np.log10(0.03), np.log10(0.5))),
    }


def _ours(concepts: int) -> Callable[[Split, dict[str, float], int], tuple[Float32Array, Float32Array, Any]]:
    def fit(split: Split, drawn: dict[str, float], seed: int) -> tuple[Float32Array, Float32Array, Any]:
        network = NetworkConfig(
            concepts=concepts,
            dimensions=DIMENSIONS,
            keep_probability=drawn["keep_probability"],
            prior_std=drawn["prior_std"],
        )
        config = TrainingConfig(
            network=network, epochs=EPOCHS, patience=PATIENCE, learning_rate=drawn["learning_rate"], beta=drawn["beta"],
            seed=seed,
        )  # fmt: skip
        trained = train(split, config).network
        components = trained.components(Histories.from_matrix(split.training)).numpy()  # (K, U, d)
        users = components.transpose(1, 0, 2).reshape(components.shape[1], -1)
        return trained.unit_items().detach().numpy(), np.ascontiguousarray(users), trained

    return fit


def _mult_vae(latent: int) -> Callable[[Split, dict[str, float], int], tuple[Float32Array, Float32Array, Any]]:
    def fit(split: Split, drawn: dict[str, float], seed: int) -> tuple[Float32Array, Float32Array, Any]:
        config = MultVaeConfig(
            hidden=DIMENSIONS, latent=latent, epochs=EPOCHS, patience=PATIENCE, learning_rate=drawn["learning_rate"],
            beta=drawn["beta"], keep_probability=drawn["keep_probability"], seed=seed,
        )  # fmt: skip
        model = BetaMultVae.fit(split, config)
        return model.item_rows(), model.users(split.training), model

    return fit


METHODS = (
    Method(f"Ours({DIMENSIONS}, {CONCEPTS * DIMENSIONS})", _ours(CONCEPTS)),
    Method(f"Ours({DIMENSIONS}, {DIMENSIONS})", _ours(1)),
    Method(f"β-MultVAE({DIMENSIONS}, {CONCEPTS * DIMENSIONS})", _mult_vae(CONCEPTS * DIMENSIONS)),
    Method(f"β-MultVAE({DIMENSIONS}, {DIMENSIONS})", _mult_vae(DIMENSIONS)),
)
METHODS_BY_NAME = {method.name: (at, method) for at, method in enumerate(METHODS)}


def try_configuration(split: Split, method: str, number: int, seed: int) -> Point:
    """Draw, train, measure."""
    began = time.perf_counter()
    drawn = draw_configuration(seed, method, number)
    items, users, scorer = METHODS_BY_NAME[method][1].fit(split, drawn, seed)
    rng = np.random.default_rng([seed, number])
    of_items, of_users = independence(items, rng), independence(users, rng)
    test = evaluate(scorer, split.test)
    return Point(
        method=method,
        number=number,
        drawn=drawn,
        validation_recall_20=evaluate(scorer, split.validation).mean("recall@20"),
        recall_20=test.mean("recall@20"),
        ndcg_100=test.mean("ndcg@100"),
        items=of_items.value,
        items_random=of_items.random,
        users=of_users.value,
        users_random=of_users.random,
        seconds=time.perf_counter() - began,
    )


def sweep(
    split: Split,
    path: Path,
    configurations: int,
    seed: int,
    *,
    on_known: Callable[[int], None] = lambda count: None,
    on_point: Callable[[Point], None] = lambda point: None,
) -> list[Point]:
    """Try so many configurations of every method, each appended to a file of JSON lines as soon as it is known.

    What the file already holds is not tried again, so a sweep that was stopped goes on, and a longer one continues a shorter one.

    Args:
        split: of the data.
        path: the file; it need not exist.
        configurations: of each method.
        seed: of what is drawn and of every training.
        on_known: told how many the file holds already.
        on_point: called after each new one.

    Raises:
        DataError: the file holds something else, or a sweep of other data or another seed.
    """
    about = {"users": split.training.shape[0], "items": split.training.shape[1], "split_seed": split.seed, "seed": seed}
    known = read_points(path, about) if path.exists() else _begin(path, about)
    on_known(len(known))
    done = {(point.method, point.number) for point in known}
    for number in range(configurations):  # all methods advance together
        for method in METHODS:
            if (method.name, number) not in done:
                point = try_configuration(split, method.name, number, seed)
                _append(path, dataclasses.asdict(point))
                known.append(point)
                on_point(point)
    return known


def _begin(path: Path, about: dict[str, Any]) -> list[Point]:
    _append(path, about)
    return []


def _append(path: Path, line: dict[str, Any]) -> None:
    with path.open("a", encoding="utf-8") as file:
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
        file.flush()
        os.fsync(file.fileno())


def read_points(path: Path, about: dict[str, Any] | None = None) -> list[Point]:
    """The points of a sweep; a last line that was cut off is taken away.

    Args:
        path: of the file.
        about: what its first line must say; None accepts any.

    Raises:
        DataError: names the line that is not of a sweep, or what the sweep is of.
    """
    text = path.read_text(encoding="utf-8")
    whole, _, rest = text.rpartition("\n")
    if rest and about is not None:
        path.write_text(whole + "\n" if whole else "", encoding="utf-8")
    lines = whole.split("\n") if whole else []
    try:
        head = json.loads(lines[0]) if lines else {}
        points = [Point(**json.loads(line)) for line in lines[1:]]
    except (ValueError, TypeError) as error:
        raise DataError(f"{path} is not a file of `macrid sweep`: {error}") from error
    if about is not None and head != about:
        raise DataError(f"{path} is a sweep of {head}, expected {about}; name another file")
    return points


def draw(points: Sequence[Point]) -> Figure:
    """Recall@20 against independence, items on the left and users on the right; the value of random codes marked."""
    with drawing(height=WIDTH * 0.5) as figure:
        sides = figure.subplots(1, 2, sharey=True)
        for ax, side in zip(sides, ("items", "users"), strict=True):
            for at, method in enumerate(METHODS):
                mine = [point for point in points if point.method == method.name]
                if not mine:
                    continue
                x = np.array([getattr(point, side) for point in mine])
                y = np.array([point.recall_20 for point in mine])
                ax.scatter(x, y, s=9, color=colour(at), alpha=0.6, linewidths=0, label=method.name)
                order = np.argsort(x)
                if len(order) > RUNNING_MEAN:
                    window = np.ones(RUNNING_MEAN) / RUNNING_MEAN
                    ax.plot(
                        *(np.convolve(values[order], window, mode="valid") for values in (x, y)),
                        color=colour(at),
                        lw=1.2,
                    )
            random = float(np.mean([getattr(point, f"{side}_random") for point in points]))
            ax.axvline(random, color=SOFT_INK, lw=0.8, ls=":")
            ax.annotate(
                "random", (random, 0.02), xycoords=("data", "axes fraction"), rotation=90, fontsize=6.5, ha="right",
                color=SOFT_INK,
            )  # fmt: skip
            ax.set_title(side)
            ax.set_xlabel("independence of dimensions")
            ax.grid(alpha=0.6)
        sides[0].set_ylabel("test Recall@20")
        sides[1].legend(loc="upper left", fontsize=6.5)
    return figure


@dataclass(frozen=True)
class Summary:
    """A method's configurations in three numbers for each side: what Figure 4 says, in words.

    Attributes:
        count: how many.
        best: largest validation Recall@20's test Recall@20.
        items, users: medians of independence.
        items_correlation, users_correlation: Spearman's ρ of independence and Recall@20.
    """

    method: str
    count: int
    best: float
    median: float
    items: float
    users: float
    items_correlation: float
    users_correlation: float


def summarise(points: Iterable[Point]) -> list[Summary]:
    """One for every method that was tried."""
    everything = list(points)
    found = []
    for method in METHODS:
        mine = [point for point in everything if point.method == method.name]
        if len(mine) < 3:
            continue
        recall = [point.recall_20 for point in mine]
        found.append(
            Summary(
                method=method.name,
                count=len(mine),
                best=max(mine, key=lambda point: point.validation_recall_20).recall_20,
                median=float(np.median(recall)),
                items=float(np.median([point.items for point in mine])),
                users=float(np.median([point.users for point in mine])),
                items_correlation=_rank_correlation([point.items for point in mine], recall),
                users_correlation=_rank_correlation([point.users for point in mine], recall),
            )
        )
    return found


def _rank_correlation(x: Sequence[float], y: Sequence[float]) -> float:
    return float(rank_correlations(np.array(x)[:, None], np.array(y)[:, None])[0, 0])
