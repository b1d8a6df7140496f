"""The numbers that tell an outage, in which failures of many tools say nothing about versions."""

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field


class OutageRules(BaseModel):
    """The numbers by which the detector recognizes an outage (``policy/state/outages.py``).

    They hold for all tools of policy `guarded` together. Durations are whole seconds of the
    broker's time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", use_attribute_docstrings=True)

    outage_tools: Annotated[int, Field(ge=2, le=64)] = 4
    """Guarded: how many tools of a topic partition must have been executed within
    `outage_window_s`; with fewer there is no outage."""
    outage_share: Annotated[float, Field(gt=0, le=1)] = 0.5
    """Guarded: an outage begins when the last execution of at least this share of these tools
    failed. It is over when the share falls to half of this."""
    outage_window_s: Annotated[int, Field(ge=1, le=3_600)] = 60
    """Guarded: how far back a tool's last execution counts, in seconds. Failures within this time
    before the beginning of an outage belong to the outage."""
    doubt_share: Annotated[float, Field(gt=0, le=1)] = 0.25
    """Guarded: an outage is suspected, and a decision deferred, when at least this share of the
    *other* tools fails."""
    doubt_s: Annotated[int, Field(ge=0)] = 30
    """Guarded: how long decisions are deferred at most while an outage is suspected, in seconds. As
    long executions of other producers show that they are well, so that one producer alone makes no
    outage. 0 switches both off."""
