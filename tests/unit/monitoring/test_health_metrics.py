"""The health and the lag of a worker as Prometheus reads them, with a broker that is not there."""

import asyncio
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiokafka import TopicPartition
from prometheus_client import CollectorRegistry

from agents.worker import health_monitor
from agents.worker.health_monitors import HealthMonitors
from agents.worker.metrics.health_metrics import HealthMetrics
from rollguard_client.tasks import end_tasks
from schemas.settings import only_these_settings
from streams.offsets import Offsets
from tests.support.waiting import until

TOPIC = "tool-executions"
FIRST, SECOND = TopicPartition(TOPIC, 0), TopicPartition(TOPIC, 1)


class _Offsets:
    """Says the same offsets each time."""

    known: Mapping[TopicPartition, Offsets] = {}

    def __init__(self, *_: Any) -> None:
        pass

    async def read(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, Offsets]:
        return {tp: self.known[tp] for tp in partitions}

    async def without_records(self, _: Any) -> set[TopicPartition]:
        return set()

    async def close(self) -> None:
        pass


class _Driver:
    """Has these partitions, and has handled a record some seconds ago."""

    is_recovering = is_rebalancing = False

    def __init__(self, *ours: TopicPartition, handled_s_ago: float = 40) -> None:
        self._ours = frozenset(ours)
        self._handled_ms = round((time.time() - handled_s_ago) * 1_000)

    def assigned(self) -> frozenset[TopicPartition]:
        return self._ours

    def committed_here(self, tp: TopicPartition) -> int:
        return _Offsets.known[tp].committed

    def unread_since_ms(self, tp: TopicPartition) -> int | None:
        return self._handled_ms if tp in self._ours else None

    def rebalances(self) -> int:
        return 3

    def recovered_records(self) -> int:
        return 0


@asynccontextmanager
async def sampled(
    monkeypatch: pytest.MonkeyPatch, driver: _Driver, **offsets: Offsets
) -> AsyncIterator[tuple[HealthMonitors, CollectorRegistry]]:
    """Yield the monitors of a detector after its first sample, and their metrics."""
    monkeypatch.setattr(health_monitor, "GroupOffsets", _Offsets)
    monkeypatch.setattr(_Offsets, "known", {FIRST: offsets["first"], SECOND: offsets["second"]})
    monitors = HealthMonitors(["detector"], only_these_settings())
    registry, fake, nothing = CollectorRegistry(), driver, object()
    registry.register(HealthMetrics(monitors))
    monitor = monitors.of_groups["detector"]
    monitor.watch(fake, [TOPIC], 2, None, nothing)  # type: ignore[arg-type]
    monitor.started()
    running = asyncio.ensure_future(monitors.run())
    try:

        async def is_sampled() -> bool:
            return bool(monitor._lag.offsets)

        await until(is_sampled)
        yield monitors, registry
    finally:
        await end_tasks([running])


def lag(registry: CollectorRegistry, name: str, partition: int) -> float | None:
    labels = {"group": "detector", "topic": TOPIC, "partition": str(partition)}
    return registry.get_sample_value(f"rollguard_consumer_{name}", labels)


async def test_the_lag_of_its_own_partitions(monkeypatch: pytest.MonkeyPatch) -> None:
    driver = _Driver(FIRST, SECOND)
    offsets = {"first": Offsets(5, 12), "second": Offsets(9, 9)}
    async with sampled(monkeypatch, driver, **offsets) as (_, registry):
        assert (lag(registry, "lag_records", 0), lag(registry, "lag_records", 1)) == (7, 0)
        assert lag(registry, "lag_seconds", 0) == pytest.approx(40, abs=20)
        assert lag(registry, "lag_seconds", 1) == 0
        assert lag(registry, "stalled_seconds", 0) == 0
        group = {"group": "detector"}
        assert registry.get_sample_value("rollguard_consumer_assigned_partitions", group) == 2
        assert registry.get_sample_value("rollguard_consumer_rebalances_total", group) == 3
        phase = {"group": "detector", "phase": "running"}
        assert registry.get_sample_value("rollguard_consumer_phase", phase) == 1
        assert registry.get_sample_value("rollguard_ready") == 1


async def test_who_owns_nothing_shows_lag_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    offsets = {"first": Offsets(5, 12), "second": Offsets(9, 9)}
    async with sampled(monkeypatch, _Driver(), **offsets) as (_, registry):
        assert lag(registry, "lag_records", 0) == 7
        assert lag(registry, "lag_seconds", 0) is None, "nobody knows how old it is"
        assert lag(registry, "lag_records", 1) is None
        assert registry.get_sample_value("rollguard_ready") == 0


async def test_what_it_waits_for(monkeypatch: pytest.MonkeyPatch) -> None:
    offsets = {"first": Offsets(9, 9), "second": Offsets(9, 9)}
    async with sampled(monkeypatch, _Driver(FIRST), **offsets) as (monitors, registry):
        waits = "rollguard_wait_seconds"
        assert registry.get_sample_value(waits, {"part": "Postgres"}) is None
        monitors.waits.ticket().failed("Postgres", "refused")
        assert registry.get_sample_value(waits, {"part": "Postgres"}) == pytest.approx(0, abs=20)
        assert registry.get_sample_value("rollguard_ready") == 0
        assert registry.get_sample_value("rollguard_alive") == 1


def test_before_anything_runs_it_can_be_asked() -> None:
    registry = CollectorRegistry()
    registry.register(HealthMetrics(HealthMonitors(["detector"], only_these_settings())))
    phase = {"group": "detector", "phase": "starting"}
    assert registry.get_sample_value("rollguard_consumer_phase", phase) == 1
    assert lag(registry, "lag_records", 0) is None
