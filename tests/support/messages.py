"""Messages for tests, of the present time and with ids of their own."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from schemas.deployment import Deployment
from schemas.execution import ActivatedBy, Activation, Execution


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
