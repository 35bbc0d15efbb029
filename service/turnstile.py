"""Whoever there is no room for is told so at the door: a request is read to its end, and neither routed nor parsed nor run.

Under overload most requests are refused, by the one thread that also has to serve the others. There a refusal takes a tenth of
what it takes where it would have been answered (`benchmarks/overload.py`). So an answer is written in advance, and the log has a
line a second instead of one for each.
"""

import asyncio
import time
from functools import lru_cache

import structlog

from macrid.service.admission import Admission
from macrid.service.errors import BusyError
from macrid.service.metrics import Metrics
from macrid.service.middleware import DATA_POLICY, HEADERS
from macrid.service.problems import answer_service_error
from macrid.service.request_log import REQUEST_ID, request_id_for

REFUSED = "(refused)"  # stands for the route, which nobody has looked up
SECONDS_BETWEEN_LINES = 1.0
# What computes nothing, or is for those who run the server.
ALWAYS_OPEN = frozenset({b"/", b"/healthz", b"/readyz", b"/version", b"/metrics", b"/openapi.json"})
ALWAYS_OPEN_BELOW = (b"/web/", b"/admin/")

RawHeaders = list[tuple[bytes, bytes]]  # names in lower case


class Turnstile:
    """Says whom there is no room for, and what to answer them.

    What it lets through may still be refused: `Admission` has the last word.
    """

    def __init__(self, admission: Admission, metrics: Metrics, *, cross_origin: bool) -> None:
        """Stand before an app.

        Args:
            admission: knows how much room there is.
            metrics: where refusals are counted.
            cross_origin: whether pages of other origins may ask. Their answers need headers that are not written here.
        """
        self._admission = admission
        self._metrics = metrics
        self._cross_origin = cross_origin
        self._not_logged = 0
        self._log = structlog.get_logger("macrid.service.requests")

    def refusal(self, method: bytes, path: bytes, headers: RawHeaders, common_headers: RawHeaders) -> bytes | None:
        """Return the whole answer to a request that there is no room for, and count it; None to let the request through.

        Args:
            method: GET, POST, …
            path: as it was sent, without the query.
            headers: of the request.
            common_headers: that the server adds to every answer.
        """
        if method not in (b"GET", b"POST") or path in ALWAYS_OPEN or path.startswith(ALWAYS_OPEN_BELOW):
            return None
        sent = dict(headers)
        if b"expect" in sent or (self._cross_origin and b"origin" in sent):
            return None
        refusal = self._admission.refusal()
        if refusal is None:
            return None
        began = time.perf_counter()
        head, body = written(str(refusal))
        request_id = request_id_for(sent.get(REQUEST_ID.lower().encode(), b"").decode("latin-1")).encode()
        common = b"".join(b"%b: %b\r\n" % pair for pair in common_headers)
        answer = b"%b%bx-request-id: %b\r\n\r\n%b" % (head, common, request_id, body)
        self._metrics.answered(REFUSED, method.decode(), BusyError.status, time.perf_counter() - began)
        self._note()
        return answer

    def _note(self) -> None:
        if not self._not_logged:
            asyncio.get_running_loop().call_later(SECONDS_BETWEEN_LINES, self._log_all)
        self._not_logged += 1

    def _log_all(self) -> None:
        self._log.warning("refused", requests=self._not_logged, status=BusyError.status)
        self._not_logged = 0


@lru_cache(maxsize=16)
def written(message: str) -> tuple[bytes, bytes]:
    """Write the answer that an app gives to a `BusyError`: its head, to be gone on with, and its body."""
    response = answer_service_error(BusyError(message))
    security = {"Content-Security-Policy": DATA_POLICY, **HEADERS}
    headers = [*response.raw_headers, *((name.lower().encode(), value.encode()) for name, value in security.items())]
    lines = [b"HTTP/1.1 503 Service Unavailable", *(b"%b: %b" % pair for pair in headers), b""]
    return b"\r\n".join(lines), bytes(response.body)
