"""Record the spans that frameworks really make, as the files beside this one.

The frameworks are installed into a folder of their own, because openai-agents and this repository
both have a package `agents`; run it outside of the repository:

    pip install --target /tmp/frameworks "pydantic-ai-slim[openai]" fastmcp langgraph \
        langchain-core openinference-instrumentation-langchain \
        opentelemetry-instrumentation-langchain \
        openai-agents openinference-instrumentation-openai-agents \
        opentelemetry-exporter-otlp-proto-common opentelemetry-sdk
    cd /tmp && PYTHONPATH=/tmp/frameworks python …/tests/data/spans/record.py pydantic_ai

Without a name it records all, each in a process of its own. Each framework calls the tool `words`
three times: it succeeds, raises a TypeError, and is asked for with arguments that are wrong. The
models are scripted. With `--decorated` the tool has the decorator of rollguard-client, which must
then be on the path; the file's name ends so, and it has the spans of the tool alone.
"""

# mypy: ignore-errors

import asyncio
import base64
import json
import logging
import os
import re
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from google.protobuf.json_format import MessageToDict
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

HERE = Path(__file__).parent
DECORATED = "--decorated" in sys.argv
LONGEST = 160
MARKERS = {
    ("gen_ai.operation.name", "execute_tool"),
    ("openinference.span.kind", "TOOL"),
    ("traceloop.span.kind", "tool"),
}
CALLS: Sequence[dict[str, Any]] = (
    {"text": "one two three"},
    {"text": "fail"},
    {"wrong": [1]},
)


def words(text: str) -> int:
    """Count the words of a text."""
    if text == "fail":
        raise TypeError("can only concatenate str (not 'int') to str")
    return len(text.split())


if DECORATED:
    from rollguard_client import Rollguard

    guard = Rollguard(kafka_brokers="127.0.0.1:1", flush_s=0)
    logging.getLogger("rollguard_client").setLevel(logging.CRITICAL)
    words = guard.tool("words", version=7)(words)


async def pydantic_ai(provider: TracerProvider) -> None:
    """Record the spans of Pydantic AI's own instrumentation."""
    from pydantic_ai import Agent
    from pydantic_ai.messages import ModelResponse, TextPart, ToolCallPart
    from pydantic_ai.models.function import FunctionModel
    from pydantic_ai.models.instrumented import InstrumentationSettings

    for arguments in CALLS:

        def answer(messages: Any, _info: Any, arguments: Any = arguments) -> ModelResponse:
            if len(messages) > 1:
                return ModelResponse(parts=[TextPart("done")])
            return ModelResponse(parts=[ToolCallPart("words", arguments)])

        agent = Agent(FunctionModel(answer), tools=[words])
        agent.instrument = InstrumentationSettings(tracer_provider=provider)
        with suppress(TypeError):
            await agent.run("count")


async def _langchain(instrumentor: Any, provider: TracerProvider) -> None:
    from langchain_core.messages import AIMessage
    from langchain_core.tools import tool
    from langgraph.graph import START, MessagesState, StateGraph
    from langgraph.prebuilt import ToolNode

    instrumentor.instrument(tracer_provider=provider)
    graph = StateGraph(MessagesState)
    graph.add_node("tools", ToolNode([tool(words)], handle_tool_errors=True))
    graph.add_edge(START, "tools")
    app = graph.compile()
    for number, arguments in enumerate(CALLS):
        call = {"name": "words", "args": arguments, "id": f"call_{number}"}
        await app.ainvoke({"messages": [AIMessage("", tool_calls=[call])]})


async def langgraph_openinference(provider: TracerProvider) -> None:
    """Record the spans that OpenInference makes of LangGraph."""
    from openinference.instrumentation.langchain import LangChainInstrumentor

    await _langchain(LangChainInstrumentor(), provider)


async def langgraph_traceloop(provider: TracerProvider) -> None:
    """Record the spans that Traceloop (OpenLLMetry) makes of LangGraph."""
    from opentelemetry.instrumentation.langchain import LangchainInstrumentor

    await _langchain(LangchainInstrumentor(), provider)


async def openai_agents_openinference(provider: TracerProvider) -> None:
    """Record the spans that OpenInference makes of the OpenAI Agents SDK."""
    from openai.types.responses import (
        ResponseFunctionToolCall,
        ResponseOutputMessage,
        ResponseOutputText,
    )
    from openinference.instrumentation.openai_agents import OpenAIAgentsInstrumentor

    from agents import Agent, Model, ModelResponse, Runner, Usage, function_tool

    OpenAIAgentsInstrumentor().instrument(tracer_provider=provider)

    class Scripted(Model):
        def __init__(self, arguments: Any) -> None:
            call = ResponseFunctionToolCall(
                arguments=json.dumps(arguments), call_id="c", name="words", type="function_call"
            )
            text = ResponseOutputText(annotations=[], text="done", type="output_text")
            end = ResponseOutputMessage(
                id="m", content=[text], role="assistant", status="completed", type="message"
            )
            self._outputs = [[call], [end]]

        async def get_response(self, *_args: Any, **_named: Any) -> ModelResponse:
            return ModelResponse(output=self._outputs.pop(0), usage=Usage(), response_id=None)

        def stream_response(self, *_args: Any, **_named: Any) -> Any:
            raise NotImplementedError

    for arguments in CALLS:
        agent = Agent(name="counter", model=Scripted(arguments), tools=[function_tool(words)])
        await Runner.run(agent, "count")


async def fastmcp(provider: TracerProvider) -> None:
    """Record the spans of FastMCP's client and server, in one process."""
    from fastmcp import Client, FastMCP

    server = FastMCP("counter")
    server.tool(words)
    async with Client(server) as client:
        for arguments in CALLS:
            await client.call_tool("words", arguments, raise_on_error=False)


RECORDERS: dict[str, Callable[[TracerProvider], Awaitable[None]]] = {
    each.__name__: each
    for each in (
        pydantic_ai,
        langgraph_openinference,
        langgraph_traceloop,
        openai_agents_openinference,
        fastmcp,
    )
}


def record(name: str) -> None:
    """Run a framework, and write the spans that it has made in the JSON of OTLP."""
    provider, exporter = TracerProvider(shutdown_on_exit=False), InMemorySpanExporter()
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    asyncio.run(RECORDERS[name](provider))
    path = HERE / f"{name}{'-decorated' if DECORATED else ''}.json"
    spans = exporter.get_finished_spans()
    if DECORATED:
        spans = tuple(
            each for each in spans if MARKERS.intersection((each.attributes or {}).items())
        )
    text = json.dumps(in_json(spans), ensure_ascii=False)
    path.write_text(text.replace('}, {"traceId"', '},\n{"traceId"') + "\n", "utf-8")


def in_json(spans: Sequence[ReadableSpan]) -> Any:
    """Return spans in the JSON of OTLP, whose ids are in hex; protobuf writes base64."""
    data = MessageToDict(encode_spans(spans), use_integers_for_enums=True)
    for resource in data["resourceSpans"]:
        for scope in resource["scopeSpans"]:
            for span in scope["spans"]:
                for key in ("traceId", "spanId", "parentSpanId"):
                    if key in span:
                        span[key] = base64.b64decode(span[key]).hex()
    return shortened(data)


def shortened(data: Any) -> Any:
    """Return data without the folders of this machine and without the middle of long texts."""
    if isinstance(data, dict):
        return {name: shortened(value) for name, value in data.items()}
    if isinstance(data, list):
        return [shortened(value) for value in data]
    if not isinstance(data, str):
        return data
    text = re.sub(r'File "[^"]*/', 'File "', data)
    return text if len(text) <= LONGEST else f"{text[: LONGEST // 2]} … {text[-LONGEST // 2 :]}"


if __name__ == "__main__":
    names = [each for each in sys.argv[1:] if not each.startswith("-")]
    if len(names) == 1:
        record(names[0])
        os._exit(0)  # some frameworks leave threads
    for each in names or RECORDERS:
        command = [sys.executable, __file__, each, *(["--decorated"] if DECORATED else [])]
        subprocess.run(command, check=True)
