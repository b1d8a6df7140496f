"""Entries of one tool's log for backtests. Times are seconds after ``START``."""

from datetime import UTC, datetime, timedelta
from uuid import UUID

from policy.backtest.requested_policy import RequestedPolicy
from schemas.execution import ActivatedBy, Activation, Execution
from schemas.settings import load_settings
from tests.support.inputs.messages import activation, execution

START = datetime(2026, 1, 1, tzinfo=UTC)
SETTINGS = load_settings()
SEED, GUARDED = RequestedPolicy.parse("seed", SETTINGS), RequestedPolicy.parse("guarded", SETTINGS)


def at(second: int) -> datetime:
    return START + timedelta(seconds=second)


def run(second: int, version: int | None = None, error: str | None = None) -> Execution:
    return execution("parser", error, version_id=version, executed_at=at(second))


def active(second: int, version: int, number: int, kind: str = "deployment") -> Activation:
    by = ActivatedBy.model_validate({"kind": kind, "id": UUID(int=number)})
    return activation("parser", version, number, activated_at=at(second), activated_by=by)
