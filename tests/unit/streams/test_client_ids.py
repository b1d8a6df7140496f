"""A worker tells its version by its client id, and others may tell anything."""

from importlib.metadata import version

import pytest

from streams.client_ids import own_client_id, version_in


def test_our_own_client_id_tells_our_version() -> None:
    assert version_in(own_client_id()) == version("rollguard")


@pytest.mark.parametrize(
    ("client_id", "told"),
    [
        ("rollguard-0.9.0", "0.9.0"),
        ("rollguard-1.0.0rc1+local.2", "1.0.0rc1+local.2"),
        ("faust-0.11.3", "unknown"),
        ("", "unknown"),
        ("rollguard-", "unknown"),
        ("rollguard-<b>1</b>", "unknown"),
        ("rollguard-1.0\n2.0", "unknown"),
        ("rollguard-1" + "0" * 64, "unknown"),
    ],
)
def test_what_a_client_id_tells(client_id: str, told: str) -> None:
    assert version_in(client_id) == told


def test_a_broker_may_tell_the_member_id_alone() -> None:
    member_id = "rollguard-0.9.0-12cf87b6-bfeb-40b9-8d52-250259e68c8b"
    assert version_in("", member_id) == "0.9.0"
    assert version_in("rollguard-1.0", member_id) == "1.0"
    assert version_in("", "somebody-12cf87b6-bfeb-40b9-8d52-250259e68c8b") == "unknown"
