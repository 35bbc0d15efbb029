"""What is learnt from the requests that pass: counts for the metrics, and a few of them to warm up the next model with.

The sample stays in memory, is never written anywhere, and goes with the process.
"""

from collections import deque
from collections.abc import Collection

from fastapi import Request

from macrid.service.answered import Answered
from macrid.service.metrics import Metrics
from macrid.service.schemas import BatchRecommendations, BatchRequest, RecommendRequest

SAMPLE_SIZE = 32
ONE_IN = 16  # the sample spans 512 recommendations, so that it is not one burst of one caller


class Traffic:
    """Notes recommendations as they are given."""

    def __init__(self, metrics: Metrics) -> None:
        """Begin with nothing seen."""
        self._metrics = metrics
        self._seen = 0
        self._sample: deque[RecommendRequest] = deque(maxlen=SAMPLE_SIZE)

    def note(self, request: RecommendRequest, answer: Answered) -> None:
        """Count a recommendation, and now and then keep what was asked."""
        asked = {*request.history, *request.liked, *request.disliked}
        self._count(asked, answer.unknown_items, answer.fallback)
        self._metrics.rankings_by(answer.ranking["ranker"], "yes" if answer.ranking["certified"] else "no").inc()
        if self._seen % ONE_IN == 0:
            self._sample.append(request)
        self._seen += 1

    def note_batch(self, request: BatchRequest, answer: BatchRecommendations) -> None:
        """Count the recommendations of a batch, each as one by itself; those from a history are ranked by scoring every item."""
        for history, user in zip(request.histories, answer.users, strict=True):
            self._count(set(history), user.unknown_items, user.fallback)
            self._metrics.rankings_by("popularity" if user.fallback else "exact", "yes").inc()

    def _count(self, asked: Collection[str], unknown: Collection[str], fallback: str | None) -> None:
        self._metrics.recommendations_from(fallback or "history").inc()
        self._metrics.history_items_known("no").inc(len(unknown))
        self._metrics.history_items_known("yes").inc(max(0, len(asked) - len(unknown)))

    def sample(self) -> list[RecommendRequest]:
        """Return some of the latest requests, as asked of any model."""
        return [request.model_copy(update={"model_version": None}) for request in list(self._sample)]


def traffic_of(request: Request) -> Traffic:
    """Return the app's traffic."""
    traffic: Traffic = request.app.state.traffic
    return traffic
