"""AliShop-7C, the paper's own data set: clicks on goods of seven categories, in the layout of the authors' folder `pro_sg`.

The authors' files number users and items; a line of `unique_sid.txt` is an item's raw id. `train.csv` holds the training
users; each of the 2,000 validation and 2,000 test users is cut in two, `_tr` to be given and `_te` to be found. Here the cuts
are undone and the users split again, so that one procedure holds for all data. Without `train.csv` there are only the 4,000
users of the other files.
"""

from pathlib import Path
from typing import NoReturn

import polars as pl

from macrid.artifacts.catalogue import Column
from macrid.model.datasets.dataset import DataSet, Source
from macrid.model.datasets.download import OnBytes
from macrid.model.errors import DataError
from macrid.model.interactions import Interactions, from_pairs
from macrid.model.items import Items
from macrid.model.tables import read_table

PAPER = "https://arxiv.org/abs/1910.14238"
TRAINING = "train.csv"
HELD_OUT = {
    "validation_tr.csv": "c22cc3c8169fd80f381f2666d3b66df508f5dfe6d7f1610f17d28b23a59d77f5",
    "validation_te.csv": "a9f6755724170229057ff0c1de990c9a671a47eab9ffdea50e74c1ce06235d37",
    "test_tr.csv": "141d4d3d145196ad48f6fdb494f7d6682313d1c04e739a16b0fb01960f7c06e0",
    "test_te.csv": "1cb474cd92b74265dc1975922f0e16edc2bd5bf8c3ef60a4b12a51d5d91fb31f",
}
FILES: dict[str, str | None] = {
    "unique_sid.txt": "feb62c16afbe2680b9ee09a80c938cf66d645bc9229f3f0f208e4e5853409352",
    "item_cate.csv": "bf0fa5bb99f49fd51ec84eac0229f47b7e7e67ca24f2b10482842bf8dc31821e",
    **HELD_OUT,
}
USERS, HELD_OUT_USERS = 10_668, 2_000  # of the whole data set, and held out of it, each for validation and test
USERS_WITHOUT_TRAINING, HELD_OUT_USERS_WITHOUT_TRAINING = 4_000, 500
ONLY_HELD_OUT = (
    "train.csv is not there, so these are only the 4,000 validation and test users of AliShop-7C, split anew: "
    "the results cannot be compared with the paper's row"
)


def read(folder: Path) -> Source:
    """Clicks and true categories of the goods; `note` says so when `train.csv` is missing.

    Raises:
        DataError: a user or item is missing, or an item number is beyond the list of items.
    """
    whole = (folder / TRAINING).is_file()
    interactions = _clicks(folder, ([TRAINING] if whole else []) + list(HELD_OUT))
    expected = USERS if whole else USERS_WITHOUT_TRAINING
    if len(interactions.user_ids) != expected:
        raise DataError(f"{folder}: {len(interactions.user_ids)} users, expected the {expected} of AliShop-7C")
    return Source(
        name="alishop-7c",
        origin="alishop-7c",
        interactions=interactions,
        items=_goods(folder).aligned(interactions.item_ids),
        settings={"min_user_items": 5, "files": "all" if whole else "without train.csv"},
        held_out_users=HELD_OUT_USERS if whole else HELD_OUT_USERS_WITHOUT_TRAINING,
        note=None if whole else ONLY_HELD_OUT,
    )


def _clicks(folder: Path, names: list[str]) -> Interactions:
    """The clicks of these files in this order, with raw item ids; users keep the authors' numbers."""
    raw_ids = _raw_ids(folder)
    parts = [read_table(folder / name).select(pl.col("uid", "sid").cast(pl.Int64)) for name in names]
    numbered = pl.concat(parts)
    outside = numbered.filter(~pl.col("sid").is_between(0, len(raw_ids) - 1))
    if len(outside):
        raise DataError(
            f"{folder}: item number {outside['sid'][0]}, expected one below {len(raw_ids)}, as unique_sid.txt has lines"
        )
    pairs = numbered.select(user=pl.col("uid").cast(pl.String), item=raw_ids.gather(numbered["sid"]))
    return from_pairs(pairs, min_user_items=5, source=str(folder))


def _raw_ids(folder: Path) -> pl.Series:
    return pl.Series("item", (folder / "unique_sid.txt").read_text().split(), dtype=pl.String)


def _goods(folder: Path) -> Items:
    """Every item and its category, 1 to 7; of the six items with two rows the last counts: the first has an odd one."""
    table = pl.read_csv(
        folder / "item_cate.csv", has_header=False, new_columns=["item", "category"], infer_schema=False, glob=False
    )
    table = table.unique("item", keep="last", maintain_order=True)
    return Items(
        item_ids=tuple(table["item"]),
        titles=tuple(table["item"]),
        images=(None,) * len(table),
        columns=(Column("category", "text"),),
        rows=tuple((f"category {category}",) for category in table["category"]),
        pictures={},
    )


def prepare(folder: Path, on_bytes: OnBytes) -> NoReturn:
    """Say what is needed: the data set has no stated licence, so it is not downloaded here."""
    raise DataError(
        f"alishop-7c is not downloaded, since no licence is stated for it; get it from the authors of "
        f"{PAPER}, and name the folder that holds {', '.join(FILES)} (and {TRAINING}) with --from FOLDER"
    )


ALISHOP_7C = DataSet(
    name="alishop-7c",
    summary="goods of 7 true categories, clicked by 10,668 users (4,000 where train.csv is missing): the paper's own data",
    licence="none stated; not downloaded: bring the authors' folder pro_sg",
    prepare=prepare,
    read=read,
    held_out_users=HELD_OUT_USERS,
    files=FILES,
    inside="pro_sg",
)
