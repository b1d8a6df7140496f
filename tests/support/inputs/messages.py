"""Messages for tests, of the present time and with ids of their own."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID, uuid4

from schemas.deployment import Deployment, ToolVersion, code_hash_of
from schemas.execution import ActivatedBy, Activation, Execution
from schemas.rollback import RollbackCommand


def execution(tool: str, error: str | None = None, **fields: Any) -> Execution:
    """Return an execution at the present time; it is a success if ``error`` is None."""
    values: dict[str, Any] = {
        "execution_id": uuid4(),
        "tool_name": tool,
        "success": error is None,
        "error": error,
        "executed_at": datetime.now(UTC),
    }
    return Execution(**(values | fields))


def deployment(tool: str, code: str, **fields: Any) -> Deployment:
    """Return a person's deployment at the present time."""
    values: dict[str, Any] = {
        "deployment_id": uuid4(),
        "tool_name": tool,
        "code": code,
        "created_by": "human",
        "improvement_type": "initial",
        "deployed_at": datetime.now(UTC),
    }
    return Deployment(**(values | fields))


def activation(tool: str, version_id: int, number: int, **fields: Any) -> Activation:
    """Return the activation ``number`` of a tool: a deployment makes this version current."""
    values: dict[str, Any] = {
        "tool_name": tool,
        "version_id": version_id,
        "version_number": version_id,
        "code_hash": "0" * 64,
        "activation": number,
        "activated_at": datetime.now(UTC),
        "activated_by": ActivatedBy(kind="deployment", id=uuid4()),
    }
    return Activation(**(values | fields))


def version(activation: int, code: str, tool_name: str = "parser", **fields: Any) -> ToolVersion:
    """Return a current version whose id and number are those of its activation."""
    values: dict[str, Any] = {
        "tool_name": tool_name,
        "version_id": activation,
        "version_number": activation,
        "code": code,
        "code_hash": code_hash_of(code),
        "created_by": "human",
        "improvement_type": "initial",
        "is_breaking_change": False,
        "breaking_changes": [],
        "deployment_id": UUID(int=activation),
        "activation": activation,
        "activated_at": datetime(2026, 1, 31, tzinfo=UTC),
        "activated_by": ActivatedBy(kind="deployment", id=UUID(int=activation)),
    }
    return ToolVersion(**(values | fields))


def command_by_ann(tool: str, **fields: Any) -> RollbackCommand:
    """Return the command of a person, with a new id; ``fields`` change it."""
    values: dict[str, Any] = {
        "command_id": uuid4(),
        "tool_name": tool,
        "tier": "manual",
        "reason": "manual",
        "issued_by": "ann",
        "issued_at": datetime.now(UTC),
    }
    return RollbackCommand(**(values | fields))
