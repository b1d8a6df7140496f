"""The output of ``record`` and ``prune``."""

from rollguard.operations.prune import Pruned
from rollguard.operations.records import BadLine, Recorded
from rollguard.printing import print_json, print_line, print_note
from rollguard.value_texts import time_text


def show_recorded(done: Recorded, as_json: bool, version: str | None = None) -> None:
    """Print what was published, and of which version if one was named.

    Which lines were bad, stderr says already.
    """
    if as_json:
        print_json(
            {
                "published": [str(each) for each in done.published],
                "rejected": [line._asdict() for line in done.bad],
            }
        )
    elif len(done.published) == 1 and not done.bad:
        of_version = "" if version is None else f" of {version}"
        print_line(f"published {done.published[0]}{of_version}")
    else:
        print_line(f"published {len(done.published)} executions")


def show_bad_line(line: BadLine) -> None:
    """Print on stderr which line is no execution, and why."""
    print_note(f"line {line.number}: {line.error}")


def show_pruned(found: Pruned, as_json: bool) -> None:
    """Print how many executions were removed."""
    if as_json:
        print_json({"before": found.before, "executions": found.executions, "tools": found.by_tool})
        return
    print_line(
        f"removed {found.executions} executions of {len(found.by_tool)} tools, executed before "
        f"{time_text(found.before)}; metrics stay"
    )


def show_to_prune(found: Pruned) -> None:
    """Print on stderr what a prune would remove."""
    for tool, executions in found.by_tool.items():
        print_note(f"{tool}: {executions} executions")
    print_note(
        f"removes {found.executions} executions of {len(found.by_tool)} tools, executed before "
        f"{time_text(found.before)}; metrics stay"
    )
