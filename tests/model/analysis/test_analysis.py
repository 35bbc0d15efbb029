"""A whole bundle measured: the small shop, whose departments and factors stand in its catalogue."""

import json

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.model import pipeline
from macrid.model.analysis import analysis as module
from macrid.model.analysis.analysis import Options, analyse, plain
from macrid.model.analysis.tables import tables
from macrid.model.errors import DataError
from macrid.model.export import restore
from macrid.model.network import Histories

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def bundle(small_run):
    outcome, _ = small_run
    opened = Bundle.open(outcome.folder)
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def found(bundle, small_run):
    """Departments have about forty items here, and walks go straight along the coordinate."""
    embeddings = bundle.item_embeddings

    def walker(start, dim, candidates):
        return candidates[np.argsort(embeddings[candidates, dim])][:: max(1, len(candidates) // 7)].tolist()

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "SMALLEST_GROUP", 30)
        return analyse(bundle, Options(starts=3), split=small_run[1], walker=walker)


def test_departments_are_found_and_compared_with(found):
    assert found.category.column == "department"
    assert found.category.concepts.items == 280
    assert found.category.concepts.nmi > 0.8 > 0.2 > found.category.shuffled.nmi
    assert found.category.any_value_purity is None  # no item has two departments
    assert sum(row.items for row in found.concepts) == sum(found.use.sizes) == 280


def test_users_are_measured_as_their_components_stand_in_the_bundle(found, bundle, small_run):
    training = small_run[1].training
    components = restore(bundle).components(Histories.from_matrix(training)).numpy()  # (K, U, d)
    together = np.abs(np.corrcoef(np.concatenate(list(components), axis=1), rowvar=False))
    pairs = together[np.triu_indices(len(together), 1)]
    assert found.users.users == training.shape[0]
    assert found.users.side_by_side.value == pytest.approx(1 - pairs.mean(), abs=1e-5)
    alone = [np.abs(np.corrcoef(part, rowvar=False))[np.triu_indices(32, 1)].mean() for part in components]
    assert found.users.single.value == pytest.approx(1 - np.mean(alone), abs=1e-5)


def test_factors_are_measured_within_departments_with_shuffled_ones_beside(found):
    assert found.factors.factors == ("size", "hue", "price", "shape")
    assert len(found.factors.groups) == 7
    assert found.factors.mean.alignment.factor > found.factors.shuffled.alignment.factor
    assert found.walks.summary.pairs == 28
    assert {walk.walks for walk in found.walks.walks} == {3}


def test_it_can_be_written_as_json_and_shown_as_tables(found):
    written = json.loads(json.dumps(plain(found), allow_nan=False))
    assert written["category"]["concepts"]["nmi"] == found.category.concepts.nmi
    assert [str(table.title).split(":")[0] for table in tables(found)] == [
        "Concepts",
        "Macro",
        "Micro",
        "Micro",
        "Micro",
    ]


def test_a_bundle_alone_says_what_is_left_out(bundle):
    found = analyse(bundle, Options(), no_split="the clicks are gone")
    assert found.users is found.factors is found.walks is None
    assert any("users' dimensions: the clicks are gone" in reason for reason in found.left_out)
    assert any("no group has 60 items" in reason for reason in found.left_out)
    assert found.items_independence.value > 0


def test_the_same_seed_gives_the_same_figures(bundle):
    options = Options(factors=("size", "hue"), category="department")
    assert plain(analyse(bundle, options)) == plain(analyse(bundle, options))


def test_a_column_that_is_not_there_is_named(bundle):
    with pytest.raises(DataError, match="'kind'; the columns are 'department'"):
        analyse(bundle, Options(category="kind"))


class TestTheSplit:
    def test_it_is_read_again_where_the_data_is(self, bundle):
        assert pipeline.split_if_there(bundle)[0].training.shape[1] == 280

    def test_data_that_is_gone_is_a_reason(self, bundle, monkeypatch):
        monkeypatch.setitem(bundle.manifest.data, "source", "/nowhere/clicks.csv")
        split, reason = pipeline.split_if_there(bundle)
        assert split is None
        assert "/nowhere/clicks.csv" in reason

    def test_data_named_by_the_caller_that_is_not_there_is_an_error(self, bundle, tmp_path):
        with pytest.raises(DataError):
            pipeline.split_if_there(bundle, tmp_path / "clicks.csv")
