"""What is kept of a failure whose error text must not be kept: the class alone."""

import re
from typing import Final

from schemas.failures.error_class import label_of

_NAME: Final = re.compile(r"[^\W\d]\w*(\[[^\W\d]\w*\])?")
_LONGEST: Final = 200


def kept_class(error_type: str | None, error: str | None) -> str | None:
    """Return the class of a failure; None if it is not known or if the text names no class.

    Of an exception group with a signature error among its leaves it is the label
    (``ExceptionGroup[TypeError]``), which a later reading takes for the same failure. A producer
    may write any text as ``error_type``: what is no name may say anything, so it is not kept.
    """
    label = label_of(error_type, error)
    return label if len(label) <= _LONGEST and _NAME.fullmatch(label) else None
