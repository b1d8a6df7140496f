"""The detector's table on ``/metrics``: its rows, and what its recoveries took."""

from collections.abc import Iterable

from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from policy.state.outage_watch import KEY
from streams.driver.table import WindowTable


class TableReport(Collector):
    """Metrics that are computed at each request, because partitions move between workers."""

    def __init__(self, table: WindowTable) -> None:
        self._table = table

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        rows = GaugeMetricFamily(
            "rollguard_table_tools",
            "tools of which the detector has a row, by the partition that it owns",
            labels=["partition"],
        )
        for partition, found in self._table.all_rows().items():
            rows.add_metric([str(partition)], len(found) - (KEY in found))
        yield rows
        recoveries = self._table.recoveries
        read = CounterMetricFamily(
            "rollguard_recovered_records",
            "records of the changelog that were read to recover the table",
        )
        read.add_metric([], recoveries.records)
        yield read
        took = SummaryMetricFamily(
            "rollguard_recovery_duration_seconds",
            "recoveries of the table that were completed, and how long they took: from the first "
            "look at the rows on disk until every partition is recovered",
        )
        took.add_metric([], recoveries.completed, recoveries.seconds)
        yield took
