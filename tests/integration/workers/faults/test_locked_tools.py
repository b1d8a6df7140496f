"""Real workers while somebody locks a tool, and while some code is slow to compare."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import asyncpg
import psutil
import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition

from streams.partitions import partition_of
from streams.topics import group_of
from tests.support.children import children_of
from tests.support.inputs.messages import deployment, execution
from tests.support.inputs.slow_code import INHERITANCE
from tests.support.systems.system import System
from tests.support.waiting import until


async def committed(system: System, tool: str) -> int:
    """Return the offset that the applier has committed for the partition of a tool."""
    consumer = AIOKafkaConsumer(
        bootstrap_servers=list(system.settings.kafka_brokers),
        group_id=group_of(system.settings, "applier"),
        enable_auto_commit=False,
    )
    await consumer.start()
    try:
        partition = partition_of(tool.encode(), system.settings.partitions)
        return await consumer.committed(TopicPartition(system.topics.deployments, partition)) or 0
    finally:
        await consumer.stop()


async def numbers(system: System, *tools: str) -> list[int]:
    """Return the highest version number of each of these tools."""
    sql = "select coalesce(max(version_number), 0) from tool_versions where tool_name = $1"
    return [(await system.query(sql, tool))[0][0] for tool in tools]


@pytest.mark.timeout(540)
async def test_a_locked_tool_waits_alone_and_nothing_is_lost_by_a_crash(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    started = System.started(kafka, database_dsn, topic_prefix, tmp_path, ("applier",))
    async with started as system:
        tools = [f"tool-{number}" for number in range(12)]
        locked = tools[0]
        await asyncio.gather(*(system.deploy(tool, "one") for tool in tools))
        operator = await asyncpg.connect(database_dsn, server_settings={"application_name": "psql"})
        transaction = operator.transaction()
        await transaction.start()
        await operator.execute("select from tool_versions where tool_name = $1 for update", locked)
        before = await committed(system, locked)
        for code in ("two", "three"):
            for tool in tools:
                await system.send(system.topics.deployments, tool, deployment(tool, code))

        async def others_are_done() -> bool:
            return await numbers(system, *tools) == [1] + [3] * 11

        await until(others_are_done)

        async def is_named() -> bool:
            status, body = await system.page("applier", "/readyz")
            told = " ".join(body["reasons"])
            return status == 503 and f"{locked!r}" in told and "by 'psql' (process" in told

        await until(is_named)
        assert (await system.page("applier", "/healthz"))[0] == 200
        assert "tools_set_aside" in system.log("applier")
        await asyncio.sleep(1.5)  # longer than the pause between two commits
        assert await committed(system, locked) >= before

        [worker] = system.running
        worker.kill()
        await worker.wait()
        await system.spawn("applier")
        await system.send(system.topics.deployments, locked, deployment(locked, "four"))
        last = deployment("another", "one")
        await system.send(system.topics.deployments, "another", last)
        await system.outcome_of(last)
        assert await numbers(system, locked) == [1]
        await transaction.rollback()
        await operator.close()

        async def all_are_done() -> bool:
            return await numbers(system, *tools) == [4] + [3] * 11

        await until(all_are_done)
        codes = await system.query(
            "select code from tool_versions where tool_name = $1 order by version_number", locked
        )
        assert [row["code"] for row in codes] == ["one", "two", "three", "four"]

        async def is_ready() -> bool:
            return (await system.page("applier", "/readyz"))[0] == 200

        await until(is_ready)


@pytest.mark.timeout(360)
async def test_a_recorder_names_who_has_locked_what_it_needs(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    started = System.started(kafka, database_dsn, topic_prefix, tmp_path, ("recorder",))
    async with started as system:
        insert = (
            "insert into tool_versions (tool_name, version_number, code, code_hash, is_current)"
            " values ('parser', 1, '', '', true) returning version_id"
        )
        [[version_id]] = await system.query(insert)
        locks = {
            "operator one": "lock table recorder_offsets in access exclusive mode",
            "operator two": "update tool_versions set improvement_reason = 'x'",
            "operator three": "select from recorder_offsets for update",
        }
        for number, (name, statement) in enumerate(locks.items(), 1):
            operator = await asyncpg.connect(
                database_dsn, server_settings={"application_name": name}
            )
            transaction = operator.transaction()
            await transaction.start()
            await operator.execute(statement)
            await system.run(execution("parser", version_id=version_id))

            async def is_named(name: str = name) -> bool:
                status, body = await system.page("recorder", "/readyz")
                told = " ".join(body.get("reasons", ()))  # nobody answers while it starts
                return status == 503 and f"locked by '{name}' (process " in told

            await until(is_named)
            assert (await system.page("recorder", "/healthz"))[0] == 200
            assert f"locked by '{name}' (process " in system.log("recorder")
            await transaction.rollback()
            await operator.close()
            await system.executions_recorded("parser", number)
        await system.all_ready("recorder")


def comparers(system: System) -> list[psutil.Process]:
    """Return the children of the applier that compare code."""
    [applier] = system.running
    return children_of(applier.pid, "agents.comparer.child")


async def another_comparer(system: System, known: list[psutil.Process]) -> psutil.Process:
    """Return a child that compares code and is none of the known ones, as soon as there is one."""
    found: list[psutil.Process] = []

    async def is_there() -> bool:
        found.extend(each for each in comparers(system) if each not in known)
        return bool(found)

    await until(is_there)
    return found[0]


@contextmanager
def suspended(process: psutil.Process) -> Iterator[None]:
    """Stop a process meanwhile, so that what it does takes longer, however fast the machine is."""
    process.suspend()
    try:
        yield
    finally:
        process.resume()


@pytest.mark.timeout(540)
async def test_slow_comparisons_of_one_tool_do_not_hold_up_another(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    started = System.started(kafka, database_dsn, topic_prefix, tmp_path, ("applier",))
    async with started as system:
        await system.deploy("slow", "x = 1")
        await system.deploy("quick", "x = 1")
        slow = [deployment("slow", f"{INHERITANCE}X = {number}\n") for number in range(2)]
        quick = comparers(system)
        await system.send(system.topics.deployments, "slow", *slow)
        with suspended(await another_comparer(system, quick)):
            for number in range(2):
                await system.deploy("quick", f"def execute(): return {number}")
            assert await numbers(system, "slow") != [3], "the slow ones were not slow"
        outcomes = [await system.outcome_of(each) for each in slow]
        assert [each.version_number for each in outcomes] == [2, 3]
