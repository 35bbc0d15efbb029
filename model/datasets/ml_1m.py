"""MovieLens 1M: 6,040 users, 1,000,209 ratings of films; ratings of at least 4 count as clicks."""

import re
from pathlib import Path

import polars as pl

from macrid.artifacts.catalogue import Column
from macrid.model.datasets.dataset import DataSet, Source
from macrid.model.datasets.download import download_zip
from macrid.model.errors import DataError
from macrid.model.interactions import Interactions, from_pairs
from macrid.model.items import Items
from macrid.model.tables import read_table

URL = "https://files.grouplens.org/datasets/movielens/ml-1m.zip"
ARCHIVE_MD5 = "c4d9eecfca2ab87c1945afe126590906"  # published beside the archive
FILES: dict[str, str | None] = {"movies.dat": "0140fc2356357c1a851d0f52e893a1e4d3696df632c4141cea8d5bc3d621f0b9"}
RATINGS = "ratings.dat"  # as published: UserID::MovieID::Rating::Timestamp
POSITIVES = "positives.csv.gz"  # a reduced copy: only the pairs rated at least 4, without the stars
MIN_RATING = 4.0
MIN_USER_ITEMS = 5


def read(folder: Path) -> Source:
    """Clicks in file order; titles, years and genres."""
    interactions = _clicks(folder)
    settings = {"min_rating": MIN_RATING, "min_user_items": MIN_USER_ITEMS}
    return Source("ml-1m", "ml-1m", interactions, _films(folder).aligned(interactions.item_ids), settings)


def _clicks(folder: Path) -> Interactions:
    if (folder / RATINGS).is_file():
        ratings = _double_colons(folder / RATINGS, ["user", "item", "rating", "timestamp"])
        pairs = ratings.filter(pl.col("rating").cast(pl.Float64) >= MIN_RATING).select("user", "item")
    elif (folder / POSITIVES).is_file():
        pairs = read_table(folder / POSITIVES).select(user="userId", item="movieId")
    else:
        raise DataError(f"{folder}: neither {RATINGS} nor {POSITIVES} is there; expected the files of ml-1m")
    return from_pairs(pairs, min_user_items=MIN_USER_ITEMS, source=str(folder))


def _films(folder: Path) -> Items:
    table = _double_colons(folder / "movies.dat", ["item", "title", "genres"])
    years = [re.search(r"\((\d{4})\)$", title.strip()) for title in table["title"]]
    return Items(
        item_ids=tuple(table["item"]),
        titles=tuple(title.strip() for title in table["title"]),
        images=(None,) * len(table),
        columns=(Column("genres", "text"), Column("year", "integer")),
        rows=tuple(
            (genres, int(year[1]) if year else None) for genres, year in zip(table["genres"], years, strict=True)
        ),
        pictures={},
    )


def _double_colons(path: Path, names: list[str]) -> pl.DataFrame:
    """A file of the original format: fields between double colons, ISO 8859-1, no header."""
    rows = [line.split("::") for line in path.read_text(encoding="latin-1").split("\n") if line]
    for number, row in enumerate(rows, start=1):
        if len(row) != len(names):
            raise DataError(
                f"{path}: line {number} has {len(row)} fields, expected {', '.join(names)} between double colons"
            )
    return pl.DataFrame(rows, schema=dict.fromkeys(names, pl.String), orient="row")


ML_1M = DataSet(
    name="ml-1m",
    summary="MovieLens 1M, 6,040 users and a million ratings of films; ratings of at least 4 count as clicks",
    licence="GroupLens: free for research, no redistribution, no commercial use without permission (see its README)",
    prepare=lambda folder, on_bytes: download_zip(URL, folder, {**FILES, RATINGS: None}, on_bytes, md5=ARCHIVE_MD5),
    read=read,
    held_out_users=500,
    files=FILES,
)
