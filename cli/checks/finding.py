"""One thing that was looked at: how it is, and what to do about it."""

from dataclasses import dataclass
from typing import Literal

State = Literal["ok", "warning", "problem"]
STATES: tuple[State, ...] = ("ok", "warning", "problem")  # from good to bad; their places are the exit statuses


@dataclass(frozen=True)
class Finding:
    """What a check found."""

    check: str  # room and thing, as in "store: pointer"
    state: State
    said: str  # names the thing, the value and, where something is wrong, what was expected
    advice: str = ""  # what to do; only where something is wrong


def ok(check: str, said: str) -> Finding:
    """Find nothing to mend."""
    return Finding(check, "ok", said)


def warning(check: str, said: str, advice: str) -> Finding:
    """Find something that works and may not for long, or not as well as it could."""
    return Finding(check, "warning", said, advice)


def problem(check: str, said: str, advice: str) -> Finding:
    """Find something because of which the server cannot start, or cannot serve what it should."""
    return Finding(check, "problem", said, advice)


def in_megabytes(size: float) -> str:
    """Write a number of bytes for people."""
    return f"{size / 1e6:,.1f} MB" if size < 1e7 else f"{size / 1e6:,.0f} MB"
