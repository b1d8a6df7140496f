"""The files that the tools work on: sources of the standard library, which every machine has."""

import sysconfig
from hashlib import sha256
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("asyncio", "collections", "email", "http", "importlib", "json", "logging")


def stdlib_files() -> list[Path]:
    """Return modules of the running Python, always in the same order.

    They are ordered by a hash of their names, so that all kinds of files (large and small, with and
    without docstrings, ASCII and not) are mixed.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    found = [path for path in root.glob("*.py") if not path.name.startswith("_sysconfigdata")]
    for package in _PACKAGES:
        found += (root / package).rglob("*.py")
    return sorted(
        found, key=lambda path: sha256(path.relative_to(root).as_posix().encode()).digest()
    )
