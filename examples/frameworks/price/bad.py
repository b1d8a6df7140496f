"""A version with a discount. It fails for quantities that have none."""

PRICES = {"desk": 250.0, "lamp": 40.0}
DISCOUNTS = {10: 0.05, 100: 0.1}


def execute(item: str, quantity: int) -> float:
    """Return the price of some pieces of an item."""
    return PRICES[item] * quantity * (1 - DISCOUNTS.get(quantity))
