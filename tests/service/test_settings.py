"""Settings: where they come from, and that each says what it is for."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from macrid.service.settings import Settings


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
    def test_every_setting_says_what_it_is_for(self, name):
        assert Settings.model_fields[name].description
