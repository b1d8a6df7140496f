"""The watch over the topics while a role runs: it holds the role if they were changed.

A role counts on the number of partitions that the topics had when it started, and on their
settings. If somebody changes them, a record may lie in another partition than the role expects, or
have another time. To go on would mean wrong decisions, and dead letters for a wrong reason. So the
role waits, says why, and loses nothing.
"""

import time
from typing import Final

import structlog

from schemas.errors import Retryable, RollguardError
from schemas.settings import Settings
from streams.admin import kafka_admin
from streams.broker_topics.checks import (
    GROW_PAGE,
    check_settings,
    missing_topics,
    partition_counts,
)
from streams.retries import retry_without_limit
from streams.waits import Waits

log = structlog.get_logger()

CHECK_EVERY_S: Final = 15.0
_RECENT_S: Final = 1.0
"""For how long an answer of the broker is taken for true before records are forwarded."""
RECREATED_PAGE: Final = "docs/how-to/deploy.md"
OPERATOR: Final = "an operator"
"""The part that a held worker waits for."""


class TopicsChanged(RollguardError):
    """The topics are not as they were when this worker started; the text says what is changed."""


class TopicWatch:
    """Holds a role while its topics are not as they were when it started with ``partitions``."""

    def __init__(self, settings: Settings, partitions: int, waits: Waits) -> None:
        self._settings = settings
        self._partitions = partitions
        self._waits = waits
        self._ticket = waits.ticket()
        self._until_restart: str | None = None
        self._unchanged_at: float | None = None
        self.held: str | None = None
        """Why nothing may be handled; None if the topics are right."""

    async def check(self) -> int:
        """Ask the broker, and hold or release the role. Raises Retryable if it does not answer.

        Returns 0: it writes nothing.
        """
        try:
            self._note(self._until_restart or await self._problem())
        except Retryable:
            self._note(self.held)
            raise
        return 0

    async def require_unchanged_lately(self) -> None:
        """Do the same as ``require_unchanged``, and ask the broker at most once a second.

        To be called before records are forwarded, or passed over because somebody forwards them.
        """
        at = self._unchanged_at
        if self.held is not None or at is None or time.monotonic() - at > _RECENT_S:
            await self.require_unchanged()
            self._unchanged_at = time.monotonic()

    async def require_unchanged(self) -> None:
        """Raise TopicsChanged if the numbers of partitions have changed, or the role is held.

        To be called before a record is refused because of its partition.
        """

        async def ask() -> str | None:
            async with kafka_admin(self._settings) as admin:
                return self._other_numbers(await partition_counts(admin, self._settings))

        if self.held is None:
            self._note(await retry_without_limit(ask, self._waits))
        if self.held is not None:
            raise TopicsChanged(self.held)

    def note_created_anew(self, partition: str, ended_at: int, end: int) -> None:
        """Hold the role until its restart, because a topic that it reads was created anew."""
        self._until_restart = self._until_restart or (
            f"{partition} ended at {ended_at} and now ends at {end}: the topic was deleted and "
            "created anew: use a new ROLLGUARD_TOPIC_PREFIX, and restart all workers "
            f"({RECREATED_PAGE})"
        )
        self._note(self._until_restart)

    async def _problem(self) -> str | None:
        async with kafka_admin(self._settings) as admin:
            counts = await partition_counts(admin, self._settings)
            changed = self._other_numbers(counts) or missing_topics(counts, self._settings)
            return changed or "; ".join((await check_settings(admin, self._settings)).wrong) or None

    def _other_numbers(self, counts: dict[str, int]) -> str | None:
        """Return which topics have another number of partitions now; None if none has."""
        other = {name: count for name, count in counts.items() if count != self._partitions}
        if not other:
            return None
        listed = ", ".join(f"{name} has {count}" for name, count in sorted(other.items()))
        self._until_restart = (
            f"partitions were added: {listed}, this worker started with {self._partitions}: run "
            f"`rollguard topics --grow --republish` with ROLLGUARD_PARTITIONS={max(other.values())}"
            f", then restart all workers with ROLLGUARD_PARTITIONS_BEFORE={self._partitions} "
            f"({GROW_PAGE})"
        )
        return self._until_restart

    def _note(self, problem: str | None) -> None:
        if problem is None:
            if self.held is not None:
                log.info("topics_right_again")
            self._ticket.over()
        else:
            if problem != self.held:
                log.error("topics_changed", cause=problem)
            self._ticket.failed(OPERATOR, problem)
        self.held = problem
