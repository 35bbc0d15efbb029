"""Items: `GET /items`, and below each item its neighbours, its picture, its walks.

These handlers are plain functions, which FastAPI runs in its thread pool: they read SQLite and may take several
milliseconds, and must not hold up the event loop.
"""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response

from macrid.service.addresses import ItemIdInPath
from macrid.service.admission import AdmittedRoute
from macrid.service.conditional import UnlessKnown, caching_headers, entity_tag
from macrid.service.current import CurrentRecommender
from macrid.service.documentation import not_modified, picture_content, problems
from macrid.service.middleware import PICTURE_POLICY
from macrid.service.schemas import (
    ItemDetail,
    ItemsFound,
    ItemsQuery,
    SimilarItems,
    SimilarQuery,
    WalkAnswer,
    WalkQuery,
)

router = APIRouter(tags=["Items"], route_class=AdmittedRoute, responses=not_modified())

PICTURES_STAY_FRESH = "max-age=3600"


@router.get("/items", summary="Find items", dependencies=[UnlessKnown], responses=problems(422, 503))
def find_items(query: Annotated[ItemsQuery, Query()], recommender: CurrentRecommender) -> ItemsFound:
    """Search titles and metadata, or list all items by popularity."""
    return recommender.search(query)


@router.get(
    "/items/{item_id}", summary="Look at an item", dependencies=[UnlessKnown], responses=problems(404, 422, 503)
)
def get_item(item_id: ItemIdInPath, recommender: CurrentRecommender) -> ItemDetail:
    """Return an item with its concept weights and the dimensions on which it stands out."""
    return recommender.item(item_id)


@router.get(
    "/items/{item_id}/similar",
    summary="Find an item's neighbours",
    dependencies=[UnlessKnown],
    responses=problems(404, 422, 503),
)
def get_similar_items(
    item_id: ItemIdInPath, query: Annotated[SimilarQuery, Query()], recommender: CurrentRecommender
) -> SimilarItems:
    """Return the items whose embeddings are nearest, by cosine."""
    return recommender.similar(item_id, query.n)


@router.get(
    "/items/{item_id}/walk",
    summary="Walk from an item along one dimension",
    dependencies=[UnlessKnown],
    responses=problems(404, 422, 503),
)
def walk_from_item(
    item_id: ItemIdInPath, query: Annotated[WalkQuery, Query()], recommender: CurrentRecommender
) -> WalkAnswer:
    """List items that resemble the starting item and move along one dimension, from its low end to its high end.

    The range in which the item stays with its concept is cut into subranges that hold equally many of the concept's
    items, and one item is chosen from each, so that all resemble the start and each other in everything but this
    dimension.
    """
    return recommender.walk_from_item(item_id, query)


@router.get(
    "/items/{item_id}/picture",
    summary="Show an item's picture",
    response_class=Response,
    responses=picture_content() | problems(404, 422, 503),
)
def get_picture(item_id: ItemIdInPath, request: Request, recommender: CurrentRecommender) -> Response:
    """Return the picture that the catalogue holds of an item."""
    picture = recommender.picture(item_id)
    tag = entity_tag(picture.media_type, picture.data)  # outlives a new model that brings the same picture
    kept_by = "private" if request.app.state.settings.keys_file else "public"  # a proxy's cache asks nobody for a key
    headers = {
        **caching_headers(request, tag, f"{kept_by}, {PICTURES_STAY_FRESH}"),
        "Content-Security-Policy": PICTURE_POLICY,
        "Cross-Origin-Resource-Policy": "cross-origin",  # shops show these pictures on pages of their own
        "Macrid-Model-Version": recommender.version,
    }
    return Response(picture.data, media_type=picture.media_type, headers=headers)
