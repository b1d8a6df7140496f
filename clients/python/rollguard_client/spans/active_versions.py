"""Which version of a tool was active at a time, as its activations say."""

from bisect import bisect_left
from operator import itemgetter
from typing import Final

_KEPT: Final = 100
"""How many activations of a tool are kept: the last ones. A span comes some seconds late."""

_number = itemgetter(0)


class ActiveVersions:
    """The last activations of each tool."""

    def __init__(self) -> None:
        self._tools: dict[str, list[tuple[int, int, int]]] = {}
        """Of each tool its activations in their order: number, time in microseconds, version."""

    def note(self, tool_name: str, activation: int, activated_us: int, version_id: int) -> None:
        """Add an activation. One that is known already changes nothing."""
        known = self._tools.setdefault(tool_name, [])
        place = bisect_left(known, activation, key=_number)
        if place < len(known) and known[place][0] == activation:
            return
        known.insert(place, (activation, activated_us, version_id))
        if len(known) > _KEPT:
            del known[0]

    def at(self, tool_name: str, time_us: int) -> int | None:
        """Return the version that was active at this time; None if no activation tells.

        Of the activations that had been made by then it is that of the last one in the log, whose
        order holds if the clocks of those who deploy differ.
        """
        for _, activated_us, version_id in reversed(self._tools.get(tool_name, ())):
            if activated_us <= time_us:
                return version_id
        return None
