"""Sources, configurations and the way back from a bundle to the split it was made from."""

import contextlib
import dataclasses

import numpy as np
import pytest

from macrid.artifacts.bundle import Bundle
from macrid.model import pipeline, training
from macrid.model.checkpoint import Checkpoints
from macrid.model.continuation import Predecessor
from macrid.model.datasets.dataset import Source
from macrid.model.errors import CheckpointError, DataError


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
def prepared(small_shop):
    options = pipeline.SourceOptions(items=small_shop / "items.csv", name="small-shop")
    source = pipeline.load_source(str(small_shop / "clicks.csv"), options)
    config = pipeline.training_config(source, {"epochs": 2, "batch_size": 100, "dimensions": 16, "seed": 1})
    return source, pipeline.split_source(source, None, seed=1), config


@pytest.fixture(scope="module")
def refitted(prepared, tmp_path_factory):
    source, split, config = prepared
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


def stop(_):
    raise KeyboardInterrupt


class TestGoingOn:
    """A training that is interrupted, and what the next one says of the files it left."""

    def interrupted(self, prepared, folder, **options):
        """Ctrl-C in the refit, after its first epoch."""
        checkpoints = Checkpoints(folder / "state.npz", every_seconds=0)
        return pipeline.run(
            *prepared, folder / "bundle", refit_on_all=True, on_refit=stop, checkpoints=checkpoints, **options
        )

    def test_ctrl_c_in_the_refit_keeps_what_was_evaluated_and_the_refit_can_go_on(self, prepared, refitted, tmp_path):
        outcome = self.interrupted(prepared, tmp_path)
        assert outcome.trained.interrupted
        with contextlib.closing(Bundle.open(tmp_path / "bundle")) as bundle:
            assert bundle.manifest.fitted_on == "training_users"
            assert bundle.manifest.training["interrupted"]
            assert "of" not in bundle.manifest.metrics
        checkpoints = Checkpoints(tmp_path / "state.npz", resume=True)
        pipeline.run(*prepared, tmp_path / "again", refit_on_all=True, checkpoints=checkpoints)
        with contextlib.closing(Bundle.open(tmp_path / "again")) as bundle:
            np.testing.assert_array_equal(bundle.item_embeddings, refitted[0].item_embeddings)

    def test_a_refit_whose_teacher_has_too_much_to_learn_is_refused_before_any_work(
        self, prepared, tmp_path, monkeypatch
    ):
        source, split, config = prepared
        monkeypatch.setattr(pipeline.ease, "LARGEST", min(split.training.shape) - 1)
        epochs, taught = [], dataclasses.replace(config, teacher=0.5)
        with pytest.raises(
            DataError, match=r"EASE to all .* users and .* items, .* without --refit or without --teacher"
        ):
            pipeline.run(source, split, taught, tmp_path / "bundle", epochs.append, refit_on_all=True)
        assert not epochs

    @pytest.mark.parametrize("resume", [True, False])
    def test_a_refit_whose_training_has_gone_is_refused_before_any_work(self, prepared, tmp_path, resume):
        self.interrupted(prepared, tmp_path)
        (tmp_path / "state.npz").unlink()
        checkpoints, epochs = Checkpoints(tmp_path / "state.npz", resume=resume), []
        with pytest.raises(CheckpointError, match=r"state\.npz\.refit exists: .* --resume"):
            pipeline.run(*prepared, tmp_path / "other", epochs.append, refit_on_all=True, checkpoints=checkpoints)
        assert not epochs

    def test_a_refit_that_has_gone_further_than_the_best_epoch_is_refused(self, prepared, tmp_path):
        split, config = prepared[1:]
        checkpoints = Checkpoints(tmp_path / "state.npz", resume=True)
        training.refit(split.training, config, 2, checkpoints=checkpoints)
        with pytest.raises(CheckpointError, match="has gone through 2 epochs, expected at most 1"):
            training.refit(split.training, config, 1, checkpoints=checkpoints)

    def test_with_precision_auto_another_processor_goes_on_with_the_refit(self, prepared, tmp_path, monkeypatch):
        source, split, config = prepared
        auto = (source, split, dataclasses.replace(config, precision="auto"))
        monkeypatch.setattr(training, "multiplies_bfloat16", lambda: True)
        self.interrupted(auto, tmp_path)
        monkeypatch.setattr(training, "multiplies_bfloat16", lambda: False)
        checkpoints = Checkpoints(tmp_path / "state.npz", resume=True)
        outcome = pipeline.run(*auto, tmp_path / "again", refit_on_all=True, checkpoints=checkpoints)
        assert outcome.manifest.fitted_on == "all_users"

    @pytest.mark.parametrize("before", [True, False])
    def test_a_training_that_began_from_another_bundle_or_from_none_is_another(
        self, prepared, refitted, tmp_path, before
    ):
        checkpoints = Checkpoints(tmp_path / "state.npz", every_seconds=0, resume=True)
        predecessor = Predecessor(refitted[0])
        first, second = (predecessor, None) if before else (None, predecessor)
        version = first and first.model_version
        training.train(*prepared[1:], checkpoints=dataclasses.replace(checkpoints, continues=version))
        with pytest.raises(CheckpointError, match="continue_from was"):
            pipeline.run(*prepared, tmp_path / "bundle", checkpoints=checkpoints, predecessor=second)
