"""For those who run the server: `GET /healthz`, `/readyz`, `/version`.

`async` and without any computation, so that they answer on the event loop however busy the thread pool is.
"""

from fastapi import APIRouter

from macrid import __version__
from macrid.service.current import CurrentRecommender, CurrentReloader
from macrid.service.documentation import problems
from macrid.service.errors import NotReadyError
from macrid.service.schemas import Health, LoadedVersion, Readiness, Version

router = APIRouter(tags=["Operations"])


@router.get("/healthz", summary="Is the process alive?")
async def healthz() -> Health:
    """Say that the process answers; it may still be without a model."""
    return Health()


@router.get("/readyz", summary="Can it answer?", responses=problems(503))
async def readyz(recommender: CurrentRecommender, reloader: CurrentReloader) -> Readiness:
    """Say that a model is loaded, and whether a newer version was refused; 503 with the reason when none is loaded."""
    return Readiness(model_version=recommender.version, refused=reloader.refused)


@router.get("/version", summary="What runs here?")
async def get_version(reloader: CurrentReloader) -> Version:
    """Return the versions of the software and of the model, with the model's shape and its measured quality."""
    try:
        recommender = reloader.current()
    except NotReadyError:
        return Version(version=__version__, model_version=None, model=None)
    manifest = recommender.model.bundle.manifest
    model = LoadedVersion(
        name=manifest.name,
        created_at=manifest.created_at,
        items=manifest.items,
        concepts=manifest.concepts,
        dimensions=manifest.dimensions,
        temperature=manifest.temperature,
        fitted_on=manifest.fitted_on,
        ranker=recommender.model.ranker.name,
        metrics=manifest.metrics,
    )
    return Version(version=__version__, model_version=recommender.version, model=model)
