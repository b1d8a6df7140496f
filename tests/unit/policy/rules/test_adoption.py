"""An activation that is adopted takes the place of any other; one that is not adopts nothing."""

import pytest

from policy.decision.fold import fold
from policy.decision.policies import policy_for
from policy.state.log import LogRecord
from policy.state.row import Row
from schemas.errors import Rejected
from schemas.execution import Activation
from schemas.rules.rules import Rules
from schemas.settings import Settings
from streams.records import RecordValidator
from tests.support.inputs.messages import activation, execution
from tests.support.inputs.signing import Record, signatures, signed

GREATEST = 2**31 - 1


def row_after(*entries: Activation, policy: str = "seed") -> Row:
    row = None
    for offset, entry in enumerate(entries):
        record = LogRecord.of(offset, 0, entry)
        row, _ = fold(row, record, policy_for(Rules.model_validate({"policy": policy})))
    assert row is not None
    return row


@pytest.mark.parametrize("policy", ["seed", "guarded"])
def test_it_takes_the_place_of_a_greater_number(policy: str) -> None:
    forged, real = activation("t", 99, GREATEST), activation("t", 3, 2)
    assert row_after(forged, real, policy=policy).version_id == 99
    adopted = real.model_copy(update={"adopts": True})
    row = row_after(forged, adopted, policy=policy)
    assert (row.version_id, row.activation, row.read_to) == (3, 2, 1)
    assert row_after(forged, adopted, activation("t", 4, 3), policy=policy).version_id == 4


def test_it_takes_the_place_of_another_version_with_the_same_number() -> None:
    forged, adopted = activation("t", 99, 2), activation("t", 3, 2, adopts=True)
    assert row_after(forged, adopted).version_id == 3


def test_it_changes_nothing_of_what_is_current_already() -> None:
    real = activation("t", 3, 2)
    before, after = row_after(real), row_after(real, real.model_copy(update={"adopts": True}))
    before.read_to = after.read_to
    assert after == before


@pytest.mark.parametrize("mode", ["off", "warn"])
def test_nobody_adopts_without_a_signature(mode: str) -> None:
    checks = None if mode == "off" else signatures(mode=mode)
    validator = RecordValidator(Settings(), 1, checks)
    unsigned = signed(activation("t", 3, 2, adopts=True), None)
    entry = validator.log_entry(unsigned)
    assert isinstance(entry, Activation)
    assert entry.adopts is None


def test_a_signed_adoption_is_obeyed_and_an_unsigned_one_is_refused() -> None:
    validator = RecordValidator(Settings(), 1, signatures())
    said = activation("t", 3, 2, adopts=True)
    assert validator.log_entry(signed(said, "applier")) == said
    for by in (None, "ann"):
        with pytest.raises(Rejected):
            validator.log_entry(signed(said, by))


def test_executions_need_no_signature() -> None:
    validator = RecordValidator(Settings(), 1, signatures())
    said = execution("t")
    validator.log_entry(Record(b"t", said.to_bytes()))
