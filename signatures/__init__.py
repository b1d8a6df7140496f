"""Who says what: statements, their signatures, and the keys that may say them.

``signatures_of`` is the way in. It imports the rest, which takes a tenth of a second and more, only
if signatures are wanted.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from schemas.settings import Settings
    from signatures.signatures import Signatures


def signatures_of(settings: "Settings") -> "Signatures | None":
    """Return what a process checks and signs with; None if signatures are off.

    Raises Misconfigured if a file or a key is missing or wrong.
    """
    if settings.signatures == "off":
        return None
    from signatures.signatures import load_signatures

    return load_signatures(settings)
