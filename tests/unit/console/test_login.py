"""Logging in with a token, and what a session may do."""

from collections.abc import Iterator
from typing import Any

import httpx2
import pytest
from starlette.requests import Request

from console.admission.admissions import Admissions
from console.admission.paths import own_path
from console.pages.rendering.answers import back_to
from schemas.settings import load_settings
from tests.support.consoles.pages import TOKEN, VIEWER, browser, hidden_fields

TOKENS: dict[str, Any] = {"web_token": TOKEN, "web_viewer_token": VIEWER}


async def log_in(client: httpx2.AsyncClient, token: str = TOKEN, **more: str) -> httpx2.Response:
    return await client.post("/login", data={"name": "ann", "token": token} | more)


async def csrf_of(client: httpx2.AsyncClient) -> str:
    return hidden_fields((await client.get("/login")).text)["csrf"]


async def test_who_has_not_logged_in_is_led_to_the_form_and_back() -> None:
    async with browser(**TOKENS) as client:
        asked = await client.get("/tools?q=a%2Fb&state=suspect")
        assert asked.status_code == 303
        form = await client.get(asked.headers["Location"])
        wanted = hidden_fields(form.text)["next"]
        assert wanted == "/tools?q=a%2Fb&state=suspect"
        done = await log_in(client, next=wanted)
        assert (done.status_code, done.headers["Location"]) == (303, wanted)
        part = await client.get("/tools", headers={"Cookie": "", "HX-Request": "true"})
        assert part.status_code == 401
        assert part.headers["HX-Redirect"] == "/login?next=%2Ftools"


@pytest.mark.parametrize(
    ("https", "name", "attributes"),
    [
        (False, "rollguard-session", {"HttpOnly", "Path=/", "SameSite=lax", "Max-Age=43200"}),
        (True, "__Host-rollguard-session", {"Secure", "HttpOnly", "SameSite=lax", "Path=/"}),
    ],
)
async def test_the_cookie_of_a_session(https: bool, name: str, attributes: set[str]) -> None:
    async with browser(https=https, **TOKENS) as client:
        cookie = (await log_in(client)).headers["Set-Cookie"]
        assert cookie.startswith(f"{name}=")
        assert attributes <= set(cookie.split("; "))
        assert ("Secure" in cookie) == https
        assert "ann" in (await client.get("/login")).text


async def test_a_long_name_fits_into_the_cookie() -> None:
    async with browser(**TOKENS) as client:
        await log_in(client, name="\U0001f600" * 255)
        assert len(client.cookies["rollguard-session"]) < 4_000
        assert (await client.get("/nothing")).status_code == 404


async def test_what_is_said_after_a_change_is_shown_once_to_who_changed_it() -> None:
    known = Admissions.of(load_settings(**TOKENS))
    ann, bob = (known.sessions.without_cookie(name, "operator", "session") for name in ("a", "b"))
    for text in ("It is <done>.", "ü" * 3_000, "\U0001f600" * 3_000):
        request = Request(
            {"type": "http", "method": "POST", "path": "/", "headers": []}
            | {"state": {"admissions": known, "visitor": ann}}
        )
        cookie = back_to(request, "/tools", text).headers["Set-Cookie"].split("; ")[0]
        assert len(cookie) < 4_000
        sealed = cookie.partition("=")[2]
        values = known.sessions.unsealed(sealed, ann)
        assert values is not None
        assert text.startswith(values["text"].rstrip("…"))
        for other, given in ((bob, sealed), (ann, f"x{sealed}"), (ann, ""), (ann, "ü.ü")):
            assert known.sessions.unsealed(given, other) is None


async def test_the_address_of_the_console_is_a_name_of_it() -> None:
    host = {"Host": "Console.Example", "Origin": "https://console.example"}
    for url, status in (("https://console.example/rollguard", 422), (None, 421)):
        async with browser(console_url=url, **TOKENS) as client:
            login = {"name": "ann", "token": "wrong"}
            answer = await client.post("/login", data=login, headers=host)
            assert answer.status_code == status


async def test_a_wrong_token_begins_no_session() -> None:
    async with browser(**TOKENS) as client:
        for token in ("", "wrong", TOKEN[:-1], f"{TOKEN}x", "ü" * 16):
            answer = await log_in(client, token)
            assert answer.status_code == 422
            assert "This token is wrong." in answer.text
            assert "Set-Cookie" not in answer.headers
        for name in ("", " ", "a\nb", "x" * 256):
            answer = await client.post("/login", data={"name": name, "token": TOKEN})
            assert answer.status_code == 422, name
            assert "Set-Cookie" not in answer.headers


async def test_a_session_at_another_console_and_with_another_token() -> None:
    async with browser(**TOKENS) as client:
        await log_in(client)
        kept = dict(client.cookies)
        csrf = await csrf_of(client)
    async with browser(**TOKENS) as other:
        other.cookies.update(kept)
        assert await csrf_of(other) == csrf
        assert (await other.get("/nothing")).status_code == 404
    async with browser(web_token="another-token-of-operators") as other:
        other.cookies.update(kept)
        assert (await other.get("/nothing")).status_code == 303


async def test_what_is_no_session_of_ours_admits_nobody() -> None:
    async with browser(**TOKENS) as client:
        await log_in(client)
        right = client.cookies["rollguard-session"]
        client.cookies.clear()
        body, _, signature = right.partition(".")
        others = [
            *("", ".", "a.b", right[:-1], f"{right}x", f".{right}", f"{right}.", body, signature),
            *(f"{body}.", f".{signature}", f"{body}.{signature}.{signature}", right.swapcase()),
            *('"', "é.é", "\\", "=" * 50, "A" * 5_000, f"{body[:-2]}.{signature}"),
        ]
        for cookie in others:
            headers = [(b"Cookie", f"rollguard-session={cookie}".encode())]
            assert (await client.get("/nothing", headers=headers)).status_code == 303, cookie
            headers = [
                (b"Cookie", f"rollguard-session={right}; rollguard-notice={cookie}".encode())
            ]
            assert (await client.get("/nothing", headers=headers)).status_code == 404, cookie


async def test_a_form_without_the_field_of_its_session_changes_nothing() -> None:
    async with browser(**TOKENS) as client, browser(**TOKENS) as attacker:
        await log_in(client)
        await log_in(attacker)
        right, foreign = await csrf_of(client), await csrf_of(attacker)
        assert right != foreign
        for fields in ({}, {"csrf": ""}, {"csrf": foreign}, {"csrf": [right, right]}):
            answer = await client.post("/theme", data={"theme": "dark"} | fields)
            assert answer.status_code == 403, fields
            assert "older than your session" in answer.text
        done = await client.post("/theme", data={"theme": "dark", "csrf": right})
        assert done.status_code == 303
        json = await client.post("/theme", json={"theme": "dark", "csrf": right})
        assert json.status_code == 415


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "https://attacker.example", "Sec-Fetch-Site": "cross-site"},
        {"Origin": "http://127.0.0.1:6070", "Sec-Fetch-Site": "same-site"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "same-site"},
    ],
)
@pytest.mark.parametrize("settings", [{}, TOKENS])
async def test_a_page_of_somebody_else_changes_nothing(
    headers: dict[str, str], settings: dict[str, Any]
) -> None:
    async with browser(**settings) as client:
        if settings:
            await log_in(client)
        fields = {"theme": "dark", "csrf": await csrf_of(client)}
        assert (await client.post("/theme", data=fields, headers=headers)).status_code == 403
        login = {"name": "eve", "token": TOKEN}
        assert (await client.post("/login", data=login, headers=headers)).status_code == 403
        assert (await client.post("/theme", data=fields)).status_code == 303


async def test_a_viewer_may_log_out_and_change_nothing() -> None:
    async with browser(**TOKENS) as client:
        await log_in(client, VIEWER)
        page = (await client.get("/login")).text
        assert "viewer</span>" in page
        csrf = hidden_fields(page)["csrf"]
        for path in ("/tools/a/pin", "/nothing", "/api/v1/executions"):
            answer = await client.post(path, data={"csrf": csrf}, headers={"X-CSRF-Token": csrf})
            assert answer.status_code == 403, path
            assert "may read, and change nothing" in answer.text
        assert (
            await client.post("/theme", data={"theme": "dark", "csrf": csrf})
        ).status_code == 303
        assert (await client.post("/logout", data={"csrf": csrf})).status_code == 303
        assert (await client.get("/nothing")).status_code == 303


async def test_a_session_and_the_api() -> None:
    async with browser(**TOKENS) as client:
        await log_in(client)
        csrf = await csrf_of(client)
        read = await client.get("/api/v1/nothing")
        assert (read.status_code, read.headers["Content-Type"]) == (404, "application/problem+json")
        for given, status in ((None, 403), ("wrong", 403), (csrf, 415)):
            headers = {} if given is None else {"X-CSRF-Token": given}
            answer = await client.post("/api/v1/executions", content=b"[]", headers=headers)
            assert answer.status_code == status
        for given, status in (("Bearer wrong", 401), ("bearer", 401), ("Basic YTpi", 404)):
            headers = {"Authorization": given}
            assert (await client.get("/api/v1/nothing", headers=headers)).status_code == status
        client.cookies.clear()
        for given in ("Basic YTpi", f"Basic {TOKEN}", TOKEN, f"x {TOKEN}"):
            headers = {"Authorization": given}
            assert (await client.get("/api/v1/nothing", headers=headers)).status_code == 401


async def test_without_a_token_a_name_is_enough() -> None:
    async with browser() as client:
        page = await client.get("/login")
        assert 'type="password"' not in page.text
        assert (await client.post("/login", data={"name": "bob & co"})).status_code == 303
        assert "<span>bob &amp; co</span>" in (await client.get("/nothing")).text
        answer = await client.post("/api/v1/executions", content=b"[]")
        assert answer.status_code == 415  # a program on this machine needs no more than before


async def test_an_error_is_a_page_for_a_browser_and_a_problem_for_a_program() -> None:
    async with browser() as client:
        page = await client.get("/tools/<script>alert(1)</script>/nothing")
        assert page.status_code == 404
        assert page.headers["Content-Type"] == "text/html; charset=utf-8"
        assert "<script>alert" not in page.text
        problem = await client.get("/nothing", headers={"Accept": "*/*"})
        assert problem.headers["Content-Type"] == "application/problem+json"
        for each in (page, problem):
            assert "frame-ancestors 'none'" in each.headers["Content-Security-Policy"]
            assert "unsafe" not in each.headers["Content-Security-Policy"]
            assert each.headers["X-Content-Type-Options"] == "nosniff"
            assert each.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize(
    ("given", "path"),
    [
        ("/tools?q=a%20b", "/tools?q=a%20b"),
        ("/rollbacks/1?tool=a%2Fb", "/rollbacks/1?tool=a%2Fb"),
        *((each, "/") for each in (None, "", "tools", "https://a.example", "javascript:alert(1)")),
        *(
            (each, "/")
            for each in ("//a.example", "/\\a.example", "/\t/a.example", "/\n/a.example")
        ),
        *((each, "/") for each in ("/api/v1/tools", "/static/x/y.js", "/healthz", "/ä", "/a\\b")),
    ],
)
def test_a_login_leads_to_own_pages_alone(given: str | None, path: str) -> None:
    assert own_path(given) == path


def _static(html: str) -> Iterator[str]:
    for part in html.split('"'):
        if part.startswith("/static/"):
            yield part


async def test_static_files_are_kept_for_ever_by_their_hash() -> None:
    async with browser(**TOKENS) as client:
        found = list(_static((await client.get("/login")).text))
        assert {each.rpartition("/")[2] for each in found} >= {"console.css", "htmx.min.js"}
        for each in found:
            file = await client.get(each)
            assert file.status_code == 200
            assert "immutable" in file.headers["Cache-Control"]
            other = await client.get(f"/static/0/{each.rpartition('/')[2]}")
            assert (other.content, other.headers["Cache-Control"]) == (file.content, "no-cache")
        for name in ("nothing.js", "..%2Fapp.py", "__init__.py", "htmx.LICENSE.txt"):
            status = (await client.get(f"/static/0/{name}")).status_code
            assert status == (200 if name.endswith("txt") else 404)
