"""Answers of the console while Postgres, the detectors or Kafka do not answer."""

from uuid import uuid4

import pytest

from rollguard.embedded.ports import free_port
from rollguard.operations.connection import connection
from rollguard.operations.overview.why_waiting import stops_and_waits
from schemas.settings import load_settings
from tests.support.consoles.console import running_console
from tests.support.inputs.messages import execution
from tests.support.systems.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)


async def test_what_stops_a_tool_is_asked_on_one_connection(
    shared_system: System, tool: str
) -> None:
    """The settings name nobody, so a second connection would be an error."""
    await shared_system.deploy(tool, "one")
    nobody = load_settings(postgres_dsn=f"postgresql://me@127.0.0.1:{free_port()}/rollguard")
    health = {
        "tool_name": tool,
        "needs_rollback": True,
        "mode": None,
        "command_id": str(uuid4()),
    }
    async with connection(shared_system.settings) as conn:
        found = await stops_and_waits(nobody, health, conn)
    assert found.waits_for is not None
    assert found.waits_for.startswith("the applier, which has not decided command")
    assert (found.held_deployment, found.stops) == (None, [])
    assert found.engines == {"current": 0, "stale": 0, "failed": 0}


async def test_without_postgres_the_stream_is_told(shared_system: System, tool: str) -> None:
    made = await shared_system.deploy(tool, "one")
    await shared_system.run(execution(tool, "ValueError: no"))
    nobody = f"postgresql://me@127.0.0.1:{free_port()}/rollguard"
    async with running_console(shared_system, ROLLGUARD_POSTGRES_DSN=nobody) as console:

        async def known() -> bool:
            listed = await console.get(f"/tools?q={tool}")
            return [each["state"] for each in listed.body["tools"]] == ["suspect"]

        await until(known)
        listed = (await console.get(f"/tools?q={tool}&state=suspect")).body
        assert listed["source"] == "stream"
        assert "only what the detectors know is listed" in listed["notes"][0]
        [one] = listed["tools"]
        assert (one["version_id"], one["total_executions"]) == (made.version_id, None)
        assert one["as_of"] is not None
        html = await console.page(f"/tools?q={tool}")
        assert "only what the detectors know is listed" in html
        assert "% of the way" in html
        html = await console.page(f"/tools/{tool}")
        assert "only what the detector knows is shown" in html
        assert "How near a rollback is" in html
        assert "does not answer now" in await console.page(f"/tools/{tool}/executions")
        shown = (await console.get(f"/tools/{tool}")).body
        assert (shown["state"], shown["version_number"], shown["version"]) == ("suspect", 1, None)
        assert "only what the detector knows" in shown["notes"][0]
        health = await console.get(f"/tools/{tool}/health")
        assert (health.status, health.body["stops"]) == (200, None)
        for path in (
            *(f"/tools/{tool}/versions", f"/tools/{tool}/executions", "/rollbacks"),
            *(f"/tools/{tool}/compare?from=v1&to=v1", "/engines"),
        ):
            found = await console.get(path)
            assert (found.status, found.body["part"]) == (503, "Postgres"), path
            assert found.headers["Retry-After"]
        assert (await console.get("/dead-letters")).status == 200
        system = (await console.get("/system")).body
        assert system["postgres"] is None
        assert any("Postgres" in each for each in system["stuck"])
        published = await console.post("/executions", [])
        assert published.status == 202


async def test_without_detectors_and_kafka_postgres_is_told(
    shared_system: System, tool: str
) -> None:
    await shared_system.deploy(tool, "one")
    more = {
        "ROLLGUARD_DETECTOR_URL": f"http://127.0.0.1:{free_port()}",
        "ROLLGUARD_KAFKA_BROKERS": f"127.0.0.1:{free_port()}",
        "ROLLGUARD_WAIT_S": "1",
    }
    async with running_console(shared_system, **more) as console:
        listed = (await console.get(f"/tools?q={tool}")).body
        assert (listed["source"], listed["tools"][0]["state"]) == ("postgres", "unknown")
        assert "the states are not known" in listed["notes"][0]
        assert listed["tools"][0]["version_number"] == 1
        unknown = (await console.get(f"/tools?q={tool}&state=unknown")).body["tools"]
        assert unknown == listed["tools"]
        shown = (await console.get(f"/tools/{tool}")).body
        assert (shown["state"], shown["version"]["code"]) == ("unknown", "one")
        html = await console.page(f"/tools/{tool}")
        assert "the state is not known" in html
        assert "The detector does not say it now." in html
        back = {"version": "v1", "reason": "x", "confirmed": "yes"}
        html = await console.page(f"/tools/{tool}/rollbacks", back)
        assert "It may still be carried out" in html
        health = await console.get(f"/tools/{tool}/health")
        assert (health.status, health.body["part"]) == (503, "detector")
        assert health.body["known"]["version_number"] == 1
        for answer in (
            await console.post(f"/tools/{tool}/deployments", {"code": "two"}),
            await console.post(f"/tools/{tool}/rollbacks", {"to_version_number": 1}),
            await console.get("/events"),
            await console.get("/dead-letters"),
        ):
            assert (answer.status, answer.body["part"]) == (503, "Kafka"), answer
        pinned = await console.ask("PUT", f"/api/v1/tools/{tool}/pin", {"reason": "Kafka is away"})
        assert pinned.status == 200  # a pin needs Postgres alone
