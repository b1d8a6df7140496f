"""The report of an applier about rollbacks, in its log and on ``/metrics``."""

import time
from typing import Any, Final

import structlog
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

from agents.applier.waiting.attempts import Request
from schemas.rollback import RollbackCommand, RollbackOutcome

log = structlog.get_logger()

_LOGGED_AS_ERRORS: Final = ("no_previous_version", "budget")
"""After these rejections the tool is not rolled back automatically any more, and needs a person."""


class RollbackReport:
    """Reports the outcomes that this worker published. An outcome published again counts again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "rollguard_rollbacks",
            "outcomes of rollback commands that were published",
            labelnames=["status", "rejection", "reason"],
            registry=registry,
        )
        self._braked = Counter(
            "rollguard_fleet_holds",
            "rollbacks that are held because too many tools were rolled back in a short time",
            registry=registry,
        )

    def decided(self, request: Request[RollbackCommand], outcome: RollbackOutcome) -> None:
        """Report the outcome of a command."""
        command = request.message
        self._report(
            outcome,
            executions=_number(command.details.get("executions")),
            failures=_number(command.details.get("failures")),
            approved_by=command.approved_by,
            dismissed_by=command.dismissed_by,
            latency_ms=round(time.time() * 1000 - request.at_ms, 1),
        )

    def expired(self, outcome: RollbackOutcome) -> None:
        """Report the rejection of a held command that nobody answered."""
        self._report(outcome)

    def _report(self, outcome: RollbackOutcome, **more: Any) -> None:
        self._outcomes.labels(outcome.status, outcome.rejection or "", outcome.reason).inc()
        write = log.info
        if outcome.status == "held" and outcome.hold_reason == "fleet_budget":
            self._braked.inc()
            log.error("fleet_brake", tool=outcome.tool_name, command=str(outcome.command_id))
        if outcome.rejection in _LOGGED_AS_ERRORS:
            write = log.error
        elif outcome.status == "held" or outcome.rejection == "expired":
            write = log.warning  # a person has to answer, or did not answer in time
        write(
            "rollback",
            tool=outcome.tool_name,
            status=outcome.status,
            rejection=outcome.rejection,
            from_version=outcome.from_version_id,
            to_version=outcome.to_version_id,
            tier=outcome.tier,
            reason=outcome.reason,
            target=outcome.target,
            breaking=outcome.is_breaking_change,
            hold_reason=outcome.hold_reason,
            command=str(outcome.command_id),
            **more,
        )


def _number(value: object) -> int | None:
    """Return a count; None for anything else that stands in the details of a command."""
    return value if isinstance(value, int) and 0 <= value < 2**63 else None
