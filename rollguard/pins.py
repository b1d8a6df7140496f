"""Pin and unpin a tool (``rollguard.operations.pins``)."""

from db.rollbacks.pins import Pin
from rollguard.operations.pins import pin, pin_of, unpin

__all__ = ["Pin", "pin", "pin_of", "unpin"]
