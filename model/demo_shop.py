"""The demo shop: a generated world whose concepts and factors are known, written as ordinary files.

Stands before `interactions`: what it writes is read back like any caller's data, and nothing of the truth is handed
to the model. Imports neither torch nor the network.

The world. Every item belongs to one department (the true concept) and has four factors, drawn uniformly and
independently. Every user has two to four intentions, each a department with its own taste: one preferred value per
factor, again uniform and independent, so tastes favour no direction of the factor space. Within an intention the user
clicks items without replacement, with probability proportional to
popularity × exp(−½ Σ_f ((factor_f − taste_f) / TASTE_WIDTH)²). A few clicks are noise.
"""

from __future__ import annotations

import csv
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from macrid.model.demo_pictures import draw
from macrid.model.demo_titles import compose_titles

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Factor:
    """A scale on which the items of a department differ, with a word for either end."""

    name: str
    low: str
    high: str


DEPARTMENTS = ("bags", "shoes", "lamps", "mugs", "chairs", "hats", "vases")
FACTORS = (
    Factor("size", "small", "large"),
    Factor("hue", "cool", "warm"),
    Factor("price", "cheap", "dear"),
    Factor("shape", "round", "angular"),
)

# Shares of the departments in the catalogue: of 2,000 items between 240 and 340.
DEPARTMENT_SHARES = (0.17, 0.16, 0.15, 0.14, 0.13, 0.13, 0.12)
# Four factors at .2 leave a taste about as many items as three factors at .15 do: (.2·√2π)⁴ ≈ .063, (.15·√2π)³ ≈ .053.
TASTE_WIDTH = 0.2
# Standard deviation of the log popularity: a tenth of the items gets a fifth of the clicks.
POPULARITY_SPREAD = 0.5
NOISE_SHARE = 0.03
SHORTEST_HISTORY = 20
LONGEST_HISTORY = 80
SMALLEST_SHOP = 70  # items, about ten per department
CLICKS_PER_INTENTION = 3  # at the very least, so that an intention can be seen at all
FIRST_DAY = 1_735_689_600  # 1 January 2025, UTC


@dataclass(frozen=True)
class DemoShop:
    """A generated shop of M items, N clicks and F factors.

    Attributes:
        item_ids: M short readable ids, such as "bag-0042".
        departments: (M,) int64, index into `DEPARTMENTS`.
        factors: (M, F) float64 in [0, 1], columns in the order of `FACTORS`.
        titles: M titles.
        user_ids: Ids of the users.
        clicks: (N, 2) int64, rows (user row, item row), ordered by user and, per user, by time.
    """

    item_ids: tuple[str, ...]
    departments: IntArray
    factors: FloatArray
    titles: tuple[str, ...]
    user_ids: tuple[str, ...]
    clicks: IntArray


def generate(seed: int, *, users: int = 5000, items: int = 2000) -> DemoShop:
    """Generate a shop; the same arguments give the same shop.

    Raises:
        ValueError: There are no users, or fewer items than `SMALLEST_SHOP`.
    """
    if users < 1:
        raise ValueError(f"a demo shop needs at least 1 user, not {users}")
    if items < SMALLEST_SHOP:
        raise ValueError(f"a demo shop needs at least {SMALLEST_SHOP} items, not {items}")
    rng = np.random.default_rng(seed)
    departments = _deal_departments(items)
    factors = rng.random((items, len(FACTORS)))  # (M, F)
    titles = [
        title
        for department, name in enumerate(DEPARTMENTS)
        for title in compose_titles(name, factors[departments == department], rng)
    ]
    clicks = _draw_clicks(departments, factors, users, rng)
    return DemoShop(
        item_ids=tuple(_item_ids(departments)),
        departments=departments,
        factors=factors,
        titles=tuple(titles),
        user_ids=tuple(f"user-{row:05d}" for row in range(1, users + 1)),
        clicks=clicks,
    )


def write(shop: DemoShop, folder: Path) -> None:
    """Write `clicks.csv`, `items.csv` and `pictures/` into a new folder, which appears complete or not at all.

    Raises:
        FileExistsError: The folder exists and is not empty.
    """
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} exists already: remove it or name another folder for the demo shop")
    folder.parent.mkdir(parents=True, exist_ok=True)
    beside = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_csv(beside / "clicks.csv", ("user", "item", "timestamp"), _click_rows(shop))
        header = ("item", "title", "department", *(factor.name for factor in FACTORS), "image")
        _write_csv(beside / "items.csv", header, _item_rows(shop))
        _write_pictures(shop, beside / "pictures")
        beside.chmod(0o755)  # mkdtemp keeps it to the owner, but these are ordinary files
        beside.replace(folder)
    except BaseException:
        shutil.rmtree(beside, ignore_errors=True)
        raise


def _deal_departments(items: int) -> IntArray:
    """Deal the items out by `DEPARTMENT_SHARES`, in department order: (M,) int64."""
    ends = np.rint(np.cumsum(DEPARTMENT_SHARES) * items).astype(np.int64)
    return np.searchsorted(ends, np.arange(items), side="right").astype(np.int64)


def _item_ids(departments: IntArray) -> Iterator[str]:
    for department, name in enumerate(DEPARTMENTS):
        for number in range(1, int((departments == department).sum()) + 1):
            yield f"{name.removesuffix('s')}-{number:04d}"


def _draw_clicks(departments: IntArray, factors: FloatArray, users: int, rng: np.random.Generator) -> IntArray:
    """Draw every user's clicks, intentions first and noise after: (N, 2) int64."""
    popularity = rng.normal(0.0, POPULARITY_SPREAD, len(factors))  # (M,) logarithms
    lengths = np.minimum(SHORTEST_HISTORY + rng.gamma(1.6, 9.0, users).astype(np.int64), LONGEST_HISTORY)  # (U,)
    noise = rng.binomial(lengths, NOISE_SHARE)  # (U,)
    counts = _split_by_intention(lengths - noise, rng)  # (U, D)
    chosen = [_noise_clicks(noise, len(factors), rng)]
    for department in range(len(DEPARTMENTS)):
        rows, members = np.flatnonzero(counts[:, department]), np.flatnonzero(departments == department)
        tastes = rng.random((len(rows), factors.shape[1]))
        log_weights = popularity[members] + _log_kernel(tastes, factors[members])
        picked, positions = draw_without_replacement(log_weights, counts[rows, department], rng)
        chosen.append(np.stack([rows[picked], members[positions]], axis=1))
    return _in_time_order(np.unique(np.concatenate(chosen), axis=0), rng)


def _split_by_intention(lengths: IntArray, rng: np.random.Generator) -> IntArray:
    """Split every user's clicks over two to four departments: (U, D) counts, zero outside the intentions."""
    users = len(lengths)
    ranks = rng.random((users, len(DEPARTMENTS))).argsort(axis=1).argsort(axis=1)
    intended = ranks < rng.integers(2, 5, size=(users, 1))  # (U, D)
    weights = rng.gamma(3.0, size=intended.shape) * intended
    spare = lengths - CLICKS_PER_INTENTION * intended.sum(axis=1)
    return CLICKS_PER_INTENTION * intended + rng.multinomial(spare, weights / weights.sum(axis=1, keepdims=True))


def _log_kernel(tastes: FloatArray, factors: FloatArray) -> FloatArray:
    """Logarithm of the taste kernel of n tastes for m items: (n, m)."""
    squared: FloatArray = (tastes**2).sum(axis=1)[:, None] + (factors**2).sum(axis=1) - 2.0 * tastes @ factors.T
    return -0.5 * squared / TASTE_WIDTH**2


def draw_without_replacement(
    log_weights: FloatArray, counts: IntArray, rng: np.random.Generator
) -> tuple[IntArray, IntArray]:
    """Draw counts[r] different columns of each row, one after another by weight: row and column of every draw.

    The top n of log weight plus Gumbel noise are distributed like n draws without replacement (the Gumbel top-k trick).
    """
    order = np.argsort(-(log_weights + rng.gumbel(size=log_weights.shape)), axis=1, kind="stable")
    rows, ranks = np.nonzero(np.arange(log_weights.shape[1]) < counts[:, None])
    return rows, order[rows, ranks]


def _noise_clicks(counts: IntArray, items: int, rng: np.random.Generator) -> IntArray:
    """Draw clicks that mean nothing, uniform over the whole shop: (n, 2)."""
    return np.stack([np.repeat(np.arange(len(counts)), counts), rng.integers(items, size=int(counts.sum()))], axis=1)


def _in_time_order(clicks: IntArray, rng: np.random.Generator) -> IntArray:
    """Shuffle the clicks within each user: their order says nothing."""
    shuffled = rng.permutation(clicks)
    return shuffled[np.argsort(shuffled[:, 0], kind="stable")]


def _click_rows(shop: DemoShop) -> Iterator[tuple[str, str, int]]:
    """Rows of `clicks.csv`: every user comes on some day of three months and clicks every ten minutes."""
    user, position = -1, 0
    for user_row, item_row in shop.clicks.tolist():
        user, position = (user_row, position + 1) if user_row == user else (user_row, 0)
        arrival = FIRST_DAY + (user_row * 7_919) % (90 * 86_400)
        yield shop.user_ids[user_row], shop.item_ids[item_row], arrival + 600 * position


def _item_rows(shop: DemoShop) -> Iterator[tuple[str, ...]]:
    for item_id, title, department, factors in zip(
        shop.item_ids, shop.titles, shop.departments.tolist(), shop.factors.tolist(), strict=True
    ):
        yield item_id, title, DEPARTMENTS[department], *(f"{value:.3f}" for value in factors), f"pictures/{item_id}.svg"


def _write_csv(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(header)
        writer.writerows(rows)


def _write_pictures(shop: DemoShop, folder: Path) -> None:
    folder.mkdir()
    for item_id, title, department, factors in zip(
        shop.item_ids, shop.titles, shop.departments.tolist(), shop.factors.tolist(), strict=True
    ):
        (folder / f"{item_id}.svg").write_text(draw(DEPARTMENTS[department], factors, title), encoding="utf-8")
