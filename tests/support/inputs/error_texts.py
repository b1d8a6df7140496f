"""Texts of errors as Python writes them, and how they are read."""

from typing import Final

from schemas.execution import Execution
from schemas.execution_entry import ExecutionEntry
from schemas.failures.error_class import is_signature_error, label_of

TRACEBACK: Final = 'Traceback (most recent call last):\n  File "a.py", line 1, in f\n    g()\n'
GROUP: Final = """  + Exception Group Traceback (most recent call last):
  |   File "a.py", line 2, in <module>
  |     raise ExceptionGroup('g', errors)
  | {name}: g (2 sub-exceptions)
  +-+---------------- 1 ----------------
    | OSError: TypeError: no
    +---------------- 2 ----------------
    | {leaf}: 1
    +------------------------------------
"""


def is_signature_error_of(failure: Execution | ExecutionEntry) -> bool:
    """Return whether the failure is a signature error by its label alone."""
    return is_signature_error(label_of(failure.error_type, failure.error))
