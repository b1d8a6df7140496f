"""What a row remembers of the newest command about the current activation."""

import msgspec

from policy.state.evidence import Evidence


class LastCommand(msgspec.Struct, array_like=True, gc=False):
    """The newest command: what it rested on, and what became of it, as far as the log says it."""

    was_immediate: bool
    """Whether an immediate rule demanded it."""
    was_held: bool
    """Whether it was to wait for a person."""
    strength: float
    """The strength of the evidence at that moment (``policy.decision.policy.Policy.strength``)."""
    is_dismissed: bool = False
    before: Evidence | None = None
    """The evidence before the failures in a row that led to it; None without evidence."""
    is_withdrawn: bool = False
    """Whether it was not carried out because of an outage of the fleet: then a new command may
    follow at once."""
    fails_since: bool = False
    """Whether it is withdrawn, and no execution that is evidence has succeeded since."""
    withdrawn: int = 0
    """How many commands about this activation were withdrawn."""

    @property
    def may_be_followed(self) -> bool:
        """Whether a new decision may follow before the interval between two attempts is over."""
        return self.was_held or self.is_dismissed
