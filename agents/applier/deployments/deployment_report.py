"""The report of an applier about deployments, in its log and on ``/metrics``."""

from typing import Final, get_args

import structlog
from prometheus_client import CollectorRegistry, Counter

from schemas.deployment import (
    DISMISSED,
    EXPIRED,
    GATE,
    IDENTICAL_TO_ROLLED_BACK,
    NOT_HELD,
    SUPERSEDED,
    Deployment,
    DeploymentOutcome,
    StopRefusal,
)

log = structlog.get_logger()

_REFUSALS: Final = frozenset(
    {
        *get_args(StopRefusal),
        *(IDENTICAL_TO_ROLLED_BACK, GATE, NOT_HELD, EXPIRED, SUPERSEDED),
    }
)
_DISMISSED: Final = "dismissed"
_INVALID: Final = "invalid"


def refusal_kind(refusal: str | None) -> str:
    """Return why a deployment is refused in one of a few words; "" if it is not refused.

    What is wrong with a deployment that is not valid is a text of any length: that is `invalid`.
    """
    if refusal is None:
        return ""
    if refusal.startswith(DISMISSED):
        return _DISMISSED
    return refusal if refusal in _REFUSALS else _INVALID


class DeploymentReport:
    """Reports the outcomes that this worker published. An outcome published again counts again."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._outcomes = Counter(
            "rollguard_deployments",
            "outcomes of deployments that were published; `refusal` is in one word why one is "
            "refused, and `invalid` if the deployment itself is wrong",
            labelnames=["status", "refusal"],
            registry=registry,
        )
        for status in ("created", "unchanged", "held"):
            self._outcomes.labels(status, "")
        for refusal in (*_REFUSALS, _DISMISSED, _INVALID):
            self._outcomes.labels("refused", refusal)

    def refused(self, outcome: DeploymentOutcome) -> None:
        """Count the refusal of a bad deployment: the log has its dead letter."""
        self._outcomes.labels(outcome.status, refusal_kind(outcome.refusal)).inc()

    def decided(self, outcome: DeploymentOutcome, request: Deployment | None = None) -> None:
        """Report an outcome, and who answered if it is one of an answer."""
        self._outcomes.labels(outcome.status, refusal_kind(outcome.refusal)).inc()
        write = log.info
        if outcome.status == "held" or outcome.refusal == EXPIRED:
            write = log.warning  # a person has to answer, or did not answer in time
        write(
            "deployment",
            tool=outcome.tool_name,
            status=outcome.status,
            refusal=outcome.refusal,
            findings=len(outcome.findings or ()),
            version=outcome.version_id,
            number=outcome.version_number,
            breaking=outcome.is_breaking_change,
            activation=outcome.activation,
            approved_by=None if request is None else request.approved_by,
            dismissed_by=None if request is None else request.dismissed_by,
            deployment=str(outcome.deployment_id),
        )
