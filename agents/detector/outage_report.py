"""The report of outages, in the detector's log and on ``/metrics``."""

from collections.abc import Iterable

import structlog
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from policy.state.outage import OutageTimeline, changes_of
from policy.state.outage_watch import KEY, OutageWatch, decode_watch
from schemas.fields import format_time, time_of
from schemas.rules.outages import OutageRules
from streams.driver.table import WindowTable

log = structlog.get_logger()


class OutageReport:
    """Reports the outages of one detector's partitions."""

    def __init__(self, registry: CollectorRegistry, table: WindowTable, rules: OutageRules) -> None:
        self._rules = rules
        self._began = Counter(
            "rollguard_outages", "outages that began in batches that were read", registry=registry
        )
        self._deferred = Counter(
            "rollguard_doubtful_failures",
            "failures whose decision is deferred, because many other tools failed at the same time",
            registry=registry,
        )
        registry.register(_OutageGauge(table))

    def note(self, partition: int, watch: OutageWatch, timeline: OutageTimeline) -> None:
        """Report the outages that began or ended within a batch.

        ``watch`` is the state after the batch.
        """
        self._deferred.inc(len(timeline.deferred))
        for outage in changes_of(timeline):
            if outage.end_ms is None:
                self._began.inc()
                tools, failing = watch.failing_tools(self._rules)
                log.warning(
                    "outage_began",
                    partition=partition,
                    since=format_time(time_of(outage.begin_ms * 1_000)),
                    tools=tools,
                    failing=failing,
                )
            else:
                lasted_ms = outage.end_ms - outage.begin_ms
                log.warning("outage_over", partition=partition, lasted_s=round(lasted_ms / 1_000))


class _OutageGauge(Collector):
    """A gauge that is computed at each request, because partitions move between workers."""

    def __init__(self, table: WindowTable) -> None:
        self._table = table

    def collect(self) -> Iterable[Metric]:
        """Yield the metric, with one value for each partition."""
        gauge = GaugeMetricFamily(
            "rollguard_outage",
            "1 while many tools of the partition fail at once, so that decisions are deferred",
            labels=["partition"],
        )
        for partition, rows in self._table.all_rows().items():
            data = rows.get(KEY)
            if data is not None:
                gauge.add_metric([str(partition)], float(decode_watch(data).lasts))
        yield gauge
