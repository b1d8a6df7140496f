"""A generated pair of versions, with the calls and reads that tell what broke."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Pair:
    """Two versions of a module, and expressions about the module ``m``, tried on both."""

    old: str
    new: str
    calls: tuple[str, ...]
    #: An expression that must work on the old version: without it there is nothing to compare.
    needed: str = "m"
