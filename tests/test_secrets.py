"""No secret is in what git tracks: detect-secrets over every text file, and our own mark for keys."""

import re
import subprocess
from pathlib import Path

import pytest
from detect_secrets import SecretsCollection
from detect_secrets.settings import default_settings

ROOT = Path(__file__).parent.parent
NO_TEXT = {".png", ".svg", ".sqlite", ".safetensors", ".faiss"}
MADE = {"openapi.yaml"}  # by a command from the sources, which are looked at
OWN_KEY = re.compile(r"macrid_[A-Za-z0-9_-]{43}(?![A-Za-z0-9_-])")
# What looks like a secret and is none: by kind, where.
NO_SECRETS = {
    "Hex High Entropy String": (
        "configs/",
        "model/datasets/",
        "tests/golden/",
        "tests/artifacts/test_golden.py",
    ),  # checksums
    "Secret Keyword": (
        "deploy/kubernetes/macrid.yaml",
        "tests/service/test_seeing.py",
    ),  # a Secret's name; an item's id
    "Basic Auth Credentials": ("tests/cli/test_remote.py",),  # an address that is refused
    "GitHub Token": ("tests/model/test_co_clicks.py",),  # a long name
}


def findings(paths):
    """(path, line, kind) of all that detect-secrets finds."""
    found = SecretsCollection()
    with default_settings():
        for path in paths:
            found.scan_file(str(path))
    return [(name, secret.line_number, secret.type) for name, secret in found]


def test_what_git_tracks_holds_no_secret(monkeypatch):
    monkeypatch.chdir(ROOT)
    listed = subprocess.run(["git", "ls-files"], capture_output=True, text=True, check=False)
    if listed.returncode:
        pytest.skip("not a checkout")
    tracked = [name for name in listed.stdout.splitlines() if Path(name).is_file() and name not in MADE]
    texts = [name for name in tracked if Path(name).suffix not in NO_TEXT]
    assert len(texts) > 300
    assert [one for one in findings(texts) if not one[0].startswith(NO_SECRETS.get(one[2], ()))] == []
    assert [name for name in texts if OWN_KEY.search(Path(name).read_text(encoding="utf-8", errors="replace"))] == []


def test_one_that_were_there_would_be_found(tmp_path):
    from macrid.service.keys import create_key

    (tmp_path / "leak.py").write_text(f'aws = "AKIA{"QYLPMN5HFIQR7XYA"}"\n')
    assert [kind for _, _, kind in findings([tmp_path / "leak.py"])] == ["AWS Access Key"]
    assert OWN_KEY.search(f"key = {create_key(tmp_path / 'keys.json', 'shop', 'use')}\n")
