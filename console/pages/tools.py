"""The page *tools*: all of them at a glance."""

from collections import Counter
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple, get_args
from urllib.parse import urlencode

from fastapi import APIRouter, Query, Request
from pydantic import AfterValidator
from starlette.responses import RedirectResponse, Response

from console.api.cursors import cursor_of, values_of
from console.api.parameters import Cursor, ServicesHere, no_nul
from console.api.tools import AFTER
from console.glances import glances_of
from console.pages.all_tools import stops_of_all_tools
from console.pages.forms import new_key
from console.pages.rendering.answers import page
from console.pages.rendering.sparkline import Sparkline, sparkline
from console.questions.tools import ListedPage, tools_page
from console.tools_now import Wanted
from policy.decision.health import State
from schemas.fields import parse_time

router: Final = APIRouter()
_STATES: Final = "|".join(("unknown", *get_args(State)))
_OF_A_PAGE: Final = 50
_STATES_SHOWN: Final = ("condemned", "suspect", "healthy", "unjudged")


class Filters(NamedTuple):
    """Which tools are shown, as the address of the page says it."""

    q: str = ""
    state: str = ""
    pinned: bool = False
    held: bool = False

    def address(self, **more: str) -> str:
        """Return the address of the page with these filters, and ``more``."""
        values = {"q": self.q, "state": self.state, "pinned": "1" * self.pinned}
        given = {**values, "held": "1" * self.held, **more}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"/tools?{query}" if query else "/tools"


class Row(NamedTuple):
    """A tool in the list."""

    name: str
    state: str
    reason: str | None
    success_rate: float | None
    executions: int | None
    version_number: int | None
    version_id: int | None
    spark: Sparkline | None
    near_reason: str | None
    near_share: float
    last_rollback: Mapping[str, Any] | None
    last_rollback_at: datetime | None
    tags: Sequence[tuple[str, str]]
    """Stops and what waits: a kind of tag, and its text."""


class View(NamedTuple):
    """The page."""

    filters: Filters
    rows: Sequence[Row]
    counts: Sequence[tuple[str, int, str]]
    """Of each state: how many tools are in it, and the address of their list."""
    states_as_of: datetime | None
    """The newest execution that a state on this page rests on."""
    is_of_stream: bool
    notes: Sequence[str]
    first: str | None
    following: str | None


@router.get("/")
async def index() -> Response:
    """Lead to the list of all tools."""
    return RedirectResponse("/tools", 303)


@router.get("/tools")
async def tools(
    request: Request,
    services: ServicesHere,
    q: Annotated[str, AfterValidator(no_nul), Query(max_length=255)] = "",
    state: Annotated[str, Query(pattern=f"^({_STATES})?$")] = "",
    pinned: Annotated[str, Query(pattern="^1?$")] = "",
    held: Annotated[str, Query(pattern="^1?$")] = "",
    cursor: Cursor = None,
) -> Response:
    """Show a page of the list."""
    filters = Filters(q.strip(), state, bool(pinned), bool(held))
    after = values_of(cursor or None, AFTER)
    wanted = Wanted(
        *(filters.q or None, filters.state or None, after and after[0], _OF_A_PAGE),
        *(filters.pinned, filters.held),
    )
    found = await tools_page(services, wanted)
    notes = list(found.notes)
    names = [each["tool_name"] for each in found.tools]
    glances = await glances_of(services.detector, names, notes) if found.states.by_tool else {}
    view = view_of(found._replace(notes=notes), glances, filters, is_first=after is None)
    of_all = {each.kind: each for each in await stops_of_all_tools(services)}
    return page(request, "tools.html", view=view, of_all=of_all, key=new_key())


def view_of(
    found: ListedPage,
    glances: Mapping[str, Mapping[str, Any]],
    filters: Filters,
    *,
    is_first: bool,
) -> View:
    """Return the page of what was found; ``glances`` are those of the tools, by name."""
    rows = [_row(each, glances.get(each["tool_name"])) for each in found.tools]
    counted = Counter(each["state"] for each in found.states.by_tool.values())
    times = [parse_time(each["as_of"]) for each in found.tools if each.get("as_of")]
    following = None
    if found.next_after is not None:
        following = filters.address(cursor=cursor_of(found.next_after))
    return View(
        filters=filters,
        rows=rows,
        counts=[(state, counted[state], Filters(state=state).address()) for state in _STATES_SHOWN],
        states_as_of=max(times, default=None),
        is_of_stream=found.source == "stream",
        notes=found.notes,
        first=None if is_first else filters.address(),
        following=following,
    )


def _row(tool: Mapping[str, Any], glance: Mapping[str, Any] | None) -> Row:
    if glance is not None and glance["activation"] != tool.get("activation"):
        glance = None  # the detector has not read of the activation yet
    near = None if glance is None else glance["near"]
    last = tool.get("last_rollback")
    return Row(
        name=tool["tool_name"],
        state=tool["state"],
        reason=tool.get("reason"),
        success_rate=tool.get("success_rate"),
        executions=tool.get("total_executions"),
        version_number=tool.get("version_number"),
        version_id=tool.get("version_id"),
        spark=None if glance is None else sparkline(glance["counts"], glance["bucket_s"]),
        near_reason=None if near is None else near["reason"],
        near_share=0.0 if near is None else near["share"],
        last_rollback=last,
        last_rollback_at=None if last is None else parse_time(last["applied_at"]),
        tags=[(kind, text) for name, kind, text in _TAGS if tool.get(name)],
    )


_TAGS: Final = (
    ("pinned", "warn", "pinned"),
    ("frozen", "warn", "frozen"),
    ("waits_for_resume", "warn", "waits for resume"),
    ("rejected", "bad", "code rejected"),
    ("held", "warn", "rollback held"),
    ("deployment_held", "warn", "deployment held"),
)
