"""The folder of a user's files that a program may lose, and finds again at its next start.

It does not depend on the working directory. That one may belong to somebody else, or come from a
download: its files would be ours, and yet written by others, and an engine runs what it has kept.
"""

import os
from pathlib import Path
from typing import Final

AS_WRITTEN: Final = "~/.local/state/rollguard"
"""The folder of a user who has not set ``XDG_STATE_HOME``."""


def state_folder() -> Path:
    """Return ``$XDG_STATE_HOME/rollguard``; without an absolute path there, ``AS_WRITTEN``.

    If the user has no home, the root of the file system stands for it. Only root can write there,
    so that others then have to name a folder.
    """
    given = Path(os.environ.get("XDG_STATE_HOME", ""))
    if given.is_absolute():
        return given / "rollguard"
    home = Path(os.path.expanduser("~"))
    return (home if home.is_absolute() else Path("/")) / AS_WRITTEN.removeprefix("~/")
