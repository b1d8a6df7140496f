"""The settings of the bridge."""

import pytest

from schemas.errors import Misconfigured
from schemas.settings import load_settings


def test_without_settings_it_reads_what_the_collector_writes(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    bridge = load_settings(topic_prefix="ours-").bridge
    assert bridge.bridge_topic == "otlp_spans"
    assert (bridge.bridge_mcp, bridge.bridge_caller, bridge.bridge_http) == ("skip", None, False)
    monkeypatch.setenv("ROLLGUARD_BRIDGE_RENAME", '{"fetch_url": "fetch"}')
    monkeypatch.setenv("ROLLGUARD_BRIDGE_MCP", "client")
    monkeypatch.setenv("ROLLGUARD_BRIDGE_HTTP", "true")
    given = load_settings().bridge
    assert given.bridge_rename == {"fetch_url": "fetch"}
    assert (given.bridge_mcp, given.bridge_http) == ("client", True)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("topic", "a topic"),
        ("mcp", "both"),
        ("rename", "fetch"),
        ("rename", '["fetch"]'),
        ("rename", '{"fetch": ""}'),
        ("rename", '{"fetch": 1}'),
        ("http", "perhaps"),
    ],
)
def test_a_wrong_value_is_named(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    monkeypatch.setenv(f"ROLLGUARD_BRIDGE_{name.upper()}", text)
    with pytest.raises(Misconfigured, match=f"bridge_{name}"):
        load_settings()
