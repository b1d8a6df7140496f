"""What a row remembers of the newest command about the current activation."""

import msgspec


class LastCommand(msgspec.Struct, array_like=True, gc=False):
    """The newest command: what it rested on, and whether a person has dismissed it."""

    was_immediate: bool
    """Whether an immediate rule demanded it."""
    was_held: bool
    """Whether it was to wait for a person."""
    strength: float
    """The strength of the evidence at that moment (``policy.decision.policy.Policy.strength``)."""
    is_dismissed: bool = False

    @property
    def may_be_followed(self) -> bool:
        """Whether a new decision may follow before the interval between two attempts is over."""
        return self.was_held or self.is_dismissed
