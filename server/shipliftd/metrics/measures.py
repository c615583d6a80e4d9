"""The metrics of a server: what is counted as it happens, and what is looked up when somebody asks."""

import logging
from collections.abc import Callable, Iterator
from time import perf_counter
from typing import Any, NamedTuple

from peewee import fn
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from shipliftd import __version__
from shipliftd.descriptors import SERVICES
from shipliftd.store import Store
from shipliftd.store.models import Lost, Stage
from shipliftd.store.transaction import Reader

log = logging.getLogger(__name__)

_CALL_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_COMMIT_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 10)
_BATCH_WRITES = (1, 2, 4, 8, 16, 32, 64, 128, 256)

End = Callable[[str], None]


class Now(NamedTuple):
    """What a server keeps count of itself, whether or not somebody asks."""

    runners_waiting: int
    strangers: int


class _Stored(NamedTuple):
    stages_leased: int
    environments_uncertain: int


class Metrics:
    """The metrics of one server. Belongs to its loop."""

    def __init__(self, address: str, store: Store, look: Callable[[], Now]) -> None:
        # Where they are asked for.
        self.address = address
        self._store = store
        self._registry = registry = CollectorRegistry()
        # When each was made: a line more for every counter, and the process's start tells as much.
        disable_created_metrics()  # type: ignore[no-untyped-call]
        ProcessCollector(registry=registry)
        Info("shipliftd_build", "The release that runs", registry=registry).info({"version": __version__})
        self._calls = Counter(
            "shipliftd_calls",
            "Calls that have ended, by rpc and code",
            ["method", "code"],
            registry=registry,
        )
        self._seconds = Histogram(
            "shipliftd_call_duration_seconds",
            "How long calls took that wait for nothing, by rpc",
            ["method"],
            registry=registry,
            buckets=_CALL_SECONDS,
        )
        self._open = Gauge(
            "shipliftd_open_calls",
            "Streams and calls that wait for something to come, by rpc",
            ["method"],
            registry=registry,
        )
        self._batches = Histogram(
            "shipliftd_commit_batch_writes",
            "How many writes were committed together",
            registry=registry,
            buckets=_BATCH_WRITES,
        )
        self._commits = Histogram(
            "shipliftd_commit_wait_seconds",
            "How long the first write of each batch waited until it was on disk",
            registry=registry,
            buckets=_COMMIT_SECONDS,
        )
        self.leases_lost = Counter(
            "shipliftd_leases_lost",
            "Stages that ended because nothing was heard of their runner",
            registry=registry,
        )
        self._looked_up = _LookedUp(store, look)
        registry.register(self._looked_up)
        for method in (method.name for service in SERVICES for method in service.methods):
            # So that a rate is 0 before the first call, and not unknown.
            self._calls.labels(method, "OK")
        store.observe(self._committed)

    def calls(self, method: str, is_waiting: bool) -> Callable[[Any], End]:
        """What is called with each call of an rpc as it begins; what it returns, with the code of its end.

        What `is_waiting` for something to come is counted while it is open, and not timed.
        """
        counters: dict[str, Counter] = {}

        def count(code: str) -> None:
            counter = counters.get(code)
            if counter is None:
                counter = counters[code] = self._calls.labels(method, code)
            counter.inc()

        if is_waiting:
            open_calls = self._open.labels(method)

            def begin_waiting(_context: object) -> End:
                open_calls.inc()

                def end(code: str) -> None:
                    open_calls.dec()
                    count(code)

                return end

            return begin_waiting
        seconds = self._seconds.labels(method)

        def begin(_context: object) -> End:
            begun = perf_counter()

            def end(code: str) -> None:
                seconds.observe(perf_counter() - begun)
                count(code)

            return end

        return begin

    async def page(self) -> bytes:
        """All of them as they are now, in Prometheus's text."""
        try:
            self._looked_up.stored = await self._store.listing(_stored)
        except Exception as error:
            # The others are wanted most when the store is away.
            self._looked_up.stored = None
            log.warning("metrics without what is stored", extra={"error": str(error)})
        return generate_latest(self._registry)

    def _committed(self, writes: int, seconds: float) -> None:
        self._batches.observe(writes)
        self._commits.observe(seconds)


class _LookedUp(Collector):
    """What is not counted as it happens."""

    def __init__(self, store: Store, look: Callable[[], Now]) -> None:
        self._store, self._look = store, look
        # None where the store could not be asked.
        self.stored: _Stored | None = None

    def collect(self) -> Iterator[Metric]:
        """Called by the registry with each page."""
        now = self._look()
        yield CounterMetricFamily(
            "shipliftd_strangers", "Calls without a token that is known and works", now.strangers
        )
        yield GaugeMetricFamily(
            "shipliftd_runners_waiting", "Runners and deployers that wait for a stage", now.runners_waiting
        )
        yield GaugeMetricFamily(
            "shipliftd_writes_waiting",
            "Writes that have not been taken into a batch yet",
            self._store.writes_waiting,
        )
        yield GaugeMetricFamily(
            "shipliftd_store_failing", "1 while the store takes no writes", self._store.failing
        )
        if self.stored is not None:
            yield GaugeMetricFamily(
                "shipliftd_stages_leased", "Stages that a runner has", self.stored.stages_leased
            )
            yield GaugeMetricFamily(
                "shipliftd_environments_uncertain",
                "Environments of which nobody knows what is there, since a runner was lost",
                self.stored.environments_uncertain,
            )


def _stored(reader: Reader) -> _Stored:
    leased = Stage.select(fn.COUNT(Stage.id)).where(Stage.lease_expires > 0)
    return _Stored(reader.scalar(leased), reader.scalar(Lost.select(fn.COUNT(Lost.environment))))
