"""A refused deployment, as its author is told of it."""

from rollguard.value_texts import time_text
from schemas.deployment import DeploymentOutcome, RolledBack
from schemas.errors import Rejected


class DeploymentRefused(Rejected):
    """A deployment that the applier refused: the text says why, ``outcome`` has the facts."""

    def __init__(self, outcome: DeploymentOutcome) -> None:
        super().__init__(refusal_text(outcome))
        self.outcome = outcome


def refusal_text(outcome: DeploymentOutcome) -> str:
    """Return in one line why a deployment was refused."""
    done = outcome.rolled_back
    return f"refused: {outcome.refusal}" + ("" if done is None else f": {_rolled_back_text(done)}")


def _rolled_back_text(done: RolledBack) -> str:
    parts = [
        f"this code was rolled back at {time_text(done.rolled_back_at)}, as the version with "
        f"the id {done.from_version_id}, by {done.tier} {done.reason} ({done.rule})"
    ]
    if done.evidence is not None:
        parts.append(done.evidence)
    if done.errors:
        parts.append(f"it failed with {' | '.join(done.errors)}")
    parts.append(f"`rollguard explain {done.command_id}` shows {len(done.executions)} executions")
    parts.append("a person may deploy it all the same")
    return "; ".join(parts)
