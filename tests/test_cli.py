"""The command line as a user meets it, in a folder of its own; and in a process of its own, where it is interrupted or killed."""

import contextlib
import io
import json
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from macrid.artifacts.bundle import Bundle
from macrid.artifacts.store import Store
from macrid.cli import main
from macrid.model import tuning

pytestmark = pytest.mark.slow
COMMANDS = (
    [],
    ["data"],
    ["data", "list"],
    ["data", "prepare"],
    ["train"],
    ["evaluate"],
    ["analyse"],
    ["choose-k"],
    ["publish"],
    ["names"],
    ["report"],
    ["sweep"],
    ["roll-back"],
    ["tune"],
    ["serve"],
    ["gc"],
    ["key", "create"],
    ["key", "list"],
    ["key", "revoke"],
    ["demo"],
)


def macrid(*arguments, cwd, expect=0):
    """Run a command in this process, which has the libraries loaded already, and return what it prints."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.chdir(cwd):
        patch.setattr(sys, "argv", ["macrid", *map(str, arguments)])
        with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said), pytest.raises(SystemExit) as ended:
            main()
    assert (ended.value.code or 0) == expect, said.getvalue()
    return " ".join(said.getvalue().split())


def test_it_is_a_command_and_a_module(tmp_path):
    command = Path(sys.executable).with_name("macrid")
    for way in ([command], [sys.executable, "-m", "macrid.cli"]):
        done = subprocess.run([*way, "publish", "nothing"], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        assert done.returncode == 2
        assert "manifest.json" in done.stderr
        assert done.stdout == ""


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: " ".join(command) or "macrid")
def test_every_command_explains_itself(command, tmp_path):
    assert "Usage: " in macrid(*command, "--help", cwd=tmp_path)


class TestOwnData:
    def test_from_a_file_of_clicks_to_a_published_version(self, small_shop, tmp_path):
        said = macrid(
            "train", small_shop / "clicks.csv", "--items", small_shop / "items.csv", "--name", "my-shop", "--epochs", 3,
            "--batch-size", 50, "--dimensions", 16, "--publish", "--store", "store", cwd=tmp_path,
        )  # fmt: skip
        assert "MacridVAE" in said
        assert "EASE" in said
        assert Store(tmp_path / "store").current().startswith("my-shop-")
        assert "MacridVAE" in macrid("evaluate", "--store", "store", cwd=tmp_path)
        said = macrid("analyse", "--store", "store", "--json", "figures.json", cwd=tmp_path)
        assert "NMI with department (7 values, 280 items)" in said
        assert "users, all components" in said
        assert json.loads((tmp_path / "figures.json").read_text())["category"]["column"] == "department"
        said = macrid("analyse", "--store", "store", "--category", "colour", cwd=tmp_path, expect=2)
        assert "no item column 'colour'; the columns are 'department' (text)" in said

    def test_a_number_of_concepts_is_recommended(self, small_shop, tmp_path):
        said = macrid(
            "choose-k", small_shop / "clicks.csv", "--candidates", "3,2", "--seeds", 1, "--updates", 10, "--json", "k.json",
            "--markdown", "k.md", cwd=tmp_path,
        )  # fmt: skip
        choice = json.loads((tmp_path / "k.json").read_text())
        assert [each["concepts"] for each in choice["candidates"]] == [2, 3]
        assert f"--concepts {choice['recommended']}" in said
        assert choice["reason"] in (tmp_path / "k.md").read_text()

    def test_methods_are_compared_on_the_same_splits(self, small_shop, tmp_path):
        said = macrid(
            "evaluate", "--compare", small_shop / "clicks.csv", "--seeds", "1,2", "--baselines", "popularity,ease",
            "--configs", ".", "--out", "table", cwd=self.with_settings(tmp_path, "epochs = 1\ndimensions = 8\n"),
        )  # fmt: skip
        assert "| MacridVAE |" in said
        found = json.loads((tmp_path / "table" / "comparison.json").read_text())
        assert found["seeds"] == [1, 2]
        assert [row["method"] for row in found["rows"]] == ["macridvae", "popularity", "ease"]
        assert found["rows"][0]["settings"]["dimensions"] == 8
        assert " ".join((tmp_path / "table" / "comparison.md").read_text().split()) in said

    def test_what_is_tuned_is_trained_with_and_options_win(self, small_shop, tmp_path):
        said = macrid(
            "tune", small_shop / "clicks.csv", "--trials", 1, "--set", "epochs=1", "--set", "dimensions=8",
            "--set", "concepts=3", "--out", "best.toml", cwd=tmp_path,
        )  # fmt: skip
        assert "settings written to best.toml, all trials to best.trials.csv" in said
        macrid(
            "train",
            small_shop / "clicks.csv",
            "--config",
            "best.toml",
            "--concepts",
            2,
            "--samples",
            50,
            "--sampling",
            "uniform",
            "--out",
            "bundle",
            cwd=tmp_path,
        )
        trained = Bundle.open(tmp_path / "bundle").manifest.training
        assert trained["network"]["concepts"] == 2
        assert trained["network"]["dimensions"] == 8
        assert (trained["samples"], trained["sampling"]) == (50, "uniform")
        assert trained["epochs_run"] == 1

    def test_an_unknown_setting_in_a_file_is_named(self, small_shop, tmp_path):
        said = macrid(
            "evaluate", "--compare", small_shop / "clicks.csv", "--configs", ".", expect=2,
            cwd=self.with_settings(tmp_path, "konzepte = 3\n"),
        )  # fmt: skip
        assert "macridvae.toml: 'konzepte' is no setting" in said

    def test_a_folder_without_settings_is_refused(self, small_shop, tmp_path):
        said = macrid(
            "evaluate", "--compare", small_shop / "clicks.csv", "--configs", "nowhere", expect=2, cwd=tmp_path
        )
        assert "nowhere has no file METHOD.toml" in said

    def test_what_no_training_can_have_is_refused_before_it(self, small_shop, tmp_path):
        said = macrid("train", small_shop / "clicks.csv", "--beta", "inf", "--out", "bundle", expect=2, cwd=tmp_path)
        assert "beta is inf" in said

    def with_settings(self, folder, text):
        (folder / "macridvae.toml").write_text('model = "macridvae"\n[settings]\n' + text)
        return folder

    @pytest.mark.parametrize("candidates", ["2,many", "0,3", ""])
    def test_candidates_that_are_none_are_refused(self, small_shop, tmp_path, candidates):
        said = macrid("choose-k", small_shop / "clicks.csv", "--candidates", candidates, cwd=tmp_path, expect=2)
        assert "expected" in said
        assert "Traceback" not in said

    def test_columns_can_be_named_and_ratings_cut(self, tmp_path):
        rows = [f"u{u}\ti{(u * 7 + at * (1 + u % 3)) % 40}\t{1 + at % 5}" for u in range(60) for at in range(20)]
        (tmp_path / "stars.tsv").write_text("who\twhat\tstars\n" + "\n".join(rows) + "\n")
        said = macrid(
            "train", "stars.tsv", "--user-column", "who", "--item-column", "what", "--rating-column", "stars", "--min-rating", 2,
            "--epochs", 1, "--dimensions", 8, "--out", "bundle", cwd=tmp_path,
        )  # fmt: skip
        assert "stars: 60 users" in said
        assert "published stars-" in macrid("publish", "bundle", cwd=tmp_path)


class TestInterruption:
    def test_ctrl_c_keeps_the_best_epoch_and_publishes_nothing(self, small_shop, tmp_path):
        command = [
            sys.executable,
            "-u",
            "-m",
            "macrid.cli",
            "train",
            str(small_shop / "clicks.csv"),
            "--dimensions",
            "8",
        ]
        journal = tmp_path / "epochs.jsonl"
        options = [
            "--epochs",
            "100000",
            "--patience",
            "100000",
            "--out",
            "bundle",
            "--publish",
            "--log-json",
            str(journal),
        ]
        process = subprocess.Popen(
            [*command, *options], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        )
        deadline = time.monotonic() + 100
        while not (journal.is_file() and len(journal.read_text().splitlines()) > 2):
            assert time.monotonic() < deadline
            time.sleep(0.1)
        process.send_signal(signal.SIGINT)
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 130, said
        assert "interrupted: kept epoch" in said
        assert Bundle.open(tmp_path / "bundle").manifest.training["interrupted"] is True
        assert not (tmp_path / "artifacts").exists()

    def test_a_study_that_is_broken_off_says_so_in_a_line(self, small_shop, tmp_path, monkeypatch):
        def broken_off(*_):
            raise KeyboardInterrupt

        monkeypatch.setattr(tuning, "_validated", broken_off)
        said = macrid("tune", small_shop / "clicks.csv", cwd=tmp_path, expect=130)
        assert "interrupted before a trial was completed; the same command goes on" in said
        assert "Traceback" not in said


class TestLongWork:
    def test_a_killed_training_is_resumed_and_its_figures_stand_once_in_the_log(self, small_shop, tmp_path):
        options = [
            str(small_shop / "clicks.csv"), "--dimensions", "8", "--epochs", "400", "--patience", "400", "--out", "bundle",
            "--checkpoint", "state.npz", "--checkpoint-seconds", "0", "--log-json", "log.jsonl", "--refit",
        ]  # fmt: skip
        process = subprocess.Popen(
            [sys.executable, "-m", "macrid.cli", "train", *options], cwd=tmp_path, stdout=subprocess.DEVNULL
        )
        log = tmp_path / "log.jsonl"
        while process.poll() is None and not (log.exists() and log.read_text().count("\n") >= 2):
            time.sleep(0.1)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        assert "add --resume" in macrid("train", *options, cwd=tmp_path, expect=2)
        options[options.index("400")] = "4"
        said = macrid("train", *options, "--resume", cwd=tmp_path)
        assert "refitted on all 600 users" in said
        records = [json.loads(line) for line in log.read_text().splitlines()]
        epochs = [record["epoch"] for record in records if record["phase"] == "training"]
        assert epochs == list(range(1, len(epochs) + 1))
        assert Bundle.open(tmp_path / "bundle").manifest.fitted_on == "all_users"

    def test_resuming_needs_to_know_from_where(self, small_shop, tmp_path):
        assert "needs --checkpoint" in macrid("train", small_shop / "clicks.csv", "--resume", cwd=tmp_path, expect=2)

    def test_how_often_to_keep_a_checkpoint_needs_one(self, small_shop, tmp_path):
        said = macrid("train", small_shop / "clicks.csv", "--checkpoint-seconds", "5", cwd=tmp_path, expect=2)
        assert "--checkpoint-seconds: has no effect without --checkpoint" in said

    def test_it_says_which_options_belong_to_something_that_is_not_done(self, small_shop, tmp_path):
        small = ["--epochs", "1", "--dimensions", "8"]
        square = ["--teacher-opinion", "square", "--teacher-regularization", "50"]
        others = ["--sampling", "uniform", "--initialisation", "random", "--anchor", "0.7", "--out", "first"]
        said = macrid("train", small_shop / "clicks.csv", *small, *square, *others, cwd=tmp_path)
        for told in ("teacher_opinion square", "teacher_regularization 50.0", "sampling uniform", "anchor 0.7"):
            assert f"note: {told} has no effect" in said
        assert said.count("has no effect") == 4
        settings = 'model = "macridvae"\n[settings]\ninitialisation = "random"\nanchor = 0.7\n'
        (tmp_path / "config.toml").write_text(settings)
        begun = [
            "--teacher",
            "0.5",
            "--continue-from",
            "first",
            "--config",
            "config.toml",
            "--epochs",
            "1",
            "--out",
            "second",
        ]
        said = macrid("train", small_shop / "clicks.csv", *square, *begun, cwd=tmp_path)
        assert "note: initialisation random has no effect, for training begins with first" in said
        assert said.count("has no effect") == 1

    def test_it_says_that_there_is_nothing_to_resume(self, small_shop, tmp_path):
        options = ["--checkpoint", "state.npz", "--resume", "--epochs", "1", "--dimensions", "8"]
        assert "note: state.npz is not there" in macrid("train", small_shop / "clicks.csv", *options, cwd=tmp_path)


class TestData:
    def test_preparing_the_demo_shop_counts_what_is_in_it(self, tmp_path):
        said = macrid("data", "prepare", "demo-shop", cwd=tmp_path)
        assert "demo-shop: 5,000 users, 2,000 items, 170,195 clicks" in said

    def test_an_unknown_name_lists_the_known_ones(self, tmp_path):
        assert "ml-latest-small" in macrid("data", "prepare", "last-fm", cwd=tmp_path, expect=2)


class TestErrors:
    """Each is one line that says what to do, and status 2; nothing is written."""

    @pytest.mark.parametrize(
        ("text", "options", "message"),
        [
            (
                "user,thing\na,b\n",
                [],
                "no item column 'item' or 'item_id' or 'itemid'; the columns are 'user', 'thing'",
            ),
            ("", [], "the file is empty"),
            ("user,item,rating\na,b,high\n", ["--min-rating", "4"], "'high' is not a number"),
            ("user,item\na,b\n", [], "no user is left"),
            ("".join(["user,item\n", *(f"a,i{at}\n" for at in range(9))]), [], "cannot hold out 1 users"),
        ],
        ids=["missing column", "empty file", "rating", "no user left", "one user"],
    )
    def test_a_bad_file_is_explained(self, tmp_path, text, options, message):
        (tmp_path / "clicks.csv").write_text(text)
        said = macrid("train", "clicks.csv", *options, cwd=tmp_path, expect=2)
        assert message in said
        assert "Traceback" not in said
        assert [path.name for path in tmp_path.iterdir()] == ["clicks.csv"]  # not even an empty folder

    @pytest.mark.parametrize("seeds", ["-1", "4294967296", ",", "1,x", "1,2,1"])
    @pytest.mark.parametrize("command", [["evaluate", "--compare"], ["tune"]], ids=["evaluate", "tune"])
    def test_seeds_that_are_none_are_refused_before_any_work(self, tmp_path, command, seeds):
        (tmp_path / "clicks.csv").write_text("user,item\na,b\n")
        said = macrid(*command, "clicks.csv", f"--seeds={seeds}", cwd=tmp_path, expect=2)
        assert (
            f"'{seeds}'{' names a split twice; expected each once' if seeds == '1,2,1' else '; expected whole numbers'}"
            in said
        )
        assert [path.name for path in tmp_path.iterdir()] == ["clicks.csv"]

    @pytest.mark.parametrize(
        "option", [["--seeds", "1,2"], ["--baselines", "ease"], ["--min-rating", 4], ["--held-out-users", 3]]
    )
    def test_what_is_for_a_comparison_is_refused_without_one(self, small_run, tmp_path, option):
        said = macrid("evaluate", small_run[0].folder, *option, cwd=tmp_path, expect=2)
        assert f"{option[0]}: has no effect without --compare" in said

    def test_a_network_that_cannot_be_served_is_refused_before_training(self, small_shop, tmp_path):
        (tmp_path / "m.toml").write_text('model = "macridvae"\n[settings]\nsimilarity = "inner_product"\n')
        said = macrid("train", small_shop / "clicks.csv", "--config", "m.toml", "--out", "out", cwd=tmp_path, expect=2)
        assert "only a network of 'cosine' can be served" in said
        assert "training:" not in said

    def test_an_unknown_source_lists_the_known_ones(self, tmp_path):
        assert "demo-shop, ml-latest-small" in macrid("train", "netflicks", cwd=tmp_path, expect=2)

    def test_a_folder_that_exists_is_not_written_over(self, small_shop, tmp_path):
        (tmp_path / "out").mkdir()
        assert "exists already" in macrid("train", small_shop / "clicks.csv", "--out", "out", cwd=tmp_path, expect=2)

    def test_what_a_bundle_cannot_hold_is_refused_before_training(self, small_shop, tmp_path):
        said = macrid("train", small_shop / "clicks.csv", "--name", "a b", cwd=tmp_path, expect=2)
        assert "the name 'a b' cannot be used" in said
        assert not (tmp_path / "runs").exists()

    def test_a_folder_that_cannot_be_written_is_named_before_training(self, small_shop, tmp_path):
        (tmp_path / "file").write_text("")
        said = macrid("train", small_shop / "clicks.csv", "--out", "file/bundle", cwd=tmp_path, expect=2)
        assert "file" in said
        assert "Traceback" not in said

    def test_the_demo_does_not_replace_a_version_of_somebodys_own(self, small_run, tmp_path):
        outcome, _ = small_run
        Store(tmp_path / "artifacts/store").publish(outcome.folder)
        assert "which the demo would replace" in macrid("demo", "--no-serve", cwd=tmp_path, expect=2)

    def test_a_port_that_is_taken_is_named_before_any_work(self, tmp_path):
        with socket.create_server(("127.0.0.1", 0)) as other:
            port = other.getsockname()[1]
            assert f"127.0.0.1:{port} cannot be listened on" in macrid("demo", "--port", port, cwd=tmp_path, expect=2)

    def test_publishing_what_is_no_bundle_names_the_file(self, tmp_path):
        assert "manifest.json" in macrid("publish", ".", cwd=tmp_path, expect=2)

    def test_evaluating_an_empty_store_tells_how_to_fill_it(self, tmp_path):
        assert "macrid demo" in macrid("evaluate", cwd=tmp_path, expect=2)

    def test_rolling_back_an_empty_store_is_explained(self, tmp_path):
        assert "no earlier version" in macrid("roll-back", cwd=tmp_path, expect=2)

    def test_a_setting_that_makes_no_sense_is_named(self, tmp_path, monkeypatch):
        monkeypatch.setenv("MACRID_MAX_HISTORY", "many")
        assert "MACRID_MAX_HISTORY" in macrid("serve", cwd=tmp_path, expect=2)
