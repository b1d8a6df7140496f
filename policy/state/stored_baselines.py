"""What the replaced versions of a tool left to be measured by, of a limited number. Pure."""

from typing import TypeVar

Legacy = TypeVar("Legacy")


def remember(
    stored_baselines: dict[int, Legacy], version_id: int, legacy: Legacy, most_versions: int
) -> None:
    """Put what this version leaves behind all others, in place of what it left before; beyond
    ``most_versions`` those that were replaced first are forgotten.
    """
    stored_baselines.pop(version_id, None)
    stored_baselines[version_id] = legacy
    while len(stored_baselines) > most_versions:
        del stored_baselines[next(iter(stored_baselines))]
