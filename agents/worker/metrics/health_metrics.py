"""The health and the lag of a worker, as they are at each request of ``/metrics``."""

import time
from collections.abc import Callable, Iterable
from typing import get_args

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from agents.worker.health_monitors import HealthMonitors
from agents.worker.liveness import Phase


class HealthMetrics(Collector):
    """What ``/healthz``, ``/readyz`` and the monitors of the worker's groups know."""

    def __init__(
        self, monitors: HealthMonitors, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Take the monitors, and the clock of their waits."""
        self._monitors = monitors
        self._clock = clock

    def collect(self) -> Iterable[Metric]:
        """Yield the metrics."""
        yield from self._health()
        yield from self._groups()
        yield from self._partitions()

    def _health(self) -> Iterable[Metric]:
        alive = GaugeMetricFamily(
            "rollguard_alive", "1 if `/healthz` answers 200, and 0 if the worker is stuck"
        )
        alive.add_metric([], self._monitors.alive().holds)
        yield alive
        ready = GaugeMetricFamily(
            "rollguard_ready", "1 if `/readyz` answers 200, and 0 if the worker waits for something"
        )
        ready.add_metric([], self._monitors.ready().holds)
        yield ready
        waits = GaugeMetricFamily(
            "rollguard_wait_seconds",
            "for how long the worker waits for another part (`Kafka`, `Postgres`, `an operator`, "
            "`a comparison`, a receiver); no value if it does not wait",
            labels=["part"],
        )
        now, longest = self._clock(), dict[str, float]()
        for each in self._monitors.waiting():
            longest[each.part] = max(longest.get(each.part, 0.0), now - each.since)
        for part, seconds in longest.items():
            waits.add_metric([part], seconds)
        yield waits

    def _groups(self) -> Iterable[Metric]:
        phases = GaugeMetricFamily(
            "rollguard_consumer_phase",
            "1 for what the worker does as a member of the group: `starting`, `rebalancing`, "
            "`recovering` (it reads its table), or `running`; 0 for the others",
            labels=["group", "phase"],
        )
        joining = GaugeMetricFamily(
            "rollguard_consumer_joining_seconds",
            "for how long the worker starts, rebalances or recovers without progress; 0 if it runs",
            labels=["group"],
        )
        assigned = GaugeMetricFamily(
            "rollguard_consumer_assigned_partitions",
            "how many partitions of the topics that it reads are the worker's",
            labels=["group"],
        )
        rebalances = CounterMetricFamily(
            "rollguard_consumer_rebalances",
            "rebalances that took partitions from the worker, if only to give them back",
            labels=["group"],
        )
        for group, monitor in self._monitors.of_groups.items():
            for phase in get_args(Phase):
                phases.add_metric([group, phase], monitor.phase == phase)
            joining.add_metric([group], monitor.joining_s)
            assigned.add_metric([group], monitor.assigned())
            rebalances.add_metric([group], monitor.rebalances())
        yield from (phases, joining, assigned, rebalances)

    def _partitions(self) -> Iterable[Metric]:
        records = GaugeMetricFamily(
            "rollguard_consumer_lag_records",
            "records of the partition that the group has not committed; a worker without "
            "partitions shows the lag of all of them, so take the maximum of all workers",
            labels=["group", "topic", "partition"],
        )
        seconds = GaugeMetricFamily(
            "rollguard_consumer_lag_seconds",
            "how old the oldest record is at most that was not handled: the time since the last "
            "one that was handled, or since there was no lag; 0 without lag, and no value while "
            "nothing is known",
            labels=["group", "topic", "partition"],
        )
        stalled = GaugeMetricFamily(
            "rollguard_consumer_stalled_seconds",
            "for how long nothing was committed for the partition although it has lag and the "
            "worker waits for nothing",
            labels=["group", "topic", "partition"],
        )
        for group, monitor in self._monitors.of_groups.items():
            for each in monitor.partitions():
                labels = [group, each.topic, str(each.partition)]
                records.add_metric(labels, each.lag)
                stalled.add_metric(labels, each.stalled_s)
                if each.lag_s is not None:
                    seconds.add_metric(labels, each.lag_s)
        yield from (records, seconds, stalled)
