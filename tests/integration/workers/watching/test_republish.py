"""The detector republishes its rows before compaction, and the applier the current versions."""

from pathlib import Path

import msgspec
import pytest

from schemas.deployment import ToolVersion
from tests.support.inputs.messages import execution
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(360)


async def test_an_old_row_and_an_old_version_do_not_remain_the_last_records(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    roles = ("detector", "applier")
    started = System.started(
        kafka, database_dsn, topic_prefix, tmp_path, roles, ROLLGUARD_REFRESH_S="2"
    )
    async with started as system:
        await system.deploy("parser", "a")
        await system.deploy("parser", "b")
        await system.activation_judged("parser", 2)  # so that an older row is there, too
        await system.run(*(execution("parser") for _ in range(3)))
        changelog, versions = system.topics.changelog, system.topics.versions

        async def folded() -> bool:
            status, health = await system.health("parser")
            return status == 200 and len(health["recent"]) == 3

        await until(folded)
        # Send an old row and an old version, as a worker may that was suspended and continued.
        old_row = (await system.records(changelog, 1))[0].value
        old_version = (await system.records(versions, 1))[0].value
        await system.send(changelog, "parser", old_row)
        await system.send(versions, "parser", old_version)

        async def is_followed(topic: str, old: bytes) -> bool:
            """Return whether a newer record follows the second copy of the old one."""
            seen = await _values(system, topic)
            return seen.count(old) >= 2 and seen[-1] != old

        await until(lambda: is_followed(versions, old_version))
        await until(lambda: is_followed(changelog, old_row))
        newest = (await _values(system, versions))[-1]
        assert ToolVersion.from_bytes(newest).version_number == 2
        read_to = msgspec.msgpack.decode((await _values(system, changelog))[-1])[0]
        assert read_to > msgspec.msgpack.decode(old_row)[0]


async def _values(system: System, topic: str) -> list[bytes]:
    """Return the values of the topic in their order; all have the same key, so one partition."""
    found: list[bytes] = []
    async with system.reader(topic) as consumer:
        while records := await consumer.getmany(timeout_ms=500):
            found += [each.value for some in records.values() for each in some]
    return found
