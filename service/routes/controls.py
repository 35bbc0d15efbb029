"""What a user can turn: `POST /controls`."""

from fastapi import APIRouter

from macrid.service.bodies import JsonRoute
from macrid.service.current import CurrentRecommender
from macrid.service.documentation import problems
from macrid.service.schemas import Controls, ControlsRequest

router = APIRouter(tags=["Users"], route_class=JsonRoute)


# A plain function, which FastAPI runs in its thread pool: it ranks some items again for each dimension it tries.
@router.post("/controls", summary="Show what a user can turn", responses=problems(409, 413, 415, 422, 503))
def find_controls(request: ControlsRequest, recommender: CurrentRecommender) -> Controls:
    """Return, for each component with evidence, the dimensions that would change the user's top n the most.

    The dimensions that matter most to the concept and are named best are set to both ends of their range, as `adjust` of
    `POST /recommend` would, and the two rankings are compared: `effect` is the share of the top n that is replaced on
    the way. Each end comes with its name and an item that shows what it brings. A history without any known id has no
    components.
    """
    return recommender.controls(request)
