"""The calls that have not ended: one that never ends is published all the same, once."""

from time import perf_counter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rollguard_client.calls.call import Call


class OpenCalls:
    """The calls that run now. Whoever removes one publishes it.

    ``calls`` has them by their ``id``. Tools use it themselves, which saves time in each call.
    """

    def __init__(self, stuck_after_s: float) -> None:
        self._stuck_after_s = stuck_after_s
        self.calls: dict[int, Call] = {}

    def forget(self) -> None:
        """Forget all: after a fork they run in the parent."""
        self.calls.clear()

    async def watch(self) -> None:
        """Publish each call that takes too long, without end."""
        import asyncio

        while True:
            await asyncio.sleep(min(self._stuck_after_s / 4, 5.0))
            begun_before = perf_counter() - self._stuck_after_s
            for call in list(self.calls.values()):
                if call.began < begun_before and self.calls.pop(id(call), None) is not None:
                    call.tool.publish_stuck(call, self._stuck_after_s)
