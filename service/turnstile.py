"""Whoever there is no room for is told so at the door: the request is neither parsed nor routed nor run.

Under overload most requests are refused, by the one thread that also has to serve the others, so what a refusal costs decides how
many are served (`benchmarks/overload.py`). Here it costs little more than to write the answer: what has arrived is looked at just
closely enough to know that it is one whole, plain request. Anything else goes on, to be refused by the app.
"""

import asyncio
import re

import structlog

from macrid.service.admission import Admission, busy
from macrid.service.errors import BusyError
from macrid.service.headers import Pair
from macrid.service.metrics import Metrics
from macrid.service.middleware import ON_DATA
from macrid.service.problems import answer_service_error
from macrid.service.request_log import REQUEST_ID, request_id_for

SECONDS_BETWEEN_LINES = 1.0
# What computes nothing, or is for those who run the server.
ALWAYS_OPEN = frozenset({b"/", b"/healthz", b"/readyz", b"/version", b"/metrics", b"/openapi.json"})
ALWAYS_OPEN_BELOW = (b"/web/", b"/admin/")

PLAIN_HEAD = re.compile(
    rb"(GET|POST) (/[!-\"$->@-~]*)(?:\?[!-\"$-~]*)? HTTP/1\.1\r\n((?:[!-9;-~]+:[\t -~\x80-\xff]*\r\n)+)\r\n"
)
NOT_PLAIN = frozenset({b"expect", b"upgrade", b"transfer-encoding"})


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
        self._head, self._body = answer_to_whom_there_is_no_room_for(admission)
        self._on_their_way = 0
        self._not_logged = 0
        self._log = structlog.get_logger("macrid.service.requests")

    @property
    def full(self) -> bool:
        """Whether those inside and those on their way there take all the room."""
        return self._admission.room <= self._on_their_way

    def let_in(self, path: bytes) -> None:
        """Keep room for a request that goes on to the app; it is asked for there before the event loop turns again."""
        if is_open(path):
            return
        if not self._on_their_way:
            asyncio.get_running_loop().call_soon(self._all_arrived)
        self._on_their_way += 1

    def refusal(self, arrived: bytes, common_headers: list[Pair]) -> bytes | None:
        """Return the whole answer to what has arrived between two requests, and count it; None to let it through.

        Args:
            arrived: from the first byte of a request on.
            common_headers: that the server adds to every answer.
        """
        found = PLAIN_HEAD.match(arrived)
        if found is None or is_open(found[2]):
            return None
        lines = found[3].split(b"\r\n")
        sent = {name.lower(): value.strip() for name, _, value in (line.partition(b":") for line in lines)}
        if len(sent) < len(lines) or not NOT_PLAIN.isdisjoint(sent) or (self._cross_origin and b"origin" in sent):
            return None
        length = sent.get(b"content-length", b"0")
        if not length.isdigit() or found.end() + int(length) != len(arrived):
            return None
        if sent.get(b"connection", b"keep-alive").lower() != b"keep-alive":
            return None
        self._metrics.refused_at_the_door(found[1].decode())
        self._note()
        common = b"".join([b"%b: %b\r\n" % pair for pair in common_headers])
        request_id = request_id_for(sent.get(REQUEST_ID, b"").decode("latin-1")).encode()
        return b"%b%bx-request-id: %b\r\n\r\n%b" % (self._head, common, request_id, self._body)

    def _all_arrived(self) -> None:
        self._on_their_way = 0

    def _note(self) -> None:
        if not self._not_logged:
            asyncio.get_running_loop().call_later(SECONDS_BETWEEN_LINES, self._settle)
        self._not_logged += 1

    def _settle(self) -> None:
        self._metrics.settle()
        self._log.warning("refused", requests=self._not_logged, status=BusyError.status)
        self._not_logged = 0


def is_open(path: bytes) -> bool:
    """Say whether a path is answered however many wait."""
    return path in ALWAYS_OPEN or path.startswith(ALWAYS_OPEN_BELOW)


def answer_to_whom_there_is_no_room_for(admission: Admission) -> tuple[bytes, bytes]:
    """Write what the app answers then: the head, to be gone on with, and the body."""
    response = answer_service_error(busy(admission.full_message))
    headers = (b"%b: %b" % pair for pair in (*response.raw_headers, *ON_DATA))
    lines = [b"HTTP/1.1 503 Service Unavailable", *headers, b""]
    return b"\r\n".join(lines), bytes(response.body)
