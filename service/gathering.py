"""Requests that arrive together are answered together: one step for all of them costs less than one step for each.

Nobody waits for company. Whoever asks first is answered at the event loop's next turn, with all who have asked by then.
"""

import asyncio

from macrid.service.answered import Answered
from macrid.service.errors import ServiceError
from macrid.service.recommender import Recommender
from macrid.service.schemas import RecommendRequest

# Requests answered in one turn of the loop, two or three milliseconds in which nothing else is done. More at once would cost
# hardly less for each, and let health checks and refusals wait.
AT_ONCE = 4
Waiting = tuple[Recommender, RecommendRequest, "asyncio.Future[Answered]"]


class Gathering:
    """Gathers requests that are answered on the event loop; of one loop, and never asked from another thread."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._waiting: list[Waiting] = []

    async def answer(self, recommender: Recommender, request: RecommendRequest) -> Answered:
        """Answer together with all who ask in the same turn of the loop; see `Recommender.answer`."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Answered] = loop.create_future()
        if not self._waiting:
            loop.call_soon(self._answer, loop)
        self._waiting.append((recommender, request, answer))
        try:
            return await answer
        finally:
            del answer  # an error's frames would hold what holds the error

    def _answer(self, loop: asyncio.AbstractEventLoop) -> None:
        now, self._waiting = self._waiting[:AT_ONCE], self._waiting[AT_ONCE:]
        if self._waiting:
            loop.call_soon(self._answer, loop)
        by_recommender: dict[Recommender, list[Waiting]] = {}
        for one in now:  # two versions only in the moment of a swap
            by_recommender.setdefault(one[0], []).append(one)
        for recommender, group in by_recommender.items():
            settle(recommender, group)


def settle(recommender: Recommender, group: list[Waiting]) -> None:
    """Answer a group that asks the same recommender."""
    outcomes: list[Answered | ServiceError] | list[Exception]
    try:
        outcomes = recommender.answer_each([request for _, request, _ in group])
    except Exception as error:  # noqa: BLE001 - a defect of ours: each is told of it, and nobody waits for ever
        outcomes = [error] * len(group)
    for (_, _, answer), outcome in zip(group, outcomes, strict=True):
        if answer.done():  # whoever asked has gone
            continue
        if isinstance(outcome, Exception):
            answer.set_exception(outcome)
        else:
            answer.set_result(outcome)
