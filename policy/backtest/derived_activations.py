"""Activations that nobody recorded, from the versions that the executions name. Pure."""

from dataclasses import dataclass
from typing import Final, Literal
from uuid import UUID

from schemas.execution import ActivatedBy, Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import time_of

_NOBODY: Final = UUID(int=0)


def is_derived(activation: Activation) -> bool:
    """Whether it was derived, so that its ``version_number`` and ``code_hash`` say nothing."""
    return activation.activated_by.id == _NOBODY


@dataclass
class _Tool:
    """What is current. ``newest`` is the largest id of a version so far; ``number`` counts what was
    derived; ``shift`` is added to recorded activations, None before the first.
    """

    version_id: int
    begun_us: int
    newest: int
    number: int
    shift: int | None = None


class DerivedActivations:
    """Completes the logs of tools: each as far as it holds no activation.

    The first execution of another version than the current one begins an activation. Ids of
    versions grow: where that one is no larger than those before, the tool went back to it.
    Executions from before the current activation began are late, and begin nothing.
    """

    def __init__(self) -> None:
        self._tools: dict[str, _Tool] = {}

    def before(self, run: ExecutionEntry) -> Activation | None:
        """The activation that stands in front of this execution, if one has to be derived."""
        version_id, tool = run.version_id, self._tools.get(run.tool_name)
        if version_id is None:
            return None
        if tool is None:
            tool = _Tool(version_id, run.executed_us, version_id, 1)
            self._tools[run.tool_name] = tool
            return _activation(run.tool_name, tool, "deployment")
        if (
            tool.shift is not None
            or version_id == tool.version_id
            or run.executed_us < tool.begun_us
        ):
            return None
        went_back = version_id <= tool.newest
        tool.version_id, tool.begun_us = version_id, run.executed_us
        tool.newest = max(tool.newest, version_id)
        tool.number += 1
        return _activation(run.tool_name, tool, "rollback" if went_back else "deployment")

    def in_place_of(self, recorded: Activation) -> Activation | None:
        """The activation that takes the place of a recorded one: from the first one of a tool on,
        nothing is derived for it any more.

        None for that first one where it says again what was derived. Numbers begin behind those
        that were derived; most logs that are cut off in front have larger ones already.
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
        activated_by=ActivatedBy(kind=kind, id=_NOBODY),
    )
