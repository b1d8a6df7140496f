"""The detector's table: a row (bytes, see ``streams.windows``) for each tool."""

from collections.abc import Callable, Iterable
from typing import Any

import faust
from faust.stores.memory import Store

from streams.topics import TABLE
from streams.windows import decode


class FurthestRows(Store[bytes, bytes]):
    """Recovers, for each tool, the row that has read furthest, wherever it stands.

    A worker that lost its partition without noticing may have written an old row behind a newer
    one; Faust would take the last.
    """

    def apply_changelog_batch(
        self,
        batch: Iterable[Any],
        to_key: Callable[[Any], Any],
        to_value: Callable[[Any], Any],
    ) -> None:
        """Take in rows of the changelog. Rows are never deleted, so a record without one is old."""
        for event in batch:
            value = event.message.value
            if value is None:
                continue
            known = self.data.get(event.key)
            if known is None or decode(known).read_to <= decode(value).read_to:
                self.data[event.key] = value
                self._key_partition[event.key] = event.message.partition


class WindowTable(faust.Table[bytes, bytes]):
    """A Faust table that recovers by ``FurthestRows``."""

    def rows(self) -> list[tuple[bytes, bytes]]:
        """All rows in memory, by key; some may be of partitions that are another worker's now."""
        return list(self.data.items())

    def _new_store(self) -> FurthestRows:
        return FurthestRows(
            "memory://",
            self.app,
            self,
            table_name=self.name,
            key_type=self.key_type,
            key_serializer=self.key_serializer,
            value_serializer=self.value_serializer,
            value_type=self.value_type,
            loop=self.loop,
            options=self.options,
        )


def window_table(app: faust.App, partitions: int) -> Any:
    """Make the table and register it with the app.

    Keys are the raw bytes of the tool's name, as on the source topic: only then is a row where
    the router looks for it.
    """
    table = WindowTable(
        app,
        name=TABLE,
        default=None,
        partitions=partitions,
        key_type=bytes,
        value_type=bytes,
        help="what is known of each tool's current version",
    )
    return app.tables.add(table)
