"""The name of the person who uses this process."""

import getpass


def login_name() -> str | None:
    """Return the login name; None where there is none, such as in some containers."""
    try:
        return getpass.getuser()
    except (KeyError, OSError, ImportError):
        return None
