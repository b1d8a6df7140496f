"""What waits for a person: list, approve, dismiss.

Rollbacks (``rollguard.operations.holds``), deployments (``rollguard.operations.held_deployments``).
"""

from db.rollbacks.records import RollbackRecord
from db.versions.held import HeldDeployment
from rollguard.operations.held_deployments import (
    approve_deployment,
    deployments_of,
    dismiss_deployment,
    waiting_deployments,
)
from rollguard.operations.holds import approve, dismiss, waiting

__all__ = [
    "HeldDeployment",
    "RollbackRecord",
    "approve",
    "approve_deployment",
    "deployments_of",
    "dismiss",
    "dismiss_deployment",
    "waiting",
    "waiting_deployments",
]
