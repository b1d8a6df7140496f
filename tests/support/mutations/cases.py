"""Records of good and of mutated messages, mixed at random."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Final

from streams.partitions import partition_of
from tests.support.mutations import fields, records, texts
from tests.support.mutations.message import Case, Fields, Kind, Raw, good, json_of
from tests.support.mutations.mutant import Mutant, Mutation

WEIGHTS: Final[dict[Mutation, int]] = {
    fields.wrong_value: 30,
    fields.strange_value: 15,
    fields.absent: 5,
    fields.too_long: 1,
    fields.unknown_fields: 6,
    fields.unknown_extreme: 3,
    texts.deep: 4,
    texts.layout: 6,
    texts.twice_different: 3,
    fields.other_ids: 2,
    texts.no_json: 12,
    texts.no_utf_8: 4,
    texts.nearly_utf_8: 2,
    texts.random_bytes: 8,
    texts.flipped: 12,
    records.tombstone: 2,
    records.wrong_key: 6,
    records.wrong_partition: 3,
    records.transported: 4,
    fields.ahead: 3,
    fields.leap_second: 1,
    fields.unchanged: 20,
}


def cases(
    kind: Kind,
    tools: list[str],
    count: int,
    random: Random,
    partitions: int,
    version_ids: dict[str, int],
    large: int = 0,
) -> Iterator[Case]:
    """Yield ``count`` records, ``large`` of them about as large as records may be.

    Their times are in the last 20 s and ascend. ``version_ids`` has the targets of commands.
    """
    mutations: list[Mutation] = random.choices(
        list(WEIGHTS), weights=list(WEIGHTS.values()), k=count - large
    )
    mutations[: len(WEIGHTS)] = list(WEIGHTS)[: len(mutations)]
    mutations += [texts.huge] * large
    random.shuffle(mutations)
    start = datetime.now(UTC) - timedelta(seconds=20)
    for number, mutation in enumerate(mutations):
        tool = random.choice(tools)
        now = start + timedelta(microseconds=number * 100)
        message = good(kind, tool, random, now, version_ids.get(tool, 1))
        while random.random() < 0.3:  # unusual values in other fields as well
            strange = fields.strange_value(kind, message, random).fields
            if not any(isinstance(value, Raw) for value in strange.values()):
                message = strange
        yield _case(kind, mutation(kind, message, random), partitions)


def _case(kind: Kind, mutant: Mutant, partitions: int) -> Case:
    value = mutant.value if mutant.as_bytes else json_of(mutant.fields).encode()
    key = mutant.key if mutant.has_key else _key_of(mutant.fields)
    partition = None
    if mutant.elsewhere or key is None:
        home = 0 if key is None else partition_of(key, partitions)
        partition = (home + 1) % partitions
    return Case(
        name=mutant.name,
        kind=kind,
        fate=mutant.fate,
        key=key,
        value=value,
        fields=mutant.fields,
        partition=partition,
        codec=mutant.codec,
        headers=mutant.headers,
    )


def _key_of(message: Fields) -> bytes:
    tool = message.get("tool_name")
    return tool.encode(errors="replace") if isinstance(tool, str) else b"fuzz"
