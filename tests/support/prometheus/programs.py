"""The programs of Prometheus, from the path or as `.ci/run` unpacks them from Debian's package."""

import os
import shutil
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).parents[3]
_UNPACKED: Final = ROOT / ".cache" / "prometheus" / "usr" / "bin"


def program(name: str) -> str:
    """Return the path of ``prometheus`` or ``promtool``; skip the test if there is none.

    `.ci/run` brings them, and says so by CI_RUN: there a missing one is a failure.
    """
    found = shutil.which(name, path=f"{_UNPACKED}:{os.environ.get('PATH', '')}")
    if found is None:
        reason = f"{name} is missing: it is in Debian's package `prometheus` (see .ci/run)"
        if os.environ.get("CI_RUN"):
            pytest.fail(reason)
        pytest.skip(reason)
    return found
