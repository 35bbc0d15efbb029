"""Sources, configurations and the way back from a bundle to the split it was made from."""

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.model import pipeline
from macrid.model.errors import DataError


class TestSources:
    def test_something_that_is_neither_a_data_set_nor_a_file_lists_the_data_sets(self):
        with pytest.raises(DataError, match="ml-latest-small"):
            pipeline.load_source("netflix", pipeline.SourceOptions())

    def test_a_name_that_no_folder_could_have_is_made_one(self, tmp_path):
        path = tmp_path / "my clicks (2).csv"
        path.write_text("user,item\n" + "".join(f"u,i{at}\n" for at in range(5)))
        assert pipeline.load_source(str(path), pipeline.SourceOptions()).name == "my-clicks-2"


class TestConfiguration:
    def test_what_the_caller_says_wins_over_the_data_set_and_that_over_the_defaults(self):
        assert pipeline.training_config("x.csv", {}).batch_size is None
        assert pipeline.training_config("ml-latest-small", {"batch_size": None}).batch_size == 100
        assert pipeline.training_config("ml-latest-small", {"batch_size": 7, "concepts": 4}).batch_size == 7
        assert pipeline.training_config("ml-latest-small", {"concepts": 4}).network.concepts == 4


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
        bundle = Bundle.open(outcome.folder)
        bundle.manifest.data["fingerprint"] = "0" * 64
        with pytest.raises(DataError, match="have changed since"):
            pipeline.split_of(bundle)
        bundle.close()

    def test_macrid_is_better_than_popularity_on_the_shop(self, small_run):
        outcome, _ = small_run
        assert outcome.table["MacridVAE"]["ndcg@100"]["mean"] > 1.5 * outcome.table["popularity"]["ndcg@100"]["mean"]


@pytest.mark.real_data
class TestMlLatestSmall:
    """The figures of the published split: a plain script measured them once, PAPER.md and data/README.md tell how."""

    @pytest.fixture
    def split(self, ml_latest_small):
        return pipeline.split_source("ml-latest-small", ml_latest_small, None, 98765)

    def test_the_split_has_503_training_users_and_5697_items(self, split):
        assert split.training.shape == (503, 5697)

    def test_popularity_scores_what_it_should(self, split):
        result = pipeline.evaluate(pipeline.Popularity.fit(split.training), split.test)
        assert [round(result.mean(name), 3) for name in result.values] == [0.159, 0.163, 0.224]

    @pytest.mark.slow
    def test_ease_scores_what_it_should(self, split):
        result = pipeline.evaluate(pipeline.Ease.fit(split.training, regularization=300), split.test)
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
