"""How much is computed at once: a few requests in threads, a short line of others, and a plain word to the rest.

Without a bound, a server that is asked for more than it can answer answers everything too late, which is worse than answering
some in time (SRE book, chapter 21). Health checks and metrics do not come by here, so they are answered however long the line.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any, TypeVar

from fastapi import Request, Response
from fastapi.routing import APIRoute

from macrid.service.errors import BusyError
from macrid.service.metrics import Metrics

Result = TypeVar("Result")


class Admission:
    """Lets so many requests compute at once, so many wait, and none take longer than the time limit."""

    def __init__(self, threads: int, max_waiting: int, time_limit: float, metrics: Metrics) -> None:
        """Set the bounds.

        Args:
            threads: requests computed at once.
            max_waiting: requests that may wait for that.
            time_limit: seconds that a request may take, waiting included.
            metrics: where waiting, running and refusing is counted.
        """
        self.time_limit = time_limit
        self.full_message = f"{max_waiting} requests are waiting already; ask again in a moment"
        self._places = asyncio.Semaphore(threads)
        self._most_inside = threads + max_waiting
        self._inside = 0  # waiting or running
        self._metrics = metrics

    @property
    def room(self) -> int:
        """How many more requests would be let in now."""
        return self._most_inside - self._inside

    async def run(self, work: Callable[[], Coroutine[Any, Any, Response]]) -> Response:
        """Do some work when it is its turn.

        Raises:
            BusyError: the line is full, or the time is up; see `Place.in_time`.
        """
        return await self.at_a_place(lambda place: place.in_time(work()))

    async def at_a_place(self, work: Callable[["Place"], Awaitable[Response]]) -> Response:
        """Do some work when it is its turn; what of it may take long, it has its place wait for.

        Raises:
            BusyError: the line is full, or its turn did not come in time.
        """
        began = time.monotonic()
        if self.room <= 0:
            raise self._refusal("line_full", self.full_message)
        self._inside += 1
        try:
            await (self._wait_in_line() if self._places.locked() else self._places.acquire())
        except BaseException:
            self._inside -= 1
            raise
        self._metrics.waited.observe(time.monotonic() - began)
        self._metrics.running.inc()
        place = Place(self, began + self.time_limit)
        try:
            return await work(place)
        finally:
            place.leave()

    def place_free(self) -> None:
        """Take note that a place is free."""
        self._places.release()

    def gone(self) -> None:
        """Take note that a request has been answered, or given up."""
        self._inside -= 1
        self._metrics.running.dec()

    def too_late(self) -> BusyError:
        """Count that the time was up before the work was done, and return the error that says so."""
        return self._refusal("time_limit", f"the answer took longer than the {self.time_limit:g} s allowed")

    async def _wait_in_line(self) -> None:
        self._metrics.waiting.inc()
        try:
            async with asyncio.timeout(self.time_limit):
                await self._places.acquire()
        except TimeoutError:
            raise self._refusal("time_limit", f"its turn did not come within {self.time_limit:g} s") from None
        finally:
            self._metrics.waiting.dec()

    def _refusal(self, reason: str, message: str) -> BusyError:
        self._metrics.rejected[reason].inc()
        return busy(message)


def busy(message: str) -> BusyError:
    """Return the error that says so."""
    return BusyError(f"this server is busy: {message}")


class Place:
    """What a request holds while it is computed, and until what it has begun has come to an end."""

    def __init__(self, admission: Admission, until: float) -> None:
        """Belong to a request that has to be answered until then, on the clock of `time.monotonic`."""
        self._admission = admission
        self._until = until
        self._begun: asyncio.Task[Any] | None = None
        self._held = True

    async def in_time(self, work: Coroutine[Any, Any, Result]) -> Result:
        """Wait for work that may take long, as long as the request may take.

        Raises:
            BusyError: the time is up. Work that has begun cannot be stopped: it goes on to its end, and keeps the place until
                then.
        """
        self._begun = task = asyncio.create_task(work)
        await asyncio.wait({task}, timeout=max(0.0, self._until - time.monotonic()))
        if not task.done():
            raise self._admission.too_late()
        return task.result()

    def step_aside(self) -> None:
        """Let another request have the place: what follows is done on the event loop, where only one thing is ever done.

        The request still counts as one of those inside.
        """
        if self._held:
            self._held = False
            self._admission.place_free()

    def leave(self) -> None:
        """Give the place back, at once or when what has begun here ends."""
        if self._begun is None or self._begun.done():
            self._left()
        else:
            self._begun.add_done_callback(self._ended)

    def _left(self) -> None:
        self.step_aside()
        self._admission.gone()

    def _ended(self, task: "asyncio.Task[Any]") -> None:
        self._left()
        if not task.cancelled():
            task.exception()  # seen, though nobody waits for it any more


class AdmittedRoute(APIRoute):
    """A route whose handler is run by the app's `Admission`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """Return FastAPI's handler, to be run when its turn comes."""
        handle = super().get_route_handler()

        async def admit(request: Request) -> Response:
            return await admitted(request, handle)

        return admit


async def admitted(request: Request, handle: Callable[[Request], Coroutine[Any, Any, Response]]) -> Response:
    """Run a handler when its turn comes."""
    return await admission_of(request).run(lambda: handle(request))


def admission_of(request: Request) -> Admission:
    """Return the app's admission."""
    admission: Admission = request.app.state.admission
    return admission


async def in_time(seconds: float, work: Awaitable[None]) -> bool:
    """Wait for something; say whether it came in time."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        return False
    return True
