"""MovieLens ml-latest-small: 610 users, 100,836 ratings. The paper's row "ML-100k" is this data set, not the one of 1998."""

from dataclasses import replace
from pathlib import Path

import polars as pl

from macrid.model.datasets.dataset import DataSet, Source
from macrid.model.datasets.download import download_zip
from macrid.model.datasets.movielens_csv import LICENCE, films
from macrid.model.interactions import ColumnNames, read_interactions
from macrid.model.items import Items

URL = "https://files.grouplens.org/datasets/movielens/ml-latest-small.zip"
FILES: dict[str, str | None] = {
    "ratings.csv": "aa289ca83157595d0df6aea1be6a4ded676ddc4385472e8313a8ed9805352646",
    "movies.csv": "5a5f32dd9bb3797b8e728a1b98958789d2b13f294a69fdfbc5727f8a9611aa07",
}
MIN_RATING = 4.0


def read(folder: Path) -> Source:
    """Ratings of at least 4 as clicks; titles, years and genres; poster addresses when covers.txt lies beside."""
    columns = ColumnNames(user="userId", item="movieId", rating="rating")
    interactions = read_interactions(folder / "ratings.csv", columns=columns, min_rating=MIN_RATING)
    return Source(
        name="ml-latest-small",
        origin="ml-latest-small",
        interactions=interactions,
        items=_films(folder).aligned(interactions.item_ids),
        settings={"min_rating": MIN_RATING, "min_user_items": 5},
    )


def _films(folder: Path) -> Items:
    known, covers = films(folder), folder / "covers.txt"
    return replace(known, images=_posters(covers, known.item_ids)) if covers.is_file() else known


def _posters(covers: Path, item_ids: tuple[str, ...]) -> tuple[str | None, ...]:
    table = pl.read_csv(covers, infer_schema=False, glob=False)
    address = {item: f"https://{cover}" for item, cover in table.select("item", "cover").iter_rows() if cover}
    return tuple(address.get(item_id) for item_id in item_ids)


ML_LATEST_SMALL = DataSet(
    name="ml-latest-small",
    summary="MovieLens, 610 users and 100,836 ratings of films; ratings of at least 4 count as clicks",
    licence=LICENCE,
    prepare=lambda folder, on_bytes: download_zip(URL, folder, FILES, on_bytes),
    read=read,
    held_out_users=50,
    files=FILES,
    training={"batch_size": 100},
)
