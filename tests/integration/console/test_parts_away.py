"""What the console says while Postgres, the detectors or Kafka do not answer."""

import pytest

from rollguard.embedded.ports import free_port
from tests.support.console import running_console
from tests.support.messages import execution
from tests.support.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)


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
        shown = (await console.get(f"/tools/{tool}")).body
        assert (shown["state"], shown["version_number"], shown["version"]) == ("suspect", 1, None)
        assert "only what the detector knows" in shown["notes"][0]
        health = await console.get(f"/tools/{tool}/health")
        assert (health.status, health.body["stops"]) == (200, None)
        for path in (
            *(f"/tools/{tool}/versions", f"/tools/{tool}/executions", "/rollbacks"),
            f"/tools/{tool}/compare?from=v1&to=v1",
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


async def test_a_token_is_asked_for_by_the_real_server(shared_system: System) -> None:
    token, viewer = "the-token-of-operators", "the-token-of-viewers"
    async with running_console(
        shared_system,
        ROLLGUARD_WEB_TOKEN=token,
        ROLLGUARD_WEB_VIEWER_TOKEN=viewer,
        ROLLGUARD_WEB_HOST="0.0.0.0",
    ) as console:
        for given, read, change in (("", 401, 401), (viewer, 200, 403), (token, 200, 202)):
            console.headers = {"Authorization": f"Bearer {given}"} if given else {}
            assert (await console.get("/rollbacks")).status == read
            assert (await console.ask("GET", "/openapi.json")).status == read
            assert (await console.post("/executions", [])).status == change
        assert (await console.get("/rollbacks", Host="attacker.example")).status == 421
