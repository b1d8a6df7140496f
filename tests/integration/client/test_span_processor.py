"""The span processor publishes into Kafka, with the version that was active when a call began."""

from pathlib import Path
from uuid import UUID

from opentelemetry.sdk.trace import TracerProvider

from rollguard_client import RollguardSpanProcessor
from rollguard_client.spans.ids import execution_id_of
from schemas.fields import time_of
from tests.integration.client.topics import TOPICS, guard_of, make_topics, publish, published
from tests.support.inputs.messages import version
from tests.support.traces.spans import START_NS
from tests.support.waiting import until


async def test_the_version_is_that_which_was_active_when_the_call_began(
    embedded_broker: str, topic_prefix: str, tmp_path: Path
) -> None:
    await make_topics(embedded_broker, topic_prefix, *TOPICS)
    first, second = (
        version(
            number, "code", "words", activated_at=time_of(START_NS // 1000 + number * 1_000_000)
        )
        for number in (1, 2)
    )
    await publish(embedded_broker, topic_prefix, b"no version", first, second)
    with guard_of(embedded_broker, topic_prefix, tmp_path) as guard:
        processor = RollguardSpanProcessor(guard)
        provider = TracerProvider(shutdown_on_exit=False)
        provider.add_span_processor(processor)
        tracer = provider.get_tracer("test")

        def call(start_s: float) -> UUID:
            attributes = {"gen_ai.operation.name": "execute_tool", "gen_ai.tool.name": "words"}
            start_ns = START_NS + int(start_s * 1e9)
            span = tracer.start_span("span", attributes=attributes, start_time=start_ns)
            span.end(start_ns + 10**10)
            context = span.get_span_context()
            return execution_id_of(context.trace_id, context.span_id)

        async def is_read() -> bool:
            call(5.0)
            return processor._activations.at("words", START_NS // 1000 + 5_000_000) == 2

        await until(is_read)
        expected = {call(at): of for at, of in ((0, None), (1.5, 1), (3, 2))}
        third = version(3, "code", "words", activated_at=second.activated_at, version_id=1)
        await publish(embedded_broker, topic_prefix, third)

        async def is_rolled_back() -> bool:
            return processor._activations.at("words", START_NS // 1000 + 3_000_000) == 1

        await until(is_rolled_back)
        expected[call(3)] = 1
        assert guard.flush(20)
    found = {each.execution_id: each for each in await published(embedded_broker, topic_prefix)}
    assert {each: found[each].version_id for each in expected} == expected
