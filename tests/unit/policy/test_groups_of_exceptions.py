"""An exception group counts as a signature error by its leaves, and keeps its own class."""

from uuid import UUID

import pytest

from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.ring import Ring
from policy.state.row import Row, decode, encode
from schemas.execution import Execution
from schemas.rules.rules import Rules
from tests.support.policy.generated_logs import DEFAULT, GROUP, TOOL, guarded
from tests.support.policy.written_logs import Script, at


@pytest.mark.parametrize("rules", [DEFAULT, guarded(DEFAULT)], ids=["seed", "guarded"])
@pytest.mark.parametrize(("leaf", "counted"), [("TypeError", 2), ("KeyError", 0)])
def test_both_policies_count_a_group_by_its_leaves(rules: Rules, leaf: str, counted: int) -> None:
    script = Script().deploy(0)
    for second in (1, 2):
        failure = Execution(
            execution_id=UUID(int=second),
            tool_name=TOOL,
            success=False,
            error=GROUP.format(leaf=leaf),
            executed_at=at(second),
        )
        script.append(failure, second)
    policy, reason = policy_for(rules), None
    row: Row | None = None
    for each in script.log:
        record = LogRecord.of(each.offset, each.timestamp_ms, each.entry)
        row, command = fold(row, record, policy)
        reason = command and command.reason
        assert row is not None
        row = decode(encode(row))
    assert row is not None
    seen = row.ring.newest(2)
    assert [each.error_class for each in seen] == ["ExceptionGroup"] * 2
    assert sum(each.is_signature_error for each in seen) == counted
    if row.tool_evidence is None:
        assert reason == ("signature_change" if counted else None)
    else:
        assert row.tool_evidence.evidence.signature_errors == counted


def test_a_ring_that_was_stored_before_is_read_as_it_was() -> None:
    ring = Ring([1, 2, 3, 4], [bytes(16)] * 4, ["TypeError", "ExceptionGroup", "", None])
    seen = ring.newest(4)
    assert [each.error_class for each in seen] == ["TypeError", "ExceptionGroup", None, None]
    assert [each.is_signature_error for each in seen] == [True, False, False, False]
    assert [each.success for each in seen] == [False, False, False, True]
