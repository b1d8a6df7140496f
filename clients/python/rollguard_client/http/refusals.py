"""A deployment that made no version, as its author is told of it."""

from rollguard_client.errors import Rejected
from rollguard_client.messages.deployment import DeploymentOutcome


class DeploymentRefused(Rejected):
    """A deployment that was refused: the text says why, ``outcome`` has the facts."""

    def __init__(self, text: str, outcome: DeploymentOutcome) -> None:
        super().__init__(text)
        self.outcome = outcome


class DeploymentHeld(Rejected):
    """A deployment that waits for a person; ``outcome`` has the facts."""

    def __init__(self, outcome: DeploymentOutcome) -> None:
        waits = f"held: waits for a person: rollguard approve {outcome.deployment_id}"
        super().__init__("; ".join([waits, *(outcome.findings or ())]))
        self.outcome = outcome
