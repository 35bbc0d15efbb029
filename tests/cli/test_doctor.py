"""`macrid doctor` on setups that are really broken, each in one way: the one check that sees it says so, and what to do."""

import contextlib
import fcntl
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections import namedtuple
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from macrid.artifacts.store import Store
from macrid.cli import main
from macrid.cli.checks import machine
from macrid.service.keys import create_key, write_keys
from macrid.service.settings import Settings
from tests.support.bundles import make_bundle

SMALL = {"items": 20, "concepts": 2, "dimensions": 4}
STATUS = {"ok": 0, "warning": 1, "problem": 2}
NOBODY = 65534


@pytest.fixture(scope="module")
def bundles(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bundles")
    return [make_bundle(folder / f"run-{seed}", seed=seed, **SMALL) for seed in range(2)]


@pytest.fixture
def store(tmp_path, bundles):
    """Two versions, the second one current."""
    store = Store(tmp_path / "store")
    for bundle in bundles:
        store.publish(bundle)
    return store


def doctor(*arguments):
    """(exit status, {check: finding}) of the command, run in this process."""
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, contextlib.redirect_stdout(said):
        patch.setattr(sys, "argv", ["macrid", "doctor", "--json", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            main()
    report = json.loads(said.getvalue())
    assert report["status"] == (ended.value.code or 0) == max(STATUS[f["state"]] for f in report["findings"])
    return report["status"], {finding["check"]: finding for finding in report["findings"]}


def finds(check, state, *words, arguments):
    """The command finds this, and nothing else that is as bad."""
    status, found = doctor(*arguments)
    finding = found[check]
    assert finding["state"] == state
    for word in words:
        assert word in finding["said"] + finding["advice"]
    assert finding["advice"]
    assert status == STATUS[state]
    assert [name for name in found if found[name]["state"] == state] == [check]


class TestWhatIsFine:
    def test_every_check_is_ok_and_the_status_zero(self, store):
        status, found = doctor("--store", store.root, "--port", 0)
        assert status == 0, found
        assert {finding["advice"] for finding in found.values()} == {""}
        assert f"{store.current()} is current" in found["store: pointer"]["said"]
        assert "can be rolled back to" in found["store: versions"]["said"]
        assert "verified: 20 items" in found["bundle"]["said"]

    def test_every_setting_is_shown_with_where_it_comes_from(self, store, tmp_path, monkeypatch):
        (tmp_path / "macrid.toml").write_text("max_n = 7\nthreads = 3\n")
        monkeypatch.setenv("MACRID_THREADS", "4")
        _, found = doctor("--store", store.root, "--config", tmp_path / "macrid.toml", "--set", "max_waiting=5")
        assert {f"settings: {name}" for name in Settings.model_fields} <= found.keys()
        assert found["settings: max_n"]["said"] == f"7, {tmp_path / 'macrid.toml'}: max_n"
        assert found["settings: threads"]["said"] == "4, MACRID_THREADS"
        assert found["settings: max_waiting"]["said"] == "5, --max-waiting"
        assert found["settings: time_limit"]["said"] == "10.0, default"

    def test_people_get_a_line_for_each_check(self, store, capsys, monkeypatch):
        (store.root / ".x.partial").touch()
        monkeypatch.setattr(sys, "argv", ["macrid", "doctor", "--store", str(store.root), "--port", "0"])
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        lines = capsys.readouterr().out.splitlines()
        assert all(line.split()[0] in STATUS for line in lines)
        (line,) = [line for line in lines if line.startswith("warning")]
        assert "store: leftovers" in line
        assert "→ the next publishing removes them" in line


class TestStore:
    def test_that_is_not_there(self, tmp_path):
        finds(
            "store: folder", "problem", "none is not there", "macrid publish", arguments=["--store", tmp_path / "none"]
        )

    def test_that_is_a_file(self, tmp_path):
        (tmp_path / "file").touch()
        finds("store: folder", "problem", "is not a folder", arguments=["--store", tmp_path / "file"])

    def test_that_nothing_was_published_to(self, tmp_path):
        finds("store: pointer", "problem", "nothing has been published", "publish", arguments=["--store", tmp_path])

    def test_whose_pointer_is_broken(self, store):
        (store.root / "current.json").write_text('{"model_version": ')
        there = store.versions()[0]
        finds("store: pointer", "problem", "current.json", there, "publish", arguments=["--store", store.root])

    def test_whose_pointer_leads_nowhere(self, store):
        shutil.rmtree(store.folder(store.current()))
        finds("bundle", "problem", "manifest.json: is not there", "roll-back", arguments=["--store", store.root])

    @pytest.mark.parametrize("name", ["embeddings.safetensors", "catalogue.sqlite", "concepts.json", "manifest.json"])
    def test_one_of_whose_bytes_is_wrong(self, store, name):
        path = store.folder(store.current()) / name
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 1
        path.write_bytes(data)
        finds("bundle", "problem", str(path), "roll-back", arguments=["--store", store.root])

    def test_where_a_publishing_broke_off(self, store):
        (store.root / "versions" / ".x-1.partial").mkdir()
        (store.root / "versions" / ".x-1.partial" / "half").write_bytes(b"12345")
        finds("store: leftovers", "warning", "1 of publishings that broke off", ".x-1.partial", "macrid gc",
              arguments=["--store", store.root])  # fmt: skip

    def test_where_somebody_publishes_just_now(self, store):
        (store.root / "versions" / ".x-1.partial").mkdir()
        with (store.root / ".lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            _, found = doctor("--store", store.root)
        assert found["store: leftovers"] == {"check": "store: leftovers", "state": "ok", "advice": "",
                                             "said": "somebody is publishing just now"}  # fmt: skip

    def test_of_which_a_server_serves_another_version(self, store):
        lagging = store.open_current()
        store.roll_back()
        try:
            finds("store: leases", "warning", lagging.manifest.model_version, f"not the current {store.current()}",
                  "/readyz", arguments=["--store", store.root])  # fmt: skip
        finally:
            lagging.close()
        assert "no version is open" in doctor("--store", store.root)[1]["store: leases"]["said"]

    def test_with_more_versions_than_anybody_rolls_back_to(self, store):
        for at in range(9):
            shutil.copytree(store.folder(store.current()), store.folder(f"old-{at:012}"))
        finds("store: versions", "warning", "11 there", "macrid gc", arguments=["--store", store.root])

    @pytest.mark.parametrize(("times", "state"), [(0.5, "problem"), (1.5, "warning")])
    def test_on_a_disk_that_is_nearly_full(self, store, monkeypatch, times, state):
        size = sum(path.stat().st_size for path in store.folder(store.current()).rglob("*"))
        usage = namedtuple("usage", "total used free")
        monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(0, 0, int(times * size)))
        finds("store: disk", state, "MB free", "macrid gc", arguments=["--store", store.root])

    def test_whose_index_finds_too_little(self, tmp_path):
        index = {"kind": "ivf_sq8", "recall@20": 0.97, "recall@100": 0.96}
        store = Store(tmp_path / "store")
        store.publish(make_bundle(tmp_path / "bundle", index=index, **SMALL), recall_floor=0.9)
        finds("bundle", "warning", "recall@20", "0.97", "more memory", arguments=["--store", store.root])


@pytest.fixture
def shared():
    """A folder that every user can reach."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


def test_another_user_without_rights_and_with_few_file_handles(shared, bundles):
    """As the server's user would see it; nobody's rights, where this runs as root."""
    store = Store(shared / "store")
    store.publish(bundles[0])
    store.root.chmod(0o700 if os.geteuid() == 0 else 0o000)
    code = (
        "import os, resource, sys; from pathlib import Path; from macrid.cli.checks import machine, store; "
        f"os.geteuid() or os.setresuid({NOBODY}, {NOBODY}, {NOBODY}); resource.setrlimit(resource.RLIMIT_NOFILE, (100, 100)); "
        "print(store.check_folder(Path(sys.argv[1]))); "
        "print(machine.check_handles(resource.getrlimit(resource.RLIMIT_NOFILE)[0]))"
    )
    done = subprocess.run([sys.executable, "-c", code, store.root], capture_output=True, text=True, timeout=60)
    store.root.chmod(0o700)
    folder, handles = done.stdout.splitlines()
    assert "state='problem'" in folder
    assert "cannot be read by this user" in folder
    assert "state='problem'" in handles
    assert "at most 100 open at once" in handles


class TestSettings:
    def test_that_are_wrong_are_each_named_and_the_store_is_looked_at_all_the_same(self, store, monkeypatch):
        monkeypatch.setenv("MACRID_STORE", str(store.root))
        monkeypatch.setenv("MACRID_MAX_N", "many")
        finds("settings", "problem", "MACRID_MAX_N is 'many'", arguments=[])
        assert doctor()[1]["bundle"]["state"] == "ok"

    def test_in_a_file_that_is_none(self, store, tmp_path):
        (tmp_path / "macrid.toml").write_text("prot = 80")
        arguments = ["--store", store.root, "--config", tmp_path / "macrid.toml"]
        finds("settings", "problem", "there is no setting 'prot'", arguments=arguments)

    def test_a_variable_that_is_no_setting_is_named_and_its_value_is_not_shown(self, store, monkeypatch):
        monkeypatch.setenv("MACRID_APIKEY", "macrid_in-confidence")
        arguments = ["--store", store.root, "--port", 0]
        finds("settings: environment", "warning", "MACRID_APIKEY", arguments=arguments)
        assert "in-confidence" not in str(doctor(*arguments))

    def test_the_clients_key_is_not_shown(self, store, monkeypatch):
        monkeypatch.setenv("MACRID_API_KEY", "macrid_in-confidence")
        status, found = doctor("--store", store.root, "--port", 0)
        assert status == 0
        assert "in-confidence" not in str(found)

    def test_an_address_that_others_reach_and_nobody_is_asked_for_a_key(self, store):
        arguments = ["--store", store.root, "--port", 0, "--host", "0.0.0.0"]
        finds("settings", "problem", "there is no keys_file", arguments=arguments)
        finds(
            "settings: access",
            "warning",
            "others can reach 0.0.0.0",
            arguments=[*arguments, "--set", "allow_without_keys=1"],
        )

    def test_an_address_that_is_not_this_machines(self, store):
        arguments = ["--store", store.root, "--host", "192.0.2.1", "--set", "allow_without_keys=1"]  # RFC 5737
        finds("settings: address", "problem", "192.0.2.1:8000 cannot be listened on", arguments=arguments)

    @pytest.mark.parametrize(("mode", "state"), [(0o644, "warning"), (0o660, "problem")])
    def test_keys_that_others_may_read_or_write(self, store, tmp_path, mode, state):
        create_key(tmp_path / "keys.json", "shop", "admin")
        arguments = ["--store", store.root, "--port", 0, "--keys", tmp_path / "keys.json"]
        assert doctor(*arguments)[0] == 0
        (tmp_path / "keys.json").chmod(mode)
        finds("settings: keys file", state, f"mode {mode:04o}", "chmod 600", arguments=arguments)

    def test_keys_that_are_not_there_or_none(self, store, tmp_path):
        arguments = ["--store", store.root, "--port", 0, "--keys", tmp_path / "keys.json"]
        finds("settings: keys file", "problem", "cannot be read", "macrid key create", arguments=arguments)
        write_keys(tmp_path / "keys.json", [])
        finds("settings: keys file", "problem", "holds no key", "macrid key create", arguments=arguments)

    def test_tracing_without_what_it_needs(self, store, monkeypatch):
        monkeypatch.setitem(sys.modules, "opentelemetry.instrumentation.fastapi", None)
        arguments = ["--store", store.root, "--port", 0, "--set", "tracing=true"]
        finds("settings: tracing", "problem", "not installed", "macrid[tracing]", arguments=arguments)


class TestMachine:
    def test_an_old_python(self):
        assert machine.check_python((3, 10, 4)).state == "problem"
        assert machine.check_python((3, 11, 0)).state == "ok"

    def test_libraries_that_are_missing_or_old(self):
        found = machine.check_libraries(
            [Requirement("numpy>=999"), Requirement("no-such-library>=1"), Requirement("rich")]
        )
        assert found.state == "problem"
        assert "expected >=999" in found.said
        assert "no-such-library is not installed" in found.said
        assert "rich" not in found.said
        assert machine.check_libraries([]).state == "warning"

    def test_what_the_server_needs_is_read_from_the_package_and_no_extra_is(self):
        names = {one.name for one in machine.server_requirements()}
        assert {"numpy", "faiss-cpu", "fastapi"} <= names
        assert "torch" not in names

    def test_a_faiss_that_cannot_be_loaded(self, monkeypatch):
        monkeypatch.setitem(sys.modules, "faiss", None)
        assert machine.check_faiss().state == "problem"

    def test_numkong(self, monkeypatch):
        assert machine.check_numkong().state == "ok"
        numkong = sys.modules["numkong"]
        monkeypatch.setattr(numkong, "dots_packed", lambda *_: [[0, 0], [0, 0]])
        found = machine.check_numkong()
        assert found.state == "problem"
        assert "[[0, 0], [0, 0]] where" in found.said
        monkeypatch.setitem(sys.modules, "numkong", None)
        assert machine.check_numkong().state == "problem"

    @pytest.mark.parametrize(
        ("cores", "workers", "environment", "state", "word"),
        [
            (4, 4, {"OMP_NUM_THREADS": "1"}, "ok", ""),
            (4, 1, {}, "ok", ""),
            (4, 2, {}, "warning", "OMP_NUM_THREADS=1"),
            (4, 5, {"OMP_NUM_THREADS": "1"}, "warning", "set workers to 4"),
            (0.5, 1, {}, "ok", ""),
        ],
    )
    def test_cores(self, cores, workers, environment, state, word):
        found = machine.check_cores(cores, workers, environment)
        assert found.state == state
        assert word in found.advice

    def test_a_container_has_what_it_is_allowed(self, tmp_path, monkeypatch):
        (tmp_path / "cpu.max").write_text("150000 100000\n")
        (tmp_path / "memory.max").write_text("1000000\n")
        (tmp_path / "memory.current").write_text("400000\n")
        monkeypatch.setattr(machine, "CGROUP", tmp_path)
        assert machine.usable_cores() == min(1.5, len(os.sched_getaffinity(0)))
        assert machine.available_memory() == 600_000
        (tmp_path / "cpu.max").write_text("max 100000\n")
        assert machine.usable_cores() == len(os.sched_getaffinity(0))

    def test_memory_for_serving_and_for_a_swap(self):
        bundle, workers = 10**9, 2
        serving, swapping = machine.needed_memory(bundle, workers)
        assert swapping - serving == bundle
        states = [machine.check_memory(free, bundle, workers).state for free in (serving - 1, swapping - 1, swapping)]
        assert states == ["problem", "warning", "ok"]
        assert machine.check_memory(None, bundle, workers).state == "warning"

    def test_file_handles(self):
        assert [machine.check_handles(limit).state for limit in (100, 1000, 1024, -1)] == [
            "problem",
            "warning",
            "ok",
            "ok",
        ]
