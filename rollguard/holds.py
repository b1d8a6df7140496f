"""Rollbacks that wait for a person: list, approve, dismiss (``rollguard.operations.holds``)."""

from db.rollbacks.records import RollbackRecord
from rollguard.operations.holds import approve, dismiss, waiting

__all__ = ["RollbackRecord", "approve", "dismiss", "waiting"]
