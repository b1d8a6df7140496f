"""How many generated cases a test looks at: all in `make exhaustive`, a sixth everywhere else."""

import os
from typing import Final

THOROUGH: Final = "ROLLGUARD_TEST_THOROUGH" in os.environ
_SHARE: Final = 6


def cases(everything: int) -> int:
    """Return ``everything`` if the tests are thorough, else a sixth of it."""
    return everything if THOROUGH else everything // _SHARE
