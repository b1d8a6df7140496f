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
