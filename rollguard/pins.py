"""Pin and unpin a tool (``rollguard.operations.pins``)."""

from rollguard.operations.pins import pin, pin_of, unpin

__all__ = ["pin", "pin_of", "unpin"]
