"""Executions of tools that nobody deployed leave nothing in the detector."""

from tests.support.inputs.messages import execution
from tests.support.systems.system import System
from tests.support.waiting import until


async def test_executions_of_many_invented_names_leave_no_row(system: System) -> None:
    await system.run(*(execution(f"nobody-{number}", "OSError: x") for number in range(1_000)))
    await system.deploy("parser", "a = 1")
    await system.run(
        *(execution(f"nobody-{number}") for number in range(1_000)), execution("parser")
    )

    async def counted() -> bool:
        status, health = await system.health("parser")
        return status == 200 and len(health["recent"]) == 1

    await until(counted)
    status, _ = await system.health("nobody-1")
    assert status == 404
    await system.executions_recorded("nobody-999", 2)
    await system.records(system.topics.changelog, 1)
    keys = set()
    async with system.reader(system.topics.changelog) as consumer:
        while records := await consumer.getmany(timeout_ms=500):
            keys |= {each.key for some in records.values() for each in some}
    assert keys == {b"parser"}
