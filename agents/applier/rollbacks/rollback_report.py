"""The report of an applier about rollbacks, in its log and on ``/metrics``."""

import time
from typing import Any, Final, get_args

import structlog
from prometheus_client import Counter, Histogram
from prometheus_client.registry import CollectorRegistry

from agents.applier.waiting.attempts import Request
from agents.metrics.durations import FROM_1_MS, TwoClocks
from schemas.fields import micros_of
from schemas.rollback import Reason, Rejection, RollbackCommand, RollbackOutcome, Status

log = structlog.get_logger()

_LOGGED_AS_ERRORS: Final = ("no_previous_version", "budget")
"""After these rejections the tool is not rolled back automatically any more, and needs a person."""


_TO_COMMIT: Final = "execution_to_commit"
_TO_OUTCOME: Final = "execution_to_outcome"
_FROM_COMMAND: Final = "command_to_outcome"


class RollbackReport:
    """Reports the outcomes that this worker published. An outcome published again counts again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "rollguard_rollbacks",
            "outcomes of rollback commands that were published",
            labelnames=["status", "rejection", "reason"],
            registry=registry,
        )
        for reason in get_args(Reason):  # so that the first outcome is an increase
            for status in get_args(Status):
                for rejection in get_args(Rejection) if status == "rejected" else ("",):
                    self._outcomes.labels(status, rejection, reason)
        self._braked = Counter(
            "rollguard_fleet_holds",
            "rollbacks that are held because too many tools were rolled back in a short time",
            registry=registry,
        )

        self._to_commit = Histogram(
            "rollguard_execution_to_commit_seconds",
            "time from the execution that decided (`issued_at` of the command, as for "
            "`rollguard_execution_to_command_seconds`) until Postgres has committed its rollback; "
            "only automatic rollbacks that were applied without asking a person",
            buckets=FROM_1_MS,
            registry=registry,
        )
        self._to_outcome = Histogram(
            "rollguard_execution_to_outcome_seconds",
            "the same until Kafka has acknowledged the outcome; engines learn of the version "
            "before that",
            buckets=FROM_1_MS,
            registry=registry,
        )
        self._from_command = Histogram(
            "rollguard_command_to_outcome_seconds",
            "time from the Kafka timestamp of the command until Kafka has acknowledged the "
            "outcome; only rollbacks that were applied, those of persons and held ones included",
            buckets=FROM_1_MS,
            registry=registry,
        )
        self._clocks = TwoClocks(registry, _TO_COMMIT, _TO_OUTCOME, _FROM_COMMAND)

    def decided(
        self, request: Request[RollbackCommand], outcome: RollbackOutcome, committed_s: float
    ) -> None:
        """Report the outcome of a command, which Kafka has acknowledged just now.

        ``committed_s`` is when Postgres committed it, in seconds since the epoch.
        """
        command, now = request.message, time.time()
        if outcome.status == "applied":
            from_command_s = now - request.at_ms / 1_000
            self._clocks.observe(_FROM_COMMAND, self._from_command, from_command_s)
            if command.tier != "manual" and command.approved_by is None:
                executed_s = micros_of(command.issued_at) / 1e6
                self._clocks.observe(_TO_COMMIT, self._to_commit, committed_s - executed_s)
                self._clocks.observe(_TO_OUTCOME, self._to_outcome, now - executed_s)
        self._report(
            outcome,
            executions=_number(command.details.get("executions")),
            failures=_number(command.details.get("failures")),
            approved_by=command.approved_by,
            dismissed_by=command.dismissed_by,
            latency_ms=round(now * 1000 - request.at_ms, 1),
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
