"""Freeze tools, reject versions, resume deployments (``rollguard.operations.stops``)."""

from rollguard.operations.stops import (
    RejectedVersion,
    freeze,
    reject,
    resume,
    stops_of,
    unfreeze,
)
from rollguard.operations.versions import VersionName
from schemas.stops import Stop

__all__ = [
    "RejectedVersion",
    "Stop",
    "VersionName",
    "freeze",
    "reject",
    "resume",
    "stops_of",
    "unfreeze",
]
