"""Everything that can be set about the server: one list, one prefix, defaults that work on a laptop.

Every field is also an environment variable: `store` is MACRID_STORE, `max_history` is MACRID_MAX_HISTORY.
"""

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Settings of one server process; arguments win over the environment, the environment over defaults."""

    model_config = SettingsConfigDict(env_prefix="MACRID_", use_attribute_docstrings=True, frozen=True, extra="forbid")

    store: Path = Path("artifacts/store")
    """Folder of published bundles; the server serves its current version and follows when that changes."""

    host: str = "127.0.0.1"
    """Address to listen on. The default is reachable from this machine only."""

    port: int = Field(default=8000, ge=0, le=65535)
    """Port to listen on; 0 takes any free one."""

    ranker: Literal["auto", "exact", "by_concept"] = "auto"
    """How items are ranked. Both rankers give the same answer; `auto` takes the faster one."""

    max_history: int = Field(default=2000, ge=1)
    """Most item ids that a history may hold; longer ones are refused with 413."""

    max_exclude: int = Field(default=10_000, ge=1)
    """Most item ids that `exclude` may hold; longer ones are refused with 413."""

    max_n: int = Field(default=1000, ge=1)
    """Most items that one answer may be asked for; more is refused with 422."""

    max_body_bytes: int = Field(default=1024 * 1024, ge=1)
    """Largest request body in bytes; larger ones are refused with 413, without being read to the end."""

    reload_interval: float = Field(default=2.0, gt=0, allow_inf_nan=False)
    """Seconds between two looks at the store for a newly published version."""

    log_format: Literal["auto", "text", "json"] = "auto"
    """How log lines are written; `auto` writes text to a terminal and JSON anywhere else."""
