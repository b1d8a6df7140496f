"""What is ordered of the console: each order has its effect once. Also generated requests."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any, Final
from uuid import uuid4

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import Case, GenerationMode
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from console.app import api, description
from console.web.bodies import MAX_BODY_BYTES
from rollguard.operations.stops import freeze
from tests.support.consoles.console import Console, held_command
from tests.support.inputs.messages import execution
from tests.support.systems.system import System

pytestmark = pytest.mark.timeout(450)


async def test_a_deployment_with_a_key_is_made_once(
    console: Console, shared_system: System, tool: str
) -> None:
    path = f"/tools/{tool}/deployments"
    one = {"code": "one", "created_by": "autonomous", "improvement_type": "bug_fix"}
    first = await console.post(path, one, Idempotency_Key="first")
    assert first.status == 201
    assert first.body["status"] == "created"
    shown = await console.ask("GET", first.headers["Location"])
    assert (shown.body["code"], shown.body["created_by"]) == ("one", "autonomous")
    two = await console.post(path, {"code": "two"}, Idempotency_Key="second")
    again = await console.post(path, one, Idempotency_Key="first")
    assert (again.status, again.body) == (first.status, first.body)
    assert (await console.get(f"/tools/{tool}")).body["version_id"] == two.body["version_id"]
    same = await console.post(path, {"code": "two"})
    assert (same.status, same.body["status"]) == (200, "unchanged")
    given = str(uuid4())
    named = await console.post(path, {"code": "three", "deployment_id": given})
    assert named.body["deployment_id"] == given
    both = await console.post(path, {"code": "x", "deployment_id": given}, Idempotency_Key="k")
    assert both.status == 422
    other = await console.post(
        f"/tools/{tool}-other/deployments", {"code": "one"}, Idempotency_Key="first"
    )
    assert other.body["deployment_id"] != first.body["deployment_id"]


async def test_what_is_ordered_belongs_to_the_trace_of_the_request(
    console: Console, shared_system: System, tool: str
) -> None:
    parent = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    path, topics = f"/tools/{tool}/deployments", shared_system.topics
    await console.post(path, {"code": "one"}, traceparent="nonsense")
    made = await console.post(path, {"code": "two"}, traceparent=parent, tracestate="a=1")
    call = execution(tool)
    sent = await console.post("/executions", [call.model_dump(mode="json")], traceparent=parent)
    assert (made.status, sent.status) == (201, 202)

    async def headers(topic: str, said: str) -> list[tuple[str, bytes]]:
        return list(
            (await shared_system.first(topic, lambda value: said.encode() in value)).headers
        )

    trace = [("traceparent", parent.encode())]
    assert await headers(topics.executions, str(call.execution_id)) == trace
    with_state = [*trace, ("tracestate", b"a=1")]
    assert await headers(topics.deployments, made.body["deployment_id"]) == with_state
    # This applier sends no spans, and passes the trace on.
    assert await headers(topics.deployment_outcomes, made.body["deployment_id"]) == with_state
    first = await shared_system.first(topics.deployments, lambda value: tool.encode() in value)
    assert not first.headers


async def test_a_refused_deployment_says_why(
    console: Console, shared_system: System, tool: str
) -> None:
    await shared_system.deploy(tool, "one")
    await freeze(shared_system.settings, tool, "not tonight", "ann", None)
    found = await console.post(
        f"/tools/{tool}/deployments", {"code": "two", "created_by": "autonomous"}
    )
    assert (found.status, found.body["type"]) == (409, "urn:rollguard:problem:refused")
    assert "not tonight" in found.body["detail"]
    assert found.body["outcome"]["refusal"] == "frozen"
    limit = shared_system.settings.max_code_bytes
    bad: list[Any] = [{}, {"code": 1}, {"code": "x" * (limit + 1)}, {"code": "\ud800"}, [], "x"]
    for wrong in bad:
        found = await console.post(f"/tools/{tool}/deployments", wrong)
        assert found.status == 422, (str(wrong)[:50], found)
    bad_name = await console.post("/tools/a%0Ab/deployments", {"code": "one"})
    assert bad_name.status == 422
    no_json = await console.ask(
        "POST", f"/api/v1/tools/{tool}/deployments", b"{", Content_Type="application/json"
    )
    assert (no_json.status, no_json.body["status"]) == (400, 400)


async def test_a_rollback_with_a_key_is_made_once(
    console: Console, shared_system: System, tool: str
) -> None:
    await shared_system.deploy(tool, "one")
    await shared_system.deploy(tool, "two")
    path = f"/tools/{tool}/rollbacks"
    order = {"to_version_number": 1, "reason": "too slow", "issued_by": "ann"}
    first = await console.post(path, order, Idempotency_Key="back")
    assert first.status == 200, first
    assert (first.body["status"], first.body["to_version_number"]) == ("applied", 1)
    shown = (await console.get(f"/rollbacks/{first.body['command_id']}")).body
    assert (shown["issued_by"], shown["details"]) == ("ann", {"reason": "too slow"})
    assert (await console.post(path, order, Idempotency_Key="back")).body == first.body
    current = first.body["to_version_id"]
    rejected = await console.post(path, {"to_version_id": current})
    assert rejected.status == 409
    assert rejected.body["type"] == "urn:rollguard:problem:already_current"
    assert rejected.body["outcome"]["rejection"] == "already_current"
    for wrong in ({}, {"to_version_id": 1, "to_version_number": 1}, {"to_version_id": 0}):
        assert (await console.post(path, wrong)).status == 422
    assert (await console.post(path, {"to_version_number": 99})).status == 404


async def test_another_content_type_is_refused(
    console: Console, shared_system: System, tool: str
) -> None:
    await shared_system.deploy(tool, "one")
    sent = b'{"code": "two"}'
    for kind in ("text/plain", "application/x-www-form-urlencoded", "application/xml"):
        found = await console.ask(
            "POST", f"/api/v1/tools/{tool}/deployments", sent, Content_Type=kind
        )
        assert (found.status, found.body["detail"]) == (415, "send application/json"), found
    assert (await console.get(f"/tools/{tool}")).body["version_number"] == 1
    with_charset = await console.ask(
        "POST",
        f"/api/v1/tools/{tool}/deployments",
        sent,
        Content_Type="application/json; charset=utf-8",
    )
    assert with_charset.status == 201


async def test_the_place_of_a_version_of_a_tool_named_by_dots(
    console: Console, shared_system: System
) -> None:
    """A client would leave a part of a path out that is only dots."""
    for name in (".", ".."):
        path = f"/api/v1/tools/{name.replace('.', '%2E')}"
        made = await console.ask("POST", f"{path}/deployments", {"code": "one"})
        assert made.headers["Location"] == f"{path}/versions/{made.body['version_id']}"


async def test_types_are_strict(console: Console, shared_system: System, tool: str) -> None:
    await shared_system.deploy(tool, "one")
    await shared_system.deploy(tool, "two")
    path, called = f"/tools/{tool}", str(uuid4())
    wrong: list[tuple[str, dict[str, Any]]] = [
        *(("rollbacks", {"to_version_number": each}) for each in (True, "1", 1.0)),
        ("rollbacks", {"to_version_number": 1, "by_rule": "no"}),
        ("rollbacks", {"to_version_number": 1, "command_id": 1}),
        ("rollbacks/automatic", {"check_fast_rollback": "no"}),
        ("deployments", {"code": "three", "previous_version_id": "1"}),
        *((f"executions/{called}/verdicts", {"bad": each, "version_id": 1}) for each in ("no", 0)),
    ]
    for part, order in wrong:
        found = await console.post(f"{path}/{part}", order)
        assert found.status == 422, (part, order, found)
    for more in ({"limit": True}, {"force": "no"}, {"limit": "1"}):
        found = await console.post("/dead-letters/replay", {"tool": tool, **more})
        assert found.status == 422, (more, found)
    assert (await console.get(path)).body["version_number"] == 2


async def test_a_pin(console: Console, shared_system: System, tool: str) -> None:
    path = f"/api/v1/tools/{tool}/pin"
    assert (await console.ask("PUT", path, {})).status == 404
    await shared_system.deploy(tool, "one")
    assert (await console.ask("DELETE", path)).status == 404
    later = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    said = {"reason": "sale", "pinned_by": "ann", "expires_at": later}
    first = await console.ask("PUT", path, said)
    assert first.status == 200, first
    assert first.body["pinned_by"] == "ann"
    assert (await console.ask("PUT", path, said)).body == first.body
    stops = "SELECT count(*) FROM stops WHERE tool_name = $1"
    assert (await shared_system.query(stops, tool))[0][0] == 1
    second = await console.ask("PUT", path, {"reason": "longer"})
    assert second.body["expires_at"] is None
    assert (await shared_system.query(stops, tool))[0][0] == 2
    assert (await console.get(f"/tools/{tool}")).body["pinned"]
    for wrong in ({"expires_at": "2001-01-01T00:00:00Z"}, {"expires_at": "x"}, {"pinned_by": ""}):
        assert (await console.ask("PUT", path, wrong)).status == 422
    removed = await console.ask("DELETE", f"{path}?by=ben")
    assert removed.body == second.body
    assert not (await console.get(f"/tools/{tool}")).body["pinned"]


async def test_held_rollbacks_are_answered(
    console: Console, shared_system: System, tool: str
) -> None:
    for code in ("one", "two", "three"):
        await shared_system.deploy(tool, code)
    first = await held_command(shared_system, console, tool)
    assert (await console.get(f"/tools/{tool}")).body["held"]
    path = f"/rollbacks/{first.command_id}"
    said = {"dismissed_by": "ann", "dismissal": "the input was wrong"}
    dismissed = await console.post(f"{path}/dismiss", said)
    assert (dismissed.status, dismissed.body["rejection"]) == (200, "dismissed")
    assert (await console.post(f"{path}/dismiss", said)).body == dismissed.body
    late = await console.post(f"{path}/approve", {"approved_by": "ben"})
    assert (late.status, late.body["outcome"]["rejection"]) == (409, "dismissed")
    second = await held_command(shared_system, console, tool)
    path = f"/rollbacks/{second.command_id}"
    approved = await console.post(f"{path}/approve?tool={tool}", {"approved_by": "ben"})
    assert (approved.status, approved.body["to_version_number"]) == (200, 2)
    assert (await console.get(path)).body["approved_by"] == "ben"
    too_late = await console.post(f"{path}/dismiss", {})
    assert (too_late.status, too_late.body["outcome"]["status"]) == (409, "applied")
    for wrong in ({"approved_by": "a\nb"}, {"approved_by": ""}, {"approved_by": "x" * 256}):
        assert (await console.post(f"{path}/approve", wrong)).status == 422
    assert (await console.post(f"/rollbacks/{uuid4()}/approve", {})).status == 404


async def test_executions_count_once(console: Console, shared_system: System, tool: str) -> None:
    await shared_system.deploy(tool, "one")
    sent = [json.loads(execution(tool, error).to_bytes()) for error in (None, "no")]
    sent[1]["error"] = "x" * 9_000 + "\ud800"  # JSON may have a lone surrogate
    bad: list[Any] = [{}, 7, sent[0] | {"executed_at": "2100-01-01T00:00:00Z"}]
    bad.append(sent[0] | {"kind": "activation"})
    for _ in range(2):
        found = await console.post("/executions", [bad[0], sent[0], *bad[1:], sent[1]])
        assert (found.status, found.body["accepted"]) == (202, 2)
        assert [each["index"] for each in found.body["rejected"]] == [0, 2, 3, 4]
        assert "execution_id: Field required" in found.body["rejected"][0]["error"]
        assert "ahead" in found.body["rejected"][2]["error"]
    third = json.dumps(json.loads(execution(tool).to_bytes()))
    lines = f"{third}\n\nnothing\n".encode()
    found = await console.ask(
        "POST", "/api/v1/executions", lines, Content_Type="application/x-ndjson"
    )
    assert found.body["accepted"] == 1
    assert [each["index"] for each in found.body["rejected"]] == [1]
    await shared_system.executions_recorded(tool, 3)
    rows = await shared_system.query(
        "SELECT success, error FROM tool_executions WHERE tool_name = $1", tool
    )
    assert sorted(row["success"] for row in rows) == [False, True, True]
    assert (await console.post("/executions", [])).body == {"accepted": 0, "rejected": []}


async def test_executions_that_are_no_list(console: Console) -> None:
    for data, kind, status in (
        (b"{}", "application/json", 422),
        (b"[", "application/json", 400),
        (b"\xff", "application/json", 400),
        (b"[]", "text/plain", 415),
        (b"[" * 100_000, "application/json", 400),
        (b" " * (MAX_BODY_BYTES + 1), "application/json", 413),
    ):
        found = await console.ask("POST", "/api/v1/executions", data, Content_Type=kind)
        assert (found.status, found.body["status"]) == (status, status), (data[:9], found)


CHECKS: Final = [
    schemathesis.checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
]
EXAMPLES: Final = 3
"""So few, because each may be a deployment that the applier carries out."""
NOT_GENERATED: Final = {"events"}
"""Its answer has no end; ``test_events.py`` reads it."""
ANSWERS_EACH: Final = {"publish"}
"""It says of each item by itself what is wrong with it."""


def operations(console: Console, mode: GenerationMode) -> Iterator[Any]:
    """Yield the operations to ask; nothing can be wrong with one that takes nothing."""
    schema = schemathesis.openapi.from_url(f"{console.url}/openapi.json", timeout=60)
    for found in schema.get_all_operations():
        assert isinstance(found, Ok)
        raw = found.ok().definition.raw
        takes_nothing = not raw.get("parameters") and "requestBody" not in raw
        if raw["operationId"] not in NOT_GENERATED and not (mode.is_negative and takes_nothing):
            yield found.ok()


def statuses_of(operation: Any, mode: GenerationMode) -> set[int]:
    """Send some requests, check each answer, and return their statuses."""
    seen: set[int] = set()
    answers_each = operation.definition.raw["operationId"] in ANSWERS_EACH
    all_checks = CHECKS + [checks.negative_data_rejection] * (not answers_each)

    @settings(
        max_examples=EXAMPLES,
        database=None,
        deadline=None,
        phases=[Phase.explicit, Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: Case[Any]) -> None:
        seen.add(case.call_and_validate(checks=all_checks, timeout=60).status_code)

    ask()
    return seen


@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_documented(console: Console, mode: GenerationMode) -> None:
    statuses: dict[str, set[int]] = {}
    for operation in operations(console, mode):
        statuses[operation.label] = statuses_of(operation, mode)
    print(statuses)
    assert len(statuses) >= 38 - 8 * mode.is_negative
    assert any(201 in each for each in statuses.values()) == mode.is_positive


def test_the_description_has_examples_and_one_kind_of_error() -> None:
    described = description(api())
    assert described["openapi"].startswith("3.1")
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            for kind, body in route.get("requestBody", {}).get("content", {}).items():
                named = body["schema"].get("$ref", "").rpartition("/")[2]
                schema = described["components"]["schemas"].get(named, {})
                assert body.get("examples") or schema.get("examples"), (path, kind)
            problems = {status for status in route["responses"] if status >= "400"}
            assert {"401", "403", "404", "405", "421", "422", "503"} <= problems, (path, method)
            for status in problems:
                content = route["responses"][status]["content"]
                assert list(content) == ["application/problem+json"], (path, status)
