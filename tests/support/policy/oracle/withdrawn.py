"""The evidence that is left when commands were withdrawn because of an outage."""

from collections.abc import Sequence

from schemas.execution import Activation
from schemas.rules.rules import Rules
from tests.support.policy.oracle.attempts import Issued, withdrawn_at
from tests.support.policy.oracle.log import CountedExecution, Entry, counted_for, real_activations


def without_outages(
    log: Sequence[Entry], issued: Sequence[Issued], evidence: set[int], rules: Rules
) -> set[int]:
    """Return the offsets of the evidence that is left when commands were withdrawn.

    What led to a withdrawn command and what came until it was withdrawn is no evidence: the
    failures in a row until the command, and all after them. If the version goes on failing, the
    failures until its next success are none either, unless they lead to another command.
    """
    indices = real_activations(log)
    left: set[int] = set()
    for begin, end in zip(indices, [*indices[1:], len(log)], strict=True):
        current = log[begin].entry
        assert isinstance(current, Activation)
        counted = counted_for(log, begin, end, rules)
        seen = {each.offset: each for each in counted if each.offset in evidence}
        commands = [
            each
            for each in issued
            if each.command.from_activation == current.activation and each.command.mode != "observe"
        ]
        kept: list[CountedExecution] = []
        before: dict[int, list[CountedExecution]] = {}
        goes_on = False
        for index in range(begin, end):
            execution = seen.get(log[index].offset)
            if execution is not None:
                if goes_on and execution.execution.success:
                    kept, goes_on = _without_newest_failures(kept), False
                kept.append(execution)
            for number, command in enumerate(commands):
                if command.length == index + 1:
                    before[number], goes_on = _without_newest_failures(kept), False
                elif withdrawn_at(log[:end], commands, number) == index:
                    goes_on = bool(kept) and not kept[-1].execution.success
                    kept = list(before[number])
        left |= {each.offset for each in kept}
    return left


def _without_newest_failures(executions: Sequence[CountedExecution]) -> list[CountedExecution]:
    """Return these executions up to the last success, in the order of the log."""
    left = list(executions)
    while left and not left[-1].execution.success:
        left.pop()
    return left
