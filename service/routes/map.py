"""The map: `GET /map`, `POST /map`. Plain functions, for the reason given in `items.py`."""

from typing import Annotated

from fastapi import APIRouter, Query

from macrid.service.bodies import JsonRoute
from macrid.service.conditional import UnlessKnown
from macrid.service.current import CurrentRecommender
from macrid.service.documentation import not_modified, problems
from macrid.service.schemas import ItemsOnMap, MapQuery, MapRequest, UserOnMap

router = APIRouter(tags=["Map"], route_class=JsonRoute)


@router.get(
    "/map",
    summary="Place all items on a map",
    dependencies=[UnlessKnown],
    responses=not_modified() | problems(404, 422, 503),
)
def show_map(query: Annotated[MapQuery, Query()], recommender: CurrentRecommender) -> ItemsOnMap:
    """Return two coordinates for each item, so that items the model finds alike lie near each other.

    The trainer computes them (t-SNE of the item embeddings); a bundle that was written before there were maps has none, and
    is answered with 404. The answer is compact: 100,000 items take about half a megabyte compressed.
    """
    return recommender.map(query)


@router.post("/map", summary="Place a user on the map", responses=problems(404, 409, 413, 415, 422, 503))
def place_on_map(request: MapRequest, recommender: CurrentRecommender) -> UserOnMap:
    """Return where the components of a history are drawn on the map, and the items of the history themselves.

    A component is drawn among its nearest items; turning it with `adjust` moves it there.
    """
    return recommender.place_user(request)
