"""`macrid recommend`: what it writes is what the service answers, for every user of a file."""

import resource
import subprocess
import sys

import numpy as np
import polars as pl
import pytest
from threadpoolctl import threadpool_info, threadpool_limits
from typer.testing import CliRunner

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.store import Store
from macrid.cli import app as cli_app
from macrid.cli import parquet_users
from macrid.service.bulk import recommend_all
from macrid.service.loaded_model import LoadedModel
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import RecommendRequest
from tests.support.bundles import make_bundle


@pytest.fixture
def store(tmp_path):
    Store(tmp_path / "store").publish(make_bundle(tmp_path / "bundle"))
    return tmp_path / "store"


def run(*arguments):
    return CliRunner().invoke(cli_app.app, ["recommend", *map(str, arguments)])


@pytest.mark.parametrize(("read_at_once", "rows_at_once"), [(5, 7), (7, 30), (5, 1000)])
def test_every_user_gets_what_the_service_answers(store, tmp_path, monkeypatch, read_at_once, rows_at_once):
    monkeypatch.setattr(parquet_users, "ROWS_AT_ONCE", rows_at_once)
    monkeypatch.setattr(parquet_users, "USERS_AT_ONCE", 3)
    monkeypatch.setattr(parquet_users, "READ_AT_ONCE", read_at_once)  # of 5: batches of 3, 2 and 2 users
    histories = [["item-9", "item-20"], ["nope", "item-9", "item-9"], [], ["nope"], ["naïve ☃"], None, ["item-30", "a"]]
    users = pl.DataFrame(
        {"id": range(len(histories)), "clicks": histories}, schema_overrides={"clicks": pl.List(pl.String)}
    )
    users.write_parquet(tmp_path / "users.parquet")
    out = tmp_path / "out.parquet"
    options = "--store", store, "--n", 7, "--user-column", "id", "--history-column", "clicks"
    result = run(tmp_path / "users.parquet", out, *options)
    assert result.exit_code == 0, result.output
    found = pl.read_parquet(out)
    assert found.columns == ["id", "rank", "item", "score", "concept"]
    recommender = Recommender(LoadedModel.prepare(Bundle.open(tmp_path / "bundle"), "exact"), Limits())
    for user, history in enumerate(histories):
        rows = found.filter(pl.col("id") == user).to_dicts()
        answer = recommender.recommend(RecommendRequest(history=history or [], n=7))
        assert [(row["item"], row["rank"], row["score"], row["concept"]) for row in rows] == [
            (item.item_id, item.rank, item.score, item.concept) for item in answer.items
        ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bundle", "out.parquet", "store", "users.parquet"]


def test_a_name_that_would_be_a_pattern_is_a_name(store, tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_users, "USERS_AT_ONCE", 1)
    monkeypatch.setattr(parquet_users, "ROWS_AT_ONCE", 1)  # several parts
    pl.DataFrame({"user": [1, 2], "history": [["item-9"]] * 2}).write_parquet(tmp_path / "users [1].parquet")
    result = run(tmp_path / "users [1].parquet", tmp_path / "out [1].parquet", "--store", store, "--n", 3)
    assert result.exit_code == 0, result.output
    assert pl.read_parquet(tmp_path / "out [1].parquet", glob=False)["user"].to_list() == [1, 1, 1, 2, 2, 2]


def test_a_file_without_users_gives_one_without_recommendations(store, tmp_path):
    users = pl.DataFrame(schema={"user": pl.Int64, "history": pl.List(pl.String)})
    users.write_parquet(tmp_path / "users.parquet")
    result = run(tmp_path / "users.parquet", tmp_path / "out.parquet", "--store", store)
    assert result.exit_code == 0, result.output
    assert "0 users written" in result.output
    columns = {"user": pl.Int64, "rank": pl.Int32, "item": pl.String, "score": pl.Float64, "concept": pl.Int32}
    assert dict(pl.read_parquet(tmp_path / "out.parquet").schema) == columns


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"user": [1]}, "has no column 'history'; it has user"),
        ({"user": [1], "history": ["item-9"]}, "column 'history' holds String, expected lists of text"),
    ],
)
def test_a_file_of_another_kind_is_refused_by_name(store, tmp_path, table, message):
    pl.DataFrame(table).write_parquet(tmp_path / "users.parquet")
    result = run(tmp_path / "users.parquet", tmp_path / "out.parquet", "--store", store)
    assert result.exit_code == 2
    assert message in " ".join(result.output.replace("│", " ").split())


def test_a_file_that_is_damaged_is_named_and_nothing_is_left(store, tmp_path):
    users = tmp_path / "users.parquet"
    pl.DataFrame({"user": range(4000), "history": [[f"{7919 * at}"] for at in range(4000)]}).write_parquet(users)
    content, middle = users.read_bytes(), users.stat().st_size // 2
    users.write_bytes(content[:middle] + bytes(2000) + content[middle + 2000 :])
    (tmp_path / "out").mkdir()
    result = run(users, tmp_path / "out" / "found.parquet", "--store", store)
    assert result.exit_code == 2
    assert "cannot be read as Parquet" in " ".join(result.output.replace("│", " ").split())
    assert list((tmp_path / "out").iterdir()) == []


def test_a_disk_that_is_full_is_named_and_nothing_is_left(store, tmp_path):
    users = pl.DataFrame({"user": range(300), "history": [["item-9"]] * 300})
    users.write_parquet(tmp_path / "users.parquet")
    (tmp_path / "out").mkdir()
    line = [sys.executable, "-m", "macrid.cli", "recommend", "users.parquet", "out/found.parquet", "--store", store]
    done = subprocess.run(
        line,
        cwd=tmp_path,
        capture_output=True,
        text=True,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000)),
    )
    assert done.returncode == 2
    assert "error: out/found.parquet cannot be written" in done.stderr
    assert "Traceback" not in done.stderr
    assert list((tmp_path / "out").iterdir()) == []


def test_each_thread_keeps_to_one_core(store):
    counts = []

    def batches():
        counts.extend(pool["num_threads"] for pool in threadpool_info() if pool["user_api"] == "blas")
        yield [np.array([1, 2])]

    model = LoadedModel.prepare(Store(store).open_current(), "exact")
    with threadpool_limits(2):
        assert len(list(recommend_all(model, batches(), 3, 2))) == 1
        assert set(counts) == {1}
