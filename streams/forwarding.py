"""The header of a record that was forwarded from another partition: where its original lies.

Anybody may write it. A header that cannot be true says nothing: the record counts as any other.
"""

import re
from typing import Final

from policy.state.log import Source
from streams.unpacking.batches import Headers

HEADER: Final = "rollguard-from"
MAX_HEADER_BYTES: Final = 64
"""How many bytes the header adds to a record at most."""
_FORM: Final = re.compile(rb"(0|[1-9][0-9]{0,4})/(0|[1-9][0-9]{0,18})")
_MAX_OFFSET: Final = 2**63 - 1


def source_of(headers: Headers, partition: int, partitions: int) -> Source | None:
    """Return where the original of a record lies; None if the headers do not say it.

    ``partition`` is the record's own, ``partitions`` how many its topic has. The header says
    nothing if it is there twice, if there is no such partition, or if that is the record's own.
    """
    named: bytes | None = None
    for name, value in headers:
        if name == HEADER:
            if named is not None:
                return None
            named = value or b""
    form = None if named is None else _FORM.fullmatch(named)
    if form is None:
        return None
    source = Source(int(form[1]), int(form[2]))
    is_possible = source.partition < partitions and source.offset <= _MAX_OFFSET
    return source if is_possible and source.partition != partition else None


def headers_of_copy(
    headers: Headers, partition: int, offset: int
) -> list[tuple[str, bytes | None]]:
    """Return the headers of a record, with its position in the place of any that they name."""
    source = HEADER, b"%d/%d" % (partition, offset)
    return [*(each for each in headers if each[0] != HEADER), source] if headers else [source]
