"""Pin and unpin a tool (``rollguard.operations.pins``)."""

from rollguard.operations.pins import pin, pin_of, unpin
from schemas.stops import Pin

__all__ = ["Pin", "pin", "pin_of", "unpin"]
