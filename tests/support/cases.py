"""How many generated cases a test looks at: all in `make exhaustive`, a third everywhere else."""

import os
from typing import Final

THOROUGH: Final = "ROLLGUARD_TEST_THOROUGH" in os.environ
_SHARE: Final = 3


def cases(everything: int) -> int:
    """Return ``everything`` if the tests are thorough, else a third of it."""
    return everything if THOROUGH else everything // _SHARE
