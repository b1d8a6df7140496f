"""What waits for a person, on ``/metrics``. Every applier shows the same: what Postgres has."""

from prometheus_client import CollectorRegistry, Gauge

from db.rollbacks.holds import Waiting


class HoldReport:
    """Reports how many rollbacks and deployments are held, and for how long."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._number = Gauge(
            "rollguard_holds",
            "held rollbacks and deployments that wait for a person, in the whole system: every "
            "applier shows the same, so take the maximum",
            labelnames=["change"],
            registry=registry,
        )
        self._oldest = Gauge(
            "rollguard_oldest_hold_seconds",
            "for how long the oldest of them waits; 0 if there is none",
            labelnames=["change"],
            registry=registry,
        )

    def waiting(self, rollbacks: Waiting, deployments: Waiting) -> None:
        """Report what waits now."""
        for change, found in (("rollback", rollbacks), ("deployment", deployments)):
            self._number.labels(change).set(found.number)
            self._oldest.labels(change).set(found.oldest_s)
