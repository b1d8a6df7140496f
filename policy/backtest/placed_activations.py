"""Activations whose position in the log was not recorded, put where they must have been."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from schemas.execution import Activation
from schemas.execution_entry import ExecutionEntry
from schemas.fields import micros_of


class CommittedActivation(NamedTuple):
    """An activation, and when it was committed, in microseconds since the epoch."""

    activation: Activation
    committed_us: int


class _Tool:
    def __init__(self) -> None:
        self.committed: list[CommittedActivation] = []
        self.indices: dict[int, list[int]] = {}
        """For each version id, the indices of its activations in ``committed``."""
        self.done = 0
        """How many of ``committed`` were returned."""
        self.current: int | None = None
        """The id of the current version."""


class PlacedActivations:
    """The activations of tools, in their order, each as late as it can have been.

    An activation comes after its commit and before its version's executions. An execution certainly
    comes after it in two cases: the execution belongs to its version (and, if a rollback activated
    the version again, was executed since then), or it was executed more than ``ahead_us`` after the
    commit, because a log holds nothing that is further ahead of its time. Executions of the
    replaced version up to then count for that version, although in the log they may have come after
    the activation and not have counted.
    """

    def __init__(self, committed: Iterable[CommittedActivation], ahead_us: int) -> None:
        self._ahead_us = ahead_us
        self._tools: dict[str, _Tool] = {}
        for each in committed:
            tool = self._tools.setdefault(each.activation.tool_name, _Tool())
            tool.indices.setdefault(each.activation.version_id, []).append(len(tool.committed))
            tool.committed.append(each)

    def knows(self, tool_name: str) -> bool:
        """Return whether the tool has activations at all."""
        return tool_name in self._tools

    def before(self, execution: ExecutionEntry) -> Sequence[Activation]:
        """Return the activations that precede this execution and were not returned before."""
        tool = self._tools.get(execution.tool_name)
        if tool is None or tool.done == len(tool.committed):  # nearly always
            return ()
        end = tool.done
        if execution.version_id is not None and execution.version_id != tool.current:
            for index in tool.indices.get(execution.version_id, ()):
                if index >= tool.done and _counts_after(
                    tool.committed[index].activation, execution
                ):
                    end = index + 1
                    break
        latest_us = execution.executed_us - self._ahead_us
        while end < len(tool.committed) and tool.committed[end].committed_us < latest_us:
            end += 1
        return self._take(tool, end)

    def rest(self) -> Iterator[Activation]:
        """Return the activations that come after the last execution of their tool."""
        for tool in self._tools.values():
            yield from self._take(tool, len(tool.committed))

    def _take(self, tool: _Tool, end: int) -> Sequence[Activation]:
        taken = [each.activation for each in tool.committed[tool.done : end]]
        if taken:
            tool.done, tool.current = end, taken[-1].version_id
        return taken


def _counts_after(activation: Activation, execution: ExecutionEntry) -> bool:
    """Return whether an execution of the activated version counts after the activation."""
    is_first = activation.activated_by.kind == "deployment"
    return is_first or execution.executed_us >= micros_of(activation.activated_at)
