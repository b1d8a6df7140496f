"""Poison: records that must become dead letters, each with a text that the error must contain."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any, Final, NamedTuple
from uuid import UUID

from tests.chaos.placement import partition_of
from tests.chaos.stack import PARTITIONS


class Made(NamedTuple):
    """A record to send. If ``partition`` is None, the default partitioner chooses it."""

    key: bytes | None
    value: bytes | None
    partition: int | None = None


class Poison(NamedTuple):
    """A kind of bad record. The error of its dead letter must contain ``cause``."""

    topic: str
    cause: str
    make: Callable[[str, Random], Made]


def _execution(**changes: Any) -> Callable[[str, Random], Made]:
    return _changed(_good_execution, changes)


def _verdict(**changes: Any) -> Callable[[str, Random], Made]:
    return _changed(_good_verdict, changes)


def _deployment(**changes: Any) -> Callable[[str, Random], Made]:
    return _changed(_good_deployment, changes)


def _command(**changes: Any) -> Callable[[str, Random], Made]:
    return _changed(_good_command, changes)


_MISSING: Final = object()


def _changed(
    good: Callable[[str, Random], dict[str, Any]], changes: dict[str, Any]
) -> Callable[[str, Random], Made]:
    def make(tool: str, draw: Random) -> Made:
        fields = good(tool, draw) | changes
        kept = {name: value for name, value in fields.items() if value is not _MISSING}
        return Made(tool.encode(), json.dumps(kept).encode())

    return make


def _now(ahead_s: float = 0) -> str:
    return (datetime.now(UTC) + timedelta(seconds=ahead_s)).isoformat()


def _id(draw: Random) -> str:
    return str(UUID(int=draw.getrandbits(128)))


def _good_execution(tool: str, draw: Random) -> dict[str, Any]:
    return {
        "execution_id": _id(draw),
        "tool_name": tool,
        "success": False,
        "error": "TypeError: poison",
        "executed_at": _now(),
    }


def _good_verdict(tool: str, draw: Random) -> dict[str, Any]:
    return {
        "kind": "verdict",
        "verdict_id": _id(draw),
        "execution_id": _id(draw),
        "tool_name": tool,
        "version_id": 1,
        "bad": True,
        "by": "poison",
        "judged_at": _now(),
    }


def _good_deployment(tool: str, draw: Random) -> dict[str, Any]:
    return {
        "deployment_id": _id(draw),
        "tool_name": tool,
        "code": "# fails 1.0 TypeError\n",
        "created_by": "human",
        "improvement_type": "bug_fix",
        "deployed_at": _now(),
    }


def _good_command(tool: str, draw: Random) -> dict[str, Any]:
    return {
        "command_id": _id(draw),
        "tool_name": tool,
        "to_version_id": 1,
        "tier": "manual",
        "reason": "manual",
        "issued_by": "human",
        "issued_at": _now(),
    }


def _raw(value: bytes | None) -> Callable[[str, Random], Made]:
    return lambda tool, _: Made(tool.encode(), value)


def _ahead(tool: str, draw: Random) -> Made:
    fields = _good_execution(tool, draw) | {"executed_at": _now(3_600)}
    return Made(tool.encode(), json.dumps(fields).encode())


def _wrong_key(tool: str, draw: Random) -> Made:
    return Made(b"another tool", json.dumps(_good_execution(tool, draw)).encode())


def _no_key(tool: str, draw: Random) -> Made:
    return Made(None, json.dumps(_good_execution(tool, draw)).encode())


def _misplaced_activation(tool: str, _: Random) -> Made:
    fields = {
        "kind": "activation",
        "tool_name": tool,
        "version_id": 1,
        "version_number": 1,
        "code_hash": "0" * 64,
        "activation": 1,
        "activated_at": _now(),
        "activated_by": {"kind": "deployment", "id": str(UUID(int=1))},
    }
    wrong = (partition_of(tool) + 1) % PARTITIONS
    return Made(tool.encode(), json.dumps(fields).encode(), wrong)


def _misplaced_and_ahead(tool: str, draw: Random) -> Made:
    return _ahead(tool, draw)._replace(partition=(partition_of(tool) + 1) % PARTITIONS)


POISONS: Final = (
    Poison("tool-executions", "JSON", _raw(b"{not json")),
    Poison("tool-executions", "JSON", _raw(b"\xff\xfe\x00\x01")),
    Poison("tool-executions", "", _raw(None)),
    Poison("tool-executions", "success", _execution(success="yes")),
    Poison("tool-executions", "execution_id", _execution(execution_id="seven")),
    Poison("tool-executions", "version_id", _execution(version_id=2**31)),
    Poison("tool-executions", "executed_at", _execution(executed_at="2026-01-01T00:00:00")),
    Poison("tool-executions", "executed_at", _ahead),
    Poison("tool-executions", "key", _wrong_key),
    Poison("tool-executions", "key", _no_key),
    Poison("tool-executions", "partition", _misplaced_activation),
    Poison("tool-executions", "executed_at", _misplaced_and_ahead),
    Poison("tool-executions", "kind", _execution(kind="something")),
    Poison("tool-executions", "bad", _verdict(bad="yes")),
    Poison("tool-executions", "by", _verdict(by=_MISSING)),
    Poison("tool-executions", "verdict_id", _verdict(verdict_id=None)),
    Poison("tool-executions", "judged_at", _verdict(judged_at="yesterday")),
    Poison("tool-deployments", "code", _deployment(code=_MISSING)),
    Poison("tool-deployments", "code", _deployment(code="x" * 600_000)),
    Poison("tool-deployments", "deployment_id", _deployment(deployment_id=7)),
    Poison("tool-deployments", "created_by", _deployment(created_by="nobody")),
    Poison("tool-deployments", "JSON", _raw(b"[1, 2")),
    Poison("rollback-commands", "tier", _command(tier="soon")),
    Poison("rollback-commands", "command_id", _command(command_id=None)),
    Poison("rollback-commands", "issued_at", _command(issued_at="2999-01-01T00:00:00Z")),
)
