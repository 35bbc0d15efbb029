"""Strong generalization: whole users are held out, and most of a held-out user's clicks are given to rank the rest.

Liang et al. 2018 (Mult-VAE), with the exact procedure of PAPER.md (Evaluation), so that figures compare.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

from macrid.model.errors import SplitError
from macrid.model.interactions import Interactions

WITHHELD_SHARE = 0.2
MIN_HELD_OUT_ITEMS = 5


@dataclass(frozen=True)
class HeldOut:
    """Users never seen in training: what the model is given of each, and what it must rank.

    Attributes:
        user_ids: (B,) the caller's ids.
        fold_in: (B, M) float32 ones, the clicks that are given.
        withheld: (B, M) float32 ones, the clicks to be found. No click is in both, no row of either is empty.
    """

    user_ids: tuple[str, ...]
    fold_in: sparse.csr_matrix
    withheld: sparse.csr_matrix

    def part(self, users: slice) -> "HeldOut":
        """Some consecutive ones of them."""
        return HeldOut(self.user_ids[users], self.fold_in[users], self.withheld[users])


@dataclass(frozen=True)
class Split:
    """Training users (U, M) and the two groups of held-out users; the columns are the training users' items."""

    item_ids: tuple[str, ...]
    training_user_ids: tuple[str, ...]
    training: sparse.csr_matrix
    validation: HeldOut
    test: HeldOut
    seed: int


def default_held_out_users(users: int) -> int:
    """How many users to hold out for validation, and as many for test, when nobody says: a tenth, at most 10,000."""
    return min(10_000, max(1, users // 10))


def strong_generalization(interactions: Interactions, *, held_out_users: int, seed: int) -> Split:
    """Split users into training, validation and test.

    Args:
        interactions: distinct pairs in source order.
        held_out_users: how many users each of validation and test gets.
        seed: of the legacy generator, used here only, because published figures were made with it.

    Raises:
        SplitError: fewer than `3 * held_out_users` users, or no held-out user has a click to withhold.
    """
    users = len(interactions.user_ids)
    if held_out_users < 1 or users < 3 * held_out_users:
        expected = f"--held-out-users between 1 and {users // 3}" if users >= 3 else "at least 3 users"
        raise SplitError(
            f"cannot hold out {held_out_users} users for validation and as many for test: there are {users} users, "
            f"and at least a third should train. Expected {expected}"
        )
    rng = np.random.RandomState(seed)
    order = rng.permutation(users)
    training = order[: users - 2 * held_out_users]
    histories = _histories(interactions)
    columns = _training_columns(interactions, training)
    groups = order[users - 2 * held_out_users : users - held_out_users], order[users - held_out_users :]
    validation, test = (_withhold(interactions, histories, columns, group, rng) for group in groups)
    return Split(
        item_ids=tuple(interactions.item_ids[i] for i in np.flatnonzero(columns >= 0)),
        training_user_ids=tuple(interactions.user_ids[u] for u in training),
        training=_matrix([columns[histories[u]] for u in training], int(columns.max()) + 1),
        validation=validation,
        test=test,
        seed=seed,
    )


def everyone(interactions: Interactions, seed: int) -> Split:
    """All users train, over all items, and nobody is held out: for the model that is served after another was evaluated."""
    items = len(interactions.item_ids)
    nobody = HeldOut((), *(sparse.csr_matrix((0, items), dtype=np.float32) for _ in range(2)))
    return Split(
        item_ids=interactions.item_ids,
        training_user_ids=interactions.user_ids,
        training=_matrix(_histories(interactions), items),
        validation=nobody,
        test=nobody,
        seed=seed,
    )


def _histories(interactions: Interactions) -> list[npt.NDArray[np.int64]]:
    """Each user's items in source order."""
    order = np.argsort(interactions.user_index, kind="stable")
    ends = np.cumsum(np.bincount(interactions.user_index, minlength=len(interactions.user_ids)))
    return np.split(interactions.item_index[order], ends[:-1])


def _training_columns(interactions: Interactions, training: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Item -> column among the training users' items, -1 for an item none of them has."""
    seen = np.zeros(len(interactions.item_ids), dtype=bool)
    seen[interactions.item_index[np.isin(interactions.user_index, training)]] = True
    return np.where(seen, np.cumsum(seen) - 1, -1)


def _withhold(
    interactions: Interactions,
    histories: list[npt.NDArray[np.int64]],
    columns: npt.NDArray[np.int64],
    group: npt.NDArray[np.int64],
    rng: np.random.RandomState,
) -> HeldOut:
    users: list[str] = []
    given: list[npt.NDArray[np.int64]] = []
    sought: list[npt.NDArray[np.int64]] = []
    for user in sorted(group, key=lambda row: _ascending(interactions.user_ids[row])):
        clicks = columns[histories[user]]
        clicks = clicks[clicks >= 0]
        if len(clicks) < MIN_HELD_OUT_ITEMS:
            continue
        withheld = np.zeros(len(clicks), dtype=bool)
        withheld[rng.choice(len(clicks), size=int(WITHHELD_SHARE * len(clicks)), replace=False)] = True
        users.append(interactions.user_ids[user])
        given.append(clicks[~withheld])
        sought.append(clicks[withheld])
    if not users:
        raise SplitError(
            f"none of the {len(group)} held-out users has {MIN_HELD_OUT_ITEMS} items that training users have too; "
            "more interactions, or more held-out users, are needed"
        )
    width = int(columns.max()) + 1
    return HeldOut(tuple(users), _matrix(given, width), _matrix(sought, width))


def _ascending(user_id: str) -> tuple[int, int, str]:
    """Sort key: whole numbers by value (length, then digits) and before all other ids, which go by text."""
    digits = user_id.lstrip("0")
    return (0, len(digits), digits) if user_id.isascii() and user_id.isdigit() else (1, 0, user_id)


def _matrix(rows: list[npt.NDArray[np.int64]], width: int) -> sparse.csr_matrix:
    """Rows of column numbers -> (len(rows), width) float32 ones with sorted columns."""
    indptr = np.concatenate([[0], np.cumsum([len(row) for row in rows])])
    indices = np.concatenate(rows)
    matrix = sparse.csr_matrix((np.ones(len(indices), dtype=np.float32), indices, indptr), shape=(len(rows), width))
    matrix.sort_indices()
    return matrix
