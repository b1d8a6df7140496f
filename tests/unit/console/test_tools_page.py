"""The page of all tools, from what the detectors and Postgres say."""

from typing import Any

import pytest

from console.pages.rendering.sparkline import sparkline
from console.pages.tools import Filters, View, view_of
from console.questions.tools import ListedPage
from console.states import StatesNow
from tests.support.consoles.pages import EVIL, browser, rendered, require_harmless
from tests.support.inputs.hostile import HOSTILE

AS_OF = "2026-01-31T11:59:00Z"


def tool(name: str, **more: Any) -> dict[str, Any]:
    """Return a tool as the question returns it."""
    last = {
        "command_id": "8c0d3e9e-6f0b-4c55-9d0e-3a1f5b7a9c11",
        "reason": "signature_change",
        "applied_at": "2026-01-31T11:00:00Z",
    }
    known = {"version_id": 7, "version_number": 2, "activation": 3, "success_rate": 0.5}
    told = {"total_executions": 2000, "state": "suspect", "reason": None, "as_of": AS_OF}
    return {"tool_name": name, **known, **told, "last_rollback": last, "pinned": True, **more}


def glance(**more: Any) -> dict[str, Any]:
    """Return what a detector says of such a tool."""
    near = {"reason": "signature_change", "share": 0.5}
    counts = [[0, 10, 0], [3600, 4, 2]]
    return {"activation": 3, "near": near, "bucket_s": 3600, "counts": counts, **more}


def view(
    *tools: dict[str, Any],
    filters: Filters | None = None,
    glances: dict[str, Any] | None = None,
    **more: Any,
) -> View:
    states = StatesNow({"a": {"state": "suspect"}, "b": {"state": "healthy"}})
    told: dict[str, Any] = {"next_after": None, "notes": [], "source": "postgres", "states": states}
    found = ListedPage(**{"tools": list(tools), **told, **more})
    return view_of(found, glances or {}, filters or Filters(), is_first=True)


def test_what_a_row_says() -> None:
    shown = view(tool("a"), tool("b", pinned=False), glances={"a": glance(), "b": glance()})
    html = rendered("tools.html", of_all={}, key="", view=shown)
    for text in (
        *("signature_change, 50 % of the way", "of 2,000 executions", "1 min ago", "1 h ago"),
        *("success rate over 2 h: lowest 50.0 %, now 50.0 %", 'href="/tools/a"', ">v2<"),
        *('class="tag warn">pinned<', "1 tool</a>", "2 tools"),
    ):
        assert text in html, text
    assert html.count(">pinned<") == 1
    assert "<svg" in html
    assert " style=" not in html


def test_a_detector_that_lags_behind_says_nothing_of_the_new_activation() -> None:
    [row] = view(tool("a"), glances={"a": glance(activation=2)}).rows
    assert (row.spark, row.near_reason) == (None, None)


def test_what_the_stream_knows_while_postgres_is_away() -> None:
    known = {"tool_name": "a", "version_id": 7, "activation": 3, "state": "healthy"}
    known |= {"reason": None, "as_of": None}
    notes = ["Postgres: no answer; only what the detectors know is listed"]
    html = rendered("tools.html", of_all={}, key="", view=view(known, source="stream", notes=notes))
    assert "versions <strong>not known</strong>" in html
    assert notes[0] in html
    assert "id 7" in html


@pytest.mark.parametrize("field", ["tool_name", "reason", "last_rollback"])
def test_no_text_of_a_tool_acts_on_the_page(field: str) -> None:
    value: Any = EVIL
    if field == "last_rollback":
        value = {"command_id": EVIL, "reason": EVIL, "applied_at": AS_OF}
    evil = tool("a") | {field: value}
    glances = {evil["tool_name"]: glance(near={"reason": EVIL, "share": 2.0})}
    filters = Filters(q=EVIL)
    html = rendered(
        "tools.html",
        of_all={},
        key="",
        view=view(evil, glances=glances, notes=[EVIL], filters=filters),
    )
    require_harmless(html.replace(*_field_of_the_search(html)))
    assert "&lt;img src=x" in html


def _field_of_the_search(html: str) -> tuple[str, str]:
    """Return the value that the field of the search sends back as it is, and nothing."""
    return html.split('id="q"', maxsplit=1)[0].rsplit("value=", 1)[1], ""


def test_hostile_characters_are_found() -> None:
    for html in (
        "<b onclick=x>",
        "<img src=x>",
        "<script>x</script>",
        '<a href="//x">',
        "<p style=x>",
    ):
        with pytest.raises(AssertionError):
            require_harmless(html)
    for character in HOSTILE - set("\n\t"):
        with pytest.raises(AssertionError):
            require_harmless(f"<p>a{character}b</p>")


def test_the_address_has_the_filters() -> None:
    assert Filters().address() == "/tools"
    given = Filters("a b&c", "suspect", pinned=True, held=True)
    assert given.address(cursor="x") == "/tools?q=a+b%26c&state=suspect&pinned=1&held=1&cursor=x"
    shown = view(tool("a"), next_after="a", filters=Filters(state="suspect"))
    assert shown.following is not None
    assert shown.following.startswith("/tools?state=suspect&cursor=")


@pytest.mark.parametrize(
    ("counts", "points"),
    [
        ([], None),
        ([[0, 0, 0]], None),
        ([[0, 2, 1]], ("0,12", "100,12")),  # 50 % is the middle
        ([[0, 1, 0], [60, 1, 1], [120, 4, 1]], ("0,2", "50,22", "100,7")),
        ([[0, 1, 0], [180, 1, 1], [240, 1, 1]], ("0,2", "75,22", "100,22")),  # nothing in between
    ],
)
def test_a_sparkline(counts: list[list[int]], points: tuple[str, ...] | None) -> None:
    found = sparkline(counts, 60)
    assert (found and found.points) == points


async def test_an_address_that_is_wrong_says_so() -> None:
    async with browser() as client:
        for query in ("state=sick", "pinned=2", "cursor=x", "q=%00"):
            answer = await client.get(f"/tools?{query}")
            assert answer.status_code == 422, query
            assert "wrong" in answer.text
        assert (await client.get("/")).headers["Location"] == "/tools"
