"""All tools at a glance, and the state of the system, from real workers."""

from pathlib import Path
from urllib.parse import urlencode

import pytest

from agents.detector.table_queries import MAX_GLANCES
from agents.worker.health_monitor import INTERVAL_S
from rollguard.embedded.ports import free_port
from rollguard.operations.connection import connection
from rollguard.operations.overview.status import system_status
from rollguard.operations.overview.tools import tools_at_a_glance
from tests.support.inputs.messages import execution
from tests.support.inputs.stored import begin_stop
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(360)


async def test_the_state_of_each_tool(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    async with System.started(
        *(kafka, database_dsn, topic_prefix, tmp_path, ("detector", "applier", "recorder")),
        ROLLGUARD_TOOLS='{"condemned": {"observe": ["consecutive_failures"]}}',
    ) as system:
        names = ("condemned", "healthy", "suspect", "unjudged", "was-rolled-back")
        for name in names:
            await system.deploy(name, "one")
            await system.deploy(name, "two")
        no = "ValueError: no"
        await system.run(
            *(execution(name, None) for name in ("condemned", "healthy", "suspect")),
            *(execution("condemned", no) for _ in range(3)),
            execution("suspect", no),
            *(execution("was-rolled-back", no) for _ in range(3)),
        )
        async with connection(system.settings) as conn:
            await begin_stop(conn, "pin", "suspect")
        notes: list[str] = []

        async def states() -> dict[str, str]:
            found = await tools_at_a_glance(system.settings, None, notes.append)
            return {tool.tool_name: tool.state for tool in found}

        expected = {
            "condemned": "condemned",
            "healthy": "healthy",
            "suspect": "suspect",
            "unjudged": "unjudged",
            "was-rolled-back": "unjudged",
        }

        async def as_expected() -> bool:
            return await states() == expected

        await until(as_expected)
        await system.executions_recorded("was-rolled-back", 3)
        await system.executions_recorded("suspect", 2)
        found = {
            tool.tool_name: tool
            for tool in await tools_at_a_glance(system.settings, None, notes.append)
        }
        assert notes == []
        assert [name for name, tool in found.items() if tool.pinned] == ["suspect"]
        assert found["condemned"].reason == "consecutive_failures"
        assert (found["suspect"].total_executions, found["suspect"].success_rate) == (2, 0.5)
        last = found["was-rolled-back"].last_rollback
        assert last is not None
        assert (last.reason, last.to_version_id) == (
            "consecutive_failures",
            found["was-rolled-back"].version_id,
        )
        [only] = await tools_at_a_glance(system.settings, "suspect", notes.append)
        assert only.tool_name == "suspect"

        away = system.settings.model_copy(
            update={"detector_url": f"http://127.0.0.1:{free_port()}"}
        )
        unknown = await tools_at_a_glance(away, None, notes.append)
        assert {tool.state for tool in unknown} == {"unknown"}
        assert len(notes) == 1


@pytest.mark.kafka
async def test_states_of_all_partitions_are_collected_from_their_owners(
    apache_kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    roles = ("detector", "applier")
    async with System.started(apache_kafka, database_dsn, topic_prefix, tmp_path, roles) as system:
        await system.all_ready(*roles)
        names = sorted(f"tool-{number}" for number in range(8))  # on all four partitions
        for name in names:
            await system.deploy(name, "one")
        second = await system.spawn_second_detector(ROLLGUARD_SESSION_TIMEOUT_S="30")

        async def all_known() -> bool:
            for worker in ("detector", "second"):
                status, body = await system.page(worker, "/tools")
                if status != 200 or sorted(tool["tool_name"] for tool in body["tools"]) != names:
                    return False
            return await system.is_ready("second")

        await until(all_known)
        asked = [*names, "nobody", names[0], "", "ä/?#"]
        query = urlencode([("tool", each) for each in asked])
        for worker in ("detector", "second"):
            status, body = await system.page(worker, f"/glances?{query}")
            assert (status, body["unanswered"]) == (200, [])
            assert sorted(each["tool_name"] for each in body["tools"]) == names
            assert {each["near"] for each in body["tools"]} == {None}
        many = urlencode([("tool", str(each)) for each in range(MAX_GLANCES + 1)])
        assert (await system.page("detector", f"/glances?{many}"))[0] == 422
        second.kill()
        await second.wait()

        async def some_unanswered() -> bool:
            _, body = await system.page("detector", "/tools")
            _, glances = await system.page("detector", f"/glances?{query}")
            return all(
                bool(each["unanswered"]) and 0 < len(each["tools"]) < len(names)
                for each in (body, glances)
            )

        await until(some_unanswered)


async def test_the_status_says_what_is_stuck(
    kafka: str, database_dsn: str, topic_prefix: str, tmp_path: Path
) -> None:
    roles = ("detector", "applier")
    async with System.started(kafka, database_dsn, topic_prefix, tmp_path, roles) as system:
        await system.all_ready(*roles)
        await system.deploy("parser", "one")
        await system.run(execution("parser"))

        async def committed() -> bool:
            found = await system_status(system.settings)
            return {role.role: role.lag for role in found.roles} == {
                "detector": 0,
                "applier": 0,
                "recorder": 2,  # the activation and the execution
            }

        await until(committed, 20 + INTERVAL_S)
        found = await system_status(system.settings)
        assert found.kafka is not None
        assert found.kafka.cluster_id
        assert found.kafka.brokers == list(system.settings.kafka_brokers)
        assert found.postgres is not None
        assert (found.postgres.held_rollbacks, found.postgres.pinned_tools) == (0, 0)
        assert [len(role.workers) for role in found.roles] == [1, 1, 0]
        software = found.software["rollguard"]
        assert [role.versions for role in found.roles] == [[software], [software], []]
        assert found.stuck[0] == "no recorder runs"
        assert all("the recorder handles nothing of" in text for text in found.stuck[1:])
        assert len(found.stuck) >= 2

        away = system.settings.model_copy(update={"kafka_brokers": (f"127.0.0.1:{free_port()}",)})
        found = await system_status(away)
        assert found.kafka is None
        assert found.postgres is not None
        assert found.stuck[0].startswith("Kafka: ")
