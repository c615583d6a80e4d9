"""The metrics of a server: what is counted as it happens, and what is looked up when somebody asks."""

import logging
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping
from itertools import accumulate
from time import perf_counter
from typing import Any, NamedTuple

from peewee import fn
from prometheus_client import (
    CollectorRegistry,
    Counter,
    Histogram,
    Info,
    ProcessCollector,
    disable_created_metrics,
    generate_latest,
)
from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString

from shipliftd import __version__
from shipliftd.descriptors import SERVICES
from shipliftd.store import Store
from shipliftd.store.models import Lost, Stage
from shipliftd.store.transaction import Reader

log = logging.getLogger(__name__)

_CALL_SECONDS = (0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5)
_LENGTHS = (*map(floatToGoString, _CALL_SECONDS), "+Inf")
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


class _Rpc:
    """What is counted of the calls of an rpc, all of it on the loop's thread.

    The library's own counters take a lock for each number, and cost a call more than twice as much.
    """

    def __init__(self) -> None:
        # So that a rate is 0 before the first call, and not unknown.
        self.codes = defaultdict(int, OK=0)
        # For each of _CALL_SECONDS the calls that took as long at most, and longer than the one before.
        self.buckets = [0] * (len(_CALL_SECONDS) + 1)
        self.seconds = 0.0
        self.open = 0
        # Whether its calls wait for something to come; None before the first one.
        self.is_waiting: bool | None = None


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
        self._rpcs = {method.name: _Rpc() for service in SERVICES for method in service.methods}
        self._looked_up = _LookedUp(store, look, self._rpcs)
        registry.register(self._looked_up)
        store.observe(self._committed)

    def calls(self, method: str, is_waiting: bool) -> Callable[[Any], End]:
        """What is called with each call of an rpc as it begins; what it returns, with the code of its end.

        What `is_waiting` for something to come is counted while it is open, and not timed.
        """
        rpc = self._rpcs[method]
        rpc.is_waiting = is_waiting
        codes, buckets = rpc.codes, rpc.buckets

        def begin_waiting(_context: object) -> End:
            rpc.open += 1
            return end_waiting

        def end_waiting(code: str) -> None:
            rpc.open -= 1
            codes[code] += 1

        def begin(_context: object) -> End:
            begun = perf_counter()

            def end(code: str) -> None:
                took = perf_counter() - begun
                rpc.seconds += took
                buckets[bisect_left(_CALL_SECONDS, took)] += 1
                codes[code] += 1

            return end

        return begin_waiting if is_waiting else begin

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
    """What is put together when somebody asks."""

    def __init__(self, store: Store, look: Callable[[], Now], rpcs: Mapping[str, _Rpc]) -> None:
        self._store, self._look, self._rpcs = store, look, rpcs
        # None where the store could not be asked.
        self.stored: _Stored | None = None

    def collect(self) -> Iterator[Metric]:
        """Called by the registry with each page."""
        yield from self._calls()
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

    def _calls(self) -> Iterator[Metric]:
        ended = CounterMetricFamily(
            "shipliftd_calls", "Calls that have ended, by rpc and code", labels=["method", "code"]
        )
        took = HistogramMetricFamily(
            "shipliftd_call_duration_seconds",
            "How long calls took that wait for nothing, by rpc",
            labels=["method"],
        )
        waiting = GaugeMetricFamily(
            "shipliftd_open_calls",
            "Streams and calls that wait for something to come, by rpc",
            labels=["method"],
        )
        for method, rpc in self._rpcs.items():
            for code, count in rpc.codes.items():
                ended.add_metric([method, code], count)
            if rpc.is_waiting:
                waiting.add_metric([method], rpc.open)
            elif rpc.is_waiting is not None:
                lengths = zip(_LENGTHS, accumulate(rpc.buckets), strict=True)
                took.add_metric([method], list(lengths), rpc.seconds)
        yield from (ended, took, waiting)


def _stored(reader: Reader) -> _Stored:
    leased = Stage.select(fn.COUNT(Stage.id)).where(Stage.lease_expires > 0)
    return _Stored(reader.scalar(leased), reader.scalar(Lost.select(fn.COUNT(Lost.environment))))
