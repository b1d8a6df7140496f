"""The numbers of the fleet's brake: how many tools machines roll back in a short time."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from schemas.rules.rules import Seconds


class FleetRules(BaseModel):
    """The numbers by which the applier holds rollbacks (``policy/rollbacks/fleet_brake.py``).

    They hold for all tools together. Durations are whole seconds of event time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    fleet_budget: Annotated[int, Field(ge=1, le=10_000)] = 20
    """Guarded: at most this many automatic rollbacks of all tools together within `fleet_budget_s`.
    Further ones are held: a person decides. A rollback that a person approved does not count."""
    fleet_budget_s: Seconds = 600
    """Guarded: the time that `fleet_budget` is for, in seconds."""
