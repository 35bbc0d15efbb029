"""Goodbooks-10k: 53,424 readers and 10,000 books; ratings of at least 4 count as clicks, readers' shelves become tags."""

from pathlib import Path
from typing import NoReturn

import polars as pl

from macrid.artifacts.catalogue import Column
from macrid.model.datasets.dataset import DataSet, Source
from macrid.model.datasets.download import OnBytes
from macrid.model.errors import DataError
from macrid.model.interactions import ColumnNames, read_interactions
from macrid.model.items import Items
from macrid.model.tables import read_table

HOME = "https://github.com/zygmuntz/goodbooks-10k"
FILES: dict[str, str | None] = {
    "ratings.csv.gz": "47ff7395347f8955b7c05816e7f4e0b89a90fde553488a6791cd4cf7c45d6b81",
    "books.csv": "04ca365d0d36bb9fccb5eb1e534111b889afd77b6367c686735206ea83432d94",
    "book_tags_reduced.csv": "9a66bcbdd0d56bbdc2a4a14f58fd0401bb083a20e02032bd8f185f04a063fcb1",
    "tags_reduced.csv": "74cc2b53ac07ee306b997377b4d3d3ee58aba4089f3e669b285528f3c5764972",
}
MIN_RATING = 4.0
TAGS_OF_A_BOOK = 6
TOO_COMMON = 0.4  # a shelf that holds more of all books than this (to-read, owned …) says nothing of any of them


def read(folder: Path) -> Source:
    """Clicks; titles, covers, authors, years and tags of the books."""
    columns = ColumnNames(user="user_id", item="book_id", rating="rating")
    interactions = read_interactions(folder / "ratings.csv.gz", columns=columns, min_rating=MIN_RATING)
    settings = {"min_rating": MIN_RATING, "min_user_items": 5}
    return Source(
        "goodbooks-10k", "goodbooks-10k", interactions, _books(folder).aligned(interactions.item_ids), settings
    )


def _books(folder: Path) -> Items:
    table = read_table(folder / "books.csv")
    tags = _tags(folder)
    years = table["original_publication_year"].cast(pl.Float64, strict=False).cast(pl.Int64)
    covers = [url if url and "nophoto" not in url else None for url in table["image_url"]]
    return Items(
        item_ids=tuple(table["id"]),
        titles=tuple(table["title"]),
        images=tuple(covers),
        columns=(Column("authors", "text"), Column("tags", "text"), Column("year", "integer")),
        rows=tuple(
            (authors, tags.get(book), year)
            for book, authors, year in zip(table["id"], table["authors"], years, strict=True)
        ),
        pictures={},
    )


def _tags(folder: Path) -> dict[str, str]:
    """Book -> its most used tags between bars, leaving out those that most books have."""
    names = read_table(folder / "tags_reduced.csv")
    shelves = read_table(folder / "book_tags_reduced.csv").join(names, on="tag_id")
    shelves = shelves.with_columns(
        pl.col("count").cast(pl.Int64), share=pl.len().over("tag_id") / shelves["book_id"].n_unique()
    )
    telling = shelves.filter(pl.col("share") <= TOO_COMMON).sort("count", "tag_name", descending=[True, False])
    per_book = telling.group_by("book_id", maintain_order=True).agg(
        pl.col("tag_name").head(TAGS_OF_A_BOOK).str.join("|")
    )
    return dict(per_book.iter_rows())


def prepare(folder: Path, on_bytes: OnBytes) -> NoReturn:
    """Say where to get the files: what is published there today is another edition, whose checksums would not fit."""
    raise DataError(
        f"goodbooks-10k is not downloaded; get {', '.join(FILES)} from {HOME} and name their folder with --from FOLDER"
    )


GOODBOOKS_10K = DataSet(
    name="goodbooks-10k",
    summary="53,424 readers and 981,756 ratings of 10,000 books; ratings of at least 4 count as clicks",
    licence="CC BY-SA 4.0",
    prepare=prepare,
    read=read,
    held_out_users=2_500,
    files=FILES,
)
