"""Generated logs that say nothing new, and hashes of the commands that each release gave for them.

``tests/data/commands_of_seed.json`` has, for each of the rules and each part of the logs, a hash of
the logs and one of the commands of policy `seed`, as the code gave them before executions had an
origin, a cost or later verdicts. To record them anew, because the generator of logs has changed,
run this with the code of that time in ``PYTHONPATH``, and write its output to the file.
"""

import json
from hashlib import sha256
from random import Random
from typing import Final, NamedTuple

from policy.decision.fold import commands_of_log
from schemas.execution import Activation, Execution
from schemas.later_verdict import LaterVerdict
from tests.support.policy.generated_logs import RULES, built_by

Said = Execution | Activation | LaterVerdict

PARTS: Final = 8
LOGS_OF_PART: Final = 50
"""With five rules, there are 2,000 logs."""


class Hashes(NamedTuple):
    """What one part of the logs came to."""

    logs: str
    commands: str
    number: int
    """How many commands there were."""


def hashes_of(which: int, part: int) -> Hashes:
    """Return the hashes of one part of the logs under one of the rules."""
    logs, commands, number = sha256(), sha256(), 0
    for seed in range(part * LOGS_OF_PART, (part + 1) * LOGS_OF_PART):
        log = built_by(Random(f"{which}/{seed}"), RULES[which])
        records = [(each.offset, each.timestamp_ms, _as_before(each.entry)) for each in log]
        for offset, timestamp_ms, entry in records:
            logs.update(f"{offset} {timestamp_ms} ".encode() + entry.to_bytes())
        for command in commands_of_log(records, RULES[which]):
            commands.update(command.to_bytes())
            number += 1
    return Hashes(logs.hexdigest(), commands.hexdigest(), number)


def _as_before(entry: Said) -> Said:
    """Return the entry without what no release before could say."""
    if isinstance(entry, Activation):
        return entry.model_copy(update={"is_breaking_change": None})
    return entry


if __name__ == "__main__":
    found = [[hashes_of(which, part) for part in range(PARTS)] for which in range(len(RULES))]
    print(json.dumps(found, indent=1))
