"""Rows under policy `guarded`."""

from policy.decision.fold import fold_all
from policy.decision.policies import policy_for
from policy.state.row import Row, decode, encode
from schemas.rules.rules import Rules
from tests.support.policy.folding import log_record
from tests.support.policy.generated_logs import guarded
from tests.support.policy.written_logs import Script

DEFAULT = guarded(Rules())


def row_of(script: Script, rules: Rules = DEFAULT) -> Row:
    """Return the row after this log, after it was encoded and decoded."""
    row, _ = fold_all(None, [log_record(each) for each in script.log], policy_for(rules))
    assert row is not None
    return decode(encode(row))
