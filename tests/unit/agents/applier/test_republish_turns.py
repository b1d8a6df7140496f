"""Every version is signed anew several times within the time for which a signature vouches."""

from agents.applier.republish_versions import Turn
from schemas.settings import load_settings

DAY_S = 86_400


def test_every_tool_has_a_turn_four_times_a_day() -> None:
    settings = load_settings()
    tools = [f"tool-{number}" for number in range(200)]
    signed = dict.fromkeys(tools, 0)
    for now_s in range(0, DAY_S, 300):
        turn = Turn.at(now_s, settings)
        for tool in tools:
            signed[tool] += turn.is_of(tool)
    assert set(signed.values()) == {4}


def test_turns_are_about_equally_long() -> None:
    settings = load_settings()
    turn = Turn.at(0, settings)
    assert turn.turns == 72
    tools = [f"tool-{number}" for number in range(7_200)]
    counts = [sum(Turn(number, 72).is_of(tool) for tool in tools) for number in range(72)]
    assert min(counts) > 50
    assert max(counts) < 200


def test_a_short_time_makes_one_turn_of_all() -> None:
    settings = load_settings(signature_max_age_s=600)
    assert Turn.at(12_345, settings) == Turn(0, 1)
