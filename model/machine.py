"""The machine that this runs on: in a line for the head of every result, and what its processor is made for."""

import os
import platform
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import numkong

# What NumKong calls the first processors that multiply tiles of bfloat16 (AMX); those after them have what they had.
WITH_TILES = "sapphireamx"


def describe() -> str:
    """Date, processor, cores and Python version."""
    return f"{datetime.now(UTC):%Y-%m-%d}, {_processor()}, {os.cpu_count()} cores, Python {platform.python_version()}"


@cache
def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies matrices of bfloat16 faster than of float32."""
    return bool(numkong.get_capabilities().get(WITH_TILES))


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text().splitlines() if cpuinfo.is_file() else []
    return next(
        (line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.processor()
    )
