"""Follow the store: open and verify its current version, warm it up beside the one that serves, swap one reference.

A version that cannot be served is refused with a reason, which the log and `/readyz` show, and the old one serves on.
"""

import contextlib
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

import structlog

from macrid.artifacts.errors import ArtifactError
from macrid.artifacts.pointer import Pointer
from macrid.artifacts.store import Store
from macrid.service.errors import NotReadyError, ServiceError
from macrid.service.loaded_model import LoadedModel, RankerChoice
from macrid.service.memory import give_back
from macrid.service.metrics import Metrics
from macrid.service.recommender import Limits, Recommender
from macrid.service.schemas import EncodeRequest, ItemsQuery, RecommendRequest, RefusedVersion, WalkQuery

# What opening, mapping and asking a bundle can raise. Anything else is a defect of ours and should be seen as one.
UNSERVABLE = (ArtifactError, OSError, ValueError, RuntimeError, MemoryError)  # FAISS raises RuntimeError
WARM_UP_HISTORY = 5


@dataclass(frozen=True)
class Refusal:
    """A version that is not served, and why."""

    pointer: Pointer | None  # None: the store itself could not be read
    reason: str

    def described(self) -> RefusedVersion:
        """Return it as `/readyz` shows it."""
        return RefusedVersion(model_version=self.pointer.model_version if self.pointer else None, reason=self.reason)


class Reloader:
    """Holds the recommender that serves, and replaces it when the store's current version changes."""

    def __init__(
        self,
        store: Store,
        limits: Limits,
        ranker: RankerChoice,
        interval: float,
        metrics: Metrics | None = None,
        sample: Callable[[], Sequence[RecommendRequest]] = tuple,
    ) -> None:
        """Name the store and how to serve from it; nothing is opened yet.

        Args:
            store: where versions are published.
            limits: of every request.
            ranker: how items are ranked.
            interval: seconds between two looks at the store.
            metrics: where versions met are counted.
            sample: requests to warm a model up with, such as were answered lately.
        """
        self._metrics = metrics or Metrics()
        self._sample = sample
        self._looking = threading.Lock()  # the watcher and `POST /admin/reload`
        self._store = store
        self._limits = limits
        self._ranker: RankerChoice = ranker
        self._interval = interval
        self._serving: Recommender | None = None
        self._served: Pointer | None = None
        self._refusal: Refusal | None = None
        self._left_behind = False  # by a version that served before, and by opening this one
        self._stopping = threading.Event()
        self._log = structlog.get_logger("macrid.service.reload")

    def current(self) -> Recommender:
        """Return the recommender that serves now. A request asks once, and keeps what it got to its end.

        Raises:
            NotReadyError: there is none yet; says why.
        """
        serving = self._serving
        if serving is None:
            raise NotReadyError(self._why_not_ready())
        return serving

    @property
    def refused(self) -> RefusedVersion | None:
        """The version that is not served although the store says it is current, None when all is well."""
        return self._refusal.described() if self._refusal else None

    def start(self) -> threading.Thread:
        """Load the current version, then watch the store in a thread until `stop`.

        A thread, because verifying a bundle takes seconds of hashing that must not hold up requests.
        """
        self.look()
        watcher = threading.Thread(target=self._watch, name="macrid-reload", daemon=True)
        watcher.start()
        return watcher

    def stop(self) -> None:
        """Stop watching."""
        self._stopping.set()

    def look(self, *, again: bool = False) -> None:
        """Look at the store once, and swap if its current version is another one that can be served.

        Args:
            again: also try a version that was refused already.
        """
        with self._looking:
            if again:
                self._refusal = None
            if self._left_behind:  # a look later: requests that held the version before have ended, as a rule
                give_back()
                self._left_behind = False
            self._look()
            self._metrics.refused.set(self._refusal is not None)

    def _look(self) -> None:
        pointer = None
        try:
            pointer = self._store.pointer()
            if pointer is None or same_bundle(pointer, self._served):
                self._refusal = None
            elif self._refusal is None or self._refusal.pointer != pointer:
                self._swap(pointer)
        except OSError as error:  # a share that is away for a moment: seen again at the next look
            self._refuse(None, f"the store cannot be read: {error}")
        except UNSERVABLE as error:
            self._refuse(pointer, str(error))

    def _swap(self, pointer: Pointer) -> None:
        """Open, verify and warm up the current version, then let it serve."""
        began = time.monotonic()
        bundle = self._store.open_current()
        try:
            recommender = Recommender(LoadedModel.prepare(bundle, self._ranker), self._limits)
            warm_up(recommender, self._sample())
        except BaseException:
            bundle.close()
            raise
        previous, self._serving = self._serving, recommender  # the swap: one reference, atomic
        self._served, self._refusal, self._left_behind = pointer, None, True
        seconds = time.monotonic() - began
        self._log.info(
            "serving",
            model_version=recommender.version,
            instead_of=previous.version if previous else None,
            seconds=round(seconds, 3),
        )
        self._count_served(recommender, previous, seconds)

    def _count_served(self, recommender: Recommender, previous: Recommender | None, seconds: float) -> None:
        if previous is not None:
            self._metrics.model_workers.labels(previous.version).set(0)
        self._metrics.model_workers.labels(recommender.version).set(1)
        self._metrics.model_loaded.set(time.time())
        with contextlib.suppress(ValueError):  # the manifest holds text
            created = datetime.fromisoformat(recommender.model.bundle.manifest.created_at)
            self._metrics.model_created.set(created.timestamp())
        self._metrics.reloads.labels("served").inc()
        self._metrics.reload_seconds.observe(seconds)

    def _refuse(self, pointer: Pointer | None, reason: str) -> None:
        refusal = Refusal(pointer, reason)
        if refusal != self._refusal:  # once per reason, not once per look
            version = pointer.model_version if pointer else None
            serving = self._serving.version if self._serving else None
            self._metrics.reloads.labels("refused").inc()
            self._log.error("refused", model_version=version, reason=reason, still_serving=serving)
        self._refusal = refusal

    def _watch(self) -> None:
        while not self._stopping.wait(self._interval):
            self.look()

    def _why_not_ready(self) -> str:
        if self._refusal is not None:
            return f"no model is loaded: {self._refusal.reason}"
        return "no model is loaded: the store has no current version; publish one with `macrid publish`"


def same_bundle(pointer: Pointer, other: Pointer | None) -> bool:
    """Say whether two pointers name the same bundle; the same one may have been published twice."""
    return other is not None and pointer.manifest_sha256 == other.manifest_sha256


def warm_up(recommender: Recommender, sample: Sequence[RecommendRequest] = ()) -> None:
    """Ask every kind of question once, so that pages are mapped and a bundle that opens but cannot answer is refused.

    Args:
        recommender: the one that is to serve.
        sample: requests that were answered lately; what they name may be unknown now, which is no fault of the model's.
    """
    popular = recommender.search(ItemsQuery(limit=WARM_UP_HISTORY)).items
    history = [item.item_id for item in popular]
    recommender.encode(EncodeRequest(history=history).history)
    recommender.recommend(RecommendRequest(history=history, exclude_history=False, n=1))
    recommender.walk_from_item(history[0], WalkQuery(dim=0, steps=2))
    recommender.concept(recommender.concepts().concepts[0].concept)
    for request in sample:
        began = time.monotonic()
        with contextlib.suppress(ServiceError):
            recommender.recommend(request)
        time.sleep(time.monotonic() - began)  # half of the interpreter's time is for those who wait for an answer
