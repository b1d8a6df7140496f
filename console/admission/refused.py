"""A request that is not handed on to its route."""

from typing import Final

NEEDS_TOKEN: Final = "a token is needed: Authorization: Bearer …"  # noqa: S105 - no token


class Refused(Exception):
    """A request that is not handed on: the status and the headers of the answer, and why."""

    def __init__(self, status: int, detail: str, **headers: str) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
