"""How much is computed at once: a few requests in threads, a short line of others, and a plain word to the rest.

Without a bound, a server that is asked for more than it can answer answers everything too late, which is worse than answering
some in time (SRE book, chapter 21). Health checks and metrics do not come by here, so they are answered however long the line.
"""

import asyncio
import time
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from fastapi import Request, Response
from fastapi.routing import APIRoute

from macrid.service.errors import BusyError
from macrid.service.metrics import Metrics


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
            BusyError: the line is full, or the time is up. Work that has begun cannot be stopped: it goes on to its end, and
                keeps its place until then.
        """
        began = time.monotonic()
        if self.room <= 0:
            raise self._refusal("line_full", self.full_message)
        await self._await_turn()
        self._metrics.waited.observe(time.monotonic() - began)
        self._metrics.running.inc()
        task = asyncio.create_task(work())
        task.add_done_callback(self._leave)
        await asyncio.wait({task}, timeout=max(0.0, began + self.time_limit - time.monotonic()))
        if not task.done():
            raise self._refusal("time_limit", f"the answer took longer than the {self.time_limit:g} s allowed")
        return task.result()

    async def _await_turn(self) -> None:
        self._inside += 1
        self._metrics.waiting.inc()
        try:
            if self._places.locked():
                async with asyncio.timeout(self.time_limit):
                    await self._places.acquire()
            else:
                await self._places.acquire()  # at once
        except BaseException as error:
            self._inside -= 1
            if isinstance(error, TimeoutError):
                message = f"its turn did not come within {self.time_limit:g} s"
                raise self._refusal("time_limit", message) from None
            raise
        finally:
            self._metrics.waiting.dec()

    def _leave(self, task: "asyncio.Task[Response]") -> None:
        self._inside -= 1
        self._metrics.running.dec()
        self._places.release()
        if not task.cancelled():
            task.exception()  # seen, also where nobody waits for it any more

    def _refusal(self, reason: str, message: str) -> BusyError:
        self._metrics.rejected[reason].inc()
        return busy(message)


def busy(message: str) -> BusyError:
    """Return the error that says so."""
    return BusyError(f"this server is busy: {message}")


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
    admission: Admission = request.app.state.admission
    return await admission.run(lambda: handle(request))


async def in_time(seconds: float, work: Awaitable[None]) -> bool:
    """Wait for something; say whether it came in time."""
    try:
        async with asyncio.timeout(seconds):
            await work
    except TimeoutError:
        return False
    return True
