"""What pairs are generated of."""

from typing import Final

from tests.differential.classes import class_pair
from tests.differential.enums import enum_pair
from tests.differential.functions import function_pair
from tests.differential.records import record_pair
from tests.differential.run import Generator

SUBJECTS: Final[dict[str, Generator]] = {
    "functions": function_pair,
    "classes": class_pair,
    "dataclasses": record_pair,
    "enums": enum_pair,
}
