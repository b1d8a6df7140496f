"""What a detector says of outages: in its log, and on ``/metrics``."""

from collections.abc import Iterable
from itertools import pairwise

import structlog
from prometheus_client import Counter
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector, CollectorRegistry

from policy.state.outage import OutageTimeline, is_lasting
from policy.state.outage_watch import KEY, OutageWatch, decode_watch
from schemas.fields import format_time, time_of
from schemas.outages import OutageRules
from streams.driver.table import WindowTable

log = structlog.get_logger()


class OutageReport:
    """Of the partitions of one detector."""

    def __init__(self, registry: CollectorRegistry, table: WindowTable, rules: OutageRules) -> None:
        self._rules = rules
        self._began = Counter(
            "rollguard_outages", "outages that began, in batches that were read", registry=registry
        )
        self._waiting = Counter(
            "rollguard_doubtful_failures",
            "failures that condemned nobody yet, since many other tools failed",
            registry=registry,
        )
        registry.register(_Lasting(table))

    def note(self, partition: int, watch: OutageWatch, timeline: OutageTimeline) -> None:
        """Say what began and what was over within a batch; ``watch`` stands behind it."""
        self._waiting.inc(len(timeline.deferred))
        for before, after in pairwise(timeline.known):
            if is_lasting(after) and not is_lasting(before):
                self._began.inc()
                tools, failing = watch.failing_tools(self._rules)
                log.warning(
                    "outage_began",
                    partition=partition,
                    since=format_time(time_of(after[-1].begin_ms * 1_000)),
                    tools=tools,
                    failing=failing,
                )
            elif is_lasting(before) and not is_lasting(after):
                lasted_ms = (after[-1].end_ms or 0) - after[-1].begin_ms
                log.warning("outage_over", partition=partition, lasted_s=round(lasted_ms / 1_000))


class _Lasting(Collector):
    """Looked up when it is asked for: a partition may have moved to another worker since."""

    def __init__(self, table: WindowTable) -> None:
        self._table = table

    def collect(self) -> Iterable[Metric]:
        gauge = GaugeMetricFamily(
            "rollguard_outage",
            "1 while many tools of the partition fail at once, and no version is blamed",
            labels=["partition"],
        )
        for partition, rows in self._table.all_rows().items():
            data = rows.get(KEY)
            if data is not None:
                gauge.add_metric([str(partition)], float(decode_watch(data).lasts))
        yield gauge
