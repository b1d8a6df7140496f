"""The output of ``notify``."""

from collections.abc import Sequence
from typing import Final

from rollguard.operations.notifications import ShownReceiver, TriedReceiver
from rollguard.printing import print_json, print_table
from schemas.notify_file import Route

_MAX_BODY: Final = 200
"""So much of an answer's body is printed in a table; JSON has all that was read."""


def show_receivers(receivers: Sequence[ShownReceiver], as_json: bool) -> None:
    """Print a line for each receiver, with what it is told."""
    if as_json:
        print_json(
            [
                {
                    "name": each.name,
                    "kind": each.kind,
                    "host": each.host,
                    "routes": [route.model_dump(exclude_none=True) for route in each.routes],
                }
                for each in receivers
            ]
        )
        return
    print_table(
        ("receiver", "kind", "host", "is told"),
        (
            (each.name, each.kind, each.host, [_text(route) for route in each.routes] or "all")
            for each in receivers
        ),
    )


def show_tested(tested: Sequence[TriedReceiver], as_json: bool) -> None:
    """Print what came back from each receiver."""
    if as_json:
        print_json([each._asdict() for each in tested])
        return
    print_table(
        ("receiver", "kind", "host", "taken", "answer", "body"),
        (
            (
                each.name,
                each.kind,
                each.host,
                each.delivered,
                each.answer,
                each.body.strip()[:_MAX_BODY] or None,
            )
            for each in tested
        ),
    )


def _text(route: Route) -> str:
    """Return a route in words: ``tools a, b; statuses held``."""
    given = route.model_dump(exclude_none=True)
    return "; ".join(f"{name} {', '.join(values)}" for name, values in given.items()) or "all"
