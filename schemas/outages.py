"""When failures of many tools at once are an outage, and say nothing about versions."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class OutageRules(BaseModel):
    """The numbers by which the detector tells an outage (``policy/state/outages.py``), for all
    tools of policy `guarded`. Durations are whole seconds of the broker's time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    outage_tools: Annotated[int, Field(ge=2, le=64)] = 4
    """So many tools of a partition must have been executed lately; with fewer there is none."""
    outage_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """An outage begins where the last execution of so many of them failed, and is over at half of
    it."""
    outage_window_s: Annotated[int, Field(ge=1, le=3_600)] = 60
    """What is lately. What failed so shortly before an outage belongs to it."""
    doubt_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Where so many of the *other* tools fail, a decision waits…"""
    doubt_s: Annotated[int, Field(ge=0)] = 30
    """…for so long at most, unless it becomes an outage."""
