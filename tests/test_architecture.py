"""The layers hold at run time too, and the documents say what is there."""

import dataclasses
import importlib
import re
import subprocess
import sys
from pathlib import Path

import pytest

from macrid.model.analysis.factors import Dci
from macrid.model.analysis.partition import Agreement, ConceptUse
from macrid.model.analysis.walks import Movement
from macrid.service.settings import Settings

ROOT = Path(__file__).parent.parent
HEAVY = ("torch", "polars", "scipy", "sklearn", "macrid.model")


def modules_after(statement):
    """Names of all modules loaded in a fresh interpreter by a statement."""
    code = f"import sys; {statement}; print(chr(10).join(sys.modules))"
    return set(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split())


class TestLayers:
    @pytest.mark.parametrize(
        "statement", ["import macrid.service.server", "from macrid.service.app import create_app; create_app()"]
    )
    def test_the_server_loads_nothing_of_the_trainer(self, statement):
        loaded = modules_after(statement)
        assert "macrid.artifacts.bundle" in loaded
        assert loaded.isdisjoint(HEAVY)

    def test_the_contract_loads_neither_side(self):
        loaded = modules_after("import macrid.artifacts.store")
        assert loaded.isdisjoint((*HEAVY, "faiss", "fastapi", "pydantic", "macrid.service"))

    def test_the_command_line_loads_nothing_heavy_before_a_subcommand_needs_it(self):
        assert modules_after("import macrid.cli").isdisjoint((*HEAVY, "faiss", "fastapi"))

    def test_naming_data_sets_takes_no_torch(self):
        loaded = modules_after("from macrid.cli.app import known_data_sets; known_data_sets()")
        assert "polars" in loaded
        assert "torch" not in loaded

    def test_only_the_contract_opens_bundle_files(self):
        reading = re.compile(
            r"^\s*(?:import|from) (?:safetensors|sqlite3)|(?:MANIFEST|EMBEDDINGS|CATALOGUE|CONCEPTS)_FILE", re.M
        )
        for room in ("model", "service"):
            for path in (ROOT / room).rglob("*.py"):
                assert not reading.search(path.read_text()), path

    def test_nothing_is_pickled(self):
        for room in ("artifacts", "model", "service"):
            for path in (ROOT / room).rglob("*.py"):
                assert not re.search(r"\bpickle\b|torch\.load|allow_pickle", path.read_text()), path


def test_the_checkout_is_what_is_imported():
    for name in ("cli.app", "artifacts.bundle", "model.pipeline", "service.app"):
        source = ROOT / (name.replace(".", "/") + ".py")
        assert Path(importlib.import_module(f"macrid.{name}").__file__).resolve() == source.resolve()


class TestDocuments:
    def test_every_source_file_stands_in_the_map(self):
        text = (ROOT / "ARCHITECTURE.md").read_text()
        for path in [
            *ROOT.glob("model/*.py"),
            *ROOT.glob("service/*.py"),
            *ROOT.glob("artifacts/*.py"),
            *ROOT.glob("cli/*.py"),
        ]:
            if path.stem not in ("__init__", "__main__", "errors"):
                assert path.stem in text, f"{path.relative_to(ROOT)} is missing from ARCHITECTURE.md"

    def test_every_setting_stands_in_the_readme_with_its_default(self):
        text = (ROOT / "README.md").read_text()
        for name, field in Settings.model_fields.items():
            assert f"| {field.description} | `MACRID_{name.upper()}` | `{field.default}` |" in text

    @pytest.mark.parametrize("kind", [Agreement, ConceptUse, Dci, Movement])
    def test_every_measure_is_defined(self, kind):
        text = (ROOT / "docs" / "analysis.md").read_text()
        for field in dataclasses.fields(kind):
            assert field.name in ("items", "categories", "sizes") or f"| `{field.name}` |" in text

    def test_every_link_to_a_file_leads_somewhere(self):
        for document in [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), ROOT / "artifacts" / "README.md"]:
            for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
                assert (document.parent / target).exists(), f"{document.name} links to {target}"

    def test_the_images_users_file_is_as_the_dockerfile_says(self):
        text = (ROOT / "Dockerfile").read_text()
        assert "USER 10001:10001" in text
        assert "[train]" not in text
