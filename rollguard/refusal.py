"""A deployment that was refused, as its author is told."""

from schemas.deployment import DeploymentOutcome, RolledBack
from schemas.errors import Rejected


class DeploymentRefused(Rejected):
    """The applier refused a deployment: the text says why, and ``outcome`` has the parts of it."""

    def __init__(self, outcome: DeploymentOutcome) -> None:
        super().__init__(refusal_text(outcome))
        self.outcome = outcome


def refusal_text(outcome: DeploymentOutcome) -> str:
    """Why a deployment was refused, in one line."""
    done = outcome.rolled_back
    return f"refused: {outcome.refusal}" + ("" if done is None else f": {_told(done)}")


def _told(done: RolledBack) -> str:
    parts = [
        f"this code was rolled back at {done.rolled_back_at:%Y-%m-%d %H:%M:%S} UTC, as the version "
        f"with the id {done.from_version_id}, by {done.tier} {done.reason} ({done.rule})"
    ]
    if done.evidence is not None:
        parts.append(done.evidence)
    if done.errors:
        parts.append(f"it failed with {' | '.join(done.errors)}")
    parts.append(f"`rollguard explain {done.command_id}` shows {len(done.executions)} executions")
    parts.append("a person may deploy it all the same")
    return "; ".join(parts)
