"""The files that the tools work on: the standard library's own sources, which every machine has."""

import sysconfig
from hashlib import sha256
from pathlib import Path
from typing import Final

_PACKAGES: Final = ("asyncio", "collections", "email", "http", "importlib", "json", "logging")


def stdlib_files() -> list[Path]:
    """Modules of the running Python, always in the same order.

    The order is by a hash of the name, so that kinds of files (large and small, with and without
    docstrings, ASCII and not) come mixed.
    """
    root = Path(sysconfig.get_paths()["stdlib"])
    found = [path for path in root.glob("*.py") if not path.name.startswith("_sysconfigdata")]
    for package in _PACKAGES:
        found += (root / package).rglob("*.py")
    return sorted(
        found, key=lambda path: sha256(path.relative_to(root).as_posix().encode()).digest()
    )
