"""Freed memory goes back to the machine."""

import os
import subprocess
import sys

import pytest
import uvicorn

from macrid.service import server
from macrid.service.memory import let_small_go
from macrid.service.server import serve
from macrid.service.settings import Settings

KEPT = """
import sys
from pathlib import Path
import numpy as np
from macrid.service.memory import give_back
from macrid.service.server import prepare_process

def own():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024

if "prepared" in sys.argv:
    prepare_process()
before = own()
if "scattered" in sys.argv:
    pieces = [bytes(200) for _ in range(200_000)]  # 45 MB
    pieces = pieces[::1000]  # a few in every megabyte
    give_back()
    print(own() - before)
    sys.exit()
if "small" in sys.argv:
    pieces = [bytearray(20_000) for _ in range(4000)]
    pieces = pieces[::100]  # each of the rest holds a gap of 2 MB apart from the next
    if "give_back" in sys.argv:
        give_back()
    print(own() - before)
    sys.exit()
np.ones(3_000_000)  # 24 MB, which teaches the library what is usual
arrays = [np.ones(2_000_000) for _ in range(4)]
pin = [bytearray(100_000) for _ in range(4)]  # above them
del arrays
print(own() - before)
"""


def kept_megabytes(*how, environment=None):
    command = [sys.executable, "-c", KEPT, *how]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True, env=environment)
    return float(done.stdout)


@pytest.fixture
def environment(monkeypatch):
    """That of this process, to be changed at will."""
    own = {name: value for name, value in os.environ.items() if name not in ("PYTHONMALLOC", "MALLOC_ARENA_MAX")}
    monkeypatch.setattr(os, "environ", own)
    return own


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_large_arrays_goes_back_to_the_machine():
    assert kept_megabytes("prepared") < 5
    if kept_megabytes() < 40:
        pytest.skip("this C library gives it back by itself")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_in_between_what_is_used_goes_back_when_it_is_given_back():
    assert kept_megabytes("small", "give_back") < 5
    if kept_megabytes("small") < 40:
        pytest.skip("this C library gives it back by itself")


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_small_objects_goes_back_in_processes_started_for_it(environment):
    if kept_megabytes("scattered", environment=environment) < 30:
        pytest.skip("this Python gives it back by itself")
    let_small_go()
    assert kept_megabytes("scattered", environment=environment) < 10


HEAPS = """
import ctypes, re, sys, threading
from macrid.service.server import prepare_process

if "prepared" in sys.argv:
    prepare_process()
kept, together = [], threading.Barrier(4)

def take():
    together.wait()
    kept.append([bytearray(2000) for _ in range(1000)])
    together.wait()

threads = [threading.Thread(target=take) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
library = ctypes.CDLL(None)
library.fopen.restype = ctypes.c_void_p
file = ctypes.c_void_p(library.fopen(sys.argv[1].encode(), b"w"))
library.malloc_info(0, file)
library.fclose(file)
print(len(re.findall("<heap nr=", open(sys.argv[1]).read())))
"""


@pytest.mark.skipif(sys.platform != "linux", reason="asks glibc")
def test_all_threads_take_from_one_heap(tmp_path):
    def heaps(*how):
        command = [sys.executable, "-c", HEAPS, str(tmp_path / "heaps.xml"), *how]
        return int(subprocess.run(command, capture_output=True, timeout=120, check=True).stdout)

    assert heaps("prepared") == 1
    assert heaps() > 1


LATER_NAMES = """
import sys
from macrid.service.app import create_app
from macrid.service.server import prepare_process

def own():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024

app = create_app()
if "prepared" in sys.argv:
    prepare_process()
most = 0
for turn in range(20):
    before = own()
    for number in range(600):
        sys.intern(f"part {turn} {number}")  # and gone at once
    most = max(most, own() - before)
print(most)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_names_that_come_and_go_do_not_make_a_process_larger_once_it_serves(environment):
    let_small_go()

    def largest_step(*how):
        command = [sys.executable, "-c", LATER_NAMES, *how]
        return float(subprocess.run(command, capture_output=True, timeout=120, check=True, env=environment).stdout)

    assert largest_step("prepared") < 0.5
    if largest_step() < 0.5:
        pytest.skip("this Python's table has room as it is")


@pytest.mark.parametrize(
    ("workers", "said", "expected"),
    [(1, {}, (None, None)), (2, {}, ("malloc", "1")), (2, {"PYTHONMALLOC": "debug"}, ("debug", "1"))],
)
def test_workers_are_started_so_unless_somebody_says_otherwise(
    tmp_path, monkeypatch, environment, workers, said, expected
):
    seen, names = [], ("PYTHONMALLOC", "MALLOC_ARENA_MAX")
    environment.update(said)
    monkeypatch.setattr(server, "configure_logs", lambda _: None)
    monkeypatch.setattr(uvicorn, "run", lambda *_, **__: seen.append(tuple(map(environment.get, names))))
    serve(Settings(store=tmp_path, workers=workers))
    assert seen == [expected]


ONE_LOOK = """
import gc, sys
from macrid.service.app import create_app
from macrid.service.memory import keep_for_good

app = create_app()
if "kept" in sys.argv:
    keep_for_good()
print(len(gc.get_objects()))
"""


def test_the_garbage_collector_leaves_alone_what_serves_for_good():
    looked_through, still = (
        int(subprocess.run([sys.executable, "-c", ONE_LOOK, *how], capture_output=True, timeout=120, check=True).stdout)
        for how in ((), ("kept",))
    )
    assert looked_through > 50_000
    assert still < looked_through / 50
