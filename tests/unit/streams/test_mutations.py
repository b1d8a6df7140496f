"""The record validator agrees with the contract on thousands of mutated messages."""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from time import time
from typing import get_args

import pytest

from schemas.errors import Rejected
from schemas.settings import Settings
from streams.partitions import partition_of
from streams.records import RecordValidator
from streams.unpacking.batches import Headers
from tests.support.mutations.cases import cases
from tests.support.mutations.message import Case, Kind


@dataclass
class Read:
    """A record as a consumer hands it over."""

    topic: str
    partition: int
    offset: int
    timestamp: int
    key: bytes | None
    value: bytes | None
    headers: Headers = ()


def rejection(validator: RecordValidator, case: Case) -> str | None:
    """Return why the validator rejects the case; None if it does not, or has it forwarded."""
    partition = case.partition
    if partition is None:
        partition = partition_of(case.key or b"", 4)
    record = Read("t", partition, 0, int(time() * 1000), case.key, case.value)
    read: dict[Kind, Callable[[Read], object]] = {
        "execution": validator.log_entry,
        "deployment": validator.deployment,
        "command": validator.command,
    }
    try:
        read[case.kind](record)
    except Rejected as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", get_args(Kind))
@pytest.mark.parametrize("seed", [1, 2])
def test_the_validator_and_the_contract_agree(kind: Kind, seed: int) -> None:
    validator = RecordValidator(Settings(), 4)
    fates: Counter[str] = Counter()
    wrong = []
    for case in cases(kind, ["parser", "数 🛡"], 3_000, Random(seed), 4, {}):
        reason = rejection(validator, case)
        fates["bad" if reason else "good"] += 1
        if reason == "" or case.fate == ("good" if reason else "bad"):
            wrong.append((case.name, case.fate, reason, (case.value or b"")[:200]))
    assert wrong == []
    assert min(fates["bad"], fates["good"]) > 500
