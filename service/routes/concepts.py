"""Concepts: `GET /concepts`, `GET /concepts/{concept}`, `GET /choices`. Plain functions, for the reason given in `items.py`."""

from typing import Annotated

from fastapi import APIRouter, Path, Query

from macrid.service.admission import AdmittedRoute
from macrid.service.conditional import UnlessKnown
from macrid.service.current import CurrentRecommender
from macrid.service.documentation import not_modified, problems
from macrid.service.schemas import Choices, ConceptDetail, ConceptQuery, Concepts

router = APIRouter(tags=["Concepts"], route_class=AdmittedRoute, responses=not_modified())


@router.get("/concepts", summary="List the concepts", dependencies=[UnlessKnown], responses=problems(503))
def list_concepts(recommender: CurrentRecommender) -> Concepts:
    """Return all concepts, each with its size and the items that show it best."""
    return recommender.concepts()


@router.get(
    "/concepts/{concept}", summary="Look at a concept", dependencies=[UnlessKnown], responses=problems(404, 422, 503)
)
def get_concept(
    concept: Annotated[int, Path(description="Number of the concept, 0-based.", examples=[2])],
    query: Annotated[ConceptQuery, Query()],
    recommender: CurrentRecommender,
) -> ConceptDetail:
    """Return a concept with its dimensions, most important first, each with its two ends."""
    return recommender.concept(concept, query.exemplars)


@router.get("/choices", summary="Ask what somebody likes", dependencies=[UnlessKnown], responses=problems(503))
def list_choices(recommender: CurrentRecommender) -> Choices:
    """Return questions to start a history with: two small sets of items each, to choose between.

    The sets show two concepts, or the two ends of a dimension, and are equally popular as far as the items allow, so that the
    answer tells what somebody likes and not what everybody clicks.
    """
    return recommender.choices()
