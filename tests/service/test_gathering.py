"""Requests that arrive together are answered together, each with its own answer or error, and nobody waits for ever."""

import asyncio
import gc
import weakref

import pytest

from macrid.service.errors import InvalidError, OtherModelError
from macrid.service.gathering import AT_ONCE, Gathering
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import RecommendRequest


class Counting:
    """A recommender whose answer is the request itself."""

    def __init__(self, refuse=()):
        self.groups = []
        self._refuse = refuse

    def answer_each(self, requests):
        self.groups.append(list(requests))
        return [InvalidError("body", "n", str(asked)) if asked in self._refuse else asked for asked in requests]


async def ask_all(gathering, asked):
    return await asyncio.gather(*(gathering.answer(*one) for one in asked), return_exceptions=True)


def test_who_asks_alone_is_answered_alone():
    recommender = Counting()
    assert asyncio.run(ask_all(Gathering(), [(recommender, 5)])) == [5]
    assert recommender.groups == [[5]]


def test_all_who_ask_in_one_turn_are_answered_in_as_few_steps_as_are_allowed():
    recommender, requests = Counting(), list(range(2 * AT_ONCE + 3))
    assert asyncio.run(ask_all(Gathering(), [(recommender, request) for request in requests])) == requests
    assert recommender.groups == [requests[:AT_ONCE], requests[AT_ONCE : 2 * AT_ONCE], requests[2 * AT_ONCE :]]


def test_other_work_has_its_turn_between_two_steps():
    recommender, seen = Counting(), []

    async def look():
        while len(recommender.groups) < 3:
            seen.append(len(recommender.groups))
            await asyncio.sleep(0)

    async def both():
        await asyncio.gather(ask_all(Gathering(), [(recommender, at) for at in range(3 * AT_ONCE)]), look())

    asyncio.run(both())
    assert {1, 2} <= set(seen)


def test_in_the_moment_of_a_swap_each_is_answered_by_the_version_it_began_with():
    old, new = Counting(), Counting()
    answers = asyncio.run(ask_all(Gathering(), [(old, 1), (new, 2), (old, 3)]))
    assert answers == [1, 2, 3]
    assert (old.groups, new.groups) == ([[1, 3]], [[2]])


def test_one_wrong_request_is_refused_and_the_others_are_answered():
    recommender = Counting(refuse={2})
    first, wrong, last = asyncio.run(ask_all(Gathering(), [(recommender, at) for at in (1, 2, 3)]))
    assert (first, last) == (1, 3)
    assert isinstance(wrong, InvalidError)
    assert recommender.groups == [[1, 2, 3]]


def test_a_defect_is_told_to_all_it_met_and_the_next_are_answered():
    class Broken:
        def answer_each(self, requests):
            raise ZeroDivisionError

    async def ask():
        gathering = Gathering()
        return await ask_all(gathering, [(Broken(), 1), (Counting(), 2)]), await gathering.answer(Counting(), 3)

    (broken, answered), later = asyncio.run(ask())
    assert isinstance(broken, ZeroDivisionError)
    assert (answered, later) == (2, 3)


def test_who_has_gone_is_not_answered_and_hinders_nobody():
    async def ask():
        gathering, recommender = Gathering(), Counting()
        gone = asyncio.create_task(gathering.answer(recommender, 1))
        stays = asyncio.create_task(gathering.answer(recommender, 2))
        await asyncio.sleep(0)
        gone.cancel()
        with pytest.raises(asyncio.CancelledError):
            await gone
        return await stays

    assert asyncio.run(ask()) == 2


def test_a_refusal_does_not_hold_the_version_that_was_asked(recommender):
    asked = RecommendRequest(history=["item-9"], model_version="another")

    async def refused():
        version = Recommender(recommender.model, Limits())
        with pytest.raises(OtherModelError):
            await Gathering().answer(version, asked)
        return weakref.ref(version)

    gc.disable()
    try:
        assert asyncio.run(refused())() is None
    finally:
        gc.enable()
