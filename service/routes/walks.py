"""Walks from a user's component: `POST /walk`."""

from fastapi import APIRouter

from macrid.service.bodies import JsonRoute
from macrid.service.current import CurrentRecommender
from macrid.service.documentation import problems
from macrid.service.schemas import ComponentWalk, WalkRequest

router = APIRouter(tags=["Users"], route_class=JsonRoute)


# A plain function, which FastAPI runs in its thread pool: a walk reads SQLite and takes several milliseconds.
@router.post(
    "/walk",
    summary="Walk from a user's component along one dimension",
    responses=problems(404, 409, 413, 415, 422, 503),
)
def walk_from_component(request: WalkRequest, recommender: CurrentRecommender) -> ComponentWalk:
    """List items that resemble what the user likes of a concept and move along one dimension, low end to high end.

    As `GET /items/{item_id}/walk`, from a user's component instead of an item. It is the component of the concept that is
    asked for, even where another concept's prototype lies nearer to it: then the items alone limit the range, and
    `range_source` says so. Items of the history are not among the steps. A history without any known id has no
    component and is refused.
    """
    return recommender.walk_from_component(request)
