"""What holds for a whole process that serves."""

import subprocess
import sys

import pytest

KEPT = """
import sys
from pathlib import Path
import numpy as np
from macrid.service.server import prepare_process

def own():
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("Anonymous:")) / 1024

if sys.argv[1] == "prepared":
    prepare_process()
before = own()
np.ones(3_000_000)  # 24 MB, which teaches the library what is usual
arrays = [np.ones(2_000_000) for _ in range(4)]
pin = [bytearray(100_000) for _ in range(4)]  # above them
del arrays
print(own() - before)
"""


def kept_megabytes(how):
    done = subprocess.run([sys.executable, "-c", KEPT, how], capture_output=True, text=True, timeout=120, check=True)
    return float(done.stdout)


@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_memory_of_large_arrays_goes_back_to_the_machine():
    assert kept_megabytes("prepared") < 5
    if kept_megabytes("left alone") < 40:
        pytest.skip("this C library gives it back by itself")
