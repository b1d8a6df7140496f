"""The hosts that a detector asks, and addresses of which only the host decides where they lead."""

import pytest

from schemas.configuration.web_address import host_of, is_allowed
from schemas.errors import Misconfigured
from schemas.settings import load_settings


@pytest.mark.parametrize(
    ("patterns", "allowed", "refused"),
    [
        ("", ["localhost", "127.0.0.1", "127.8.8.8", "::1"], ["a", "10.0.0.1", "0.0.0.0", "::"]),
        ("*", ["3f2a9c1b7d4e", "detector", "127.0.0.1"], ["a.example", "10.0.0.1", "2852039166"]),
        ("*.det.svc", ["a-1.det.svc"], ["det.svc", "a.b.det.svc", "a.det.svc.evil"]),
        ("Det-*", ["det-1", "det-"], ["xdet-1", "det-1.evil", "DET"]),
        ("10.1.0.0/16,fd00::/8", ["10.1.2.3", "fd00::1"], ["10.2.0.1", "fe80::1", "10.1.2.3.evil"]),
        ("10.1.2.3", ["10.1.2.3"], ["10.1.2.4", "167838211"]),
        ("*,a.example", ["a.example"], ["0x7f000001", "0x7f.1", "169.254.169.254"]),
    ],
)
def test_who_is_asked(patterns: str, allowed: list[str], refused: list[str]) -> None:
    hosts = load_settings(detector_hosts=patterns).detector_hosts
    assert [host for host in allowed if not is_allowed(host, hosts)] == []
    assert [host for host in refused if is_allowed(host, hosts)] == []


@pytest.mark.parametrize("wrong", ["10.1.2.3/16", "http://a", "a:1", "a b", "a/b", "..", "[ab]"])
def test_what_stands_for_no_host_is_refused(wrong: str) -> None:
    with pytest.raises(Misconfigured, match=r"detector_hosts.*no name, no address"):
        load_settings(detector_hosts=wrong)


@pytest.mark.parametrize(
    ("url", "host"),
    [
        ("http://Detector-1:6066", "detector-1"),
        ("https://[::1]:1/", "::1"),
        ("http://a", "a"),
        ("http://a:1/path", None),
        ("http://a:1?x=", None),
        ("http://a:1#x", None),
        ("http://a#", None),
        ("http://a?", None),
        ("http://user@a:1", None),
        ("http://a:1\\@b", None),
        ("http://a :1", None),
        ("http://a:port", None),
        ("http://", None),
        ("ftp://a", None),
        ("a:1", None),
        ("", None),
    ],
)
def test_an_address_is_a_host_and_a_port(url: str, host: str | None) -> None:
    assert host_of(url) == host
    if host is None and url:
        with pytest.raises(Misconfigured, match="web_url"):
            load_settings(web_url=url)


def test_a_short_token_of_detectors_is_refused_and_not_shown() -> None:
    with pytest.raises(Misconfigured, match=r"detector_token: .*at least 16") as refused:
        load_settings(detector_token="hunter2")
    assert "hunter2" not in str(refused.value)
    settings = load_settings(detector_token="hunter2-hunter2-hunter2")
    assert "hunter2" not in repr(settings)
    assert load_settings(detector_token="").detector_token is None
