"""What each part of a system has that is reached directly."""

from dataclasses import dataclass

from schemas.settings import Settings


@dataclass(frozen=True)
class OfSettings:
    """A part of the system of these settings."""

    settings: Settings
