"""Whether the server is well, and what it serves."""

from typing import Any, Literal

from pydantic import Field

from macrid.service.schemas.base import Answer, Part


class Health(Part):
    """The process answers."""

    status: Literal["ok"] = "ok"
    """Always "ok": a process that is not does not answer."""


class RefusedVersion(Part):
    """A published version that the server does not serve."""

    model_version: str | None = Field(examples=["demo-shop-91be00c4d7aa"])
    """Which version; null when the store itself could not be read."""
    reason: str = Field(examples=["embeddings.safetensors: SHA-256 differs from the manifest's"])
    """Why."""


class Readiness(Answer):
    """The server can answer everything."""

    status: Literal["ready"] = "ready"
    """Always "ready": a server that is not answers 503."""
    refused: RefusedVersion | None
    """A newer version that was refused while this one serves on; null when there is none."""


class LoadedVersion(Part):
    """The model that is served."""

    name: str = Field(examples=["demo-shop"])
    """Name of the data it was trained on."""
    created_at: str = Field(examples=["2026-01-31T12:00:00Z"])
    """When it was exported, RFC 3339."""
    items: int = Field(examples=[2000])
    """How many items it knows."""
    concepts: int = Field(examples=[7])
    """How many concepts it has."""
    dimensions: int = Field(examples=[100])
    """How many dimensions its vectors have."""
    temperature: float = Field(examples=[0.1])
    """τ of its scores."""
    fitted_on: Literal["training_users", "all_users"]
    """Whether held-out users were kept out of the training, or it was fitted again on all after its evaluation."""
    ranker: Literal["exact", "by_concept"]
    """How items are ranked."""
    metrics: dict[str, Any]
    """What was measured on held-out users."""


class Version(Part):
    """What runs here."""

    version: str = Field(examples=["0.1.0"])
    """Version of the software."""
    model_version: str | None = Field(examples=["demo-shop-3f9a1c07be42"])
    """Version of the model, null when none is loaded."""
    model: LoadedVersion | None
    """The model, null when none is loaded."""
