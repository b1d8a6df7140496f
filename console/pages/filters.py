"""Filters in the address of a page: what a form leaves empty selects all."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Form, Query
from pydantic import AfterValidator, BeforeValidator, Field

from console.api.parameters import no_nul
from schemas.fields import Time, storable
from schemas.rollback import Status, Tier

PERIODS: Final[Mapping[str, tuple[str, timedelta | None]]] = {
    "1h": ("the last hour", timedelta(hours=1)),
    "24h": ("the last 24 hours", timedelta(hours=24)),
    "7d": ("the last 7 days", timedelta(days=7)),
    "30d": ("the last 30 days", timedelta(days=30)),
    "all": ("all", None),
}


def _or_none(given: object) -> object:
    return None if given == "" else given


_EMPTY = BeforeValidator(_or_none)
_Text = Annotated[str, AfterValidator(no_nul)]
ToolFilter = Annotated[Annotated[_Text, Field(max_length=255)] | None, _EMPTY, Query(alias="tool")]
TextFilter = Annotated[Annotated[_Text, Field(max_length=2_000)] | None, _EMPTY, Query()]
StatusFilter = Annotated[Status | None, _EMPTY, Query()]
TierFilter = Annotated[Tier | None, _EMPTY, Query()]
TimeFilter = Annotated[Time | None, _EMPTY, Query()]
PeriodFilter = Annotated[str, Query(pattern=f"^({'|'.join(PERIODS)})$")]
CursorFilter = Annotated[str | None, _EMPTY, Query(max_length=2_000)]

ToolInForm = Annotated[_Text, Form(min_length=1, max_length=255)]
TextInForm = Annotated[str, AfterValidator(storable), Form(max_length=2_000)]


def begin_of(period: str, now: datetime) -> datetime | None:
    """Return when a period begins; None for all."""
    span = PERIODS[period][1]
    return None if span is None else now - span


def address(path: str, **filters: object) -> str:
    """Return the address of a page with its filters; those that select all are left out."""
    given = {name: str(value) for name, value in filters.items() if value not in (None, "")}
    return f"{path}?{urlencode(given)}" if given else path
