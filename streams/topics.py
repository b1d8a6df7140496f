"""The topics: their names, and the settings with which they are created.

No other module writes the name of a topic.
"""

from dataclasses import dataclass
from typing import Final, Self

from schemas.message import MAX_REQUEST_BYTES
from schemas.settings import Settings

ROLES: Final = ("detector", "applier", "recorder")
"""The roles that every system has. A notifier is there if somebody wants to be told."""
TABLE: Final = "tool-windows"
_DAY_MS: Final = 24 * 60 * 60 * 1000
_MINUTE_MS: Final = 60 * 1000
_VERSIONS: Final = {
    "cleanup.policy": "compact",
    # A worker that was suspended and continued may write an old record after the newer one.
    # Compaction keeps both for a day. Before it removes the newer one, that is published again
    # (``agents.applier.republish_versions``) and becomes the last.
    "min.compaction.lag.ms": str(_DAY_MS),
}
_REPORTS: Final = {
    # Engines that run report again and again. What a process has said that was killed goes by time.
    "cleanup.policy": "compact,delete",
    "segment.ms": str(60 * _MINUTE_MS),
}
_SEGMENTS: Final = 16
"""In how many segments Kafka keeps a partition of `dead-letters`."""
_CHANGELOG: Final = {
    "cleanup.policy": "compact",
    # For the same reason, but shorter, because a worker that starts reads the whole topic.
    "min.compaction.lag.ms": str(15 * _MINUTE_MS),
    "max.compaction.lag.ms": str(30 * _MINUTE_MS),
    "segment.ms": str(5 * _MINUTE_MS),
    "min.cleanable.dirty.ratio": "0.1",
}


def group_of(settings: Settings, role: str) -> str:
    """Return the consumer group of a role, which is also the id of its Faust app."""
    return f"{settings.topic_prefix}rollguard-{role}"


@dataclass(frozen=True)
class Topics:
    """The names of all topics, prefix included."""

    executions: str
    deployments: str
    deployment_outcomes: str
    versions: str
    commands: str
    outcomes: str
    reports: str
    outages: str
    dead_letters: str
    changelog: str

    @classmethod
    def of(cls, settings: Settings) -> Self:
        """Return the names with the settings' prefix."""
        prefix = settings.topic_prefix
        return cls(
            executions=f"{prefix}tool-executions",
            deployments=f"{prefix}tool-deployments",
            deployment_outcomes=f"{prefix}deployment-outcomes",
            versions=f"{prefix}tool-versions",
            commands=f"{prefix}rollback-commands",
            outcomes=f"{prefix}rollback-outcomes",
            reports=f"{prefix}engine-reports",
            outages=f"{prefix}outages",
            dead_letters=f"{prefix}dead-letters",
            changelog=f"{group_of(settings, 'detector')}-{TABLE}-changelog",
        )

    def all(self) -> list[str]:
        """Return all names."""
        return list(vars(self).values())

    def read_by(self, role: str) -> tuple[str, ...]:
        """Return the topics that the workers of a role read."""
        match role:
            case "applier":
                return self.deployments, self.commands
            case "recorder":
                return self.executions, self.reports
            case "notifier":
                return self.outcomes, self.deployment_outcomes, self.outages
        return (self.executions,)

    def sources(self) -> tuple[str, ...]:
        """Return the topics whose bad records may be replayed: requests, executions and reports."""
        return (self.executions, self.deployments, self.commands, self.reports)

    def config_of(self, topic: str, settings: Settings) -> dict[str, str]:
        """Return the topic's settings on the broker."""
        config = {
            "message.timestamp.type": "LogAppendTime",
            "max.message.bytes": str(MAX_REQUEST_BYTES),
        }
        if topic == self.versions:
            return config | _VERSIONS
        if topic == self.changelog:
            return config | _CHANGELOG
        if topic == self.reports:
            kept_ms = settings.retention_days * _DAY_MS
            return config | _REPORTS | {"retention.ms": str(kept_ms)}
        config["cleanup.policy"] = "delete"
        if topic != self.dead_letters:
            return config | {"retention.ms": str(settings.retention_days * _DAY_MS)}
        most = settings.dead_letter_retention_bytes
        return config | {
            "retention.ms": str(settings.dead_letter_retention_days * _DAY_MS),
            "retention.bytes": str(most),
            # Kafka removes whole segments, and never the one that it writes to.
            "segment.bytes": str(max(most // _SEGMENTS, MAX_REQUEST_BYTES)),
        }
