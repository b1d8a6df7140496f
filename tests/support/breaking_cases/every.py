"""All cases."""

from typing import Final

from tests.support.breaking_cases.classes import CLASSES
from tests.support.breaking_cases.fields import FIELDS
from tests.support.breaking_cases.functions import FUNCTIONS
from tests.support.breaking_cases.modules import MODULES
from tests.support.breaking_cases.signatures import SIGNATURES
from tests.support.breaking_cases.unreadable import UNREADABLE

READABLE: Final = (*SIGNATURES, *FUNCTIONS, *MODULES, *CLASSES, *FIELDS)
CASES: Final = (*READABLE, *UNREADABLE)
