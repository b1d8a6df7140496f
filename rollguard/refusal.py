"""A refused deployment, as its author is told of it."""

from rollguard.value_texts import stop_text, time_text
from schemas.deployment import DeploymentOutcome, RolledBack
from schemas.errors import Rejected
from schemas.stops import Stop


class DeploymentRefused(Rejected):
    """A deployment that the applier refused: the text says why, ``outcome`` has the facts."""

    def __init__(self, outcome: DeploymentOutcome) -> None:
        super().__init__(refusal_text(outcome))
        self.outcome = outcome


def refusal_text(outcome: DeploymentOutcome) -> str:
    """Return in one line why a deployment was refused."""
    why = ""
    if outcome.rolled_back is not None:
        why = f": {_rolled_back_text(outcome.rolled_back)}"
    elif outcome.stopped is not None:
        why = f": {_stopped_text(outcome.stopped, outcome.tool_name)}"
    return f"refused: {outcome.refusal}{why}"


def _stopped_text(stop: Stop, tool_name: str) -> str:
    parts = [stop_text(stop)]
    if stop.version_id is not None:
        parts.append(f"it is the code of the version with the id {stop.version_id}")
    if stop.kind == "wait":
        parts.append(f"`rollguard resume {tool_name}` ends this")
    parts.append("a person may deploy it all the same")
    return "; ".join(parts)


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
