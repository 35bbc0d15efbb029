"""Sources, configurations and the way back from a bundle to the split it was made from."""

import contextlib
import dataclasses

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.model import pipeline, training
from macrid.model.checkpoint import Checkpoints
from macrid.model.datasets.dataset import Source
from macrid.model.errors import DataError


class TestSources:
    def test_something_that_is_neither_a_data_set_nor_a_file_lists_the_data_sets(self):
        with pytest.raises(DataError, match="ml-latest-small"):
            pipeline.load_source("last-fm", pipeline.SourceOptions())

    def test_a_name_that_no_folder_could_have_is_made_one(self, tmp_path):
        path = tmp_path / "my clicks (2).csv"
        path.write_text("user,item\n" + "".join(f"u,i{at}\n" for at in range(5)))
        assert pipeline.load_source(str(path), pipeline.SourceOptions()).name == "my-clicks-2"

    def test_an_option_without_effect_is_refused(self, tmp_path):
        options = pipeline.SourceOptions(min_rating=4)
        with pytest.raises(DataError, match="min rating has no effect"):
            pipeline.load_source("ml-latest-small", options)
        with pytest.raises(DataError, match="folder has no effect"):
            pipeline.load_source("clicks.csv", pipeline.SourceOptions(folder=tmp_path))


class TestConfiguration:
    @pytest.fixture
    def source(self):
        return Source("x", "x.csv", None, None, {}, training={"batch_size": 100})

    def test_what_the_caller_says_wins_over_the_data_and_that_over_the_defaults(self, source):
        assert pipeline.training_config(dataclasses.replace(source, training={}), {}).batch_size is None
        assert pipeline.training_config(source, {"batch_size": None}).batch_size == 100
        assert pipeline.training_config(source, {"batch_size": 7}).batch_size == 7
        assert pipeline.training_config(source, {"concepts": 4}).network.concepts == 4

    def test_the_papers_recipe_is_made_of_known_settings(self, source):
        config = pipeline.training_config(source, pipeline.PAPER_RECIPE)
        assert (config.initialisation, config.averaging, config.batch_size) == ("random", 0.0, 500)
        assert training.resolved(config, 5000, 10**6).samples == 0


class TestEvaluation:
    def test_a_bundle_evaluates_to_what_its_manifest_says(self, small_run):
        outcome, _ = small_run
        bundle = Bundle.open(outcome.folder)
        table, _ = pipeline.evaluate_bundle(bundle)
        bundle.close()
        for method, measures in bundle.manifest.metrics["test"].items():
            for name, values in measures.items():
                assert table[method][name]["mean"] == pytest.approx(values["mean"], abs=1e-6)

    def test_data_that_has_changed_since_is_refused(self, small_run, small_shop, tmp_path):
        outcome, _ = small_run
        lines = (small_shop / "clicks.csv").read_text().splitlines()
        (tmp_path / "clicks.csv").write_text("\n".join(lines[:-1]) + "\n")
        bundle = Bundle.open(outcome.folder)
        with pytest.raises(DataError, match="have changed since"):
            pipeline.split_of(bundle, tmp_path / "clicks.csv")
        bundle.close()

    def test_data_that_has_moved_is_found_where_the_caller_says(self, small_run, small_shop, tmp_path):
        outcome, split = small_run
        (tmp_path / "moved.csv").write_bytes((small_shop / "clicks.csv").read_bytes())
        bundle = Bundle.open(outcome.folder)
        assert pipeline.split_of(bundle, tmp_path / "moved.csv").test.user_ids == split.test.user_ids
        bundle.close()

    def test_macrid_is_better_than_popularity_on_the_shop(self, small_run):
        outcome, _ = small_run
        assert outcome.table["MacridVAE"]["ndcg@100"]["mean"] > 1.5 * outcome.table["popularity"]["ndcg@100"]["mean"]


@pytest.mark.real_data
class TestMlLatestSmall:
    """The figures of the published split: a plain script measured them once, PAPER.md and data/README.md tell how."""

    @pytest.fixture
    def split(self, ml_latest_small):
        return pipeline.split_source(ml_latest_small, None, 98765)

    def test_the_split_has_503_training_users_and_5697_items(self, split):
        assert split.training.shape == (503, 5697)

    def test_popularity_scores_what_it_should(self, split):
        result = pipeline.evaluate(pipeline.Popularity.fit(split.training), split.test)
        found = [result.mean(name) for name in result.values]
        assert found == pytest.approx(
            [0.159, 0.163, 0.224], abs=0.0015
        )  # popularity has ties, which a plain script breaks otherwise

    @pytest.mark.slow
    def test_ease_scores_what_it_should(self, split):
        result = pipeline.evaluate(pipeline.ease.fit_ease(split.training, regularization=300), split.test)
        assert [round(result.mean(name), 3) for name in result.values] == [0.300, 0.310, 0.413]

    def test_titles_years_and_genres_are_read(self, ml_latest_small):
        items = ml_latest_small.items
        at = items.item_ids.index("1")
        assert items.titles[at] == "Toy Story (1995)"
        assert items.rows[at] == ("Adventure|Animation|Children|Comedy|Fantasy", 1995)

    def test_clicks_are_ratings_of_at_least_four_by_users_with_five(self, ml_latest_small):
        clicks = ml_latest_small.interactions
        assert (len(clicks.user_ids), len(clicks)) == (603, 48562)
        assert np.bincount(clicks.user_index).min() >= 5


@pytest.fixture(scope="module")
def refitted(small_shop, tmp_path_factory):
    options = pipeline.SourceOptions(items=small_shop / "items.csv", name="small-shop")
    source = pipeline.load_source(str(small_shop / "clicks.csv"), options)
    split = pipeline.split_source(source, None, seed=1)
    config = pipeline.training_config(source, {"epochs": 2, "batch_size": 100, "dimensions": 16, "seed": 1})
    folder = tmp_path_factory.mktemp("refit")
    checkpoints = Checkpoints(folder / "state.npz", every_seconds=0)
    passes = []
    pipeline.run(
        source, split, config, folder / "bundle", refit_on_all=True, on_refit=passes.append, checkpoints=checkpoints
    )
    with contextlib.closing(Bundle.open(folder / "bundle")) as bundle:
        yield bundle, source, passes


class TestRefit:
    def test_it_is_of_all_users_and_items_and_says_whose_the_figures_are(self, refitted):
        bundle, source, passes = refitted
        assert bundle.manifest.fitted_on == "all_users"
        assert bundle.popularity.sum() == len(source.interactions)
        assert bundle.manifest.items == len(source.interactions.item_ids)
        assert len(passes) == bundle.manifest.training["best_epoch"]
        assert "another network of the same settings" in bundle.manifest.metrics["of"]
        assert bundle.manifest.metrics["test"]["MacridVAE"]["ndcg@100"]["mean"] > 0

    def test_checkpoints_are_gone_when_the_bundle_is_there(self, refitted):
        bundle, _, _ = refitted
        assert [path.name for path in bundle.folder.parent.iterdir()] == ["bundle"]

    def test_nobody_is_left_to_evaluate_it_on(self, refitted):
        bundle, source, _ = refitted
        with pytest.raises(DataError, match="refitted on all users"):
            pipeline.evaluate_bundle(bundle)
        assert pipeline.split_of(bundle).training.shape == (len(source.interactions.user_ids), bundle.manifest.items)
