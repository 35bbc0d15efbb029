"""Answers about a user: `POST /recommend`, `POST /encode`."""

from fastapi import APIRouter
from starlette.concurrency import run_in_threadpool

from macrid.service.bodies import JsonRoute
from macrid.service.current import CurrentRecommender
from macrid.service.documentation import problems
from macrid.service.schemas import Encoded, EncodeRequest, Recommendations, RecommendRequest
from macrid.service.traffic import SeenTraffic

router = APIRouter(tags=["Users"], route_class=JsonRoute)


@router.post("/recommend", summary="Recommend items to a user", responses=problems(409, 413, 415, 422, 503))
async def recommend(
    request: RecommendRequest, recommender: CurrentRecommender, traffic: SeenTraffic
) -> Recommendations:
    """Rank items for a history of clicks.

    The history is encoded into one component per concept; every item is scored against all components at once, and the
    answer names the concept that put each item there. A history without any known id gets the most popular items, with
    `fallback: "popular"`.
    """
    # In a thread, though a small catalogue is ranked in a millisecond and the thread costs a fifth of one: under load those
    # milliseconds add up, and a loop that ranks can neither refuse what is too much nor answer a health check.
    answer = await run_in_threadpool(recommender.recommend, request)
    traffic.note(request, answer)
    return answer


@router.post("/encode", summary="Encode a user's history", responses=problems(409, 413, 415, 422, 503))
async def encode(request: EncodeRequest, recommender: CurrentRecommender) -> Encoded:
    """Return the components of a history: one unit vector per concept, with its confidence.

    It costs microseconds at any catalogue size: only the history's rows are read.
    """
    return recommender.encode(request.history, request.model_version)
