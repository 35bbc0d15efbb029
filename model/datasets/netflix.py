"""The Netflix Prize: 480,189 users and 100,480,507 ratings of 17,770 films; ratings of at least 4 count as clicks.

Two layouts are read. As the Prize gave it: `movie_titles.txt` and a folder `training_set` of `mv_0000001.txt` and so on. As it is
passed on since: `movie_titles.csv` and `combined_data_1.txt` to `_4.txt`. In both a film begins with the line `1:`, and the lines
below it are `user,stars,date`; titles may hold commas, years may be NULL, and the letters are ISO 8859-1.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

import polars as pl

from macrid.artifacts.catalogue import Column
from macrid.model.datasets.dataset import DataSet, Source
from macrid.model.datasets.download import OnBytes
from macrid.model.errors import DataError
from macrid.model.interactions import from_pairs
from macrid.model.items import Items
from macrid.model.tables import ROWS_AT_ONCE

PARTS = tuple(f"combined_data_{part}.txt" for part in range(1, 5))
FILES: dict[str, str | None] = {"movie_titles.csv": None, **dict.fromkeys(PARTS)}  # checked by their counts
AS_GIVEN: dict[str, str | None] = {"movie_titles.txt": None, "training_set/mv_0000001.txt": None}
RATINGS, FILMS = 100_480_507, 17_770
MIN_RATING = 4
MIN_USER_ITEMS = 5


def read(folder: Path) -> Source:
    """Clicks film by film, as the files have them; titles and years.

    Raises:
        DataError: there are not as many ratings and films as in the Netflix Prize, or a line is none of its format.
    """
    combined = (folder / "movie_titles.csv").is_file()
    files = [folder / part for part in PARTS] if combined else sorted((folder / "training_set").glob("mv_*.txt"))
    films = _films(folder / ("movie_titles.csv" if combined else "movie_titles.txt"))
    counted = _Counted(files, folder)
    interactions = from_pairs(counted.pairs(), min_user_items=MIN_USER_ITEMS, source=str(folder))
    if (counted.ratings, len(films.item_ids)) != (RATINGS, FILMS):
        raise DataError(
            f"{folder}: {counted.ratings:,} ratings and {len(films.item_ids):,} films; "
            f"expected the {RATINGS:,} and {FILMS:,} of the Netflix Prize"
        )
    settings = {"min_rating": MIN_RATING, "min_user_items": MIN_USER_ITEMS}
    return Source("netflix", "netflix", interactions, films.aligned(interactions.item_ids), settings)


class _Counted:
    """The ratings of files in order, batch by batch, counted on the way."""

    def __init__(self, files: list[Path], folder: Path) -> None:
        self.files, self.folder, self.ratings = files, folder, 0

    def pairs(self) -> Iterator[pl.DataFrame]:
        """Pairs rated at least 4, as columns of whole numbers."""
        lines = pl.scan_csv(
            self.files,
            has_header=False,
            schema={"user": pl.String, "stars": pl.String, "date": pl.String},
            missing_columns="insert",
            low_memory=True,
            glob=False,
        )
        film: int | None = None
        try:
            for batch in lines.collect_batches(chunk_size=ROWS_AT_ONCE, maintain_order=True):
                rows = self._with_films(batch, film)
                film = rows["item"][-1]
                ratings = rows.filter(pl.col("stars").is_not_null())
                self.ratings += len(ratings)
                yield ratings.filter(pl.col("stars") >= MIN_RATING).select("user", "item")
        except pl.exceptions.PolarsError as error:
            raise DataError(f"{self.folder}: cannot be read: {str(error).splitlines()[0]}") from error

    def _with_films(self, batch: pl.DataFrame, film: int | None) -> pl.DataFrame:
        """Every line beside the film it belongs to; of a film's own line the stars stay null."""
        begins = batch["stars"].is_null()
        rows = batch.select(
            text=pl.col("user"),
            begins=begins,
            user=pl.col("user").cast(pl.Int64, strict=False),
            stars=pl.col("stars").cast(pl.Int64, strict=False),
            item=pl.when(begins).then(pl.col("user").str.strip_suffix(":")).cast(pl.Int64, strict=False),
        ).with_columns(pl.col("item").forward_fill().fill_null(pl.lit(film, dtype=pl.Int64)))
        wrong = rows.filter(
            pl.col("item").is_null()
            | (pl.col("begins") & ~pl.col("text").str.contains(r"^\d+:$"))
            | (~pl.col("begins") & (pl.col("user").is_null() | pl.col("stars").is_null()))
        )
        if len(wrong):
            raise DataError(
                f"{self.folder}: a line beginning with {wrong['text'][0]!r} is neither a film ('12:') "
                "nor a rating of one ('user,stars,date')"
            )
        return rows


def _films(path: Path) -> Items:
    rows = [line.split(",", 2) for line in path.read_text(encoding="latin-1").split("\n") if line]
    wrong = next((at for at, row in enumerate(rows) if len(row) != 3), None)
    if wrong is not None:
        raise DataError(f"{path}: line {wrong + 1} has {len(rows[wrong])} fields, expected number, year and title")
    return Items(
        item_ids=tuple(row[0] for row in rows),
        titles=tuple(row[2].strip() for row in rows),
        images=(None,) * len(rows),
        columns=(Column("year", "integer"),),
        rows=tuple((int(row[1]) if row[1].isdigit() else None,) for row in rows),
        pictures={},
    )


def prepare(folder: Path, on_bytes: OnBytes) -> NoReturn:
    """Say what is needed: the Prize's owner withdrew the data in 2010."""
    raise DataError(
        f"netflix is not downloaded, since its owner offers it no longer; if you have {', '.join(FILES)}, or movie_titles.txt "
        "and the folder training_set, name the folder that holds them with --from FOLDER"
    )


NETFLIX = DataSet(
    name="netflix",
    summary="the Netflix Prize, 480,189 users and 100 million ratings of films; ratings of at least 4 count as clicks",
    licence="Netflix Prize: research only, no redistribution; withdrawn by its owner, so not downloaded: bring the files",
    prepare=prepare,
    read=read,
    held_out_users=40_000,
    files=FILES,
    other_files=AS_GIVEN,
)
