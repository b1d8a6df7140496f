"""Whose an HTTP answer is: of which system, and of which of its workers.

A port may belong to a worker of another system, or to another program. Every answer of a worker
therefore has these headers, and who asks compares them before believing the answer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Final, Self

_HEADERS: Final = {
    "cluster_id": "Rollguard-Cluster-Id",
    "topic_prefix": "Rollguard-Topic-Prefix",
    "role": "Rollguard-Role",
    "instance": "Rollguard-Instance",
}


@dataclass(frozen=True)
class Identity:
    """A worker, and the system that it belongs to."""

    cluster_id: str
    """The id of the Kafka cluster; "" as long as the worker has not reached Kafka."""
    topic_prefix: str
    role: str
    instance: str
    """The mark of one process."""

    @classmethod
    def of_headers(cls, headers: Mapping[str, str]) -> Self | None:
        """Return the identity that an answer carries; None if no worker has sent it."""
        found = {name: headers.get(header) for name, header in _HEADERS.items()}
        return None if None in found.values() else cls(**found)  # type: ignore[arg-type]

    def headers(self) -> dict[str, str]:
        """Return the headers of an answer."""
        return {_HEADERS[field.name]: getattr(self, field.name) for field in fields(self)}

    def is_of_system(self, cluster_id: str, topic_prefix: str) -> bool:
        """Return whether the worker belongs to the system with these topics."""
        return (self.cluster_id, self.topic_prefix) == (cluster_id, topic_prefix)

    def __str__(self) -> str:
        cluster = self.cluster_id or "not known yet"
        return f"{self.role} {self.instance} (cluster {cluster}, prefix {self.topic_prefix!r})"
