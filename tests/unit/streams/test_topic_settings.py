"""The settings with which topics are created."""

from schemas.settings import load_settings
from streams.topics import Topics


def test_dead_letters_are_bounded_in_bytes_also_while_they_are_new() -> None:
    settings = load_settings(dead_letter_retention_bytes=2**30)
    topics = Topics.of(settings)
    config = topics.config_of(topics.dead_letters, settings)
    assert config["retention.bytes"] == "1073741824"
    assert config["segment.bytes"] == "67108864"  # Kafka never removes the newest segment
    assert int(config["max.message.bytes"]) <= int(config["segment.bytes"])
    assert "retention.bytes" not in topics.config_of(topics.executions, settings)


def test_a_segment_holds_the_largest_record() -> None:
    settings = load_settings(dead_letter_retention_bytes=2**20)
    topics = Topics.of(settings)
    config = topics.config_of(topics.dead_letters, settings)
    assert config["segment.bytes"] == config["max.message.bytes"]
