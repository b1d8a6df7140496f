"""A console, asked over HTTP: for whoever can reach neither Kafka nor Postgres."""

from rollguard_client.http.console import Console
from rollguard_client.http.events import Event, follow_events
from rollguard_client.http.managers import DeploymentMonitor, ToolVersionManager
from rollguard_client.http.refusals import DeploymentHeld, DeploymentRefused

__all__ = [
    "Console",
    "DeploymentHeld",
    "DeploymentMonitor",
    "DeploymentRefused",
    "Event",
    "ToolVersionManager",
    "follow_events",
]
