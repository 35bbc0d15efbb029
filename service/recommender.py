"""The facade: every question the service answers, asked of one loaded model. Knows nothing of HTTP.

recommend, encode, walk, controls about a user, from a history
item, similar, walk, search       about items
concepts, concept, choices        about concepts
map, place_user                   where items lie, and a user among them
"""

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Literal

import numpy as np

from macrid.artifacts.catalogue import CatalogueItem, Picture
from macrid.service.answered import Answered
from macrid.service.arrays import BoolArray, Float32Array, Float64Array, Int64Array
from macrid.service.bulk import rankings_of
from macrid.service.choices import find_choices
from macrid.service.controls import find_controls
from macrid.service.encoder import Encoding
from macrid.service.errors import (
    InvalidError,
    NoMapError,
    NoPictureError,
    OtherModelError,
    Place,
    ServiceError,
    TooLargeError,
    UnknownConceptError,
    UnknownDimensionError,
    UnknownItemError,
)
from macrid.service.filters import Filters
from macrid.service.loaded_model import LoadedModel
from macrid.service.map import ItemMap, items_on_map, user_on_map
from macrid.service.presentation import (
    component_fields,
    concept_dimensions,
    concept_fields,
    concept_summaries,
    controls_fields,
    exemplars_of,
    ranked_fields,
    ranked_items,
    summaries,
    summary,
    summary_fields,
    top_dimensions,
    walked_fields,
)
from macrid.service.ranking.inverted_lists import InvertedListsRanker
from macrid.service.ranking.protocol import Ranking
from macrid.service.ranking.selection import Selection, select, taken
from macrid.service.ranking.similar import most_similar
from macrid.service.schemas import (
    BatchRecommendations,
    BatchRequest,
    Choices,
    ComponentWalk,
    ConceptDetail,
    Concepts,
    Controls,
    ControlsRequest,
    Encoded,
    EncodedComponent,
    ItemDetail,
    ItemsFound,
    ItemsOnMap,
    ItemsQuery,
    MapQuery,
    MapRequest,
    RankerUsed,
    Recommendations,
    RecommendRequest,
    SimilarItem,
    SimilarItems,
    Steering,
    TurnableComponent,
    UserOnMap,
    UserRecommendations,
    WalkAnswer,
    WalkOptions,
    WalkQuery,
    WalkRequest,
)
from macrid.service.schemas.concepts import END_EXEMPLARS
from macrid.service.steering import (
    DEPTH_BEFORE,
    alter_components,
    plan_steering,
    ranks_before,
    steering_account,
    steers,
)
from macrid.service.walk import Walk, walk
from macrid.service.why import whys

TOP_DIMENSIONS = 10
# Items among which an index finds some hundred in about a millisecond.
SEARCHED_AT_ONCE = 200_000
# Products M·K·d that score every item in about half a millisecond: in float32, and in eight bits.
SCORED_AT_ONCE, IN_EIGHT_BITS_AT_ONCE = 2_500_000, 20_000_000
# The most items that one batch may ask for: some megabytes of answer.
ITEMS_IN_BATCH = 20_000
# The most items to rank, clicks or excluded ids of a request that is answered at once.
SHORT = 200


@dataclass(frozen=True)
class Limits:
    """How much one request may ask for; see `settings.py`."""

    max_history: int = 2000
    max_exclude: int = 10_000
    max_n: int = 1000


@dataclass(frozen=True)
class Ranked:
    """A ranking and what it rests on.

    Attributes:
        history: item indices that were encoded, sorted; none in a ranking by popularity.
        encoding: the components that ranked, altered ones included, and their confidences; None by popularity.
        weights: (K,) concept weights, None when all are 1.
        ranking: the items.
    """

    history: Int64Array
    encoding: Encoding | None
    weights: Float64Array | None
    ranking: Ranking


@dataclass(frozen=True)
class Asked:
    """A request for recommendations that has been checked.

    Attributes:
        request: as it was sent.
        history: the known items of its history, sorted and without repeats.
        unknown: the ids of its history that are not known.
        excluded: the known items that it excludes, sorted and without repeats.
        allowed: (M,) which items its filter allows, None for all.
    """

    request: RecommendRequest
    history: Int64Array
    unknown: list[str]
    excluded: Int64Array
    allowed: BoolArray | None

    @cached_property
    def selection(self) -> Selection:
        """What is to be seen of the ranking."""
        return selection_of(self.request, self.request.offset + self.request.n)

    @property
    def left_out(self) -> Int64Array:
        """What may not be recommended, where nothing is steered."""
        if not self.request.exclude_history:
            return self.excluded
        return np.union1d(self.excluded, self.history) if len(self.excluded) else self.history

    @property
    def is_plain(self) -> bool:
        """Whether it is answered by the ranking for its history as it is."""
        return len(self.history) > 0 and self.allowed is None and not steers(self.request) and self.selection.is_plain


class Recommender:
    """Answers from one loaded model. Reads only, so any number of threads may ask at once."""

    def __init__(self, model: LoadedModel, limits: Limits) -> None:
        """Take a model and the limits of a request."""
        self.model = model
        self._limits = limits
        self._filters = Filters(model.bundle.catalogue)
        places = model.bundle.item_places
        self._map = None if places is None else ItemMap(model, places)

    @property
    def version(self) -> str:
        """The model version that every answer carries."""
        return self.model.version

    def answers_at_once(self, request: RecommendRequest) -> bool:
        """Say whether a request takes so little time that nobody minds waiting: a plain one, of an index or a small catalogue."""
        if request.filter is not None or request.explain or request.diversity or request.per_concept is not None:
            return False  # a filter may read the whole catalogue, and a cap may search it
        if max(request.offset + request.n, len(request.history), len(request.exclude)) > SHORT:
            return False
        products = math.prod(self.model.shape)
        if self.model.encoder.goes_by_every_item and products > SCORED_AT_ONCE:
            return False
        if isinstance(self.model.ranker, InvertedListsRanker):
            return self.model.shape[0] <= SEARCHED_AT_ONCE
        return products <= (SCORED_AT_ONCE if self.model.scored_items.in_eight_bits is None else IN_EIGHT_BITS_AT_ONCE)

    # About a user

    def recommend(self, request: RecommendRequest) -> Recommendations:
        """Rank items for a history; with nothing known of the user, the most popular ones.

        Raises:
            OtherModelError: the request was made for another model version.
            TooLargeError: the history, what is liked or disliked, or the excluded items are more than the limits allow.
            InvalidError: n is; or a wish to steer cannot be understood, see `plan_steering`; or the filter, see `Filters`.
        """
        return self.answer(request).checked()

    def answer(self, request: RecommendRequest) -> Answered:
        """Return the same as it is written; see `recommend` for what it raises."""
        return self._answer(self._understand(request))

    def answer_each(self, requests: Sequence[RecommendRequest]) -> list[Answered | ServiceError]:
        """Answer requests together: what `answer` returns or raises for each, in less time than one after the other."""
        outcomes: dict[int, Answered | ServiceError] = {}
        plain: dict[int, list[tuple[int, Asked]]] = {}  # by how many items are asked for
        for at, request in enumerate(requests):
            try:
                asked = self._understand(request)
                if asked.is_plain:
                    plain.setdefault(asked.selection.n, []).append((at, asked))
                else:
                    outcomes[at] = self._answer(asked)
            except ServiceError as error:
                outcomes[at] = error.with_traceback(None)  # which would hold this frame, and so the model
        for n, group in plain.items():
            encodings = self.model.encoder.encode_each([asked.history for _, asked in group])
            components = np.stack([encoding.components for encoding in encodings])  # (U, K, d)
            rankings = self.model.ranker.rank_each(components, n, [asked.left_out for _, asked in group])
            for (at, asked), encoding, ranking in zip(group, encodings, rankings, strict=True):
                ranked = Ranked(asked.history, encoding, None, ranking)
                outcomes[at] = self._answered(asked.request, ranked, asked.unknown)
        return [outcomes[at] for at in range(len(requests))]

    def recommend_batch(self, request: BatchRequest) -> BatchRecommendations:
        """Rank items for many histories at once.

        Raises:
            OtherModelError: the request was made for another model version.
            TooLargeError: a history is longer than the limits allow.
            InvalidError: n is more than the limits allow, or too many items are asked for in all.
        """
        self._check_made_for(request.model_version)
        self._check_n("body", request.n)
        if request.n * len(request.histories) > ITEMS_IN_BATCH:
            message = f"at most {ITEMS_IN_BATCH} items can be asked for in all, for {len(request.histories)} users"
            raise InvalidError("body", "n", message)
        looked_up = [self._look_up_history(history) for history in request.histories]
        histories = [known for known, _ in looked_up]
        rankings = rankings_of(self.model, histories, request.n, exclude_history=request.exclude_history)
        users = []
        for (known, unknown), ranking in zip(looked_up, rankings, strict=True):
            nothing: list[None] = [None] * len(ranking.indices)
            scores = ranking.scores.tolist() if len(known) else nothing
            items = ranked_items(self.model, ranking.indices, ranking.concepts, scores)
            fallback: Literal["popular"] | None = None if len(known) else "popular"
            users.append(UserRecommendations(fallback=fallback, unknown_items=unknown, items=items))
        return BatchRecommendations(model_version=self.version, users=users)

    def encode(self, history: Sequence[str], model_version: str | None = None) -> Encoded:
        """Encode a history into components; there are none when no id is known.

        Raises:
            OtherModelError: the request was made for another model version.
            TooLargeError: the history is longer than the limits allow.
        """
        self._check_made_for(model_version)
        known, unknown = self._look_up_history(history)
        components = []
        if len(known):
            encoding = self.model.encoder.encode(known)
            components = [
                EncodedComponent.model_validate({**fields, "vector": vector})
                for fields, vector in zip(
                    component_fields(self.model, encoding), encoding.components.tolist(), strict=True
                )
            ]
        return Encoded(model_version=self.version, unknown_items=unknown, components=components)

    def walk_from_component(self, request: WalkRequest) -> ComponentWalk:
        """Walk from a user's component along one dimension, over the items of its concept that are new to the user.

        Raises:
            OtherModelError: the request was made for another model version.
            TooLargeError: the history is longer than the limits allow.
            UnknownConceptError: there is no such concept.
            UnknownDimensionError: there is no such dimension.
            InvalidError: no id of the history is known, so there is no component; or the concept has no items; or the filter
                cannot be understood, see `Filters`.
        """
        self._check_made_for(request.model_version)
        self._check_concept(request.concept)
        history, _ = self._look_up_history(request.history)
        if not len(history):
            raise InvalidError(
                "body", "history", "none of the items is known, and a walk needs a component to start from"
            )
        encoding = self.model.encoder.encode(history)
        allowed = self._filters.allowed(request.filter, "body")
        found = self._walk(encoding.components[request.concept], request.concept, request, history, allowed)
        fields = walked_fields(self.model, request.concept, request.dim, found)
        component = component_fields(self.model, encoding)[request.concept]
        return ComponentWalk.model_validate({**fields, "component": component})

    def controls(self, request: ControlsRequest) -> Controls:
        """Return the dimensions that would change the user's ranking the most; none when no id is known.

        Raises:
            OtherModelError: the request was made for another model version.
            TooLargeError: the history is longer than the limits allow.
            InvalidError: n is more than the limits allow, or the filter cannot be understood, see `Filters`.
        """
        self._check_made_for(request.model_version)
        self._check_n("body", request.n)
        allowed = self._filters.allowed(request.filter, "body")
        history, unknown = self._look_up_history(request.history)
        components = []
        if len(history):
            encoding = self.model.encoder.encode(history)
            fields = component_fields(self.model, encoding)
            found = find_controls(self.model, encoding, history, request.n, request.dimensions, allowed)
            components = [
                TurnableComponent.model_validate({**fields[k], "dimensions": controls_fields(self.model, controls)})
                for k, controls in found.items()
            ]
        return Controls(model_version=self.version, unknown_items=unknown, components=components)

    # About items

    def search(self, query: ItemsQuery) -> ItemsFound:
        """Find items by words, or list them by popularity."""
        if query.q.strip():
            result = self.model.bundle.catalogue.search(query.q, limit=query.limit, offset=query.offset)
            total, indices = result.total, list(result.indices)
        else:
            total = len(self.model.by_popularity)
            indices = self.model.by_popularity[query.offset : query.offset + query.limit].tolist()
        return ItemsFound(model_version=self.version, total=total, items=summaries(self.model, indices))

    def item(self, item_id: str) -> ItemDetail:
        """Return an item with its concept weights and the dimensions on which it stands out.

        Raises:
            UnknownItemError: no item has this id.
        """
        item = self._find(item_id)
        bundle = self.model.bundle
        return ItemDetail.model_validate(
            {
                **summary_fields(self.model, item),
                "model_version": self.version,
                "popularity": int(bundle.popularity[item.index]),
                "concept_weights": bundle.concept_weights[item.index].tolist(),
                "top_dimensions": top_dimensions(self.model, item.index, TOP_DIMENSIONS),
            }
        )

    def similar(self, item_id: str, n: int) -> SimilarItems:
        """Return the items whose embeddings are nearest to an item's.

        Raises:
            UnknownItemError: no item has this id.
            InvalidError: n is more than the limits allow.
        """
        self._check_n("query", n)
        item = self._find(item_id)
        neighbours, cosines = most_similar(self.model.item_embeddings, item.index, n)
        items = self.model.bundle.catalogue.items(neighbours.tolist())
        return SimilarItems(
            model_version=self.version,
            item=summary(self.model, item),
            items=[
                SimilarItem.model_validate({**summary_fields(self.model, neighbour), "similarity": cosine})
                for neighbour, cosine in zip(items, cosines.tolist(), strict=True)
            ],
        )

    def picture(self, item_id: str) -> Picture:
        """Return an item's picture.

        Raises:
            UnknownItemError: no item has this id.
            NoPictureError: it has none.
        """
        picture = self.model.bundle.catalogue.picture(self._find(item_id).index)
        if picture is None:
            raise NoPictureError(item_id)
        return picture

    def walk_from_item(self, item_id: str, query: WalkQuery) -> WalkAnswer:
        """Walk from an item along one dimension, over the items of its concept.

        Raises:
            UnknownItemError: no item has this id.
            UnknownDimensionError: there is no such dimension.
            InvalidError: the filter cannot be understood, see `Filters`.
        """
        item = self._find(item_id)
        concept = int(self.model.main_concepts[item.index])
        allowed = self._filters.allowed(query.filter, "query")
        found = self._walk(self.model.item_embeddings[item.index], concept, query, as_indices([item.index]), allowed)
        fields = walked_fields(self.model, concept, query.dim, found)
        return WalkAnswer.model_validate({**fields, "item": summary(self.model, item)})

    # About concepts

    def concepts(self) -> Concepts:
        """Return all concepts with their exemplars."""
        return Concepts(model_version=self.version, concepts=concept_summaries(self.model))

    def concept(self, concept: int, ends: int = END_EXEMPLARS) -> ConceptDetail:
        """Return a concept with its dimensions, most important first, and so many items at each of their ends.

        Raises:
            UnknownConceptError: there is no such concept.
        """
        self._check_concept(concept)
        chosen = self.model.bundle.concepts[concept]
        exemplars = exemplars_of(self.model, chosen, ends)
        return ConceptDetail.model_validate(
            {
                **concept_fields(chosen, exemplars),
                "model_version": self.version,
                "dimensions": concept_dimensions(chosen, exemplars, ends),
            }
        )

    def choices(self) -> Choices:
        """Return questions to start a history with."""
        return Choices(model_version=self.version, choices=find_choices(self.model))

    # The map

    def map(self, query: MapQuery) -> ItemsOnMap:
        """Return where items lie, and each concept's prototype among them.

        Raises:
            NoMapError: the bundle holds no places.
        """
        return items_on_map(self._chart(), query.limit)

    def place_user(self, request: MapRequest) -> UserOnMap:
        """Return where a user's components are drawn, and the items they come from; none when no id is known.

        Raises:
            NoMapError: the bundle holds no places.
            OtherModelError: the request was made for another model version.
            TooLargeError: the history, or what is liked or disliked, is longer than the limits allow.
            InvalidError: a wish to steer cannot be understood, see `plan_steering`.
        """
        chart = self._chart()
        self._check_made_for(request.model_version)
        history, unknown = self._look_up_history(request.history)
        self._check_length("liked", request.liked, self._limits.max_history)
        self._check_length("disliked", request.disliked, self._limits.max_history)
        return user_on_map(chart, request, history, unknown)

    # Shared by several

    def _understand(self, request: RecommendRequest) -> "Asked":
        """Check a request for recommendations, and look up what it names; see `recommend` for what it raises."""
        self._check_made_for(request.model_version)
        self._check_n("body", request.n)
        allowed = self._filters.allowed(request.filter, "body")
        self._check_length("exclude", request.exclude, self._limits.max_exclude)
        history, unknown = self._look_up_history(request.history)
        return Asked(request, history, unknown, self._look_up(request.exclude), allowed)

    def _answer(self, asked: "Asked") -> Answered:
        request = asked.request
        if steers(request):
            return self._recommend_steered(request, asked.history, asked.excluded, asked.allowed, asked.unknown)
        ranked = self._rank(asked.selection, asked.history, asked.left_out, asked.allowed)
        return self._answered(request, ranked, asked.unknown)

    def _chart(self) -> ItemMap:
        if self._map is None:
            raise NoMapError(self.version)
        return self._map

    def _recommend_steered(
        self,
        request: RecommendRequest,
        history: Int64Array,
        excluded: Int64Array,
        allowed: BoolArray | None,
        unknown: list[str],
    ) -> Answered:
        """Rank twice, without steering and with it, and account for what it moved."""
        self._check_length("liked", request.liked, self._limits.max_history)
        self._check_length("disliked", request.disliked, self._limits.max_history)
        plan = plan_steering(self.model, request)
        steered = np.setdiff1d(np.union1d(history, plan.liked), plan.disliked)
        excluded_before, excluded = excluded, np.union1d(excluded, plan.disliked)
        if request.exclude_history:
            excluded_before, excluded = np.union1d(excluded_before, history), np.union1d(excluded, steered)
        unknown = list(dict.fromkeys([*unknown, *plan.unknown]))
        depth = request.offset + request.n
        if not len(steered):
            ranked = self._rank(selection_of(request, depth), steered, excluded, allowed)
            return self._answered(request, ranked, unknown)
        asked_before = selection_of(request, max(depth, DEPTH_BEFORE))
        before = self._rank(asked_before, history, excluded_before, allowed).ranking
        encoding = self.model.encoder.encode(steered)
        components, altered = alter_components(self.model, encoding.components, plan)
        after = self._select(components, selection_of(request, depth), excluded, plan.weights, allowed)
        account = steering_account(self.model, request, altered, before, after)
        ranked = Ranked(steered, replace(encoding, components=components), plan.weights, after)
        return self._answered(request, ranked, unknown, account, ranks_before(before, after))

    def _rank(
        self, selection: Selection, history: Int64Array, excluded: Int64Array, allowed: BoolArray | None
    ) -> Ranked:
        """Rank for a history as it is, by popularity when it is empty."""
        if not len(history):
            return Ranked(history, None, None, self._rank_by_popularity(selection, excluded, allowed))
        encoding = self.model.encoder.encode(history)
        ranking = self._select(encoding.components, selection, excluded, None, allowed)
        return Ranked(history, encoding, None, ranking)

    def _rank_by_popularity(self, selection: Selection, excluded: Int64Array, allowed: BoolArray | None) -> Ranking:
        """Rank without scores: what is left out and the cap count, a least score and diversity do not."""

        def rank(n: int) -> Ranking:
            ranked = self.model.by_popularity
            if allowed is not None:
                ranked = ranked[allowed[ranked]]
            head = ranked[: n + len(excluded)]
            chosen = head[~np.isin(head, excluded)][:n]
            return Ranking(chosen, np.full(len(chosen), np.nan), self.model.main_concepts[chosen], True)

        selection = replace(selection, min_score=None, diversity=0.0)
        return select(rank, selection, self.model.item_embeddings, self.model.bundle.manifest.temperature)

    def _select(
        self,
        components: Float32Array,
        selection: Selection,
        excluded: Int64Array,
        weights: Float64Array | None,
        allowed: BoolArray | None,
    ) -> Ranking:
        """Fill the places for components."""
        return select(
            lambda n: self.model.ranker.rank(components, n, excluded, weights, allowed),
            selection,
            self.model.item_embeddings,
            self.model.bundle.manifest.temperature,
        )

    def _answered(
        self,
        request: RecommendRequest,
        ranked: Ranked,
        unknown: list[str],
        steering: Steering | None = None,
        ranks_before: Sequence[int | None] | None = None,
    ) -> Answered:
        """Return the page of a ranking that was asked for, as it is answered."""
        encoding = ranked.encoding
        ranking = taken(ranked.ranking, slice(request.offset, None)) if request.offset else ranked.ranking
        ranks_before = None if ranks_before is None else ranks_before[request.offset :]
        nothing = [None] * len(ranking.indices)
        scores = nothing if encoding is None else ranking.scores.tolist()
        components = [] if encoding is None else component_fields(self.model, encoding)
        ranker: RankerUsed = "popularity" if encoding is None else self.model.ranker.name
        items = ranked_fields(
            self.model, ranking.indices, ranking.concepts, scores, ranks_before or nothing, request.offset + 1
        )
        if request.explain and encoding is not None:
            reasons = whys(self.model, ranked.history, encoding.components, ranking, ranked.weights)
            for item, why in zip(items, reasons, strict=True):
                item["why"] = why
        return Answered(
            model_version=self.version,
            fallback="popular" if encoding is None else None,
            unknown_items=unknown,
            components=components,
            items=items,
            ranking={"ranker": ranker, "certified": ranking.certified},
            steering=steering,
        )

    def _look_up_history(self, history: Sequence[str]) -> tuple[Int64Array, list[str]]:
        """Return the known items of a history, sorted and without repeats, and the ids that are not known."""
        self._check_length("history", history, self._limits.max_history)
        distinct = list(dict.fromkeys(history))
        known = self.model.indices(distinct)
        all_are = len(known) == len(distinct)
        return as_indices(known.values()), [] if all_are else [item_id for item_id in distinct if item_id not in known]

    def _look_up(self, item_ids: Sequence[str]) -> Int64Array:
        """Return the known items among some ids, sorted and without repeats."""
        return as_indices(self.model.indices(item_ids).values() if item_ids else ())

    def _find(self, item_id: str) -> CatalogueItem:
        index = self.model.bundle.catalogue.indices([item_id]).get(item_id)
        if index is None:
            raise UnknownItemError(item_id)
        return self.model.bundle.catalogue.item(index)

    def _walk(
        self,
        start: Float32Array,
        concept: int,
        query: WalkOptions,
        left_out: Int64Array,
        allowed: BoolArray | None,
    ) -> Walk:
        """Walk over a concept's items that are allowed and not left out; all count where the range is cut to the items."""
        _, _, dimensions = self.model.shape
        if not 0 <= query.dim < dimensions:
            raise UnknownDimensionError(query.dim, dimensions)
        members = self.model.members(concept)
        if not len(members):
            raise InvalidError("body", "concept", f"no item belongs to concept {concept} more than to any other")
        candidates = np.setdiff1d(members, left_out, assume_unique=True)
        return walk(
            start,
            query.dim,
            concept=concept,
            prototypes=self.model.bundle.prototypes,
            item_embeddings=self.model.item_embeddings,
            members=members,
            candidates=candidates if allowed is None else candidates[allowed[candidates]],
            steps=query.steps,
            beam=query.beam,
            gamma=query.gamma,
        )

    def _check_made_for(self, model_version: str | None) -> None:
        if model_version not in (None, self.version):
            raise OtherModelError(model_version, self.version)

    def _check_concept(self, concept: int) -> None:
        concepts = len(self.model.bundle.concepts)
        if not 0 <= concept < concepts:
            raise UnknownConceptError(concept, concepts)

    def _check_n(self, place: Place, n: int) -> None:
        if n > self._limits.max_n:
            raise InvalidError(place, "n", f"at most {self._limits.max_n} items can be asked for at once")

    def _check_length(self, field: str, item_ids: Sequence[str], limit: int) -> None:
        if len(item_ids) > limit:
            raise TooLargeError(f"{field} holds {len(item_ids)} item ids, this server accepts at most {limit}")


def selection_of(request: RecommendRequest, n: int) -> Selection:
    """Return what a request wants to see of a ranking, of its first n places."""
    return Selection(n, request.min_score, request.per_concept, request.diversity)


def as_indices(values: Iterable[int]) -> Int64Array:
    """Return item indices sorted and without repeats."""
    return np.array(sorted(set(values)), dtype=np.int64)  # of a few, in a fifth of the time of np.unique
