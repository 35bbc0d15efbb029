"""MovieLens 100K of 1998: 943 users, 100,000 ratings of films. Not the paper's row "ML-100k", which is ml-latest-small.

Two layouts are read: as published (`u.data`, `u.item`), and RecBole's atomic files (`ml-100k.inter`, `ml-100k.item`), whose
titles have lost their years and whose genres are separated by blanks.
"""

import re
from pathlib import Path

import polars as pl

from macrid.artifacts.catalogue import Column
from macrid.model.datasets.dataset import DataSet, Source
from macrid.model.datasets.download import download_zip
from macrid.model.errors import DataError
from macrid.model.interactions import Interactions, from_pairs
from macrid.model.items import Items

URL = "https://files.grouplens.org/datasets/movielens/ml-100k.zip"
ARCHIVE_MD5 = "0e33842e24a9c977be4e0107933c0723"  # published beside the archive
PUBLISHED: dict[str, str | None] = {"u.data": None, "u.item": None}  # checked by their counts
ATOMIC: dict[str, str | None] = {
    "ml-100k.inter": "4edb74e2a81178c2ba9ff381495f754f996c4aea351b1272ca36b43da0935eff",
    "ml-100k.item": "51d7cdf777ce5c0f5b32c1d947a4a81fe07d75e78abbe761e0cd4d0756064532",
}
GENRES = (
    "unknown", "Action", "Adventure", "Animation", "Children's", "Comedy", "Crime", "Documentary", "Drama", "Fantasy",
    "Film-Noir", "Horror", "Musical", "Mystery", "Romance", "Sci-Fi", "Thriller", "War", "Western",
)  # fmt: skip
USERS, FILMS, RATINGS = 943, 1_682, 100_000
MIN_RATING = 4.0
MIN_USER_ITEMS = 5


def read(folder: Path) -> Source:
    """Ratings of at least 4 as clicks, in file order; titles, years and genres.

    Raises:
        DataError: there are not as many users, films and ratings as in MovieLens 100K.
    """
    published = all((folder / name).is_file() for name in PUBLISHED)
    ratings = _fields(folder / "u.data", "\t", 4) if published else _fields(folder / "ml-100k.inter", "\t", 4)[1:]
    films = _published_films(folder) if published else _atomic_films(folder)
    _check_counts(folder, ratings, films)
    interactions = _clicks(folder, ratings)
    return Source(
        name="ml-100k",
        origin="ml-100k",
        interactions=interactions,
        items=_items(films).aligned(interactions.item_ids),
        settings={"min_rating": MIN_RATING, "min_user_items": MIN_USER_ITEMS},
    )


Film = tuple[str, str, int | None, str | None]  # item id, title, year, genres between bars


def _fields(path: Path, separator: str, count: int) -> list[list[str]]:
    """The lines of a file of ISO 8859-1 or UTF-8, cut at the separator."""
    content = path.read_bytes()
    try:
        text = content.decode("utf-8")
    except UnicodeDecodeError:
        text = content.decode("latin-1")
    rows = [line.split(separator) for line in text.replace("\r\n", "\n").split("\n") if line]
    wrong = next((at for at, row in enumerate(rows) if len(row) != count), None)
    if wrong is not None:
        raise DataError(f"{path}: line {wrong + 1} has {len(rows[wrong])} fields, expected {count}")
    return rows


def _clicks(folder: Path, ratings: list[list[str]]) -> Interactions:
    pairs = [(user, item) for user, item, rating, _ in ratings if float(rating) >= MIN_RATING]
    frame = pl.DataFrame(pairs, schema=["user", "item"], orient="row")
    return from_pairs(frame, min_user_items=MIN_USER_ITEMS, source=str(folder))


def _published_films(folder: Path) -> list[Film]:
    films: list[Film] = []
    for row in _fields(folder / "u.item", "|", 5 + len(GENRES)):
        item, title, flags = row[0], row[1], row[5:]
        year = re.search(r"\((\d{4})\)\s*$", title)
        genres = [name for name, flag in zip(GENRES, flags, strict=True) if flag == "1" and name != "unknown"]
        films.append((item, title.strip(), int(year[1]) if year else None, "|".join(genres) or None))
    return films


def _atomic_films(folder: Path) -> list[Film]:
    films: list[Film] = []
    for item, title, year, names in _fields(folder / "ml-100k.item", "\t", 4)[1:]:
        genres = [name for name in names.split() if name in GENRES and name != "unknown"]
        films.append((item, title.strip(), int(year) if year.isdigit() else None, "|".join(genres) or None))
    return films


def _items(films: list[Film]) -> Items:
    return Items(
        item_ids=tuple(film[0] for film in films),
        titles=tuple(film[1] for film in films),
        images=(None,) * len(films),
        columns=(Column("genres", "text"), Column("year", "integer")),
        rows=tuple((genres, year) for _, _, year, genres in films),
        pictures={},
    )


def _check_counts(folder: Path, ratings: list[list[str]], films: list[Film]) -> None:
    found = len({row[0] for row in ratings}), len(films), len(ratings)
    if found != (USERS, FILMS, RATINGS):
        raise DataError(
            f"{folder}: {found[0]} users, {found[1]} films and {found[2]} ratings; "
            f"expected the {USERS}, {FILMS} and {RATINGS} of MovieLens 100K"
        )


ML_100K = DataSet(
    name="ml-100k",
    summary="MovieLens of 1998, 943 users and 100,000 ratings of films; ratings of at least 4 count as clicks",
    licence="GroupLens: free for research, no redistribution, no commercial use without permission (see its README)",
    prepare=lambda folder, on_bytes: download_zip(URL, folder, PUBLISHED, on_bytes, md5=ARCHIVE_MD5),
    read=read,
    held_out_users=94,
    files=PUBLISHED,
    other_files=ATOMIC,
)
