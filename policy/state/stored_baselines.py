"""The stored baselines of a tool: what each replaced version leaves to be measured by."""

from typing import TypeVar

T = TypeVar("T")


def store_baseline(
    baselines: dict[int, T], version_id: int, baseline: T, most_versions: int
) -> None:
    """Store what a replaced version leaves, as the newest entry, instead of an earlier one of it.

    If there are more than ``most_versions`` then, the versions that were replaced first are
    forgotten.
    """
    baselines.pop(version_id, None)
    baselines[version_id] = baseline
    while len(baselines) > most_versions:
        del baselines[next(iter(baselines))]
