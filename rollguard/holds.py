"""Rollbacks that wait for a person: list, approve, dismiss (``rollguard.operations.holds``)."""

from rollguard.operations.holds import approve, dismiss, waiting

__all__ = ["approve", "dismiss", "waiting"]
