"""The check of a run: every invariant, one after the other."""

from collections.abc import Callable, Iterator
from typing import Final
from uuid import UUID

from tests.chaos.audit.final_state import FinalState
from tests.chaos.audit.invariants.acknowledged_records import lost_records
from tests.chaos.audit.invariants.changelog_rows import outdated_rows
from tests.chaos.audit.invariants.dead_letters import wrong_dead_letters
from tests.chaos.audit.invariants.decisions import wrong_decisions
from tests.chaos.audit.invariants.engines import wrong_engines
from tests.chaos.audit.invariants.forwarded import wrong_copies
from tests.chaos.audit.invariants.gate import wrong_gate
from tests.chaos.audit.invariants.metrics import wrong_metrics
from tests.chaos.audit.invariants.outcomes import wrong_outcomes
from tests.chaos.audit.invariants.stops import broken_stops
from tests.chaos.audit.invariants.verdicts import wrong_verdicts
from tests.chaos.audit.invariants.versions import wrong_versions
from tests.chaos.audit.invariants.violation import Violation

_INVARIANTS: Final[tuple[Callable[[FinalState], Iterator[Violation]], ...]] = (
    wrong_metrics,
    wrong_verdicts,
    wrong_copies,
    wrong_decisions,
    wrong_outcomes,
    wrong_gate,
    wrong_versions,
    wrong_engines,
    outdated_rows,
    wrong_dead_letters,
    broken_stops,
)


def violations(state: FinalState, acknowledged: dict[str, set[UUID]]) -> list[Violation]:
    """Return all violations of the invariants; a run passes if there are none."""
    found = [violation for invariant in _INVARIANTS for violation in invariant(state)]
    return found + list(lost_records(state, acknowledged))
