"""What Prometheus sees, one set of metrics for each app, summed over workers (prometheus_client's multiprocess mode).

docs/operations.md lists them; a test keeps the list. No label holds anything a caller can choose freely, so the number of
series is bounded: unknown paths are one route, unknown methods one method.
"""

import contextlib
import os
from collections import Counter as CounterOf
from functools import cache
from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from macrid import __version__

WORKERS_FOLDER_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"
REFUSED = "(refused)"  # stands for the route of what the turnstile refused: nobody has looked it up
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})
SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)


class Metrics:
    """The counters of one app in one process."""

    def __init__(self) -> None:
        """Make them, all at zero."""
        self._own = own = CollectorRegistry()
        self.requests = Counter("macrid_requests", "Requests answered.", ["route", "method", "status"], registry=own)
        self.seconds = Histogram(
            "macrid_request_seconds", "From the first byte of a request to the last of its answer.", ["route"],
            buckets=SECONDS, registry=own,
        )  # fmt: skip
        self.running = Gauge(
            "macrid_running_requests", "Requests being computed.", multiprocess_mode="livesum", registry=own
        )
        self.waiting = Gauge(
            "macrid_waiting_requests", "Requests waiting for a thread.", multiprocess_mode="livesum", registry=own
        )
        self.waited = Histogram(
            "macrid_waiting_seconds", "How long requests waited for a thread.", buckets=SECONDS, registry=own
        )
        rejected = Counter(
            "macrid_rejected_requests", "Requests answered 503 because of load.", ["reason"], registry=own
        )
        self.rejected = {reason: rejected.labels(reason) for reason in ("line_full", "time_limit")}
        recommendations = Counter(
            "macrid_recommendations", "Recommendations given, by what they rest on.", ["basis"], registry=own
        )
        rankings = Counter(
            "macrid_rankings",
            "Rankings given, by whether they are proved exact.",
            ["ranker", "certified"],
            registry=own,
        )
        history_items = Counter(
            "macrid_history_items", "Item ids in histories, by whether the model knows them.", ["known"], registry=own
        )
        self.model_workers = Gauge(
            "macrid_model_workers", "Workers that serve a model version.", ["model_version"],
            multiprocess_mode="livesum", registry=own,
        )  # fmt: skip
        self.model_created = Gauge(
            "macrid_model_created_timestamp_seconds", "When the served model was exported; the oldest of the workers'.",
            multiprocess_mode="livemin", registry=own,
        )  # fmt: skip
        self.model_loaded = Gauge(
            "macrid_model_loaded_timestamp_seconds", "When the served model was swapped in; the latest of the workers'.",
            multiprocess_mode="livemax", registry=own,
        )  # fmt: skip
        self.reloads = Counter(
            "macrid_reloads", "New versions met, by whether they were served or refused.", ["outcome"], registry=own
        )
        self.reload_seconds = Histogram(
            "macrid_reload_seconds", "Opening, verifying and warming up a version.", registry=own,
            buckets=(0.1, 0.5, 1.0, 5.0, 10.0, 30.0, 60.0, 300.0),
        )  # fmt: skip
        self.refused = Gauge(
            "macrid_model_refused", "1 while the store's current version is refused by a worker.",
            multiprocess_mode="livemax", registry=own,
        )  # fmt: skip
        build = Gauge(
            "macrid_build_info", "Version of the software.", ["version"], multiprocess_mode="livemax", registry=own
        )
        build.labels(__version__).set(1)
        for outcome in ("served", "refused"):
            self.reloads.labels(outcome)
        self._refused_at_the_door: CounterOf[str] = CounterOf()
        # Looked up for every request, which takes the library longer than to count.
        self._counter_of, self._histogram_of = cache(self.requests.labels), cache(self.seconds.labels)
        self.recommendations_from, self.rankings_by = cache(recommendations.labels), cache(rankings.labels)
        self.history_items_known = cache(history_items.labels)
        if not os.environ.get(WORKERS_FOLDER_VARIABLE):
            ProcessCollector(registry=own)
            PlatformCollector(registry=own)

    def answered(self, route: str, method: str, status: int, seconds: float) -> None:
        """Count an answer."""
        self._counter_of(route, method if method in METHODS else "other", str(status)).inc()
        self._histogram_of(route).observe(seconds)

    def refused_at_the_door(self, method: str) -> None:
        """Count a refusal of the turnstile, where counting has to cost next to nothing: they are added by `settle`."""
        self._refused_at_the_door[method] += 1

    def settle(self) -> None:
        """Add up what the turnstile refused."""
        for method, count in self._refused_at_the_door.items():
            self._counter_of(REFUSED, method, "503").inc(count)
        self.rejected["line_full"].inc(self._refused_at_the_door.total())
        self._refused_at_the_door.clear()

    def exposition(self) -> bytes:
        """Write all metrics as Prometheus reads them; with several workers, those of all of them, a second ago or less."""
        self.settle()
        folder = os.environ.get(WORKERS_FOLDER_VARIABLE)
        if not folder:
            return generate_latest(self._own)
        forget_dead_workers(Path(folder))
        together = CollectorRegistry()
        MultiProcessCollector(together, path=folder)  # type: ignore[no-untyped-call]
        return generate_latest(together)


def forget_dead_workers(folder: Path) -> None:
    """Take what dead workers were doing out of the gauges; what they have counted stays."""
    for path in folder.glob("gauge_live*_*.db"):
        pid = int(path.stem.rpartition("_")[2])
        with contextlib.suppress(PermissionError):  # alive, of another user
            try:
                os.kill(pid, 0)
            except ProcessLookupError:
                mark_process_dead(pid, str(folder))  # type: ignore[no-untyped-call]
