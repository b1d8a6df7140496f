"""A setting with which the workers of an embedded stack need less CPU while they are idle."""

from collections.abc import Mapping
from typing import Final

FETCH_WAIT_MS: Final = 200
IDLE_STACK: Final[Mapping[str, str]] = {"ROLLGUARD_FETCH_WAIT_MS": str(FETCH_WAIT_MS)}
"""Several stacks run at the same time, and the latency of none of them is tested."""
