"""On what grounds a verdict may follow from the record of the log that was counted last."""

from typing import Final, Literal

from schemas.rollback import QualityReason

Ground = QualityReason | Literal["execution"]
Grounds = frozenset[Ground]
"""``EXECUTION``: the execution as such, which rules and the evidence of failures look at. Or the
reasons of quality tests, if a number or a judgement speaks against the version. Empty: none."""

NONE: Final[Grounds] = frozenset()
EXECUTION: Final[Grounds] = frozenset(("execution",))
