"""The metrics of Postgres: its calls by the names of their queries, and the pool of connections."""

from collections.abc import Iterable

from prometheus_client import CollectorRegistry, Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agents.metrics.durations import OF_CALLS
from db.postgres.errors import translate
from db.postgres.pool import Pool
from schemas.errors import Locked, Misconfigured, Retryable


class PostgresMetrics:
    """Watches what a process does with Postgres (``db.postgres.pool.PoolWatch``)."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._calls = Histogram(
            "rollguard_postgres_call_duration_seconds",
            "time from sending a query to Postgres until its whole answer or its error, by the "
            "file and the block of the query; `begin`, `commit` and `rollback` are transactions'",
            labelnames=["query"],
            buckets=OF_CALLS,
            registry=registry,
        )
        self._errors = Counter(
            "rollguard_postgres_errors",
            "queries that Postgres did not answer with success: `locked` (a lock was not granted "
            "in time), `retryable`, `misconfigured`, or `other`",
            labelnames=["query", "error"],
            registry=registry,
        )
        self._waits = Histogram(
            "rollguard_postgres_pool_wait_duration_seconds",
            "time until the pool gave a connection, also of those that got none",
            buckets=OF_CALLS,
            registry=registry,
        )
        self._pools = _PoolGauge()
        registry.register(self._pools)

    def opened(self, pool: Pool) -> None:
        """Show the connections of this pool from now on."""
        self._pools.pool = pool

    def waited(self, seconds: float) -> None:
        """Observe how long a connection was waited for."""
        self._waits.observe(seconds)

    def called(self, query: str, seconds: float, error: BaseException | None) -> None:
        """Observe a call, and count its error. One that was cancelled is no error."""
        self._calls.labels(query).observe(seconds)
        if isinstance(error, Exception):
            self._errors.labels(query, _kind_of(error)).inc()


def _kind_of(error: Exception) -> str:
    match translate(error):
        case Locked():
            return "locked"
        case Retryable():
            return "retryable"
        case Misconfigured():
            return "misconfigured"
    return "other"


class _PoolGauge(Collector):
    """The connections of the pool, as they are at each request."""

    pool: Pool | None = None

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics; without a pool they have no values."""
        connections = GaugeMetricFamily(
            "rollguard_postgres_pool_connections",
            "connections to Postgres that are open: `idle`, or `used`",
            labels=["state"],
        )
        most = GaugeMetricFamily(
            "rollguard_postgres_pool_max_connections",
            "how many connections to Postgres the pool may open",
        )
        if self.pool is not None:
            idle = self.pool.get_idle_size()
            connections.add_metric(["idle"], idle)
            connections.add_metric(["used"], self.pool.get_size() - idle)
            most.add_metric([], self.pool.get_max_size())
        yield connections
        yield most
