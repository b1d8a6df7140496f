"""A bridge that runs for all tests of a module; each test has tools of its own."""

from collections.abc import AsyncIterator
from uuid import uuid4

import pytest_asyncio

from rollguard.operations.setup import create_missing_topic_of_spans
from schemas.settings import load_settings
from tests.integration.bridge.spans_topic import BridgeSystem
from tests.support.systems.shared import Start
from tests.support.systems.workers import Workers


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def _bridge(start_shared: Start, embedded_broker: str) -> AsyncIterator[tuple[Workers, str]]:
    topic = f"otlp_spans-{uuid4().hex[:12]}"
    settings = load_settings(kafka_brokers=embedded_broker, bridge_topic=topic)
    async with start_shared(
        embedded_broker,
        "bridge",
        ROLLGUARD_BRIDGE_TOPIC=topic,
        ROLLGUARD_BRIDGE_HTTP="true",
        ROLLGUARD_BRIDGE_RENAME='{"old name": "new name"}',
        ROLLGUARD_BRIDGE_CALLER="enduser.id",
    ) as workers:
        # It waits for its topic, which the Collector may create later.
        await create_missing_topic_of_spans(settings)
        await workers.all_ready("bridge")
        yield workers, topic


@pytest_asyncio.fixture
async def bridge(_bridge: tuple[Workers, str]) -> AsyncIterator[BridgeSystem]:
    """Yield clients of the bridge."""
    workers, topic = _bridge
    async with BridgeSystem.of(workers) as system:
        system.spans_topic = topic
        yield system
