"""A message that a mutation has changed."""

from collections.abc import Callable
from random import Random
from typing import NamedTuple

from tests.support.mutations.message import Fate, Fields, Kind


class Mutant(NamedTuple):
    """A changed message. Its value is ``value`` if ``as_bytes``, else ``fields`` as JSON.

    Its key is ``key`` if ``has_key``, else the tool's name. If ``elsewhere``, it is sent to another
    partition than that of the key.
    """

    name: str
    fate: Fate
    fields: Fields
    value: bytes | None = None
    as_bytes: bool = False
    key: bytes | None = None
    has_key: bool = False
    elsewhere: bool = False
    codec: str | None = None
    headers: tuple[tuple[str, bytes], ...] = ()


Mutation = Callable[[Kind, Fields, Random], Mutant]
