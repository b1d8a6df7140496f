"""Logs that say nothing new give the commands of before, byte for byte, under policy `seed`."""

import json
from pathlib import Path
from typing import Final

import pytest

from tests.support.cases import THOROUGH
from tests.support.policy.generated_logs import RULES
from tests.support.policy.recorded_commands import PARTS, Hashes, hashes_of

pytestmark = pytest.mark.exhaustive

_FILE: Final = Path(__file__).parents[3] / "data" / "commands_of_seed.json"
RECORDED: Final = [[Hashes(*part) for part in rules] for rules in json.loads(_FILE.read_text())]


@pytest.mark.parametrize("which", range(len(RULES)))
def test_the_commands_are_those_that_were_recorded(which: int) -> None:
    for part in range(PARTS if THOROUGH else PARTS // 3):
        recorded, found = RECORDED[which][part], hashes_of(which, part)
        assert found.logs == recorded.logs, "the generator of logs has changed: record them anew"
        assert found == recorded
        assert found.number > 0
