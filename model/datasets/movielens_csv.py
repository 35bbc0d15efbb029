"""The films of MovieLens' later sets, whose `movies.csv` has movieId, title and genres."""

import re
from pathlib import Path

from macrid.artifacts.catalogue import Column
from macrid.model.items import Items
from macrid.model.tables import read_table

LICENCE = "GroupLens: free for research, no redistribution, no commercial use without permission (see its README)"


def films(folder: Path) -> Items:
    """Titles, years and genres of all films in `movies.csv`."""
    table = read_table(folder / "movies.csv")
    titles = [title.strip() for title in table["title"]]
    years = [re.search(r"\((\d{4})\)$", title) for title in titles]
    genres = [None if genre == "(no genres listed)" else genre for genre in table["genres"]]
    return Items(
        item_ids=tuple(table["movieId"]),
        titles=tuple(titles),
        images=(None,) * len(titles),
        columns=(Column("genres", "text"), Column("year", "integer")),
        rows=tuple((genre, int(year[1]) if year else None) for genre, year in zip(genres, years, strict=True)),
        pictures={},
    )
