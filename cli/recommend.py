"""`macrid recommend`: recommendations for every user of a file, offline."""

import os
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from macrid.cli.app import app, console, with_the_trainers_libraries
from macrid.cli.options import DEFAULT_STORE, StoreOption


@app.command()
def recommend(
    users: Annotated[
        Path, typer.Argument(help="Parquet file: a column of user ids, and one of lists of the ids of their items.")
    ],
    out: Annotated[Path, typer.Argument(help="Parquet file to write; must not exist.")],
    store: StoreOption = DEFAULT_STORE,
    n: Annotated[int, typer.Option("--n", min=1, help="How many items for each user.")] = 20,
    user_column: Annotated[str, typer.Option(help="Column of user ids.")] = "user",
    history_column: Annotated[str, typer.Option(help="Column of lists of item ids.")] = "history",
    keep_history: Annotated[
        bool, typer.Option("--keep-history", help="Recommend items of the history too; by default they are left out.")
    ] = False,
    threads: Annotated[int | None, typer.Option(min=1, help="Default: as many as there are cores.")] = None,
) -> None:
    """Recommend to every user of a file, scoring every item: one row for each user and item, best first.

    Ids that the model does not know are ignored; a user without a known one gets the most popular items, without scores.

    Example: macrid recommend users.parquet recommendations.parquet --n 100
    """
    import faiss

    from macrid.artifacts.store import Store
    from macrid.service.bulk import recommend_all
    from macrid.service.loaded_model import LoadedModel

    with with_the_trainers_libraries():
        from macrid.cli import parquet_users as files

    if out.exists():
        raise typer.BadParameter(f"{out} exists already", param_hint="OUT")
    files.check_columns(users, user_column, history_column)
    faiss.omp_set_num_threads(1)
    model = LoadedModel.prepare(Store(store).open_current(), "exact")
    known = files.known_rows(model.bundle.catalogue.item_ids(range(model.shape[0])))
    total = files.count_users(users)
    under_way: deque[Any] = deque()

    def histories() -> Iterator[Any]:
        for batch in files.batches(users, user_column, history_column, total):
            under_way.append(batch)
            yield files.histories_of(batch, known)

    threads = threads or os.cpu_count() or 1
    answers = recommend_all(model, histories(), n, threads, exclude_history=not keep_history)
    columns = TextColumn("users"), BarColumn(), MofNCompleteColumn(), TextColumn("left"), TimeRemainingColumn()
    with Progress(*columns) as bar:
        task = bar.add_task("", total=total)

        def tables() -> Iterator[Any]:
            for answer in answers:
                batch = under_way.popleft()
                yield files.as_table(batch, answer, known, user_column)
                bar.advance(task, len(batch))

        files.write(tables(), out)
    console.print(f"{total:,} users written to {escape(str(out))} by {model.version}")
