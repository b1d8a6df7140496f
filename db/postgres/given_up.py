"""Connections that are given up while they are opened; asyncpg keeps an error of each.

If whoever opens a connection is cancelled before asyncpg waits for the server's word about TLS,
nobody asks for the error of that wait, and Python prints "Future exception was never retrieved".
"""

from typing import Any

from asyncpg import connect_utils


class QuietUpgrade(connect_utils.TLSUpgradeProto):
    """Asks the server for TLS as asyncpg does. Whoever waits for the word still gets the error."""

    def data_received(self, data: bytes) -> None:
        """Take the word of the server."""
        super().data_received(data)
        self._ask_for_error()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        super().connection_lost(exc)
        self._ask_for_error()

    def _ask_for_error(self) -> None:
        word: Any = self.on_data
        if word.done() and not word.cancelled():
            word.exception()


def leave_no_errors() -> None:
    """Have asyncpg open its connections by this class, those that cancel a query too."""
    connect_utils.TLSUpgradeProto = QuietUpgrade  # type: ignore[misc]
