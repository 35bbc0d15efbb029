"""Does turning a dimension move a factor of what is recommended? Asked of the published demo shop, whose factors are known.

The users are those held out from training, with all their clicks as history; for a department, those with at least five
clicks in it. For each department and factor one dimension of the department's concept is chosen on some of these users, and
turned on others: set to seven quantiles of the concept's items, from 0 to 1, by `control.alter`, as `POST /recommend` does.
After each step the mean of every factor is taken over the 20 best of the department's items that are new to the user;
`overall` takes the department's items among the 20 best of the whole shop instead.

Chosen is the dimension that moves the factor most beyond any other factor: the largest |change of the factor| less the
largest |change of another|, a change being the mean over users of last step minus first, in standard deviations of the factor
in the department. Reported on the other users: the mean Spearman correlation of step and factor, signed by the change seen
when choosing; the same of step and the factor's mean over users (`curve`); the change; the largest change of another factor
relative to it; the correlation for factors shuffled within the department, for which the dimension is chosen anew; and the
best mean correlation that any dimension reaches on these very users (`best`), which no rule of choosing can beat.

`--reach 3` asks what a range three times as wide would bring: seven equal steps from 3 · min to 3 · max of the concept's items,
not cut to the range but scaled to stay in the concept. The server does not allow that.

    python -m benchmarks.demo_steering [--store artifacts/store] [--users 60] [--choosing 40] [--seed 0] [--reach 1]
"""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import stats

from benchmarks.machine import describe
from macrid.artifacts.store import Store
from macrid.model.demo_shop import FACTORS
from macrid.model.pipeline import split_of
from macrid.service.control import Edit, Wishes, alter, move, scale_for
from macrid.service.loaded_model import LoadedModel

STEPS = 7
TOP = 20
CLICKS_IN_DEPARTMENT = 5
TARGET = 0.9
OTHERS = 1 / 3


@dataclass(frozen=True)
class Turn:
    """What turning one dimension did to the recommendations of users who had no part in choosing it."""

    department: str
    factor: str
    dim: int
    users: int
    correlation: float  # mean over users of the signed Spearman of step and factor, among the department's items
    overall: float  # the same among the department's items in the top 20 of all
    curve: float  # signed Spearman of step and the mean over users of the factor
    change: float  # of the factor from first step to last, in its standard deviations
    others: float  # largest |change| of another factor, relative to |change|
    shuffled: float  # `correlation` for factors shuffled within the department
    best: float  # largest |correlation| of any dimension, chosen in hindsight

    @property
    def fulfils(self) -> bool:
        """Whether the factor follows the turn, and the other factors do not."""
        return self.correlation >= TARGET and self.others < OTHERS


@dataclass(frozen=True)
class Shop:
    """A published demo shop and the truth about its items."""

    model: LoadedModel
    departments: np.ndarray  # (M,) names
    factors: np.ndarray  # (M, F)
    histories: list[np.ndarray]  # item indices of each held-out user
    reach: float


def measure(shop: Shop, choosing: int, users: int, seed: int) -> list[Turn]:
    """Turn the best dimension of every department and factor."""
    rng = np.random.default_rng(seed)
    results = []
    for department in np.unique(shop.departments):
        members = np.flatnonzero(shop.departments == department)
        concept = int(np.bincount(shop.model.main_concepts[members]).argmax())
        shoppers = [history for history in shop.histories if np.isin(history, members).sum() >= CLICKS_IN_DEPARTMENT]
        shoppers = [shoppers[at] for at in rng.permutation(len(shoppers))[: choosing + users]]
        truth = standardised(shop.factors, members, members)
        shuffled = standardised(shop.factors, members, rng.permutation(members))
        dims = range(shop.model.shape[2])
        everything = np.arange(len(shop.departments))
        lists = [best_items(shop, concept, dims, history, members) for history in shoppers]  # n × (d, S, TOP)
        seen, unseen = np.array(lists[:choosing]), np.array(lists[choosing:])
        moved, moved_shuffled = means(unseen, truth), means(unseen, shuffled)  # (n, d, S, F)
        for f, factor in enumerate(FACTORS):
            dim, sign = choose(means(seen, truth), f)
            null_dim, null_sign = choose(means(seen, shuffled), f)
            everywhere = [best_items(shop, concept, [dim], history, everything) for history in shoppers[choosing:]]
            change = changes(moved)[dim]
            results.append(
                Turn(
                    department=str(department),
                    factor=factor.name,
                    dim=dim,
                    users=len(unseen),
                    correlation=sign * correlation(moved[:, dim, :, f]),
                    overall=sign * correlation(means(np.array(everywhere), truth)[:, 0, :, f]),
                    curve=sign * correlation(moved[:, dim, :, f].mean(axis=0)[None]),
                    change=float(change[f]),
                    others=float(np.abs(np.delete(change, f)).max() / abs(change[f])),
                    shuffled=null_sign * correlation(moved_shuffled[:, null_dim, :, f]),
                    best=max(abs(correlation(moved[:, j, :, f])) for j in dims),
                )
            )
    return results


def standardised(factors: np.ndarray, members: np.ndarray, order: np.ndarray) -> np.ndarray:
    """Return a department's factors in standard deviations, dealt to its members in some order; NaN elsewhere: (M, F)."""
    values = np.full_like(factors, np.nan)
    values[order] = (factors[members] - factors[members].mean(axis=0)) / factors[members].std(axis=0)
    return values


def best_items(shop: Shop, concept: int, dims: Sequence[int], history: np.ndarray, among: np.ndarray) -> np.ndarray:
    """Return a user's best new items among some at every step of every dimension: (J, S, TOP) item indices, in any order.

    The score is that of `ranking/exact.py`; only the turned component's term is computed again.
    """
    model, components = shop.model, shop.model.encoder.encode(history).components
    turned = turns(shop, components, concept, dims).astype(np.float64)  # (J, S, d)
    rows, temperature = model.item_embeddings[among].astype(np.float64), model.bundle.manifest.temperature
    weights = model.bundle.concept_weights[among].astype(np.float64)
    terms = weights * np.exp(rows @ components.T / temperature)  # (m, K)
    others = np.delete(terms, concept, axis=1).sum(axis=1)
    scores = others + weights[:, concept] * np.exp(turned @ rows.T / temperature)  # (J, S, m)
    scores[..., np.isin(among, history)] = -1.0
    found: np.ndarray = among[np.argpartition(-scores, TOP, axis=-1)[..., :TOP]]
    return found


def turns(shop: Shop, components: np.ndarray, concept: int, dims: Sequence[int]) -> np.ndarray:
    """Return the component at every step of every dimension: (J, S, d)."""
    model, prototypes, component = shop.model, shop.model.bundle.prototypes, components[concept]
    result = np.empty((len(dims), STEPS, len(component)), dtype=np.float32)
    for position, dim in enumerate(dims):
        coordinates = model.item_embeddings[model.members(concept), dim]
        ends = shop.reach * float(coordinates.min()), shop.reach * float(coordinates.max())
        for step, (quantile, value) in enumerate(zip(np.linspace(0, 1, STEPS), np.linspace(*ends, STEPS), strict=True)):
            if shop.reach == 1:
                altered, _ = alter(
                    components,
                    Wishes([Edit(concept, dim, "quantile", float(quantile))]),
                    prototypes=prototypes,
                    item_embeddings=model.item_embeddings,
                    members=model.members,
                )
                result[position, step] = altered[concept]
            else:
                target = component.astype(np.float64)
                target[dim] = value
                result[position, step] = move(component, target, scale_for(component, target, concept, prototypes))
    return result


def means(lists: np.ndarray, factors: np.ndarray) -> np.ndarray:
    """Return the mean factors of lists, over the department's items in them: (n, J, S, TOP) → (n, J, S, F)."""
    values = factors[lists]
    counts = (~np.isnan(values)).sum(axis=-2)
    return np.where(counts > 0, np.nansum(values, axis=-2) / np.maximum(counts, 1), np.nan)


def changes(moved: np.ndarray) -> np.ndarray:
    """Return the mean over users of last step minus first: (n, J, S, F) → (J, F)."""
    change: np.ndarray = (moved[:, :, -1] - moved[:, :, 0]).mean(axis=0)
    return change


def choose(moved: np.ndarray, f: int) -> tuple[int, float]:
    """Return the dimension that moves factor f most beyond any other factor, and which way."""
    change = changes(moved)  # (d, F)
    dim = int(np.argmax(np.abs(change[:, f]) - np.abs(np.delete(change, f, axis=1)).max(axis=1)))
    return dim, float(np.sign(change[dim, f]))


def correlation(values: np.ndarray) -> float:
    """Return the mean Spearman correlation of step and value: (n, S) → float; a user for whom nothing moves counts 0."""
    steps = np.where(np.isnan(values), np.nan, np.arange(values.shape[1], dtype=np.float64))
    ranks, step_ranks = (stats.rankdata(rows, axis=1, nan_policy="omit") for rows in (values, steps))
    counts = np.maximum((~np.isnan(values)).sum(axis=1, keepdims=True), 1)
    ranks, step_ranks = (rows - np.nansum(rows, axis=1, keepdims=True) / counts for rows in (ranks, step_ranks))
    lengths = np.sqrt(np.nansum(ranks**2, axis=1) * np.nansum(step_ranks**2, axis=1))
    return float(np.mean(np.nansum(ranks * step_ranks, axis=1) / np.where(lengths > 0, lengths, 1.0)))


def open_shop(store: Path, reach: float) -> Shop:
    """Open a store's current version, with the clicks of the users held out from it."""
    model = LoadedModel.prepare(Store(store).open_current())
    items = model.bundle.catalogue.items(range(model.shape[0]))
    split = split_of(model.bundle)
    rows = model.bundle.catalogue.indices(split.item_ids)
    columns = np.array([rows[item_id] for item_id in split.item_ids])
    return Shop(
        model=model,
        departments=np.array([str(item.metadata["department"]) for item in items]),
        factors=np.array([[item.metadata[factor.name] for factor in FACTORS] for item in items], dtype=np.float64),
        histories=[np.sort(columns[row.indices]) for row in split.test.fold_in + split.test.withheld],
        reach=reach,
    )


def main() -> None:
    """Measure the current version of a store and print a Markdown table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--store", type=Path, default=Path("artifacts/store"))
    parser.add_argument("--users", type=int, default=60)
    parser.add_argument("--choosing", type=int, default=40)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--reach", type=float, default=1.0)
    arguments = parser.parse_args()
    shop = open_shop(arguments.store, arguments.reach)
    results = measure(shop, arguments.choosing, arguments.users, arguments.seed)
    print(
        f"{shop.model.version}; {describe()}; seed {arguments.seed}, {arguments.choosing} users choose, reach {shop.reach:g}\n"
    )
    print(
        "| department | factor | dimension | users | correlation | overall | curve | change, sd | others | shuffled | best |"
    )
    print("|---|---|---|---|---|---|---|---|---|---|---|")
    for r in results:
        print(
            f"| {r.department} | {r.factor} | {r.dim} | {r.users} | {r.correlation:+.2f} | {r.overall:+.2f} | {r.curve:+.2f} "
            f"| {r.change:+.2f} | {r.others:.2f} | {r.shuffled:+.2f} | {r.best:.2f} |"
        )
    follow, aside = [r.correlation >= TARGET for r in results], [r.others < OTHERS for r in results]
    possible = sum(r.best >= TARGET for r in results)
    print(f"\nPairs with a correlation of {TARGET} or more: {sum(follow)} of {len(results)}; in hindsight {possible}")
    print(f"Pairs whose other factors moved less than a third as much: {sum(aside)}")
    print(f"Both: {sum(r.fulfils for r in results)}")
    for name in ("correlation", "overall", "shuffled", "best"):
        print(f"Mean {name}: {np.mean([getattr(r, name) for r in results]):+.2f}")
    print("Not fulfilled: " + (", ".join(f"{r.department} {r.factor}" for r in results if not r.fulfils) or "none"))


if __name__ == "__main__":
    main()
