"""Why a version came into use: the outcome of the deployment or the rollback behind it.

The applier publishes a version before the outcome, so that the outcome comes a little later.
"""

import asyncio
import logging
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from aiokafka.errors import KafkaError

from rollguard_client.errors import RollguardError
from rollguard_client.messages.deployment import DeploymentOutcome
from rollguard_client.messages.rollback import RollbackOutcome
from rollguard_client.registry.interruption import Contained
from rollguard_client.registry.loading import LoadedTool
from rollguard_client.requests.following import Following

log = logging.getLogger("rollguard_client")

Outcome = DeploymentOutcome | RollbackOutcome
_Key = tuple[str, str, str]
_MOST: Final = 1_000
"""How many outcomes are remembered for versions that are not in use yet."""
_RETRY_S: Final = 1.0


@dataclass(frozen=True)
class Swap:
    """A version that has taken the place of another one."""

    old: LoadedTool
    new: LoadedTool
    outcome: Outcome | None
    """What made it current: a RollbackOutcome has in its ``explanation`` the rule, the evidence
    and the errors. None if it could not be read in time."""


class Swaps:
    """Finds the outcome of each swap, and then tells it."""

    def __init__(self, following: Following[Outcome], wait_s: float) -> None:
        self._following = following
        self._wait_s = wait_s
        self._outcomes: OrderedDict[_Key, Outcome] = OrderedDict()
        self._news = asyncio.Condition()
        self.callbacks: list[Callable[[Swap], None]] = []

    async def follow(self) -> None:
        """Read outcomes without end; after an error, try again."""
        while True:
            try:
                async for outcome in self._following.within_loop():
                    await self._add(outcome)
            except (RollguardError, KafkaError, OSError) as error:
                log.warning("outcomes cannot be followed: %s", error)
            await asyncio.sleep(_RETRY_S)

    async def _add(self, outcome: Outcome) -> None:
        if isinstance(outcome, RollbackOutcome):
            key = "rollback", outcome.tool_name, str(outcome.command_id)
            is_it = outcome.status == "applied"
        else:
            key = "deployment", outcome.tool_name, str(outcome.deployment_id)
            is_it = outcome.status == "created"
        if not is_it:
            return
        async with self._news:
            self._outcomes[key] = outcome
            if len(self._outcomes) > _MOST:
                self._outcomes.popitem(last=False)
            self._news.notify_all()

    async def tell(self, old: LoadedTool, new: LoadedTool) -> None:
        """Wait for the outcome at most ``wait_s`` seconds, and tell the swap."""
        by = new.version.activated_by
        key = by.kind, new.version.tool_name, str(by.id)
        try:
            await asyncio.wait_for(self._until_known(key), self._wait_s)
        except asyncio.TimeoutError:
            log.warning("the outcome of %s %s is not known", *key[::2])
        swap = Swap(old, new, self._outcomes.get(key))
        for callback in tuple(self.callbacks):
            with Contained() as call:
                callback(swap)
            if call.error is not None:
                log.error("a function of the engine has failed", exc_info=call.error)

    async def _until_known(self, key: _Key) -> None:
        async with self._news:
            await self._news.wait_for(lambda: key in self._outcomes)
