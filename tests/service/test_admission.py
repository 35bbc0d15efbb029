"""How much is computed at once, who waits, who is told to come back; and that health checks do not notice."""

import asyncio
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from macrid.service.admission import Admission
from macrid.service.errors import BusyError
from macrid.service.metrics import Metrics
from macrid.service.recommender import Recommender
from tests.service.conftest import serving

BODY = {"history": ["item-9"], "n": 1}


@pytest.fixture
def held(monkeypatch):
    """Recommendations do not come to an end before this is set; `.running` is how many have begun."""
    gate, original = threading.Event(), Recommender.answer
    gate.running = 0

    def wait(self, request):
        gate.running += 1
        assert gate.wait(30)
        return original(self, request)

    def hold():
        monkeypatch.setattr(Recommender, "answer", wait)
        monkeypatch.setattr(
            Recommender, "answers_at_once", lambda *_: False
        )  # in a thread, where waiting stops nobody else

    gate.hold = hold
    yield gate
    gate.set()


def until(condition):
    deadline = time.monotonic() + 20
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def value(client, name):
    lines = client.get("/metrics").text.splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


class TestABusyServer:
    def test_some_compute_some_wait_and_the_rest_are_told_to_come_back_at_once(self, store_folder, held):
        with serving(store_folder, threads=2, max_waiting=3) as client, ThreadPoolExecutor(8) as callers:
            held.hold()
            asked = [callers.submit(client.post, "/recommend", json=BODY) for _ in range(5)]
            until(lambda: held.running == 2 and value(client, "macrid_waiting_requests") == 3)
            began = time.monotonic()
            refused = client.post("/recommend", json=BODY)
            assert time.monotonic() - began < 5
            assert refused.status_code == 503
            assert refused.headers["retry-after"] == "1"
            assert refused.json()["type"] == "urn:macrid:problem:busy"
            assert value(client, 'macrid_rejected_requests_total{reason="line_full"}') == 1
            held.set()
            assert [answer.result().status_code for answer in asked] == [200] * 5
            assert held.running == 5
            assert value(client, "macrid_running_requests") == 0
            assert client.post("/recommend", json=BODY).status_code == 200

    def test_health_checks_and_metrics_do_not_wait(self, store_folder, held):
        with serving(store_folder, threads=1, max_waiting=1) as client, ThreadPoolExecutor(2) as callers:
            held.hold()
            asked = [callers.submit(client.post, "/recommend", json=BODY) for _ in range(2)]
            until(lambda: value(client, "macrid_waiting_requests") == 1)
            for path in ("/healthz", "/readyz", "/metrics", "/version"):
                assert client.get(path).status_code == 200
            held.set()
            assert [answer.result().status_code for answer in asked] == [200, 200]

    def test_what_takes_too_long_is_answered_and_keeps_its_place_until_it_ends(self, store_folder, held):
        with serving(store_folder, threads=1, max_waiting=5, time_limit=0.2) as client:
            held.hold()
            late = client.post("/recommend", json=BODY)
            assert late.status_code == 503
            assert "longer than the 0.2 s" in late.json()["detail"]
            waited = client.get("/items")
            assert waited.status_code == 503
            assert "its turn did not come" in waited.json()["detail"]
            held.set()
            until(lambda: client.get("/items").status_code == 200)

    def test_a_failure_gives_its_place_back(self, store_folder, monkeypatch):
        with serving(store_folder, threads=1, max_waiting=0) as client:
            with monkeypatch.context() as patch:
                patch.setattr(Recommender, "answer_each", lambda *_: 1 / 0)
                assert client.post("/recommend", json=BODY).status_code == 500
            assert client.post("/recommend", json={"history": 5}).status_code == 422
            assert client.post("/recommend", json=BODY).status_code == 200


def admission(threads=1, max_waiting=0, time_limit=10.0):
    return Admission(threads, max_waiting, time_limit, Metrics())


def counted(admission, name):
    lines = admission._metrics.exposition().decode().splitlines()
    return sum(float(line.rsplit(" ", 1)[1]) for line in lines if line.startswith(name))


async def turn():
    """Let everybody go as far as they can."""
    for _ in range(10):
        await asyncio.sleep(0)


class TestAPlace:
    """What runs on the event loop itself, whether or not it waits for anything."""

    def test_who_never_waits_is_answered_at_once_and_gives_the_place_back(self):
        async def ask():
            doors = admission()
            seen = []

            async def work(place):
                seen.append((doors.room, counted(doors, "macrid_running_requests")))
                return "answer"

            answering = doors.at_a_place(work)
            with pytest.raises(StopIteration) as answered:  # it came to its end without a turn of the loop
                answering.send(None)
            assert answered.value.value == "answer"
            assert seen == [(0, 1.0)]
            assert (doors.room, counted(doors, "macrid_running_requests")) == (1, 0.0)

        asyncio.run(ask())

    def test_who_steps_aside_lets_another_in_and_still_counts(self):
        async def ask():
            doors, gates = admission(threads=1, max_waiting=1), []

            async def aside(place):
                place.step_aside()
                place.step_aside()  # there is one place to give, however often
                gates.append(asyncio.get_running_loop().create_future())
                return await gates[-1]

            inside = [asyncio.create_task(doors.at_a_place(aside)) for _ in range(2)]
            await turn()
            assert (len(gates), doors.room) == (2, 0)
            assert counted(doors, "macrid_running_requests") == 2
            with pytest.raises(BusyError, match="1 requests are waiting already"):
                await doors.at_a_place(aside)
            for gate in gates:
                gate.set_result("answer")
            assert await asyncio.gather(*inside) == ["answer", "answer"]
            assert doors.room == 2
            assert counted(doors, "macrid_running_requests") == 0

            async def stays(place):
                gates.append(asyncio.get_running_loop().create_future())
                return await gates[-1]

            after = [asyncio.create_task(doors.at_a_place(stays)) for _ in range(2)]
            await turn()
            assert len(gates) == 3  # and one place is still one
            gates[2].set_result(1)
            await turn()
            gates[3].set_result(2)
            assert await asyncio.gather(*after) == [1, 2]

        asyncio.run(ask())

    def test_the_bounds_hold_for_those_who_wait_on_the_loop(self):
        async def ask():
            doors, gates, running = admission(threads=2, max_waiting=1), [], []

            async def work(place):
                running.append(1)
                gates.append(asyncio.get_running_loop().create_future())
                return await gates[-1]

            inside = [asyncio.create_task(doors.at_a_place(work)) for _ in range(3)]
            await turn()
            assert (len(running), doors.room) == (2, 0)
            assert counted(doors, "macrid_waiting_requests") == 1
            with pytest.raises(BusyError, match="1 requests are waiting already"):
                await doors.at_a_place(work)
            gates[0].set_result("first")
            await turn()
            assert (len(running), doors.room) == (3, 1)
            gates[1].set_exception(KeyError("second"))
            inside[2].cancel()
            await turn()
            assert doors.room == 3
            assert await inside[0] == "first"
            with pytest.raises(KeyError):
                await inside[1]
            assert counted(doors, "macrid_running_requests") == counted(doors, "macrid_waiting_requests") == 0
            assert counted(doors, "macrid_waiting_seconds_count") == 3

        asyncio.run(ask())

    def test_who_goes_away_while_waiting_leaves_the_line(self):
        async def ask():
            doors, gate = admission(max_waiting=1), asyncio.Event()

            async def work(place):
                await gate.wait()

            inside, waiting = (asyncio.create_task(doors.at_a_place(work)) for _ in range(2))
            await turn()
            waiting.cancel()
            await turn()
            assert (doors.room, counted(doors, "macrid_waiting_requests")) == (1, 0.0)
            gate.set()
            await inside
            await turn()
            assert doors.room == 2

        asyncio.run(ask())

    @pytest.mark.parametrize("ends", ["well", "badly", "cancelled"])
    def test_what_takes_too_long_is_refused_and_keeps_the_place_until_it_ends(self, ends):
        async def ask():
            doors, gate = admission(time_limit=0.02), asyncio.get_running_loop().create_future()

            async def long():
                return await gate

            with pytest.raises(BusyError, match=r"longer than the 0.02 s"):
                await doors.at_a_place(lambda place: place.in_time(long()))
            assert doors.room == 0
            assert counted(doors, 'macrid_rejected_requests_total{reason="time_limit"}') == 1
            {"well": lambda: gate.set_result(1), "badly": lambda: gate.set_exception(KeyError("late")),
             "cancelled": gate.cancel}[ends]()  # fmt: skip
            await turn()
            assert doors.room == 1
            assert counted(doors, "macrid_running_requests") == 0

        asyncio.run(ask())
