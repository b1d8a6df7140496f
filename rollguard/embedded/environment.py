"""The variables of the shell that the embedded stack must not see.

They speak of other servers and of other systems: variables of Rollguard and of libpq, and those
that the programs of the stack read besides their arguments.
"""

import os
from collections.abc import Mapping
from typing import Final

_OF_PROGRAMS: Final = frozenset(
    {"SCHEMA_REGISTRY", "OTEL_EXPORTER_OTLP_ENDPOINT", "CLUSTER_ID", "STORAGE_ENGINE"}
)
"""Variables that the broker reads."""


def clean_environment() -> dict[str, str]:
    """Return the environment of this process without those variables."""
    return {name: value for name, value in os.environ.items() if not _is_of_others(name)}


def forget_other_servers() -> None:
    """Remove libpq's variables from this process, for a program that uses its own stack alone."""
    for name in list(os.environ):
        if name.startswith("PG"):
            del os.environ[name]


def _is_of_others(name: str) -> bool:
    return name.upper().startswith("ROLLGUARD_") or name.startswith("PG") or name in _OF_PROGRAMS


def variables_of(environment: Mapping[str, str]) -> dict[str, str]:
    """Return the environment of a part of the stack: the clean one, and these variables."""
    return clean_environment() | dict(environment)
