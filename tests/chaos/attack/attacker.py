"""The attacker of a run: it attacks when the workload lets it, and throws bombs now and then."""

import asyncio
import logging
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import suppress
from random import Random
from typing import Final

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from rollguard_client.signatures.header import KafkaHeaders
from schemas.deployment import Deployment, ToolVersion
from schemas.rollback import RollbackCommand
from schemas.settings import Settings
from tests.chaos.attack.attacks import ATTACKS, Knowledge, take_id
from tests.chaos.attack.forgeries import FORGED, Forgery, refusal_headers
from tests.chaos.audit.topic_reader import follow
from tests.chaos.placement import partition_of
from tests.support.inputs.bombs import CODECS, MIB, bomb, send_batch

_BOMB_BYTES: Final = 17 * MIB
"""More than any batch may have. The audit unpacks it, so it is no larger."""
_BOMBS: Final = 12
"""The most bombs of a run, because the audit keeps what it reads in memory."""
_BOMB_SHARE: Final = 0.03
_TAKES_ID: Final = 0.08
"""How often an id is used first."""

log = logging.getLogger(__name__)


class Attacker:
    """Makes forged records. ``attacks`` counts them by kind."""

    def __init__(self, settings: Settings, versions: Mapping[str, ToolVersion]) -> None:
        self._settings = settings
        self._known = Knowledge(versions)
        self._bombs: asyncio.Queue[tuple[str, str, str]] = asyncio.Queue(_BOMBS)
        self._bombs_left = _BOMBS
        self.attacks: Counter[str] = Counter()

    async def run(self) -> None:
        """Read `tool-versions` and throw bombs, until this is cancelled."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._read_versions())
            tasks.create_task(self._throw_bombs())

    async def attack(self, tool: str, draw: Random) -> Sequence[Forgery]:
        """Return the records of an attack on the tool, or on others."""
        if self._bombs_left and draw.random() < _BOMB_SHARE:
            self._bombs_left -= 1
            topic = draw.choice(("tool-executions", "tool-deployments", "rollback-commands"))
            self._bombs.put_nowait((topic, tool, draw.choice(list(CODECS))))
            return []
        [attack] = draw.choices(list(ATTACKS), list(ATTACKS.values()))
        forgeries = await attack(self._known, tool, draw)
        if forgeries:
            self.attacks[attack.__name__] += 1
        return forgeries

    def before(self, message: Deployment | RollbackCommand, draw: Random) -> Sequence[Forgery]:
        """Return what the attacker sends just before a message, to use its id first."""
        if draw.random() >= _TAKES_ID:
            return []
        self.attacks["take_id"] += 1
        return [take_id(message, draw)]

    def overhear(self, topic: str, tool: str, value: bytes, headers: KafkaHeaders) -> None:
        """Keep a signed record of an honest producer."""
        self._known.overheard.append(Forgery(topic, tool, value, headers))

    async def _read_versions(self) -> None:
        async for record in follow(self._settings, "tool-versions"):
            if FORGED not in dict(record.headers):
                self._known.version_records.append(record)

    async def _throw_bombs(self) -> None:
        async with AIOKafkaProducer(
            bootstrap_servers=list(self._settings.kafka_brokers)
        ) as producer:
            while True:
                topic, tool, codec = await self._bombs.get()
                headers = refusal_headers("was not unpacked")
                made = await asyncio.to_thread(
                    bomb, codec, _BOMB_BYTES, _BOMB_BYTES, tool.encode(), headers
                )
                with suppress(KafkaError, OSError, TimeoutError, AssertionError, KeyError):
                    await send_batch(producer, topic, partition_of(tool), made)
                    self.attacks["bomb"] += 1
