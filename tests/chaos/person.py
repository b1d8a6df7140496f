"""A person who stops machines while faults happen: pins, freezes, rejects, and ends it again."""

import asyncio
from collections import Counter
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from rollguard.operations.pins import pin, unpin
from rollguard.operations.stops import freeze, reject, resume, unfreeze
from rollguard.operations.versions import VersionName
from schemas.errors import RollguardError
from schemas.settings import Settings
from tests.chaos.engines import Engines

_PAUSE_S: Final = 0.2
_NAME: Final = "ann"
VERBS: Final = {
    "pin": 3,
    "unpin": 2,
    "freeze": 3,
    "unfreeze": 2,
    "reject": 3,
    "resume": 6,
    "freeze all": 1,
}
"""How often each verb is used."""


class Person:
    """Uses verbs on some tools until ``stop``. While Postgres is away, the verbs fail.

    ``done`` counts those that did not.
    """

    def __init__(self, settings: Settings, engines: Engines, seed: int) -> None:
        self._settings = settings
        self._engines = engines
        self._random = Random(f"person {seed}")
        self._stopping = asyncio.Event()
        self.done: Counter[str] = Counter()

    def stop(self) -> None:
        """Use no other verb; ``run`` returns when the last one has ended."""
        self._stopping.set()

    async def run(self) -> None:
        """Use one verb after the other."""
        while not self._stopping.is_set():
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _PAUSE_S)
            [verb] = self._random.choices(list(VERBS), list(VERBS.values()))
            with suppress(RollguardError):
                await self._use(verb, Random(self._random.getrandbits(64)))
                self.done[verb] += 1

    async def _use(self, verb: str, draw: Random) -> None:
        settings, tools = self._settings, sorted(self._engines.versions)
        if not tools:
            return
        tool = draw.choice(tools)
        until = datetime.now(UTC) + timedelta(seconds=draw.choice((1, 3, 10)))
        match verb:
            case "pin":
                await pin(settings, tool, "chaos", _NAME, until)
            case "unpin":
                await unpin(settings, tool, _NAME)
            case "freeze":
                await freeze(settings, tool, "chaos", _NAME, until)
            case "unfreeze":
                await unfreeze(settings, tool, _NAME)
            case "reject":
                version = VersionName(version_id=draw.choice(self._engines.history[tool]))
                await reject(settings, tool, version, "chaos", _NAME)
            case "resume":
                await resume(settings, tool, _NAME)
            case _:
                second = datetime.now(UTC) + timedelta(seconds=1)
                await freeze(settings, None, "chaos", _NAME, second)
