"""Activations whose place in the log was not recorded, put where they must have stood. Pure."""

from collections.abc import Iterable, Iterator, Sequence

from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of

Applied = tuple[Activation, int]
"""An activation, and when it was committed, in microseconds since the epoch."""


class _Tool:
    def __init__(self) -> None:
        self.activations: list[Applied] = []
        self.places: dict[int, list[int]] = {}
        """Of each version in ``activations``."""
        self.done = 0
        self.current: int | None = None
        """The version's id."""


class PlacedActivations:
    """The activations of tools, in their order, each as late as it can have stood.

    It stands behind its commit and in front of its version's executions. An execution certainly
    stands behind it that belongs to its version (of a version that a rollback activated again, and
    was executed since), or that was executed more than ``ahead_us`` after the commit: a log holds
    nothing that is further ahead of it. What a replaced version was sent until then counts for it,
    where in the log it may have stood behind the activation and not have counted.
    """

    def __init__(self, applied: Iterable[Applied], ahead_us: int) -> None:
        self._ahead_us = ahead_us
        self._tools: dict[str, _Tool] = {}
        for activation, committed_us in applied:
            tool = self._tools.setdefault(activation.tool_name, _Tool())
            tool.places.setdefault(activation.version_id, []).append(len(tool.activations))
            tool.activations.append((activation, committed_us))

    def knows(self, tool_name: str) -> bool:
        """Whether the tool has activations at all."""
        return tool_name in self._tools

    def before(self, run: ExecutionEntry) -> Sequence[Activation]:
        """Those that stand in front of this execution, and not in front of one before it."""
        tool = self._tools.get(run.tool_name)
        if tool is None or tool.done == len(tool.activations):  # nearly always
            return ()
        end = tool.done
        if run.version_id is not None and run.version_id != tool.current:
            for place in tool.places.get(run.version_id, ()):
                if place >= tool.done and _may_count(tool.activations[place][0], run):
                    end = place + 1
                    break
        latest_us = run.executed_us - self._ahead_us
        while end < len(tool.activations) and tool.activations[end][1] < latest_us:
            end += 1
        return self._take(tool, end)

    def rest(self) -> Iterator[Activation]:
        """Those that stand behind the last execution of their tool."""
        for tool in self._tools.values():
            yield from self._take(tool, len(tool.activations))

    def _take(self, tool: _Tool, end: int) -> Sequence[Activation]:
        taken = [activation for activation, _ in tool.activations[tool.done : end]]
        if taken:
            tool.done, tool.current = end, taken[-1].version_id
        return taken


def _may_count(activation: Activation, run: ExecutionEntry) -> bool:
    """Whether an execution of its version counts behind it."""
    is_first = activation.activated_by.kind == "deployment"
    return is_first or run.executed_us >= micros_of(activation.activated_at)
