"""The settings of a worker's HTTP endpoints: the port and the token."""

import pytest

from agents.worker.http.server import require_token
from schemas.errors import Misconfigured
from schemas.settings import load_settings


def test_each_role_has_its_own_port_unless_one_is_set() -> None:
    roles = ("detector", "applier", "recorder", "bridge", "notifier")
    assert [load_settings().port_of(role) for role in roles] == [6066, 6067, 6068, 6070, 6071]
    assert {load_settings(web_port=7000).port_of(role) for role in roles} == {7000}
    assert load_settings(web_port=0).port_of("applier") == 0


def test_a_token_is_sent_and_never_shown() -> None:
    settings = load_settings(web_token="hunter2")
    assert settings.web_headers() == {"Authorization": "Bearer hunter2"}
    assert "hunter2" not in repr(settings)
    assert load_settings().web_headers() == {}
    assert load_settings(web_token="").web_headers() == {}


@pytest.mark.parametrize("token", ["hunter 2", "hunter2\n", "hünter2", " "])
def test_a_token_that_no_header_can_carry_is_refused(token: str) -> None:
    with pytest.raises(Misconfigured, match="web_token") as refused:
        load_settings(web_token=token)
    assert token.strip() == "" or token not in str(refused.value)


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "localhost"])
def test_loopback_needs_no_token(host: str) -> None:
    require_token(load_settings(web_host=host))


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "", "10.0.0.1", "localhost.example.org"])
def test_every_other_host_needs_a_token(host: str) -> None:
    with pytest.raises(Misconfigured, match="set ROLLGUARD_WEB_TOKEN"):
        require_token(load_settings(web_host=host))
    require_token(load_settings(web_host=host, web_token="t"))
