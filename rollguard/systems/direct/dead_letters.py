"""Records that could not be used, read from Kafka and published again."""

from db.replays import RecordPosition
from rollguard.operations.dead_letters.bad_records import DeadLetterFilter
from rollguard.operations.dead_letters.causes import Causes
from rollguard.operations.dead_letters.dead_letters import (
    BadRecordInFull,
    BadRecordList,
    bad_record_with_value,
    list_bad_records,
    list_causes,
)
from rollguard.operations.dead_letters.replay import Replays, replay_matching
from rollguard.systems.direct.of_settings import OfSettings


class DirectDeadLetters(OfSettings):
    """Records that could not be used."""

    async def matching(self, wanted: DeadLetterFilter, limit: int) -> BadRecordList:
        """Return those that match, the last rejected first."""
        return await list_bad_records(self.settings, wanted, limit)

    async def causes(self, wanted: DeadLetterFilter) -> Causes:
        """Return why those that match were rejected, that with the newest record first."""
        return await list_causes(self.settings, wanted)

    async def in_full(self, position: RecordPosition) -> BadRecordInFull:
        """Return one of them with its value."""
        return await bad_record_with_value(self.settings, position)

    async def replay(self, wanted: DeadLetterFilter, done: Replays, *, force: bool) -> None:
        """Publish those that match again; the result for each is added to ``done``."""
        await replay_matching(self.settings, wanted, done, force=force)
