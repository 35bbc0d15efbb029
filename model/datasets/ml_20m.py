"""MovieLens 20M: 138,493 users and 20,000,263 ratings of films; ratings of at least 4 count as clicks."""

from pathlib import Path

import polars as pl

from macrid.model.datasets.dataset import DataSet, Source
from macrid.model.datasets.download import OnBytes, download_zip
from macrid.model.datasets.movielens_csv import LICENCE, films
from macrid.model.errors import DataError
from macrid.model.interactions import ColumnNames, read_interactions

URL = "https://files.grouplens.org/datasets/movielens/ml-20m.zip"
ARCHIVE_MD5 = "cd245b17a1ae2cc31bb14903e1204af3"  # published beside the archive, as ml-20m.zip.md5
FILES: dict[str, str | None] = {"ratings.csv": None, "movies.csv": None}  # checked by their counts
RATINGS, FILMS = 20_000_263, 27_278
MIN_RATING = 4.0
MIN_USER_ITEMS = 5


def read(folder: Path) -> Source:
    """Clicks in file order; titles, years and genres.

    Raises:
        DataError: there are not as many ratings and films as in MovieLens 20M.
    """
    items = films(folder)
    ratings = (
        pl.scan_csv(folder / "ratings.csv", infer_schema=False, glob=False)
        .select(pl.len())
        .collect(engine="streaming")
        .item()
    )
    if (ratings, len(items.item_ids)) != (RATINGS, FILMS):
        raise DataError(
            f"{folder}: {ratings:,} ratings and {len(items.item_ids):,} films; "
            f"expected the {RATINGS:,} and {FILMS:,} of MovieLens 20M"
        )
    columns = ColumnNames(user="userId", item="movieId", rating="rating")
    interactions = read_interactions(
        folder / "ratings.csv", columns=columns, min_rating=MIN_RATING, min_user_items=MIN_USER_ITEMS
    )
    settings = {"min_rating": MIN_RATING, "min_user_items": MIN_USER_ITEMS}
    return Source("ml-20m", "ml-20m", interactions, items.aligned(interactions.item_ids), settings)


def prepare(folder: Path, on_bytes: OnBytes) -> None:
    """Download the archive, 190 MB."""
    download_zip(URL, folder, FILES, on_bytes, md5=ARCHIVE_MD5)


ML_20M = DataSet(
    name="ml-20m",
    summary="MovieLens 20M, 138,493 users and 20 million ratings of films; ratings of at least 4 count as clicks",
    licence=LICENCE,
    prepare=prepare,
    read=read,
    held_out_users=10_000,
    files=FILES,
)
