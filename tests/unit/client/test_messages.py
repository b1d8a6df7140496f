"""The client's messages are the server's: equal schemas, and each reads what the other writes."""

import json
import string
from datetime import UTC, datetime
from functools import cache
from typing import Any, Final
from uuid import uuid4

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter

import schemas.dead_letter
import schemas.deployment
import schemas.engine_report
import schemas.execution
import schemas.explanation
import schemas.later_verdict
import schemas.rollback
from rollguard_client.errors import Rejected
from rollguard_client.messages import dead_letter, deployment, engine_report, execution, rollback
from rollguard_client.messages.message import Message as ClientMessage
from schemas.errors import Rejected as ServerRejected
from schemas.message import Message as ServerMessage
from tests.unit.client.comparable_schemas import Comparable

WRITTEN: Final[dict[type[ClientMessage], type[ServerMessage]]] = {
    execution.Execution: schemas.execution.Execution,
    execution.LaterVerdict: schemas.later_verdict.LaterVerdict,
    engine_report.EngineReport: schemas.engine_report.EngineReport,
    deployment.AcceptedBreak: schemas.deployment.AcceptedBreak,
    deployment.Deployment: schemas.deployment.Deployment,
    rollback.RollbackCommand: schemas.rollback.RollbackCommand,
}
"""What the client writes: every bound is the server's."""
READ: Final[dict[type[ClientMessage], type[ServerMessage]]] = {
    execution.Activation: schemas.execution.Activation,
    deployment.DeploymentOutcome: schemas.deployment.DeploymentOutcome,
    deployment.ToolVersion: schemas.deployment.ToolVersion,
    rollback.RollbackOutcome: schemas.rollback.RollbackOutcome,
    dead_letter.DeadLetter: schemas.dead_letter.DeadLetter,
}
"""What the client only reads. Its words are open: a newer server may say others."""
ALL: Final = WRITTEN | READ
each_kind = pytest.mark.parametrize("kind", ALL, ids=lambda kind: kind.__name__)


@cache
def schemas_of(kind: type[ClientMessage], *, is_open: bool) -> tuple[Any, Any]:
    ours = msgspec.json.schema(kind)
    theirs = TypeAdapter(ALL[kind]).json_schema()
    if kind is deployment.ToolVersion:
        del theirs["properties"]["authorship"]  # it travels in a header
    return (
        Comparable(ours["$defs"], is_open=is_open).of(ours),
        Comparable(theirs.get("$defs", {}), is_open=is_open).of(theirs),
    )


@each_kind
def test_the_schemas_are_the_same(kind: type[ClientMessage]) -> None:
    ours, theirs = schemas_of(kind, is_open=kind in READ)
    assert ours == theirs


text = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40)
line = st.text(string.ascii_letters + "é漢 .-", min_size=1, max_size=40)
times = st.datetimes(datetime(1971, 1, 1), datetime(9998, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001


def values(
    name: str, schema: dict[str, Any], definitions: dict[str, Any]
) -> st.SearchStrategy[Any]:
    """Return values that a field may have, its bounds among them."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    match schema.get("type"):
        case "boolean":
            return st.booleans()
        case "integer":
            low, high = schema.get("minimum", 0), schema.get("maximum", 10**9)
            return st.sampled_from([low, high]) | st.integers(low, high)
        case "number":
            low = schema.get("minimum", -1e9)
            return st.just(low) | st.floats(low, 1e9)
        case "array":
            most = min(schema.get("maxItems", 3), 3)
            return st.lists(values(name, schema["items"], definitions), max_size=most)
        case "object" if "properties" in schema:
            return objects(schema, definitions)
        case "object":
            return st.dictionaries(line, st.integers(0, 9) | st.floats(0, 1), max_size=3)
        case "string":
            return texts(name, schema)
    return st.integers(0, 9) | st.floats(0, 1)


def texts(name: str, schema: dict[str, Any]) -> st.SearchStrategy[str]:
    if schema.get("format") == "uuid":
        return st.uuids().map(str)
    if schema.get("format") == "date-time":
        return times.map(lambda time: time.isoformat())
    if "pattern" in schema:
        return st.just("0123456789abcdef" * 4)
    longest = schema.get("maxLength")
    is_free = name in ("error", "error_type", "improvement_reason", "dismissal", "why", "reason")
    some = text if is_free else line
    return some if longest is None else some | st.just("x" * longest)


def objects(schema: dict[str, Any], definitions: dict[str, Any]) -> st.SearchStrategy[Any]:
    fields = {name: values(name, each, definitions) for name, each in schema["properties"].items()}
    required = {name: fields.pop(name) for name in schema.get("required", ())}
    if "kind" in fields and schema["properties"]["kind"].get("enum", ["execution"]) != [
        "execution"
    ]:
        required["kind"] = fields.pop("kind")
    return st.fixed_dictionaries(required, optional=fields | {"unknown": st.just({"a": [1]})})


@cache
def messages_of(kind: type[ClientMessage]) -> st.SearchStrategy[dict[str, Any]]:
    theirs = schemas_of(kind, is_open=False)[1]
    made = objects(theirs, {})
    if kind in (rollback.RollbackCommand, deployment.Deployment):
        made = made.filter(lambda each: not ("approved_by" in each and "dismissed_by" in each))
    return made.filter(lambda each: _names_something(each, kind))


def _names_something(made: dict[str, Any], kind: type[ClientMessage]) -> bool:
    breaks = [made] if kind is deployment.AcceptedBreak else made.get("accepted_breaks") or []
    return all(each.get("kind") or each.get("object") for each in breaks)


@each_kind
@given(data=st.data())
@settings(max_examples=15, deadline=None)
def test_each_reads_what_the_other_writes(kind: type[ClientMessage], data: st.DataObject) -> None:
    """Whatever the server's model accepts, the client reads; it then writes what says the same."""
    given_json = json.dumps(data.draw(messages_of(kind))).encode()
    theirs = ALL[kind].from_bytes(given_json)
    ours = kind.from_bytes(theirs.to_bytes())
    assert ALL[kind].from_bytes(ours.to_bytes()) == theirs
    assert kind.from_bytes(given_json) == ours
    assert kind(**{name: getattr(ours, name) for name in ours.__struct_fields__}) == ours


def execution_of(**fields: Any) -> dict[str, Any]:
    good = {"tool_name": "t", "success": True, "executed_at": "2026-01-01T00:00:00Z"}
    return {"execution_id": str(uuid4())} | good | fields


def new(id_name: str, time_name: str) -> dict[str, Any]:
    return {id_name: uuid4(), time_name: datetime.now(UTC)}


BAD: Final[list[tuple[type[ClientMessage], dict[str, Any], str]]] = [
    (execution.Execution, {"tool_name": ""}, "tool_name"),
    (execution.Execution, {"tool_name": "x" * 256}, "tool_name"),
    (execution.Execution, {"tool_name": "a\0b"}, "tool_name"),
    (execution.Execution, {"tool_name": 7}, "tool_name"),
    (execution.Execution, {"version_id": 0}, "version_id"),
    (execution.Execution, {"version_id": 2**31}, "version_id"),
    (execution.Execution, {"version_id": True}, "version_id"),
    (execution.Execution, {"success": 1}, "success"),
    (execution.Execution, {"kind": "other"}, "kind"),
    (execution.Execution, {"execution_id": "7"}, "execution_id"),
    (execution.Execution, {"executed_at": "2026-01-01T00:00:00"}, "executed_at"),
    (execution.Execution, {"executed_at": "1969-12-31T23:59:59Z"}, "executed_at"),
    (execution.Execution, {"executed_at": "9999-12-31T23:59:59-00:01"}, "executed_at"),
    (execution.Execution, {"session_id": "x" * 256}, "session_id"),
]


@pytest.mark.parametrize(("kind", "wrong", "named"), BAD)
def test_what_the_server_rejects_cannot_be_made(
    kind: type[ClientMessage], wrong: dict[str, Any], named: str
) -> None:
    fields = execution_of(**wrong)
    with pytest.raises(ServerRejected, match=named):
        ALL[kind].from_bytes(json.dumps(fields).encode())
    with pytest.raises(Rejected, match=named):
        kind(**fields)
    with pytest.raises(Rejected, match=named):
        kind.from_bytes(json.dumps(fields).encode())


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"duration_ms": float("nan")}, "duration_ms"),
        ({"cost": float("inf")}, "cost"),
        ({"cost": -1.0}, "cost"),
        ({"error_origin": "nobody"}, "error_origin"),
        ({"caller": "x" * 256}, "caller"),
    ],
)
def test_what_the_server_would_leave_out_cannot_be_made(wrong: dict[str, Any], named: str) -> None:
    with pytest.raises(Rejected, match=named):
        execution.Execution(**execution_of(**wrong))


@pytest.mark.parametrize(
    "error", ["a\0b", "a\ud800b", "é" * 8_000, "𝄞" * 3_000 + "x", "x" * 8_193, "x" * 8_192]
)
def test_errors_are_kept_as_the_server_keeps_them(error: str) -> None:
    ours = execution.Execution(**execution_of(success=False, error=error, session_id="a\0b"))
    theirs = schemas.execution.Execution.from_bytes(
        json.dumps(execution_of(success=False, error=error, session_id="a\0b")).encode()
    )
    assert (ours.error, ours.session_id) == (theirs.error, theirs.session_id)


def test_line_breaks_are_refused_in_the_names_of_new_tools_alone() -> None:
    fields: dict[str, Any] = {"code": "x", "created_by": "human", "improvement_type": "initial"}
    with pytest.raises(Rejected, match="tool_name: line breaks"):
        deployment.Deployment(tool_name="a\nb", **new("deployment_id", "deployed_at"), **fields)
    with pytest.raises(Rejected, match="accepted_breaks: line breaks"):
        deployment.Deployment(
            tool_name="a",
            **new("deployment_id", "deployed_at"),
            accepted_breaks=[deployment.AcceptedBreak(kind="a\nb", reason="r")],
            **fields,
        )
    assert execution.Execution(**execution_of(tool_name="a\nb")).tool_name == "a\nb"


def test_a_byte_order_mark_is_no_part_of_deployed_code() -> None:
    made = deployment.Deployment(
        tool_name="t",
        code="\ufeffx",
        created_by="human",
        improvement_type="initial",
        **new("deployment_id", "deployed_at"),
    )
    assert made.code == "x"


def test_details_have_a_limit() -> None:
    fields: dict[str, Any] = {
        "tool_name": "t",
        "tier": "manual",
        "reason": "manual",
        "issued_by": "ann",
    }
    with pytest.raises(Rejected, match="details: 70011 bytes as JSON, at most 65536"):
        rollback.RollbackCommand(
            details={"a": "x" * 70_003}, **new("command_id", "issued_at"), **fields
        )


@pytest.mark.parametrize("value", [None, b"", b"{", b"[]", b"7", b"\xff", b"[" * 5_000])
def test_what_is_no_message_is_rejected(value: bytes | None) -> None:
    with pytest.raises(Rejected):
        execution.Execution.from_bytes(value)
