"""What the routes of one console share: connections, and answers that several of them want."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final, Self

from console.events.feed import Feed
from console.events.outages import Outages, OutagesNow, outages_of
from console.shared_answer import SharedAnswer
from console.states import states_of
from console.system_samples import SystemSamples
from db.postgres.errors import postgres_errors
from db.postgres.pool import Connection
from rollguard.client import EngineClient
from rollguard.management.tool_version_manager import ToolVersionManager
from rollguard.operations.dead_letters.bad_records import BadRecords
from rollguard.operations.dead_letters.dead_letters import bad_records
from rollguard.operations.overview.detector import DetectorClient
from rollguard.operations.overview.status import SystemStatus, system_status
from rollguard_client.tasks import end_tasks
from schemas.errors import Retryable
from schemas.settings import Settings

POSTGRES_S: Final = 5.0
"""How long Postgres may take for what one request asks."""
_DETECTOR_S: Final = 5.0
_SYSTEM_S: Final = 8.0
"""How long Kafka may take for the state of the system; 2 s of it are between two looks at lag."""
_SYSTEM_FRESH_S: Final = 3.0
_SYSTEM_USABLE_S: Final = 10.0
"""For how long a state is shown while a new one is asked for; that takes 2 s if there is lag."""
_OUTAGES_FRESH_S: Final = 3.0
_OUTAGES_USABLE_S: Final = 15.0
_DEAD_LETTERS_FRESH_S: Final = 15.0


class Services:
    """The connections of a console, and what it knows for a few seconds; it holds nothing else."""

    def __init__(self, settings: Settings, detector: DetectorClient) -> None:
        self.settings = settings
        self.manager = ToolVersionManager(settings=settings)
        self.detector = detector
        self.states = states_of(detector)
        self.samples = SystemSamples()
        self.system: SharedAnswer[SystemStatus] = SharedAnswer(
            self._system_now, _SYSTEM_FRESH_S, _SYSTEM_USABLE_S
        )
        self.dead_letters: SharedAnswer[BadRecords] = SharedAnswer(
            lambda: bad_records(settings), _DEAD_LETTERS_FRESH_S
        )
        self.outages: SharedAnswer[OutagesNow] = SharedAnswer(
            lambda: outages_of(detector), _OUTAGES_FRESH_S, _OUTAGES_USABLE_S
        )
        self.feed = Feed(settings, Outages(detector))

    @classmethod
    @asynccontextmanager
    async def opened(cls, settings: Settings) -> AsyncIterator[Self]:
        """Yield the services, and close their connections at the end of the block.

        Kafka, Postgres and the detector need not answer: connections are opened when they are
        needed.
        """
        detector = DetectorClient(settings, wait_s=min(_DETECTOR_S, settings.wait_s))
        async with detector:
            services = cls(settings, detector)
            reading = asyncio.ensure_future(services.feed.run())
            try:
                yield services
            finally:
                await end_tasks([reading])
                await services.manager.close()

    async def _system_now(self) -> SystemStatus:
        status = await system_status(self.settings, self.postgres, _SYSTEM_S)
        self.samples.add(status)
        return status

    async def client(self) -> EngineClient:
        """Return the client of Kafka, by which everything is changed."""
        return await self.manager.connections.client()

    @asynccontextmanager
    async def postgres(self) -> AsyncIterator[Connection]:
        """Yield a connection of the pool. Retryable if Postgres needs more than ``POSTGRES_S``."""
        try:
            async with asyncio.timeout(POSTGRES_S) as limit:
                async with self.manager.connections.postgres() as conn:
                    with postgres_errors():
                        yield conn
        except TimeoutError:
            if not limit.expired():
                raise
            raise Retryable("Postgres", f"no answer within {POSTGRES_S:g} s") from None
