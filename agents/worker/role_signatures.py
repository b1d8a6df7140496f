"""The signatures of a worker: what it checks with, what it signs with, and what did not verify."""

from typing import TYPE_CHECKING, NamedTuple

from prometheus_client import CollectorRegistry, Counter

from schemas.settings import Settings
from signatures import signatures_of

if TYPE_CHECKING:  # it is imported only if signatures are wanted
    from signatures.signatures import Signatures
    from signatures.signing import Signer


class RoleSignatures(NamedTuple):
    """The signatures of one role; both are None if signatures are off."""

    checks: "Signatures | None"
    signer: "Signer | None"
    """None for the recorder and the notifier, which publish nothing that is signed."""


def signatures_of_role(
    role: str, settings: Settings, registry: CollectorRegistry
) -> RoleSignatures:
    """Return the signatures of a role. Raises Misconfigured if a key is missing or wrong."""
    if role == "notifier":
        return RoleSignatures(None, None)  # what it reads and publishes is not signed
    unverified = Counter(
        "rollguard_unverified_messages",
        "messages whose signature is missing or wrong, or whose key may not say them",
        labelnames=["message"],
        registry=registry,
    )
    for message in ("Deployment", "Activation", "ToolVersion", "RollbackCommand"):
        unverified.labels(message)
    checks = signatures_of(settings)
    if checks is None:
        return RoleSignatures(None, None)
    checks.count = lambda message: unverified.labels(message).inc()
    if role == "detector":
        return RoleSignatures(checks, checks.require_signer("detector"))
    if role == "applier":
        return RoleSignatures(checks, checks.require_signer("applier"))
    return RoleSignatures(checks, None)
