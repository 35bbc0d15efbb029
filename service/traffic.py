"""What is learnt from the requests that pass: counts for the metrics, and a few of them to warm up the next model with.

The sample stays in memory, is never written anywhere, and goes with the process.
"""

from collections import deque
from typing import Annotated

from fastapi import Depends, Request

from macrid.service.metrics import Metrics
from macrid.service.schemas import Recommendations, RecommendRequest

SAMPLE_SIZE = 32
ONE_IN = 16  # the sample spans 512 recommendations, so that it is not one burst of one caller


class Traffic:
    """Notes recommendations as they are given."""

    def __init__(self, metrics: Metrics) -> None:
        """Begin with nothing seen."""
        self._metrics = metrics
        self._count = 0
        self._sample: deque[RecommendRequest] = deque(maxlen=SAMPLE_SIZE)

    def note(self, request: RecommendRequest, answer: Recommendations) -> None:
        """Count a recommendation, and now and then keep what was asked."""
        unknown = len(answer.unknown_items)
        asked = len({*request.history, *request.liked, *request.disliked})
        self._metrics.recommendations.labels(answer.fallback or "history").inc()
        self._metrics.certified.labels(answer.ranking.ranker, "yes" if answer.ranking.certified else "no").inc()
        self._metrics.history_items.labels("no").inc(unknown)
        self._metrics.history_items.labels("yes").inc(max(0, asked - unknown))
        if self._count % ONE_IN == 0:
            self._sample.append(request)
        self._count += 1

    def sample(self) -> list[RecommendRequest]:
        """Return some of the latest requests, as asked of any model."""
        return [request.model_copy(update={"model_version": None}) for request in list(self._sample)]


def traffic_of(request: Request) -> Traffic:
    """Return the app's traffic."""
    traffic: Traffic = request.app.state.traffic
    return traffic


async def _traffic(request: Request) -> Traffic:
    return traffic_of(request)


SeenTraffic = Annotated[Traffic, Depends(_traffic)]
