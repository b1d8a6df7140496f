"""The report of an applier about rollbacks: in its log, and on ``/metrics``."""

import time
from typing import Any, Final

import structlog
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

from agents.applier.apply_changes import Request
from schemas.rollback import RollbackCommand, RollbackOutcome

log = structlog.get_logger()

_LOUD: Final = ("no_previous_version", "budget")
"""The tool is not rolled back automatically any more, and a person has to look at it."""


class RollbackReport:
    """Reports the outcomes that this worker published. An outcome published again counts again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "rollguard_rollbacks",
            "outcomes of rollback commands that were published",
            labelnames=["status", "rejection", "reason"],
            registry=registry,
        )

    def came(self, asked: Request[RollbackCommand], outcome: RollbackOutcome) -> None:
        """Report what came of a command."""
        command = asked.request
        self._say(
            outcome,
            executions=command.details.get("executions"),
            failures=command.details.get("failures"),
            approved_by=command.approved_by,
            dismissed_by=command.dismissed_by,
            latency_ms=round(time.time() * 1000 - asked.at_ms, 1),
        )

    def expired(self, outcome: RollbackOutcome) -> None:
        """Report the rejection of a held command that nobody answered."""
        self._say(outcome)

    def _say(self, outcome: RollbackOutcome, **more: Any) -> None:
        self._outcomes.labels(outcome.status, outcome.rejection or "", outcome.reason).inc()
        say = log.info
        if outcome.rejection in _LOUD:
            say = log.error
        elif outcome.status == "held" or outcome.rejection == "expired":
            say = log.warning  # a person is asked, or was
        say(
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
            command=str(outcome.command_id),
            **more,
        )
