"""Settings: where they come from, and that each says what it is for."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from macrid.service.errors import SettingError
from macrid.service.settings import Settings, load_settings, unknown_variables


class TestSettings:
    def test_defaults_serve_the_store_of_the_checkout_to_this_machine_only(self):
        settings = Settings()
        assert settings.store == Path("artifacts/store")
        assert (settings.host, settings.port) == ("127.0.0.1", 8000)

    def test_the_environment_overrules_a_default_and_an_argument_the_environment(self, monkeypatch):
        monkeypatch.setenv("MACRID_STORE", "/srv/store")
        monkeypatch.setenv("MACRID_MAX_HISTORY", "50")
        assert Settings().store == Path("/srv/store")
        assert Settings().max_history == 50
        assert Settings(max_history=7).max_history == 7

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("PORT", "70000"),
            ("RANKER", "best"),
            ("MAX_HISTORY", "0"),
            ("RELOAD_INTERVAL", "0"),
            ("MAX_BODY_BYTES", "x"),
        ],
    )
    def test_a_value_that_makes_no_sense_is_refused_by_name(self, monkeypatch, name, value):
        monkeypatch.setenv(f"MACRID_{name}", value)
        with pytest.raises(ValidationError, match=name.lower()):
            Settings()

    def test_a_setting_that_does_not_exist_is_refused(self):
        with pytest.raises(ValidationError, match="max_histroy"):
            Settings(max_histroy=5)

    @pytest.mark.parametrize("name", Settings.model_fields)
    def test_every_setting_says_what_it_is_for_here_and_in_the_documents(self, name):
        field = Settings.model_fields[name]
        assert field.description
        text = (Path(__file__).parents[2] / "docs" / "operations.md").read_text()
        assert f"| `{name}` | `{field.default}` | {field.description} |" in text


class TestLoading:
    @pytest.fixture
    def config(self, tmp_path):
        path = tmp_path / "macrid.toml"
        path.write_text('port = 1\nthreads = 3\nmax_waiting = 3\ncors_origins = ["https://shop.example"]\n')
        return path

    def test_flags_win_over_the_environment_and_that_over_the_file_and_that_over_defaults(self, config, monkeypatch):
        monkeypatch.setenv("MACRID_PORT", "2")
        monkeypatch.setenv("MACRID_THREADS", "2")
        settings = load_settings(config, port=4, host=None)
        assert (settings.port, settings.threads, settings.max_waiting, settings.max_n) == (4, 2, 3, 1000)
        assert settings.cors_origins == ("https://shop.example",)

    def test_the_environment_may_name_the_file(self, config, monkeypatch):
        monkeypatch.setenv("MACRID_CONFIG", str(config))
        assert load_settings().threads == 3
        assert Settings().threads == 2  # not beyond that one call

    def test_a_mistake_names_setting_place_value_and_what_was_expected(self, config, monkeypatch):
        with pytest.raises(SettingError, match=r"--port is 70000: input should be less than or equal to 65535"):
            load_settings(port=70000)
        monkeypatch.setenv("MACRID_MAX_N", "many")
        with pytest.raises(SettingError, match=r"MACRID_MAX_N is 'many': input should be a valid integer"):
            load_settings()
        monkeypatch.delenv("MACRID_MAX_N")
        config.write_text("threads = 0")
        with pytest.raises(
            SettingError, match=r"macrid\.toml: threads is 0: input should be greater than or equal to 1"
        ):
            load_settings(config)

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            ("thread = 3", "there is no setting 'thread'"),
            ("port 3", "cannot be read"),
            ("[server]", "no setting 'server'"),
        ],
    )
    def test_a_file_that_is_none_of_settings_is_named(self, config, content, expected):
        config.write_text(content)
        with pytest.raises(SettingError, match=rf"macrid\.toml: .*{expected}"):
            load_settings(config)

    def test_a_file_that_is_not_there_is_named(self, tmp_path):
        with pytest.raises(SettingError, match=r"none\.toml: the file of settings cannot be read"):
            load_settings(tmp_path / "none.toml")

    def test_a_misspelt_variable_is_noticed(self, monkeypatch):
        monkeypatch.setenv("MACRID_MAX_HISTROY", "5")
        assert unknown_variables() == ["MACRID_MAX_HISTROY"]


class TestWhoCanReachIt:
    @pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.7", "macrid.example"])
    def test_it_does_not_listen_to_others_without_keys_unless_told_to(self, host):
        with pytest.raises(
            SettingError, match=f"host is '{host}', which other machines can reach, and there is no keys"
        ):
            load_settings(host=host)
        assert load_settings(host=host, allow_without_keys=True).reachable_by_others
        assert load_settings(host=host, keys_file="keys.json").reachable_by_others

    @pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost"])
    def test_this_machine_needs_none(self, host):
        assert not load_settings(host=host).reachable_by_others

    def test_an_origin_is_a_scheme_and_a_host(self):
        with pytest.raises(SettingError, match=r"cors_origins has 'shop\.example'"):
            load_settings(cors_origins=["shop.example"])
