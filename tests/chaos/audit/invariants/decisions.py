"""Invariant: the detector issued exactly the commands that the policy demands of the logs.

Also, its table has the windows that the logs give.
"""

from collections import defaultdict
from collections.abc import Iterator
from uuid import UUID

from schemas.rollback import RollbackCommand
from tests.chaos.audit.expected import Expected, expected_of_guarded, expected_of_seed
from tests.chaos.audit.final_state import FinalState
from tests.chaos.audit.invariants.violation import Violation, position

_Issued = dict[str, dict[UUID, RollbackCommand]]
"""The detector's commands, by tool and id."""


def wrong_decisions(state: FinalState) -> Iterator[Violation]:
    """Yield commands that are missing, extra or different, and windows that are different."""
    issued: _Issued = defaultdict(dict)
    yield from _changed_repetitions(state, issued)
    demands = expected_of_seed if state.settings.rules.policy == "seed" else expected_of_guarded
    for tool, expected in demands(state):
        yield from _wrong_commands(tool, expected, issued.pop(tool, {}))
        shown = expected.same_part_of(state.health.get(tool, {}))
        if shown != expected.health:
            yield Violation("windows", tool, "the table", f"{shown}, not {expected.health}")
    for tool, rest in issued.items():
        yield Violation("decisions", tool, str(list(rest)), "commanded for a tool without a log")


def _changed_repetitions(state: FinalState, issued: _Issued) -> Iterator[Violation]:
    """Add the detector's commands to ``issued``; yield those repeated with other content."""
    for record, command in state.commands:
        if command.issued_by != "detector":
            continue
        known = issued[command.tool_name].setdefault(command.command_id, command)
        if known != command:
            text = f"{command.command_id} was issued before with other content"
            yield Violation("decisions", command.tool_name, position(record), text)


def _wrong_commands(
    tool: str, expected: Expected, issued: dict[UUID, RollbackCommand]
) -> Iterator[Violation]:
    for record, demanded in expected.commands:
        found = issued.pop(demanded.command_id, None)
        if found is None:
            text = f"{demanded.reason} demands {demanded.command_id}: not commanded"
            yield Violation("decisions", tool, position(record), text)
        elif found != demanded:
            text = f"commanded {found}, not {demanded}"
            yield Violation("decisions", tool, position(record), text)
    for command in issued.values():
        yield Violation("decisions", tool, str(command.command_id), "no rule demands it")
