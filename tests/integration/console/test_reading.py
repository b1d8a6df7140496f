"""What the console tells, also while Postgres, the detectors or Kafka do not answer."""

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote
from uuid import uuid4

import pytest

from rollguard.embedded.ports import free_port
from rollguard.operations.connection import connection
from rollguard.operations.overview.why_waiting import stops_and_waits
from rollguard.refusal import require_version
from schemas.engine_report import EngineReport
from schemas.settings import load_settings
from tests.support.command_line import rollguard, said
from tests.support.console import Answer, Console, running_console
from tests.support.messages import command_by_ann, execution
from tests.support.stored import begin_stop
from tests.support.system import System
from tests.support.waiting import until

pytestmark = pytest.mark.timeout(450)


async def pages(console: Console, path: str, name: str) -> list[list[dict[str, Any]]]:
    """Return the items of each page of a list."""
    found, cursor = [], ""
    while True:
        answer = await console.get(f"{path}{cursor}")
        assert answer.status == 200, answer
        found.append(answer.body[name])
        if answer.body["next_cursor"] is None:
            return found
        cursor = f"&cursor={answer.body['next_cursor']}"


async def test_all_tools_at_a_glance(console: Console, shared_system: System, tool: str) -> None:
    names = [f"{tool}-{letter}" for letter in "ABC"]
    for name in names:
        await shared_system.deploy(name, "one")
    await shared_system.run(
        execution(names[0]), execution(names[1]), execution(names[1], "ValueError: no")
    )
    async with connection(shared_system.settings) as conn:
        await begin_stop(conn, "pin", names[2])
    found: list[dict[str, Any]] = []

    async def known() -> bool:
        nonlocal found
        answer = await console.get(f"/tools?q={tool.upper()}")
        assert answer.body["source"] == "postgres"
        found = answer.body["tools"]
        judged = [each["state"] for each in found] == ["healthy", "suspect", "unjudged"]
        return judged and [each["total_executions"] for each in found] == [1, 2, 0]

    await until(known)
    assert [each["tool_name"] for each in found] == names
    assert [each["pinned"] for each in found] == [False, False, True]
    assert [each["success_rate"] for each in found] == [1.0, 0.5, None]
    assert found[0]["as_of"] is not None
    assert found[0]["version_number"] == found[0]["activation"] == 1
    by_one = await pages(console, f"/tools?q={tool}&limit=1", "tools")
    assert [[each["tool_name"] for each in page] for page in by_one] == [[name] for name in names]
    [[suspect]] = await pages(console, f"/tools?q={tool}&state=suspect", "tools")
    assert suspect["tool_name"] == names[1]
    two = await pages(console, f"/tools?q={tool}&state=healthy&limit=1", "tools")
    assert [[each["tool_name"] for each in page] for page in two] == [[names[0]]]


async def test_a_tool_whose_name_has_a_slash(
    console: Console, shared_system: System, tool: str
) -> None:
    name = f"{tool}/versions/ä %+?#"
    await shared_system.deploy(name, "one")
    path = f"/tools/{quote(name, safe='')}"

    async def known() -> bool:
        return bool((await console.get(path)).body["state"] == "unjudged")

    await until(known)
    found = (await console.get(path)).body
    assert found["tool_name"] == found["version"]["tool_name"] == name
    assert found["version"]["code"] == "one"
    assert (found["stops"], found["notes"]) == ([], [])
    health = (await console.get(f"{path}/health")).body
    assert health["tool_name"] == name
    assert (health["needs_rollback"], health["waits_for"], health["stops"]) == (False, None, [])


async def test_who_has_it_already_gets_304(
    console: Console, shared_system: System, tool: str
) -> None:
    made = await shared_system.deploy(tool, "one")
    path = f"/tools/{tool}/versions/{made.version_id}"
    first = await console.get(path)
    assert first.status == 200
    tag = first.headers["ETag"]
    for given in (tag, f"W/{tag}", f'"other", {tag}', "*"):
        again = await console.get(path, If_None_Match=given)
        assert (again.status, again.body, again.headers["ETag"]) == (304, None, tag)
    assert (await console.get(path, If_None_Match='"other"')).status == 200
    await shared_system.deploy(tool, "two")
    changed = await console.get(path, If_None_Match=tag)
    assert changed.status == 200
    assert not changed.body["is_current"]


async def test_head_is_get_without_the_body(
    console: Console, shared_system: System, tool: str
) -> None:
    await shared_system.deploy(tool, "one")
    path = f"/api/v1/tools/{tool}/versions"
    for each in (path, "/healthz", "/openapi.json", "/metrics", "/tools"):
        head = await console.ask("HEAD", each)
        assert (head.status, head.body) == (200, None), (each, head)
        assert int(head.headers["Content-Length"]) > 0, (each, head)
    found = await console.ask("GET", path)
    head = await console.ask("HEAD", path)
    for name in ("ETag", "Content-Type", "Content-Length"):
        assert head.headers[name] == found.headers[name]
    again = await console.ask("HEAD", path, If_None_Match=found.headers["ETag"])
    nothing = await console.ask("HEAD", f"/api/v1/tools/{tool}-other")
    assert (again.status, nothing.status) == (304, 404)
    endless = await console.ask("HEAD", "/api/v1/events")
    assert (endless.status, endless.headers["Allow"]) == (405, "GET")


async def test_versions_and_their_comparison(
    console: Console, shared_system: System, tool: str
) -> None:
    codes = ["def execute(a):\n    return a\n", "def execute(a, b):\n    return a\n", "three"]
    for code in codes:
        await shared_system.deploy(tool, code)
    found = await pages(console, f"/tools/{tool}/versions?limit=2", "versions")
    assert [[each["version_number"] for each in page] for page in found] == [[3, 2], [1]]
    [_, second], [first] = found
    assert second["code"] == codes[1]
    one = await console.get(f"/tools/{tool}/versions/{second['version_id']}")
    assert one.body == second | {"previous_version_number": 1}
    compared = await console.get(f"/tools/{tool}/compare?from=v1&to={second['version_id']}")
    assert compared.body["is_breaking_change"]
    assert "+def execute(a, b):" in compared.body["code_diff"]
    assert compared.body["from_version"]["version_id"] == first["version_id"]
    assert compared.body["from_metrics"]["success_rate"] is None  # JSON has no NaN


async def test_executions(console: Console, shared_system: System, tool: str) -> None:
    await shared_system.deploy(tool, "one")
    sent = [execution(tool, "ValueError: no" if number == 1 else None) for number in range(4)]
    await shared_system.run(*sent)
    await shared_system.executions_recorded(tool, 4)
    found = await pages(console, f"/tools/{tool}/executions?limit=3", "executions")
    assert [[each["execution_id"] for each in page] for page in found] == [
        [str(each.execution_id) for each in page] for page in (sent[:0:-1], sent[:1])
    ]
    [[failed]] = await pages(console, f"/tools/{tool}/executions?success=false", "executions")
    assert failed["error_type"] == "ValueError"
    version = failed["version_id"]
    of_version = f"/tools/{tool}/executions?version_id={version}&success=true&limit=2"
    assert [len(page) for page in await pages(console, of_version, "executions")] == [2, 1]
    none = await console.get(f"/tools/{tool}/executions?version_id={version + 1_000_000}")
    assert none.body == {"executions": [], "next_cursor": None}


async def test_rollbacks_and_why(console: Console, shared_system: System, tool: str) -> None:
    await shared_system.deploy(tool, "one")
    await shared_system.deploy(tool, "two")
    await shared_system.run(*(execution(tool, "ValueError: no") for _ in range(3)))

    async def rolled_back() -> bool:
        found = (await console.get(f"/rollbacks?tool={tool}")).body["rollbacks"]
        return bool(found) and bool(found[0]["to_version_number"] == 1)

    await until(rolled_back)
    await shared_system.executions_recorded(tool, 3)
    command = command_by_ann(tool, to_version_id=1_000_000)
    await shared_system.send(shared_system.topics.commands, tool, command)

    async def rejected() -> bool:
        found = (await console.get(f"/rollbacks?tool={tool}")).body["rollbacks"]
        return [each["status"] for each in found] == ["rejected", "applied"]

    await until(rejected)
    by_one = await pages(console, f"/rollbacks?tool={tool}&limit=1", "rollbacks")
    assert [[each["status"] for each in page] for page in by_one] == [["rejected"], ["applied"]]
    [[applied]] = await pages(console, f"/rollbacks?tool={tool}&status=applied", "rollbacks")
    assert await pages(console, "/rollbacks?since=2100-01-01T00:00:00Z", "rollbacks") == [[]]
    assert applied.pop("cost") is None
    why = (await console.get(f"/rollbacks/{applied['command_id']}")).body
    assert why | applied == why
    assert "newest 3" in why["rule"]
    assert [each["error"] for each in why["executions"]] == ["ValueError: no"] * 3
    assert why["failures"]["failures"] == 3
    await shared_system.run(execution(tool), execution(tool))

    async def spared() -> bool:
        found = (await console.get(f"/rollbacks/{applied['command_id']}")).body
        return found["cost"]["spared"] is not None and found["cost"]["after"]["executions"] == 2

    await until(spared)
    one = (await console.get(f"/rollbacks/{applied['command_id']}")).body
    assert (one["cost"]["failures"], one["cost"]["spared"]["calls"]) == (3, 2.0)
    assert one["affected"]["sessions"] == {"number": 0, "most": [], "without_name": 3}
    costs = f"/rollbacks?tool={tool}&costs=true"
    listed = (await console.get(costs)).body
    assert [each["cost"] for each in listed["rollbacks"]] == [None, one["cost"]]
    assert (listed["total"]["rollbacks"], listed["total"]["failures"]) == (1, 3)
    for more, statuses in (
        ("tier=manual", ["rejected"]),
        (f"until={quote(applied['applied_at'])}", ["applied"]),
    ):
        some = (await console.get(f"{costs}&{more}")).body["rollbacks"]
        assert [each["status"] for each in some] == statuses


async def test_which_engine_runs_which_version(
    console: Console, shared_system: System, tool: str
) -> None:
    made = [require_version(await shared_system.deploy(tool, code)) for code in ("one", "two")]
    for engine_id, number in (("e1", 2), ("e7", 1), ("e8", 1)):
        report = EngineReport(
            engine_id=engine_id,
            tool_name=tool,
            version_id=made[number - 1],
            version_number=number,
            activation=number,
            ok=True,
            loaded_at=datetime.now(UTC),
        )
        await shared_system.send(shared_system.topics.reports, report.key.decode(), report)
    found: list[dict[str, Any]] = []

    async def heard() -> bool:
        nonlocal found
        found = (await console.get(f"/engines?tool={tool}")).body["engines"]
        return [each["engine_id"] for each in found] == ["e1", "e7", "e8"]

    await until(heard)
    assert [each["state"] for each in found] == ["current", "stale", "stale"]
    assert [each["version_id"] for each in found] == [made[1], made[0], made[0]]
    printed = await rollguard("engines", "--tool", tool, "--json", env=shared_system.environment())
    assert json.loads(printed.out) == found
    by_one = await pages(console, f"/engines?tool={tool}&limit=1", "engines")
    assert by_one == [[each] for each in found]
    stale = await pages(console, f"/engines?tool={tool}&stale=true&limit=1", "engines")
    assert stale == [[each] for each in found[1:]]
    health = f"/tools/{tool}/health"

    async def counted() -> bool:
        expected = {"current": 1, "stale": 2, "failed": 0}
        return bool((await console.get(health)).body.get("engines") == expected)

    await until(counted)


async def test_dead_letters_and_the_system(
    console: Console, shared_system: System, tool: str
) -> None:
    topics = shared_system.topics
    await shared_system.send(topics.executions, tool, b"{}", b"[]")
    found: Answer | None = None

    async def listed() -> bool:
        nonlocal found
        found = await console.get(f"/dead-letters?tool={tool}")
        return bool(found.body["matching"] == 2)

    await until(listed, 60)
    assert found is not None
    assert found.body["dead_letters"][0]["topic"] == topics.executions
    by_one = await pages(console, f"/dead-letters?tool={tool}&limit=1", "dead_letters")
    assert [page[0]["id"] for page in by_one] == [each["id"] for each in found.body["dead_letters"]]
    system: dict[str, Any] = {}

    async def all_run() -> bool:  # the detector is the only one that is waited for at the start
        nonlocal system
        system = (await console.get("/system")).body
        return all(each["workers"] for each in system["roles"])

    await until(all_run)
    assert {each["role"]: len(each["workers"]) for each in system["roles"]} == {
        "detector": 1,
        "applier": 1,
        "recorder": 1,
    }
    assert system["kafka"]["topic_prefix"] == shared_system.settings.topic_prefix


async def test_the_command_line_says_the_same_through_it(
    console: Console, shared_system: System, tool: str
) -> None:
    topics = shared_system.topics
    for code in ("def execute(a): return a", "def execute(): return 1"):
        await shared_system.deploy(tool, code)
    await shared_system.run(execution(tool), execution(tool, "ValueError: \x1b[31m"))
    done = await console.post(f"/tools/{tool}/rollbacks", {"to_version_number": 1, "reason": "x"})
    command_id = done.body["command_id"]
    async with connection(shared_system.settings) as conn:
        await begin_stop(conn, "pin", tool)
    await shared_system.send(topics.executions, tool, b"{}", b"\xff")
    record_id = ""

    async def listed() -> bool:
        nonlocal record_id
        found = (await console.get(f"/dead-letters?tool={tool}")).body["dead_letters"]
        state = (await console.get(f"/tools/{tool}")).body["state"]
        record_id = found[0]["id"] if len(found) == 2 else ""
        return bool(record_id) and state == "unjudged"

    await until(listed, 60)
    direct, through = shared_system.environment(), console.environment()
    right: list[tuple[str, ...]] = [
        *(("tools",), ("engines", "--tool", tool), ("current", tool), ("history", tool)),
        *(("history", tool, "--limit", "1"), ("show", tool, "v2"), ("check", tool)),
        *(("compare", tool, "v1", "v2"), ("health", tool), ("rollbacks", "--tool", tool)),
        *(("explain", command_id[:13]), ("holds",), ("pins",), ("pin", tool), ("stops",)),
        *(("dead-letters", "--tool", tool), ("dead-letters", record_id)),
        *(("dead-letters", "--causes", "--tool", tool), ("rollbacks", "--tool", tool, "--costs")),
    ]
    wrong: list[tuple[str, ...]] = [
        *(
            ("show", tool, "999999"),
            ("current", "nobody"),
            ("current", "a/b"),
            ("health", "nobody"),
        ),
        *(("explain", str(uuid4())), ("approve", str(uuid4())), ("compare", tool, "v1", "v9")),
        *(("history", "nobody"), ("rollback", tool, "v9"), ("rollback", tool, "v1")),
        *(("rollback", tool, "999999"), ("unpin", "nobody"), ("resume", tool), ("health", "")),
        *(("unfreeze", "--all"), ("reject", tool, "v9", "--reason", "x"), ("pin", "nobody")),
        *(("dead-letters", f"{topics.executions}:0:999999"), ("history", tool, "--limit", "x")),
    ]
    for words in [*right, *((*each, "--json") for each in right), *wrong]:
        for _ in range(20):  # a console's states and dead letters are some seconds old
            expected, found = [await said(*words, env=env) for env in (direct, through)]
            if found == expected:
                break
            await asyncio.sleep(1)
        assert found == expected, words
        assert (expected.code == 0) == (words not in wrong), (words, expected)
    for words in (("topics",), ("prune", "--older-than", "1d"), ("migrate",)):
        refused = await said(*words, env=through)
        assert (refused.code, "unset ROLLGUARD_URL" in refused.err) == (1, True), refused


async def test_what_does_not_exist_and_what_is_wrong(console: Console, tool: str) -> None:
    for path in (
        *(f"/tools/{tool}{rest}" for rest in ("", "/health", "/versions", "/versions/1")),
        *(f"/tools/{tool}/compare?from=1&to=v2", f"/rollbacks/{uuid4()}", "/nothing", "/tools/"),
    ):
        found = await console.get(path)
        assert (found.status, found.body["status"]) == (404, 404), (path, found)
        assert found.headers["Content-Type"] == "application/problem+json"
    for path in (
        *("/tools?limit=0", "/tools?limit=501", "/tools?state=good", "/tools?cursor=x"),
        *("/tools?cursor=WyJcdTAwMDAiXQ", "/tools?q=%00", "/tools/%00", "/tools/%FF"),
        *(f"/tools/{'x' * 256}", "/tools/x/versions/x", "/rollbacks/none", "/rollbacks?tool="),
        *("/rollbacks?since=today", "/tools/x/compare?from=v1", "/tools/x/compare?from=a&to=1"),
        *("/dead-letters?cursor=W10", "/rollbacks?cursor=WzEsMiwzXQ"),
        *("/engines?stale=perhaps", "/engines?tool=%00", "/engines?cursor=WzEsMl0"),
        # The number of a stop in it is greater than any that Postgres can have.
        "/stops?cursor=WyIyMDI2LTAxLTMxVDEyOjAwOjAwWiIsOTIyMzM3MjAzNjg1NDc3NTgwOF0",
    ):
        found = await console.get(path)
        assert (found.status, found.body["status"]) == (422, 422), (path, found)
        assert found.body["errors"], path
    for path, allowed in (
        *(("/tools", "GET, HEAD"), (f"/tools/{tool}/pin", "DELETE, GET, HEAD, PUT")),
        *(("/events", "GET"), ("/executions", "POST")),
    ):
        wrong = await console.ask("PATCH", f"/api/v1{path}", {})
        assert (wrong.status, wrong.headers["Allow"]) == (405, allowed)
        assert wrong.body["title"] == "Method Not Allowed"


async def test_what_is_no_request_gets_a_problem(console: Console) -> None:
    host, _, port = console.url.removeprefix("http://").partition(":")
    endless = b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nA: " + b"x" * 20_000
    for sent in (b"nonsense\r\n\r\n", endless):
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(sent)
        head, _, body = (await reader.read(-1)).partition(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 400 "), head
        assert b"application/problem+json" in head
        assert json.loads(body)["status"] == 400
        writer.close()


async def test_a_console_that_cannot_serve_says_why(console: Console) -> None:
    port = console.url.rpartition(":")[2]
    for env, why in (
        ({"ROLLGUARD_WEB_HOST": "0.0.0.0"}, "set ROLLGUARD_WEB_TOKEN"),
        ({"ROLLGUARD_WEB_PORT": port}, f"cannot listen on 127.0.0.1:{port}"),
        ({"ROLLGUARD_WEB_VIEWER_TOKEN": "x"}, "web_viewer_token needs web_token"),
    ):
        done = await rollguard("console", env=env)
        assert (done.code, done.out) == (1, "")
        assert why in done.err
        assert done.err.count("\n") == 1


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
