"""How many executions a window holds, and how many of them failed."""

import msgspec


class Counts(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """Executions and failures of one window."""

    executions: int
    failures: int

    @property
    def successes(self) -> int:
        """The executions that did not fail."""
        return self.executions - self.failures

    @property
    def success_rate(self) -> float | None:
        """The success rate in [0, 1]; None without executions, so that silence proves nothing."""
        return self.successes / self.executions if self.executions else None
