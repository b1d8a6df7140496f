"""What an applier says of rollbacks: in its log, and on ``/metrics``."""

import time
from typing import Any, Final

import structlog
from prometheus_client import Counter
from prometheus_client.registry import CollectorRegistry

from agents.applier.apply_changes import Request
from schemas.rollback import RollbackCommand, RollbackOutcome

log = structlog.get_logger()

_LOUD: Final = ("no_previous_version", "budget")
"""Nothing rolls the tool back any more, and somebody has to look at it."""


class RollbackReport:
    """Of the outcomes that this worker has published; one that is published again counts again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "rollguard_rollbacks",
            "outcomes of rollback commands that were published",
            labelnames=["status", "rejection", "reason"],
            registry=registry,
        )

    def came(self, asked: Request[RollbackCommand], outcome: RollbackOutcome) -> None:
        """What came of a command."""
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
        """What came of a command that nobody has answered."""
        self._say(outcome)

    def _say(self, outcome: RollbackOutcome, **more: Any) -> None:
        self._outcomes.labels(outcome.status, outcome.rejection or "", outcome.reason).inc()
        say = log.info
        if outcome.rejection in _LOUD:
            say = log.error
        elif outcome.status == "held" or outcome.rejection == "expired":
            say = log.warning  # someone is asked, or was
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
