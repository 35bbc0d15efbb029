"""For those who run the server: `POST /admin/reload`, `GET /metrics`."""

from fastapi import APIRouter, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST
from starlette.concurrency import run_in_threadpool

from macrid.service.current import CurrentReloader
from macrid.service.documentation import metrics_content, problems
from macrid.service.metrics import Metrics
from macrid.service.schemas import Readiness

router = APIRouter(tags=["Operations"])


@router.post("/admin/reload", summary="Look for a new version now", responses=problems(403, 503))
async def reload(reloader: CurrentReloader) -> Readiness:
    """Look at the store now, load its current version if that is another one, and say what is served then.

    A version that was refused is tried again. Servers look by themselves every few seconds; with several workers one of them
    answers this, and the others follow at their next look.
    """
    await run_in_threadpool(reloader.look, again=True)
    return Readiness(model_version=reloader.current().version, refused=reloader.refused)


@router.get("/metrics", summary="Count what happened", response_class=Response, responses=metrics_content())
async def metrics(request: Request) -> Response:
    """Return the metrics of all workers in the text format of Prometheus."""
    counted: Metrics = request.app.state.metrics
    return Response(await run_in_threadpool(counted.exposition), media_type=CONTENT_TYPE_LATEST)
