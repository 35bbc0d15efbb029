"""What goes over the wire: requests and answers, with examples. This package is the vocabulary of the API.

The facade answers in these terms, so there is one description of an answer and not two to keep equal.
"""

from macrid.service.schemas.base import MAX_ITEM_ID_LENGTH, Answer, ForModel, ItemId, Part, Request
from macrid.service.schemas.concepts import ConceptDetail, ConceptDimension, Concepts, ConceptSummary
from macrid.service.schemas.controls import Control, Controls, ControlsRequest, TurnableComponent
from macrid.service.schemas.explanations import AgreeingDimension, ConceptShare, SpeakingClick, Why
from macrid.service.schemas.items import (
    ItemDetail,
    ItemsFound,
    ItemsQuery,
    ItemSummary,
    SimilarItem,
    SimilarItems,
    SimilarQuery,
    TopDimension,
)
from macrid.service.schemas.map import (
    ItemsOnMap,
    MapQuery,
    MapRequest,
    Place,
    PlacedComponent,
    PlacedConcept,
    PlacedItem,
    UserOnMap,
)
from macrid.service.schemas.operations import Health, LoadedVersion, Readiness, RefusedVersion, Version
from macrid.service.schemas.problems import FieldError, Problem
from macrid.service.schemas.ranges import BoundedRange, Range
from macrid.service.schemas.steering import (
    Adjustment,
    AppliedEdit,
    ConceptWeight,
    Critique,
    ItemThatLeft,
    SteeredComponent,
    Steering,
)
from macrid.service.schemas.users import (
    Component,
    Encoded,
    EncodedComponent,
    EncodeRequest,
    RankedItem,
    RankerUsed,
    RankingUsed,
    Recommendations,
    RecommendRequest,
)
from macrid.service.schemas.walks import (
    ComponentWalk,
    WalkAnswer,
    WalkQuery,
    WalkRequest,
    WalkStart,
    WalkStep,
)

__all__ = [
    "MAX_ITEM_ID_LENGTH",
    "Adjustment",
    "AgreeingDimension",
    "Answer",
    "AppliedEdit",
    "BoundedRange",
    "Component",
    "ComponentWalk",
    "ConceptDetail",
    "ConceptDimension",
    "ConceptShare",
    "ConceptSummary",
    "ConceptWeight",
    "Concepts",
    "Control",
    "Controls",
    "ControlsRequest",
    "Critique",
    "EncodeRequest",
    "Encoded",
    "EncodedComponent",
    "FieldError",
    "ForModel",
    "Health",
    "ItemDetail",
    "ItemId",
    "ItemSummary",
    "ItemThatLeft",
    "ItemsFound",
    "ItemsOnMap",
    "ItemsQuery",
    "LoadedVersion",
    "MapQuery",
    "MapRequest",
    "Part",
    "Place",
    "PlacedComponent",
    "PlacedConcept",
    "PlacedItem",
    "Problem",
    "Range",
    "RankedItem",
    "RankerUsed",
    "RankingUsed",
    "Readiness",
    "RecommendRequest",
    "Recommendations",
    "RefusedVersion",
    "Request",
    "SimilarItem",
    "SimilarItems",
    "SimilarQuery",
    "SpeakingClick",
    "SteeredComponent",
    "Steering",
    "TopDimension",
    "TurnableComponent",
    "UserOnMap",
    "Version",
    "WalkAnswer",
    "WalkQuery",
    "WalkRequest",
    "WalkStart",
    "WalkStep",
    "Why",
]
