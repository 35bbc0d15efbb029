"""Answers about users: `POST /recommend`, `POST /recommend/batch`, `POST /encode`."""

from fastapi import APIRouter, Request, Response
from starlette.concurrency import run_in_threadpool

from macrid.service.bodies import DirectRoute, JsonRoute, place_of
from macrid.service.current import CurrentRecommender, recommender_of
from macrid.service.documentation import problems
from macrid.service.schemas import (
    BatchRecommendations,
    BatchRequest,
    Encoded,
    EncodeRequest,
    Recommendations,
    RecommendRequest,
)
from macrid.service.traffic import traffic_of

direct = APIRouter(tags=["Users"], route_class=DirectRoute)
router = APIRouter(tags=["Users"], route_class=JsonRoute)


@direct.post(
    "/recommend",
    operation_id="recommend",
    summary="Recommend items to a user",
    response_model=Recommendations,
    responses=problems(409, 413, 415, 422, 503),
)
async def recommend(request: RecommendRequest, http: Request) -> Response:
    """Rank items for a history of clicks.

    The history is encoded into one component per concept; every item is scored against all components at once, and the
    answer names the concept that put each item there. A history without any known id gets the most popular items, with
    `fallback: "popular"`.
    """
    recommender, traffic = recommender_of(http), traffic_of(http)
    # What takes some milliseconds is done in a thread, for a loop that ranks can neither refuse what is too much nor answer a
    # health check. What takes less than one is done on the loop, for all who ask at the same moment: two threads that want the
    # interpreter cost each other more.
    if recommender.answers_at_once(request):
        place_of(http).step_aside()
        answer = await http.app.state.gathering.answer(recommender, request)
    else:
        answer = await place_of(http).in_time(run_in_threadpool(recommender.answer, request))
    traffic.note(request, answer)
    return Response(answer.json(), media_type="application/json")


@router.post(
    "/recommend/batch",
    summary="Recommend items to many users",
    response_model=BatchRecommendations,
    responses=problems(409, 413, 415, 422, 503),
)
async def recommend_batch(request: BatchRequest, http: Request, recommender: CurrentRecommender) -> Response:
    """Rank items for many histories at once, scored together: several times as fast as one by one.

    For more users than a request may hold there is the command `macrid recommend`.
    """
    answer = await run_in_threadpool(recommender.recommend_batch, request)
    traffic_of(http).note_batch(request, answer)
    # One of our schemas already: FastAPI would validate it again.
    return Response(answer.__pydantic_serializer__.to_json(answer), media_type="application/json")


@router.post("/encode", summary="Encode a user's history", responses=problems(409, 413, 415, 422, 503))
async def encode(request: EncodeRequest, recommender: CurrentRecommender) -> Encoded:
    """Return the components of a history: one unit vector per concept, with its confidence.

    It costs microseconds at any catalogue size: only the history's rows are read.
    """
    return recommender.encode(request.history, request.model_version)
