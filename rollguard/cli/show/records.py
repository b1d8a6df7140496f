"""The output of ``record`` and ``prune``."""

import sys
from collections.abc import Sequence

from rollguard.operations.prune import Pruned
from rollguard.operations.records import BadLine
from rollguard.printing import print_json
from schemas.execution import Execution


def show_recorded(published: Sequence[Execution], bad: Sequence[BadLine], as_json: bool) -> None:
    """Print how many executions were published; on stderr, the lines that are no executions."""
    if as_json:
        print_json(
            {
                "published": [str(execution.execution_id) for execution in published],
                "rejected": [line._asdict() for line in bad],
            }
        )
    elif len(published) == 1 and not bad:
        print(f"published {published[0].execution_id}")
    else:
        print(f"published {len(published)} executions")
    for line in bad:
        print(f"rollguard: line {line.number}: {line.error}", file=sys.stderr)


def show_pruned(found: Pruned, as_json: bool) -> None:
    """Print how many executions were removed."""
    if as_json:
        print_json({"before": found.before, "executions": found.executions, "tools": found.by_tool})
        return
    print(
        f"removed {found.executions} executions of {len(found.by_tool)} tools, executed before "
        f"{found.before:%Y-%m-%d %H:%M:%S} UTC; metrics stay"
    )
