"""The output of ``pin``, ``unpin`` and ``pins``."""

from collections.abc import Sequence

from db.rollbacks.pins import Pin
from rollguard.printing import data_of, print_json, print_line, print_pairs, print_table


def show_pin(found: Pin, as_json: bool) -> None:
    """Print the pin that is in force."""
    if as_json:
        print_json(data_of(found))
        return
    print_pairs(
        {
            "pinned": found.tool_name,
            "reason": found.reason,
            "by": found.pinned_by,
            "since": found.pinned_at,
            "until": found.expires_at or "it is unpinned",
        }
    )


def show_unpinned(found: Pin, as_json: bool) -> None:
    """Print which pin was removed."""
    if as_json:
        print_json(data_of(found))
    else:
        print_line(f"{found.tool_name}: not pinned any more")


def show_pins(found: Sequence[Pin], as_json: bool) -> None:
    """Print a line for each pin."""
    if as_json:
        print_json([data_of(pin) for pin in found])
        return
    print_table(
        ("tool", "reason", "by", ("since", "until")),
        (
            (
                pin.tool_name,
                pin.reason,
                pin.pinned_by,
                pin.pinned_at,
                pin.expires_at or "it is unpinned",
            )
            for pin in found
        ),
    )
