"""An authenticating proxy before the console: its headers are believed of it alone."""

from typing import Any

import pytest

from console.admission.guesses import Guesses
from console.admission.proxy import SECRET_HEADER
from console.admission.refused import Refused
from schemas.errors import Misconfigured
from schemas.settings import load_settings
from tests.support.consoles.pages import TOKEN, browser, hidden_fields

SECRET = "the-secret-of-the-proxy"
USER, GROUPS = "X-Forwarded-User", "X-Forwarded-Groups"
BASE: dict[str, Any] = {
    "web_token": TOKEN,
    "proxy_user_header": USER,
    "proxy_groups_header": GROUPS,
    "proxy_operators": "sre, on call",
    "proxy_viewers": "staff",
}
BY_SECRET = BASE | {"proxy_secret": SECRET}
BY_ADDRESS = BASE | {"proxy_addresses": "127.0.0.0/8, ::1"}
ANN = {USER: "ann", GROUPS: "staff,on call", SECRET_HEADER: SECRET}


async def shown(settings: dict[str, Any], *headers: tuple[str, str]) -> tuple[int, str]:
    async with browser(**settings) as client:
        answer = await client.get("/nothing", headers=list(headers))
        return answer.status_code, answer.text


@pytest.mark.parametrize(
    ("settings", "groups", "status", "role"),
    [
        (BY_SECRET, "on call", 404, "operator"),
        (BY_ADDRESS, "on call", 404, "operator"),
        (BY_SECRET | {"proxy_addresses": "127.0.0.1"}, "x, sre ,y", 404, "operator"),
        (BY_SECRET, "staff", 404, "viewer"),
        (BY_SECRET | {"proxy_viewers": "*"}, "", 404, "viewer"),
        (BY_SECRET | {"proxy_operators": "*"}, "staff", 404, "operator"),
        (BY_SECRET, "", 403, None),
        (BY_SECRET, "SRE", 403, None),
        (BY_SECRET, "sre;staff", 403, None),
        (BY_SECRET | {"proxy_addresses": "10.0.0.0/8"}, "sre", 403, None),
        (BASE | {"proxy_addresses": "10.0.0.0/8"}, "sre", 403, None),
    ],
)
async def test_who_may_do_what(
    settings: dict[str, Any], groups: str, status: int, role: str | None
) -> None:
    headers = ANN | {GROUPS: groups}
    found, text = await shown(settings, *headers.items())
    assert found == status
    assert ("viewer</span>" in text) == (role == "viewer")
    assert ("<span>ann" in text) == (role is not None)
    assert "/logout" not in text


@pytest.mark.parametrize(
    "headers",
    [
        [(USER, "ann"), (GROUPS, "sre")],
        [(USER, "ann"), (GROUPS, "sre"), (SECRET_HEADER, "wrong")],
        [(USER, "ann"), (GROUPS, "sre"), (SECRET_HEADER, SECRET), (SECRET_HEADER, SECRET)],
        [(USER, "ann"), (USER, "eve"), (GROUPS, "sre"), (SECRET_HEADER, SECRET)],
        [(USER, "ann"), (GROUPS, "sre"), (GROUPS, "x"), (SECRET_HEADER, SECRET)],
        [(GROUPS, "sre")],
        [(SECRET_HEADER, "wrong")],
        [(USER, "a" * 256), (GROUPS, "sre"), (SECRET_HEADER, SECRET)],
    ],
)
async def test_headers_that_are_not_the_proxys_are_refused(headers: list[tuple[str, str]]) -> None:
    right = ("Authorization", f"Bearer {TOKEN}")
    assert (await shown(BY_SECRET, *headers))[0] == 403
    assert (await shown(BY_SECRET, *headers, right))[0] == 403


async def test_without_a_user_the_proxy_lets_nobody_in() -> None:
    for headers in ({SECRET_HEADER: SECRET}, {SECRET_HEADER: SECRET, USER: " ", GROUPS: "sre"}):
        assert (await shown(BY_SECRET, *headers.items()))[0] == 303
    assert (await shown(BY_SECRET, ("Authorization", f"Bearer {TOKEN}")))[0] == 404
    # A console that knows of no proxy takes no notice of such headers.
    assert (await shown({"web_token": TOKEN}, *ANN.items()))[0] == 303


async def test_a_user_of_the_proxy_changes_something_only_with_a_form_of_ours() -> None:
    async with browser(**BY_SECRET) as client:
        client.headers.update(ANN)
        csrf = hidden_fields((await client.get("/nothing")).text)["csrf"]
        assert (await client.post("/theme", data={"theme": "dark"})).status_code == 403
        assert (
            await client.post("/theme", data={"theme": "dark", "csrf": csrf})
        ).status_code == 303
        api = "/api/v1/executions"
        assert (await client.post(api, content=b"[]")).status_code == 403
        header = {"X-CSRF-Token": csrf}
        assert (await client.post(api, content=b"[]", headers=header)).status_code == 415
        other = ANN | {USER: "bob"}
        assert (await client.post(api, content=b"[]", headers=other | header)).status_code == 403


@pytest.mark.parametrize(
    ("changed", "part"),
    [
        ({"proxy_secret": None}, "proxy_addresses or proxy_secret"),
        ({"proxy_secret": "short"}, "at least 16"),
        ({"proxy_secret": "ü" * 16}, "printable ASCII"),
        ({"proxy_addresses": "proxy.example"}, "no address and no network"),
        ({"proxy_user_header": "X User"}, "not the name of a header"),
        ({"proxy_groups_header": None}, "need proxy_groups_header"),
        ({"proxy_operators": "", "proxy_viewers": ""}, "proxy_operators or proxy_viewers"),
        ({"web_token": None}, "needs web_token"),
    ],
)
def test_settings_that_would_let_anybody_in(changed: dict[str, Any], part: str) -> None:
    with pytest.raises(Misconfigured, match=part) as error:
        load_settings(**BY_SECRET | changed)
    assert SECRET not in str(error.value)


def test_wrong_tokens_are_counted_by_address() -> None:
    now = 0.0
    guesses = Guesses(lambda: now)

    def guess(address: str, token: str, right: str = "right") -> bool | None:
        return guesses.looked_at(address, token, lambda: (token == right) or None)

    for number in range(20):
        assert guess("10.0.0.1", f"wrong {number}") is None
    for _ in range(100):
        assert (
            guess("10.0.0.1", "wrong 3") is None
        )  # the same again tells nothing, and costs nothing
    for token in ("another", "right"):
        with pytest.raises(Refused) as refused:
            guess("10.0.0.1", token)
        assert (refused.value.status, refused.value.headers) == (429, {"Retry-After": "60"})
    assert guess("10.0.0.2", "right")
    assert guess("::ffff:10.0.0.2", "right")
    now = 6.1
    assert guess("10.0.0.1", "right")
    for number in range(20):
        guess(f"2001:db8::{number:x}", f"wrong {number}")
    with pytest.raises(Refused):
        guess("2001:db8:0:0:1:2:3:4", "right")
    assert guess("2001:db8:0:1::1", "right")


async def test_a_login_is_not_guessed() -> None:
    async with browser(web_token=TOKEN) as client:
        statuses = [
            (await client.post("/login", data={"name": "eve", "token": f"{number}"})).status_code
            for number in range(21)
        ]
        assert statuses == [422] * 20 + [429]
        assert (await client.post("/login", data={"name": "a", "token": TOKEN})).status_code == 429
