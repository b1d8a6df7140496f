"""Activations that were not recorded, derived from the versions that the executions name."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from schemas.execution import ActivatedBy, Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import time_of

_DERIVED_ID: Final = UUID(int=0)


def is_derived(activation: Activation) -> bool:
    """Return whether it was derived; then ``version_number`` and ``code_hash`` mean nothing."""
    return activation.activated_by.id == _DERIVED_ID


@dataclass
class _Tool:
    """The current version of a tool."""

    version_id: int
    begun_us: int
    newest: int
    """The largest id of a version so far."""
    number: int
    """How many activations were derived."""
    shift: int | None = None
    """The number that is added to recorded activation numbers; None before the first of them."""


class DerivedActivations:
    """Completes the log of each tool up to its first recorded activation.

    The first execution of another version than the current one begins an activation. Ids of
    versions grow: if the other id is not larger than all before, the tool went back to it.
    Executions from before the current activation began are late, and begin nothing.
    """

    def __init__(self) -> None:
        self._tools: dict[str, _Tool] = {}

    def before(self, execution: ExecutionEntry) -> Activation | None:
        """Return the activation that precedes this execution, if one must be derived."""
        version_id, tool = execution.version_id, self._tools.get(execution.tool_name)
        if version_id is None:
            return None
        if tool is None:
            tool = _Tool(version_id, execution.executed_us, version_id, 1)
            self._tools[execution.tool_name] = tool
            return _activation(execution.tool_name, tool, "deployment")
        if (
            tool.shift is not None
            or version_id == tool.version_id
            or execution.executed_us < tool.begun_us
        ):
            return None
        went_back = version_id <= tool.newest
        tool.version_id, tool.begun_us = version_id, execution.executed_us
        tool.newest = max(tool.newest, version_id)
        tool.number += 1
        return _activation(execution.tool_name, tool, "rollback" if went_back else "deployment")

    def instead_of(self, recorded: Activation) -> Activation | None:
        """Return the activation to use instead of a recorded one.

        From the first recorded activation of a tool on, nothing is derived for the tool any more.
        Return None for that first one if it repeats what was derived. Recorded numbers continue
        after the derived ones; in most logs whose beginning is missing they are larger anyway.
        """
        tool = self._tools.get(recorded.tool_name)
        if tool is None:
            tool = _Tool(recorded.version_id, 0, 0, 0, shift=0)
            self._tools[recorded.tool_name] = tool
        if tool.shift is None:
            repeats = recorded.version_id == tool.version_id
            tool.shift = max(0, tool.number + (not repeats) - recorded.activation)
            if repeats:
                return None
        if not tool.shift:
            return recorded
        return recorded.model_copy(update={"activation": recorded.activation + tool.shift})


def _activation(tool_name: str, tool: _Tool, kind: Literal["deployment", "rollback"]) -> Activation:
    return Activation(
        tool_name=tool_name,
        version_id=tool.version_id,
        version_number=1,
        code_hash="0" * 64,
        activation=tool.number,
        activated_at=time_of(tool.begun_us),
        activated_by=ActivatedBy(kind=kind, id=_DERIVED_ID),
    )
