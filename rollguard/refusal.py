"""A deployment that made no version, as its author is told of it."""

from rollguard.value_texts import stop_text, time_text
from schemas.deployment import DeploymentOutcome, RolledBack
from schemas.errors import Rejected
from schemas.stops import Stop


class DeploymentRefused(Rejected):
    """A deployment that the applier refused: the text says why, ``outcome`` has the facts."""

    def __init__(self, outcome: DeploymentOutcome) -> None:
        super().__init__(refusal_text(outcome))
        self.outcome = outcome


class DeploymentHeld(Rejected):
    """A deployment that waits for a person: the text says why, ``outcome`` has the facts."""

    def __init__(self, outcome: DeploymentOutcome) -> None:
        super().__init__(refusal_text(outcome))
        self.outcome = outcome


def require_version(outcome: DeploymentOutcome) -> int:
    """Return the id of the version; raise DeploymentRefused or DeploymentHeld if there is none."""
    if outcome.version_id is not None:
        return outcome.version_id
    raise DeploymentHeld(outcome) if outcome.status == "held" else DeploymentRefused(outcome)


def refusal_text(outcome: DeploymentOutcome) -> str:
    """Return in one line why a deployment was refused, or is held."""
    parts = [outcome.status if outcome.refusal is None else f"{outcome.status}: {outcome.refusal}"]
    if outcome.rolled_back is not None:
        parts[0] += f": {_rolled_back_text(outcome.rolled_back)}"
    elif outcome.stopped is not None:
        parts[0] += f": {_stopped_text(outcome.stopped, outcome.tool_name)}"
    elif outcome.status == "held":
        parts[0] += f": waits for a person: rollguard approve {outcome.deployment_id}"
    return "; ".join([*parts, *(outcome.findings or ())])


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
